//! Plain sentences, made from the fields of a report and from nothing else, so that they can never say more than it.

use super::measured::Attack;
use super::types::{Guarantee, ProductReport, ReferenceUsed, Report, Unit};
use super::wording::{counted, list, number, percent, role};
use crate::policy::{AttackName, ProductKind, Role, Scope};
use serde_json::Value;

impl Report {
    /// The same report with [`Report::statements`] and [`Report::limits`] made from its other fields.
    #[must_use]
    pub fn with_statements(mut self) -> Self {
        self.statements = statements(&self);
        self.limits = limits(&self);
        self
    }
}

fn statements(report: &Report) -> Vec<String> {
    let mut sentences = vec![gate(report)];
    for product in &report.products {
        sentences.extend(product.guarantees.iter().filter_map(|guarantee| promise(product, guarantee)));
        sentences.extend(private(product));
        sentences.extend(product.strongest_attack().map(|attack| strongest(product, attack)));
        if product.attacks.as_ref().is_some_and(|attacks| attacks.iter().all(|attack| attack.not_run.is_some())) {
            sentences.push(format!("{}: no attack was run, so nothing was measured beyond the guarantees.", product.name));
        }
    }
    sentences
}

fn gate(report: &Report) -> String {
    let limit = percent(report.gate.max_risk);
    let over = report.over_limit();
    let names = if over.is_empty() { "at least one product".to_owned() } else { list(&over) };
    match verdict(report) {
        Verdict::Passed => format!("The gate passed: no product is over the limit of {limit}."),
        Verdict::Refused => format!("The gate refused: over the limit of {limit}: {names}."),
        Verdict::Accepted => {
            format!(
                "Over the limit of {limit}: {names}. This does not stop publication, because the steward accepted the risk for the reason given."
            )
        }
    }
}

/// What the gate's verdict comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing is over the limit.
    Passed,
    /// Something is, and the steward accepted it.
    Accepted,
    /// Something is.
    Refused,
}

/// The verdict as the figures have it: a release is never said to be within the limit while a figure in it is over.
pub(super) fn verdict(report: &Report) -> Verdict {
    let over = !report.gate.passed || !report.over_limit().is_empty();
    match (over, report.accepted_risks.is_empty()) {
        (false, _) => Verdict::Passed,
        (true, false) => Verdict::Accepted,
        (true, true) => Verdict::Refused,
    }
}

/// The sentence of a guarantee; `None` if it does not hold and so promises nothing.
fn promise(product: &ProductReport, guarantee: &Guarantee) -> Option<String> {
    let name = &product.name;
    let achieved = guarantee.achieved.map(number);
    if !guarantee.holds {
        return Some(format!("{name}: {} does not hold.", named(guarantee)));
    }
    let people = || achieved.clone().unwrap_or_else(|| "the declared number of".to_owned());
    Some(match (guarantee.model.as_str(), guarantee.unit) {
        ("k-anonymity", Unit::Subject) => {
            let known: Vec<_> = product
                .columns
                .iter()
                .filter(|c| c.role == Role::QuasiIdentifier && c.became != "dropped")
                .map(|c| c.name.as_str())
                .collect();
            let known = if known.is_empty() { "the quasi-identifiers".to_owned() } else { list(&known) };
            let odds =
                guarantee.achieved.filter(|k| *k >= 1.0).map(|k| format!(", a chance of at most {}", percent(1.0 / k))).unwrap_or_default();
            format!("{name}: whoever knows {known} of a person finds at least {} people who fit{odds}.", people())
        }
        ("k-anonymity", _) => format!(
            "{name}: every class holds at least {} {}, but one person can be in several classes: this is no statement about a whole person.",
            people(),
            unit(guarantee.unit)
        ),
        ("item-support", _) => format!(
            "{name}: every item that is shown belongs to at least {} people. This alone is not k-anonymity: combinations of items can still single people out.",
            people()
        ),
        ("cohort-size", _) => format!("{name}: every cohort has at least {} people; no row is about one person.", people()),
        ("cell-support", _) => format!("{name}: every item shown for a cohort belongs to at least {} of its people.", people()),
        ("share-cap", _) => format!(
            "{name}: no row says that more than {} of a cohort have an item, however many have it.",
            guarantee.parameters.get("max_share").and_then(Value::as_f64).map_or_else(|| "the declared share".to_owned(), percent)
        ),
        ("k^m-anonymity", Unit::Subject) => combinations(name, guarantee, &people()),
        ("fragment-size", _) => {
            let most = guarantee.parameters.get("max_items").and_then(Value::as_u64).unwrap_or_default();
            format!("{name}: a fragment holds at most {} of one person.", counted(most, "item", "items"))
        }
        _ => return attributes(product, guarantee),
    })
}

