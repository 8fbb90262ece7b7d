//! The encrypted file that says who was where.

use super::joint::{ABSENT, JointPartition};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::matrix::content_hashes;
use crate::pseudonym::SealedFile;
use arrow::array::{Array, make_array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const FILE: SealedFile =
    SealedFile { title: b"backmask release register, version 1\n", purpose: "release register", name: "the register of releases" };

/// A person, as a keyed hash of their value in the subject column: 128 bits, the same in every file and type of column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonTag(u128);

/// The tags of people, from their values in the subject column (text or integers; the integer 42 and the text `42` are one person).
///
/// # Errors
/// The column has a missing value, or a type that cannot be compared by value.
pub fn person_tags(values: &dyn Array, key: &Key) -> Result<Vec<PersonTag>> {
    let mut values = make_array(values.to_data());
    if values.null_count() > 0 {
        return Err(Error::rows("(subject)", values.null_count() as u64, "have no subject", "leave such rows out"));
    }
    if values.data_type().is_integer() {
        values = cast(&values, &DataType::Utf8).map_err(|e| Error::arrow("naming people", &e))?;
    }
    let half = |part| content_hashes(&[Arc::clone(&values)], key.derive(&Domain { column: part, ..Domain::of("person tag") }).expose());
    let (high, low) = (half("high")?, half("low")?);
    Ok(high.into_iter().zip(low).map(|(high, low)| PersonTag((u128::from(high) << 64) | u128::from(low))).collect())
}

/// One product of one release in the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Release {
    /// Products that can be compared with each other are of one lineage: `cohorts`, `fragments`, `records`.
    pub lineage: String,
    /// Name of the policy.
    pub release: String,
    /// Name of the product.
    pub product: String,
    /// People at least in every group.
    pub k: u64,
    /// Whom it was made for.
    #[serde(default)]
    pub recipient: String,
    /// When, as RFC 3339.
    #[serde(default)]
    pub created: String,
}

impl Release {
    /// A product without recipient and time.
    #[must_use]
    pub fn new(lineage: impl Into<String>, release: impl Into<String>, product: impl Into<String>, k: u64) -> Self {
        Self {
            lineage: lineage.into(),
            release: release.into(),
            product: product.into(),
            k,
            recipient: String::new(),
            created: String::new(),
        }
    }
}

/// Which person was in which group of which release, and what the groups showed. It stays with the steward.
///
/// # Security
/// On disk it is sealed with AES-256-SIV under keys derived from the pool's: without the key file nothing of it can be read or changed unnoticed. People are in it as keyed hashes; whoever has
/// the file *and* the key learns who was in the pool and in which group. That an older copy of the file was put in place of the newer is **not** noticed.
///
/// Memory and size of the file: 16 bytes a person, 4 bytes a person and release, and the content of the groups.
#[derive(Debug, Clone, Default)]
pub struct Register {
    people: Vec<PersonTag>,
    index: HashMap<PersonTag, usize>,
    releases: Vec<Release>,
    /// For each release the group of every person; shorter than the people where later ones were added.
    groups: Vec<Vec<u32>>,
    contents: BTreeMap<u32, Vec<u8>>,
    next_group: u32,
}

/// What stands in front of the arrays.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    people: u64,
    next_group: u32,
    contents: u64,
    releases: Vec<Release>,
}

impl Register {
    /// Opens the register at `path`; an empty one if there is no file.
    ///
    /// # Errors
    /// [`Error::Key`] if it was written with another key; [`Error::Data`] if it was cut or altered; [`Error::Io`] if it cannot be read.
    pub fn open(path: &Path, key: &Key) -> Result<Self> {
        let Some(bytes) = FILE.read(path, key)? else { return Ok(Self::default()) };
        Self::decode(&bytes).ok_or_else(|| FILE.damaged(path, "has a content of another version"))
    }

    /// Writes the register in place of the file at `path`, durably: after a crash the file is the old or the new one.
    ///
    /// Save it *before* the release is published: a release that is not in the register could be compared with the next.
    ///
    /// # Errors
    /// The key is one that nobody will have again, or the file cannot be written.
    pub fn save(&self, path: &Path, key: &Key) -> Result<()> {
        FILE.write(path, key, &self.encode()?)
    }

    /// The releases, oldest first.
    #[must_use]
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// Everybody who was ever in a release.
    #[must_use]
    pub fn people(&self) -> &[PersonTag] {
        &self.people
    }

    /// What a group showed, as it was given to [`Register::record`].
    #[must_use]
    pub fn content(&self, group: u32) -> Option<&[u8]> {
        self.contents.get(&group).map(Vec::as_slice)
    }

