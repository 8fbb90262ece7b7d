//! The quick searches against the one that looks at every node.

use arrow::array::{ArrayRef, Int32Array, StringArray};
use backmask::anonymity::classes::{ClassView, Grouper, TupleBuilder, Tuples};
use backmask::anonymity::hierarchy::Hierarchy;
use backmask::anonymity::models::{KAnonymity, Linkability, Models, Monotonicity, PrivacyModel};
use backmask::anonymity::quality::{GeneralizedTable, LevelTable, QualityMetric, Score, from_policy};
use backmask::anonymity::search::{Found, Outcome, Problem, exhaustive, fixed, heuristic, optimal};
use backmask::arrow;
use backmask::policy::{AggregateFunction, Direction, HierarchySpec, LevelLimits, Metric, Quality};
use backmask::units::{K, Share};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use std::num::NonZeroUsize;
use std::time::Duration;

const COLUMNS: [&str; 4] = ["age", "place", "postcode", "gender"];

/// Ages 0..16, 6 places, 5 postcodes, 2 genders.
const HEIGHTS: [usize; 4] = [4, 2, 3, 1];

fn hierarchies() -> Vec<Hierarchy> {
    let ages: ArrayRef = std::sync::Arc::new(Int32Array::from_iter_values(0..16));
    let text = |values: &[&str]| StringArray::from(values.to_vec());
    let mask = HierarchySpec::Mask(Direction::Right);
    vec![
        Hierarchy::build("age", &HierarchySpec::Intervals { widths: vec![2.0, 4.0, 8.0], origin: 0.0 }, &ages, false).unwrap(),
        Hierarchy::build("place", &mask, &text(&["AA", "AB", "BA", "BB", "C", "CA"]), false).unwrap(),
        Hierarchy::build("postcode", &mask, &text(&["111", "112", "121", "211", "212"]), false).unwrap(),
        Hierarchy::flat("gender", &text(&["f", "m"]), false).unwrap(),
    ]
}

/// One row: quasi-identifiers, sensitive value, person.
type Row = ([u32; 4], u32, u32);

/// What a class must be like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    People(u64, Linkability),
    /// So many different sensitive values: holds on supersets.
    Values(usize),
    /// No value is held by more than this share of the people: monotone, but rows can spoil it.
    LargestShare(f64),
    /// No more rows than this: not monotone.
    AtMost(u64),
}

/// A rule, and what it says of itself.
#[derive(Debug)]
struct Claiming {
    rule: Rule,
    claim: fn(bool) -> Monotonicity,
}

impl PrivacyModel for Claiming {
    fn name(&self) -> &'static str {
        "rule"
    }

    fn monotonicity(&self, one_row_each: bool) -> Monotonicity {
        (self.claim)(one_row_each)
    }

    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn holds(&self, class: &ClassView<'_>) -> bool {
        match self.rule {
            Rule::People(k, linkability) => KAnonymity { k: K::new(k).unwrap(), linkability }.holds(class),
            Rule::Values(least) => class.sensitive[0].len() >= least,
            Rule::LargestShare(share) => {
                class.sensitive[0].iter().all(|value| value.people as f64 <= share * class.statistics.subjects as f64)
            }
            Rule::AtMost(rows) => class.statistics.rows <= rows,
        }
    }
}

fn honest(rules: &[Rule]) -> Models {
    rules.iter().fold(Models::new(), |models, &rule| match rule {
        Rule::People(k, linkability) => models.and(KAnonymity { k: K::new(k).unwrap(), linkability }),
        Rule::Values(_) => models.and(Claiming { rule, claim: |_| Monotonicity::Supersets }),
        // People with several rows may be in both classes that become one, with other values.
        Rule::LargestShare(_) => {
            models.and(Claiming { rule, claim: |one_row_each| if one_row_each { Monotonicity::Unions } else { Monotonicity::Unknown } })
        }
        Rule::AtMost(_) => models.and(Claiming { rule, claim: |_| Monotonicity::Unknown }),
    })
}

/// All rules claim the same.
fn boasting(rules: &[Rule], claim: fn(bool) -> Monotonicity) -> Models {
    rules.iter().fold(Models::new(), |models, &rule| models.and(Claiming { rule, claim }))
}

#[derive(Debug, Clone)]
struct Case {
    rows: Vec<Row>,
    people: bool,
    rules: Vec<Rule>,
    limit: f64,
    quality: Quality,
    levels: Vec<(usize, LevelLimits)>,
}

