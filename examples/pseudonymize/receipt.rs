//! What is left beside a table of reversible tokens, so that they are turned back under the right key into the right types.

use crate::options::Options;
use backmask::arrow::datatypes::DataType;
use backmask::policy::{Period, PseudonymMethod, Scope, TokenFormat};
use backmask::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The content of `TABLE.pseudonyms.json`. It holds no secret and no value.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Receipt {
    schema: u32,
    pub(crate) method: PseudonymMethod,
    scope: Scope,
    recipient: String,
    release: String,
    product: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    format: Option<TokenFormat>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) alphabet: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    period: Option<Period>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_id: Option<String>,
    /// A keyed check value of the key of the pool: another key has another one.
    pub(crate) key_check: String,
    pub(crate) columns: Vec<ReplacedColumn>,
}

/// A column that was replaced.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplacedColumn {
    pub(crate) name: String,
    /// The Arrow type of the values.
    #[serde(rename = "type")]
    pub(crate) data_type: String,
}

impl Receipt {
    pub(crate) fn new(options: &Options, key_id: Option<String>, key_check: String, columns: Vec<(String, DataType)>) -> Self {
        Self {
            schema: 1,
            method: options.method,
            scope: options.scope,
            recipient: options.recipient.clone(),
            release: options.release.clone(),
            product: options.product.clone(),
            format: options.format,
            alphabet: options.alphabet.clone(),
            period: options.period,
            key_id,
            key_check,
            columns: columns.into_iter().map(|(name, data_type)| ReplacedColumn { name, data_type: data_type.to_string() }).collect(),
        }
    }

    /// The name that belongs to a table.
    pub(crate) fn path(table: &Path) -> PathBuf {
        let mut name = table.as_os_str().to_owned();
        name.push(".pseudonyms.json");
        PathBuf::from(name)
    }

    /// Reads the receipt of a table, if it has one.
    pub(crate) fn of(table: &Path) -> Result<Option<Self>> {
        let path = Self::path(table);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io(path, error)),
        };
        let damaged = || {
            let file = path.display().to_string();
            Error::data(file, None, "is no description of pseudonyms of this version", "restore it, or remove it to go without its checks")
        };
        let receipt: Self = serde_json::from_str(&text).map_err(|_| damaged())?;
        let sound = receipt.schema == 1 && receipt.columns.iter().all(|column| column.data_type().is_some());
        if sound { Ok(Some(receipt)) } else { Err(damaged()) }
    }

    /// Removes what describes a table that was replaced by another one.
    pub(crate) fn remove(table: &Path) -> Result<()> {
        if !matches!(Self::of(table), Ok(Some(_))) {
            return Ok(());
        }
        let path = Self::path(table);
        std::fs::remove_file(&path).map_err(|e| Error::io(path, e))
    }

    /// Writes it into a temporary file beside a table, so that later nothing but a new name is missing.
    pub(crate) fn prepare(&self, table: &Path) -> Result<Prepared> {
        let path = Self::path(table);
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(|e| Error::io(table, e))?;
        let text = serde_json::to_string_pretty(self)
            .map_err(|_| Error::data(path.display().to_string(), None, "cannot be written as JSON", "use the library"))?;
        file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(|e| Error::io(&path, e))?;
        Ok(Prepared { file, path })
    }

    /// Refuses options that are not those under which the tokens were made: the tokens would only look like rubbish.
    pub(crate) fn check(&self, options: &Options) -> Result<()> {
        let differs = |option: &str| {
            Err(Error::policy(
                option,
                "is not what the tokens were made with, by the description beside the table",
                format!("see {}", Self::path(&options.input).display()),
            ))
        };
        match () {
            () if self.method != options.method => differs("--method"),
            () if self.scope != options.scope => differs("--scope"),
            () if self.recipient != options.recipient => differs("--recipient"),
            () if self.release != options.release => differs("--release"),
            () if self.product != options.product => differs("--product"),
            () if options.format.is_some() && self.format != options.format => differs("--format"),
            () if options.alphabet.is_some() && self.alphabet != options.alphabet => differs("--alphabet"),
            () if self.period != options.period => differs("--period"),
            () => Ok(()),
        }
    }

    /// Adds what the command line does not say. An alphabet that is left out would not be noticed: the values would only be wrong.
    pub(crate) fn complete(&self, options: &mut Options) {
        options.format = options.format.or(self.format);
        options.alphabet = options.alphabet.take().or_else(|| self.alphabet.clone());
    }

    /// The type of the values of a column.
    pub(crate) fn type_of(&self, column: &str) -> Option<DataType> {
        self.columns.iter().find(|replaced| replaced.name == column)?.data_type()
    }
}

impl ReplacedColumn {
    /// Types that can be replaced have short names; a long one could be nested so deep that nothing can read it.
    const LONGEST: usize = 256;

    fn data_type(&self) -> Option<DataType> {
        (self.data_type.len() <= Self::LONGEST).then(|| self.data_type.parse().ok())?
    }
}

/// A receipt without its name. It is gone if it does not get one.
pub(crate) struct Prepared {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Prepared {
    pub(crate) fn publish(self) -> Result<()> {
        self.file.persist(&self.path).map_err(|e| Error::io(&self.path, e.error))?;
        Ok(())
    }
}
