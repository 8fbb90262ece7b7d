//! The fitted scheme of a release: the steward's `transformation.json`, read again and applied to new rows.

mod classes;
mod recoding;

pub(super) use classes::ClassesWritten;
pub use recoding::{LeftOutRows, Outside, Recoding};

use super::generalize::FitDistribution;
use crate::anonymity::hierarchy;
use crate::error::{Error, Result};
use crate::policy::{Policy, Product, RecordsProduct};
use classes::Labels;
use hashbrown::HashMap;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Version of the structure of `transformation.json`.
const SCHEMA: u64 = 1;

/// What was fitted for the products of a release: levels and hierarchies of the quasi-identifiers, the classes that were released, the distributions that
/// sensitive values were compared with.
///
/// It is read from `steward/transformation.json`. It holds what was measured on the pool and stays with the steward. `release/transformation.json` says
/// less and cannot be applied.
///
/// ```no_run
/// use backmask::policy::Policy;
/// use backmask::release::Scheme;
///
/// let policy = Policy::from_path("policy.toml")?;
/// let scheme = Scheme::from_path("out/steward/transformation.json")?;
/// let recoding = scheme.recoding(&policy, "people")?;
/// println!("{} classes were released", recoding.classes());
/// # Ok::<(), backmask::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Scheme {
    name: String,
    products: BTreeMap<String, Fitted>,
}

/// What was fitted for one product.
#[derive(Debug, Clone)]
struct Fitted {
    columns: BTreeMap<String, (usize, hierarchy::Scheme)>,
    references: BTreeMap<String, FitDistribution>,
    /// Rows of every class that was released; none if the file does not say.
    classes: Option<HashMap<Labels, u64>>,
    /// People when the levels were chosen; nothing if the file does not say.
    people: Option<u64>,
}

#[derive(Deserialize)]
struct FileForm {
    schema: u64,
    products: BTreeMap<String, serde_json::Value>,
}

#[derive(Deserialize)]
struct ProductForm {
    columns: BTreeMap<String, ColumnForm>,
    #[serde(default)]
    references: BTreeMap<String, ReferenceForm>,
    #[serde(default)]
    classes: Option<ClassesForm>,
    #[serde(default)]
    people: Option<u64>,
    /// What local recoding did, where rows are recoded by their neighbours.
    #[serde(default)]
    regions: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct ColumnForm {
    level: usize,
    scheme: Option<hierarchy::Scheme>,
}

#[derive(Deserialize)]
struct ReferenceForm {
    people: u64,
    values: Vec<(Option<String>, u64)>,
}

#[derive(Deserialize)]
struct ClassesForm {
    columns: Vec<String>,
    labels: Vec<Labels>,
    rows: Vec<u64>,
}

impl Scheme {
    /// Reads `steward/transformation.json`.
    ///
    /// # Errors
    /// The file cannot be read; as for [`Scheme::from_json`].
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|e| Error::io(path, e))?;
        Self::read(path.display().to_string(), &text)
    }

    /// Reads the text of such a file.
    ///
    /// # Errors
    /// [`Error::Data`] if the text is damaged, of another version, or the recipient's; nothing of it is used then.
    pub fn from_json(text: &str) -> Result<Self> {
        Self::read("transformation.json".to_owned(), text)
    }

    fn read(name: String, text: &str) -> Result<Self> {
        let damaged = |line: Option<u64>, problem: String| {
            Error::data(&name, line, problem, "give steward/transformation.json of the run, unchanged")
        };
        let form: FileForm = serde_json::from_str(text)
            .map_err(|e| damaged(Some(e.line() as u64), "is not a transformation.json, or is damaged".to_owned()))?;
        if form.schema != SCHEMA {
            return Err(damaged(None, format!("has the schema {}, and this version reads {SCHEMA}", form.schema)));
        }
        let products = form
            .products
            .into_iter()
            .map(|(product, value)| {
                let at = |problem: String| damaged(None, format!("product {product}: {problem}"));
                let form: ProductForm =
                    serde_json::from_value(value).map_err(|_| at("is damaged, or was recoded in a way that has no levels".to_owned()))?;
                let fitted = Fitted::new(form).map_err(at)?;
                Ok((product.clone(), fitted))
            })
            .collect::<Result<_>>()?;
        Ok(Self { name, products })
    }

    /// Names of the products.
    pub fn products(&self) -> impl Iterator<Item = &str> {
        self.products.keys().map(String::as_str)
    }

    /// The scheme of one product, ready for new rows. The policy is the one of the release: it says what becomes of the columns that are not generalized.
    ///
    /// # Errors
    /// The file or the policy has no such product; they do not fit each other; the product depends on more than single rows (item support, a cap on events,
    /// local recoding), so that it can only be made anew.
    pub fn recoding(&self, policy: &Policy, product: &str) -> Result<Recoding> {
        let declared = declared(policy, product)?;
        Recoding::new(policy, declared, self.fitted(product)?)
    }

    fn fitted(&self, product: &str) -> Result<&Fitted> {
        self.products.get(product).ok_or_else(|| {
            Error::data(&self.name, None, format!("has no product {product}"), "give the transformation.json of the release that has it")
        })
    }

    /// The distributions that sensitive columns of a product were compared with.
    pub(super) fn references(&self, product: &str) -> Result<&BTreeMap<String, FitDistribution>> {
        Ok(&self.fitted(product)?.references)
    }

    /// People when the levels were chosen, if the file says so.
    pub(super) fn people(&self, product: &str) -> Result<Option<u64>> {
        Ok(self.fitted(product)?.people)
    }
}

