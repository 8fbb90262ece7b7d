//! Several releases of one pool: what the register of earlier ones asks of a run, and what the run enters.

use super::histories::Entry;
use super::report::ProductReport;
use crate::error::{Error, Result};
use crate::history::releases::{ABSENT, Register, Release};
use crate::keys::{Key, KeyOrigin};
use crate::policy::{Policy, Product};
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// The register of a run. It is saved once, between the gate's verdict and the publication.
#[derive(Debug)]
pub(super) struct Sequence {
    path: PathBuf,
    register: Register,
    /// Held until the release is published: two runs that read the same register could each be sound and together not.
    _lock: Option<File>,
    /// Why the release and the earlier ones together single people out.
    unsound: Vec<String>,
}

impl Sequence {
    /// Opens the register at `path` for a run that `publishes`, or only measures and writes nothing.
    pub(super) fn open(path: &Path, policy: &Policy, output: &Path, key: &Key, publishes: bool) -> Result<Self> {
        check_products(policy)?;
        if *key.origin() == KeyOrigin::Forgotten {
            return Err(Error::Key {
                problem: "the register of releases is sealed with the key file, and none was given".to_owned(),
                remedy: "give the key file of the pool (--key-file)".to_owned(),
            });
        }
        let place = real(path)?;
        if publishes && ["release", "steward"].iter().any(|part| real(&output.join(part)).is_ok_and(|folder| place.starts_with(folder))) {
            return Err(Error::policy(
                "--register",
                "lies in a folder that this run makes, where it would be handed over or be new every time",
                "keep one register for the pool, outside of --output",
            ));
        }
        let lock = if publishes { Some(lock(path)?) } else { None };
        Ok(Self { path: path.to_owned(), register: Register::open(path, key)?, _lock: lock, unsound: Vec::new() })
    }

    /// The register, with what this run has entered so far.
    pub(super) fn register(&self) -> &Register {
        &self.register
    }

    /// Releases that are in the register, as a part of keys: what is named in one release is named otherwise in the next.
    pub(super) fn number(&self) -> String {
        self.register.releases().len().to_string()
    }

    /// Enters a product, and says in its report what came of it. What is unsound is kept for the verdict.
    pub(super) fn enter(&mut self, policy: &Policy, created: &str, k: u64, entry: Entry, report: &mut ProductReport) -> Result<()> {
        let lineage = entry.lineage;
        let fresh = self.register.new_groups(entry.contents.len())?;
        let groups: Vec<u32> = entry
            .groups
            .iter()
            .map(|group| match *group {
                Ok(frozen) => frozen,
                Err(new) => u32::try_from(new).ok().and_then(|new| fresh.start.checked_add(new)).unwrap_or(ABSENT),
            })
            .collect();
        let release = Release {
            recipient: policy.recipient.clone(),
            created: created.to_owned(),
            ..Release::new(lineage, &policy.name, &report.name, k)
        };
        let (earlier, _) = self.register.smallest_combination(lineage);
        match self.register.record(release, &entry.people, &groups, fresh.zip(entry.contents)) {
            Ok(()) => {}
            Err(Error::Refused { reasons }) => {
                self.unsound.extend(reasons.into_iter().map(|reason| format!("{}: {reason}", report.name)));
                return Ok(());
            }
            Err(other) => return Err(other),
        }
        let (_, smallest) = self.register.smallest_combination(lineage);
        report.notes.push(
            "It is consistent with the earlier releases of the pool: no combination of them has a group of fewer people than promised."
                .to_owned(),
        );
        report.steward_notes.push(format!(
            "Compared with earlier releases: {earlier}. The smallest set of people that combining them all gives has {} people.",
            smallest.unwrap_or_default()
        ));
        report.steward_notes.push(entry.account);
        Ok(())
    }

    /// Why the releases together must not be published.
    pub(super) fn unsound(&self) -> &[String] {
        &self.unsound
    }

    /// Writes the register, durably. Nothing may be published before: what is not in the register could be compared with the next release. A release that was entered and
    /// never published costs nothing but its groups, which are released again as if it had been.
    pub(super) fn save(&self, key: &Key) -> Result<()> {
        self.register.save(&self.path, key)
    }
}

/// Which products a register can speak of.
fn check_products(policy: &Policy) -> Result<()> {
    let mut cohorts = 0;
    for (index, product) in policy.products.iter().enumerate() {
        let feature = match product {
            Product::Cohorts(_) => {
                cohorts += 1;
                continue;
            }
            Product::Fragments(_) => {
                "a register (--register) for a product of fragments, whose people of an earlier release would have to stay one layer"
            }
            Product::Records(_) => {
                "a register (--register) for a product of records, whose classes would have to be those of the earlier release"
            }
            // What a ledger counts needs no register.
            other if other.kind().is_differentially_private() => continue,
            _ => "a register (--register) for this kind of product",
        };
        return Err(Error::unsupported(format!("products[{index}]"), feature));
    }
    if cohorts > 1 {
        return Err(Error::policy(
            "products",
            "has several products of cohorts, which would divide the same people in two ways: laid over each other they single people out",
            "keep one of them, or release them to different people without --register",
        ));
    }
    Ok(())
}

/// An absolute path without links, of which the last part need not exist.
fn real(path: &Path) -> Result<PathBuf> {
    let absolute = std::path::absolute(path).map_err(|e| Error::io(path, e))?;
    let found = absolute.ancestors().find_map(|folder| Some((folder.canonicalize().ok()?, folder)));
    Ok(match found {
        Some((real, folder)) => absolute.strip_prefix(folder).map_or_else(|_| absolute.clone(), |rest| real.join(rest)),
        None => absolute,
    })
}

/// A lock beside the register, which is replaced whenever it is saved and cannot hold one itself.
fn lock(path: &Path) -> Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&beside).map_err(|e| Error::io(&beside, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(Error::policy("--register", "is in use by another run", "wait until that run has ended, and run again"))
        }
        Err(TryLockError::Error(error)) => Err(Error::io(&beside, error)),
    }
}
