//! A hierarchy over the codes of a column's values.

use super::text::plain_text;
use super::{Dates, FileLevels, Generalize, Intervals, Mask, Ordered, Priority, Rule, SUPPRESSED, Scheme};
use crate::error::{Error, Result};
use crate::policy::{HierarchySpec, Missing};
use arrow::array::{Array, StringArray};
use std::collections::{BTreeMap, HashMap};

/// The hierarchy of one column, fitted on its distinct values.
///
/// Leaves are numbered like the distinct values that it was built from; a missing value is a leaf of its own with the last number.
/// Below `*` a missing value stays apart from every value.
///
/// The *domain* is what shares are measured against: the leaves of the hierarchy file or the ordered list where there is one (values that the data
/// does not have count), else the distinct values of the data; the leaf of missing values counts in both if there are any.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    scheme: Scheme,
    levels: Vec<Level>,
    missing: Option<u32>,
}

/// One level of a [`Hierarchy`].
#[derive(Debug, Clone)]
pub struct Level {
    /// Generalized code of every leaf.
    codes: Vec<u32>,
    /// Label of every generalized code; missing for missing values.
    labels: StringArray,
    /// How many leaves of the domain every generalized code stands for.
    sizes: Vec<u64>,
    domain: u64,
}

impl Level {
    /// Generalized code of every leaf, by the number of the leaf.
    #[must_use]
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// Label of every generalized code.
    #[must_use]
    pub fn labels(&self) -> &StringArray {
        &self.labels
    }

    /// How many leaves of the domain every generalized code stands for.
    #[must_use]
    pub fn sizes(&self) -> &[u64] {
        &self.sizes
    }

    /// Share of the domain that a generalized code stands for, in (0, 1]; 0 for a code that does not exist.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a domain has far fewer than 2^53 leaves")]
    pub fn share(&self, code: u32) -> f64 {
        self.sizes.get(code as usize).map_or(0.0, |&size| size as f64 / self.domain as f64)
    }
}

impl Hierarchy {
    /// Fits a hierarchy to the distinct, non-missing values of a column. `has_nulls`: whether the column has missing values too.
    ///
    /// `*` is added as the last level unless the last declared one gives all leaves the same label already.
    ///
    /// # Errors
    /// The declaration is wrong in itself, the column's type does not fit it, the hierarchy file cannot be read, or values are not in it; or the
    /// hierarchy is fitted on people: then use [`Hierarchy::build_with_people`].
    pub fn build(column: &str, spec: &HierarchySpec, values: &dyn Array, has_nulls: bool) -> Result<Self> {
        Self::build_counted(column, spec, values, None, has_nulls)
    }

