//! Text formats with fixed fields: Last.fm-1K, Last.fm-360K, HetRec Last.fm-2k, LFM-1b, LFM-2b.
//!
//! Fields are separated by tabs and never quoted. An empty field is missing; so is an age or a play count below zero,
//! which LFM-1b (−1) and Last.fm-360K (as low as −1337) use for "unknown".
//! Last.fm-360K names people by a plain SHA-1 (its README says of what kind, not of which text exactly): whoever can list the texts undoes it, so it is an identifier like any other.

use super::recognize::Text;
use super::rows::{Fault, Layout, Records};
use super::schema::{RowBuilder, fields as schema_of};
use super::text::{Lines, day_of, fields, parse_long_date, parse_time, present, seconds_to_ms};
use crate::error::Result;
use crate::io::{Content, LeftOut};
use crate::policy::Table;
use arrow::datatypes::{DataType, SchemaRef};
use std::collections::HashMap;
use std::sync::Arc;

/// One file of such a format.
#[derive(Debug)]
pub(super) struct Delimited {
    pub(super) text: Text,
    pub(super) content: Arc<dyn Content>,
    /// HetRec: the file of artists by number.
    pub(super) artists: Option<Arc<dyn Content>>,
}

/// Columns of the format; `names` says whether the file of artists is at hand.
pub(super) fn schema(text: Text, names: bool) -> SchemaRef {
    let (events, profiles) = (Table::Events, Table::Profiles);
    match text {
        Text::Lastfm1kEvents => schema_of(events, &["subject_id", "started_at", "track_id", "track_name", "artist_id", "artist_name"], &[]),
        Text::Lastfm1kProfiles | Text::Lastfm360kProfiles => {
            schema_of(profiles, &["subject_id", "gender", "age", "country", "registered_at"], &[])
        }
        Text::Lastfm360kCounts => schema_of(events, &["subject_id", "artist_id", "artist_name", "plays"], &[]),
        Text::HetrecCounts if names => schema_of(events, &["subject_id", "artist_id", "artist_name", "plays"], &[]),
        Text::HetrecCounts => schema_of(events, &["subject_id", "artist_id", "plays"], &[]),
        Text::Lfm1bEvents => schema_of(events, &["subject_id", "started_at", "track_id", "artist_id"], &[("album_id", DataType::Utf8)]),
        Text::Lfm1bProfiles => {
            schema_of(profiles, &["subject_id", "country", "age", "gender", "registered_at"], &[("playcount", DataType::Int64)])
        }
        Text::Lfm2bEvents => schema_of(events, &["subject_id", "started_at", "track_id"], &[("album_id", DataType::Utf8)]),
        Text::Lfm2bCounts => schema_of(events, &["subject_id", "track_id", "plays"], &[]),
        Text::Lfm2bProfiles => schema_of(profiles, &["subject_id", "country", "age", "gender", "registered_at"], &[]),
    }
}

/// First field of the header line, where the format has one.
fn header(text: Text) -> Option<&'static str> {
    match text {
        Text::Lastfm1kProfiles => Some("#id"),
        Text::HetrecCounts => Some("userID"),
        Text::Lfm1bProfiles | Text::Lfm2bEvents | Text::Lfm2bCounts | Text::Lfm2bProfiles => Some("user_id"),
        Text::Lastfm1kEvents | Text::Lastfm360kCounts | Text::Lastfm360kProfiles | Text::Lfm1bEvents => None,
    }
}

impl Layout for Delimited {
    fn open(&self) -> Result<Box<dyn Records>> {
        let names = match &self.artists {
            Some(artists) => Some(artist_names(artists.as_ref())?),
            None => None,
        };
        Ok(Box::new(Reader { text: self.text, lines: Lines::open(self.content.as_ref())?, names, begun: false }))
    }
}

