//! Every method of pseudonymization through the whole job: what is written, what is claimed, and what stays.

use super::bytes::{contains, decoded};
use super::support::{Draws, Run, Written, batch, files, key, maybe_texts, numbers, policy, texts, times, write_parquet};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, UInt64Type};
use backmask::io::SinkFormat;
use backmask::keys::{Key, KeyOrigin};
use backmask::policy::{PseudonymMethod, Scope};
use backmask::pseudonym::{Alphabet, Codebook, PseudonymDomain, Pseudonymizer, subject_key};
use backmask::release::report::Report;
use backmask::release::{Anonymizer, Outcome, verify};
use backmask::{Error, Result};
use std::collections::BTreeSet;
use std::path::Path;

const POLICY: &str = "
    version = 1
    name = 'methods'
    recipient = 'Example'
    [subject]
    column = 'user'
    pseudonym = { PSEUDONYM }
    [columns]
    phone = { role = 'identifier', treatment = { pseudonym = { IDENTIFIER } } }
    artist = { role = 'item' }
    started_at = { role = 'time' }
    [[products]]
    name = 'log'
    kind = 'records'
    order = 'ORDER'
    item_support = { min_subjects = 4, otherwise = 'suppress' }
    accept_risk = 'enclave'
    [gate]
    control = 0.1
    trials = 50
    known_items = [1, 2]
";

fn text(subject: &str, identifier: &str, order: &str) -> String {
    POLICY.replace("PSEUDONYM", subject).replace("IDENTIFIER", identifier).replace("ORDER", order)
}

/// Names and numbers are marked, so that they are found wherever they are. Fifty people; those from 40 on have only artists that nobody else has.
fn pool(integers: bool) -> RecordBatch {
    let mut draws = Draws(3);
    let people: Vec<usize> = (0..600).map(|_| draws.below(50)).collect();
    let names: Vec<String> = people.iter().map(|person| format!("SUBJECTMARK{person:04}")).collect();
    let phones: Vec<Option<String>> = people.iter().map(|person| (person % 7 > 0).then(|| format!("0770090{person:04}"))).collect();
    let artists: Vec<String> =
        people.iter().map(|&person| if person < 40 { format!("a{}", draws.below(8)) } else { format!("RAREMARK{person}") }).collect();
    let user = if integers {
        numbers(people.iter().map(|&person| 900_000_000 + i64::try_from(person).expect("small") * 1_009))
    } else {
        texts(names.iter().map(String::as_str))
    };
    batch([
        ("user", user),
        ("phone", maybe_texts(phones.iter().map(Option::as_deref))),
        ("artist", texts(artists.iter().map(String::as_str))),
        ("started_at", times((0..600).map(|_| Some(i64::try_from(draws.below(90 * 24)).expect("small") * 3_600_000)))),
    ])
}

/// Pseudonym of the person, whether the person is an integer, the type of the token.
fn cases() -> Vec<(&'static str, bool, DataType)> {
    vec![
        ("method = 'blake3'", false, DataType::Utf8),
        ("method = 'blake3', format = 'base32'", true, DataType::Utf8),
        ("method = 'hmac-sha256', format = 'binary', scope = 'release'", false, DataType::FixedSizeBinary(16)),
        ("method = 'aes-siv', scope = 'recipient'", false, DataType::Utf8),
        ("method = 'aes-siv', format = 'hex'", true, DataType::Utf8),
        ("method = 'aes-siv', format = 'binary'", false, DataType::Binary),
        ("method = 'aes-block', scope = 'recipient'", true, DataType::Utf8),
        ("method = 'aes-block', format = 'base32'", true, DataType::Utf8),
        ("method = 'ff1', alphabet = 'alphanumeric'", false, DataType::Utf8),
        ("method = 'ff1', scope = 'recipient'", true, DataType::Int64),
        ("method = 'dense'", false, DataType::UInt64),
        ("method = 'dense', format = 'int64', scope = 'release'", true, DataType::Int64),
        ("method = 'blake3', scope = 'period', period = 'week'", false, DataType::Utf8),
        ("method = 'aes-block', scope = 'period', period = 'month'", true, DataType::Utf8),
        ("method = 'aes-siv', scope = 'period', period = 'month'", false, DataType::Utf8),
        ("method = 'hmac-sha256', scope = 'session', session_gap = 600, format = 'base32'", false, DataType::Utf8),
    ]
}

