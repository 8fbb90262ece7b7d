//! What the models of a product achieve in the file that was written, recounted by code that shares nothing with the search.

use super::generalize::{FitDistribution, Generalized};
use super::measure::{k_anonymity, names_no_columns, open};
use super::records::Shape;
use super::report::{Estimate, Guarantee, PopulationRisk, ProductReport, ReferenceUsed, Unit, Verified};
use crate::anonymity::models::{ReidentificationRisk, RiskClass, population_k, sampling_fraction};
use crate::anonymity::verify::{Basis, ClassReport, Found, ModelCounter, ModelReport, People, Reference, ReferenceUsed as Used};
use crate::error::{Error, Result};
use crate::io::table::CodedTable;
use crate::io::{ReadOptions, Source};
use crate::numeric::population::{PopulationModel, SampleClasses, estimate};
use crate::numeric::real;
use crate::pipeline::Fit;
use crate::policy::{Model, RecordsProduct};
use crate::units::{Confidence, Risk, Share};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, new_null_array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a recount needs besides the file: it was counted when the levels were chosen and never leaves the steward.
#[derive(Debug, Default)]
pub(super) struct Evidence {
    pub(super) references: BTreeMap<String, FitDistribution>,
    pub(super) population: Option<Vec<RecordBatch>>,
    pub(super) against: Against,
    /// People when the levels were chosen.
    pub(super) people: Option<u64>,
}

/// With what the sensitive values of classes are compared.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Against {
    /// The rows of the file.
    #[default]
    Released,
    /// The table when the levels were chosen.
    Fit,
    /// The same, unless the file has all of its rows: so many.
    FitOfRows(u64),
}

impl Evidence {
    pub(super) fn new(generalized: &Generalized) -> Result<Self> {
        Ok(Self {
            references: generalized.references().clone(),
            population: generalized.released_population()?,
            against: Against::FitOfRows(generalized.rows_at_fit()),
            people: Some(generalized.people_at_fit()),
        })
    }

    /// With what the values of `column` are compared. Where every row was released, the file itself tells the distribution.
    fn basis(&self, column: &str, file: &Columns, rows: u64) -> Result<Basis> {
        let Some(fit) = self.references.get(column) else { return Ok(Basis::default()) };
        let mut people: BTreeMap<Option<String>, u64> = BTreeMap::new();
        let values: Vec<Option<String>> = fit.people.keys().cloned().collect();
        for (value, &count) in file.texts(column, &values)?.into_iter().zip(fit.people.values()) {
            let sum = people.entry(value).or_insert(0);
            *sum = sum.saturating_add(count).min(fit.total);
        }
        let mut tree = fit.tree.clone();
        let leaves: Vec<Option<String>> = tree.iter().map(|path| path.first().cloned().flatten()).collect();
        for (path, leaf) in tree.iter_mut().zip(file.texts(column, &leaves)?) {
            path[0] = leaf;
        }
        let released = match self.against {
            Against::Released => true,
            Against::Fit => false,
            Against::FitOfRows(at_fit) => rows == at_fit,
        };
        let reference = if released { Reference::Released } else { Reference::Fit { people, total: fit.total } };
        Ok(Basis { reference, tree, suppressed: None })
    }
}

/// How the columns of a file come back when it is read.
struct Columns {
    schema: SchemaRef,
    /// Whether the file is separated text, which cannot tell the empty text from a missing one.
    is_text: bool,
}

impl Columns {
    fn of(path: &Path, schema: SchemaRef) -> Self {
        Self { schema, is_text: matches!(path.extension().and_then(OsStr::to_str), Some("csv" | "tsv" | "txt")) }
    }

