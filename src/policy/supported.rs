//! What this version does not build. It is refused by name, so that nobody relies on a protection that is not there.

use super::bind::in_list;
use super::parse::is_file_name;
use super::{AttackName, FragmentsProduct, Metric, Model, Policy, Product, PseudonymSpec, RecordsProduct, Role, Scope, Search, Support};
use crate::error::{Error, Result};
use std::collections::BTreeMap;

impl Policy {
    /// Refuses whatever this version does not build. [`Policy::validate`] calls it last.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for the first such key; [`Error::Policy`] if tokens of one column would join two products, which this version cannot gate
    /// as one table.
    pub fn check_supported(&self) -> Result<()> {
        for (key, spec) in self.pseudonyms() {
            check_pseudonym(&key, spec)?;
        }
        for (key, _, column) in self.declared() {
            if let Some(target) = &column.generalize_to
                && is_file_name(target)
                && !self.declared().any(|(_, name, _)| name == target)
            {
                return Err(Error::unsupported(format!("{key}.generalize_to"), "an item hierarchy from a file"));
            }
        }
        for (index, product) in self.products.iter().enumerate() {
            let key = format!("products[{index}]");
            match product {
                Product::Records(records) => {
                    check_split(&key, self, records)?;
                    check_records(&key, self, records)?;
                }
                Product::Cohorts(_) => {}
                Product::Fragments(fragments) => check_fragments(&key, fragments)?,
                other => return Err(Error::unsupported(format!("{key}.kind"), format!("the product kind {}", other.kind().name()))),
            }
        }
        for (index, attack) in self.gate.attacks.iter().flatten().enumerate() {
            let of_histories = |wanted: fn(&Product) -> bool| self.products.iter().any(wanted);
            let built = match attack {
                AttackName::KnownItems | AttackName::KnownValues => true,
                AttackName::Attribute | AttackName::Membership => of_histories(|product| matches!(product, Product::Cohorts(_))),
                AttackName::Linkage => of_histories(|product| matches!(product, Product::Fragments(_))),
                _ => false,
            };
            if !built {
                return Err(Error::unsupported(format!("gate.attacks[{index}]"), format!("the attack {}", attack.name())));
            }
        }
        if !self.link_products.is_empty() {
            return Err(Error::unsupported("link_products", "gating linked products as one table"));
        }
        self.check_joins()
    }

    /// Two products must not carry tokens by which they can be joined: the gate looks at each alone.
    fn check_joins(&self) -> Result<()> {
        let mut carriers: BTreeMap<&str, (String, Vec<&str>)> = BTreeMap::new();
        for product in &self.products {
            let Product::Records(records) = product else { continue };
            for released in self.expected_columns(records) {
                let Some(super::Treatment::Pseudonym(spec)) = &released.column.treatment else { continue };
                if !matches!(spec.scope, Scope::Release | Scope::Recipient) {
                    continue;
                }
                let key = if released.column.role == Role::Subject {
                    "subject.pseudonym.scope".to_owned()
                } else {
                    format!("columns.{}.treatment.pseudonym.scope", super::quoted_key(released.name))
                };
                carriers.entry(released.name).or_insert_with(|| (key, Vec::new())).1.push(&records.name);
            }
        }
        for (column, (key, products)) in carriers {
            if products.len() > 1 {
                return Err(Error::policy(
                    key,
                    format!(
                        "tokens of column {column} would be the same in several products, which could then be joined: {}",
                        in_list(products)
                    ),
                    "use scope = \"product\", leave the column out of all but one of them with `columns`, or write a policy for each (linking products is not available in this version)",
                ));
            }
        }
        Ok(())
    }
}

