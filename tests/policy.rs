//! Tests of `policy` from outside the crate.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic")]

use backmask::Error;
use backmask::policy::{
    AttackName, Column, HierarchySpec, Model, Order, Policy, Product, PseudonymMethod, PseudonymSpec, RecordsProduct, Role, Scope, Search,
    Subject, Table, Treatment,
};
use backmask::units::K;
use proptest::prelude::*;
use std::collections::BTreeSet;

mod histories;
mod mistakes;
mod pseudonyms;

/// A valid policy of every role, on which the tables below make one change at a time.
const GOOD: &str = r#"
version = 1
name = "demo"
recipient = "Example"

[input]
format = "csv"
delimiter = ";"

[subject]
column = "subject_id"

[columns.subject_id]
role = "subject"

[profiles.columns.age]
role = "quasi-identifier"
hierarchy = { intervals = [5, 10, 20], origin = 1900 }
levels = { min = 0, max = 2 }
[profiles.columns.registered_at]
role = "quasi-identifier"
hierarchy = { dates = ["month", "year"] }
[profiles.columns.gender]
role = "sensitive"
[profiles.columns.email]
role = "identifier"

[events.columns.track_id]
role = "item"
generalize_to = "artist_id"
[events.columns.artist_id]
role = "item"
generalize_to = "genre"
[events.columns.genre]
role = "item"
[events.columns.started_at]
role = "time"
treatment = { truncate = "month" }
[events.columns.ms_played]
role = "measure"
treatment = { buckets = [30000, 120000] }

[[products]]
name = "people"
kind = "records"
source = "profiles"
columns = ["age", "registered_at", "gender"]
models = [{ name = "k-anonymity", k = 12 }]
suppression_limit = 0.05
quality = { weights = { age = 2.0 } }

[[products]]
name = "log"
kind = "records"
item_support = { min_subjects = 20, otherwise = "generalize" }
max_events_per_subject = 2000
order = "subject-time"

[gate]
max_risk = 0.2
attacks = ["known-items"]
"#;

const EVENTS: [&str; 6] = ["subject_id", "track_id", "artist_id", "genre", "started_at", "ms_played"];
const PROFILES: [&str; 5] = ["subject_id", "age", "registered_at", "gender", "email"];

fn changed(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "the good policy does not hold {from}");
    GOOD.replacen(from, to, 1)
}

/// Whether `error` is a mistake of the policy with this key, problem or remedy holding `words`.
fn check(text: &str, key: &str, words: &str) {
    let error = Policy::from_toml(text).expect_err(&format!("accepted, but expected a mistake at {key}:\n{text}"));
    let Error::Policy { key: found, problem, remedy } = &error else { panic!("not a mistake of the policy: {error}") };
    assert_eq!(found, key, "{error}");
    assert!(problem.contains(words) || remedy.contains(words), "{words:?} is missing in: {error}");
    assert!(!problem.is_empty() && !remedy.is_empty());
    assert!(!error.to_string().contains('\n'), "more than one line: {error}");
}

