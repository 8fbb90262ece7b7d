//! Which format a file has, by its name and by its first bytes.

use super::place::Place;
use crate::error::{Error, Result};
use crate::io::{Content, read_failed};
use crate::policy::Format;
use std::io::Read;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A Spotify history.
    Spotify(History),
    /// A listen a line.
    Listenbrainz,
    /// A text format with fixed fields.
    Text(Text),
    /// A table that names its columns itself.
    Table,
    /// Artists of HetRec by number.
    HetrecArtists,
    /// Something that is not read.
    Ignored,
}

/// What kind of Spotify history a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum History {
    /// Extended streaming history.
    Extended,
    /// Extended streaming history of videos.
    ExtendedVideo,
    /// Account data; music, or everything in older exports.
    Account,
    /// Account data: podcasts.
    AccountPodcast,
    /// Account data: audiobooks.
    AccountAudiobook,
    /// Account data: videos.
    AccountVideo,
}

/// Text formats with fixed fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Text {
    Lastfm1kEvents,
    Lastfm1kProfiles,
    Lastfm360kCounts,
    Lastfm360kProfiles,
    HetrecCounts,
    Lfm1bEvents,
    Lfm1bProfiles,
    Lfm2bEvents,
    Lfm2bCounts,
    Lfm2bProfiles,
}

impl Text {
    fn format(self) -> Format {
        match self {
            Self::Lastfm1kEvents | Self::Lastfm1kProfiles => Format::Lastfm1k,
            Self::Lastfm360kCounts | Self::Lastfm360kProfiles => Format::Lastfm360k,
            Self::HetrecCounts => Format::Hetrec,
            Self::Lfm1bEvents | Self::Lfm1bProfiles => Format::Lfm1b,
            Self::Lfm2bEvents | Self::Lfm2bCounts | Self::Lfm2bProfiles => Format::Lfm2b,
        }
    }

    /// Whether the file has one row a subject.
    pub(super) fn is_profiles(self) -> bool {
        matches!(self, Self::Lastfm1kProfiles | Self::Lastfm360kProfiles | Self::Lfm1bProfiles | Self::Lfm2bProfiles)
    }
}

/// Whether the name says that the file is part of a personal export. What lies beside it and is not recognized by name is never opened.
pub(super) fn is_personal_export(place: &Place) -> bool {
    let name = place.file.to_lowercase();
    matches!(by_name(place, &name), Some(Kind::Spotify(_) | Kind::Listenbrainz)) || NEVER_OPENED.iter().any(|stem| is_numbered(&name, stem))
}

/// What the file is, given the format that the policy names, if it does. With `closed`, files whose name says nothing are not looked into.
pub(super) fn kind(place: &Place, content: &dyn Content, format: Option<Format>, closed: bool) -> Result<Kind> {
    let name = place.file.to_lowercase();
    if ["bz2", "xz", "zst", "7z", "rar", "tar", "tgz", "tbz2"].iter().any(|packed| name.ends_with(&format!(".{packed}"))) {
        return if place.is_named() || by_name(place, name.rsplit_once('.').map_or("", |(stem, _)| stem)).is_some() {
            Err(Error::data(content.name(), None, "is packed in a way that is not read here (zip and gz are)", "unpack it first"))
        } else {
            Ok(Kind::Ignored)
        };
    }
    match format {
        None => match by_name(place, &name) {
            Some(Kind::Table)
                if name == "users.tsv" && first_line(content)?.starts_with("user_id\tcountry\tage\tgender\tcreation_time") =>
            {
                Ok(Kind::Text(Text::Lfm2bProfiles))
            }
            Some(kind) => Ok(kind),
            None if place.is_named() || has_end(&name, ".json") && !closed => sniff(content, place),
            None => Ok(Kind::Ignored),
        },
        Some(format) => of_format(place, &name, content, format),
    }
}

