//! The gs-factor: what generalization weighs against suppression.

use crate::error::{Error, Result};
use crate::policy::Quality;

/// The factors g and u. For a gs-factor x: g = 1 for x ≤ ½, else 1 − 2(x − ½); u = 2x for x < ½, else 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Balance {
    pub(super) generalization: f64,
    pub(super) suppression: f64,
}

impl Balance {
    /// # Errors
    /// The gs-factor lies outside [0, 1].
    pub(super) fn new(quality: &Quality) -> Result<Self> {
        let factor = quality.gs_factor;
        if !(0.0..=1.0).contains(&factor) {
            return Err(Error::policy("products.quality.gs_factor", "lies outside [0, 1]", "use 0.5 for an even balance"));
        }
        Ok(Self {
            generalization: if factor <= 0.5 { 1.0 } else { 1.0 - 2.0 * (factor - 0.5) },
            suppression: if factor < 0.5 { 2.0 * factor } else { 1.0 },
        })
    }

    /// # Errors
    /// A gs-factor is declared for a metric that does not have one: it would be read and ignored.
    #[expect(clippy::float_cmp, reason = "the default is exact")]
    pub(super) fn refuse(quality: &Quality) -> Result<()> {
        if quality.gs_factor == Quality::default().gs_factor {
            return Ok(());
        }
        Err(Error::policy(
            "products.quality.gs_factor",
            format!("the metric {} does not weigh generalization against suppression", quality.metric.name()),
            "remove the gs_factor, or use for example loss",
        ))
    }
}

/// # Errors
/// Weights of columns are declared for a metric of the whole table: they would be read and ignored.
pub(super) fn refuse_weights(quality: &Quality) -> Result<()> {
    if quality.weights.is_empty() {
        return Ok(());
    }
    Err(Error::policy(
        "products.quality.weights",
        format!("the metric {} has no values of columns to weigh", quality.metric.name()),
        "remove the weights, or use for example loss",
    ))
}