fn check_unsupported(text: &str, key: &str, words: &str) {
    let error = Policy::from_toml(text).expect_err(&format!("accepted, but expected a refusal at {key}"));
    let Error::Unsupported { key: found, feature } = &error else { panic!("not a refusal: {error}") };
    assert_eq!(found, key, "{error}");
    assert!(feature.contains(words), "{words:?} is missing in: {error}");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn the_good_policy_is_good() {
    let policy = Policy::from_toml(GOOD).unwrap();
    policy.check_tables(Some(&EVENTS), Some(&PROFILES)).unwrap();
    let Product::Records(log) = &policy.products[1] else { panic!("the kind is wrong") };
    assert_eq!(policy.supported_item(log, &EVENTS).as_deref(), Some("track_id"));
    assert_eq!(policy.item_chain(Table::Events, "track_id"), ["track_id", "artist_id", "genre"]);
    assert_eq!(policy.released_columns(log, &EVENTS), EVENTS);
    assert!(policy.keeps_subject(log));
    let Product::Records(people) = &policy.products[0] else { panic!("the kind is wrong") };
    assert_eq!(policy.released_columns(people, &PROFILES), ["age", "registered_at", "gender"]);
    assert!(!policy.keeps_subject(people));
}

#[test]
fn what_is_built_is_accepted() {
    let cases = [
        ("column = \"subject_id\"\n", "column = \"subject_id\"\npseudonym = { method = \"hmac-sha256\", scope = \"release\" }\n"),
        ("column = \"subject_id\"\n", "column = \"subject_id\"\npseudonym = { scope = \"recipient\" }\n"),
        ("role = \"identifier\"", "role = \"identifier\"\ntreatment = { pseudonym = { method = \"hmac-sha256\" } }"),
        ("{ truncate = \"month\" }", "{ shift = { days = 14 } }"),
        ("{ truncate = \"month\" }", "\"relative\""),
        ("{ buckets = [30000, 120000] }", "{ round = 1000 }"),
        ("{ buckets = [30000, 120000] }", "{ clamp = [0, 0] }"),
        ("role = \"sensitive\"", "role = \"sensitive\"\nhierarchy = { file = \"gender.csv\" }"),
        ("dates = [\"month\", \"year\"]", "dates = [\"day\", \"week\"]"),
        ("dates = [\"month\", \"year\"]", "mask = \"right\""),
        ("suppression_limit = 0.05", "quality.aggregate = \"rank\"\nquality.gs_factor = 0"),
        ("models = [{ name = \"k-anonymity\", k = 12 }]", "search = \"fixed\"\nlevels = { age = 1, registered_at = 3 }"),
        ("attacks = [\"known-items\"]", "attacks = []\nknown_items = []\ncontrol = 0.1"),
        ("attacks = [\"known-items\"]", "attacks = [\"known-values\", \"known-items\"]\non = \"mean\""),
        ("format = \"csv\"\ndelimiter = \";\"", "delimiter = \"\\t\"\nheader = false\nprofiles = { format = \"parquet\" }"),
    ];
    for (from, to) in cases {
        let text = if to.starts_with("quality.") { changed("quality = { weights = { age = 2.0 } }", "") } else { GOOD.to_owned() };
        Policy::from_toml(&text.replacen(from, to, 1)).unwrap_or_else(|error| panic!("{to}: {error}"));
    }
}

/// Quasi-identifiers that are fixed by their own limits need no model.
#[test]
fn a_fixed_level_needs_no_model() {
    let policy = |levels: &str| {
        format!(
            "version = 1\nname = 'n'\n[columns.age]\nrole = 'quasi-identifier'\nhierarchy = {{ intervals = [10] }}\nlevels = {levels}\n[[products]]\nname = 'p'\nkind = 'records'\ncolumns = ['age']"
        )
    };
    Policy::from_toml(&policy("{ min = 1, max = 1 }")).unwrap();
    Policy::from_toml(&policy("{ max = 0 }")).unwrap();
    check(&policy("{ min = 1 }"), "products[0].models", "age");
    check(&policy("{ min = 0, max = 1 }"), "products[0].models", "age");
}

/// Two products must not be joined by their tokens.
#[test]
fn products_that_share_tokens_are_refused() {
    for scope in ["release", "recipient"] {
        let text = changed("column = \"subject_id\"\n", &format!("column = \"subject_id\"\npseudonym = {{ scope = \"{scope}\" }}\n"));
        Policy::from_toml(&text).unwrap();
        let joined = text.replacen("columns = [\"age\"", "columns = [\"subject_id\", \"age\"", 1);
        check(&joined, "subject.pseudonym.scope", "people, log");
    }
    let own = changed("columns = [\"age\"", "columns = [\"subject_id\", \"age\"");
    Policy::from_toml(&own).unwrap();
    // The same for a second identifier.
    let device = "[columns.device]\nrole = \"identifier\"\ntreatment = { pseudonym = { scope = \"release\" } }\n\n[profiles.columns.age]";
    let text = changed("[profiles.columns.age]", device);
    Policy::from_toml(&text).unwrap();
    let joined = text.replacen("columns = [\"age\"", "columns = [\"device\", \"age\"", 1);
    check(&joined, "columns.device.treatment.pseudonym.scope", "people, log");
}

/// The example of the documentation, which holds both classes on purpose, with a product of each kind.
const EVERYTHING: &str = include_str!("policy/example.toml");

/// The head of the example with the products whose kinds are `kinds`.
fn products_of(kinds: &[&str]) -> String {
    let mut parts = EVERYTHING.split("[[products]]");
    let head = parts.next().unwrap();
    let (last, gate) = EVERYTHING.split_once("[gate]").unwrap();
    let mut text = head.to_owned();
    for part in last.split("[[products]]").skip(1) {
        if kinds.iter().any(|kind| part.contains(&format!("kind = \"{kind}\""))) {
            text += "[[products]]";
            text += part;
        }
    }
    text + "[gate]" + gate
}

#[test]
fn the_example_parses_and_is_refused_for_what_is_missing() {
    let whole: Policy = toml::from_str(EVERYTHING).unwrap();
    assert_eq!(whole.products.len(), 7);
    let Error::Policy { key, problem, .. } = whole.validate().unwrap_err() else { panic!("not a mistake of the policy") };
    assert_eq!(key, "products[4].kind");
    assert!(problem.contains("syntactic: people, log, tastes, pieces; differentially private: artists, hours, together"), "{problem}");

    let syntactic = products_of(&["records", "cohorts", "fragments"]);
    let policy: Policy = toml::from_str(&syntactic).unwrap();
    assert_eq!(policy.products.len(), 4);
    assert_eq!(policy.columns["birth_year"].hierarchy, Some(HierarchySpec::Intervals { widths: vec![5.0, 10.0, 20.0], origin: 1900.0 }));
    let Product::Records(people) = &policy.products[0] else { panic!("the kind is wrong") };
    assert_eq!((people.models.len(), people.quality.weights["birth_year"]), (3, 2.0));
    check_unsupported(&syntactic, "gate.attacks[0]", "demographics");

    let private = products_of(&["catalogue", "histogram", "co-listening"]);
    let policy: Policy = toml::from_str(&private).unwrap();
    assert_eq!(policy.products.len(), 3);
    let Product::Histogram(hours) = &policy.products[1] else { panic!("the kind is wrong") };
    assert_eq!((hours.keys.len(), hours.aggregates.len()), (2, 5));
    check_unsupported(&private, "products[0].kind", "catalogue");

    // Only what this version builds: it passes.
    let built = products_of(&["records", "cohorts", "fragments"])
        .lines()
        .filter(|line| !line.contains("l-diversity") && !line.contains("t-closeness") && !line.starts_with("attacks"))
        .collect::<Vec<_>>()
        .join("\n");
    Policy::from_toml(&built).unwrap();
}

#[test]
fn keys_of_tagged_tables_may_stand_in_any_order_and_format() {
    let json = r#"{"version": 1, "name": "n", "columns": {"a": {"role": "quasi-identifier", "treatment": {"clamp": [0, 1]}}}, "products":
        [{"models": [{"k": 3, "name": "k-anonymity"}], "order": "shuffled", "kind": "records", "name": "p"}]}"#;
    let policy: Policy = serde_json::from_str(json).unwrap();
    policy.validate().unwrap();
    let again: Policy = serde_json::from_str(&serde_json::to_string(&policy).unwrap()).unwrap();
    assert_eq!(policy, again);
    for bad in [
        json.replace("\"k\": 3", "\"k\": 3, \"l\": 4"),
        json.replace("\"kind\": \"records\", ", ""),
        json.replace("shuffled\"", "shuffled\", \"colour\": \"red\""),
        json.replace("\"kind\": \"records\"", "\"kind\": \"record\""),
    ] {
        assert!(serde_json::from_str::<Policy>(&bad).is_err(), "{bad}");
    }
}

