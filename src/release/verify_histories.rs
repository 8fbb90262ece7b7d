//! Checking cohorts and fragments from outside, from their files alone. Everything is counted here in plain maps, by code that shares nothing with what made the products.

use super::histories::{KM, ReleasedColumns, declared_guarantees, is_sensitive, may_repeat, members_of};
use super::records::TOKEN;
use super::report::{Guarantee, ProductReport, Report};
use super::verify::{Check, check, texts, unit_name};
use crate::error::Result;
use crate::io::table::NULL_CODE;
use crate::io::{ReadOptions, read};
use crate::policy::{CohortsProduct, FragmentOrder, FragmentsProduct, Policy, Product, Support};
use hashbrown::{HashMap, HashSet};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Checks a product of whole histories whose file is the one that the report names.
pub(super) fn check_histories(
    path: &Path,
    policy: &Policy,
    declared: &Product,
    stated: &ProductReport,
    shown: Option<&Value>,
    checks: &mut Vec<Check>,
) -> Result<()> {
    match declared {
        Product::Cohorts(product) => Cohorts::check(path, policy, product, stated, checks)?,
        Product::Fragments(product) => Fragments::check(path, product, stated, checks)?,
        _ => {}
    }
    checks.push(check_declared(policy, declared, stated));
    let nothing = shown == Some(&json!({ "columns": {} }));
    let found = if nothing { "it says nothing" } else { "it says something" };
    checks.push(check(&stated.name, "transformation.json says nothing of it", Some(nothing), found.to_owned()));
    Ok(())
}

/// Parameters of the promises and the accepted risk are those of the policy.
fn check_declared(policy: &Policy, declared: &Product, stated: &ProductReport) -> Check {
    let wanted = declared_guarantees(declared);
    let promises = stated.guarantees.len() == wanted.len()
        && stated.guarantees.iter().zip(&wanted).all(|(stated, wanted)| {
            (&stated.model, &stated.parameters, stated.unit, stated.verified)
                == (&wanted.model, &wanted.parameters, wanted.unit, wanted.verified)
        });
    let kind = stated.kind == declared.kind() && policy.subject.is_some();
    let same = promises && kind && declared.accept_risk() == stated.accepted_risk.as_deref();
    let found = if same { "they are" } else { "promises or the accepted risk differ from policy.toml" };
    check(&stated.name, "promises and accepted risk are those of the policy", Some(same), found.to_owned())
}

fn rows(stated: &ProductReport, file: &ReleasedColumns) -> Check {
    let rows = file.rows as u64;
    check(&stated.name, &format!("has {} rows", stated.rows), Some(rows == stated.rows), format!("{rows} rows"))
}

/// The file has these columns and no others, and no field of the `complete` ones is empty or no count.
fn columns(stated: &ProductReport, file: &ReleasedColumns, wanted: &[&str], complete: &[&str], checks: &mut Vec<Check>) {
    // A JSON file without rows names no columns.
    let same = file.names.iter().map(String::as_str).eq(wanted.iter().copied()) || file.names.is_empty() && file.rows == 0;
    checks.push(check(
        &stated.name,
        &format!("has the columns {}", wanted.join(", ")),
        Some(same),
        format!("{} columns", file.names.len()),
    ));
    let empty: u64 = complete.iter().map(|name| file.missing.get(*name).copied().unwrap_or(u64::MAX)).fold(0, u64::saturating_add);
    checks.push(check(&stated.name, "has no empty field", Some(empty == 0), format!("{empty} empty fields")));
}

/// Ids are as random ids are written.
fn ids(stated: &ProductReport, file: &ReleasedColumns, column: &str, checks: &mut Vec<Check>) -> Result<()> {
    let formed = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    let wrong = file.texts(column)?.values.iter().flatten().filter(|id| !formed(id)).count();
    checks.push(check(&stated.name, "has ids of 32 hexadecimal digits", Some(wrong == 0), format!("{wrong} others")));
    Ok(())
}

