//! The gate: what is refused stays unpublished, what is accepted says so first, and nothing can be rolled again.

use super::support::{Run, Written, batch, figures, files, policy, run, texts, times, write_parquet};
use arrow::array::RecordBatch;
use backmask::Error;
use backmask::keys::Key;
use backmask::policy::AttackName;
use backmask::release::Anonymizer;
use backmask::release::report::Report;
use std::path::Path;

const LOG: &str = "
    version = 1
    name = 'listening'
    subject = { column = 'subject_id' }
    columns = { artist_id = { role = 'item' } }
    [[products]]
    name = 'log'
    kind = 'records'
    EXTRA
    [gate]
    trials = 200
";

fn log(extra: &str) -> String {
    LOG.replace("EXTRA", extra)
}

/// Thirty people with ten artists each, mostly of their own.
fn listening() -> RecordBatch {
    let mut draws = super::support::Draws(1);
    let mut rows: Vec<(String, String)> = Vec::new();
    for person in 0..30 {
        for _ in 0..10 {
            rows.push((format!("person {person}"), format!("artist {}", draws.below(60))));
        }
    }
    batch([("subject_id", texts(rows.iter().map(|r| r.0.as_str()))), ("artist_id", texts(rows.iter().map(|r| r.1.as_str())))])
}

/// `people` persons in each of three classes.
fn classes(people: usize) -> RecordBatch {
    let rows: Vec<(String, &str)> = (0..people * 3).map(|i| (format!("person {i}"), ["a", "b", "c"][i % 3])).collect();
    batch([("subject_id", texts(rows.iter().map(|r| r.0.as_str()))), ("place", texts(rows.iter().map(|r| r.1)))])
}

const K: &str = "
    version = 1
    name = 'classes'
    [subject]
    column = 'subject_id'
    pseudonym = { scope = 'none' }
    [columns.place]
    role = 'quasi-identifier'
    levels = { max = 0 }
    [[products]]
    name = 'people'
    kind = 'records'
    models = [{ name = 'k-anonymity', k = 2 }]
";

#[test]
fn a_raw_log_is_refused_and_nothing_is_published() {
    let (run, outcome) = run(&log(""), &listening());
    let error = outcome.expect_err("ten artists are a fingerprint");
    assert_eq!(error.exit_code(), 3);
    assert!(matches!(&error, Error::Refused { reasons } if reasons.iter().any(|reason| reason.contains("known-items"))), "{error}");
    assert!(!error.to_string().contains("person 1") && !error.to_string().contains("artist 1"));
    assert!(!run.out().join("release").exists() && !run.out().join("steward").exists());
    // Only the steward's account of the refusal is left, and no product in it.
    let left: Vec<_> = files(&run.out()).iter().map(|f| f.file_name().expect("a name").to_string_lossy().into_owned()).collect();
    assert_eq!(left, ["refusals.jsonl", "report.html", "report.json"]);
}

#[test]
fn an_accepted_risk_is_the_first_line_of_both_reports() {
    let reason = "research enclave, contract 17";
    let (_run, outcome) = run(&log(&format!("accept_risk = '{reason}'")), &listening());
    let outcome = outcome.expect("the steward accepts it");
    for folder in [&outcome.release, &outcome.steward] {
        let json = std::fs::read_to_string(folder.join("report.json")).expect("a report");
        let lines: Vec<&str> = json.lines().take(3).collect();
        assert!(lines[1].contains("accepted_risks") && lines[2].contains(reason), "{lines:?}");
        let html = std::fs::read_to_string(folder.join("report.html")).expect("a page");
        let body = html.split("<body>").nth(1).expect("a body");
        let text: String = body.split('<').filter_map(|piece| piece.split_once('>')).map(|piece| piece.1).collect::<Vec<_>>().join(" ");
        let before = text.find(reason).map(|at| &text[..at]).expect("the reason");
        assert!(before.len() < 200, "the reason comes late: {before}");
    }
}

