//! Held-out people: what a recommender may know of each, and what it has to predict.

use super::interactions::Interactions;
use crate::error::{Error, Result};
use crate::units::Share;

/// For each test person the items that are known and those that are hidden, to be predicted.
///
/// People without hidden items stay in, and no metric counts them. The people are ordered by content, so that nothing depends on the order of the data.
///
/// ```
/// use backmask::{units::Share, utility::{FoldIn, Interactions}};
///
/// let people = Interactions::from_lists(&[vec![0, 1, 2, 3, 4], vec![3]], 5)?;
/// let test = FoldIn::random(&people, Share::new(0.8)?, 1);
/// assert_eq!(test.people(), 2);
/// assert_eq!(test.predictable(), 1); // nobody can predict for one known item and nothing else
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FoldIn {
    known: Vec<Vec<u32>>,
    hidden: Vec<Vec<u32>>,
    item_count: usize,
}

impl FoldIn {
    /// Hides a random part of each person's items: max(1, ⌊`known_share` · items⌋) stay known.
    ///
    /// The choice is a function of `seed` and of the person's own items, so it is the same for any order of the people and with whomever they come.
    ///
    /// # References
    /// Liang, Krishnan, Hoffman, Jebara, *Variational autoencoders for collaborative filtering*, WWW 2018, section 4.1 (strong generalization).
    #[must_use]
    pub fn random(people: &Interactions, known_share: Share, seed: u64) -> Self {
        let split = |row: usize| {
            let items = people.items_of(row);
            let mut hasher = blake3::Hasher::new_derive_key("backmask 2026 fold-in of held-out people");
            hasher.update(&seed.to_le_bytes());
            for item in items {
                hasher.update(&item.to_le_bytes());
            }
            let mut stream = hasher.finalize_xof();
            let mut drawn: Vec<(u64, u32)> = items
                .iter()
                .map(|&item| {
                    let mut word = [0; 8];
                    stream.fill(&mut word);
                    (u64::from_le_bytes(word), item)
                })
                .collect();
            drawn.sort_unstable();
            let order: Vec<u32> = drawn.into_iter().map(|(_, item)| item).collect();
            let (known, hidden) = order.split_at(known_part(order.len(), known_share));
            (known.to_vec(), hidden.to_vec())
        };
        Self::sorted((0..people.rows()).map(split).collect(), people.items())
    }

    /// Hides what each person listened to last: of their events, given as (time, item), the first max(1, ⌊`known_share` · events⌋) are known; hidden are the items
    /// of the others which are not known already. Events at the same time are ordered by item code.
    ///
    /// # Errors
    /// An item is not below `items`.
    pub fn temporal(people: &[Vec<(i64, u32)>], items: usize, known_share: Share) -> Result<Self> {
        Self::in_time(people, items, |events| known_part(events.len(), known_share))
    }

    /// Hides what happened after one moment, the same for all: that before which `known_share` of all events lie. Somebody who has no event before it knows nothing and is not
    /// predicted for.
    ///
    /// The same moment for all keeps what a model is tested on later than all that it was told of the test people.
    ///
    /// # Errors
    /// An item is not below `items`.
    pub fn global_temporal(people: &[Vec<(i64, u32)>], items: usize, known_share: Share) -> Result<Self> {
        let mut times: Vec<i64> = people.iter().flatten().map(|event| event.0).collect();
        times.sort_unstable();
        let cut = times.get(floor_part(times.len(), known_share)).copied();
        Self::in_time(people, items, |events| cut.map_or(events.len(), |cut| events.partition_point(|event| event.0 < cut)))
    }

    fn in_time(people: &[Vec<(i64, u32)>], items: usize, known_events: impl Fn(&[(i64, u32)]) -> usize) -> Result<Self> {
        if people.iter().flatten().any(|event| event.1 as usize >= items) {
            return Err(beyond(items));
        }
        let split = |events: &Vec<(i64, u32)>| {
            let mut events = events.clone();
            events.sort_unstable();
            let (known, hidden) = events.split_at(known_events(&events));
            let known = distinct(known.iter().map(|event| event.1));
            let hidden = hidden.iter().map(|event| event.1).filter(|item| !known.is_empty() && known.binary_search(item).is_err());
            let hidden = distinct(hidden);
            (known, hidden)
        };
        Ok(Self::sorted(people.iter().map(split).collect(), items))
    }

    /// A split that was made elsewhere: person by person the known and the hidden items, in any order.
    ///
    /// # Errors
    /// An item is not below `items`, or one person has an item both known and hidden: then a model that repeats what it knows would seem to predict.
    pub fn given(people: &[(Vec<u32>, Vec<u32>)], items: usize) -> Result<Self> {
        if people.iter().any(|(known, hidden)| known.iter().chain(hidden).any(|&item| item as usize >= items)) {
            return Err(beyond(items));
        }
        let made = Self::sorted(people.to_vec(), items);
        let overlap =
            made.known.iter().zip(&made.hidden).any(|(known, hidden)| hidden.iter().any(|item| known.binary_search(item).is_ok()));
        if overlap {
            return Err(Error::Parameter { name: "people", problem: "an item of one person is both known and hidden".to_owned() });
        }
        Ok(made)
    }

    fn sorted(people: Vec<(Vec<u32>, Vec<u32>)>, item_count: usize) -> Self {
        let mut people: Vec<_> = people.into_iter().map(|(known, hidden)| (distinct(known), distinct(hidden))).collect();
        people.sort_unstable();
        let (known, hidden) = people.into_iter().unzip();
        Self { known, hidden, item_count }
    }

    /// Number of people.
    #[must_use]
    pub fn people(&self) -> usize {
        self.known.len()
    }

    /// Number of people who have something hidden.
    #[must_use]
    pub fn predictable(&self) -> usize {
        self.hidden.iter().filter(|hidden| !hidden.is_empty()).count()
    }

    /// Number of item codes.
    #[must_use]
    pub fn items(&self) -> usize {
        self.item_count
    }

    /// Known items and hidden items of every person, each ascending.
    pub fn iter(&self) -> impl Iterator<Item = (&[u32], &[u32])> {
        self.known.iter().map(Vec::as_slice).zip(self.hidden.iter().map(Vec::as_slice))
    }

    /// At most `people` of them, evenly spread over their order.
    #[must_use]
    pub(super) fn thinned(self, people: usize) -> Self {
        let step = self.people().div_ceil(people.max(1)).max(1);
        let thin = |lists: Vec<Vec<u32>>| lists.into_iter().step_by(step).collect();
        Self { known: thin(self.known), hidden: thin(self.hidden), item_count: self.item_count }
    }
}

fn distinct(items: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut items: Vec<u32> = items.into_iter().collect();
    items.sort_unstable();
    items.dedup();
    items
}

fn known_part(count: usize, share: Share) -> usize {
    floor_part(count, share).max(1).min(count)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a share of a count of items in memory"
)]
fn floor_part(count: usize, share: Share) -> usize {
    (share.get() * count as f64) as usize
}

fn beyond(items: usize) -> Error {
    Error::Parameter { name: "people", problem: format!("an item code is not below the {items} items declared") }
}
