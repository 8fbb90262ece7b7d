//! Recounting the models of a policy in any table, from its columns alone.

use super::generalize::{FitDistribution, population_of};
use super::guarantees::{Against, Evidence, Recount, Rows, estimate_of};
use super::measure::{names_no_columns, open};
use super::records::{Shape, TOKEN};
use super::report::{Estimate, Guarantee, ProductReport, ReferenceUsed, Unit, Verified};
use super::scheme::{Recoding, Scheme, declared};
use super::verify::Counted;
use crate::anonymity::hierarchy::Hierarchy;
use crate::anonymity::verify::{ClassReport, People};
use crate::error::{Error, Result};
use crate::io::table::ColumnInterner;
use crate::io::{ReadOptions, Source, read};
use crate::numeric::real;
use crate::pipeline::value_type;
use crate::policy::{Distance, Model, Policy, Product, ProductKind, RecordsProduct, Role, Treatment};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The result of [`verify_table`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TableVerification {
    /// Whether every model of the product holds and no column is there that the product does not have; `None` (null) if nothing is refuted, but the table does
    /// not tell people apart or lacks what a model compares with.
    pub holds: Option<bool>,
    /// The product of the policy.
    pub product: String,
    /// Rows of the table.
    pub rows: u64,
    /// Distinct people, where the table tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subjects: Option<u64>,
    /// Every model of the product, as in `report.json`.
    pub guarantees: Vec<Guarantee>,
    /// What a model estimates about people outside the table: never a promise.
    pub estimates: Vec<Estimate>,
    /// Columns of the table that the product does not have.
    pub unexpected_columns: Vec<String>,
    /// What was found, in plain sentences.
    pub notes: Vec<String>,
}

/// Counts every model of a product of `policy` again, in files that anybody may have made: together they are one table. What wrote them does not
/// matter, nor in what types values are stored. `product` may be left out if the policy has only one table.
///
/// People are told apart by the column `token` or the column that names the subject, if the table has one of them. Without both every row is a person, but only if the
/// policy has no `[subject]`: else rows are counted, and no count of rows is a count of people.
///
/// t-closeness, δ-disclosure and β-likeness compare with the rows of the table, or with the table at fit time if the steward's `reference` is given. k-map and
/// δ-presence need the reference too, and the population that the policy names: it is generalized by the scheme of the reference.
///
/// # Guarantee
/// The recount shares nothing with the code that makes releases, but for reading files and the hierarchies that say how far values are apart.
///
/// # Errors
/// The policy has no such product, a file cannot be read, or the table has a column without a role. A model that does not hold is no error: see
/// [`TableVerification::holds`].
///
/// # Examples
/// ```no_run
/// use backmask::policy::Policy;
/// use backmask::release::{Scheme, verify_table};
///
/// let policy = Policy::from_path("policy.toml")?;
/// let reference = Scheme::from_path("out/steward/transformation.json")?;
/// let found = verify_table(&policy, Some("people"), &["people.parquet".into(), "new-people.csv".into()], Some(&reference))?;
/// assert_eq!(found.holds, Some(true));
/// # Ok::<(), backmask::Error>(())
/// ```
pub fn verify_table(policy: &Policy, product: Option<&str>, files: &[PathBuf], reference: Option<&Scheme>) -> Result<TableVerification> {
    let product = chosen(policy, product)?;
    let table = Table::open(files)?;
    let (columns, unexpected) = table.check(policy, product)?;
    let people = table.people(policy, product);
    let mut check = Check { policy, product, table: &table, columns: &columns, people, notes: Vec::new(), beyond: false };
    let evidence = check.evidence(reference)?;
    let mut report = ProductReport::new(&product.name, ProductKind::Records);
    let classes = check.recount(&evidence, files, &mut report)?;
    check.support(files, &mut report)?;
    if !unexpected.is_empty() {
        check
            .notes
            .push("the table has columns that the product does not have; they may say who is who, whatever the models say".to_owned());
    }
    let holds = check.verdict(&report, &classes, unexpected.is_empty());
    Ok(TableVerification {
        holds,
        product: product.name.clone(),
        rows: classes.rows,
        subjects: classes.subjects,
        guarantees: report.guarantees,
        estimates: report.estimates,
        unexpected_columns: unexpected,
        notes: check.notes,
    })
}

/// Counts one model of a product of a release again, compared with the released rows.
fn recount_model(
    policy: &Policy,
    product: &RecordsProduct,
    model: &Model,
    path: &Path,
    quasi_identifiers: &[String],
    people: People,
) -> Result<Guarantee> {
    let product = RecordsProduct { models: vec![model.clone()], ..product.clone() };
    let files = [path.to_owned()];
    let table = Table::open(&files)?;
    let mut check =
        Check { policy, product: &product, table: &table, columns: quasi_identifiers, people, notes: Vec::new(), beyond: false };
    let evidence = check.evidence(None)?;
    let mut report = ProductReport::new(&product.name, ProductKind::Records);
    check.recount(&evidence, &files, &mut report)?;
    report.guarantees.pop().ok_or_else(|| Error::unsupported("models", model.name()))
}

/// Counts a model again that compares sensitive values, or the table as a whole.
pub(super) fn check_model(
    policy: &Policy,
    declared: &RecordsProduct,
    (model, stated): (&Model, &Guarantee),
    path: &Path,
    quasi: &[String],
    people: People,
) -> Result<(Option<bool>, String)> {
    if people == People::Unknown {
        return Ok((None, "no token tells people apart; counting people needs the pool".to_owned()));
    }
    if stated.reference == Some(ReferenceUsed::Fit) {
        return Ok((None, "compares with the table before suppression; verify --table with the steward's transformation.json".to_owned()));
    }
    if model.population().is_some() {
        return Ok((None, "compares with the population; verify --table with the steward's transformation.json".to_owned()));
    }
    // Hierarchies of files and declared lists stay with the steward; without them there is no distance.
    let found = match recount_model(policy, declared, model, path, quasi, people) {
        Ok(found) => found,
        Err(Error::Policy { .. } | Error::Column { .. }) if matches!(model, Model::TCloseness { distance: Distance::Hierarchical, .. }) => {
            return Ok((None, "needs the hierarchy of the sensitive column, which stays with the steward".to_owned()));
        }
        Err(error) => return Err(error),
    };
    let achieved = match (found.achieved, stated.achieved) {
        (Some(found), Some(stated)) => (found - stated).abs() <= 1e-9 * found.abs().max(1.0),
        (found, stated) => found.is_none() == stated.is_none(),
    };
    let same = found.holds && stated.holds && found.unit == stated.unit && (achieved || stated.stated_as_bound);
    let text = format!("recounted: {}", found.achieved.map_or_else(|| "no finite figure".to_owned(), |achieved| achieved.to_string()));
    Ok((Some(same), text))
}

fn chosen<'a>(policy: &'a Policy, product: Option<&str>) -> Result<&'a RecordsProduct> {
    if let Some(product) = product {
        return declared(policy, product);
    }
    let mut tables = policy.products.iter().filter_map(|product| match product {
        Product::Records(product) => Some(product),
        _ => None,
    });
    match (tables.next(), tables.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Error::policy("products", "no product is a table of kind records", "give a policy that has one")),
        _ => Err(Error::policy("--product", "is missing, and the policy has several tables", "name one of them")),
    }
}