/// A promise with what was counted for it.
fn promise(stated: &ProductReport, guarantee: &Guarantee, found: Option<f64>, holds: bool, text: String) -> Check {
    let achieved = guarantee.achieved.map_or_else(String::new, |achieved| format!(", achieved {achieved}"));
    let statement = format!("{} ({}{achieved})", guarantee.model, unit_name(guarantee.unit));
    let same = match (guarantee.achieved, found) {
        (Some(stated), Some(found)) => (stated - found).abs() < 1e-9 * stated.abs().max(1.0),
        (None, None) => true,
        _ => false,
    };
    check(&stated.name, &statement, Some(holds && same && guarantee.holds), text)
}

fn only_pool(stated: &ProductReport, statement: &str, found: &str) -> Check {
    check(&stated.name, statement, None, found.to_owned())
}

#[expect(clippy::cast_precision_loss, reason = "counts of people in a report")]
fn number(count: Option<u64>) -> Option<f64> {
    count.map(|count| count as f64)
}

/// What a file of cohorts says, counted.
struct Cohorts {
    /// Size of every cohort, the smallest that a row gives it.
    sizes: BTreeMap<u32, u64>,
    /// Cohorts to which rows give several sizes.
    of_two_sizes: u64,
    /// Rows whose item the cohort has already.
    repeated: u64,
    fewest: Option<u64>,
    largest_share: Option<f64>,
    over_cap: u64,
    /// Rows with a sensitive attribute that all of the cohort share.
    of_all: u64,
}

impl Cohorts {
    fn count(file: &ReleasedColumns, policy: &Policy, product: &CohortsProduct) -> Result<Self> {
        let mut found =
            Self { sizes: BTreeMap::new(), of_two_sizes: 0, repeated: 0, fewest: None, largest_share: None, over_cap: 0, of_all: 0 };
        let mut cells: HashSet<(u32, u32)> = HashSet::new();
        let mut two = HashSet::new();
        let rows = file.texts("cohort_id")?.codes.iter().zip(&file.texts("item")?.codes);
        for ((&cohort, &item), (&size, &members)) in rows.zip(file.numbers("size")?.iter().zip(file.numbers("members")?)) {
            let known = found.sizes.entry(cohort).or_insert(size);
            if *known != size {
                *known = size.min(*known);
                two.insert(cohort);
            }
            found.repeated += u64::from(!cells.insert((cohort, item)));
            found.cell(size, members, product.max_share.get());
        }
        for attribute in &product.attributes {
            found.attribute(file, (attribute, is_sensitive(policy, attribute)), product.max_share.get(), &mut two)?;
        }
        found.of_two_sizes = two.len() as u64;
        Ok(found)
    }

    /// Counts what a number of members says.
    fn cell(&mut self, size: u64, members: u64, max_share: f64) {
        self.fewest = Some(self.fewest.map_or(members, |fewest| fewest.min(members)));
        #[expect(clippy::cast_precision_loss, reason = "a share needs no more than 53 bits")]
        let share = members as f64 / size.max(1) as f64;
        self.over_cap += u64::from(share > max_share + 1e-9 || members > size);
    }

    /// Attributes are cells too; all rows of a cohort say the same. A sensitive one is never that of all members.
    fn attribute(&mut self, file: &ReleasedColumns, (name, sensitive): (&str, bool), max_share: f64, two: &mut HashSet<u32>) -> Result<()> {
        let mut of_cohort: HashMap<u32, (u32, u64)> = HashMap::new();
        let rows = file.texts("cohort_id")?.codes.iter().zip(&file.texts(name)?.codes);
        for ((&cohort, &value), (&size, &members)) in rows.zip(file.numbers("size")?.iter().zip(file.numbers(&members_of(name))?)) {
            let known = *of_cohort.entry(cohort).or_insert((value, members));
            if known != (value, members) || (value == NULL_CODE) != (members == u64::MAX) {
                two.insert(cohort);
            }
            if members != u64::MAX {
                self.cell(size, members, max_share);
                self.of_all += u64::from(sensitive && members >= size);
            }
        }
        Ok(())
    }

