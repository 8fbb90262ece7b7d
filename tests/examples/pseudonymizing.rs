//! `pseudonymize`: there and back, and everything that must be refused.

use super::support::{Ran, SECRET, Scratch, files};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

/// 300 rows of 100 people, with ids of every kind that some method is made for. All texts hold the secret word where their form allows it.
fn table() -> String {
    let mut text = "name,uuid,number,digits,plays,day\n".to_owned();
    for row in 0..300_u64 {
        let person = row % 100;
        let name = if person == 7 { String::new() } else { format!("sesame-{person}") };
        writeln!(
            text,
            "{name},0f8fad5b-d9cb-469f-a165-{:012x},{},{:012},{row},2026-0{}-1{}",
            person * 31,
            9_000_000_000_000 + person,
            40_000_000 + person,
            1 + row % 3,
            row % 7
        )
        .expect("text");
    }
    text
}

fn scratch() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("table.csv", table());
    scratch.run("keygen", &["--output", "key", "--quiet"]).ends(0);
    scratch.run("keygen", &["--output", "other", "--quiet"]).ends(0);
    scratch
}

fn pseudonymize(scratch: &Scratch, input: &str, output: &str, columns: &[&str], method: &str, more: &[&str]) -> Ran {
    let named = [&["--input", input, "--output", output, "--column"], columns, &["--method", method]].concat();
    let key: &[&str] = if more.iter().any(|word| ["--key-file", "--irreversible"].contains(word)) { &[] } else { &["--key-file", "key"] };
    scratch.run("pseudonymize", &[&named, key, more].concat())
}

fn read(scratch: &Scratch, file: &str) -> String {
    fs::read_to_string(scratch.path(file)).expect("a text file")
}

fn column(scratch: &Scratch, file: &str, name: &str) -> Vec<String> {
    let text = read(scratch, file);
    let at = text.lines().next().expect("a header").split(',').position(|found| found == name).expect("the column");
    text.lines().skip(1).map(|line| line.split(',').nth(at).expect("a field").to_owned()).collect()
}

/// The run wrote nothing at all.
#[track_caller]
fn leaves_nothing(scratch: &Scratch, run: impl Fn() -> Ran, code: i32, words: &[&str]) {
    let before = files(&scratch.path(""));
    let ran = run().ends(code);
    ran.says(words);
    assert_eq!(files(&scratch.path("")), before, "{ran:?}");
}

#[test]
fn every_method_is_one_to_one_and_the_reversible_ones_come_back_in_every_format() {
    let scratch = scratch();
    for (method, name, reversible) in [
        ("blake3", "name", false),
        ("hmac-sha256", "name", false),
        ("aes-siv", "name", true),
        ("aes-siv", "number", true),
        ("aes-siv", "day", true),
        ("aes-block", "uuid", true),
        ("aes-block", "number", true),
        ("ff1", "digits", true),
        ("ff1", "number", true),
        ("dense", "name", false),
    ] {
        for extension in ["csv", "parquet", "arrow", "jsonl"] {
            let (there, back) = (format!("{method}-{name}.{extension}"), format!("{method}-{name}-back.csv"));
            let answer = pseudonymize(&scratch, "table.csv", &there, &[name], method, &["--json"]).ends(0).json();
            assert_eq!((&answer["rows"], &answer["reversible"]), (&json!(300), &json!(reversible)), "{method} {name}");
            assert_eq!(answer["irreversible"], json!(false));
            let reversed =
                pseudonymize(&scratch, &there, &back, &[name], method, &["--reverse", "--reason", "a test", "--audit", "audit", "--json"]);
            if reversible {
                assert_eq!(reversed.ends(0).json()["rows"], json!(300));
                assert_eq!(read(&scratch, &back), read(&scratch, "table.csv"), "{method} {name} {extension}");
            } else {
                reversed.ends(2).says(&["--reverse"]);
                assert!(!scratch.path(&back).exists());
            }
        }
    }
    let tokens = |method: &str, name: &str| column(&scratch, &format!("{method}-{name}.csv"), name);
    for (method, name) in
        [("blake3", "name"), ("hmac-sha256", "name"), ("aes-siv", "name"), ("aes-block", "uuid"), ("dense", "name"), ("ff1", "number")]
    {
        let (raw, tokens) = (column(&scratch, "table.csv", name), tokens(method, name));
        let pairs: BTreeSet<_> = raw.iter().zip(&tokens).collect();
        let (values, images): (BTreeSet<_>, BTreeSet<_>) = (raw.iter().collect(), tokens.iter().collect());
        assert_eq!((pairs.len(), values.len(), images.len()), (100, 100, 100), "{method}");
        // An empty field of CSV is a missing value and stays one.
        assert!(raw.iter().zip(&tokens).all(|(raw, token)| raw.is_empty() == token.is_empty()), "{method}");
        assert!(!tokens.iter().any(|token| token.contains(SECRET)));
    }
    let numbers: BTreeSet<u32> =
        tokens("dense", "name").iter().filter(|number| !number.is_empty()).map(|number| number.parse().expect("a number")).collect();
    assert_eq!(numbers, (0..99).collect());
}

