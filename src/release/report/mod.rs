//! The report of a release: `report.json` and the page made from it, one for each audience.
//!
//! A [`Report`] is built once, with everything that was measured: that is the steward's. [`Report::for_recipient`] makes the one that is
//! handed over. [`html`] turns either into one self-contained page.

mod audience;
mod guarantee;
mod html;
mod measured;
mod number;
mod statements;
mod types;
mod wording;

#[cfg(test)]
mod golden;
#[cfg(test)]
mod sample;

pub use audience::Audience;
pub use guarantee::{Guarantee, ReferenceUsed, Unit, Verified};
pub use html::html;
pub use measured::{Attack, ClassSizes, Loss, Losses, PopularityLoss, PopulationRisk, UnicityPoint};
pub use types::{
    Bounds, ColumnReport, Estimate, Excluded, GateVerdict, InputFile, LedgerReport, PrivacyLoss, ProductReport, Pseudonym, QualityReport,
    ReleaseLoss, Report, SCHEMA, SearchReport, Seconds, TransformationReport,
};