    /// An array as the file gives it back.
    fn array(&self, name: &str, array: &ArrayRef) -> Result<ArrayRef> {
        let failed = |e| Error::arrow(format!("comparing column {name} with the file"), &e);
        let Ok(field) = self.schema.field_with_name(name) else { return Ok(Arc::clone(array)) };
        let data_type = match field.data_type() {
            DataType::Dictionary(_, values) => values.as_ref(),
            other => other,
        };
        if !self.is_text || array.data_type() == data_type && !matches!(data_type, DataType::Utf8) {
            return Ok(Arc::clone(array));
        }
        let text = cast(array, &DataType::Utf8).map_err(failed)?;
        let text: StringArray = text.as_string::<i32>().iter().map(|text| text.filter(|text| !text.is_empty())).collect();
        if *data_type == DataType::Null {
            return Ok(new_null_array(&DataType::Utf8, text.len()));
        }
        cast(&text, data_type).map_err(failed)
    }

    /// Values as the recount sees them.
    fn texts(&self, name: &str, values: &[Option<String>]) -> Result<Vec<Option<String>>> {
        if !self.is_text {
            return Ok(values.to_vec());
        }
        let array: ArrayRef = Arc::new(values.iter().map(Option::as_deref).collect::<StringArray>());
        let text = cast(&self.array(name, &array)?, &DataType::LargeUtf8).map_err(|e| Error::arrow("writing values as text", &e))?;
        let text = text.as_string::<i64>();
        Ok((0..text.len()).map(|row| text.is_valid(row).then(|| text.value(row).to_owned())).collect())
    }
}

