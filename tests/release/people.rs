//! k counts people: never rows, tokens of rows, or files.

use super::support::{Run, Written, batch, folder, guarantee, key, numbers, policy, run, texts, write_csv, write_ipc, write_parquet};
use backmask::Error;
use backmask::release::report::Unit;
use backmask::release::{Anonymizer, verify};

const EVENTS: &str = "
    version = 1
    name = 'places'
    [subject]
    column = 'subject_id'
    pseudonym = { scope = 'SCOPE' }
    [columns.place]
    role = 'quasi-identifier'
    [[products]]
    name = 'log'
    kind = 'records'
    suppression_limit = 1.0
    models = [{ name = 'k-anonymity', k = 3 }]
    [gate]
    max_risk = 0.34
    attacks = []
";

fn events(scope: &str) -> String {
    EVENTS.replace("SCOPE", scope)
}

/// Three people in every class, but nobody visits the same set of classes as another.
fn unique_sets() -> Vec<(&'static str, &'static str)> {
    vec![
        ("ann", "a"),
        ("ann", "b"),
        ("ann", "c"), //
        ("ben", "a"),
        ("ben", "b"),
        ("ben", "d"), //
        ("cas", "a"),
        ("cas", "c"),
        ("cas", "d"), //
        ("dan", "b"),
        ("dan", "c"),
        ("dan", "d"), //
    ]
}

fn table(rows: &[(&str, &str)]) -> arrow::array::RecordBatch {
    batch([("subject_id", texts(rows.iter().map(|r| r.0))), ("place", texts(rows.iter().map(|r| r.1)))])
}

#[test]
fn a_unique_set_of_classes_is_no_k_anonymity_of_people() {
    let (_run, outcome) = run(&events("product"), &table(&unique_sets()));
    let outcome = outcome.expect("attacks are off, and a number per row refuses nothing");
    let product = outcome.product("log").expect("the product");
    let found = guarantee(product, "k-anonymity");
    assert_eq!((found.unit, found.achieved, found.holds), (Unit::SubjectPerRow, Some(3.0), true));
    assert_eq!(product.k(), None, "no 1/k to the gate");
    // A count of each class by itself, which is what the broken claim would rest on, finds three people everywhere.
    let written = Written::of(&outcome, "log");
    assert!(written.people_by_class(&["place"], "token").values().all(|people| people.len() == 3));
    // Whole sets are unique: that is what the adversary sees.
    let mut sets = std::collections::BTreeMap::new();
    for (place, people) in written.people_by_class(&["place"], "token") {
        for person in people {
            sets.entry(person).or_insert_with(Vec::new).push(place.clone());
        }
    }
    assert_eq!(sets.values().collect::<std::collections::BTreeSet<_>>().len(), 4);
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
}

#[test]
fn shared_sets_of_classes_are_k_anonymity_of_people() {
    let mut rows = Vec::new();
    for person in ["ann", "ben", "cas", "dan"] {
        rows.extend([(person, "a"), (person, "b"), (person, "b")]);
    }
    let (_run, outcome) = run(&events("product"), &table(&rows));
    let outcome = outcome.expect("published");
    let found = guarantee(outcome.product("log").expect("the product"), "k-anonymity");
    assert_eq!((found.unit, found.achieved, found.holds), (Unit::Subject, Some(4.0), true));
    // One more visit of one person makes their multiset unique, though the set is the same.
    rows.push(("ann", "a"));
    let (_run, outcome) = run(&events("product"), &table(&rows));
    let outcome = outcome.expect("published");
    assert_eq!(guarantee(outcome.product("log").expect("the product"), "k-anonymity").unit, Unit::SubjectPerRow);
}

#[test]
fn one_person_does_not_make_a_class() {
    let mut rows: Vec<(&str, &str)> = vec![("ann", "alone"); 50];
    rows.extend([("ben", "a"), ("cas", "a"), ("dan", "a")]);
    for scope in ["product", "none"] {
        let (_run, outcome) = run(&events(scope), &table(&rows));
        let outcome = outcome.expect("published");
        let written = Written::of(&outcome, "log");
        // A check that counts rows would have let all fifty pass.
        assert!(rows.iter().filter(|row| row.1 == "alone").count() >= 3);
        assert_eq!(written.column("place"), vec![Some("a".to_owned()); 3], "{scope}");
        assert_eq!(outcome.product("log").expect("the product").transformation.as_ref().expect("one").suppressed_rows, 50);
    }
}