    /// Numbers for `count` new groups, which no group ever had.
    ///
    /// # Errors
    /// More than 2³² − 1 groups were released.
    pub fn new_groups(&mut self, count: usize) -> Result<std::ops::Range<u32>> {
        let first = self.next_group;
        let last = u32::try_from(count).ok().and_then(|count| first.checked_add(count)).filter(|last| *last < ABSENT);
        self.next_group =
            last.ok_or_else(|| Error::Parameter { name: "groups", problem: "more than 2³² − 1 were released".to_owned() })?;
        Ok(first..self.next_group)
    }

    /// The group of each of [`Register::people`] in a release, by its place in [`Register::releases`]: [`ABSENT`] for those who are not in it.
    #[must_use]
    pub fn groups(&self, release: usize) -> Vec<u32> {
        let known = self.groups.get(release).map_or(&[][..], Vec::as_slice);
        known.iter().copied().chain(std::iter::repeat(ABSENT)).take(self.people.len()).collect()
    }

    /// Members of a group, in any release that has it.
    #[must_use]
    pub fn members(&self, group: u32) -> Vec<PersonTag> {
        let people = |groups: &Vec<u32>| -> Vec<PersonTag> {
            self.people.iter().zip(groups).filter(|(_, of_person)| **of_person == group).map(|(tag, _)| *tag).collect()
        };
        self.groups.iter().map(people).find(|members| !members.is_empty()).unwrap_or_default()
    }

    pub(super) fn position(&self, tag: &PersonTag) -> Option<usize> {
        self.index.get(tag).copied()
    }

    pub(super) fn groups_of<'a>(&'a self, lineage: &'a str) -> impl Iterator<Item = &'a [u32]> {
        self.releases.iter().zip(&self.groups).filter(move |(release, _)| release.lineage == lineage).map(|(_, groups)| groups.as_slice())
    }

    /// Releases of a lineage, and the people in the smallest set that combining their groups can give; `None` if nobody is in any.
    #[must_use]
    pub fn smallest_combination(&self, lineage: &str) -> (usize, Option<u64>) {
        let rows: Vec<&[u32]> = self.groups_of(lineage).collect();
        (rows.len(), JointPartition::new(self.people.len(), &rows).smallest())
    }

    /// Enters a release: the group of each of `people` ([`ABSENT`] for who is in none), and what new groups show.
    ///
    /// # Errors
    /// [`Error::Refused`] if afterwards some combination of groups of the lineage held 1…k−1 people, k being that of the releases concerned; [`Error::Parameter`] if the lists differ in
    /// length, a person is named twice, or a group that was released before now has other members. The register is then unchanged.
    ///
    /// # Guarantee
    /// To every person of the register: whoever has all releases of the lineage and combines their groups by any intersections, unions and differences gets sets of no or at least k people.
    pub fn record(
        &mut self,
        release: Release,
        people: &[PersonTag],
        groups: &[u32],
        contents: impl IntoIterator<Item = (u32, Vec<u8>)>,
    ) -> Result<()> {
        if people.len() != groups.len() {
            return Err(Error::Parameter { name: "groups", problem: "must be one a person".to_owned() });
        }
        let known = self.people.len();
        let result = self.enter(&release, people, groups);
        match result {
            Ok(row) => {
                let highest = groups.iter().copied().filter(|&group| group != ABSENT).max();
                self.next_group = self.next_group.max(highest.map_or(0, |group| group + 1));
                self.releases.push(release);
                self.groups.push(row);
                self.contents.extend(contents);
                Ok(())
            }
            Err(error) => {
                for tag in self.people.drain(known..) {
                    self.index.remove(&tag);
                }
                Err(error)
            }
        }
    }

    /// Adds the people and checks the row of the release.
    fn enter(&mut self, release: &Release, people: &[PersonTag], groups: &[u32]) -> Result<Vec<u32>> {
        let mut row = vec![ABSENT; self.people.len()];
        let mut named = vec![false; self.people.len()];
        for (tag, &group) in people.iter().zip(groups) {
            let person = *self.index.entry(*tag).or_insert_with(|| {
                self.people.push(*tag);
                row.push(ABSENT);
                named.push(false);
                self.people.len() - 1
            });
            if std::mem::replace(&mut named[person], true) {
                return Err(Error::Parameter { name: "people", problem: "must each be named once".to_owned() });
            }
            row[person] = group;
        }
        let mut lineage: Vec<&[u32]> = self.groups_of(&release.lineage).collect();
        check_members(&lineage, &row)?;
        let ks: Vec<u64> =
            self.releases.iter().filter(|earlier| earlier.lineage == release.lineage).map(|earlier| earlier.k).chain([release.k]).collect();
        lineage.push(&row);
        let (cells, concerned) = small_cells(self.people.len(), &lineage, &ks);
        if cells > 0 {
            return Err(Error::Refused {
                reasons: vec![format!(
                    "together with the {} earlier releases of its kind, {concerned} people would be in {cells} combinations of groups that fewer than k people share; release the earlier groups as they were, \
                     and new groups of people who were in none",
                    ks.len() - 1
                )],
            });
        }
        Ok(row)
    }

