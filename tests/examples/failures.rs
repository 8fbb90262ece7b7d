//! Everything that can go wrong before a release: the exit code, the message, and nothing published.

use super::support::{POLICY, Ran, SECRET, Scratch, assert_nothing_published, files, people};
use std::fs;
use std::process::Command;

/// The run fails with this code, says these words and no value of the pool, and leaves nothing behind.
#[track_caller]
fn fails(scratch: &Scratch, code: i32, ran: Ran, words: &[&str]) {
    ran.ends(code).says(words);
    scratch.nothing_published();
}

#[test]
fn mistakes_in_the_policy() {
    let scratch = Scratch::new();
    for (from, to, words) in [
        ("hierarchy = ", "hierachy = ", ["columns.birth_year.hierachy", "unknown key"]),
        ("k = 12 }", "k = 1 }", ["k", "2"]),
        ("k = 12 }", "k = 12, extra = 1 }", ["extra", "unknown key"]),
        ("version = 1", "version = 2", ["version", "1"]),
        ("name = \"small\"", "name = ", ["policy", "line"]),
        ("[columns.city]", "[columns.town]", ["city", "not declared"]),
        ("kind = \"records\"", "kind = \"cohort\"", ["products[0]", "cohorts"]),
        ("\"k-anonymity\", k = 12", "\"distinct-l-diversity\", column = \"city\", l = 2", ["distinct-l-diversity", "models"]),
        ("suppression_limit = 0.1", "suppression_limit = 1.5", ["suppression_limit", "1"]),
        ("hierarchy = { intervals = [5, 10, 20] }", "hierarchy = { file = \"nowhere.csv\" }", ["nowhere.csv", "hierarchy"]),
    ] {
        assert!(POLICY.contains(from), "{from}");
        scratch.write("policy.toml", POLICY.replacen(from, to, 1));
        let ran = scratch.anonymize(&["--json"]);
        let code = ran.code;
        assert_eq!(code, Some(2), "{to}: {ran:?}");
        let answer = ran.json();
        assert_eq!(answer["exit"], 2);
        fails(&scratch, 2, ran, &words);
    }
}

#[test]
fn a_product_of_a_later_version() {
    let scratch = Scratch::new();
    let (columns, _) = POLICY.split_once("[columns.city]").expect("columns");
    scratch.write(
        "policy.toml",
        format!("{columns}[columns.city]\nrole = \"item\"\n[[products]]\nname = \"tastes\"\nkind = \"synthetic-profiles\"\nepsilon = 1.0\ndelta = 1e-6\n"),
    );
    fails(&scratch, 2, scratch.anonymize(&[]), &["products", "synthetic-profiles", "not available in this version"]);
}

#[test]
fn a_policy_for_other_columns() {
    let scratch = Scratch::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policies/");
    for policy in ["hetrec.toml", "simulated-raw.toml"] {
        let policy = format!("{folder}{policy}");
        let ran = scratch.run("anonymize", &["--policy", &policy, "--input", "people.csv", "--output", "out"]);
        fails(&scratch, 2, ran, &["2 columns", "birth_year, city", "role"]);
    }
}

#[test]
fn files_that_are_not_there_or_are_something_else() {
    let scratch = Scratch::new();
    let run = |policy: &str, input: &str| scratch.run("anonymize", &["--policy", policy, "--input", input, "--output", "out"]);
    fails(&scratch, 2, run("none.toml", "people.csv"), &["none.toml", "no such file"]);
    fails(&scratch, 1, run("policy.toml", "none.csv"), &["none.csv"]);
    fs::create_dir(scratch.path("folder")).expect("a folder");
    fails(&scratch, 1, run("folder", "people.csv"), &["folder"]);
    fails(&scratch, 1, run("policy.toml", "folder"), &["folder", "no file of events is recognized", "[input]"]);
    scratch.write("empty.csv", "");
    fails(&scratch, 1, run("policy.toml", "empty.csv"), &["empty.csv"]);
    // Only a header: there is nothing to release, whatever is said about it.
    scratch.write("header.csv", people(0));
    fails(&scratch, 2, run("policy.toml", "header.csv"), &["birth_year", "no values"]);
    scratch.write("binary.csv", [0_u8, 159, 146, 150, b'\n', 0xff]);
    fails(&scratch, 1, run("policy.toml", "binary.csv"), &["binary.csv"]);
    scratch.write("policy-that-is-none.toml", people(3));
    fails(&scratch, 2, run("policy-that-is-none.toml", "people.csv"), &["policy"]);
    // A link that leads nowhere.
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("nowhere", scratch.path("link.csv")).expect("a link");
        fails(&scratch, 1, run("policy.toml", "link.csv"), &["link.csv"]);
    }
}

