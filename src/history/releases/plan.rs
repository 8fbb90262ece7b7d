//! Who may be in the next release, and with whom.

use super::joint::ABSENT;
use super::register::{PersonTag, Register};
use hashbrown::HashMap;

/// How the people of a pool may appear in the next release of a lineage: see [`Register::plan`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// Groups that are released again as they were, in ascending order.
    pub frozen: Vec<u32>,
    /// Groups of which somebody withdrew, in ascending order. They are never shown again in part.
    pub dropped: Vec<u32>,
    /// People, as positions in the list of those present, who were in no group yet: they may form new ones among themselves.
    pub newcomers: Vec<usize>,
    /// People, as positions in that list, whose group was dropped: they stay out.
    pub waiting: Vec<usize>,
}

impl Register {
    /// Plans the next release of a lineage for the people `present` in the pool (each once).
    ///
    /// # Guarantee
    /// If exactly the frozen groups and new groups of at least k newcomers each are released, every cell of the joint partition that had no or at least k people still has: a
    /// cell of earlier groups is left whole or out, and a new group is a cell of its own.
    ///
    /// ```
    /// use backmask::arrow::array::StringArray;
    /// use backmask::history::releases::{Register, Release, person_tags};
    /// use backmask::keys::Key;
    ///
    /// let key = Key::from_bytes([7; 32]);
    /// let people = |names: &[&str]| person_tags(&StringArray::from(names.to_vec()), &key);
    /// let mut register = Register::default();
    /// let first = people(&["ann", "bob", "eve", "joe"])?;
    /// let groups = [0, 0, 1, 1];
    /// register.record(Release::new("cohorts", "2026-11", "tastes", 2), &first, &groups, [(0, b"cells".to_vec()), (1, b"cells".to_vec())])?;
    /// // Joe withdrew; zoe and max are new.
    /// let plan = register.plan("cohorts", &people(&["ann", "bob", "eve", "zoe", "max"])?);
    /// assert_eq!((plan.frozen, plan.dropped), (vec![0], vec![1]));
    /// assert_eq!((plan.newcomers, plan.waiting), (vec![3, 4], vec![2]));
    /// # Ok::<(), backmask::Error>(())
    /// ```
    #[must_use]
    pub fn plan(&self, lineage: &str, present: &[PersonTag]) -> Plan {
        // Members of every group that was ever released in the lineage. A group is released whole, so any release that has it has all of it.
        let mut members: HashMap<u32, u64> = HashMap::new();
        let mut group_of: Vec<Vec<u32>> = vec![Vec::new(); self.people().len()];
        for groups in self.groups_of(lineage) {
            for (groups_of_person, &group) in group_of.iter_mut().zip(groups) {
                if group != ABSENT && !groups_of_person.contains(&group) {
                    groups_of_person.push(group);
                    *members.entry(group).or_default() += 1;
                }
            }
        }
        let mut found: HashMap<u32, u64> = HashMap::new();
        let mut known = Vec::new();
        let mut plan = Plan::default();
        for (position, tag) in present.iter().enumerate() {
            let groups = self.position(tag).and_then(|person| group_of.get(person)).filter(|groups| !groups.is_empty());
            let Some(groups) = groups else {
                plan.newcomers.push(position);
                continue;
            };
            for &group in groups {
                *found.entry(group).or_default() += 1;
            }
            known.push((position, groups));
        }
        let complete = |group: &u32| found.get(group) == members.get(group);
        let (mut frozen, mut dropped): (Vec<u32>, Vec<u32>) = members.keys().partition(|group| complete(group));
        frozen.sort_unstable();
        dropped.sort_unstable();
        plan.waiting = known.into_iter().filter(|(_, groups)| !groups.iter().all(complete)).map(|(position, _)| position).collect();
        (plan.frozen, plan.dropped) = (frozen, dropped);
        plan
    }
}
