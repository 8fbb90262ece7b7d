//! Measures what a release is good for: recommenders trained on it predict hidden items of real people who are not in it.

mod common;

use backmask::io::{PlainFile, Source, open_table};
use backmask::listening::open;
use backmask::policy::{Column, Input, Policy, Product, ProductKind, Role, Table};
use backmask::release::report::{ProductReport, Report};
use backmask::units::Share;
use backmask::utility::{
    Evaluation, EvaluationOptions, FoldIn, Histories, Items, ProductColumns, ProductData, Trainable, TrainingProduct, distances,
    report_figures, table_distances,
};
use backmask::{Error, Result};
use clap::{Parser, ValueEnum};
use common::{Console, Output, Summary};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Column of the tokens in a `records` product.
const TOKEN: &str = "token";
/// A pause that ends a session, in milliseconds.
const SESSION_GAP: i64 = 30 * 60 * 1000;

/// Measure what a recommender can still learn from a release
///
/// EASE, item neighbourhoods and popularity are trained on each product and on the originals, and predict hidden items of held-out people. Lift retained is 1 if the
/// release teaches as much as the originals, and 0 if no more than the popularity of items. Without --holdout the figures are optimistic, and say so.
#[derive(Debug, Parser)]
#[command(name = "evaluate", version)]
struct Arguments {
    /// The folder release/ of a run
    #[arg(long, value_name = "DIR")]
    release: PathBuf,
    /// The files it was made from
    #[arg(long, value_name = "PATH", num_args = 1.., required = true)]
    original: Vec<PathBuf>,
    /// Profiles it was made from, to compare tables of profiles
    #[arg(long, value_name = "PATH", num_args = 1..)]
    profiles: Vec<PathBuf>,
    /// Files with people who are not in the release: on them it is tested
    #[arg(long, value_name = "PATH", num_args = 1..)]
    holdout: Vec<PathBuf>,
    /// The policy it was made with, if its [input] is needed to read the originals
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// The column of the items, where several are released
    #[arg(long, value_name = "COLUMN")]
    item: Option<String>,
    /// What is hidden of a held-out person: a random fifth of the items, the last fifth of the events, or what came after one moment for all
    #[arg(long, value_enum, default_value_t = Split::Random)]
    split: Split,
    /// Items in the models, the most popular ones; at most 10,000
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    top: usize,
    /// Regularization of EASE; chosen on training people by default
    #[arg(long, value_name = "X")]
    lambda: Option<f64>,
    /// Seed of the split and of the intervals
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    console: Output,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Split {
    Random,
    Temporal,
    Global,
}

fn main() -> ExitCode {
    common::run(|arguments: &Arguments| arguments.console, |arguments, console| evaluate(&arguments, console))
}

fn evaluate(arguments: &Arguments, console: &Console) -> Result<Summary> {
    let (report, policy) = read_release(&arguments.release)?;
    let originals = Originals::read(arguments, &policy)?;
    let progress = console.progress("Reading", None);
    let held_out = HeldOut::read(arguments, &originals)?;
    let train = held_out.train.as_ref().unwrap_or(&originals.histories);
    let items = train.items();
    let matched = held_out.people.matched_items(&items);
    if matched.1 == 0 {
        return Err(Error::column(
            &originals.item,
            "no item of the held-out people is an item of the originals",
            "check that both have the same kind of identifiers, or name the column with --item",
        ));
    }
    let test = held_out.fold_in(arguments, &items)?;
    progress.label("Training on the originals");
    let mut options = EvaluationOptions { top_items: arguments.top, lambda: arguments.lambda, ..EvaluationOptions::default() };
    options.bootstrap.seed = arguments.seed;
    let (people, predictable) = (test.people(), test.predictable());
    let evaluation = Evaluation::new(&train.interactions(&items)?, test, options)?;
    let mut products = Vec::new();
    for product in &report.products {
        progress.label(format!("Training on {}", product.name));
        products.push(measure(arguments, &policy, product, &originals, &items, &evaluation)?);
    }
    drop(progress);
    let json = json!({
        "release": report.name,
        "item": originals.item,
        "split": format!("{:?}", arguments.split).to_lowercase(),
        "holdout": held_out.description,
        "contaminated": held_out.same_names > 0,
        "people": { "original": originals.histories.people(), "train": train.people(), "test": people, "predictable": predictable,
                    "with_names_of_the_originals": held_out.same_names },
        "items": { "train": items.len(), "holdout": matched.0, "holdout_matched": matched.1, "top": arguments.top },
        "original": { "utility": report_figures(evaluation.original()) },
        "products": products,
    });
    Ok(Summary::new(table(&json), json))
}

fn read_release(folder: &Path) -> Result<(Report, Policy)> {
    let path = folder.join("report.json");
    let text = std::fs::read(&path).map_err(|error| Error::io(&path, error))?;
    let report = serde_json::from_slice(&text).map_err(|error| {
        Error::data(
            path.display().to_string(),
            Some(error.line() as u64),
            "is not a report of a release",
            "give the folder release/ of a run",
        )
    })?;
    Ok((report, Policy::from_path(folder.join("policy.toml"))?))
}

/// The data that the release was made from.
struct Originals {
    input: Input,
    sources: Vec<Arc<dyn Source>>,
    histories: Histories,
    subject: String,
    item: String,
    time: Option<String>,
}

impl Originals {
    fn read(arguments: &Arguments, policy: &Policy) -> Result<Self> {
        let own = arguments.policy.as_ref().map(Policy::from_path).transpose()?;
        let input = own.unwrap_or_else(|| policy.clone()).input.unwrap_or_default();
        let sources = open(&arguments.original, Table::Events, &input)?;
        let subject = policy.subject.as_ref().map(|subject| subject.column.clone()).ok_or_else(|| {
            Error::policy(
                "subject",
                "the policy of the release names no person",
                "only releases about people with several items can train a recommender",
            )
        })?;
        let names: Vec<String> = sources[0].schema().fields().iter().map(|field| field.name().clone()).collect();
        let item = item_column(arguments, policy, &names)?;
        let is_time = |name: &&String| {
            policy.column(Table::Events, name).is_some_and(|column| column.role == Role::Time) && has_times(&sources, name)
        };
        let time = names.iter().find(is_time).cloned();
        let histories = Histories::read(&sources, &subject, &item, time.as_deref())?;
        Ok(Self { input, sources, histories, subject, item, time })
    }
}

/// The column of the items: the one that was asked for, or the only one that is released.
fn item_column(arguments: &Arguments, policy: &Policy, names: &[String]) -> Result<String> {
    if let Some(item) = &arguments.item {
        return Ok(item.clone());
    }
    let declared = policy.products.iter().filter_map(|product| match product {
        Product::Cohorts(product) => product.item.clone(),
        Product::Fragments(product) => product.item.clone(),
        Product::Catalogue(product) => product.item.clone(),
        _ => None,
    });
    let columns: BTreeSet<String> = declared.collect();
    let is_item = |column: &Column| column.role == Role::Item && !column.is_dropped();
    let released = names.iter().filter(|name| policy.column(Table::Events, name).is_some_and(is_item)).cloned();
    let mut columns: Vec<String> = if columns.is_empty() { released.collect() } else { columns.into_iter().collect() };
    match (columns.pop(), columns.is_empty()) {
        (Some(item), true) => Ok(item),
        (None, _) => {
            Err(Error::policy("--item", "the policy of the release has no column of items", "name the column of the originals with --item"))
        }
        (Some(_), false) => Err(Error::policy("--item", "several columns are items", "name the one to be predicted with --item")),
    }
}

/// The people whose items are predicted.
struct HeldOut {
    people: Histories,
    /// The people of the originals without them, where they were taken from there.
    train: Option<Histories>,
    description: String,
    same_names: usize,
}

impl HeldOut {
    fn read(arguments: &Arguments, originals: &Originals) -> Result<Self> {
        if arguments.holdout.is_empty() {
            let (people, train) = originals.histories.split(arguments.seed, 2);
            let description = format!(
                "none: {} people of the originals are predicted. The originals' models are trained without them, but the release was made from them too, so its figures are \
                 optimistic. Give people who are not in the release with --holdout",
                people.people()
            );
            return Ok(Self { same_names: people.people(), people, train: Some(train), description });
        }
        let sources = open(&arguments.holdout, Table::Events, &originals.input)?;
        let time = originals.time.as_deref().filter(|time| has_times(&sources, time));
        let people = Histories::read(&sources, &originals.subject, &originals.item, time)?;
        let same_names = people.same_names(&originals.histories);
        let mut description = format!("{} people from files", people.people());
        if same_names > 0 {
            write!(
                description,
                "; {same_names} of them have the name of somebody in the originals: if they are the same people, the figures are optimistic"
            )
            .map_err(|_| Error::Parameter { name: "holdout", problem: "cannot be described".to_owned() })?;
        }
        Ok(Self { people, train: None, description, same_names })
    }

