//! Any supported input as one pool.

use super::conform::{Part, conform};
use super::delimited::{self, Delimited};
use super::listenbrainz::{self, Listens};
use super::place::{Place, subjects};
use super::recognize::{History, Kind, Text, is_personal_export, kind, spotify_name};
use super::rows::RowSource;
use super::schema::fields;
use super::spotify::{self, Histories};
use crate::error::{Error, Result};
use crate::io::{Content, CsvOptions, CsvSource, Source, contents, open_table};
use crate::policy::{Format, Input, Table};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

/// Opens files, folders and archives as one pool. All sources that come back have the same schema.
///
/// Formats are recognized by name, then by content, unless `input.format` says which one it is. Canonical columns have the types of
/// [`event_schema`](super::event_schema) or [`profile_schema`](super::profile_schema); other columns pass through under their own names and types. A column that only some files
/// have is null in the others, except `plays`, which is 1 for the rows of an event log. `input.columns` renames columns first.
///
/// With [`Table::Profiles`] only profile files are taken from a folder or an archive, and `input.profiles` replaces `input` where it is given. A
/// profile file that is named as events is read as the table it is.
///
/// Whatever a format leaves out is counted by reason in the stream's [`LeftOut`](crate::io::LeftOut).
///
/// # Errors
/// A path cannot be read or nothing in it is recognized; an archive breaks a limit (see [`contents`]); a column that is not canonical has two types; `input.columns` names
/// a column that no file has. While reading: a malformed record, unless `input.skip_malformed`.
///
/// # Security
/// Of a personal export only the histories are opened. A subject is named by the archive or folder, never by the account's user name.
///
/// ```
/// use backmask::io::ReadOptions;
/// use backmask::listening::open;
/// use backmask::policy::{Input, Table};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("user_artists.dat");
/// std::fs::write(&file, "userID\tartistID\tweight\n2\t51\t13883\n")?;
/// let pool = open(&[file], Table::Events, &Input::default())?;
/// let batch = pool[0].open_split(0, &ReadOptions::default())?.next().unwrap()?;
/// assert_eq!(batch.schema().field(2).name(), "plays");
/// assert_eq!(batch.num_rows(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn open(paths: &[PathBuf], table: Table, input: &Input) -> Result<Vec<Arc<dyn Source>>> {
    let input = match (table, input.profiles.as_deref()) {
        (Table::Profiles, Some(profiles)) => profiles,
        _ => input,
    };
    let mut found = find(paths, input)?;
    choose(&mut found, table)?;
    if found.iter().all(|file| file.kind == Kind::HetrecArtists) {
        let names = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(Error::data(
            names,
            None,
            format!("no file of {} is recognized", if table == Table::Events { "events" } else { "profiles" }),
            "check the paths, or say what the files are with `format` under [input]",
        ));
    }
    conform(&parts(&found, input)?, table, input.skip_malformed)
}

/// A file and what it is.
struct Found {
    place: Place,
    content: Arc<dyn Content>,
    kind: Kind,
}

fn find(paths: &[PathBuf], input: &Input) -> Result<Vec<Found>> {
    let mut listed: Vec<(Place, Arc<dyn Content>)> = Vec::new();
    let mut known = BTreeSet::new();
    for path in paths {
        for content in contents(path)? {
            // A file that is reached through two of the paths is one file.
            let real = path.canonicalize().unwrap_or_else(|_| path.clone());
            let rest = content.name().strip_prefix(&path.display().to_string()).unwrap_or_default();
            if known.insert(format!("{}{rest}", real.display())) {
                listed.push((Place::new(path, content.name()), content));
            }
        }
    }
    let exports: BTreeSet<_> = listed.iter().filter(|(place, _)| is_personal_export(place)).map(|(place, _)| place.container()).collect();
    let mut found = Vec::new();
    for (place, content) in listed {
        let kind = kind(&place, content.as_ref(), input.format, exports.contains(&place.container()))?;
        if kind != Kind::Ignored {
            found.push(Found { place, content, kind });
        }
    }
    Ok(found)
}

