//! What several rows of a person tell together, what an order tells, and what can be checked with the pool.

use super::support::{Run, batch, key, numbers, run, texts, times};
use arrow::array::RecordBatch;
use backmask::Error;
use backmask::policy::AttackName;
use backmask::release::report::Verified;
use backmask::release::verify;

const DAY: i64 = 86_400_000;

/// 100 people with ten days each: single days are shared by many, several days by nobody.
fn days() -> RecordBatch {
    let pairs: Vec<(usize, i64)> = (0..100_usize)
        .flat_map(|person| (0..10_i64).map(move |k| (person, (k * 17 + k * k * i64::try_from(person).unwrap_or(0)) % 101)))
        .collect();
    let names: Vec<String> = pairs.iter().map(|(person, _)| format!("person {person}")).collect();
    batch([("user", texts(names.iter().map(String::as_str))), ("at", times(pairs.iter().map(|&(_, day)| Some(day * DAY + 3_600_000))))])
}

const LINKED: &str = r#"
version = 1
name = "days"
[subject]
column = "user"
[columns.at]
role = "time"
treatment = { truncate = "day" }
[[products]]
name = "log"
kind = "records"
"#;

#[test]
fn several_days_of_a_person_are_known_like_several_items() {
    let (run, outcome) = run(LINKED, &days());
    let Err(Error::Refused { reasons }) = outcome else { panic!("a log whose days single people out was published") };
    assert!(reasons.iter().any(|reason| reason.contains("known-values")), "{reasons:?}");
    assert!(!run.out().join("release").exists());
    // The attack that knows one row only, which is all that was run once, would have let it pass.
    let accepted = format!("{LINKED}accept_risk = \"test\"\n");
    let (_run, outcome) = super::support::run(&accepted, &days());
    let report = outcome.expect("published with a reason").report;
    let attacks: Vec<_> = report.products[0].attacks.iter().flatten().filter(|attack| attack.name == AttackName::KnownValues).collect();
    let one_row = attacks.iter().find(|attack| !attack.combinations.is_empty()).expect("one row known");
    assert!(one_row.gate_value.unwrap_or(1.0) < 0.09, "{one_row:?}");
    let four = attacks.iter().find(|attack| attack.known == Some(4)).expect("four rows known");
    assert!(four.rate.unwrap_or(0.0) > 0.5, "{four:?}");
}

#[test]
fn a_repeated_identifier_without_a_subject_is_refused() {
    let text = r#"
version = 1
name = "no-subject"
[columns.user]
role = "identifier"
treatment = { pseudonym = { method = "blake3" } }
[columns.at]
role = "time"
treatment = "drop"
[[products]]
name = "log"
kind = "records"
"#;
    let (_run, outcome) = run(text, &days());
    let error = outcome.expect_err("rows are not people here");
    assert_eq!(error.exit_code(), 2);
    assert!(error.to_string().contains("[subject]"), "{error}");
}

#[test]
fn an_order_by_time_tells_no_more_than_the_released_time() {
    // One person, thirty plays in January in a known order.
    let tracks: Vec<String> = (0..30).map(|i| format!("track {i:02}")).collect();
    let events = batch([
        ("user", texts(std::iter::repeat_n("a", 30))),
        ("at", times((0..30).map(|i| Some(i * DAY / 2)))),
        ("track", texts(tracks.iter().map(String::as_str))),
        ("n", numbers(0..30)),
    ]);
    let text = |treatment: &str| {
        format!(
            "version = 1\nname = \"order\"\n[subject]\ncolumn = \"user\"\n[columns.at]\nrole = \"time\"\ntreatment = {treatment}\n[columns.track]\nrole = \"other\"\n[columns.n]\nrole = \"other\"\n\
             treatment = \"drop\"\n[[products]]\nname = \"log\"\nkind = \"records\"\norder = \"subject-time\"\naccept_risk = \"test\"\n[gate]\nattacks = []\n"
        )
    };
    let order = |treatment: &str| -> Vec<String> {
        let (_run, outcome) = run(&text(treatment), &events);
        let written = super::support::Written::of(&outcome.expect("published"), "log");
        let track = written.columns.iter().position(|name| name == "track").expect("the column");
        written.rows.into_iter().map(|row| row[track].clone().unwrap_or_default()).collect()
    };
    assert_eq!(order("\"keep\""), tracks, "exact times are released, and so is their order");
    assert_ne!(order("{ truncate = \"month\" }"), tracks, "within a month the order is random: by chance alone once in 30!");
}

