//! The page around the products.

use super::markup::Markup;
use super::product;
use crate::policy::{GateOn, Period, PseudonymMethod, Scope, TokenFormat};
use crate::release::report::audience::Audience;
use crate::release::report::statements::{self, Verdict};
use crate::release::report::types::{Pseudonym, Report};
use crate::release::report::wording::{count, counted, number, percent};

const STYLE: &str = include_str!("style.css");

pub(super) fn page(report: &Report, audience: Audience) -> String {
    let reader = match audience {
        Audience::Steward => "Steward’s report",
        Audience::Recipient => "Recipient’s report",
    };
    let mut page = Markup::default();
    page.constant("<!DOCTYPE html>");
    page.element("html", &[("lang", "en")], |html| {
        html.element("head", &[], |head| {
            head.constant("<meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"referrer\" content=\"no-referrer\">");
            head.leaf("title", &[], &format!("{} – {reader}", report.name));
            head.element("style", &[], |style| {
                style.constant(STYLE);
            });
        });
        html.element("body", &[], |body| {
            accepted(body, report);
            header(body, report, audience, reader);
            body.element("main", &[], |main| {
                verdict(main, report);
                went_in(main, report, audience);
                for one in &report.products {
                    product::section(main, one, report.gate.max_risk);
                }
                pseudonyms(main, report);
                limits(main, report);
                loss(main, report);
                integrity(main, report);
                words(main);
            });
            body.element("footer", &[], |footer| {
                footer.text(&format!("Made by backmask {} on {}. This page holds everything it shows; it loads nothing.", report.version, report.created));
            });
        });
    });
    let mut text = page.finish();
    text.push('\n');
    text
}

/// The first line of the page.
fn accepted(body: &mut Markup, report: &Report) {
    if report.accepted_risks.is_empty() {
        return;
    }
    let products: Vec<_> =
        report.products.iter().filter_map(|product| product.accepted_risk.as_ref().map(|reason| (product, reason))).collect();
    body.element("div", &[("class", "accepted"), ("role", "note")], |note| {
        note.element("div", &[("class", "top")], |top| {
            for reason in &report.accepted_risks {
                let of: Vec<_> = products.iter().filter(|(_, given)| *given == reason).map(|(product, _)| product.name.as_str()).collect();
                let of = if of.is_empty() { String::new() } else { format!(" ({})", of.join(", ")) };
                top.leaf("p", &[], &format!("Accepted risk{of}: {reason}"));
            }
        });
    });
}

fn header(body: &mut Markup, report: &Report, audience: Audience, reader: &str) {
    body.element("header", &[("class", "top")], |header| {
        let keep = match audience {
            Audience::Steward => "keep apart from the release: it holds what was measured on the pool",
            Audience::Recipient => "goes with the release",
        };
        header.leaf("p", &[("class", "kicker")], &format!("{reader} · {keep}"));
        header.leaf("h1", &[], &report.name);
        let mut facts = Vec::new();
        if !report.purpose.is_empty() {
            facts.push(("Purpose", report.purpose.clone()));
        }
        if !report.recipient.is_empty() {
            facts.push(("Recipient", report.recipient.clone()));
        }
        facts.push(("Made", report.created.clone()));
        facts.push(("Software", format!("backmask {}", report.version)));
        if report.reproducible {
            facts.push(("Random choices", "seeded by the caller: they can be repeated".to_owned()));
        }
        header.facts(&facts);
    });
}

