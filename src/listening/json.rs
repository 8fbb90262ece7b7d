//! The objects of a JSON array one by one, without the array in memory; values that may be absent or of another type than expected.

use super::rows::Fault;
use super::text::{MAX_RECORD, SKIP};
use crate::error::{Error, Result};
use crate::io::{Content, read_failed};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use std::borrow::Cow;
use std::fmt;
use std::io::{BufRead, BufReader, Read};

/// Cuts a file that holds a JSON array into its elements. The brackets are counted, so a malformed element does not spoil the ones behind it.
pub(super) struct Elements {
    name: String,
    reader: BufReader<Box<dyn Read + Send>>,
    element: Vec<u8>,
    number: u64,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    /// Before an element; with `true` a comma must come first.
    Between(bool),
    End,
}

impl Elements {
    pub(super) fn open(content: &dyn Content) -> Result<Self> {
        let reader = BufReader::with_capacity(64 << 10, content.open()?);
        Ok(Self { name: content.name().to_owned(), reader, element: Vec::new(), number: 0, place: Place::Start })
    }

    /// The error for the element read last.
    pub(super) fn malformed(&self, problem: &str) -> Fault {
        Fault::Malformed(self.error(problem))
    }

    /// The same as an error that ends reading.
    pub(super) fn error(&self, problem: &str) -> Error {
        Error::data(&self.name, Some(self.number), problem, SKIP)
    }

    /// Goes to the next element; `false` at the end.
    pub(super) fn next(&mut self) -> Result<bool, Fault> {
        self.find()
    }

    /// The bytes of the element gone to last.
    pub(super) fn element(&self) -> &[u8] {
        &self.element
    }

    fn peek(&mut self) -> Result<Option<u8>, Fault> {
        let buffer = self.reader.fill_buf().map_err(|e| Fault::Fatal(read_failed(&self.name, e)))?;
        Ok(buffer.first().copied())
    }

    fn find(&mut self) -> Result<bool, Fault> {
        if self.place == Place::Start {
            for mark in *b"\xef\xbb\xbf" {
                if self.peek()? == Some(mark) {
                    self.reader.consume(1);
                }
            }
        }
        loop {
            let Some(byte) = self.peek()? else {
                if self.place == Place::End {
                    return Ok(false);
                }
                self.place = Place::End;
                self.number += 1;
                return Err(self.malformed("the file ends before its JSON array does"));
            };
            match (self.place, byte) {
                (_, b' ' | b'\t' | b'\n' | b'\r') => self.reader.consume(1),
                (Place::Start, b'[') | (Place::Between(true), b',') => {
                    self.reader.consume(1);
                    self.place = Place::Between(false);
                }
                (Place::Between(_), b']') => {
                    self.reader.consume(1);
                    self.place = Place::End;
                }
                (Place::Between(false), _) => {
                    self.number += 1;
                    self.place = Place::Between(true);
                    self.take()?;
                    return Ok(true);
                }
                _ => {
                    self.number += 1;
                    return Err(Fault::Fatal(Error::data(
                        &self.name,
                        Some(self.number),
                        "not a JSON array",
                        "check that the file is complete and unchanged as it was downloaded",
                    )));
                }
            }
        }
    }

    /// Copies one element: to its closing bracket, or to the comma or bracket that ends a bare value.
    fn take(&mut self) -> Result<(), Fault> {
        self.element.clear();
        let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
        loop {
            let buffer = self.reader.fill_buf().map_err(|e| Fault::Fatal(read_failed(&self.name, e)))?;
            if buffer.is_empty() {
                self.place = Place::End;
                return Err(self.malformed("the file ends in the middle of a record"));
            }
            let mut used = 0;
            let mut done = false;
            for &byte in buffer {
                if quoted {
                    if escaped {
                        escaped = false;
                    } else if byte == b'\\' {
                        escaped = true;
                    } else if byte == b'"' {
                        quoted = false;
                    }
                } else {
                    match byte {
                        b'"' => quoted = true,
                        b'{' | b'[' => depth += 1,
                        b',' | b']' | b'}' if depth == 0 => {
                            done = true;
                            break;
                        }
                        b'}' | b']' => {
                            depth -= 1;
                            if depth == 0 {
                                used += 1;
                                done = true;
                                break;
                            }
                        }
                        _ => {}
                    }
                }
                used += 1;
            }
            self.element.extend_from_slice(buffer.get(..used).unwrap_or_default());
            self.reader.consume(used);
            if self.element.len() > MAX_RECORD {
                return Err(Fault::Fatal(Error::data(
                    &self.name,
                    Some(self.number),
                    "the record is longer than 16 MiB",
                    "check that the file is what its name says",
                )));
            }
            if done {
                return Ok(());
            }
        }
    }
}