/// The sentence about combinations of items in fragments.
fn combinations(name: &str, guarantee: &Guarantee, people: &str) -> String {
    let m = guarantee.parameters.get("m").and_then(Value::as_u64).unwrap_or(2);
    let any = match m {
        1 => "any item of a fragment is".to_owned(),
        2 => "any item of a fragment, and any 2 that stand together in one, are".to_owned(),
        m => format!("any item of a fragment, and any 2 to {m} that stand together in one, are"),
    };
    let odds = guarantee.achieved.filter(|k| *k >= 1.0).map(|k| percent(1.0 / k));
    if guarantee.parameters.get("support").and_then(Value::as_str) == Some("pool") {
        let average = odds
            .map(|odds| format!(": on average over the guesses of an attacker who knows nothing else, at most {odds} are right"))
            .unwrap_or_default();
        return format!(
            "{name}: {any} those of at least {people} people of the pool{average}. The file itself may show such a combination of fewer people, even of one."
        );
    }
    let chance = odds.map(|odds| format!(", a chance of at most {odds}")).unwrap_or_default();
    format!("{name}: {any} shown of at least {people} people in the file{chance}. Of more items together nothing is promised.")
}

/// The sentence of a guarantee about sensitive values, or about the table as a whole.
fn attributes(product: &ProductReport, guarantee: &Guarantee) -> Option<String> {
    let name = &product.name;
    let achieved = guarantee.achieved.map_or_else(|| "as declared".to_owned(), number);
    let column = guarantee.parameters.get("column").and_then(Value::as_str).unwrap_or("the sensitive column");
    let against = match guarantee.reference {
        Some(ReferenceUsed::Fit) => "the table before rows were suppressed",
        _ => "the released table",
    };
    let mut sentence = match guarantee.model.as_str() {
        "distinct-l-diversity" => format!("{name}: every class has at least {achieved} different values of {column}."),
        "entropy-l-diversity" => format!("{name}: {column} is as uncertain in every class as among {achieved} equally frequent values."),
        "recursive-cl-diversity" => format!(
            "{name}: in every class the most frequent value of {column} has at most {achieved} times as many people as the rarer ones from rank {} on.",
            guarantee.parameters.get("l").and_then(Value::as_u64).unwrap_or_default()
        ),
        "t-closeness" => {
            format!("{name}: the values of {column} are distributed in every class as in {against}, up to a distance of {achieved}.")
        }
        "delta-disclosure" => {
            format!(
                "{name}: no value of {column} that a class shows is more or less frequent in it than in {against} by more than {achieved} bits."
            )
        }
        "beta-likeness" => format!("{name}: no value of {column} gains more than {achieved} of its frequency in {against}."),
        "k-map" => format!(
            "{name}: every class fits at least {achieved} people of the population. It says nothing where it is known that a person is in the data."
        ),
        "delta-presence" => {
            format!("{name}: of the people of the population who fit a class, a share of at most {achieved} is in the data.")
        }
        "average-risk" => format!(
            "{name}: on average over all released people, guessing who in a class is meant succeeds in {} of cases.",
            guarantee.achieved.map_or_else(|| "the declared share".to_owned(), percent)
        ),
        "sample-uniqueness" => {
            format!(
                "{name}: {} of the released people are alone in their class.",
                guarantee.achieved.map_or_else(|| "At most the declared share".to_owned(), percent)
            )
        }
        _ => return None,
    };
    if guarantee.unit == Unit::SubjectPerRow {
        sentence.push_str(" One person can be in several classes: this is no statement about a whole person.");
    }
    Some(sentence)
}

fn private(product: &ProductReport) -> Option<String> {
    let loss = product.privacy_loss.as_ref()?;
    let delta = if loss.delta > 0.0 { format!(", {})", number(loss.delta)) } else { ", 0)".to_owned() };
    let bound = product
        .bounds
        .as_ref()
        .map(|bounds| {
            format!(" Whatever an attacker knows, the chance to name one person is at most {}.", percent(bounds.reidentification))
        })
        .unwrap_or_default();
    Some(format!("{}: differentially private for whole people, (ε, δ) = ({}{delta}.{bound}", product.name, number(loss.epsilon)))
}

fn strongest(product: &ProductReport, attack: &Attack) -> String {
    let known = attack.known.map(|known| format!(", knowing {}", counted(known, "fact", "facts"))).unwrap_or_default();
    let rate = attack.rate.map(|rate| format!(" succeeded in {} of its attempts", percent(rate))).unwrap_or_default();
    let upper = match attack.upper {
        Some(_) if attack.exact => " (everything was tried)".to_owned(),
        Some(upper) => format!(" (upper bound {})", percent(upper)),
        None => String::new(),
    };
    let without = match attack.name {
        AttackName::Attribute | AttackName::Membership => "on people who are not in the release",
        _ => "for a blind guess",
    };
    let baseline = attack.baseline.map(|baseline| format!(", against {} {without}", percent(baseline))).unwrap_or_default();
    let before = attack.original_rate.map(|rate| format!("; on the pool itself in {}", percent(rate))).unwrap_or_default();
    format!(
        "{}: the strongest attack we ran ({}{known}){rate}{upper}{baseline}{before}. A better attacker may do better.",
        product.name,
        attack.name.name()
    )
}