#[test]
fn threads_and_representations_give_the_same_tokens() {
    let scratch = scratch();
    let columns = ["name", "number"];
    let mut lines = String::new();
    for row in 0..300_u64 {
        let person = row % 100;
        let name = if person == 7 { "null".to_owned() } else { format!("\"sesame-{person}\"") };
        writeln!(lines, "{{\"number\": {}, \"name\": {name}}}", 9_000_000_000_000 + person).expect("text");
    }
    scratch.write("table.jsonl", lines);
    for method in ["blake3", "aes-siv"] {
        pseudonymize(&scratch, "table.csv", "one.csv", &columns, method, &["--threads", "1"]).ends(0);
        pseudonymize(&scratch, "table.csv", "four.csv", &columns, method, &["--threads", "4"]).ends(0);
        pseudonymize(&scratch, "table.jsonl", "other.csv", &columns, method, &[]).ends(0);
        assert_eq!(read(&scratch, "one.csv"), read(&scratch, "four.csv"));
        for name in columns {
            assert_eq!(column(&scratch, "one.csv", name), column(&scratch, "other.csv", name));
        }
    }
}

#[test]
fn what_a_scope_keeps_apart_has_other_tokens() {
    let scratch = scratch();
    let mut seen: Vec<BTreeSet<String>> = Vec::new();
    let day = ["--time", "day"];
    let variants: [Vec<&str>; 9] = [
        vec![],
        vec!["--recipient", "B"],
        vec!["--release", "2"],
        vec!["--product", "2"],
        vec!["--scope", "release"],
        vec!["--scope", "recipient"],
        vec!["--key-file", "other"],
        [&["--scope", "period", "--period", "month"], &day[..]].concat(),
        [&["--scope", "session", "--session-gap", "60"], &day[..]].concat(),
    ];
    for (number, variant) in variants.iter().enumerate() {
        let output = format!("{number}.csv");
        pseudonymize(&scratch, "table.csv", &output, &["name"], "blake3", variant).ends(0);
        seen.push(column(&scratch, &output, "name").into_iter().filter(|token| !token.is_empty()).collect());
    }
    let all: BTreeSet<&String> = seen.iter().flatten().collect();
    assert_eq!(all.len(), seen.iter().map(BTreeSet::len).sum::<usize>(), "a token occurs in two scopes");
    // 99 people; three months that each person has one row in; every row is a session of its own, except where a person's rows fall on one day.
    assert_eq!(seen[0].len(), 99);
    assert_eq!(seen[7].len(), 297);
    assert_eq!(seen[8].len(), 297);
    // The same words give the same tokens, and what a scope does not keep apart makes no difference.
    pseudonymize(&scratch, "table.csv", "again.csv", &["name"], "blake3", &[]).ends(0);
    assert_eq!(read(&scratch, "again.csv"), read(&scratch, "0.csv"));
    pseudonymize(&scratch, "table.csv", "again.csv", &["name"], "blake3", &["--scope", "recipient", "--release", "3"]).ends(0);
    assert_eq!(read(&scratch, "again.csv"), read(&scratch, "5.csv"));
    // A period's tokens of a reversible method come back as long as the times are there.
    let period = ["--scope", "period", "--period", "month", "--time", "day"];
    pseudonymize(&scratch, "table.csv", "p.csv", &["name"], "aes-siv", &period).ends(0);
    pseudonymize(&scratch, "p.csv", "p-back.csv", &["name"], "aes-siv", &[&period[..], &["--reverse", "--reason", "r"]].concat()).ends(0);
    assert_eq!(read(&scratch, "p-back.csv"), read(&scratch, "table.csv"));
}

