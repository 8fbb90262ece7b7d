//! Spotify: account data and extended streaming history.
//!
//! One source is one subject: all histories that one person handed in, read one after the other, extended history first. What both packages hold is
//! counted once. A time in these files is the *end* of a stream; the start is that minus the time played.
//!
//! - Left out and counted: events in private mode (`incognito`), podcasts and audiobooks (`podcast`, `audiobook`), the video history (`video`), exact repetitions of start, track and time played
//!   (`duplicate`). Keys that no export is known to have are counted one by one as `unknown-field`.
//! - Dropped while parsing: address, user agent, user name, city, region, and `offline_timestamp`, whose unit changed over the years. The platform is cut to its
//!   family, because the long form names the device.
//! - `skipped` is derived where the reason says so: exports of several years hold `false` throughout.
//! - Account data has no track id, and its times are cut to the minute. An event of it is the same as one of the extended history when the minute of the end, the names
//!   and the time played agree.
//! - Account data of before 2021 mixes podcasts with music and does not say which is which.

use super::json::Elements;
use super::recognize::History;
use super::rows::{Fault, Layout, Records};
use super::schema::RowBuilder;
use super::text::{digest, parse_time};
use crate::error::Result;
use crate::io::{Content, LeftOut};
use hashbrown::HashSet;
use std::sync::Arc;

mod record;

use record::Record;

/// Columns of the format.
pub(super) const COLUMNS: [&str; 13] = [
    "subject_id",
    "started_at",
    "track_id",
    "track_name",
    "artist_name",
    "album_name",
    "ms_played",
    "country",
    "platform",
    "reason_start",
    "reason_end",
    "shuffle",
    "skipped",
];

/// Events of one person at most: two a second for a year. It bounds the memory for finding repetitions.
const MAX_EVENTS: usize = 60_000_000;

/// All histories of one person.
#[derive(Debug)]
pub(super) struct Histories {
    pub(super) subject: String,
    pub(super) files: Vec<(History, Arc<dyn Content>)>,
    pub(super) keep_incognito: bool,
    pub(super) keep_spoken: bool,
}

impl Layout for Histories {
    fn open(&self) -> Result<Box<dyn Records>> {
        let mut files = self.files.clone();
        // Extended first: its times are exact. Names decide within a kind, so the order of the input does not.
        files.sort_by(|a, b| (a.0, last(a.1.name()), a.1.name()).cmp(&(b.0, last(b.1.name()), b.1.name())));
        let is_extended = |history| matches!(history, History::Extended | History::ExtendedVideo);
        let both = files.iter().any(|(history, _)| is_extended(*history)) && !files.iter().all(|(history, _)| is_extended(*history));
        files.reverse();
        Ok(Box::new(Reader {
            subject: self.subject.clone(),
            keep_incognito: self.keep_incognito,
            keep_spoken: self.keep_spoken,
            files,
            open: None,
            seen: HashSet::new(),
            minutes: both.then(HashSet::new),
        }))
    }
}

fn last(name: &str) -> &str {
    name.rsplit(['/', '!']).next().unwrap_or(name)
}

struct Reader {
    subject: String,
    keep_incognito: bool,
    keep_spoken: bool,
    /// Files not yet opened, the next one last.
    files: Vec<(History, Arc<dyn Content>)>,
    open: Option<(History, Elements)>,
    /// Events so far, by a hash of start, track and time played.
    seen: HashSet<u128>,
    /// Events of the extended history, by a hash of what account data shows of them; absent where one of the two is.
    minutes: Option<HashSet<u128>>,
}

