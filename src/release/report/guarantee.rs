//! Promises about a released file.

use super::number;
use crate::policy::Model;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A promise about the released file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guarantee {
    /// Name of the model, as in policies.
    pub model: String,
    /// Its declared parameters.
    pub parameters: BTreeMap<String, Value>,
    /// What `achieved` counts.
    pub unit: Unit,
    /// What was found: the smallest class, the largest distance, ….
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "number::optional")]
    pub achieved: Option<f64>,
    /// `achieved` is the declared bound, because the measured value needed the pool and stays with the steward.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stated_as_bound: bool,
    /// Whether the promise holds.
    pub holds: bool,
    /// From what it can be checked.
    pub verified: Verified,
    /// With what the values of each class were compared, for models that compare distributions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceUsed>,
}

/// With what the sensitive values of a class are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReferenceUsed {
    /// The rows of the file.
    Released,
    /// The table when the levels were chosen, with the rows that are not released.
    Fit,
}

impl Guarantee {
    /// A guarantee with no parameters yet that does not hold until somebody found that it does.
    #[must_use]
    pub fn new(model: impl Into<String>, unit: Unit, verified: Verified) -> Self {
        Self {
            model: model.into(),
            parameters: BTreeMap::new(),
            unit,
            achieved: None,
            stated_as_bound: false,
            holds: false,
            verified,
            reference: None,
        }
    }

    /// A guarantee of a privacy model of the policy, with its parameters.
    ///
    /// ```
    /// use backmask::{policy::Model, release::report::{Guarantee, Unit, Verified}, units::K};
    ///
    /// let guarantee = Guarantee::of(&Model::KAnonymity { k: K::new(12)? }, Unit::Subject, Verified::Release).found(14.0, true);
    /// let json = serde_json::to_string(&guarantee).unwrap_or_default();
    /// assert!(json.contains(r#""parameters":{"k":12}"#) && json.contains(r#""achieved":14"#));
    /// # Ok::<(), backmask::Error>(())
    /// ```
    #[must_use]
    pub fn of(model: &Model, unit: Unit, verified: Verified) -> Self {
        let mut guarantee = Self::new(model.name(), unit, verified);
        if let Ok(Value::Object(fields)) = serde_json::to_value(model) {
            guarantee.parameters.extend(fields.into_iter().filter(|(name, value)| name != "name" && !value.is_null()));
        }
        // As in the policy that is handed over: where the file lies is the steward's.
        if let Some(Value::String(path)) = guarantee.parameters.get_mut("population") {
            *path = path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
        }
        guarantee
    }

    /// The same with a declared parameter.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.parameters.insert(name.into(), value.into());
        self
    }

    /// The same with what was found.
    #[must_use]
    pub fn found(mut self, achieved: f64, holds: bool) -> Self {
        (self.achieved, self.holds) = (Some(achieved), holds);
        self
    }
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unit {
    /// People, each protected as a whole. Only this unit states a risk of 1/k.
    Subject,
    /// People in a class, while tokens join several rows of one person: no statement about the whole person.
    SubjectPerRow,
    /// Rows.
    Row,
    /// Items.
    Item,
    /// Different values of a column.
    Value,
    /// A number without a unit: a distance, a share, an entropy, a factor, a privacy loss.
    Ratio,
}

impl Unit {
    /// Whether the number counts people.
    #[must_use]
    pub fn counts_people(self) -> bool {
        matches!(self, Self::Subject | Self::SubjectPerRow)
    }
}

/// From what a guarantee can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verified {
    /// The released files alone.
    #[serde(rename = "release")]
    Release,
    /// The released files together with the pool.
    #[serde(rename = "release+pool")]
    ReleaseAndPool,
    /// No file: the promise is about how the product was made.
    #[serde(rename = "unverifiable")]
    Unverifiable,
}
