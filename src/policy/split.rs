//! Tokens that are cut by time: which column of times, and where it is found.

use super::bind::in_list;
use super::{Policy, RecordsProduct, Role, Scope, Table};
use crate::error::{Error, Result};

/// Key of the column of times in the policy.
const TIME: &str = "subject.pseudonym.time";

impl Policy {
    /// Whether a person has a token for each period or session, so that tokens are not people.
    #[must_use]
    pub fn splits_subject(&self) -> bool {
        self.subject.as_ref().is_some_and(|subject| matches!(subject.pseudonym.scope, Scope::Period | Scope::Session))
    }

    /// Whether `product` shows such tokens.
    #[must_use]
    pub fn splits_tokens(&self, product: &RecordsProduct) -> bool {
        self.splits_subject() && self.keeps_subject(product)
    }

    /// The column whose raw times say to which period or session a row belongs, given the names of the columns of `table`: the one that
    /// `subject.pseudonym.time` names, else the only one of role time. What is done to the column, and whether it is released, does not matter.
    ///
    /// # Errors
    /// [`Error::Policy`] if there is no such column, or several and none is named.
    pub fn time_of_tokens(&self, table: Table, columns: &[&str]) -> Result<String> {
        let is_time = |name: &str| self.declaration(table, name).is_some_and(|column| column.role == Role::Time);
        if let Some(named) = self.subject.as_ref().and_then(|subject| subject.pseudonym.time.as_deref()) {
            if !columns.contains(&named) {
                return Err(Error::policy(
                    TIME,
                    format!("the {table} table has no column {named}"),
                    "name a column of role \"time\" of that table",
                ));
            }
            if !is_time(named) {
                return Err(Error::policy(
                    TIME,
                    format!("column {named} does not have the role time"),
                    "give it role = \"time\", or name a column that has it",
                ));
            }
            return Ok(named.to_owned());
        }
        let times: Vec<&str> = columns.iter().copied().filter(|name| is_time(name)).collect();
        match times.as_slice() {
            [only] => Ok((*only).to_owned()),
            [] => Err(Error::policy(
                TIME,
                format!("tokens by period or session need times, and the {table} table has no column of role time"),
                "give a column role = \"time\" (it may be dropped), or choose the scope \"product\"",
            )),
            several => Err(Error::policy(
                TIME,
                format!("the {table} table has several columns of role time: {}", in_list(several.iter().copied())),
                "name one of them with time = \"…\"",
            )),
        }
    }
}
