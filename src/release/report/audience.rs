//! Who may read what.
//!
//! One table says for every field of the report who receives it. A field that is not in the table is not handed over.

use super::measured::{Attack, ClassSizes, UnicityPoint};
use super::types::{GateVerdict, Guarantee, ProductReport, Pseudonym, Report, SearchReport, Verified};
use serde_json::Value;

/// Readers of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// Who holds the pool: sees everything.
    Steward,
    /// Who receives the release.
    Recipient,
}

/// Who receives a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    /// Steward and recipient.
    Everyone,
    /// The recipient of a syntactic product; of a differentially private one only the steward.
    Syntactic,
    /// The steward only.
    Steward,
}

use Rule::{Everyone, Steward, Syntactic};

/// Every field of the report that is not part of a field named here, and who receives it. A path names a field and all below it that have no line of their own.
///
/// The recipient's folder holds nothing measured on the raw pool except what a syntactic product itself shows and its gate's verdict.
/// The evidence of the verdict (rates and baselines of the attacks on the *product*) is part of it; the same attacks on the *pool* are not.
/// Counts of suppressed rows describe the product: without them its figures of quality cannot be read.
const FIELDS: &[(&str, Rule)] = &[
    ("accepted_risks", Everyone),
    ("schema", Everyone),
    ("name", Everyone),
    ("purpose", Everyone),
    ("recipient", Everyone),
    ("created", Everyone),
    ("version", Everyone),
    ("reproducible", Everyone),
    ("registered", Everyone),
    ("statements", Everyone), // made again from what is left
    ("limits", Everyone),     // made again from what is left
    ("inputs", Steward),
    ("input_commitment", Everyone),
    ("excluded", Steward),
    ("pseudonyms", Everyone),
    ("pseudonyms.distinct", Syntactic),
    ("pseudonyms.collision_probability", Syntactic),
    ("pseudonyms.input_space_bits", Steward),
    ("pseudonyms.warning", Steward),
    ("pseudonyms.key_id", Steward),
    ("products", Everyone),
    ("products.subjects", Syntactic),
    ("products.columns", Syntactic),
    ("products.guarantees", Everyone), // values counted in the pool are replaced by their declared bound
    ("products.estimates", Syntactic),
    ("products.transformation", Syntactic),
    ("products.quality", Syntactic),
    ("products.search", Syntactic),
    ("products.search.seconds", Steward),
    ("products.attacks", Syntactic),
    ("products.attacks.original_rate", Steward),
    ("products.class_sizes", Syntactic),
    ("products.class_sizes.before", Steward),
    ("products.population_risk", Steward),
    ("products.unicity", Syntactic),
    ("products.unicity.before", Steward),
    ("products.losses", Steward),
    ("products.utility", Syntactic),
    ("products.control_people", Steward),
    ("products.notes", Syntactic),
    ("products.steward_notes", Steward),
    ("privacy_loss", Everyone),
    ("gate", Everyone),
    ("refusals", Syntactic),
    ("seconds", Steward),
];

/// What a recipient sees of a product (or of a release) of one class.
#[derive(Debug, Clone, Copy)]
struct View {
    differentially_private: bool,
}

impl View {
    fn shows(self, path: &str) -> bool {
        match FIELDS.iter().find(|(field, _)| *field == path) {
            Some((_, Everyone)) => true,
            Some((_, Syntactic)) => !self.differentially_private,
            Some((_, Steward)) | None => false,
        }
    }

    fn option<T: Clone>(self, path: &str, value: Option<&T>) -> Option<T> {
        value.filter(|_| self.shows(path)).cloned()
    }

    fn list<T: Clone>(self, path: &str, values: &[T]) -> Vec<T> {
        if self.shows(path) { values.to_vec() } else { Vec::new() }
    }
}