#[test]
fn missing_values_get_tokens_of_their_own_when_asked() {
    let scratch = scratch();
    for method in ["blake3", "aes-siv"] {
        pseudonymize(&scratch, "table.csv", "random.csv", &["name"], method, &["--random-nulls", "--threads", "3"]).ends(0);
        let tokens = column(&scratch, "random.csv", "name");
        assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 99 + 3);
        pseudonymize(&scratch, "table.csv", "again.csv", &["name"], method, &["--random-nulls", "--threads", "1"]).ends(0);
        assert_eq!(read(&scratch, "again.csv"), read(&scratch, "random.csv"));
    }
    pseudonymize(&scratch, "random.csv", "back.csv", &["name"], "aes-siv", &["--reverse", "--reason", "r"]).ends(0);
    assert_eq!(read(&scratch, "back.csv"), read(&scratch, "table.csv"));
    leaves_nothing(&scratch, || pseudonymize(&scratch, "table.csv", "x.csv", &["uuid"], "aes-block", &["--random-nulls"]), 2, &["missing"]);
}

#[test]
fn a_wrong_key_is_noticed_and_nothing_is_written() {
    let scratch = scratch();
    for (method, name) in [("aes-siv", "name"), ("aes-block", "number"), ("aes-block", "uuid"), ("ff1", "number")] {
        for extension in ["parquet", "csv"] {
            let there = format!("{method}-{name}.{extension}");
            pseudonymize(&scratch, "table.csv", &there, &[name], method, &[]).ends(0);
            let reverse = |more: &[&str]| {
                pseudonymize(
                    &scratch,
                    &there,
                    "back.csv",
                    &[name],
                    method,
                    &[&["--reverse", "--reason", "r", "--audit", "wrong.audit"], more].concat(),
                )
            };
            leaves_nothing(&scratch, || reverse(&["--key-file", "other"]), 2, &["key"]);
            leaves_nothing(&scratch, || reverse(&["--recipient", "B"]), 2, &["--recipient"]);
        }
    }
    // Without the description beside the table, the ciphers with redundancy still notice.
    for (method, name) in [("aes-siv", "name"), ("aes-block", "number")] {
        let there = format!("{method}-{name}.parquet");
        fs::remove_file(scratch.path(&format!("{there}.pseudonyms.json"))).expect("removed");
        let more = ["--reverse", "--reason", "r", "--key-file", "other", "--audit", "tried.audit"];
        pseudonymize(&scratch, &there, "back.csv", &[name], method, &more).ends(2).says(&["key", "row"]);
        assert!(!scratch.path("back.csv").exists());
    }
}

