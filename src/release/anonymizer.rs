//! The main job: a pool and a policy in, a release out.

use super::budget::Budget;
use super::gate;
use super::generalize::population_file;
use super::histories::HistoryWorkshop;
use super::measure::{self, Measurement};
use super::pool::{self, Pool, PoolOptions};
use super::publish::{self, Transformation};
use super::records::Workshop;
use super::report::{ProductReport, Report, Seconds};
use crate::error::{Error, Result};
use crate::io::{SinkFormat, Staging, sha256_file};
use crate::keys::{Key, KeyOrigin};
use crate::policy::{Canonical, HierarchySpec, Policy, Product, SameItems};
use crate::pseudonym::Alphabet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What a run is doing, for a progress display.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// Reading the inputs.
    Reading,
    /// Making the product of this name.
    Making(String),
    /// Measuring and attacking the product of this name.
    Measuring(String),
    /// Publishing.
    Publishing,
}

type Observer = Arc<dyn Fn(&Stage) + Send + Sync>;

/// Turns a pool into a release.
///
/// # Guarantee
/// Nothing appears under `release/` of the output folder unless every product was written, recounted from its file and passed by the gate. Whatever ends the
/// run earlier, an error, a refusal, a kill or a full disk, leaves no product behind.
///
/// # Examples
/// ```no_run
/// use backmask::{policy::Policy, release::Anonymizer};
///
/// let policy = Policy::from_path("listening.toml")?;
/// let outcome = Anonymizer::new(policy).input(["exports/"]).output("out").run()?;
/// println!("{} rows", outcome.report.products[0].rows);
/// # Ok::<(), backmask::Error>(())
/// ```
pub struct Anonymizer {
    policy: Policy,
    inputs: Vec<PathBuf>,
    profiles: Vec<PathBuf>,
    output: Option<PathBuf>,
    key: Option<Key>,
    format: SinkFormat,
    memory: usize,
    threads: usize,
    batch_rows: usize,
    observer: Option<Observer>,
}

impl std::fmt::Debug for Anonymizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Anonymizer").field("policy", &self.policy.name).field("output", &self.output).finish_non_exhaustive()
    }
}

/// A release that was published.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The steward's report.
    pub report: Report,
    /// The folder that is handed over.
    pub release: PathBuf,
    /// The folder that stays.
    pub steward: PathBuf,
}

/// A run whose release waits for the verdict.
struct Run {
    report: Report,
    made: Vec<Transformation>,
    staging: Staging,
}

