//! The pool: what the inputs hold, read once and held as codes.

use super::columns::{HELD_OUT, NOBODY, RELEASED};
use super::histories::{Needs, needs};
use super::report::{Excluded, InputFile};
use super::units::Units;
use crate::error::{Error, Result};
use crate::io::table::{CodedTable, CodedTableBuilder, NULL_CODE, TableOptions};
use crate::io::{LeftOut, ReadOptions, Source, sha256_file};
use crate::keys::{Domain, Key, KeyOrigin};
use crate::matrix::content_hashes;
use crate::policy::{Column, Order, Policy, Product, Role, Table};
use crate::risk::attack_seed;
use arrow::compute::cast;
use arrow::datatypes::DataType;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// One table of the pool, with the declaration of every column.
#[derive(Debug)]
pub(super) struct PoolTable {
    pub(super) table: CodedTable,
    /// Declarations of all columns of the input, also of those that were not read.
    pub(super) columns: BTreeMap<String, Column>,
    /// Index of the subject column; none if every row is a different person.
    pub(super) subject: Option<usize>,
    /// People who are set aside as a control group, by code.
    pub(super) held_out: Vec<bool>,
    /// Periods or sessions of people, where each has a token of its own.
    pub(super) units: Option<Units>,
}

impl PoolTable {
    /// A mark for every row: released, or held out with its person.
    pub(super) fn marks(&self) -> Result<Vec<Vec<u8>>> {
        let mut marks: Vec<Vec<u8>> = (0..self.table.chunks()).map(|chunk| vec![RELEASED; self.table.chunk_rows(chunk)]).collect();
        if let Some(subject) = self.subject {
            let mut codes = Vec::new();
            for (chunk, marks) in marks.iter_mut().enumerate() {
                codes.clear();
                self.table.codes(chunk, subject, &mut codes)?;
                for (mark, &code) in marks.iter_mut().zip(&codes) {
                    if code == NULL_CODE {
                        *mark = NOBODY;
                    } else if self.held_out.get(code as usize) == Some(&true) {
                        *mark = HELD_OUT;
                    }
                }
            }
        }
        Ok(marks)
    }

    /// People in the table: distinct subjects, or rows where every row is a different person.
    pub(super) fn people(&self) -> Result<u64> {
        Ok(match self.subject {
            Some(subject) => self.table.distinct(subject)? as u64,
            None => self.table.rows() as u64,
        })
    }
}

/// What was read.
#[derive(Debug)]
pub(super) struct Pool {
    pub(super) events: Option<PoolTable>,
    pub(super) profiles: Option<PoolTable>,
    pub(super) inputs: Vec<InputFile>,
    pub(super) excluded: Vec<Excluded>,
    /// Chooses people and rows in place of a key that is forgotten: a function of inputs and policy, so that a refused run cannot be rolled again.
    selection: Option<Key>,
}

impl Pool {
    /// The key by which people are set aside and rows are chosen under a cap.
    pub(super) fn selection<'a>(&'a self, key: &'a Key) -> &'a Key {
        self.selection.as_ref().unwrap_or(key)
    }

    /// Seed of all attacks: a function of inputs and policy, so that a refused run cannot be rolled again.
    pub(super) fn attack_seed(&self, policy: &Policy) -> Result<[u8; 32]> {
        let mut digests: Vec<&str> = self.inputs.iter().map(|input| input.sha256.as_str()).collect();
        digests.sort_unstable();
        Ok(attack_seed(&[digests.concat().as_bytes(), policy.normalized()?.as_bytes()]))
    }

    /// The table that a product is made from.
    pub(super) fn table(&self, table: Table) -> Result<&PoolTable> {
        let found = match table {
            Table::Events => self.events.as_ref(),
            Table::Profiles => self.profiles.as_ref(),
        };
        found.ok_or_else(|| {
            Error::policy(
                "products",
                format!("a product has the source {}, which was not given", table.name()),
                "give the files with --input or --profiles",
            )
        })
    }

    /// The commitment to the inputs.
    pub(super) fn commitment(&self, key: &Key) -> String {
        let digests: Vec<String> = self.inputs.iter().map(|input| input.sha256.clone()).collect();
        commitment(&digests, key)
    }
}