#[test]
fn damaged_retired_and_exposed_keys_are_refused() {
    let scratch = scratch();
    let key = fs::read(scratch.path("key")).expect("a key file");
    let with = |name: &str| {
        let run = || pseudonymize(&scratch, "table.csv", "x.csv", &["name"], "blake3", &["--key-file", name]);
        leaves_nothing(&scratch, run, 2, &["key"]);
    };
    for (name, bytes) in [("short", &key[..key.len() / 2]), ("empty", &key[..0]), ("text", &b"hello\n"[..])] {
        private(&scratch, name, bytes);
        with(name);
    }
    with("absent");
    #[cfg(unix)]
    {
        scratch.write("open", &key);
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o640);
        fs::set_permissions(scratch.path("open"), mode).expect("a mode");
        with("open");
    }
    let ring = |more: &[&str]| scratch.run("keygen", &[&["--ring", "ring", "--json"], more].concat());
    let first = ring(&[]).ends(0).json()["id"].as_str().expect("an id").to_owned();
    pseudonymize(&scratch, "table.csv", "sealed.parquet", &["name"], "aes-siv", &["--key-file", "ring"]).ends(0);
    let second = ring(&["--rotate"]).ends(0).json()["id"].as_str().expect("an id").to_owned();
    // A retired key turns back what it made, and makes nothing new.
    let reverse = |more: &[&str]| {
        pseudonymize(
            &scratch,
            "sealed.parquet",
            "back.csv",
            &["name"],
            "aes-siv",
            &[&["--reverse", "--reason", "r", "--key-file", "ring"], more].concat(),
        )
    };
    reverse(&[]).ends(0);
    assert_eq!(read(&scratch, "back.csv"), read(&scratch, "table.csv"));
    fs::remove_file(scratch.path("back.csv")).expect("removed");
    let make = |id: &str| pseudonymize(&scratch, "table.csv", "x.csv", &["name"], "blake3", &["--key-file", "ring", "--key-id", id]);
    leaves_nothing(&scratch, || make(&first), 2, &["retired"]);
    leaves_nothing(&scratch, || reverse(&["--key-id", &second]), 2, &["key"]);
    ring(&["--erase", &first]).ends(0);
    leaves_nothing(&scratch, || reverse(&[]), 2, &["erased"]);
    leaves_nothing(&scratch, || reverse(&["--key-id", "0123456789abcdef"]), 2, &["key"]);
}

