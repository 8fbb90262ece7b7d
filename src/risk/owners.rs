//! Units that are not people: whose each is.

use crate::error::{Error, Result};
use crate::matrix::{Postings, SubjectItems, deciles, mean_surprise, surprise};

/// A person who owns units: code, stable id, decile.
pub(super) type Person = (u32, u64, u8);

/// Which units belong to which person.
#[derive(Debug, Clone)]
pub(super) struct Owners {
    /// Owner of every unit.
    owner_of: Vec<u32>,
    /// Where the units of each owner begin.
    starts: Vec<usize>,
    /// Units that have an item, owner by owner, in the order of their stable ids.
    units: Vec<u32>,
    /// Distinct owners of every item.
    support: Vec<u32>,
}

impl Owners {
    /// The owners of the units of a matrix, and the people among them who have an item, with deciles of the rarity of their items: the mean of −ln(people with the item / people)
    /// over the distinct items of all of a person's units.
    pub(super) fn new(matrix: &SubjectItems, postings: &Postings, unit_ids: &[u64], owner_of: &[u32]) -> Result<(Self, Vec<Person>)> {
        if owner_of.len() != matrix.subjects() {
            return Err(Error::Parameter { name: "owners", problem: "needs one for each unit".to_owned() });
        }
        // There are no more people than units, so that a stray code cannot ask for room without end.
        if owner_of.iter().any(|&owner| owner as usize >= owner_of.len()) {
            return Err(Error::Parameter { name: "owners", problem: "an owner's code is not below the number of units".to_owned() });
        }
        let count = owner_of.iter().max().map_or(0, |&largest| largest as usize + 1);
        let mut members: Vec<(u32, u64, u32)> = (0_u32..)
            .zip(owner_of)
            .filter(|&(unit, _)| !matrix.items_of(unit).is_empty())
            .map(|(unit, &owner)| (owner, unit_ids[unit as usize], unit))
            .collect();
        members.sort_unstable();
        let mut starts = vec![0_usize; count + 1];
        for &(owner, ..) in &members {
            starts[owner as usize + 1] += 1;
        }
        for owner in 0..count {
            starts[owner + 1] += starts[owner];
        }
        let units = members.iter().map(|&(_, _, unit)| unit).collect();
        let mut owners = Self { owner_of: owner_of.to_vec(), starts, units, support: Vec::new() };
        let mut found = Vec::new();
        owners.support = (0..u32::try_from(matrix.items()).unwrap_or(u32::MAX))
            .map(|item| owners.people_among(postings.subjects_of(item), &mut found))
            .collect();
        let people = owners.people(matrix, &members)?;
        Ok((owners, people))
    }

    fn people(&self, matrix: &SubjectItems, members: &[(u32, u64, u32)]) -> Result<Vec<Person>> {
        let of_owner = |owner: usize| self.starts[owner]..self.starts[owner + 1];
        let owners: Vec<usize> = (0..self.starts.len().saturating_sub(1)).filter(|&owner| !of_owner(owner).is_empty()).collect();
        let total = owners.len() as u64;
        let (mut scores, mut ids, mut items) = (Vec::with_capacity(owners.len()), Vec::with_capacity(owners.len()), Vec::new());
        for &owner in &owners {
            items.clear();
            let mut id = 0_u64;
            for &(_, unit_id, unit) in &members[of_owner(owner)] {
                items.extend_from_slice(matrix.items_of(unit));
                // Not the sum of the ids themselves: the same items in one unit or in two are two different people.
                id = id.wrapping_add((unit_id ^ (unit_id >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 1);
            }
            items.sort_unstable();
            items.dedup();
            let sum = items.iter().map(|&item| u128::from(surprise(u64::from(self.support[item as usize]), total))).sum();
            scores.push(mean_surprise(sum, items.len() as u64));
            ids.push(id);
        }
        let deciles = deciles(&scores, &ids)?;
        #[expect(clippy::cast_possible_truncation, reason = "owners are 32-bit codes")]
        Ok(owners.into_iter().zip(ids).zip(deciles).map(|((owner, id), decile)| (owner as u32, id, decile)).collect())
    }

    /// Number of owner codes.
    pub(super) fn count(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    /// The units of a person that have an item.
    pub(super) fn units_of(&self, owner: u32) -> &[u32] {
        match (self.starts.get(owner as usize), self.starts.get(owner as usize + 1)) {
            (Some(&start), Some(&end)) => &self.units[start..end],
            _ => &[],
        }
    }

    /// Distinct people who own a unit with the item.
    pub(super) fn support_of(&self, item: u32) -> u32 {
        self.support.get(item as usize).copied().unwrap_or_default()
    }

    /// Distinct people who own some of `units`.
    pub(super) fn people_among(&self, units: &[u32], found: &mut Vec<u32>) -> u32 {
        found.clear();
        found.extend(units.iter().filter_map(|&unit| self.owner_of.get(unit as usize)));
        found.sort_unstable();
        found.dedup();
        u32::try_from(found.len()).unwrap_or(u32::MAX)
    }
}