/// A text, or nothing where the value is null.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Text<'a>(pub(super) Option<Cow<'a, str>>);

impl Text<'_> {
    /// The text, or nothing where it is null or empty.
    pub(super) fn get(&self) -> Option<&str> {
        self.0.as_deref().filter(|text| !text.is_empty())
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or null")
            }
            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Text(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
                Ok(Text(None))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// A number, or nothing where the value is null.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(super) struct Number(pub(super) Option<f64>);

/// Largest number up to which all integers are exact as floating point.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Number {
    /// The number as an integer, if it is one.
    pub(super) fn integer(self) -> Option<i64> {
        #[expect(clippy::cast_possible_truncation, reason = "only whole numbers below 2^53 are cast")]
        self.0.filter(|number| number.fract() == 0.0 && number.abs() < EXACT).map(|number| number as i64)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or null")
            }
            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Number, E> {
                Ok(Number(Some(number)))
            }
            #[expect(clippy::cast_precision_loss, reason = "numbers beyond 2^53 are refused later")]
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }
            #[expect(clippy::cast_precision_loss, reason = "numbers beyond 2^53 are refused later")]
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Number, E> {
                Ok(Number(Some(number as f64)))
            }
            fn visit_unit<E: de::Error>(self) -> Result<Number, E> {
                Ok(Number(None))
            }
        }
        deserializer.deserialize_any(NumberVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[derive(Debug)]
    struct Bytes(Vec<u8>);

    impl Content for Bytes {
        fn name(&self) -> &'static str {
            "test.json"
        }
        fn open(&self) -> Result<Box<dyn Read + Send>> {
            Ok(Box::new(std::io::Cursor::new(self.0.clone())))
        }
    }

    fn elements(text: &str) -> Vec<Result<String, bool>> {
        let content: Arc<dyn Content> = Arc::new(Bytes(text.as_bytes().to_vec()));
        let mut elements = Elements::open(content.as_ref()).unwrap();
        let mut found = Vec::new();
        loop {
            match elements.next() {
                Ok(true) => found.push(Ok(String::from_utf8(elements.element().to_vec()).unwrap())),
                Ok(false) => return found,
                Err(Fault::Malformed(_)) => found.push(Err(false)),
                Err(Fault::Fatal(_)) => {
                    found.push(Err(true));
                    return found;
                }
            }
        }
    }

    #[test]
    fn an_array_falls_into_its_elements() {
        assert_eq!(elements("\u{feff} [ ]"), []);
        assert_eq!(
            elements(r#"[{"a":"]}\"{"},{"b":[1,{"c":2}]}]"#),
            [Ok(r#"{"a":"]}\"{"}"#.to_owned()), Ok(r#"{"b":[1,{"c":2}]}"#.to_owned())]
        );
        assert_eq!(elements("[null, 7,{}]\n"), [Ok("null".to_owned()), Ok("7".to_owned()), Ok("{}".to_owned())]);
    }

    #[test]
    fn damage_is_found() {
        assert_eq!(elements(""), [Err(false)]);
        assert_eq!(elements("[{},"), [Ok("{}".to_owned()), Err(false)]);
        assert_eq!(elements("[{}"), [Ok("{}".to_owned()), Err(false)]);
        assert_eq!(elements("[{\"a\":"), [Err(false)]);
        assert_eq!(elements("[{}] {}"), [Ok("{}".to_owned()), Err(true)]);
        assert_eq!(elements("{\"a\":1}"), [Err(true)]);
        assert_eq!(elements("[{}{}]"), [Ok("{}".to_owned()), Err(true)]);
    }

    #[test]
    fn values_may_be_absent() {
        assert_eq!(serde_json::from_str::<Text<'_>>("null").unwrap().get(), None);
        assert_eq!(serde_json::from_str::<Text<'_>>(r#""a\n""#).unwrap().get(), Some("a\n"));
        assert!(serde_json::from_str::<Text<'_>>("1").is_err());
        assert_eq!(serde_json::from_str::<Number>("1.5e1").unwrap().integer(), Some(15));
        assert_eq!(serde_json::from_str::<Number>("18446744073709551615").unwrap().integer(), None);
        assert_eq!(serde_json::from_str::<Number>("0.5").unwrap().integer(), None);
    }
}
