//! The attacker knows one to three columns of a row.

use super::result::{AttackOptions, AttackResult, Combination};
use super::seed::stream_number;
use super::target::{Tally, check_deciles, choose, tallies};
use crate::error::{Error, Result};
use crate::io::table::NULL_CODE;
use crate::matrix::{CodeChunks, PairChunks, VisitPairs, deciles, item_support, mean_surprise, surprise};
use crate::policy::AttackName;
use hashbrown::HashMap;

/// Rows up to which everybody is attacked, whatever the number of trials.
const EXACT_ROWS: u64 = 2_000_000;

/// Visits of rows for triples at most, so that long logs do not take for ever.
const TRIPLE_VISITS: u64 = 500_000_000;

/// Columns that the attacker knows at most.
const MOST_COLUMNS: usize = 3;

/// Bytes of memory for one combination of values, with the slack of the hash table.
const ENTRY_BYTES: usize = 64;

/// The attacker knows the values of up to three columns in one random row of a person, as the release shows them, and looks for the people who have such a row.
///
/// A success is a match set of exactly one person. A missing value is a value like any other. With one row a person this is the share of people who are unique in
/// these columns. With several, the attacker knows one row of the target, each with the same probability. Where the release does not link the rows of a person, the same holds:
/// a row that only one person can have shown is theirs. Without a subject column every row is a person: number the rows.
///
/// All single columns and all pairs are tried, and of the triples those with the worst pairs ([`KnownValues::with_triples`]); the result tells the worst combination, all
/// rates, and how many combinations there are. Everybody is attacked, exactly, if there are no more people than trials, one row a person, or at most two million rows; otherwise
/// a tenth of the trials goes to each decile and one row of each target is drawn. Deciles are those of the mean −ln(people with the value / people) over a person's rows and columns,
/// unless [`KnownValues::with_deciles`] sets others.
///
/// Each combination takes two passes over the rows (one if people are sampled and their rows fit into memory) and memory for the targets' distinct values; beyond
/// [`KnownValues::with_memory`] the values are divided and it takes several times as many passes.
///
/// ```
/// use backmask::{policy::Gate, risk::{AttackOptions, KnownValues, attack_seed}};
/// // Four people: age band and country.
/// let (people, age, country) = ([0, 1, 2, 3], [0, 0, 1, 1], [0, 0, 0, 1]);
/// let rows = (&people[..], &[&age[..], &country[..]][..]);
/// let attack = KnownValues::new(&rows, ["age", "country"], 4, &[7, 3, 9, 1])?;
/// let result = attack.run(&AttackOptions::new(&Gate::default(), attack_seed(&[b"example"])))?;
/// assert_eq!(result.columns, ["age", "country"]);
/// assert_eq!(result.rate, 0.5);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct KnownValues<'a, R: ?Sized> {
    rows: &'a R,
    columns: Vec<String>,
    subjects: usize,
    subject_ids: &'a [u64],
    deciles: Option<Vec<u8>>,
    triples: usize,
    memory: usize,
    exact_rows: u64,
}

impl<'a, R: CodeChunks + ?Sized> KnownValues<'a, R> {
    /// An attack on `rows`, whose columns of codes are called `columns`. `subject_ids` name people independently of their codes: keyed
    /// hashes of their values ([`content_hashes`](crate::matrix::content_hashes)). Rows without a subject are not attacked and match nobody.
    ///
    /// # Errors
    /// There is not one id for each subject.
    pub fn new<S: Into<String>>(
        rows: &'a R,
        columns: impl IntoIterator<Item = S>,
        subjects: usize,
        subject_ids: &'a [u64],
    ) -> Result<Self> {
        if subject_ids.len() != subjects {
            return Err(Error::Parameter { name: "ids", problem: "needs one for each subject".to_owned() });
        }
        let columns = columns.into_iter().map(Into::into).collect();
        Ok(Self { rows, columns, subjects, subject_ids, deciles: None, triples: 200, memory: 1 << 28, exact_rows: EXACT_ROWS })
    }

