//! The example policies: they parse, and their hierarchies name every value of the data they are for.

use crate::real_data::real_data;
use backmask::anonymity::hierarchy::FileLevels;
use backmask::arrow::array::RecordBatch;
use backmask::listening::open;
use backmask::listening::simulate::Simulation;
use backmask::policy::{HierarchySpec, Policy, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/policies")
}

fn policies() -> BTreeMap<String, Policy> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).expect("the folder of policies") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            found.insert(name, Policy::from_path(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        }
    }
    found
}

/// Rows of a hierarchy file.
fn hierarchy(path: &Path) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines().map(|line| line.split(';').map(str::to_owned).collect()).collect()
}

#[test]
fn every_example_policy_is_valid() {
    let policies = policies();
    for name in [
        "adult",
        "hetrec",
        "hetrec-raw",
        "hetrec-support20",
        "hetrec-tastes",
        "lastfm-1k",
        "lastfm-sessions",
        "lfm-1b-users",
        "movielens-100k",
        "simulated-raw",
        "simulated-tastes",
    ] {
        assert!(policies.contains_key(name), "{name}.toml is missing");
    }
}

#[test]
fn the_demonstration_policy_is_valid_and_needs_no_file() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/release/demo.toml")).expect("the policy");
    let policy = Policy::from_toml(&text).expect("a valid policy");
    assert!(!text.contains("file ="), "the policy is built into the binary and cannot read files beside it");
    assert_eq!(policy.products.len(), 4);
}

#[test]
fn example_policies_fit_the_columns_of_their_data() {
    let policies = policies();
    let check = |name: &str, events: Option<&[&str]>, profiles: Option<&[&str]>| {
        policies[name].check_tables(events, profiles).unwrap_or_else(|error| panic!("{name}: {error}"));
    };
    let hetrec: &[&str] = &["subject_id", "artist_id", "plays"];
    for name in ["hetrec", "hetrec-raw", "hetrec-support20", "hetrec-tastes"] {
        check(name, Some(hetrec), None);
    }
    check("lastfm-sessions", Some(&["subject_id", "track_id", "started_at"]), None);
    check(
        "lastfm-1k",
        Some(&["subject_id", "started_at", "track_id", "track_name", "artist_id", "artist_name"]),
        Some(&["subject_id", "gender", "age", "country", "registered_at"]),
    );
    check("lfm-1b-users", Some(&["subject_id", "country", "age", "gender", "registered_at", "playcount"]), None);
    check(
        "movielens-100k",
        Some(&["subject_id", "movie_id", "rating", "started_at"]),
        Some(&["subject_id", "age", "gender", "occupation", "postal_code"]),
    );
    check(
        "adult",
        Some(&["sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation", "salary-class"]),
        None,
    );
}

/// Names of the columns that the reader finds in a file of the research data.
fn columns(test: &str, policy: &Policy, data: &str, table: Table) -> Option<Vec<String>> {
    let path = real_data(test, data)?;
    let sources = open(&[path], table, &policy.input.clone().unwrap_or_default()).unwrap_or_else(|error| panic!("{data}: {error}"));
    Some(sources[0].schema().fields().iter().map(|field| field.name().clone()).collect())
}

