//! The research data under the example policies: verdicts, figures and counts that are known from elsewhere.

use super::support::{Row, Run, Written, guarantee, key};
use crate::real_data::real_data;
use backmask::Error;
use backmask::policy::Policy;
use backmask::release::report::{Report, Unit};
use backmask::release::{Anonymizer, Outcome, verify};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

fn example(name: &str) -> Policy {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/policies/{name}.toml"));
    Policy::from_path(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn publish(run: &Run, policy: Policy, events: &Path, profiles: Option<&Path>) -> Result<Outcome, Error> {
    Anonymizer::new(policy).input([events]).profiles(profiles).output(run.out()).key(key()).run()
}

fn refused(run: &Run) -> Report {
    let path: PathBuf = run.out().join("refused/report.json");
    serde_json::from_slice(&std::fs::read(path).expect("the steward's account")).expect("a report")
}

/// Rows, people and values of an input by the crate's own account of what it read.
fn read(report: &Report) -> Vec<(u64, u64)> {
    report.inputs.as_ref().expect("the steward's report").iter().map(|input| (input.rows, input.subjects)).collect()
}

fn close(found: f64, percent: f64) -> bool {
    (found * 100.0 - percent).abs() <= 2.0
}

#[test]
fn hetrec_is_refused_raw_and_with_supported_artists() {
    let test = "hetrec_is_refused_raw_and_with_supported_artists";
    let Some(data) = real_data(test, "hetrec2011-lastfm-2k/user_artists.dat") else { return };
    let run = Run::new();
    let error = publish(&run, example("hetrec-raw"), &data, None).expect_err("four artists single out 89 % of people");
    assert_eq!(error.exit_code(), 3);
    assert!(!run.out().join("release").exists());
    let raw = refused(&run);
    assert_eq!(read(&raw), [(92_834, 1892)]);
    assert_eq!((raw.products[0].rows, raw.products[0].subjects), (92_834, Some(1892)));
    for (point, percent) in raw.products[0].unicity.iter().zip([12.0, 47.0, 76.0, 89.0, 99.0]) {
        assert!(close(point.before.expect("on the pool"), percent), "{point:?}");
        assert!(close(point.after.expect("on the release"), percent), "nothing was taken away: {point:?}");
    }
    assert_eq!(raw.products[0].unicity.iter().map(|point| point.known).collect::<Vec<_>>(), [1, 2, 3, 4, 8]);

    let run = Run::new();
    let error = publish(&run, example("hetrec-support20"), &data, None).expect_err("and of supported artists 67 %");
    assert_eq!(error.exit_code(), 3);
    let supported = refused(&run);
    let product = &supported.products[0];
    let at_four = product.unicity.iter().find(|point| point.known == 4).expect("four");
    assert!(close(at_four.after.expect("on the release"), 67.0), "{at_four:?}");
    let support = guarantee(product, "item-support");
    assert!(support.holds && support.achieved.is_some_and(|people| people >= 20.0));
    // Support counted here, from the raw file.
    let mut listeners: HashMap<String, BTreeSet<String>> = HashMap::new();
    for line in std::fs::read_to_string(&data).expect("text").lines().skip(1) {
        let mut fields = line.split('\t');
        let person = fields.next().expect("a person").to_owned();
        listeners.entry(fields.next().expect("an artist").to_owned()).or_default().insert(person);
    }
    assert_eq!(listeners.len(), 17_632);
    let kept: usize = listeners.values().filter(|people| people.len() >= 20).map(BTreeSet::len).sum();
    assert_eq!(product.rows, kept as u64);
}

#[test]
fn hetrec_for_an_enclave_is_released_with_its_reason() {
    let test = "hetrec_for_an_enclave_is_released_with_its_reason";
    let Some(data) = real_data(test, "hetrec2011-lastfm-2k/user_artists.dat") else { return };
    let run = Run::new();
    let mut policy = example("hetrec");
    policy.gate.trials = 200;
    policy.gate.known_items = vec![4];
    let outcome = publish(&run, policy, &data, None).expect("the risk is accepted");
    assert!(outcome.report.accepted_risks[0].contains("enclave"));
    let written = Written::of(&outcome, "preferences");
    assert_eq!(written.columns, ["token", "artist_id"]);
    let artists = written.people_by_class(&["artist_id"], "token");
    assert!(artists.values().all(|people| people.len() >= 20));
    assert!(written.people_by_class(&["token"], "artist_id").values().all(|artists| artists.len() <= 50));
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
}

#[test]
fn lfm_1b_users_are_released_in_classes_of_twelve() {
    let test = "lfm_1b_users_are_released_in_classes_of_twelve";
    let Some(data) = real_data(test, "lfm-1b/LFM-1b_users.txt") else { return };
    let run = Run::new();
    let outcome = publish(&run, example("lfm-1b-users"), &data, None).expect("released");
    assert_eq!(read(&outcome.report), [(120_322, 120_322)]);
    let product = outcome.product("people").expect("the product");
    let written = Written::of(&outcome, "people");
    assert_eq!(written.columns, ["country", "age", "gender"]);
    let classes: HashMap<Row, usize> = written.rows_by_class(&["country", "age", "gender"]);
    let smallest = classes.values().copied().min().expect("classes");
    assert!(smallest >= 12, "a class of {smallest}");
    // One row a person, so rows are people here; the report says the same.
    let claim = guarantee(product, "k-anonymity");
    assert_eq!((claim.unit, claim.achieved), (Unit::Subject, Some(f64::from(u32::try_from(smallest).expect("small")))));
    let suppressed = product.transformation.as_ref().expect("one").suppressed_rows;
    assert_eq!(written.rows.len() as u64 + suppressed, 120_322);
    assert!(suppressed <= 6016, "5 % of the rows");
    assert_eq!(product.transformation.as_ref().expect("one").equivalence_classes, classes.len() as u64);
    // Missing values stay missing or are covered by "*": none is invented.
    let genders: BTreeSet<Option<String>> = written.column("gender").into_iter().collect();
    let allowed: BTreeSet<Option<String>> =
        [None, Some("m"), Some("f"), Some("n"), Some("*")].into_iter().map(|g| g.map(str::to_owned)).collect();
    assert!(genders.is_subset(&allowed), "{genders:?}");
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
}

#[test]
fn last_fm_1k_is_released_as_two_products_that_cannot_be_joined() {
    let test = "last_fm_1k_is_released_as_two_products_that_cannot_be_joined";
    let Some(events) = real_data(test, "lastfm-1k/userid-timestamp-artid-artname-traid-traname.first5000.tsv") else { return };
    let Some(profiles) = real_data(test, "lastfm-1k/userid-profile.tsv") else { return };
    let run = Run::new();
    let outcome = publish(&run, example("lastfm-1k"), &events, Some(&profiles)).expect("released");
    assert_eq!(read(&outcome.report), [(5000, 2), (992, 992)]);
    let people = Written::of(&outcome, "people");
    assert!(people.rows_by_class(&["gender", "age", "country"]).values().all(|&rows| rows >= 5));
    let suppressed = outcome.product("people").expect("the product").transformation.as_ref().expect("one").suppressed_rows;
    assert_eq!(people.rows.len() as u64 + suppressed, 992);
    // Two people cannot give an artist twenty listeners.
    assert_eq!(outcome.product("artists").expect("the product").rows, 0);
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
}

#[test]
fn last_fm_sessions_keep_their_counts() {
    let test = "last_fm_sessions_keep_their_counts";
    let Some(data) = real_data(test, "lastfm-sessions/lastfm.tsv") else { return };
    let run = Run::new();
    let mut policy = example("lastfm-sessions");
    policy.gate.trials = 100;
    policy.gate.known_items = vec![2];
    let outcome = publish(&run, policy, &data, None).expect("the risk is accepted");
    assert_eq!(read(&outcome.report), [(129_310, 304)]);
    let written = Written::of(&outcome, "plays");
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    let mut items: HashMap<String, BTreeSet<String>> = HashMap::new();
    let (token, track) = (written.index("token"), written.index("track_id"));
    for row in &written.rows {
        let person = row[token].clone().expect("a token");
        *rows.entry(person.clone()).or_default() += 1;
        items.entry(row[track].clone().expect("a track")).or_default().insert(person);
    }
    assert!(rows.values().all(|&rows| rows <= 500) && rows.len() <= 304);
    assert!(items.values().all(|people| people.len() >= 20) && items.len() <= 789);
    assert!(written.column("started_at").iter().flatten().all(|time| time.contains("-01T00:00:00")), "times are months");
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
}

#[test]
fn movie_lens_is_released_as_profiles_and_ratings() {
    let test = "movie_lens_is_released_as_profiles_and_ratings";
    let (Some(events), Some(profiles)) = (real_data(test, "ml-100k/u.data"), real_data(test, "ml-100k/u.user")) else { return };
    let run = Run::new();
    let mut policy = example("movielens-100k");
    policy.gate.trials = 100;
    policy.gate.known_items = vec![8];
    policy.gate.max_risk = backmask::units::Risk::new(0.2).expect("k = 5 is one in five");
    let outcome = publish(&run, policy, &events, Some(&profiles)).expect("released");
    assert_eq!(read(&outcome.report), [(100_000, 943), (943, 943)]);
    let people = Written::of(&outcome, "people");
    assert!(people.rows_by_class(&["age", "gender", "occupation", "postal_code"]).values().all(|&rows| rows >= 5));
    assert_eq!(people.rows.len() as u64 + outcome.product("people").expect("p").transformation.as_ref().expect("t").suppressed_rows, 943);
    let films = Written::of(&outcome, "watched");
    assert!(films.people_by_class(&["movie_id"], "token").values().all(|people| people.len() >= 20));
    assert!(films.rows_by_class(&["token"]).values().all(|&rows| rows <= 100));
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
}

#[test]
fn adult_is_released_in_classes_of_five() {
    let test = "adult_is_released_in_classes_of_five";
    let Some(data) = real_data(test, "adult/adult.csv") else { return };
    let run = Run::new();
    let mut policy = example("adult");
    policy.gate.max_risk = backmask::units::Risk::new(0.2).expect("k = 5 is one in five");
    policy.gate.attacks = Some(Vec::new());
    // Five of the eight quasi-identifiers: the whole search takes half a minute without optimization.
    let kept = ["sex", "age", "race", "marital-status", "education", "salary-class"];
    for product in &mut policy.products {
        if let backmask::policy::Product::Records(product) = product {
            product.columns = Some(kept.map(str::to_owned).into());
        }
    }
    let outcome = publish(&run, policy, &data, None).expect("released");
    assert_eq!(read(&outcome.report), [(30_162, 30_162)]);
    let written = Written::of(&outcome, "people");
    let columns: Vec<&str> = written.columns.iter().map(String::as_str).filter(|name| *name != "salary-class").collect();
    assert_eq!(columns.len(), 5);
    assert!(written.rows_by_class(&columns).values().all(|&rows| rows >= 5));
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
}