    /// As [`Hierarchy::build`], where it is known how many people have each value: a hierarchy by priority needs that.
    ///
    /// ```
    /// use backmask::anonymity::hierarchy::Hierarchy;
    /// use backmask::arrow::array::{AsArray, StringArray};
    /// use backmask::pipeline::Kernel;
    /// use backmask::policy::HierarchySpec;
    ///
    /// let genres = StringArray::from(vec!["pop", "polka"]);
    /// let hierarchy = Hierarchy::build_with_people("genre", &HierarchySpec::Priority(vec![10]), &genres, &[250, 3], false)?;
    /// let labels = hierarchy.kernel(1)?.apply(&genres)?;
    /// assert_eq!(labels.as_string::<i32>().iter().flatten().collect::<Vec<_>>(), ["pop", "other"]);
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Hierarchy::build`], or there are not as many counts as values.
    pub fn build_with_people(column: &str, spec: &HierarchySpec, values: &dyn Array, people: &[u64], has_nulls: bool) -> Result<Self> {
        Self::build_counted(column, spec, values, Some(people), has_nulls)
    }

    fn build_counted(column: &str, spec: &HierarchySpec, values: &dyn Array, people: Option<&[u64]>, has_nulls: bool) -> Result<Self> {
        let rule = match spec {
            HierarchySpec::BoundedIntervals { widths, origin, bottom, top } => {
                Rule::Intervals(Intervals::bounded(column, widths, *origin, *bottom, *top)?)
            }
            HierarchySpec::Ordered { values, sizes } => Rule::Ordered(Ordered::new(column, values, sizes)?),
            HierarchySpec::Priority(needed) => {
                let people = people.ok_or_else(|| Error::Parameter {
                    name: "people",
                    problem: "are needed for every value of a hierarchy by priority".to_owned(),
                })?;
                Rule::Priority(Priority::fit(column, needed, values, people)?)
            }
            HierarchySpec::Intervals { widths, origin } => Rule::Intervals(Intervals::new(column, widths, *origin)?),
            HierarchySpec::Mask(direction) => Rule::Mask(Mask::fit(column, *direction, values)?),
            HierarchySpec::Dates(units) => Rule::Dates(Dates::new(column, units)?),
            HierarchySpec::File { path, delimiter } => {
                let file = FileLevels::read(column, path, *delimiter)?.without_star();
                file.check(column, values)?;
                Rule::File(file)
            }
        };
        Self::fit(column, rule, values, has_nulls)
    }

    /// The hierarchy of a column that has none: the value, or `*`.
    ///
    /// # Errors
    /// The values cannot be written as text.
    pub fn flat(column: &str, values: &dyn Array, has_nulls: bool) -> Result<Self> {
        Self::fit(column, Rule::Flat, values, has_nulls)
    }

    /// The hierarchy that a function makes: it is asked for every value, given as plain text, for the labels at levels 1, 2, …. The labels are kept, so
    /// that the scheme can be stored and applied without the function.
    ///
    /// ```
    /// use backmask::anonymity::hierarchy::Hierarchy;
    /// use backmask::arrow::array::StringArray;
    ///
    /// let hosts = StringArray::from(vec!["a.example.org", "b.example.org", "example.com"]);
    /// let hierarchy = Hierarchy::from_fn("host", &hosts, false, |host| {
    ///     let labels: Vec<&str> = host.rsplit('.').collect();
    ///     vec![format!("{}.{}", labels[1], labels[0]), labels[0].to_owned()]
    /// })?;
    /// assert_eq!(hierarchy.height(), 3); // domain, top-level domain, `*`
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// Values have different numbers of labels, a label has two different labels one level up, or the values cannot be written as text.
    pub fn from_fn(column: &str, values: &dyn Array, has_nulls: bool, mut labels: impl FnMut(&str) -> Vec<String>) -> Result<Self> {
        let text = plain_text(column, values)?;
        let leaves: BTreeMap<String, Vec<String>> = text.iter().flatten().map(|value| (value.to_owned(), labels(value))).collect();
        let table = FileLevels::try_from(leaves).map_err(|problem| Error::Parameter { name: "labels", problem })?;
        Self::fit(column, Rule::Function(table.without_star()), values, has_nulls)
    }

    /// Sets what missing values of the data are, of those that it is applied to later too.
    ///
    /// # Errors
    /// Missing values are an error, and the hierarchy was fitted on a column that has some.
    pub fn with_missing(self, missing: Missing) -> Result<Self> {
        if missing == Missing::Error && self.missing.is_some() {
            return Err(Error::column(self.column(), "has missing values", "fill the gaps, or let missing values be their own leaf"));
        }
        Ok(Self { scheme: self.scheme.with_missing(missing), ..self })
    }

    fn fit(column: &str, rule: Rule, values: &dyn Array, has_nulls: bool) -> Result<Self> {
        if values.null_count() > 0 {
            return Err(Error::column(column, "has missing values among its distinct values", "pass them by `has_nulls`"));
        }
        let count = values.len() + usize::from(has_nulls);
        let leaves = u32::try_from(count)
            .ok()
            .filter(|&leaves| leaves < u32::MAX)
            .ok_or_else(|| Error::column(column, "has more distinct values than codes", "coarsen or drop the column"))?;
        let domain = rule.table().map_or(count, |table| table.len() + usize::from(has_nulls)) as u64;
        let given = rule.levels();
        // Whether `*` is needed shows only at the last level of the rule.
        let scheme = Scheme::new(column, rule, true);
        let mut levels = Vec::with_capacity(given + 2);
        levels.push(Level {
            codes: (0..leaves).collect(),
            labels: with_missing(plain_text(column, values)?, has_nulls),
            sizes: vec![1; count],
            domain,
        });
        for level in 1..=given {
            levels.push(declared(&scheme, level, values, has_nulls, domain)?);
        }
        // Missing values stay apart below `*`.
        let constant = if scheme.rule().always_ends_with_star() || given == 0 || has_nulls {
            false
        } else {
            scheme.rule().table().map_or_else(|| levels[given].sizes.len(), |table| table.sizes(given).len()) == 1
        };
        if !constant {
            levels.push(Level { codes: vec![0; count], labels: StringArray::from(vec![SUPPRESSED]), sizes: vec![domain], domain });
        }
        let scheme = Scheme::new(column, scheme.rule().clone(), !constant);
        Ok(Self { scheme, levels, missing: has_nulls.then(|| leaves - 1) })
    }

