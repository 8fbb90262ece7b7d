//! Mechanisms.
