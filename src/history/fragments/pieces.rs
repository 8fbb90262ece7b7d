//! Fragments as arrays.

use crate::error::{Error, Result};

/// Whether the order of the items inside a fragment is released.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// Fragments are sets: a combination is a set of items.
    #[default]
    Sets,
    /// Fragments are sequences: a combination is a sequence of items, as they follow each other in the fragment, with or without others between them.
    Sequences,
}

/// Fragments as a recipient sees them: `items[offsets[i]..offsets[i + 1]]` are the item codes of fragment i.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pieces<'a> {
    offsets: &'a [usize],
    items: &'a [u32],
}

impl<'a> Pieces<'a> {
    /// Views arrays as fragments.
    ///
    /// # Errors
    /// `offsets` does not ascend from 0 to the number of items.
    pub fn new(offsets: &'a [usize], items: &'a [u32]) -> Result<Self> {
        let ascending = offsets.is_sorted() && offsets.first() == Some(&0) && offsets.last() == Some(&items.len());
        if ascending {
            Ok(Self { offsets, items })
        } else {
            Err(Error::Parameter { name: "offsets", problem: format!("must ascend from 0 to the number of items, {}", items.len()) })
        }
    }

    /// Number of fragments.
    #[must_use]
    pub fn len(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The items of a fragment; none beyond the last.
    #[must_use]
    pub fn items_of(&self, fragment: usize) -> &'a [u32] {
        match self.offsets.get(fragment..) {
            Some([start, end, ..]) => &self.items[*start..*end],
            _ => &[],
        }
    }

    /// The items of every fragment.
    pub fn iter(&self) -> impl Iterator<Item = &'a [u32]> + use<'a> {
        let items = self.items;
        self.offsets.windows(2).map(move |window| &items[window[0]..window[1]])
    }

    /// Items of all fragments together.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.items.len()
    }
}

/// Lists cut into fragments, in the order of release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragments {
    pub(crate) offsets: Vec<usize>,
    pub(crate) items: Vec<u32>,
    pub(crate) owners: Vec<u32>,
    pub(crate) order: Order,
    pub(crate) counts: CutCounts,
}

impl Fragments {
    /// What is released.
    #[must_use]
    pub fn pieces(&self) -> Pieces<'_> {
        Pieces { offsets: &self.offsets, items: &self.items }
    }

    /// Whose each fragment is: the subject's code.
    ///
    /// # Security
    /// For checks and attacks. Whoever has this and the fragments has the lists again: it must not be released.
    #[must_use]
    pub fn owners(&self) -> &[u32] {
        &self.owners
    }

    /// Whether the order inside fragments is released.
    #[must_use]
    pub fn order(&self) -> Order {
        self.order
    }

    /// What was kept and what was not.
    #[must_use]
    pub fn counts(&self) -> &CutCounts {
        &self.counts
    }
}

/// What a cut kept and what it did not. A row is one item of one person, or one event of a session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CutCounts {
    /// People with at least one item.
    pub subjects: u64,
    /// People of whom nothing is left.
    pub subjects_lost: u64,
    /// Rows of all of them.
    pub rows: u64,
    /// Rows in fragments.
    pub rows_kept: u64,
    /// Rows deleted because fewer than k people have the item.
    pub rows_rare_item: u64,
    /// Items that anybody has.
    pub items: u64,
    /// Items in fragments.
    pub items_kept: u64,
    /// Pairs of items that at least k people have; 0 where m = 1.
    pub pairs_supported: u64,
    /// Those of them that stand together in a fragment.
    pub pairs_released: u64,
    /// Fragments of 1, 2, 3, … items.
    pub sizes: Vec<u64>,
    /// How often lists were cut again.
    pub rounds: u64,
}
