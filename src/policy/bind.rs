//! A policy meets the tables of a pool: which column of the data has which declaration, and what is released.

use super::validate::products;
use super::{Column, Policy, Product, PseudonymSpec, RecordsProduct, Role, Scope, Table, Treatment};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// A column that a product releases, as far as the policy alone can tell.
#[derive(Debug, Clone)]
pub(super) struct Released<'a> {
    /// Its name.
    pub(super) name: &'a str,
    /// Its declaration.
    pub(super) column: Column,
    /// Whether the table surely has it. A column that is declared for both tables may be missing in one.
    pub(super) certain: bool,
}

impl Policy {
    /// The effective declaration of every column of the data of `table`.
    ///
    /// `columns` are the names found in the data. The column that names the subject is always declared: its role is [`Role::Subject`], and its
    /// treatment is the [`Treatment::Pseudonym`] of `[subject]`.
    ///
    /// ```
    /// use backmask::policy::{Column, Policy, Role, Subject, Table};
    ///
    /// let mut policy = Policy::new("demo");
    /// policy.subject = Some(Subject::new("subject_id"));
    /// policy.columns.insert("country".into(), Column::new(Role::QuasiIdentifier));
    /// let bound = policy.bind(Table::Profiles, &["subject_id", "country"])?;
    /// assert_eq!(bound["subject_id"].role, Role::Subject);
    /// assert!(policy.bind(Table::Profiles, &["subject_id", "country", "shoe_size"]).is_err());
    /// # Ok::<(), backmask::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Policy`] if columns of the data are not declared (all are named), or a column that is declared for this table alone is not in
    /// the data; [`Error::Column`] if the data lacks the subject column or has two columns of one name.
    ///
    /// # Guarantee
    /// No column of the data passes without a role.
    pub fn bind(&self, table: Table, columns: &[&str]) -> Result<BTreeMap<String, Column>> {
        let mut bound = BTreeMap::new();
        let mut undeclared = BTreeSet::new();
        for name in columns {
            match self.declaration(table, name) {
                Some(column) => {
                    if bound.insert((*name).to_owned(), column).is_some() {
                        return Err(Error::column(
                            *name,
                            format!("the {table} table has several columns of this name"),
                            "rename all but one of them in the data",
                        ));
                    }
                }
                None => {
                    undeclared.insert(*name);
                }
            }
        }
        if !undeclared.is_empty() {
            // The names that a text without a header gives its columns.
            let remedy = if undeclared.iter().all(|name| name.starts_with("column_")) {
                "the text was read without a header: set header = true under [input] if it has one, or name the columns in [input.columns]"
            } else {
                "declare a role for each: role = \"other\" keeps a column as it is, treatment = \"drop\" leaves it out"
            };
            return Err(Error::policy(
                format!("{}.columns", table.name()),
                format!("{} of the {table} table without a role: {}", counted(undeclared.len(), "column"), in_list(undeclared)),
                remedy,
            ));
        }
        let missing: BTreeSet<&str> =
            self.own_columns(table).keys().map(String::as_str).filter(|name| !bound.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(Error::policy(
                format!("{}.columns", table.name()),
                format!("{} declared here but not in the {table} table: {}", counted(missing.len(), "column"), in_list(missing)),
                "correct the name, rename it in [input.columns], or remove the declaration",
            ));
        }
        if let Some(subject) = &self.subject
            && !bound.contains_key(&subject.column)
        {
            return Err(Error::column(
                &subject.column,
                format!("the {table} table has no such column, and [subject] says that it names the person"),
                "correct subject.column, rename it in [input.columns], or add the column",
            ));
        }
        Ok(bound)
    }