impl Anonymizer {
    /// A run of `policy`, which is validated when it starts.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            inputs: Vec::new(),
            profiles: Vec::new(),
            output: None,
            key: None,
            format: SinkFormat::Parquet,
            memory: 1 << 30,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            batch_rows: 8192,
            observer: None,
        }
    }

    /// Files, folders and archives with events, or with a plain table.
    #[must_use]
    pub fn input<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.inputs.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Files with one row of attributes a person.
    #[must_use]
    pub fn profiles<P: Into<PathBuf>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.profiles.extend(paths.into_iter().map(Into::into));
        self
    }

    /// Folder in which `release/` and `steward/` appear.
    #[must_use]
    pub fn output(mut self, folder: impl Into<PathBuf>) -> Self {
        self.output = Some(folder.into());
        self
    }

    /// The key of tokens, row order and sampling. Without one a key is made from random bits, used and forgotten; the people of the control group and the
    /// rows under a cap are then chosen by a hash of inputs and policy, so that repeating a refused run repeats its verdict.
    #[must_use]
    pub fn key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Format of the products; Parquet if not set.
    #[must_use]
    pub fn format(mut self, format: SinkFormat) -> Self {
        self.format = format;
        self
    }

    /// About how many bytes of memory the run may use, beside the distinct people and values; 1 GiB if not set.
    #[must_use]
    pub fn memory(mut self, bytes: usize) -> Self {
        self.memory = bytes;
        self
    }

    /// Threads; all processors if not set. The result does not depend on it.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// Rows that are read at a time. The result does not depend on it.
    #[must_use]
    pub fn batch_rows(mut self, rows: usize) -> Self {
        self.batch_rows = rows.max(1);
        self
    }

    /// A function that is told what the run is doing.
    #[must_use]
    pub fn observer(mut self, observer: impl Fn(&Stage) + Send + Sync + 'static) -> Self {
        self.observer = Some(Arc::new(observer));
        self
    }

    /// Makes, measures and publishes the release.
    ///
    /// # Errors
    /// The policy does not fit the data, an input is damaged, no transformation satisfies the models, the gate refuses, or the output folder cannot be
    /// written. In every case nothing is published.
    pub fn run(self) -> Result<Outcome> {
        let output = self.output.clone().ok_or_else(|| Error::policy("--output", "no output folder was given", "name one"))?;
        let Run { mut report, made, staging } = match self.prepare(&output) {
            // Trying policies until one passes is a risk of its own, also where the search is what refuses.
            Err(error @ Error::NoSolution { .. }) => {
                publish::log_refusal(&output, &now(), &self.policy.name, &[error.to_string()])?;
                return Err(error);
            }
            prepared => prepared?,
        };
        if !report.gate.passed {
            let reasons = report.gate.reasons.clone();
            drop(staging);
            publish::record_refusal(&output, &mut report)?;
            return Err(Error::Refused { reasons });
        }
        self.tell(&Stage::Publishing);
        report.refusals = publish::count_refusals(&output)?;
        publish::write(&self.policy, &report, &made, &staging)?;
        staging.publish()?;
        Ok(Outcome { report, release: output.join("release"), steward: output.join("steward") })
    }

    /// Does everything but publish: the report says what the gate would decide.
    ///
    /// # Errors
    /// As for [`Anonymizer::run`], except that a refusal is not an error.
    pub fn assess(self) -> Result<Report> {
        let folder = tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), e))?;
        Ok(self.prepare(&folder.path().join("assessment"))?.report)
    }

    fn tell(&self, stage: &Stage) {
        if let Some(observer) = &self.observer {
            observer(stage);
        }
    }

    fn prepare(&self, output: &Path) -> Result<Run> {
        self.policy.validate()?;
        self.check_places(output)?;
        let staging = Staging::new(output)?;
        let forgotten;
        let key = if let Some(key) = &self.key {
            key
        } else {
            forgotten = Key::forgotten()?;
            &forgotten
        };
        self.check_pseudonyms(key)?;
        // Never written and gone with this run.
        let irreversible = key.irreversible()?;
        // Temporary files have no names, so nothing of them can be published.
        let scratch = staging.steward();
        let mut seconds = Seconds::default();
        let mut clock = Instant::now();
        self.tell(&Stage::Reading);
        let options = PoolOptions {
            memory: Budget::new(self.memory).table(),
            folder: staging.steward(),
            threads: self.threads,
            batch_rows: self.batch_rows,
            code_everything: false,
        };
        let pool = pool::read(&self.policy, &self.inputs, &self.profiles, key, &options)?;
        seconds.read = lap(&mut clock);
        let mut report = self.report(&pool, key);
        let seed = pool.attack_seed(&self.policy)?;
        let mut made = Vec::new();
        for product in &self.policy.products {
            let file = format!("{}.{}", product.name(), extension(self.format));
            let path = staging.release().join(&file);
            self.tell(&Stage::Making(product.name().to_owned()));
            if let Some(common) = product.of_histories() {
                let workshop = HistoryWorkshop {
                    policy: &self.policy,
                    product: common,
                    pool: &pool,
                    key,
                    irreversible: &irreversible,
                    seed,
                    memory: self.memory,
                    threads: self.threads,
                };
                let mut one = workshop.make(product, &path, self.format, &|| self.tell(&Stage::Measuring(product.name().to_owned())))?;
                one.report.file = Some(file);
                one.report.sha256 = Some(sha256_file(&path)?);
                seconds.fit += one.fit_seconds;
                seconds.write += one.write_seconds;
                seconds.assess += lap(&mut clock) - one.fit_seconds - one.write_seconds;
                made.push(Transformation { product: one.report.name.clone(), fitted: one.fitted, shown: one.shown });
                report.products.push(one.report);
                continue;
            }
            let Product::Records(product) = product else { continue };
            let workshop = Workshop {
                policy: &self.policy,
                product,
                pool: pool.table(product.source)?,
                key,
                irreversible: &irreversible,
                selection: pool.selection(key),
                memory: self.memory,
                threads: self.threads,
                folder: &scratch,
            };
            let mut one = workshop.make(&path, self.format)?;
            seconds.fit += one.fit_seconds;
            seconds.write += lap(&mut clock) - one.fit_seconds;
            self.tell(&Stage::Measuring(product.name.clone()));
            one.report.file = Some(file);
            one.report.sha256 = Some(sha256_file(&one.path)?);
            let measurement =
                Measurement { policy: &self.policy, product, seed, memory: self.memory, threads: self.threads, folder: &scratch };
            measurement.measure(&mut one)?;
            measure::compare_with_pool(&measurement, &workshop, &mut one)?;
            seconds.assess += lap(&mut clock);
            report.pseudonyms.append(&mut one.pseudonyms);
            made.push(Transformation { product: one.report.name.clone(), fitted: one.fitted, shown: one.shown });
            report.products.push(one.report);
        }
        let decision = gate::decide(&self.policy.gate, &report.products);
        report.gate = decision.verdict;
        report.accepted_risks = decision.accepted;
        report.seconds = Some(seconds);
        Ok(Run { report: report.with_statements(), made, staging })
    }

    /// A release inside an input folder would be read as data by the next run; a hierarchy file that is not there is better missed before the pool is read.
    fn check_places(&self, output: &Path) -> Result<()> {
        let real = |path: &Path| path.canonicalize().ok();
        // The folder may not exist yet: then where it will be made counts.
        let place = output.ancestors().find_map(real);
        let inside = |input: &PathBuf| {
            input.is_dir() && place.as_ref().is_some_and(|place| real(input).is_some_and(|input| place.starts_with(input)))
        };
        if self.inputs.iter().chain(&self.profiles).any(inside) {
            return Err(Error::policy("--output", "lies inside a folder that is read", "name a folder outside of the inputs"));
        }
        let tables = [
            ("columns", &self.policy.columns),
            ("events.columns", &self.policy.events.columns),
            ("profiles.columns", &self.policy.profiles.columns),
        ];
        for (key, (name, column)) in tables.into_iter().flat_map(|(key, columns)| columns.iter().map(move |column| (key, column))) {
            if let (Some(HierarchySpec::File { path, .. }), false) = (&column.hierarchy, column.is_dropped())
                && !Path::new(path).is_file()
            {
                return Err(Error::policy(
                    format!("{key}.{name}.hierarchy"),
                    format!("the file {path} is not there"),
                    "give its path relative to the policy file",
                ));
            }
        }
        for (index, product) in self.policy.products.iter().enumerate() {
            let items = product.of_histories().and_then(|product| product.items);
            if let Some(SameItems { canonical: Canonical::File { path, .. }, .. }) = items
                && !Path::new(path).is_file()
            {
                return Err(Error::policy(
                    format!("products[{index}].items.canonical.file"),
                    format!("the file {path} is not there"),
                    "give its path relative to the policy file",
                ));
            }
            let Product::Records(product) = product else { continue };
            if let Some(file) = population_file(product)
                && !Path::new(file).is_file()
            {
                return Err(Error::policy(
                    format!("products.{}.models.population", product.name),
                    format!("the file {file} is not there"),
                    "give its path relative to the policy file",
                ));
            }
        }
        Ok(())
    }

    /// What only shows when tokens are made is better missed before the pool is read.
    fn check_pseudonyms(&self, key: &Key) -> Result<()> {
        for (place, spec) in self.policy.pseudonyms() {
            if let Some(alphabet) = &spec.alphabet {
                Alphabet::parse(alphabet).map_err(|error| match error {
                    Error::Policy { problem, remedy, .. } => Error::policy(format!("{place}.alphabet"), problem, remedy),
                    other => other,
                })?;
            }
            if spec.codebook && *key.origin() == KeyOrigin::Forgotten {
                return Err(Error::policy(
                    format!("{place}.codebook"),
                    "the codebook is sealed with the key file, and none was given",
                    "give --key-file, or remove codebook",
                ));
            }
        }
        Ok(())
    }

    fn report(&self, pool: &Pool, key: &Key) -> Report {
        let mut report = Report::new(&self.policy.name, now(), self.policy.gate.max_risk);
        report.purpose.clone_from(&self.policy.purpose);
        report.recipient.clone_from(&self.policy.recipient);
        report.reproducible = *key.origin() != KeyOrigin::Forgotten;
        report.inputs = Some(pool.inputs.clone());
        report.excluded = Some(pool.excluded.clone());
        report.input_commitment = pool.commitment(key);
        report
    }
}

/// Ending of the files of a format.
fn extension(format: SinkFormat) -> &'static str {
    match format {
        SinkFormat::Parquet => "parquet",
        SinkFormat::IpcFile => "arrow",
        SinkFormat::IpcStream => "arrows",
        SinkFormat::Csv => "csv",
        SinkFormat::JsonLines => "jsonl",
        SinkFormat::JsonArray => "json",
    }
}

/// The time, as reports write it.
pub(super) fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn lap(clock: &mut Instant) -> f64 {
    let seconds = clock.elapsed().as_secs_f64();
    *clock = Instant::now();
    seconds
}

/// The product report under a name, for callers that look one up.
impl Outcome {
    /// The report of the product called `name`.
    #[must_use]
    pub fn product(&self, name: &str) -> Option<&ProductReport> {
        self.report.products.iter().find(|product| product.name == name)
    }
}
