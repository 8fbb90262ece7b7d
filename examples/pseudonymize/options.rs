//! The command line.

use crate::common;
use backmask::policy::{Period, PseudonymMethod, Scope, TokenFormat};
use backmask::{Error, Result};
use serde::de::DeserializeOwned;
use serde::de::IntoDeserializer;
use serde::de::value::{Error as ValueError, StrDeserializer};
use std::path::PathBuf;

/// Replace columns of a table by pseudonyms, or turn them back
#[derive(Debug, Clone, clap::Parser)]
#[command(name = "pseudonymize", version)]
pub(crate) struct Options {
    /// The table: Parquet, Arrow IPC, CSV or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// The file to write; its extension says the format
    #[arg(long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The columns to replace or to turn back
    #[arg(long, value_name = "NAME", num_args = 1.., required = true)]
    pub(crate) column: Vec<String>,
    /// A key file or a key ring; without one (and with --irreversible) the key is random and forgotten
    #[arg(long, value_name = "FILE", required_unless_present = "irreversible")]
    pub(crate) key_file: Option<PathBuf>,
    /// A key of the ring by its id; by default the active one
    #[arg(long, value_name = "ID", requires = "key_file")]
    pub(crate) key_id: Option<String>,
    /// blake3 | hmac-sha256 | aes-siv | aes-block | ff1 | dense
    #[arg(long, value_parser = word::<PseudonymMethod>, default_value = "blake3")]
    pub(crate) method: PseudonymMethod,
    /// product | release | recipient | period | session | fragment
    #[arg(long, value_parser = word::<Scope>, default_value = "product")]
    pub(crate) scope: Scope,
    /// Who gets the tokens
    #[arg(long, value_name = "NAME", default_value = "")]
    pub(crate) recipient: String,
    /// The release, for the scopes that keep releases apart
    #[arg(long, value_name = "NAME", default_value = "pseudonymize")]
    pub(crate) release: String,
    /// The product, for the scopes that keep products apart
    #[arg(long, value_name = "NAME", default_value = "table")]
    pub(crate) product: String,
    /// hex | base32 | binary | int64 | uint64 | input; by default what the method is made for
    #[arg(long, value_parser = word::<TokenFormat>)]
    pub(crate) format: Option<TokenFormat>,
    /// For ff1: the characters of the values, or digits | lower | upper | letters | alphanumeric | hex [default: digits]
    #[arg(long, value_name = "CHARACTERS")]
    pub(crate) alphabet: Option<String>,
    /// Give every missing value a token of its own, instead of leaving it missing
    #[arg(long)]
    pub(crate) random_nulls: bool,
    /// For the scope period: day | week | month | a number of days
    #[arg(long, value_parser = period, value_name = "PERIOD")]
    pub(crate) period: Option<Period>,
    /// For the scope session: minutes without an event after which a new session begins
    #[arg(long, value_name = "MINUTES", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) session_gap: Option<u32>,
    /// For the scopes period and session: the column of times
    #[arg(long, value_name = "NAME")]
    pub(crate) time: Option<String>,
    /// For the scope fragment: the column that names the fragment
    #[arg(long, value_name = "NAME")]
    pub(crate) fragment: Option<String>,
    /// Mix 256 random bits into the key that are never written: nobody can make or undo these tokens again
    #[arg(long)]
    pub(crate) irreversible: bool,
    /// For dense: the encrypted codebook, to be written, or with --reverse to be read
    #[arg(long, value_name = "FILE")]
    pub(crate) codebook: Option<PathBuf>,
    /// Turn tokens back into the values they stand for
    #[arg(long, requires = "reason", conflicts_with_all = ["irreversible", "random_nulls"])]
    pub(crate) reverse: bool,
    /// The name that the column had when its tokens were made, if it has another one now: a release calls the tokens of people `token`
    #[arg(long, value_name = "NAME", requires = "reverse")]
    pub(crate) made_as: Option<String>,
    /// Why tokens are turned back; goes into the audit file
    #[arg(long, value_name = "TEXT", requires = "reverse")]
    pub(crate) reason: Option<String>,
    /// The audit file [default: KEY-FILE.audit]
    #[arg(long, value_name = "FILE", requires = "reverse")]
    pub(crate) audit: Option<PathBuf>,
    /// Threads
    #[arg(long, default_value_t = std::thread::available_parallelism().map_or(1, usize::from))]
    pub(crate) threads: usize,
    #[command(flatten)]
    pub(crate) common: common::Output,
}

