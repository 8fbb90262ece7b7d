//! Lists into fragments.

use super::options::FragmentOptions;
use super::pieces::{CutCounts, Fragments, Order};
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::matrix::SubjectItems;

/// Cuts each person's list of items into fragments.
///
/// `subject_ids` and `item_ids` name people and items independently of their codes: keyed hashes of their values ([`content_hashes`](crate::matrix::content_hashes)), all different.
/// Every item of a person stands in exactly one of their fragments, or is deleted because fewer than k people have it. The order of fragments, and of the items in them, comes from
/// `key` and the ids: the result is the same for any order of the data and any number of threads.
///
/// # Guarantee
/// Every set of 1 … m items that stands in a fragment is held by at least k people, counted in the released fragments (each of k people has a fragment with all of them) or in the pool
/// ([`Support`](crate::policy::Support)). A person is counted once. No fragment has more than `max_items` items. It is a statement about the records, not differential privacy.
///
/// # Errors
/// Fewer than k people have items; there is not one id for each subject and item, or two are equal.
///
/// # References
/// Terrovitis, Mamoulis and Kalnis, "Privacy-preserving anonymization of set-valued data", VLDB 2008 (kᵐ-anonymity); Terrovitis, Liagouris, Mamoulis and Skiadopoulos, "Privacy preservation by
/// disassociation", VLDB 2012.
///
/// ```
/// use backmask::{history::fragments::{FragmentOptions, Order, check, cut}, keys::Key, matrix::SubjectItems, units::K};
/// let lists = [vec![0, 1, 2], vec![0, 1, 2], vec![0, 1, 3], vec![2, 3]];
/// let matrix = SubjectItems::from_lists(&lists, 4)?;
/// let options = FragmentOptions::new(K::new(2)?, 5, 2)?;
/// let fragments = cut(&matrix, &[10, 11, 12, 13], &[20, 21, 22, 23], &options, &Key::from_bytes([7; 32]))?;
/// assert_eq!(fragments.counts().rows_kept, 11);
/// assert!(check(&fragments.pieces(), Some(fragments.owners()), Order::Sets, 2, K::new(2)?)?.holds());
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn cut(matrix: &SubjectItems, subject_ids: &[u64], item_ids: &[u64], options: &FragmentOptions, key: &Key) -> Result<Fragments> {
    run(matrix, None, subject_ids, item_ids, options, key)
}

/// Cuts lists that have an order. `positions` gives the place of each item in its person's list, one for each pair of `matrix` in the order of its persons and of
/// [`SubjectItems::items_of`]; equal places are put in order by `item_ids`. Items keep their order inside a fragment, and a person holds a combination if its items are theirs in that order.
///
/// # Guarantee
/// That of [`cut`], for sequences of items instead of sets.
///
/// # Errors
/// Those of [`cut`], or there is not one position for each pair.
pub fn cut_ordered(
    matrix: &SubjectItems,
    positions: &[u64],
    subject_ids: &[u64],
    item_ids: &[u64],
    options: &FragmentOptions,
    key: &Key,
) -> Result<Fragments> {
    if positions.len() != matrix.pairs() {
        return Err(Error::Parameter { name: "positions", problem: format!("needs one for each of {} pairs", matrix.pairs()) });
    }
    run(matrix, Some(positions), subject_ids, item_ids, options, key)
}

fn run(
    matrix: &SubjectItems,
    positions: Option<&[u64]>,
    subject_ids: &[u64],
    item_ids: &[u64],
    options: &FragmentOptions,
    key: &Key,
) -> Result<Fragments> {
    // Every supported item alone: what is true of combinations of one item is true of all.
    let support = matrix.support();
    let people: Vec<u32> = (0_u32..).take(matrix.subjects()).filter(|&person| !matrix.items_of(person).is_empty()).collect();
    if (people.len() as u64) < options.k.get() {
        return Err(Error::Parameter {
            name: "k",
            problem: format!("is {}, and only {} people have items", options.k.get(), people.len()),
        });
    }
    if subject_ids.len() != matrix.subjects() || item_ids.len() != matrix.items() {
        return Err(Error::Parameter { name: "ids", problem: "needs one for each subject and one for each item".to_owned() });
    }
    let key = key.derive(&Domain::of("fragments"));
    let mut rows = Vec::new();
    for person in people {
        for &item in matrix.items_of(person) {
            if u64::from(support[item as usize]) >= options.k.get() {
                let content = [subject_ids[person as usize].to_le_bytes(), item_ids[item as usize].to_le_bytes()].concat();
                rows.push((*blake3::keyed_hash(key.expose(), &content).as_bytes(), person, item));
            }
        }
    }
    rows.sort_unstable();
    let order = if positions.is_some() { Order::Sequences } else { Order::Sets };
    Ok(Fragments {
        offsets: (0..=rows.len()).collect(),
        items: rows.iter().map(|row| row.2).collect(),
        owners: rows.iter().map(|row| row.1).collect(),
        order,
        counts: CutCounts::default(),
    })
}
