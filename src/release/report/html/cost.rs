//! What a product cost: classes before and after, what was left out, every metric, every column.

use super::charts;
use super::markup::Markup;
use crate::policy::ProductKind;
use crate::release::report::types::{ProductReport, QualityReport};
use crate::release::report::wording::{count, number, percent};
use serde_json::Value;
use std::collections::BTreeMap;

/// Figures of the classes, in the pool (if known) and in the release.
pub(super) fn classes(section: &mut Markup, product: &ProductReport) {
    let Some(sizes) = &product.class_sizes else { return };
    let cohorts = product.kind == ProductKind::Cohorts;
    section.leaf("h3", &[], if cohorts { "Sizes of the cohorts" } else { "Who looks alike" });
    let after = figures(&sizes.after, product.group_size());
    let rows: Vec<Vec<String>> = match &sizes.before {
        Some(before) => {
            let before = figures(before, product.group_size());
            after.into_iter().zip(before).map(|((name, after), (_, before))| vec![name, before, after]).collect()
        }
        None => after.into_iter().map(|(name, after)| vec![name, after]).collect(),
    };
    let rows: Vec<Vec<String>> = if cohorts { rows.into_iter().map(of_cohorts).collect() } else { rows };
    let heads: &[&str] = if sizes.before.is_some() { &["Figure", "#Pool", "#Release"] } else { &["Figure", "#Release"] };
    let caption = if cohorts {
        "The risks are those of somebody who knows in which cohort a person is, and guesses which of its people it is."
    } else {
        "A class is all people with the same values in the columns that others may know. The risks are those of somebody who knows these values of one row and that the person is in the table."
    };
    section.table(caption, heads, &rows);
}

/// A line about classes in words of cohorts.
fn of_cohorts(mut cells: Vec<String>) -> Vec<String> {
    if let Some(name) = cells.first_mut() {
        *name = name.replace("Classes", "Cohorts").replace("classes", "cohorts").replace("class", "cohort");
    }
    cells
}

/// What a product of whole histories does not show of the pool, for the steward.
pub(super) fn losses(section: &mut Markup, product: &ProductReport) {
    let Some(losses) = &product.losses else { return };
    section.leaf("h3", &[], "What is not shown");
    let rows: Vec<Vec<String>> = losses.reasons.iter().map(|loss| vec![loss.reason.clone(), count(loss.count)]).collect();
    if rows.is_empty() {
        section.leaf("p", &[], "Everything of the pool is shown.");
    } else {
        section.table("What was left out, and why.", &["Reason", "#Number"], &rows);
    }
    let rows: Vec<Vec<String>> = losses
        .popularity
        .iter()
        .map(|tenth| {
            let share = if tenth.rows == 0 { 0.0 } else { charts::real(tenth.kept) / charts::real(tenth.rows) };
            vec![format!("up to {}", count(tenth.most_people)), count(tenth.items), count(tenth.rows), count(tenth.kept), percent(share)]
        })
        .collect();
    if !rows.is_empty() {
        section.table(
            "How much is kept of rare and of popular items: each line is about a tenth of all pairs of a person and an item of the pool.",
            &["People with the item", "#Items", "#Pairs in the pool", "#Shown", "#Share"],
            &rows,
        );
    }
}

/// What adversaries achieve who know the population.
pub(super) fn population(section: &mut Markup, product: &ProductReport) {
    let Some(risk) = &product.population_risk else { return };
    let at_risk = format!("#Above {}", percent(risk.threshold));
    let row = |name: &str, [highest, average, above]: [Option<f64>; 3]| {
        let cell = |figure: Option<f64>| figure.map_or_else(|| "–".to_owned(), percent);
        vec![name.to_owned(), cell(highest), cell(average), cell(above)]
    };
    let rows = [
        row("Prosecutor", [Some(risk.prosecutor_highest), Some(risk.prosecutor_average), Some(risk.prosecutor_at_risk)]),
        row("Journalist", [Some(risk.journalist_highest), Some(risk.journalist_average), Some(risk.journalist_at_risk)]),
        row("Marketer", [None, Some(risk.marketer), None]),
    ];
    section.table(
        "The chance to guess right by the sizes of classes. The prosecutor knows that the target is in the release, the journalist only that the target is in the population; the marketer guesses everybody.",
        &["Adversary", "#Highest", "#Average", &at_risk],
        &rows,
    );
}

/// Figures of a distribution of class sizes, with their names.
fn figures(sizes: &[(u64, u64)], k: Option<u64>) -> Vec<(String, String)> {
    let classes = sizes.iter().fold(0_u64, |sum, (_, classes)| sum.saturating_add(*classes));
    let people = sizes.iter().fold(0_u64, |sum, (size, classes)| sum.saturating_add(size.saturating_mul(*classes)));
    let smallest = sizes.iter().map(|(size, _)| *size).min();
    let largest = sizes.iter().map(|(size, _)| *size).max();
    let or_none = |figure: Option<String>| figure.unwrap_or_else(|| "–".to_owned());
    let mut rows = vec![
        ("Classes".to_owned(), count(classes)),
        ("Smallest class".to_owned(), or_none(smallest.map(count))),
        ("Average class".to_owned(), or_none((classes > 0).then(|| format!("{:.1}", charts::real(people) / charts::real(classes))))),
        ("Largest class".to_owned(), or_none(largest.map(count))),
    ];
    if let Some(k) = k {
        let few = sizes
            .iter()
            .filter(|(size, _)| *size < k)
            .fold(0_u64, |sum, (size, classes)| sum.saturating_add(size.saturating_mul(*classes)));
        let share = (people > 0).then(|| percent(charts::real(few) / charts::real(people)));
        rows.push((format!("People in classes of fewer than {k}"), or_none(share)));
    }
    let highest = smallest.filter(|&size| size > 0).map(|size| percent(1.0 / charts::real(size)));
    rows.push(("Highest risk (prosecutor)".to_owned(), or_none(highest)));
    let average = (people > 0).then(|| percent(charts::real(classes) / charts::real(people)));
    rows.push(("Average risk (marketer)".to_owned(), or_none(average)));
    rows
}

