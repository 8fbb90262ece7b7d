//! Files that say which items are the same.

use crate::error::{Error, Result};
use hashbrown::HashMap;
use std::path::Path;

/// A mapping from items to canonical items, from a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ItemMapping {
    canonical: HashMap<String, String>,
}

impl ItemMapping {
    /// Reads a CSV file without header: one row an item, `item;canonical item`. Items that are not in it stay what they are.
    ///
    /// # Errors
    /// The file cannot be read, is not UTF-8 or has no rows; a row has not two columns, an empty one, or gives an item that an earlier row maps to something else. Errors name the row.
    pub fn read(path: impl AsRef<Path>, delimiter: char) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::policy(
                "items.canonical.file",
                format!("there is no file {name}"),
                "correct the path; it is relative to the policy file",
            ),
            _ => Error::io(path, e),
        })?;
        let delimiter = u8::try_from(delimiter)
            .ok()
            .filter(u8::is_ascii)
            .ok_or_else(|| Error::policy("items.canonical.delimiter", "is not an ASCII character", "use for example \";\" or \",\""))?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes);
        let mut canonical = HashMap::new();
        let mut record = csv::StringRecord::new();
        let mut row = 0_u64;
        loop {
            row += 1;
            let refuse = |problem: &str, remedy: &str| Error::data(name.clone(), Some(row), problem, remedy);
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                // The text of the library may quote the row.
                Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    return Err(refuse("is not UTF-8", "save the mapping as UTF-8"));
                }
                Err(_) => return Err(refuse("cannot be read as CSV", "check the quotes of this row")),
            }
            let (Some(item), Some(target), None) = (record.get(0), record.get(1), record.get(2)) else {
                return Err(refuse("has not two columns", "write item;canonical item, and check the delimiter"));
            };
            if item.is_empty() || target.is_empty() {
                return Err(refuse("has an empty column", "give both the item and the canonical item"));
            }
            match canonical.insert(item.to_owned(), target.to_owned()) {
                Some(earlier) if earlier != target => {
                    return Err(refuse("maps an item that an earlier row maps to something else", "give every item once"));
                }
                _ => {}
            }
        }
        if canonical.is_empty() {
            return Err(Error::data(name, None, "has no rows", "write one row for every item that is not canonical"));
        }
        Ok(Self { canonical })
    }

    /// The canonical item of an item: one step, so that a file with chains gives what it says.
    #[must_use]
    pub fn canonical<'a>(&'a self, item: &'a str) -> &'a str {
        self.canonical.get(item).map_or(item, String::as_str)
    }

    /// Items that the file names.
    #[must_use]
    pub fn len(&self) -> usize {
        self.canonical.len()
    }

    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.canonical.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<ItemMapping> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recordings.csv");
        std::fs::write(&path, text).unwrap();
        ItemMapping::read(&path, ';')
    }

    #[test]
    fn items_are_what_the_file_says() {
        let mapping = read("\u{feff}uri:1;recording A\nuri:2;recording A\n\"uri;3\";B\nuri:1;recording A\n".as_bytes()).unwrap();
        assert_eq!((mapping.len(), mapping.is_empty()), (3, false));
        assert_eq!((mapping.canonical("uri:1"), mapping.canonical("uri;3"), mapping.canonical("other")), ("recording A", "B", "other"));
    }

    #[test]
    fn mistakes_are_named_by_row_and_without_their_text() {
        for (text, row, problem) in [
            (&b"a;b\nsecret\n"[..], "record 2", "two columns"),
            (b"a;b\nsecret;c;d\n", "record 2", "two columns"),
            (b"a;b\nsecret;\n", "record 2", "empty"),
            (b"secret;b\nsecret;c\n", "record 2", "something else"),
            (b"a;b\n\xff;c\n", "record 2", "UTF-8"),
            (b"", "", "no rows"),
        ] {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(problem) && message.contains(row) && !message.contains("secret"), "{message}");
        }
        assert!(ItemMapping::read("nowhere.csv", ';').unwrap_err().to_string().contains("nowhere.csv"));
    }
}
