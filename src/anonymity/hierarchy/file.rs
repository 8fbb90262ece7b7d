//! Hierarchies from files.

use super::scheme::Unknown;
use super::table;
use super::text::plain_text;
use crate::error::{Error, Result};
use arrow::array::{Array, StringArray};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// A hierarchy written out, in a file or by a function: for every leaf its label at levels 1, 2, ….
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, Vec<String>>", into = "BTreeMap<String, Vec<String>>")]
pub struct FileLevels {
    leaves: BTreeMap<String, Vec<String>>,
    levels: usize,
}

impl TryFrom<BTreeMap<String, Vec<String>>> for FileLevels {
    type Error = String;

    fn try_from(leaves: BTreeMap<String, Vec<String>>) -> Result<Self, String> {
        let levels = leaves.values().next().map_or(0, Vec::len);
        let mut parents = Parents::new(levels);
        for labels in leaves.values() {
            if labels.len() != levels {
                return Err("leaves have different numbers of levels".to_owned());
            }
            if let Some(level) = parents.conflict(labels) {
                return Err(format!("a value of level {level} has two different parents"));
            }
        }
        Ok(Self { leaves, levels })
    }
}

impl From<FileLevels> for BTreeMap<String, Vec<String>> {
    fn from(file: FileLevels) -> Self {
        file.leaves
    }
}

/// Which label a label has one level up.
struct Parents {
    of_level: Vec<HashMap<String, String>>,
}

impl Parents {
    fn new(levels: usize) -> Self {
        Self { of_level: vec![HashMap::new(); levels.saturating_sub(1)] }
    }

    /// The level of a label that already has another parent.
    fn conflict(&mut self, labels: &[String]) -> Option<usize> {
        for (level, (known, pair)) in self.of_level.iter_mut().zip(labels.windows(2)).enumerate() {
            let parent = known.entry(pair[0].clone()).or_insert_with(|| pair[1].clone());
            if *parent != pair[1] {
                return Some(level + 1);
            }
        }
        None
    }
}

