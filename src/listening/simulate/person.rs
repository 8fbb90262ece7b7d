//! Who listens: demographics, tastes and habits of one person.

use super::sample::{Alias, base62, exponential, normal, uniform, uniform_below, zipf};
use chrono::{Duration, NaiveDate};
use rand::rngs::ChaCha8Rng;
use std::sync::LazyLock;

/// Countries by number of listeners, with their distance from UTC in hours.
pub(super) const COUNTRIES: [(&str, i8); 60] = [
    ("US", -5),
    ("GB", 0),
    ("DE", 1),
    ("BR", -3),
    ("FR", 1),
    ("MX", -6),
    ("ES", 1),
    ("IT", 1),
    ("NL", 1),
    ("SE", 1),
    ("PL", 1),
    ("CA", -5),
    ("AU", 10),
    ("NO", 1),
    ("AR", -3),
    ("CL", -4),
    ("FI", 2),
    ("DK", 1),
    ("TR", 3),
    ("PT", 0),
    ("BE", 1),
    ("CH", 1),
    ("AT", 1),
    ("IE", 0),
    ("CO", -5),
    ("JP", 9),
    ("IN", 5),
    ("PH", 8),
    ("ID", 7),
    ("MY", 8),
    ("CZ", 1),
    ("HU", 1),
    ("GR", 2),
    ("RO", 2),
    ("NZ", 12),
    ("ZA", 2),
    ("PE", -5),
    ("SG", 8),
    ("TW", 8),
    ("HK", 8),
    ("IL", 2),
    ("UA", 2),
    ("KR", 9),
    ("TH", 7),
    ("VN", 7),
    ("EG", 2),
    ("MA", 1),
    ("SK", 1),
    ("HR", 1),
    ("BG", 2),
    ("RS", 1),
    ("SI", 1),
    ("LT", 2),
    ("LV", 2),
    ("EE", 2),
    ("IS", 0),
    ("UY", -3),
    ("EC", -5),
    ("CR", -6),
    ("LU", 1),
];

pub(super) const GENDERS: [&str; 4] = ["female", "male", "nonbinary", "undisclosed"];
pub(super) const PLATFORMS: [&str; 8] = ["android", "ios", "windows", "web", "macos", "speaker", "linux", "tv"];

struct Laws {
    country: Alias,
    region: Alias,
    district: Alias,
    gender: Alias,
    platform: Alias,
}

static LAWS: LazyLock<Laws> = LazyLock::new(|| Laws {
    country: Alias::new(&zipf(COUNTRIES.len(), 1.1)),
    region: Alias::new(&zipf(15, 0.7)),
    district: Alias::new(&zipf(60, 0.7)),
    gender: Alias::new(&[48.0, 46.0, 4.0, 2.0]),
    platform: Alias::new(&[38.0, 30.0, 10.0, 8.0, 6.0, 4.0, 2.0, 2.0]),
});

/// One person.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) id: String,
    pub(super) birth_year: i32,
    /// Index into [`GENDERS`].
    pub(super) gender: usize,
    /// Index into [`COUNTRIES`].
    pub(super) country: usize,
    pub(super) postal_code: String,
    pub(super) registered_at: NaiveDate,
    /// Index into [`PLATFORMS`] of the usual one.
    pub(super) platform: usize,
    /// Clusters of taste, the dearest first.
    pub(super) tastes: [usize; 3],
    /// Hours by which this person's day is later than others'.
    pub(super) lateness: f64,
    /// Share of tracks that are skipped.
    pub(super) impatience: f64,
}

impl Person {
    /// The first draws of a person's own stream.
    pub(super) fn draw(rng: &mut ChaCha8Rng, clusters: usize, first_day: NaiveDate) -> Self {
        let mut id = String::with_capacity(28);
        let length = 22 + uniform_below(rng, 7);
        base62(rng, length, &mut id);
        #[expect(clippy::cast_possible_truncation, reason = "between 1935 and 2012")]
        let birth_year = (1993.0 + 11.0 * normal(rng)).clamp(1935.0, 2012.0) as i32;
        let country = LAWS.country.draw(rng);
        let postal_code = format!("{:02}{:03}", 10 + 5 * LAWS.region.draw(rng), 7 * LAWS.district.draw(rng));
        // Most people signed up in the last years; nobody before 2008, and everybody before the first day.
        let most = (first_day - NaiveDate::from_ymd_opt(2008, 10, 1).unwrap_or(first_day)).num_days().max(1);
        #[expect(clippy::cast_possible_truncation, reason = "some thousand days")]
        let days = (exponential(rng, 1500.0) as i64).rem_euclid(most);
        Self {
            id,
            birth_year,
            gender: LAWS.gender.draw(rng),
            country,
            postal_code,
            registered_at: first_day - Duration::days(days),
            platform: LAWS.platform.draw(rng),
            tastes: [uniform_below(rng, clusters), uniform_below(rng, clusters), uniform_below(rng, clusters)],
            lateness: 1.5 * normal(rng),
            impatience: (0.25 + 0.12 * normal(rng)).clamp(0.02, 0.7),
        }
    }

    /// The platform of one session.
    pub(super) fn session_platform(&self, rng: &mut ChaCha8Rng) -> usize {
        if uniform(rng) < 0.8 { self.platform } else { LAWS.platform.draw(rng) }
    }

    /// The country of one session: nearly always home.
    pub(super) fn session_country(&self, rng: &mut ChaCha8Rng) -> usize {
        if uniform(rng) < 0.98 { self.country } else { LAWS.country.draw(rng) }
    }
}
