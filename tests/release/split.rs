//! Tokens by period and session: tokens are not people, and nothing joins them.

use super::support::{Draws, Run, Written, batch, guarantee, key, policy, run, texts, times, write_parquet};
use arrow::array::RecordBatch;
use backmask::policy::AttackName;
use backmask::release::report::{Attack, Unit, Verified};
use backmask::release::{Anonymizer, Outcome, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;

const POLICY: &str = "
    version = 1
    name = 'split'
    [subject]
    column = 'subject_id'
    pseudonym = { PSEUDONYM }
    [columns]
    artist = { role = 'item' }
    started_at = { role = 'time', treatment = 'TREATMENT' }
    row = { role = 'other' }
    [[products]]
    name = 'log'
    kind = 'records'
    accept_risk = 'enclave'
    PRODUCT
    [gate]
    trials = 100
    known_items = [1, 2]
";

fn policy_text(pseudonym: &str, product: &str) -> String {
    POLICY.replace("PSEUDONYM", pseudonym).replace("PRODUCT", product).replace("TREATMENT", "keep")
}

/// (person, time, artist); every row is numbered, so that the test can find it again.
fn table(rows: &[(String, Option<i64>, String)]) -> RecordBatch {
    let numbers: Vec<String> = (0..rows.len()).map(|row| format!("r{row}")).collect();
    batch([
        ("subject_id", texts(rows.iter().map(|row| row.0.as_str()))),
        ("started_at", times(rows.iter().map(|row| row.1))),
        ("artist", texts(rows.iter().map(|row| row.2.as_str()))),
        ("row", texts(numbers.iter().map(String::as_str))),
    ])
}

fn pool() -> Vec<(String, Option<i64>, String)> {
    let mut draws = Draws(5);
    (0..1500)
        .map(|_| {
            let person = format!("p{}", draws.below(60));
            let minute = i64::try_from(draws.below(60 * 24 * 60)).expect("small");
            (person, (draws.below(15) > 0).then_some(minute * MINUTE - 30 * DAY), format!("a{}", draws.below(40)))
        })
        .collect()
}

/// The unit of every row, by another algorithm: whole histories, sorted.
fn units(rows: &[(String, Option<i64>, String)], scope: &str) -> Vec<Option<(String, i64)>> {
    let period = |time: i64| match scope {
        "day" => Some(time.div_euclid(DAY)),
        // 1970-01-01 was a Thursday.
        "week" => Some((time.div_euclid(DAY) + 3).div_euclid(7)),
        "days" => Some(time.div_euclid(DAY).div_euclid(10)),
        _ => None,
    };
    let gap = 45 * MINUTE;
    rows.iter()
        .map(|(person, time, _)| {
            let time = (*time)?;
            if let Some(period) = period(time) {
                return Some((person.clone(), period));
            }
            let mut own: Vec<i64> = rows.iter().filter(|row| row.0 == *person).filter_map(|row| row.1).collect();
            own.sort_unstable();
            let mut place = own.partition_point(|&other| other < time);
            while place > 0 && own[place] - own[place - 1] <= gap {
                place -= 1;
            }
            Some((person.clone(), own[place]))
        })
        .collect()
}

const SCOPES: [(&str, &str); 4] = [
    ("day", "scope = 'period', period = 'day'"),
    ("week", "scope = 'period', period = 'week', method = 'hmac-sha256'"),
    ("days", "scope = 'period', period = { days = 10 }, method = 'aes-siv'"),
    ("session", "scope = 'session', session_gap = 45"),
];

/// Number of the input row of every written row, and its token.
fn written_tokens(written: &Written) -> Vec<(usize, Option<String>)> {
    let number = |text: Option<String>| text.expect("a row").trim_start_matches('r').parse().expect("a number");
    written.column("row").into_iter().map(number).zip(written.column("token")).collect()
}

#[test]
fn one_token_a_unit_and_none_without_a_time() {
    let rows = pool();
    for (scope, pseudonym) in SCOPES {
        let (_run, outcome) = run(&policy_text(pseudonym, ""), &table(&rows));
        let outcome = outcome.unwrap_or_else(|error| panic!("{scope}: {error}"));
        let expected = units(&rows, scope);
        let mut token_of = BTreeMap::new();
        let mut unit_of = BTreeMap::new();
        for (row, token) in written_tokens(&Written::of(&outcome, "log")) {
            assert_eq!(token.is_some(), expected[row].is_some(), "{scope}: a row has a token if it has a time");
            let (Some(token), Some(unit)) = (token, expected[row].clone()) else { continue };
            assert_eq!(*token_of.entry(unit.clone()).or_insert(token.clone()), token, "{scope}: {unit:?}");
            assert_eq!(*unit_of.entry(token).or_insert(unit.clone()), unit, "{scope}");
        }
        let product = outcome.product("log").expect("the product");
        assert_eq!(product.rows, 1500);
        assert_eq!(product.subjects, Some(60), "{scope}: people, not tokens");
        assert!(token_of.len() > 120, "{scope}: {} tokens", token_of.len());
        let stated = &outcome.report.pseudonyms[0];
        assert_eq!(stated.distinct, Some(token_of.len() as u64));
        let verification = verify(&outcome.release, &[], None).expect("a release");
        assert!(verification.holds, "{scope}: {:?}", verification.checks.iter().filter(|c| c.holds == Some(false)).collect::<Vec<_>>());
        let people = verification.checks.iter().find(|check| check.statement == "holds 60 people").expect("a check");
        assert_eq!(people.holds, None, "{scope}: the file cannot tell");
        // The same in a table of text, where a missing token is an empty field.
        let csv = Run::new();
        let path = csv.path("events.parquet");
        write_parquet(&path, &table(&rows));
        let job = Anonymizer::new(policy(&policy_text(pseudonym, ""))).input([&path]).output(csv.out()).key(key());
        let text = job.format(backmask::io::SinkFormat::Csv).run().expect("published");
        let stated = &text.report.pseudonyms[0];
        assert_eq!(stated.distinct, Some(token_of.len() as u64));
        let checks = verify(&text.release, &[path], Some(&key())).expect("a release").checks;
        assert!(checks.iter().all(|check| check.holds != Some(false)), "{scope}: {checks:?}");
        let periods = checks.iter().find(|check| check.statement == "no token is in two periods");
        assert_eq!(periods.map(|check| check.holds), (scope != "session").then_some(Some(true)), "{scope}");
    }
}

#[test]
fn verify_counts_people_with_the_pool() {
    let rows = pool();
    for (scope, pseudonym) in [SCOPES[0], SCOPES[3]] {
        let text = policy_text(pseudonym, "item_support = { min_subjects = 12, otherwise = 'suppress' }");
        let (run, outcome) = run(&text, &table(&rows));
        let outcome = outcome.expect("published");
        let key = key();
        let verification = verify(&outcome.release, &[run.path("events.parquet")], Some(&key)).expect("a release");
        assert!(verification.holds, "{scope}: {:?}", verification.checks.iter().filter(|c| c.holds == Some(false)).collect::<Vec<_>>());
        for beginning in ["holds 60 people", "item-support"] {
            let check = verification.checks.iter().find(|check| check.statement.starts_with(beginning)).expect("a check");
            assert_eq!((check.holds, check.verified), (Some(true), Verified::ReleaseAndPool), "{scope}: {check:?}");
        }
        // With another key neither the bytes nor the commitment are these.
        let other = backmask::keys::Key::from_bytes([1; 32]);
        assert!(!verify(&outcome.release, &[run.path("events.parquet")], Some(&other)).expect("a release").holds);
    }
}

/// One person with a thousand days of a song that nobody else has, and thirty people with one day of common songs.
fn thousand() -> Vec<(String, Option<i64>, String)> {
    let mut rows = Vec::new();
    for day in 0..1000 {
        rows.extend(["rare", "common"].map(|artist| ("ann".to_owned(), Some(day * DAY), artist.to_owned())));
    }
    for person in 0..30 {
        for artist in ["common", "other"] {
            rows.push((format!("p{person}"), Some(person * DAY), artist.to_owned()));
        }
    }
    rows
}

#[test]
fn a_person_with_a_thousand_tokens_supports_no_item_alone() {
    for pseudonym in ["scope = 'period', period = 'day'", "scope = 'session', session_gap = 30"] {
        let product = "item_support = { min_subjects = 20, otherwise = 'suppress' }";
        let (_run, outcome) = run(&policy_text(pseudonym, product), &table(&thousand()));
        let outcome = outcome.expect("published");
        let written = Written::of(&outcome, "log");
        assert!(!written.column("artist").contains(&Some("rare".to_owned())), "one person is not twenty");
        // Counting tokens would have let it pass.
        let tokens: BTreeSet<_> = thousand().into_iter().filter(|row| row.2 == "rare").map(|row| row.1).collect();
        assert!(tokens.len() >= 20);
        let product = outcome.product("log").expect("the product");
        let support = guarantee(product, "item-support");
        assert_eq!((support.achieved, support.unit, support.verified), (Some(30.0), Unit::SubjectPerRow, Verified::ReleaseAndPool));
        assert_eq!(product.subjects, Some(31));
    }
}

fn attack(outcome: &Outcome, name: AttackName, known: u64) -> &Attack {
    let attacks = outcome.product("log").expect("the product").attacks.as_ref().expect("attacks");
    attacks.iter().find(|attack| attack.name == name && attack.known == Some(known) && attack.combinations.is_empty()).expect("the attack")
}

#[test]
fn a_person_with_a_thousand_tokens_is_attacked_once() {
    let text = policy_text("scope = 'period', period = 'day'", "columns = ['subject_id', 'artist', 'started_at']");
    let (_run, outcome) = run(&text, &table(&thousand()));
    let outcome = outcome.expect("published");
    let one = attack(&outcome, AttackName::KnownItems, 1);
    // Ann is singled out by "rare", which is half of what each of her tokens shows; nobody else is.
    assert_eq!((one.people, one.rate), (Some(31), Some(0.5 / 31.0)));
    // The thousand tokens that match are all hers: a count of matching tokens would have called them a crowd.
    let two = attack(&outcome, AttackName::KnownItems, 2);
    assert!((two.rate.expect("a rate") - 1.0 / 31.0).abs() < 1e-9, "{two:?}");
    assert_eq!(two.match_sets.expect("sizes").minimum, 1);
    assert!((two.baseline.expect("a baseline") - 1.0 / 31.0).abs() < 1e-12);
    assert_eq!(two.deciles.iter().map(|decile| decile.people).sum::<u64>(), 31);
    // Two rows of a token in one column are known too; ann's are found the same way.
    let rows = attack(&outcome, AttackName::KnownValues, 2);
    assert!(rows.knowledge.as_ref().expect("words").contains("one token"), "{rows:?}");
}

#[test]
fn splitting_tokens_is_seen_by_the_attacks() {
    // Everybody has their own pair of artists, one on each of two days; each artist has many listeners.
    let mut rows = Vec::new();
    for person in 0..100_usize {
        for (day, artist) in [(0, person / 10), (1, 10 + person % 10)] {
            rows.push((format!("p{person}"), Some(day * DAY), format!("a{artist}")));
        }
    }
    let rate = |pseudonym: &str| {
        let text = policy_text(pseudonym, "columns = ['subject_id', 'artist']");
        let (_run, outcome) = run(&text, &table(&rows));
        attack(&outcome.expect("published"), AttackName::KnownItems, 2).rate.expect("a rate")
    };
    assert!((rate("scope = 'product'") - 1.0).abs() < 1e-9);
    assert!(rate("scope = 'period', period = 'day'") < 1e-9);
    assert!((rate("scope = 'period', period = 'month'") - 1.0).abs() < 1e-9, "both days are in January 1970");
}

#[test]
fn another_identifier_joins_what_tokens_part() {
    let mut rows = Vec::new();
    for person in 0..100_usize {
        for (day, artist) in [(0, person / 10), (1, 10 + person % 10)] {
            rows.push((format!("p{person}"), Some(day * DAY), format!("a{artist}")));
        }
    }
    let mut table = table(&rows);
    table.remove_column(3);
    let phones = texts(rows.iter().map(|row| row.0.as_str()));
    let table = batch([
        ("subject_id", Arc::clone(&table["subject_id"])),
        ("started_at", Arc::clone(&table["started_at"])),
        ("artist", Arc::clone(&table["artist"])),
        ("phone", phones),
    ]);
    for (phone, expected) in [("treatment = { pseudonym = { } }", 1.0), ("treatment = 'drop'", 0.0)] {
        let text = policy_text("scope = 'period', period = 'day'", "")
            .replace("row = { role = 'other' }", &format!("phone = {{ role = 'identifier', {phone} }}"));
        let (_run, outcome) = run(&text, &table);
        let found = attack(&outcome.expect("published"), AttackName::KnownItems, 2).rate.expect("a rate");
        assert!((found - expected).abs() < 1e-9, "{phone}: {found}");
    }
}

#[test]
fn rows_without_a_time_are_joined_by_nothing() {
    let rows: Vec<_> = (0..200).map(|row| (format!("p{}", row % 4), None, format!("a{}", row % 7))).collect();
    for order in ["", "order = 'subject-time'"] {
        let (_run, outcome) = run(&policy_text("scope = 'period', period = 'day'", order), &table(&rows));
        let outcome = outcome.expect("published");
        let written = Written::of(&outcome, "log");
        assert!(written.column("token").iter().all(Option::is_none));
        let product = outcome.product("log").expect("the product");
        assert_eq!((product.rows, product.subjects), (200, Some(4)));
        // Neighbours in the file are no more often of one person than chance has it: 199 pairs, each with 1/4; beyond 6 deviations in fewer than 1 in 10⁸ runs.
        let order: Vec<usize> = written_tokens(&written).iter().map(|row| row.0 % 4).collect();
        let same = order.windows(2).filter(|pair| pair[0] == pair[1]).count();
        assert!((13..=87).contains(&same), "{same}");
        let one = attack(&outcome, AttackName::KnownItems, 1);
        assert_eq!((one.people, one.rate), (Some(4), Some(0.0)));
        assert!(verify(&outcome.release, &[], None).expect("a release").holds);
    }
}

#[test]
fn an_order_by_token_and_time_tells_of_no_person() {
    let rows = pool();
    for (scope, pseudonym) in SCOPES {
        let (_run, outcome) = run(&policy_text(pseudonym, "order = 'subject-time'"), &table(&rows));
        let outcome = outcome.expect("published");
        let written = written_tokens(&Written::of(&outcome, "log"));
        // Rows of a token are together and in the order of time.
        let mut seen = BTreeSet::new();
        for pair in written.windows(2).filter(|pair| pair[0].1.is_some() && pair[1].1.is_some()) {
            if pair[0].1 == pair[1].1 {
                assert!(rows[pair[0].0].1 <= rows[pair[1].0].1, "{scope}");
            } else {
                assert!(seen.insert(pair[0].1.clone()), "{scope}: a token is in two places");
            }
        }
        // Neighbouring tokens are of one person with 1/60: among m of them, beyond m/60 + 6·√(m/60) + 6 in fewer than 1 in 10⁶ runs.
        let mut tokens: Vec<&(usize, Option<String>)> = written.iter().filter(|row| row.1.is_some()).collect();
        tokens.dedup_by(|next, kept| next.1 == kept.1);
        let same = tokens.windows(2).filter(|pair| rows[pair[0].0].0 == rows[pair[1].0].0).count();
        let expected = tokens.len() / 60;
        assert!(same <= expected + 6 * expected.isqrt() + 6, "{scope}: {same} of {}", tokens.len());
    }
}

#[test]
fn shifts_and_relative_times_start_anew_with_the_token() {
    let mut rows = Vec::new();
    for person in 0..40_i64 {
        for day in [0, 40, 80] {
            rows.push((format!("p{person}"), Some(day * DAY + person * MINUTE), "a".to_owned()));
        }
    }
    // One row a token: relative times are all 0. Since the person's first event they would be 0, 40 and 80 days, and tell which tokens come later.
    let text = policy_text("scope = 'period', period = 'day'", "");
    let (_run, outcome) = run(&text.replace("treatment = 'keep'", "treatment = 'relative'"), &table(&rows));
    let written = Written::of(&outcome.expect("published"), "log");
    assert!(written.column("started_at").iter().all(|time| time.as_deref() == Some("0")));
    // The shifts of a person's three tokens differ; one shift for all would show which belong together.
    let (_run, outcome) = run(&text.replace("treatment = 'keep'", "treatment = { shift = { days = 30 } }"), &table(&rows));
    let outcome = outcome.expect("published");
    let (_, batches) = super::support::batches(&outcome.release.join("log.parquet"));
    let mut shifts: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for batch in batches {
        use arrow::array::AsArray;
        let shown = batch["started_at"].as_primitive::<arrow::datatypes::TimestampMillisecondType>();
        let number = batch["row"].as_string::<i32>();
        for row in 0..batch.num_rows() {
            let (person, time, _) = &rows[number.value(row).trim_start_matches('r').parse::<usize>().expect("a number")];
            shifts.entry(person.clone()).or_default().insert(shown.value(row) - time.expect("a time"));
        }
    }
    assert!(shifts.values().filter(|own| own.len() > 1).count() > 30, "{shifts:?}");
}

#[test]
fn a_time_that_is_dropped_cuts_tokens_all_the_same() {
    let rows = pool();
    let text = policy_text(SCOPES[0].1, "").replace("treatment = 'keep'", "treatment = 'drop'");
    let (_run, outcome) = run(&text, &table(&rows));
    let outcome = outcome.expect("published");
    let written = Written::of(&outcome, "log");
    assert_eq!(written.columns, ["token", "artist", "row"]);
    let tokens: BTreeSet<_> = written_tokens(&written).into_iter().filter_map(|row| row.1).collect();
    let expected: BTreeSet<_> = units(&rows, "day").into_iter().flatten().collect();
    assert_eq!(tokens.len(), expected.len());
}

#[test]
fn what_is_no_time_is_refused() {
    let events = batch([
        ("subject_id", texts(["a", "b"])),
        ("started_at", texts(["yesterday", "today"])),
        ("artist", texts(["x", "y"])),
        ("row", texts(["r0", "r1"])),
    ]);
    for pseudonym in [SCOPES[0].1, SCOPES[3].1] {
        let (run, outcome) = run(&policy_text(pseudonym, ""), &events);
        let error = outcome.expect_err("text is no time").to_string();
        assert!(error.contains("started_at") && !error.contains("yesterday"), "{error}");
        assert!(!run.out().join("release").exists());
    }
}

#[test]
fn tokens_of_periods_do_not_depend_on_how_the_input_is_read() {
    let rows = pool();
    for (scope, pseudonym) in SCOPES {
        let text = policy_text(
            pseudonym,
            "order = 'subject-time'\nmax_events_per_subject = 20\nitem_support = { min_subjects = 15, otherwise = 'suppress' }",
        );
        let go = |rows: &[(String, Option<i64>, String)], threads, batch_rows, memory| {
            let run = Run::new();
            let path = run.path("events.parquet");
            let mut table = table(rows);
            // The numbers of the rows would be other values in another order.
            table.remove_column(3);
            write_parquet(&path, &table);
            let policy = policy(&text.replace("row = { role = 'other' }", ""));
            let outcome = Anonymizer::new(policy).input([path]).output(run.out()).key(key());
            let outcome = outcome.threads(threads).batch_rows(batch_rows).memory(memory).run().expect("published");
            let bytes = std::fs::read(outcome.release.join("log.parquet")).expect("bytes");
            let attacks = super::support::figures(outcome.product("log").and_then(|product| product.attacks.as_ref()));
            (bytes, Written::of(&outcome, "log").sorted(), attacks)
        };
        let expected = go(&rows, 1, 8192, 1 << 30);
        let again = go(&rows, 3, 7, 1);
        assert!(again.0 == expected.0, "{scope}: batches, threads or memory changed the file");
        assert_eq!(again.2, expected.2, "{scope}: batches, threads or memory changed what was measured");
        let mut other = rows.clone();
        Draws(9).shuffle(&mut other);
        assert_eq!(go(&other, 2, 100, 1 << 20).1, expected.1, "{scope}: the order of the input changed the rows");
    }
}
