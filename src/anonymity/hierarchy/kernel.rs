//! Applying one level of a scheme to data.

use super::Scheme;
use crate::error::Result;
use crate::pipeline::Kernel;
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;

/// Replaces values by their labels at one level. At level 0 values pass as they are, with their type.
///
/// A value that the hierarchy does not know is an error, or `*` by [`Scheme::with_unknown`], at every level that it declares; level 0 and `*` need no
/// look-up and take any value.
///
/// ```
/// use backmask::anonymity::hierarchy::{Generalize, Scheme};
/// use backmask::arrow::array::{AsArray, StringArray};
/// use backmask::pipeline::Kernel;
///
/// // A fitted scheme as a steward keeps it.
/// let scheme: Scheme = serde_json::from_str(r#"{"column": "postal_code", "rule": {"mask": {"direction": "right", "length": 5}}, "height": 5}"#)?;
/// let kernel = Generalize::new(scheme, 3)?;
/// let labels = kernel.apply(&StringArray::from(vec!["10115", "10999"]))?;
/// assert_eq!(labels.as_string::<i32>().value(0), "10***");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Generalize {
    scheme: Scheme,
    level: usize,
}

impl Generalize {
    /// The kernel of `scheme` at `level`.
    ///
    /// # Errors
    /// There is no such level.
    pub fn new(scheme: Scheme, level: usize) -> Result<Self> {
        scheme.check_level(level)?;
        Ok(Self { scheme, level })
    }
}

impl Kernel for Generalize {
    fn output_type(&self, input: &DataType) -> Result<DataType> {
        self.scheme.output_type(self.level, input)
    }

    fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
        self.scheme.generalize(self.level, array)
    }
}
