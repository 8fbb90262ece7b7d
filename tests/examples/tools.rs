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

/// Runs keygen on the ring `r`, expects success, and gives the JSON object. No part of a key is printed.
#[track_caller]
fn ring(scratch: &Scratch, more: &[&str]) -> serde_json::Value {
    let before = fs::read_to_string(scratch.path("r")).unwrap_or_default();
    let ran = scratch.run("keygen", &[&["--ring", "r", "--json"], more].concat()).ends(0);
    let after = fs::read_to_string(scratch.path("r")).expect("a ring");
    for digits in before.lines().chain(after.lines()).filter_map(|line| line.strip_prefix("key: ")) {
        assert!(!ran.stdout.contains(&digits[..8]) && !ran.stderr.contains(&digits[..8]), "a key was printed");
    }
    ran.json()
}

#[test]
fn keygen_makes_and_changes_rings() {
    let scratch = Scratch::new();
    let made = ring(&scratch, &[]);
    let first = made["id"].as_str().expect("an id").to_owned();
    assert_eq!(made, json!({ "ring": "r", "done": "created", "id": first, "active": first }));
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(scratch.path("r")).expect("a file").permissions()) & 0o777, 0o600);
    scratch.run("keygen", &["--ring", "r"]).ends(2).says(&["exists already"]);

    let rotated = ring(&scratch, &["--rotate"]);
    let second = rotated["id"].as_str().expect("an id").to_owned();
    assert_eq!(rotated, json!({ "ring": "r", "done": "rotated", "id": second, "active": second }));
    assert_eq!(ring(&scratch, &["--erase", &first]), json!({ "ring": "r", "done": "erased", "id": first, "active": second }));
    assert_eq!(ring(&scratch, &["--retire", &second]), json!({ "ring": "r", "done": "retired", "id": second, "active": null }));
    scratch.run("keygen", &["--ring", "r", "--retire", &second]).ends(2).says(&["is retired already"]);
    scratch.run("keygen", &["--ring", "r", "--erase", "sesame"]).ends(2).says(&["no key with", "--list"]);

    let before = fs::read(scratch.path("r")).expect("a ring");
    let listed = ring(&scratch, &["--list"]);
    assert_eq!(fs::read(scratch.path("r")).expect("a ring"), before, "a list changes nothing");
    assert_eq!((&listed["done"], &listed["active"]), (&json!("listed"), &json!(null)));
    let keys: Vec<_> = listed["keys"].as_array().expect("keys").iter().map(|key| (key["id"].clone(), key["state"].clone())).collect();
    assert_eq!(keys, [(json!(first), json!("erased")), (json!(second), json!("retired"))]);
    assert!(listed["keys"][1]["erased"].is_null() && listed["keys"][0]["erased"].is_string() && listed["keys"][0]["created"].is_string());
    let ran = scratch.run("keygen", &["--ring", "r", "--list"]).ends(0);
    assert!(ran.stdout.is_empty() && ran.stderr.contains(&format!("{first} 20")) && ran.stderr.contains("erased"));
}

#[test]
fn keygen_refuses_what_it_does_not_understand() {
    let scratch = Scratch::new();
    let id = "0123456789abcdef";
    for arguments in [
        &["--output", "k", "--ring", "r"][..],
        &["--rotate"],
        &["--list"],
        &["--output", "k", "--rotate"],
        &["--output", "k", "--list"],
        &["--output", "k", "--erase", id],
        &["--ring", "r", "--rotate", "--list"],
        &["--ring", "r", "--retire", id, "--erase", id],
        &["--ring", "r", "--retire"],
        &["--ring"],
        // These need a ring that exists.
        &["--ring", "r", "--rotate"],
        &["--ring", "r", "--list"],
        &["--ring", "r", "--erase", id],
    ] {
        scratch.run("keygen", arguments).ends(2).says(&[]);
        let ran = scratch.run("keygen", &[arguments, &["--json"]].concat());
        assert_eq!(ran.ends(2).json()["exit"], 2, "{arguments:?}");
    }
    assert!(!scratch.path("k").exists() && !scratch.path("r").exists());
    scratch.run("keygen", &["--output", "k", "--quiet"]).ends(0);
    scratch.run("keygen", &["--ring", "k", "--rotate"]).ends(2).says(&["single key"]);
    scratch.run("keygen", &["--ring", "none/r"]).ends(1).says(&["none"]);
}

#[test]
fn rotations_of_several_processes_lose_no_key() {
    let scratch = Scratch::new();
    ring(&scratch, &[]);
    let start = |_| scratch.command("keygen", &["--ring", "r", "--rotate", "--quiet"]).spawn().expect("it runs");
    let running: Vec<_> = (0..12).map(start).collect();
    for mut process in running {
        assert!(process.wait().expect("it ends").success());
    }
    let keys = ring(&scratch, &["--list"])["keys"].as_array().expect("keys").clone();
    assert_eq!(keys.len(), 13);
    assert_eq!(keys.iter().filter(|key| key["state"] == "active").count(), 1);
}

/// Killed at any moment, a rotation leaves the former ring or the new one.
#[test]
fn a_rotation_that_is_killed_leaves_a_whole_ring() {
    let scratch = Scratch::new();
    ring(&scratch, &[]);
    let mut count = 1;
    for delay in 0..60_u64 {
        let mut process = scratch.command("keygen", &["--ring", "r", "--rotate", "--quiet"]).spawn().expect("it runs");
        std::thread::sleep(std::time::Duration::from_micros(delay * 200));
        let _ended_already = process.kill();
        process.wait().expect("it ends");
        let keys = ring(&scratch, &["--list"])["keys"].as_array().expect("keys").len();
        assert!(keys == count || keys == count + 1, "{keys} keys after {count}");
        count = keys;
    }
    ring(&scratch, &["--rotate"]);
    let left: Vec<_> = files(&scratch.path("")).into_iter().filter(|name| name.contains(".new")).collect();
    assert_eq!(left, [""; 0], "what killed rotations left is gone after the next");
}

/// A disk that takes nothing: no file may grow, and the signal of it is ignored, so that writing fails.
#[cfg(unix)]
#[test]
fn a_full_disk_keeps_the_ring() {
    let scratch = Scratch::new();
    ring(&scratch, &[]);
    let before = fs::read(scratch.path("r")).expect("a ring");
    let on_a_full_disk = |arguments: &str| {
        let binary = super::support::binary("keygen");
        let script = format!("trap '' XFSZ; ulimit -f 0; exec '{}' {arguments}", binary.display());
        let mut shell = std::process::Command::new("sh");
        let output = shell.current_dir(scratch.path("")).args(["-c", &script]).output().expect("sh runs");
        super::support::Ran::new(&output)
    };
    on_a_full_disk("--ring r --rotate").ends(1).says(&["r"]);
    assert_eq!(fs::read(scratch.path("r")).expect("a ring"), before);
    on_a_full_disk("--ring fresh").ends(1).says(&["fresh"]);
    on_a_full_disk("--output k").ends(1).says(&["k"]);
    assert!(!scratch.path("fresh").exists() && !scratch.path("k").exists());
    assert!(!files(&scratch.path("")).iter().any(|name| name.contains(".new")), "{:?}", files(&scratch.path("")));
    ring(&scratch, &["--rotate"]);
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