    fn check(path: &Path, policy: &Policy, product: &CohortsProduct, stated: &ProductReport, checks: &mut Vec<Check>) -> Result<()> {
        let counts: Vec<String> = product.attributes.iter().map(|name| members_of(name)).collect();
        let texts: Vec<&str> = ["cohort_id", "item"].into_iter().chain(product.attributes.iter().map(String::as_str)).collect();
        let numbers: Vec<&str> = ["size", "members"].into_iter().chain(counts.iter().map(String::as_str)).collect();
        let file = ReleasedColumns::read(path, &texts, &numbers, 1)?;
        checks.push(rows(stated, &file));
        let core = ["cohort_id", "size", "item", "members"];
        let wanted: Vec<&str> =
            core.into_iter().chain(product.attributes.iter().zip(&counts).flat_map(|(name, members)| [name.as_str(), members])).collect();
        columns(stated, &file, &wanted, &core, checks);
        ids(stated, &file, "cohort_id", checks)?;
        let mut found = Self::count(&file, policy, product)?;
        found.largest_share = file
            .numbers("size")?
            .iter()
            .zip(file.numbers("members")?)
            .map(|(&size, &members)| number(Some(members)).unwrap_or(0.0) / number(Some(size.max(1))).unwrap_or(1.0))
            .reduce(f64::max);
        let people = found.sizes.values().fold(0_u64, |sum, &size| sum.saturating_add(size));
        if let Some(subjects) = stated.subjects {
            let text = format!("{people} people in {} cohorts", found.sizes.len());
            checks.push(check(&stated.name, &format!("holds {subjects} people"), Some(people == subjects), text));
        }
        let smallest = found.sizes.values().copied().min();
        let sound = found.of_two_sizes == 0 && found.repeated == 0;
        for guarantee in &stated.guarantees {
            checks.push(match guarantee.model.as_str() {
                "cohort-size" => {
                    let holds = sound && smallest.is_none_or(|smallest| smallest >= product.k.get());
                    let text = format!("the smallest cohort has {} people, {} say different things", shown(smallest), found.of_two_sizes);
                    promise(stated, guarantee, number(smallest), holds, text)
                }
                "cell-support" => {
                    let holds = found.repeated == 0 && found.fewest.is_none_or(|fewest| fewest >= product.min_members);
                    let text = format!("the smallest cell has {} people, {} stand twice", shown(found.fewest), found.repeated);
                    promise(stated, guarantee, number(found.fewest), holds, text)
                }
                "share-cap" => {
                    promise(stated, guarantee, found.largest_share, found.over_cap == 0, format!("{} cells are over it", found.over_cap))
                }
                _ => check(&stated.name, &guarantee.model, Some(false), "is no promise of cohorts".to_owned()),
            });
        }
        if product.attributes.iter().any(|attribute| is_sensitive(policy, attribute)) {
            let text = format!("{} rows do", found.of_all);
            checks.push(check(&stated.name, "shows no sensitive attribute as that of all of a cohort", Some(found.of_all == 0), text));
        }
        checks.push(class_sizes(stated, &found.sizes));
        checks.push(only_pool(stated, COUNTS, "sizes and members are what the file says; that they are people of the pool needs the pool"));
        Ok(())
    }
}

/// Statement about what only the pool shows.
pub(super) const COUNTS: &str = "counts people of the pool, each once";

fn shown(count: Option<u64>) -> String {
    count.map_or_else(|| "no".to_owned(), |count| count.to_string())
}

/// The sizes of cohorts in the report are those of the file.
fn class_sizes(stated: &ProductReport, sizes: &BTreeMap<u32, u64>) -> Check {
    let mut of_size: BTreeMap<u64, u64> = BTreeMap::new();
    for &size in sizes.values() {
        *of_size.entry(size).or_default() += 1;
    }
    let found: Vec<(u64, u64)> = of_size.into_iter().collect();
    let same = stated.class_sizes.as_ref().map_or(found.is_empty(), |stated| stated.after == found);
    check(&stated.name, "sizes of cohorts are those of the report", Some(same), format!("{} sizes", found.len()))
}

/// What a file of fragments says: the items of every fragment, in their order where the file has one.
struct Fragments {
    items: Vec<Vec<u32>>,
    /// Fragments with an item twice.
    repeated: u64,
    /// Fragments whose positions are not 0, 1, 2, ….
    gaps: u64,
}

/// Combinations that are sorted at once.
const ROOM: usize = 1 << 24;