#[test]
fn a_small_k_is_refused_whatever_the_attacks_say() {
    for attacks in ["", "[gate]\nattacks = []"] {
        let text = format!("{K}{attacks}");
        let (_run, outcome) = run(&text, &classes(11));
        let error = outcome.expect_err("1/11 is more than 0.09");
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("1/11") && error.to_string().contains("raise k to 12"), "{error}");
        let (_run, outcome) = run(&text, &classes(12));
        assert_eq!(outcome.expect("1/12 is less").product("people").expect("the product").guarantees[0].achieved, Some(12.0));
    }
}

#[test]
fn a_report_without_attacks_says_so() {
    let text = log("").replace("trials = 200", "attacks = []");
    let (_run, outcome) = run(&text, &listening());
    let outcome = outcome.expect("nothing is measured, so nothing is refused");
    for folder in [&outcome.release, &outcome.steward] {
        let report = report(folder);
        assert_eq!(report.products[0].attacks.as_deref(), Some(&[][..]));
        let said = report.statements.iter().chain(&report.limits).any(|sentence| sentence.to_lowercase().contains("no attack"));
        assert!(said, "{:?} {:?}", report.statements, report.limits);
        let html = std::fs::read_to_string(folder.join("report.html")).expect("a page");
        assert!(html.to_lowercase().contains("no attack"), "the page does not say that no attack was run");
    }
}

fn report(folder: &Path) -> Report {
    serde_json::from_slice(&std::fs::read(folder.join("report.json")).expect("a report")).expect("a report")
}

#[test]
fn a_refused_run_cannot_be_rolled_again() {
    let run = Run::new();
    let path = run.path("events.parquet");
    write_parquet(&path, &listening());
    let mut seen = Vec::new();
    for round in 1..=3_u64 {
        // No key: another forgotten one every time.
        let error = Anonymizer::new(policy(&log(""))).input([&path]).output(run.out()).run().expect_err("refused");
        let report = report(&run.out().join("refused"));
        assert_eq!(report.refusals, Some(round));
        seen.push((error.to_string(), figures(report.products[0].attacks.as_ref()), report.products[0].unicity.clone()));
    }
    assert!(!seen[0].1.is_empty());
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "another verdict for the same inputs and policy");
    // A policy that passes tells how often the pool was refused before.
    let accepted = log("accept_risk = 'enclave'");
    let outcome = Anonymizer::new(policy(&accepted)).input([&path]).output(run.out()).run().expect("published");
    assert_eq!(outcome.report.refusals, Some(3));
    assert_eq!(report(&outcome.release).refusals, Some(3));
}

#[test]
fn choosing_people_and_rows_cannot_be_rolled_again_either() {
    // Who is set aside and which rows a cap keeps decide the figures too: with forgotten keys they are the same in every run.
    let text = log("max_events_per_subject = 4").replace("trials = 200", "trials = 200\ncontrol = 0.3");
    let run = Run::new();
    let path = run.path("events.parquet");
    write_parquet(&path, &listening());
    let once = |key: Option<Key>| {
        let made = Anonymizer::new(policy(&text)).input([&path]).output(run.out());
        let made = match key {
            Some(key) => made.key(key),
            None => made,
        };
        let error = made.run().expect_err("refused");
        let report = report(&run.out().join("refused"));
        (error.to_string(), figures(report.products[0].attacks.as_ref()), report.products[0].control_people)
    };
    let first = once(None);
    assert!(first.2.is_some_and(|people| people > 0));
    for _ in 0..3 {
        assert_eq!(once(None), first);
    }
    // A key that is given chooses by itself, so that any split of the input gives the same rows: the comparison above can fail.
    assert_ne!(once(Some(Key::from_bytes([3; 32]))), once(Some(Key::from_bytes([4; 32]))));
}