fn verdict(main: &mut Markup, report: &Report) {
    let gate = &report.gate;
    let found = statements::verdict(report);
    let class = if found == Verdict::Passed { "verdict" } else { "verdict refused" };
    main.element("section", &[("class", class)], |section| {
        section.element("h2", &[], |title| {
            title.text("The gate’s verdict ");
            let (class, words) = match found {
                Verdict::Passed => ("badge", "passed"),
                Verdict::Refused => ("badge bad", "refused"),
                Verdict::Accepted => ("badge bad", "over the limit, risk accepted"),
            };
            title.leaf("span", &[("class", class)], words);
        });
        let whose = match gate.on {
            GateOn::WorstDecile => "the worst tenth of the people",
            GateOn::Mean => "the mean over all people",
        };
        let confidence =
            gate.confidence.map(|confidence| format!(", upper bounds at {} confidence", percent(confidence))).unwrap_or_default();
        section.leaf("p", &[("class", "soft")], &format!("Limit {} for {whose}{confidence}.", percent(gate.max_risk)));
        bullets(section, &gate.reasons);
        section.element("div", &[("class", "tiles")], |tiles| {
            for (figure, words) in tiles_of(report) {
                tiles.element("div", &[("class", "tile")], |tile| {
                    tile.leaf("b", &[], &figure).leaf("span", &[], &words);
                });
            }
        });
        section.leaf("h3", &[], "In plain words");
        bullets(section, &report.statements);
        if let Some(refusals) = report.refusals.filter(|refusals| *refusals > 0) {
            section.leaf(
                "p",
                &[("class", "soft")],
                &format!(
                    "The gate refused {} of this pool before. Refusals are counted, because trying until it passes is a risk of its own.",
                    counted(refusals, "release", "releases")
                ),
            );
        }
    });
}

fn tiles_of(report: &Report) -> Vec<(String, String)> {
    let mut tiles = vec![(count(report.products.len() as u64), if report.products.len() == 1 { "product" } else { "products" }.to_owned())];
    if let Some(people) = report.products.iter().filter_map(|product| product.subjects).max() {
        tiles.push((count(people), "people in the largest product".to_owned()));
    }
    if let Some(k) = report.products.iter().filter_map(crate::release::report::ProductReport::k).min() {
        tiles.push((count(k), "people at least look alike (k)".to_owned()));
    }
    if let Some(loss) = &report.privacy_loss {
        tiles.push((format!("ε {}", number(loss.loss.epsilon)), "spent by this release".to_owned()));
    }
    let worst = report.products.iter().filter_map(|product| product.strongest_attack()?.gate_value).reduce(f64::max);
    if let Some(worst) = worst {
        tiles.push((percent(worst), "strongest attack we ran, as the gate counts it".to_owned()));
    }
    tiles.push((percent(report.gate.max_risk), "limit of the gate".to_owned()));
    tiles
}

pub(super) fn bullets(section: &mut Markup, sentences: &[String]) {
    if sentences.is_empty() {
        return;
    }
    section.element("ul", &[], |list| {
        for sentence in sentences {
            list.leaf("li", &[], sentence);
        }
    });
}

fn went_in(main: &mut Markup, report: &Report, audience: Audience) {
    if audience == Audience::Recipient {
        return;
    }
    main.element("section", &[], |section| {
        section.leaf("h2", &[], "What went in");
        let inputs = report.inputs.as_deref().unwrap_or_default();
        let rows: Vec<_> =
            inputs.iter().map(|input| vec![input.path.clone(), count(input.rows), count(input.subjects), input.sha256.clone()]).collect();
        section.table("Input files. People are counted once in each file.", &["File", "#Rows", "#People", "SHA-256"], &rows);
        let excluded = report.excluded.as_deref().unwrap_or_default();
        if excluded.is_empty() {
            section.leaf("p", &[], "No row was left out before the treatment of columns.");
        } else {
            let rows: Vec<_> = excluded.iter().map(|excluded| vec![excluded.reason.clone(), count(excluded.rows)]).collect();
            section.table("Left out before anything else.", &["Reason", "#Rows"], &rows);
        }
        let seconds = report.seconds.unwrap_or_default();
        if report.seconds.is_some() {
            let time = |seconds: f64| format!("{seconds:.2} s");
            section.leaf("h3", &[], "Time spent");
            section.facts(&[
                ("Reading", time(seconds.read)),
                ("Fitting", time(seconds.fit)),
                ("Writing", time(seconds.write)),
                ("Measuring and attacking", time(seconds.assess)),
            ]);
        }
    });
}