/// The files that are checked.
struct Table {
    sources: Vec<Arc<dyn Source>>,
    columns: Vec<String>,
}

impl Table {
    fn open(files: &[PathBuf]) -> Result<Self> {
        if files.is_empty() {
            return Err(Error::policy("--table", "names no file", "name the file that shall be checked"));
        }
        let mut sources = files.iter().map(|path| open(path)).collect::<Result<Vec<_>>>()?;
        sources.retain(|source| !names_no_columns(source));
        let names = |source: &Arc<dyn Source>| source.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
        let columns = sources.first().map(names).unwrap_or_default();
        let same: BTreeSet<&String> = columns.iter().collect();
        for source in &sources {
            if !names(source).iter().collect::<BTreeSet<_>>().eq(&same) {
                return Err(Error::data(source.name(), None, "has other columns than the first file", "give files that are one table"));
            }
        }
        Ok(Self { sources, columns })
    }

    fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column == name)
    }

    /// The quasi-identifiers of the table, and the columns that it should not have.
    fn check(&self, policy: &Policy, product: &RecordsProduct) -> Result<(Vec<String>, Vec<String>)> {
        let listed = |name: &String| product.columns.as_ref().is_none_or(|listed| listed.contains(name));
        let (mut quasi, mut unexpected) = (Vec::new(), Vec::new());
        let subject = policy.subject.as_ref().map(|subject| subject.column.as_str());
        for name in &self.columns {
            if Some(name.as_str()) == subject || name == TOKEN && policy.keeps_subject(product) {
                continue;
            }
            let column = policy.declaration(product.source, name).ok_or_else(|| {
                Error::column(name, "is in the table and has no role in the policy", "declare its role; it may be what gives people away")
            })?;
            let raw = column.role == Role::Identifier && !matches!(column.effective_treatment(), Treatment::Pseudonym(_));
            if column.is_dropped() || raw || !listed(name) {
                unexpected.push(name.clone());
            }
            // What others may know counts, also where it should not be.
            if column.role == Role::QuasiIdentifier {
                quasi.push(name.clone());
            }
        }
        let spoken_of = product.models.iter().filter_map(Model::column);
        let needed = product.columns.iter().flatten().map(String::as_str).filter(|name| {
            policy.declaration(product.source, name).is_some_and(|column| column.role == Role::QuasiIdentifier && !column.is_dropped())
        });
        if let Some(missing) = needed.chain(spoken_of).find(|name| !self.columns.is_empty() && !self.has(name)) {
            return Err(Error::column(
                missing,
                "is a column of the product that the table does not have",
                "give the table of this product",
            ));
        }
        Ok((quasi, unexpected))
    }

    fn people(&self, policy: &Policy, product: &RecordsProduct) -> People {
        let Some(subject) = &policy.subject else { return People::OneRowEach };
        // A column that names people names them in whatever product it stands.
        if self.has(&subject.column) {
            People::Token(subject.column.clone())
        } else if self.has(TOKEN) && policy.keeps_subject(product) && !policy.splits_tokens(product) {
            People::Token(TOKEN.to_owned())
        } else {
            People::Unknown
        }
    }

    fn batches(&self, column: &str) -> Result<Vec<RecordBatch>> {
        let options = ReadOptions { columns: Some(vec![column.to_owned()]), threads: 1, ..ReadOptions::default() };
        let mut batches = Vec::new();
        for source in &self.sources {
            batches.extend(read(&[Arc::clone(source)], &options)?.collect::<Result<Vec<_>, _>>()?);
        }
        Ok(batches)
    }
}

