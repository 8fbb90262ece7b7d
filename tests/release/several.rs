//! Several releases of one pool: an adversary lays them over each other, with everything that the register knows.

use super::support::{Run, Written, batch, key, policy, texts, write_parquet};
use backmask::Error;
use backmask::history::releases::{ABSENT, PersonTag, Register, Release, person_tags};
use backmask::keys::Key;
use backmask::release::report::{Report, Verified};
use backmask::release::{Anonymizer, Outcome, Stage, verify};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

const K: usize = 5;

const POLICY: &str = "
    version = 1
    name = 'several'
    subject = { column = 'who' }
    [columns]
    song = { role = 'item' }
    country = { role = 'quasi-identifier' }
    [[products]]
    name = 'tastes'
    kind = 'cohorts'
    k = 5
    min_members = 2
    attributes = ['country']
    [gate]
    trials = 50
    max_risk = 0.2
";

/// What a cohort shows: size, items with members, attribute with members.
type Profile = (String, BTreeMap<String, String>, (Option<String>, Option<String>));

/// The pool at one time: these people with their songs, which change from release to release.
#[derive(Clone)]
struct Pool {
    people: Vec<usize>,
    /// Everybody has heard a new song in each time, and the first songs are gone.
    time: usize,
}

impl Pool {
    fn new(people: Range<usize>, without: &[usize], time: usize) -> Self {
        Self { people: people.filter(|person| !without.contains(person)).collect(), time }
    }

    fn songs(&self, person: usize) -> BTreeSet<String> {
        let taste = person % 3;
        let own = (0..8).filter(|song| !(person * 7 + song * 5 + person / 3 * song).is_multiple_of(3)).map(|song| taste * 8 + song);
        let gone = |song: &usize| self.time > 0 && song % 8 == 1;
        own.filter(|song| !gone(song)).map(|song| format!("song-{song}")).chain([format!("hit-{}", self.time)]).collect()
    }

    fn country(&self, person: usize) -> &'static str {
        // People move; cohorts that were released do not.
        ["DE", "FR", "IT"][(person / 4 + self.time) % 3]
    }

    fn write(&self, path: &Path) {
        let rows: Vec<(String, String, &str)> = self
            .people
            .iter()
            .flat_map(|&person| self.songs(person).into_iter().map(move |song| (format!("person-{person}"), song, self.country(person))))
            .collect();
        let events = batch([
            ("who", texts(rows.iter().map(|row| row.0.as_str()))),
            ("song", texts(rows.iter().map(|row| row.1.as_str()))),
            ("country", texts(rows.iter().map(|row| row.2))),
        ]);
        write_parquet(path, &events);
    }

    fn tags(&self) -> Vec<PersonTag> {
        tags(&self.people)
    }
}

fn tags(people: &[usize]) -> Vec<PersonTag> {
    let names: Vec<String> = people.iter().map(|person| format!("person-{person}")).collect();
    person_tags(texts(names.iter().map(String::as_str)).as_ref(), &key()).expect("tags")
}

struct Steward {
    run: Run,
}

impl Steward {
    fn new() -> Self {
        Self { run: Run::new() }
    }

    fn register(&self) -> PathBuf {
        self.run.path("pool.register")
    }

    fn job(&self, text: &str, pool: &Pool, output: &str) -> Anonymizer {
        let input = self.run.path(&format!("{output}.parquet"));
        pool.write(&input);
        Anonymizer::new(policy(text)).input([input]).output(self.run.path(output)).key(key()).threads(2).register(self.register())
    }

    fn publish(&self, pool: &Pool, output: &str) -> Outcome {
        self.job(POLICY, pool, output).run().unwrap_or_else(|error| panic!("{output}: {error}"))
    }

    fn open(&self) -> Register {
        Register::open(&self.register(), &key()).expect("a register")
    }
}

