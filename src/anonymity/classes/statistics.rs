//! What is counted in a class.

/// Sizes of one class. Guarantees speak of `subjects`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassStatistics {
    /// Rows in the class.
    pub rows: u64,
    /// Distinct subjects that own them.
    pub subjects: u64,
    /// Rows of the subject who owns most of them.
    pub max_rows_of_a_subject: u64,
}