fn private(scratch: &Scratch, name: &str, bytes: &[u8]) {
    scratch.write(name, bytes);
    #[cfg(unix)]
    fs::set_permissions(scratch.path(name), std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("a mode");
}

#[test]
fn values_outside_the_alphabet_are_told_by_row() {
    let scratch = scratch();
    let mut text = "code\n".to_owned();
    for row in 0..70_000 {
        writeln!(text, "{}", if row >= 69_990 { "sesame".to_owned() } else { format!("x{row:07}") }).expect("text");
    }
    scratch.write("codes.csv", &text);
    let ff1 = |more: &[&str]| pseudonymize(&scratch, "codes.csv", "x.csv", &["code"], "ff1", more);
    leaves_nothing(&scratch, || ff1(&["--alphabet", "x0123456789"]), 2, &["code", "10 rows", "row 69991"]);
    leaves_nothing(&scratch, || ff1(&["--alphabet", "00"]), 2, &["alphabet"]);
    leaves_nothing(&scratch, || ff1(&[]), 2, &["code", "row 1"]);
    // Too few characters for 10^6 values.
    scratch.write("codes.csv", "code\nabc\nabcd\n");
    leaves_nothing(&scratch, || ff1(&["--alphabet", "lower"]), 2, &["code", "row 1"]);
}

#[test]
fn a_first_row_that_is_taken_for_names_is_not_shown() {
    let scratch = scratch();
    scratch.write("headless.csv", "sesame-1,sesame-a\nsesame-2,sesame-b\n");
    leaves_nothing(&scratch, || pseudonymize(&scratch, "headless.csv", "x.csv", &["name"], "blake3", &[]), 2, &["name", "2 columns"]);
}

#[test]
fn an_alphabet_of_integers_is_refused_rather_than_ignored() {
    let scratch = scratch();
    scratch.write("numbers.jsonl", "{\"id\": 40000001}\n{\"id\": 40000002}\n");
    pseudonymize(&scratch, "numbers.jsonl", "x.jsonl", &["id"], "ff1", &[]).ends(0);
    leaves_nothing(
        &scratch,
        || pseudonymize(&scratch, "numbers.jsonl", "y.csv", &["id"], "ff1", &["--alphabet", "digits"]),
        2,
        &["alphabet"],
    );
}

#[test]
fn a_reversal_needs_a_reason_and_is_written_down() {
    let scratch = scratch();
    pseudonymize(&scratch, "table.csv", "sealed.csv", &["name", "number"], "aes-siv", &[]).ends(0);
    let reverse = |more: &[&str]| pseudonymize(&scratch, "sealed.csv", "back.csv", &["name"], "aes-siv", &[&["--reverse"], more].concat());
    leaves_nothing(&scratch, || reverse(&[]), 2, &["--reason"]);
    leaves_nothing(&scratch, || reverse(&["--reason", " "]), 2, &["reason"]);
    leaves_nothing(&scratch, || reverse(&["--reason", "two\nlines"]), 2, &["reason"]);
    leaves_nothing(&scratch, || reverse(&["--reason", "r", "--audit", "none/audit"]), 1, &["none/audit"]);
    reverse(&["--reason", "ticket 17"]).ends(0);
    #[cfg(unix)]
    for file in ["back.csv", "key.audit"] {
        let permissions = fs::metadata(scratch.path(file)).expect("a file").permissions();
        assert_eq!(std::os::unix::fs::PermissionsExt::mode(&permissions) & 0o777, 0o600, "{file} names people");
    }
    reverse(&["--reason", "ticket 18"]).ends(0);
    let lines: Vec<Value> = read(&scratch, "key.audit").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["reason"], &lines[1]["reason"]), (&json!("ticket 17"), &json!("ticket 18")));
    assert_eq!((&lines[0]["rows"], &lines[0]["columns"]), (&json!(300), &json!(["name"])));
    // Only the named column comes back.
    assert_eq!(column(&scratch, "back.csv", "name"), column(&scratch, "table.csv", "name"));
    assert_eq!(column(&scratch, "back.csv", "number"), column(&scratch, "sealed.csv", "number"));
    // An edited audit file is not written on.
    scratch.write("key.audit", read(&scratch, "key.audit").replace("ticket 17", "ticket 71"));
    fs::remove_file(scratch.path("back.csv")).expect("removed");
    leaves_nothing(&scratch, || reverse(&["--reason", "r"]), 1, &["key.audit"]);
}

#[test]
fn dense_numbers_come_back_only_with_their_codebook() {
    let scratch = scratch();
    let dense = |output: &str, more: &[&str]| pseudonymize(&scratch, "table.csv", output, &["name"], "dense", more);
    dense("without.csv", &[]).ends(0);
    let back = |input: &str, more: &[&str]| {
        pseudonymize(&scratch, input, "back.csv", &["name"], "dense", &[&["--reverse", "--reason", "r"], more].concat())
    };
    leaves_nothing(&scratch, || back("without.csv", &[]), 2, &["codebook"]);
    dense("with.csv", &["--codebook", "book"]).ends(0);
    assert_eq!(read(&scratch, "with.csv"), read(&scratch, "without.csv"));
    let book = fs::read(scratch.path("book")).expect("a codebook");
    assert!(!book.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()), "a value is readable");
    leaves_nothing(&scratch, || back("with.csv", &["--codebook", "book", "--key-file", "other", "--audit", "a"]), 2, &["key"]);
    back("with.csv", &["--codebook", "book"]).ends(0);
    assert_eq!(read(&scratch, "back.csv"), read(&scratch, "table.csv"));
    leaves_nothing(&scratch, || dense("x.csv", &["--codebook", "book"]), 2, &["exists"]);
    leaves_nothing(&scratch, || dense("x.csv", &["--codebook", "book2", "--irreversible"]), 2, &["--codebook"]);
}