fn cases() -> impl Strategy<Value = Case> {
    let row = ((0..16_u32, 0..6_u32, 0..5_u32, 0..2_u32), 0..4_u32, 0..12_u32).prop_map(|(q, s, p)| ([q.0, q.1, q.2, q.3], s, p));
    let rule = prop_oneof![
        (2..5_u64, prop::sample::select(vec![Linkability::Linked, Linkability::Unlinked])).prop_map(|(k, l)| Rule::People(k, l)),
        (1..4_usize).prop_map(Rule::Values),
        prop::sample::select(vec![0.5, 0.67, 0.8]).prop_map(Rule::LargestShare),
        (3..20_u64).prop_map(Rule::AtMost),
    ];
    let metric = prop::sample::select(vec![
        (Metric::Loss, 0.5),
        (Metric::Loss, 0.0),
        (Metric::Loss, 1.0),
        (Metric::Loss, 0.7),
        (Metric::NonUniformEntropy, 0.5),
        (Metric::Precision, 0.5),
        (Metric::Height, 0.5),
        (Metric::Discernibility, 0.5),
        (Metric::DiscernibilityMonotone, 0.5),
        (Metric::AverageClassSize, 0.5),
        (Metric::KlDivergence, 0.5),
    ]);
    let aggregate =
        prop::sample::select(vec![AggregateFunction::ArithmeticMean, AggregateFunction::GeometricMean, AggregateFunction::Rank]);
    let limits = prop::collection::vec((0..4_usize, 0..2_usize, 0..2_usize), 0..3);
    (
        prop::collection::vec(row, 0..40),
        any::<bool>(),
        prop::collection::vec(rule, 1..3),
        prop::sample::select(vec![0.0, 0.0, 0.1, 0.3, 0.6, 1.0]),
        metric,
        aggregate,
        limits,
    )
        .prop_map(|(rows, people, rules, limit, (metric, gs_factor), aggregate, limits)| Case {
            rows,
            people,
            rules,
            limit,
            quality: Quality { metric, gs_factor, aggregate, ..Quality::default() },
            levels: limits
                .into_iter()
                .map(|(column, min, below)| (column, LevelLimits { min: Some(min.min(1)), max: Some(HEIGHTS[column].max(below) - below) }))
                .filter(|(_, limits)| limits.min <= limits.max)
                .collect(),
        })
}

impl Case {
    fn tuples(&self) -> Tuples {
        let mut builder = TupleBuilder::with_sensitive(4, 1);
        for rows in self.rows.chunks(7) {
            let columns: Vec<Vec<u32>> = (0..4).map(|column| rows.iter().map(|row| row.0[column]).collect()).collect();
            let columns: Vec<&[u32]> = columns.iter().map(Vec::as_slice).collect();
            let sensitive: Vec<u32> = rows.iter().map(|row| row.1).collect();
            let people: Vec<u32> = rows.iter().map(|row| row.2).collect();
            builder.extend_with(&columns, &[&sensitive], self.people.then_some(people.as_slice())).unwrap();
        }
        builder.finish().unwrap()
    }

    fn metric(&self) -> Box<dyn QualityMetric> {
        from_policy(&self.quality, &COLUMNS).unwrap_or_else(|_| {
            // A metric without a gs-factor or aggregate: as its own defaults.
            from_policy(&Quality { metric: self.quality.metric, ..Quality::default() }, &COLUMNS).unwrap()
        })
    }

