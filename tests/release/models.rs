//! Every privacy model of a policy: the written file is counted again by hand, with maps of text and the plain formulas of the papers.

use super::support::{Draws, Row, Run, Written, batch, guarantee, key, maybe_texts, policy, run, texts, write_csv, write_parquet};
use arrow::array::RecordBatch;
use backmask::Error;
use backmask::io::SinkFormat;
use backmask::policy::{Model, Policy, Product};
use backmask::release::report::{Guarantee, ReferenceUsed, Unit, Verified};
use backmask::release::{Anonymizer, Outcome, Scheme, verify, verify_table};
use std::collections::BTreeMap;
use std::path::Path;

const PEOPLE: usize = 300;

/// Without a subject: age, town and mood of people, all of them with gaps.
fn people(seed: u64) -> RecordBatch {
    let mut draws = Draws(seed);
    let mut age = Vec::new();
    let mut town = Vec::new();
    let mut mood = Vec::new();
    for _ in 0..PEOPLE {
        age.push((draws.below(20) > 0).then(|| ["20", "25", "31", "38", "44"][draws.below(5)]));
        town.push((draws.below(20) > 0).then(|| ["Aachen", "Bonn", "Calw"][draws.below(3)]));
        mood.push((draws.below(15) > 0).then(|| ["calm", "glad", "sad", "wild"][draws.below(5).min(3)]));
    }
    batch([("age", maybe_texts(age)), ("town", maybe_texts(town)), ("mood", maybe_texts(mood))])
}

fn declared(models: &str, more: &str) -> String {
    format!(
        "
        version = 1
        name = 'm'
        [columns.age]
        role = 'quasi-identifier'
        hierarchy = {{ mask = 'right' }}
        [columns.town]
        role = 'quasi-identifier'
        [columns.mood]
        role = 'sensitive'
        [[products]]
        name = 'p'
        kind = 'records'
        models = [{models}]
        {more}
        [gate]
        max_risk = 1.0
        attacks = []
        "
    )
}

/// Values of every class of a file.
fn classes(written: &Written) -> BTreeMap<Row, Vec<Option<String>>> {
    let (age, town, mood) = (written.index("age"), written.index("town"), written.index("mood"));
    let mut classes: BTreeMap<Row, Vec<Option<String>>> = BTreeMap::new();
    for row in &written.rows {
        classes.entry(vec![row[age].clone(), row[town].clone()]).or_default().push(row[mood].clone());
    }
    classes
}

fn shares(values: &[Option<String>]) -> BTreeMap<Option<String>, f64> {
    let mut counts = BTreeMap::new();
    for value in values {
        *counts.entry(value.clone()).or_insert(0.0) += 1.0 / real(values.len());
    }
    counts
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("small"))
}

fn descending(values: &[Option<String>]) -> Vec<f64> {
    let mut counts: Vec<f64> = shares(values).into_values().map(|share| share * real(values.len())).collect();
    counts.sort_by(|one, other| other.total_cmp(one));
    counts
}

/// The figure of a model in one class, by its definition.
fn figure(model: &Model, class: &[Option<String>], whole: &[Option<String>]) -> f64 {
    let (p, q) = (shares(class), shares(whole));
    let at = |shares: &BTreeMap<Option<String>, f64>, value: &Option<String>| shares.get(value).copied().unwrap_or(0.0);
    match model {
        Model::KAnonymity { .. } => real(class.len()),
        Model::DistinctLDiversity { .. } => real(p.len()),
        Model::EntropyLDiversity { .. } => p.values().map(|share| -share * share.ln()).sum::<f64>().exp(),
        Model::RecursiveClDiversity { l, .. } => {
            let counts = descending(class);
            counts[0] / counts.iter().skip(usize::try_from(*l).expect("small") - 1).sum::<f64>()
        }
        Model::TCloseness { .. } => q.keys().map(|value| (at(&p, value) - at(&q, value)).abs()).sum::<f64>() / 2.0,
        Model::DeltaDisclosure { .. } => p.iter().map(|(value, share)| (share / at(&q, value)).log2().abs()).fold(0.0, f64::max),
        Model::BetaLikeness { .. } => p.iter().map(|(value, share)| share / at(&q, value) - 1.0).fold(0.0, f64::max),
        other => panic!("no figure of {}", other.name()),
    }
}