/// A commitment that binds the release to inputs with these SHA-256 digests and, without the key, tells nothing about them.
pub(super) fn commitment(digests: &[String], key: &Key) -> String {
    let mut sorted = digests.to_vec();
    sorted.sort_unstable();
    let key = key.derive(&Domain::of("input-commitment"));
    blake3::keyed_hash(key.expose(), sorted.concat().as_bytes()).to_hex().to_string()
}

/// Options of a table that is held as codes.
pub(super) fn table_options(memory: usize, threads: usize, folder: &Path) -> TableOptions {
    TableOptions { memory, threads, folder: folder.to_owned(), ..TableOptions::default() }
}

/// How the pool is read.
#[derive(Debug, Clone)]
pub(super) struct PoolOptions {
    pub(super) memory: usize,
    pub(super) folder: PathBuf,
    pub(super) threads: usize,
    pub(super) batch_rows: usize,
    /// Give every column codes, not only those that the algorithms need.
    pub(super) code_everything: bool,
}

/// Reads the inputs of a policy.
pub(super) fn read(policy: &Policy, events: &[PathBuf], profiles: &[PathBuf], key: &Key, options: &PoolOptions) -> Result<Pool> {
    let event_sources = open(policy, events, Table::Events)?;
    let profile_sources = open(policy, profiles, Table::Profiles)?;
    let (event_names, profile_names) = (names(&event_sources), names(&profile_sources));
    policy.check_tables(borrowed(event_names.as_deref()).as_deref(), borrowed(profile_names.as_deref()).as_deref())?;
    let mut pool = Pool { events: None, profiles: None, inputs: Vec::new(), excluded: Vec::new(), selection: None };
    let left_out = LeftOut::default();
    let (of_events, of_profiles) =
        needs(policy, borrowed(event_names.as_deref()).as_deref(), borrowed(profile_names.as_deref()).as_deref())?;
    if !event_sources.is_empty() {
        pool.events = Some(read_table(policy, Table::Events, &event_sources, &of_events, options, &mut pool.inputs, &left_out)?);
    }
    if !profile_sources.is_empty() {
        pool.profiles = Some(read_table(policy, Table::Profiles, &profile_sources, &of_profiles, options, &mut pool.inputs, &left_out)?);
    }
    pool.excluded = left_out.counts().into_iter().map(|(reason, rows)| Excluded { reason: reason.to_owned(), rows }).collect();
    let forgotten = *key.origin() == KeyOrigin::Forgotten;
    let by_inputs = forgotten.then(|| pool.attack_seed(policy)).transpose()?.map(Key::from_bytes);
    for table in [&mut pool.events, &mut pool.profiles].into_iter().flatten() {
        if let Some(subject) = table.subject {
            table.held_out = held_out(policy, &table.table, subject, by_inputs.as_ref().unwrap_or(key))?;
        }
    }
    pool.selection = by_inputs;
    Ok(pool)
}

fn names(sources: &[Arc<dyn Source>]) -> Option<Vec<String>> {
    sources.first().map(|source| source.schema().fields().iter().map(|field| field.name().clone()).collect())
}

fn borrowed(names: Option<&[String]>) -> Option<Vec<&str>> {
    names.map(|names| names.iter().map(String::as_str).collect())
}

fn open(policy: &Policy, paths: &[PathBuf], table: Table) -> Result<Vec<Arc<dyn Source>>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let default = crate::policy::Input::default();
    let input = policy.input.as_ref().unwrap_or(&default);
    let input = match table {
        Table::Events => input,
        Table::Profiles => input.profiles.as_deref().unwrap_or(input),
    };
    crate::listening::open(paths, table, input)
}

/// Columns of a table that some product needs.
fn wanted(policy: &Policy, table: Table, columns: &BTreeMap<String, Column>, times: Option<&String>) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for product in &policy.products {
        let Product::Records(product) = product else { continue };
        if product.source != table {
            continue;
        }
        let listed = |name: &String| product.columns.as_ref().is_none_or(|listed| listed.contains(name));
        wanted.extend(columns.iter().filter(|(name, column)| listed(name) && !column.is_dropped()).map(|(name, _)| name.clone()));
        if policy.splits_tokens(product) {
            wanted.extend(times.cloned());
        }
        if product.order == Order::SubjectTime {
            wanted.extend(columns.iter().filter(|(_, column)| column.role == Role::Time).map(|(name, _)| name.clone()));
        }
    }
    wanted
}