/// What is read for recognizing the format would be missing from the data, or there is no end of it.
#[cfg(unix)]
#[test]
fn pipes_and_devices() {
    let scratch = Scratch::new();
    let made = Command::new("mkfifo").arg(scratch.path("pipe")).status().expect("mkfifo runs");
    assert!(made.success());
    for input in ["pipe", "/dev/null", "/dev/zero"] {
        let ran = scratch.run("anonymize", &["--policy", "policy.toml", "--input", input, "--output", "out"]);
        fails(&scratch, 1, ran, &[input, "pipe or a device", "to a file"]);
    }
    let mut shell = Command::new("sh");
    shell.current_dir(scratch.path("")).args(["-c", "cat people.csv | \"$@\"", "sh"]).arg(super::support::binary("anonymize"));
    shell.args(["--policy", "policy.toml", "--input", "/dev/stdin", "--output", "out"]);
    fails(&scratch, 1, Ran::new(&shell.output().expect("sh runs")), &["pipe or a device"]);
}

/// A name of a file need not be a text. It is shown as well as it can be, after as before publishing.
#[cfg(target_os = "linux")]
#[test]
fn paths_that_are_no_text() {
    use std::os::unix::ffi::OsStrExt;
    let scratch = Scratch::new();
    let path = std::ffi::OsStr::from_bytes(b"out-\xff");
    let mut command = scratch.command("anonymize", &["--policy", "policy.toml", "--input", "people.csv", "--json", "--output"]);
    let ran = Ran::new(&command.arg(path).output().expect("the example runs")).ends(0);
    assert!(ran.json()["release"].as_str().is_some_and(|path| path.starts_with("out-")));
    super::support::assert_complete(&scratch.path("").join(path));
    let mut command = scratch.command("simulate", &["--subjects", "5", "--events", "9", "--json", "--output"]);
    Ran::new(&command.arg(std::ffi::OsStr::from_bytes(b"pool-\xff")).output().expect("the example runs")).ends(0);
}

#[test]
fn rows_that_cannot_be_read() {
    let scratch = Scratch::new();
    let run = |name: &str, text: &str| {
        scratch.write(name, text);
        scratch.run("anonymize", &["--policy", "policy.toml", "--input", name, "--output", "out"])
    };
    let good = people(50);
    fails(
        &scratch,
        1,
        run("long.csv", &format!("{good}{SECRET}-x,1980,{SECRET},1\n{good}")),
        &["long.csv", "record 51", "4 fields instead of 3"],
    );
    fails(&scratch, 1, run("short.csv", &format!("{good}{SECRET}-x\n")), &["short.csv", "record 51"]);
    fails(&scratch, 1, run("quote.csv", &format!("{good}\"{SECRET}-x,1980,{SECRET}\n")), &["quote.csv", "record 51"]);
    // One year is a word: the column is no longer a number, and the message must not show which word.
    fails(&scratch, 2, run("word.csv", &format!("{good}{SECRET}-x,{SECRET},{SECRET}\n")), &["birth_year", "not a number"]);
    // A header that says one name twice is taken for a row, unless the policy says that it is a header.
    let twice = good.replacen("city", "birth_year", 1);
    fails(&scratch, 2, run("twice.csv", &twice), &["column_1", "header"]);
    scratch.write("policy.toml", format!("{POLICY}[input]\nheader = true\n"));
    fails(&scratch, 1, run("twice.csv", &twice), &["twice.csv", "column 3", "earlier column"]);
}

#[test]
fn a_truncated_or_damaged_parquet_file() {
    let scratch = Scratch::new();
    scratch.run("simulate", &["--subjects", "60", "--events", "3000", "--seed", "3", "--output", "pool"]).ends(0);
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policies/simulated-raw.toml");
    let whole = fs::read(scratch.path("pool/events.parquet")).expect("events");
    let run = |bytes: &[u8]| {
        scratch.write("damaged.parquet", bytes);
        scratch.run("anonymize", &["--policy", policy, "--input", "damaged.parquet", "--output", "out"])
    };
    for length in [0, 4, 11, whole.len() / 2, whole.len() - 1] {
        fails(&scratch, 1, run(&whole[..length]), &["damaged.parquet"]);
    }
    // A page in the middle is damaged: found while reading, when staging has begun.
    let mut hurt = whole.clone();
    for at in (200..whole.len() / 2).step_by(61) {
        hurt[at] ^= 0x55;
    }
    fails(&scratch, 1, run(&hurt), &["damaged.parquet"]);
}