/// The cohorts of a file by id.
fn profiles(outcome: &Outcome) -> BTreeMap<String, Profile> {
    let written = Written::of(outcome, "tastes");
    assert_eq!(written.columns, ["cohort_id", "size", "item", "members", "country", "country_members"]);
    let mut found: BTreeMap<String, Profile> = BTreeMap::new();
    for row in written.rows {
        let field = |at: usize| row[at].clone().expect("no field is empty");
        let shown = (row[4].clone(), row[5].clone());
        let cohort = found.entry(field(0)).or_insert_with(|| (field(1), BTreeMap::new(), shown.clone()));
        assert_eq!((&cohort.0, &cohort.2), (&field(1), &shown));
        assert!(cohort.1.insert(field(2), field(3)).is_none(), "an item twice");
    }
    found
}

fn sorted(profiles: &BTreeMap<String, Profile>) -> Vec<Profile> {
    let mut all: Vec<Profile> = profiles.values().cloned().collect();
    all.sort();
    all
}

/// Sizes of the cells of the joint partition by their definition.
fn cells(rows: &[Vec<u32>]) -> Vec<usize> {
    let people = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut counts: BTreeMap<Vec<u32>, usize> = BTreeMap::new();
    for person in 0..people {
        let signature: Vec<u32> = rows.iter().map(|row| row.get(person).copied().unwrap_or(ABSENT)).collect();
        if signature.iter().any(|&group| group != ABSENT) {
            *counts.entry(signature).or_default() += 1;
        }
    }
    counts.into_values().collect()
}

/// The groups of a release in the register, as people.
fn groups(register: &Register, release: usize, everybody: &[usize]) -> BTreeMap<u32, BTreeSet<usize>> {
    let person_of: BTreeMap<PersonTag, usize> = tags(everybody).into_iter().zip(everybody.iter().copied()).collect();
    let mut found: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
    for (tag, group) in register.people().iter().zip(register.groups(release)).filter(|(_, group)| *group != ABSENT) {
        found.entry(group).or_default().insert(person_of[tag]);
    }
    found
}

/// Size and items of a group, counted in the raw data of a time.
fn counted(pool: &Pool, people: &BTreeSet<usize>) -> (String, BTreeMap<String, String>) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for &person in people {
        for song in pool.songs(person) {
            *counts.entry(song).or_default() += 1;
        }
    }
    let shown = counts.into_iter().filter(|(_, members)| *members >= 2).map(|(song, members)| (song, members.to_string()));
    (people.len().to_string(), shown.collect())
}