fn publish(run: &Run, text: &str, pool: &RecordBatch, key: Option<Key>, format: SinkFormat) -> Result<Outcome> {
    let path = run.path("events.parquet");
    write_parquet(&path, pool);
    let mut job = Anonymizer::new(policy(text)).input([path]).output(run.out()).format(format).threads(2);
    if let Some(key) = key {
        job = job.key(key);
    }
    job.run()
}

fn untrue(release: &Path, originals: &[std::path::PathBuf], key: Option<&Key>) -> Vec<String> {
    let verification = verify(release, originals, key).expect("a release");
    verification.checks.iter().filter(|check| check.holds == Some(false)).map(|check| format!("{check:?}")).collect()
}

#[test]
fn every_method_is_written_as_declared_and_verified() {
    for (pseudonym, integers, data_type) in cases() {
        let run = Run::new();
        let text = text(pseudonym, "method = 'ff1'", "subject-time");
        let pool = pool(integers);
        let outcome = publish(&run, &text, &pool, Some(key()), SinkFormat::Parquet).unwrap_or_else(|error| panic!("{pseudonym}: {error}"));
        let (schema, _) = super::support::batches(&outcome.release.join("log.parquet"));
        assert_eq!(schema.field_with_name("token").expect("tokens").data_type(), &data_type, "{pseudonym}");
        let product = outcome.product("log").expect("the product");
        let people = product.subjects.expect("people");
        assert!((30..=40).contains(&people), "{pseudonym}: {people} people");
        // What stays apart and what can be told from the file alone.
        assert_eq!(untrue(&outcome.release, &[], None), Vec::<String>::new(), "{pseudonym}");
        assert_eq!(untrue(&outcome.release, &[run.path("events.parquet")], Some(&key())), Vec::<String>::new(), "{pseudonym}");
        let verification = verify(&outcome.release, &[run.path("events.parquet")], Some(&key())).expect("a release");
        let again = verification.checks.iter().find(|check| check.statement == "the file can be made again").expect("a check");
        assert_eq!(again.holds, Some(true), "{pseudonym}");
        // Nothing of what was replaced is in any file that is handed over, whether or not the tokens can be turned back.
        for file in files(&outcome.release) {
            let bytes = decoded(&file);
            for marker in ["SUBJECTMARK", "RAREMARK", "0770090"] {
                assert!(!contains(&bytes, marker.as_bytes()), "{pseudonym}: {marker} in {}", file.display());
            }
            if integers && data_type != DataType::Int64 {
                assert!(!contains(&bytes, &900_001_009_i64.to_le_bytes()), "{pseudonym}: an integer in {}", file.display());
            }
        }
        let recipient: Report =
            serde_json::from_slice(&std::fs::read(outcome.release.join("report.json")).expect("a report")).expect("JSON");
        assert!(recipient.pseudonyms.iter().all(|p| p.input_space_bits.is_none() && p.warning.is_none() && p.key_id.is_none()));
        let phone = outcome.report.pseudonyms.iter().find(|p| p.column == "phone").expect("telephones");
        assert!(phone.reversible && phone.reproducible && !phone.irreversible);
        assert!(phone.warning.as_ref().expect("a warning").contains("phone") && phone.input_space_bits.expect("bits") < 40.0);
        let subject = outcome.report.pseudonyms.iter().find(|p| p.column == "user").expect("people");
        let turns_back = pseudonym.contains("aes") || pseudonym.contains("ff1");
        assert_eq!((subject.reversible, subject.reproducible, subject.irreversible), (turns_back, true, false), "{pseudonym}");
        if !pseudonym.contains("scope = 'period'") && !pseudonym.contains("session") {
            assert_eq!(subject.distinct, Some(people), "{pseudonym}");
        }
    }
}