impl Report {
    /// The report that is handed over: without what only the steward may know, and for differentially private products without everything
    /// that is not a declared parameter, a figure of the ledger or a function of the product.
    ///
    /// # Guarantee
    /// Every structure is taken apart field by field, so a new field does not compile before it was decided here; a field that the table of
    /// audiences does not name is withheld. Sentences are made again from what is left.
    #[must_use]
    pub fn for_recipient(&self) -> Self {
        let view = View { differentially_private: self.is_differentially_private() };
        let Self {
            accepted_risks,
            schema,
            name,
            purpose,
            recipient,
            created,
            version,
            reproducible,
            registered,
            statements: _,
            limits: _,
            inputs,
            input_commitment,
            excluded,
            pseudonyms,
            products,
            privacy_loss,
            gate,
            refusals,
            seconds,
        } = self;
        let GateVerdict { max_risk, on, confidence, passed, reasons } = gate;
        Self {
            accepted_risks: accepted_risks.clone(),
            schema: *schema,
            name: name.clone(),
            purpose: purpose.clone(),
            recipient: recipient.clone(),
            created: created.clone(),
            version: version.clone(),
            reproducible: *reproducible,
            registered: *registered,
            statements: Vec::new(),
            limits: Vec::new(),
            inputs: view.option("inputs", inputs.as_ref()),
            input_commitment: input_commitment.clone(),
            excluded: view.option("excluded", excluded.as_ref()),
            pseudonyms: pseudonyms.iter().map(|pseudonym| view.pseudonym(pseudonym)).collect(),
            products: products
                .iter()
                .map(|product| View { differentially_private: product.kind.is_differentially_private() }.product(product))
                .collect(),
            privacy_loss: view.option("privacy_loss", privacy_loss.as_ref()),
            gate: GateVerdict { max_risk: *max_risk, on: *on, confidence: *confidence, passed: *passed, reasons: reasons.clone() },
            refusals: view.option("refusals", refusals.as_ref()),
            seconds: view.option("seconds", seconds.as_ref()),
        }
        .with_statements()
    }
}

impl View {
    fn pseudonym(self, pseudonym: &Pseudonym) -> Pseudonym {
        let Pseudonym {
            column,
            product,
            method,
            scope,
            format,
            period,
            session_gap,
            reversible,
            reproducible,
            irreversible,
            distinct,
            collision_probability,
            input_space_bits,
            warning,
            key_id,
        } = pseudonym;
        Pseudonym {
            column: column.clone(),
            product: product.clone(),
            method: *method,
            scope: *scope,
            format: *format,
            period: *period,
            session_gap: *session_gap,
            reversible: *reversible,
            reproducible: *reproducible,
            irreversible: *irreversible,
            distinct: self.option("pseudonyms.distinct", distinct.as_ref()),
            collision_probability: self.option("pseudonyms.collision_probability", collision_probability.as_ref()),
            input_space_bits: self.option("pseudonyms.input_space_bits", input_space_bits.as_ref()),
            warning: self.option("pseudonyms.warning", warning.as_ref()),
            key_id: self.option("pseudonyms.key_id", key_id.as_ref()),
        }
    }

    fn product(self, product: &ProductReport) -> ProductReport {
        let ProductReport {
            name,
            kind,
            accepted_risk,
            file,
            sha256,
            rows,
            subjects,
            columns,
            guarantees,
            estimates,
            transformation,
            quality,
            search,
            privacy_loss,
            bounds,
            attacks,
            class_sizes,
            population_risk,
            unicity,
            losses,
            utility,
            control_people,
            notes,
            steward_notes,
        } = product;
        ProductReport {
            name: name.clone(),
            kind: *kind,
            accepted_risk: accepted_risk.clone(),
            file: file.clone(),
            sha256: sha256.clone(),
            rows: *rows,
            subjects: self.option("products.subjects", subjects.as_ref()),
            columns: self.list("products.columns", columns),
            guarantees: guarantees.iter().filter_map(|guarantee| self.guarantee(guarantee)).collect(),
            estimates: self.list("products.estimates", estimates),
            transformation: self.option("products.transformation", transformation.as_ref()),
            quality: self.option("products.quality", quality.as_ref()),
            search: self.option("products.search", search.as_ref()).map(|search| self.search(&search)),
            privacy_loss: privacy_loss.clone(),
            bounds: bounds.clone(),
            attacks: self
                .option("products.attacks", attacks.as_ref())
                .map(|attacks| attacks.iter().map(|attack| self.attack(attack)).collect()),
            class_sizes: self.option("products.class_sizes", class_sizes.as_ref()).map(|ClassSizes { before, after }| ClassSizes {
                before: self.option("products.class_sizes.before", before.as_ref()),
                after,
            }),
            population_risk: self.option("products.population_risk", population_risk.as_ref()),
            unicity: self
                .list("products.unicity", unicity)
                .into_iter()
                .map(|UnicityPoint { known, before, after, after_upper }| UnicityPoint {
                    known,
                    before: self.option("products.unicity.before", before.as_ref()),
                    after,
                    after_upper,
                })
                .filter(|point| point.before.is_some() || point.after.is_some())
                .collect(),
            losses: self.option("products.losses", losses.as_ref()),
            utility: self.option("products.utility", utility.as_ref()),
            control_people: self.option("products.control_people", control_people.as_ref()),
            notes: self.list("products.notes", notes),
            steward_notes: self.list("products.steward_notes", steward_notes),
        }
    }

