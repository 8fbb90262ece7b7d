//! The k-anonymity family: hierarchies, equivalence classes, models, search, quality.
//!
//! | module | what it answers |
//! |---|---|
//! | [`hierarchy`] | what can a value of this column be generalized to? |
//! | [`classes`] | which rows look the same at these levels, and how many people are behind them? |
//! | [`models`] | is such a class safe to release? |
//! | [`quality`] | how much information is lost? |
//! | [`search`] | which levels are safe and lose least? |
//! | [`local`] | which labels lose least, if not all rows are generalized alike? |
//! | [`verify`] | what does a written table really show? (shares nothing with the modules above) |

pub mod classes;
pub mod hierarchy;
pub mod local;
pub mod models;
pub mod quality;
pub mod search;
pub mod verify;
