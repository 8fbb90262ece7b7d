//! Cohorts of earlier releases, which are released again as they were.

use super::HistoryWorkshop;
use super::matrix::Histories;
use crate::error::{Error, Result};
use crate::history::cohorts::{Cohorts, FrozenCohort};
use crate::history::releases::{PersonTag, person_tags};
use crate::io::table::NULL_CODE;
use crate::matrix::SubjectItems;
use crate::policy::{Canonical, CohortsProduct, HistoryColumns, Table};
use arrow::array::{Array, ArrayRef, AsArray, StringArray};
use arrow::compute::{CastOptions, cast, cast_with_options, concat};
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The lineage of cohorts.
pub(in crate::release) const COHORTS: &str = "cohorts";

/// What a product enters into the register.
#[derive(Debug)]
pub(in crate::release) struct Entry {
    pub(in crate::release) lineage: &'static str,
    /// Everybody who is in the product.
    pub(in crate::release) people: Vec<PersonTag>,
    /// For each of them the group: an earlier one, or as error the place of a new one in `contents`.
    pub(in crate::release) groups: Vec<std::result::Result<u32, usize>>,
    /// What the new groups show.
    pub(in crate::release) contents: Vec<Vec<u8>>,
    /// What became of the people of earlier releases, for the steward.
    pub(in crate::release) account: String,
}

/// What cohorts were made with, as far as it decides what they show and promise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Conditions {
    k: u64,
    min_members: u64,
    /// The bits of the number: text would round it.
    max_share: u64,
    max_items_per_subject: Option<u64>,
    item: String,
    same_items: String,
    attributes: Vec<String>,
}

/// What a cohort showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    conditions: Conditions,
    /// Items as text, and the members shown for each.
    cells: Vec<(String, u32)>,
    /// For every attribute the value as text, and the members shown.
    attributes: Vec<Option<(String, u32)>>,
}

/// What the register asks of a product of cohorts.
#[derive(Debug)]
pub(super) struct Earlier {
    conditions: Conditions,
    tags: Vec<PersonTag>,
    /// The earlier cohorts, by number.
    numbers: Vec<u32>,
    members: Vec<Vec<u32>>,
    contents: Vec<Content>,
    /// The people who may form new cohorts; nobody else has items in it.
    pub(super) newcomers: SubjectItems,
    pub(super) newcomer_count: u64,
    waiting: u64,
    dropped: usize,
}

impl HistoryWorkshop<'_> {
    /// What the register, if the run has one, asks of a product.
    pub(super) fn earlier(&self, product: &CohortsProduct, columns: &HistoryColumns, histories: &Histories) -> Result<Option<Earlier>> {
        let Some(sequence) = self.sequence else { return Ok(None) };
        let register = sequence.register();
        let events = self.pool.table(Table::Events)?;
        let subject = events.subject.ok_or_else(|| Error::policy("subject", "no column names the person", "add [subject]"))?;
        let tags = person_tags(&events.table.values(subject)?, self.key)?;
        let matrix = &histories.matrix;
        let codes = || (0_u32..).take(matrix.subjects());
        let present: Vec<u32> = codes().filter(|&person| !matrix.items_of(person).is_empty()).collect();
        let named: Vec<PersonTag> = present.iter().filter_map(|&person| tags.get(person as usize).copied()).collect();
        let code_of: HashMap<PersonTag, u32> = named.iter().copied().zip(present.iter().copied()).collect();
        let plan = register.plan(COHORTS, &named);
        let conditions = conditions(product, columns);
        let (mut members, mut contents) = (Vec::new(), Vec::new());
        for &group in &plan.frozen {
            let content: Content = register.content(group).and_then(|bytes| serde_json::from_slice(bytes).ok()).ok_or_else(|| {
                Error::data("the register of releases", None, "does not say what a cohort showed", "use a register that this version wrote")
            })?;
            check_conditions(&content.conditions, &conditions)?;
            members.push(register.members(group).iter().filter_map(|tag| code_of.get(tag).copied()).collect::<Vec<u32>>());
            contents.push(content);
        }
        let mut lists: Vec<&[u32]> = vec![&[]; matrix.subjects()];
        for &position in &plan.newcomers {
            if let Some(&person) = present.get(position) {
                lists[person as usize] = matrix.items_of(person);
            }
        }
        Ok(Some(Earlier {
            conditions,
            tags,
            members,
            contents,
            newcomers: SubjectItems::from_lists(&lists, matrix.items())?,
            newcomer_count: plan.newcomers.len() as u64,
            waiting: plan.waiting.len() as u64,
            dropped: plan.dropped.len(),
            numbers: plan.frozen,
        }))
    }
}

impl Earlier {
    /// Whether an earlier cohort is released again.
    pub(super) fn any(&self) -> bool {
        !self.numbers.is_empty()
    }

    /// The texts of all items that earlier cohorts show.
    pub(super) fn items(&self) -> impl Iterator<Item = &str> {
        self.contents.iter().flat_map(|content| content.cells.iter().map(|cell| cell.0.as_str()))
    }

    /// The texts that earlier cohorts show of an attribute.
    pub(super) fn values(&self, attribute: usize) -> impl Iterator<Item = &str> {
        self.contents.iter().filter_map(move |content| content.attributes.get(attribute)?.as_ref().map(|shown| shown.0.as_str()))
    }

    /// What an earlier cohort shows of an attribute.
    pub(super) fn attribute(&self, cohort: usize, attribute: usize) -> Option<(&str, u32)> {
        self.contents.get(cohort)?.attributes.get(attribute)?.as_ref().map(|(text, members)| (text.as_str(), *members))
    }