#[test]
fn irreversible_tokens_are_never_made_again() {
    let scratch = scratch();
    let make = |output: &str, more: &[&str]| {
        pseudonymize(&scratch, "table.csv", output, &["name"], "blake3", &[&["--irreversible", "--json"], more].concat())
    };
    for more in [&["--key-file", "key"][..], &[]] {
        let answer = make("a.csv", more).ends(0).json();
        assert_eq!((&answer["irreversible"], &answer["reversible"]), (&json!(true), &json!(false)));
        make("b.csv", more).ends(0);
        let (a, b): (BTreeSet<_>, BTreeSet<_>) =
            (column(&scratch, "a.csv", "name").into_iter().collect(), column(&scratch, "b.csv", "name").into_iter().collect());
        assert_eq!(a.intersection(&b).filter(|token| !token.is_empty()).count(), 0);
    }
    // A reversible method under such a key is not reversible either.
    pseudonymize(&scratch, "table.csv", "c.csv", &["name"], "aes-siv", &["--irreversible"]).ends(0);
    pseudonymize(&scratch, "c.csv", "back.csv", &["name"], "aes-siv", &["--key-file", "key", "--reverse", "--reason", "r"])
        .ends(2)
        .says(&["key"]);
}

#[test]
fn mistakes_on_the_command_line_are_told_and_harm_nothing() {
    let scratch = scratch();
    let with =
        |columns: &[&str], method: &str, output: &str, more: &[&str]| pseudonymize(&scratch, "table.csv", output, columns, method, more);
    let refused = |columns: &[&str], method: &str, output: &str, more: &[&str], code: i32, words: &[&str]| {
        leaves_nothing(&scratch, || with(columns, method, output, more), code, words);
    };
    refused(&["name"], "blake3", "table.csv", &[], 2, &["--output"]);
    refused(&["name"], "blake3", "x.txt", &[], 2, &["--output"]);
    refused(&["nobody"], "blake3", "x.csv", &[], 2, &["nobody"]);
    refused(&["name", "name"], "blake3", "x.csv", &[], 2, &["twice"]);
    refused(&["name"], "sha1", "x.csv", &[], 2, &["sha1"]);
    refused(&["name"], "blake3", "x.csv", &["--scope", "planet"], 2, &["planet"]);
    refused(&["name"], "blake3", "x.csv", &["--scope", "none"], 2, &["--scope"]);
    refused(&["name"], "blake3", "x.csv", &["--scope", "period", "--time", "day"], 2, &["--period"]);
    refused(&["name"], "blake3", "x.csv", &["--scope", "period", "--period", "day"], 2, &["--time"]);
    refused(&["name"], "blake3", "x.csv", &["--scope", "period", "--period", "0", "--time", "day"], 2, &["day"]);
    refused(&["name"], "blake3", "x.csv", &["--scope", "period", "--period", "day", "--time", "name"], 2, &["name"]);
    refused(&["name"], "blake3", "x.csv", &["--period", "day"], 2, &["--period"]);
    refused(&["name"], "blake3", "x.csv", &["--alphabet", "digits"], 2, &["--alphabet"]);
    refused(&["name"], "blake3", "x.csv", &["--codebook", "c"], 2, &["--codebook"]);
    refused(&["name"], "blake3", "x.csv", &["--format", "int64"], 2, &["int64"]);
    refused(&["name"], "aes-block", "x.csv", &[], 2, &["name"]);
    refused(&["name"], "aes-siv", "x.csv", &["--scope", "session", "--session-gap", "5", "--time", "day"], 2, &["blake3"]);
    refused(&["name"], "dense", "x.csv", &["--scope", "recipient"], 2, &["--scope"]);
    refused(&["name"], "blake3", "none/x.csv", &[], 1, &["none"]);
    leaves_nothing(&scratch, || pseudonymize(&scratch, "absent.csv", "x.csv", &["name"], "blake3", &[]), 1, &["absent.csv"]);
    scratch
        .run("pseudonymize", &["--input", "table.csv", "--output", "x.csv", "--column", "name", "--method", "blake3"])
        .ends(2)
        .says(&["--key-file"]);
}

