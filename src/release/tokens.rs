//! Tokens of the values that a product shows.

use super::columns::is_released;
use super::records::Workshop;
use super::report::Pseudonym;
use crate::error::{Error, Result};
use crate::io::table::{NULL_CODE, gather_values};
use crate::keys::{Key, KeyOrigin};
use crate::pipeline::Kernel;
use crate::policy::{PseudonymMethod, PseudonymSpec, Scope};
use crate::pseudonym::{PseudonymDomain, Pseudonymizer, collision_probability, subject_key};
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use std::collections::BTreeMap;

/// Tokens by the codes of a column of the table; missing where no released row has the code.
#[derive(Debug, Clone)]
pub(super) struct Tokens {
    /// The column whose codes they follow.
    pub(super) column: usize,
    pub(super) values: ArrayRef,
    pub(super) report: Pseudonym,
}

impl Workshop<'_> {
    /// Tokens of the values of a column that released rows have. Nothing is made of other values, so that not even the number of dense tokens tells of them.
    pub(super) fn tokens(&self, name: &str, spec: &PseudonymSpec, column: usize, marks: &[Vec<u8>]) -> Result<Tokens> {
        let used = self.used(column, marks)?;
        let values = gather_values(&self.pool.table.values(column)?, &used)?;
        let made = self.made(name, spec, &values)?;
        self.placed(name, spec, column, &used, &made)
    }

    /// Tokens of the people's periods or sessions that released rows have.
    pub(super) fn split_tokens(&self, name: &str, spec: &PseudonymSpec, subject: usize, marks: &[Vec<u8>]) -> Result<Tokens> {
        let Some(units) = &self.pool.units else {
            return Err(Error::policy("subject.pseudonym.scope", "was not cut by time", "give the events"));
        };
        let used = self.used(units.column, marks)?;
        let (people, labels) = units.pairs(&used)?;
        let values = gather_values(&self.pool.table.values(subject)?, people.values())?;
        let made = self.labelled(name, spec, &values, &labels)?;
        self.placed(name, spec, units.column, &used, &made)
    }

    /// Codes of a column that released rows have, ascending.
    fn used(&self, column: usize, marks: &[Vec<u8>]) -> Result<Vec<u32>> {
        let table = &self.pool.table;
        let mut used = vec![false; table.distinct(column)?];
        let mut codes = Vec::new();
        for (chunk, marks) in marks.iter().enumerate() {
            codes.clear();
            table.codes(chunk, column, &mut codes)?;
            for (&code, _) in codes.iter().zip(marks).filter(|&(&code, &mark)| code != NULL_CODE && is_released(mark)) {
                if let Some(used) = used.get_mut(code as usize) {
                    *used = true;
                }
            }
        }
        Ok((0_u32..).zip(used).filter(|&(_, used)| used).map(|(code, _)| code).collect())
    }

    /// Puts tokens of some codes where the codes of all rows find them.
    fn placed(&self, name: &str, spec: &PseudonymSpec, column: usize, used: &[u32], made: &ArrayRef) -> Result<Tokens> {
        let mut places = vec![None; self.pool.table.distinct(column)?];
        for (place, &code) in (0_u32..).zip(used) {
            if let Some(slot) = places.get_mut(code as usize) {
                *slot = Some(place);
            }
        }
        let values = take(made, &UInt32Array::from(places), None).map_err(|e| Error::arrow("placing tokens", &e))?;
        Ok(Tokens { column, values, report: self.pseudonym(name, spec, made.len() as u64) })
    }

    fn domain<'d>(&'d self, name: &'d str, scope: Scope, period: &'d str) -> PseudonymDomain<'d> {
        PseudonymDomain {
            scope,
            recipient: &self.policy.recipient,
            release: &self.policy.name,
            product: &self.product.name,
            column: name,
            period,
        }
    }

    /// The key of tokens: the run's, or one that nobody can make again.
    fn token_key(&self, spec: &PseudonymSpec) -> &Key {
        if spec.irreversible { self.irreversible } else { self.key }
    }

    fn kernel(&self, name: &str, spec: &PseudonymSpec, period: &str) -> Result<Pseudonymizer> {
        Pseudonymizer::new(spec.method, subject_key(self.token_key(spec), &self.domain(name, spec.scope, period))?)
    }

    fn made(&self, name: &str, spec: &PseudonymSpec, values: &ArrayRef) -> Result<ArrayRef> {
        self.kernel(name, spec, "")?.apply(values.as_ref())
    }

    /// A key for each label.
    fn labelled(&self, name: &str, spec: &PseudonymSpec, values: &ArrayRef, labels: &ArrayRef) -> Result<ArrayRef> {
        use arrow::array::AsArray;
        let labels = labels.as_string::<i32>();
        let mut by_label: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (row, label) in (0_u32..).zip(labels) {
            by_label.entry(label.unwrap_or_default()).or_default().push(row);
        }
        let (mut parts, mut order) = (Vec::new(), vec![0_u32; values.len()]);
        let mut next = 0_u32;
        for (label, rows) in by_label {
            let own = gather_values(values, &rows)?;
            parts.push(self.kernel(name, spec, label)?.apply(own.as_ref())?);
            for row in rows {
                order[row as usize] = next;
                next += 1;
            }
        }
        if parts.is_empty() {
            return self.kernel(name, spec, "none")?.apply(values.as_ref());
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let joined = arrow::compute::concat(&parts).map_err(|e| Error::arrow("joining tokens", &e))?;
        gather_values(&joined, &order)
    }

    fn pseudonym(&self, name: &str, spec: &PseudonymSpec, distinct: u64) -> Pseudonym {
        let key = self.token_key(spec);
        let forgotten = *key.origin() == KeyOrigin::Forgotten;
        let key_id = match self.key.origin() {
            KeyOrigin::File { id } => Some(id.clone()),
            _ => None,
        };
        let turns_back = match spec.method {
            PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256 => false,
            PseudonymMethod::Dense => spec.codebook,
            _ => true,
        };
        let hashed = matches!(spec.method, PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256);
        Pseudonym {
            column: name.to_owned(),
            product: Some(self.product.name.clone()),
            method: spec.method,
            scope: spec.scope,
            format: Some(spec.written_format()),
            period: spec.period,
            session_gap: spec.session_gap,
            reversible: turns_back && !forgotten,
            reproducible: !forgotten,
            irreversible: forgotten,
            distinct: Some(distinct),
            collision_probability: hashed.then(|| collision_probability(distinct)),
            input_space_bits: None,
            warning: None,
            key_id,
        }
    }
}
