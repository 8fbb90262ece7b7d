//! The work of moving the people of a class to where the table has them: earth mover's distances in whole numbers.
//!
//! Shares are f / n in the class and F / N in the table. Everything is multiplied by n N: the surplus of a value is f N − F n. Only the values that occur in
//! the class are visited; the others are known from sums over the table.

use super::reference::Reference;
use crate::anonymity::classes::ValueCount;
use crate::error::{Error, Result};

/// How far values are apart.
#[derive(Debug, Clone)]
pub(super) enum Ground {
    /// All alike.
    Equal,
    /// As their ranks.
    Ordered {
        /// Rank of every code.
        ranks: Vec<u32>,
        /// People of the table up to and with every rank.
        up_to: Vec<u128>,
        /// Sums of `up_to` before every rank, and at the end.
        sums: Vec<u128>,
    },
    /// As in a tree.
    Hierarchical {
        /// Nodes of all codes, from level 1.
        levels: Vec<Level>,
    },
}

/// One level of a tree.
#[derive(Debug, Clone)]
pub(super) struct Level {
    /// Node of every code.
    nodes: Vec<u32>,
    /// People of the table by node.
    people: Vec<u64>,
}

fn wrong(problem: &str) -> Error {
    Error::Parameter { name: "distance", problem: problem.to_owned() }
}

impl Ground {
    pub(super) fn ordered(reference: &Reference, ranks: &[u32]) -> Result<Self> {
        let mut by_rank = vec![None; ranks.len()];
        if ranks.len() != reference.counts().len() {
            return Err(wrong("needs a rank for every value of the table"));
        }
        for (&rank, &people) in ranks.iter().zip(reference.counts()) {
            match by_rank.get_mut(rank as usize) {
                Some(place @ None) => *place = Some(people),
                _ => return Err(wrong("needs every rank from 0 once")),
            }
        }
        let mut up_to = Vec::with_capacity(ranks.len());
        let mut sums = vec![0_u128];
        let (mut people, mut sum) = (0_u128, 0_u128);
        for count in by_rank.into_iter().flatten() {
            people += u128::from(count);
            // At most 2^32 ranks of 2^96 people.
            sum += people;
            up_to.push(people);
            sums.push(sum);
        }
        Ok(Self::Ordered { ranks: ranks.to_vec(), up_to, sums })
    }

    pub(super) fn hierarchical(reference: &Reference, levels: &[&[u32]]) -> Result<Self> {
        let values = reference.counts().len();
        let mut below: Vec<u32> = (0..u32::try_from(values).map_err(|_| wrong("has too many values"))?).collect();
        let mut all = Vec::with_capacity(levels.len());
        for nodes in levels {
            if nodes.len() != values || nodes.iter().any(|&node| node as usize >= values) {
                return Err(wrong("needs a node for every value of the table at every level, numbered from 0"));
            }
            let mut parents: std::collections::HashMap<u32, u32> = std::collections::HashMap::new();
            if below.iter().zip(*nodes).any(|(&child, &node)| *parents.entry(child).or_insert(node) != node) {
                return Err(wrong("has a node with two parents"));
            }
            let mut people = vec![0_u64; nodes.iter().max().map_or(0, |&last| last as usize + 1)];
            for (&node, &count) in nodes.iter().zip(reference.counts()) {
                people[node as usize] = people[node as usize].checked_add(count).ok_or_else(|| wrong("counts more than 2^64 people"))?;
            }
            below = nodes.to_vec();
            all.push(Level { nodes: nodes.to_vec(), people });
        }
        if below.windows(2).any(|pair| pair[0] != pair[1]) {
            return Err(wrong("needs one node above all values"));
        }
        Ok(Self::Hierarchical { levels: all })
    }

    /// The distance of the two values that are farthest apart, in units of [`Ground::work`].
    pub(super) fn longest(&self) -> u64 {
        match self {
            Self::Equal => 1,
            Self::Ordered { up_to, .. } => (up_to.len() as u64).saturating_sub(1),
            Self::Hierarchical { levels } => levels.len() as u64,
        }
    }

    /// The distance times n N times [`Ground::longest`]; `None` if it is too large to count.
    pub(super) fn work(&self, reference: &Reference, values: &[ValueCount], subjects: u64) -> Option<u128> {
        match self {
            Self::Equal => equal(reference, values, subjects),
            Self::Ordered { ranks, up_to, sums } => ordered((ranks, up_to, sums), reference, values, subjects),
            Self::Hierarchical { levels } => hierarchical(levels, reference, values, subjects),
        }
    }
}

