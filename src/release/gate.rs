//! The gate: what is published and what is refused.

use super::report::{GateVerdict, ProductReport};
use crate::policy::{AttackName, Gate, GateOn};

/// What the gate said, and the reasons that the policy gave for publishing all the same.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) verdict: GateVerdict,
    pub(super) accepted: Vec<String>,
}

/// Compares every product with the policy's limit.
///
/// A promise that does not hold in the written file refuses the release whatever the policy accepts. A promise to whole people counts as 1/k,
/// an attack with the value that the policy chose (mean or worst decile, upper confidence bound).
pub(super) fn decide(gate: &Gate, products: &[ProductReport]) -> Decision {
    let limit = gate.max_risk.get();
    let mut reasons = Vec::new();
    let mut accepted = Vec::new();
    for product in products {
        for guarantee in product.guarantees.iter().filter(|guarantee| !guarantee.holds) {
            reasons.push(format!("product {}: {} does not hold in the written file", product.name, guarantee.model));
        }
        let risks = over_the_limit(gate, product, limit);
        match &product.accepted_risk {
            Some(reason) if !risks.is_empty() => {
                // What was accepted needs no remedy.
                let found: Vec<&str> = risks.iter().map(|risk| risk.split_once("; ").map_or(risk.as_str(), |(found, _)| found)).collect();
                accepted.push(format!("product {}: {reason} ({})", product.name, found.join("; ")));
            }
            Some(reason) => accepted.push(format!("product {}: {reason} (no measured risk is over the limit)", product.name)),
            None => reasons.extend(risks.into_iter().map(|risk| format!("product {}: {risk}", product.name))),
        }
    }
    let verdict =
        GateVerdict { max_risk: limit, on: gate.on, confidence: Some(gate.confidence.get()), passed: reasons.is_empty(), reasons };
    Decision { verdict, accepted }
}

