//! Listening histories as products: groups of people, and short pieces that nobody can link.

pub mod cohorts;
pub mod fragments;
pub mod items;
pub mod releases;
pub mod sessions;
