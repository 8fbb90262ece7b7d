//! Kills at random moments: a release is whole or absent, and the next run is not disturbed.

use super::support::{POLICY, Ran, Scratch, assert_complete, files};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How often the kill came when, by what was found afterwards.
#[derive(Debug, Default)]
struct Found {
    before: u32,
    during: u32,
    after: u32,
}

/// What one way of running is called with.
struct Job {
    policy: String,
    arguments: Vec<&'static str>,
}

fn jobs() -> Vec<Job> {
    let people = ["--policy", "policy.toml", "--input", "people.csv", "--output", "out", "--quiet"];
    let events = ["--policy", "policy.toml", "--input", "pool/events.parquet", "--output", "out", "--quiet"];
    let log = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policies/simulated-raw.toml")).expect("a policy");
    let one = "columns = [\"artist_id\"]\nitem_support = { min_subjects = 3, otherwise = \"suppress\" }\n";
    vec![
        Job { policy: POLICY.to_owned() + "[gate]\nattacks = []\n", arguments: people.to_vec() },
        // With attacks, a log, and one thread.
        Job { policy: log.clone() + one + "[gate]\ntrials = 100\n", arguments: [&events[..], &["--threads", "1"]].concat() },
        // Refused: the log of refusals and the steward's report of the refusal are written instead.
        Job { policy: log + "[gate]\ntrials = 100\n", arguments: events.to_vec() },
    ]
}

fn start(scratch: &Scratch, job: &Job) -> Child {
    scratch.command("anonymize", &job.arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the example starts")
}

/// Waits for a child, and at `moment` after `begun` kills it.
fn kill_at(mut child: Child, begun: Instant, moment: Duration) {
    std::thread::sleep(moment.saturating_sub(begun.elapsed()));
    // SIGKILL on Unix: nothing in the process can run after it. It fails if the process has ended already.
    let _ended = child.kill();
    child.wait().expect("the child ended");
}

/// A run that nobody kills: how long it takes and what it ends with.
fn undisturbed(scratch: &Scratch, job: &Job) -> (Duration, Option<i32>) {
    let begun = Instant::now();
    let ended = start(scratch, job).wait().expect("the child ended");
    (begun.elapsed(), ended.code())
}

/// Starts and kills `count` runs of every job.
fn kill(count: u32, seed: u64) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for job in jobs() {
        let scratch = Scratch::new();
        scratch.write("policy.toml", &job.policy);
        scratch.run("simulate", &["--subjects", "40", "--events", "1500", "--seed", "5", "--output", "pool"]).ends(0);
        let out = scratch.path("out");
        // What it ends with is what every undisturbed run ends with, and its time is what the kills are spread over.
        let (mut whole, code) = undisturbed(&scratch, &job);
        let publishes = code == Some(0);
        assert!(publishes || code == Some(3), "an undisturbed run ended with {code:?}");
        let mut found = Found::default();
        let _absent = fs::remove_dir_all(&out);
        let mut number = 0;
        // Where the machine became faster or slower meanwhile, it may take more kills until one comes too late.
        while number < count || (publishes && found.after == 0 && number < count + 100) {
            number += 1;
            let moment = whole.mul_f64(rng.random_range(0.0..1.1));
            let begun = Instant::now();
            kill_at(start(&scratch, &job), begun, moment);
            let context = format!("kill {number} at {moment:?} of {whole:?}");
            if out.join("release").exists() {
                assert!(publishes, "{context}: a refused run published");
                found.after += 1;
                // Complete and true, with the steward's folder beside it.
                let present: Vec<_> = files(&out).into_iter().filter(|file| !file.starts_with(".staging-")).collect();
                assert!(present.iter().any(|file| file == "steward/report.json"), "{context}: no steward's folder: {present:?}");
                scratch.verify(&["--quiet"]).ends(0);
                fs::remove_dir_all(&out).expect("removed");
                continue;
            }
            // Outside the hidden folder nothing of a product may be seen.
            let leftovers = files(&out);
            assert!(
                leftovers.iter().all(|file| {
                    file.starts_with(".staging-")
                        || file.starts_with("steward/")
                        || file == "refusals.jsonl"
                        || file.starts_with("refused/")
                }),
                "{context}: {leftovers:?}"
            );
            if leftovers.iter().any(|file| file.starts_with(".staging-")) {
                found.during += 1;
            } else {
                found.before += 1;
            }
            // Every tenth time the next run must succeed on what was left; otherwise it is left for the next kill.
            if number % 10 == 9 {
                let (time, ended) = undisturbed(&scratch, &job);
                assert_eq!(ended, code, "{context}: the next run on the same folder");
                whole = time;
                if publishes {
                    assert_complete(&out);
                    scratch.verify(&["--quiet"]).ends(0);
                } else {
                    scratch.nothing_published();
                }
                fs::remove_dir_all(&out).expect("removed");
            }
        }
        // Otherwise the moments were badly chosen, and nothing was tested.
        assert!(found.during > 0 && (found.after > 0 || !publishes), "{found:?}");
    }
}