    /// Name of the column.
    #[must_use]
    pub fn column(&self) -> &str {
        self.scheme.column()
    }

    /// The last level.
    #[must_use]
    pub fn height(&self) -> usize {
        self.levels.len() - 1
    }

    /// One level.
    ///
    /// # Errors
    /// There is no such level.
    pub fn level(&self, level: usize) -> Result<&Level> {
        self.scheme.check_level(level)?;
        Ok(&self.levels[level])
    }

    /// All levels, from 0.
    #[must_use]
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// Number of leaves in the data: distinct values, and one more if values are missing.
    #[must_use]
    pub fn leaves(&self) -> usize {
        self.levels[0].codes.len()
    }

    /// The leaf of missing values.
    #[must_use]
    pub fn missing(&self) -> Option<u32> {
        self.missing
    }

    /// Leaves of the domain.
    #[must_use]
    pub fn domain(&self) -> u64 {
        self.levels[0].domain
    }

    /// What can be stored and applied to other data.
    #[must_use]
    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// Maps arrays of this column's type to their labels at `level`.
    ///
    /// # Errors
    /// There is no such level.
    pub fn kernel(&self, level: usize) -> Result<Generalize> {
        Generalize::new(self.scheme.clone(), level)
    }
}

fn with_missing(labels: StringArray, missing: bool) -> StringArray {
    if missing { labels.iter().chain([None]).collect() } else { labels }
}

