//! The text of a ledger: one line an entry, each sealed together with all lines before it.
//!
//! ```text
//! <64 hexadecimal digits> {"version":1,"pool":"…","id":"…","created":"…","sealed":false,"budget":{…}}
//! <64 hexadecimal digits> {"number":1,"time":"…","reserved":{"product":"…",…}}
//! <64 hexadecimal digits> {"number":2,"time":"…","committed":1}
//! ```
//!
//! The digits of a line are BLAKE3 of the digits' bytes of the line before it (32 bytes, zero before the first) and of the JSON text of the line, byte for byte.

use super::budget::Budget;
use super::spending::Debit;
use crate::keys::{Domain, Key};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

const VERSION: u32 = 1;
/// Separates these hashes from all other uses of BLAKE3.
const CONTEXT: &str = "backmask 2026 chain of a privacy ledger, version 1";

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    version: u32,
    pub(super) pool: String,
    /// 128 random bits: two ledgers of the same pool are told apart.
    pub(super) id: String,
    pub(super) created: String,
    pub(super) sealed: bool,
    pub(super) budget: Budget,
}

impl Header {
    pub(super) fn new(pool: &str, id: u128, created: String, sealed: bool, budget: Budget) -> Self {
        Self { version: VERSION, pool: pool.to_owned(), id: format!("{id:032x}"), created, sealed, budget }
    }
}

/// Every other line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// From 1, without a gap.
    pub(super) number: u64,
    pub(super) time: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reserved: Option<Debit>,
    /// The number of the reservation whose noise was drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) committed: Option<u64>,
}

/// Where a ledger stands: how many entries it has, and the digest of all of them.
///
/// Whoever keeps the head of a ledger somewhere else can tell later whether the file was set back to an earlier state, which the file alone cannot:
/// see [`Ledger::expect_head`](super::Ledger::expect_head).
///
/// ```
/// use backmask::dp::ledger::Head;
///
/// let text = format!("17:{}", "0123456789abcdef".repeat(4));
/// let head: Head = text.parse()?;
/// assert_eq!((head.entries(), head.to_string()), (17, text));
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Head {
    entries: u64,
    digest: [u8; 32],
}

impl Head {
    /// How many entries there are after the first line.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.entries
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.entries, blake3::Hash::from_bytes(self.digest).to_hex())
    }
}

impl fmt::Debug for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Head {
    type Err = crate::Error;

    fn from_str(text: &str) -> crate::Result<Self> {
        let parts = text.split_once(':').and_then(|(entries, digest)| Some((entries.parse().ok()?, digest_of(digest)?)));
        let (entries, digest) = parts.ok_or_else(|| crate::Error::Parameter {
            name: "head",
            problem: "must be a number, a colon and 64 lower-case hexadecimal digits, as `ledger show` prints it".to_owned(),
        })?;
        Ok(Self { entries, digest })
    }
}

impl Serialize for Head {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The bytes of 64 lower-case hexadecimal digits.
fn digest_of(digits: &str) -> Option<[u8; 32]> {
    let lower = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    blake3::Hash::from_hex(digits).ok().filter(|_| lower).map(blake3::Hash::into)
}

/// How lines are chained: a digest that anybody can compute, or one that needs the key.
#[derive(Debug)]
pub(super) struct Chain(Option<Key>);

impl Chain {
    pub(super) fn new(key: Option<&Key>) -> Self {
        Self(key.map(|key| key.derive(&Domain::of("privacy ledger"))))
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.0.is_some()
    }

    fn next(&self, before: &[u8; 32], json: &[u8]) -> [u8; 32] {
        let mut hasher = match &self.0 {
            Some(key) => blake3::Hasher::new_keyed(key.expose()),
            None => blake3::Hasher::new_derive_key(CONTEXT),
        };
        hasher.update(before).update(json).finalize().into()
    }
}

/// What is wrong with a text: never a part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    /// It does not begin like a ledger.
    NotALedger,
    /// It was made by a later version.
    Version,
    /// It is sealed with a key, and none was given.
    NeedsKey,
    /// A key was given, and it is sealed with none.
    NeedsNoKey,
    /// The line with this number, from 1, is cut off.
    Torn(u64),
    /// The line with this number does not fit to those before it.
    Chain(u64),
    /// The line with this number says what no ledger says.
    Content(u64),
}

/// A ledger that was read and checked, with the text that it was read from.
#[derive(Debug, Clone)]
pub(super) struct Book {
    pub(super) header: Header,
    pub(super) entries: Vec<Entry>,
    /// One after every line.
    digests: Vec<[u8; 32]>,
    text: Vec<u8>,
}

