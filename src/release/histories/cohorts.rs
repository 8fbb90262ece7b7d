//! The `cohorts` product: taste profiles of groups of people.

use super::earlier::{Earlier, with_texts};
use super::losses::by_popularity;
use super::matrix::Histories;
use super::people::Attribute;
use super::read::ReleasedColumns;
use super::write::{Place, group_ids, naming_key, shuffled, write_rows};
use super::{HistoryWorkshop, MadeHistories};
use crate::error::{Error, Result};
use crate::history::cohorts::{
    AttributeOptions, CohortAttribute, CohortCheck, CohortOptions, Cohorts, SensitiveOptions, attributes, check, form,
};
use crate::io::SinkFormat;
use crate::io::table::{NULL_CODE, gather_values};
use crate::keys::Domain;
use crate::policy::{CohortsProduct, Policy, ProductKind, Role};
use crate::release::report::{ClassSizes, ColumnReport, Guarantee, Loss, Losses, ProductReport, Unit, Verified};
use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt32Array};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use hashbrown::HashMap;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// What is shown of an attribute.
struct Shown {
    attribute: Attribute,
    of_cohorts: Vec<Option<CohortAttribute>>,
}

impl Shown {
    /// Cohorts of earlier releases show what they showed.
    fn with_earlier(mut self, earlier: &Earlier, origins: &[Option<usize>], place: usize) -> Result<Self> {
        let (values, _, codes) = with_texts(&self.attribute.values, earlier.values(place), &self.attribute.name)?;
        self.attribute.values = values;
        for (shown, origin) in self.of_cohorts.iter_mut().zip(origins) {
            if let Some(origin) = *origin {
                *shown = earlier.attribute(origin, place).and_then(|(text, members)| {
                    let value = codes.get(text).copied()?;
                    Some(CohortAttribute { value, members })
                });
            }
        }
        Ok(self)
    }

    /// What every cohort shows, as text.
    fn texts(&self) -> Result<Vec<Option<(String, u32)>>> {
        let texts = cast(&self.attribute.values, &DataType::Utf8).map_err(|e| Error::arrow("writing attributes as text", &e))?;
        let texts = texts.as_string::<i32>();
        let text = |shown: &Option<CohortAttribute>| shown.map(|shown| (texts.value(shown.value as usize).to_owned(), shown.members));
        Ok(self.of_cohorts.iter().map(text).collect())
    }
}

/// Name of the column that counts the members with an attribute.
pub(in crate::release) fn members_of(attribute: &str) -> String {
    format!("{attribute}_members")
}

/// Whether an attribute may not be shown where all of a cohort share it: it is declared sensitive, for whichever table.
pub(in crate::release) fn is_sensitive(policy: &Policy, attribute: &str) -> bool {
    policy.is_sensitive_attribute(attribute)
}

/// The conditions of a product.
fn options(product: &CohortsProduct, threads: usize) -> CohortOptions {
    let options = CohortOptions::new(product.k);
    let block = u32::try_from(product.k.get().saturating_mul(4)).unwrap_or(u32::MAX);
    // Blocks hold at least four cohorts.
    let options = if block > 4096 { options.with_block_size(block) } else { options };
    options.with_min_members(product.min_members).with_max_share(product.max_share).with_threads(threads)
}