/// Leaves the files that hold the table asked for.
fn choose(found: &mut Vec<Found>, table: Table) -> Result<()> {
    let is_profiles = |file: &Found| matches!(file.kind, Kind::Text(text) if text.is_profiles());
    let is_events = |file: &Found| {
        matches!(file.kind, Kind::Spotify(_) | Kind::Listenbrainz | Kind::HetrecArtists)
            || matches!(file.kind, Kind::Text(text) if !text.is_profiles())
    };
    let misplaced =
        |file: &Found, holds: &str, remedy: &str| Error::data(file.content.name(), None, format!("the file holds {holds}"), remedy);
    match table {
        Table::Profiles => {
            if let Some(file) = found.iter().find(|file| file.place.is_named() && is_events(file)) {
                return Err(misplaced(file, "events, not profiles", "give it as the main input"));
            }
            let any = found.iter().any(is_profiles);
            found.retain(|file| is_profiles(file) || file.kind == Kind::Table && (file.place.is_named() || !any));
        }
        Table::Events => {
            let any = found.iter().any(|file| !is_profiles(file) && file.kind != Kind::HetrecArtists);
            if any {
                if let Some(file) = found.iter().find(|file| file.place.is_named() && is_profiles(file)) {
                    return Err(misplaced(file, "profiles, and the others hold events", "give it as profiles"));
                }
                found.retain(|file| !is_profiles(file));
            }
        }
    }
    let of = |text: Text| found.iter().any(|file| file.kind == Kind::Text(text));
    if of(Text::Lfm2bEvents) && of(Text::Lfm2bCounts) {
        return Err(Error::data(
            "listening-events.tsv, listening-counts.tsv",
            None,
            "the same plays are in both files",
            "name the one to be read instead of the folder",
        ));
    }
    Ok(())
}

fn parts(found: &[Found], input: &Input) -> Result<Vec<Part>> {
    let mut parts: Vec<(usize, Part)> = Vec::new();
    personal(found, input, &mut parts);
    for (at, file) in found.iter().enumerate() {
        match file.kind {
            Kind::Text(text) => {
                let artists = if text == Text::HetrecCounts { beside(found, file) } else { None };
                parts.push((
                    at,
                    built(
                        file.content.name(),
                        delimited::schema(text, artists.is_some()),
                        Delimited { text, content: Arc::clone(&file.content), artists },
                        input,
                    ),
                ));
            }
            Kind::Table => parts.push((at, plain(file, input)?)),
            _ => {}
        }
    }
    parts.sort_by_key(|(at, _)| *at);
    let mut parts: Vec<Part> = parts.into_iter().map(|(_, part)| part).collect();
    rename(&mut parts, &input.columns)?;
    Ok(parts)
}

fn built<L: super::rows::Layout + 'static>(name: &str, schema: arrow::datatypes::SchemaRef, layout: L, input: &Input) -> Part {
    let names = schema.fields().iter().map(|field| field.name().clone()).collect();
    Part { source: Arc::new(RowSource { name: name.to_owned(), schema, layout, skip_malformed: input.skip_malformed }), names, built: true }
}

/// Files of one subject, and the place of the first of them in the input.
type Gathered<F> = (usize, Vec<F>);

type HistoryFile = (History, Arc<dyn Content>);

/// The personal exports: one source for each subject and format, at the place of its first file.
fn personal(found: &[Found], input: &Input, parts: &mut Vec<(usize, Part)>) {
    let is_dump = |file: &Found| file.place.file.to_lowercase().ends_with(".listens");
    let exports: Vec<(usize, &Found)> = found
        .iter()
        .enumerate()
        .filter(|(_, file)| matches!(file.kind, Kind::Spotify(_)) || file.kind == Kind::Listenbrainz && !is_dump(file))
        .collect();
    let is_standard = |file: &Found| file.kind == Kind::Listenbrainz || spotify_name(&file.place.file.to_lowercase()).is_some();
    let names = subjects(&exports.iter().map(|(_, file)| (&file.place, is_standard(file))).collect::<Vec<_>>());
    let mut histories: BTreeMap<&str, Gathered<HistoryFile>> = BTreeMap::new();
    let mut listens: BTreeMap<&str, Gathered<Arc<dyn Content>>> = BTreeMap::new();
    for ((at, file), subject) in exports.iter().zip(&names) {
        match file.kind {
            Kind::Spotify(history) => histories.entry(subject).or_insert((*at, Vec::new())).1.push((history, Arc::clone(&file.content))),
            _ => listens.entry(subject).or_insert((*at, Vec::new())).1.push(Arc::clone(&file.content)),
        }
    }
    let schema = fields(Table::Events, &spotify::COLUMNS, &[]);
    for (subject, (at, files)) in histories {
        let name = common_name(files.iter().map(|(_, content)| content.name()));
        let layout = Histories { subject: subject.to_owned(), files, keep_incognito: input.keep_incognito, keep_spoken: input.keep_spoken };
        parts.push((at, built(&name, Arc::clone(&schema), layout, input)));
    }
    let schema = fields(Table::Events, &listenbrainz::COLUMNS, &[]);
    for (subject, (at, files)) in listens {
        let name = common_name(files.iter().map(|content| content.name()));
        parts.push((at, built(&name, Arc::clone(&schema), Listens { subject: Some(subject.to_owned()), files }, input)));
    }
    for (at, file) in found.iter().enumerate().filter(|(_, file)| file.kind == Kind::Listenbrainz && is_dump(file)) {
        let layout = Listens { subject: None, files: vec![Arc::clone(&file.content)] };
        parts.push((at, built(file.content.name(), Arc::clone(&schema), layout, input)));
    }
}

