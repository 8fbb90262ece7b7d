//! Pseudonyms: keyed tokens that stand for values.
//!
//! A [`Pseudonymizer`] replaces every value of a column by a 128-bit token that depends on a secret key. [`PseudonymDomain`] and [`subject_key`] decide where the same value gets the
//! same token: keys of different recipients, releases, products, columns or periods are independent, so their tokens cannot be joined.
//!
//! - [`DenseFit`] numbers the distinct values of a column 0…n−1 in a secret random order ([`Dense`]); a [`Codebook`] is the only way back.
//! - [`period_labels`] and [`SessionFit`] say in which calendar period or session a row lies, for tokens that live no longer.
//! - [`InputSpace`] says how many values have the form of a column's: how little a plain hash of them would hide.
//!
//! ```
//! use backmask::arrow::array::{RecordBatch, StringArray, cast::AsArray};
//! use backmask::keys::Key;
//! use backmask::pipeline::{MapColumn, Transform};
//! use backmask::policy::{PseudonymMethod, Scope};
//! use backmask::pseudonym::{PseudonymDomain, Pseudonymizer, subject_key};
//! use std::sync::Arc;
//!
//! let domain = PseudonymDomain {
//!     scope: Scope::Product,
//!     recipient: "Example AI Inc.",
//!     release: "artist-preferences-2026-11",
//!     product: "tastes",
//!     column: "subject_id",
//!     period: "",
//! };
//! // A forgotten key: nobody can make these tokens again.
//! let key = subject_key(&Key::forgotten()?, &domain)?;
//! let tokens = MapColumn::new("subject_id", Arc::new(Pseudonymizer::new(PseudonymMethod::Blake3, key)?));
//!
//! let batch = RecordBatch::try_from_iter([("subject_id", Arc::new(StringArray::from(vec!["ann", "bob", "ann"])) as _)])?;
//! let released = tokens.apply(&batch)?;
//! let token = released["subject_id"].as_string::<i32>();
//! assert_eq!(token.value(0).len(), 32);
//! assert_eq!(token.value(0), token.value(2));
//! assert_ne!(token.value(0), token.value(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Security
//! What a token hides, and from whom:
//! - Without the key a token says nothing about the value, not even to somebody who can guess it: both methods are pseudorandom functions under a 256-bit key.
//! - The holder of the key can find the value of every token by trying all values. **Only a forgotten key makes tokens irreversible.** While the key exists,
//!   and for everybody who can get at it, the data are pseudonymous, not anonymous.
//! - A token hides *who*, not *what*: equal values have equal tokens in their domain, so rows of one person stay together, and what they say
//!   together can single the person out. Pseudonyms alone protect no one who can be recognized by their history; the privacy models are for that.
//! - How often a token occurs is visible. A person who is known to have the most rows is found by counting.
//! - Tokens of different domains cannot be joined by themselves. If the rows behind them are alike, they can be joined by those.

mod alphabet;
mod base32;
mod block;
mod blocks;
mod cipher;
mod codebook;
mod dense;
mod distinct;
mod domain;
mod faults;
#[cfg_attr(not(test), expect(dead_code, reason = "columns are worked many strings at a time"))]
mod ff1;
mod hashed;
mod hex;
mod hmac;
mod input_space;
mod labels;
mod parallel;
mod preserving;
mod prf;
mod pseudonymizer;
mod restore;
mod sealed;
mod sessions;
mod siv;
mod text;
mod uuid;
mod values;

pub use alphabet::Alphabet;
pub use codebook::Codebook;
pub use dense::{Dense, DenseFit};
pub use domain::{PseudonymDomain, subject_key};
pub use input_space::{HASHES_PER_SECOND, InputSpace, InputSpaceEstimate};
pub use labels::period_labels;
pub use parallel::apply_parallel;
pub use pseudonymizer::{Pseudonymizer, collision_probability};
pub use sessions::{SessionFit, Sessions};
