//! One record of a Spotify history, of whatever package and age.

use crate::listening::json::{Number, Text};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};
use std::fmt;

/// What is read of a record. Everything may be absent or null.
#[derive(Debug, Default)]
pub(super) struct Record<'a> {
    pub(super) ts: Text<'a>,
    pub(super) end_time: Text<'a>,
    pub(super) platform: Text<'a>,
    pub(super) ms_played: Number,
    pub(super) country: Text<'a>,
    pub(super) track: Text<'a>,
    pub(super) artist: Text<'a>,
    pub(super) album: Text<'a>,
    pub(super) track_uri: Text<'a>,
    pub(super) episode: Text<'a>,
    pub(super) show: Text<'a>,
    pub(super) episode_uri: Text<'a>,
    pub(super) audiobook: Text<'a>,
    pub(super) author: Text<'a>,
    pub(super) audiobook_uri: Text<'a>,
    pub(super) chapter: Text<'a>,
    pub(super) chapter_uri: Text<'a>,
    pub(super) reason_start: Text<'a>,
    pub(super) reason_end: Text<'a>,
    pub(super) shuffle: Option<bool>,
    pub(super) skipped: Option<bool>,
    pub(super) incognito: Option<bool>,
    /// Keys that no export is known to have.
    pub(super) unknown: u64,
}

impl Record<'_> {
    pub(super) fn is_podcast(&self) -> bool {
        self.episode_uri.get().or(self.episode.get()).or(self.show.get()).is_some()
    }

    pub(super) fn is_audiobook(&self) -> bool {
        let uri = self.audiobook_uri.get().or(self.chapter_uri.get());
        uri.or(self.audiobook.get()).or(self.chapter.get()).is_some()
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Record<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RecordVisitor;
        impl<'de> Visitor<'de> for RecordVisitor {
            type Value = Record<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record of a history")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
                let mut record = Record::default();
                while let Some(key) = map.next_key::<Key>()? {
                    match key {
                        Key::Ts => record.ts = map.next_value()?,
                        Key::EndTime => record.end_time = map.next_value()?,
                        Key::Platform => record.platform = map.next_value()?,
                        Key::MsPlayed => record.ms_played = map.next_value()?,
                        Key::Country => record.country = map.next_value()?,
                        Key::Track => record.track = map.next_value()?,
                        Key::Artist => record.artist = map.next_value()?,
                        Key::Album => record.album = map.next_value()?,
                        Key::TrackUri => record.track_uri = map.next_value()?,
                        Key::Episode => record.episode = map.next_value()?,
                        Key::Show => record.show = map.next_value()?,
                        Key::EpisodeUri => record.episode_uri = map.next_value()?,
                        Key::Audiobook => record.audiobook = map.next_value()?,
                        Key::Author => record.author = map.next_value()?,
                        Key::AudiobookUri => record.audiobook_uri = map.next_value()?,
                        Key::Chapter => record.chapter = map.next_value()?,
                        Key::ChapterUri => record.chapter_uri = map.next_value()?,
                        Key::ReasonStart => record.reason_start = map.next_value()?,
                        Key::ReasonEnd => record.reason_end = map.next_value()?,
                        Key::Shuffle => record.shuffle = map.next_value()?,
                        Key::Skipped => record.skipped = map.next_value()?,
                        Key::Incognito => record.incognito = map.next_value()?,
                        Key::Dropped => {
                            map.next_value::<IgnoredAny>()?;
                        }
                        Key::Unknown => {
                            map.next_value::<IgnoredAny>()?;
                            record.unknown += 1;
                        }
                    }
                }
                Ok(record)
            }
        }
        deserializer.deserialize_map(RecordVisitor)
    }
}

enum Key {
    Ts,
    EndTime,
    Platform,
    MsPlayed,
    Country,
    Track,
    Artist,
    Album,
    TrackUri,
    Episode,
    Show,
    EpisodeUri,
    Audiobook,
    Author,
    AudiobookUri,
    Chapter,
    ChapterUri,
    ReasonStart,
    ReasonEnd,
    Shuffle,
    Skipped,
    Incognito,
    /// Known and never kept.
    Dropped,
    Unknown,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "ts" => Key::Ts,
                    "endTime" => Key::EndTime,
                    "platform" => Key::Platform,
                    "ms_played" | "msPlayed" => Key::MsPlayed,
                    "conn_country" => Key::Country,
                    "master_metadata_track_name" | "trackName" => Key::Track,
                    "master_metadata_album_artist_name" | "artistName" => Key::Artist,
                    "master_metadata_album_album_name" => Key::Album,
                    "spotify_track_uri" => Key::TrackUri,
                    "episode_name" | "episodeName" => Key::Episode,
                    "episode_show_name" | "podcastName" => Key::Show,
                    "spotify_episode_uri" => Key::EpisodeUri,
                    "audiobook_title" | "audiobookName" => Key::Audiobook,
                    "authorName" => Key::Author,
                    "audiobook_uri" => Key::AudiobookUri,
                    "audiobook_chapter_title" | "chapterName" => Key::Chapter,
                    "audiobook_chapter_uri" => Key::ChapterUri,
                    "reason_start" => Key::ReasonStart,
                    "reason_end" => Key::ReasonEnd,
                    "shuffle" => Key::Shuffle,
                    "skipped" => Key::Skipped,
                    "incognito_mode" => Key::Incognito,
                    "username"
                    | "ip_addr"
                    | "ip_addr_decrypted"
                    | "user_agent_decrypted"
                    | "city"
                    | "region"
                    | "offline"
                    | "offline_timestamp" => Key::Dropped,
                    _ => Key::Unknown,
                })
            }
        }
        deserializer.deserialize_identifier(KeyVisitor).map_err(D::Error::custom)
    }
}
