//! Where the same value gets the same token.

use crate::error::{Error, Result};
use crate::keys::{Domain, Key};
use crate::policy::Scope;

/// The part of the world inside which equal values have equal tokens.
///
/// | scope | tokens are equal within |
/// |---|---|
/// | `product` | one column of one product of one release to one recipient |
/// | `release` | one column (by name) in all products of one release to one recipient |
/// | `recipient` | one column (by name) in all releases to one recipient |
/// | `period`, `session`, `fragment` | one column of one product of one release to one recipient, and one `period` label |
///
/// The column is always part of the domain: the tokens of an account name and of an advertising id never match, even where the values do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PseudonymDomain<'a> {
    /// The scope that the policy asks for.
    pub scope: Scope,
    /// The recipient of the release; may be empty.
    pub recipient: &'a str,
    /// The release.
    pub release: &'a str,
    /// The product. Products whose tokens may be joined share one name here.
    pub product: &'a str,
    /// The column.
    pub column: &'a str,
    /// The label of the calendar period, session or fragment, for the scopes of these names.
    pub period: &'a str,
}

impl<'a> PseudonymDomain<'a> {
    /// The key domain: what the scope joins is left out of it. A part that the scope needs must not be empty, so that no two scopes have the same domain.
    ///
    /// # Errors
    /// A part that the scope needs is empty, or the scope is `none`.
    pub fn key_domain(&self) -> Result<Domain<'a>> {
        let (release, product) = (Some(self.release), Some(self.product));
        let (purpose, release, product, period) = match self.scope {
            Scope::Recipient => ("pseudonym", None, None, None),
            Scope::Release => ("pseudonym", release, None, None),
            Scope::Product => ("pseudonym", release, product, None),
            Scope::Period => ("pseudonym", release, product, Some(self.period)),
            Scope::Session => ("pseudonym session", release, product, Some(self.period)),
            Scope::Fragment => ("pseudonym fragment", release, product, Some(self.period)),
            Scope::None => {
                return Err(Error::policy(
                    "pseudonym.scope",
                    "a column of scope none has no tokens",
                    "drop the column, or choose another scope",
                ));
            }
        };
        let needed = |name: &'static str, part: Option<&'a str>| match part {
            Some("") => Err(Error::Parameter { name, problem: "must not be empty in this scope".to_owned() }),
            other => Ok(other.unwrap_or_default()),
        };
        Ok(Domain {
            purpose,
            recipient: self.recipient,
            release: needed("release", release)?,
            product: needed("product", product)?,
            column: needed("column", Some(self.column))?,
            period: needed("period", period)?,
        })
    }
}

/// The key of a domain, derived from `master` with HKDF-SHA-256 (RFC 5869).
///
/// ```
/// use backmask::{keys::Key, policy::Scope, pseudonym::{PseudonymDomain, subject_key}};
///
/// let domain = PseudonymDomain { scope: Scope::Recipient, recipient: "Example AI Inc.", release: "", product: "", column: "subject_id", period: "" };
/// let key = subject_key(&Key::forgotten()?, &domain)?;
/// # let _ = key;
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Security
/// Keys of different domains are independent to everybody who does not have the master key.
///
/// # Errors
/// As for [`PseudonymDomain::key_domain`].
pub fn subject_key(master: &Key, domain: &PseudonymDomain<'_>) -> Result<Key> {
    Ok(master.derive(&domain.key_domain()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: PseudonymDomain<'_> =
        PseudonymDomain { scope: Scope::Product, recipient: "r", release: "e", product: "p", column: "c", period: "2026-03" };

    #[test]
    fn a_scope_leaves_out_what_it_joins() {
        let of = |scope| PseudonymDomain { scope, ..FULL }.key_domain().unwrap();
        let all = Domain { purpose: "pseudonym", recipient: "r", release: "e", product: "p", column: "c", period: "2026-03" };
        assert_eq!(of(Scope::Period), all);
        assert_eq!(of(Scope::Product), Domain { period: "", ..all });
        assert_eq!(of(Scope::Release), Domain { period: "", product: "", ..all });
        assert_eq!(of(Scope::Recipient), Domain { period: "", product: "", release: "", ..all });
        assert_eq!(of(Scope::Session), Domain { purpose: "pseudonym session", ..all });
        assert_eq!(of(Scope::Fragment), Domain { purpose: "pseudonym fragment", ..all });
    }

    #[test]
    fn parts_that_the_scope_needs_must_be_there() {
        assert!(PseudonymDomain { product: "", ..FULL }.key_domain().is_err());
        assert!(PseudonymDomain { release: "", scope: Scope::Release, ..FULL }.key_domain().is_err());
        assert!(PseudonymDomain { column: "", scope: Scope::Recipient, ..FULL }.key_domain().is_err());
        assert!(PseudonymDomain { period: "", scope: Scope::Period, ..FULL }.key_domain().is_err());
        assert!(PseudonymDomain { scope: Scope::None, ..FULL }.key_domain().is_err());
        assert!(PseudonymDomain { recipient: "", period: "", ..FULL }.key_domain().is_ok());
    }
}
