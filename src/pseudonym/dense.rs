//! Random one-to-one integers.

mod hashes;
mod kept;

pub(super) use kept::Values;

use crate::error::{Error, Result};
use crate::keys::{Domain, Key, KeyOrigin};
use crate::pipeline::{Fit, Kernel, check_canonical, column_index, map_canonical, name_column};
use crate::policy::TokenFormat;
use arrow::array::{Array, ArrayRef, AsArray, FixedSizeBinaryBuilder, Int64Array, LargeBinaryBuilder, RecordBatch, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, UInt64Type};
use hashes::{HashSet, SortedHashes, ValueHash};
use kept::KeptValues;
use std::fmt;
use std::sync::Arc;

const HASH_BYTES: i32 = 20;

/// Learns the distinct values of a column, to number them 0…n−1 in a secret random order.
///
/// The number of a value is its rank by keyed BLAKE3 of its [canonical encoding](crate::pipeline::visit_canonical), cut to 128 bits, under a subkey of `key`. So equal values have one
/// number in every Arrow representation, and the numbers depend on nothing but the key and the *set* of values: not on the order of rows, on batches or on merges.
/// Numbers are small: models can use them as indices into arrays. But they change with the set: in another release the same person has another number, unless the same values are observed.
///
/// Memory: about 22 bytes a distinct value, and up to 29 while they are observed; with [`keeping_values`](Self::keeping_values) up to 55 bytes and the value. Values are not kept without it.
///
/// ```
/// use backmask::arrow::array::{Array, StringArray, cast::AsArray, types::UInt64Type};
/// use backmask::pipeline::{Fit, Kernel};
/// use backmask::{keys::Key, pseudonym::DenseFit};
///
/// let people = StringArray::from(vec![Some("ann"), Some("bob"), None, Some("ann"), Some("eve")]);
/// let mut fit = DenseFit::new("subject_id", Key::forgotten()?);
/// fit.observe_array(&people)?;
/// let numbers = fit.finish()?;
/// assert_eq!(numbers.len(), 3);
///
/// let released = numbers.apply(&people)?;
/// let released = released.as_primitive::<UInt64Type>();
/// assert!(released.values()[0] == released.values()[3] && released.is_null(2));
/// assert!(released.iter().flatten().all(|number| number < 3));
/// assert!(numbers.apply(&StringArray::from(vec!["zoe"])).is_err(), "a value that was not observed has no number");
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Different values never share a number: values whose 128-bit hashes are equal are refused when the pass ends. They are told apart by 32 further bits of the hash, and by the values
/// themselves if these are kept. So without kept values two values are taken for one with probability below n² / 2¹⁶¹.
///
/// # Security
/// To everybody without the key the order is a uniformly random permutation: the numbers say nothing about values, not even about their alphabetical order. The holder of the key *and* of a
/// list of the values can number the list again; a number alone cannot be turned back, except with a [`Codebook`](super::Codebook). The largest number tells how many
/// distinct values there are at least.
///
/// # References
/// O. Goldreich, *Foundations of Cryptography I*, 2001, section 3.6 (pseudorandom functions): ranks of independent uniform numbers are a uniform permutation, and a pseudorandom
/// function cannot be told from them.
#[derive(Clone)]
pub struct DenseFit {
    column: String,
    order: Order,
    store: Store,
}

/// The keyed order.
#[derive(Clone)]
struct Order {
    key: Arc<Key>,
    /// Tells keys apart without showing them.
    check: u64,
    hash: fn(&[u8; 32], &[u8]) -> ValueHash,
}

impl Order {
    fn hash(&self, value: &[u8]) -> ValueHash {
        (self.hash)(self.key.expose(), value)
    }
}

#[derive(Clone)]
enum Store {
    Hashes(HashSet),
    Values(KeptValues),
}

impl Store {
    fn len(&self) -> usize {
        match self {
            Self::Hashes(hashes) => hashes.len(),
            Self::Values(values) => values.len(),
        }
    }

    fn add(&mut self, column: &str, hash: ValueHash, value: &[u8]) -> Result<()> {
        match self {
            Self::Hashes(hashes) => hashes.insert(hash),
            Self::Values(values) => values.insert(column, hash, value)?,
        }
        // One is left for the end of the directory, one for a missing value.
        if self.len() < u32::MAX as usize { Ok(()) } else { Err(hashes::too_many(column)) }
    }
}

impl fmt::Debug for DenseFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DenseFit").field("column", &self.column).field("values", &self.store.len()).finish_non_exhaustive()
    }
}