impl HistoryWorkshop<'_> {
    pub(super) fn cohorts(&self, product: &CohortsProduct, path: &Path, format: SinkFormat, measuring: &dyn Fn()) -> Result<MadeHistories> {
        let clock = Instant::now();
        let columns = self.columns()?;
        let forming = self.forming();
        let mut histories = self.histories(&columns, &forming)?;
        let options = options(product, self.threads);
        let earlier = self.earlier(product, &columns, &histories)?;
        let formed = match &earlier {
            None => {
                self.check_people(histories.people())?;
                form(&histories.matrix, &histories.subject_ids, &histories.item_ids, &options, &forming)?
            }
            // Too few newcomers wait, as long as there is something to release.
            Some(earlier) if earlier.any() && earlier.newcomer_count < product.k.get() => Cohorts::default(),
            Some(earlier) => {
                self.check_people(earlier.newcomer_count)?;
                form(&earlier.newcomers, &histories.subject_ids, &histories.item_ids, &options, &forming)?
            }
        };
        let (cohorts, origins) = match &earlier {
            None => {
                let origins = vec![None; formed.len()];
                (formed, origins)
            }
            Some(earlier) => {
                let (values, extra, codes) = with_texts(&histories.values, earlier.items(), &columns.item)?;
                if let Some(extra) = extra {
                    histories = histories.with_items(values, &extra, &forming)?;
                }
                formed.with_frozen(&earlier.cohorts(&codes), &self.naming("history-frozen"))?
            }
        };
        let shown = columns
            .attributes
            .iter()
            .enumerate()
            .map(|(place, (table, name))| {
                let attribute = self.attribute(&histories, *table, name, &forming)?;
                let sensitive = self.sensitive(product, name);
                let options = AttributeOptions { min_members: product.min_members, max_share: product.max_share, sensitive };
                let of_cohorts = attributes(&cohorts, &attribute.codes, &attribute.ids, &options)?;
                let shown = Shown { attribute, of_cohorts };
                match &earlier {
                    None => Ok(shown),
                    Some(earlier) => shown.with_earlier(earlier, &origins, place),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let naming = naming_key(&self.naming("history-naming"), contents(&cohorts, &histories, &shown));
        let ids = group_ids(cohorts.len(), &naming.derive(&Domain::of("history-ids")));
        let places = shuffled((0..cohorts.len()).map(|cohort| cohorts.items(cohort).len()), &naming.derive(&Domain::of("history-order")));
        let fit_seconds = clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        self.write_cohorts(path, format, &cohorts, &ids, &places, &histories, &shown)?;
        let write_seconds = clock.elapsed().as_secs_f64();
        measuring();
        let mut report = ProductReport::new(&product.name, ProductKind::Cohorts);
        report.accepted_risk.clone_from(&product.accept_risk);
        report.control_people = (histories.control_people > 0).then_some(histories.control_people);
        report.columns = column_reports(self.policy, &columns.item, &shown);
        report.notes.push(note(product));
        describe(&cohorts, &histories, &mut report);
        self.recount_cohorts(product, path, (&cohorts, &origins), &ids, &histories, &shown, &mut report)?;
        let entry = match &earlier {
            None => None,
            Some(earlier) => {
                let attributes = shown.iter().map(Shown::texts).collect::<Result<Vec<_>>>()?;
                Some(earlier.entry(&cohorts, &origins, &histories.texts()?, &attributes)?)
            }
        };
        report.attacks = Some(self.attack_cohorts(&cohorts, &histories)?);
        let summary = cohorts.summary();
        Ok(MadeHistories {
            report,
            fitted: json!({ "columns": {}, "people": summary.people, "cohorts": cohorts.len() }),
            shown: json!({ "columns": {} }),
            fit_seconds,
            write_seconds,
            entry,
        })
    }

    /// What must hold for an attribute that is sensitive.
    fn sensitive(&self, product: &CohortsProduct, attribute: &str) -> Option<SensitiveOptions> {
        let declared = product.sensitive.unwrap_or_default();
        is_sensitive(self.policy, attribute).then_some(SensitiveOptions { l: declared.l, closeness: declared.t })
    }

    #[expect(clippy::too_many_arguments, reason = "everything that is written")]
    fn write_cohorts(
        &self,
        path: &Path,
        format: SinkFormat,
        cohorts: &Cohorts,
        ids: &[String],
        places: &[Place],
        histories: &Histories,
        shown: &[Shown],
    ) -> Result<()> {
        let mut fields = vec![
            ("cohort_id".to_owned(), DataType::Utf8),
            ("size".to_owned(), DataType::UInt32),
            ("item".to_owned(), histories.values.data_type().clone()),
            ("members".to_owned(), DataType::UInt32),
        ];
        for shown in shown {
            fields.push((shown.attribute.name.clone(), shown.attribute.values.data_type().clone()));
            fields.push((members_of(&shown.attribute.name), DataType::UInt32));
        }
        write_rows(path, format, self.threads, fields, places, |places| {
            let of_rows = |value: &dyn Fn(usize, usize) -> u32| -> UInt32Array {
                places.iter().map(|&Place { group, place }| value(group as usize, place as usize)).collect()
            };
            let items: Vec<u32> = places.iter().map(|&Place { group, place }| cohorts.items(group as usize)[place as usize]).collect();
            let mut arrays: Vec<ArrayRef> = vec![
                Arc::new(places.iter().map(|place| Some(ids[place.group as usize].as_str())).collect::<StringArray>()),
                Arc::new(of_rows(&|cohort, _| u32::try_from(cohorts.size(cohort)).unwrap_or(u32::MAX))),
                gather_values(&histories.values, &items)?,
                Arc::new(of_rows(&|cohort, place| cohorts.shown(cohort)[place])),
            ];
            for shown in shown {
                let of = |place: &Place| shown.of_cohorts.get(place.group as usize).copied().flatten();
                let codes: Vec<u32> = places.iter().map(|place| of(place).map_or(NULL_CODE, |attribute| attribute.value)).collect();
                arrays.push(gather_values(&shown.attribute.values, &codes)?);
                arrays.push(Arc::new(places.iter().map(|place| of(place).map(|attribute| attribute.members)).collect::<UInt32Array>()));
            }
            Ok(arrays)
        })
    }

    /// Counts every promise again in the written file, and compares its numbers with the people of the pool.
    #[expect(clippy::too_many_arguments, reason = "the file is compared with everything that it was made from")]
    fn recount_cohorts(
        &self,
        product: &CohortsProduct,
        path: &Path,
        (cohorts, origins): (&Cohorts, &[Option<usize>]),
        ids: &[String],
        histories: &Histories,
        shown: &[Shown],
        report: &mut ProductReport,
    ) -> Result<()> {
        let counts: Vec<String> = shown.iter().map(|shown| members_of(&shown.attribute.name)).collect();
        let texts: Vec<&str> = ["cohort_id", "item"].into_iter().chain(shown.iter().map(|shown| shown.attribute.name.as_str())).collect();
        let numbers: Vec<&str> = ["size", "members"].into_iter().chain(counts.iter().map(String::as_str)).collect();
        let file = ReleasedColumns::read(path, &texts, &numbers, self.threads)?;
        let number = |codes: &[u32]| codes.iter().map(|&code| u64::from(code)).collect::<Vec<_>>();
        let (named, items) = (number(&file.texts("cohort_id")?.codes), number(&file.texts("item")?.codes));
        let (sizes, members) = (file.numbers("size")?, file.numbers("members")?);
        let options = options(product, self.threads);
        let found = check(&named, sizes, &items, members, &options);
        let true_counts = same_as_pool(&file, (cohorts, origins), ids, histories, &options)?;
        let mut smallest = found.fewest_members;
        let mut attributes_hold = true;
        for (shown, counts) in shown.iter().zip(&counts) {
            let sensitive = is_sensitive(self.policy, &shown.attribute.name);
            let (fewest, holds) = attribute_holds(&file, (&shown.attribute.name, counts), sensitive, &options, product.min_members)?;
            smallest = fewest.map_or(smallest, |fewest| smallest.min(fewest));
            attributes_hold &= holds;
        }
        let complete = file.is_complete(&["cohort_id", "size", "item", "members"]);
        if !true_counts {
            report.steward_notes.push("The numbers in the file are not those of the people in the pool: nothing is promised.".to_owned());
        }
        report.rows = file.rows as u64;
        report.subjects = Some(found.people);
        let mut of_size: BTreeMap<u64, u64> = BTreeMap::new();
        let mut seen: HashMap<u64, u64> = HashMap::new();
        for (&cohort, &size) in named.iter().zip(sizes) {
            if seen.insert(cohort, size).is_none() {
                *of_size.entry(size).or_default() += 1;
            }
        }
        report.class_sizes = Some(ClassSizes { before: None, after: of_size.into_iter().collect() });
        report.guarantees = guarantees(product, &found, smallest, true_counts && complete && attributes_hold, share_of(sizes, members));
        Ok(())
    }
}

/// What every cohort holds, in stable ids: its people, its cells, its attributes.
fn contents(cohorts: &Cohorts, histories: &Histories, shown: &[Shown]) -> impl Iterator<Item = Vec<u64>> {
    (0..cohorts.len()).map(move |cohort| {
        let mut people: Vec<u64> = cohorts.members(cohort).iter().map(|&member| histories.subject_ids[member as usize]).collect();
        people.sort_unstable();
        let cells = cohorts.items(cohort).iter().zip(cohorts.shown(cohort));
        let mut cells: Vec<[u64; 2]> = cells.map(|(&item, &members)| [histories.item_ids[item as usize], u64::from(members)]).collect();
        cells.sort_unstable();
        let attributes = shown.iter().flat_map(|shown| match shown.of_cohorts[cohort] {
            Some(CohortAttribute { value, members }) => [shown.attribute.ids[value as usize], u64::from(members)],
            None => [0, 0],
        });
        std::iter::once(people.len() as u64).chain(people).chain(cells.into_flattened()).chain(attributes).collect()
    })
}

/// The promises of a product, with what was counted.
fn guarantees(product: &CohortsProduct, found: &CohortCheck, fewest: u64, sound: bool, share: Option<f64>) -> Vec<Guarantee> {
    let sound = sound && found.rows_incomplete == 0 && found.cells_repeated == 0;
    let any = found.cells > 0;
    #[expect(clippy::cast_precision_loss, reason = "counts of people in a report")]
    let of_people = |guarantee: Guarantee, achieved: u64, holds: bool| {
        if any { guarantee.found(achieved as f64, holds && sound) } else { Guarantee { holds: sound, ..guarantee } }
    };
    let declared = declared_guarantees(product);
    declared
        .into_iter()
        .map(|guarantee| match guarantee.model.as_str() {
            "cohort-size" => {
                let holds = found.cohorts_too_small == 0 && found.cohorts_of_two_sizes == 0;
                of_people(guarantee, found.smallest_cohort, holds)
            }
            "cell-support" => of_people(guarantee, fewest, found.cells_too_small == 0 && fewest >= product.min_members),
            _ => match share {
                Some(share) => guarantee.found(share, sound && found.cells_over_cap == 0),
                None => Guarantee { holds: sound, ..guarantee },
            },
        })
        .collect()
}

/// What the policy promises of a product, with nothing found yet.
pub(super) fn declared_guarantees(product: &CohortsProduct) -> Vec<Guarantee> {
    let mut declared = vec![
        Guarantee::new("cohort-size", Unit::Subject, Verified::Release).parameter("k", product.k.get()),
        Guarantee::new("cell-support", Unit::Subject, Verified::Release).parameter("min_members", product.min_members),
    ];
    if product.max_share.get() < 1.0 {
        declared.push(Guarantee::new("share-cap", Unit::Ratio, Verified::Release).parameter("max_share", product.max_share.get()));
    }
    declared
}

/// The largest share of a cohort that the file shows for an item.
fn share_of(sizes: &[u64], members: &[u64]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
    let share = |(&size, &members): (&u64, &u64)| members as f64 / size.max(1) as f64;
    sizes.iter().zip(members).map(share).reduce(f64::max)
}

/// Whether sizes and members in the file are the numbers of people in the pool; of cohorts that were released before, those that they had.
fn same_as_pool(
    file: &ReleasedColumns,
    (cohorts, origins): (&Cohorts, &[Option<usize>]),
    ids: &[String],
    histories: &Histories,
    options: &CohortOptions,
) -> Result<bool> {
    let cohort_of_name: HashMap<&str, usize> = ids.iter().map(String::as_str).zip(0..).collect();
    let texts = histories.texts()?;
    let item_of_text: HashMap<&str, u32> = (0_u32..).zip(texts.iter()).filter_map(|(code, text)| Some((text?, code))).collect();
    let (names, items) = (file.texts("cohort_id")?, file.texts("item")?);
    let mut rows: Vec<Vec<(u32, u64, u64)>> = vec![Vec::new(); cohorts.len()];
    for (((name, item), &size), &members) in names.of_rows().zip(items.of_rows()).zip(file.numbers("size")?).zip(file.numbers("members")?) {
        let known = name.and_then(|name| cohort_of_name.get(name)).zip(item.and_then(|item| item_of_text.get(item)));
        let Some((&cohort, &item)) = known else { return Ok(false) };
        rows[cohort].push((item, size, members));
    }
    // Everybody is in one cohort at most.
    let mut in_cohort = vec![false; histories.matrix.subjects()];
    let mut counts: HashMap<u32, u64> = HashMap::new();
    for (cohort, rows) in rows.iter().enumerate() {
        counts.clear();
        for &member in cohorts.members(cohort) {
            match in_cohort.get_mut(member as usize) {
                Some(taken) if !*taken => *taken = true,
                _ => return Ok(false),
            }
            for &item in histories.matrix.items_of(member) {
                *counts.entry(item).or_default() += 1;
            }
        }
        if origins.get(cohort).copied().flatten().is_some() {
            counts = cohorts.items(cohort).iter().copied().zip(cohorts.shown(cohort).iter().map(|&members| u64::from(members))).collect();
            if counts.len() != rows.len() {
                return Ok(false);
            }
        }
        let people = cohorts.members(cohort).len() as u64;
        let most = options.most_shown(people);
        let same =
            |&(item, size, members): &(u32, u64, u64)| size == people && counts.get(&item).is_some_and(|&count| members == count.min(most));
        if !rows.iter().all(same) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The fewest members with a shown value of an attribute, and whether every shown value has enough and not too many (of a `sensitive` one not all), the same in all rows of a cohort.
fn attribute_holds(
    file: &ReleasedColumns,
    (name, counts): (&str, &str),
    sensitive: bool,
    options: &CohortOptions,
    min_members: u64,
) -> Result<(Option<u64>, bool)> {
    let (cohorts, values) = (&file.texts("cohort_id")?.codes, &file.texts(name)?.codes);
    let mut of_cohort: HashMap<u32, (u32, u64)> = HashMap::new();
    let (mut fewest, mut holds) = (None, true);
    for (((&cohort, &value), &members), &size) in cohorts.iter().zip(values).zip(file.numbers(counts)?).zip(file.numbers("size")?) {
        holds &= *of_cohort.entry(cohort).or_insert((value, members)) == (value, members);
        holds &= (value == NULL_CODE) == (members == u64::MAX);
        if members != u64::MAX {
            holds &= members >= min_members && members <= options.most_shown(size) && !(sensitive && members >= size);
            fewest = Some(fewest.map_or(members, |fewest: u64| fewest.min(members)));
        }
    }
    Ok((fewest, holds))
}

/// What the file says, for whoever reads it.
fn note(product: &CohortsProduct) -> String {
    let capped = if product.max_share.get() < 1.0 {
        format!(" At most {} % of a cohort are shown for an item, also where more have it.", product.max_share.get() * 100.0)
    } else {
        String::new()
    };
    let attributes = if product.attributes.is_empty() {
        ""
    } else {
        " The attacks know and predict items only: what the attributes add was not measured."
    };
    format!(
        "Each row: of the “size” people of a cohort, “members” have “item”.{capped} Items of fewer than {} members are not shown.{attributes}",
        product.min_members
    )
}

fn column_reports(policy: &Policy, item: &str, shown: &[Shown]) -> Vec<ColumnReport> {
    let report = |name: &str, role: Role, became: String| ColumnReport { name: name.to_owned(), role, became, level: None, highest: None };
    let mut columns = vec![report(item, Role::Item, "item".to_owned())];
    if let Some(subject) = &policy.subject {
        columns.insert(0, report(&subject.column, Role::Subject, "dropped: people are counted in cohorts".to_owned()));
    }
    columns.extend(shown.iter().map(|shown| {
        let role = policy.declaration(shown.attribute.table, &shown.attribute.name).map_or(Role::Other, |column| column.role);
        let became = if is_sensitive(policy, &shown.attribute.name) {
            "the most common value of the cohort, where enough members share it and others have another"
        } else {
            "the most common value of the cohort, where enough members share it"
        };
        report(&shown.attribute.name, role, became.to_owned())
    }));
    columns
}

/// What was left out, for the steward.
fn describe(cohorts: &Cohorts, histories: &Histories, report: &mut ProductReport) {
    let summary = cohorts.summary();
    let mut kept = vec![0_u64; histories.matrix.items()];
    let mut is_shown: HashMap<u32, u64> = HashMap::new();
    for cohort in 0..cohorts.len() {
        is_shown.clear();
        is_shown.extend(cohorts.items(cohort).iter().map(|&item| (item, 0)));
        for &member in cohorts.members(cohort) {
            for item in histories.matrix.items_of(member) {
                if let Some(count) = is_shown.get_mut(item) {
                    *count += 1;
                }
            }
        }
        for (&item, &count) in &is_shown {
            if let Some(kept) = kept.get_mut(item as usize) {
                *kept += count;
            }
        }
    }
    let bounded = (histories.all().pairs() - histories.matrix.pairs()) as u64;
    let reasons = histories.left_out.iter().map(|&(reason, count)| (reason, count)).chain([
        ("pairs of a person and an item: beyond the items of one person that count", bounded),
        ("pairs of a person and an item: too few of the cohort have the item", summary.pairs_dropped),
        ("cells: shown with fewer members than have the item, because of the largest share", summary.cells_capped),
        ("cells: not shown, because too few of the cohort have the item", summary.cells_dropped),
        ("cohorts: nothing of them is shown", summary.cohorts_without_cells),
    ]);
    report.losses = Some(Losses {
        reasons: reasons.filter(|&(_, count)| count > 0).map(|(reason, count)| Loss { reason: reason.to_owned(), count }).collect(),
        popularity: by_popularity(&histories.matrix, &kept),
    });
}
