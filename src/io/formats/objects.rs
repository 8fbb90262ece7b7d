//! JSON objects of a text, one after the other.

use super::window::Window;
use std::io::{self, Read};

/// An object longer than this is a mistake.
const OBJECT_BYTES: usize = 1 << 24;

/// Why an object cannot be read.
#[derive(Debug)]
pub(super) enum Flaw {
    Io(io::Error),
    /// Something stands where an object should.
    NotAnObject,
    /// The text ends inside an object, or inside the array.
    Truncated,
    TooLong,
}

impl From<io::Error> for Flaw {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Cuts a text into its objects: the elements of one array, or objects that follow each other.
#[derive(Debug)]
pub(super) struct Objects<R> {
    window: Window<R>,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Start,
    /// After the opening bracket.
    ArrayStart,
    /// After an element.
    Array,
    /// After the closing bracket.
    Closed,
    /// Objects one after the other.
    Lines,
    /// Somewhere inside; what stands between two objects was checked before.
    Inside,
}

impl<R: Read> Objects<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { window: Window::new(reader, 0), mode: Mode::Start }
    }

    /// For a reader that was set to the first byte of an object.
    pub(super) fn resume(reader: R) -> Self {
        Self { mode: Mode::Inside, ..Self::new(reader) }
    }

    fn skip_space(&mut self) -> Result<Option<u8>, Flaw> {
        loop {
            match self.window.peek()? {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.window.take(1),
                byte => return Ok(byte),
            }
        }
    }

    /// Goes to the beginning of the next object and gives its offset; `None` after the last.
    fn advance(&mut self) -> Result<Option<u64>, Flaw> {
        if self.mode == Mode::Start && !self.window.skip_mark()? {
            return Err(Flaw::NotAnObject);
        }
        loop {
            let byte = self.skip_space()?;
            match (self.mode, byte) {
                (Mode::Start | Mode::Lines | Mode::Closed, None) => return Ok(None),
                (_, None) => return Err(Flaw::Truncated),
                (Mode::Start, Some(b'[')) => {
                    self.window.take(1);
                    self.mode = Mode::ArrayStart;
                }
                (Mode::ArrayStart | Mode::Array, Some(b']')) => {
                    self.window.take(1);
                    self.mode = Mode::Closed;
                }
                (Mode::Array, Some(b',')) => {
                    self.window.take(1);
                    // An object must follow.
                    match self.skip_space()? {
                        Some(b'{') => break,
                        Some(_) => return Err(Flaw::NotAnObject),
                        None => return Err(Flaw::Truncated),
                    }
                }
                (Mode::Inside, Some(b',')) => self.window.take(1),
                (Mode::ArrayStart | Mode::Start | Mode::Lines | Mode::Inside, Some(b'{')) => break,
                _ => return Err(Flaw::NotAnObject),
            }
        }
        self.mode = match self.mode {
            Mode::Start | Mode::Lines => Mode::Lines,
            Mode::Inside => Mode::Inside,
            _ => Mode::Array,
        };
        Ok(Some(self.window.offset()))
    }

    /// Reads the next object into `object` and gives its offset in the text; `None` after the last.
    pub(super) fn read(&mut self, object: &mut Vec<u8>) -> Result<Option<u64>, Flaw> {
        object.clear();
        let Some(offset) = self.advance()? else { return Ok(None) };
        let (mut depth, mut quoted, mut escaped) = (0u32, false, false);
        loop {
            let bytes = self.window.bytes()?;
            if bytes.is_empty() {
                return Err(Flaw::Truncated);
            }
            let mut length = 0;
            let mut ended = false;
            for &byte in bytes {
                length += 1;
                if quoted {
                    if escaped {
                        escaped = false;
                    } else if byte == b'\\' {
                        escaped = true;
                    } else if byte == b'"' {
                        quoted = false;
                    }
                    continue;
                }
                match byte {
                    b'"' => quoted = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            ended = true;
                            break;
                        }
                    }
                    _ => {}
                }
            }
            object.extend_from_slice(bytes.get(..length).unwrap_or_default());
            self.window.take(length);
            if ended {
                return Ok(Some(offset));
            }
            if object.len() > OBJECT_BYTES {
                return Err(Flaw::TooLong);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::window::Dribble;
    use super::*;
    use proptest::prelude::*;

    fn cut(text: &str) -> Result<Vec<String>, Flaw> {
        let mut objects = Objects::new(Dribble(text.as_bytes()));
        let (mut found, mut object) = (Vec::new(), Vec::new());
        while let Some(offset) = objects.read(&mut object)? {
            let piece = String::from_utf8_lossy(&object).into_owned();
            assert!(text.get(usize::try_from(offset).unwrap_or(usize::MAX)..).unwrap_or_default().starts_with(&piece));
            found.push(piece);
        }
        Ok(found)
    }

    #[test]
    fn objects_are_found_in_arrays_and_lines() {
        for text in [
            "[{\"a\":1},{\"b\":\"}\\\"{\"}]",
            " [ {\"a\":1} ,\n{\"b\":\"}\\\"{\"} ]\n",
            "{\"a\":1}\n{\"b\":\"}\\\"{\"}",
            "\u{feff}{\"a\":1}\r\n\r\n{\"b\":\"}\\\"{\"}\r\n",
        ] {
            let found = cut(text).unwrap_or_default();
            assert_eq!(found, ["{\"a\":1}", "{\"b\":\"}\\\"{\"}"], "{text}");
        }
        for text in ["", " \n", "[]", "[ ]\n"] {
            assert_eq!(cut(text).unwrap_or(vec!["wrong".into()]), Vec::<String>::new());
        }
    }

    #[test]
    fn anything_else_is_a_flaw() {
        for text in ["[", "[{\"a\":1}", "[{\"a\":1},", "{\"a\":1", "{\"a\":\"}", "[{\"a\":[}"] {
            assert!(matches!(cut(text), Err(Flaw::Truncated)), "{text}");
        }
        for text in ["1", "[1]", "[{},]", "[{}{}]", "[,{}]", "{},{}", "[{}]x", "[{}][{}]", "x{}", "null", "{}]"] {
            assert!(matches!(cut(text), Err(Flaw::NotAnObject)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(keys in prop::collection::vec((".{0,8}", ".{0,8}"), 0..6), pretty: bool, array: bool) {
            let values: Vec<serde_json::Value> = keys.iter().map(|(k, v)| serde_json::json!({ k: v, "n": [1, {"x": v}] })).collect();
            let show = |value: &serde_json::Value| if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap_or_default();
            let text = if array { show(&values.clone().into()) } else { values.iter().map(|v| show(v) + "\n").collect() };
            let found = cut(&text).map_err(|_| TestCaseError::fail("flaw"))?;
            let parsed: Vec<serde_json::Value> = found.iter().map(|t| serde_json::from_str(t).unwrap_or_default()).collect();
            prop_assert_eq!(parsed, values);
        }
    }
}