#[test]
fn binding_names_every_undeclared_column() {
    let policy = Policy::from_toml(GOOD).unwrap();
    let bound = policy.bind(Table::Profiles, &PROFILES).unwrap();
    assert_eq!(bound.len(), 5);
    assert_eq!(bound["subject_id"].role, Role::Subject);
    assert_eq!(bound["subject_id"].treatment, Some(Treatment::Pseudonym(PseudonymSpec::default())));
    assert!(bound["email"].is_dropped() && !bound["age"].is_dropped());

    let error = policy.bind(Table::Profiles, &[&PROFILES[..], &["shoe_size", "a,b", "track_id"]].concat()).unwrap_err().to_string();
    assert!(error.contains("3 columns of the profiles table without a role: \"a,b\", shoe_size, track_id"), "{error}");
    assert!(error.contains("role = \"other\"") && error.contains("treatment = \"drop\""), "{error}");
    let error = policy.bind(Table::Profiles, &["subject_id", "age", "registered_at"]).unwrap_err().to_string();
    assert!(error.contains("profiles.columns: 2 columns declared here but not in the profiles table: email, gender"), "{error}");
    let error = policy.bind(Table::Profiles, &PROFILES[1..]).unwrap_err();
    assert!(matches!(&error, Error::Column { column, .. } if column == "subject_id"), "{error}");
    let error = policy.bind(Table::Profiles, &[&PROFILES[..], &["age"]].concat()).unwrap_err();
    assert!(matches!(&error, Error::Column { column, .. } if column == "age"), "{error}");
    let error = policy.bind(Table::Profiles, &[]).unwrap_err().to_string();
    assert!(error.contains("4 columns declared here"), "{error}");
}

