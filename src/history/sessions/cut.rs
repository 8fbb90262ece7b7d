//! Sessions into pieces.

use super::supported::{Sessions, Supported};
use crate::error::{Error, Result};
use crate::history::fragments::lists::ranked;
use crate::history::fragments::pairs::thread_failed;
use crate::history::fragments::plan::Worth;
use crate::history::fragments::{CutCounts, FragmentOptions, Fragments, Order, Pieces};
use crate::keys::{Domain, Key};
use crate::policy::Support;

/// Cuts sessions into pieces of at most c items that follow each other in a session.
///
/// `sessions` are the items of each session in their order, `owners` the code of the person of each. `subject_ids` and `item_ids` are as in [`fragments::cut`](crate::history::fragments::cut).
/// With [`Order::Sequences`] pieces keep the order of their items, and the relative position of an item is its place in the piece; pairs are ordered, and an item that is
/// repeated makes a pair with itself. With [`Order::Sets`] a piece is released as a set, each item once. Items of fewer than k people are deleted first; what stood around them then follows each other.
/// Of all ways to divide a session the one is taken that gains most from what others release too (dynamic programming).
///
/// # Guarantee
/// Every item, and with m = 2 every pair of items in a piece, is held by at least k people: released by them in a piece each, or, counted in the pool, standing in a session of theirs with fewer than c − 1 kept items
/// between. A person counts once. A sequence of more than m items may be one person's.
///
/// # Errors
/// m is 3; fewer than k people have items; there is not one owner with an id for each session; two ids are equal.
///
/// ```
/// use backmask::{history::{fragments::{FragmentOptions, Order, Pieces, check}, sessions}, keys::Key, units::K};
/// // Sessions of three people; the third has two.
/// let (offsets, items) = ([0, 3, 5, 7, 8], [0, 1, 2, 0, 1, 1, 2, 0]);
/// let options = FragmentOptions::new(K::new(2)?, 3, 2)?;
/// let pieces = sessions::cut(
///     &Pieces::new(&offsets, &items)?, &[0, 1, 2, 2], &[10, 11, 12], &[20, 21, 22], Order::Sequences, &options, &Key::from_bytes([7; 32]))?;
/// let counted = check(&pieces.pieces(), Some(pieces.owners()), Order::Sequences, 2, K::new(2)?)?;
/// assert!(counted.holds() && counted.sizes[1].combinations > 0);
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn cut(
    sessions: &Pieces<'_>,
    owners: &[u32],
    subject_ids: &[u64],
    item_ids: &[u64],
    order: Order,
    options: &FragmentOptions,
    key: &Key,
) -> Result<Fragments> {
    if options.m > 2 {
        return Err(Error::Parameter { name: "m", problem: "must be 1 or 2 for sessions".to_owned() });
    }
    let mut counts = CutCounts::default();
    let (sessions, codes) = prepare(sessions, owners, subject_ids, item_ids, order, options, &mut counts)?;
    let mut plan = Plan {
        begins: vec![true; sessions.items.len()],
        pairs: Supported::default(),
        threads: options.threads,
        free: options.m == 1,
        sessions,
    };
    if options.max_items > 1 {
        plan.divide(options, &mut counts)?;
    }
    Ok(plan.released(subject_ids, &codes, counts, key))
}

/// Checks the arrays, deletes rare items, and puts people in the order of their ids and sessions in that of their content.
fn prepare(
    given: &Pieces<'_>,
    owners: &[u32],
    subject_ids: &[u64],
    item_ids: &[u64],
    order: Order,
    options: &FragmentOptions,
    counts: &mut CutCounts,
) -> Result<(Sessions, Vec<u32>)> {
    if owners.len() != given.len() || owners.iter().any(|&owner| owner as usize >= subject_ids.len()) {
        return Err(Error::Parameter { name: "owners", problem: format!("needs one with an id for each of {} sessions", given.len()) });
    }
    if given.iter().flatten().any(|&item| item as usize >= item_ids.len()) {
        return Err(Error::Parameter { name: "item_ids", problem: "needs one for each item".to_owned() });
    }
    let (people, (codes, ranks)) = (ranked(subject_ids)?.1, ranked(item_ids)?);
    let mut ordered: Vec<(u32, Vec<u32>, u32)> = given
        .iter()
        .zip(owners)
        .filter(|(items, _)| !items.is_empty())
        .map(|(items, &owner)| (people[owner as usize], items.iter().map(|&item| ranks[item as usize]).collect(), owner))
        .collect();
    ordered.sort_unstable();
    let mut support = vec![0_u32; codes.len()];
    let mut last = vec![u32::MAX; codes.len()];
    for (_, items, owner) in &ordered {
        for &item in items {
            if last[item as usize] != *owner {
                last[item as usize] = *owner;
                support[item as usize] += 1;
            }
        }
    }
    let k = options.k.get();
    let mut sessions = Sessions { starts: vec![0], items: Vec::new(), owners: Vec::new(), support, order, most: options.max_items };
    for own in ordered.chunk_by(|a, b| a.0 == b.0) {
        let before = sessions.items.len();
        for (_, items, owner) in own {
            counts.rows += items.len() as u64;
            let start = sessions.items.len();
            let kept = items.iter().filter(|&&item| u64::from(sessions.support[item as usize]) >= k);
            sessions.items.extend(kept);
            if sessions.items.len() > start {
                sessions.starts.push(sessions.items.len());
                sessions.owners.push(*owner);
            }
        }
        counts.subjects += 1;
        counts.subjects_lost += u64::from(sessions.items.len() == before);
    }
    counts.rows_rare_item = counts.rows - sessions.items.len() as u64;
    counts.items = sessions.support.iter().filter(|&&support| support > 0).count() as u64;
    counts.items_kept = sessions.support.iter().filter(|&&support| u64::from(support) >= k).count() as u64;
    if counts.subjects < k {
        return Err(Error::Parameter {
            name: "k",
            problem: format!("is {k}, and only {} people have items: nothing can be shared by so many", counts.subjects),
        });
    }
    Ok((sessions, codes))
}

