//! The persisted record of all spending on a pool.