    /// A value that was counted in the pool is not shown by the product: the recipient reads the declared bound in its place, or, of a
    /// differentially private product, nothing.
    fn guarantee(self, guarantee: &Guarantee) -> Option<Guarantee> {
        let Guarantee { model, parameters, unit, achieved, stated_as_bound, holds, verified, reference } = guarantee;
        let pool = *verified == Verified::ReleaseAndPool;
        if pool && self.differentially_private {
            return None;
        }
        let bound = declared_bound(guarantee).filter(|_| *holds);
        Some(Guarantee {
            model: model.clone(),
            parameters: parameters.clone(),
            unit: *unit,
            achieved: if pool { bound } else { *achieved },
            stated_as_bound: *stated_as_bound || (pool && bound.is_some()),
            holds: *holds,
            verified: *verified,
            reference: *reference,
        })
    }

    fn search(self, search: &SearchReport) -> SearchReport {
        let SearchReport { nodes, checked, optimal, seconds } = search;
        SearchReport {
            nodes: *nodes,
            checked: *checked,
            optimal: *optimal,
            seconds: self.option("products.search.seconds", seconds.as_ref()),
        }
    }

    fn attack(self, attack: &Attack) -> Attack {
        let Attack {
            name,
            not_run,
            knowledge,
            known,
            column,
            columns,
            people,
            trials,
            successes,
            rate,
            upper,
            exact,
            baseline,
            excess,
            excess_upper,
            original_rate,
            deciles,
            gate_value,
            match_sets,
            combinations,
            combinations_possible,
        } = attack;
        Attack {
            name: *name,
            not_run: not_run.clone(),
            knowledge: knowledge.clone(),
            known: *known,
            column: column.clone(),
            columns: columns.clone(),
            people: *people,
            trials: *trials,
            successes: *successes,
            rate: *rate,
            upper: *upper,
            exact: *exact,
            baseline: *baseline,
            excess: *excess,
            excess_upper: *excess_upper,
            original_rate: self.option("products.attacks.original_rate", original_rate.as_ref()),
            deciles: deciles.clone(),
            gate_value: *gate_value,
            match_sets: *match_sets,
            combinations: combinations.clone(),
            combinations_possible: *combinations_possible,
        }
    }
}

