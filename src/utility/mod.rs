//! What a release is still good for.
//!
//! Usefulness for training is measured as a buyer would notice it: recommenders are trained on the release alone and predict hidden items of real people whom nobody
//! has seen. The same is done with the original data, and with popularity alone, which anybody could have.
//!
//! - [`Evaluation`]: the whole measurement; [`EvaluationOptions`], [`ModelFigures`], [`Usefulness`] are what goes in and comes out; [`report_figures`] names the figures for a report.
//! - [`Interactions`]: who, or what group, has which items; [`Gram`]: how often items occur together.
//! - [`Ease`], [`ItemKnn`], [`Popularity`]: recommenders in closed form; [`Recommender`]: any other.
//! - [`FoldIn`]: what is known and what is hidden of held-out people.
//! - [`Measured`], [`tail_items`], [`Lift`], [`Bootstrap`]: recall, NDCG, coverage, tail; the lift retained, with its interval.
//! - [`Histories`], [`Items`], [`TrainingProduct`], [`Trainable`], [`ProductData`], [`ProductColumns`]: from files.
//! - [`distances`], [`table_distances`]: how far counts, hours, sessions and tables of a release lie from the original's.

pub mod distances;
mod evaluation;
mod fold_in;
mod gram;
mod interactions;
mod lift;
mod listening;
mod metrics;
mod models;
mod product;
mod tables;
#[cfg(test)]
#[expect(
    clippy::float_cmp,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "small numbers, and figures that must be the same bits"
)]
mod tests;
mod text_table;

pub use evaluation::{DEFAULT_LAMBDA, Evaluation, EvaluationOptions, LAMBDA_GRID, ModelFigures, Usefulness, report_figures};
pub use fold_in::FoldIn;
pub use gram::{Gram, MAX_MODEL_ITEMS};
pub use interactions::Interactions;
pub use lift::{Bootstrap, Lift};
pub use listening::{Histories, Items};
pub use metrics::{Measured, tail_items};
pub use models::{Ease, ItemKnn, Popularity, Recommender};
pub use product::{ProductColumns, ProductData, Trainable, TrainingProduct};
pub use tables::{TableDistances, table_distances};
