//! Drivers: what runs a pass over the data, and on how many threads.
//!
//! [`fit`] runs an accumulator over sources, [`transform`] a transform over a stream. Logic is in the [`Fit`](crate::pipeline::Fit) and the [`Transform`](crate::pipeline::Transform);
//! drivers only decide who works on which batch. The result does not depend on that.

mod fitting;
mod transforming;

pub use fitting::{fit, fit_counting, fit_stream};
pub use transforming::{transform, transform_on};
