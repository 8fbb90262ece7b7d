//! One line of an audit log.

use super::{AuditEntry, KeyProvider, codec};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// What the first line follows.
pub(super) const START: &[u8] = b"backmask audit log, version 1";
const VERSION: u32 = 1;
/// Longest line in bytes, with its line feed.
pub(super) const MAX_LINE: u64 = 1 << 20;
/// The seal stands at the end, so that it is over everything before it as it was written, byte for byte.
const SEAL: &str = ",\"seal\":\"";
const END: &str = "\"}\n";

/// The fields of a line in their order, without its seal.
#[derive(Debug, Serialize)]
pub(super) struct Line<'a> {
    version: u32,
    number: u64,
    time: String,
    user: Option<&'a str>,
    reason: &'a str,
    columns: &'a [String],
    input: &'a str,
    rows: u64,
    key_id: Option<&'a str>,
    previous: &'a str,
}

/// What is read back of a line to check it.
#[derive(Debug, Deserialize)]
pub(super) struct Read {
    version: u32,
    pub(super) number: u64,
    pub(super) key_id: Option<String>,
    pub(super) previous: String,
}

/// BLAKE3 of a line, which the next one carries.
pub(super) fn hash_of(line: &[u8]) -> String {
    blake3::hash(line).to_hex().to_string()
}

/// The key of seals.
pub(super) fn subkey(key: &dyn KeyProvider) -> Result<Key> {
    key.derive(&Domain::of("audit log"))
}

impl<'a> Line<'a> {
    pub(super) fn new(number: u64, entry: &'a AuditEntry, user: Option<&'a str>, key_id: Option<&'a str>, previous: &'a str) -> Self {
        let AuditEntry { reason, columns, input, rows } = entry;
        Self { version: VERSION, number, time: codec::now(), user, reason, columns, input, rows: *rows, key_id, previous }
    }

    /// The line as it is written.
    pub(super) fn sealed(&self, subkey: &Key) -> Result<String> {
        let too_long =
            || Error::Parameter { name: "columns", problem: "and input are too long for a line of the audit log (1 MiB)".to_owned() };
        let mut text = serde_json::to_string(self).map_err(|_| too_long())?;
        text.pop();
        let seal = blake3::keyed_hash(subkey.expose(), text.as_bytes()).to_hex();
        for part in [SEAL, &seal, END] {
            text.push_str(part);
        }
        if u64::try_from(text.len()).is_ok_and(|length| length <= MAX_LINE) { Ok(text) } else { Err(too_long()) }
    }

    /// Reads a line with its line feed; otherwise says what is wrong with it.
    pub(super) fn read(text: &[u8]) -> Result<Read, &'static str> {
        if !text.ends_with(b"\n") {
            return Err("it is incomplete or too long");
        }
        split(text).ok_or("it has no seal")?;
        let read: Read = serde_json::from_slice(text).map_err(|_| "it is not a record of this log")?;
        if read.version == VERSION { Ok(read) } else { Err("its version of the format is not known") }
    }

    /// Whether its seal was made with the key.
    pub(super) fn is_sealed(text: &[u8], subkey: &Key) -> bool {
        split(text).is_some_and(|(body, seal)| {
            let expected = blake3::keyed_hash(subkey.expose(), body).to_hex();
            bool::from(seal.ct_eq(expected.as_bytes()))
        })
    }
}

/// What the seal is over, and the seal: 64 hexadecimal digits.
fn split(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.strip_suffix(END.as_bytes())?;
    let (body, seal) = text.split_at_checked(text.len().checked_sub(64)?)?;
    Some((body.strip_suffix(SEAL.as_bytes())?, seal))
}