    fn fold_in(&self, arguments: &Arguments, items: &Items) -> Result<FoldIn> {
        let known = Share::new(0.8)?;
        let timed = || {
            let events = self.people.timed(items);
            if events.iter().all(Vec::is_empty) {
                return Err(Error::policy(
                    "--split",
                    "the held-out people have no times",
                    "use --split random, or give files with the time column",
                ));
            }
            Ok(events)
        };
        match arguments.split {
            Split::Random => Ok(FoldIn::random(&self.people.interactions(items)?, known, arguments.seed)),
            Split::Temporal => FoldIn::temporal(&timed()?, items.len(), known),
            Split::Global => FoldIn::global_temporal(&timed()?, items.len(), known),
        }
    }
}

/// One product: what can be learned from it, how far its figures lie from the originals', or why not.
fn measure(
    arguments: &Arguments,
    policy: &Policy,
    product: &ProductReport,
    originals: &Originals,
    items: &Items,
    evaluation: &Evaluation,
) -> Result<Value> {
    let mut entry = Map::from_iter([("name".to_owned(), json!(product.name)), ("kind".to_owned(), json!(product.kind.name()))]);
    let Some(file) = &product.file else {
        entry.insert("reason".to_owned(), json!("nothing was written"));
        return Ok(entry.into());
    };
    let sources = vec![open_table(Arc::new(PlainFile::new(arguments.release.join(file))), None, None, None)?];
    let declared = policy.products.iter().find(|declared| declared.name() == product.name);
    let is_profiles = matches!(declared, Some(Product::Records(declared)) if declared.source == Table::Profiles);
    let subject = if product.kind == ProductKind::SyntheticHistories { originals.subject.as_str() } else { TOKEN };
    let columns = ProductColumns { item: &originals.item, subject };
    let mut far = Map::new();
    match TrainingProduct::read(product.kind, &sources, columns, items)? {
        Trainable::No(reason) => {
            entry.insert("reason".to_owned(), json!(reason));
        }
        Trainable::Product(read) => {
            entry.insert("items".to_owned(), json!(read.items));
            entry.insert("matched_items".to_owned(), json!(read.matched_items));
            let mut utility = report_figures(&evaluation.product(&read.data)?);
            if let Some(weights) = released_weights(&arguments.release, product)? {
                let model = TrainingProduct::read_weights(&weights, items)?;
                utility.insert("ease-as-released".to_owned(), evaluation.model(&model)?.by_name());
            }
            entry.insert("utility".to_owned(), json!(utility));
            popularity_distances(&read.data, &originals.histories, items, &mut far)?;
            let timed = originals.time.as_deref().filter(|time| has_times(&sources, time) && has_times(&originals.sources, time));
            if let (Some(time), ProductData::People(_)) = (timed, &read.data) {
                let release = Histories::read(&sources, subject, &originals.item, Some(time))?;
                time_distances(&originals.histories.timed(items), &release.timed(items), &mut far)?;
            }
        }
    }
    let others = if is_profiles && !arguments.profiles.is_empty() {
        open(&arguments.profiles, Table::Profiles, &originals.input)?
    } else if is_profiles || !matches!(product.kind, ProductKind::Records | ProductKind::SyntheticHistories) {
        Vec::new()
    } else {
        originals.sources.clone()
    };
    if !others.is_empty() {
        tables(&others, &sources, &[&originals.subject, &originals.item], &mut far)?;
    }
    if !far.is_empty() {
        entry.insert("distances".to_owned(), far.into());
    }
    Ok(entry.into())
}

/// The weights that a co-listening product carries beside its matrix, if it does: `<stem>.ease.<extension>`.
fn released_weights(release: &Path, product: &ProductReport) -> Result<Option<Vec<Arc<dyn Source>>>> {
    let stem = product.file.as_deref().and_then(|file| file.rsplit_once('.'));
    let path = stem.map(|(stem, extension)| release.join(format!("{stem}.ease.{extension}"))).filter(|path| path.is_file());
    if product.kind != ProductKind::CoListening {
        return Ok(None);
    }
    path.map(|path| Ok(vec![open_table(Arc::new(PlainFile::new(path)), None, None, None)?])).transpose()
}

fn popularity_distances(data: &ProductData, histories: &Histories, items: &Items, far: &mut Map<String, Value>) -> Result<()> {
    let people = histories.interactions(items)?;
    let (original, release) = (people.popularity(), data.popularity(items.len())?);
    far.insert("popularity_total_variation".to_owned(), json!(distances::total_variation(&original, &release)?));
    far.insert("popularity_kl".to_owned(), json!(distances::kl_divergence(&original, &release)?));
    far.insert("kept_by_popularity_decile".to_owned(), json!(distances::kept_by_decile(&original, &release)?));
    if let ProductData::People(rows) = data {
        let activity = |rows: &backmask::utility::Interactions| -> Vec<f64> {
            (0..rows.rows())
                .map(|row| rows.items_of(row).len())
                .filter(|items| *items > 0)
                .filter_map(|n| u32::try_from(n).ok().map(f64::from))
                .collect()
        };
        far.insert("activity_kolmogorov_smirnov".to_owned(), json!(distances::kolmogorov_smirnov(&activity(&people), &activity(rows))));
    }
    Ok(())
}

fn time_distances(original: &[Vec<(i64, u32)>], release: &[Vec<(i64, u32)>], far: &mut Map<String, Value>) -> Result<()> {
    let hours = distances::circular_earth_mover(&distances::hours_of_day(original), &distances::hours_of_day(release))?;
    let sessions = distances::kolmogorov_smirnov(
        &distances::session_lengths(original, SESSION_GAP),
        &distances::session_lengths(release, SESSION_GAP),
    );
    far.insert("hour_of_day_earth_mover_hours".to_owned(), json!(hours));
    far.insert("session_length_kolmogorov_smirnov".to_owned(), json!(sessions));
    far.insert(
        "repeat_rate".to_owned(),
        json!({ "original": distances::repeat_rate(original), "release": distances::repeat_rate(release) }),
    );
    Ok(())
}

fn has_times(sources: &[Arc<dyn Source>], column: &str) -> bool {
    sources.iter().all(|source| source.schema().field_with_name(column).is_ok_and(|field| field.data_type().is_temporal()))
}

/// One- and two-way tables of the columns that both have, beside person, item and times.
fn tables(original: &[Arc<dyn Source>], release: &[Arc<dyn Source>], without: &[&String], far: &mut Map<String, Value>) -> Result<()> {
    let names = |sources: &[Arc<dyn Source>]| -> BTreeSet<String> {
        let schema = sources[0].schema();
        let fields = schema.fields().iter().filter(|field| !field.data_type().is_nested() && !field.data_type().is_temporal());
        fields.map(|field| field.name().clone()).collect()
    };
    let shared: Vec<String> = names(original).intersection(&names(release)).filter(|name| !without.contains(name)).cloned().collect();
    if shared.is_empty() {
        return Ok(());
    }
    let found = table_distances(original, release, &shared.iter().map(String::as_str).collect::<Vec<_>>())?;
    far.insert("one_way_total_variation".to_owned(), json!(found.one_way));
    if !found.two_way.is_empty() {
        let two_way: BTreeMap<String, f64> = found.two_way.into_iter().map(|((a, b), distance)| (format!("{a}, {b}"), distance)).collect();
        far.insert("two_way_total_variation".to_owned(), json!(two_way));
    }
    Ok(())
}

/// The figures for people.
fn table(json: &Value) -> String {
    let mut lines = vec![format!("held-out people: {}", json["holdout"].as_str().unwrap_or_default())];
    lines.push(format!(
        "{:<24} {:<11} {:>9} {:>9} {:>11} {:>11}  lift retained",
        "", "", "recall@20", "ndcg@100", "coverage@20", "tail recall"
    ));
    let contaminated = json["contaminated"] == true;
    let mut rows = |name: &str, utility: &Value, optimistic: bool| {
        for (model, figures) in utility.as_object().into_iter().flatten() {
            let number = |name: &str| figures[name].as_f64().map_or_else(|| "–".to_owned(), |value| format!("{value:.4}"));
            let lift = figures["lift_retained"].as_f64().map_or_else(String::new, |lift| {
                let end = |name: &str| figures[name].as_f64().unwrap_or(lift);
                let warning = if optimistic { ", optimistic" } else { "" };
                format!("{lift:.2} ({:.2} to {:.2}{warning})", end("lift_retained_low"), end("lift_retained_high"))
            });
            let columns = [number("recall@20"), number("ndcg@100"), number("coverage@20"), number("tail_recall@20")];
            let [recall, ndcg, coverage, tail] = columns;
            lines.push(format!("{name:<24} {model:<11} {recall:>9} {ndcg:>9} {coverage:>11} {tail:>11}  {lift}"));
        }
    };
    rows("originals", &json["original"]["utility"], false);
    let products = json["products"].as_array().into_iter().flatten();
    for product in products.clone() {
        rows(product["name"].as_str().unwrap_or_default(), &product["utility"], contaminated);
    }
    for product in products.filter(|product| product["reason"].is_string()) {
        lines.push(format!(
            "{} cannot train a recommender: {}",
            product["name"].as_str().unwrap_or_default(),
            product["reason"].as_str().unwrap_or_default()
        ));
    }
    lines.join("\n")
}
