//! What one person listens to and when, and the stream of all events.

use super::catalogue::Catalogue;
use super::person::{COUNTRIES, PLATFORMS, Person};
use super::sample::{Alias, exponential, happens, normal, uniform, uniform_below, zipf};
use super::{Pool, stream};
use crate::error::{Error, Result};
use crate::listening::event_schema;
use arrow::array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray, UInt32Array};
use arrow::compute::take;
use chrono::{Datelike, NaiveDate};
use hashbrown::HashSet;
use rand::rngs::ChaCha8Rng;
use std::sync::{Arc, LazyLock};

const DAY: i64 = 86_400_000;
const REASONS: [&str; 6] = ["trackdone", "fwdbtn", "clickrow", "playbtn", "endplay", "logout"];
const TRACKDONE: u32 = 0;
const FWDBTN: u32 = 1;
const CLICKROW: u32 = 2;
const PLAYBTN: u32 = 3;
const ENDPLAY: u32 = 4;
const LOGOUT: u32 = 5;

/// Events of a session on average.
const SESSION: f64 = 9.0;

static HOURS: LazyLock<Alias> = LazyLock::new(|| {
    Alias::new(&[
        3.0, 2.0, 1.0, 1.0, 1.0, 2.0, 5.0, 9.0, 10.0, 8.0, 7.0, 7.0, 8.0, 8.0, 8.0, 9.0, 11.0, 13.0, 13.0, 12.0, 11.0, 10.0, 8.0, 5.0,
    ])
});
/// How much is listened on a day, Monday first, relative to the most.
const WEEK: [f64; 7] = [0.86, 0.87, 0.89, 0.93, 1.0, 0.88, 0.78];

/// When all this happens.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) first_day: NaiveDate,
    pub(super) days: usize,
}

/// One row, as indices.
struct Row {
    started_at: i64,
    track: u32,
    artist: u32,
    ms_played: i64,
    country: u32,
    platform: u32,
    reason_start: u32,
    reason_end: u32,
    shuffle: bool,
}

/// The events of one person in order of time.
struct Listener {
    rng: ChaCha8Rng,
    person: Person,
    left: u64,
    repertoire: Vec<u32>,
    favourites: Alias,
    /// Starts of the sessions to come, the next one last, and their lengths.
    sessions: Vec<(i64, u32)>,
    session: Session,
}

#[derive(Default)]
struct Session {
    left: u32,
    clock: i64,
    country: u32,
    platform: u32,
    shuffle: bool,
    artist: u32,
    reason: u32,
}

impl Listener {
    fn new(mut rng: ChaCha8Rng, events: u64, catalogue: &Catalogue, window: Window) -> Self {
        let person = Person::draw(&mut rng, catalogue.clusters(), window.first_day);
        let repertoire = repertoire(&mut rng, &person, events, catalogue);
        let favourites = Alias::new(&zipf(repertoire.len(), 0.75));
        let sessions = sessions(&mut rng, &person, events, window);
        Self { rng, person, left: events, repertoire, favourites, sessions, session: Session::default() }
    }

    fn next(&mut self, catalogue: &Catalogue) -> Option<Row> {
        self.left = self.left.checked_sub(1)?;
        let rng = &mut self.rng;
        let session = &mut self.session;
        let first = session.left == 0;
        if first {
            let (start, length) = self.sessions.pop().unwrap_or((session.clock, 1));
            *session = Session {
                left: length,
                // A session that runs into the next one pushes it on.
                clock: start.max(session.clock),
                country: index(self.person.session_country(rng)),
                platform: index(self.person.session_platform(rng)),
                shuffle: happens(rng, 0.4),
                artist: 0,
                reason: if happens(rng, 0.6) { CLICKROW } else { PLAYBTN },
            };
        }
        session.left -= 1;
        if first || !happens(rng, 0.3) {
            session.artist = if happens(rng, 0.01) {
                catalogue.artist(rng)
            } else {
                self.repertoire.get(self.favourites.draw(rng)).copied().unwrap_or(0)
            };
        }
        let track = catalogue.track(session.artist, rng);
        let length = catalogue.lengths.get(track as usize).copied().map_or(0, i64::from);
        let skipped = happens(rng, self.person.impatience);
        let ms_played = if skipped { milliseconds(exponential(rng, 12_000.0)).min(length) } else { length };
        let reason_end = match (skipped, session.left) {
            (true, _) => FWDBTN,
            (false, 0) if happens(rng, 0.5) => {
                if happens(rng, 0.7) {
                    ENDPLAY
                } else {
                    LOGOUT
                }
            }
            (false, _) => TRACKDONE,
        };
        let row = Row {
            started_at: session.clock,
            track,
            artist: session.artist,
            ms_played,
            country: session.country,
            platform: session.platform,
            reason_start: session.reason,
            reason_end,
            shuffle: session.shuffle,
        };
        session.reason = if skipped { FWDBTN } else { TRACKDONE };
        session.clock += ms_played + milliseconds(exponential(rng, 900.0));
        Some(row)
    }
}

fn milliseconds(number: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "minutes at most")]
    let whole = number as i64;
    whole
}

fn index(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(0)
}

/// The artists that a person returns to. Their number grows with the 0.6th power of the number of events, as in real histories.
fn repertoire(rng: &mut ChaCha8Rng, person: &Person, events: u64, catalogue: &Catalogue) -> Vec<u32> {
    #[expect(clippy::cast_precision_loss, reason = "a person has far fewer than 2^53 events")]
    let expected = 2.1 * (events as f64).powf(0.6) * (0.3 * normal(rng)).exp();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive and small")]
    let size = (expected.ceil() as usize).clamp(1, 5_000);
    let mut known = HashSet::with_capacity(size);
    let mut artists = Vec::with_capacity(size);
    for _ in 0..4 * size {
        if artists.len() == size {
            break;
        }
        let artist = match uniform(rng) {
            u if u < 0.25 => catalogue.artist(rng),
            u if u < 0.70 => catalogue.artist_of(person.tastes[0], rng),
            u if u < 0.88 => catalogue.artist_of(person.tastes[1], rng),
            _ => catalogue.artist_of(person.tastes[2], rng),
        };
        if known.insert(artist) {
            artists.push(artist);
        }
    }
    artists
}

