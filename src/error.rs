//! The one error type of the crate.
//!
//! Messages name the place (a file, a column, a policy key), how many rows are concerned and what to do about it.
//! They never carry a data value or a key: an error text ends up in logs that nobody protects.

use std::path::{Path, PathBuf};

/// What every fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, grouped by who can mend it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder concerned.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An input is damaged or is not what its name says.
    #[error("{file}{}{}: {problem}; {remedy}", at_record(*record), in_column(column.as_deref()))]
    Data {
        /// The file (and the member inside an archive).
        file: String,
        /// Number of the record inside the file, from 1.
        record: Option<u64>,
        /// The column concerned.
        column: Option<String>,
        /// What is wrong, without the value.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// The policy says something that cannot be right.
    #[error("{}{key}: {problem}; {remedy}", place_of(key))]
    Policy {
        /// Dotted path of the key, for example `columns.birth_year.hierarchy`; or an option of the command line, for example `--output`.
        key: String,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// The policy asks for something that this version cannot do. It is refused rather than ignored.
    #[error("{}{key}: {feature} is not available in this version; leave it out", place_of(key))]
    Unsupported {
        /// Dotted path of the key.
        key: String,
        /// What was asked for.
        feature: String,
    },
    /// A column is missing, has another type than its use needs, or holds what its treatment cannot take.
    #[error("column {column}{}: {problem}; {remedy}", over_rows(*rows, *first_row))]
    Column {
        /// Name of the column.
        column: String,
        /// How many rows are concerned, where that is known.
        rows: Option<u64>,
        /// Number of the first of them, from 1, where that is known.
        first_row: Option<u64>,
        /// What is wrong, without a value.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A parameter lies outside its domain.
    #[error("{name}: {problem}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// What its domain is.
        problem: String,
    },
    /// A key file is missing, damaged or readable by others.
    #[error("key: {problem}; {remedy}")]
    Key {
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// A privacy ledger is missing, damaged or that of another pool.
    #[error("ledger {}: {problem}; {remedy}", path.display())]
    Ledger {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do about it.
        remedy: String,
    },
    /// No transformation inside the policy's limits satisfies the models.
    #[error("no transformation satisfies the models of product {product}: {nearest}")]
    NoSolution {
        /// Name of the product.
        product: String,
        /// The nearest miss and the change that would pass.
        nearest: String,
    },
    /// The gate refused to publish.
    #[error("refused: {}", reasons.join("; "))]
    Refused {
        /// Why, one sentence each.
        reasons: Vec<String>,
    },
    /// The Arrow or Parquet library failed on data that this crate itself had made or checked.
    #[error("{context}: {kind}")]
    Arrow {
        /// What was being done.
        context: String,
        /// The kind of failure; the library's own message may quote values and is left out.
        kind: String,
    },
}

/// An option of the command line stands in no policy.
fn place_of(key: &str) -> &'static str {
    if key.starts_with("--") { "" } else { "policy: " }
}

fn at_record(record: Option<u64>) -> String {
    record.map(|number| format!(", record {number}")).unwrap_or_default()
}

fn in_column(column: Option<&str>) -> String {
    column.map(|name| format!(", column {name}")).unwrap_or_default()
}

fn over_rows(rows: Option<u64>, first: Option<u64>) -> String {
    match (rows, first) {
        (Some(1), Some(first)) => format!(" (1 row: row {first})"),
        (Some(count), Some(first)) => format!(" ({count} rows, the first is row {first})"),
        (Some(1), None) => " (1 row)".to_owned(),
        (Some(count), None) => format!(" ({count} rows)"),
        (None, Some(first)) => format!(" (row {first})"),
        (None, None) => String::new(),
    }
}

impl Error {
    /// An input or output error on `path`.
    pub fn io(path: impl AsRef<Path>, source: std::io::Error) -> Self {
        Self::Io { path: path.as_ref().to_owned(), source }
    }

    /// A damaged or unsuitable input.
    pub fn data(file: impl Into<String>, record: Option<u64>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Data { file: file.into(), record, column: None, problem: problem.into(), remedy: remedy.into() }
    }

    /// A privacy ledger that cannot be used.
    pub fn ledger(path: impl AsRef<Path>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Ledger { path: path.as_ref().to_owned(), problem: problem.into(), remedy: remedy.into() }
    }

    /// A mistake in the policy.
    pub fn policy(key: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Policy { key: key.into(), problem: problem.into(), remedy: remedy.into() }
    }

    /// A part of the contract that this version does not have.
    pub fn unsupported(key: impl Into<String>, feature: impl Into<String>) -> Self {
        Self::Unsupported { key: key.into(), feature: feature.into() }
    }

    /// A column that does not fit its use.
    pub fn column(column: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Column { column: column.into(), rows: None, first_row: None, problem: problem.into(), remedy: remedy.into() }
    }

    /// A column in which `rows` rows do not fit its use.
    pub fn rows(column: impl Into<String>, rows: u64, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Column { column: column.into(), rows: Some(rows), first_row: None, problem: problem.into(), remedy: remedy.into() }
    }

    /// The same error of a column with the number of its first row, from 0 in its array; rows are counted from 1 in messages.
    #[must_use]
    pub fn first_at(self, row: usize) -> Self {
        match self {
            Self::Column { column, rows, problem, remedy, .. } => {
                Self::Column { column, rows, first_row: Some(u64::try_from(row).unwrap_or(u64::MAX).saturating_add(1)), problem, remedy }
            }
            other => other,
        }
    }

    /// The same error, seen from a table in which `rows_before` rows precede the array: the number of the first row counts them too.
    #[must_use]
    pub fn after_rows(self, rows_before: u64) -> Self {
        match self {
            Self::Column { column, rows, first_row: Some(first), problem, remedy } => {
                Self::Column { column, rows, first_row: Some(first.saturating_add(rows_before)), problem, remedy }
            }
            other => other,
        }
    }

    /// A failure of the Arrow or Parquet library. Its own text may quote data and is reduced to its kind.
    pub fn arrow(context: impl Into<String>, error: &arrow::error::ArrowError) -> Self {
        use arrow::error::ArrowError as A;
        let kind = match error {
            A::CastError(_) => "a value does not fit the target type",
            A::MemoryError(_) => "out of memory",
            A::ParseError(_) | A::CsvError(_) | A::JsonError(_) => "a value could not be parsed",
            A::SchemaError(_) => "the schemas differ",
            A::ComputeError(_) | A::ArithmeticOverflow(_) | A::DivideByZero => "a computation failed",
            A::IoError(_, _) => "reading or writing failed",
            A::IpcError(_) => "not a valid Arrow IPC stream",
            A::ParquetError(_) => "not a valid Parquet file",
            A::OffsetOverflowError(_) | A::DictionaryKeyOverflowError => "too many values for the index type",
            _ => "the operation is not possible on this data",
        };
        Self::Arrow { context: context.into(), kind: kind.to_owned() }
    }

    /// Exit code of the example binaries for this error: 1 failed, 2 usage, policy, key or ledger, 3 refused.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } | Self::Data { .. } | Self::Arrow { .. } => 1,
            Self::Policy { .. }
            | Self::Unsupported { .. }
            | Self::Column { .. }
            | Self::Parameter { .. }
            | Self::Key { .. }
            | Self::Ledger { .. } => 2,
            Self::NoSolution { .. } | Self::Refused { .. } => 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_name_place_count_and_remedy() {
        let error = Error::rows("birth_year", 3, "not in the hierarchy file", "add the missing leaves");
        assert_eq!(error.to_string(), "column birth_year (3 rows): not in the hierarchy file; add the missing leaves");
        let error = Error::rows("isrc", 2, "too short", "pad them").first_at(6).after_rows(100);
        assert_eq!(error.to_string(), "column isrc (2 rows, the first is row 107): too short; pad them");
        assert_eq!(Error::rows("isrc", 1, "p", "r").first_at(0).to_string(), "column isrc (1 row: row 1): p; r");
        let error = Error::data("a.zip!b.json", Some(7), "not a JSON object", "export the file again");
        assert_eq!(error.to_string(), "a.zip!b.json, record 7: not a JSON object; export the file again");
    }

    #[test]
    fn an_option_is_not_called_a_part_of_the_policy() {
        assert!(Error::policy("--output", "p", "r").to_string().starts_with("--output: p"));
        assert!(Error::policy("columns.x", "p", "r").to_string().starts_with("policy: columns.x: p"));
        assert!(Error::unsupported("--ledger", "f").to_string().starts_with("--ledger: f"));
    }

    #[test]
    fn arrow_messages_never_carry_values() {
        let error = Error::arrow("reading", &arrow::error::ArrowError::ParseError("secret-value".into()));
        assert!(!error.to_string().contains("secret-value"));
    }

    #[test]
    fn exit_codes_follow_the_contract() {
        assert_eq!(Error::data("f", None, "p", "r").exit_code(), 1);
        assert_eq!(Error::policy("k", "p", "r").exit_code(), 2);
        assert_eq!(Error::Refused { reasons: vec![] }.exit_code(), 3);
    }
}
