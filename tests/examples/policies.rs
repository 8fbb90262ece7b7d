//! Every policy in `examples/policies` on the data that it is for.

use super::support::{Ran, Scratch};
use crate::real_data::real_data;

fn run(test: &str, policy: &str, events: &str, profiles: Option<&str>) -> Option<(Scratch, Ran)> {
    let events = real_data(test, events)?;
    let profiles = match profiles {
        Some(profiles) => Some(real_data(test, profiles)?),
        None => None,
    };
    let scratch = Scratch::new();
    let policy = format!("{}/examples/policies/{policy}.toml", env!("CARGO_MANIFEST_DIR"));
    let mut call = vec!["--policy", &policy, "--input", events.to_str().expect("UTF-8"), "--output", "out", "--json"];
    if let Some(profiles) = &profiles {
        call.extend(["--profiles", profiles.to_str().expect("UTF-8")]);
    }
    let ran = scratch.run("anonymize", &call);
    Some((scratch, ran))
}

#[track_caller]
fn publishes(test: &str, policy: &str, events: &str, profiles: Option<&str>, accepted: bool) {
    let Some((scratch, ran)) = run(test, policy, events, profiles) else { return };
    let ran = ran.ends(0);
    super::support::assert_complete(&scratch.path("out"));
    let report = &ran.json()["report"];
    assert_eq!(!report["accepted_risks"].as_array().expect("a list").is_empty(), accepted, "{policy}");
    for product in report["products"].as_array().expect("products") {
        for guarantee in product["guarantees"].as_array().expect("guarantees") {
            assert_eq!(guarantee["holds"], true, "{policy}: {guarantee}");
        }
    }
    scratch.verify(&[]).ends(0);
}

#[track_caller]
fn refused(test: &str, policy: &str, events: &str) {
    let Some((scratch, ran)) = run(test, policy, events, None) else { return };
    ran.ends(3).says(&["refused", "known-items"]);
    scratch.nothing_published();
}

const HETREC: &str = "hetrec2011-lastfm-2k/user_artists.dat";

#[test]
fn hetrec_is_published_with_an_accepted_risk_and_refused_without() {
    let test = "hetrec_is_published_with_an_accepted_risk_and_refused_without";
    publishes(test, "hetrec", HETREC, None, true);
    refused(test, "hetrec-raw", HETREC);
    refused(test, "hetrec-support20", HETREC);
}

#[test]
fn sessions_are_published_with_an_accepted_risk() {
    publishes("sessions_are_published_with_an_accepted_risk", "lastfm-sessions", "lastfm-sessions/lastfm.tsv", None, true);
}

#[test]
fn profiles_and_events_are_published_together() {
    let test = "profiles_and_events_are_published_together";
    publishes(test, "movielens-100k", "ml-100k/u.data", Some("ml-100k/u.user"), true);
    publishes(
        test,
        "lastfm-1k",
        "lastfm-1k/userid-timestamp-artid-artname-traid-traname.first5000.tsv",
        Some("lastfm-1k/userid-profile.tsv"),
        true,
    );
}

#[test]
fn plain_tables_of_people_are_published() {
    publishes("plain_tables_of_people_are_published", "lfm-1b-users", "lfm-1b/LFM-1b_users.txt", None, false);
}

#[test]
#[ignore = "slow tier: the search over 12,960 transformations takes half a minute without optimization"]
fn slow_tier_adult_is_published() {
    publishes("slow_tier_adult_is_published", "adult", "adult/adult.csv", None, false);
}

#[test]
fn the_raw_simulated_pool_is_refused() {
    let scratch = Scratch::new();
    scratch.run("simulate", &["--subjects", "200", "--events", "10000", "--output", "pool"]).ends(0);
    let policy = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/policies/simulated-raw.toml");
    scratch
        .run("anonymize", &["--policy", policy, "--input", "pool/events.parquet", "--output", "out"])
        .ends(3)
        .says(&["refused", "known-items"]);
    scratch.nothing_published();
}