#[test]
fn every_method_gives_the_same_bytes_for_all_batches_threads_and_memories() {
    for (pseudonym, integers, _) in cases() {
        for (order, format) in [("subject-time", SinkFormat::Csv), ("shuffled", SinkFormat::IpcFile)] {
            let pool = pool(integers);
            let folder = Run::new();
            let path = folder.path("events.parquet");
            write_parquet(&path, &pool);
            let go = |threads: usize, batch_rows: usize, memory: usize, name: &str| {
                let out = folder.path(name);
                let job = Anonymizer::new(policy(&text(pseudonym, "method = 'dense'", order))).input([&path]).output(&out).key(key());
                let outcome = job.format(format).threads(threads).batch_rows(batch_rows).memory(memory).run();
                let outcome = outcome.unwrap_or_else(|error| panic!("{pseudonym}: {error}"));
                assert_eq!(untrue(&outcome.release, &[], None), Vec::<String>::new(), "{pseudonym}, {format:?}");
                let file = outcome.product("log").and_then(|product| product.file.clone()).expect("a file");
                std::fs::read(outcome.release.join(file)).expect("bytes")
            };
            let expected = go(1, 8192, 1 << 30, "a");
            assert!(go(3, 13, 1, "b") == expected, "{pseudonym}, {order}: other bytes");
        }
    }
}

#[test]
fn dense_numbers_have_no_gaps_and_tell_of_nobody_else() {
    for order in ["shuffled", "subject-time"] {
        let run = Run::new();
        let outcome = publish(&run, &text("method = 'dense'", "method = 'dense'", order), &pool(false), Some(key()), SinkFormat::Parquet);
        let outcome = outcome.expect("published");
        let people = outcome.product("log").expect("the product").subjects.expect("people");
        // Fifty people are in the pool; ten have no supported artist and some are set aside.
        assert!(people < 41);
        let (_, batches) = super::support::batches(&outcome.release.join("log.parquet"));
        for (column, count) in [("token", Some(people)), ("phone", None)] {
            let shown: BTreeSet<u64> =
                batches.iter().flat_map(|batch| batch[column].as_primitive::<UInt64Type>().iter().flatten().collect::<Vec<_>>()).collect();
            assert_eq!(shown.iter().copied().collect::<Vec<_>>(), (0..shown.len() as u64).collect::<Vec<_>>(), "{column}");
            assert!(count.is_none_or(|count| count == shown.len() as u64));
        }
        // Numbering all people of the pool, which is the mistake, leaves gaps that verification finds.
        let path = outcome.release.join("report.json");
        let text = std::fs::read_to_string(&path).expect("a report");
        assert!(text.contains(&format!("\"distinct\": {people}")));
        std::fs::write(&path, text.replace(&format!("\"distinct\": {people}"), &format!("\"distinct\": {}", people + 1))).expect("written");
        assert!(!untrue(&outcome.release, &[], None).is_empty());
    }
}

fn domain(scope: Scope, column: &str) -> PseudonymDomain<'_> {
    PseudonymDomain { scope, recipient: "Example", release: "methods", product: "log", column, period: "" }
}

#[test]
fn reversible_tokens_are_turned_back_with_the_key_and_not_without() {
    for (pseudonym, method, integers) in [
        ("method = 'aes-siv'", PseudonymMethod::AesSiv, false),
        ("method = 'aes-block'", PseudonymMethod::AesBlock, true),
        ("method = 'ff1', alphabet = 'alphanumeric'", PseudonymMethod::Ff1, false),
    ] {
        let run = Run::new();
        let outcome = publish(&run, &text(pseudonym, "method = 'blake3'", "shuffled"), &pool(integers), Some(key()), SinkFormat::Parquet);
        let outcome = outcome.expect("published");
        let (_, batches) = super::support::batches(&outcome.release.join("log.parquet"));
        let kernel = |key: &Key| {
            let kernel = Pseudonymizer::in_domain(method, key, &domain(Scope::Product, "user")).expect("a kernel");
            if method == PseudonymMethod::Ff1 {
                return kernel.with_alphabet(Alphabet::parse("alphanumeric").expect("an alphabet")).expect("a kernel");
            }
            kernel
        };
        let turned_back = |key: &Key| -> Option<BTreeSet<String>> {
            let mut found = BTreeSet::new();
            for batch in &batches {
                let values = kernel(key).reverse(batch["token"].as_ref(), None).ok()?;
                let values = arrow::compute::cast(&values, &DataType::Utf8).expect("text");
                found.extend(values.as_string::<i32>().iter().flatten().map(str::to_owned));
            }
            Some(found)
        };
        let known = |name: &String| name.starts_with("SUBJECTMARK00") || name.starts_with("9000");
        let back = turned_back(&key()).expect("the key opens them");
        assert_eq!(back.len() as u64, outcome.product("log").expect("the product").subjects.expect("people"));
        assert!(back.iter().all(known), "{pseudonym}");
        // With another key they are refused, or (ff1 has no way to tell) give other names.
        assert!(turned_back(&Key::from_bytes([1; 32])).is_none_or(|other| !other.iter().any(known)), "{pseudonym}");
    }
}