#[test]
fn example_policies_fit_the_research_data_as_it_is_read() {
    let test = "example_policies_fit_the_research_data_as_it_is_read";
    let policies = policies();
    for (name, events, profiles) in [
        ("hetrec", "hetrec2011-lastfm-2k/user_artists.dat", None),
        ("hetrec-raw", "hetrec2011-lastfm-2k/user_artists.dat", None),
        ("hetrec-support20", "hetrec2011-lastfm-2k/user_artists.dat", None),
        ("hetrec-tastes", "hetrec2011-lastfm-2k/user_artists.dat", None),
        ("lastfm-sessions", "lastfm-sessions/lastfm.tsv", None),
        ("lastfm-1k", "lastfm-1k/userid-timestamp-artid-artname-traid-traname.first5000.tsv", Some("lastfm-1k/userid-profile.tsv")),
        ("lfm-1b-users", "lfm-1b/LFM-1b_users.txt", None),
        ("movielens-100k", "ml-100k/u.data", Some("ml-100k/u.user")),
        ("adult", "adult/adult.csv", None),
    ] {
        let policy = &policies[name];
        let Some(events) = columns(test, policy, events, Table::Events) else { continue };
        let profiles = profiles.and_then(|data| columns(test, policy, data, Table::Profiles));
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        let profiles: Option<Vec<&str>> = profiles.as_ref().map(|names| names.iter().map(String::as_str).collect());
        policy.check_tables(Some(&events), profiles.as_deref()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn policies_for_the_simulated_pool_fit_it() {
    let simulation = Simulation::new(20, 400, 7).expect("a small pool");
    let events = simulation.events(100).expect("events").next().expect("a batch").expect("a whole batch");
    let profiles = simulation.profiles().expect("profiles");
    let names = |batch: &RecordBatch| batch.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    let (events, profiles) = (names(&events), names(&profiles));
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    let profiles: Vec<&str> = profiles.iter().map(String::as_str).collect();
    for name in ["simulated-raw", "simulated-tastes"] {
        policies()[name].check_tables(Some(&events), None).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/release/demo.toml")).expect("the policy");
    let demonstration = Policy::from_toml(&text).expect("a valid policy");
    demonstration.check_tables(Some(&events), Some(&profiles)).expect("the demonstration fits");
}

#[test]
fn hierarchies_are_trees_with_every_leaf_once() {
    let mut files = BTreeSet::new();
    for policy in policies().values() {
        for column in policy.columns.values().chain(policy.profiles.columns.values()).chain(policy.events.columns.values()) {
            if let Some(HierarchySpec::File { path, delimiter }) = &column.hierarchy {
                assert_eq!(*delimiter, ';');
                files.insert(PathBuf::from(path));
            }
        }
    }
    assert_eq!(files.len(), 6);
    for file in files {
        FileLevels::read("column", &file, ';').unwrap_or_else(|error| panic!("{error}"));
        let rows = hierarchy(&file);
        let leaves: BTreeSet<_> = rows.iter().map(|row| &row[0]).collect();
        assert_eq!(leaves.len(), rows.len(), "{}: a leaf stands twice", file.display());
        let width = rows[0].len();
        let mut parents: BTreeMap<(usize, &str), &str> = BTreeMap::new();
        for row in &rows {
            assert_eq!(row.len(), width, "{}: {}", file.display(), row[0]);
            assert!(row.iter().all(|label| !label.trim().is_empty() && label.trim() == label), "{}: {row:?}", file.display());
            for (level, pair) in row.windows(2).enumerate().skip(1) {
                let parent = parents.entry((level, &pair[0])).or_insert(&pair[1]);
                assert_eq!(*parent, pair[1], "{}: {} has two parents", file.display(), pair[0]);
            }
        }
    }
}

/// Fields of a text table, without its header.
fn fields(path: &Path, delimiter: char, column: usize) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(&std::fs::read(path).expect("a readable file")).into_owned();
    let cell = |line: &str| line.split(delimiter).nth(column).unwrap_or_default().trim().to_owned();
    text.lines().skip(1).map(cell).filter(|value| !value.is_empty()).collect()
}

fn covers(test: &str, data: &str, delimiter: char, column: usize, file: &str) {
    let Some(path) = real_data(test, data) else { return };
    let leaves: BTreeSet<String> = hierarchy(&folder().join(file)).into_iter().map(|mut row| row.swap_remove(0)).collect();
    let missing: Vec<_> = fields(&path, delimiter, column).into_iter().filter(|value| !leaves.contains(value)).collect();
    assert!(missing.is_empty(), "{file} lacks {missing:?}");
}

#[test]
fn countries_of_the_research_data_are_leaves() {
    covers("countries_of_the_research_data_are_leaves", "lfm-1b/LFM-1b_users.txt", '\t', 1, "countries.csv");
    covers("countries_of_the_research_data_are_leaves", "lastfm-1k/userid-profile.tsv", '\t', 3, "countries.csv");
}

#[test]
fn values_of_adult_are_leaves() {
    for (column, file) in [(3, "marital-status"), (4, "education"), (5, "native-country"), (6, "workclass"), (7, "occupation")] {
        covers("values_of_adult_are_leaves", "adult/adult.csv", ';', column, &format!("adult/{file}.csv"));
    }
}

#[test]
fn a_release_from_two_tables_needs_both() {
    let policy = &policies()["lastfm-1k"];
    assert!(policy.check_tables(None, Some(&["subject_id", "gender", "age", "country", "registered_at"])).is_err());
    assert!(policy.column(Table::Profiles, "country").is_some() && policy.column(Table::Events, "country").is_none());
}