    fn encode(&self) -> Result<Vec<u8>> {
        let head = Head {
            people: self.people.len() as u64,
            next_group: self.next_group,
            contents: self.contents.len() as u64,
            releases: self.releases.clone(),
        };
        let head = serde_json::to_vec(&head)
            .map_err(|_| Error::Parameter { name: "release", problem: "has a name that cannot be written".to_owned() })?;
        let mut bytes = (head.len() as u64).to_le_bytes().to_vec();
        bytes.extend_from_slice(&head);
        for PersonTag(tag) in &self.people {
            bytes.extend_from_slice(&tag.to_le_bytes());
        }
        for groups in &self.groups {
            for person in 0..self.people.len() {
                bytes.extend_from_slice(&groups.get(person).copied().unwrap_or(ABSENT).to_le_bytes());
            }
        }
        for (group, content) in &self.contents {
            bytes.extend_from_slice(&group.to_le_bytes());
            bytes.extend_from_slice(&(content.len() as u64).to_le_bytes());
            bytes.extend_from_slice(content);
        }
        Ok(bytes)
    }

    fn decode(mut bytes: &[u8]) -> Option<Self> {
        let bytes = &mut bytes;
        let length = usize::try_from(u64::from_le_bytes(take(bytes)?)).ok()?;
        let head: Head = serde_json::from_slice(take_slice(bytes, length)?).ok()?;
        let mut register = Self { next_group: head.next_group, releases: head.releases, ..Self::default() };
        for person in 0..usize::try_from(head.people).ok()? {
            let tag = PersonTag(u128::from_le_bytes(take(bytes)?));
            register.people.push(tag);
            register.index.insert(tag, person);
        }
        for _ in 0..register.releases.len() {
            let row = (0..register.people.len()).map(|_| take(bytes).map(u32::from_le_bytes)).collect::<Option<Vec<u32>>>()?;
            register.groups.push(row);
        }
        for _ in 0..head.contents {
            let group = u32::from_le_bytes(take(bytes)?);
            let length = usize::try_from(u64::from_le_bytes(take(bytes)?)).ok()?;
            register.contents.insert(group, take_slice(bytes, length)?.to_vec());
        }
        bytes.is_empty().then_some(register)
    }
}

/// A group number stands for the same people in every release of its lineage, or it could not be planned with.
fn check_members(earlier: &[&[u32]], row: &[u32]) -> Result<()> {
    let sizes = |row: &[u32]| {
        let mut sizes: HashMap<u32, u64> = HashMap::new();
        for &group in row.iter().filter(|&&group| group != ABSENT) {
            *sizes.entry(group).or_default() += 1;
        }
        sizes
    };
    let now = sizes(row);
    for before in earlier {
        let then = sizes(before);
        let mut shared: HashMap<u32, u64> = HashMap::new();
        for (&group, _) in row.iter().zip(*before).filter(|(now, then)| now == then && **now != ABSENT) {
            *shared.entry(group).or_default() += 1;
        }
        let changed = now.keys().filter(|group| then.contains_key(*group)).any(|group| {
            let common = shared.get(group).copied().unwrap_or(0);
            now.get(group) != Some(&common) || then.get(group) != Some(&common)
        });
        if changed {
            return Err(Error::Parameter {
                name: "groups",
                problem: "a group that was released before has other members now; number new groups with new_groups".to_owned(),
            });
        }
    }
    Ok(())
}

/// Number of cells with fewer people than the largest k of the releases that they are in, and the people in them.
fn small_cells(people: usize, releases: &[&[u32]], ks: &[u64]) -> (usize, u64) {
    let joint = JointPartition::new(people, releases);
    let mut needed = vec![0_u64; joint.cells()];
    let mut sizes = vec![0_u64; joint.cells()];
    for person in 0..people {
        let Some(cell) = joint.cell_of(person) else { continue };
        if sizes[cell as usize] == 0 {
            let of_releases = releases.iter().zip(ks).filter(|(groups, _)| groups.get(person).is_some_and(|&group| group != ABSENT));
            needed[cell as usize] = of_releases.map(|(_, &k)| k).max().unwrap_or(0);
        }
        sizes[cell as usize] += 1;
    }
    let small = sizes.iter().zip(&needed).filter(|(size, needed)| size < needed);
    small.fold((0, 0), |(cells, concerned), (size, _)| (cells + 1, concerned + size))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

fn take_slice<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(head)
}