#[test]
fn an_output_takes_the_place_of_no_other_file_of_the_run() {
    let scratch = scratch();
    let dense = |output: &str, codebook: &str| pseudonymize(&scratch, "table.csv", output, &["name"], "dense", &["--codebook", codebook]);
    leaves_nothing(&scratch, || dense("x.csv", "x.csv"), 2, &["--output", "codebook"]);
    leaves_nothing(&scratch, || dense("x.csv", "./x.csv"), 2, &["--output", "codebook"]);
    leaves_nothing(&scratch, || dense("x.csv", "x.csv.pseudonyms.json"), 2, &["--codebook"]);
    dense("numbers.csv", "book.csv").ends(0);
    pseudonymize(&scratch, "table.csv", "sealed.csv", &["name"], "aes-siv", &[]).ends(0);
    let back = |method: &str, input: &str, output: &str, more: &[&str]| {
        pseudonymize(&scratch, input, output, &["name"], method, &[&["--reverse", "--reason", "r"], more].concat())
    };
    leaves_nothing(&scratch, || back("dense", "numbers.csv", "book.csv", &["--codebook", "book.csv"]), 2, &["--output", "codebook"]);
    leaves_nothing(&scratch, || back("aes-siv", "sealed.csv", "sealed.csv.pseudonyms.json", &[]), 2, &["--output", "description"]);
    back("aes-siv", "sealed.csv", "back.csv", &["--audit", "audit.jsonl"]).ends(0);
    leaves_nothing(&scratch, || back("aes-siv", "sealed.csv", "audit.jsonl", &["--audit", "audit.jsonl"]), 2, &["--output", "audit"]);
    fs::copy(scratch.path("key"), scratch.path("key.csv")).expect("copied");
    leaves_nothing(
        &scratch,
        || pseudonymize(&scratch, "table.csv", "key.csv", &["name"], "blake3", &["--key-file", "key.csv"]),
        2,
        &["--output", "key"],
    );
}

#[test]
fn a_description_goes_with_the_table_that_it_describes() {
    let scratch = scratch();
    let description = || scratch.path("x.csv.pseudonyms.json").exists();
    let replace = |method: &str, more: &[&str]| pseudonymize(&scratch, "table.csv", "x.csv", &["name"], method, more).ends(0);
    replace("aes-siv", &[]);
    assert!(description());
    replace("blake3", &[]);
    assert!(!description(), "that of the former table is left");
    replace("aes-siv", &[]);
    replace("aes-siv", &["--key-file", "key", "--irreversible"]);
    assert!(!description(), "that of the former table is left");
    // What somebody else put there stays.
    scratch.write("x.csv.pseudonyms.json", "{}");
    replace("blake3", &[]);
    assert_eq!(read(&scratch, "x.csv.pseudonyms.json"), "{}");
}

#[test]
fn format_and_alphabet_are_taken_from_the_description() {
    let scratch = scratch();
    for (method, name, option) in [("ff1", "digits", ["--alphabet", "9876543210"]), ("aes-siv", "name", ["--format", "hex"])] {
        pseudonymize(&scratch, "table.csv", "sealed.csv", &[name], method, &option).ends(0);
        pseudonymize(&scratch, "sealed.csv", "back.csv", &[name], method, &["--reverse", "--reason", "r"]).ends(0);
        assert_eq!(read(&scratch, "back.csv"), read(&scratch, "table.csv"), "{method}");
        let other: &[&str] = if method == "ff1" { &["--alphabet", "digits"] } else { &["--format", "base32"] };
        let back = || pseudonymize(&scratch, "sealed.csv", "x.csv", &[name], method, &[&["--reverse", "--reason", "r"], other].concat());
        leaves_nothing(&scratch, back, 2, &[option[0]]);
    }
}