fn is_bounded_from_below(model: &Model) -> bool {
    matches!(model, Model::KAnonymity { .. } | Model::DistinctLDiversity { .. } | Model::EntropyLDiversity { .. })
}

fn within(model: &Model, figure: f64) -> bool {
    match model {
        Model::KAnonymity { k } => figure >= f64::from(u32::try_from(k.get()).expect("small")),
        Model::DistinctLDiversity { l, .. } => figure >= f64::from(u32::try_from(*l).expect("small")),
        Model::EntropyLDiversity { l, .. } => figure >= l - 1e-9,
        Model::RecursiveClDiversity { c, .. } => figure < *c,
        Model::TCloseness { t, .. } => figure <= t + 1e-9,
        Model::DeltaDisclosure { d, .. } => figure < *d,
        Model::BetaLikeness { beta, .. } => figure <= beta + 1e-9,
        other => panic!("no bound of {}", other.name()),
    }
}

fn models_of(policy: &Policy) -> &[Model] {
    let Product::Records(product) = &policy.products[0] else { panic!("records") };
    &product.models
}

fn claimed<'a>(outcome: &'a Outcome, model: &Model) -> &'a Guarantee {
    guarantee(outcome.product("p").expect("the product"), model.name())
}

const SENSITIVE: [(&str, Unit); 8] = [
    ("{ name = 'k-anonymity', k = 4 }", Unit::Subject),
    ("{ name = 'distinct-l-diversity', column = 'mood', l = 3 }", Unit::Value),
    ("{ name = 'entropy-l-diversity', column = 'mood', l = 2.5 }", Unit::Ratio),
    ("{ name = 'recursive-cl-diversity', column = 'mood', c = 2.0, l = 2 }", Unit::Ratio),
    ("{ name = 't-closeness', column = 'mood', t = 0.25, distance = 'equal' }", Unit::Ratio),
    ("{ name = 'delta-disclosure', column = 'mood', d = 1.5 }", Unit::Ratio),
    ("{ name = 'beta-likeness', column = 'mood', beta = 1.0 }", Unit::Ratio),
    ("{ name = 'beta-likeness', column = 'mood', beta = 1.0, enhanced = true }", Unit::Ratio),
];

#[test]
fn every_model_of_sensitive_values_holds_as_claimed() {
    for (model, unit) in SENSITIVE {
        for (seed, limit) in [(1, 0.0), (2, 0.2), (3, 1.0)] {
            let events = people(seed);
            let text = declared(model, &format!("suppression_limit = {limit:?}"));
            let (_run, outcome) = run(&text, &events);
            let outcome = match outcome {
                Err(Error::NoSolution { .. }) => continue,
                other => other.unwrap_or_else(|error| panic!("{model}: {error}")),
            };
            let declared = policy(&text);
            let model = &models_of(&declared)[0];
            let written = Written::of(&outcome, "p");
            let mood = events.schema().index_of("mood").expect("a column");
            let whole: Vec<Option<String>> = super::support::rows_of(&events).into_iter().map(|mut row| row.swap_remove(mood)).collect();
            let figures: Vec<f64> = classes(&written).values().map(|class| figure(model, class, &whole)).collect();
            assert!(figures.iter().all(|&figure| within(model, figure)), "{model:?}: {figures:?}");
            let worst = figures.into_iter().reduce(if is_bounded_from_below(model) { f64::min } else { f64::max });
            let claim = claimed(&outcome, model);
            assert!(claim.holds && claim.unit == unit, "{claim:?}");
            match (worst, claim.achieved) {
                (Some(worst), Some(achieved)) => assert!((worst - achieved).abs() < 1e-9, "{claim:?}: {worst}"),
                (worst, achieved) => assert_eq!(worst.is_none(), achieved.is_none(), "{claim:?}"),
            }
            // With rows left out, only the steward knows what the table was like.
            let all = written.rows.len() == PEOPLE;
            let compares = matches!(model, Model::TCloseness { .. } | Model::DeltaDisclosure { .. } | Model::BetaLikeness { .. });
            let reference = compares.then_some(if all { ReferenceUsed::Released } else { ReferenceUsed::Fit });
            assert_eq!(claim.reference, reference);
            assert_eq!(claim.verified, if compares && !all { Verified::ReleaseAndPool } else { Verified::Release });
            assert!(verify(&outcome.release, &[], None).expect("a release").holds);
        }
    }
}