    fn search(
        &self,
        models: &Models,
        metric: &dyn QualityMetric,
        threads: usize,
        search: fn(&Problem<'_>) -> backmask::Result<Outcome>,
    ) -> Outcome {
        let (tuples, hierarchies) = (self.tuples(), hierarchies());
        let mut problem = Problem::new(&tuples, &hierarchies, models, metric, Share::new(self.limit).unwrap())
            .unwrap()
            .threads(NonZeroUsize::new(threads).unwrap());
        for &(column, limits) in &self.levels {
            problem = problem.limit(column, limits).unwrap();
        }
        search(&problem).unwrap()
    }
}

/// Whether two searches ended alike.
fn same(one: &Found, other: &Found) -> bool {
    match (one, other) {
        (Found::Transformation(one), Found::Transformation(other)) => {
            (&one.levels, &one.score, one.suppressed_rows, &one.classes, &one.suppressed_tuples)
                == (&other.levels, &other.score, other.suppressed_rows, &other.classes, &other.suppressed_tuples)
        }
        (Found::Nothing(one), Found::Nothing(other)) => one == other,
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_optimum_is_that_of_the_exhaustive_search(case in cases()) {
        let (models, metric) = (honest(&case.rules), case.metric());
        let expected = case.search(&models, metric.as_ref(), 1, exhaustive);
        let found = case.search(&models, metric.as_ref(), 1, optimal);
        prop_assert!(same(&found.found, &expected.found), "{:?} is not {:?}", found.found, expected.found);
        prop_assert!(found.optimal && found.checked <= found.nodes && found.nodes == expected.nodes);
        let threads = case.search(&models, metric.as_ref(), 3, optimal);
        prop_assert!(same(&threads.found, &expected.found));
        prop_assert_eq!(threads.checked, found.checked);
    }

    #[test]
    fn a_heuristic_search_with_time_enough_proves_the_optimum(case in cases()) {
        let (models, metric) = (honest(&case.rules), case.metric());
        let expected = case.search(&models, metric.as_ref(), 1, exhaustive);
        let found = case.search(&models, metric.as_ref(), 1, |problem| heuristic(problem, Duration::from_hours(1)));
        match (&found.found, &expected.found) {
            (Found::Transformation(_), _) => prop_assert!(found.optimal && same(&found.found, &expected.found)),
            (Found::Nothing(_), expected) => prop_assert!(!found.optimal && matches!(expected, Found::Nothing(_))),
        }
        let in_no_time = case.search(&models, metric.as_ref(), 3, |problem| heuristic(problem, Duration::ZERO));
        let top = case.search(&models, metric.as_ref(), 1, |problem| fixed(problem, problem.lattice().highest()));
        if matches!(top.found, Found::Transformation(_)) {
            prop_assert!(matches!(in_no_time.found, Found::Transformation(_)));
        }
    }

    #[test]
    fn rolled_up_classes_are_grouped_classes(case in cases(), walk in prop::collection::vec((0..4_usize, 1..3_usize), 1..6)) {
        let (tuples, hierarchies) = (case.tuples(), hierarchies());
        let mut grouper = Grouper::new(&tuples, &hierarchies).unwrap();
        let mut levels = vec![0; 4];
        let mut rolled = grouper.group(&levels).unwrap();
        for (column, steps) in walk {
            levels[column] = (levels[column] + steps).min(hierarchies[column].height());
            rolled = grouper.roll_up(&rolled, &levels).unwrap();
            let grouped = grouper.group(&levels).unwrap();
            prop_assert_eq!(rolled.statistics(), grouped.statistics());
            prop_assert_eq!(rolled.first_tuples(), grouped.first_tuples());
            prop_assert_eq!(rolled.of_tuples(), grouped.of_tuples());
            let views = |classes: &backmask::anonymity::classes::Classes| {
                let mut views = Vec::new();
                classes.for_each_view(|_, view| views.push((view.statistics, view.sensitive[0].to_vec())));
                views
            };
            prop_assert_eq!(views(&rolled), views(&grouped));
        }
    }
}

/// Cases from a fixed seed, for the broken variants.
fn fixed_cases() -> Vec<Case> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..600).map(|_| cases().new_tree(&mut runner).unwrap().current()).collect()
}

/// In how many cases a search ends otherwise than the exhaustive one.
fn disagreements(models: impl Fn(&Case) -> Models, metric: impl Fn(&Case) -> Box<dyn QualityMetric>, cases: &[Case]) -> usize {
    let differs = |case: &&Case| {
        let expected = case.search(&honest(&case.rules), case.metric().as_ref(), 1, exhaustive);
        let found = case.search(&models(case), metric(case).as_ref(), 1, optimal);
        !same(&found.found, &expected.found)
    };
    cases.iter().filter(differs).count()
}

/// Its bound is higher than some scores.
#[derive(Debug)]
struct TooHigh(Box<dyn QualityMetric>);

impl QualityMetric for TooHigh {
    fn score(&self, table: &GeneralizedTable<'_>) -> backmask::Result<Score> {
        self.0.score(table)
    }

    fn lower_bound(&self, table: &LevelTable<'_>) -> backmask::Result<Option<Score>> {
        Ok(match self.0.lower_bound(table)? {
            Some(Score::Number(bound)) => Some(Score::Number(bound * 1.2 + 0.05)),
            Some(Score::Ranked(list)) => Some(Score::Ranked(list.into_iter().map(|bound| bound * 1.2 + 0.05).collect())),
            None => None,
        })
    }
}

/// Says of itself that scores grow with the levels, whatever is suppressed.
#[derive(Debug)]
struct FalselyMonotone(Box<dyn QualityMetric>);

