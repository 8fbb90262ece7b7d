//! What mechanisms cost, alone and together.

/// A number that is known to lie between two others.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Bounds {
    /// What may be promised: the number is at most this.
    pub upper: f64,
    /// The number is at least this.
    pub lower: f64,
}
