//! The structure of `report.json` is a promise: names may be added, never renamed or dropped.

use super::{Report, sample};
use serde_json::Value;
use std::collections::BTreeMap;

/// The promised structure. Values stand for their types.
fn promised() -> Value {
    serde_json::from_str(
        r#"{
        "schema": 1, "name": "", "created": "", "version": "", "reproducible": false, "accepted_risks": [""],
        "inputs": [{"path": "", "sha256": "", "rows": 0, "subjects": 0}], "input_commitment": "",
        "excluded": [{"reason": "", "rows": 0}],
        "products": [{
            "name": "", "kind": "", "file": "", "sha256": "", "rows": 0, "subjects": 0,
            "guarantees": [{"model": "", "parameters": {"k": 12}, "unit": "", "achieved": 14, "holds": true, "verified": ""}],
            "estimates": [{"model": "", "value": 0.0, "low": 0.0, "high": 0.0}],
            "transformation": {"levels": {"birth_year": 1}, "suppressed_rows": 0, "suppressed_subjects": 0,
                               "equivalence_classes": 0, "average_class_size": 0.0},
            "quality": {"metric": "", "aggregate": "", "value": 0.0, "all": {"loss": 0.0, "discernibility": 0.0}},
            "search": {"nodes": 0, "checked": 0, "optimal": true, "seconds": 0.0},
            "privacy_loss": {"epsilon": 0.0, "delta": 0.0, "mu": 0.0},
            "bounds": {"reidentification": 0.0, "tpr_at_fpr_0.001": 0.0, "posterior_from_0.5": 0.0},
            "attacks": [{"name": "", "known": 4, "trials": 2000, "successes": 3, "rate": 0.0, "upper": 0.0, "baseline": 0.0, "excess": 0.0,
                         "original_rate": 0.0, "deciles": [{"rate": 0.0, "upper": 0.0, "baseline": 0.0}], "gate_value": 0.0}],
            "utility": {"ease": {"recall@20": 0.0, "ndcg@100": 0.0, "lift_retained": 0.0}}
        }],
        "privacy_loss": {"epsilon": 0.0, "delta": 0.0, "mu": 0.0, "ledger": {"spent": {}, "remaining": {}}},
        "gate": {"max_risk": 0.0, "passed": true, "reasons": [""]},
        "seconds": {"read": 0.0, "fit": 0.0, "write": 0.0, "assess": 0.0}
    }"#,
    )
    .unwrap()
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "object",
    }
}

/// Every path with the type of its value; the elements of a list share one path.
fn shape(value: &Value, path: &str, into: &mut BTreeMap<String, &'static str>) {
    if !path.is_empty() {
        into.insert(path.to_owned(), kind(value));
    }
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| shape(value, &format!("{path}/{name}"), into)),
        Value::Array(values) => values.iter().for_each(|value| shape(value, &format!("{path}[]"), into)),
        _ => {}
    }
}

fn shape_of(reports: &[Report]) -> BTreeMap<String, &'static str> {
    let mut found = BTreeMap::new();
    for report in reports {
        shape(&serde_json::to_value(report).unwrap(), "", &mut found);
    }
    found
}

#[test]
fn every_promised_name_is_there_with_its_type() {
    let mut expected = BTreeMap::new();
    shape(&promised(), "", &mut expected);
    let found = shape_of(&[sample::syntactic(), sample::differentially_private()]);
    for (path, kind) in &expected {
        assert_eq!(found.get(path), Some(kind), "{path}");
    }
}

