//! Local recoding, checked row by row with label strings: no tuples, no ranks, no cells.

mod adversarial;
mod random;
mod real;

use super::intern;
use arrow::array::{Array, ArrayRef, AsArray, Int32Array, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use backmask::anonymity::classes::{TupleBuilder, Tuples};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::local::{
    Dimension, Found, LocalRecoding, Microaggregation, Representative, Resources, RowTable, Rows, local, microaggregate, mondrian,
    mondrian_relaxed,
};
use backmask::anonymity::models::{DistinctLDiversity, KAnonymity, Linkability, Models};
use backmask::anonymity::quality::Loss;
use backmask::anonymity::search::{Problem, exhaustive};
use backmask::arrow;
use backmask::policy::{AggregateFunction, Direction, HierarchySpec, Quality};
use backmask::units::{K, Share};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::Arc;

/// Rows as people would write them down.
#[derive(Debug, Clone, Default)]
struct Table {
    ages: Vec<Option<i32>>,
    /// Places with a hierarchy of masks.
    places: Vec<Option<String>>,
    /// Plans without a hierarchy.
    plans: Vec<Option<String>>,
    moods: Vec<u32>,
    /// Owners; empty if every row is a different person.
    people: Vec<u32>,
    keys: Vec<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    k: u64,
    linkability: Linkability,
    /// Distinct moods in a class.
    diversity: Option<u64>,
}

impl Asked {
    fn models(self) -> Models {
        let models = Models::new().and(KAnonymity { k: K::new(self.k).unwrap(), linkability: self.linkability });
        match self.diversity {
            Some(l) => models.and(DistinctLDiversity { column: 0, l }),
            None => models,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Strict,
    Relaxed,
    Groups(Representative),
    Rounds,
}

const WAYS: [Way; 6] = [
    Way::Strict,
    Way::Relaxed,
    Way::Groups(Representative::Interval),
    Way::Groups(Representative::Median),
    Way::Groups(Representative::Mode),
    Way::Rounds,
];

/// Labels of every row, `None` for rows that are not released.
type Released = Vec<Option<[Option<String>; 3]>>;

struct Fitted {
    hierarchies: Vec<Hierarchy>,
    dimensions: Vec<Dimension>,
    codes: Vec<Vec<u32>>,
}

impl Table {
    fn len(&self) -> usize {
        self.ages.len()
    }

    fn fit(&self) -> Fitted {
        let columns: [(&str, ArrayRef, Option<HierarchySpec>); 3] = [
            ("age", Arc::new(Int32Array::from(self.ages.clone())), Some(HierarchySpec::Intervals { widths: vec![2.0, 4.0], origin: 0.0 })),
            ("place", Arc::new(StringArray::from(self.places.clone())), Some(HierarchySpec::Mask(Direction::Right))),
            ("plan", Arc::new(StringArray::from(self.plans.clone())), None),
        ];
        let mut fitted = Fitted { hierarchies: Vec::new(), dimensions: Vec::new(), codes: Vec::new() };
        for (name, array, spec) in columns {
            let (values, codes) = intern(name, array.as_ref());
            let nulls = array.null_count() > 0;
            let hierarchy = match spec {
                Some(spec) => Hierarchy::build(name, &spec, values.as_ref(), nulls).unwrap(),
                None => Hierarchy::flat(name, values.as_ref(), nulls).unwrap(),
            };
            fitted.dimensions.push(Dimension::new(&hierarchy, &values).unwrap());
            fitted.hierarchies.push(hierarchy);
            fitted.codes.push(codes);
        }
        fitted
    }

    fn people(&self) -> Option<&[u32]> {
        (!self.people.is_empty()).then_some(&self.people)
    }

    fn tuples(&self, fitted: &Fitted) -> Tuples {
        let mut builder = TupleBuilder::with_sensitive(3, 1);
        let slices: Vec<&[u32]> = fitted.codes.iter().map(Vec::as_slice).collect();
        builder.extend_with(&slices, &[&self.moods], self.people()).unwrap();
        builder.finish().unwrap()
    }

    fn rows(&self, fitted: &Fitted) -> Rows {
        let mut rows = RowTable::new(3, 1);
        let slices: Vec<&[u32]> = fitted.codes.iter().map(Vec::as_slice).collect();
        rows.extend(&slices, &[&self.moods], self.people(), &self.keys).unwrap();
        rows.finish().unwrap()
    }

    /// What is found, and the class of every row if there is something.
    fn recode(&self, way: Way, k: u64, models: &Models, resources: Resources) -> (Found, Vec<u32>) {
        let fitted = self.fit();
        let slices: Vec<&[u32]> = fitted.codes.iter().map(Vec::as_slice).collect();
        let tuples = self.tuples(&fitted);
        let found = match way {
            Way::Strict => mondrian(&tuples, &fitted.dimensions, models, resources).unwrap(),
            Way::Relaxed => mondrian_relaxed(&self.rows(&fitted), &fitted.dimensions, models, resources).unwrap(),
            Way::Groups(representative) => {
                let mut options = Microaggregation::new(K::new(k).unwrap(), &fitted.dimensions);
                options.representatives = vec![representative; 3];
                if representative == Representative::Median {
                    options.representatives = fitted.dimensions.iter().map(Representative::usual).collect();
                }
                options.block = NonZeroUsize::new(16).unwrap();
                microaggregate(&self.rows(&fitted), &fitted.dimensions, models, &options, resources).unwrap()
            }
            Way::Rounds => {
                let quality = Quality { aggregate: AggregateFunction::ArithmeticMean, ..Quality::default() };
                let metric = Loss::new(&quality, &["age", "place", "plan"]).unwrap();
                local(&tuples, &fitted.hierarchies, models, resources, Share::new(1.0).unwrap(), |table, limit| {
                    exhaustive(&Problem::new(table, &fitted.hierarchies, models, &metric, limit)?)
                })
                .unwrap()
            }
        };
        let classes = match &found {
            Found::Nothing(_) => Vec::new(),
            Found::Recoding(recoding) if matches!(way, Way::Strict | Way::Rounds) => recoding.classes_of(&tuples, &slices).unwrap(),
            Found::Recoding(recoding) => recoding.of_units().to_vec(),
        };
        if let Found::Recoding(recoding) = &found {
            self.covered(&fitted, recoding, &classes, way);
        }
        (found, classes)
    }

    /// Codes of every row are covered by its class, where labels are wide enough to say so.
    fn covered(&self, fitted: &Fitted, recoding: &LocalRecoding, classes: &[u32], way: Way) {
        for (row, &class) in classes.iter().enumerate().filter(|&(_, &class)| class != LocalRecoding::SUPPRESSED) {
            let codes: Vec<u32> = fitted.codes.iter().map(|column| column[row]).collect();
            assert!(recoding.covers(class as usize, &codes), "{way:?} row {row} of {self:?}");
        }
    }

    fn released(recoding: &LocalRecoding, classes: &[u32]) -> Released {
        let columns: Vec<StringArray> = (0..3)
            .map(|column| cast(&recoding.labels_of(column, classes).unwrap(), &DataType::Utf8).unwrap().as_string::<i32>().clone())
            .collect();
        let label = |column: usize, row: usize| columns[column].is_valid(row).then(|| columns[column].value(row).to_owned());
        classes
            .iter()
            .enumerate()
            .map(|(row, &class)| (class != LocalRecoding::SUPPRESSED).then(|| [label(0, row), label(1, row), label(2, row)]))
            .collect()
    }

    fn text(&self, column: usize, row: usize) -> Option<String> {
        match column {
            0 => self.ages[row].map(|age| age.to_string()),
            1 => self.places[row].clone(),
            _ => self.plans[row].clone(),
        }
    }

    fn owner(&self, row: usize) -> u32 {
        self.people.get(row).copied().unwrap_or_else(|| u32::try_from(row).unwrap())
    }

    /// Whether some rows may be a class.
    fn holds(&self, rows: &[usize], asked: Asked) -> bool {
        let mut owned: BTreeMap<u32, u64> = BTreeMap::new();
        for &row in rows {
            *owned.entry(self.owner(row)).or_default() += 1;
        }
        let moods: BTreeSet<u32> = rows.iter().map(|&row| self.moods[row]).collect();
        let most = owned.values().copied().max().unwrap_or(0);
        owned.len() as u64 >= asked.k
            && (asked.linkability == Linkability::Linked || most * asked.k <= rows.len() as u64)
            && asked.diversity.is_none_or(|l| moods.len() as u64 >= l)
    }

    /// What is wrong with a release, if anything: rows that look alike are a class, whatever the recoding says.
    fn complaint(&self, released: &Released, asked: Asked, truthful: bool) -> Option<String> {
        let mut classes: BTreeMap<&[Option<String>; 3], Vec<usize>> = BTreeMap::new();
        for (row, labels) in released.iter().enumerate() {
            let Some(labels) = labels else { continue };
            classes.entry(labels).or_default().push(row);
            for (column, label) in labels.iter().enumerate().filter(|_| truthful) {
                if !contains(label.as_deref(), self.text(column, row).as_deref()) {
                    return Some(format!("{label:?} does not say {:?}", self.text(column, row)));
                }
            }
        }
        let failing = classes.iter().find(|(_, rows)| !self.holds(rows, asked));
        failing.map(|(labels, rows)| format!("{labels:?} with rows {rows:?}"))
    }

    fn permuted(&self, order: &[usize]) -> Self {
        fn pick<T: Clone>(all: &[T], order: &[usize]) -> Vec<T> {
            if all.is_empty() { Vec::new() } else { order.iter().map(|&row| all[row].clone()).collect() }
        }
        Self {
            ages: pick(&self.ages, order),
            places: pick(&self.places, order),
            plans: pick(&self.plans, order),
            moods: pick(&self.moods, order),
            people: pick(&self.people, order),
            keys: pick(&self.keys, order),
        }
    }
}

/// Whether a label says that a row may have a value. Values of these tests have no commas or braces.
fn contains(label: Option<&str>, value: Option<&str>) -> bool {
    let (Some(label), Some(value)) = (label, value) else {
        return label == value || label == Some("*") || (value.is_none() && label.is_some_and(|label| label.ends_with(", (missing)}")));
    };
    if label == "*" || label == value {
        return true;
    }
    if let Some(inner) = label.strip_prefix('{').and_then(|label| label.strip_suffix('}')) {
        if inner.starts_with('[') {
            return inner.strip_suffix(", (missing)").is_some_and(|interval| contains(Some(interval), Some(value)));
        }
        return inner.split(", ").any(|member| member != "(missing)" && contains(Some(member), Some(value)));
    }
    // Declared intervals are half-open, those of Mondrian closed.
    if let Some((inner, closed)) = label.strip_prefix('[').and_then(|label| {
        label.strip_suffix(']').map(|inner| (inner, true)).or_else(|| label.strip_suffix(')').map(|inner| (inner, false)))
    }) {
        let (low, high) = inner.split_once(", ").unwrap();
        let [low, high, value] = [low, high, value].map(|number| number.parse::<f64>().unwrap());
        return low <= value && (value < high || (closed && value <= high));
    }
    // A mask.
    let shown = label.trim_end_matches('*');
    label.ends_with('*') && value.starts_with(shown) && value.len() <= label.len()
}

fn on(threads: usize) -> Resources {
    Resources { threads: NonZeroUsize::new(threads).unwrap(), ..Resources::new() }
}

fn lenient(threads: usize) -> Resources {
    Resources { suppression_limit: Share::new(1.0).unwrap(), ..on(threads) }
}