/// Where pieces begin.
#[derive(Debug)]
struct Plan {
    sessions: Sessions,
    pairs: Supported,
    /// For each item whether a piece begins with it.
    begins: Vec<bool>,
    threads: usize,
    /// Pairs need no support.
    free: bool,
}

/// Exponents of the rounds, in halves; see [`Worth`].
const ROUNDS: [u32; 9] = [2, 3, 4, 5, 6, 7, 8, 10, 12];

impl Plan {
    fn divide(&mut self, options: &FragmentOptions, counts: &mut CutCounts) -> Result<()> {
        let k = u32::try_from(options.k.get()).unwrap_or(u32::MAX);
        let least = if self.free { 2 } else { options.k.get() };
        self.pairs = Supported::count(&self.sessions, least, options.memory, options.threads)?;
        if !self.free {
            counts.pairs_supported = self.pairs.len() as u64;
        }
        self.round(&|_| 1.0, None)?;
        counts.rounds = 1;
        if options.support == Support::Released && !self.free {
            for halves in ROUNDS {
                let worth = Worth::Soft { k, halves };
                self.round(&|count| worth.factor(count.max(1), 0.0), None)?;
                counts.rounds += 1;
            }
            // Pieces with a pair below k are divided again until there is none; counts only fall.
            while self.round(&|count| if count >= k { 1.0 } else { -1.0 }, Some(k))? {
                counts.rounds += 1;
            }
        }
        if !self.free {
            counts.pairs_released = self.pairs.counts.iter().filter(|&&count| count > 0).count() as u64;
        }
        Ok(())
    }

    /// Divides every session by the counts as they stand, or only the pieces that have a pair below `broken`, inside themselves. Counts people again and tells whether anything was divided.
    fn round(&mut self, factor: &(dyn Fn(u32) -> f32 + Sync), broken: Option<u32>) -> Result<bool> {
        let (sessions, pairs, free) = (&self.sessions, &self.pairs, self.free);
        // Bounds between people, so that nobody is counted by two threads.
        let count = sessions.owners.len();
        let mut bounds = vec![0];
        for thread in 1..=self.threads {
            let mut bound = (count * thread / self.threads).max(bounds[bounds.len() - 1]);
            while bound > 0 && bound < count && sessions.owners[bound] == sessions.owners[bound - 1] {
                bound += 1;
            }
            bounds.push(bound);
        }
        let mut rest = self.begins.as_mut_slice();
        let results = std::thread::scope(|scope| {
            let mut workers = Vec::new();
            for bound in bounds.windows(2) {
                let (from, to) = (bound[0], bound[1]);
                let (own, others) = rest.split_at_mut(sessions.starts[to] - sessions.starts[from]);
                rest = others;
                workers.push(scope.spawn(move || {
                    let (mut changed, mut found, mut released) = (false, Vec::new(), Vec::new());
                    let mut rest = own;
                    for session in from..to {
                        let items = sessions.session(session);
                        let (begins, others) = rest.split_at_mut(items.len());
                        rest = others;
                        let runs = if let Some(k) = broken { weak_runs(sessions, pairs, items, begins, k) } else { vec![(0, items.len())] };
                        for (start, end) in runs {
                            changed = true;
                            best_division(sessions, pairs, &items[start..end], &mut begins[start..end], free, factor);
                        }
                        for_each_piece_pair(sessions, items, begins, |name, _| found.extend(pairs.find(name)));
                        if session + 1 == to || sessions.owners[session + 1] != sessions.owners[session] {
                            found.sort_unstable();
                            found.dedup();
                            released.append(&mut found);
                        }
                    }
                    (changed, released)
                }));
            }
            workers.into_iter().map(|worker| worker.join().ok()).collect::<Option<Vec<_>>>()
        });
        let mut changed = false;
        self.pairs.counts.fill(0);
        for (divided, released) in results.ok_or_else(thread_failed)? {
            changed |= divided;
            for pair in released {
                self.pairs.counts[pair] += 1;
            }
        }
        Ok(changed)
    }

