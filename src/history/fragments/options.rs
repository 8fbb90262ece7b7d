//! What is asked of a cut.

use crate::error::{Error, Result};
use crate::policy::{FragmentsProduct, Support};
use crate::units::K;

/// How lists are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FragmentOptions {
    pub(crate) k: K,
    pub(crate) max_items: usize,
    pub(crate) m: usize,
    pub(crate) support: Support,
    pub(crate) threads: usize,
    pub(crate) memory: usize,
}

/// Largest fragments that are made: beyond that a fragment is a list again.
const MAX_ITEMS: usize = 64;
/// Largest combinations that are counted.
const MAX_M: usize = 3;

impl FragmentOptions {
    /// Fragments of at most `max_items` items, every combination of up to `m` of them held by at least `k` people; support is counted in the released fragments.
    ///
    /// # Errors
    /// `max_items` is 0 or more than 64, or `m` is not 1, 2 or 3.
    pub fn new(k: K, max_items: usize, m: usize) -> Result<Self> {
        if max_items == 0 || max_items > MAX_ITEMS {
            return Err(Error::Parameter { name: "max_items", problem: format!("must lie between 1 and {MAX_ITEMS}") });
        }
        if m == 0 || m > MAX_M {
            return Err(Error::Parameter { name: "m", problem: format!("must lie between 1 and {MAX_M}") });
        }
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self { k, max_items, m, support: Support::Released, threads, memory: 1 << 30 })
    }

    /// The options that a policy declares.
    ///
    /// # Errors
    /// As [`FragmentOptions::new`].
    pub fn of(product: &FragmentsProduct) -> Result<Self> {
        let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        Ok(Self { support: product.support, ..Self::new(product.k, size(product.max_items), size(product.m))? })
    }

    /// Where the people who share a combination are counted.
    #[must_use]
    pub fn with_support(mut self, support: Support) -> Self {
        self.support = support;
        self
    }

    /// Threads to use; the result does not depend on it.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Bytes for the pairs of items that are considered, beside two copies of the matrix. Where they do not fit, the pairs with the weakest affinity are not considered: the guarantee is
    /// the same, fragments may be shorter.
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }
}