#[test]
fn the_declaration_of_a_table_comes_before_the_common_one() {
    let mut policy = Policy::new("n");
    policy.columns.insert("country".into(), Column::new(Role::QuasiIdentifier));
    policy.events.columns.insert("country".into(), Column::new(Role::Other));
    assert_eq!(policy.bind(Table::Events, &["country"]).unwrap()["country"].role, Role::Other);
    assert_eq!(policy.bind(Table::Profiles, &["country"]).unwrap()["country"].role, Role::QuasiIdentifier);
}

#[test]
fn tables_are_checked_against_the_policy() {
    let check = |policy: &Policy, events: Option<&[&str]>, profiles: Option<&[&str]>, words: &str| {
        let error = policy.check_tables(events, profiles).unwrap_err().to_string();
        assert!(error.contains(words), "{words:?} is missing in: {error}");
    };
    let policy = Policy::from_toml(GOOD).unwrap();
    check(&policy, Some(&EVENTS), None, "products[0].source: product people is made from the profiles table, which is not given");
    check(&policy, None, Some(&PROFILES), "products[1].source");
    check(&policy, Some(&EVENTS), Some(&PROFILES[..3]), "email, gender");
    check(
        &policy,
        Some(&[&EVENTS[..], &["x"]].concat()),
        Some(&PROFILES),
        "events.columns: 1 column of the events table without a role: x",
    );

    let mut less = policy.clone();
    less.products.remove(0);
    check(&less, Some(&EVENTS), None, "profiles.columns: columns are declared for the profiles table, which is not given");
    less.profiles.columns.clear();
    less.check_tables(Some(&EVENTS), None).unwrap();
    less.columns.insert("city".into(), Column::new(Role::Other));
    check(&less, Some(&EVENTS), None, "columns: 1 column declared here but in no table: city");
    less.check_tables(Some(&[&EVENTS[..], &["city"]].concat()), None).unwrap();

    // A column that is declared for both tables may be missing in one, unless the product lists it.
    let mut listed = less.clone();
    let Product::Records(log) = &mut listed.products[0] else { panic!("the kind is wrong") };
    log.columns = Some(["subject_id", "track_id", "started_at", "city"].map(str::to_owned).to_vec());
    listed.validate().unwrap();
    check(&listed, Some(&EVENTS), Some(&["subject_id", "city"]), "products[0].columns[3]: the events table has no column city");

    // What was possible without the data may turn out to be missing.
    let mut common = less.clone();
    common.columns.extend(common.events.columns.clone());
    common.events.columns.clear();
    common.validate().unwrap();
    check(&common, Some(&["subject_id", "city"]), Some(&EVENTS), "products[0].item_support: product log has no item");
    check(&common, Some(&["subject_id", "city", "track_id", "artist_id", "started_at"]), Some(&EVENTS), "track_id generalizes to genre");
    check(&common, Some(&["subject_id", "city", "genre"]), Some(&EVENTS), "products[0].order: the product has no time");
}

