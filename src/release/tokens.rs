//! Tokens of the values that a product shows.

use super::columns::is_released;
use super::records::Workshop;
use super::report::Pseudonym;
use crate::error::{Error, Result};
use crate::io::table::{NULL_CODE, gather_values};
use crate::keys::{Key, KeyOrigin};
use crate::pipeline::{Fit, Kernel, name_column};
use crate::policy::{PseudonymMethod, PseudonymSpec, Scope};
use crate::pseudonym::{Alphabet, Codebook, DenseFit, InputSpace, PseudonymDomain, Pseudonymizer, collision_probability, subject_key};
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::{concat, take};
use hashbrown::HashSet;
use std::collections::BTreeMap;

/// Label of the one domain in which the tokens of all sessions are made; the instant at which a session begins tells them apart.
const SESSIONS: &str = "sessions";

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
        let made = if spec.method == PseudonymMethod::Dense {
            self.numbers(name, spec, &values)?
        } else {
            let kernel = self.kernel(name, spec, "")?;
            match kernel.apply(values.as_ref()) {
                Ok(made) => made,
                Err(error) => return Err(self.in_rows(error, &kernel, &values, &used, (name, column), marks)),
            }
        };
        self.placed(name, spec, column, &used, &values, &made)
    }

    /// Tokens of the people's periods or sessions that released rows have.
    pub(super) fn split_tokens(&self, name: &str, spec: &PseudonymSpec, subject: usize, marks: &[Vec<u8>]) -> Result<Tokens> {
        let Some(units) = &self.pool.units else {
            return Err(Error::policy("subject.pseudonym.scope", "was not cut by time", "give the events"));
        };
        let used = self.used(units.column, marks)?;
        let values = gather_values(&self.pool.table.values(subject)?, &units.people(&used))?;
        let made = if let Some(starts) = units.session_starts(&used) {
            self.kernel(name, spec, SESSIONS)?.apply_labelled(values.as_ref(), starts.as_ref()).map_err(|e| name_column(e, name))?
        } else {
            // A key for each period: the tokens of two are independent, also to somebody who learns the key of one.
            let mut by_period: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
            for (place, &unit) in (0_u32..).zip(&used) {
                by_period.entry(units.period(unit)).or_default().push(place);
            }
            self.by_period(name, spec, &values, by_period, |error, kernel, values, places| {
                let own: Vec<u32> = places.iter().map(|&place| used[place as usize]).collect();
                self.in_rows(error, kernel, values, &own, (name, units.column), marks)
            })?
        };
        self.placed(name, spec, units.column, &used, &values, &made)
    }

    fn by_period(
        &self,
        name: &str,
        spec: &PseudonymSpec,
        values: &ArrayRef,
        by_period: BTreeMap<&str, Vec<u32>>,
        explain: impl Fn(Error, &Pseudonymizer, &ArrayRef, &[u32]) -> Error,
    ) -> Result<ArrayRef> {
        let (mut parts, mut order, mut next) = (Vec::new(), vec![0_u32; values.len()], 0_u32);
        for (period, places) in by_period {
            let kernel = self.kernel(name, spec, period)?;
            let own = gather_values(values, &places)?;
            parts.push(kernel.apply(own.as_ref()).map_err(|error| explain(error, &kernel, &own, &places))?);
            for place in places {
                order[place as usize] = next;
                next += 1;
            }
        }
        if parts.is_empty() {
            return self.kernel(name, spec, "none")?.apply(values.as_ref()).map_err(|e| name_column(e, name));
        }
        let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
        let joined = concat(&parts).map_err(|e| Error::arrow("joining tokens", &e))?;
        gather_values(&joined, &order)
    }

    /// Codes of a column that released rows have, ascending.
    fn used(&self, column: usize, marks: &[Vec<u8>]) -> Result<Vec<u32>> {
        let mut used = vec![false; self.pool.table.distinct(column)?];
        self.released_codes(column, marks, &mut |_, code| {
            if let Some(used) = used.get_mut(code as usize) {
                *used = true;
            }
        })?;
        Ok((0_u32..).zip(used).filter(|&(_, used)| used).map(|(code, _)| code).collect())
    }

    /// Calls `visit` with the number of every released row that has a value in the column, and with the value's code.
    fn released_codes(&self, column: usize, marks: &[Vec<u8>], visit: &mut dyn FnMut(u64, u32)) -> Result<()> {
        let (mut codes, mut first) = (Vec::new(), 0_u64);
        for (chunk, marks) in marks.iter().enumerate() {
            codes.clear();
            self.pool.table.codes(chunk, column, &mut codes)?;
            for ((row, &code), &mark) in (first..).zip(&codes).zip(marks) {
                if code != NULL_CODE && is_released(mark) {
                    visit(row, code);
                }
            }
            first += marks.len() as u64;
        }
        Ok(())
    }

    /// Puts tokens of some codes where the codes of all rows find them.
    fn placed(&self, name: &str, spec: &PseudonymSpec, column: usize, used: &[u32], values: &ArrayRef, made: &ArrayRef) -> Result<Tokens> {
        let mut places = vec![None; self.pool.table.distinct(column)?];
        for (place, &code) in (0_u32..).zip(used) {
            if let Some(slot) = places.get_mut(code as usize) {
                *slot = Some(place);
            }
        }
        let tokens = take(made, &UInt32Array::from(places), None).map_err(|e| Error::arrow("placing tokens", &e))?;
        Ok(Tokens { column, values: tokens, report: self.pseudonym(name, spec, made.len() as u64, values)? })
    }

    /// The key of tokens: the run's, or one that nobody can make again.
    fn token_key(&self, spec: &PseudonymSpec) -> &Key {
        if spec.irreversible { self.irreversible } else { self.key }
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

    fn kernel(&self, name: &str, spec: &PseudonymSpec, period: &str) -> Result<Pseudonymizer> {
        let mut kernel = Pseudonymizer::in_domain(spec.method, self.token_key(spec), &self.domain(name, spec.scope, period))?;
        if let Some(alphabet) = &spec.alphabet {
            kernel = kernel.with_alphabet(Alphabet::parse(alphabet)?)?;
        }
        match spec.format {
            Some(format) => kernel.with_format(format),
            None => Ok(kernel),
        }
    }

    /// Numbers 0…n−1 for the values, and the way back if the policy wants one.
    fn numbers(&self, name: &str, spec: &PseudonymSpec, values: &ArrayRef) -> Result<ArrayRef> {
        let key = || subject_key(self.token_key(spec), &self.domain(name, spec.scope, ""));
        let mut fit = DenseFit::new(name, key()?);
        if spec.codebook {
            fit = fit.keeping_values();
        }
        fit.observe_array(values.as_ref())?;
        let numbers = fit.finish()?;
        if spec.codebook {
            let folder = self.folder.join("codebooks");
            std::fs::create_dir_all(&folder).map_err(|e| Error::io(&folder, e))?;
            let path = folder.join(format!("{}.{}.codebook", self.product.name, file_part(name)));
            Codebook::write(path, &numbers, &key()?, values.data_type())?;
        }
        numbers.with_format(spec.written_format())?.apply(values.as_ref())
    }

    /// An error about some of the distinct values, told in rows: how many released rows have such a value, and which is the first. Never the value.
    fn in_rows(
        &self,
        error: Error,
        kernel: &Pseudonymizer,
        values: &ArrayRef,
        codes: &[u32],
        (name, column): (&str, usize),
        marks: &[Vec<u8>],
    ) -> Error {
        let Error::Column { rows: Some(_), problem, remedy, .. } = error else { return name_column(error, name) };
        let wrong: HashSet<u32> = (0..values.len())
            .zip(codes)
            .filter(|&(place, _)| kernel.apply(values.slice(place, 1).as_ref()).is_err())
            .map(|(_, &code)| code)
            .collect();
        let (mut count, mut first) = (0_u64, None);
        let counted = self.released_codes(column, marks, &mut |row, code| {
            if wrong.contains(&code) {
                count += 1;
                first.get_or_insert(row);
            }
        });
        // What the kernel said of rows was about the distinct values.
        let problem = problem.split(", first in row").next().unwrap_or_default();
        match (counted, first.map(usize::try_from)) {
            (Ok(()), Some(Ok(first))) => Error::rows(name, count, problem, remedy).first_at(first),
            _ => Error::column(name, problem, remedy),
        }
    }

    /// What the report says: of people whose tokens were made for `values`.
    fn pseudonym(&self, name: &str, spec: &PseudonymSpec, distinct: u64, values: &ArrayRef) -> Result<Pseudonym> {
        let forgotten = *self.token_key(spec).origin() == KeyOrigin::Forgotten;
        let hashed = matches!(spec.method, PseudonymMethod::Blake3 | PseudonymMethod::HmacSha256);
        let turns_back = if spec.method == PseudonymMethod::Dense { spec.codebook } else { !hashed };
        let mut space = InputSpace::new(name);
        space.observe_array(values.as_ref())?;
        let space = space.finish()?;
        Ok(Pseudonym {
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
            warning: space.warning().filter(|_| !forgotten),
            input_space_bits: (space.rows > 0).then_some(space.bits),
            key_id: self.key.origin().id().map(str::to_owned),
        })
    }
}

/// A column's name as a part of a file name: other characters than ASCII letters, digits, `-` and `_` become their bytes in hexadecimal digits.
fn file_part(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02x}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::file_part;

    #[test]
    fn names_of_columns_are_safe_in_names_of_files() {
        assert_eq!(file_part("subject_id-2"), "subject_id-2");
        assert_eq!(file_part("../a b"), "%2e%2e%2fa%20b");
        assert_eq!(file_part("é%"), "%c3%a9%25");
    }
}