/// A level of the rule: labels numbered in the order of the leaves.
fn declared(scheme: &Scheme, level: usize, values: &dyn Array, has_nulls: bool, domain: u64) -> Result<Level> {
    let of_leaves = with_missing(scheme.labels(level, values)?, has_nulls);
    let mut known: HashMap<Option<&str>, u32> = HashMap::new();
    let mut labels: Vec<Option<&str>> = Vec::new();
    let mut sizes: Vec<u64> = Vec::new();
    let mut codes = Vec::with_capacity(of_leaves.len());
    for label in &of_leaves {
        let next = u32::try_from(labels.len()).unwrap_or(u32::MAX);
        let code = *known.entry(label).or_insert(next);
        if code == next {
            labels.push(label);
            sizes.push(0);
        }
        sizes[code as usize] += 1;
        codes.push(code);
    }
    if let Some(table) = scheme.rule().table() {
        let all = table.sizes(level);
        sizes = labels.iter().map(|label| label.map_or(1, |label| all.get(label).copied().unwrap_or(1))).collect();
    }
    Ok(Level { codes, labels: labels.into_iter().collect(), sizes, domain })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::{Kernel, apply_once};
    use crate::policy::{DateUnit, Direction};
    use arrow::array::{
        ArrayRef, AsArray, Date32Array, DictionaryArray, Float64Array, Int32Array, Int64Array, LargeStringArray, StringViewArray,
    };
    use arrow::datatypes::Int8Type;
    use std::io::Write;
    use std::sync::Arc;

    fn labels(hierarchy: &Hierarchy, level: usize) -> Vec<Option<&str>> {
        let level = hierarchy.level(level).unwrap();
        level.codes().iter().map(|&code| level.labels().iter().nth(code as usize).unwrap()).collect()
    }

    fn file(content: &str) -> (tempfile::NamedTempFile, HierarchySpec) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        let path = file.path().to_string_lossy().into_owned();
        (file, HierarchySpec::File { path, delimiter: ';' })
    }

    #[test]
    fn star_is_added_unless_the_last_level_is_constant() {
        let ages = Int32Array::from(vec![21, 23, 38]);
        let wide = |widths: &[f64], nulls| {
            Hierarchy::build("age", &HierarchySpec::Intervals { widths: widths.to_vec(), origin: 0.0 }, &ages, nulls).unwrap()
        };
        assert_eq!(wide(&[5.0, 10.0], false).height(), 3);
        assert_eq!(wide(&[5.0, 100.0], false).height(), 2);
        assert_eq!(labels(&wide(&[5.0, 100.0], false), 2), [Some("[0, 100)"); 3]);
        assert_eq!(wide(&[5.0, 100.0], true).height(), 3, "a missing value is not in [0, 100)");
        assert_eq!(Hierarchy::flat("age", &ages, false).unwrap().height(), 1);
        let (_file, spec) = file("21;x;*\n23;x;*\n38;y;*\n");
        assert_eq!(Hierarchy::build("age", &spec, &ages, true).unwrap().height(), 2, "a last level of stars is the star itself");
        let (_file, spec) = file("21;all\n23;all\n38;all\n");
        assert_eq!(Hierarchy::build("age", &spec, &ages, false).unwrap().height(), 1);
        let mask = Hierarchy::build("age", &HierarchySpec::Mask(Direction::Right), &ages, false).unwrap();
        assert_eq!((mask.height(), labels(&mask, 1)), (2, vec![Some("2*"), Some("2*"), Some("3*")]));
    }

    #[test]
    fn shares_count_the_leaves_of_the_file_or_of_the_data() {
        let values = StringArray::from(vec!["c", "a"]);
        let (_file, spec) = file("a;x;*\nb;x;*\nc;y;*\nd;x;*\n");
        let hierarchy = Hierarchy::build("v", &spec, &values, false).unwrap();
        assert_eq!(hierarchy.domain(), 4);
        let shares =
            |level: usize| hierarchy.levels()[level].codes().iter().map(|&code| hierarchy.levels()[level].share(code)).collect::<Vec<_>>();
        assert_eq!(shares(0), [0.25, 0.25]);
        assert_eq!(shares(1), [0.25, 0.75]);
        assert_eq!(shares(2), [1.0, 1.0]);
        let with_missing = Hierarchy::build("v", &spec, &values, true).unwrap();
        assert_eq!((with_missing.domain(), with_missing.leaves(), with_missing.missing()), (5, 3, Some(2)));
        assert_eq!(labels(&with_missing, 1), [Some("y"), Some("x"), None]);
        assert_eq!(labels(&with_missing, 2), [Some("*"); 3]);
        let ages =
            Hierarchy::build("age", &HierarchySpec::Intervals { widths: vec![10.0], origin: 0.0 }, &Int32Array::from(vec![1, 2, 13]), true)
                .unwrap();
        assert_eq!(ages.levels()[1].sizes(), [2, 1, 1]);
    }

    #[test]
    fn levels_are_nested_for_every_kind() {
        let values: ArrayRef = Arc::new(StringArray::from(vec!["aa", "ab", "b", "", "*b", "日本"]));
        let dates: ArrayRef = Arc::new(Date32Array::from(vec![-1, 0, 31, 13_373, 13_400, 20_000]));
        let numbers: ArrayRef = Arc::new(Float64Array::from(vec![-0.5, 0.0, 0.1, 7.3, 1e6]));
        let all = [
            Hierarchy::build("c", &HierarchySpec::Mask(Direction::Right), &values, true).unwrap(),
            Hierarchy::build("c", &HierarchySpec::Mask(Direction::Left), &values, true).unwrap(),
            Hierarchy::build(
                "c",
                &HierarchySpec::Dates(vec![DateUnit::Day, DateUnit::Month, DateUnit::Quarter, DateUnit::Year, DateUnit::Decade]),
                &dates,
                true,
            )
            .unwrap(),
            Hierarchy::build("c", &HierarchySpec::Intervals { widths: vec![0.1, 0.5, 10.0], origin: 0.25 }, &numbers, true).unwrap(),
        ];
        for hierarchy in all {
            for pair in hierarchy.levels().windows(2) {
                let mut parent = HashMap::new();
                for (low, high) in pair[0].codes().iter().zip(pair[1].codes()) {
                    assert_eq!(parent.entry(low).or_insert(high), &high);
                }
                assert!(pair[0].sizes().len() >= pair[1].sizes().len());
                assert_eq!(pair[1].sizes().iter().sum::<u64>(), hierarchy.domain());
            }
            assert_eq!(hierarchy.levels().last().unwrap().sizes().len(), 1);
        }
    }

    #[test]
    fn a_stored_scheme_generalizes_new_data_like_the_fitted_one() {
        let years = Int64Array::from(vec![1984, 1987, 1999]);
        let hierarchy =
            Hierarchy::build("year", &HierarchySpec::Intervals { widths: vec![5.0, 10.0], origin: 1900.0 }, &years, true).unwrap();
        let stored = serde_json::to_string(hierarchy.scheme()).unwrap();
        let scheme: Scheme = serde_json::from_str(&stored).unwrap();
        assert_eq!(&scheme, hierarchy.scheme());
        let new = Int64Array::from(vec![Some(7), Some(1984), None, Some(2031)]).slice(1, 3);
        for level in 1..=3 {
            let applied = Generalize::new(scheme.clone(), level).unwrap().apply(&new).unwrap();
            assert_eq!(applied.as_string::<i32>().iter().next().unwrap(), labels(&hierarchy, level)[0]);
            assert_eq!(applied.is_null(1), level < 3);
        }
        assert!(Generalize::new(scheme.clone(), 4).is_err());
        assert!(serde_json::from_str::<Scheme>(&stored.replace("\"height\":3", "\"height\":7")).is_err());
        let same = scheme.generalize(0, &new).unwrap();
        assert_eq!(same.as_ref(), &new as &dyn Array, "level 0 keeps values and type");
    }

    #[test]
    fn every_representation_of_text_gives_the_same_labels() {
        let plain = StringArray::from(vec![Some("DE"), None, Some("DK"), Some("FR")]);
        let hierarchy =
            Hierarchy::build("c", &HierarchySpec::Mask(Direction::Right), &StringArray::from(vec!["DE", "DK", "FR"]), true).unwrap();
        let kernel = hierarchy.kernel(1).unwrap();
        let expected = StringArray::from(vec![Some("D*"), None, Some("D*"), Some("F*")]);
        let dictionary: DictionaryArray<Int8Type> = plain.iter().collect();
        let arrays: [ArrayRef; 4] = [
            Arc::new(plain.clone()),
            Arc::new(plain.iter().collect::<LargeStringArray>()),
            Arc::new(plain.iter().collect::<StringViewArray>()),
            Arc::new(dictionary.clone()),
        ];
        for array in arrays {
            assert_eq!(apply_once(&kernel, array.as_ref()).unwrap().as_string::<i32>(), &expected);
            assert_eq!(kernel.apply(array.as_ref()).unwrap().as_string::<i32>(), &expected);
            assert_eq!(kernel.apply(array.slice(2, 2).as_ref()).unwrap().as_string::<i32>(), &expected.slice(2, 2));
            assert_eq!(kernel.apply(array.slice(0, 0).as_ref()).unwrap().len(), 0);
        }
    }

    #[test]
    fn values_that_the_file_does_not_have_are_refused_at_once_and_later() {
        let (_file, spec) = file("a;x;*\nb;y;*\n");
        assert!(Hierarchy::build("c", &spec, &StringArray::from(vec!["a", "z"]), false).is_err());
        let hierarchy = Hierarchy::build("c", &spec, &StringArray::from(vec!["a"]), false).unwrap();
        assert!(hierarchy.kernel(1).unwrap().apply(&StringArray::from(vec!["z"])).is_err());
        assert_eq!(hierarchy.kernel(1).unwrap().apply(&StringArray::from(vec!["b"])).unwrap().as_string::<i32>().value(0), "y");
    }

    #[test]
    fn no_values_and_only_missing_values() {
        let none = StringArray::from(Vec::<&str>::new());
        for nulls in [false, true] {
            let hierarchy = Hierarchy::build("c", &HierarchySpec::Mask(Direction::Left), &none, nulls).unwrap();
            assert_eq!((hierarchy.height(), hierarchy.leaves()), (1, usize::from(nulls)));
            let hierarchy = Hierarchy::flat("c", &none, nulls).unwrap();
            assert_eq!(hierarchy.height(), 1);
        }
    }
}