/// A quasi-identifier that is declared for both tables must not slip into a product without models.
#[test]
fn open_quasi_identifiers_are_found_with_the_data() {
    let mut policy = Policy::new("n");
    policy.columns.insert("country".into(), Column::new(Role::QuasiIdentifier));
    policy.events.columns.insert("artist".into(), Column::new(Role::Item));
    policy.products.push(Product::Records(RecordsProduct { name: "log".into(), ..Default::default() }));
    policy.validate().unwrap();
    policy.check_tables(Some(&["artist"]), Some(&["country"])).unwrap();
    let error = policy.check_tables(Some(&["artist", "country"]), None).unwrap_err().to_string();
    assert!(error.contains("products[0].models") && error.contains("country"), "{error}");

    // And the other way round: a model whose quasi-identifiers are all in the other table says nothing.
    let Product::Records(log) = &mut policy.products[0] else { panic!("the kind is wrong") };
    log.models.push(Model::KAnonymity { k: K::new(2).unwrap() });
    policy.validate().unwrap();
    policy.check_tables(Some(&["artist", "country"]), None).unwrap();
    let error = policy.check_tables(Some(&["artist"]), Some(&["country"])).unwrap_err().to_string();
    assert!(error.contains("has none"), "{error}");
}

#[test]
fn dropped_columns_are_never_released() {
    let mut policy = Policy::new("n");
    policy.subject = Some(Subject { column: "id".into(), pseudonym: PseudonymSpec { scope: Scope::None, ..Default::default() } });
    policy.columns.insert("mail".into(), Column::new(Role::Identifier));
    policy.columns.insert("note".into(), Column { treatment: Some(Treatment::Drop), ..Column::new(Role::Other) });
    let hidden = PseudonymSpec { scope: Scope::None, ..Default::default() };
    policy.columns.insert("device".into(), Column { treatment: Some(Treatment::Pseudonym(hidden)), ..Column::new(Role::Identifier) });
    policy.columns.insert(
        "phone".into(),
        Column { treatment: Some(Treatment::Pseudonym(PseudonymSpec::default())), ..Column::new(Role::Identifier) },
    );
    let product = RecordsProduct { name: "p".into(), ..Default::default() };
    assert_eq!(policy.released_columns(&product, &["id", "phone", "note", "mail", "device"]), ["phone"]);
    assert!(!policy.keeps_subject(&product));
}

#[test]
fn normalized_text_leaves_out_what_is_local() {
    let mut policy = Policy::from_toml(GOOD).unwrap();
    let path = |path: &str| Column {
        hierarchy: Some(HierarchySpec::File { path: path.into(), delimiter: ',' }),
        ..Column::new(Role::QuasiIdentifier)
    };
    policy.columns.insert("country".into(), path("/home/steward/lists/country.csv"));
    policy.columns.insert("city".into(), path(r"C:\Users\steward\city.csv"));
    let text = policy.normalized().unwrap();
    assert!(
        !text.contains("steward")
            && !text.contains("input")
            && text.contains("file = \"country.csv\"")
            && text.contains("file = \"city.csv\""),
        "{text}"
    );
    for default in [
        "trials = 2000",
        "known_items = [1, 2, 3, 4, 8]",
        "confidence = 0.95",
        "search = \"optimal\"",
        "aggregate = \"geometric-mean\"",
        "gs_factor = 0.5",
        "scope = \"product\"",
        "order = \"shuffled\"",
        "purpose = \"\"",
    ] {
        assert!(text.contains(default), "{default} is missing in\n{text}");
    }
    assert_eq!(text, policy.clone().normalized().unwrap());
    // Changing anything that counts changes the text.
    policy.gate.trials += 1;
    assert_ne!(text, policy.normalized().unwrap());
}