impl DenseFit {
    /// Numbers for the values of `column`, ordered by a subkey of `key`. Give every domain its own key: [`subject_key`](super::subject_key).
    pub fn new(column: impl Into<String>, key: Key) -> Self {
        let check = *key.derive(&Domain::of("dense check")).expose();
        let check = check.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
        let order = Order { key: Arc::new(key.derive(&Domain::of("dense order"))), check, hash: ValueHash::of };
        drop(key);
        Self { column: column.into(), order, store: Store::Hashes(HashSet::default()) }
    }

    /// Keeps the values too, as a [`Codebook`](super::Codebook) needs. To be said before anything is observed: what was observed before is forgotten.
    #[must_use]
    pub fn keeping_values(self) -> Self {
        Self { store: Store::Values(KeptValues::default()), ..self }
    }

    /// Takes the values of an array into account. Values that only an unused dictionary slot holds are not values of the column.
    ///
    /// # Errors
    /// The values have no canonical encoding (nested types, durations, times of day), or two of them have the same hash.
    pub fn observe_array(&mut self, array: &dyn Array) -> Result<()> {
        let Self { column, order, store } = self;
        let mut outcome = Ok(());
        map_canonical(array, (), |value| {
            if outcome.is_ok() {
                outcome = store.add(column, order.hash(value), value);
            }
        })
        .map_err(|e| name_column(e, column))?;
        outcome
    }

    fn check_mergeable(&self, other: &Self) -> Result<()> {
        let same = self.column == other.column
            && self.order.check == other.order.check
            && matches!(self.store, Store::Values(_)) == matches!(other.store, Store::Values(_));
        if same {
            return Ok(());
        }
        Err(Error::Parameter {
            name: "dense",
            problem: "accumulators with different columns, keys or parameters cannot be merged".to_owned(),
        })
    }
}

impl Fit for DenseFit {
    type Output = Dense;

    fn observe(&mut self, batch: &RecordBatch) -> Result<()> {
        let index = column_index(batch.schema_ref(), &self.column)?;
        self.observe_array(batch.column(index).as_ref())
    }

    fn merge(&mut self, mut other: Self) -> Result<()> {
        self.check_mergeable(&other)?;
        if self.store.len() < other.store.len() {
            std::mem::swap(&mut self.store, &mut other.store);
        }
        match &other.store {
            Store::Hashes(hashes) => hashes.iter().try_for_each(|hash| self.store.add(&self.column, *hash, &[])),
            Store::Values(values) => values.iter().try_for_each(|(hash, value)| self.store.add(&self.column, hash, value)),
        }
    }

    /// The hashes (20 bytes each), a number that tells the key, and the values' canonical encodings if they are kept.
    fn state(&self) -> Result<Vec<ArrayRef>> {
        let length = self.store.len();
        let mut hashes = FixedSizeBinaryBuilder::with_capacity(length, HASH_BYTES);
        let mut append = |hash: &ValueHash| hashes.append_value(hash.to_bytes()).map_err(|e| Error::arrow("writing hashes", &e));
        let mut values = None;
        match &self.store {
            Store::Hashes(set) => set.iter().try_for_each(append)?,
            Store::Values(kept) => {
                let mut encodings = LargeBinaryBuilder::new();
                for (hash, value) in kept.iter() {
                    append(&hash)?;
                    encodings.append_value(value);
                }
                values = Some(Arc::new(encodings.finish()) as ArrayRef);
            }
        }
        let check = UInt64Array::from_value(self.order.check, length);
        Ok([Arc::new(hashes.finish()) as ArrayRef, Arc::new(check)].into_iter().chain(values).collect())
    }

    fn merge_state(&mut self, state: &[ArrayRef]) -> Result<()> {
        let keeps = matches!(self.store, Store::Values(_));
        let (hashes, check, values) = match state {
            [hashes, check] if !keeps => (hashes, check, None),
            [hashes, check, values] if keeps => (hashes, check, Some(values.as_binary_opt::<i64>().ok_or_else(not_a_state)?)),
            _ => return Err(not_a_state()),
        };
        let hashes = hashes.as_fixed_size_binary_opt().ok_or_else(not_a_state)?;
        let check = check.as_primitive_opt::<UInt64Type>().ok_or_else(not_a_state)?;
        let missing = hashes.null_count() + check.null_count() + values.map_or(0, Array::null_count);
        if hashes.len() != check.len() || values.is_some_and(|values| values.len() != hashes.len()) || missing > 0 {
            return Err(not_a_state());
        }
        if check.values().iter().any(|check| *check != self.order.check) {
            return Err(Error::Parameter { name: "state", problem: "was made with another key".to_owned() });
        }
        for (row, bytes) in hashes.iter().flatten().enumerate() {
            let hash = ValueHash::from_bytes(bytes).ok_or_else(not_a_state)?;
            let value = values.map_or(&[][..], |values| values.value(row));
            if keeps && hash != self.order.hash(value) {
                return Err(not_a_state());
            }
            self.store.add(&self.column, hash, value)?;
        }
        Ok(())
    }

