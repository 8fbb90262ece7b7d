//! Random pools under random policies: whatever is published keeps its promises, recounted from the file and the pool by row numbers.

use super::support::{Row, Run, Written, batch, maybe_texts, texts};
use arrow::array::{ArrayRef, Int64Array};
use backmask::Error;
use backmask::release::report::Unit;
use backmask::release::{Outcome, verify};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

#[derive(Debug, Clone)]
struct Event {
    person: Option<usize>,
    track: Option<usize>,
    artist: Option<usize>,
    place: Option<usize>,
    age: Option<i64>,
}

#[derive(Debug, Clone)]
#[expect(clippy::struct_excessive_bools, reason = "each is one switch of the policy")]
struct Wish {
    k: usize,
    min_subjects: usize,
    cap: Option<usize>,
    generalize: bool,
    token: bool,
    support: bool,
    deep: bool,
    threads: usize,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let option = |n: usize| prop_oneof![6 => (0..n).prop_map(Some), 1 => Just(None)];
    let person = prop_oneof![20 => (0_usize..9).prop_map(Some), 4 => Just(Some(0)), 1 => Just(None)];
    let age = prop_oneof![5 => (15_i64..40).prop_map(Some), 1 => Just(None)];
    let event = (person, option(5), option(3), option(2), age).prop_map(|(person, track, artist, place, age)| Event {
        person,
        track,
        artist,
        place,
        age,
    });
    proptest::collection::vec(event, 0..90)
}

fn wish() -> impl Strategy<Value = Wish> {
    let flags = (any::<bool>(), any::<bool>(), prop_oneof![3 => Just(true), 1 => Just(false)], any::<bool>());
    (2_usize..5, 2_usize..5, proptest::option::of(1_usize..9), flags, 1_usize..4).prop_map(
        |(k, min_subjects, cap, (generalize, token, support, deep), threads)| Wish {
            k,
            min_subjects,
            cap,
            generalize,
            token,
            support,
            deep,
            threads,
        },
    )
}

fn policy(wish: &Wish) -> String {
    let scope = if wish.token { "product" } else { "none" };
    let otherwise = if wish.generalize { "generalize" } else { "suppress" };
    let support = if wish.support {
        format!("item_support = {{ min_subjects = {}, otherwise = '{otherwise}' }}", wish.min_subjects)
    } else {
        String::new()
    };
    let cap = wish.cap.map_or_else(String::new, |cap| format!("max_events_per_subject = {cap}"));
    let levels = if wish.deep { "levels = { min = 1 }" } else { "" };
    format!(
        "
        version = 1
        name = 'random'
        [subject]
        column = 'user'
        pseudonym = {{ scope = '{scope}' }}
        [columns.row]
        role = 'other'
        [columns.track]
        role = 'item'
        generalize_to = 'artist'
        [columns.artist]
        role = 'item'
        [columns.place]
        role = 'quasi-identifier'
        [columns.age]
        role = 'quasi-identifier'
        hierarchy = {{ intervals = [5, 10] }}
        {levels}
        [[products]]
        name = 'log'
        kind = 'records'
        {support}
        {cap}
        models = [{{ name = 'k-anonymity', k = {} }}]
        suppression_limit = 1.0
        accept_risk = 'a test'
        [gate]
        attacks = []
        ",
        wish.k
    )
}

fn table(events: &[Event]) -> arrow::array::RecordBatch {
    let text = |letter: &str, values: Vec<Option<usize>>| -> ArrayRef {
        let values: Vec<Option<String>> = values.into_iter().map(|v| v.map(|v| format!("{letter}{v}"))).collect();
        maybe_texts(values.iter().map(Option::as_deref))
    };
    let rows: Vec<String> = (0..events.len()).map(|row| format!("r{row}")).collect();
    let age: ArrayRef = Arc::new(events.iter().map(|e| e.age).collect::<Int64Array>());
    batch([
        ("user", text("u", events.iter().map(|e| e.person).collect())),
        ("row", texts(rows.iter().map(String::as_str))),
        ("track", text("t", events.iter().map(|e| e.track).collect())),
        ("artist", text("a", events.iter().map(|e| e.artist).collect())),
        ("place", text("p", events.iter().map(|e| e.place).collect())),
        ("age", age),
    ])
}