fn method(method: PseudonymMethod) -> &'static str {
    match method {
        PseudonymMethod::Blake3 => "keyed BLAKE3, 128 bits",
        PseudonymMethod::HmacSha256 => "HMAC-SHA-256, 128 bits",
        PseudonymMethod::AesSiv => "AES-SIV (encryption)",
        PseudonymMethod::AesBlock => "AES block (encryption)",
        PseudonymMethod::Ff1 => "FF1 (format-preserving encryption)",
        PseudonymMethod::Dense => "random numbers 0…n−1",
    }
}

fn scope(pseudonym: &Pseudonym) -> String {
    match pseudonym.scope {
        Scope::Product => "one product: tokens of two products cannot be joined".to_owned(),
        Scope::Release => "this release: its products can be joined".to_owned(),
        Scope::Recipient => "all releases to this recipient: they can be joined".to_owned(),
        Scope::Period => match pseudonym.period {
            Some(Period::Day) => "one day: a person has another token every day".to_owned(),
            Some(Period::Week) => "one week: a person has another token every week".to_owned(),
            Some(Period::Month) => "one month: a person has another token every month".to_owned(),
            Some(Period::Days(days)) => format!("{}: then a person gets another token", counted(u64::from(days), "day", "days")),
            _ => "one period of time: then a person gets another token".to_owned(),
        },
        Scope::Session => match pseudonym.session_gap {
            Some(minutes) => {
                format!(
                    "one session: after {} without an event a person gets another token",
                    counted(u64::from(minutes), "minute", "minutes")
                )
            }
            None => "one session: in the next a person has another token".to_owned(),
        },
        Scope::Fragment => "one fragment".to_owned(),
        Scope::None => "no tokens: the column is dropped".to_owned(),
    }
}

fn format_of(format: Option<TokenFormat>) -> &'static str {
    match format {
        Some(TokenFormat::Hex) => "hexadecimal digits",
        Some(TokenFormat::Base32) => "Base32",
        Some(TokenFormat::Binary) => "bytes (hexadecimal digits in text formats)",
        Some(TokenFormat::Int64) => "signed integers",
        Some(TokenFormat::Uint64) => "unsigned integers",
        Some(TokenFormat::Input) => "in the form of the values",
        _ => "–",
    }
}

fn reversibility(pseudonym: &Pseudonym) -> &'static str {
    if pseudonym.scope == Scope::None {
        return "There is nothing to reverse.";
    }
    match (pseudonym.reversible, pseudonym.reproducible, pseudonym.method) {
        (true, _, PseudonymMethod::Dense) => "The holder of the codebook and of the key file can turn a number back into the value.",
        (true, _, _) => "The holder of the key file can turn a token back into the value.",
        (false, true, PseudonymMethod::Dense) => {
            "A number alone cannot be turned back. The holder of the key file and of a list of the people can number the list again."
        }
        (false, true, _) => "Tokens cannot be turned back. The holder of the key file can make the token of a value they already know.",
        (false, false, _) if pseudonym.irreversible => {
            "Tokens cannot be turned back or made again by anybody: random bits of the key were used and forgotten."
        }
        (false, false, _) => {
            "Tokens cannot be turned back or made again by anybody: the key was made from random bits, used and forgotten."
        }
    }
}