#[test]
fn figures_depend_on_inputs_and_policy_only() {
    let text = log("accept_risk = 'enclave'");
    let of = |batch: &RecordBatch, key: u8, threads: usize, rows: usize| {
        let run = Run::new();
        let path = run.path("events.parquet");
        write_parquet(&path, batch);
        let made = Anonymizer::new(policy(&text)).input([path]).output(run.out()).key(Key::from_bytes([key; 32]));
        let outcome = made.threads(threads).batch_rows(rows).run().expect("published");
        figures(outcome.report.products[0].attacks.as_ref())
    };
    let events = listening();
    let expected = of(&events, 1, 1, 8192);
    assert_eq!(of(&events, 2, 3, 7), expected);
    // Other bytes of the inputs are another seed; that the figures then differ shows that the comparison above can fail.
    let fewer = events.slice(0, 290);
    assert_ne!(of(&fewer, 1, 1, 8192), expected);
}

#[test]
fn people_set_aside_never_appear() {
    let artists: Vec<String> = (0..60).map(|person| format!("artist of {person:03}")).collect();
    let subjects: Vec<String> = (0..60).map(|person| format!("subject {person:03}")).collect();
    let events =
        batch([("subject_id", texts(subjects.iter().map(String::as_str))), ("artist_id", texts(artists.iter().map(String::as_str)))]);
    let text = log("accept_risk = 'enclave'").replace("trials = 200", "control = 0.4");
    let (_run, outcome) = run(&text, &events);
    let outcome = outcome.expect("published");
    let product = outcome.product("log").expect("the product");
    let aside = product.control_people.expect("a control group");
    let written = Written::of(&outcome, "log");
    assert!((10..=40).contains(&aside), "{aside}: false alarm below one in ten million");
    assert_eq!(written.rows.len() as u64 + aside, 60);
    let shown: std::collections::BTreeSet<_> = written.column("artist_id").into_iter().flatten().collect();
    for (artist, subject) in artists.iter().zip(&subjects) {
        if !shown.contains(artist) {
            for file in files(&outcome.release) {
                let bytes = super::bytes::decoded(&file);
                assert!(!super::bytes::contains(&bytes, artist.as_bytes()), "{} shows a person set aside", file.display());
                assert!(!super::bytes::contains(&bytes, subject.as_bytes()));
            }
        }
    }
    // The share is not told to the recipient, only that there is one.
    assert_eq!(report(&outcome.release).products[0].control_people, None);
}

#[test]
fn the_attack_on_values_sees_times() {
    // Everybody has another day: one known row names the person.
    let rows: Vec<(String, i64)> = (0..40).map(|i| (format!("person {i}"), i * 86_400_000)).collect();
    let events = batch([("subject_id", texts(rows.iter().map(|r| r.0.as_str()))), ("started_at", times(rows.iter().map(|r| Some(r.1))))]);
    let text = log("").replace("artist_id = { role = 'item' }", "started_at = { role = 'time' }");
    let (_run, outcome) = run(&text, &events);
    let error = outcome.expect_err("every row is unique");
    assert!(error.to_string().contains(AttackName::KnownValues.name()), "{error}");
}

#[test]
fn a_person_is_set_aside_in_both_tables_whatever_the_type_of_the_name() {
    let run = Run::new();
    let text = "
        version = 1
        name = 'both'
        subject = { column = 'user' }
        columns = { number = { role = 'other' } }
        gate = { control = 0.5, attacks = [] }
        [[products]]
        name = 'log'
        kind = 'records'
        columns = ['number']
        [[products]]
        name = 'people'
        kind = 'records'
        source = 'profiles'
        columns = ['number']
    ";
    let names: Vec<String> = (0..60).map(|i| i.to_string()).collect();
    let events = batch([("user", texts(names.iter().map(String::as_str))), ("number", super::support::numbers(0..60))]);
    let profiles = batch([("user", super::support::numbers(0..60)), ("number", super::support::numbers(0..60))]);
    let outcome = run.both(text, &events, &profiles).expect("published");
    let shown = |product: &str| Written::of(&outcome, product).sorted();
    assert!((5..=55).contains(&shown("log").len()), "one half, false alarm below one in 10⁹");
    assert_eq!(shown("log"), shown("people"), "somebody was set aside in one table and released in the other");
}
