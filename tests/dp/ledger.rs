//! The ledger on the real file system, in threads and processes, and its example.

use crate::examples::support::Scratch;
use backmask::Error;
use backmask::dp::event::PrivacyEvent;
use backmask::dp::ledger::{Budget, Ledger, Reservation, Spending};
use backmask::keys::Key;
use backmask::units::{Delta, Epsilon};
use serde_json::json;
use std::fs;
use std::path::Path;

mod slow_tier;

fn budget(epsilon: f64) -> Budget {
    Budget::new(Epsilon::new(epsilon).expect("ε"), Delta::new(1e-6).expect("δ"))
}

fn spending(product: &str, epsilon: f64) -> Spending {
    let event = PrivacyEvent::Pure { epsilon, count: 1 };
    Spending::new(product, "policy", vec![event], Epsilon::new(epsilon).expect("ε"), Delta::new(0.0).expect("δ")).expect("a spending")
}

fn reserve(path: &Path, product: &str, epsilon: f64) -> Result<Reservation, Error> {
    Ledger::open(path)?.reserve(&spending(product, epsilon))
}

/// Eight threads with a ledger of their own each take what they get: exactly the budget, and every one of them is in the file.
#[test]
fn threads_share_a_budget() {
    let scratch = Scratch::new();
    let path = scratch.path("l");
    Ledger::create(&path, "pool", budget(2.0)).expect("a ledger");
    let granted: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let path = &path;
                scope.spawn(move || {
                    let asked = (0..5).map(|number| format!("{thread}-{number}"));
                    asked.filter(|product| reserve(path, product, 0.1).is_ok()).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect()
    });
    assert_eq!(granted.len(), 20, "2 in tenths");
    let statement = Ledger::open(&path).expect("a ledger").statement().expect("a statement");
    assert!((statement.spent.epsilon - 2.0).abs() < 1e-12 && statement.remaining.epsilon <= 0.0);
    assert!(granted.iter().all(|product| statement.reservations.iter().any(|line| line.product == *product)));
}

#[cfg(unix)]
#[test]
fn files_with_other_names_or_writers_are_not_spent_from() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let scratch = Scratch::new();
    let path = scratch.path("l");
    let mode = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
    Ledger::create(&path, "pool", budget(2.0)).expect("a ledger");
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600);
    drop(reserve(&path, "a", 0.1).expect("room"));
    assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o600, "after an entry too");
    mode(0o620);
    assert_eq!(reserve(&path, "b", 0.1).expect_err("others may write").exit_code(), 2);
    mode(0o600);
    // A link is followed, and stays one.
    symlink(&path, scratch.path("link")).expect("a link");
    drop(reserve(&scratch.path("link"), "b", 0.1).expect("room"));
    assert!(fs::symlink_metadata(scratch.path("link")).expect("a link").is_symlink());
    assert_eq!(Ledger::open(&path).expect("a ledger").statement().expect("a statement").reservations.len(), 2);
    // A second name would keep the entries from before.
    fs::hard_link(&path, scratch.path("second")).expect("a name");
    assert!(reserve(&path, "c", 0.1).expect_err("a second name").to_string().contains("hard link"));
    fs::remove_file(scratch.path("second")).expect("removed");
    // What an interrupted write left behind is no hindrance.
    fs::write(scratch.path(".l.new"), "half a l").expect("written");
    drop(reserve(&path, "c", 0.1).expect("room"));
    assert!(!scratch.path(".l.new").exists());
    for (name, code) in [("none", 2), ("", 2)] {
        assert_eq!(Ledger::open(scratch.path(name)).map(drop).expect_err("no ledger").exit_code(), code, "{name}");
    }
    assert_eq!(Ledger::create(scratch.path("none/l"), "pool", budget(1.0)).map(drop).expect_err("no folder").exit_code(), 1);
}