    /// The same attack with other deciles, one for each subject: fixed before the attack by another declared score.
    ///
    /// # Errors
    /// There is not one decile from 0 to 9 for each subject.
    pub fn with_deciles(mut self, deciles: Vec<u8>) -> Result<Self> {
        check_deciles(&deciles, self.subjects)?;
        self.deciles = Some(deciles);
        Ok(self)
    }

    /// The same attack with at most so many triples (200): those whose worst pair has the highest rate. Long logs have fewer: 500 million row visits for all triples.
    #[must_use]
    pub fn with_triples(mut self, triples: usize) -> Self {
        self.triples = triples;
        self
    }

    /// The same attack with about so many bytes for distinct values (256 MiB).
    #[must_use]
    pub fn with_memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// The same attack with everybody attacked if there are at most so many rows (2,000,000), whatever the number of trials.
    #[must_use]
    pub fn with_exact_rows(mut self, rows: u64) -> Self {
        self.exact_rows = rows;
        self
    }

    /// Runs the attack.
    ///
    /// # Errors
    /// The options have no trials, a chunk has another number of columns than there are names, a code is not below its number, or the rows cannot be visited.
    pub fn run(&self, options: &AttackOptions) -> Result<AttackResult> {
        if options.trials == 0 {
            return Err(Error::Parameter { name: "trials", problem: "an attack needs at least one".to_owned() });
        }
        let pool = self.survey(options)?;
        let count = self.columns.len();
        let mut tried: Vec<(Vec<usize>, AttackResult)> = Vec::new();
        let singles: Vec<Vec<usize>> = (0..count).map(|column| vec![column]).collect();
        let pairs: Vec<Vec<usize>> = (0..count).flat_map(|a| (a + 1..count).map(move |b| vec![a, b])).collect();
        for columns in singles.into_iter().chain(pairs) {
            let result = self.attack(&columns, &pool, options)?;
            tried.push((columns, result));
        }
        for columns in self.worst_triples(&tried, pool.rows.iter().sum()) {
            let result = self.attack(&columns, &pool, options)?;
            tried.push((columns, result));
        }
        let combinations = tried
            .iter()
            .map(|(_, result)| Combination {
                columns: result.columns.clone(),
                rate: result.rate,
                upper: result.upper,
                gate_value: result.gate_value,
            })
            .collect();
        // The first of the worst: the one with the fewest columns.
        let worst = tried.into_iter().map(|(_, result)| result).reduce(|worst, next| {
            if next.gate_value > worst.gate_value || next.gate_value >= worst.gate_value && next.rate > worst.rate { next } else { worst }
        });
        let mut result = match worst {
            Some(result) => result,
            None => AttackResult::from_tallies(AttackName::KnownValues, 0, &tallies(&pool.people), true, options)?,
        };
        result.combinations = combinations;
        result.combinations_possible = Some(possible(count as u64));
        Ok(result)
    }