/// Tokens by period or session of other columns than the person's would need the same care, which this version takes for people only.
fn check_pseudonym(key: &str, spec: &PseudonymSpec) -> Result<()> {
    if spec.scope == Scope::Fragment {
        return Err(Error::unsupported(format!("{key}.scope"), "the pseudonym scope fragment"));
    }
    if key != "subject.pseudonym" && matches!(spec.scope, Scope::Period | Scope::Session) {
        let feature = format!("the pseudonym scope {} for a column other than the subject", spec.scope.name());
        return Err(Error::unsupported(format!("{key}.scope"), feature));
    }
    Ok(())
}

/// With a token for each period or session a class of tokens is no class of people.
fn check_split(key: &str, policy: &Policy, records: &RecordsProduct) -> Result<()> {
    if policy.splits_tokens(records)
        && let Some(model) = records.models.first()
    {
        return Err(Error::unsupported(
            format!("{key}.models[0]"),
            format!(
                "{} of rows whose tokens change by period or session (choose the scope \"product\" or \"none\", or fix the levels of the quasi-identifiers and remove the models)",
                model.name()
            ),
        ));
    }
    Ok(())
}

/// What fragments cannot do yet.
fn check_fragments(key: &str, fragments: &FragmentsProduct) -> Result<()> {
    if fragments.sessions.is_none() {
        return Ok(());
    }
    if fragments.support == Support::Pool {
        return Err(Error::unsupported(format!("{key}.support"), "fragments of sessions whose combinations are counted in the pool"));
    }
    if fragments.m > 2 {
        return Err(Error::unsupported(format!("{key}.m"), "fragments of sessions with m over 2"));
    }
    Ok(())
}

fn check_records(key: &str, policy: &Policy, records: &RecordsProduct) -> Result<()> {
    let mut populations = records.models.iter().enumerate().filter_map(|(place, model)| Some((place, model.population()?)));
    if let Some((_, first)) = populations.next()
        && let Some((place, _)) = populations.find(|&(_, other)| other != first)
    {
        return Err(Error::unsupported(format!("{key}.models[{place}].population"), "a second population for one product"));
    }
    if records.search.is_local() { check_local(key, policy, records) } else { Ok(()) }
}

/// What has no meaning where every class is generalized in its own way.
fn check_local(key: &str, policy: &Policy, records: &RecordsProduct) -> Result<()> {
    let search = records.search.name();
    if records.item_support.is_some() {
        return Err(Error::unsupported(format!("{key}.item_support"), format!("item support together with search = \"{search}\"")));
    }
    for (place, model) in records.models.iter().enumerate() {
        if model.population().is_some() {
            let feature = format!("{} together with search = \"{search}\"", model.name());
            return Err(Error::unsupported(format!("{key}.models[{place}]"), feature));
        }
    }
    if records.search == Search::Microaggregation && !records.models.iter().any(|model| matches!(model, Model::KAnonymity { .. })) {
        return Err(Error::policy(
            format!("{key}.models"),
            "search = \"microaggregation\" needs the size of its groups",
            "add k-anonymity, whose k is the size",
        ));
    }
    if records.search == Search::Local {
        return Ok(());
    }
    let quality = &records.quality;
    #[expect(clippy::float_cmp, reason = "the default is exact")]
    let declared =
        quality.metric != Metric::Loss || quality.gs_factor != super::Quality::default().gs_factor || !quality.weights.is_empty();
    if declared {
        return Err(Error::policy(
            format!("{key}.quality"),
            format!("search = \"{search}\" cuts by its own rule and minimizes no metric"),
            "remove metric, gs_factor and weights; the loss is reported",
        ));
    }
    let limited = |released: &super::bind::Released<'_>| released.column.role == Role::QuasiIdentifier && released.column.levels.is_some();
    if let Some(column) = policy.expected_columns(records).iter().find(|released| limited(released)) {
        return Err(Error::policy(
            format!("{key}.search"),
            format!("search = \"{search}\" has no levels, and column {} limits them", column.name),
            "remove levels from the column, or write search = \"local\"",
        ));
    }
    Ok(())
}