#[test]
fn key_files_that_must_not_be_used() {
    let scratch = Scratch::new();
    scratch.run("keygen", &["--output", "good.key", "--quiet"]).ends(0);
    let text = fs::read_to_string(scratch.path("good.key")).expect("a key file");
    let digits = text.lines().find_map(|line| line.strip_prefix("key: ")).expect("a key").to_owned();
    let changed = if digits.starts_with('0') { "1" } else { "0" };
    let private = |name: &str, text: &str| {
        let path = scratch.write(name, text);
        #[cfg(unix)]
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).expect("rights");
        path
    };
    private("checksum.key", &text.replace(&digits, &format!("{changed}{}", &digits[1..])));
    private("short.key", &text[..text.len() / 2]);
    private("other.key", &people(3));
    private("empty.key", "");
    let open = private("open.key", &text);
    #[cfg(unix)]
    fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("rights");
    for (name, words) in [
        ("checksum.key", ["checksum", "restore it from a copy"]),
        ("short.key", ["lines are missing", "restore"]),
        ("other.key", ["not a key file", "keygen"]),
        ("empty.key", ["not a key file", "keygen"]),
        ("none.key", ["no such file", "keygen"]),
        (".", ["not a file", "key"]),
        #[cfg(unix)]
        ("open.key", ["mode 644", "chmod 600"]),
    ] {
        let ran = scratch.anonymize(&["--key-file", name]);
        assert!(!ran.stderr.contains(&digits[1..]), "the key is in a message");
        fails(&scratch, 2, ran, &words);
    }
    scratch.release(&["--key-file", "good.key"]);
}

#[test]
fn outputs_that_cannot_be_written() {
    let scratch = Scratch::new();
    scratch.write("file", "mine");
    let run = |output: &str| scratch.run("anonymize", &["--policy", "policy.toml", "--input", "people.csv", "--output", output]);
    run("file").ends(2).says(&["--output", "file of this name", "folder"]);
    run("file/below").ends(1).says(&["file/below"]);
    assert_eq!(fs::read(scratch.path("file")).expect("untouched"), b"mine");
    #[cfg(target_os = "linux")]
    {
        run("/proc/backmask").ends(1).says(&["/proc/backmask"]);
        run("/dev/full").ends(2).says(&["--output"]);
    }
    scratch.anonymize(&["--output", "x"]).ends(2).says(&["--output"]);
    let ran = scratch.run("anonymize", &["--policy", "policy.toml", "--input", "people.csv"]);
    fails(&scratch, 2, ran, &["--output", "--assess-only"]);
}

#[test]
fn an_output_that_already_has_a_release_is_not_touched() {
    let scratch = Scratch::new();
    scratch.release(&[]);
    let before: Vec<_> = files(&scratch.path("out")).iter().map(|file| fs::read(scratch.path("out").join(file)).expect("a file")).collect();
    scratch.anonymize(&[]).ends(2).says(&["--output", "already holds a release", "new folder"]);
    let after: Vec<_> = files(&scratch.path("out")).iter().map(|file| fs::read(scratch.path("out").join(file)).expect("a file")).collect();
    assert!(before == after, "the release was changed");
    // Also if only the steward's folder is left.
    fs::remove_dir_all(scratch.path("out/release")).expect("removed");
    scratch.anonymize(&[]).ends(2).says(&["already holds a release"]);
    assert!(!scratch.path("out/release").exists());
}

#[test]
fn memory_threads_and_formats() {
    let scratch = Scratch::new();
    for memory in ["0", "1KiB", "15MiB", "much", "1é", "-1", "1.5GiB", "99999999999999999999GiB", "17179869184GiB"] {
        fails(&scratch, 2, scratch.anonymize(&[&format!("--memory={memory}")]), &["--memory"]);
    }
    fails(&scratch, 2, scratch.anonymize(&["--format", "xlsx"]), &["--format", "parquet"]);
    for (number, more) in
        [["--memory", "16MiB"], ["--memory", "17179869183GiB"], ["--threads", "0"], ["--threads", "5000"], ["--format", "ipc"]]
            .iter()
            .enumerate()
    {
        scratch.release(more);
        fs::rename(scratch.path("out"), scratch.path(&format!("out-{number}"))).expect("moved");
    }
    assert!(scratch.path("out-4/release/people.arrow").exists());
}