/// `id`, `name`, and what is not read.
fn artist_names(content: &dyn Content) -> Result<HashMap<String, String>> {
    let mut lines = Lines::open(content)?;
    let mut names = HashMap::new();
    loop {
        match lines.next() {
            Ok(true) => {}
            Ok(false) => return Ok(names),
            // A name that cannot be read is a missing name.
            Err(Fault::Malformed(_)) => continue,
            Err(Fault::Fatal(error)) => return Err(error),
        }
        let mut parts = lines.line().split('\t');
        if let (Some(id), Some(name)) = (parts.next(), parts.next()) {
            names.insert(id.to_owned(), name.to_owned());
        }
    }
}

struct Reader {
    text: Text,
    lines: Lines,
    names: Option<HashMap<String, String>>,
    begun: bool,
}

impl Records for Reader {
    fn read(&mut self, rows: &mut RowBuilder, _left_out: &LeftOut) -> Result<bool, Fault> {
        if !self.lines.next()? {
            return Ok(false);
        }
        let is_first = !std::mem::replace(&mut self.begun, true);
        let is_header = is_first && header(self.text).is_some_and(|first| self.lines.line().split('\t').next() == Some(first));
        if is_header && !self.lines.next()? {
            return Ok(false);
        }
        parse(self.text, self.lines.line(), self.names.as_ref(), rows).map_err(|problem| self.lines.malformed(problem))?;
        rows.end_row();
        Ok(true)
    }
}

/// Appends one row, or says what is wrong with the line.
fn parse(text: Text, line: &str, names: Option<&HashMap<String, String>>, rows: &mut RowBuilder) -> Result<(), &'static str> {
    match text {
        Text::Lastfm1kEvents => {
            let [user, time, artist_id, artist, track_id, track] = fields(line).ok_or(COUNT)?;
            let (user, time) = (subject(user)?, parse_time(time).ok_or(TIME)?);
            rows.text(0, Some(user));
            rows.time(1, Some(time));
            for (column, field) in [(2, track_id), (3, track), (4, artist_id), (5, artist)] {
                rows.text(column, present(field));
            }
        }
        Text::Lastfm1kProfiles | Text::Lastfm360kProfiles => {
            let [user, gender, years, country, registered] = fields(line).ok_or(COUNT)?;
            let (user, years) = (subject(user)?, age(years)?);
            let registered = present(registered).map(|date| parse_long_date(date).ok_or(DATE)).transpose()?;
            rows.text(0, Some(user));
            rows.text(1, present(gender));
            rows.number(2, years);
            rows.text(3, present(country));
            rows.date(4, registered);
        }
        Text::Lastfm360kCounts => {
            let [user, artist_id, artist, plays] = fields(line).ok_or(COUNT)?;
            let (user, plays) = (subject(user)?, count(plays)?);
            rows.text(0, Some(user));
            rows.text(1, present(artist_id));
            rows.text(2, present(artist));
            rows.number(3, Some(plays));
        }
        Text::HetrecCounts => {
            let [user, artist, plays] = fields(line).ok_or(COUNT)?;
            let (user, plays) = (subject(user)?, count(plays)?);
            rows.text(0, Some(user));
            rows.text(1, present(artist));
            match names {
                Some(names) => {
                    rows.text(2, names.get(artist).map(String::as_str));
                    rows.number(3, Some(plays));
                }
                None => rows.number(2, Some(plays)),
            }
        }
        Text::Lfm1bEvents => {
            let [user, artist, album, track, time] = fields(line).ok_or(COUNT)?;
            let (user, time) = (subject(user)?, epoch(time)?);
            rows.text(0, Some(user));
            rows.time(1, Some(time));
            for (column, field) in [(2, track), (3, artist), (4, album)] {
                rows.text(column, present(field));
            }
        }
        Text::Lfm1bProfiles => {
            let [user, country, years, gender, playcount, registered] = fields(line).ok_or(COUNT)?;
            let (user, years) = (subject(user)?, age(years)?);
            let playcount = playcount_of(playcount)?;
            let registered = present(registered).map(|time| day_of(epoch(time)?).ok_or(DATE)).transpose()?;
            profile(rows, user, country, years, gender, registered);
            rows.number(5, playcount);
        }
        Text::Lfm2bEvents => {
            let [user, track, album, time] = fields(line).ok_or(COUNT)?;
            let (user, time) = (subject(user)?, parse_time(time).ok_or(TIME)?);
            rows.text(0, Some(user));
            rows.time(1, Some(time));
            rows.text(2, present(track));
            rows.text(3, present(album));
        }
        Text::Lfm2bCounts => {
            let [user, track, plays] = fields(line).ok_or(COUNT)?;
            let (user, plays) = (subject(user)?, count(plays)?);
            rows.text(0, Some(user));
            rows.text(1, present(track));
            rows.number(2, Some(plays));
        }
        Text::Lfm2bProfiles => {
            let [user, country, years, gender, created] = fields(line).ok_or(COUNT)?;
            let (user, years) = (subject(user)?, age(years)?);
            let created = present(created).map(|time| parse_time(time).and_then(day_of).ok_or(DATE)).transpose()?;
            profile(rows, user, country, years, gender, created);
        }
    }
    Ok(())
}

