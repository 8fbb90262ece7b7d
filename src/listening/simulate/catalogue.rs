//! What can be listened to: artists in clusters of taste, their albums and tracks.

use super::sample::{Alias, base62, normal, uniform, uniform_below, zipf};
use crate::error::{Error, Result};
use arrow::array::StringArray;
use rand::rngs::ChaCha8Rng;

/// Clusters of taste; the real lists of HetRec Last.fm are described well by 40 topics.
pub(super) const CLUSTERS: usize = 40;
/// Exponent of the popularity of artists.
const POPULARITY: f64 = 0.975;
/// Tracks of an album.
const ALBUM: usize = 10;

#[derive(Debug)]
pub(super) struct Catalogue {
    pub(super) artist_ids: StringArray,
    pub(super) artist_names: StringArray,
    pub(super) track_ids: StringArray,
    pub(super) track_names: StringArray,
    pub(super) album_names: StringArray,
    /// Length of each track in milliseconds.
    pub(super) lengths: Vec<u32>,
    /// First track of each artist, and the number of tracks behind the last.
    first_tracks: Vec<u32>,
    /// Artists of each cluster, and how popular they are within it.
    clusters: Vec<(Vec<u32>, Alias)>,
    /// How popular the artists are with everybody.
    everybody: Alias,
}

impl Catalogue {
    pub(super) fn new(artists: usize, mut rng: ChaCha8Rng) -> Result<Self> {
        let rng = &mut rng;
        let weights = zipf(artists, POPULARITY);
        let mut members: Vec<(Vec<u32>, Vec<f64>)> = vec![Default::default(); CLUSTERS.min(artists)];
        let (mut artist_ids, mut artist_names) = (Vec::with_capacity(artists), Vec::with_capacity(artists));
        let (mut track_ids, mut track_names, mut album_names, mut lengths) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut first_tracks = vec![0];
        for (artist, weight) in weights.iter().enumerate() {
            // The first artists go round, so that no cluster is empty.
            let cluster = if artist < members.len() { artist } else { uniform_below(rng, members.len()) };
            if let Some((ids, weights)) = members.get_mut(cluster) {
                ids.push(u32::try_from(artist).map_err(|_| too_large())?);
                weights.push(*weight);
            }
            artist_ids.push(id(rng));
            artist_names.push(name(rng));
            // Popular artists have more tracks out.
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 3 and 75")]
            let tracks = (3.0 + 60.0 * weight.powf(0.35) * (0.4 + 0.8 * uniform(rng))) as usize;
            let mut album = String::new();
            for track in 0..tracks {
                if track % ALBUM == 0 {
                    album = title(rng);
                }
                track_ids.push(id(rng));
                track_names.push(title(rng));
                album_names.push(album.clone());
                let seconds = (205.0 + 45.0 * normal(rng)).clamp(30.0, 1800.0);
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 30 and 1800 seconds")]
                lengths.push((seconds * 1000.0) as u32);
            }
            first_tracks.push(u32::try_from(track_ids.len()).map_err(|_| too_large())?);
        }
        Ok(Self {
            artist_ids: artist_ids.into(),
            artist_names: artist_names.into(),
            track_ids: track_ids.into(),
            track_names: track_names.into(),
            album_names: album_names.into(),
            lengths,
            first_tracks,
            clusters: members.into_iter().map(|(ids, weights)| (ids, Alias::new(&weights))).collect(),
            everybody: Alias::new(&weights),
        })
    }

    /// Number of clusters.
    pub(super) fn clusters(&self) -> usize {
        self.clusters.len()
    }

    /// An artist of a cluster.
    pub(super) fn artist_of(&self, cluster: usize, rng: &mut ChaCha8Rng) -> u32 {
        self.clusters.get(cluster).and_then(|(ids, law)| ids.get(law.draw(rng)).copied()).unwrap_or(0)
    }

    /// An artist as popular with everybody.
    pub(super) fn artist(&self, rng: &mut ChaCha8Rng) -> u32 {
        u32::try_from(self.everybody.draw(rng)).unwrap_or(0)
    }

    /// A track of an artist; the first ones are the hits.
    pub(super) fn track(&self, artist: u32, rng: &mut ChaCha8Rng) -> u32 {
        let at = artist as usize;
        let (first, next) = (self.first_tracks.get(at).copied().unwrap_or(0), self.first_tracks.get(at + 1).copied().unwrap_or(1));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below the number of tracks")]
        let rank = (f64::from(next - first) * uniform(rng).powi(2)) as u32;
        first + rank
    }
}

fn too_large() -> Error {
    Error::Parameter { name: "artists", problem: "the catalogue is too large".to_owned() }
}

fn id(rng: &mut ChaCha8Rng) -> String {
    let mut text = String::with_capacity(22);
    base62(rng, 22, &mut text);
    text
}

/// A name that can be pronounced.
fn name(rng: &mut ChaCha8Rng) -> String {
    const SYLLABLES: [&str; 48] = [
        "al", "an", "ar", "bel", "bo", "cal", "co", "da", "del", "do", "el", "en", "fa", "fi", "ga", "go", "ha", "il", "in", "ka", "ki",
        "la", "le", "lo", "lu", "ma", "mi", "mo", "na", "ne", "no", "o", "pa", "ra", "re", "ri", "ro", "sa", "se", "so", "ta", "te", "ti",
        "to", "u", "va", "ve", "zo",
    ];
    let mut text = String::new();
    for word in 0..=uniform_below(rng, 2) {
        if word > 0 {
            text.push(' ');
        }
        let start = text.len();
        for _ in 0..2 + uniform_below(rng, 3) {
            text.push_str(SYLLABLES[uniform_below(rng, SYLLABLES.len())]);
        }
        if let Some(first) = text.get_mut(start..=start) {
            first.make_ascii_uppercase();
        }
    }
    text
}

fn title(rng: &mut ChaCha8Rng) -> String {
    const FIRST: [&str; 24] = [
        "Blue", "Broken", "City", "Cold", "Dark", "Distant", "Electric", "Empty", "Endless", "First", "Golden", "Hidden", "Last", "Little",
        "Midnight", "Modern", "Northern", "Quiet", "Red", "Second", "Silver", "Slow", "Summer", "Wild",
    ];
    const SECOND: [&str; 24] = [
        "Bridge", "Dance", "Days", "Dream", "Fire", "Garden", "Heart", "Hours", "House", "Letter", "Light", "Line", "Memory", "Mirror",
        "Moon", "Morning", "Ocean", "Rain", "River", "Road", "Shadow", "Sky", "Song", "Waves",
    ];
    let mut text = format!("{} {}", FIRST[uniform_below(rng, FIRST.len())], SECOND[uniform_below(rng, SECOND.len())]);
    if uniform_below(rng, 4) == 0 {
        text.push_str(", Pt. ");
        text.push(char::from(b'1' + u8::try_from(uniform_below(rng, 9)).unwrap_or(0)));
    }
    text
}