    /// Rows of everybody, widths of the columns, deciles and targets.
    fn survey(&self, options: &AttackOptions) -> Result<Pool> {
        let mut rows = vec![0_u64; self.subjects];
        let mut widths = vec![0_u32; self.columns.len()];
        self.rows.for_each(&mut |subjects, columns| {
            self.check(subjects, columns)?;
            for &subject in subjects.iter().filter(|&&subject| subject != NULL_CODE) {
                *rows.get_mut(subject as usize).ok_or_else(|| Error::Parameter {
                    name: "subjects",
                    problem: format!("a code is not below the declared number, {}", self.subjects),
                })? += 1;
            }
            for (width, column) in widths.iter_mut().zip(columns) {
                *width = column.iter().filter(|&&code| code != NULL_CODE).fold(*width, |width, &code| width.max(code + 1));
            }
            Ok(())
        })?;
        let mut people: Vec<(u32, u64, u8)> =
            (0..).zip(self.subject_ids).zip(&rows).filter(|(_, rows)| **rows > 0).map(|((subject, &id), _)| (subject, id, 0)).collect();
        let deciles = match &self.deciles {
            Some(deciles) => people.iter().map(|&(subject, ..)| deciles.get(subject as usize).copied().unwrap_or_default()).collect(),
            None => self.rarest_values(&people, &rows, &widths)?,
        };
        for (person, decile) in people.iter_mut().zip(deciles) {
            person.2 = decile;
        }
        let total: u64 = rows.iter().sum();
        let count = people.len() as u64;
        let exact = count <= options.trials || total <= self.exact_rows || total == count;
        let mut target = vec![false; if exact { 0 } else { self.subjects }];
        let mut target_rows = 0;
        if !exact {
            for chosen in choose(&people, options.trials, &options.seed) {
                target[chosen.subject as usize] = true;
                target_rows += rows[chosen.subject as usize];
            }
        }
        let mut pool = Pool { people, rows, exact, target, target_rows: None };
        if !exact && target_rows.saturating_mul(4 * (self.columns.len() as u64 + 1)) <= self.memory as u64 {
            pool.target_rows = Some(self.rows_of_targets(&pool)?);
        }
        Ok(pool)
    }

    /// A copy of the targets' rows, so that only the search for other people visits all rows.
    fn rows_of_targets(&self, pool: &Pool) -> Result<Vec<OwnedChunk>> {
        let mut own: OwnedChunk = (Vec::new(), vec![Vec::new(); self.columns.len()]);
        self.rows.for_each(&mut |subjects, columns| {
            self.check(subjects, columns)?;
            for (row, &subject) in subjects.iter().enumerate().filter(|&(_, &subject)| pool.is_target(subject)) {
                own.0.push(subject);
                for (copy, column) in own.1.iter_mut().zip(columns) {
                    copy.push(column[row]);
                }
            }
            Ok(())
        })?;
        Ok(vec![own])
    }

    /// Deciles by the mean rarity of a person's values.
    fn rarest_values(&self, people: &[(u32, u64, u8)], rows: &[u64], widths: &[u32]) -> Result<Vec<u8>> {
        let mut sums = vec![0_u128; self.subjects];
        for (column, &width) in widths.iter().enumerate() {
            // A missing value is numbered behind the others.
            let values = OneColumn { rows: self.rows, column, missing: width };
            let support = item_support(&values, self.subjects, width as usize + 1, self.memory)?;
            let surprises: Vec<u64> = support.iter().map(|&support| surprise(u64::from(support), people.len() as u64)).collect();
            values.for_each(&mut |subjects, values| {
                for (&subject, &value) in subjects.iter().zip(values) {
                    if let (Some(sum), Some(&surprise)) = (sums.get_mut(subject as usize), surprises.get(value as usize)) {
                        *sum += u128::from(surprise);
                    }
                }
                Ok(())
            })?;
        }
        let score = |&(subject, ..): &(u32, u64, u8)| {
            let subject = subject as usize;
            mean_surprise(sums[subject], rows[subject].saturating_mul(widths.len() as u64))
        };
        let scores: Vec<f64> = people.iter().map(score).collect();
        let ids: Vec<u64> = people.iter().map(|&(_, id, _)| id).collect();
        deciles(&scores, &ids)
    }

    /// The attack with the values of some columns.
    fn attack(&self, columns: &[usize], pool: &Pool, options: &AttackOptions) -> Result<AttackResult> {
        let mut parts = 1;
        let unique = loop {
            match self.unique_rows(columns, parts, pool)? {
                Some(unique) => break unique,
                None => parts *= 2,
            }
        };
        let mut tallies = tallies(&pool.people);
        for &(subject, id, decile) in pool.people.iter().filter(|person| pool.is_target(person.0)) {
            pool.count(&mut tallies[usize::from(decile)], unique[subject as usize], subject, id, options);
        }
        let mut result = AttackResult::from_tallies(AttackName::KnownValues, columns.len() as u64, &tallies, pool.exact, options)?;
        result.columns = columns.iter().filter_map(|&column| self.columns.get(column).cloned()).collect();
        Ok(result)
    }

