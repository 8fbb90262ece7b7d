//! How well hidden items are predicted.

use super::fold_in::FoldIn;
use super::models::Recommender;
use crate::error::{Error, Result};
use crate::numeric::{in_parallel, real};

/// Length of the lists of recall and coverage.
const SHORT: usize = 20;
/// Length of the lists of NDCG.
const LONG: usize = 100;
/// People that one thread works at a time.
const BLOCK: usize = 64;

/// What a recommender achieved, for each person who had something hidden, in the order of the [`FoldIn`].
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Hits among the first 20 recommendations / min(20, hidden items).
    pub recall_at_20: Vec<f64>,
    /// Discounted gain of the first 100 recommendations / that of a perfect list of min(100, hidden items) hits.
    pub ndcg_at_100: Vec<f64>,
    /// The recall of those hidden items that are in the tail, for the people who have some.
    pub tail_recall_at_20: Vec<f64>,
    /// Share of all items that appear in somebody's first 20 recommendations.
    pub coverage_at_20: f64,
}

impl Measured {
    /// Tests a recommender on held-out people. `tail[item]` says whether an item is in the tail: see [`tail_items`].
    ///
    /// The result does not depend on `threads`.
    ///
    /// # Errors
    /// `tail` has not one entry for each item, or nobody has a hidden item.
    ///
    /// ```
    /// use backmask::utility::{FoldIn, Measured, Popularity};
    ///
    /// let model = Popularity::new(&[4.0, 3.0, 2.0, 1.0]);
    /// let test = FoldIn::given(&[(vec![0], vec![1]), (vec![1], vec![2])], 4)?;
    /// let measured = Measured::of(&model, &test, &[false; 4], 1)?;
    /// assert_eq!(measured.recall_at_20, [1.0, 1.0]);
    /// // A hit at the first place gains 1, one at the second 1 / log₂ 3.
    /// assert_eq!(measured.ndcg_at_100, [1.0, 1.0 / 3_f64.log2()]);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # References
    /// Järvelin, Kekäläinen, *Cumulated gain-based evaluation of IR techniques*, ACM TOIS 20(4), 2002; truncation as in Liang et al., WWW 2018, section 4.2.
    pub fn of(model: &dyn Recommender, test: &FoldIn, tail: &[bool], threads: usize) -> Result<Self> {
        if tail.len() != test.items() {
            return Err(Error::Parameter { name: "tail", problem: "must have one entry for each item".to_owned() });
        }
        let people: Vec<(&[u32], &[u32])> = test.iter().filter(|(_, hidden)| !hidden.is_empty()).collect();
        if people.is_empty() {
            return Err(Error::Parameter {
                name: "test",
                problem: "nobody has an item to predict; give people who have at least two items of the originals".to_owned(),
            });
        }
        let mut persons = vec![Person::default(); people.len()];
        in_parallel(persons.chunks_mut(BLOCK).zip(people.chunks(BLOCK)).collect(), threads, |(persons, people)| {
            for (person, (known, hidden)) in persons.iter_mut().zip(people) {
                *person = Person::of(model.recommend(known, LONG), hidden, tail);
            }
        });
        let mut shown = vec![false; test.items()];
        for &item in persons.iter().flat_map(|person| &person.shown) {
            if let Some(shown) = shown.get_mut(item as usize) {
                *shown = true;
            }
        }
        Ok(Self {
            recall_at_20: persons.iter().map(|person| person.recall).collect(),
            ndcg_at_100: persons.iter().map(|person| person.ndcg).collect(),
            tail_recall_at_20: persons.iter().filter_map(|person| person.tail_recall).collect(),
            coverage_at_20: ratio(shown.iter().filter(|shown| **shown).count(), test.items()),
        })
    }
}

/// Mean of figures of people; 0 for nobody.
#[must_use]
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / real(values.len() as u64) }
}

/// Which items are in the tail: all but the most popular tenth (rounded up) of those that occur, ties by code.
///
/// ```
/// use backmask::utility::tail_items;
/// assert_eq!(tail_items(&[5.0, 9.0, 0.0]), [true, false, true]);
/// ```
#[must_use]
pub fn tail_items(popularity: &[f64]) -> Vec<bool> {
    let order = super::gram::by_popularity(popularity);
    let mut tail = vec![true; popularity.len()];
    for &item in &order[..order.len().div_ceil(10)] {
        tail[item as usize] = false;
    }
    tail
}

#[derive(Debug, Clone, Default)]
struct Person {
    recall: f64,
    ndcg: f64,
    tail_recall: Option<f64>,
    shown: Vec<u32>,
}

impl Person {
    fn of(mut list: Vec<u32>, hidden: &[u32], tail: &[bool]) -> Self {
        let is_hit = |item: &u32| hidden.binary_search(item).is_ok();
        let gain: f64 = list.iter().enumerate().take(LONG).filter(|(_, item)| is_hit(item)).map(|(rank, _)| discount(rank)).sum();
        let ideal: f64 = (0..hidden.len().min(LONG)).map(discount).sum();
        list.truncate(SHORT);
        let hits = list.iter().filter(|item| is_hit(item)).count();
        let in_tail = |item: &u32| tail.get(*item as usize) == Some(&true);
        let hidden_tail = hidden.iter().filter(|item| in_tail(item)).count();
        let tail_hits = list.iter().filter(|item| in_tail(item) && is_hit(item)).count();
        Self {
            recall: ratio(hits, hidden.len().min(SHORT)),
            ndcg: gain / ideal,
            tail_recall: (hidden_tail > 0).then(|| ratio(tail_hits, hidden_tail.min(SHORT))),
            shown: list,
        }
    }
}

/// Gain of a hit at a rank from 0.
fn discount(rank: usize) -> f64 {
    1.0 / real(rank as u64 + 2).log2()
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { real(part as u64) / real(whole as u64) }
}