/// The declared parameter that `achieved` is compared with.
fn declared_bound(guarantee: &Guarantee) -> Option<f64> {
    let of_model: &[&str] = match guarantee.model.as_str() {
        "recursive-cl-diversity" => &["c"],
        "delta-presence" => &["max"],
        _ => &["k", "min_subjects", "min_members", "l", "t", "max_items", "max_share", "d", "beta", "threshold"],
    };
    of_model.iter().find_map(|name| guarantee.parameters.get(*name)).and_then(Value::as_f64)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::policy::ProductKind;
    use std::collections::BTreeSet;

    /// Paths of all fields, without indices of lists.
    fn paths(value: &Value, prefix: &str, into: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields.iter().filter(|(_, value)| value.as_array().is_none_or(|list| !list.is_empty())) {
                    let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
                    into.insert(path.clone());
                    paths(value, &path, into);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| paths(value, prefix, into)),
            _ => {}
        }
    }

    fn paths_of(report: &Report) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        paths(&serde_json::to_value(report).unwrap(), "", &mut found);
        found
    }

    /// The rule of a path: that of the longest listed prefix of it.
    fn rule(path: &str) -> Option<Rule> {
        let covers = |field: &str| path == field || path.strip_prefix(field).is_some_and(|rest| rest.starts_with('.'));
        FIELDS.iter().filter(|(field, _)| covers(field)).max_by_key(|(field, _)| field.len()).map(|(_, rule)| *rule)
    }

    #[test]
    fn the_table_names_real_fields_once_and_covers_all() {
        let mut all = paths_of(&sample::syntactic());
        all.extend(paths_of(&sample::differentially_private()));
        let listed: BTreeSet<_> = FIELDS.iter().map(|(field, _)| (*field).to_owned()).collect();
        assert_eq!(listed.len(), FIELDS.len(), "a field is listed twice");
        for field in &listed {
            assert!(all.contains(field), "{field} is in the table but not in the sample report");
        }
        for path in &all {
            assert!(rule(path).is_some(), "{path} has no rule");
        }
    }

    #[test]
    fn the_recipient_receives_exactly_what_the_table_says() {
        for (report, differentially_private) in [(sample::syntactic(), false), (sample::differentially_private(), true)] {
            let kept = paths_of(&report.for_recipient());
            for path in paths_of(&report) {
                let expected = match rule(&path) {
                    Some(Everyone) => true,
                    Some(Syntactic) => !differentially_private,
                    Some(Steward) | None => false,
                };
                // Two marks that only the recipient's report carries or only the steward's values have.
                if path.ends_with("stated_as_bound") {
                    continue;
                }
                assert_eq!(kept.contains(&path), expected, "{path} (differentially private: {differentially_private})");
            }
        }
    }

    #[test]
    fn no_steward_key_survives_serialization() {
        let text = serde_json::to_string(&sample::syntactic().for_recipient()).unwrap();
        for key in ["inputs", "excluded", "seconds", "original_rate", "before", "control_people", "steward_notes", "key_id", "incognito"] {
            assert!(!text.contains(&format!("\"{key}\"")), "{key}");
        }
        assert!(!text.contains("/pool/") && !text.contains("0.891") && !text.contains("89 %"), "a raw figure or path is in the report");
        let text = serde_json::to_string(&sample::differentially_private().for_recipient()).unwrap();
        for key in ["transformation", "quality", "search", "attacks", "utility", "refusals", "class_sizes", "unicity"] {
            assert!(!text.contains(&format!("\"{key}\"")), "{key}");
        }
        assert!(!text.contains("\"subjects\":"), "the number of people is private");
        assert!(text.contains("\"estimates\":[]"), "an estimate is measured on the pool");
        for key in ["epsilon", "bounds", "ledger", "rows", "sha256", "tpr_at_fpr_0.001"] {
            assert!(text.contains(&format!("\"{key}\"")), "{key}");
        }
    }

    #[test]
    fn values_counted_in_the_pool_become_their_declared_bound() {
        let mut report = sample::syntactic();
        let product = &mut report.products[0];
        let counted =
            Guarantee::new("k^m-anonymity", super::super::Unit::Subject, Verified::ReleaseAndPool).parameter("k", 12).parameter("m", 2);
        product.guarantees = vec![counted.clone().found(17.0, true), counted.clone().found(9.0, false), counted.found(17.0, true)];
        product.guarantees[2].parameters.clear();
        let kept = report.for_recipient().products.remove(0).guarantees;
        assert_eq!((kept[0].achieved, kept[0].stated_as_bound), (Some(12.0), true));
        assert_eq!((kept[1].achieved, kept[1].stated_as_bound), (None, false), "a bound that does not hold is not stated");
        assert_eq!((kept[2].achieved, kept[2].stated_as_bound), (None, false), "there is no bound to state");

        let mut private = sample::differentially_private();
        private.products[0]
            .guarantees
            .push(Guarantee::new("item-support", super::super::Unit::Subject, Verified::ReleaseAndPool).found(31.0, true));
        assert!(private.for_recipient().products[0].guarantees.iter().all(|g| g.verified != Verified::ReleaseAndPool));
    }

    #[test]
    fn the_recipients_report_is_a_fixed_point() {
        for report in [sample::syntactic(), sample::differentially_private()] {
            let once = report.for_recipient();
            assert_eq!(once.for_recipient(), once);
        }
    }

    #[test]
    fn unknown_paths_are_withheld() {
        let view = View { differentially_private: false };
        assert!(!view.shows("products.new_field") && view.shows("products.columns"));
        assert!(!View { differentially_private: true }.shows("products.columns"));
        assert!(ProductKind::Histogram.is_differentially_private());
    }
}