/// The archive or folder that all names begin with.
fn common_name<'a>(mut names: impl Iterator<Item = &'a str>) -> String {
    let first = names.next().unwrap_or_default();
    let mut common = first;
    for name in names {
        while !name.starts_with(common) {
            common = common.get(..common.len() - common.chars().next_back().map_or(0, char::len_utf8)).unwrap_or_default();
        }
    }
    if common.len() == first.len() {
        return first.to_owned();
    }
    let end = common.rfind(['!', '/']).unwrap_or(common.len());
    common.get(..end).filter(|name| !name.is_empty()).unwrap_or(first).to_owned()
}

/// The file of artists in the same folder or archive.
fn beside(found: &[Found], file: &Found) -> Option<Arc<dyn Content>> {
    let folder = |name: &str| name.rfind(['!', '/', std::path::MAIN_SEPARATOR]).map(|end| name.get(..end).unwrap_or_default().to_owned());
    let here = folder(file.content.name());
    let artists = found.iter().find(|other| other.kind == Kind::HetrecArtists && folder(other.content.name()) == here)?;
    Some(Arc::clone(&artists.content))
}

fn is_json_table(file: &Found, format: Option<Format>) -> bool {
    let name = file.place.file.to_lowercase();
    format == Some(Format::Json) || format.is_none() && [".json", ".jsonl", ".ndjson"].iter().any(|ending| name.ends_with(ending))
}

/// A table that names its columns itself.
fn plain(file: &Found, input: &Input) -> Result<Part> {
    let format = match input.format {
        Some(Format::Yambda) => Some(Format::Parquet),
        format @ (None | Some(Format::Parquet | Format::Ipc | Format::Csv | Format::Json)) => format.or_else(|| text_format(file)),
        Some(_) => None,
    };
    let source = if format == Some(Format::Csv) {
        let options =
            CsvOptions { delimiter: input.delimiter, header: input.header, skip_malformed: input.skip_malformed, ..CsvOptions::default() };
        Arc::new(CsvSource::open(Arc::clone(&file.content), &options)?)
    } else if input.skip_malformed && is_json_table(file, format) {
        // Rather refused than ignored.
        return Err(Error::unsupported("input.skip_malformed", "leaving out malformed records of a JSON table"));
    } else {
        open_table(Arc::clone(&file.content), format, input.delimiter, input.header)?
    };
    let schema = source.schema();
    let mut names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    let is_yambda = ["uid", "timestamp", "item_id"].into_iter().all(has);
    if input.format == Some(Format::Yambda) && !is_yambda {
        return Err(Error::data(file.content.name(), None, "has no columns uid, timestamp, item_id", "give a listens file of Yambda"));
    }
    if is_yambda && (input.format == Some(Format::Yambda) || input.format.is_none() && has("played_ratio_pct")) {
        if schema.field_with_name("item_id").is_ok_and(|field| field.data_type().is_nested()) {
            return Err(Error::data(
                file.content.name(),
                None,
                "is in the sequential layout, one row a person",
                "give the file of the flat layout",
            ));
        }
        for name in &mut names {
            match name.as_str() {
                "uid" => "subject_id".clone_into(name),
                "timestamp" => "started_at".clone_into(name),
                "item_id" => "track_id".clone_into(name),
                _ => {}
            }
        }
    }
    Ok(Part { source, names, built: false })
}

/// Separated text, by the extensions it usually has.
fn text_format(file: &Found) -> Option<Format> {
    let name = file.place.file.to_lowercase();
    [".csv", ".tsv", ".txt", ".dat", ".data", ".user", ".item"].iter().any(|end| name.ends_with(end)).then_some(Format::Csv)
}

/// Gives columns the names of the policy.
fn rename(parts: &mut [Part], columns: &BTreeMap<String, String>) -> Result<()> {
    for (name, in_file) in columns {
        let mut any = false;
        for part in parts.iter_mut() {
            let schema = part.source.schema();
            let Some(at) = schema.fields().iter().position(|field| field.name() == in_file) else { continue };
            any = true;
            if part.names.iter().enumerate().any(|(other, known)| known == name && other != at)
                && !columns.values().any(|moved| moved == name)
            {
                return Err(Error::policy(
                    format!("input.columns.{name}"),
                    format!("{} has a column of that name already", part.source.name()),
                    "choose another name",
                ));
            }
            if let Some(known) = part.names.get_mut(at) {
                name.clone_into(known);
            }
        }
        if !any {
            return Err(Error::policy(
                format!("input.columns.{name}"),
                "no input file has the column that it names",
                "check the column names of the files",
            ));
        }
    }
    for part in parts.iter() {
        let mut seen = BTreeSet::new();
        if let Some(name) = part.names.iter().find(|name| !seen.insert(name.as_str())) {
            return Err(Error::column(
                name,
                format!("is there twice in {}", part.source.name()),
                "rename one of them under [input.columns]",
            ));
        }
    }
    Ok(())
}
