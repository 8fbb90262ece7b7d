//! The whole measurement: train on a release, test on real people whom it does not hold, compare with the original data.

use super::fold_in::FoldIn;
use super::gram::{Gram, MAX_MODEL_ITEMS};
use super::interactions::Interactions;
use super::lift::{Bootstrap, Lift};
use super::metrics::{Measured, mean, tail_items};
use super::models::{Ease, ItemKnn, Popularity, Recommender};
use super::product::ProductData;
use crate::error::{Error, Result};
use crate::numeric::real;
use crate::units::{Confidence, Share};
use std::collections::BTreeMap;

/// Regularizations that are tried.
pub const LAMBDA_GRID: [f64; 11] = [10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0, 20_000.0];
/// The regularization where too few people are there to choose one.
pub const DEFAULT_LAMBDA: f64 = 200.0;
/// People with something to predict that a choice needs.
const FEWEST_TO_CHOOSE: usize = 20;
/// People that are looked at for a choice, at most.
const MOST_TO_CHOOSE: usize = 1_000;

/// How an [`Evaluation`] is made.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluationOptions {
    /// Items in the models: the most popular of what each is trained on. At most [`MAX_MODEL_ITEMS`].
    pub top_items: usize,
    /// Regularization λ of EASE. `None`: chosen from [`LAMBDA_GRID`] on people of the training data, never on the test people.
    pub lambda: Option<f64>,
    /// Neighbours of an item in the item neighbourhoods.
    pub neighbours: usize,
    /// The intervals of the lift.
    pub bootstrap: Bootstrap,
    /// Threads; they change no figure.
    pub threads: usize,
}