/// The rows that are recounted.
pub(super) enum Rows<'a> {
    /// The file.
    File(&'a Path),
    /// Several files that are one table.
    Files(&'a [PathBuf]),
    /// The rows of the file with their owners, where the file does not tell people apart.
    Owned(&'a CodedTable),
}

/// The recount of one product.
pub(super) struct Recount<'a> {
    pub(super) product: &'a RecordsProduct,
    pub(super) shape: &'a Shape,
    pub(super) evidence: &'a Evidence,
    pub(super) people: People,
    pub(super) verified: Verified,
    pub(super) confidence: Confidence,
    /// Risk above which a person counts as at risk.
    pub(super) limit: Risk,
    pub(super) threads: usize,
}

impl Recount<'_> {
    /// Adds guarantees and estimates of all models to the report, and returns what the classes show.
    ///
    /// # Errors
    /// The file cannot be read, or an estimate of the written file is over its threshold.
    pub(super) fn run(&self, rows: &Rows<'_>, report: &mut ProductReport) -> Result<ClassReport> {
        let (counted, columns) = self.count(rows)?;
        for model in &self.product.models {
            if model.is_estimate() {
                let (found, enough) = estimate_of(model, &counted.classes, self.evidence.people, self.confidence)?;
                if !enough {
                    return Err(self.over(model, &found));
                }
                report.estimates.push(found);
                continue;
            }
            let guarantee = self.guarantee(model, &counted, &columns, report)?;
            report.guarantees.push(guarantee);
        }
        report.population_risk = self.population_risk(&counted);
        Ok(counted.classes)
    }

    /// What those achieve who know the population, if it is given. Where people have several rows, a class says too little about them.
    fn population_risk(&self, counted: &ModelReport) -> Option<PopulationRisk> {
        self.evidence.population.as_ref().filter(|_| counted.classes.one_row_each == Some(true))?;
        let mut classes: Vec<(u64, u64)> = counted.people_of_classes().collect();
        // Sums of fractions depend on the order.
        classes.sort_unstable();
        let classes = classes.into_iter().map(|(people, population)| RiskClass { people, population: Some(population) });
        // A class that has fewer people in the population than in the file: the models say so.
        let risk = ReidentificationRisk::new(classes, self.limit).ok()?;
        let journalist = risk.journalist?;
        Some(PopulationRisk {
            threshold: self.limit.get(),
            prosecutor_highest: risk.prosecutor.highest,
            prosecutor_average: risk.prosecutor.average,
            prosecutor_at_risk: risk.prosecutor.at_risk,
            journalist_highest: journalist.highest,
            journalist_average: journalist.average,
            journalist_at_risk: journalist.at_risk,
            marketer: risk.marketer,
        })
    }

    fn count(&self, rows: &Rows<'_>) -> Result<(ModelReport, Columns)> {
        let mut sensitive: Vec<&str> = self.product.models.iter().filter_map(Model::column).collect();
        sensitive.sort_unstable();
        sensitive.dedup();
        let quasi = &self.shape.quasi_identifiers;
        let make = || ModelCounter::new(quasi.iter().cloned(), sensitive.iter().copied(), self.people.clone());
        let (mut counter, columns) = match rows {
            Rows::File(_) | Rows::Files(_) => {
                let paths: Vec<&Path> = match rows {
                    Rows::Files(paths) => paths.iter().map(PathBuf::as_path).collect(),
                    Rows::File(path) => vec![path],
                    Rows::Owned(_) => Vec::new(),
                };
                let mut sources = paths.iter().map(|path| open(path)).collect::<Result<Vec<Arc<dyn Source>>>>()?;
                let columns = Columns::of(
                    paths.first().copied().unwrap_or(Path::new("")),
                    sources.first().map_or_else(|| Arc::new(Schema::empty()), |source| source.schema()),
                );
                let mut names: Vec<String> = quasi.iter().cloned().chain(sensitive.iter().map(|&name| name.to_owned())).collect();
                if let People::Token(token) = &self.people {
                    names.push(token.clone());
                }
                let options = ReadOptions { columns: Some(names), threads: self.threads, ..ReadOptions::default() };
                sources.retain(|source| !names_no_columns(source));
                let counter = if sources.is_empty() { make() } else { crate::engine::fit(&sources, &options, make)? };
                (counter, columns)
            }
            Rows::Owned(table) => {
                let mut counter = make();
                for chunk in 0..table.chunks() {
                    let arrays = (0..table.schema().fields().len()).map(|column| table.array(chunk, column)).collect::<Result<Vec<_>>>()?;
                    counter.observe(&RecordBatch::try_new(table.schema(), arrays).map_err(|e| Error::arrow("recounting", &e))?)?;
                }
                (counter, Columns { schema: table.schema(), is_text: false })
            }
        };
        for batch in self.evidence.population.iter().flatten() {
            let arrays = quasi.iter().map(|name| {
                let index = batch.schema().index_of(name).map_err(|e| Error::arrow("counting the population", &e))?;
                Ok((name, columns.array(name, batch.column(index))?, true))
            });
            let batch = RecordBatch::try_from_iter_with_nullable(arrays.collect::<Result<Vec<_>>>()?);
            counter.observe_population(&batch.map_err(|e| Error::arrow("counting the population", &e))?)?;
        }
        Ok((counter.finish()?, columns))
    }

    fn guarantee(&self, model: &Model, counted: &ModelReport, columns: &Columns, report: &mut ProductReport) -> Result<Guarantee> {
        if let Model::KAnonymity { k } = model {
            return Ok(k_anonymity(model, counted.classes.claim(k.get()), k.get(), self.verified));
        }
        let basis = match model.column() {
            Some(column) => self.evidence.basis(column, columns, counted.classes.rows)?,
            None => Basis { suppressed: self.suppressed(counted), ..Basis::default() },
        };
        let found = counted.check(model, &basis)?;
        let mut guarantee = Guarantee::of(model, self.unit(model, counted), self.verified_by(model, &found));
        (guarantee.achieved, guarantee.holds) = (found.achieved, found.holds);
        guarantee.reference = found.reference.map(|used| match used {
            Used::Released => ReferenceUsed::Released,
            Used::Fit => ReferenceUsed::Fit,
        });
        if let (Model::DeltaPresence { .. }, Some(smallest)) = (model, found.smallest) {
            report.steward_notes.push(format!("delta-presence: the smallest share of a class is {smallest}"));
        }
        if let Some(absent) = found.absent.filter(|&absent| absent > 0) {
            report.steward_notes.push(format!("{}: {absent} people of the population fit no released class", model.name()));
        }
        Ok(guarantee)
    }

    /// What the figure of a model counts. Where people have several rows, a class is no statement about a whole person if something joins their rows; and no mean
    /// over classes is one over people.
    fn unit(&self, model: &Model, counted: &ModelReport) -> Unit {
        let several = counted.classes.one_row_each == Some(false);
        let of_table = matches!(model, Model::AverageRisk { .. } | Model::SampleUniqueness { .. });
        match model {
            _ if several && (self.shape.linked || of_table) => Unit::SubjectPerRow,
            Model::KMap { .. } => Unit::Subject,
            Model::DistinctLDiversity { .. } => Unit::Value,
            _ => Unit::Ratio,
        }
    }

    fn verified_by(&self, model: &Model, found: &Found) -> Verified {
        let needs_more = matches!(model, Model::KMap { .. } | Model::DeltaPresence { .. }) || found.reference == Some(Used::Fit);
        if needs_more { Verified::ReleaseAndPool } else { self.verified }
    }

    /// People of the data who are not in the file, where everybody has one row.
    fn suppressed(&self, counted: &ModelReport) -> Option<u64> {
        let classes = &counted.classes;
        let (Some(true), Some(people), Some(released)) = (classes.one_row_each, self.evidence.people, classes.subjects) else {
            return None;
        };
        people.checked_sub(released)
    }

    fn over(&self, model: &Model, found: &Estimate) -> Error {
        let nearest = match model {
            Model::PopulationUniqueness { threshold, .. } => format!(
                "population-uniqueness is estimated at {} in the written file where {threshold} is allowed; raise suppression_limit, allow higher levels or lower item_support.min_subjects",
                found.value
            ),
            Model::KMap { k, .. } => format!(
                "a class of the written file is estimated to fit {} people of the population at least where {} are asked for; raise suppression_limit, allow higher levels or lower item_support.min_subjects",
                found.low.unwrap_or(0.0),
                k.get()
            ),
            other => format!("{} does not hold in the written file", other.name()),
        };
        Error::NoSolution { product: self.product.name.clone(), nearest }
    }
}

