//! Accounts and calibrations as users see them: the library's entry points and the example binaries.

use crate::examples::support::Scratch;
use backmask::dp::accounting::account;
use backmask::dp::event::PrivacyEvent;
use backmask::units::Delta;
use serde_json::json;

mod slow_tier {
    use super::*;

    /// (noise multiplier, rate, runs, δ, lowest and highest ε): intervals of another accountant, and what a third one found.
    #[test]
    #[ignore = "needs optimization"]
    fn slow_tier_sampled_gaussians_lie_in_published_intervals() {
        for (noise_multiplier, sampling_rate, count, delta, low, high) in [
            (1.0, 0.01, 10_000, 1e-6, 6.90, 6.91),
            (1.0, 0.01, 1000, 1e-5, 1.8181, 1.8384),
            (1.1, 256.0 / 60_000.0, 14_062, 1e-5, 2.3715, 2.3917),
            (0.8, 0.001, 10_000, 1e-6, 0.9371, 0.9573),
        ] {
            let found = account(&[PrivacyEvent::Gaussian { noise_multiplier, sampling_rate, count }]).expect("an account");
            let epsilon = found.epsilon(Delta::new(delta).expect("a delta"));
            assert!(low <= epsilon.lower && epsilon.lower <= epsilon.upper && epsilon.upper <= high, "{epsilon:?}");
            assert!(epsilon.upper - epsilon.lower <= 1e-3 * epsilon.upper, "{epsilon:?}");
        }
    }

    #[test]
    #[ignore = "needs optimization"]
    fn slow_tier_a_million_runs_need_no_more_points_than_a_thousand() {
        for (noise_multiplier, sampling_rate) in [(20.0, 2e-5), (1.0, 1e-6)] {
            let found = account(&[PrivacyEvent::Gaussian { noise_multiplier, sampling_rate, count: 1_000_000 }]).expect("an account");
            let epsilon = found.epsilon(Delta::new(1e-6).expect("a delta"));
            assert!(epsilon.upper < 0.01 && epsilon.lower > 0.98 * epsilon.upper, "{epsilon:?}");
        }
    }
}