#[test]
fn options_of_later_versions_are_refused_by_name() {
    let scratch = Scratch::new();
    for option in ["--control", "--ledger"] {
        fails(&scratch, 2, scratch.anonymize(&[option, "people.csv"]), &[option, "not available in this version"]);
    }
    scratch
        .run("assess", &["--policy", "policy.toml", "--input", "people.csv", "--original", "people.csv"])
        .ends(2)
        .says(&["--original", "not available in this version"]);
}

#[test]
fn the_gate_refuses_and_only_the_steward_learns_why() {
    let scratch = Scratch::new();
    scratch.write("policy.toml", POLICY.replace("k = 12", "k = 2") + "[gate]\nmax_risk = 0.02\n");
    for refusals in 1..=2 {
        let ran = scratch.anonymize(&[]).ends(3);
        ran.says(&["refused", "product people", "0.02", "raise k to 50", "refused/report.html"]);
        scratch.nothing_published();
        let log = fs::read_to_string(scratch.path("out/refusals.jsonl")).expect("the log");
        assert_eq!(log.lines().count(), refusals);
        assert!(!log.contains(SECRET));
        assert!(scratch.path("out/refused/report.json").exists());
    }
    let ran = scratch.anonymize(&["--json", "--quiet"]).ends(3);
    assert_eq!(ran.json()["exit"], 3);
    assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
    // A better policy may use the same folder, and its report counts the refusals.
    scratch.write("policy.toml", POLICY);
    let ran = scratch.anonymize(&["--json"]).ends(0);
    assert_eq!(ran.json()["report"]["refusals"], 3);
    scratch.verify(&[]).ends(0);
}

#[test]
fn no_transformation_satisfies_the_models() {
    let scratch = Scratch::new();
    scratch.write("policy.toml", POLICY.replace("k = 12", "k = 401"));
    fails(&scratch, 3, scratch.anonymize(&[]), &["product people", "no transformation"]);
}

/// Runs `anonymize` under a limit on the size of files, in blocks of 512 bytes.
fn with_file_limit(scratch: &Scratch, blocks: u32, ignoring: bool) -> Ran {
    let trap = if ignoring { "trap '' XFSZ; " } else { "" };
    let mut shell = Command::new("sh");
    shell.current_dir(scratch.path("")).arg("-c").arg(format!("{trap}ulimit -f {blocks}; exec \"$@\"")).arg("sh");
    shell.arg(super::support::binary("anonymize")).args(["--policy", "policy.toml", "--input", "people.csv", "--output", "out"]);
    Ran::new(&shell.output().expect("sh runs"))
}

#[cfg(unix)]
#[test]
fn a_target_that_is_full() {
    let scratch = Scratch::new();
    // Every size up to one that suffices: whichever file is the one that does not fit.
    let mut failed = 0;
    for blocks in 0..200 {
        let ran = with_file_limit(&scratch, blocks, true);
        if ran.code == Some(0) {
            break;
        }
        failed += 1;
        fails(&scratch, 1, ran, &["error: "]);
    }
    assert!(failed >= 3, "only {failed} sizes were too small");
    super::support::assert_complete(&scratch.path("out"));
    scratch.verify(&[]).ends(0);
}

#[cfg(unix)]
#[test]
fn a_target_that_is_full_and_a_signal_that_kills() {
    let scratch = Scratch::new();
    let mut killed = 0;
    for blocks in 0..200 {
        let ran = with_file_limit(&scratch, blocks, false);
        if ran.code == Some(0) {
            break;
        }
        killed += u32::from(ran.code.is_none());
        assert!(!scratch.path("out/release").exists() && !scratch.path("out/steward").exists(), "{ran:?}");
    }
    assert!(killed >= 3, "only {killed} were killed");
    // The last run removed what the killed ones had left.
    super::support::assert_complete(&scratch.path("out"));
    assert!(fs::read_dir(scratch.path("out")).expect("a folder").count() == 2);
}

#[test]
fn an_empty_output_folder_of_the_user_stays() {
    let scratch = Scratch::new();
    fs::create_dir(scratch.path("out")).expect("a folder");
    scratch.write("out/notes.txt", "mine");
    scratch.run("anonymize", &["--policy", "policy.toml", "--input", "none.csv", "--output", "out"]).ends(1);
    assert_eq!(files(&scratch.path("out")), ["notes.txt"]);
    fs::remove_file(scratch.path("out/notes.txt")).expect("removed");
    scratch.run("anonymize", &["--policy", "policy.toml", "--input", "none.csv", "--output", "out"]).ends(1);
    assert_nothing_published(&scratch.path("out"));
    assert!(scratch.path("out").is_dir(), "the folder of the user was removed");
}