impl FileLevels {
    /// Reads a CSV file without header: one row a leaf, `leaf;level1;level2;…`.
    ///
    /// # Errors
    /// The file cannot be read, is not UTF-8 or has no rows; rows have different numbers of columns, a leaf stands twice, or a value has two
    /// different parents. Errors name the row.
    pub fn read(column: &str, path: impl AsRef<Path>, delimiter: char) -> Result<Self> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let bytes = std::fs::read(path).map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => Error::policy(
                format!("columns.{column}.hierarchy.file"),
                format!("there is no file {name}"),
                "correct the path; it is relative to the policy file",
            ),
            _ => Error::io(path, e),
        })?;
        let delimiter = u8::try_from(delimiter).ok().filter(u8::is_ascii).ok_or_else(|| {
            Error::policy(format!("columns.{column}.hierarchy.delimiter"), "is not an ASCII character", "use for example \";\" or \",\"")
        })?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).delimiter(delimiter).from_reader(bytes);
        let mut leaves = BTreeMap::new();
        let mut width = 0;
        let mut parents = Parents::new(0);
        let mut row = 0_u64;
        let mut record = csv::StringRecord::new();
        loop {
            row += 1;
            let refuse = |problem: String, remedy: &str| Error::data(name.clone(), Some(row), problem, remedy);
            match reader.read_record(&mut record) {
                Ok(true) => {}
                Ok(false) => break,
                // The text of the library may quote the row.
                Err(error) if matches!(error.kind(), csv::ErrorKind::Utf8 { .. }) => {
                    return Err(refuse("is not UTF-8".to_owned(), "save the hierarchy file as UTF-8"));
                }
                Err(_) => return Err(refuse("cannot be read as CSV".to_owned(), "check the quotes of this row")),
            }
            if row == 1 {
                width = record.len();
                parents = Parents::new(width.saturating_sub(1));
            }
            if record.len() != width {
                return Err(refuse(
                    format!("has {} columns where the first row has {width}", record.len()),
                    "give every leaf the same number of levels and check the delimiter",
                ));
            }
            if record.iter().any(|field| field.contains(['\n', '\r'])) {
                return Err(refuse("spans several lines".to_owned(), "check the quotes of this row"));
            }
            let mut fields = record.iter().map(str::to_owned);
            let leaf = fields.next().unwrap_or_default();
            let labels: Vec<String> = fields.collect();
            if let Some(level) = parents.conflict(&labels) {
                return Err(refuse(
                    format!("gives a value of level {level} another parent than an earlier row"),
                    "levels must be nested: give the value one parent, or two different names",
                ));
            }
            if leaves.insert(leaf, labels).is_some() {
                return Err(refuse("repeats a leaf of an earlier row".to_owned(), "give every leaf once"));
            }
        }
        if leaves.is_empty() {
            return Err(Error::data(name, None, "has no rows", "write one row for every value of the column"));
        }
        Ok(Self { leaves, levels: width.saturating_sub(1) })
    }

    /// Number of leaves.
    #[must_use]
    pub fn len(&self) -> usize {
        self.leaves.len()
    }

    /// Whether there are no leaves.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    pub(super) fn levels(&self) -> usize {
        self.levels
    }

    /// Drops a last level that is `*` for every leaf: that level is there anyway, and it takes in missing values.
    pub(super) fn without_star(mut self) -> Self {
        if self.levels > 0 && self.leaves.values().all(|labels| labels.last().is_some_and(|label| label == super::SUPPRESSED)) {
            for labels in self.leaves.values_mut() {
                labels.pop();
            }
            self.levels -= 1;
        }
        self
    }

    /// How many leaves have each label at `level` ≥ 1.
    pub(super) fn sizes(&self, level: usize) -> HashMap<&str, u64> {
        let mut sizes = HashMap::new();
        for label in self.leaves.values().filter_map(|labels| labels.get(level - 1)) {
            *sizes.entry(label.as_str()).or_insert(0) += 1;
        }
        sizes
    }

    /// The leaf of every value must be known; the error counts those that are not.
    pub(super) fn check(&self, column: &str, values: &dyn Array) -> Result<()> {
        let text = plain_text(column, values)?;
        let outside = text.iter().flatten().filter(|value| !self.leaves.contains_key(*value)).count();
        Unknown::Error.check(
            column,
            outside,
            "that are not in the hierarchy file",
            "add them to the file as leaves, or leave out the rows that hold them",
        )
    }

    /// The label of a leaf at `level` ≥ 1.
    pub(super) fn label(&self, leaf: &str, level: usize) -> Option<&str> {
        self.leaves.get(leaf)?.get(level - 1).map(String::as_str)
    }

    pub(super) fn labels(&self, column: &str, level: usize, values: &dyn Array, unknown: Unknown) -> Result<StringArray> {
        table::labels(self, "the hierarchy file", column, level, values, unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Float64Array, Int32Array};
    use std::io::Write;

    fn read(content: &[u8]) -> Result<FileLevels> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content).unwrap();
        FileLevels::read("c", file.path(), ';')
    }

    #[test]
    fn numbers_match_by_their_plain_text() {
        let file = read("\u{feff}1;low;*\r\n2;low;*\r\n30;high;*\r\n".as_bytes()).unwrap();
        assert_eq!((file.len(), file.levels()), (3, 2));
        assert_eq!(
            file.labels("c", 1, &Int32Array::from(vec![Some(30), None, Some(1)]), Unknown::Error).unwrap(),
            StringArray::from(vec![Some("high"), None, Some("low")])
        );
        assert_eq!(file.labels("c", 1, &Float64Array::from(vec![2.0]), Unknown::Error).unwrap().value(0), "low");
        assert_eq!(file.sizes(1)["low"], 2);
        assert_eq!(file.without_star().levels(), 1);
    }

    #[test]
    fn mistakes_name_the_row_and_never_the_value() {
        let cases: [(&[u8], &str); 6] = [
            (b"a;x\nsecret;x\nsecret;x\n", "record 3"),
            (b"a;x;*\nsecret;x\n", "record 2"),
            (b"a;secret;p\nb;secret;q\n", "record 2"),
            (b"a;x\n\xff;x\n", "record 2"),
            (b"", "no rows"),
            (b"a;x\nb;\"secret\"\"\n;c;d\n", "record 2"),
        ];
        for (content, place) in cases {
            let error = read(content).unwrap_err().to_string();
            assert!(error.contains(place) && !error.contains("secret"), "{error}");
        }
        assert!(FileLevels::read("c", "/nonexistent/hierarchy.csv", ';').is_err());
        assert_eq!(FileLevels::read("c", tempfile::NamedTempFile::new().unwrap().path(), '→').unwrap_err().exit_code(), 2);
    }

    #[test]
    fn unknown_values_are_counted() {
        let file = read(b"a;x\nb;x\n").unwrap();
        let error = file.check("c", &StringArray::from(vec!["a", "secret", "hidden"])).unwrap_err().to_string();
        assert!(error.contains("2 distinct values") && !error.contains("secret"), "{error}");
        assert!(file.check("c", &StringArray::from(vec![None, Some("b")])).is_ok());
    }

    #[test]
    fn a_stored_hierarchy_is_checked_like_a_file() {
        let good: FileLevels = serde_json::from_str(r#"{"a": ["x", "p"], "b": ["x", "p"]}"#).unwrap();
        assert_eq!(serde_json::from_str::<FileLevels>(&serde_json::to_string(&good).unwrap()).unwrap(), good);
        assert!(serde_json::from_str::<FileLevels>(r#"{"a": ["x", "p"], "b": ["x", "q"]}"#).is_err());
        assert!(serde_json::from_str::<FileLevels>(r#"{"a": ["x"], "b": []}"#).is_err());
    }
}