fn of_format(place: &Place, name: &str, content: &dyn Content, format: Format) -> Result<Kind> {
    match by_name(place, name) {
        Some(kind) if belongs(format, kind) => return Ok(kind),
        Some(Kind::Ignored) if !place.is_named() => return Ok(Kind::Ignored),
        _ if name == LFM_2B_USERS && format == Format::Lfm2b => return Ok(Kind::Text(Text::Lfm2bProfiles)),
        _ => {}
    }
    let ends: &[&str] = match format {
        Format::Parquet | Format::Yambda => &[".parquet"],
        Format::Ipc => &[".arrow", ".arrows", ".ipc", ".feather"],
        Format::Csv => &[".csv", ".tsv", ".txt", ".dat", ".data"],
        Format::Json => &[".json", ".jsonl", ".ndjson"],
        _ => &[],
    };
    if !place.is_named() {
        // In a folder, a file of another name is of another format.
        return Ok(if ends.iter().any(|end| has_end(name, end)) { Kind::Table } else { Kind::Ignored });
    }
    let fields = |line: &str| line.split('\t').count();
    let line = || first_line(content);
    Ok(match format {
        Format::Spotify => Kind::Spotify(history_of(&head(content)?)),
        Format::Listenbrainz => Kind::Listenbrainz,
        Format::Lastfm1k if fields(&line()?) == 5 => Kind::Text(Text::Lastfm1kProfiles),
        Format::Lastfm1k => Kind::Text(Text::Lastfm1kEvents),
        Format::Lastfm360k if fields(&line()?) == 5 => Kind::Text(Text::Lastfm360kProfiles),
        Format::Lastfm360k => Kind::Text(Text::Lastfm360kCounts),
        Format::Hetrec => Kind::Text(Text::HetrecCounts),
        Format::Lfm1b if fields(&line()?) == 6 => Kind::Text(Text::Lfm1bProfiles),
        Format::Lfm1b => Kind::Text(Text::Lfm1bEvents),
        Format::Lfm2b => Kind::Text(match fields(&line()?) {
            5.. => Text::Lfm2bProfiles,
            4 => Text::Lfm2bEvents,
            _ => Text::Lfm2bCounts,
        }),
        _ => Kind::Table,
    })
}

/// Whether a file of this kind is of this format.
fn belongs(format: Format, kind: Kind) -> bool {
    match (format, kind) {
        (Format::Spotify, Kind::Spotify(_)) | (Format::Listenbrainz, Kind::Listenbrainz) | (Format::Hetrec, Kind::HetrecArtists) => true,
        (format, Kind::Text(text)) => format == text.format(),
        _ => false,
    }
}

/// What a file of this name is, where the name says it. Nothing is opened.
fn by_name(place: &Place, name: &str) -> Option<Kind> {
    if let Some(history) = spotify_name(name) {
        return Some(Kind::Spotify(history));
    }
    let folders = place.folders();
    if name.ends_with(".listens") {
        return Some(Kind::Listenbrainz);
    }
    if has_end(name, ".jsonl")
        && matches!(folders.as_slice(), [.., listens, year] if listens.eq_ignore_ascii_case("listens") && year.bytes().all(|b| b.is_ascii_digit()))
    {
        return Some(Kind::Listenbrainz);
    }
    if NEVER_OPENED.iter().any(|stem| is_numbered(name, stem)) || folders.iter().any(|folder| is_package(&folder.to_lowercase())) {
        return Some(Kind::Ignored);
    }
    let text = |begin: &str, end: &str| name.starts_with(begin) && name.ends_with(end);
    Some(match name {
        _ if text("userid-timestamp-artid-artname-traid-traname", ".tsv") => Kind::Text(Text::Lastfm1kEvents),
        _ if text("usersha1-artmbid-artname-plays", ".tsv") => Kind::Text(Text::Lastfm360kCounts),
        _ if text("usersha1-profile", ".tsv") => Kind::Text(Text::Lastfm360kProfiles),
        _ if text("userid-profile", ".tsv") => Kind::Text(Text::Lastfm1kProfiles),
        "user_artists.dat" => Kind::Text(Text::HetrecCounts),
        "artists.dat" => Kind::HetrecArtists,
        "tags.dat" | "user_friends.dat" | "user_taggedartists.dat" | "user_taggedartists-timestamps.dat" if !place.is_named() => {
            Kind::Ignored
        }
        "lfm-1b_les.txt" => Kind::Text(Text::Lfm1bEvents),
        "lfm-1b_users.txt" => Kind::Text(Text::Lfm1bProfiles),
        _ if name.starts_with("lfm-1b_") && !place.is_named() => Kind::Ignored,
        "listening-events.tsv" => Kind::Text(Text::Lfm2bEvents),
        "listening-counts.tsv" => Kind::Text(Text::Lfm2bCounts),
        _ if TABLES.iter().any(|end| name.ends_with(end)) => Kind::Table,
        _ => return None,
    })
}

/// Profiles of LFM-2b. The name is common, so the first line must agree.
const LFM_2B_USERS: &str = "users.tsv";

/// Extensions of tables.
const TABLES: [&str; 9] = [".parquet", ".csv", ".tsv", ".arrow", ".arrows", ".ipc", ".feather", ".jsonl", ".ndjson"];

/// Files of a Spotify or ListenBrainz package, other than the histories, by lower-case name without number and extension. They hold names, addresses and payment data, and are never opened.
const NEVER_OPENED: [&str; 29] = [
    "userdata",
    "identity",
    "identifiers",
    "payments",
    "inferences",
    "searchqueries",
    "follow",
    "playlist",
    "yourlibrary",
    "marquee",
    "familyplan",
    "duonewfamily",
    "voiceinput",
    "carthing",
    "useraddress",
    "userprompts",
    "messagedata",
    "podcastinteractivitycomment",
    "podcastinteractivitypoll",
    "podcastinteractivityrating",
    "podcastinteractivityratedshow",
    "yoursoundcapsule",
    "wrapped2023",
    "wrapped2024",
    "wrapped2025",
    "duopremiumlegacy",
    "user",
    "feedback",
    "pinned_recording",
];

