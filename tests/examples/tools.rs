//! `simulate`, `import` and `keygen`.

use super::support::{Scratch, files, people};
use serde_json::json;
use std::fs;

#[test]
fn simulate_is_reproducible_and_counts_what_it_wrote() {
    let scratch = Scratch::new();
    let call = |seed: &str, output: &str| {
        scratch.run("simulate", &["--subjects", "30", "--events", "400", "--seed", seed, "--output", output, "--json"])
    };
    let answer = call("7", "a").ends(0).json();
    assert_eq!((&answer["events"]["rows"], &answer["profiles"]["rows"]), (&json!(400), &json!(30)));
    call("7", "b").ends(0);
    call("8", "c").ends(0);
    let bytes = |folder: &str| fs::read(scratch.path(folder).join("events.parquet")).expect("events");
    assert_eq!(files(&scratch.path("a")), ["events.parquet", "profiles.parquet"]);
    assert!(bytes("a") == bytes("b") && bytes("a") != bytes("c"));
    scratch.run("simulate", &["--subjects", "0", "--events", "1", "--output", "d"]).ends(2).says(&["subjects"]);
    scratch.run("simulate", &["--subjects", "1", "--events", "1", "--output", "people.csv"]).ends(1).says(&["people.csv"]);
    assert!(!scratch.path("d").exists());
}

#[test]
fn import_writes_one_canonical_table_or_nothing() {
    let scratch = Scratch::new();
    scratch.write("user_artists.dat", "userID\tartistID\tweight\n2\t51\t13883\n2\t52\t11690\n3\t51\t5\n");
    let answer = scratch.run("import", &["--input", "user_artists.dat", "--output", "events.parquet", "--json"]).ends(0).json();
    assert_eq!((&answer["rows"], &answer["subjects"]), (&json!(3), &json!(2)));
    fs::remove_file(scratch.path("events.parquet")).expect("removed");
    let before = files(&scratch.path(""));
    scratch.write("user_artists.dat", "userID\tartistID\tweight\n2\t51\t13883\n2\t52\tsesame\n");
    scratch.run("import", &["--input", "user_artists.dat", "--output", "events.parquet"]).ends(1).says(&["user_artists.dat", "record 3"]);
    scratch.run("import", &["--input", "none", "--output", "events.parquet"]).ends(1).says(&["none"]);
    scratch.run("import", &["--input", "user_artists.dat", "--output", "events.csv"]).ends(2).says(&[".parquet"]);
    assert_eq!(files(&scratch.path("")), before);
}

#[test]
fn keygen_makes_private_files_and_overwrites_none() {
    let scratch = Scratch::new();
    let ran = scratch.run("keygen", &["--output", "k", "--json"]).ends(0);
    let text = fs::read_to_string(scratch.path("k")).expect("a key file");
    let digits = text.lines().find_map(|line| line.strip_prefix("key: ")).expect("a key");
    assert!(!ran.stdout.contains(digits) && !ran.stderr.contains(digits), "the key was printed");
    assert!(text.contains(ran.json()["id"].as_str().expect("an id")));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(scratch.path("k")).expect("a file").permissions()) & 0o777, 0o600);
    scratch.run("keygen", &["--output", "k"]).ends(2).says(&["exists already"]);
    assert_eq!(fs::read_to_string(scratch.path("k")).expect("a key file"), text);
    scratch.run("keygen", &["--output", "none/k"]).ends(1).says(&["none/k"]);
    scratch.run("keygen", &[]).ends(2).says(&["--output"]);
}

#[test]
fn a_key_file_gives_the_same_tokens_again_and_another_gives_others() {
    let scratch = Scratch::new();
    scratch.write("policy.toml", super::support::policy_with_tokens());
    scratch.write("people.csv", people(100).replace("Sesame Bergen", "Sesame Aachen"));
    scratch.run("keygen", &["--output", "a", "--quiet"]).ends(0);
    scratch.run("keygen", &["--output", "b", "--quiet"]).ends(0);
    let tokens = |more: &[&str]| {
        scratch.release(&[&["--format", "csv"], more].concat());
        let text = fs::read_to_string(scratch.path("out/release/people.csv")).expect("a product");
        fs::remove_dir_all(scratch.path("out")).expect("removed");
        let at = text.lines().next().expect("a header").split(',').position(|name| name == "token").expect("a token");
        let mut tokens: Vec<_> = text.lines().skip(1).map(|line| line.split(',').nth(at).expect("a token").to_owned()).collect();
        tokens.sort();
        tokens
    };
    let first = tokens(&["--key-file", "a"]);
    assert_eq!(first.len(), 100);
    assert_eq!(first, tokens(&["--key-file", "a", "--threads", "1"]));
    assert_ne!(first, tokens(&["--key-file", "b"]));
    assert_ne!(tokens(&[]), tokens(&[]));
}
