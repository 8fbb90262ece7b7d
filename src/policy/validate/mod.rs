//! What a policy must fulfil before anything is read.

mod columns;
mod gate;
mod header;
mod hierarchy;
mod histories;
pub(super) mod products;
mod pseudonym;
mod records;

use super::Policy;
use crate::error::Result;

impl Policy {
    /// Checks that the policy makes sense in itself and asks only for what this version builds.
    ///
    /// Some rules need to know which columns the tables have; [`Policy::check_tables`] checks those.
    ///
    /// # Errors
    /// [`crate::Error::Policy`] for the first mistake, with its key, what is wrong and the remedy; [`crate::Error::Unsupported`] for the first key that this
    /// version does not build (see [`Policy::check_supported`]).
    pub fn validate(&self) -> Result<()> {
        header::check(self)?;
        columns::check(self)?;
        pseudonym::check(self)?;
        products::check(self)?;
        gate::check(&self.gate)?;
        self.check_supported()
    }
}
