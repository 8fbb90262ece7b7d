//! The section of one product.

use super::charts;
use super::cost;
use super::markup::Markup;
use super::page::bullets;
use crate::policy::{AttackName, ProductKind};
use crate::release::report::measured::Attack;
use crate::release::report::statements::{column_role, parameters, unit};
use crate::release::report::types::{Guarantee, ProductReport, ReferenceUsed, Verified};
use crate::release::report::wording::{count, counted, list, number, percent};

fn kind(kind: ProductKind) -> &'static str {
    match kind {
        ProductKind::Records => "a table of records",
        ProductKind::Cohorts => "taste profiles of groups",
        ProductKind::Fragments => "short pieces of histories",
        ProductKind::Catalogue => "which items exist, with listeners and plays",
        ProductKind::Histogram => "counts, sums, means and quantiles",
        ProductKind::CoListening => "an item by item matrix",
        ProductKind::SyntheticHistories => "events of people who do not exist",
        ProductKind::SyntheticProfiles => "profiles of people who do not exist",
    }
}

pub(super) fn section(main: &mut Markup, product: &ProductReport, limit: f64) {
    main.element("section", &[], |section| {
        section.element("h2", &[], |title| {
            title.text(&format!("Product “{}” ", product.name));
            title.leaf("span", &[("class", "badge kind")], product.kind.name());
        });
        let people = product.subjects.map(|people| format!(", {}", counted(people, "person", "people"))).unwrap_or_default();
        let file = product.file.as_ref().map_or_else(|| "no file was written".to_owned(), Clone::clone);
        section.leaf(
            "p",
            &[("class", "soft")],
            &format!("{} · {file} · {}{people}", kind(product.kind), counted(product.rows, "row", "rows")),
        );
        bullets(section, &product.notes);
        columns(section, product);
        guarantees(section, product);
        estimates(section, product);
        private(section, product);
        pictures(section, product, limit);
        attacks(section, product, limit);
        cost::section(section, product);
        cost::losses(section, product);
        utility(section, product);
        steward(section, product);
    });
}

fn columns(section: &mut Markup, product: &ProductReport) {
    if product.columns.is_empty() {
        return;
    }
    section.leaf("h3", &[], "What each column became");
    let (dropped, kept): (Vec<_>, Vec<_>) = product.columns.iter().partition(|column| column.became == "dropped");
    let rows: Vec<_> = kept
        .into_iter()
        .map(|column| {
            let level = match (column.level, column.highest) {
                (Some(level), Some(highest)) => format!("{level} of {highest}"),
                (Some(level), None) => level.to_string(),
                _ => "–".to_owned(),
            };
            vec![column.name.clone(), column_role(column).to_owned(), column.became.clone(), level]
        })
        .collect();
    if !rows.is_empty() {
        section.table(
            "Level 0 is the value as it was; the highest level says nothing any more.",
            &["Column", "Role", "Became", "#Level"],
            &rows,
        );
    }
    if !dropped.is_empty() {
        let names: Vec<_> = dropped.iter().map(|column| column.name.as_str()).collect();
        section.leaf("p", &[("class", "soft")], &format!("Dropped: {}.", list(&names)));
    }
}

fn verified(verified: Verified) -> &'static str {
    match verified {
        Verified::Release => "from the released file alone",
        Verified::ReleaseAndPool => "from the released file and the pool",
        Verified::Unverifiable => "by how it was made; no file can show it",
    }
}

fn achieved(guarantee: &Guarantee) -> String {
    match guarantee.achieved {
        Some(value) if guarantee.stated_as_bound => format!("as declared ({})", number(value)),
        Some(value) => number(value),
        None => "–".to_owned(),
    }
}

fn guarantees(section: &mut Markup, product: &ProductReport) {
    section.leaf("h3", &[], "Guarantees");
    if product.guarantees.is_empty() {
        section.leaf("p", &[], "None. Only the attacks below say anything about this product.");
        return;
    }
    let compares = product.guarantees.iter().any(|guarantee| guarantee.reference.is_some());
    let rows: Vec<_> = product
        .guarantees
        .iter()
        .map(|guarantee| {
            let mut cells = vec![
                guarantee.model.clone(),
                parameters(guarantee),
                achieved(guarantee),
                unit(guarantee.unit).to_owned(),
                if guarantee.holds { "✓\u{a0}holds" } else { "✗\u{a0}fails" }.to_owned(),
                verified(guarantee.verified).to_owned(),
            ];
            if compares {
                cells.push(reference(guarantee.reference).to_owned());
            }
            cells
        })
        .collect();
    let mut heads = vec!["Model", "Declared", "#Achieved", "Counts", "~Result", "Checked"];
    heads.extend(compares.then_some("Compared with"));
    section.table("Promises about the file, counted again from what was written. Only “people” protects a whole person.", &heads, &rows);
}

