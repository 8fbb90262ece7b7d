//! Integration tests, one module per area, one binary.

mod real_data;

mod aggregates;
mod anonymity;
mod docs;
mod dp;
mod examples;
mod floors;
mod history;
mod io;
mod keys;
mod listening;
mod matrix;
mod policies;
mod policy;
mod pseudonym;
mod release;
mod risk;
mod transform;
mod utility;
