//! Taste profiles of groups of people.
//!
//! - [`form`]: groups of k to 2k − 1 people of similar taste, and what each group shows.
//! - [`CohortOptions`], [`Cohorts`]: what they must satisfy, and what they are.
//! - [`attributes`]: what a group has in common beside its items.
//! - [`check`]: the conditions, recounted from the released columns.

mod attributes;
mod blocks;
mod cells;
mod check;
mod groups;
mod mdav;
mod options;
mod people;
mod points;
mod result;

pub use attributes::{AttributeOptions, CohortAttribute, SensitiveOptions, attributes};
pub use check::{CohortCheck, check};
pub use options::CohortOptions;
pub use result::{CohortRow, CohortSummary, Cohorts, FrozenCohort};

use crate::error::{Error, Result};
use crate::keys::Key;
use crate::matrix::SubjectItems;
use people::People;

/// Forms cohorts of `k` to 2`k` − 1 people of similar taste, and counts for every cohort how many of its members have each item.
///
/// `subject_ids` and `item_ids` name people and items independently of their codes ([`content_hashes`](crate::matrix::content_hashes)) and should be different from each
/// other: then the result depends on the data, the options and the key only, not on codes, order or threads; two kinds of processor may round differently. People without items are in no cohort.
///
/// # Guarantee
/// To every person in the pool, against whoever sees the released rows: each record aggregates at least `k` people, each number in it at least `min_members`
/// of them, and no number says that more than ⌊`max_share` · size⌋ members have an item. It is not differential privacy.
///
/// # Security
/// Ids and order come from the key and the ids of the members: give every release and product a key of its own ([`Key::derive`]), or equal groups get equal ids in both.
/// Whoever knows all about some members can subtract them, and two releases of pools that differ in one person can be compared.
///
/// # Errors
/// Fewer than `k` people have an item, an option is outside its domain, or there is not one id for each subject and item.
///
/// # References
/// Domingo-Ferrer and Torra, Data Mining and Knowledge Discovery 11 (2005): MDAV; Halko, Martinsson and Tropp, SIAM Review 53 (2011): the space in which people are compared. Why items are
/// weighted as they are, and what was tried beside, is in `docs/theory.md`.
///
/// ```
/// use backmask::{history::cohorts::{CohortOptions, form}, keys::Key, matrix::SubjectItems, units::K};
/// // Three people share items 0 and 1, three others item 2.
/// let lists = [vec![0, 1], vec![0, 1], vec![0, 1, 3], vec![2], vec![2], vec![2, 4]];
/// let matrix = SubjectItems::from_lists(&lists, 5)?;
/// let options = CohortOptions::new(K::new(3)?);
/// let cohorts = form(&matrix, &[10, 11, 12, 13, 14, 15], &[0, 1, 2, 3, 4], &options, &Key::from_bytes([7; 32]))?;
/// assert!(cohorts.rows().all(|row| row.size >= 3 && row.members >= 2));
/// assert!(cohorts.checked(&options).holds());
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn form(matrix: &SubjectItems, subject_ids: &[u64], item_ids: &[u64], options: &CohortOptions, key: &Key) -> Result<Cohorts> {
    options.check()?;
    let people = People::new(matrix, subject_ids, item_ids, options, key)?;
    let k = usize::try_from(options.k.get()).unwrap_or(usize::MAX);
    if people.len() < k {
        return Err(Error::Parameter {
            name: "k",
            problem: format!("{} people have an item, fewer than one cohort of {k} needs; lower k or leave the product out", people.len()),
        });
    }
    let points = points::points(&people, options, key)?;
    let everybody: Vec<u32> = (0..people.count()).collect();
    let blocks = blocks::blocks(&points, everybody, (options.block as usize).max(k.saturating_mul(4)), options.threads);
    let groups = groups::groups(&points, &blocks, k, options.threads);
    Ok(cells::cells(&people, &groups, options, key))
}

#[cfg(test)]
mod tests;