#[test]
fn account_answers_as_the_contract_says() {
    let scratch = Scratch::new();
    scratch.write(
        "events.json",
        r#"[{"mechanism": "gaussian", "noise_multiplier": 10.0, "count": 100}, {"mechanism": "rounded-gaussian", "sigma": 4, "sensitivity": 1}]"#,
    );
    let answer = scratch.run("account", &["--events", "events.json", "--delta", "1e-6", "--json"]).ends(0).json();
    let (upper, lower) = (answer["epsilon"]["upper"].as_f64().expect("upper"), answer["epsilon"]["lower"].as_f64().expect("lower"));
    assert!(lower <= upper && upper > 4.88 && upper < answer["rdp"]["epsilon"].as_f64().expect("rdp"));
    assert!((answer["gdp"]["mu"].as_f64().expect("mu") - 1.0625_f64.sqrt()).abs() < 1e-9);
    assert!(
        (answer["zcdp"]["rho"].as_f64().expect("rho") - 0.531_25).abs() < 1e-9
            && answer["zcdp"]["epsilon"].is_f64()
            && answer["seconds"].is_f64()
    );
    // No Gaussian reaches δ = 0.
    let answer = scratch.run("account", &["--events", "events.json", "--delta", "0", "--json"]).ends(0).json();
    assert!(answer["epsilon"]["upper"].is_null());
    let answer = scratch.run("account", &["--events", "events.json", "--epsilon", "0", "--json"]).ends(0).json();
    assert!(answer["delta"]["upper"].as_f64().expect("upper") > 0.3);

    scratch.write("pure.json", r#"[{"mechanism": "pure", "epsilon": 0.1, "count": 3}, {"mechanism": "laplace", "scale": 20, "count": 2}]"#);
    let answer = scratch.run("account", &["--events", "pure.json", "--delta", "0", "--json"]).ends(0).json();
    assert!((answer["epsilon"]["upper"].as_f64().expect("upper") - 0.4).abs() < 1e-9);
}

#[test]
fn account_names_what_is_wrong_and_what_is_permitted() {
    let scratch = Scratch::new();
    for (events, name) in [
        (r#"[{"mechanism": "pure", "epsilon": 0}]"#, "epsilon"),
        (r#"[{"mechanism": "pure", "epsilon": 1, "count": 0}]"#, "count"),
        (r#"[{"mechanism": "gaussian", "noise_multiplier": 1e300}]"#, "noise_multiplier"),
        (r#"[{"mechanism": "gaussian", "noise_multiplier": 1, "sampling_rate": 2}]"#, "sampling_rate"),
        (r#"[{"mechanism": "approximate", "epsilon": 1, "delta": 1}]"#, "delta"),
        (r#"[{"mechanism": "laplace", "scale": -1}]"#, "scale"),
        (r#"[{"mechanism": "laplace", "scale": 1, "sensitivity": 2}]"#, "sensitivity"),
        (r#"[{"mechanism": "magic"}]"#, "magic"),
        ("{}", "--events"),
    ] {
        scratch.write("events.json", events);
        scratch.run("account", &["--events", "events.json"]).ends(2).says(&[name]);
        let answer = scratch.run("account", &["--events", "events.json", "--json"]).ends(2).json();
        assert_eq!(answer["exit"], json!(2));
    }
    scratch.write("events.json", "[]");
    for arguments in [["--delta", "1"], ["--delta", "nan"], ["--delta", "-1"], ["--epsilon", "-1"], ["--epsilon", "nan"]] {
        scratch.run("account", &[&["--events", "events.json"], &arguments[..]].concat()).ends(2).says(&[&arguments[0][2..]]);
    }
    scratch.run("account", &["--events", "none.json"]).ends(1).says(&["none.json"]);
    scratch.run("account", &["--events", "events.json", "--delta", "0.1", "--epsilon", "1"]).ends(2).says(&["--epsilon"]);
}

#[test]
fn calibrate_answers_as_the_contract_says() {
    let scratch = Scratch::new();
    let call = |mechanism: &str, more: &[&str]| {
        let first = ["--mechanism", mechanism, "--sensitivity", "1", "--epsilon", "1", "--delta", "1e-6", "--json"];
        scratch.run("calibrate", &[&first[..], more].concat()).ends(0).json()
    };
    for (mechanism, parameter) in [
        ("gaussian", 4.224_678_9),
        ("laplace", 0.999_998),
        ("discrete-laplace", 0.999_998_6),
        ("discrete-gaussian", 4.230_778_9),
        ("rounded-gaussian", 4.224_678_9),
    ] {
        let answer = call(mechanism, &[]);
        assert_eq!(answer["mechanism"], mechanism);
        assert!((answer["parameter"].as_f64().expect("a parameter") - parameter).abs() < 1e-5, "{answer}");
        assert!(answer["threshold"].is_null() && answer["threshold_discrete"].is_null() && answer["keep_probability"].is_null());
    }
    for mechanism in ["laplace-threshold", "gaussian-threshold"] {
        let answer = call(mechanism, &["--max-items", "10"]);
        let (real, whole) = (answer["threshold"].as_f64().expect("T"), answer["threshold_discrete"].as_f64().expect("T"));
        assert!(whole.fract() == 0.0 && (real - whole).abs() < 3.0, "{answer}");
        // One person is let through with probability δ′ only.
        let alone = answer["keep_probability"]["1"].as_f64().expect("a probability");
        assert!(alone <= 1.000_001e-7 && alone > 1e-8, "{answer}");
    }
    let answer = call("truncated-geometric", &["--max-items", "10"]);
    assert!((answer["keep_probability"]["1"].as_f64().expect("a probability") - 1e-7).abs() < 1e-15 && answer["parameter"].is_null());
    let keep = answer["keep_probability"].as_object().expect("probabilities");
    assert!(keep.values().filter(|keep| keep.as_f64() == Some(1.0)).count() == 1 && keep.len() < 1000);
}

#[test]
fn calibrate_refuses_what_cannot_be() {
    let scratch = Scratch::new();
    let call = |arguments: &[&str]| scratch.run("calibrate", arguments).ends(2);
    for bad in ["0", "-1", "nan", "inf", "1e300"] {
        call(&["--mechanism", "gaussian", "--sensitivity", bad, "--epsilon", "1", "--delta", "1e-6"]).says(&["sensitivity"]);
        call(&["--mechanism", "gaussian", "--sensitivity", "1", "--epsilon", bad, "--delta", "1e-6"]).says(&["epsilon"]);
        if bad != "0" {
            call(&["--mechanism", "laplace", "--sensitivity", "1", "--epsilon", "1", "--delta", bad]).says(&["delta"]);
        }
    }
    call(&["--mechanism", "gaussian", "--sensitivity", "1", "--epsilon", "1"]).says(&["delta", "gaussian"]);
    call(&["--mechanism", "gaussian", "--sensitivity", "1", "--epsilon", "1", "--delta", "1"]).says(&["delta"]);
    call(&["--mechanism", "laplace-threshold", "--sensitivity", "1", "--epsilon", "1", "--delta", "1e-6"]).says(&["--max-items"]);
    call(&["--mechanism", "laplace-threshold", "--sensitivity", "1", "--epsilon", "1", "--delta", "1e-6", "--max-items", "0"])
        .says(&["max_items"]);
    call(&["--mechanism", "laplace", "--sensitivity", "1", "--epsilon", "1", "--max-items", "3"]).says(&["--max-items"]);
    call(&["--mechanism", "discrete-laplace", "--sensitivity", "1.5", "--epsilon", "1"]).says(&["sensitivity"]);
    call(&["--mechanism", "magic", "--sensitivity", "1", "--epsilon", "1"]).says(&["truncated-geometric"]);
}