fn profile(rows: &mut RowBuilder, user: &str, country: &str, years: Option<i64>, gender: &str, registered: Option<i32>) {
    rows.text(0, Some(user));
    rows.text(1, present(country));
    rows.number(2, years);
    rows.text(3, present(gender));
    rows.date(4, registered);
}

const COUNT: &str = "the line has another number of fields than the format";
const TIME: &str = "the time is not a time";
const DATE: &str = "the date of registration is not a date";

fn subject(field: &str) -> Result<&str, &'static str> {
    present(field).ok_or("the line names no person")
}

fn count(field: &str) -> Result<i64, &'static str> {
    field.trim().parse().ok().filter(|&plays| plays >= 0).ok_or("the number of plays is not a whole number")
}

fn age(field: &str) -> Result<Option<i64>, &'static str> {
    match present(field.trim()) {
        None => Ok(None),
        // LFM-2b writes ages with a fraction of zero.
        Some(text) => {
            let years: i32 = text.strip_suffix(".0").unwrap_or(text).parse().map_err(|_| "the age is not a whole number")?;
            Ok((years >= 0).then_some(i64::from(years)))
        }
    }
}

/// LFM-1b writes −1 for 25 people whose number of plays is unknown.
fn playcount_of(field: &str) -> Result<Option<i64>, &'static str> {
    let Some(text) = present(field.trim()) else { return Ok(None) };
    let plays: i64 = text.parse().map_err(|_| "the number of plays is not a whole number")?;
    Ok((plays >= 0).then_some(plays))
}

fn epoch(field: &str) -> Result<i64, &'static str> {
    field.trim().parse::<f64>().ok().and_then(seconds_to_ms).ok_or(TIME)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_ages_are_missing() {
        assert_eq!(
            (age(""), age("-1"), age("-1337"), age("0"), age("31"), age("22.0")),
            (Ok(None), Ok(None), Ok(None), Ok(Some(0)), Ok(Some(31)), Ok(Some(22)))
        );
        assert!(age("x").is_err() && age("99999999999").is_err() && age("1.5").is_err());
    }

    #[test]
    fn counts_and_times_are_checked() {
        assert!(count("-1").is_err() && count("").is_err() && count("1.5").is_err() && count("99999999999999999999").is_err());
        assert_eq!((playcount_of("-1"), playcount_of(""), playcount_of("7")), (Ok(None), Ok(None), Ok(Some(7))));
        assert!(playcount_of("x").is_err());
        assert_eq!(epoch("1035849600"), Ok(1_035_849_600_000));
        assert!(epoch("nan").is_err() && epoch("inf").is_err() && epoch("1e300").is_err());
    }
}