/// What the released value of a quasi-identifier must be.
fn check_generalized(shown: Option<&str>, raw: Option<String>, level: usize, highest: usize) -> Result<(), TestCaseError> {
    if level == highest && level > 0 {
        prop_assert_eq!(shown, Some("*"));
    } else if level == 0 {
        prop_assert_eq!(shown.map(str::to_owned), raw);
    } else {
        match (shown, raw) {
            (Some(label), Some(raw)) => {
                let (low, high) = label.trim_start_matches('[').trim_end_matches(')').split_once(", ").expect("an interval");
                let (low, high): (i64, i64) = (low.parse().expect("a number"), high.parse().expect("a number"));
                let raw: i64 = raw.parse().expect("a number");
                prop_assert!(low <= raw && raw < high && low % (high - low) == 0, "{} in {}", raw, label);
                prop_assert_eq!(high - low, [5, 10][level - 1]);
            }
            (label, raw) => prop_assert_eq!(label.is_none(), raw.is_none(), "a missing value stays missing below the top"),
        }
    }
    Ok(())
}

/// Number of rows that the steward's notes give for a reason.
fn noted(outcome: &Outcome, words: &str) -> usize {
    let notes = &outcome.report.products[0].steward_notes;
    notes.iter().find(|note| note.contains(words)).map_or(0, |note| note.split(' ').next().and_then(|n| n.parse().ok()).expect("a count"))
}

/// Place and age as they are shown.
type Class<'a> = (Option<&'a str>, Option<&'a str>);

#[derive(Default)]
struct Seen {
    released: Cell<usize>,
    hidden: Cell<usize>,
    capped: Cell<usize>,
    unsupported: Cell<usize>,
    outliers: Cell<usize>,
    whole_people: Cell<usize>,
    per_row: Cell<usize>,
    /// Cases in which a check that counts rows would have let a class or an item pass that a count of people holds back.
    broken_would_pass: Cell<usize>,
}

fn add(cell: &Cell<usize>, count: usize) {
    cell.set(cell.get() + count);
}