    /// Pieces in an order that only the key knows.
    fn released(&self, subject_ids: &[u64], codes: &[u32], mut counts: CutCounts, key: &Key) -> Fragments {
        let key = key.derive(&Domain::of("session-order"));
        let sessions = &self.sessions;
        let mut pieces: Vec<([u8; 32], u32, Vec<u32>)> = Vec::new();
        let mut piece = 0_u64;
        for session in 0..sessions.owners.len() {
            let owner = sessions.owners[session];
            if session == 0 || sessions.owners[session - 1] != owner {
                piece = 0;
            }
            let begins = &self.begins[sessions.starts[session]..sessions.starts[session + 1]];
            for (start, end) in runs(begins) {
                let mut items = sessions.session(session)[start..end].to_vec();
                if sessions.order == Order::Sets {
                    items.sort_unstable();
                    items.dedup();
                }
                let content = [subject_ids[owner as usize].to_le_bytes(), piece.to_le_bytes()].concat();
                piece += 1;
                let length = items.len();
                counts.rows_kept += length as u64;
                if counts.sizes.len() < length {
                    counts.sizes.resize(length, 0);
                }
                counts.sizes[length - 1] += 1;
                let items = items.into_iter().map(|item| codes[item as usize]).collect();
                pieces.push((*blake3::keyed_hash(key.expose(), &content).as_bytes(), owner, items));
            }
        }
        pieces.sort_unstable_by_key(|piece| piece.0);
        let mut fragments = Fragments { offsets: vec![0], items: Vec::new(), owners: Vec::new(), order: sessions.order, counts };
        for (_, owner, items) in pieces {
            fragments.items.extend(items);
            fragments.offsets.push(fragments.items.len());
            fragments.owners.push(owner);
        }
        fragments
    }
}

/// (start, end) of every piece.
fn runs(begins: &[bool]) -> Vec<(usize, usize)> {
    let starts: Vec<usize> = (0..begins.len()).filter(|&place| place == 0 || begins[place]).collect();
    let ends = starts.iter().copied().skip(1).chain([begins.len()]);
    starts.iter().copied().zip(ends).collect()
}

/// Calls `visit` with the name of every pair of every piece, and the piece.
fn for_each_piece_pair(sessions: &Sessions, items: &[u32], begins: &[bool], mut visit: impl FnMut(u64, (usize, usize))) {
    for (start, end) in runs(begins) {
        for i in start..end {
            for j in i + 1..end {
                if let Some(name) = sessions.name(items[i], items[j]) {
                    visit(name, (start, end));
                }
            }
        }
    }
}

/// Pieces with a pair that fewer than k people release.
fn weak_runs(sessions: &Sessions, pairs: &Supported, items: &[u32], begins: &[bool], k: u32) -> Vec<(usize, usize)> {
    let mut weak = Vec::new();
    for_each_piece_pair(sessions, items, begins, |name, run| {
        if pairs.find(name).is_none_or(|pair| pairs.counts[pair] < k) && weak.last() != Some(&run) {
            weak.push(run);
        }
    });
    weak
}

/// The division of a run with the largest sum of gains: best[end] = the best of all pieces that end there, after the best before their start.
fn best_division(sessions: &Sessions, pairs: &Supported, items: &[u32], begins: &mut [bool], free: bool, factor: &dyn Fn(u32) -> f32) {
    let mut best = vec![(0.0_f32, 0_usize); items.len() + 1];
    for end in 1..=items.len() {
        let (mut gain, mut choice) = (0.0, (f32::MIN, end - 1));
        'starts: for start in (end.saturating_sub(sessions.most)..end).rev() {
            // The piece grows by the item at its start.
            for other in start + 1..end {
                let Some(name) = sessions.name(items[start], items[other]) else { continue };
                match pairs.find(name).map(|pair| (pair, factor(pairs.counts[pair]))) {
                    Some((pair, factor)) if factor > 0.0 => gain += pairs.affinity(pair) * factor,
                    // A longer piece is better than a shorter one where any pair may stand.
                    _ if free => gain += f32::EPSILON,
                    _ => break 'starts,
                }
            }
            if best[start].0 + gain > choice.0 {
                choice = (best[start].0 + gain, start);
            }
        }
        best[end] = choice;
    }
    begins.fill(false);
    let mut end = items.len();
    while end > 0 {
        end = best[end].1;
        begins[end] = true;
    }
}
