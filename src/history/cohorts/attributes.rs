//! What a cohort's members have in common beside their items.

use super::options::most_shown;
use super::result::Cohorts;
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use crate::numeric::real;
use crate::units::Share;
use hashbrown::HashMap;

/// When an attribute of a cohort is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AttributeOptions {
    /// Members at least who must share the value.
    pub min_members: u64,
    /// Largest share of a cohort that is shown for a value; with [`AttributeOptions::sensitive`] also the largest that it may have.
    pub max_share: Share,
    /// For a sensitive attribute, what must hold for the cohort before anything of it is shown.
    pub sensitive: Option<SensitiveOptions>,
}

/// What must hold for a sensitive attribute of a cohort.
///
/// # References
/// Machanavajjhala et al., *l-diversity*, ACM TKDD 2007 (distinct l-diversity); Li, Li and Venkatasubramanian, *t-closeness*, ICDE 2007 (equal ground distance: half
/// the sum of absolute differences).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SensitiveOptions {
    /// Different values at least among the members.
    pub l: u64,
    /// Largest distance between the distribution in the cohort and that of all people in cohorts: half the sum of absolute differences.
    pub closeness: Option<Share>,
}

/// The most common value of an attribute in a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CohortAttribute {
    /// Code of the value.
    pub value: u32,
    /// Members who have it, at most ⌊`max_share` · size⌋.
    pub members: u32,
}

/// For every cohort the value that most members share, or nothing if the conditions do not hold: `values` has the code of every subject's value, [`NULL_CODE`] for none, `value_ids`
/// a stable 64-bit name for each code, by which ties are broken.
///
/// # Guarantee
/// A shown value is shared by at least `min_members` people of its cohort, and the number shown never says that more than ⌊`max_share` · size⌋ of them have it. A sensitive value is shown
/// only where the cohort has at least `l` different values, none with more than ⌊`max_share` · size⌋ members, and is close enough to all people. That nothing is shown has several possible
/// reasons, so it does not tell that all members are alike.
///
/// # Errors
/// There is not one value for each subject in a cohort, or a code has no id.
///
/// ```
/// # use backmask::{history::cohorts::{AttributeOptions, CohortOptions, attributes, form}, keys::Key, matrix::SubjectItems, units::{K, Share}};
/// # let matrix = SubjectItems::from_lists(&[vec![0], vec![0], vec![0]], 1)?;
/// # let cohorts = form(&matrix, &[1, 2, 3], &[9], &CohortOptions::new(K::new(3)?), &Key::from_bytes([1; 32]))?;
/// let country = [5, 5, 4];
/// let options = AttributeOptions { min_members: 2, max_share: Share::new(1.0)?, sensitive: None };
/// let shown = attributes(&cohorts, &country, &[0, 1, 2, 3, 4, 5], &options)?;
/// assert_eq!(shown[0].map(|attribute| (attribute.value, attribute.members)), Some((5, 2)));
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn attributes(
    cohorts: &Cohorts,
    values: &[u32],
    value_ids: &[u64],
    options: &AttributeOptions,
) -> Result<Vec<Option<CohortAttribute>>> {
    let mut of_all: HashMap<u32, u64> = HashMap::new();
    let mut of_cohorts = Vec::with_capacity(cohorts.len());
    for cohort in 0..cohorts.len() {
        let mut counts: HashMap<u32, u64> = HashMap::new();
        for &member in cohorts.members(cohort) {
            let value = *values.get(member as usize).ok_or_else(|| mistake("values", "needs one for each subject"))?;
            if value != NULL_CODE && value as usize >= value_ids.len() {
                return Err(mistake("value_ids", "needs one for each code"));
            }
            *counts.entry(value).or_default() += 1;
            *of_all.entry(value).or_default() += 1;
        }
        of_cohorts.push(counts);
    }
    let people: u64 = of_all.values().sum();
    Ok((0..cohorts.len())
        .zip(of_cohorts)
        .map(|(cohort, counts)| {
            let size = cohorts.size(cohort) as u64;
            let most = most_shown(options.max_share, size);
            let present = counts.iter().filter(|(value, _)| **value != NULL_CODE);
            let (&value, &count) =
                present.max_by_key(|&(&value, &count)| (count, std::cmp::Reverse((value_ids.get(value as usize), value))))?;
            let shared = count >= options.min_members.max(1) && most >= options.min_members;
            let diverse = options.sensitive.is_none_or(|sensitive| {
                let distinct = counts.len() as u64 - u64::from(counts.contains_key(&NULL_CODE));
                distinct >= sensitive.l
                    && counts.iter().all(|(value, &count)| *value == NULL_CODE || count <= most)
                    && sensitive.closeness.is_none_or(|limit| distance(&counts, size, &of_all, people) <= limit.get())
            });
            let members = u32::try_from(count.min(most)).unwrap_or(u32::MAX);
            (shared && diverse).then_some(CohortAttribute { value, members })
        })
        .collect())
}

/// Half the sum of the absolute differences of two distributions, exact up to the last rounding: sums of integers.
fn distance(counts: &HashMap<u32, u64>, size: u64, all: &HashMap<u32, u64>, people: u64) -> f64 {
    let product = |one: u64, two: u64| u128::from(one) * u128::from(two);
    let sum: u128 =
        all.iter().map(|(value, &count)| product(counts.get(value).copied().unwrap_or(0), people).abs_diff(product(count, size))).sum();
    #[expect(clippy::cast_precision_loss, reason = "a distance needs no more than 53 bits")]
    let sum = sum as f64;
    sum / 2.0 / (real(size.max(1)) * real(people.max(1)))
}

fn mistake(name: &'static str, problem: &str) -> Error {
    Error::Parameter { name, problem: problem.to_owned() }
}