    /// Checks the policy against the columns of all tables that are given; `None` is a table that is not given.
    ///
    /// # Errors
    /// As [`Policy::bind`] for each table. [`Error::Policy`] too if a column of `[columns]` is in none of the tables, the table of a product or of
    /// declared columns is not given, a product lists a column that its table does not have, or the columns found break a rule of
    /// [`Policy::validate`] that could not be checked without them.
    pub fn check_tables(&self, events: Option<&[&str]>, profiles: Option<&[&str]>) -> Result<()> {
        for (index, product) in self.products.iter().enumerate() {
            let source = source_of(product);
            if given(source, events, profiles).is_none() {
                return Err(Error::policy(
                    format!("products[{index}].source"),
                    format!("product {} is made from the {source} table, which is not given", product.name()),
                    match source {
                        Table::Events => "give the events with --input, or change the source",
                        Table::Profiles => "give the profiles with --profiles, or change the source",
                    },
                ));
            }
        }
        for table in [Table::Events, Table::Profiles] {
            match given(table, events, profiles) {
                Some(columns) => {
                    self.bind(table, columns)?;
                }
                None if !self.own_columns(table).is_empty() => {
                    return Err(Error::policy(
                        format!("{}.columns", table.name()),
                        format!("columns are declared for the {table} table, which is not given"),
                        "give the table, or remove the declarations",
                    ));
                }
                None => {}
            }
        }
        let found: BTreeSet<&str> = [events, profiles].into_iter().flatten().flatten().copied().collect();
        let missing: BTreeSet<&str> = self.columns.keys().map(String::as_str).filter(|name| !found.contains(name)).collect();
        if !missing.is_empty() {
            return Err(Error::policy(
                "columns",
                format!("{} declared here but in no table: {}", counted(missing.len(), "column"), in_list(missing)),
                "correct the name, rename it in [input.columns], give the table that has it, or remove the declaration",
            ));
        }
        for (index, product) in self.products.iter().enumerate() {
            if let Some(product) = product.of_histories() {
                self.history_columns(&format!("products[{index}]"), &product, events.unwrap_or_default(), profiles)?;
            }
            let Product::Records(records) = product else { continue };
            let available = given(records.source, events, profiles).unwrap_or_default();
            self.check_product(index, records, available)?;
        }
        Ok(())
    }

    fn check_product(&self, index: usize, product: &RecordsProduct, available: &[&str]) -> Result<()> {
        for (place, name) in product.columns.iter().flatten().enumerate() {
            if !available.contains(&name.as_str()) {
                return Err(Error::policy(
                    format!("products[{index}].columns[{place}]"),
                    format!("the {} table has no column {name}", product.source),
                    "correct the name, or remove it from the list",
                ));
            }
        }
        let names = self.released_columns(product, available);
        let released: Vec<Released<'_>> = names
            .iter()
            .filter_map(|name| Some(Released { name, column: self.declaration(product.source, name)?, certain: true }))
            .collect();
        products::check_columns(self, index, product, &released)?;
        if self.splits_tokens(product) {
            self.time_of_tokens(product.source, available)?;
        }
        products::check_generalization(self, index, product, &released, available)
    }

    /// Names of the columns that `product` releases, given the names in its table: those that it lists, in that order; else all that are
    /// declared and not dropped, in the order of `available`.
    #[must_use]
    pub fn released_columns(&self, product: &RecordsProduct, available: &[&str]) -> Vec<String> {
        let kept = |name: &str| self.declaration(product.source, name).is_some_and(|column| !column.is_dropped());
        match &product.columns {
            Some(listed) => listed.iter().filter(|name| available.contains(&name.as_str()) && kept(name)).cloned().collect(),
            None => available.iter().filter(|name| kept(name)).map(|name| (*name).to_owned()).collect(),
        }
    }

    /// Whether the rows of `product` carry a token of the person, so that rows of one person can be told to belong together.
    #[must_use]
    pub fn keeps_subject(&self, product: &RecordsProduct) -> bool {
        self.subject.as_ref().is_some_and(|subject| {
            subject.pseudonym.scope != Scope::None && product.columns.as_ref().is_none_or(|listed| listed.contains(&subject.column))
        })
    }

    /// The item column to which `item_support` of `product` applies, given the released columns: the one that it names, else the only item, else
    /// the finest level of the only chain of items.
    #[must_use]
    pub fn supported_item(&self, product: &RecordsProduct, released: &[&str]) -> Option<String> {
        let support = product.item_support.as_ref()?;
        if let Some(item) = &support.item {
            return Some(item.clone());
        }
        let items: Vec<&str> = released
            .iter()
            .copied()
            .filter(|name| self.declaration(product.source, name).is_some_and(|column| column.role == Role::Item))
            .collect();
        self.finest_item(product.source, &items).map(str::to_owned)
    }