    /// For every target the number of rows whose values nobody else has. `None` if the distinct values of one of so many parts do not fit the memory.
    fn unique_rows(&self, columns: &[usize], parts: u64, pool: &Pool) -> Result<Option<Vec<u64>>> {
        let mut unique = vec![0_u64; self.subjects];
        for part in (0..parts).map(|index| Part { columns, index, parts }) {
            let Some(owners) = self.owners(part, pool)? else { return Ok(None) };
            self.for_each_target_key(part, pool, &mut |subject, key| {
                if owners.get(&key) == Some(&subject)
                    && let Some(unique) = unique.get_mut(subject as usize)
                {
                    *unique += 1;
                }
            })?;
        }
        Ok(Some(unique))
    }

    /// Who has each of the targets' combinations of values: a person, or [`NULL_CODE`] for several.
    fn owners(&self, part: Part<'_>, pool: &Pool) -> Result<Option<HashMap<u128, u32>>> {
        let mut owners: HashMap<u128, u32> = HashMap::new();
        // There is always room for a few, so that dividing comes to an end.
        let most = (self.memory / ENTRY_BYTES).max(16);
        self.for_each_target_key(part, pool, &mut |subject, key| {
            if owners.len() > most && part.parts < 1 << 40 {
                return;
            }
            let owner = owners.entry(key).or_insert(subject);
            if *owner != subject {
                *owner = NULL_CODE;
            }
        })?;
        if owners.len() > most && part.parts < 1 << 40 {
            return Ok(None);
        }
        if !pool.exact {
            self.for_each_key(self.rows, part, &mut |subject, key| {
                if let Some(owner) = owners.get_mut(&key)
                    && *owner != subject
                {
                    *owner = NULL_CODE;
                }
            })?;
        }
        Ok(Some(owners))
    }

    /// Calls `visit` with the subject and the values of every row of a target.
    fn for_each_target_key(&self, part: Part<'_>, pool: &Pool, visit: &mut dyn FnMut(u32, u128)) -> Result<()> {
        match &pool.target_rows {
            Some(rows) => self.for_each_key(rows, part, visit),
            None => self.for_each_key(self.rows, part, &mut |subject, key| {
                if pool.is_target(subject) {
                    visit(subject, key);
                }
            }),
        }
    }

    /// Calls `visit` with the subject and the values of every row whose values belong to the part.
    fn for_each_key<Q: CodeChunks + ?Sized>(&self, rows: &Q, part: Part<'_>, visit: &mut dyn FnMut(u32, u128)) -> Result<()> {
        rows.for_each(&mut |subjects, all| {
            self.check(subjects, all)?;
            let known: Vec<&[u32]> = part.columns.iter().filter_map(|&column| all.get(column).copied()).collect();
            for (row, &subject) in subjects.iter().enumerate() {
                let key = known.iter().fold(0_u128, |key, column| (key << 32) | u128::from(column[row]));
                if subject != NULL_CODE && part.has(key) {
                    visit(subject, key);
                }
            }
            Ok(())
        })
    }

    fn check(&self, subjects: &[u32], columns: &[&[u32]]) -> Result<()> {
        if columns.len() == self.columns.len() && columns.iter().all(|column| column.len() == subjects.len()) {
            Ok(())
        } else {
            Err(Error::Parameter { name: "chunk", problem: format!("needs {} columns as long as the subjects", self.columns.len()) })
        }
    }