impl Records for Reader {
    fn read(&mut self, rows: &mut RowBuilder, left_out: &LeftOut) -> Result<bool, Fault> {
        loop {
            if self.open.is_none() {
                let Some((history, content)) = self.files.pop() else { return Ok(false) };
                self.open = Some((history, Elements::open(content.as_ref())?));
            }
            let Some((history, elements)) = &mut self.open else { return Ok(false) };
            if !elements.next()? {
                self.open = None;
                continue;
            }
            let (history, elements) = (*history, &*elements);
            let Ok(record) = serde_json::from_slice::<Record<'_>>(elements.element()) else {
                return Err(elements.malformed("the record is not an object with the keys and types of a Spotify history"));
            };
            let event = event(&record).map_err(|problem| elements.malformed(problem))?;
            left_out.add("unknown-field", record.unknown);
            if let Some(reason) = reason_against(self.keep_incognito, self.keep_spoken, history, &record) {
                left_out.add(reason, 1);
                return Ok(true);
            }
            if self.seen.len() >= MAX_EVENTS {
                return Err(Fault::Fatal(
                    elements.error("one person has more events than a person can have; are several people in one folder?"),
                ));
            }
            if !remember(&mut self.seen, self.minutes.as_mut(), &event, record.ts.get().is_none()) {
                left_out.add("duplicate", 1);
                return Ok(true);
            }
            push(rows, &self.subject, &record, &event);
            return Ok(true);
        }
    }
}

/// Why an event is left out, if it is.
fn reason_against(keep_incognito: bool, keep_spoken: bool, history: History, record: &Record<'_>) -> Option<&'static str> {
    if record.incognito == Some(true) && !keep_incognito {
        return Some("incognito");
    }
    if keep_spoken {
        return None;
    }
    match history {
        History::ExtendedVideo | History::AccountVideo => Some("video"),
        _ if history == History::AccountAudiobook || record.is_audiobook() => Some("audiobook"),
        _ if history == History::AccountPodcast || record.is_podcast() => Some("podcast"),
        _ => None,
    }
}

/// What identifies an event.
struct Event<'a> {
    /// Start and end in milliseconds since 1970.
    start: i64,
    end: i64,
    ms_played: i64,
    track_id: Option<&'a str>,
    track: Option<&'a str>,
    artist: Option<&'a str>,
    album: Option<&'a str>,
}

fn event<'a>(record: &'a Record<'_>) -> Result<Event<'a>, &'static str> {
    let time = record.ts.get().or(record.end_time.get()).ok_or("the record has no time")?;
    let end = parse_time(time).ok_or("the time of the record is not a time")?;
    let ms_played =
        record.ms_played.integer().filter(|&ms| ms >= 0).ok_or("the time played is missing or not a whole number of milliseconds")?;
    let start = end.checked_sub(ms_played).ok_or("the time of the record is not a time")?;
    let (track_id, track, artist, album) = if record.track_uri.get().is_some() || record.track.get().is_some() {
        (record.track_uri.get(), record.track.get(), record.artist.get(), record.album.get())
    } else if record.is_audiobook() {
        (record.chapter_uri.get().or(record.audiobook_uri.get()), record.chapter.get(), record.author.get(), record.audiobook.get())
    } else if record.is_podcast() {
        (record.episode_uri.get(), record.episode.get(), record.show.get(), None)
    } else {
        (None, None, record.artist.get(), record.album.get())
    };
    let track_id = track_id.map(|uri| uri.strip_prefix("spotify:track:").unwrap_or(uri));
    Ok(Event { start, end, ms_played, track_id, track, artist, album })
}

/// Whether the event is new. Account data is compared with the extended history by what both show.
fn remember(seen: &mut HashSet<u128>, minutes: Option<&mut HashSet<u128>>, event: &Event<'_>, account: bool) -> bool {
    let played = event.ms_played.to_string();
    if let Some(minutes) = minutes {
        let coarse = digest(event.end.div_euclid(60_000), &[Some(&played), event.track, event.artist]);
        if account && minutes.contains(&coarse) {
            return false;
        }
        if !account {
            minutes.insert(coarse);
        }
    }
    seen.insert(match event.track_id {
        Some(id) => digest(event.start, &[Some(&played), Some(id)]),
        None => digest(event.start, &[Some(&played), event.track, event.artist, event.album]),
    })
}

fn push(rows: &mut RowBuilder, subject: &str, record: &Record<'_>, event: &Event<'_>) {
    rows.text(0, Some(subject));
    rows.time(1, Some(event.start));
    rows.text(2, event.track_id);
    rows.text(3, event.track);
    rows.text(4, event.artist);
    rows.text(5, event.album);
    rows.number(6, Some(event.ms_played));
    rows.text(7, country(record.country.get()).as_deref());
    rows.text(8, record.platform.get().map(platform));
    rows.text(9, record.reason_start.get());
    rows.text(10, record.reason_end.get());
    rows.flag(11, record.shuffle);
    rows.flag(12, skipped(record));
    rows.end_row();
}