const PEOPLE: &str = r#"
version = 1
name = "people"
[subject]
column = "user"
[columns.country]
role = "quasi-identifier"
[[products]]
name = "people"
kind = "records"
columns = ["country"]
models = [{ name = "k-anonymity", k = 12 }]
"#;

#[test]
fn with_the_pool_and_the_key_people_are_counted_where_no_token_tells_them_apart() {
    let names: Vec<String> = (0..60).map(|i| format!("u{i}")).collect();
    let countries = (0..60).map(|i| if i % 2 == 0 { "DE" } else { "FR" });
    let table = batch([("user", texts(names.iter().map(String::as_str))), ("country", texts(countries))]);
    let run = Run::new();
    let outcome = run.events(PEOPLE, &table).expect("published");
    let alone = verify(&outcome.release, &[], None).expect("readable");
    assert!(alone.holds && alone.checks.iter().any(|check| check.holds.is_none() && check.statement.starts_with("k-anonymity")));
    let original = [run.path("events.parquet")];
    let with_pool = verify(&outcome.release, &original, Some(&key())).expect("readable");
    assert!(with_pool.holds, "{:?}", with_pool.checks);
    let counted = with_pool.checks.iter().find(|check| check.statement.starts_with("k-anonymity")).expect("a check");
    assert_eq!((counted.holds, counted.verified), (Some(true), Verified::ReleaseAndPool));
    assert!(with_pool.checks.iter().all(|check| check.holds == Some(true)), "{:?}", with_pool.checks);
    // Another key makes another file: that is found.
    let other = verify(&outcome.release, &original, Some(&backmask::keys::Key::from_bytes([1; 32]))).expect("readable");
    assert!(!other.holds);
}

#[test]
fn an_output_inside_an_input_folder_is_refused() {
    let run = Run::new();
    let folder = run.path("pool");
    std::fs::create_dir(&folder).expect("a folder");
    super::support::write_parquet(&folder.join("events.parquet"), &batch([("user", texts(["a", "b"])), ("artist", texts(["x", "x"]))]));
    let text = "version = 1\nname = \"n\"\n[subject]\ncolumn = \"user\"\n[columns.artist]\nrole = \"item\"\n[[products]]\nname = \"log\"\nkind = \"records\"\n[gate]\nattacks = []\n";
    let job = |output: std::path::PathBuf| {
        backmask::release::Anonymizer::new(super::support::policy(text)).input([folder.clone()]).output(output).key(key()).run()
    };
    let error = job(folder.join("deep/out")).expect_err("the next run would read it");
    assert_eq!(error.exit_code(), 2, "{error}");
    assert!(!folder.join("deep").exists());
    job(run.out()).expect("a folder beside the input is fine");
}

#[test]
fn a_search_without_solution_is_logged_as_a_refusal_too() {
    let names: Vec<String> = (0..6).map(|i| format!("u{i}")).collect();
    let table = batch([("user", texts(names.iter().map(String::as_str))), ("country", texts(["DE", "FR", "IT", "ES", "PL", "SE"]))]);
    let run = Run::new();
    let error = run.events(PEOPLE, &table).expect_err("six people are no twelve");
    assert_eq!(error.exit_code(), 3, "{error}");
    let log = std::fs::read_to_string(run.out().join("refusals.jsonl")).expect("a log");
    assert_eq!(log.lines().count(), 1);
    assert!(!log.contains("SE\"") && !run.out().join("release").exists());
}