    /// Triples of columns by the rate of their worst pair, descending; ties in the order of the columns.
    fn worst_triples(&self, tried: &[(Vec<usize>, AttackResult)], rows: u64) -> Vec<Vec<usize>> {
        if self.columns.len() < MOST_COLUMNS {
            return Vec::new();
        }
        let rates: HashMap<(usize, usize), f64> = tried
            .iter()
            .filter_map(|(columns, result)| match columns[..] {
                [a, b] => Some(((a, b), result.rate)),
                _ => None,
            })
            .collect();
        let rate = |a, b| rates.get(&(a, b)).copied().unwrap_or_default();
        let count = self.columns.len();
        let mut triples = Vec::new();
        for a in 0..count {
            for b in a + 1..count {
                for c in b + 1..count {
                    triples.push((rate(a, b).max(rate(a, c)).max(rate(b, c)), vec![a, b, c]));
                }
            }
        }
        triples.sort_by(|left, right| right.0.total_cmp(&left.0).then_with(|| left.1.cmp(&right.1)));
        let affordable = usize::try_from(TRIPLE_VISITS / rows.max(1)).unwrap_or(usize::MAX);
        triples.into_iter().take(self.triples.min(affordable)).map(|(_, columns)| columns).collect()
    }
}

/// Subject codes and columns of codes.
type OwnedChunk = (Vec<u32>, Vec<Vec<u32>>);

/// What was learned about the pool before the attack.
struct Pool {
    people: Vec<(u32, u64, u8)>,
    /// Rows of every subject.
    rows: Vec<u64>,
    /// Whether everybody is a target.
    exact: bool,
    target: Vec<bool>,
    /// The targets' rows, if they fit into memory.
    target_rows: Option<Vec<OwnedChunk>>,
}

/// A part of the distinct values of some columns: those whose hash leaves `index` when divided by `parts`.
#[derive(Clone, Copy)]
struct Part<'a> {
    columns: &'a [usize],
    index: u64,
    parts: u64,
}

impl Part<'_> {
    fn has(self, key: u128) -> bool {
        self.parts == 1 || spread(key) % self.parts == self.index
    }
}

impl Pool {
    fn is_target(&self, subject: u32) -> bool {
        self.exact || self.target.get(subject as usize).copied().unwrap_or_default()
    }

    /// Counts a person of whose rows `unique` single them out: all rows if everything is tried, else one that is drawn.
    fn count(&self, tally: &mut Tally, unique: u64, subject: u32, id: u64, options: &AttackOptions) {
        let rows = self.rows.get(subject as usize).copied().unwrap_or_default();
        if self.exact {
            tally.add(unique, rows);
        } else {
            // The same draw for all combinations, so that knowing more never seems to help less.
            let place = (u128::from(stream_number(&options.seed, "known-values", &[id])) * u128::from(rows)) >> 64;
            tally.add(u64::from(place < u128::from(unique)), 1);
        }
    }
}

/// One column of codes beside the subjects.
struct OneColumn<'a, R: ?Sized> {
    rows: &'a R,
    column: usize,
    missing: u32,
}

impl<R: CodeChunks + ?Sized> PairChunks for OneColumn<'_, R> {
    fn for_each(&self, visit: VisitPairs<'_>) -> Result<()> {
        let mut values = Vec::new();
        self.rows.for_each(&mut |subjects, columns| {
            values.clear();
            let column = columns.get(self.column).copied().unwrap_or_default();
            values.extend(column.iter().map(|&code| if code == NULL_CODE { self.missing } else { code }));
            visit(subjects, &values)
        })
    }
}

/// A number that spreads the values evenly over parts.
fn spread(key: u128) -> u64 {
    #[expect(clippy::cast_possible_truncation, reason = "the two halves are mixed")]
    let mixed = (key as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ ((key >> 64) as u64).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    mixed ^ (mixed >> 32)
}

/// Number of combinations of one to three of `columns`.
fn possible(columns: u64) -> u64 {
    let pairs = columns.saturating_mul(columns.saturating_sub(1)) / 2;
    columns.saturating_add(pairs).saturating_add(pairs.saturating_mul(columns.saturating_sub(2)) / 3)
}