/// The country as two capital letters. `ZZ` (unknown) and whatever is not two letters become missing.
fn country(code: Option<&str>) -> Option<String> {
    let code = code.filter(|code| code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_alphabetic()))?.to_ascii_uppercase();
    (code != "ZZ").then_some(code)
}

/// Whether the listener went on before the end. Exports of 2015 to 2022 say `false` throughout; the reason for the end does not.
fn skipped(record: &Record<'_>) -> Option<bool> {
    let by_reason = record.reason_end.0.as_deref().map(|reason| matches!(reason, "backbtn" | "unknown" | "endplay" | "fwdbtn"));
    match (record.skipped, by_reason) {
        (None, None) => None,
        (told, reason) => Some(told.unwrap_or(false) || reason.unwrap_or(false)),
    }
}

/// The family of a platform. The long form of older exports names model and version of the device.
fn platform(long: &str) -> &'static str {
    const FAMILIES: [(&str, &str); 27] = [
        ("not_applicable", "not_applicable"),
        ("web", "web"),
        ("android_tv", "tv"),
        ("android tv", "tv"),
        ("tizen", "tv"),
        ("webos", "tv"),
        ("_tv", "tv"),
        ("roku", "tv"),
        ("android_auto", "car"),
        ("car", "car"),
        ("playstation", "console"),
        ("ps3", "console"),
        ("ps4", "console"),
        ("ps5", "console"),
        ("scei", "console"),
        ("xbox", "console"),
        ("cast", "speaker"),
        ("sonos", "speaker"),
        ("alexa", "speaker"),
        ("speaker", "speaker"),
        ("android", "android"),
        ("ios", "ios"),
        ("iphone", "ios"),
        ("ipad", "ios"),
        ("os x", "macos"),
        ("osx", "macos"),
        ("macos", "macos"),
    ];
    let long = long.to_lowercase();
    let family = FAMILIES.iter().find(|(mark, _)| long.contains(mark)).map(|(_, family)| *family);
    family.unwrap_or(if long.contains("windows") {
        "windows"
    } else if long.contains("linux") {
        "linux"
    } else {
        "other"
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn platforms_lose_the_device() {
        for (long, short) in [
            ("Android OS 7.0 API 24 (motorola, Moto G (4))", "android"),
            ("web_player windows 10;chrome 95.0.4638.54;desktop", "web"),
            ("WebPlayer (websocket RFC6455)", "web"),
            ("iOS 14.4 (iPhone12,1)", "ios"),
            ("Windows 10 (10.0.19042; x64; AppX)", "windows"),
            ("OS X 10.15.7 [x86 4]", "macos"),
            ("Linux [x86-64 0]", "linux"),
            ("Partner google cast_tv;Chromecast;;", "tv"),
            ("Partner scei ps4;", "console"),
            ("Partner amazon_fireos Amazon;Echo_Dot;unheard-of-1234", "other"),
            ("not_applicable", "not_applicable"),
            ("android", "android"),
            ("windows", "windows"),
        ] {
            assert_eq!(platform(long), short, "{long}");
        }
    }

    #[test]
    fn unknown_countries_are_missing() {
        assert_eq!(country(Some("de")).as_deref(), Some("DE"));
        assert_eq!((country(Some("ZZ")), country(Some("")), country(Some("Germany")), country(None)), (None, None, None, None));
    }

    #[test]
    fn skipping_is_derived_from_the_reason() {
        let record = |text: &'static str| serde_json::from_str::<Record<'_>>(text).unwrap();
        assert_eq!(skipped(&record(r#"{"skipped":false,"reason_end":"fwdbtn"}"#)), Some(true));
        assert_eq!(skipped(&record(r#"{"skipped":null,"reason_end":"trackdone"}"#)), Some(false));
        assert_eq!(skipped(&record(r#"{"skipped":true}"#)), Some(true));
        assert_eq!(skipped(&record("{}")), None);
    }
}
