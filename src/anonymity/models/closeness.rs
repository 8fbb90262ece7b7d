//! t-closeness: the sensitive values of a class must be distributed as in the whole table.

use super::PrivacyModel;
use super::diversity::values;
use super::exact::Decimal;
use super::ground::Ground;
use super::reference::Reference;
use crate::anonymity::classes::{ClassView, ValueCount};
use crate::policy::Distance;
use std::sync::Arc;

/// The earth mover's distance between the sensitive values of every class and those of the whole table is at most t.
///
/// | distance | of two values | of two distributions p (class), q (table) |
/// |---|---|---|
/// | equal | 1 | ½ Σ \|p − q\| |
/// | ordered | difference of ranks / (m − 1) | mean over the gaps between ranks of \|share of p below − share of q below\| |
/// | hierarchical | level of the lowest common ancestor / height | Σ over inner nodes: level / height · min(surplus, deficit) of its children |
///
/// Distances are compared as fractions of whole numbers of people: a class that is exactly t away passes.
///
/// # Guarantee
/// What a class tells about the value of its people beyond the table as a whole is bounded by t. What the table as a whole tells is not.
///
/// People with several values: shares of people then add up to more than 1 and are no distribution. All three distances are replaced by the larger of the
/// sums of positive and of negative differences of shares. It is the equal distance where everybody has one value, which the other two never exceed.
///
/// # References
/// Li, Li, Venkatasubramanian, *t-closeness: privacy beyond k-anonymity and l-diversity*, ICDE 2007, sections 3 and 4.
#[derive(Debug, Clone)]
pub struct TCloseness {
    column: usize,
    t: Decimal,
    ground: Ground,
    reference: Arc<Reference>,
}

impl TCloseness {
    /// For the sensitive column at `column` of [`ClassView::sensitive`], with the equal distance.
    #[must_use]
    pub fn equal(column: usize, t: f64, reference: Arc<Reference>) -> Self {
        Self { column, t: Decimal::new(t), ground: Ground::Equal, reference }
    }

    /// With the ordered distance; `ranks[code]` is the rank of a value, from 0.
    ///
    /// # Errors
    /// The ranks are not those of the values of the reference, each once.
    pub fn ordered(column: usize, t: f64, reference: Arc<Reference>, ranks: &[u32]) -> crate::error::Result<Self> {
        let ground = Ground::ordered(&reference, ranks)?;
        Ok(Self { column, t: Decimal::new(t), ground, reference })
    }

    /// With the hierarchical distance; `levels[i][code]` is the node of a value at level i + 1, and all values have the same node at the last.
    ///
    /// # Errors
    /// The levels do not form a tree over the values of the reference.
    pub fn hierarchical(column: usize, t: f64, reference: Arc<Reference>, levels: &[&[u32]]) -> crate::error::Result<Self> {
        let ground = Ground::hierarchical(&reference, levels)?;
        Ok(Self { column, t: Decimal::new(t), ground, reference })
    }

    /// The distance in use.
    #[must_use]
    pub fn distance(&self) -> Distance {
        match self.ground {
            Ground::Equal => Distance::Equal,
            Ground::Ordered { .. } => Distance::Ordered,
            Ground::Hierarchical { .. } => Distance::Hierarchical,
        }
    }
}

impl PrivacyModel for TCloseness {
    fn name(&self) -> &'static str {
        "t-closeness"
    }

    /// The distance to a fixed distribution is convex: that of a mixture is at most the mean of those of its parts.
    fn is_monotone(&self) -> bool {
        true
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        let (values, subjects) = (values(class, self.column), class.statistics.subjects);
        let whole = u128::from(subjects) * u128::from(self.reference.total());
        if values.is_empty() || whole == 0 {
            return false;
        }
        let ground = if self.reference.is_distribution_with(values, subjects) { &self.ground } else { &Ground::Equal };
        // Sums that do not fit are not compared: the class is not released.
        ground.work(&self.reference, values, subjects).is_some_and(|work| {
            let unit = ground.longest();
            self.t.times(unit).is_some_and(|t| t.allows(work, whole))
        })
    }
}