#[test]
fn without_tokens_nobody_owns_more_than_one_kth_of_a_class() {
    // Three people, but ann has half of the rows: whoever guesses ann is right every second time.
    let mut rows: Vec<(&str, &str)> = vec![("ann", "a"); 4];
    rows.extend([("ben", "a"), ("ben", "a"), ("cas", "a"), ("cas", "a")]);
    rows.extend([("ann", "b"), ("ben", "b"), ("cas", "b"), ("dan", "b")]);
    let (_run, outcome) = run(&events("none"), &table(&rows));
    let outcome = outcome.expect("published");
    let written = Written::of(&outcome, "log");
    assert_eq!(written.columns, ["place"]);
    // Counting distinct people alone would have released class a.
    assert_eq!(rows.iter().filter(|r| r.1 == "a").map(|r| r.0).collect::<std::collections::BTreeSet<_>>().len(), 3);
    assert_eq!(written.column("place"), vec![Some("b".to_owned()); 4]);
    let found = guarantee(outcome.product("log").expect("the product"), "k-anonymity");
    assert_eq!((found.unit, found.achieved), (Unit::Subject, Some(4.0)));
    // With a token the rows of a person are told apart, and all three classes count three people a row.
    let (_run, outcome) = run(&events("product"), &table(&rows));
    let outcome = outcome.expect("published");
    assert_eq!(Written::of(&outcome, "log").rows.len(), 12);
    assert_eq!(outcome.product("log").expect("the product").k(), None);
}

#[test]
fn one_person_in_many_files_is_one_person() {
    let folder = folder();
    let mut paths = Vec::new();
    for file in 0..5 {
        let rows = table(&[("ann", "alone"), ("ben", "a"), ("cas", "a"), ("dan", "a")]);
        let path = folder.path().join(format!("{file}.{}", ["parquet", "csv", "arrow"][file % 3]));
        match file % 3 {
            0 => write_parquet(&path, &rows),
            1 => write_csv(&path, &rows),
            _ => write_ipc(&path, &rows),
        }
        paths.push(path);
    }
    // A count a file, or of (file, person), finds five people in the class of ann.
    for inputs in [paths.clone(), vec![folder.path().to_owned()]] {
        let out = tempfile::tempdir().expect("a folder");
        let outcome = Anonymizer::new(policy(&events("product"))).input(inputs).output(out.path()).key(key()).run().expect("published");
        let written = Written::of(&outcome, "log");
        assert!(written.column("place").iter().all(|place| place.as_deref() == Some("a")));
        assert_eq!((written.rows.len(), outcome.product("log").expect("the product").subjects), (15, Some(3)));
    }
}

#[test]
fn repeated_rows_raise_neither_k_nor_support() {
    let support = "
        version = 1
        name = 'items'
        subject = { column = 'subject_id' }
        columns = { place = { role = 'item' } }
        gate = { attacks = [] }
        [[products]]
        name = 'log'
        kind = 'records'
        item_support = { min_subjects = 3, otherwise = 'suppress' }
    ";
    let mut rows = vec![("ann", "rare"), ("ben", "rare"), ("ann", "a"), ("ben", "a"), ("cas", "a")];
    for _ in 0..20 {
        rows.extend([("ann", "rare"), ("ben", "rare")]);
    }
    for text in [support, &events("product")] {
        let (_run, outcome) = run(text, &table(&rows));
        let outcome = outcome.expect("published");
        let places = Written::of(&outcome, "log").column("place");
        assert_eq!(places, vec![Some("a".to_owned()); 3]);
        // Support by rows would be 42.
        assert!(rows.iter().filter(|row| row.1 == "rare").count() > 40);
    }
}

#[test]
fn a_table_without_the_subject_column_is_refused_and_not_counted_by_rows() {
    let run = Run::new();
    let text = "
        version = 1
        name = 'two'
        subject = { column = 'subject_id' }
        [events.columns.place]
        role = 'quasi-identifier'
        [profiles.columns.age]
        role = 'quasi-identifier'
        [[products]]
        name = 'people'
        kind = 'records'
        source = 'profiles'
        models = [{ name = 'k-anonymity', k = 2 }]
    ";
    let profiles = batch([("age", numbers([7, 7, 7]))]);
    let error = run.both(text, &table(&[("ann", "a")]), &profiles).expect_err("no column names the person");
    assert!(matches!(error, Error::Column { .. } | Error::Policy { .. }), "{error}");
    assert!(!run.out().join("release").exists());
}

#[test]
fn rows_that_name_nobody_are_left_out() {
    let people = || super::support::maybe_texts([None, Some("ann"), None, Some("ben"), Some("cas"), None]);
    let places = || texts(["a", "a", "b", "a", "a", "b"]);
    let (refused, outcome) = run(&events("product"), &batch([("subject_id", people()), ("place", places())]));
    assert!(matches!(outcome.expect_err("nobody said that such rows may go"), Error::Data { .. }));
    assert!(!refused.out().join("release").exists());
    let skipping = events("product").replace("[subject]", "input = { skip_malformed = true }\n[subject]");
    let named = events("product").replace("subject_id", "user");
    for (text, column) in [(skipping, "subject_id"), (named, "user")] {
        let (_run, outcome) = run(&text, &batch([(column, people()), ("place", places())]));
        let outcome = outcome.expect("published");
        let written = Written::of(&outcome, "log");
        assert_eq!(written.column("place"), vec![Some("a".to_owned()); 3]);
        assert!(written.column("token").iter().all(Option::is_some));
        assert_eq!(guarantee(outcome.product("log").expect("the product"), "k-anonymity").achieved, Some(3.0));
    }
}

