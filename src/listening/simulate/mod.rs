//! Pools of people who do not exist, with the marginals of real ones.
//!
//! The simulator serves demonstrations, tests and measurements; it protects nobody, because nobody is in it. What it imitates:
//!
//! | marginal | real | simulated (2,000 people, 1,000,000 events) |
//! |---|---|---|
//! | events of a person | log-normal, σ about 1.2 | log-normal, σ 1.2: median 246, mean 500, most 11,189 (seed 42) |
//! | artists of a person | HetRec Last.fm lists the top 49 on average | median 50, growing with the 0.6th power of the events |
//! | people singled out by 4 random artists | HetRec Last.fm, 1,892 people: 89.1 % | 89 % |
//! | popularity of artists | Zipf-like | exponent 0.975 within 40 clusters of taste and over all |
//! | time | day, evening, weekend | 24 hourly weights moved by time zone and habit; weights of weekdays; sessions of 9 tracks on average |
//! | time played | a quarter of tracks are skipped early | exponential with mean 12 s if skipped, else the whole track (205 ± 45 s) |
//! | country | few large, many small | 60 codes of ISO 3166-1, Zipf with exponent 1.1 |
//!
//! Every person has a random stream of their own (`ChaCha8`, the seed as key, the person as stream), so the events do not depend on the size of batches and a person's profile
//! belongs to their events.

mod catalogue;
mod events;
mod person;
mod sample;

use super::schema::{RowBuilder, canonical_schema, event_schema};
use super::text::days;
use crate::error::{Error, Result};
use crate::io::{BatchStream, ReadOptions, Source, project};
use crate::policy::Table;
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use catalogue::{CLUSTERS, Catalogue};
use chrono::NaiveDate;
use events::{Events, Window};
use person::{COUNTRIES, GENDERS, Person};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use sample::normal;
use std::fmt::Debug;
use std::sync::Arc;

/// Standard deviation of the logarithm of the number of events of a person.
const ACTIVITY: f64 = 1.2;

/// Columns of the simulated profiles. Age is left out: it would repeat the year of birth.
const PROFILE: [&str; 6] = ["subject_id", "birth_year", "gender", "country", "postal_code", "registered_at"];

/// A pool to be simulated: so many people, so many events, one seed.
///
/// The same parameters give the same pool. Everybody has at least one event if there are enough of them.
///
/// ```
/// use backmask::listening::simulate::Simulation;
///
/// let simulation = Simulation::new(100, 5_000, 1)?;
/// let profiles = simulation.profiles()?;
/// assert_eq!(profiles.num_rows(), 100);
/// let events: usize = simulation.events(1024)?.map(|batch| batch.map(|b| b.num_rows())).sum::<Result<usize, _>>()?;
/// assert_eq!(events, 5_000);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Simulation {
    subjects: u64,
    events: u64,
    seed: u64,
    artists: usize,
    first_day: NaiveDate,
    days: usize,
}

impl Simulation {
    /// `subjects` people with `events` events in the three years from 2023.
    ///
    /// The catalogue has ten artists a person, at least 1,000 and at most 60,000.
    ///
    /// # Errors
    /// No people, or more than 2³¹ people or 2⁴⁰ events.
    pub fn new(subjects: u64, events: u64, seed: u64) -> Result<Self> {
        if subjects == 0 || subjects > 1 << 31 {
            return Err(Error::Parameter { name: "subjects", problem: "must lie in 1…2,147,483,648".to_owned() });
        }
        if events > 1 << 40 {
            return Err(Error::Parameter { name: "events", problem: "must be at most 1,099,511,627,776".to_owned() });
        }
        let artists = usize::try_from(subjects.saturating_mul(10)).unwrap_or(usize::MAX).clamp(1_000, 60_000);
        Ok(Self { subjects, events, seed, artists, first_day: NaiveDate::from_ymd_opt(2023, 1, 1).unwrap_or_default(), days: 1096 })
    }

    /// The same pool with a catalogue of `artists` artists.
    ///
    /// # Errors
    /// No artists, or more than 10 million.
    pub fn with_artists(mut self, artists: usize) -> Result<Self> {
        if artists == 0 || artists > 10_000_000 {
            return Err(Error::Parameter { name: "artists", problem: "must lie in 1…10,000,000".to_owned() });
        }
        self.artists = artists;
        Ok(self)
    }

