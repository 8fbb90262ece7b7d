//! Exhaustive tests.