struct Check<'a> {
    policy: &'a Policy,
    product: &'a RecordsProduct,
    table: &'a Table,
    /// The quasi-identifiers.
    columns: &'a [String],
    people: People,
    notes: Vec<String>,
    /// Whether an estimate is beyond what the policy allows.
    beyond: bool,
}

impl Check<'_> {
    /// What the models compare with.
    fn evidence(&mut self, reference: Option<&Scheme>) -> Result<Evidence> {
        let mut references = reference.map_or_else(|| Ok(BTreeMap::new()), |scheme| scheme.references(&self.product.name).cloned())?;
        let compares =
            |model: &&Model| matches!(model, Model::TCloseness { .. } | Model::DeltaDisclosure { .. } | Model::BetaLikeness { .. });
        for column in self.product.models.iter().filter(compares).filter_map(Model::column) {
            if reference.is_some() && !references.contains_key(column) {
                return Err(Error::column(
                    column,
                    "has no distribution in the reference",
                    "give the transformation.json of a release with this policy, made by this version",
                ));
            }
        }
        for model in &self.product.models {
            if let Model::TCloseness { column, distance: Distance::Hierarchical, .. } = model {
                let fit = references.entry(column.clone()).or_default();
                fit.tree = self.tree(column, fit)?;
            }
        }
        if reference.is_none() && self.product.models.iter().any(|model| compares(&model)) {
            self.notes.push(
                "shares of sensitive values were compared with those of the table itself; the table before suppression is known to the steward (--reference)"
                    .to_owned(),
            );
        }
        let population = match (reference, population_of(self.policy, self.product)?) {
            (Some(scheme), Some(batches)) => Some(self.population(&scheme.recoding(self.policy, &self.product.name)?, &batches)?),
            _ => None,
        };
        let against = if reference.is_some() { Against::Fit } else { Against::Released };
        let people = reference.map_or(Ok(None), |scheme| scheme.people(&self.product.name))?;
        Ok(Evidence { references, population, against, people })
    }

    fn population(&self, recoding: &Recoding, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
        if !recoding.quasi_identifiers().eq(self.columns.iter().map(String::as_str).collect::<BTreeSet<_>>()) {
            return Err(Error::policy(
                "--reference",
                "has other quasi-identifiers than the table",
                "give the transformation.json of the table's release",
            ));
        }
        batches.iter().map(|batch| recoding.population(batch)).collect()
    }

    /// The values of a sensitive column and their ancestors in the hierarchy of the policy.
    fn tree(&self, column: &str, fit: &FitDistribution) -> Result<Vec<Vec<Option<String>>>> {
        let batches = self.table.batches(column)?;
        let Some(kind) = batches.first().map(|batch| value_type(batch.column(0).data_type()).clone()) else { return Ok(Vec::new()) };
        let mut interner = ColumnInterner::new(column, &kind)?;
        let mut codes = Vec::new();
        for batch in &batches {
            interner.extend(crate::pipeline::unpack(batch.column(0).as_ref())?.as_ref(), &mut codes)?;
        }
        let failed = |e: &_| Error::arrow("reading the distribution", e);
        let known: ArrayRef = Arc::new(fit.people.keys().flatten().map(Some).collect::<StringArray>());
        interner.extend(cast(&known, &kind).map_err(|e| failed(&e))?.as_ref(), &mut codes)?;
        let values = interner.values()?;
        let spec = self.policy.declaration(self.product.source, column).and_then(|column| column.hierarchy);
        let hierarchy = match &spec {
            Some(spec) => Hierarchy::build(column, spec, values.as_ref(), true)?,
            None => Hierarchy::flat(column, values.as_ref(), true)?,
        };
        let texts = cast(&values, &DataType::LargeUtf8).map_err(|e| failed(&e))?;
        let texts = texts.as_string::<i64>();
        let path = |leaf: usize| {
            let above = hierarchy.levels()[1..].iter().map(|level| {
                let code = level.codes()[leaf] as usize;
                level.labels().is_valid(code).then(|| level.labels().value(code).to_owned())
            });
            let value = (leaf < texts.len()).then(|| texts.value(leaf).to_owned());
            std::iter::once(value).chain(above).collect()
        };
        Ok((0..hierarchy.leaves()).map(path).collect())
    }

    fn recount(&mut self, evidence: &Evidence, files: &[PathBuf], report: &mut ProductReport) -> Result<ClassReport> {
        let counted = |model: &Model| !model.is_estimate() && (model.population().is_none() || evidence.population.is_some());
        let unknown = self.people == People::Unknown;
        let shape = Shape { linked: matches!(self.people, People::Token(_)), quasi_identifiers: self.columns.to_vec(), ..Shape::default() };
        let product =
            RecordsProduct { models: self.product.models.iter().filter(|model| counted(model)).cloned().collect(), ..self.product.clone() };
        let recount = Recount {
            product: &product,
            shape: &shape,
            evidence,
            people: self.people.clone(),
            verified: if unknown { Verified::Unverifiable } else { Verified::Release },
            confidence: self.policy.gate.confidence,
            limit: self.policy.gate.max_risk,
            threads: 1,
        };
        let classes = recount.run(&Rows::Files(files), report)?;
        if unknown {
            self.notes.push("no column tells people apart; rows were counted, and counting people needs the pool".to_owned());
            for guarantee in &mut report.guarantees {
                (guarantee.verified, guarantee.holds) = (Verified::Unverifiable, false);
                if guarantee.unit.counts_people() {
                    guarantee.unit = Unit::Row;
                }
            }
        }
        self.notes.append(&mut report.steward_notes);
        for model in &self.product.models {
            if model.is_estimate() {
                let (found, enough) = estimate_of(model, &classes, evidence.people, self.policy.gate.confidence)?;
                if !enough {
                    self.beyond = true;
                    self.notes.push(format!("{}: the estimate is beyond what the policy allows", model.name()));
                }
                report.estimates.push(found);
            } else if !counted(model) {
                report.guarantees.push(Guarantee::of(model, Unit::Subject, Verified::Unverifiable));
                self.notes.push(format!("{}: needs the population and the steward's transformation.json (--reference)", model.name()));
            }
        }
        Ok(classes)
    }

    /// The rarest item, where the policy wants support.
    fn support(&mut self, files: &[PathBuf], report: &mut ProductReport) -> Result<()> {
        let Some(support) = &self.product.item_support else { return Ok(()) };
        let guarantee =
            |verified| Guarantee::new("item-support", Unit::SubjectPerRow, verified).parameter("min_subjects", support.min_subjects);
        let token = match &self.people {
            People::Token(token) => Some(token.as_str()),
            _ => None,
        };
        let (Some(file), true) = (files.first().filter(|_| files.len() == 1), self.people != People::Unknown) else {
            report.guarantees.push(guarantee(Verified::Unverifiable));
            self.notes.push("item-support: needs one file in which people can be told apart".to_owned());
            return Ok(());
        };
        let counted = Counted::count(self.policy, self.product, file, token)?;
        let found = guarantee(Verified::Release);
        report.guarantees.push(match counted.smallest_support {
            Some(smallest) => found.found(real(smallest), smallest >= support.min_subjects),
            None => Guarantee { holds: true, ..found },
        });
        Ok(())
    }

    fn verdict(&self, report: &ProductReport, classes: &ClassReport, as_declared: bool) -> Option<bool> {
        let (refuted, open) = (
            report.guarantees.iter().any(|guarantee| !guarantee.holds && guarantee.verified != Verified::Unverifiable),
            report.guarantees.iter().any(|guarantee| guarantee.verified == Verified::Unverifiable),
        );
        // A class never has more people than rows.
        let too_few = self.product.models.iter().any(|model| match model {
            Model::KAnonymity { k } => classes.smallest_rows.is_some_and(|rows| rows < k.get()),
            _ => false,
        });
        if refuted || too_few || self.beyond || !as_declared {
            Some(false)
        } else if open {
            None
        } else {
            Some(true)
        }
    }
}