fn with_population(kind: &str) -> String {
    declared(&format!("{kind}, population = 'FILE' }}"), "suppression_limit = 0.5")
}

/// A pool of 120 of 300 people, drawn evenly, in files of two formats.
fn sample_of_population(run: &Run, text: &str, format: SinkFormat) -> Result<Outcome, Error> {
    let all = people(5);
    write_csv(&run.path("all.csv"), &all);
    let input = run.path("sample.parquet");
    write_parquet(&input, &all.slice(0, 120));
    let text = text.replace("FILE", run.path("all.csv").to_str().expect("UTF-8"));
    Anonymizer::new(policy(&text)).input([input]).output(run.out()).key(key()).threads(2).format(format).run()
}

/// Levels of the release, applied to the population by hand.
fn population_classes(outcome: &Outcome) -> BTreeMap<Row, usize> {
    let levels = &outcome.product("p").and_then(|p| p.transformation.as_ref()).expect("levels").levels;
    let all = super::support::rows_of(&people(5));
    let mut classes = BTreeMap::new();
    for row in all {
        let masked = |value: &Option<String>| match (levels["age"], value) {
            (0, value) => value.clone(),
            (1, Some(value)) => Some(format!("{}*", &value[..1])),
            (1, None) => None,
            _ => Some("*".to_owned()),
        };
        let town = if levels["town"] == 0 { row[1].clone() } else { Some("*".to_owned()) };
        *classes.entry(vec![masked(&row[0]), town]).or_insert(0) += 1;
    }
    classes
}

#[test]
fn classes_fit_the_people_of_the_population_that_they_claim() {
    let kinds = [("{ name = 'k-map', k = 12", Unit::Subject), ("{ name = 'delta-presence', min = 0.0, max = 0.45", Unit::Ratio)];
    let formats = [SinkFormat::Parquet, SinkFormat::Csv, SinkFormat::IpcFile];
    for ((kind, unit), format) in kinds.into_iter().flat_map(|kind| formats.map(|format| (kind, format))) {
        let place = Run::new();
        let outcome = sample_of_population(&place, &with_population(kind), format).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let population = population_classes(&outcome);
        let written = Written::of(&outcome, "p");
        assert!(!written.rows.is_empty());
        let claim = &outcome.product("p").expect("the product").guarantees[0];
        let found: Vec<(usize, usize)> = classes(&written).iter().map(|(class, rows)| (rows.len(), population[class])).collect();
        let worst = if unit == Unit::Subject {
            assert!(found.iter().all(|&(_, people)| people >= 12), "{found:?}");
            real(found.iter().map(|&(_, people)| people).min().expect("classes"))
        } else {
            assert!(found.iter().all(|&(rows, people)| real(rows) <= 0.45 * real(people) + 1e-9), "{found:?}");
            let largest = found.iter().map(|&(rows, people)| real(rows) / real(people)).fold(0.0, f64::max);
            let (beside, left_out) = (300 - found.iter().map(|class| class.1).sum::<usize>(), 120 - written.rows.len());
            // Who fits no class may be one of those whose row was left out.
            if beside > 0 { largest.max(real(left_out) / real(beside)) } else { largest }
        };
        let product = outcome.product("p").expect("the product");
        let risk = product.population_risk.expect("a population");
        let smallest = |of: fn(&(usize, usize)) -> usize| real(found.iter().map(of).min().expect("classes"));
        let marketer = found.iter().map(|&(rows, people)| real(rows) / real(people)).sum::<f64>() / real(written.rows.len());
        assert!((risk.prosecutor_highest - 1.0 / smallest(|class| class.0)).abs() < 1e-12);
        assert!((risk.journalist_highest - 1.0 / smallest(|class| class.1)).abs() < 1e-12);
        assert!((risk.marketer - marketer).abs() < 1e-12 && risk.journalist_average >= risk.marketer);
        let page = std::fs::read_to_string(place.out().join("steward/report.html")).expect("a page");
        assert!(page.contains("Journalist") && page.contains("Marketer"));
        assert!(claim.holds && (claim.achieved.expect("classes") - worst).abs() < 1e-12, "{claim:?}: {worst}");
        assert_eq!((claim.unit, claim.verified), (unit, Verified::ReleaseAndPool));
        // Nothing of the steward's machine, and no figure of the population, is handed over.
        let handed = std::fs::read_to_string(outcome.release.join("policy.toml")).expect("a policy");
        assert!(handed.contains("population = \"all.csv\"") && !handed.contains(place.folder.path().to_str().expect("UTF-8")));
        let report: serde_json::Value =
            serde_json::from_slice(&std::fs::read(outcome.release.join("report.json")).expect("a report")).expect("JSON");
        assert_eq!(report["products"][0]["guarantees"][0]["stated_as_bound"], true);
        assert!(report["products"][0]["population_risk"].is_null());
        assert!(verify(&outcome.release, &[], None).expect("a release").holds);
    }
}