/// The product of the policy that is a table.
pub(super) fn declared<'a>(policy: &'a Policy, product: &str) -> Result<&'a RecordsProduct> {
    let found = policy.products.iter().find_map(|declared| match declared {
        Product::Records(declared) if declared.name == product => Some(declared),
        _ => None,
    });
    found.ok_or_else(|| {
        Error::policy(
            "products",
            format!("there is no product {product} of kind records"),
            "name one that the policy has, or give the policy of the release",
        )
    })
}

impl Fitted {
    fn new(form: ProductForm) -> Result<Self, String> {
        let mut columns = BTreeMap::new();
        for (name, column) in form.columns {
            let Some(scheme) = column.scheme else {
                return Err("has no hierarchies: this is the recipient's file; the steward's is needed".to_owned());
            };
            if scheme.column() != name || column.level > scheme.height() {
                return Err(format!("column {name}: level and hierarchy do not fit"));
            }
            // Whatever the file says: a value that the hierarchy does not know is never released under a label.
            columns.insert(name, (column.level, scheme.with_unknown(hierarchy::Unknown::Error)));
        }
        let mut references = BTreeMap::new();
        for (name, form) in form.references {
            let count = form.values.len();
            let people: BTreeMap<Option<String>, u64> = form.values.into_iter().collect();
            if people.len() != count || people.values().any(|&people| people > form.people) {
                return Err(format!("column {name}: the distribution counts a value twice, or more people than there are"));
            }
            references.insert(name, FitDistribution { people, total: form.people, tree: Vec::new() });
        }
        // Regions are no classes of levels: new rows have no place in them.
        let classes = form.classes.filter(|_| form.regions.is_none()).map(|form| {
            let same = form.columns.iter().eq(columns.keys());
            let whole = form.labels.len() == form.rows.len() && form.labels.iter().all(|labels| labels.len() == columns.len());
            let count = form.labels.len();
            let classes: HashMap<Labels, u64> = form.labels.into_iter().zip(form.rows).collect();
            let valid = same && whole && classes.len() == count && classes.values().all(|&rows| rows > 0);
            valid.then_some(classes).ok_or_else(|| "the list of classes is damaged".to_owned())
        });
        Ok(Self { columns, references, classes: classes.transpose()?, people: form.people })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"schema":1,"products":{"p":{
        "columns":{"age":{"level":1,"scheme":{"column":"age","rule":"flat","height":1}}},
        "rows":4,"sensitive":{},
        "references":{"mood":{"people":4,"values":[["calm",3],[null,1]]}},
        "classes":{"columns":["age"],"labels":[["*"]],"rows":[4]}}}}"#;

    #[test]
    fn a_whole_file_is_read() {
        let scheme = Scheme::from_json(FILE).unwrap();
        assert_eq!(scheme.products().collect::<Vec<_>>(), ["p"]);
        assert_eq!(scheme.references("p").unwrap()["mood"].people[&None], 1);
        assert!(scheme.references("q").is_err());
    }

    #[test]
    fn damage_is_named_and_nothing_of_the_file_is_used() {
        for (from, to, says) in [
            ("\"schema\":1", "\"schema\":2", "has the schema 2"),
            ("\"schema\":1,", "", "is not a transformation.json"),
            ("\"level\":1", "\"level\":2", "level and hierarchy do not fit"),
            ("\"level\":1", "\"level\":-1", "is damaged"),
            ("{\"column\":\"age\"", "{\"column\":\"aeg\"", "level and hierarchy do not fit"),
            ("\"height\":1", "\"height\":9", "is damaged"),
            (",\"scheme\":{\"column\":\"age\",\"rule\":\"flat\",\"height\":1}", "", "the recipient's file"),
            ("[[\"*\"]]", "[[\"*\",\"*\"]]", "list of classes is damaged"),
            ("[[\"*\"]]", "[[\"*\"],[\"*\"]]", "list of classes is damaged"),
            ("\"rows\":[4]", "\"rows\":[0]", "list of classes is damaged"),
            ("\"columns\":[\"age\"]", "\"columns\":[\"sex\"]", "list of classes is damaged"),
            ("[null,1]", "[null,5]", "more people than there are"),
            ("[null,1]", "[\"calm\",1]", "counts a value twice"),
            ("}}}}", "}}}", "is not a transformation.json"),
        ] {
            let text = FILE.replace(from, to);
            assert_ne!(text, FILE, "{from}");
            let error = Scheme::from_json(&text).unwrap_err();
            assert!(error.to_string().contains(says) && error.exit_code() == 1, "{from}: {error}");
        }
    }
}