#[test]
fn added_names_are_these() {
    let mut expected = BTreeMap::new();
    shape(&promised(), "", &mut expected);
    let found = shape_of(&[sample::syntactic(), sample::differentially_private()]);
    let added: Vec<_> = found
        .keys()
        .filter(|path| !expected.contains_key(*path) && !path.ends_with("[]"))
        .filter(|path| !["/parameters/", "/levels/", "/all/", "/ledger/"].iter().any(|map| path.contains(map)))
        .map(String::as_str)
        .collect();
    let listed = [
        "/gate/confidence",
        "/gate/on",
        "/limits",
        "/products[]/accepted_risk",
        "/products[]/attacks[]/columns",
        "/products[]/attacks[]/combinations",
        "/products[]/attacks[]/combinations[]/columns",
        "/products[]/attacks[]/combinations[]/gate_value",
        "/products[]/attacks[]/combinations[]/rate",
        "/products[]/attacks[]/combinations[]/upper",
        "/products[]/attacks[]/combinations_possible",
        "/products[]/attacks[]/deciles[]/people",
        "/products[]/attacks[]/deciles[]/successes",
        "/products[]/attacks[]/deciles[]/trials",
        "/products[]/attacks[]/exact",
        "/products[]/attacks[]/knowledge",
        "/products[]/attacks[]/match_sets",
        "/products[]/attacks[]/match_sets/maximum",
        "/products[]/attacks[]/match_sets/mean_inverse",
        "/products[]/attacks[]/match_sets/median",
        "/products[]/attacks[]/match_sets/minimum",
        "/products[]/attacks[]/match_sets/p10",
        "/products[]/attacks[]/match_sets/p90",
        "/products[]/attacks[]/not_run",
        "/products[]/attacks[]/people",
        "/products[]/class_sizes",
        "/products[]/class_sizes/after",
        "/products[]/class_sizes/before",
        "/products[]/columns",
        "/products[]/columns[]/became",
        "/products[]/columns[]/highest",
        "/products[]/columns[]/level",
        "/products[]/columns[]/name",
        "/products[]/columns[]/role",
        "/products[]/control_people",
        "/products[]/losses",
        "/products[]/losses/popularity",
        "/products[]/losses/popularity[]/items",
        "/products[]/losses/popularity[]/kept",
        "/products[]/losses/popularity[]/most_people",
        "/products[]/losses/popularity[]/rows",
        "/products[]/losses/reasons",
        "/products[]/losses/reasons[]/count",
        "/products[]/losses/reasons[]/reason",
        "/products[]/notes",
        "/products[]/population_risk",
        "/products[]/population_risk/journalist_at_risk",
        "/products[]/population_risk/journalist_average",
        "/products[]/population_risk/journalist_highest",
        "/products[]/population_risk/marketer",
        "/products[]/population_risk/prosecutor_at_risk",
        "/products[]/population_risk/prosecutor_average",
        "/products[]/population_risk/prosecutor_highest",
        "/products[]/population_risk/threshold",
        "/products[]/steward_notes",
        "/products[]/unicity",
        "/products[]/unicity[]/after",
        "/products[]/unicity[]/after_upper",
        "/products[]/unicity[]/before",
        "/products[]/unicity[]/known",
        "/pseudonyms",
        "/pseudonyms[]/collision_probability",
        "/pseudonyms[]/column",
        "/pseudonyms[]/distinct",
        "/pseudonyms[]/format",
        "/pseudonyms[]/input_space_bits",
        "/pseudonyms[]/irreversible",
        "/pseudonyms[]/key_id",
        "/pseudonyms[]/method",
        "/pseudonyms[]/period",
        "/pseudonyms[]/product",
        "/pseudonyms[]/reproducible",
        "/pseudonyms[]/reversible",
        "/pseudonyms[]/scope",
        "/pseudonyms[]/session_gap",
        "/pseudonyms[]/warning",
        "/purpose",
        "/recipient",
        "/refusals",
        "/registered",
        "/statements",
    ];
    assert_eq!(added, listed);
}

#[test]
fn accepted_risks_are_the_first_thing_in_the_file() {
    let text = serde_json::to_string_pretty(&sample::syntactic().for_recipient()).unwrap();
    let first = text.lines().nth(2).unwrap();
    assert_eq!(first.trim(), "\"research enclave, contract 17\"");
}

#[test]
fn reports_survive_a_round_trip() {
    for report in [sample::syntactic(), sample::differentially_private(), sample::syntactic().for_recipient()] {
        let text = serde_json::to_string(&report).unwrap();
        assert!(serde_json::from_str::<Report>(&text).unwrap() == report, "something was lost: {}", report.name);
    }
}