#[test]
fn a_lower_bound_of_presence_holds_for_those_who_fit_no_class() {
    let place = Run::new();
    let outcome = sample_of_population(&place, &with_population("{ name = 'delta-presence', min = 0.3, max = 0.5"), SinkFormat::Csv);
    let outcome = outcome.expect("everybody fits *, * at the top");
    let population = population_classes(&outcome);
    let written = classes(&Written::of(&outcome, "p"));
    assert!(written.iter().all(|(class, rows)| (0.3..=0.5).contains(&(real(rows.len()) / real(population[class])))));
    let (mut beside, mut left_out) = (0, 120);
    for (class, people) in &population {
        beside += if written.contains_key(class) { 0 } else { *people };
        left_out -= written.get(class).map_or(0, Vec::len);
    }
    assert!(if beside == 0 { left_out == 0 } else { (0.3..=0.5).contains(&(real(left_out) / real(beside))) }, "{left_out} of {beside}");
}

#[test]
fn populations_that_do_not_fit_are_mistakes() {
    let refused = |text: &str, words: &str| {
        let place = Run::new();
        let error = sample_of_population(&place, text, SinkFormat::Parquet).expect_err(words);
        assert!(error.to_string().contains(words), "{error}");
        assert!(!place.out().join("release").exists());
    };
    refused(&with_population("{ name = 'k-map', k = 12").replace("FILE", "/nowhere/all.csv"), "is not there");
    let place = Run::new();
    let narrow = batch([("age", texts(["20", "25"]))]);
    write_csv(&place.path("narrow.csv"), &narrow);
    let text = with_population("{ name = 'k-map', k = 12").replace("FILE", place.path("narrow.csv").to_str().expect("UTF-8"));
    refused(&text, "town");
    let error = Policy::from_toml(&declared("{ name = 'k-map', k = 3 }", "")).expect_err("no population");
    assert!(error.to_string().contains("population"), "{error}");
}

#[test]
fn models_of_the_table_hold_in_the_file() {
    let models = "{ name = 'average-risk', threshold = 0.1 }, { name = 'sample-uniqueness', threshold = 0.01 }, \
                  { name = 'population-uniqueness', threshold = 0.02, population_size = 100000, model = 'zayatz' }";
    let (_run, outcome) = run(&declared(models, "suppression_limit = 0.3"), &people(7));
    let outcome = outcome.expect("some rows may go");
    let written = Written::of(&outcome, "p");
    let sizes: Vec<usize> = classes(&written).values().map(Vec::len).collect();
    let rows = real(written.rows.len());
    let product = outcome.product("p").expect("the product");
    let achieved = |model: &str| guarantee(product, model).achieved.expect("rows");
    assert!((achieved("average-risk") - real(sizes.len()) / rows).abs() < 1e-12);
    let alone = real(sizes.iter().filter(|&&size| size == 1).count());
    assert!((achieved("sample-uniqueness") - alone / rows).abs() < 1e-12);
    assert!(achieved("average-risk") <= 0.1 && achieved("sample-uniqueness") <= 0.01);
    // An estimate is never a guarantee.
    assert!(product.guarantees.iter().all(|guarantee| guarantee.model != "population-uniqueness"));
    let estimate = &product.estimates[0];
    assert_eq!(estimate.model, "population-uniqueness");
    let (low, high) = (estimate.low.expect("an end"), estimate.high.expect("an end"));
    assert!((0.0..=0.02).contains(&estimate.value) && low <= estimate.value && estimate.value <= high && high <= 1.0, "{estimate:?}");
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
}

