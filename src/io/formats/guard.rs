//! Decoders of other crates may panic on damaged files; a panic becomes an error here.

use crate::error::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work`; a panic inside becomes an error about `name`. Its message is dropped: it may quote data.
pub(in crate::io) fn guarded<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    // A panicking decoder is not used again: the streams end at the first error.
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(Error::data(name, None, "the decoder failed on it", "check that the file is complete, or write it again")))
}

/// An iterator that turns a panic of the inner one into an error and ends at the first error.
pub(in crate::io) struct Guarded<I> {
    name: String,
    inner: Option<I>,
}

impl<I> Guarded<I> {
    pub(in crate::io) fn new(name: impl Into<String>, inner: I) -> Self {
        Self { name: name.into(), inner: Some(inner) }
    }
}

impl<T, I: Iterator<Item = Result<T>>> Iterator for Guarded<I> {
    type Item = Result<T>;

    fn next(&mut self) -> Option<Self::Item> {
        let inner = self.inner.as_mut()?;
        let item = guarded(&self.name, || inner.next().transpose()).transpose();
        if !matches!(item, Some(Ok(_))) {
            self.inner = None;
        }
        item
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_without_its_message_and_ends_the_stream() {
        let mut items = Guarded::new("file", (0..3).map(|i| if i == 1 { panic!("secret-value") } else { Ok(i) }));
        assert!(matches!(items.next(), Some(Ok(0))));
        let error = items.next().and_then(Result::err).map(|e| e.to_string()).unwrap_or_default();
        assert!(error.starts_with("file: ") && !error.contains("secret"), "{error}");
        assert!(items.next().is_none());
    }
}