#[test]
fn a_codebook_stays_with_the_steward_and_opens_with_the_key() {
    let run = Run::new();
    let policy_text = text("method = 'dense', codebook = true", "method = 'dense', codebook = true", "shuffled");
    let file_key = Key::create_file(run.path("pool.key")).expect("a key");
    let pool = pool(false);
    let outcome = publish(&run, &policy_text, &pool, Some(file_key), SinkFormat::Parquet).expect("published");
    assert!(files(&outcome.release).iter().all(|file| file.extension().is_none_or(|extension| extension != "codebook")));
    let key = Key::from_file(run.path("pool.key")).expect("the key");
    let book = outcome.steward.join("codebooks/log.user.codebook");
    assert!(outcome.steward.join("codebooks/log.phone.codebook").is_file());
    assert!(!contains(&std::fs::read(&book).expect("bytes"), b"SUBJECTMARK"));
    let codebook = Codebook::open(&book, &subject_key(&key, &domain(Scope::Product, "user")).expect("a key")).expect("a codebook");
    let (_, batches) = super::support::batches(&outcome.release.join("log.parquet"));
    let mut people = BTreeSet::new();
    for batch in batches {
        let names = codebook.reverse(batch["token"].as_ref(), None).expect("names");
        people.extend(names.as_string::<i32>().iter().flatten().map(str::to_owned));
    }
    assert_eq!(people.len() as u64, outcome.product("log").expect("the product").subjects.expect("people"));
    assert!(people.iter().all(|name| name.starts_with("SUBJECTMARK")));
    assert!(Codebook::open(&book, &subject_key(&Key::from_bytes([3; 32]), &domain(Scope::Product, "user")).expect("a key")).is_err());
    let subject = &outcome.report.pseudonyms[0];
    assert!(subject.reversible && subject.reproducible && matches!(key.origin(), KeyOrigin::File { .. }));
    // The pool shows whose row is whose: the first rows of the pool and of the codebook's people agree.
    assert!(pool["user"].as_string::<i32>().iter().flatten().filter(|name| people.contains(*name)).count() > 300);
    // Without a key file nobody could open it.
    let run = Run::new();
    let error = publish(&run, &policy_text, &pool, None, SinkFormat::Parquet).expect_err("no key file");
    let Error::Policy { key, .. } = &error else { panic!("{error}") };
    assert_eq!((key.as_str(), error.exit_code()), ("subject.pseudonym.codebook", 2));
    assert!(!run.out().join("release").exists() && !run.out().join("steward").exists());
}

#[test]
fn irreversible_tokens_are_other_ones_in_every_run() {
    for method in ["blake3", "hmac-sha256", "aes-siv", "aes-block", "ff1", "dense"] {
        let pool = pool(true);
        let tokens = |irreversible: bool| {
            let run = Run::new();
            let text = text(&format!("method = '{method}', irreversible = {irreversible}"), "method = 'aes-siv'", "shuffled");
            let outcome = publish(&run, &text, &pool, Some(key()), SinkFormat::Parquet).expect("published");
            assert_eq!(untrue(&outcome.release, &[run.path("events.parquet")], Some(&key())), Vec::<String>::new(), "{method}");
            let subject = outcome.report.pseudonyms.iter().find(|p| p.column == "user").expect("people").clone();
            // Of the other column the key can be used as before.
            let phone = outcome.report.pseudonyms.iter().find(|p| p.column == "phone").expect("telephones");
            assert!(phone.reversible && phone.reproducible && !phone.irreversible);
            let written = Written::of(&outcome, "log");
            (written.column("token"), written.column("phone"), subject)
        };
        let (first, second) = (tokens(true), tokens(true));
        assert!(first.2.irreversible && !first.2.reproducible && !first.2.reversible, "{method}");
        assert_ne!(first.0, second.0, "{method}: the same tokens again");
        // The other tokens are those of the key, but not the order of the rows: whoever has the key and the pool would find in which row everybody is.
        let sorted = |mut column: Vec<Option<String>>| {
            column.sort_unstable();
            column
        };
        assert_ne!(first.1, second.1, "{method}: the same order again");
        assert_eq!(sorted(first.1), sorted(second.1), "{method}");
        let (one, other) = (tokens(false), tokens(false));
        assert_eq!((one.0, one.1), (other.0, other.1), "{method}");
        assert!(!one.2.irreversible && one.2.reproducible);
    }
}