/// P(X ≥ people) for a Poisson law, term by term; without 0 if `truncated`.
fn tail(people: usize, mean: f64, truncated: bool) -> f64 {
    let (mut term, mut below) = ((-mean).exp(), 0.0);
    let nobody = term;
    for count in 0..people {
        below += term;
        term *= mean / real(count + 1);
    }
    if truncated { (1.0 - below) / (1.0 - nobody) } else { 1.0 - below }
}

#[test]
fn an_estimated_k_map_chooses_levels_and_promises_nothing() {
    for (estimator, truncated) in [("poisson", false), ("zero-truncated-poisson", true)] {
        let model = format!("{{ name = 'k-map', k = 100, population_size = 24000, estimator = '{estimator}', significance = 0.1 }}");
        let text = declared(&model, "suppression_limit = 0.5");
        let (place, outcome) = run(&text, &people(7));
        let outcome = outcome.unwrap_or_else(|error| panic!("{estimator}: {error}"));
        let product = outcome.product("p").expect("the product");
        assert!(product.guarantees.is_empty() && product.k().is_none(), "{:?}", product.guarantees);
        let smallest = classes(&Written::of(&outcome, "p")).values().map(Vec::len).min().expect("classes");
        let fraction = real(PEOPLE) / 24_000.0;
        assert!(tail(smallest, 100.0 * fraction, truncated) <= 0.1, "{smallest}");
        let estimate = &product.estimates[0];
        assert_eq!((estimate.model.as_str(), estimate.high), ("k-map", None));
        assert!((estimate.value - real(smallest) / fraction).abs() < 1e-9);
        // The largest population class that so many people reject.
        let low = estimate.low.expect("a bound");
        assert!(
            low >= 100.0 && tail(smallest, low * fraction, truncated) <= 0.1 && tail(smallest, (low + 1.0) * fraction, truncated) > 0.1
        );
        // Neither file says 1/k.
        for file in ["release/report.html", "steward/report.html", "release/report.json"] {
            let shown = std::fs::read_to_string(place.out().join(file)).expect(file);
            assert!(!shown.contains("finds at least"), "{file}");
        }
        assert!(verify(&outcome.release, &[], None).expect("a release").holds);
        let files: Vec<_> = std::fs::read_dir(&outcome.release).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
        let file: Vec<_> = files.into_iter().filter(|path| path.file_stem().is_some_and(|stem| stem == "p")).collect();
        let scheme = Scheme::from_path(place.out().join("steward/transformation.json")).expect("a scheme");
        let found = verify_table(&policy(&text), None, &file, Some(&scheme)).expect("a table");
        assert_eq!((found.holds, &found.estimates[0]), (Some(true), estimate));
        // With a smaller share of the population in the table, its classes are too small.
        let larger = text.replace("k = 100", "k = 10000");
        assert_eq!(verify_table(&policy(&larger), None, &file, Some(&scheme)).expect("a table").holds, Some(false));
    }
    // A population that is smaller than the table.
    let (_place, outcome) = run(&declared("{ name = 'k-map', k = 5, population_size = 20 }", ""), &people(7));
    assert!(outcome.expect_err("too few").to_string().contains("population_size"));
}

/// The release of a table of one quasi-identifier `q` and one sensitive column `s`.
fn small(q: Vec<Option<&str>>, s: Vec<Option<&str>>, models: &str, more: &str) -> (Run, Result<Outcome, Error>) {
    let text = format!(
        "
        version = 1
        name = 's'
        [columns.q]
        role = 'quasi-identifier'
        [columns.s]
        role = 'sensitive'
        [[products]]
        name = 'p'
        kind = 'records'
        models = [{models}]
        {more}
        [gate]
        max_risk = 1.0
        attacks = []
        "
    );
    run(&text, &batch([("q", maybe_texts(q)), ("s", maybe_texts(s))]))
}

const DIVERSE: &str = "{ name = 'distinct-l-diversity', column = 's', l = 2 }";

