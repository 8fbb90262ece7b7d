//! One- and two-way tables of columns, compared between two files.

use super::distances::total_variation;
use super::text_table::{Texts, read_columns};
use crate::error::Result;
use crate::io::Source;
use crate::io::table::NULL_CODE;
use crate::numeric::real;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Total variation distances between tables of the original and of the release.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TableDistances {
    /// By column.
    pub one_way: BTreeMap<String, f64>,
    /// By pair of columns, in alphabetical order.
    pub two_way: BTreeMap<(String, String), f64>,
}

/// Compares how often the values of each column, and the pairs of values of every two columns, occur in the rows of the original and of the release. Values are compared by their
/// text, and a missing value is a value; so a column that was generalized is compared with what it was, and lies up to 1 from it.
///
/// ```
/// use backmask::utility::table_distances;
/// use backmask::{policy::{Input, Table}, listening};
///
/// let folder = tempfile::tempdir()?;
/// let open = |name: &str, text: &str| {
///     let path = folder.path().join(name);
///     std::fs::write(&path, text)?;
///     Ok::<_, Box<dyn std::error::Error>>(listening::open(&[path], Table::Events, &Input::default())?)
/// };
/// let original = open("a.csv", "sex,land\nf,DE\nm,FR\n")?;
/// let release = open("b.csv", "sex,land\nf,FR\nm,DE\n")?;
/// let found = table_distances(&original, &release, &["sex", "land"])?;
/// assert_eq!(found.one_way["sex"], 0.0);
/// assert_eq!(found.two_way[&("land".to_owned(), "sex".to_owned())], 1.0); // each column is right, and none of the pairs
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// A column is missing from one of them, or cannot be read as text.
pub fn table_distances(original: &[Arc<dyn Source>], release: &[Arc<dyn Source>], columns: &[&str]) -> Result<TableDistances> {
    let mut columns = columns.to_vec();
    columns.sort_unstable();
    columns.dedup();
    if columns.is_empty() {
        return Ok(TableDistances::default());
    }
    let (a, b) = (read_columns(original, &columns, &[], &[])?.texts, read_columns(release, &columns, &[], &[])?.texts);
    let mut found = TableDistances::default();
    for (first, name) in columns.iter().enumerate() {
        found.one_way.insert((*name).to_owned(), distance(&a, &b, [first, first])?);
        for (second, other) in columns.iter().enumerate().skip(first + 1) {
            found.two_way.insert(((*name).to_owned(), (*other).to_owned()), distance(&a, &b, [first, second])?);
        }
    }
    Ok(found)
}

fn distance(original: &[Texts], release: &[Texts], columns: [usize; 2]) -> Result<f64> {
    let mut cells: BTreeMap<[Option<&str>; 2], [f64; 2]> = BTreeMap::new();
    for (side, table) in [original, release].into_iter().enumerate() {
        let [first, second] = columns.map(|column| &table[column]);
        let mut counts: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for (&a, &b) in first.codes.iter().zip(&second.codes) {
            *counts.entry((a, b)).or_default() += 1;
        }
        let text = |column: &'_ Texts, code: u32| (code != NULL_CODE).then_some(code as usize).filter(|code| *code < column.values.len());
        for ((a, b), count) in counts {
            let key = [text(first, a).map(|code| first.values[code].as_str()), text(second, b).map(|code| second.values[code].as_str())];
            cells.entry(key).or_default()[side] += real(count);
        }
    }
    let (a, b): (Vec<f64>, Vec<f64>) = cells.into_values().map(|counts| (counts[0], counts[1])).unzip();
    total_variation(&a, &b)
}