/// A word of a policy as an option.
fn word<T: DeserializeOwned>(text: &str) -> std::result::Result<T, String> {
    let deserializer: StrDeserializer<'_, ValueError> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|error| error.to_string())
}

fn period(text: &str) -> std::result::Result<Period, String> {
    match text.parse::<u32>() {
        Ok(0) => Err("a period has at least one day".to_owned()),
        Ok(days) => Ok(Period::Days(days)),
        Err(_) => word(text).map_err(|_| "give day, week, month or a number of days".to_owned()),
    }
}

impl Options {
    /// Where reversals are written down: the file that is named, or one beside the key file.
    pub(crate) fn audit_file(&self) -> Option<PathBuf> {
        if !self.reverse {
            return None;
        }
        self.audit.clone().or_else(|| {
            let mut name = self.key_file.as_ref()?.as_os_str().to_owned();
            name.push(".audit");
            Some(PathBuf::from(name))
        })
    }

    /// Refuses options that would have no effect, or that contradict each other.
    pub(crate) fn check(&self) -> Result<()> {
        let only = |given: bool, option: &str, holds: bool, purpose: &str| {
            if given && !holds {
                return Err(Error::policy(option, format!("has a meaning only for {purpose}"), "leave it out"));
            }
            Ok(())
        };
        let needed = |given: bool, option: &str, holds: bool, purpose: &str| {
            if !given && holds {
                return Err(Error::policy(option, format!("is missing: {purpose} needs it"), "give it"));
            }
            Ok(())
        };
        if self.scope == Scope::None {
            return Err(Error::policy("--scope", "a column of scope none has no tokens", "drop the column, or choose another scope"));
        }
        let (period, session) = (self.scope == Scope::Period, self.scope == Scope::Session);
        only(self.period.is_some(), "--period", period, "--scope period")?;
        needed(self.period.is_some(), "--period", period, "--scope period")?;
        only(self.session_gap.is_some(), "--session-gap", session, "--scope session")?;
        needed(self.session_gap.is_some(), "--session-gap", session && !self.reverse, "--scope session")?;
        only(self.time.is_some(), "--time", period || session, "--scope period and session")?;
        needed(self.time.is_some(), "--time", period || session, "this scope")?;
        only(self.random_nulls, "--random-nulls", !period, "scopes other than period")?;
        only(self.fragment.is_some(), "--fragment", self.scope == Scope::Fragment, "--scope fragment")?;
        needed(self.fragment.is_some(), "--fragment", self.scope == Scope::Fragment, "--scope fragment")?;
        only(self.alphabet.is_some(), "--alphabet", self.method == PseudonymMethod::Ff1, "--method ff1")?;
        only(self.codebook.is_some(), "--codebook", self.method == PseudonymMethod::Dense, "--method dense")?;
        if !self.reverse && self.codebook.as_ref().is_some_and(|path| path.exists()) {
            return Err(Error::policy("--codebook", "the file exists already", "choose another name; a codebook is never overwritten"));
        }
        if self.codebook.is_some() && self.irreversible {
            return Err(Error::policy("--codebook", "undoes what --irreversible promises", "leave one of them out"));
        }
        if self.method == PseudonymMethod::Dense && !matches!(self.scope, Scope::Product | Scope::Release) {
            return Err(Error::policy(
                "--scope",
                "numbers 0…n−1 are made anew for every table, so they cannot be kept for a recipient or change inside a table",
                "use the scope product or release, or another method",
            ));
        }
        self.check_columns()
    }

    fn check_columns(&self) -> Result<()> {
        if self.made_as.is_some() && self.column.len() != 1 {
            return Err(Error::policy("--made-as", "is the former name of one column", "turn one column back at a time"));
        }
        for (place, column) in self.column.iter().enumerate() {
            if self.column.iter().take(place).any(|other| other == column) {
                return Err(Error::policy("--column", format!("names {column} twice"), "name each column once"));
            }
            if self.time.as_ref() == Some(column) || self.fragment.as_ref() == Some(column) {
                return Err(Error::policy("--column", format!("{column} is also what tells tokens apart"), "choose another column"));
            }
        }
        Ok(())
    }
}
