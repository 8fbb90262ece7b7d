//! Taste profiles of groups of people.