/// Sessions with geometric lengths that hold `events` in all, at hours and days of the week as people listen.
fn sessions(rng: &mut ChaCha8Rng, person: &Person, events: u64, window: Window) -> Vec<(i64, u32)> {
    let first = window.first_day.signed_duration_since(NaiveDate::default()).num_days();
    let first_weekday = i64::from(window.first_day.weekday().num_days_from_monday());
    let offset = COUNTRIES.get(person.country).map_or(0, |(_, hours)| i64::from(*hours));
    let mut sessions = Vec::new();
    let mut left = events;
    while left > 0 {
        let length = u32::try_from(1 + milliseconds(exponential(rng, SESSION - 0.5))).unwrap_or(1);
        let length = length.min(u32::try_from(left).unwrap_or(u32::MAX));
        left -= u64::from(length);
        let day = loop {
            let day = i64::try_from(uniform_below(rng, window.days)).unwrap_or(0);
            let weekday = usize::try_from((day + first_weekday).rem_euclid(7)).unwrap_or(0);
            if happens(rng, WEEK[weekday]) {
                break day;
            }
        };
        let hour = f64::from(index(HOURS.draw(rng))) + person.lateness + uniform(rng);
        let start = (first + day) * DAY + milliseconds(hour * 3_600_000.0) - offset * 3_600_000;
        sessions.push((start, length));
    }
    sessions.sort_unstable_by(|a, b| b.cmp(a));
    sessions
}

/// The events of all people, one person after the other.
pub(super) struct Events {
    pool: Pool,
    batch_rows: usize,
    next_person: usize,
    listener: Option<Listener>,
    words: Words,
}

/// Values of small columns.
struct Words {
    countries: StringArray,
    platforms: StringArray,
    reasons: StringArray,
}

impl Events {
    pub(super) fn new(pool: Pool, batch_rows: usize) -> Self {
        let words = Words {
            countries: COUNTRIES.iter().map(|(code, _)| Some(*code)).collect(),
            platforms: StringArray::from(PLATFORMS.to_vec()),
            reasons: StringArray::from(REASONS.to_vec()),
        };
        // 2^20 rows keep the text of a batch far below what 32-bit offsets can address.
        Self { pool, batch_rows: batch_rows.clamp(1, 1 << 20), next_person: 0, listener: None, words }
    }

    fn row(&mut self) -> Option<Row> {
        loop {
            if let Some(row) = self.listener.as_mut().and_then(|listener| listener.next(&self.pool.catalogue)) {
                return Some(row);
            }
            let events = *self.pool.counts.get(self.next_person)?;
            let rng = stream(self.pool.seed, self.next_person as u64);
            self.listener = Some(Listener::new(rng, events, &self.pool.catalogue, self.pool.window));
            self.next_person += 1;
        }
    }

    fn batch(&mut self) -> Result<Option<RecordBatch>> {
        let mut subjects = StringBuilder::new();
        let mut times = Vec::with_capacity(self.batch_rows);
        let mut played = Vec::with_capacity(self.batch_rows);
        let mut codes: [Vec<u32>; 6] = Default::default();
        let (mut shuffle, mut skipped) = (Vec::with_capacity(self.batch_rows), Vec::with_capacity(self.batch_rows));
        while times.len() < self.batch_rows {
            let Some(row) = self.row() else { break };
            subjects.append_value(self.listener.as_ref().map_or("", |listener| listener.person.id.as_str()));
            times.push(row.started_at);
            played.push(row.ms_played);
            let values = [row.track, row.artist, row.country, row.platform, row.reason_start, row.reason_end];
            for (column, value) in codes.iter_mut().zip(values) {
                column.push(value);
            }
            shuffle.push(row.shuffle);
            skipped.push(row.reason_end == FWDBTN);
        }
        if times.is_empty() {
            return Ok(None);
        }
        let rows = times.len();
        let [tracks, artists, countries, platforms, starts, ends] = codes.map(UInt32Array::from);
        let gather = |values: &StringArray, codes: &UInt32Array| take(values, codes, None).map_err(|e| Error::arrow("gathering names", &e));
        let columns: Vec<ArrayRef> = vec![
            Arc::new(subjects.finish()),
            Arc::new(TimestampMillisecondArray::from(times).with_timezone("UTC")),
            gather(&self.pool.catalogue.track_ids, &tracks)?,
            gather(&self.pool.catalogue.track_names, &tracks)?,
            gather(&self.pool.catalogue.artist_ids, &artists)?,
            gather(&self.pool.catalogue.artist_names, &artists)?,
            gather(&self.pool.catalogue.album_names, &tracks)?,
            Arc::new(Int64Array::from(played)),
            Arc::new(Int64Array::from(vec![1; rows])),
            gather(&self.words.countries, &countries)?,
            gather(&self.words.platforms, &platforms)?,
            gather(&self.words.reasons, &starts)?,
            gather(&self.words.reasons, &ends)?,
            Arc::new(BooleanArray::from(shuffle)),
            Arc::new(BooleanArray::from(skipped)),
        ];
        RecordBatch::try_new(event_schema(), columns).map(Some).map_err(|e| Error::arrow("assembling a batch", &e))
    }
}

impl Iterator for Events {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}
