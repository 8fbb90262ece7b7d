//! From a policy to the TOML text that is handed over with the release.

use super::Policy;
use crate::error::{Error, Result};

impl Policy {
    /// The policy as canonical TOML, for `release/policy.toml` and for hashing: defaults are filled in, `[input]` is left out and paths are reduced to
    /// the names of their files, so that nothing of the steward's machine is handed over. The same policy always gives the same text.
    ///
    /// ```
    /// use backmask::policy::Policy;
    ///
    /// let policy = Policy::from_toml("
    ///     version = 1
    ///     name = 'plain'
    ///     products = [{ name = 'table', kind = 'records' }]
    /// ")?;
    /// let text = policy.normalized()?;
    /// assert!(text.contains("max_risk = 0.09"));
    /// assert_eq!(Policy::from_toml(&text)?, policy);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Policy`] if a number cannot be written, as whole numbers over 2⁶³ − 1.
    pub fn normalized(&self) -> Result<String> {
        let mut policy = self.clone();
        policy.input = None;
        policy.each_path(|_, path| {
            // Both separators on every system: a policy may have been written on another one.
            let name = path.rsplit(['/', '\\']).next().unwrap_or_default();
            *path = name.to_owned();
            Ok(())
        })?;
        // Read back, so that what is handed over and hashed is sure to say what was run.
        toml::to_string(&policy).ok().filter(|text| Self::parse(text).is_ok_and(|again| again == policy)).ok_or_else(|| {
            Error::policy(
                "the policy",
                "it holds a number that TOML cannot write",
                "give finite numbers, and whole ones up to 9223372036854775807",
            )
        })
    }
}