#[test]
fn a_killed_run_publishes_all_or_nothing() {
    kill(34, 1);
}

#[test]
#[ignore = "slow tier: 10,000 kills take about ten minutes"]
fn slow_tier_a_killed_run_publishes_all_or_nothing() {
    kill(3334, 2);
}

/// The proof that the check above can fail: a release that lacks a file, or has one too many, is not passed by `verify`.
#[test]
fn half_a_release_would_be_noticed() {
    let scratch = Scratch::new();
    scratch.release(&[]);
    for file in ["people.parquet", "report.json", "policy.toml"] {
        let bytes = fs::read(scratch.path("out/release").join(file)).expect("a file");
        fs::remove_file(scratch.path("out/release").join(file)).expect("removed");
        let ran = scratch.verify(&[]);
        assert_ne!(ran.code, Some(0), "{file} is missing: {ran:?}");
        fs::write(scratch.path("out/release").join(file), bytes).expect("written");
    }
    scratch.verify(&[]).ends(0);
}

/// Killed between the two renames: the steward's folder is there, the release is not, and the mark says that a run was publishing.
#[test]
fn a_kill_between_the_two_renames_does_not_block_the_folder() {
    let scratch = Scratch::new();
    scratch.release(&[]);
    let staging = scratch.path("out/.staging-0123456789abcdef");
    fs::create_dir(&staging).expect("a folder");
    fs::rename(scratch.path("out/release"), staging.join("release")).expect("moved");
    fs::write(staging.join("publishing"), "").expect("a mark");
    fs::write(staging.join("lock"), "").expect("a lock");
    scratch.release(&[]);
    scratch.verify(&[]).ends(0);
}

/// Two runs into one folder at the same time: one is published, the other is told so, and neither spoils the other.
#[test]
fn two_runs_into_one_folder() {
    let scratch = Scratch::new();
    let job =
        Job { policy: String::new(), arguments: vec!["--policy", "policy.toml", "--input", "people.csv", "--output", "out", "--quiet"] };
    for round in 0..20 {
        // Started a little apart, so that every phase of the one meets every phase of the other.
        let mut both = Vec::new();
        for _ in 0..2 {
            let child = scratch.command("anonymize", &job.arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
            both.push(child.expect("the example starts"));
            std::thread::sleep(Duration::from_millis(2 * round));
        }
        let mut ran: Vec<_> = both.into_iter().map(|child| Ran::new(&child.wait_with_output().expect("ended"))).collect();
        ran.sort_by_key(|ran| ran.code);
        assert_eq!((ran[0].code, ran[1].code), (Some(0), Some(2)), "{ran:?}");
        ran[1].says(&["--output"]);
        assert_complete(&scratch.path("out"));
        scratch.verify(&[]).ends(0);
        fs::remove_dir_all(scratch.path("out")).expect("removed");
    }
}