fn reference(reference: Option<ReferenceUsed>) -> &'static str {
    match reference {
        Some(ReferenceUsed::Released) => "the released rows",
        Some(ReferenceUsed::Fit) => "the table before suppression",
        None => "–",
    }
}

fn estimates(section: &mut Markup, product: &ProductReport) {
    if product.estimates.is_empty() {
        return;
    }
    section.leaf("h3", &[], "Estimates");
    let rows: Vec<_> = product
        .estimates
        .iter()
        .map(|estimate| {
            let end = |end: Option<f64>| end.map_or_else(|| "–".to_owned(), number);
            vec![of_estimate(&estimate.model).to_owned(), number(estimate.value), end(estimate.low), end(estimate.high)]
        })
        .collect();
    section.table("About people outside the data: models say so, nobody promises it.", &["Model", "#Value", "#Low", "#High"], &rows);
    // Shares can be drawn on one scale.
    let shares = product.estimates.iter().all(|estimate| (0.0..=1.0).contains(&estimate.value));
    if shares {
        section.element("div", &[("class", "charts")], |all| {
            all.element("figure", &[], |figure| {
                charts::intervals(figure, &product.estimates);
                figure.leaf("figcaption", &[], "Dots are estimates, lines their intervals.");
            });
        });
    }
}

/// What the figure of an estimate is.
fn of_estimate(model: &str) -> &str {
    match model {
        "k-map" => "k-map: people of the population in the class that has fewest",
        "population-uniqueness" => "population-uniqueness: share of the population",
        other => other,
    }
}

fn private(section: &mut Markup, product: &ProductReport) {
    if let Some(loss) = &product.privacy_loss {
        let mu = loss.mu.map_or_else(|| "does not apply".to_owned(), number);
        section.leaf("h3", &[], "Privacy loss");
        section.facts(&[("ε", number(loss.epsilon)), ("δ", number(loss.delta)), ("μ", mu)]);
    }
    if let Some(bounds) = &product.bounds {
        section.table(
            "What these parameters bound, whatever the attacker knows.",
            &["Attack", "#At most"],
            &[
                vec!["naming one person among those who could be in the pool".to_owned(), percent(bounds.reidentification)],
                vec!["membership found, with one false alarm in a thousand".to_owned(), percent(bounds.tpr_at_fpr)],
                vec!["belief in membership, from one half".to_owned(), percent(bounds.posterior)],
            ],
        );
    }
}

fn pictures(section: &mut Markup, product: &ProductReport, limit: f64) {
    if product.class_sizes.is_none() && product.unicity.is_empty() {
        return;
    }
    cost::classes(section, product);
    cost::population(section, product);
    section.element("div", &[("class", "charts")], |charts| {
        if let Some(sizes) = &product.class_sizes {
            charts.element("figure", &[], |figure| {
                charts::class_sizes(figure, sizes, product.group_size());
                let caption = match product.kind {
                    ProductKind::Cohorts => "How many people share a cohort: the further to the right, the better hidden.",
                    _ => "How many people look alike: the further to the right, the better hidden.",
                };
                figure.leaf("figcaption", &[], caption);
            });
        }
        if !product.unicity.is_empty() {
            charts.element("figure", &[], |figure| {
                charts::unicity(figure, &product.unicity, limit);
                figure.leaf("figcaption", &[], "People who are alone with what an attacker knows. Whiskers reach to the upper bound.");
            });
        }
    });
}