impl Fragments {
    fn read(file: &ReleasedColumns, ordered: bool) -> Result<Self> {
        let mut of_id: HashMap<u32, Vec<(u64, u32)>> = HashMap::new();
        let positions = if ordered { Some(file.numbers("position")?) } else { None };
        for (row, (&id, &item)) in file.texts("fragment_id")?.codes.iter().zip(&file.texts("item")?.codes).enumerate() {
            of_id.entry(id).or_default().push((positions.map_or(0, |positions| positions[row]), item));
        }
        let mut found = Self { items: Vec::with_capacity(of_id.len()), repeated: 0, gaps: 0 };
        for mut rows in of_id.into_values() {
            rows.sort_unstable();
            found.gaps += u64::from(ordered && !rows.iter().map(|row| row.0).eq(0..rows.len() as u64));
            let items: Vec<u32> = rows.into_iter().map(|row| row.1).collect();
            let distinct: HashSet<u32> = items.iter().copied().collect();
            found.repeated += u64::from(distinct.len() < items.len());
            found.items.push(items);
        }
        Ok(found)
    }

    /// In how many fragments the rarest combination of 1 … m items stands.
    fn rarest(&self, m: u64) -> Option<u64> {
        let m = usize::try_from(m).unwrap_or(usize::MAX);
        (1..=m.min(3)).filter_map(|size| self.rarest_of(size)).min()
    }

    fn rarest_of(&self, size: usize) -> Option<u64> {
        let all: usize =
            self.items.iter().map(|items| items.len().saturating_pow(u32::try_from(size).unwrap_or(3))).fold(0, usize::saturating_add);
        let parts = u32::try_from(all / ROOM + 1).unwrap_or(u32::MAX);
        let mut rarest: Option<u64> = None;
        for part in 0..parts {
            let mut combinations: Vec<[u32; 3]> = Vec::new();
            for items in &self.items {
                each(items, size, &mut |combination| {
                    if combination[0] % parts == part {
                        combinations.push(combination);
                    }
                });
            }
            combinations.sort_unstable();
            let of_part = combinations.chunk_by(|a, b| a == b).map(|same| same.len() as u64).min();
            rarest = rarest.into_iter().chain(of_part).min();
        }
        rarest
    }

    fn check(path: &Path, product: &FragmentsProduct, stated: &ProductReport, checks: &mut Vec<Check>) -> Result<()> {
        let ordered = product.order == FragmentOrder::Kept;
        let mut wanted = vec!["fragment_id", "item"];
        let numbers: &[&str] = if ordered { &["position"] } else { &[] };
        wanted.extend(numbers);
        let file = ReleasedColumns::read(path, &["fragment_id", "item"], numbers, 1)?;
        checks.push(rows(stated, &file));
        columns(stated, &file, &wanted, &wanted, checks);
        ids(stated, &file, "fragment_id", checks)?;
        let mut found = Self::read(&file, ordered)?;
        if !ordered {
            found.items.iter_mut().for_each(|items| items.sort_unstable());
        }
        if ordered {
            let text = format!("{} fragments with gaps", found.gaps);
            checks.push(check(&stated.name, "positions are 0, 1, 2, …", Some(found.gaps == 0), text));
        }
        if let Some(subjects) = stated.subjects {
            let statement = format!("holds {subjects} people");
            let fragments = found.items.len() as u64;
            let holds = if fragments < subjects { Some(false) } else { None };
            let text = format!("{fragments} fragments, of which a person may have several; needs the pool");
            checks.push(check(&stated.name, &statement, holds, text));
        }
        let repeats = !may_repeat(product) && found.repeated > 0;
        for guarantee in &stated.guarantees {
            checks.push(match (guarantee.model.as_str(), product.support) {
                (KM, Support::Released) if product.sessions.is_some() => {
                    // Fragments are at least as many as people.
                    let rarest = found.rarest(product.m);
                    let achieved = guarantee.achieved.map_or_else(String::new, |achieved| format!(", achieved {achieved}"));
                    let statement = format!("{} ({}{achieved})", guarantee.model, unit_name(guarantee.unit));
                    let possible = rarest.is_none_or(|rarest| rarest >= product.k.get());
                    let text = format!(
                        "the rarest combination stands in {} fragments, of which a person may have several; needs the pool",
                        shown(rarest)
                    );
                    check(&stated.name, &statement, if possible { None } else { Some(false) }, text)
                }
                (KM, Support::Released) => {
                    let rarest = found.rarest(product.m);
                    let holds = !repeats && rarest.is_none_or(|rarest| rarest >= product.k.get());
                    promise(
                        stated,
                        guarantee,
                        number(rarest),
                        holds,
                        format!("the rarest combination stands in {} fragments", shown(rarest)),
                    )
                }
                (KM, Support::Pool) => {
                    let achieved = guarantee.achieved.map_or_else(String::new, |achieved| format!(", achieved {achieved}"));
                    let statement = format!("{} ({}{achieved})", guarantee.model, unit_name(guarantee.unit));
                    only_pool(stated, &statement, "the people who have a combination are counted in the pool")
                }
                ("fragment-size", _) => {
                    let longest = found.items.iter().map(|items| items.len() as u64).max();
                    let holds = !repeats && longest.is_none_or(|longest| longest <= product.max_items);
                    let text = format!("the longest fragment has {} items, {} have an item twice", shown(longest), found.repeated);
                    promise(stated, guarantee, number(longest), holds, text)
                }
                _ => check(&stated.name, &guarantee.model, Some(false), "is no promise of fragments".to_owned()),
            });
        }
        let found = "that fragments with a combination are those of different people needs the pool";
        checks.push(only_pool(stated, COUNTS, found));
        Ok(())
    }
}