#[expect(clippy::too_many_lines, reason = "one promise after the other")]
fn check(events: &[Event], wish: &Wish, seen: &Seen) -> Result<(), TestCaseError> {
    let run = Run::new();
    super::support::write_parquet(&run.path("events.parquet"), &table(events));
    let made = backmask::release::Anonymizer::new(super::support::policy(&policy(wish)));
    let outcome = match made.input([run.path("events.parquet")]).output(run.out()).key(super::support::key()).threads(wish.threads).run() {
        Ok(outcome) => outcome,
        // Only levels.min can make the empty table impossible to release.
        Err(error @ (Error::NoSolution { .. } | Error::Refused { .. })) => return Err(TestCaseError::fail(error.to_string())),
        Err(error) => return Err(TestCaseError::fail(format!("an error of the input: {error}"))),
    };
    let product = &outcome.report.products[0];
    let written = Written::of(&outcome, "log");
    let transformation = product.transformation.as_ref().expect("a transformation");
    let event = |row: &Row| -> usize { row[written.index("row")].as_deref().expect("a row number")[1..].parse().expect("a number") };

    // No row is invented, none is doubled, and each is the treatment of its input.
    let numbers: Vec<usize> = written.rows.iter().map(event).collect();
    prop_assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), numbers.len());
    let mut tokens: BTreeMap<usize, String> = BTreeMap::new();
    for (row, &number) in written.rows.iter().zip(&numbers) {
        let raw = &events[number];
        let person = raw.person.expect("rows of nobody are not released");
        if wish.token {
            let token = row[written.index("token")].clone().expect("a token");
            prop_assert_eq!(tokens.entry(person).or_insert_with(|| token.clone()), &token);
        }
        let value = |name: &str| row[written.index(name)].as_deref();
        let label = |letter: &str, value: Option<usize>| value.map(|v| format!("{letter}{v}"));
        prop_assert_eq!(value("artist").map(str::to_owned), label("a", raw.artist));
        if value("track").map(str::to_owned) != label("t", raw.track) {
            prop_assert!(value("track").is_none() && wish.generalize && wish.support, "a track may only be hidden");
            add(&seen.hidden, 1);
        }
        for (name, raw) in [("place", label("p", raw.place)), ("age", raw.age.map(|v| v.to_string()))] {
            let column = product.columns.iter().find(|c| c.name == name).expect("a column");
            let (level, highest) = (column.level.unwrap_or(0), column.highest.unwrap_or(1));
            prop_assert_eq!(transformation.levels.get(name).copied(), column.level);
            check_generalized(value(name), raw, level, highest)?;
        }
    }
    if wish.token {
        prop_assert_eq!(tokens.values().collect::<BTreeSet<_>>().len(), tokens.len(), "two people share a token");
    } else {
        prop_assert!(!written.columns.contains(&"token".to_owned()));
    }

    // Every row is accounted for.
    let nobody = events.iter().filter(|e| e.person.is_none()).count();
    let (capped, unsupported, outliers) =
        (noted(&outcome, "cap"), noted(&outcome, "share their item"), noted(&outcome, "a model does not hold"));
    prop_assert_eq!(noted(&outcome, "name no person"), nobody);
    prop_assert_eq!(events.len(), written.rows.len() + nobody + capped + unsupported + outliers);
    prop_assert_eq!(transformation.suppressed_rows, (unsupported + outliers) as u64);
    prop_assert_eq!(product.rows, written.rows.len() as u64);
    let owner = |number: usize| events[number].person.expect("a person");
    let people: BTreeSet<usize> = numbers.iter().map(|&n| owner(n)).collect();
    prop_assert_eq!(product.subjects, Some(people.len() as u64));

    // The cap, as exactly as it can be: people below it lose nothing to it.
    let mut own: HashMap<usize, (usize, usize)> = HashMap::new();
    for person in events.iter().filter_map(|e| e.person) {
        own.entry(person).or_default().0 += 1;
    }
    for &number in &numbers {
        own.entry(owner(number)).or_default().1 += 1;
    }
    let over: usize = wish.cap.map_or(0, |cap| own.values().map(|(before, _)| before.saturating_sub(cap)).sum());
    prop_assert_eq!(capped, over);
    prop_assert!(own.values().all(|&(_, after)| wish.cap.is_none_or(|cap| after <= cap)));

    // Classes, in people of the pool.
    let mut classes: BTreeMap<(Option<&str>, Option<&str>), Vec<usize>> = BTreeMap::new();
    for (row, &number) in written.rows.iter().zip(&numbers) {
        classes.entry((row[written.index("place")].as_deref(), row[written.index("age")].as_deref())).or_default().push(owner(number));
    }
    for owners in classes.values() {
        let people: BTreeSet<_> = owners.iter().collect();
        prop_assert!(people.len() >= wish.k, "{} people in a class of {} rows, k = {}", people.len(), owners.len(), wish.k);
        if !wish.token {
            let most = people.iter().map(|person| owners.iter().filter(|owner| owner == person).count()).max().unwrap_or(0);
            prop_assert!(most * wish.k <= owners.len(), "one person owns {} of {} rows, k = {}", most, owners.len(), wish.k);
        }
    }
    prop_assert_eq!(transformation.equivalence_classes, classes.len() as u64);

    // Items, in people of the pool.
    if wish.support {
        let mut items: BTreeMap<(Option<&str>, Option<&str>), BTreeSet<usize>> = BTreeMap::new();
        for (row, &number) in written.rows.iter().zip(&numbers) {
            let (track, artist) = (row[written.index("track")].as_deref(), row[written.index("artist")].as_deref());
            prop_assert!(track.is_some() || artist.is_some(), "a row without any item has no support");
            items.entry((track, artist)).or_default().insert(owner(number));
        }
        for (item, people) in &items {
            prop_assert!(people.len() >= wish.min_subjects, "{:?} has {} people, {} are asked for", item, people.len(), wish.min_subjects);
        }
    }

    // The claim: people as a whole only where whole multisets are shared, or nothing links rows.
    let claim = product.guarantees.iter().find(|g| g.model == "k-anonymity").expect("the claim");
    prop_assert!(claim.holds);
    if wish.token && !written.rows.is_empty() {
        let mut visits: BTreeMap<usize, Vec<Class<'_>>> = BTreeMap::new();
        for (row, &number) in written.rows.iter().zip(&numbers) {
            visits.entry(owner(number)).or_default().push((row[written.index("place")].as_deref(), row[written.index("age")].as_deref()));
        }
        let mut shared: BTreeMap<Vec<Class<'_>>, usize> = BTreeMap::new();
        for mut visits in visits.into_values() {
            visits.sort_unstable();
            *shared.entry(visits).or_default() += 1;
        }
        let rarest = shared.values().copied().min().unwrap_or(0);
        if claim.unit == Unit::Subject {
            prop_assert!(rarest >= wish.k, "k = {} is claimed, the rarest multiset has {}", wish.k, rarest);
            prop_assert_eq!(claim.achieved, Some(f64::from(u32::try_from(rarest).expect("small"))));
            add(&seen.whole_people, 1);
        } else {
            prop_assert!(rarest < wish.k);
            prop_assert_eq!(product.k(), None);
            add(&seen.per_row, 1);
        }
    }
    let verification = verify(&outcome.release, &[], None).expect("a release");
    let wrong: Vec<_> = verification.checks.iter().filter(|check| check.holds == Some(false)).collect();
    prop_assert!(verification.holds, "{:?}", wrong);

    add(&seen.released, written.rows.len());
    add(&seen.capped, capped);
    add(&seen.unsupported, unsupported);
    add(&seen.outliers, outliers);
    let mut rows: HashMap<_, (usize, BTreeSet<usize>)> = HashMap::new();
    for event in events {
        if let Some(person) = event.person {
            let class = rows.entry((event.place, event.age.map(|age| age / 5))).or_default();
            class.0 += 1;
            class.1.insert(person);
        }
    }
    add(&seen.broken_would_pass, usize::from(rows.values().any(|(rows, people)| *rows >= wish.k && people.len() < wish.k)));
    Ok(())
}