impl Book {
    /// A new ledger without entries.
    pub(super) fn begin(header: Header, chain: &Chain) -> Self {
        let mut book = Self { header, entries: Vec::new(), digests: Vec::new(), text: Vec::new() };
        let json = json(&book.header);
        book.push_line(&json, chain);
        book
    }

    /// Reads and checks a whole text.
    pub(super) fn read(text: Vec<u8>, chain: &Chain) -> Result<Self, Flaw> {
        let mut digests = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        let mut header: Option<Header> = None;
        let mut before = [0; 32];
        let mut open = BTreeSet::new();
        for (line, number) in text.split_inclusive(|byte| *byte == b'\n').zip(1_u64..) {
            let first = number == 1;
            let line = line.strip_suffix(b"\n").ok_or(if first { Flaw::NotALedger } else { Flaw::Torn(number) })?;
            let parted =
                std::str::from_utf8(line).ok().and_then(|line| line.split_once(' ')).and_then(|(d, json)| Some((digest_of(d)?, json)));
            let (digest, json) = parted.ok_or(if first { Flaw::NotALedger } else { Flaw::Content(number) })?;
            if first {
                check_version(json)?;
                let read: Header = serde_json::from_str(json).map_err(|_| Flaw::Content(1))?;
                match (read.sealed, chain.is_sealed()) {
                    (true, false) => return Err(Flaw::NeedsKey),
                    (false, true) => return Err(Flaw::NeedsNoKey),
                    _ => header = Some(read),
                }
            }
            if chain.next(&before, json.as_bytes()) != digest {
                return Err(Flaw::Chain(number));
            }
            if !first {
                let entry: Entry = serde_json::from_str(json).map_err(|_| Flaw::Content(number))?;
                follows(&entry, number - 1, &mut open).ok_or(Flaw::Content(number))?;
                entries.push(entry);
            }
            digests.push(digest);
            before = digest;
        }
        Ok(Self { header: header.ok_or(Flaw::NotALedger)?, entries, digests, text })
    }

    /// Appends an entry and gives its number.
    pub(super) fn push(&mut self, time: String, reserved: Option<Debit>, committed: Option<u64>, chain: &Chain) -> u64 {
        let number = self.entries.len() as u64 + 1;
        let entry = Entry { number, time, reserved, committed };
        self.push_line(&json(&entry), chain);
        self.entries.push(entry);
        number
    }

    fn push_line(&mut self, json: &str, chain: &Chain) {
        let digest = chain.next(&self.digests.last().copied().unwrap_or_default(), json.as_bytes());
        let line = format!("{} {json}\n", blake3::Hash::from_bytes(digest).to_hex());
        self.text.extend_from_slice(line.as_bytes());
        self.digests.push(digest);
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }

    pub(super) fn head(&self) -> Head {
        Head { entries: self.entries.len() as u64, digest: self.digests.last().copied().unwrap_or_default() }
    }

    /// Whether the ledger stood at `head` at some time.
    pub(super) fn passed(&self, head: &Head) -> bool {
        usize::try_from(head.entries).ok().and_then(|at| self.digests.get(at)) == Some(&head.digest)
    }

    /// Every debit with its number and whether it is committed.
    pub(super) fn debits(&self) -> impl Iterator<Item = (&Entry, &Debit, bool)> {
        let committed: BTreeSet<u64> = self.entries.iter().filter_map(|entry| entry.committed).collect();
        self.entries
            .iter()
            .filter_map(|entry| Some((entry, entry.reserved.as_ref()?)))
            .map(move |(entry, debit)| (entry, debit, committed.contains(&entry.number)))
    }
}

/// A version that is too new is told from damage.
fn check_version(json: &str) -> Result<(), Flaw> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }
    match serde_json::from_str::<Version>(json) {
        Ok(Version { version: VERSION }) => Ok(()),
        Ok(_) => Err(Flaw::Version),
        Err(_) => Err(Flaw::NotALedger),
    }
}

/// Whether an entry may be the one with this number, after reservations of which some are `open`.
fn follows(entry: &Entry, number: u64, open: &mut BTreeSet<u64>) -> Option<()> {
    let one = match (&entry.reserved, entry.committed) {
        (Some(debit), None) => debit.is_sound() && open.insert(number),
        (None, Some(reservation)) => open.remove(&reservation),
        _ => false,
    };
    (one && entry.number == number).then_some(())
}

fn json(value: &impl Serialize) -> String {
    #[expect(clippy::expect_used, reason = "structs of texts, numbers and lists always have a JSON text")]
    serde_json::to_string(value).expect("a JSON text")
}