impl Default for EvaluationOptions {
    /// 2,000 items, a chosen λ, 100 neighbours, 95 % from 1,000 resamples, all processors.
    fn default() -> Self {
        #[expect(clippy::unwrap_used, reason = "0.95 is a confidence")]
        let confidence = Confidence::new(0.95).unwrap();
        Self {
            top_items: 2_000,
            lambda: None,
            neighbours: 100,
            bootstrap: Bootstrap { confidence, resamples: 1_000, seed: 1 },
            threads: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// Figures of one recommender.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFigures {
    /// Per person.
    pub measured: Measured,
    /// Regularization, for EASE that was trained here.
    pub lambda: Option<f64>,
    /// Lift retained by NDCG@100.
    pub lift: Option<Lift>,
    /// Lift retained by recall@20.
    pub recall_lift: Option<Lift>,
}

impl ModelFigures {
    /// The figures by their names in a report: `recall@20`, `ndcg@100`, `coverage@20`, `tail_recall@20`, `lambda`, `lift_retained`, `recall_lift_retained`, the last two also with `_low` and
    /// `_high`. What does not apply is absent.
    #[must_use]
    pub fn by_name(&self) -> BTreeMap<String, f64> {
        let mut named = BTreeMap::from([
            ("recall@20".to_owned(), mean(&self.measured.recall_at_20)),
            ("ndcg@100".to_owned(), mean(&self.measured.ndcg_at_100)),
            ("coverage@20".to_owned(), self.measured.coverage_at_20),
        ]);
        if !self.measured.tail_recall_at_20.is_empty() {
            named.insert("tail_recall@20".to_owned(), mean(&self.measured.tail_recall_at_20));
        }
        named.extend(self.lambda.map(|lambda| ("lambda".to_owned(), lambda)));
        for (name, lift) in [("lift_retained", self.lift), ("recall_lift_retained", self.recall_lift)] {
            if let Some(lift) = lift {
                named.insert(name.to_owned(), lift.value);
                named.insert(format!("{name}_low"), lift.low);
                named.insert(format!("{name}_high"), lift.high);
            }
        }
        named
    }
}

/// Figures of the recommenders that something could train: `popularity`, `ease`, `item-knn`.
pub type Usefulness = BTreeMap<&'static str, ModelFigures>;

/// The figures as they stand in a report: by model, then by metric.
///
/// The names of the models are `ease`, `item-knn`, `popularity`; for those of the metrics see [`ModelFigures::by_name`].
#[must_use]
pub fn report_figures(usefulness: &Usefulness) -> BTreeMap<String, BTreeMap<String, f64>> {
    usefulness.iter().map(|(model, figures)| ((*model).to_owned(), figures.by_name())).collect()
}

/// Held-out people, and what the original data teaches about them: the measure of every release.
///
/// All interactions must use the same item codes; their number and meaning are those of the original data, so items that only a release has are not part of it. Item codes
/// should ascend with the items' texts, as ties are ordered by code.
///
/// ```
/// use backmask::{units::Share, utility::{Evaluation, EvaluationOptions, FoldIn, Interactions}};
///
/// // Two tastes: people of the one have some of the items 0 to 9, people of the other some of 10 to 19.
/// let person = |n: u32| (0..6).map(|i| n % 2 * 10 + (n * 7 + i * i * (n % 3 + 1)) % 10).collect::<Vec<u32>>();
/// let train = Interactions::from_lists(&(0..200).map(person).collect::<Vec<_>>(), 20)?;
/// let held_out = Interactions::from_lists(&(200..260).map(person).collect::<Vec<_>>(), 20)?;
/// let test = FoldIn::random(&held_out, Share::new(0.8)?, 1);
///
/// let evaluation = Evaluation::new(&train, test, EvaluationOptions { lambda: Some(5.0), ..EvaluationOptions::default() })?;
/// let release = train.select(|person| person % 2 == 0); // whoever made it lost half of the people
/// let found = evaluation.people(&release)?;
/// assert!(found["ease"].by_name()["lift_retained"] < 1.0);
/// assert_eq!(evaluation.people(&train)?["ease"].by_name()["lift_retained"], 1.0);
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Evaluation {
    test: FoldIn,
    tail: Vec<bool>,
    options: EvaluationOptions,
    /// People of the original data on whom the regularization of aggregates is chosen.
    validation: FoldIn,
    original: Usefulness,
}

impl Evaluation {
    /// Trains on the original data and tests on held-out people.
    ///
    /// # Errors
    /// The numbers of items differ; an option is outside its domain; nobody has an item to predict; λ is too small for a positive definite matrix.
    pub fn new(train: &Interactions, test: FoldIn, options: EvaluationOptions) -> Result<Self> {
        if test.items() != train.items() {
            return Err(Error::Parameter { name: "test", problem: "must have the item codes of the training data".to_owned() });
        }
        if options.top_items == 0 || options.top_items > MAX_MODEL_ITEMS {
            return Err(Error::Parameter { name: "top_items", problem: format!("must lie between 1 and {MAX_MODEL_ITEMS}") });
        }
        let validation = validation_split(train).1;
        let mut made = Self { tail: tail_items(&train.popularity()), test, options, validation, original: Usefulness::new() };
        made.original = made.people(train)?;
        Ok(made)
    }

    /// What the original data teaches.
    #[must_use]
    pub fn original(&self) -> &Usefulness {
        &self.original
    }

    /// The held-out people.
    #[must_use]
    pub fn test(&self) -> &FoldIn {
        &self.test
    }

    /// What can be learned from a release whose rows are people (or stand for them). Unless λ is given, it is chosen on a tenth of the rows, against the others.
    ///
    /// # Errors
    /// Those of [`Evaluation::new`].
    pub fn people(&self, release: &Interactions) -> Result<Usefulness> {
        let gram = self.gram(release)?;
        let lambda = if let Some(lambda) = self.options.lambda {
            lambda
        } else {
            let (fit, validation) = validation_split(release);
            self.choose(&self.gram(&fit)?, &validation)?
        };
        self.of_gram(&gram, lambda)
    }

    /// What can be learned from a release whose rows are groups or pieces of people, or that is a matrix of items together. Unless λ is given, it is chosen on a tenth of the people of the
    /// original data. As they are in the release, λ may come out a little low, which is to the disadvantage of the release.
    ///
    /// # Errors
    /// Those of [`Evaluation::new`].
    pub fn aggregate(&self, gram: &Gram) -> Result<Usefulness> {
        let lambda = match self.options.lambda {
            Some(lambda) => lambda,
            None => self.choose(gram, &self.validation)?,
        };
        self.of_gram(gram, lambda)
    }

    /// What can be learned from a product that was read from a file. With nothing but popularities, only the recommender of that name is tested.
    ///
    /// # Errors
    /// Those of [`Evaluation::new`].
    pub fn product(&self, data: &ProductData) -> Result<Usefulness> {
        match data {
            ProductData::People(people) => self.people(people),
            ProductData::Groups(groups) => self.aggregate(&self.gram(groups)?),
            ProductData::Pairs(pairs) => self.aggregate(&Gram::of_pairs(pairs, self.test.items(), self.options.top_items)?),
            ProductData::Popularity(popularity) => {
                Ok(Usefulness::from([("popularity", self.figures(&Popularity::new(popularity), None, None)?)]))
            }
        }
    }

    /// How good any recommender is, with the lift that it retains of what EASE learns from the original data.
    ///
    /// # Errors
    /// The model's items are not those of the original data.
    pub fn model(&self, model: &dyn Recommender) -> Result<ModelFigures> {
        self.figures(model, None, Some("ease"))
    }

    fn gram(&self, rows: &Interactions) -> Result<Gram> {
        if rows.items() != self.test.items() {
            return Err(Error::Parameter { name: "release", problem: "must have the item codes of the original data".to_owned() });
        }
        Gram::of_rows(rows, self.options.top_items, self.options.threads)
    }

    fn of_gram(&self, gram: &Gram, lambda: f64) -> Result<Usefulness> {
        let EvaluationOptions { threads, neighbours, .. } = self.options;
        // Popularity first: when the original data is measured, the other two need it.
        let popularity = self.figures(&Popularity::new(gram.popularity()), None, None)?;
        let floor = self.original.get("popularity").unwrap_or(&popularity).clone();
        let mut found = Usefulness::new();
        let ease = Measured::of(&Ease::fit(gram, lambda, threads)?, &self.test, &self.tail, threads)?;
        found.insert("ease", self.compared("ease", ease, Some(lambda), &floor)?);
        let neighbours = Measured::of(&ItemKnn::fit(gram, neighbours, threads), &self.test, &self.tail, threads)?;
        found.insert("item-knn", self.compared("item-knn", neighbours, None, &floor)?);
        found.insert("popularity", popularity);
        Ok(found)
    }

    /// Figures with the lift; what is measured as the original itself retains all of it.
    fn compared(&self, name: &str, measured: Measured, lambda: Option<f64>, floor: &ModelFigures) -> Result<ModelFigures> {
        let original = self.original.get(name).map_or(&measured, |original| &original.measured);
        let lift = |release: &[f64], original: &[f64], floor: &[f64]| Lift::retained(release, original, floor, &self.options.bootstrap);
        let by_ndcg = lift(&measured.ndcg_at_100, &original.ndcg_at_100, &floor.measured.ndcg_at_100)?;
        let by_recall = lift(&measured.recall_at_20, &original.recall_at_20, &floor.measured.recall_at_20)?;
        Ok(ModelFigures { lambda, lift: by_ndcg, recall_lift: by_recall, measured })
    }

    fn figures(&self, model: &dyn Recommender, lambda: Option<f64>, against: Option<&str>) -> Result<ModelFigures> {
        let measured = Measured::of(model, &self.test, &self.tail, self.options.threads)?;
        match (against, self.original.get("popularity")) {
            (Some(name), Some(floor)) => self.compared(name, measured, lambda, floor),
            _ => Ok(ModelFigures { measured, lambda, lift: None, recall_lift: None }),
        }
    }

    /// The λ of the grid with the best NDCG@100, found by climbing from the default: it rises to one peak and falls.
    fn choose(&self, gram: &Gram, validation: &FoldIn) -> Result<f64> {
        if validation.predictable() < FEWEST_TO_CHOOSE {
            return Ok(DEFAULT_LAMBDA);
        }
        let mut known: BTreeMap<usize, f64> = BTreeMap::new();
        let mut score = |at: usize| -> Result<f64> {
            if let Some(&score) = known.get(&at) {
                return Ok(score);
            }
            // Noise may need more regularization before there is an inverse at all.
            let score = match LAMBDA_GRID.get(at).map(|&lambda| Ease::fit(gram, lambda, self.options.threads)) {
                Some(Ok(model)) => mean(&Measured::of(&model, validation, &self.tail, self.options.threads)?.ndcg_at_100),
                Some(Err(Error::Parameter { .. })) if at + 1 < LAMBDA_GRID.len() => real(at as u64) - real(LAMBDA_GRID.len() as u64),
                Some(Err(error)) => return Err(error),
                None => f64::NEG_INFINITY,
            };
            known.insert(at, score);
            Ok(score)
        };
        let mut at = LAMBDA_GRID.iter().position(|&lambda| lambda >= DEFAULT_LAMBDA).unwrap_or_default();
        while score(at + 1)? > score(at)? {
            at += 1;
        }
        while at > 0 && score(at - 1)? > score(at)? {
            at -= 1;
        }
        LAMBDA_GRID.get(at).copied().ok_or_else(|| Error::Parameter { name: "lambda", problem: "no value of the grid fits".to_owned() })
    }
}

/// The rows without a tenth of them, and that tenth as people to predict for. Which rows they are is a function of their content.
fn validation_split(rows: &Interactions) -> (Interactions, FoldIn) {
    let is_set_aside = |row: usize| {
        let mut hasher = blake3::Hasher::new_derive_key("backmask 2026 choice of a regularization");
        for item in rows.items_of(row) {
            hasher.update(&item.to_le_bytes());
        }
        u32::from(hasher.finalize().as_bytes()[0]) * 10 < 256
    };
    #[expect(clippy::unwrap_used, reason = "0.8 is a share")]
    let known = Share::new(0.8).unwrap();
    let validation = FoldIn::random(&rows.select(is_set_aside), known, 1).thinned(MOST_TO_CHOOSE);
    (rows.select(|row| !is_set_aside(row)), validation)
}