fn attacks(section: &mut Markup, product: &ProductReport, limit: f64) {
    let Some(attacks) = &product.attacks else { return };
    section.leaf("h3", &[], "Attacks we ran");
    if attacks.is_empty() {
        section.leaf("p", &[], "None: the policy asks for no attack on this product.");
        return;
    }
    let raw = attacks.iter().any(|attack| attack.original_rate.is_some());
    let baseline = attacks.iter().any(|attack| attack.baseline.is_some());
    // Elsewhere the baseline is a blind guess, and the excess says nothing more than the rate.
    let excess =
        attacks.iter().any(|attack| attack.excess.is_some() && matches!(attack.name, AttackName::Attribute | AttackName::Membership));
    let tenths = attacks.iter().any(|attack| !attack.deciles.is_empty());
    section.element("div", &[("class", "scroll")], |outer| {
        outer.element("table", &[], |table| {
            table.leaf("caption", &[], "Measured, not promised. “At the gate” is what the limit is compared with; bars show each tenth of the people, from the most ordinary to the rarest, against the limit.");
            table.element("thead", &[], |head| {
                head.element("tr", &[], |row| {
                    row.leaf("th", &[("scope", "col")], "Attack");
                    let mut numbers = vec!["Attempts", "Succeeded", "Upper bound"];
                    numbers.extend(baseline.then_some("Baseline"));
                    numbers.extend(excess.then_some("Excess"));
                    numbers.extend(raw.then_some("On the pool"));
                    numbers.push("At the gate");
                    for title in numbers {
                        row.leaf("th", &[("scope", "col"), ("class", "n")], title);
                    }
                    if tenths {
                        row.leaf("th", &[("scope", "col")], "By tenth");
                    }
                });
            });
            table.element("tbody", &[], |body| {
                for attack in attacks {
                    body.element("tr", &[], |row| attack_row(row, attack, [baseline, excess, raw, tenths], limit));
                }
            });
        });
    });
    let promised = product.guarantees.iter().any(|guarantee| guarantee.holds);
    section.leaf(
        "p",
        &[("class", "remark")],
        if attacks.iter().all(|attack| attack.not_run.is_some()) {
            "No attack was run: nothing was measured. Guaranteed is what the table of guarantees says, and no more."
        } else if promised {
            "The strongest attack we ran is not the strongest there is: a better attacker may do better. Guaranteed regardless of the attacker is what the table of guarantees says, and no more."
        } else {
            "The strongest attack we ran is not the strongest there is: a better attacker may do better, and nothing is guaranteed regardless."
        },
    );
}

fn attack_row(row: &mut Markup, attack: &Attack, [baseline, excess, raw, tenths]: [bool; 4], limit: f64) {
    let columns = (!attack.columns.is_empty()).then(|| attack.columns.join(" + "));
    let known = attack.known.filter(|_| columns.is_none()).map(|known| format!("{} known", count(known)));
    let details: Vec<_> = [known, columns, attack.column.clone(), attack.knowledge.clone()].into_iter().flatten().collect();
    row.element("th", &[("scope", "row")], |cell| {
        cell.text(attack.name.name());
        if !details.is_empty() {
            cell.leaf("span", &[("class", "detail")], &details.join(" · "));
        }
    });
    if let Some(reason) = &attack.not_run {
        let columns = (4 + [baseline, excess, raw, tenths].into_iter().map(usize::from).sum::<usize>()).to_string();
        row.leaf("td", &[("colspan", &columns)], &format!("not run: {reason}"));
        return;
    }
    let share = |share: Option<f64>| share.filter(|share| share.is_finite()).map_or_else(|| "–".to_owned(), percent);
    let attempts = attack.trials.map_or_else(|| "–".to_owned(), count);
    row.leaf("td", &[("class", "n")], &if attack.exact { format!("all {attempts}") } else { attempts });
    row.leaf("td", &[("class", "n")], &share(attack.rate));
    row.leaf("td", &[("class", "n")], &if attack.exact { "exact".to_owned() } else { share(attack.upper) });
    if baseline {
        row.leaf("td", &[("class", "n")], &share(attack.baseline));
    }
    if excess {
        row.leaf("td", &[("class", "n")], &share(attack.excess));
    }
    if raw {
        row.leaf("td", &[("class", "n")], &share(attack.original_rate));
    }
    row.element("td", &[("class", "n")], |cell| {
        let over = attack.gate_value.is_some_and(|value| value > limit);
        cell.leaf("span", &[("class", if over { "badge bad" } else { "badge" })], &share(attack.gate_value));
    });
    if tenths {
        row.element("td", &[], |cell| {
            if !attack.deciles.is_empty() {
                charts::deciles(cell, &attack.deciles, limit);
            }
        });
    }
}

fn utility(section: &mut Markup, product: &ProductReport) {
    let Some(models) = product.utility.as_ref().filter(|models| !models.is_empty()) else { return };
    section.leaf("h3", &[], "What it is still good for");
    let rows: Vec<_> = models
        .iter()
        .flat_map(|(model, figures)| figures.iter().map(move |(metric, value)| vec![format!("{model}: {metric}"), number(*value)]))
        .collect();
    section.table("Models trained on the product, tested on people who are not in it.", &["Figure", "#Value"], &rows);
}

fn steward(section: &mut Markup, product: &ProductReport) {
    if let Some(people) = product.control_people {
        section.leaf(
            "p",
            &[("class", "soft")],
            &format!("{} set aside as a control group and not released.", counted(people, "person was", "people were")),
        );
    }
    bullets(section, &product.steward_notes);
}