/// Calls `visit` with every combination of `size` items, filled up with the largest number.
fn each(items: &[u32], size: usize, visit: &mut dyn FnMut([u32; 3])) {
    for (first, &a) in items.iter().enumerate() {
        if size == 1 {
            visit([a, u32::MAX, u32::MAX]);
            continue;
        }
        for (second, &b) in items.iter().enumerate().skip(first + 1) {
            if size == 2 {
                visit([a, b, u32::MAX]);
                continue;
            }
            items.iter().skip(second + 1).for_each(|&c| visit([a, b, c]));
        }
    }
}

/// No id of a cohort or fragment is an id or a token of another product: two products cannot be joined.
pub(super) fn check_fresh_ids(release: &Path, policy: &Policy, report: &Report) -> Result<Option<Check>> {
    if !policy.products.iter().any(|product| product.of_histories().is_some()) {
        return Ok(None);
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut shared = HashSet::new();
    for (place, product) in report.products.iter().enumerate() {
        let Some(path) = product.file.as_ref().map(|file| release.join(file)).filter(|path| path.is_file()) else { continue };
        let declared = policy.products.iter().find(|declared| declared.name() == product.name);
        let ids: Vec<String> = match declared {
            Some(Product::Cohorts(_)) => values_of(&path, "cohort_id")?,
            Some(Product::Fragments(_)) => values_of(&path, "fragment_id")?,
            Some(Product::Records(records)) if policy.keeps_subject(records) => tokens_of(&path)?,
            _ => continue,
        };
        for id in ids {
            if *seen.entry(id.clone()).or_insert(place) != place {
                shared.insert(id);
            }
        }
    }
    let found = if shared.is_empty() { "none is".to_owned() } else { format!("{} are", shared.len()) };
    Ok(Some(check("", "no id of a product is one of another product", Some(shared.is_empty()), found)))
}

fn values_of(path: &Path, column: &str) -> Result<Vec<String>> {
    let file = ReleasedColumns::read(path, &[column], &[], 1)?;
    Ok(file.texts(column)?.values.iter().flatten().map(str::to_owned).collect())
}

fn tokens_of(path: &Path) -> Result<Vec<String>> {
    let source = super::measure::open(path)?;
    if source.schema().index_of(TOKEN).is_err() {
        return Ok(Vec::new());
    }
    let options = ReadOptions { columns: Some(vec![TOKEN.to_owned()]), threads: 1, ..ReadOptions::default() };
    let mut tokens = HashSet::new();
    for batch in read(&[source], &options)? {
        tokens.extend(texts(&batch?, TOKEN)?.into_iter().flatten());
    }
    Ok(tokens.into_iter().collect())
}