/// Whether a (lower-case) name ends so.
fn has_end(name: &str, end: &str) -> bool {
    name.ends_with(end)
}

/// Whether a folder of this (lower-case) name holds a package of Spotify.
fn is_package(name: &str) -> bool {
    name == "mydata"
        || name == "spotify account data"
        || name == "spotify extended streaming history"
        || name == "spotify technical log information"
}

fn is_numbered(name: &str, stem: &str) -> bool {
    let Some((found, extension)) = name.rsplit_once('.') else { return false };
    matches!(extension, "json" | "jsonl")
        && found.strip_prefix(stem).is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit() || b == b'_'))
}

/// The history that a file of this (lower-case) name holds.
pub(super) fn spotify_name(name: &str) -> Option<History> {
    let stem = name.strip_suffix(".json")?;
    let numbers = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'_' | b'-'));
    if let Some(rest) = stem.strip_prefix("streaming_history_audio") {
        return numbers(rest).then_some(History::Extended);
    }
    if let Some(rest) = stem.strip_prefix("streaming_history_video") {
        return numbers(rest).then_some(History::ExtendedVideo);
    }
    if let Some(rest) = stem.strip_prefix("endsong") {
        return numbers(rest).then_some(History::Extended);
    }
    if let Some(rest) = stem.strip_prefix("endvideo") {
        return numbers(rest).then_some(History::ExtendedVideo);
    }
    let rest = stem.strip_prefix("streaminghistory")?;
    let kinds = [
        ("_music", History::Account),
        ("_podcast", History::AccountPodcast),
        ("_audiobook", History::AccountAudiobook),
        ("_video", History::AccountVideo),
        ("", History::Account),
    ];
    kinds.iter().find_map(|(mark, history)| rest.strip_prefix(mark).filter(|rest| numbers(rest)).map(|_| *history))
}

/// What a file is whose name does not say it.
fn sniff(content: &dyn Content, place: &Place) -> Result<Kind> {
    let head = head(content)?;
    let has = |key: &str| head.contains(&format!("\"{key}\""));
    Ok(
        if head.trim_start_matches('\u{feff}').trim_start().starts_with('[')
            && (has("ms_played") && has("ts") || has("endTime") && has("msPlayed"))
        {
            Kind::Spotify(history_of(&head))
        } else if head.trim_start().starts_with('{') && has("listened_at") && has("track_metadata") {
            Kind::Listenbrainz
        } else if !head.contains('\0') || place.is_named() {
            Kind::Table
        } else {
            Kind::Ignored
        },
    )
}

fn history_of(head: &str) -> History {
    if !head.contains("\"endTime\"") {
        History::Extended
    } else if head.contains("\"podcastName\"") {
        History::AccountPodcast
    } else {
        History::Account
    }
}

fn head(content: &dyn Content) -> Result<String> {
    let mut bytes = Vec::new();
    content.open()?.take(16 << 10).read_to_end(&mut bytes).map_err(|e| read_failed(content.name(), e))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn first_line(content: &dyn Content) -> Result<String> {
    Ok(head(content)?.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spotify_names_of_all_ages() {
        for (name, expected) in [
            ("streaming_history_audio_2021-2022_3.json", Some(History::Extended)),
            ("streaming_history_audio_2021.json", Some(History::Extended)),
            ("streaming_history_video_2018-2024.json", Some(History::ExtendedVideo)),
            ("endsong.json", Some(History::Extended)),
            ("endsong_12.json", Some(History::Extended)),
            ("endvideo.json", Some(History::ExtendedVideo)),
            ("streaminghistory0.json", Some(History::Account)),
            ("streaminghistory_music_1.json", Some(History::Account)),
            ("streaminghistory_podcast_0.json", Some(History::AccountPodcast)),
            ("streaminghistory_audiobook.json", Some(History::AccountAudiobook)),
            ("streaminghistory_video_0.json", Some(History::AccountVideo)),
            ("userdata.json", None),
            ("streaming_history_audio_2021.csv", None),
            ("streaminghistory_summary.json", None),
        ] {
            assert_eq!(spotify_name(name), expected, "{name}");
        }
    }

    #[test]
    fn what_else_a_package_holds_is_never_opened() {
        let place = Place::new(std::path::Path::new("/nowhere/x.zip"), "/nowhere/x.zip!MyData/Userdata.json");
        for name in
            ["userdata.json", "playlist1.json", "identity.json", "payments.json", "inferences.json", "searchqueries.json", "user.json"]
        {
            assert_eq!(by_name(&place, name), Some(Kind::Ignored), "{name}");
        }
    }
}