/// What was left out, what the search found, and the information that was lost.
pub(super) fn section(section: &mut Markup, product: &ProductReport) {
    let mut facts: Vec<(&str, String)> = Vec::new();
    if let Some(done) = &product.transformation {
        facts.push(("Rows left out", count(done.suppressed_rows)));
        facts.push(("People left out", count(done.suppressed_subjects)));
        if done.equivalence_classes > 0 {
            facts.push(("Classes", count(done.equivalence_classes)));
            facts.push(("Average class", format!("{:.1}", done.average_class_size)));
        }
    }
    if let Some(quality) = &product.quality {
        facts.push(("Minimized", minimized(quality)));
    }
    if let Some(search) = &product.search {
        let proved = if search.optimal { "proved to be the best" } else { "not proved to be the best" };
        facts.push(("Search", format!("{} of {} transformations checked, {proved}", count(search.checked), count(search.nodes))));
        if let Some(seconds) = search.seconds {
            facts.push(("Search time", format!("{seconds:.2} s")));
        }
    }
    if facts.is_empty() {
        return;
    }
    section.leaf("h3", &[], "What it cost");
    section.facts(&facts);
    if let Some(quality) = product.quality.as_ref().filter(|quality| !quality.all.is_empty()) {
        metrics(section, quality);
    }
}

fn minimized(quality: &QualityReport) -> String {
    let value = match &quality.value {
        Value::Number(value) => value.as_f64().map_or_else(|| value.to_string(), number),
        Value::Array(values) => values.iter().filter_map(Value::as_f64).map(number).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    };
    let name = |value: Result<Value, _>| -> String { value.ok().as_ref().and_then(Value::as_str).unwrap_or("–").to_owned() };
    let metric = name(serde_json::to_value(quality.metric));
    let aggregate = name(serde_json::to_value(quality.aggregate));
    format!("{metric} ({aggregate}): {value}")
}

/// Figures of single columns are called `figure.column`.
const OF_COLUMNS: [(&str, &str); 4] =
    [("loss", "#Loss"), ("generalization-intensity", "#Intensity"), ("normalized-entropy", "#Entropy"), ("missing", "#Missing")];

fn metrics(section: &mut Markup, quality: &QualityReport) {
    let mut columns: BTreeMap<&str, BTreeMap<&str, f64>> = BTreeMap::new();
    let mut rows = Vec::new();
    for (name, value) in &quality.all {
        match name.split_once('.') {
            Some((figure, column)) if OF_COLUMNS.iter().any(|(known, _)| *known == figure) => {
                columns.entry(column).or_default().insert(figure, *value);
            }
            // The rest of the loss to one.
            Some(("granularity", _)) => {}
            // How large classes are is told above.
            _ if ["smallest-class", "median-class", "largest-class"].contains(&name.as_str()) => {}
            _ => rows.push(vec![name.clone(), number(*value)]),
        }
    }
    let losses: Vec<(&str, f64)> = columns.iter().filter_map(|(column, figures)| Some((*column, *figures.get("loss")?))).collect();
    if !losses.is_empty() {
        section.element("div", &[("class", "charts")], |all| {
            all.element("figure", &[], |figure| {
                charts::losses(figure, &losses);
                figure.leaf("figcaption", &[], "Information lost in each column: 0 % is as it was, 100 % says nothing any more.");
            });
        });
    }
    if !columns.is_empty() {
        let shown: Vec<_> = OF_COLUMNS.iter().filter(|(figure, _)| columns.values().any(|figures| figures.contains_key(figure))).collect();
        let heads: Vec<&str> = std::iter::once("Column").chain(shown.iter().map(|(_, head)| *head)).collect();
        let cells: Vec<_> = columns
            .iter()
            .map(|(column, figures)| {
                let figure = |name: &str| figures.get(name).map_or_else(|| "–".to_owned(), |value| percent(*value));
                std::iter::once((*column).to_owned()).chain(shown.iter().map(|(name, _)| figure(name))).collect()
            })
            .collect();
        section.table("Each column by several measures; 0 % is as it was.", &heads, &cells);
    }
    if !rows.is_empty() {
        section.table("The same result under every metric; lower is better.", &["Metric", "#Value"], &rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_of_classes_by_hand() {
        // Ten people alone and one class of thirty.
        let figures = figures(&[(1, 10), (30, 1)], Some(12));
        let values: Vec<&str> = figures.iter().map(|(_, value)| value.as_str()).collect();
        assert_eq!(values, ["11", "1", "3.6", "30", "25 %", "100 %", "27.5 %"]);
    }

    #[test]
    fn no_class_at_all() {
        for sizes in [&[][..], &[(0, 3)], &[(u64::MAX, u64::MAX)]] {
            assert!(figures(sizes, Some(3)).iter().all(|(_, value)| !value.contains("NaN") && !value.contains("inf")), "{sizes:?}");
        }
    }

    #[test]
    fn columns_with_points_in_their_names_stay_whole() {
        let all = [("loss.a.b".to_owned(), 0.25), ("loss".to_owned(), 0.2), ("smallest-class".to_owned(), 7.0)].into();
        let mut markup = Markup::default();
        metrics(&mut markup, &QualityReport { all, ..QualityReport::default() });
        let page = markup.finish();
        assert!(page.contains(">a.b</th>") && page.contains(">25 %</td>") && !page.contains("smallest-class"), "{page}");
    }
}
