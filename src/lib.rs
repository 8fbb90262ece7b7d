//! `backmask` turns a pool of people's listening histories into datasets that can be shared, with a stated and measured bound on re-identification.

pub use arrow;
pub use parquet;

pub mod anonymity;
pub mod engine;
pub mod error;
pub mod io;
pub mod keys;
pub mod listening;
pub mod matrix;
pub mod numeric;
pub mod pipeline;
pub mod policy;
pub mod pseudonym;
pub mod release;
pub mod risk;
pub mod transform;
pub mod units;

pub use error::{Error, Result};