#[test]
fn the_example_makes_and_shows_ledgers() {
    let scratch = Scratch::new();
    let init = ["init", "--pool", "listeners", "--epsilon", "3", "--delta", "1e-6", "--output", "l"];
    let made = scratch.run("ledger", &[&init[..], &["--json"]].concat()).ends(0).json();
    assert_eq!((&made["pool"], &made["budget"]), (&json!("listeners"), &json!({"epsilon": 3.0, "delta": 1e-6, "rule": "sums"})));
    let before = fs::read(scratch.path("l")).expect("a ledger");
    scratch.run("ledger", &init).ends(2).says(&["exists already"]);
    assert_eq!(fs::read(scratch.path("l")).expect("a ledger"), before);

    let mut ledger = Ledger::open(scratch.path("l")).expect("a ledger");
    let reservation = ledger.reserve(&spending("hours", 0.5)).expect("room");
    ledger.commit(reservation).expect("committed");
    drop(ledger.reserve(&spending("artists", 1.25)).expect("room"));
    let ran = scratch.run("ledger", &["show", "l", "--json"]).ends(0);
    ran.says(&["listeners", "remaining: ε = 1.25", "artists", "never finished"]);
    let shown = ran.json();
    assert_eq!((&shown["spent"]["epsilon"], &shown["remaining"]["epsilon"]), (&json!(1.75), &json!(1.25)));
    assert_eq!(shown["reservations"][0]["committed"], json!(true));
    assert_eq!(shown["reservations"][1]["events"][0], json!({"mechanism": "pure", "epsilon": 1.25, "count": 1}));
    let head = shown["head"].as_str().expect("a head").to_owned();
    assert!(scratch.run("ledger", &["show", "l", "--quiet"]).ends(0).stderr.is_empty());

    scratch.run("ledger", &["show", "l", "--pool", "listeners", "--expect-head", &head]).ends(0);
    scratch.run("ledger", &["show", "l", "--pool", "others"]).ends(2).says(&["another pool"]);
    scratch.run("ledger", &["show", "l", "--expect-head", "x"]).ends(2).says(&["--expect-head"]);
    scratch.write("l", &before);
    scratch.run("ledger", &["show", "l", "--expect-head", &head]).ends(2).says(&["set back"]);
    let text = String::from_utf8(before).expect("text");
    scratch.write("l", text.replace("\"epsilon\":3.0", "\"epsilon\":9.0"));
    scratch.run("ledger", &["show", "l"]).ends(2).says(&["line 1", "changed"]);
    scratch.run("ledger", &["show", "none"]).ends(2).says(&["none", "no such file"]);
    for (name, value) in [("--epsilon", "0"), ("--epsilon", "NaN"), ("--delta", "1"), ("--delta", "-0.1")] {
        let mut bad = init.map(str::to_owned).to_vec();
        let at = bad.iter().position(|word| word == name).expect("an option");
        bad[at] = format!("{name}={value}");
        bad.remove(at + 1);
        *bad.last_mut().expect("a path") = "bad".to_owned();
        scratch.run("ledger", &bad.iter().map(String::as_str).collect::<Vec<_>>()).ends(2).says(&[name]);
        assert!(!scratch.path("bad").exists());
    }
    scratch.run("ledger", &["init", "--pool", "p", "--epsilon", "1", "--delta", "0", "--output", "none/l"]).ends(1).says(&["none/l"]);
}

#[test]
fn a_sealed_ledger_is_shown_with_its_key() {
    let scratch = Scratch::new();
    scratch.run("keygen", &["--output", "k"]).ends(0);
    let init = ["init", "--pool", "p", "--epsilon", "3", "--delta", "1e-6", "--gaussian-share", "0.5", "--key-file", "k", "--output", "l"];
    scratch.run("ledger", &init).ends(0);
    scratch.run("ledger", &["show", "l"]).ends(2).says(&["sealed with a key"]);
    let shown = scratch.run("ledger", &["show", "l", "--key-file", "k", "--json"]).ends(0).json();
    assert_eq!((&shown["sealed"], &shown["budget"]["rule"]), (&json!(true), &json!({"gaussian": {"share": 0.5}})));
    assert!((shown["remaining"]["mu"].as_f64().expect("μ") - 1.0 / 3.0).abs() < 0.05, "{shown}");
    let key = Key::from_file(scratch.path("k")).expect("a key");
    drop(Ledger::open_sealed(scratch.path("l"), &key).expect("a ledger").reserve(&spending("a", 0.5)).expect("room"));
    scratch.run("keygen", &["--output", "other"]).ends(0);
    scratch.run("ledger", &["show", "l", "--key-file", "other"]).ends(2).says(&["another key"]);
}