#[test]
fn three_releases_laid_over_each_other_single_out_nobody() {
    let steward = Steward::new();
    let pools = [Pool::new(0..42, &[], 0), Pool::new(0..55, &[3, 17], 1), Pool::new(0..57, &[3, 17, 45], 2)];
    let everybody: Vec<usize> = (0..57).collect();
    let outcomes: Vec<Outcome> = pools.iter().enumerate().map(|(time, pool)| steward.publish(pool, &format!("out-{time}"))).collect();
    let files: Vec<BTreeMap<String, Profile>> = outcomes.iter().map(profiles).collect();
    let register = steward.open();
    assert_eq!(register.releases().len(), 3);
    let rows: Vec<Vec<u32>> = (0..3).map(|release| register.groups(release)).collect();
    assert!(cells(&rows).iter().all(|&size| size >= K), "{:?}", cells(&rows));

    // The register tells the truth about the files: every group is counted anew in the raw data of the time when it was formed.
    let of_release: Vec<BTreeMap<u32, BTreeSet<usize>>> = (0..3).map(|release| groups(&register, release, &everybody)).collect();
    let mut formed: BTreeMap<u32, (String, BTreeMap<String, String>)> = BTreeMap::new();
    for (pool, of_release) in pools.iter().zip(&of_release) {
        for (&group, people) in of_release {
            formed.entry(group).or_insert_with(|| counted(pool, people));
        }
    }
    for (file, of_release) in files.iter().zip(&of_release) {
        let mut expected: Vec<_> = of_release.keys().map(|group| formed[group].clone()).collect();
        expected.sort();
        let shown: Vec<_> = sorted(file).into_iter().map(|(size, items, _)| (size, items)).collect();
        assert_eq!(shown, expected);
        assert!(of_release.values().flatten().collect::<BTreeSet<_>>().len() == of_release.values().map(BTreeSet::len).sum::<usize>());
    }

    // Whole cohorts are as they were, with their attributes; songs that nobody in the pool has any more are among what they show.
    let frozen = |earlier: usize| of_release[earlier].keys().filter(|group| of_release[earlier + 1].contains_key(*group)).count();
    for earlier in 0..2 {
        let (before, after) = (sorted(&files[earlier]), sorted(&files[earlier + 1]));
        let same = before.iter().filter(|profile| after.contains(profile)).count();
        assert!(frozen(earlier) > 0 && same == frozen(earlier), "{same} of {}", frozen(earlier));
        assert!(files[earlier].keys().all(|id| !files[earlier + 1].contains_key(id)), "ids join releases");
    }
    assert!(
        files[1].values().any(|(_, items, _)| items.contains_key("song-1"))
            && files[1].values().any(|(_, items, _)| items.contains_key("hit-1"))
    );

    // Cohorts of 3, 17 and 45 are gone with everybody in them, and people who came alone wait.
    let group_of = |release: usize, person: usize| of_release[release].iter().find(|(_, people)| people.contains(&person));
    for (release, person) in [(0, 3), (0, 17), (1, 45)] {
        let (group, people) = group_of(release, person).expect("was released");
        assert!(!of_release[release + 1].contains_key(group));
        assert!(people.iter().all(|&member| group_of(release + 1, member).is_none() && group_of(2, member).is_none()));
    }
    assert!((55..57).all(|person| group_of(2, person).is_none()) && (42..55).all(|person| group_of(1, person).is_some()));

    // The steward reads what became of whom, the recipient that it is consistent.
    let last = &outcomes[2];
    let notes = last.product("tastes").expect("the product").steward_notes.join("\n");
    assert!(
        notes.contains("Compared with earlier releases: 2.")
            && notes.contains("Of 2 people who were in none, 0 are in 0 new cohorts and 2 wait"),
        "{notes}"
    );
    let handed: Report = serde_json::from_slice(&std::fs::read(last.release.join("report.json")).expect("bytes")).expect("a report");
    let text = std::fs::read_to_string(last.release.join("report.html")).expect("text");
    assert!(handed.registered && !text.contains("wait") && text.contains("consistent with the earlier releases"));

    // It is not made again from originals, and says so.
    let found = verify(&last.release, &[steward.run.path("out-2.parquet")], Some(&key())).expect("a release");
    assert!(found.holds, "{:?}", found.checks);
    let again = found.checks.iter().find(|check| check.statement == "the products can be made again").expect("a check");
    assert_eq!((again.holds, again.verified), (None, Verified::Unverifiable));
}

/// The broken variant: whoever is there is grouped anew.
#[test]
fn groups_formed_without_the_plan_are_refused() {
    let steward = Steward::new();
    steward.publish(&Pool::new(0..42, &[], 0), "out-0");
    let mut register = steward.open();
    let pool = Pool::new(0..55, &[3, 17], 1);
    let fresh = register.new_groups(pool.people.len() / K).expect("numbers");
    let anew: Vec<u32> =
        (0..pool.people.len()).map(|place| (fresh.start + u32::try_from(place / K).expect("small")).min(fresh.end - 1)).collect();
    let error = register.record(Release::new("cohorts", "several", "tastes", K as u64), &pool.tags(), &anew, []).expect_err("singles out");
    assert_eq!(error.exit_code(), 3);
}

fn fails(result: Result<Outcome, Error>, code: u8, says: &str) {
    let error = result.map(|_| ()).expect_err(says);
    assert!(error.to_string().contains(says) && error.exit_code() == code, "{error}");
}

