//! ListenBrainz: the public dump and the export of one user.
//!
//! A listen's time is its start. Only the fields named here are read: `additional_info` is an open dictionary in which clients leave addresses of private
//! servers. The track is the recording's MBID (mapped, else as submitted), else its MSID; the artist is the first one credited.
//! In a dump the subject is the `user_id`, else the `user_name`; an export has neither and its subject is the archive or folder it came in.

use super::json::{Number, Text};
use super::rows::{Fault, Layout, Records};
use super::schema::RowBuilder;
use super::text::{Lines, digest, seconds_to_ms};
use crate::error::Result;
use crate::io::{Content, LeftOut};
use hashbrown::HashSet;
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// Columns of the format.
pub(super) const COLUMNS: [&str; 8] =
    ["subject_id", "started_at", "track_id", "track_name", "artist_id", "artist_name", "album_name", "ms_played"];

/// Listens of a dump, or all listens of one user.
#[derive(Debug)]
pub(super) struct Listens {
    /// For an export of one user: who that is.
    pub(super) subject: Option<String>,
    pub(super) files: Vec<Arc<dyn Content>>,
}

impl Layout for Listens {
    fn open(&self) -> Result<Box<dyn Records>> {
        let mut files = self.files.clone();
        files.sort_by(|a, b| b.name().cmp(a.name()));
        Ok(Box::new(Reader { subject: self.subject.clone(), files, open: None, seen: HashSet::new() }))
    }
}

struct Reader {
    subject: Option<String>,
    files: Vec<Arc<dyn Content>>,
    open: Option<Lines>,
    /// Listens of one user so far, by a hash; not used for a dump.
    seen: HashSet<u128>,
}

#[derive(Debug, Deserialize)]
struct Listen<'a> {
    listened_at: Number,
    #[serde(default)]
    user_id: Number,
    #[serde(borrow, default)]
    user_name: Text<'a>,
    #[serde(borrow)]
    track_metadata: Metadata<'a>,
}

#[derive(Debug, Deserialize)]
struct Metadata<'a> {
    #[serde(borrow, default)]
    artist_name: Text<'a>,
    #[serde(borrow, default)]
    track_name: Text<'a>,
    #[serde(borrow, default)]
    release_name: Text<'a>,
    #[serde(borrow, default)]
    recording_msid: Text<'a>,
    #[serde(borrow, default)]
    mbid_mapping: Option<Mapping<'a>>,
    #[serde(default)]
    additional_info: Option<Additional>,
}

#[derive(Debug, Default, Deserialize)]
struct Mapping<'a> {
    #[serde(borrow, default)]
    recording_mbid: Text<'a>,
    #[serde(borrow, default)]
    artist_mbids: Option<Vec<Text<'a>>>,
}

/// The allow-list of the open dictionary. A client may have put anything anywhere, so a value of another type is no value.
#[derive(Debug, Default, Deserialize)]
struct Additional {
    #[serde(default)]
    recording_mbid: Value,
    #[serde(default)]
    recording_msid: Value,
    #[serde(default)]
    artist_mbids: Value,
    #[serde(default)]
    ms_played: Value,
}

impl Metadata<'_> {
    fn track_id(&self) -> Option<&str> {
        let mapped = self.mbid_mapping.as_ref().and_then(|mapping| mapping.recording_mbid.get());
        let submitted = |pick: fn(&Additional) -> &Value| self.additional_info.as_ref().and_then(|info| text(pick(info)));
        mapped
            .or_else(|| submitted(|info| &info.recording_mbid))
            .or_else(|| self.recording_msid.get())
            .or_else(|| submitted(|info| &info.recording_msid))
    }

    fn artist_id(&self) -> Option<&str> {
        let mapped =
            self.mbid_mapping.as_ref().and_then(|mapping| mapping.artist_mbids.as_ref()).and_then(|ids| ids.first()).and_then(Text::get);
        mapped.or_else(|| self.additional_info.as_ref().and_then(|info| info.artist_mbids.get(0)).and_then(text))
    }
}

fn text(value: &Value) -> Option<&str> {
    value.as_str().filter(|text| !text.is_empty())
}

impl Records for Reader {
    fn read(&mut self, rows: &mut RowBuilder, left_out: &LeftOut) -> Result<bool, Fault> {
        loop {
            if self.open.is_none() {
                let Some(content) = self.files.pop() else { return Ok(false) };
                self.open = Some(Lines::open(content.as_ref())?);
            }
            let Some(lines) = &mut self.open else { return Ok(false) };
            if !lines.next()? {
                self.open = None;
                continue;
            }
            let lines = &*lines;
            let Ok(listen) = serde_json::from_str::<Listen<'_>>(lines.line()) else {
                return Err(lines.malformed("the line is not a listen: an object with listened_at and track_metadata"));
            };
            let started_at =
                listen.listened_at.0.and_then(seconds_to_ms).ok_or_else(|| lines.malformed("listened_at is missing or not a time"))?;
            let id = listen.user_id.integer().map(|id| id.to_string());
            let subject = self.subject.as_deref().or(id.as_deref()).or(listen.user_name.get());
            let subject = subject.ok_or_else(|| lines.malformed("the listen has neither user_id nor user_name"))?;
            let metadata = &listen.track_metadata;
            let (track_id, artist, track) = (metadata.track_id(), metadata.artist_name.get(), metadata.track_name.get());
            if self.subject.is_some() && !self.seen.insert(digest(started_at, &[track_id, artist, track])) {
                left_out.add("duplicate", 1);
                return Ok(true);
            }
            let ms_played = metadata.additional_info.as_ref().and_then(|info| info.ms_played.as_i64()).filter(|&ms| ms >= 0);
            rows.text(0, Some(subject));
            rows.time(1, Some(started_at));
            rows.text(2, track_id);
            rows.text(3, track);
            rows.text(4, metadata.artist_id());
            rows.text(5, artist);
            rows.text(6, metadata.release_name.get());
            rows.number(7, ms_played);
            rows.end_row();
            return Ok(true);
        }
    }
}