#[test]
fn paths_become_relative_to_the_policy_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    let text = changed("dates = [\"month\", \"year\"]", "file = \"lists/dates.csv\", delimiter = \",\"");
    std::fs::write(&file, &text).unwrap();
    let policy = Policy::from_path(&file).unwrap();
    let Some(HierarchySpec::File { path, delimiter: ',' }) = &policy.profiles.columns["registered_at"].hierarchy else { panic!("no file") };
    assert_eq!(std::path::Path::new(path), folder.path().join("lists/dates.csv"));
    assert!(policy.normalized().unwrap().contains("\"dates.csv\""));

    std::fs::write(&file, text.replace("lists/", "/lists/")).unwrap();
    let policy = Policy::from_path(&file).unwrap();
    assert!(
        matches!(&policy.profiles.columns["registered_at"].hierarchy, Some(HierarchySpec::File { path, .. }) if path == "/lists/dates.csv")
    );

    let error = Policy::from_path(folder.path().join("none.toml")).unwrap_err();
    assert!(error.exit_code() == 2 && error.to_string().contains("there is no such file"), "{error}");
    std::fs::write(&file, b"name = \"\xff\"").unwrap();
    assert!(Policy::from_path(&file).unwrap_err().to_string().contains("UTF-8"));
}

#[test]
fn a_number_too_large_for_toml_is_an_error() {
    let mut policy = Policy::new("n");
    policy.subject = Some(Subject::new("id"));
    policy.products.push(Product::Records(RecordsProduct {
        name: "p".into(),
        max_events_per_subject: Some(u64::MAX),
        ..Default::default()
    }));
    policy.validate().unwrap();
    assert!(matches!(policy.normalized(), Err(Error::Policy { .. })));
}

#[test]
fn names_with_unusual_characters_stay_in_one_line_of_one_key() {
    let policy = "version = 1\nname = 'n'\nproducts = [{ name = 'p', kind = 'records' }]\n[columns.\"a.b c\\n\"]\nrole = 'subject'";
    check(policy, "columns.\"a.b c\\n\".role", "may only repeat");
    let policy = "version = 1\nname = 'n'\nproducts = [{ name = 'p', kind = 'records', \"a\\nb\" = 3 }]";
    check(policy, "products[0].\"a\\nb\"", "unknown key");
}