fn read_table(
    policy: &Policy,
    table: Table,
    sources: &[Arc<dyn Source>],
    needs: &Needs,
    options: &PoolOptions,
    inputs: &mut Vec<InputFile>,
    left_out: &LeftOut,
) -> Result<PoolTable> {
    let schema = sources[0].schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let columns = policy.bind(table, &names)?;
    let subject_name = policy.subject.as_ref().map(|subject| subject.column.as_str()).filter(|name| names.contains(name));
    let splits =
        |product: &Product| matches!(product, Product::Records(product) if product.source == table && policy.splits_tokens(product));
    let time = policy.products.iter().any(splits).then(|| policy.time_of_tokens(table, &names)).transpose()?;
    let mut wanted = wanted(policy, table, &columns, time.as_ref());
    wanted.extend(subject_name.map(str::to_owned));
    wanted.extend(needs.coded.iter().chain(&needs.times).cloned());
    if wanted.is_empty() {
        // The rows still count: read the first column and release nothing of it.
        wanted.extend(names.first().map(|&name| name.to_owned()));
    }
    let coded: Vec<&str> = names
        .iter()
        .copied()
        .filter(|&name| {
            wanted.contains(name)
                && (Some(name) == subject_name
                    || options.code_everything
                    || needs.coded.contains(name)
                    || columns.get(name).is_some_and(|c| needs_codes(c.role)))
        })
        .collect();
    let read = ReadOptions {
        columns: Some(names.iter().filter(|&&name| wanted.contains(name)).map(|&name| name.to_owned()).collect()),
        batch_rows: options.batch_rows,
        threads: options.threads,
        dictionaries: true,
    };
    let before: Vec<Stamp> = sources.iter().map(|source| stamp(&file_of(source.name()))).collect();
    let mut stream = crate::io::read_tagged(sources, &read)?;
    let mut builder = CodedTableBuilder::new(&stream.schema(), &coded, table_options(options.memory, options.threads, &options.folder))?;
    let mut rows = vec![0_u64; sources.len()];
    for tagged in &mut stream {
        let tagged = tagged?;
        rows[tagged.source] += tagged.batch.num_rows() as u64;
        builder.push(&tagged.batch)?;
    }
    for (reason, rows) in stream.left_out().counts() {
        // Unknown fields are counted by field; no row was left out for them.
        if reason != "unknown-field" {
            left_out.add(reason, rows);
        }
    }
    let table = builder.finish()?;
    let subject = subject_name.map(|name| table.column(name)).transpose()?;
    if let Some(subject) = subject {
        left_out.add("names no person", rows_of_nobody(&table, subject)?);
    }
    if subject.is_none() && policy.gate.control.get() > 0.0 {
        return Err(Error::policy(
            "gate.control",
            "people can only be set aside when a column names them",
            "add [subject] or set control = 0",
        ));
    }
    list_inputs(sources, &rows, &table, subject, inputs)?;
    // The hashes are of the files after reading; they must be of what was read.
    for (source, before) in sources.iter().zip(&before) {
        let path = file_of(source.name());
        if stamp(&path) != *before {
            return Err(Error::data(path, None, "was changed while it was read", "run again when nothing writes to it"));
        }
    }
    let spec = policy.subject.as_ref().map(|subject| &subject.pseudonym);
    let (table, units) = match (subject, &time, spec) {
        (Some(subject), Some(time), Some(spec)) => {
            let time = table.column(time)?;
            let (table, units) = Units::add(table, subject, time, spec, options.memory, &options.folder)?;
            (table, Some(units))
        }
        _ => (table, None),
    };
    Ok(PoolTable { table, columns, subject, held_out: Vec::new(), units })
}

fn needs_codes(role: Role) -> bool {
    matches!(role, Role::Subject | Role::Identifier | Role::QuasiIdentifier | Role::Item | Role::Sensitive)
}