fn over_the_limit(gate: &Gate, product: &ProductReport, limit: f64) -> Vec<String> {
    let mut reasons = Vec::new();
    // Several promises of k-anonymity are one: the largest k holds. Promises of another kind speak of other guesses.
    let mut promised: Vec<(&super::report::Guarantee, f64)> = Vec::new();
    for (guarantee, k) in product.promised().filter(|(guarantee, _)| guarantee.holds) {
        match promised.iter_mut().find(|(other, _)| other.model == guarantee.model) {
            Some(entry) if entry.1 < k => *entry = (guarantee, k),
            Some(_) => {}
            None => promised.push((guarantee, k)),
        }
    }
    for (guarantee, k) in promised.into_iter().filter(|&(_, k)| 1.0 / k > limit) {
        let guessing = match guarantee.model.as_str() {
            "cohort-size" => "picking a person out of the smallest cohort",
            "k^m-anonymity" => "picking one of the people who share the rarest combination of a fragment",
            _ => "guessing inside the smallest class",
        };
        reasons.push(format!("{guessing} succeeds with probability 1/{k}, over the limit of {limit}; raise k to {}", (1.0 / limit).ceil()));
    }
    // An estimate bounds nothing. Whoever accepts any risk need not measure it.
    let measured = product.attacks.iter().flatten().any(|attack| attack.gate_value.is_some());
    if limit < 1.0 && !product.estimates.is_empty() && product.guarantees.is_empty() && !measured {
        reasons.push(
            "its models only estimate and no attack was run, so nothing is known of its risk; add k-anonymity or run the attacks"
                .to_owned(),
        );
    }
    let whose = match gate.on {
        GateOn::WorstDecile => "in the worst tenth of people",
        GateOn::Mean => "on average",
    };
    // One reason an attack: the knowledge with the largest value.
    let mut worst: Vec<(&super::report::Attack, f64)> = Vec::new();
    for attack in product.attacks.iter().flatten() {
        let Some(value) = attack.gate_value.filter(|&value| value > limit) else { continue };
        match worst.iter_mut().find(|(other, _)| other.name == attack.name) {
            Some(entry) if entry.1 < value => *entry = (attack, value),
            Some(_) => {}
            None => worst.push((attack, value)),
        }
    }
    for (attack, value) in worst {
        let known = attack.known.map_or_else(String::new, |known| format!(", {known} known"));
        let (does, whose) = match attack.name {
            AttackName::Attribute => ("learns, beyond what it learns of people who are not in the release, up to", whose),
            AttackName::Membership => ("tells, beyond chance, the membership of up to", whose),
            AttackName::Linkage => ("finds another piece of the same person for up to", "of the pieces"),
            _ => ("singles out up to", whose),
        };
        reasons.push(format!(
            "the attack {}{known} {does} {:.1} % {whose}, over the limit of {:.1} %; coarsen or leave out what it used, or state why the risk is accepted (accept_risk)",
            attack.name.name(),
            value * 100.0,
            limit * 100.0
        ));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::super::report::{Attack, Estimate, Guarantee, Unit, Verified};
    use super::*;
    use crate::policy::{AttackName, Model, ProductKind};
    use crate::units::K;

    fn product(k: u64, unit: Unit, holds: bool, gate_value: Option<f64>) -> ProductReport {
        let mut product = ProductReport::new("people", ProductKind::Records);
        let model = Model::KAnonymity { k: K::new(k).unwrap() };
        #[expect(clippy::cast_precision_loss, reason = "small")]
        product.guarantees.push(Guarantee::of(&model, unit, Verified::Release).found(k as f64, holds));
        product.attacks = Some(vec![Attack { gate_value, ..Attack::new(AttackName::KnownItems) }]);
        product
    }

    #[test]
    fn a_small_k_and_a_strong_attack_are_refused() {
        let gate = Gate::default();
        assert!(decide(&gate, &[product(12, Unit::Subject, true, Some(0.09))]).verdict.passed);
        assert!(!decide(&gate, &[product(11, Unit::Subject, true, None)]).verdict.passed);
        assert!(!decide(&gate, &[product(12, Unit::Subject, true, Some(0.0901))]).verdict.passed);
        // A number per row states no risk, so it neither passes nor refuses.
        assert!(decide(&gate, &[product(3, Unit::SubjectPerRow, true, None)]).verdict.passed);
    }

    #[test]
    fn an_estimate_protects_nobody() {
        let gate = Gate::default();
        let mut estimated = ProductReport::new("people", ProductKind::Records);
        estimated.estimates.push(Estimate { model: "k-map".to_owned(), value: 1e6, low: Some(1e5), high: None });
        let verdict = decide(&gate, &[estimated.clone()]).verdict;
        assert!(!verdict.passed && verdict.reasons[0].contains("only estimate"), "{:?}", verdict.reasons);
        // However many people are estimated, there is no 1/k that would be compared with the limit: the attack decides.
        let attacked = |value| ProductReport {
            attacks: Some(vec![Attack { gate_value: Some(value), ..Attack::new(AttackName::KnownValues) }]),
            ..estimated.clone()
        };
        assert!(decide(&gate, &[attacked(0.01)]).verdict.passed);
        assert!(!decide(&gate, &[attacked(0.5)]).verdict.passed);
        assert_eq!(attacked(0.01).k(), None);
    }

    #[test]
    fn promises_of_cohorts_and_fragments_count_as_one_in_k() {
        let gate = Gate::default();
        for model in ["cohort-size", "k^m-anonymity"] {
            let with = |k: f64, holds: bool| {
                let mut product = ProductReport::new("tastes", ProductKind::Cohorts);
                product.guarantees.push(Guarantee::new(model, Unit::Subject, Verified::Release).found(k, holds));
                product
            };
            assert!(decide(&gate, &[with(12.0, true)]).verdict.passed);
            assert!(!decide(&gate, &[with(11.0, true)]).verdict.passed, "{model}");
            assert!(!decide(&gate, &[with(12.0, false)]).verdict.passed, "{model}");
            assert!(with(11.0, true).gated_risk().unwrap() > 0.09);
        }
        // How many share a cell is no 1/k: within a cohort everybody is hidden among all of it.
        let mut cells = product(12, Unit::Subject, true, None);
        cells.guarantees.push(Guarantee::new("cell-support", Unit::Subject, Verified::Release).found(3.0, true));
        assert!(decide(&gate, &[cells]).verdict.passed);
    }

    #[test]
    fn accepting_a_risk_does_not_mend_a_broken_promise() {
        let gate = Gate::default();
        let mut accepted = product(12, Unit::Subject, true, Some(0.9));
        accepted.accepted_risk = Some("contract 17".to_owned());
        let decision = decide(&gate, &[accepted.clone()]);
        assert!(decision.verdict.passed);
        assert!(decision.accepted[0].contains("contract 17"));
        accepted.guarantees[0].holds = false;
        assert!(!decide(&gate, &[accepted]).verdict.passed);
    }
}