fn any_column() -> impl Strategy<Value = Column> {
    let spec = (any::<bool>(), any::<bool>()).prop_map(|(hmac, release)| PseudonymSpec {
        method: if hmac { PseudonymMethod::HmacSha256 } else { PseudonymMethod::Blake3 },
        scope: if release { Scope::Release } else { Scope::None },
        ..PseudonymSpec::default()
    });
    let number = -1e9..1e9_f64;
    prop_oneof![
        Just(Column::new(Role::Other)),
        Just(Column { treatment: Some(Treatment::Drop), ..Column::new(Role::Sensitive) }),
        spec.prop_map(|spec| Column { treatment: Some(Treatment::Pseudonym(spec)), ..Column::new(Role::Identifier) }),
        (1..36_500_u32).prop_map(|days| Column { treatment: Some(Treatment::Shift { days }), ..Column::new(Role::Time) }),
        (1e-9..1e9_f64).prop_map(|to| Column { treatment: Some(Treatment::Round(to)), ..Column::new(Role::Measure) }),
        (number.clone(), 0.0..1e9_f64)
            .prop_map(|(low, width)| Column { treatment: Some(Treatment::Clamp(low, low + width)), ..Column::new(Role::Measure) }),
        number.prop_map(|origin| Column {
            hierarchy: Some(HierarchySpec::Intervals { widths: vec![1.5, 3.0, 30.0], origin }),
            ..Column::new(Role::QuasiIdentifier)
        }),
        (".{1,9}", proptest::char::range(' ', '!')).prop_map(|(path, delimiter)| Column {
            hierarchy: Some(HierarchySpec::File { path: path.replace(['/', '\\'], "x"), delimiter }),
            ..Column::new(Role::QuasiIdentifier)
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Writing and reading again gives the same policy, whatever the names and numbers are.
    #[test]
    fn normalized_text_reads_back(
        name in "[^\\p{C}]{0,5}[a-z]",
        purpose in any::<String>(),
        columns in proptest::collection::btree_map(".{1,9}", any_column(), 0..6),
        limit in 0.0..=1.0_f64,
        factor in 0.0..=1.0_f64,
        k in 2..=i64::MAX as u64,
        trials in 1..=10_000_000_u64,
        attacks in proptest::option::of(Just(vec![AttackName::KnownValues])),
        subject_time in any::<bool>(),
    ) {
        let mut policy = Policy::new(name);
        policy.purpose = purpose;
        policy.subject = Some(Subject::new("the person"));
        policy.columns = columns;
        policy.columns.insert("when".into(), Column::new(Role::Time));
        policy.columns.insert("qi".into(), Column::new(Role::QuasiIdentifier));
        policy.columns.remove("the person");
        policy.gate.trials = trials;
        policy.gate.attacks = attacks;
        let mut product = RecordsProduct { name: "p".into(), models: vec![Model::KAnonymity { k: K::new(k).unwrap() }], search: Search::Optimal, ..Default::default() };
        product.suppression_limit.0 = backmask::units::Share::new(limit).unwrap();
        product.quality.gs_factor = factor;
        product.columns = Some(vec!["the person".into(), "when".into(), "qi".into()]);
        if subject_time {
            product.order = Order::SubjectTime;
        }
        policy.products.push(Product::Records(product));
        policy.validate().unwrap();
        let text = policy.normalized().unwrap();
        let again = Policy::from_toml(&text).unwrap();
        prop_assert_eq!(&again, &policy);
        prop_assert_eq!(again.normalized().unwrap(), text);
    }

    /// A table is bound if and only if the columns of the data are among those declared, and hold those declared for the table alone and the subject.
    #[test]
    fn binding_agrees_with_sets(
        common in proptest::collection::btree_set("[a-f]", 0..4),
        own in proptest::collection::btree_set("[a-f]", 0..3),
        other in proptest::collection::btree_set("[a-f]", 0..3),
        subject in proptest::option::of("[a-f]"),
        data in proptest::collection::btree_set("[a-f]", 0..6),
    ) {
        let mut policy = Policy::new("n");
        policy.subject = subject.clone().map(Subject::new);
        for (declared, columns) in [(&common, &mut policy.columns), (&own, &mut policy.profiles.columns), (&other, &mut policy.events.columns)] {
            columns.extend(declared.iter().map(|name| (name.clone(), Column::new(Role::Other))));
        }
        let columns: Vec<&str> = data.iter().map(String::as_str).collect();
        let declared: BTreeSet<String> = common.union(&own).chain(&subject).cloned().collect();
        let good = data.is_subset(&declared) && own.is_subset(&data) && subject.iter().all(|name| data.contains(name));
        match policy.bind(Table::Profiles, &columns) {
            Ok(bound) => {
                prop_assert!(good);
                prop_assert_eq!(bound.keys().cloned().collect::<BTreeSet<_>>(), data);
                prop_assert!(bound.iter().all(|(name, column)| (column.role == Role::Subject) == (Some(name) == subject.as_ref())));
            }
            Err(error) => {
                prop_assert!(!good, "{}", error);
                for name in data.difference(&declared) {
                    let list = error.to_string();
                    prop_assert!(list.split([' ', ',', ';']).any(|word| word == name), "{} is not named in {}", name, list);
                }
            }
        }
    }

    /// No text makes the parser panic, and no message has more than one line.
    #[test]
    fn no_text_breaks_the_parser(place in 0..GOOD.len(), length in 0..40_usize, inserted in ".{0,6}") {
        let cut = |at: usize| (at..=GOOD.len()).find(|at| GOOD.is_char_boundary(*at)).unwrap();
        let text = format!("{}{inserted}{}", &GOOD[..cut(place)], &GOOD[cut((place + length).min(GOOD.len()))..]);
        if let Err(error) = Policy::from_toml(&text) {
            prop_assert!(!error.to_string().contains('\n'), "{}", error);
            prop_assert_eq!(error.exit_code(), 2);
        }
    }
}
