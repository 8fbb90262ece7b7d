//! Defects planted into cohorts and fragments, with digest and page made anew: `verify` finds them all.

use super::histories::published;
use backmask::io::{SinkFormat, sha256_file};
use backmask::release::report::{Audience, Report, html};
use backmask::release::{Check, verify};
use std::collections::BTreeMap;
use std::path::Path;

type Rows = Vec<Vec<String>>;

fn read(path: &Path) -> (Vec<String>, Rows) {
    let mut reader = csv::Reader::from_path(path).expect("a readable file");
    let columns = reader.headers().expect("a header").iter().map(str::to_owned).collect();
    (columns, reader.records().map(|record| record.expect("a record").iter().map(str::to_owned).collect()).collect())
}

fn write(path: &Path, columns: &[String], rows: &Rows) {
    let mut writer = csv::Writer::from_path(path).expect("a writer");
    writer.write_record(columns).expect("a header");
    for row in rows {
        writer.write_record(row).expect("a row");
    }
    writer.flush().expect("flushed");
}

/// Changes the rows of a product and what the report says of them as far as a forger can: digest, number of rows, page.
fn planted(release: &Path, product: &str, change: impl Fn(&mut Rows)) -> Vec<Check> {
    let file = release.join(format!("{product}.csv"));
    let report_file = release.join("report.json");
    let (before, report_before, page_before) = (
        std::fs::read(&file).expect("bytes"),
        std::fs::read(&report_file).expect("bytes"),
        std::fs::read(release.join("report.html")).expect("bytes"),
    );
    let (columns, mut rows) = read(&file);
    change(&mut rows);
    write(&file, &columns, &rows);
    let mut report: Report = serde_json::from_slice(&report_before).expect("a report");
    for stated in report.products.iter_mut().filter(|stated| stated.name == product) {
        stated.sha256 = Some(sha256_file(&file).expect("a digest"));
        stated.rows = rows.len() as u64;
    }
    let mut text = serde_json::to_vec_pretty(&report).expect("JSON");
    text.push(b'\n');
    std::fs::write(&report_file, text).expect("written");
    std::fs::write(release.join("report.html"), html(&report, Audience::Recipient)).expect("written");
    let checks = verify(release, &[], None).expect("a release").checks;
    std::fs::write(&file, before).expect("restored");
    std::fs::write(&report_file, report_before).expect("restored");
    std::fs::write(release.join("report.html"), page_before).expect("restored");
    checks
}

/// What is not true.
fn untrue(checks: &[Check]) -> Vec<String> {
    checks.iter().filter(|check| check.holds == Some(false)).map(|check| check.statement.clone()).collect()
}

#[track_caller]
fn finds(checks: &[Check], statement: &str) {
    let untrue = untrue(checks);
    assert!(untrue.iter().any(|other| other.contains(statement)), "{statement} was not found: {untrue:?}");
}

/// Rows by the value of a column.
fn groups(rows: &Rows, column: usize) -> BTreeMap<String, Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (place, row) in rows.iter().enumerate() {
        groups.entry(row[column].clone()).or_default().push(place);
    }
    groups
}

/// The first two fragments of at least two items with an item in common, or without one.
fn two_fragments(rows: &Rows, with_common_item: bool) -> (Vec<usize>, Vec<usize>) {
    let fragments: Vec<Vec<usize>> = groups(rows, 0).into_values().filter(|places| places.len() >= 2).collect();
    for (place, one) in fragments.iter().enumerate() {
        for other in &fragments[place + 1..] {
            let common = one.iter().any(|&a| other.iter().any(|&b| rows[a][1] == rows[b][1]));
            if common == with_common_item {
                return (one.clone(), other.clone());
            }
        }
    }
    panic!("the pool is too small");
}