#[test]
fn profiles_where_a_person_has_two_rows_are_counted_in_people() {
    let run = Run::new();
    let text = "
        version = 1
        name = 'two'
        subject = { column = 'subject_id' }
        [events.columns.place]
        role = 'other'
        [profiles.columns.age]
        role = 'quasi-identifier'
        [[products]]
        name = 'people'
        kind = 'records'
        source = 'profiles'
        columns = ['age']
        suppression_limit = 1.0
        models = [{ name = 'k-anonymity', k = 2 }]
        [gate]
        attacks = []
        max_risk = 0.5
    ";
    let profiles = batch([("subject_id", texts(["ann", "ann", "ben", "cas", "dan"])), ("age", numbers([7, 7, 9, 9, 9]))]);
    let outcome = run.both(text, &table(&[("ann", "a")]), &profiles).expect("published");
    let written = Written::of(&outcome, "people");
    assert_eq!(written.column("age"), vec![Some("9".to_owned()); 3], "two rows of ann are no two people");
}

#[test]
fn tokens_of_another_identifier_join_the_rows_of_a_person_too() {
    // No token of the person, but one of their telephone: the adversary sees the same sets of classes.
    let rows = unique_sets();
    let phones: Vec<String> = rows.iter().map(|row| format!("+49 {}", row.0)).collect();
    let with_phone = |rows: &[(&str, &str)]| {
        let table = table(rows);
        batch([
            ("subject_id", std::sync::Arc::clone(table.column(0))),
            ("place", std::sync::Arc::clone(table.column(1))),
            ("phone", texts(phones.iter().map(String::as_str))),
        ])
    };
    let text =
        events("none").replace("[columns.place]", "[columns.phone]\nrole = 'identifier'\ntreatment = { pseudonym = { } }\n[columns.place]");
    let (_run, outcome) = run(&text, &with_phone(&rows));
    let outcome = outcome.expect("published");
    let product = outcome.product("log").expect("the product");
    let written = Written::of(&outcome, "log");
    assert_eq!(
        written.people_by_class(&["phone"], "place").values().filter(|places| places.len() == 3).count(),
        4,
        "the sets are there to see"
    );
    assert_eq!(guarantee(product, "k-anonymity").unit, Unit::SubjectPerRow, "three people a class, but every set of classes is unique");
    assert_eq!(product.k(), None);
    assert!(verify(&outcome.release, &[], None).expect("a release").holds);
    // Dropped, or a scope that drops it, and nothing joins rows: people are counted by class again.
    for replaced in ["treatment = 'drop'", "treatment = { pseudonym = { scope = 'none' } }"] {
        let (_run, outcome) = run(&text.replace("treatment = { pseudonym = { } }", replaced), &with_phone(&rows));
        let outcome = outcome.expect("published");
        assert_eq!(Written::of(&outcome, "log").columns, ["place"]);
        assert_eq!(outcome.product("log").expect("the product").k(), Some(3));
    }
    // Where no column names the person, an identifier that names several rows contradicts "every row is a different person".
    let plain = text.replace(
        "[subject]\n    column = 'subject_id'\n    pseudonym = { scope = 'none' }",
        "[columns.subject_id]\nrole = 'other'\ntreatment = 'drop'",
    );
    let (refused, outcome) = run(&plain, &with_phone(&rows));
    assert!(matches!(outcome, Err(Error::Column { rows: Some(8), .. })), "{outcome:?}");
    assert!(!refused.out().join("release").exists());
}

#[test]
fn the_attack_on_items_uses_any_token_that_joins_rows() {
    let mut draws = super::support::Draws(4);
    let rows: Vec<(String, String)> = (0..300).map(|i| (format!("p{:02}", i % 30), format!("a{}", draws.below(60)))).collect();
    let table = batch([
        ("subject_id", texts(rows.iter().map(|r| r.0.as_str()))),
        ("phone", texts(rows.iter().map(|r| r.0.as_str()))),
        ("artist_id", texts(rows.iter().map(|r| r.1.as_str()))),
    ]);
    let text = "
        version = 1
        name = 'phones'
        subject = { column = 'subject_id', pseudonym = { scope = 'none' } }
        [columns]
        phone = { role = 'identifier', treatment = { pseudonym = { } } }
        artist_id = { role = 'item' }
        [gate]
        attacks = ['known-items']
        trials = 100
        [[products]]
        name = 'log'
        kind = 'records'
    ";
    let (_run, outcome) = run(text, &table);
    let error = outcome.expect_err("ten artists under one token are a fingerprint");
    assert!(error.to_string().contains("known-items"), "{error}");
}
