//! A release appears whole or not at all.

use super::{Outcome, entries};
use backmask::io::Staging;
use std::fs;
use std::path::Path;

fn fill(staging: &Staging) -> Outcome {
    fs::create_dir(staging.release().join("sub"))?;
    fs::write(staging.release().join("sub/people.csv"), "id\n")?;
    fs::write(staging.steward().join("report.json"), "{}")?;
    Ok(())
}

#[test]
fn publishing_moves_both_folders_and_leaves_no_other() -> Outcome {
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("new/output");
    let staging = Staging::new(&output)?;
    fill(&staging)?;
    assert!(entries(&output)?.iter().all(|name| name.starts_with('.')), "nothing visible before");
    staging.publish()?;
    assert_eq!(entries(&output)?, ["release", "steward"]);
    assert!(output.join("release/sub/people.csv").exists() && output.join("steward/report.json").exists());
    Ok(())
}

#[cfg(unix)]
#[test]
fn staging_is_private() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let staging = Staging::new(folder.path())?;
    let parent = staging.release().parent().map(Path::to_owned).ok_or("no parent")?;
    for path in [parent, staging.steward()] {
        assert_eq!(fs::metadata(path)?.permissions().mode() & 0o777, 0o700);
    }
    staging.publish()?;
    assert_eq!(fs::metadata(folder.path().join("steward"))?.permissions().mode() & 0o777, 0o700);
    Ok(())
}

#[test]
fn dropped_staging_leaves_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let output = folder.path().join("output");
    let staging = Staging::new(&output)?;
    fill(&staging)?;
    drop(staging);
    assert!(!output.exists(), "a folder that it made is gone too");
    fs::create_dir(&output)?;
    fs::write(output.join("notes.txt"), "mine")?;
    let staging = Staging::new(&output)?;
    fill(&staging)?;
    drop(staging);
    assert_eq!(entries(&output)?, ["notes.txt"], "what was there stays");
    Ok(())
}

#[test]
fn an_earlier_release_is_not_touched() -> Outcome {
    for earlier in ["release", "steward"] {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join(earlier))?;
        let error = Staging::new(folder.path()).err().ok_or("accepted")?;
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("--output"), "{error}");
        assert_eq!(entries(folder.path())?, [earlier]);
    }
    Ok(())
}

#[test]
fn a_release_that_appears_meanwhile_is_not_touched() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (first, second) = (Staging::new(folder.path())?, Staging::new(folder.path())?);
    fill(&first)?;
    first.publish()?;
    assert!(second.publish().is_err());
    assert_eq!(entries(folder.path())?, ["release", "steward"]);
    assert!(folder.path().join("release/sub/people.csv").exists());
    Ok(())
}

#[test]
fn what_killed_runs_left_is_removed() -> Outcome {
    let folder = tempfile::tempdir()?;
    let live = Staging::new(folder.path())?;
    fill(&live)?;
    // One killed while it worked, one before it had a lock.
    for name in [".staging-0123456789abcdef", ".staging-fedcba9876543210"] {
        fs::create_dir_all(folder.path().join(name).join("release"))?;
    }
    fs::write(folder.path().join(".staging-0123456789abcdef/lock"), "")?;
    fs::create_dir(folder.path().join(".staging-mine"))?;
    let next = Staging::new(folder.path())?;
    let names = entries(folder.path())?;
    assert!(names.contains(&".staging-mine".to_owned()) && names.len() == 3, "{names:?}");
    drop(next);
    assert!(live.release().join("sub/people.csv").exists(), "a run that is alive is left alone");
    live.publish()?;
    Ok(())
}

#[test]
fn a_run_killed_between_the_two_moves_is_taken_back() -> Outcome {
    let folder = tempfile::tempdir()?;
    let stale = folder.path().join(".staging-0123456789abcdef");
    fs::create_dir_all(stale.join("release"))?;
    fs::write(stale.join("lock"), "")?;
    fs::write(stale.join("publishing"), "")?;
    fs::create_dir(folder.path().join("steward"))?;
    let staging = Staging::new(folder.path())?;
    fill(&staging)?;
    staging.publish()?;
    assert_eq!(entries(folder.path())?, ["release", "steward"]);
    assert!(folder.path().join("steward/report.json").exists());

    // Killed after the second move: the release is whole and stays.
    fs::create_dir_all(&stale)?;
    fs::write(stale.join("publishing"), "")?;
    assert!(Staging::new(folder.path()).is_err());
    assert_eq!(entries(folder.path())?, ["release", "steward"]);
    Ok(())
}

#[test]
fn a_move_that_fails_takes_the_first_one_back() -> Outcome {
    let folder = tempfile::tempdir()?;
    let staging = Staging::new(folder.path())?;
    fill(&staging)?;
    fs::remove_dir_all(staging.release())?;
    assert!(staging.publish().is_err());
    assert!(entries(folder.path())?.is_empty(), "neither release nor steward");
    Ok(())
}
