//! Pseudonyms: keyed tokens that stand for values.