impl QualityMetric for FalselyMonotone {
    fn score(&self, table: &GeneralizedTable<'_>) -> backmask::Result<Score> {
        self.0.score(table)
    }

    fn is_monotone(&self) -> bool {
        true
    }
}

#[test]
fn bounds_and_claims_that_are_wrong_are_caught() {
    let cases = fixed_cases();
    let all = |case: &Case| honest(&case.rules);
    assert_eq!(disagreements(all, Case::metric, &cases), 0);
    assert!(disagreements(all, |case| Box::new(TooHigh(case.metric())), &cases) > 0);
    assert!(disagreements(all, |case| Box::new(FalselyMonotone(case.metric())), &cases) > 0);
    // Each kind of model that claims more than it can keep, on its own.
    let only = |rule: fn(&Rule) -> bool, limited: bool| -> Vec<Case> {
        cases.iter().filter(|case| case.rules.iter().all(rule) && (case.limit > 0.0) == limited).cloned().collect()
    };
    let unions: fn(bool) -> Monotonicity = |_| Monotonicity::Unions;
    let not_monotone = only(|rule| matches!(rule, Rule::AtMost(_)), false);
    assert!(disagreements(|case| boasting(&case.rules, unions), Case::metric, &not_monotone) > 0);
    // To hold on unions is not enough where rows may be suppressed, and needs people with one row each.
    let (one_each, several): (Vec<Case>, Vec<Case>) = cases
        .iter()
        .filter(|case| case.rules.iter().all(|rule| matches!(rule, Rule::LargestShare(_))))
        .cloned()
        .partition(|case| !case.people);
    assert_eq!(disagreements(|case| boasting(&case.rules, unions), Case::metric, &one_each), 0);
    assert!(disagreements(|case| boasting(&case.rules, |_| Monotonicity::Supersets), Case::metric, &one_each) > 0);
    assert!(disagreements(|case| boasting(&case.rules, unions), Case::metric, &several) > 0);
    // A person who owns many rows spoils a class that they are added to.
    let owned: Vec<Case> = cases
        .iter()
        .filter(|case| case.people && case.rules.iter().all(|rule| matches!(rule, Rule::People(_, Linkability::Unlinked))))
        .cloned()
        .collect();
    assert!(disagreements(|case| boasting(&case.rules, |_| Monotonicity::Supersets), Case::metric, &owned) > 0);
}

#[test]
fn adding_people_up_instead_of_uniting_them_is_caught() {
    // A broken roll-up adds the people of classes that become one.
    let wrong = fixed_cases().into_iter().filter(|case| case.people).any(|case| {
        let (tuples, hierarchies) = (case.tuples(), hierarchies());
        let mut grouper = Grouper::new(&tuples, &hierarchies).unwrap();
        let (low, top) = (grouper.group(&[0; 4]).unwrap(), HEIGHTS);
        let top = grouper.roll_up(&low, &top).unwrap();
        let added: u64 = low.statistics().iter().map(|class| class.subjects).sum();
        top.statistics().iter().any(|class| class.subjects != added)
    });
    assert!(wrong);
}

/// A search over one column or more with the given number of leaves.
fn plain(columns: &[Vec<u32>], leaves: i32, k: u64, limit: f64) -> (Outcome, Outcome) {
    let names: Vec<String> = (0..columns.len()).map(|column| format!("c{column}")).collect();
    let widths = if columns.len() == 1 { vec![2.0, 4.0, 8.0, 16.0, 32.0] } else { vec![2.0] };
    let values = Int32Array::from_iter_values(0..leaves);
    let hierarchies: Vec<Hierarchy> = names
        .iter()
        .map(|name| Hierarchy::build(name, &HierarchySpec::Intervals { widths: widths.clone(), origin: 0.0 }, &values, false).unwrap())
        .collect();
    let mut builder = TupleBuilder::new(columns.len());
    builder.extend(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), None).unwrap();
    let tuples = builder.finish().unwrap();
    let models = Models::new().and(KAnonymity { k: K::new(k).unwrap(), linkability: Linkability::Unlinked });
    let metric = from_policy(&Quality::default(), &names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let problem = Problem::new(&tuples, &hierarchies, &models, metric.as_ref(), Share::new(limit).unwrap()).unwrap();
    (optimal(&problem).unwrap(), exhaustive(&problem).unwrap())
}

