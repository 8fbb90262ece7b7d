//! Tokens on several threads.

use super::Pseudonymizer;
use crate::error::{Error, Result};
use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::{concat, take};
use std::thread;

/// Arrays below this length are not worth a thread.
const ROWS_A_THREAD: usize = 4_096;

/// The tokens of an array, worked on up to `threads` threads. The output is that of [`Pseudonymizer::apply_from`] with first row 0, whatever the number of threads.
///
/// ```
/// use backmask::arrow::array::StringArray;
/// use backmask::{keys::Key, policy::PseudonymMethod, pseudonym::{Pseudonymizer, apply_parallel}};
///
/// let tokens = Pseudonymizer::new(PseudonymMethod::Blake3, Key::forgotten()?)?;
/// let names = StringArray::from_iter_values((0..20_000).map(|i| format!("listener-{i}")));
/// assert_eq!(&apply_parallel(&tokens, &names, 4)?, &tokens.apply_from(&names, 0)?);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Errors
/// As for [`Pseudonymizer::apply_from`]; no thread could be had; or the tokens together do not fit one array.
pub fn apply_parallel(pseudonymizer: &Pseudonymizer, array: &dyn Array, threads: usize) -> Result<ArrayRef> {
    if let Some(dictionary) = array.as_any_dictionary_opt() {
        // The values are the work; slices of the rows would each repeat it.
        if !pseudonymizer.numbers_missing_rows()
            && dictionary.values().len() <= array.len()
            && let Ok(tokens) = apply_parallel(pseudonymizer, dictionary.values().as_ref(), threads)
        {
            return take(&tokens, dictionary.keys(), None).map_err(|e| Error::arrow("gathering dictionary values", &e));
        }
        return pseudonymizer.apply_from(array, 0);
    }
    let threads = threads.min(array.len() / ROWS_A_THREAD);
    if threads < 2 {
        return pseudonymizer.apply_from(array, 0);
    }
    let share = array.len().div_ceil(threads);
    let slices: Vec<(usize, ArrayRef)> =
        (0..array.len()).step_by(share).map(|start| (start, array.slice(start, share.min(array.len() - start)))).collect();
    let parts = thread::scope(|scope| {
        let spawn = |(start, slice): &(usize, ArrayRef)| {
            let (start, slice) = (*start as u64, ArrayRef::clone(slice));
            thread::Builder::new().spawn_scoped(scope, move || pseudonymizer.apply_from(slice.as_ref(), start))
        };
        let running: Vec<_> = slices.iter().map(spawn).collect();
        let join = |thread: std::io::Result<thread::ScopedJoinHandle<'_, Result<ArrayRef>>>| {
            thread.map_err(|e| Error::io("threads", e))?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        running.into_iter().map(join).collect::<Vec<_>>()
    });
    let parts: Vec<ArrayRef> = match parts.into_iter().collect() {
        Ok(parts) => parts,
        Err(error @ Error::Io { .. }) => return Err(error),
        // One thread counts all rows that an error must count.
        Err(_) => return pseudonymizer.apply_from(array, 0),
    };
    let parts: Vec<&dyn Array> = parts.iter().map(AsRef::as_ref).collect();
    concat(&parts).map_err(|e| Error::arrow("joining the tokens of several threads", &e))
}