/// What a model estimates from the classes of a table, and whether that is within its bound. `people` is how many were in the table when the levels were chosen:
/// the sample. Without it those of the table are taken.
pub(super) fn estimate_of(model: &Model, classes: &ClassReport, people: Option<u64>, confidence: Confidence) -> Result<(Estimate, bool)> {
    let sample = SampleClasses::new(classes.class_size_histogram.iter().copied())?;
    match model {
        Model::PopulationUniqueness { threshold, population_size, model: estimator } => {
            let estimator = estimator.as_deref().map_or(Ok(PopulationModel::default()), str::parse)?;
            let found = estimate(estimator, &sample, *population_size, confidence)?;
            let of = |people: f64| people / real((*population_size).max(1));
            let shown =
                Estimate { model: model.name().to_owned(), value: found.share, low: Some(of(found.low)), high: Some(of(found.high)) };
            Ok((shown, found.share <= *threshold))
        }
        Model::KMap { k, population_size: Some(population), estimator, significance, .. } => {
            let people = people.unwrap_or(0).max(classes.subjects.unwrap_or_else(|| sample.people()));
            let Some((smallest, _)) = sample.sizes().next() else {
                // No class is too small.
                return Ok((Estimate { model: model.name().to_owned(), ..Estimate::default() }, true));
            };
            let fraction = sampling_fraction(people, *population)?;
            let alpha = Share::new(significance.unwrap_or(Model::SIGNIFICANCE))?;
            let low = population_k(smallest, fraction, alpha, estimator.unwrap_or_default().into())?.min(*population);
            let value = real(smallest) / fraction.get();
            Ok((Estimate { model: model.name().to_owned(), value, low: Some(real(low)), high: None }, low >= k.get().min(*population)))
        }
        other => Err(Error::unsupported("models", other.name())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Distance, ProductKind};
    use arrow::array::StringArray;
    use std::fs;

    /// Recounts one model on a file of rows `class,value`, with what the values were at fit time.
    fn recount(model: Model, file: &str, fit: Option<(&[(&str, u64)], u64)>) -> Guarantee {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("p.csv");
        fs::write(&path, file).unwrap();
        let product = RecordsProduct { name: "p".to_owned(), models: vec![model], ..RecordsProduct::default() };
        let shape = Shape { quasi_identifiers: vec!["q".to_owned()], ..Shape::default() };
        let mut evidence = Evidence { against: Against::FitOfRows(file.lines().count() as u64 - 1), ..Evidence::default() };
        if let Some((people, rows)) = fit {
            let people: BTreeMap<_, _> =
                people.iter().map(|&(value, people)| (Some(value.to_owned()).filter(|value| !value.is_empty()), people)).collect();
            let total = people.values().sum();
            evidence.references.insert("s".to_owned(), FitDistribution { people, total, tree: Vec::new() });
            evidence.against = Against::FitOfRows(rows);
        }
        let recount = Recount {
            product: &product,
            shape: &shape,
            evidence: &evidence,
            people: People::OneRowEach,
            verified: Verified::Release,
            confidence: Confidence::new(0.95).unwrap(),
            limit: Risk::new(0.09).unwrap(),
            threads: 1,
        };
        let mut report = ProductReport::new("p", ProductKind::Records);
        recount.run(&Rows::File(&path), &mut report).unwrap();
        report.guarantees.remove(0)
    }

    fn close(t: f64) -> Model {
        Model::TCloseness { column: "s".to_owned(), t, distance: Distance::Equal }
    }

    #[test]
    fn a_file_that_breaks_a_promise_is_caught() {
        let diverse = |file| recount(Model::DistinctLDiversity { column: "s".to_owned(), l: 2 }, file, None);
        let good = diverse("q,s\na,x\na,y\nb,x\nb,y\n");
        assert!(good.holds && good.achieved == Some(2.0));
        // As if the search had taken class b for diverse.
        let bad = diverse("q,s\na,x\na,y\nb,x\nb,x\n");
        assert!(!bad.holds && bad.achieved == Some(1.0));
        // As if rows that were to be suppressed had been written.
        assert!(recount(close(0.25), "q,s\na,x\na,y\nb,x\nb,y\n", None).holds);
        assert!(!recount(close(0.25), "q,s\na,x\na,y\nb,x\nb,y\nc,y\nc,y\n", None).holds);
    }

    #[test]
    fn rows_that_are_left_out_change_the_reference() {
        let file = "q,s\na,x\na,y\nb,x\nb,y\n";
        let all = recount(close(0.0), file, Some((&[("x", 2), ("y", 2)], 4)));
        assert_eq!((all.holds, all.reference, all.verified), (true, Some(ReferenceUsed::Released), Verified::Release));
        // Six rows with y were suppressed: half of every class has x, where a fifth of the table had.
        let some = recount(close(0.25), file, Some((&[("x", 2), ("y", 8)], 10)));
        assert_eq!((some.holds, some.reference, some.verified), (false, Some(ReferenceUsed::Fit), Verified::ReleaseAndPool));
        assert!((some.achieved.unwrap() - 0.3).abs() < 1e-12);
    }

    #[test]
    fn a_text_table_shows_numbers_for_texts() {
        let file = "q,s\na,7\na,12\nb,7\nb,\n";
        // 007 and 7 are read as one number, empty and missing as one value.
        let found = recount(close(0.5), file, Some((&[("007", 1), ("7", 2), ("12", 2), ("", 1)], 6)));
        assert!(found.holds, "{found:?}");
        let columns = Columns {
            schema: Arc::new(arrow::datatypes::Schema::new(vec![arrow::datatypes::Field::new("s", DataType::Int64, true)])),
            is_text: true,
        };
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("007"), None, Some("")]));
        let array = columns.array("s", &texts).unwrap();
        assert_eq!((array.data_type(), array.null_count()), (&DataType::Int64, 2));
    }
}