#[test]
fn what_is_planted_into_fragments_is_found() {
    let (_run, outcome) = published(SinkFormat::Csv);
    let release = &outcome.release;
    assert_eq!(untrue(&planted(release, "pieces", |_| {})), Vec::<String>::new(), "the forger's tools work");
    // One id for two fragments: too long, or combinations of too few people.
    let checks = planted(release, "pieces", |rows| {
        let (one, other) = two_fragments(rows, false);
        let id = rows[one[0]][0].clone();
        for &place in &other {
            rows[place][0].clone_from(&id);
        }
    });
    assert!(!untrue(&checks).is_empty());
    // An item twice in a fragment.
    let checks = planted(release, "pieces", |rows| {
        let (one, other) = two_fragments(rows, true);
        let id = rows[one[0]][0].clone();
        for &place in &other {
            rows[place][0].clone_from(&id);
        }
    });
    finds(&checks, "fragment-size");
    // A pair that k − 1 people have: in one of its fragments an item becomes another.
    let checks = planted(release, "pieces", |rows| {
        let mut pairs: BTreeMap<(String, String), Vec<Vec<usize>>> = BTreeMap::new();
        for places in groups(rows, 0).into_values() {
            for &a in &places {
                for &b in places.iter().filter(|&&b| rows[a][1] < rows[b][1]) {
                    pairs.entry((rows[a][1].clone(), rows[b][1].clone())).or_default().push(vec![a, b]);
                }
            }
        }
        let rarest = pairs.values().min_by_key(|found| found.len()).expect("pairs");
        // One of the two items gets a fragment of its own, as often as is needed to have k − 1 left.
        for (number, pair) in rarest.iter().skip(11).enumerate() {
            rows[pair[0]][0] = format!("{number:032x}");
        }
    });
    finds(&checks, "k^m-anonymity");
    // An item of a single fragment.
    let checks = planted(release, "pieces", |rows| rows[0][1] = "uri:rare".to_owned());
    finds(&checks, "k^m-anonymity");
    // Places with gaps, and an empty field.
    let checks = planted(release, "sequences", |rows| rows[0][2] = "7".to_owned());
    finds(&checks, "positions");
    let checks = planted(release, "pieces", |rows| rows[3][1] = String::new());
    finds(&checks, "no empty field");
    // Ids that say something.
    let checks = planted(release, "pieces", |rows| rows[0][0] = "person-7".to_owned());
    finds(&checks, "32 hexadecimal digits");
    // An id of another product.
    let (_, cohorts) = read(&release.join("tastes.csv"));
    let (_, sequences) = read(&release.join("sequences.csv"));
    let (_, log) = read(&release.join("log.csv"));
    for other in [&cohorts[0][0], &sequences[0][0], &log[0][0]] {
        let checks = planted(release, "pieces", |rows| {
            let id = rows[0][0].clone();
            rows.iter_mut().filter(|row| row[0] == id).for_each(|row| row[0].clone_from(other));
        });
        finds(&checks, "no id of a product is one of another product");
    }
    assert_eq!(untrue(&planted(release, "pieces", |_| {})), Vec::<String>::new(), "everything was restored");
}

#[test]
fn what_is_planted_into_cohorts_is_found() {
    let (_run, outcome) = published(SinkFormat::Csv);
    let release = &outcome.release;
    assert_eq!(untrue(&planted(release, "tastes", |_| {})), Vec::<String>::new(), "the forger's tools work");
    // A cohort of k − 1, in all of its rows.
    let checks = planted(release, "tastes", |rows| {
        let id = rows[0][0].clone();
        rows.iter_mut().filter(|row| row[0] == id).for_each(|row| "11".clone_into(&mut row[1]));
    });
    finds(&checks, "cohort-size");
    // Rows that disagree about the size.
    let checks = planted(release, "tastes", |rows| "40".clone_into(&mut rows[0][1]));
    finds(&checks, "cohort-size");
    // A cell of t − 1.
    let checks = planted(release, "tastes", |rows| "2".clone_into(&mut rows[0][3]));
    finds(&checks, "cell-support");
    // A cell over the share, and one of more people than the cohort has.
    let checks = planted(release, "tastes", |rows| {
        let size = rows[0][1].clone();
        rows[0][3] = size;
    });
    finds(&checks, "share-cap");
    let checks = planted(release, "tastes", |rows| "400".clone_into(&mut rows[0][3]));
    finds(&checks, "share-cap");
    // An item twice in a cohort.
    let checks = planted(release, "tastes", |rows| rows.push(rows[0].clone()));
    finds(&checks, "cell-support");
    // An attribute of t − 1 members, and one that rows of a cohort tell differently.
    let with_attribute = |rows: &Rows| rows.iter().position(|row| !row[4].is_empty()).expect("an attribute");
    let checks = planted(release, "tastes", |rows| {
        let id = rows[with_attribute(rows)][0].clone();
        rows.iter_mut().filter(|row| row[0] == id).for_each(|row| "2".clone_into(&mut row[5]));
    });
    finds(&checks, "cell-support");
    let checks = planted(release, "tastes", |rows| {
        let place = with_attribute(rows);
        "Atlantis".clone_into(&mut rows[place][4]);
    });
    finds(&checks, "cohort-size");
    // A cohort less.
    let checks = planted(release, "tastes", |rows| {
        let id = rows[0][0].clone();
        rows.retain(|row| row[0] != id);
    });
    finds(&checks, "people");
    // Promises that the policy does not make.
    let report = release.join("report.json");
    let before = std::fs::read_to_string(&report).expect("text");
    for (from, to) in [
        ("\"min_members\": 3", "\"min_members\": 4"),
        ("\"max_share\": 0.7", "\"max_share\": 0.6"),
        ("\"max_items\": 4", "\"max_items\": 5"),
    ] {
        assert!(before.contains(from), "{from}");
        std::fs::write(&report, before.replacen(from, to, 1)).expect("changed");
        assert!(!verify(release, &[], None).expect("a release").holds, "{to}");
    }
}
