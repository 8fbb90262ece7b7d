//! `backmask` turns a pool of people's listening histories into datasets that can be shared for training, with a stated and measured bound on
//! re-identification: k-anonymity counted in people, item support, keyed pseudonyms, over [Arrow](arrow) record batches.
//!
//! # The main job
//! A policy file says what each column is and what is released. [`Anonymizer`](release::Anonymizer) reads the pool, makes the products, counts every guarantee again
//! from the files that were written, attacks them, and publishes only what the policy's gate lets pass:
//!
//! ```no_run
//! use backmask::prelude::*;
//!
//! let outcome = Anonymizer::new(Policy::from_path("listening.toml")?).input(["exports/"]).output("out").run()?;
//! println!("{}", outcome.report.statements.join("\n"));
//! # Ok::<(), backmask::Error>(())
//! ```
//!
//! # The parts, each alone
//! Everything that the main job puts together can be taken by itself, on one array, one batch or a stream.
//!
//! Replace the names in a column by keyed tokens (a [`Kernel`](pipeline::Kernel) works on any Arrow text or integer array; the values of a dictionary are worked once):
//!
//! ```
//! use backmask::prelude::*;
//! use backmask::arrow::array::{Array, AsArray, StringArray};
//!
//! let names = StringArray::from(vec![Some("ann"), None, Some("ann")]);
//! let tokens = Pseudonymizer::new(PseudonymMethod::Blake3, Key::forgotten()?)?.apply(&names)?;
//! let tokens = tokens.as_string::<i32>();
//! assert!(tokens.value(0) == tokens.value(2) && tokens.value(0).len() == 32 && tokens.is_null(1));
//! # Ok::<(), backmask::Error>(())
//! ```
//!
//! Treat columns of a batch, one step after the other:
//!
//! ```
//! use backmask::prelude::*;
//! use backmask::arrow::array::{AsArray, Int64Array, RecordBatch};
//! use backmask::arrow::datatypes::Int64Type;
//! use std::sync::Arc;
//!
//! let played = Arc::new(Int64Array::from(vec![1_234, 187_900])) as _;
//! let batch = RecordBatch::try_from_iter([("ms_played", played), ("ip_addr", Arc::new(Int64Array::from(vec![1, 2])) as _)])?;
//! let seconds = backmask::transform::Round::new(1000.0)?;
//! let chain = Chain::new().then(MapColumn::new("ms_played", Arc::new(seconds))).then(backmask::transform::DropColumns::new(["ip_addr"]));
//! let treated = chain.apply(&batch)?;
//! assert_eq!(treated.num_columns(), 1);
//! assert_eq!(treated.column(0).as_primitive::<Int64Type>().values(), &[1_000, 188_000]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Count people per class in a table that somebody else made, and read k:
//!
//! ```
//! use backmask::prelude::*;
//! use backmask::anonymity::verify::{Claim, ClassCounter, People};
//! use backmask::arrow::array::{RecordBatch, StringArray};
//! use std::sync::Arc;
//!
//! let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as _;
//! let table = RecordBatch::try_from_iter([("age", column(vec!["[20, 30)", "[20, 30)", "[20, 30)"])), ("token", column(vec!["a", "b", "b"]))])?;
//! let mut counter = ClassCounter::new(["age"], People::Token("token".to_owned()));
//! counter.observe(&table)?;
//! // Three rows, two people; and as "b" alone has two rows, nobody shares the whole of what is known of a person.
//! assert_eq!(counter.finish()?.claim(2), Claim::SubjectPerRow { achieved: 2 });
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Find out how many people some known items single out:
//!
//! ```
//! use backmask::{matrix::SubjectItems, policy::Gate, risk::{AttackOptions, KnownItems, attack_seed}};
//!
//! let histories = SubjectItems::from_lists(&[vec![0, 1], vec![1, 2], vec![0, 2]], 3)?;
//! let attack = KnownItems::new(&histories, &[10, 11, 12], &[20, 21, 22])?;
//! let options = AttackOptions::new(&Gate::default(), attack_seed(&[b"example"]));
//! assert_eq!(attack.run(2, &options)?.rate, 1.0); // two artists are enough here
//! # Ok::<(), backmask::Error>(())
//! ```
//!
//! # Where things are
//! | module | what it is about |
//! |---|---|
//! | [`release`] | policy → products → measure → gate → publish; the report; [`verify`](release::verify()), [`assess`](release::assess()) |
//! | [`risk`] | attacks and their confidence bounds |
//! | [`utility`] | what a release is still good for: recommenders, tested on people whom it does not hold |
//! | [`anonymity`] | hierarchies, classes, models, search; the independent recount |
//! | [`matrix`] | who listened to what: item support and contribution caps, counted in people |
//! | [`pseudonym`], [`transform`] | tokens; treatments of columns |
//! | [`listening`] | export formats of streaming services; a simulator of pools |
//! | [`io`], [`engine`] | sources, sinks, tables held as codes; passes on several threads |
//! | [`policy`], [`keys`], [`pipeline`] | what a steward declares; key files; [`Fit`](pipeline::Fit) and [`Transform`](pipeline::Transform) |
//!
//! A module imports only from those below it in the house: see `docs/architecture.md`. What is protected against whom, and what is not, is in `docs/threat-model.md`.
//!
//! # Arrow
//! The crate re-exports the [`arrow`] and [`parquet`] that its signatures speak of. Code on another major version can hand arrays over through Arrow's C data interface.

pub use arrow;
pub use parquet;

pub mod aggregates;
pub mod anonymity;
pub mod dp;
pub mod engine;
pub mod error;
pub mod history;
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
pub mod utility;

pub use error::{Error, Result};

/// What most users need: `use backmask::prelude::*;`.
pub mod prelude {
    pub use crate::error::{Error, Result};
    pub use crate::keys::Key;
    pub use crate::pipeline::{Chain, Fit, Kernel, MapColumn, Transform};
    pub use crate::policy::{Policy, PseudonymMethod};
    pub use crate::pseudonym::Pseudonymizer;
    pub use crate::release::{Anonymizer, Outcome, assess, verify};
}

/// The examples of the README are compiled with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
