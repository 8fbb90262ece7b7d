//! Real processes on a real disk, killed at random moments.

use super::{budget, reserve};
use backmask::dp::ledger::Ledger;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const LEDGER: &str = "BACKMASK_TEST_LEDGER";

/// What a killed process runs: it debits until it is refused, and says which debits were granted. Without the variable it is no test.
#[test]
#[ignore = "it is the child of the next test"]
fn slow_tier_child() {
    let Some(path) = std::env::var_os(LEDGER).map(PathBuf::from) else { return };
    for number in 0.. {
        let product = format!("{}-{number}", std::process::id());
        let Ok(reservation) = reserve(&path, &product, 0.01) else { return };
        // Only what was granted is said, as noise is only drawn then.
        let _told = writeln!(std::io::stderr(), "granted {product}");
        if let Ok(mut ledger) = Ledger::open(&path) {
            let _committed = ledger.commit(reservation);
        }
    }
}

fn child(path: &Path) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "--nocapture", "dp::ledger::slow_tier::slow_tier_child"])
        .env(LEDGER, path)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("a child")
}

/// Pairs of processes spend from one ledger until they are killed. Afterwards it can be read, has every debit that was granted, and not more than there was.
#[test]
#[ignore = "takes about a minute"]
fn slow_tier_killed_processes_never_overspend() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let (mut granted_in_all, mut interrupted) = (0, 0);
    for round in 0..100 {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
        let path = folder.path().join("l");
        Ledger::create(&path, "pool", budget(0.4)).expect("a ledger");
        let mut children = [child(&path), child(&path)];
        let mut granted = Vec::new();
        for child in &mut children {
            std::thread::sleep(Duration::from_micros(rng.random_range(0..300_000)));
            // SIGKILL: nothing in the process can run after it.
            let _ended = child.kill();
        }
        for child in children {
            let output = child.wait_with_output().expect("the child ended");
            let text = String::from_utf8(output.stderr).expect("text");
            granted.extend(text.lines().filter_map(|line| line.strip_prefix("granted ")).map(str::to_owned));
        }
        let statement = Ledger::open(&path).and_then(|ledger| ledger.statement()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(granted.len() <= 40 && statement.spent.epsilon <= 0.4, "round {round}: overspent");
        for product in &granted {
            assert!(statement.reservations.iter().any(|line| line.product == *product), "round {round}: {product} is forgotten");
        }
        granted_in_all += granted.len();
        interrupted += usize::from(folder.path().join(".l.new").exists() || statement.reservations.iter().any(|line| !line.committed));
        let left = 40 - statement.reservations.len();
        let after = (0..50).take_while(|number| reserve(&path, &format!("after-{number}"), 0.01).is_ok()).count();
        assert_eq!(after, left, "round {round}");
    }
    assert!(
        granted_in_all > 100 && interrupted > 10,
        "the kills came at the wrong time: {granted_in_all} granted, {interrupted} interrupted"
    );
}
