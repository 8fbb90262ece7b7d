//! Short unlinkable pieces of histories.
//!
//! Each person's list of items is cut into *fragments* of at most c items, released without any name and in a shuffled order, such that every item and every combination of at most m items
//! that stands in a fragment is held by at least k people: kᵐ-anonymity of the fragments, with no item generalized and few deleted.
//!
//! - [`FragmentOptions`]: k, c, m, where support is counted.
//! - [`cut`] cuts lists without an order, [`cut_ordered`] lists with one.
//! - [`Fragments`] is the result: what is released ([`Fragments::pieces`]), and whose it is, for checks and attacks only.
//! - [`check`] counts the combinations again from what is released; [`check_pool`] counts them in the pool.
//!
//! What belongs to an event beside its item, such as a month or a level of its play count, is protected by being made part of the item: give (item, month) one code. Then
//! whatever is said here of items is true of them.

mod check;
mod clique;
mod cut;
pub(super) mod lists;
mod options;
pub(super) mod pairs;
mod pieces;
pub(super) mod plan;
mod triples;

pub use check::{Check, SizeCheck, check, check_pool};
pub use cut::{cut, cut_ordered};
pub use options::FragmentOptions;
pub use pieces::{CutCounts, Fragments, Order, Pieces};
