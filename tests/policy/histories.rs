//! Products of whole histories: what they may say and what they must not.

use super::{changed, check, check_unsupported};
use backmask::policy::{Canonical, FragmentOrder, Policy, Product, SameItems, Support};

/// The good policy with one product more.
fn with(product: &str) -> String {
    changed("[[products]]\nname = \"log\"", &format!("[[products]]\nname = \"h\"\n{product}\n[[products]]\nname = \"log\""))
}

fn cohorts(keys: &str) -> String {
    with(&format!("kind = \"cohorts\"\n{}{keys}", if keys.starts_with("k = ") { "" } else { "k = 12\n" }))
}

fn fragments(keys: &str) -> String {
    let own = if keys.contains("max_items = ") { "" } else { "max_items = 5\n" };
    with(&format!("kind = \"fragments\"\nk = 12\n{own}{keys}"))
}

#[test]
fn everything_that_is_documented_is_accepted() {
    for keys in [
        "",
        "min_members = 3\nmax_share = 0.8",
        "item = \"genre\"",
        "max_items_per_subject = 100",
        "items = { canonical = \"name\", names = [\"track_id\", \"genre\"] }",
        "items = { canonical = { file = \"same.csv\" } }",
        "items = { canonical = { file = \"same.csv\", delimiter = \",\" } }",
        "attributes = [\"age\", \"gender\"]",
        "attributes = [\"age\", \"gender\"]\nsensitive = { l = 3, t = 0.3 }",
        "accept_risk = \"enclave\"",
        "min_members = 1",
    ] {
        Policy::from_toml(&cohorts(keys)).unwrap_or_else(|error| panic!("{keys}: {error}"));
    }
    for keys in [
        "",
        "m = 1",
        "m = 3",
        "support = \"pool\"",
        "max_items = 64",
        "max_items = 1\nm = 1",
        "order = \"kept\"",
        "order = \"kept\"\ntime = \"started_at\"",
        "order = \"shuffled\"",
        "sessions = { gap_minutes = 30 }",
        "sessions = { gap_minutes = 30 }\norder = \"kept\"\ntime = \"started_at\"",
        "item = \"artist_id\"\nmax_items_per_subject = 20",
    ] {
        Policy::from_toml(&fragments(keys)).unwrap_or_else(|error| panic!("{keys}: {error}"));
    }
    // Attacks that only these products know.
    for (product, attack) in [(cohorts(""), "attribute"), (cohorts(""), "membership"), (fragments(""), "linkage")] {
        let text = product.replace("attacks = [\"known-items\"]", &format!("attacks = [\"known-items\", \"{attack}\"]"));
        Policy::from_toml(&text).unwrap_or_else(|error| panic!("{attack}: {error}"));
    }
}

#[test]
fn mistakes_are_named_with_their_key() {
    for (keys, key, words) in [
        ("k = 1", "k", "at least 2"),
        ("min_members = 0", "min_members", "too small"),
        ("min_members = 13", "min_members", "13 is more than the 12"),
        ("max_share = 1.5", "max_share", "[0, 1]"),
        ("max_share = 0.1", "max_share", "at most 1 would be shown"),
        ("item = \"nobody\"", "item", "not declared as an item"),
        ("item = \"started_at\"", "item", "not declared as an item"),
        ("max_items_per_subject = 0", "max_items_per_subject", "too small"),
        ("items = { canonical = \"names\" }", "items.canonical", "unknown value"),
        ("items = { }", "items.canonical", "missing"),
        ("items = { canonical = { file = \"a.csv\", delimiter = \"é\" } }", "items.canonical.delimiter", "ASCII"),
        ("items = { canonical = { file = \"a.csv\" }, names = [\"genre\"] }", "items.names", "file says"),
        ("items = { canonical = \"name\", names = [] }", "items.names", "empty"),
        ("items = { canonical = \"name\", names = [\"nothing\"] }", "items.names[0]", "not declared"),
        ("items = { canonical = \"name\", names = [\"ms_played\"] }", "items.names[0]", "role measure"),
        ("attributes = [\"age\", \"age\"]", "attributes[1]", "twice"),
        ("sensitive = { l = 2 }", "sensitive", "none of the attributes"),
        ("attributes = [\"gender\"]\nsensitive = { l = 1 }", "sensitive.l", "too small"),
        ("attributes = [\"gender\"]\nsensitive = { l = 13 }", "sensitive.l", "no more people"),
        ("attributes = [\"shoe_size\"]", "attributes[0]", "not declared"),
        ("attributes = [\"email\"]", "attributes[0]", "role identifier"),
        ("attributes = [\"started_at\"]", "attributes[0]", "role time"),
        ("accept_risk = \" \"", "accept_risk", "empty"),
        ("max_items = 3", "max_items", "unknown key"),
    ] {
        check(&cohorts(keys), &format!("products[1].{key}"), words);
    }
    for (keys, key, words) in [
        ("max_items = 0", "max_items", "too small"),
        ("max_items = 65", "max_items", "too large"),
        ("m = 0", "m", "too small"),
        ("m = 4", "m", "too large"),
        ("max_items = 1", "m", "do not fit"),
        ("support = \"file\"", "support", "unknown value"),
        ("order = \"random\"", "order", "unknown value"),
        ("time = \"started_at\"", "time", "nothing of this product needs times"),
        ("order = \"kept\"\ntime = \"genre\"", "time", "role item"),
        ("order = \"kept\"\ntime = \"stopped_at\"", "time", "not declared"),
        ("sessions = { gap_minutes = 0 }", "sessions.gap_minutes", "out of range"),
        ("sessions = { gap = 3 }", "sessions.gap", "unknown key"),
        ("min_members = 2", "min_members", "unknown key"),
    ] {
        check(&fragments(keys), &format!("products[1].{key}"), words);
    }
    // Without a column that names the person there are no histories.
    let nobody = cohorts("").replace("[subject]\ncolumn = \"subject_id\"", "").replace("[columns.subject_id]\nrole = \"subject\"", "");
    check(&nobody, "subject", "names the person");
    // An item that is dropped is not released by another product either.
    let dropped = cohorts("item = \"genre\"")
        .replace("[events.columns.genre]\nrole = \"item\"", "[events.columns.genre]\nrole = \"item\"\ntreatment = \"drop\"");
    check(&dropped, "products[1].item", "dropped");
    check_unsupported(&fragments("sessions = { gap_minutes = 30 }\nm = 3"), "products[1].m", "sessions");
    check_unsupported(&fragments("sessions = { gap_minutes = 30 }\nsupport = \"pool\""), "products[1].support", "sessions");
    check_unsupported(&cohorts("").replace("attacks = [\"known-items\"]", "attacks = [\"linkage\"]"), "gate.attacks[0]", "linkage");
}

