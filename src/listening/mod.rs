//! Listening histories: export formats read into the canonical schemas, and a simulator of pools.