#[test]
fn tables_at_the_edge() {
    let level = |outcome: &Outcome| outcome.product("p").and_then(|p| p.transformation.clone()).expect("levels");
    // All alike: no diversity to be had, whatever is generalized.
    let (_run, outcome) = small(vec![Some("a"); 9], vec![Some("x"); 9], DIVERSE, "");
    assert_eq!(outcome.expect_err("one value").exit_code(), 3);
    // The same with everything suppressed: an empty file keeps every promise, and counts nobody.
    let (_run, outcome) = small(vec![Some("a"); 9], vec![Some("x"); 9], DIVERSE, "suppression_limit = 1.0");
    let outcome = outcome.expect("an empty release");
    assert!(Written::of(&outcome, "p").rows.is_empty());
    assert_eq!((level(&outcome).suppressed_rows, outcome.product("p").expect("p").guarantees[0].achieved), (9, None));
    // All different.
    let names: Vec<String> = (0..300).map(|row| format!("v{row}")).collect();
    let (_run, outcome) =
        small(names.iter().map(|n| Some(n.as_str())).collect(), names.iter().map(|n| Some(n.as_str())).collect(), DIVERSE, "");
    let outcome = outcome.expect("everything is *");
    assert_eq!((level(&outcome).levels["q"], outcome.product("p").expect("p").guarantees[0].achieved), (1, Some(300.0)));
    // k over the number of rows.
    let many = "{ name = 'k-anonymity', k = 10 }";
    let (_run, outcome) = small(vec![Some("a"); 9], vec![None; 9], many, "");
    let error = outcome.expect_err("nine rows");
    assert!(error.exit_code() == 3 && error.to_string().contains("suppression_limit"), "{error}");
    // Only gaps: a missing value is a value.
    let (_run, outcome) = small(vec![None; 4], vec![None, None, None, Some("x")], DIVERSE, "");
    assert_eq!(outcome.expect("missing and x").product("p").expect("p").guarantees[0].achieved, Some(2.0));
    // No rows.
    let (_run, outcome) = small(Vec::new(), Vec::new(), DIVERSE, "");
    assert!(Written::of(&outcome.expect("nothing to protect"), "p").rows.is_empty());
}

#[test]
fn a_hierarchy_of_three_hundred_levels_is_searched() {
    // Pairs that differ in the last of 300 characters.
    let values: Vec<String> = ["xa", "xb", "ya", "yb"].iter().map(|end| format!("{}{end}", "n".repeat(298))).collect();
    let text = "
        version = 1
        name = 'deep'
        [columns.n]
        role = 'quasi-identifier'
        hierarchy = { mask = 'right' }
        [columns.s]
        role = 'sensitive'
        [[products]]
        name = 'p'
        kind = 'records'
        models = [{ name = 'distinct-l-diversity', column = 's', l = 2 }]
        [gate]
        max_risk = 1.0
        attacks = []
        ";
    let (_run, outcome) = run(text, &batch([("n", texts(values.iter().map(String::as_str))), ("s", texts(["x", "y", "x", "y"]))]));
    let outcome = outcome.expect("pairs of neighbours");
    assert_eq!(outcome.product("p").and_then(|p| p.transformation.clone()).expect("levels").levels["n"], 1);
}