/// A guarantee with its parameters: "k-anonymity (k = 12)".
pub(super) fn named(guarantee: &Guarantee) -> String {
    if guarantee.parameters.is_empty() {
        return guarantee.model.clone();
    }
    format!("{} ({})", guarantee.model, parameters(guarantee))
}

/// The declared parameters: "k = 12, m = 2".
pub(super) fn parameters(guarantee: &Guarantee) -> String {
    let shown: Vec<_> = guarantee
        .parameters
        .iter()
        .map(|(name, value)| {
            let value = match value {
                Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), number),
                Value::String(value) => value.clone(),
                other => other.to_string(),
            };
            format!("{name} = {value}")
        })
        .collect();
    shown.join(", ")
}

/// A unit in words.
pub(super) fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Subject => "people",
        Unit::SubjectPerRow => "people, row by row",
        Unit::Row => "rows",
        Unit::Item => "items",
        Unit::Value => "different values",
        Unit::Ratio => "not a count",
    }
}

fn limits(report: &Report) -> Vec<String> {
    let has = |kind: ProductKind| report.products.iter().any(|product| product.kind == kind);
    let mut sentences = vec![
        "Measured attacks show what some attackers can do, not what the best one can. Only the guarantees are promises.".to_owned(),
        "People who share an account are one person here. A member of such a household may recognize what the others listened to."
            .to_owned(),
    ];
    if report.is_differentially_private() {
        sentences.push(
            "Facts that hold with or without any one person (that an artist is popular) are learned: that is the purpose of the release."
                .to_owned(),
        );
        sentences.push("Losses add up: every further release from the same pool costs more, which only its ledger counts.".to_owned());
    } else {
        sentences.push(if report.registered {
            "A public copy of the same histories can be laid over this release, and so can releases of the same pool that are not in the steward's register. Whoever has an earlier release sees what is new in this one."
                .to_owned()
        } else {
            "Other releases from the same pool, or a public copy of the same histories, can be laid over this one. What two releases show together was not measured."
                .to_owned()
        });
        sentences.push("Whoever holds the pool, or a person's full history, can recognize what is theirs.".to_owned());
    }
    if has(ProductKind::Records) {
        let unprotected: Vec<_> = report
            .products
            .iter()
            .filter(|product| product.kind == ProductKind::Records && product.k().is_none())
            .map(|product| product.name.as_str())
            .collect();
        if !unprotected.is_empty() {
            sentences.push(format!(
                "{}: no number of people is promised to look alike. What stands between a person and an attacker who knows some rows is only what the attacks measured.",
                list(&unprotected)
            ));
        }
        let bare: Vec<_> = report
            .products
            .iter()
            .filter(|product| product.k().is_some() && !protects_attributes(product))
            .map(|product| product.name.as_str())
            .collect();
        if !bare.is_empty() {
            sentences.push(format!(
                "{}: k-anonymity hides which row is whose, not what all people of a class have in common. Where a class agrees on a value, it is learned of everybody in it.",
                list(&bare)
            ));
        }
    }
    if has(ProductKind::Cohorts) {
        let compared = if report.registered { "" } else { "; two cohort releases that differ by one person can be compared" };
        sentences
            .push(format!("Cohorts: that a person who is known to be in a cohort likes what most of it likes can be inferred{compared}."));
    }
    let alone: Vec<_> = report.products.iter().map(|product| product.name.as_str()).collect();
    if alone.len() > 1 && (has(ProductKind::Cohorts) || has(ProductKind::Fragments)) {
        sentences.push(format!("{}: each was attacked alone. What they show together was not measured.", list(&alone)));
        let others: Vec<_> =
            report.products.iter().filter(|product| product.kind != ProductKind::Cohorts).map(|product| product.name.as_str()).collect();
        if has(ProductKind::Cohorts) && !others.is_empty() {
            sentences.push(format!(
                "Cohorts: where {} can be counted for how many people have an item in all, what the other cohorts show can be subtracted; what is left may tell a number that a cohort does not show, or shows as less.",
                list(&others)
            ));
        }
    }
    if has(ProductKind::Fragments) {
        sentences.push("Fragments: pieces of one history may be put together again by taste; how often that works was measured only for the attacks listed.".to_owned());
        sentences.push(
            "Fragments: whoever knows more items that stand together in one fragment than the guarantee speaks of may recognize it, and learns the other items of that fragment."
                .to_owned(),
        );
    }
    if report.pseudonyms.iter().any(|pseudonym| pseudonym.reversible) {
        sentences.push(
            "Whoever holds the key file (and the codebook, where numbers replace names) can turn tokens back into what they stand for. With regard to them the data is personal data."
                .to_owned(),
        );
    } else if report.pseudonyms.iter().any(|pseudonym| pseudonym.reproducible) {
        sentences.push("Whoever holds the key file can find a person's token. With regard to them the data is personal data.".to_owned());
    }
    if report.pseudonyms.iter().any(|pseudonym| matches!(pseudonym.scope, Scope::Period | Scope::Session)) {
        sentences.push(
            "Tokens change by period or session, so tokens are not people. Tokens of one person may still be put together by what their rows say; attacks knew what one token shows."
                .to_owned(),
        );
    }
    if report.pseudonyms.iter().any(|pseudonym| matches!(pseudonym.scope, Scope::Recipient)) {
        sentences.push("Tokens are the same in all releases to this recipient, who can join them.".to_owned());
    }
    sentences
}

