//! What this version does not build. It is refused by name, so that nobody relies on a protection that is not there.

use super::bind::in_list;
use super::parse::is_file_name;
use super::{AttackName, Model, Policy, Product, PseudonymMethod, PseudonymSpec, RecordsProduct, Role, Scope, Search};
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
                Product::Records(records) => check_records(&key, records)?,
                other => return Err(Error::unsupported(format!("{key}.kind"), format!("the product kind {}", other.kind().name()))),
            }
        }
        for (index, attack) in self.gate.attacks.iter().flatten().enumerate() {
            if !matches!(attack, AttackName::KnownItems | AttackName::KnownValues) {
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

fn check_pseudonym(key: &str, spec: &PseudonymSpec) -> Result<()> {
    if !matches!(spec.method, PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256) {
        return Err(Error::unsupported(format!("{key}.method"), format!("the pseudonym method {}", spec.method.name())));
    }
    if !matches!(spec.scope, Scope::Product | Scope::Release | Scope::Recipient | Scope::None) {
        return Err(Error::unsupported(format!("{key}.scope"), format!("the pseudonym scope {}", spec.scope.name())));
    }
    Ok(())
}

fn check_records(key: &str, records: &RecordsProduct) -> Result<()> {
    for (place, model) in records.models.iter().enumerate() {
        if !matches!(model, Model::KAnonymity { .. }) {
            return Err(Error::unsupported(format!("{key}.models[{place}]"), format!("the privacy model {}", model.name())));
        }
    }
    if !matches!(records.search, Search::Optimal | Search::Fixed) {
        return Err(Error::unsupported(format!("{key}.search"), format!("the search {}", records.search.name())));
    }
    Ok(())
}