#[test]
fn extreme_tables_end_alike() {
    let distinct: Vec<u32> = (0..64).collect();
    let cases: [(Vec<Vec<u32>>, i32, u64, f64); 8] = [
        (vec![vec![], vec![]], 4, 2, 0.0),
        (vec![vec![3; 50], vec![1; 50]], 4, 2, 0.0),
        (vec![distinct.clone(), distinct.clone()], 64, 2, 0.0),
        (vec![distinct.clone(), distinct.clone()], 64, 2, 0.5),
        (vec![distinct.clone(), distinct.clone()], 64, 65, 0.5),
        (vec![distinct.clone(), distinct.clone()], 64, 65, 1.0),
        (vec![vec![0], vec![0]], 4, 2, 0.0),
        (vec![distinct], 64, 3, 0.1),
    ];
    for (columns, leaves, k, limit) in cases {
        let (quick, slow) = plain(&columns, leaves, k, limit);
        assert!(same(&quick.found, &slow.found), "{columns:?}: {:?} is not {:?}", quick.found, slow.found);
    }
}

#[test]
fn a_column_of_300_levels() {
    let long: Vec<String> = (0..40).map(|row| format!("{}{}", "x".repeat(260 + row), row)).collect();
    let values = StringArray::from_iter_values(&long);
    let hierarchies = [Hierarchy::build("c", &HierarchySpec::Mask(Direction::Right), &values, false).unwrap()];
    assert!(hierarchies[0].height() >= 300);
    let mut builder = TupleBuilder::new(1);
    builder.extend(&[&(0..40).collect::<Vec<u32>>()], None).unwrap();
    let tuples = builder.finish().unwrap();
    let models = Models::new().and(KAnonymity { k: K::new(3).unwrap(), linkability: Linkability::Unlinked });
    let metric = from_policy(&Quality::default(), &["c"]).unwrap();
    for limit in [0.0, 0.2, 1.0] {
        let problem = Problem::new(&tuples, &hierarchies, &models, metric.as_ref(), Share::new(limit).unwrap()).unwrap();
        let (quick, slow) = (optimal(&problem).unwrap(), exhaustive(&problem).unwrap());
        assert!(same(&quick.found, &slow.found));
    }
}

/// 70 columns of 6 values: more nodes than any search can look at, and keys of more than 128 bits.
fn wide(rows: u32, seconds: f64, threads: usize) -> Outcome {
    let names: Vec<String> = (0..70).map(|column| format!("c{column}")).collect();
    let values = Int32Array::from_iter_values(0..6);
    let spec = HierarchySpec::Intervals { widths: vec![2.0, 4.0], origin: 0.0 };
    let hierarchies: Vec<Hierarchy> = names.iter().map(|name| Hierarchy::build(name, &spec, &values, false).unwrap()).collect();
    let columns: Vec<Vec<u32>> = (0..70_u32)
        .map(|column| {
            (0..rows)
                .map(|row| (row.wrapping_mul(2_654_435_761).rotate_left(column % 32) >> 7) % if column % 3 == 0 { 2 } else { 6 })
                .collect()
        })
        .collect();
    let mut builder = TupleBuilder::new(70);
    builder.extend(&columns.iter().map(Vec::as_slice).collect::<Vec<_>>(), None).unwrap();
    let tuples = builder.finish().unwrap();
    let models = Models::new().and(KAnonymity { k: K::new(3).unwrap(), linkability: Linkability::Unlinked });
    let metric = from_policy(&Quality::default(), &names.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let problem = Problem::new(&tuples, &hierarchies, &models, metric.as_ref(), Share::new(0.1).unwrap())
        .unwrap()
        .threads(NonZeroUsize::new(threads).unwrap());
    assert!(optimal(&problem).unwrap_err().to_string().contains("heuristic"));
    let outcome = heuristic(&problem, Duration::from_secs_f64(seconds)).unwrap();
    let Found::Transformation(found) = &outcome.found else { panic!("the highest node is anonymous") };
    let again = fixed(&problem, &found.levels).unwrap();
    assert!(same(&outcome.found, &again.found) && !outcome.optimal && outcome.nodes == u64::MAX);
    assert!(found.suppressed_rows <= 8 && found.classes.iter().all(|class| class.subjects >= 3));
    outcome
}

#[test]
fn lattices_beyond_reach_end_anonymous_and_more_time_is_not_worse() {
    let score = |outcome: &Outcome| match &outcome.found {
        Found::Transformation(found) => found.score.clone(),
        Found::Nothing(miss) => panic!("{miss:?}"),
    };
    let (none, some) = (wide(80, 0.0, 1), wide(80, 0.5, 3));
    assert!(score(&some) <= score(&none));
    assert!(none.checked >= 1);
}
