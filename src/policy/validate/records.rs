//! The `records` product.

use super::hierarchy::check_level;
use super::products::{at_least, check_reason};
use crate::error::{Error, Result};
use crate::policy::bind::{Released, in_list};
use crate::policy::{Distance, Model, Order, Otherwise, Policy, RecordsProduct, Role, Search};

/// Names of the estimators of population uniqueness.
const ESTIMATORS: [&str; 4] = ["zayatz", "pitman", "snb", "dankar"];

pub(super) fn check(policy: &Policy, index: usize, product: &RecordsProduct) -> Result<()> {
    let key = format!("products[{index}]");
    check_list(policy, &key, product)?;
    check_models(&key, product)?;
    check_search(&key, product)?;
    check_quality(&key, product)?;
    if let Some(support) = &product.item_support {
        at_least(&format!("{key}.item_support.min_subjects"), support.min_subjects, 2)?;
    }
    if let Some(events) = product.max_events_per_subject {
        let key = format!("{key}.max_events_per_subject");
        at_least(&key, events, 1)?;
        if policy.subject.is_none() {
            return Err(Error::policy(
                key,
                "no column names the person, so every row counts as a different one",
                "add [subject], or remove the limit",
            ));
        }
    }
    check_reason(&key, product.accept_risk.as_deref())?;
    check_columns(policy, index, product, &policy.expected_columns(product))
}

fn check_list(policy: &Policy, key: &str, product: &RecordsProduct) -> Result<()> {
    let Some(listed) = &product.columns else { return Ok(()) };
    if listed.is_empty() {
        return Err(Error::policy(
            format!("{key}.columns"),
            "the list is empty",
            "name columns, or leave the key out to release all that are not dropped",
        ));
    }
    for (place, name) in listed.iter().enumerate() {
        let key = format!("{key}.columns[{place}]");
        let Some(column) = policy.declaration(product.source, name) else {
            return Err(Error::policy(
                key,
                format!("column {name} is not declared for the {} table", product.source),
                format!("declare it under [columns.{}], or remove it from the list", crate::policy::quoted_key(name)),
            ));
        };
        if column.is_dropped() {
            let remedy = if column.role == Role::Identifier {
                "remove it from the list, or give it treatment = { pseudonym = { } }"
            } else {
                "remove it from the list, or change what is declared about it"
            };
            return Err(Error::policy(key, format!("column {name} is dropped"), remedy));
        }
        if listed.iter().take(place).any(|other| other == name) {
            return Err(Error::policy(key, format!("column {name} is listed twice"), "list each column once"));
        }
    }
    Ok(())
}

fn check_models(key: &str, product: &RecordsProduct) -> Result<()> {
    for (place, model) in product.models.iter().enumerate() {
        let key = format!("{key}.models[{place}]");
        if product.models.iter().take(place).any(|other| other.name() == model.name() && other.column() == model.column()) {
            return Err(Error::policy(key, format!("{} is asked for twice", model.name()), "keep the stricter of the two"));
        }
        let within = |name: &str, value: f64, good: bool, domain: &str| {
            if good {
                Ok(())
            } else {
                Err(Error::policy(format!("{key}.{name}"), format!("{value} is out of range"), format!("give {domain}")))
            }
        };
        let share = |name: &str, value: f64| within(name, value, (0.0..=1.0).contains(&value), "a number from 0 to 1");
        let positive = |name: &str, value: f64| within(name, value, value.is_finite() && value > 0.0, "a positive number");
        match model {
            Model::KAnonymity { .. } => {}
            Model::KMap { .. } => check_k_map(&key, model)?,
            Model::DistinctLDiversity { l, .. } => at_least(&format!("{key}.l"), *l, 1)?,
            Model::EntropyLDiversity { l, .. } => within("l", *l, l.is_finite() && *l >= 1.0, "a number from 1 on")?,
            Model::RecursiveClDiversity { c, l, .. } => {
                positive("c", *c)?;
                at_least(&format!("{key}.l"), *l, 1)?;
            }
            Model::TCloseness { t, .. } => share("t", *t)?,
            Model::DeltaDisclosure { d, .. } => positive("d", *d)?,
            Model::BetaLikeness { beta, .. } => positive("beta", *beta)?,
            Model::DeltaPresence { min, max, .. } => {
                share("min", *min)?;
                share("max", *max)?;
                within("max", *max, min <= max, "a number that is not below min")?;
            }
            Model::AverageRisk { threshold } | Model::SampleUniqueness { threshold } => share("threshold", *threshold)?,
            Model::PopulationUniqueness { threshold, population_size, model } => {
                share("threshold", *threshold)?;
                at_least(&format!("{key}.population_size"), *population_size, 1)?;
                if let Some(name) = model
                    && !ESTIMATORS.contains(&name.as_str())
                {
                    return Err(Error::policy(
                        format!("{key}.model"),
                        "there is no such estimator of population uniqueness",
                        format!("write one of {}", ESTIMATORS.join(", ")),
                    ));
                }
            }
        }
    }
    Ok(())
}

