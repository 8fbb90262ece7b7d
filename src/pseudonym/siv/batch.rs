//! Many short values at a time, so that the processor works on many AES blocks at once.

use super::super::block::Permutation;
use super::Mode;

impl<C: Permutation> Mode<C> {
    pub(super) fn seal_all(&self, plaintexts: &[&[u8]], out: &mut Vec<u8>, ends: &mut Vec<usize>) {
        for plaintext in plaintexts {
            self.seal(plaintext, out);
            ends.push(out.len());
        }
    }

    pub(super) fn open_all(&self, sealed: &[&[u8]], out: &mut Vec<u8>, ends: &mut Vec<usize>, authentic: &mut Vec<bool>) {
        for value in sealed {
            authentic.push(self.open(value, out));
            ends.push(out.len());
        }
    }
}