fn pseudonyms(main: &mut Markup, report: &Report) {
    if report.pseudonyms.is_empty() {
        return;
    }
    main.element("section", &[], |section| {
        section.leaf("h2", &[], "Pseudonyms");
        let rows: Vec<_> = report
            .pseudonyms
            .iter()
            .map(|pseudonym| {
                let key = pseudonym.key_id.as_ref().map(|id| format!(" Key file {id}.")).unwrap_or_default();
                vec![
                    pseudonym.product.as_ref().map_or_else(|| pseudonym.column.clone(), |product| format!("{} in {product}", pseudonym.column)),
                    format!("{}; written as {}", method(pseudonym.method), format_of(pseudonym.format)),
                    scope(pseudonym),
                    pseudonym.distinct.map_or_else(|| "–".to_owned(), count),
                    pseudonym.collision_probability.map_or_else(|| "none".to_owned(), number),
                    format!("{}{key}", reversibility(pseudonym)),
                ]
            })
            .collect();
        section.table(
            "A token alone protects nobody: it only keeps names out of the file. Clashes: the probability that any two values share a token.",
            &["Column", "Method", "Same token within", "#Tokens", "#Clashes", "Reversal"],
            &rows,
        );
        let warnings: Vec<String> = report
            .pseudonyms
            .iter()
            .filter_map(|pseudonym| Some(format!("{}: {}", pseudonym.column, pseudonym.warning.as_ref()?)))
            .collect();
        if !warnings.is_empty() {
            bullets(section, &warnings);
        }
    });
}

fn limits(main: &mut Markup, report: &Report) {
    main.element("section", &[], |section| {
        section.leaf("h2", &[], "What is not protected");
        bullets(section, &report.limits);
    });
}

fn loss(main: &mut Markup, report: &Report) {
    let Some(loss) = &report.privacy_loss else { return };
    main.element("section", &[], |section| {
        section.leaf("h2", &[], "Privacy loss of the release");
        let mu = loss.loss.mu.map_or_else(|| "does not apply".to_owned(), number);
        section.facts(&[("ε", number(loss.loss.epsilon)), ("δ", number(loss.loss.delta)), ("μ", mu)]);
        let names: std::collections::BTreeSet<_> = loss.ledger.spent.keys().chain(loss.ledger.remaining.keys()).collect();
        let figure =
            |map: &std::collections::BTreeMap<String, f64>, name: &str| map.get(name).copied().map_or_else(|| "–".to_owned(), number);
        let rows: Vec<_> = names
            .into_iter()
            .map(|name| vec![name.clone(), figure(&loss.ledger.spent, name), figure(&loss.ledger.remaining, name)])
            .collect();
        if !rows.is_empty() {
            section.table("The pool’s ledger after this release.", &["Parameter", "#Spent", "#Remaining"], &rows);
        }
    });
}

fn integrity(main: &mut Markup, report: &Report) {
    main.element("section", &[], |section| {
        section.leaf("h2", &[], "Hashes");
        section.leaf("p", &[], "Every file can be checked against its hash, and every guarantee marked “release” can be counted again from the files alone (example binary “verify”).");
        let rows: Vec<_> = report
            .products
            .iter()
            .filter_map(|product| Some(vec![product.file.clone()?, product.sha256.clone().unwrap_or_else(|| "–".to_owned())]))
            .collect();
        if !rows.is_empty() {
            section.table("SHA-256 of the released files.", &["File", "SHA-256"], &rows);
        }
        if !report.input_commitment.is_empty() {
            section.element("p", &[("class", "soft")], |line| {
                line.text("Keyed commitment over all inputs: ").leaf("code", &[], &report.input_commitment);
            });
        }
    });
}

fn words(main: &mut Markup) {
    main.element("section", &[], |section| {
        section.leaf("h2", &[], "Words used here");
        section.element("dl", &[("class", "wide")], |list| {
            for (term, meaning) in [
                ("person (subject)", "whom the release protects. Every number that backs a guarantee counts people, unless its unit says otherwise."),
                ("class", "the rows that agree on every column an outsider may know (the quasi-identifiers)."),
                ("guarantee", "a property of the files, true whatever the attacker does with the knowledge it names."),
                ("attack", "what we tried on the release. Its rate is a measurement, its upper bound allows for sampling error, and neither is a promise."),
                ("baseline", "what a blind guess achieves, or, for attributes and membership, the same attack on people who are not in the release; only what exceeds it is caused by the release."),
                ("worst tenth", "people are ranked by how rare their data is before the attack; the tenth that fares worst decides."),
            ] {
                list.element("div", &[], |pair| {
                    pair.leaf("dt", &[], term).leaf("dd", &[], meaning);
                });
            }
        });
    });
}