#[test]
fn tables_decide_what_the_policy_leaves_open() {
    let events = ["subject_id", "track_id", "artist_id", "genre", "started_at", "ms_played"];
    let profiles = ["subject_id", "age", "registered_at", "gender", "email"];
    let tables =
        |text: &str, events: &[&str]| Policy::from_toml(text).and_then(|policy| policy.check_tables(Some(events), Some(&profiles)));
    for text in [cohorts(""), fragments("order = \"kept\""), cohorts("attributes = [\"age\"]")] {
        tables(&text, &events).unwrap_or_else(|error| panic!("{error}"));
    }
    // The name of a track is in a column that is not there.
    let error = tables(&cohorts("items = { canonical = \"name\" }"), &events).unwrap_err().to_string();
    assert!(error.contains("products[1].items.names") && error.contains("track_name"), "{error}");
    // Two items without a hierarchy.
    let apart = cohorts("")
        .replace("role = \"item\"\ngeneralize_to = \"genre\"", "role = \"item\"")
        .replace("item_support = { min_subjects = 20, otherwise = \"generalize\" }\n", "");
    let error = tables(&apart, &events).unwrap_err().to_string();
    assert!(error.contains("products[1].item") && error.contains("artist_id") && error.contains("genre"), "{error}");
}

#[test]
fn values_are_what_was_written() {
    let text = fragments(
        "m = 3\nsupport = \"pool\"\norder = \"kept\"\nitems = { canonical = { file = \"a/b.csv\", delimiter = \",\" } }\nmax_items_per_subject = 9",
    );
    let policy = Policy::from_toml(&text).unwrap();
    let Product::Fragments(product) = &policy.products[1] else { panic!("the kind is wrong") };
    let same = Some(SameItems { canonical: Canonical::File { path: "a/b.csv".to_owned(), delimiter: ',' }, names: None });
    assert_eq!((product.m, product.support, product.order, &product.items), (3, Support::Pool, FragmentOrder::Kept, &same));
    // What is handed over names the file without its folder, and says the same otherwise.
    let again = Policy::from_toml(&policy.normalized().unwrap()).unwrap();
    let Product::Fragments(handed) = &again.products[1] else { panic!("the kind is wrong") };
    assert_eq!(handed.items, Some(SameItems { canonical: Canonical::File { path: "b.csv".to_owned(), delimiter: ',' }, names: None }));
    assert_eq!((handed.max_items_per_subject, handed.max_items, handed.k), (Some(9), 5, product.k));
    let defaults = Policy::from_toml(&cohorts("")).unwrap();
    let Product::Cohorts(product) = &defaults.products[1] else { panic!("the kind is wrong") };
    assert_eq!((product.min_members, product.max_share.get().to_bits(), product.attributes.len()), (2, 1.0_f64.to_bits(), 0));
}