    /// The earlier cohorts in the codes of this pool.
    pub(super) fn cohorts(&self, code_of: &HashMap<String, u32>) -> Vec<FrozenCohort> {
        let cohort = |(members, content): (&Vec<u32>, &Content)| FrozenCohort {
            members: members.clone(),
            items: content.cells.iter().map(|cell| code_of.get(&cell.0).copied().unwrap_or(NULL_CODE)).collect(),
            shown: content.cells.iter().map(|cell| cell.1).collect(),
        };
        self.members.iter().zip(&self.contents).map(cohort).collect()
    }

    /// What is entered into the register. `origins` says which cohorts are earlier ones; a cohort that shows nothing is not in the release, and its people stay newcomers.
    pub(super) fn entry(
        &self,
        cohorts: &Cohorts,
        origins: &[Option<usize>],
        texts: &StringArray,
        attributes: &[Vec<Option<(String, u32)>>],
    ) -> Result<Entry> {
        let (mut people, mut groups, mut contents) = (Vec::new(), Vec::new(), Vec::new());
        let mut placed = 0;
        for (cohort, origin) in origins.iter().enumerate() {
            let group = if let Some(number) = origin.and_then(|origin| self.numbers.get(origin)) {
                Ok(*number)
            } else {
                if cohorts.items(cohort).is_empty() {
                    continue;
                }
                let cells = cohorts.items(cohort).iter().zip(cohorts.shown(cohort));
                let content = Content {
                    conditions: self.conditions.clone(),
                    cells: cells.map(|(&item, &members)| (texts.value(item as usize).to_owned(), members)).collect(),
                    attributes: attributes.iter().map(|shown| shown.get(cohort).cloned().flatten()).collect(),
                };
                contents.push(serde_json::to_vec(&content).map_err(|_| Error::Arrow {
                    context: "entering cohorts into the register".to_owned(),
                    kind: "a cohort cannot be written".to_owned(),
                })?);
                placed += cohorts.size(cohort) as u64;
                Err(contents.len() - 1)
            };
            for &member in cohorts.members(cohort) {
                people.extend(self.tags.get(member as usize).copied());
                groups.push(group);
            }
        }
        let account = format!(
            "Cohorts of earlier releases: {} are released again as they were, {} are left out because somebody withdrew. Of {} people who were in none, {placed} are in {} new cohorts and {} wait; \
             {} people wait because their cohort is left out.",
            self.numbers.len(),
            self.dropped,
            self.newcomer_count,
            contents.len(),
            self.newcomer_count - placed,
            self.waiting
        );
        Ok(Entry { lineage: COHORTS, people, groups, contents, account })
    }
}

fn conditions(product: &CohortsProduct, columns: &HistoryColumns) -> Conditions {
    let same_items = match product.items.as_ref().map(|same| &same.canonical) {
        None => "as they are",
        Some(Canonical::File { .. }) => "by a file",
        Some(Canonical::Name) => "by name",
    };
    Conditions {
        k: product.k.get(),
        min_members: product.min_members,
        max_share: product.max_share.get().to_bits(),
        max_items_per_subject: product.max_items_per_subject,
        item: columns.item.clone(),
        same_items: same_items.to_owned(),
        attributes: columns.attributes.iter().map(|(_, name)| name.clone()).collect(),
    }
}

/// Cohorts that were made otherwise do not promise what the policy promises, and two kinds in one file could be told apart.
fn check_conditions(then: &Conditions, now: &Conditions) -> Result<()> {
    let differs = [
        ("k", then.k != now.k),
        ("min_members", then.min_members != now.min_members),
        ("max_share", then.max_share != now.max_share),
        ("max_items_per_subject", then.max_items_per_subject != now.max_items_per_subject),
        ("item", then.item != now.item),
        ("items", then.same_items != now.same_items),
        ("attributes", then.attributes != now.attributes),
    ];
    match differs.iter().find(|(_, differs)| *differs) {
        None => Ok(()),
        Some((name, _)) => Err(Error::policy(
            format!("products.{name}"),
            "differs from what the cohorts of earlier releases were made with, which are released again as they were",
            "take the value of the earlier releases",
        )),
    }
}

/// Values with those of the texts that are not among them, as the type of the column has them, and the code of every text.
pub(super) fn with_texts<'a>(
    values: &ArrayRef,
    texts: impl Iterator<Item = &'a str>,
    column: &str,
) -> Result<(ArrayRef, Option<ArrayRef>, HashMap<String, u32>)> {
    let known = cast(values, &DataType::Utf8).map_err(|e| Error::arrow("comparing with earlier releases", &e))?;
    let mut codes: HashMap<String, u32> = HashMap::new();
    for (code, text) in (0_u32..).zip(known.as_string::<i32>().iter()) {
        if let Some(text) = text {
            codes.entry(text.to_owned()).or_insert(code);
        }
    }
    let mut missing: Vec<&str> = texts.filter(|text| !codes.contains_key(*text)).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok((Arc::clone(values), None, codes));
    }
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let extra = cast_with_options(&StringArray::from(missing.clone()), values.data_type(), &options).map_err(|_| Error::Column {
        column: column.to_owned(),
        rows: None,
        first_row: None,
        problem: "has another type than in the earlier releases, and cannot hold their values".to_owned(),
        remedy: "read it as the type it had".to_owned(),
    })?;
    for (code, text) in (values.len()..).zip(missing) {
        codes.insert(text.to_owned(), u32::try_from(code).unwrap_or(NULL_CODE));
    }
    let all = concat(&[values.as_ref(), extra.as_ref()]).map_err(|e| Error::arrow("adding items of earlier releases", &e))?;
    Ok((all, Some(extra), codes))
}
