//! Sessions cut into short pieces in which every pair of items is supported.
//!
//! A session is a sequence of items of one person; a person may have many, and the same items in several of them. [`cut`] divides each into runs of at most c items that follow each other, such that
//! every item and every pair that stands in a piece is held by at least k people. Without names and in a shuffled order the pieces of a session, and the sessions of a person, are not linked.
//!
//! A person may release a pair in several pieces and counts once. So the file alone cannot show the support in people: [`check`](super::fragments::check) with the owners does, and
//! what is verified rests on the release *and* the pool.

mod cut;
mod supported;

pub use cut::cut;

#[cfg(test)]
mod tests;