#[test]
fn a_description_that_was_tampered_with_is_refused() {
    let scratch = scratch();
    pseudonymize(&scratch, "table.csv", "sealed.csv", &["name"], "aes-siv", &[]).ends(0);
    let description = read(&scratch, "sealed.csv.pseudonyms.json");
    let nested = format!("{}Utf8{}", "Dictionary(Int8, ".repeat(100_000), ")".repeat(100_000));
    for data_type in ["Text", "", "FixedSizeBinary(-1)", &nested] {
        scratch.write("sealed.csv.pseudonyms.json", description.replace("Utf8", data_type));
        let back = || pseudonymize(&scratch, "sealed.csv", "back.csv", &["name"], "aes-siv", &["--reverse", "--reason", "r"]);
        leaves_nothing(&scratch, back, 1, &["sealed.csv.pseudonyms.json"]);
    }
}

#[test]
fn numbers_and_times_of_a_csv_come_back_letter_by_letter() {
    let scratch = scratch();
    let text = "float,time,whole\n1.50,2026-03-05T12:00:00+01:00,7\n1.5,2026-03-05T11:00:00Z,-7\n1e3,2026-03-05T12:00:00.1234567Z,0\n\
                -0.0,2026-03-05T12:00:00.1234568Z,7\n0.10000000000000001,,\n";
    scratch.write("t.csv", text);
    let columns = ["float", "time", "whole"];
    pseudonymize(&scratch, "t.csv", "sealed.csv", &columns, "aes-siv", &[]).ends(0);
    for name in ["float", "time"] {
        let tokens = column(&scratch, "sealed.csv", name);
        assert_eq!(tokens.iter().collect::<BTreeSet<_>>().len(), 5, "{name}: two texts have one token");
    }
    pseudonymize(&scratch, "sealed.csv", "back.csv", &columns, "aes-siv", &["--reverse", "--reason", "r"]).ends(0);
    assert_eq!(read(&scratch, "back.csv"), text);
}

#[test]
fn a_recipient_without_a_name_is_pointed_out() {
    let scratch = scratch();
    let warned = |more: &[&str]| {
        let answer =
            pseudonymize(&scratch, "table.csv", "x.csv", &["name"], "blake3", &[&["--json", "--scope", "recipient"], more].concat());
        answer.ends(0).json()["warnings"].to_string().contains("--recipient")
    };
    assert!(warned(&[]) && !warned(&["--recipient", "Example"]));
}

#[test]
fn small_input_spaces_are_pointed_out() {
    let scratch = scratch();
    let answer = pseudonymize(&scratch, "table.csv", "x.csv", &["number", "name"], "blake3", &["--json"]).ends(0).json();
    assert_eq!(answer["columns"][0]["input_space"]["enumerable"], json!(true));
    assert!(answer["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty()), "{answer}");
    assert!(answer["columns"][1]["collision_probability"].as_f64().is_some_and(|probability| probability > 0.0 && probability < 1e-30));
    assert_eq!(answer["columns"][1]["values"], json!(297));
}

#[test]
fn empty_tables_and_columns_of_missing_values_pass() {
    let scratch = scratch();
    scratch.write("empty.csv", "name,number\n");
    scratch.write("missing.csv", "name,number\n,1\n,2\n");
    for method in ["blake3", "hmac-sha256", "aes-siv", "dense", "ff1"] {
        for input in ["empty.csv", "missing.csv"] {
            pseudonymize(&scratch, input, "x.csv", &["name"], method, &[]).ends(0);
            assert_eq!(read(&scratch, "x.csv"), read(&scratch, input), "{method}");
        }
    }
}