/// People of a population are counted in a file, or estimated from its size.
fn check_k_map(key: &str, model: &Model) -> Result<()> {
    let Model::KMap { population, population_size, estimator, significance, .. } = model else { return Ok(()) };
    let wrong = |name: &str, problem: &str, remedy: &str| Err(Error::policy(format!("{key}.{name}"), problem, remedy));
    match (population, population_size) {
        (None, None) => wrong(
            "population",
            "the key is missing: k-map counts people of a population",
            "name the file with the population that the data was drawn from, give population_size for an estimate, or ask for k-anonymity",
        ),
        (Some(_), Some(_)) => wrong(
            "population_size",
            "is given beside population",
            "keep population to count the people of the file, or population_size to estimate",
        ),
        (Some(_), None) if estimator.is_some() => wrong("estimator", "estimates nothing: the population is given", "remove it"),
        (Some(_), None) if significance.is_some() => wrong("significance", "tests nothing: the population is given", "remove it"),
        (Some(_), None) => Ok(()),
        (None, Some(size)) => {
            at_least(&format!("{key}.population_size"), *size, 1)?;
            match significance {
                Some(value) if !(*value > 0.0 && *value < 1.0) => {
                    wrong("significance", &format!("{value} is out of range"), "give a number between 0 and 1, for example 0.05")
                }
                _ => Ok(()),
            }
        }
    }
}

fn check_search(key: &str, product: &RecordsProduct) -> Result<()> {
    let fixed = product.search == Search::Fixed;
    if fixed && product.levels.is_empty() {
        return Err(Error::policy(
            format!("{key}.levels"),
            "search = \"fixed\" needs the levels",
            "give levels = { column = level, … } for the quasi-identifiers, or another search",
        ));
    }
    if !fixed && !product.levels.is_empty() {
        return Err(Error::policy(
            format!("{key}.levels"),
            format!("search = \"{}\" finds the levels itself", product.search.name()),
            "write search = \"fixed\", or remove levels (limits of the search belong to the column: levels = { min = …, max = … })",
        ));
    }
    if let Some(seconds) = product.time_limit {
        let key = format!("{key}.time_limit");
        if product.search != Search::Heuristic {
            return Err(Error::policy(
                key,
                format!("search = \"{}\" has no time limit", product.search.name()),
                "write search = \"heuristic\", or remove it",
            ));
        }
        if !(seconds.is_finite() && seconds > 0.0) {
            return Err(Error::policy(key, "the limit must be a positive number of seconds", "correct it"));
        }
    }
    Ok(())
}

fn check_quality(key: &str, product: &RecordsProduct) -> Result<()> {
    let factor = product.quality.gs_factor;
    if !(0.0..=1.0).contains(&factor) {
        return Err(Error::policy(format!("{key}.quality.gs_factor"), format!("{factor} is out of range"), "give a number from 0 to 1"));
    }
    let metric = product.quality.metric;
    #[expect(clippy::float_cmp, reason = "the default is exact")]
    if !metric.has_gs_factor() && factor != crate::policy::Quality::default().gs_factor {
        return Err(Error::policy(
            format!("{key}.quality.gs_factor"),
            format!("the metric {} does not weigh generalization against suppression", metric.name()),
            "remove it, or use for example loss",
        ));
    }
    if !metric.has_columns() && !product.quality.weights.is_empty() {
        return Err(Error::policy(
            format!("{key}.quality.weights"),
            format!("the metric {} has no values of columns to weigh", metric.name()),
            "remove them, or use for example loss",
        ));
    }
    for (name, weight) in &product.quality.weights {
        if !(weight.is_finite() && *weight >= 0.0) {
            return Err(Error::policy(
                format!("{key}.quality.weights.{}", crate::policy::quoted_key(name)),
                format!("the weight {weight} is out of range"),
                "give a finite number that is not negative; 1 is the default",
            ));
        }
    }
    Ok(())
}

