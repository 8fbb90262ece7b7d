//! Listening histories: export formats read into the canonical schemas, and a simulator of pools.
//!
//! [`open`] takes files, folders and archives of any supported format and gives sources of one schema: [`event_schema`] or [`profile_schema`], with whatever other columns the input
//! has. [`Simulation`](simulate::Simulation) makes a pool of people who do not exist.

mod conform;
mod delimited;
mod json;
mod listenbrainz;
mod open;
mod place;
mod recognize;
mod rows;
mod schema;
pub mod simulate;
mod spotify;
mod text;

pub use conform::complete;
pub use open::open;
pub use schema::{RowBuilder, canonical_schema, event_schema, profile_schema, time_type};