    /// The item whose chain of coarser levels holds all of `items`.
    pub(super) fn finest_item<'a>(&self, table: Table, items: &[&'a str]) -> Option<&'a str> {
        items.iter().copied().find(|item| {
            let chain = self.item_chain(table, item);
            items.iter().all(|other| chain.iter().any(|level| level == other))
        })
    }

    /// Levels of the item hierarchy from `item` on, finest first: `item`, the column it generalizes to, and so on.
    #[must_use]
    pub fn item_chain(&self, table: Table, item: &str) -> Vec<String> {
        let mut chain = vec![item.to_owned()];
        let mut current = item.to_owned();
        while let Some(next) = self.declaration(table, &current).and_then(|column| column.generalize_to) {
            if chain.contains(&next) {
                break;
            }
            chain.push(next.clone());
            current = next;
        }
        chain
    }

    /// The effective declaration of a column: that of the table, else the common one; that of `[subject]` for the column that names the person.
    #[must_use]
    pub fn declaration(&self, table: Table, name: &str) -> Option<Column> {
        if let Some(subject) = &self.subject
            && subject.column == name
        {
            return Some(Column { treatment: Some(Treatment::Pseudonym(subject.pseudonym.clone())), ..Column::new(Role::Subject) });
        }
        self.column(table, name).cloned()
    }

    /// Columns declared for `table` alone.
    pub(super) fn own_columns(&self, table: Table) -> &BTreeMap<String, Column> {
        match table {
            Table::Events => &self.events.columns,
            Table::Profiles => &self.profiles.columns,
        }
    }

    /// The columns that `product` releases, as far as the policy alone can tell.
    pub(super) fn expected_columns<'a>(&'a self, product: &'a RecordsProduct) -> Vec<Released<'a>> {
        let table = product.source;
        let own = self.own_columns(table);
        let subject = self.subject.as_ref().map(|subject| subject.column.as_str());
        let names: Vec<(&str, bool)> = match &product.columns {
            Some(listed) => listed.iter().map(|name| (name.as_str(), true)).collect(),
            None => own
                .keys()
                .chain(self.columns.keys().filter(|name| !own.contains_key(*name)))
                .map(String::as_str)
                .filter(|name| Some(*name) != subject)
                .map(|name| (name, own.contains_key(name)))
                .chain(subject.map(|name| (name, true)))
                .collect(),
        };
        names
            .into_iter()
            .filter_map(|(name, certain)| Some(Released { name, column: self.declaration(table, name)?, certain }))
            .filter(|released| !released.column.is_dropped())
            .collect()
    }

    /// Every declared pseudonym with its key in the policy.
    pub(crate) fn pseudonyms(&self) -> Vec<(String, &PseudonymSpec)> {
        let subject = self.subject.iter().map(|subject| ("subject.pseudonym".to_owned(), &subject.pseudonym));
        let columns = self.declared().filter_map(|(key, _, column)| match &column.treatment {
            Some(Treatment::Pseudonym(spec)) => Some((format!("{key}.treatment.pseudonym"), spec)),
            _ => None,
        });
        subject.chain(columns).collect()
    }

    /// Every declared column: its key in the policy, its name, its declaration.
    pub(super) fn declared(&self) -> impl Iterator<Item = (String, &str, &Column)> {
        [("columns", &self.columns), ("events.columns", &self.events.columns), ("profiles.columns", &self.profiles.columns)]
            .into_iter()
            .flat_map(|(place, columns)| {
                columns.iter().map(move |(name, column)| (format!("{place}.{}", super::quoted_key(name)), name.as_str(), column))
            })
    }
}

/// The table that a product is made from.
fn source_of(product: &Product) -> Table {
    match product {
        Product::Records(records) => records.source,
        _ => Table::Events,
    }
}

fn given<'a>(table: Table, events: Option<&'a [&'a str]>, profiles: Option<&'a [&'a str]>) -> Option<&'a [&'a str]> {
    match table {
        Table::Events => events,
        Table::Profiles => profiles,
    }
}

/// `1 column`, `2 columns`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Names in a sentence. A name with unusual characters is quoted and escaped.
pub(super) fn in_list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let shown = |name: &str| {
        let plain = !name.trim().is_empty() && name.trim() == name && !name.contains(|c: char| c.is_control() || c == ',' || c == ';');
        if plain { name.to_owned() } else { format!("{name:?}") }
    };
    names.into_iter().map(shown).collect::<Vec<_>>().join(", ")
}