#[test]
fn a_forgotten_key_makes_every_method_irreversible() {
    for method in ["blake3", "aes-siv", "ff1", "dense"] {
        let run = Run::new();
        let text = text(&format!("method = '{method}'"), "method = 'ff1'", "shuffled");
        let outcome = publish(&run, &text, &pool(true), None, SinkFormat::Parquet).expect("published");
        for pseudonym in &outcome.report.pseudonyms {
            assert!(pseudonym.irreversible && !pseudonym.reversible && !pseudonym.reproducible, "{method}");
            assert!(pseudonym.warning.is_none(), "nobody can try all numbers without the key");
        }
        assert_eq!(untrue(&outcome.release, &[], None), Vec::<String>::new(), "{method}");
    }
}

#[test]
fn values_that_do_not_fit_the_method_are_counted_and_not_shown() {
    let names = ["12345678", "12345679", "MARK-1234", "12345678", "MARK-1234", "123"];
    let events = batch([
        ("user", texts(["a", "b", "c", "d", "e", "f"])),
        ("phone", texts(names)),
        ("artist", texts(["x"; 6])),
        ("started_at", times([Some(0); 6])),
    ]);
    let text = text("method = 'blake3'", "method = 'ff1'", "shuffled")
        .replace("control = 0.1", "")
        .replace("min_subjects = 4", "min_subjects = 2");
    let run = Run::new();
    let error = publish(&run, &text, &events, Some(key()), SinkFormat::Parquet).expect_err("letters are not in the alphabet");
    let Error::Column { column, rows, first_row, remedy, .. } = &error else { panic!("{error}") };
    assert_eq!((column.as_str(), *rows, *first_row), ("phone", Some(3), Some(3)), "two with letters and one too short, in rows: {error}");
    assert!(!error.to_string().contains("MARK") && !remedy.is_empty());
    assert!(matches!(error.exit_code(), 1 | 2));
    assert!(!run.out().join("release").exists());
    // Rows that are not released need no tokens: without those people the rest is published.
    let kept = text.replace("method = 'ff1'", "method = 'ff1', alphabet = 'aabc'");
    let error = publish(&Run::new(), &kept, &events, Some(key()), SinkFormat::Parquet).expect_err("a character twice");
    let Error::Policy { key, .. } = &error else { panic!("{error}") };
    assert_eq!((key.as_str(), error.exit_code()), ("columns.phone.treatment.pseudonym.alphabet", 2));
    // Text is neither an integer nor a UUID.
    let text = text.replace("method = 'ff1'", "method = 'aes-block'");
    let error = publish(&Run::new(), &text, &events, Some(super::support::key()), SinkFormat::Parquet).expect_err("no UUIDs");
    assert!(error.to_string().contains("phone") && !error.to_string().contains("MARK"), "{error}");
}

#[test]
fn unreleased_rows_need_no_tokens() {
    // The bad value belongs to the only listener of an artist, whose row is suppressed.
    let events = batch([
        ("user", texts(["a", "b", "c"])),
        ("phone", texts(["12345678", "12345679", "no digits"])),
        ("artist", texts(["x", "x", "rare"])),
        ("started_at", times([Some(0); 3])),
    ]);
    let text =
        text("method = 'dense'", "method = 'ff1'", "shuffled").replace("control = 0.1", "").replace("min_subjects = 4", "min_subjects = 2");
    let run = Run::new();
    let outcome = publish(&run, &text, &events, Some(key()), SinkFormat::Parquet).expect("published");
    assert_eq!(outcome.product("log").expect("the product").rows, 2);
}