fn protects_attributes(product: &ProductReport) -> bool {
    product.guarantees.iter().any(|guarantee| {
        guarantee.holds && ["diversity", "closeness", "disclosure", "likeness"].iter().any(|part| guarantee.model.contains(part))
    })
}

/// What a column was, in words.
pub(super) fn column_role(column: &super::types::ColumnReport) -> &'static str {
    role(column.role)
}

#[cfg(test)]
mod tests {
    use super::super::{Verified, sample};
    use super::*;

    #[test]
    fn a_verdict_never_hides_a_figure_over_the_limit() {
        let mut report = sample::syntactic();
        assert_eq!((verdict(&report), report.over_limit()), (Verdict::Accepted, vec!["log"]));
        report.gate.passed = true;
        assert_eq!(verdict(&report), Verdict::Accepted, "the log is over the limit, whatever the verdict says");
        assert!(gate(&report).starts_with("Over the limit of 9 %: log."));
        report.accepted_risks.clear();
        assert_eq!(verdict(&report), Verdict::Refused);
        report.products.retain(|product| product.name != "log");
        assert_eq!(verdict(&report), Verdict::Passed);
        // A class of ten: guessing succeeds once in ten times, over 9 %.
        report.products[0].guarantees[0].achieved = Some(10.0);
        assert_eq!((verdict(&report), report.over_limit()), (Verdict::Refused, vec!["people"]));
        // Attacks on a differentially private product never decide.
        let mut private = sample::differentially_private();
        private.products[0].attacks = sample::syntactic().products[2].attacks.clone();
        assert_eq!(verdict(&private), Verdict::Passed);
        private.products[0].bounds.as_mut().unwrap().reidentification = 0.2;
        assert_eq!(verdict(&private), Verdict::Refused);
    }

    #[test]
    fn item_support_is_never_called_k_anonymity() {
        let text = sample::syntactic().with_statements().statements.join("\n");
        assert!(text.contains("This alone is not k-anonymity"), "{text}");
    }

    #[test]
    fn a_count_of_rows_states_no_chance() {
        let product = &sample::syntactic().products[0];
        let whole = Guarantee::new("k-anonymity", Unit::Subject, Verified::Release).found(14.0, true);
        let rows = Guarantee::new("k-anonymity", Unit::SubjectPerRow, Verified::Release).found(14.0, true);
        assert!(promise(product, &whole).unwrap().contains("7.1 %"));
        assert!(!promise(product, &rows).unwrap().contains('%'));
        assert!(promise(product, &rows).unwrap().contains("no statement about a whole person"));
    }

    #[test]
    fn what_does_not_hold_is_said_to_fail() {
        let product = &sample::syntactic().products[0];
        let failed = Guarantee::new("k-anonymity", Unit::Subject, Verified::Release).parameter("k", 12).found(3.0, false);
        assert_eq!(promise(product, &failed).unwrap(), "people: k-anonymity (k = 12) does not hold.");
    }

    #[test]
    fn the_strongest_attack_is_the_one_the_gate_would_choose() {
        let report = sample::syntactic();
        let log = report.products.iter().find(|product| product.name == "log").unwrap();
        let largest = log.attacks.iter().flatten().filter_map(|attack| attack.gate_value).fold(0.0, f64::max);
        assert_eq!(log.strongest_attack().and_then(|attack| attack.gate_value), Some(largest));
    }

    #[test]
    fn sentences_of_the_recipient_hold_no_figure_of_the_pool() {
        let text = sample::syntactic().for_recipient().statements.join("\n");
        assert!(!text.contains("pool itself"), "{text}");
        assert!(sample::syntactic().with_statements().statements.join("\n").contains("pool itself"));
    }
}