/// The rules that depend on which columns are released. `released` is what the policy alone can tell, or what was found in the data.
pub(in crate::policy) fn check_columns(policy: &Policy, index: usize, product: &RecordsProduct, released: &[Released<'_>]) -> Result<()> {
    let key = format!("products[{index}]");
    check_quasi_identifiers(&key, product, released)?;
    check_sensitive(&key, product, released)?;
    check_item_support(policy, &key, product, released)?;
    check_order(policy, &key, product, released)
}

fn find<'a>(released: &'a [Released<'a>], role: Role, name: &str) -> Option<&'a Released<'a>> {
    released.iter().find(|column| column.name == name && column.column.role == role)
}

fn check_quasi_identifiers(key: &str, product: &RecordsProduct, released: &[Released<'_>]) -> Result<()> {
    let quasi_identifiers: Vec<&Released<'_>> = released.iter().filter(|column| column.column.role == Role::QuasiIdentifier).collect();
    for (place, names) in
        [("levels", product.levels.keys().collect::<Vec<_>>()), ("quality.weights", product.quality.weights.keys().collect())]
    {
        for name in names {
            if find(released, Role::QuasiIdentifier, name).is_none() {
                return Err(Error::policy(
                    format!("{key}.{place}.{}", crate::policy::quoted_key(name)),
                    format!("{name} is not a quasi-identifier of product {}", product.name),
                    if quasi_identifiers.is_empty() {
                        "the product has none; remove it".to_owned()
                    } else {
                        format!("name one of {}", in_list(quasi_identifiers.iter().map(|column| column.name)))
                    },
                ));
            }
        }
    }
    for (name, level) in &product.levels {
        let Some(found) = find(released, Role::QuasiIdentifier, name) else { continue };
        let key = format!("{key}.levels.{}", crate::policy::quoted_key(name));
        check_level(&key, &found.column, *level)?;
        let limits = found.column.levels.unwrap_or_default();
        if limits.min.is_some_and(|min| *level < min) || limits.max.is_some_and(|max| *level > max) {
            return Err(Error::policy(
                key,
                format!("level {level} is outside the limits of column {name}"),
                "change the level or columns.….levels",
            ));
        }
    }
    let open: Vec<&str> = quasi_identifiers
        .iter()
        .filter(|column| column.certain && column.column.only_level().is_none() && !product.levels.contains_key(column.name))
        .map(|column| column.name)
        .collect();
    if product.search == Search::Fixed && !open.is_empty() {
        return Err(Error::policy(
            format!("{key}.levels"),
            format!("quasi-identifiers without a level: {}", in_list(open)),
            "give each a level, fix it with levels.min = levels.max, or leave the column out",
        ));
    }
    if product.models.is_empty() && !open.is_empty() {
        return Err(Error::policy(
            format!("{key}.models"),
            format!("without a model nothing decides how far these quasi-identifiers are generalized: {}", in_list(open)),
            "add a model such as { name = \"k-anonymity\", k = 12 }, fix their levels, or leave them out with `columns`",
        ));
    }
    if quasi_identifiers.is_empty()
        && let Some(model) = product.models.first()
    {
        return Err(Error::policy(
            format!("{key}.models[0]"),
            format!("{} speaks of quasi-identifiers, and product {} has none", model.name(), product.name),
            "give role = \"quasi-identifier\" to the columns that others may know, or remove the model",
        ));
    }
    Ok(())
}

fn check_sensitive(key: &str, product: &RecordsProduct, released: &[Released<'_>]) -> Result<()> {
    for (place, model) in product.models.iter().enumerate() {
        let Some(name) = model.column() else { continue };
        if find(released, Role::Sensitive, name).is_none() {
            let problem = match released.iter().find(|column| column.name == name) {
                Some(other) => format!("{} needs a sensitive column, and {name} has the role {}", model.name(), other.column.role),
                None => format!("{} needs a sensitive column, and product {} has no column {name}", model.name(), product.name),
            };
            return Err(Error::policy(
                format!("{key}.models[{place}].column"),
                problem,
                "name a column of role \"sensitive\" that the product releases",
            ));
        }
        let has_hierarchy = released.iter().any(|column| column.name == name && column.column.hierarchy.is_some());
        if matches!(model, Model::TCloseness { distance: Distance::Hierarchical, .. }) && !has_hierarchy {
            return Err(Error::policy(
                format!("{key}.models[{place}].distance"),
                format!("{name} has no hierarchy"),
                "give the column a hierarchy, or write distance = \"equal\"",
            ));
        }
    }
    Ok(())
}

fn check_item_support(policy: &Policy, key: &str, product: &RecordsProduct, released: &[Released<'_>]) -> Result<()> {
    let Some(support) = &product.item_support else { return Ok(()) };
    let key = format!("{key}.item_support");
    let items: Vec<&Released<'_>> = released.iter().filter(|column| column.column.role == Role::Item).collect();
    if items.is_empty() {
        return Err(Error::policy(
            key,
            format!("product {} has no item", product.name),
            "release a column of role \"item\", or remove item_support",
        ));
    }
    if let Some(item) = &support.item {
        if !items.iter().any(|column| column.name == item) {
            return Err(Error::policy(
                format!("{key}.item"),
                format!("{item} is not an item of product {}", product.name),
                format!("name one of {}", in_list(items.iter().map(|column| column.name))),
            ));
        }
        return Ok(());
    }
    let certain: Vec<&str> = items.iter().filter(|column| column.certain).map(|column| column.name).collect();
    if certain.len() > 1 && policy.finest_item(product.source, &certain).is_none() {
        return Err(Error::policy(
            format!("{key}.item"),
            format!("several columns are items and do not form one hierarchy: {}", in_list(certain)),
            "say which one with item = \"…\", or connect them with generalize_to",
        ));
    }
    Ok(())
}

fn check_order(policy: &Policy, key: &str, product: &RecordsProduct, released: &[Released<'_>]) -> Result<()> {
    if product.order != Order::SubjectTime {
        return Ok(());
    }
    let key = format!("{key}.order");
    if !policy.keeps_subject(product) {
        return Err(Error::policy(
            key,
            "rows can only be ordered by person where a token of the person is released",
            "add the subject column to the product (with a scope other than \"none\"), or write order = \"shuffled\"",
        ));
    }
    let times: Vec<&Released<'_>> = released.iter().filter(|column| column.column.role == Role::Time).collect();
    if times.is_empty() {
        return Err(Error::policy(key, "the product has no time", "release a column of role \"time\", or write order = \"shuffled\""));
    }
    let certain: Vec<&str> = times.iter().filter(|column| column.certain).map(|column| column.name).collect();
    if certain.len() > 1 {
        return Err(Error::policy(
            key,
            format!("the product has several times: {}", in_list(certain)),
            "release one of them, or write order = \"shuffled\"",
        ));
    }
    Ok(())
}

/// With the data at hand: the coarser levels to which item support generalizes must be in it.
pub(in crate::policy) fn check_generalization(
    policy: &Policy,
    index: usize,
    product: &RecordsProduct,
    released: &[Released<'_>],
    available: &[&str],
) -> Result<()> {
    if !product.item_support.as_ref().is_some_and(|support| support.otherwise == Otherwise::Generalize) {
        return Ok(());
    }
    let names: Vec<&str> = released.iter().map(|column| column.name).collect();
    let Some(item) = policy.supported_item(product, &names) else { return Ok(()) };
    for level in policy.item_chain(product.source, &item) {
        if !available.contains(&level.as_str()) {
            return Err(Error::policy(
                format!("products[{index}].item_support.otherwise"),
                format!("{item} generalizes to {level}, which is not in the {} table", product.source),
                "add the column, correct generalize_to, or write otherwise = \"suppress\"",
            ));
        }
    }
    Ok(())
}