/// The larger of all surplus and all deficit.
fn equal(reference: &Reference, values: &[ValueCount], subjects: u64) -> Option<u128> {
    let (mut surplus, mut deficit, mut absent) = (0_u128, 0_u128, reference.pairs());
    for count in values {
        let (class, table) = scaled(count, reference, subjects);
        surplus = surplus.checked_add(class.saturating_sub(table))?;
        deficit = deficit.checked_add(table.saturating_sub(class))?;
        absent = absent.checked_sub(u128::from(reference.people(count.value)))?;
    }
    Some(surplus.max(deficit.checked_add(absent.checked_mul(u128::from(subjects))?)?))
}

/// What must pass between every two neighbouring ranks.
fn ordered((ranks, up_to, sums): (&[u32], &[u128], &[u128]), reference: &Reference, values: &[ValueCount], subjects: u64) -> Option<u128> {
    let mut present: Vec<(usize, u64)> = values.iter().map(|count| (ranks[count.value as usize] as usize, count.people)).collect();
    present.sort_unstable();
    let subjects = u128::from(subjects);
    let (mut work, mut class, mut from) = (0_u128, 0_u128, 0_usize);
    for (rank, people) in present.into_iter().chain([(up_to.len(), 0)]) {
        // Between two ranks of the class its own sum stands still and that of the table rises.
        let scaled = class.checked_mul(u128::from(reference.total()))?;
        let turn = from + up_to[from..rank].partition_point(|table| table.saturating_mul(subjects) < scaled);
        let before = sums[turn].checked_sub(sums[from])?.checked_mul(subjects)?;
        let after = sums[rank].checked_sub(sums[turn])?.checked_mul(subjects)?;
        work = work.checked_add(scaled.checked_mul((turn - from) as u128)?.checked_sub(before)?)?;
        work = work.checked_add(after.checked_sub(scaled.checked_mul((rank - turn) as u128)?)?)?;
        class += u128::from(people);
        from = rank;
    }
    Some(work)
}

/// What must pass between the children of every node, times the level of the node.
fn hierarchical(levels: &[Level], reference: &Reference, values: &[ValueCount], subjects: u64) -> Option<u128> {
    let subjects_signed = i128::from(subjects);
    // (a code below the node, surplus of the node, people of the table below it)
    let mut nodes: Vec<(u32, i128, u64)> = Vec::with_capacity(values.len());
    for count in values {
        let (class, table) = scaled(count, reference, subjects);
        nodes.push((count.value, difference(class, table)?, reference.people(count.value)));
    }
    let mut work = 0_u128;
    for (level, height) in levels.iter().zip(1_u128..) {
        nodes.sort_unstable_by_key(|&(code, ..)| level.nodes[code as usize]);
        let mut parents = Vec::new();
        for children in nodes.chunk_by(|one, other| level.nodes[one.0 as usize] == level.nodes[other.0 as usize]) {
            let all = level.people[level.nodes[children[0].0 as usize] as usize];
            let seen = children.iter().try_fold(0_u64, |sum, child| sum.checked_add(child.2))?;
            // Children without anyone of the class only lack people.
            let absent = i128::from(all.checked_sub(seen)?).checked_mul(subjects_signed)?;
            let (mut surplus, mut deficit) = (0_u128, absent.unsigned_abs());
            for child in children {
                let side = if child.1 > 0 { &mut surplus } else { &mut deficit };
                *side = side.checked_add(child.1.unsigned_abs())?;
            }
            work = work.checked_add(surplus.min(deficit).checked_mul(height)?)?;
            parents.push((children[0].0, difference(surplus, deficit)?, all));
        }
        nodes = parents;
    }
    Some(work)
}

/// f N and F n.
fn scaled(count: &ValueCount, reference: &Reference, subjects: u64) -> (u128, u128) {
    (u128::from(count.people) * u128::from(reference.total()), u128::from(reference.people(count.value)) * u128::from(subjects))
}

fn difference(one: u128, other: u128) -> Option<i128> {
    let size = i128::try_from(one.abs_diff(other)).ok()?;
    Some(if one >= other { size } else { -size })
}