/// No sensitive value of a class is more or less frequent in it than in the whole table by the factor 2^d or more: |log₂(p / q)| < d.
///
/// # Guarantee
/// The class gives fewer than d bits of information for or against every value that occurs in it. Values of the table that do not occur in the class are
/// not looked at, as in ARX; that a person does not have them can be learned. Combine it with l-diversity.
///
/// # References
/// Brickell, Shmatikov, *The cost of privacy: destruction of data-mining utility in anonymized data publishing*, KDD 2008. The logarithm is that to the base
/// 2, in which the paper's entropies are counted; it is stricter than the natural one with the same d.
#[derive(Debug, Clone)]
pub struct DeltaDisclosure {
    /// Place of the sensitive column in [`ClassView::sensitive`].
    pub column: usize,
    /// Bits.
    pub d: f64,
    /// The whole table.
    pub reference: Arc<Reference>,
}

impl PrivacyModel for DeltaDisclosure {
    fn name(&self) -> &'static str {
        "delta-disclosure"
    }

    /// The share of a value in a union is a mean of those in its parts, but a part without the value is not looked at and may pull the mean below the bound.
    fn is_monotone(&self) -> bool {
        false
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        let values = values(class, self.column);
        !values.is_empty()
            && values.iter().all(|count| {
                let (part, whole) = cross(count, class.statistics.subjects, &self.reference);
                #[expect(clippy::cast_precision_loss, reason = "a logarithm; powers of two stay exact")]
                let ratio = part as f64 / whole as f64;
                whole > 0 && ratio.log2().abs() < self.d
            })
    }
}

/// No sensitive value gains more than β relative frequency in a class: (p − q) / q ≤ β; enhanced: ≤ min(β, −ln q).
///
/// # Guarantee
/// Whoever thought that a person has the value with probability q thinks so afterwards with at most (1 + β) q; enhanced: frequent values gain even less, and
/// no value becomes certain. Losses of frequency are not bounded.
///
/// # References
/// Cao, Karras, *Publishing microdata with a robust privacy guarantee*, PVLDB 5 (2012), definitions 2 and 3.
#[derive(Debug, Clone)]
pub struct BetaLikeness {
    /// Place of the sensitive column in [`ClassView::sensitive`].
    pub column: usize,
    /// The largest gain.
    pub beta: f64,
    /// Whether the gain is also at most −ln q.
    pub enhanced: bool,
    /// The whole table.
    pub reference: Arc<Reference>,
}

impl PrivacyModel for BetaLikeness {
    fn name(&self) -> &'static str {
        "beta-likeness"
    }

    /// The share of a value in a union is a mean of those in its parts, and the largest share allowed is the same for all of them. A part without the value
    /// only lowers the mean.
    fn is_monotone(&self) -> bool {
        true
    }

    fn holds(&self, class: &ClassView<'_>) -> bool {
        let values = values(class, self.column);
        let bound = Decimal::new(self.beta).plus_one();
        !values.is_empty()
            && values.iter().all(|count| {
                let (part, whole) = cross(count, class.statistics.subjects, &self.reference);
                if whole == 0 {
                    return false;
                }
                bound.allows(part, whole) && (!self.enhanced || self.gains_less_than_surprise(count, part, whole))
            })
    }
}

impl BetaLikeness {
    /// (p − q) / q ≤ −ln q. What gains nothing passes, also if everybody has the value.
    #[expect(clippy::cast_precision_loss, reason = "a logarithm")]
    fn gains_less_than_surprise(&self, count: &ValueCount, part: u128, whole: u128) -> bool {
        let share = self.reference.people(count.value) as f64 / self.reference.total() as f64;
        part <= whole || (part - whole) as f64 / whole as f64 <= -share.ln()
    }
}

/// p / q of a value as a fraction: people in the class · people of the table, people of the table with the value · people of the class.
fn cross(count: &ValueCount, subjects: u64, reference: &Reference) -> (u128, u128) {
    (u128::from(count.people) * u128::from(reference.total()), u128::from(reference.people(count.value)) * u128::from(subjects))
}