    /// The events in batches of `batch_rows` rows, in the canonical schema: one person after the other, each in order of time.
    ///
    /// # Errors
    /// The catalogue is too large.
    pub fn events(&self, batch_rows: usize) -> Result<impl Iterator<Item = Result<RecordBatch>> + Send + 'static> {
        Ok(self.prepare()?.events(batch_rows))
    }

    /// One row a person: year of birth, gender, country, postal code, day of registration. Some combinations are rare, as they are among real people.
    ///
    /// # Errors
    /// The rows do not fit one batch.
    pub fn profiles(&self) -> Result<RecordBatch> {
        let schema = super::schema::fields(Table::Profiles, &PROFILE, &[]);
        let mut rows = RowBuilder::new(&schema, &[0, 1, 2, 3, 4, 5])?;
        for subject in 0..self.subjects {
            let person = Person::draw(&mut stream(self.seed, subject), CLUSTERS.min(self.artists), self.first_day);
            rows.text(0, Some(&person.id));
            rows.number(1, Some(i64::from(person.birth_year)));
            rows.text(2, GENDERS.get(person.gender).copied());
            rows.text(3, COUNTRIES.get(person.country).map(|(code, _)| *code));
            rows.text(4, Some(&person.postal_code));
            rows.date(5, days(person.registered_at));
            rows.end_row();
            if rows.is_full() {
                return Err(Error::Parameter { name: "subjects", problem: "are too many for one batch of profiles".to_owned() });
            }
        }
        rows.finish()
    }

    /// The events as a source that can be read as often as needed.
    ///
    /// # Errors
    /// The catalogue is too large.
    pub fn source(&self) -> Result<Arc<dyn Source>> {
        Ok(Arc::new(SimulatedEvents { name: format!("simulated events, seed {}", self.seed), pool: self.prepare()? }))
    }

    fn prepare(&self) -> Result<Pool> {
        Ok(Pool {
            catalogue: Arc::new(Catalogue::new(self.artists, keyed(self.seed, CATALOGUE))?),
            counts: Arc::new(self.counts()),
            seed: self.seed,
            window: Window { first_day: self.first_day, days: self.days },
        })
    }

    /// Events of each person: one each where there are enough, the others by log-normal weights, rounded so that the sum is right.
    fn counts(&self) -> Vec<u64> {
        let mut rng = keyed(self.seed, ACTIVITIES);
        let weights: Vec<f64> = (0..self.subjects).map(|_| (ACTIVITY * normal(&mut rng).min(3.5)).exp()).collect();
        let total: f64 = weights.iter().sum();
        let each = u64::from(self.events >= self.subjects);
        let rest = self.events - each * self.subjects;
        let (mut sum, mut given) = (0.0, 0);
        let mut counts: Vec<u64> = Vec::with_capacity(weights.len());
        for weight in weights {
            sum += weight;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "at most 2^40 events")]
            let until = ((sum / total * rest as f64).round() as u64).clamp(given, rest);
            counts.push(each + until - given);
            given = until;
        }
        if let Some(last) = counts.last_mut() {
            *last += rest - given;
        }
        counts
    }
}

/// Streams that belong to nobody; people have the streams from 0.
const CATALOGUE: u64 = u64::MAX;
const ACTIVITIES: u64 = u64::MAX - 1;

/// The random stream of a person, or of the catalogue.
fn keyed(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    let mut rng = ChaCha8Rng::from_seed(key);
    rng.set_stream(stream);
    rng
}

fn stream(seed: u64, subject: u64) -> ChaCha8Rng {
    keyed(seed, subject)
}

/// What all events share.
#[derive(Debug, Clone)]
struct Pool {
    catalogue: Arc<Catalogue>,
    counts: Arc<Vec<u64>>,
    seed: u64,
    window: Window,
}

impl Pool {
    fn events(&self, batch_rows: usize) -> Events {
        Events::new(self.clone(), batch_rows)
    }
}

#[derive(Debug)]
struct SimulatedEvents {
    name: String,
    pool: Pool,
}

impl Source for SimulatedEvents {
    fn name(&self) -> &str {
        &self.name
    }

    fn schema(&self) -> SchemaRef {
        event_schema()
    }

    fn open_split(&self, _split: usize, options: &ReadOptions) -> Result<BatchStream> {
        let wanted = project(&canonical_schema(Table::Events), options.columns.as_deref())?;
        let schema = Arc::new(event_schema().project(&wanted).map_err(|e| Error::arrow("projecting", &e))?);
        let batches =
            self.pool.events(options.batch_rows).map(move |batch| batch?.project(&wanted).map_err(|e| Error::arrow("projecting", &e)));
        Ok(BatchStream::new(schema, batches))
    }
}