#[test]
fn what_does_not_fit_the_register_is_refused_and_leaves_it_as_it_was() {
    let steward = Steward::new();
    let pool = Pool::new(0..42, &[], 0);
    // Refused by the gate, or only measured: nothing is entered.
    fails(steward.job(&POLICY.replace("0.2", "0.1"), &pool, "over").run(), 3, "limit");
    let report = steward.job(POLICY, &pool, "measured").assess().expect("a report");
    assert!(report.gate.passed && report.registered && !steward.register().exists());

    steward.publish(&pool, "out-0");
    let before = std::fs::read(steward.register()).expect("bytes");
    for (parameter, from, to) in [
        ("k", "k = 5", "k = 6"),
        ("min_members", "min_members = 2", "min_members = 3"),
        ("max_share", "min_members = 2", "min_members = 2\nmax_share = 0.9"),
        ("max_items_per_subject", "min_members = 2", "min_members = 2\nmax_items_per_subject = 4"),
        ("attributes", "attributes = ['country']", ""),
    ] {
        fails(steward.job(&POLICY.replacen(from, to, 1), &pool, "other").run(), 2, &format!("products.{parameter}: differs"));
    }
    let kinds = |kind: &str| POLICY.replace("[gate]", &format!("[[products]]\nname = 'more'\n{kind}\n[gate]"));
    fails(steward.job(&kinds("kind = 'fragments'\nk = 5\nmax_items = 3"), &pool, "other").run(), 2, "fragments");
    fails(steward.job(&kinds("kind = 'records'\ncolumns = ['song']"), &pool, "other").run(), 2, "records");
    fails(steward.job(&kinds("kind = 'cohorts'\nk = 5"), &pool, "other").run(), 2, "several products of cohorts");
    fails(steward.job(POLICY, &pool, "other").key(Key::from_bytes([1; 32])).run(), 2, "not the one");
    fails(steward.job(POLICY, &pool, "other").key(Key::forgotten().expect("a key")).run(), 2, "--key-file");
    for part in ["release", "steward"] {
        let inside = steward.run.path("other").join(part).join("pool.register");
        fails(steward.job(POLICY, &pool, "other").register(inside).run(), 2, "lies in a folder that this run makes");
    }
    let mut beside = steward.register().into_os_string();
    beside.push(".lock");
    let lock = std::fs::File::open(&beside).expect("the lock");
    lock.lock().expect("locked");
    fails(steward.job(POLICY, &pool, "other").run(), 2, "in use by another run");
    drop(lock);
    assert!(std::fs::read(steward.register()).expect("bytes") == before && !steward.run.path("other").join("release").exists());
    let mut bytes = before;
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(steward.register(), bytes).expect("written");
    fails(steward.job(POLICY, &pool, "other").run(), 1, "register");
}

#[test]
fn a_crash_between_record_and_publication_leaves_the_next_run_sound() {
    let steward = Steward::new();
    let pool = Pool::new(0..42, &[], 0);
    let in_the_way = steward.run.path("dead").join("release").join("something");
    let dies = steward.job(POLICY, &pool, "dead").observer(move |stage| {
        if *stage == Stage::Publishing {
            std::fs::create_dir_all(&in_the_way).expect("a folder");
        }
    });
    assert!(dies.run().is_err(), "its release could not appear");
    assert!(!steward.run.path("dead").join("release").join("report.json").exists());
    let recorded = steward.open();
    assert_eq!(recorded.releases().len(), 1);
    let outcome = steward.publish(&Pool::new(0..55, &[3], 1), "out-1");
    let register = steward.open();
    let rows: Vec<Vec<u32>> = (0..2).map(|release| register.groups(release)).collect();
    assert!(cells(&rows).iter().all(|&size| size >= K) && !profiles(&outcome).is_empty());
    assert_eq!(rows[0][..recorded.people().len()], recorded.groups(0));
}

#[test]
fn nothing_to_release_is_no_release() {
    let steward = Steward::new();
    fails(steward.job(POLICY, &Pool::new(0..4, &[], 0), "few").run(), 3, "4 people");
    // One cohort, of which somebody leaves: nobody is left to show.
    steward.publish(&Pool::new(0..5, &[], 0), "out-0");
    fails(steward.job(POLICY, &Pool::new(0..5, &[2], 0), "left").run(), 3, "people");
    // All are back.
    assert_eq!(profiles(&steward.publish(&Pool::new(0..5, &[], 3), "back")).len(), 1);
    assert_eq!(steward.open().releases().len(), 2);
}