/// The people whom a keyed hash sets aside: the same people for any order or split of the input.
fn held_out(policy: &Policy, table: &CodedTable, subject: usize, key: &Key) -> Result<Vec<bool>> {
    let share = policy.gate.control.get();
    if share <= 0.0 {
        return Ok(vec![false; table.distinct(subject)?]);
    }
    let key = key.derive(&Domain { release: &policy.name, ..Domain::of("control-group") });
    let mut values = table.values(subject)?;
    if values.data_type().is_integer() {
        // 42 in one table and "42" in the other is one person.
        values = cast(&values, &DataType::Utf8).map_err(|e| Error::arrow("setting people aside", &e))?;
    }
    let hashes = content_hashes(&[values], key.expose())?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a share of the range of 64-bit hashes, rounded"
    )]
    let limit = (share * u64::MAX as f64) as u64;
    Ok(hashes.iter().map(|&hash| hash < limit).collect())
}

/// The file that holds a source: `a.zip` for `a.zip!member`. A folder may have an exclamation mark in its name too.
pub(super) fn file_of(source: &str) -> String {
    let ends = source.match_indices('!').map(|(at, _)| at).chain([source.len()]);
    ends.filter_map(|end| source.get(..end)).find(|path| Path::new(path).is_file()).unwrap_or(source).to_owned()
}

fn rows_of_nobody(table: &CodedTable, subject: usize) -> Result<u64> {
    let (mut rows, mut codes) = (0, Vec::new());
    for chunk in 0..table.chunks() {
        codes.clear();
        table.codes(chunk, subject, &mut codes)?;
        rows += codes.iter().filter(|&&code| code == NULL_CODE).count() as u64;
    }
    Ok(rows)
}

/// Length and time of the last change of a file, as far as the system tells.
type Stamp = Option<(u64, Option<SystemTime>)>;

fn stamp(path: &str) -> Stamp {
    std::fs::metadata(path).ok().map(|metadata| (metadata.len(), metadata.modified().ok()))
}

/// One entry a file: members of an archive are counted with it.
fn list_inputs(
    sources: &[Arc<dyn Source>],
    rows: &[u64],
    table: &CodedTable,
    subject: Option<usize>,
    inputs: &mut Vec<InputFile>,
) -> Result<()> {
    let people = people_per_source(rows, table, subject)?;
    let mut order: Vec<String> = Vec::new();
    let mut merged: BTreeMap<String, (u64, BTreeSet<u32>, u64)> = BTreeMap::new();
    for (index, source) in sources.iter().enumerate() {
        let path = file_of(source.name());
        let entry = merged.entry(path.clone()).or_insert_with(|| {
            order.push(path);
            (0, BTreeSet::new(), 0)
        });
        entry.0 += rows[index];
        match &people[index] {
            People::Codes(codes) => entry.1.extend(codes),
            People::Rows(count) => entry.2 += count,
        }
    }
    for path in order {
        let (rows, codes, anonymous) = merged.remove(&path).unwrap_or_default();
        let sha256 = sha256_file(Path::new(&path))?;
        inputs.push(InputFile { sha256, rows, subjects: codes.len() as u64 + anonymous, path });
    }
    Ok(())
}

enum People {
    Codes(Vec<u32>),
    Rows(u64),
}

fn people_per_source(rows: &[u64], table: &CodedTable, subject: Option<usize>) -> Result<Vec<People>> {
    let Some(subject) = subject else { return Ok(rows.iter().map(|&rows| People::Rows(rows)).collect()) };
    let mut seen = vec![u32::MAX; table.distinct(subject)?];
    let mut people: Vec<Vec<u32>> = vec![Vec::new(); rows.len()];
    let (mut source, mut left) = (0, rows.first().copied().unwrap_or(0));
    let mut codes = Vec::new();
    for chunk in 0..table.chunks() {
        codes.clear();
        table.codes(chunk, subject, &mut codes)?;
        for &code in &codes {
            while left == 0 && source + 1 < rows.len() {
                source += 1;
                left = rows[source];
            }
            left = left.saturating_sub(1);
            #[expect(clippy::cast_possible_truncation, reason = "there are fewer than 2³² files")]
            if code != NULL_CODE && seen[code as usize] != source as u32 {
                seen[code as usize] = source as u32;
                people[source].push(code);
            }
        }
    }
    Ok(people.into_iter().map(People::Codes).collect())
}
