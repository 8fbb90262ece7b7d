//! What groups of people show.

use super::options::CohortOptions;
use super::people::People;
use super::result::{CohortSummary, Cohorts};
use crate::keys::{Domain, Key};
use hashbrown::{HashMap, HashSet};

/// Ids below this are exact in every file format and reader, also where numbers are floating-point.
pub(super) const LARGEST_ID: u64 = 1 << 53;

/// Counts the cells of groups (of places in `people`), drops and caps them, and gives the cohorts random ids and a random order.
pub(super) fn cells(people: &People, groups: &[Vec<u32>], options: &CohortOptions, key: &Key) -> Cohorts {
    let key = key.derive(&Domain::of("cohort order"));
    let hash = |purpose: u8, number: u64, again: u64| {
        let mut content = [purpose; 17];
        content[1..9].copy_from_slice(&number.to_le_bytes());
        content[9..].copy_from_slice(&again.to_le_bytes());
        let mut word = [0; 8];
        word.copy_from_slice(&blake3::keyed_hash(key.expose(), &content).as_bytes()[..8]);
        u64::from_le_bytes(word)
    };
    // A cohort is named after the smallest id of its members, so its random id does not depend on the order of anything.
    let mut named: Vec<(u64, usize)> = groups
        .iter()
        .enumerate()
        .filter(|(_, group)| !group.is_empty())
        .map(|(place, group)| (group.iter().map(|&person| people.id(person)).min().unwrap_or_default(), place))
        .collect();
    named.sort_unstable();
    let mut taken = HashSet::with_capacity(named.len());
    let mut ordered: Vec<(u64, usize)> = named
        .into_iter()
        .map(|(name, place)| {
            let mut again = 0;
            let id = loop {
                let id = hash(0, name, again) % LARGEST_ID;
                if taken.insert(id) {
                    break id;
                }
                again += 1;
            };
            (id, place)
        })
        .collect();
    ordered.sort_unstable();
    let mut summary = CohortSummary {
        people: people.len() as u64,
        people_without_items: people.without_items(),
        pairs: people.pairs() as u64,
        pairs_over_limit: people.over_limit(),
        ..CohortSummary::default()
    };
    let mut cohorts = Cohorts {
        ids: Vec::with_capacity(ordered.len()),
        member_starts: vec![0],
        members: Vec::with_capacity(people.len()),
        cell_starts: vec![0],
        items: Vec::new(),
        shown: Vec::new(),
        summary,
    };
    let mut counts: HashMap<u32, u64> = HashMap::new();
    for (id, place) in ordered {
        let group = &groups[place];
        counts.clear();
        for &person in group {
            for &item in people.items_of(person) {
                *counts.entry(item).or_default() += 1;
            }
        }
        let most = options.most_shown(group.len() as u64);
        let mut cells: Vec<(u64, u32, u64)> = Vec::new();
        for (&item, &count) in &counts {
            if count < options.min_members {
                summary.cells_dropped += 1;
                summary.pairs_dropped += count;
                continue;
            }
            summary.cells += 1;
            summary.cells_capped += u64::from(count > most);
            summary.pairs_capped += count.saturating_sub(most);
            // The order within a cohort must not tell the counts, nor the order of the items in the input.
            cells.push((hash(1, people.item_id(item), id), people.item_code(item), count.min(most)));
        }
        summary.cohorts_without_cells += u64::from(cells.is_empty());
        cells.sort_unstable();
        cohorts.items.extend(cells.iter().map(|cell| cell.1));
        cohorts.shown.extend(cells.iter().map(|cell| u32::try_from(cell.2).unwrap_or(u32::MAX)));
        cohorts.cell_starts.push(cohorts.items.len());
        let mut members: Vec<u32> = group.iter().map(|&person| people.code(person)).collect();
        members.sort_unstable();
        cohorts.members.extend(members);
        cohorts.member_starts.push(cohorts.members.len());
        cohorts.ids.push(id);
    }
    cohorts.summary = summary;
    cohorts
}