fn owned(scope: &str, models: &str, rows: &[(&'static str, &'static str, &'static str)]) -> (Run, Result<Outcome, Error>) {
    let text = format!(
        "
        version = 1
        name = 'o'
        [subject]
        column = 'subject_id'
        pseudonym = {{ scope = '{scope}' }}
        [columns.q]
        role = 'quasi-identifier'
        [columns.s]
        role = 'sensitive'
        [[products]]
        name = 'p'
        kind = 'records'
        suppression_limit = 1.0
        models = [{models}]
        [gate]
        max_risk = 1.0
        attacks = []
        "
    );
    let column = |pick: fn(&(&'static str, &'static str, &'static str)) -> &'static str| texts(rows.iter().map(pick));
    run(&text, &batch([("subject_id", column(|r| r.0)), ("q", column(|r| r.1)), ("s", column(|r| r.2))]))
}

#[test]
fn one_person_with_every_row_of_a_class_makes_no_diversity() {
    // All rows of class a belong to one person, who has both values.
    let rows = [("anna", "a", "x"), ("anna", "a", "y"), ("ben", "b", "x"), ("cleo", "b", "y")];
    for scope in ["product", "none"] {
        let (_run, outcome) = owned(scope, DIVERSE, &rows);
        let outcome = outcome.expect("class b, or everything");
        let written = Written::of(&outcome, "p");
        let q = written.index("q");
        assert!(written.rows.iter().all(|row| row[q].as_deref() != Some("a")), "{scope}: {written:?}");
        let claim = &outcome.product("p").expect("p").guarantees[0];
        assert!(claim.holds && claim.achieved == Some(2.0), "{claim:?}");
        assert!(verify(&outcome.release, &[], None).expect("a release").holds);
    }
}

#[test]
fn what_tokens_join_is_no_statement_about_a_whole_person() {
    let rows = [("a", "1", "x"), ("a", "2", "y"), ("b", "1", "y"), ("b", "2", "x"), ("c", "1", "y"), ("d", "2", "y"), ("d", "2", "y")];
    let models = "{ name = 'distinct-l-diversity', column = 's', l = 2 }, { name = 'average-risk', threshold = 0.9 }";
    let units = |scope| {
        let (_run, outcome) = owned(scope, models, &rows);
        let outcome = outcome.expect("released");
        let product = outcome.product("p").expect("p").clone();
        (guarantee(&product, "distinct-l-diversity").unit, guarantee(&product, "average-risk").unit)
    };
    assert_eq!(units("product"), (Unit::SubjectPerRow, Unit::SubjectPerRow));
    assert_eq!(units("none"), (Unit::Value, Unit::SubjectPerRow));
    let one_each = [("a", "1", "x"), ("b", "1", "y"), ("c", "2", "y"), ("d", "2", "x")];
    let (_run, outcome) = owned("product", models, &one_each);
    let outcome = outcome.expect("released");
    assert_eq!(guarantee(outcome.product("p").expect("p"), "distinct-l-diversity").unit, Unit::Value);
}

#[test]
fn a_column_is_not_both_known_and_sensitive() {
    let text = declared("{ name = 'distinct-l-diversity', column = 'town', l = 2 }", "");
    let error = Policy::from_toml(&text).expect_err("town is known");
    assert!(error.exit_code() == 2 && error.to_string().contains("quasi-identifier"), "{error}");
    let text = declared("{ name = 't-closeness', column = 'mood', t = 0.2, distance = 'hierarchical' }", "");
    assert!(Policy::from_toml(&text).expect_err("no tree").to_string().contains("hierarchy"));
}

#[test]
fn formats_say_the_same_of_values_that_look_like_numbers() {
    // As text, 007 and 7 are two values; a CSV file shows one of them to whoever reads numbers. Missing and empty are one there, too.
    let events = batch([
        ("age", texts(["20", "20", "20", "31", "31", "31", "31", "20"])),
        ("town", texts(["Bonn"; 8])),
        ("mood", maybe_texts([Some("007"), Some("12"), Some("12"), Some("7"), Some("12"), Some("007"), Some(""), None])),
    ]);
    let text = declared("{ name = 't-closeness', column = 'mood', t = 0.6, distance = 'equal' }", "suppression_limit = 0.5");
    for format in [SinkFormat::Csv, SinkFormat::Parquet, SinkFormat::IpcFile] {
        let place = Run::new();
        write_parquet(&place.path("e.parquet"), &events);
        let outcome = Anonymizer::new(policy(&text)).input([place.path("e.parquet")]).output(place.out()).key(key()).format(format).run();
        let outcome = outcome.unwrap_or_else(|error| panic!("{format:?}: {error}"));
        assert!(outcome.product("p").expect("p").guarantees[0].holds);
    }
}

#[test]
fn a_heuristic_search_says_whether_it_proved_the_optimum() {
    let models = "{ name = 'k-anonymity', k = 6 }, { name = 'distinct-l-diversity', column = 'mood', l = 2 }";
    let value = |search: &str| {
        let (_run, outcome) = run(&declared(models, &format!("suppression_limit = 0.1\n{search}")), &people(11));
        let product = outcome.expect("released").product("p").expect("p").clone();
        (product.quality.expect("quality").value, product.search.expect("a search"))
    };
    let (best, search) = value("search = 'optimal'");
    assert!(search.optimal);
    let (found, search) = value("search = 'heuristic'\ntime_limit = 60");
    assert!(search.optimal && found == best, "with time enough the small lattice is searched");
    let (found, search) = value("search = 'heuristic'\ntime_limit = 1e-9");
    assert!(found.as_f64() >= best.as_f64() && (!search.optimal || found == best), "{search:?}");
    let (found, search) = value("search = 'fixed'\nlevels = { age = 2, town = 1 }");
    assert!(!search.optimal && found.as_f64() >= best.as_f64());
    let (ranked, _) = value("quality = { metric = 'loss', aggregate = 'rank' }");
    let list: Vec<f64> = ranked.as_array().expect("a list").iter().filter_map(serde_json::Value::as_f64).collect();
    assert!(list.len() == 2 && list[0] >= list[1], "{list:?}");
}

#[test]
fn the_steward_keeps_the_distribution_that_the_recipient_does_not_get() {
    let text = declared("{ name = 't-closeness', column = 'mood', t = 0.3, distance = 'ordered' }", "suppression_limit = 0.3");
    let (_run, outcome) = run(&text, &people(13));
    let outcome = outcome.expect("released");
    let read = |path: &Path| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path.join("transformation.json")).expect("a transformation")).expect("JSON")
    };
    let kept = &read(&outcome.steward)["products"]["p"];
    assert_eq!(kept["references"]["mood"]["people"], 300);
    let sum: u64 =
        kept["references"]["mood"]["values"].as_array().expect("pairs").iter().map(|pair| pair[1].as_u64().expect("a count")).sum();
    assert_eq!(sum, 300);
    assert!(!read(&outcome.release).to_string().contains("references"));
}

#[test]
fn item_support_and_diversity_hold_together() {
    let text = "
        version = 1
        name = 'both'
        [columns.town]
        role = 'quasi-identifier'
        [columns.artist]
        role = 'item'
        [columns.mood]
        role = 'sensitive'
        [[products]]
        name = 'p'
        kind = 'records'
        suppression_limit = 0.9
        item_support = { min_subjects = 3 }
        models = [{ name = 'k-anonymity', k = 2 }, { name = 'distinct-l-diversity', column = 'mood', l = 2 }, { name = 't-closeness', column = 'mood', t = 0.5, distance = 'ordered' }]
        [gate]
        max_risk = 1.0
        attacks = []
    ";
    let mut released = 0;
    for seed in 0..12 {
        let mut draws = Draws(seed);
        let mut column =
            |values: &[&'static str], rows: usize| -> Vec<&'static str> { (0..rows).map(|_| values[draws.below(values.len())]).collect() };
        let events = batch([
            ("town", texts(column(&["Aachen", "Bonn", "Calw", "Daun", "Essen"], 24))),
            ("artist", texts(column(&["a", "b", "c", "d", "e", "f"], 24))),
            ("mood", texts(column(&["calm", "sad", "wild"], 24))),
        ]);
        let (_run, outcome) = run(text, &events);
        let outcome = match outcome {
            Err(Error::NoSolution { .. }) => continue,
            other => other.unwrap_or_else(|error| panic!("{error}")),
        };
        let written = Written::of(&outcome, "p");
        let (town, mood) = (written.index("town"), written.index("mood"));
        assert!(written.rows_by_class(&["artist"]).values().all(|&rows| rows >= 3));
        let mut moods: BTreeMap<Option<String>, Vec<Option<String>>> = BTreeMap::new();
        for row in &written.rows {
            moods.entry(row[town].clone()).or_default().push(row[mood].clone());
        }
        assert!(moods.values().all(|moods| shares(moods).len() >= 2), "{moods:?}");
        let product = outcome.product("p").expect("p");
        assert!(product.guarantees.iter().all(|guarantee| guarantee.holds), "{:?}", product.guarantees);
        assert!(verify(&outcome.release, &[], None).expect("a release").holds);
        released += usize::from(!written.rows.is_empty());
    }
    assert!(released > 3, "{released} of 12 tables have rows left");
}