#[test]
fn whatever_is_published_keeps_its_promises() {
    let seen = Seen::default();
    // A fixed seed: the same cases everywhere.
    let mut runner = TestRunner::new_with_rng(
        Config { cases: 120, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &[7; 32]),
    );
    runner.run(&(events(), wish()), |(events, wish)| check(&events, &wish, &seen)).unwrap_or_else(|error| panic!("{error}"));
    for (what, cell) in [
        ("released", &seen.released),
        ("hidden", &seen.hidden),
        ("capped", &seen.capped),
        ("unsupported", &seen.unsupported),
        ("outliers", &seen.outliers),
        ("claims for people", &seen.whole_people),
        ("claims a row", &seen.per_row),
        ("cases in which counting rows is wrong", &seen.broken_would_pass),
    ] {
        assert!(cell.get() > 0, "no case with {what}: the test shows nothing about it");
    }
}

#[test]
fn support_and_classes_hold_together() {
    // Suppressing a class takes support from an item; suppressing the item empties another class: one round is not enough.
    let text = policy(&Wish { k: 3, min_subjects: 3, cap: None, generalize: false, token: true, support: true, deep: false, threads: 1 })
        .replace("hierarchy = { intervals = [5, 10] }", "levels = { max = 0 }")
        .replace(
            "role = 'quasi-identifier'\n        [columns.age]",
            "role = 'quasi-identifier'\n        levels = { max = 0 }\n        [columns.age]",
        );
    let mut events = Vec::new();
    let mut add = |person: usize, item: usize, place: usize| {
        events.push(Event { person: Some(person), track: Some(item), artist: Some(0), place: Some(place), age: Some(20) });
    };
    // Class 0 has two people: it falls, and item 0 loses two of its four people; then class 1, which lives on item 0, falls too.
    for person in [0, 1] {
        add(person, 0, 0);
    }
    for person in [2, 3] {
        add(person, 0, 1);
    }
    add(4, 1, 1);
    for person in [5, 6, 7] {
        add(person, 1, 2);
    }
    let (_run, outcome) = super::support::run(&text, &table(&events));
    let outcome = outcome.expect("published");
    let written = Written::of(&outcome, "log");
    assert_eq!(written.rows.len(), 3);
    assert!(written.column("place").iter().all(|place| place.as_deref() == Some("p2")));
    // One round alone, support and then classes, would have released class 1.
    let after_one_round: Vec<_> = events.iter().filter(|e| e.place != Some(0)).collect();
    let class = after_one_round.iter().filter(|e| e.place == Some(1)).filter_map(|e| e.person).collect::<BTreeSet<_>>();
    let item = after_one_round.iter().filter(|e| e.track == Some(0)).filter_map(|e| e.person).collect::<BTreeSet<_>>();
    assert!(class.len() >= 3 && item.len() < 3);
}