    /// # Errors
    /// Two values have the same hash. With a random key this does not happen: see [`collision_probability`](super::collision_probability).
    fn finish(self) -> Result<Dense> {
        let (hashes, values) = match self.store {
            Store::Hashes(hashes) => (hashes.into_sorted(), None),
            Store::Values(values) => {
                let (hashes, values) = values.into_sorted();
                (hashes, Some(values))
            }
        };
        hashes.check_ties(&self.column)?;
        Ok(Dense { column: self.column, order: self.order, hashes, values, signed: false })
    }
}

fn not_a_state() -> Error {
    Error::Parameter {
        name: "state",
        problem: "is not that of dense numbers: needs hashes, a key check and, if they are kept, values".to_owned(),
    }
}

/// Replaces values by their dense numbers; made by [`DenseFit`]. A missing value stays missing.
pub struct Dense {
    column: String,
    order: Order,
    hashes: SortedHashes,
    values: Option<Values>,
    signed: bool,
}

impl fmt::Debug for Dense {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dense").field("column", &self.column).field("values", &self.len()).finish_non_exhaustive()
    }
}

const MISSING: u64 = u64::MAX;
const NOT_OBSERVED: u64 = u64::MAX - 1;

impl Dense {
    /// How the numbers are written: as [`TokenFormat::Uint64`], the default, or [`TokenFormat::Int64`].
    ///
    /// # Errors
    /// Another format.
    pub fn with_format(self, format: TokenFormat) -> Result<Self> {
        let signed = match format {
            TokenFormat::Int64 => true,
            TokenFormat::Uint64 => false,
            other => {
                let problem = format!("dense numbers are written as int64 or uint64, not as {}", other.name());
                return Err(Error::Parameter { name: "format", problem });
            }
        };
        Ok(Self { signed, ..self })
    }

    /// How many values have a number: numbers are 0 to one less.
    #[must_use]
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    /// Whether no value was observed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The column whose values are numbered.
    #[must_use]
    pub fn column(&self) -> &str {
        &self.column
    }

    /// Where the key came from. Numbers can be made again from the values unless it is [`KeyOrigin::Forgotten`].
    #[must_use]
    pub fn key_origin(&self) -> &KeyOrigin {
        self.order.key.origin()
    }

    /// The canonical encodings of the values, in the order of their numbers, if they were kept.
    pub(super) fn values(&self) -> Option<&Values> {
        self.values.as_ref()
    }

    /// Whether `key` is the one that the numbers were made with.
    pub(super) fn is_of(&self, key: &Key) -> bool {
        DenseFit::new("", key.duplicate()).order.check == self.order.check
    }
}

impl Kernel for Dense {
    fn output_type(&self, input: &DataType) -> Result<DataType> {
        check_canonical(input).map_err(|e| name_column(e, &self.column))?;
        Ok(if self.signed { DataType::Int64 } else { DataType::UInt64 })
    }

    fn apply(&self, array: &dyn Array) -> Result<ArrayRef> {
        let rank = |value: &[u8]| self.hashes.rank(&self.order.hash(value)).map_or(NOT_OBSERVED, u64::from);
        let mut numbers = map_canonical(array, MISSING, rank).map_err(|e| name_column(e, &self.column))?;
        if let Some(first) = numbers.iter().position(|number| *number == NOT_OBSERVED) {
            let count = numbers.iter().filter(|number| **number == NOT_OBSERVED).count() as u64;
            let problem = "holds values that were not observed when the numbers were given out";
            return Err(Error::rows(&self.column, count, problem, "number the column in the same run that observes it").first_at(first));
        }
        let present: NullBuffer = numbers.iter().map(|number| *number != MISSING).collect();
        let present = (present.null_count() > 0).then_some(present);
        if self.signed {
            let signed = numbers.into_iter().map(|number| i64::try_from(number).unwrap_or_default());
            return Ok(Arc::new(Int64Array::new(signed.collect(), present)));
        }
        for number in &mut numbers {
            *number = if *number == MISSING { 0 } else { *number };
        }
        Ok(Arc::new(UInt64Array::new(numbers.into(), present)))
    }
}

#[cfg(test)]
mod tests;
