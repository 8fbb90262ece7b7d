//! Lists into fragments.

use super::lists::Lists;
use super::options::FragmentOptions;
use super::pairs::Pairs;
use super::pieces::{CutCounts, Fragments, Order};
use super::plan::{Plan, Worth, for_each_group};
use super::triples::Triples;
use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::matrix::SubjectItems;
use crate::policy::Support;

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
    let mut counts = CutCounts::default();
    let lists = Lists::build(matrix, positions, subject_ids, item_ids, options, &mut counts)?;
    let plan = plan(&lists, options, &mut counts)?;
    let order = if positions.is_some() { Order::Sequences } else { Order::Sets };
    Ok(released(&plan, subject_ids, item_ids, order, counts, key))
}

/// Exponents of the first and of the last round, in halves: how strictly pairs below k are held against those above. It starts mild, so that people can find together, and ends strict; the slower, the
/// more pairs survive.
const EXPONENTS: (u32, u32) = (2, 12);
/// Rounds at least and at most; in between as many as [`WORK`] pairs allow.
const ROUNDS: (u64, u64) = (9, 33);
/// Pairs of a person's items, over all people and rounds.
const WORK: u64 = 1 << 30;
/// Rounds where every supported pair may be used.
const POOL_ROUNDS: usize = 4;

fn plan<'a>(lists: &'a Lists, options: &FragmentOptions, counts: &mut CutCounts) -> Result<Plan<'a>> {
    let k = u32::try_from(options.k.get()).unwrap_or(u32::MAX);
    // With m = 1 pairs need no support; affinities of pairs that two people share still say what belongs together.
    let least = if options.m == 1 { 2 } else { options.k.get() };
    let pairs = if options.max_items == 1 { Pairs::none(lists) } else { Pairs::count(lists, least, options.memory, options.threads)? };
    counts.pairs_supported = if options.m == 1 { 0 } else { pairs.supported };
    let mut plan = Plan::new(lists, pairs, options.max_items, options.threads);
    let mut triples = (options.m == 3 && options.max_items > 2).then(|| Triples::new(k, options.support));
    if options.max_items == 1 {
    } else if options.m == 1 || options.support == Support::Pool {
        for _ in 0..POOL_ROUNDS {
            plan.round(&Worth::Pool)?;
        }
        if options.m == 1 {
            plan.pack()?;
        }
        if let Some(triples) = &mut triples {
            plan.repair(0, Some(triples))?;
        }
    } else {
        plan.round(&Worth::Expected { k, share: lists.together(options.max_items) })?;
        let rounds = (WORK / lists.pairs().max(1)).clamp(ROUNDS.0, ROUNDS.1);
        for round in 0..rounds {
            let steps = u64::from(EXPONENTS.1 - EXPONENTS.0);
            let halves = EXPONENTS.0 + u32::try_from(steps * round / (rounds - 1)).unwrap_or(EXPONENTS.1);
            let worth = Worth::Soft { k, halves };
            plan.round(&worth)?;
            plan.pairs.retain(|count| worth.factor(count + 1, 0.0) > 0.0);
        }
        plan.repair(k, None)?;
        plan.round(&Worth::Hard { k })?;
        plan.repair(k, None)?;
        if let Some(triples) = &mut triples {
            plan.repair(k, Some(triples))?;
        }
        plan.fill(k, triples.as_ref())?;
    }
    counts.pairs_released = if options.m == 1 { 0 } else { plan.pairs.in_use() };
    counts.rounds = plan.rounds;
    Ok(plan)
}

/// The fragments of a plan, in an order that only the key knows.
fn released(plan: &Plan<'_>, subject_ids: &[u64], item_ids: &[u64], order: Order, mut counts: CutCounts, key: &Key) -> Fragments {
    let key = key.derive(&Domain::of("fragment-order"));
    let lists = plan.lists;
    let mut places: Vec<(u128, u32)> = Vec::new();
    let mut content = [0; 16];
    let (mut starts, mut owners, mut items) = (vec![0], Vec::new(), Vec::with_capacity(lists.items.len()));
    for list in 0..lists.len() {
        let (own, owner) = (lists.list(list), lists.owners[list]);
        let start = lists.starts[list];
        for_each_group(&plan.labels[start..start + own.len()], |_, members| {
            // A person has an item in one fragment only: its first item names it.
            let first = lists.codes[own[usize::from(members[0])] as usize];
            content[..8].copy_from_slice(&subject_ids[owner as usize].to_le_bytes());
            content[8..].copy_from_slice(&item_ids[first as usize].to_le_bytes());
            let hash = blake3::keyed_hash(key.expose(), &content);
            let mut place = [0; 16];
            place.copy_from_slice(&hash.as_bytes()[..16]);
            places.push((u128::from_le_bytes(place), owner));
            items.extend(members.iter().map(|&member| lists.codes[own[usize::from(member)] as usize]));
            starts.push(items.len());
            owners.push(owner);
            if counts.sizes.len() < members.len() {
                counts.sizes.resize(members.len(), 0);
            }
            counts.sizes[members.len() - 1] += 1;
        });
    }
    let mut shuffled: Vec<usize> = (0..owners.len()).collect();
    shuffled.sort_unstable_by_key(|&fragment| places[fragment]);
    let mut fragments =
        Fragments { offsets: vec![0], items: Vec::with_capacity(items.len()), owners: Vec::with_capacity(owners.len()), order, counts };
    for fragment in shuffled {
        fragments.items.extend_from_slice(&items[starts[fragment]..starts[fragment + 1]]);
        fragments.offsets.push(fragments.items.len());
        fragments.owners.push(owners[fragment]);
    }
    fragments
}
