//! How input files are read.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How the input is to be read. Everything is optional: formats are recognized by content and extension.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The format, where it is not to be recognized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Separator of text tables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delimiter: Option<char>,
    /// Whether a text table begins with a line of column names; found out if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// Renames: canonical name = name in the file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, String>,
    /// What to do with a malformed record: an error by default, or skip and count it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skip_malformed: bool,
    /// Keep events that a listener had in private mode.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_incognito: bool,
    /// Keep podcasts and audiobooks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_spoken: bool,
    /// The same for the files given as profiles, where they differ.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profiles: Option<Box<Input>>,
}

/// Formats of input files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Format {
    /// Spotify's account data or extended streaming history.
    Spotify,
    /// A ListenBrainz dump or user export.
    Listenbrainz,
    /// Last.fm-1K.
    #[serde(rename = "lastfm-1k")]
    Lastfm1k,
    /// Last.fm-360K.
    #[serde(rename = "lastfm-360k")]
    Lastfm360k,
    /// HetRec 2011 Last.fm-2k.
    Hetrec,
    /// LFM-1b.
    #[serde(rename = "lfm-1b")]
    Lfm1b,
    /// LFM-2b.
    #[serde(rename = "lfm-2b")]
    Lfm2b,
    /// Yambda.
    Yambda,
    /// Apache Parquet.
    Parquet,
    /// Apache Arrow IPC, file or stream.
    Ipc,
    /// Separated text.
    Csv,
    /// JSON: an array of objects, or one object a line.
    Json,
}
