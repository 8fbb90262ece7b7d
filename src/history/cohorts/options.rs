//! What cohorts must satisfy.

use crate::error::{Error, Result};
use crate::units::{K, Share};

/// What cohorts must satisfy, and how they are formed.
///
/// ```
/// use backmask::{history::cohorts::CohortOptions, units::{K, Share}};
/// let options = CohortOptions::new(K::new(20)?).with_min_members(3).with_max_share(Share::new(0.8)?);
/// assert_eq!(options.most_shown(20), 16);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct CohortOptions {
    pub(super) k: K,
    pub(super) min_members: u64,
    pub(super) max_share: Share,
    pub(super) max_items_per_subject: Option<u32>,
    pub(super) dimensions: u32,
    pub(super) block: u32,
    pub(super) threads: usize,
}

/// Dimensions of the space in which people are compared.
const DIMENSIONS: u32 = 32;
/// People who are grouped together at most.
const BLOCK: u32 = 4096;

impl CohortOptions {
    /// Cohorts of `k` to 2`k` − 1 people, cells of at least 2 members, no cap on a cell's share, all items of a person, one thread per core.
    #[must_use]
    pub fn new(k: K) -> Self {
        Self {
            k,
            min_members: 2,
            max_share: whole(),
            max_items_per_subject: None,
            dimensions: DIMENSIONS,
            block: BLOCK,
            threads: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        }
    }

    /// Members at least who share a released item: t.
    #[must_use]
    pub fn with_min_members(mut self, min_members: u64) -> Self {
        self.min_members = min_members;
        self
    }

    /// Largest share of a cohort that is shown for an item. A cell with more members shows ⌊share · size⌋.
    #[must_use]
    pub fn with_max_share(mut self, max_share: Share) -> Self {
        self.max_share = max_share;
        self
    }

    /// At most so many items of a person count, drawn uniformly with the key; the others are as if the person did not have them.
    #[must_use]
    pub fn with_max_items_per_subject(mut self, max: Option<u32>) -> Self {
        self.max_items_per_subject = max;
        self
    }

    /// Dimensions of the space in which people are compared, 1 to 256; 32 unless set.
    #[must_use]
    pub fn with_dimensions(mut self, dimensions: u32) -> Self {
        self.dimensions = dimensions;
        self
    }

    /// People who are grouped together at most, or 4 `k` if that is more; 4096 unless set. The work grows with people × block size.
    #[must_use]
    pub fn with_block_size(mut self, people: u32) -> Self {
        self.block = people;
        self
    }

    /// Number of threads, at least 1. The result does not depend on it.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Members of a cell that are shown at most in a cohort of `size` people: ⌊share · size⌋.
    #[must_use]
    pub fn most_shown(&self, size: u64) -> u64 {
        most_shown(self.max_share, size)
    }

    /// Checks the options against each other.
    pub(super) fn check(&self) -> Result<()> {
        let problem = |name, problem: &str| Err(Error::Parameter { name, problem: problem.to_owned() });
        if self.min_members == 0 || self.min_members > self.k.get() {
            return problem("min_members", "must be from 1 to k");
        }
        if self.most_shown(self.k.get()) < self.min_members {
            return problem("max_share", "⌊max_share · k⌋ must be at least min_members, or no cell can be shown; raise max_share or k");
        }
        if self.max_items_per_subject == Some(0) {
            return problem("max_items_per_subject", "must be at least 1");
        }
        if !(1..=256).contains(&self.dimensions) {
            return problem("dimensions", "must be from 1 to 256");
        }
        if self.threads == 0 {
            return problem("threads", "must be at least 1");
        }
        Ok(())
    }
}

/// ⌊share · size⌋, where rounding errors do not take away from an integer.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a count lies between 0 and the count")]
pub(super) fn most_shown(share: Share, size: u64) -> u64 {
    ((share.get() * crate::numeric::real(size) + 1e-9).floor() as u64).min(size)
}

#[expect(clippy::expect_used, reason = "1 lies in [0, 1]")]
fn whole() -> Share {
    Share::new(1.0).expect("1 is a share")
}
