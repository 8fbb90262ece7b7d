//! Many short values at a time, so that the processor works on many AES blocks at once.
//!
//! The blocks of one value form a chain in which each waits for the one before. The chains of different values do not wait for each other:
//! one step of all of them is one call of the cipher.

use super::super::block::Permutation;
use super::s2v::{block_count, ending};
use super::{Mode, OVERHEAD, first_counter};
use std::array;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// How many values are worked on together.
const LANES: usize = 128;

/// Longer plaintexts, in blocks, keep the processor busy alone.
const MOST_BLOCKS: usize = 8;

/// As many blocks as the widest processors take at once.
const WIDTH: usize = 64;

impl<C: Permutation> Mode<C> {
    pub(super) fn seal_all(&self, plaintexts: &[&[u8]], out: &mut Vec<u8>, ends: &mut Vec<usize>) {
        out.reserve(plaintexts.iter().map(|plaintext| plaintext.len() + OVERHEAD).sum::<usize>() + 16);
        ends.reserve(plaintexts.len());
        let mut lanes = Lanes::new(plaintexts.len());
        for run in runs(plaintexts, 0) {
            let [plaintext] = run else {
                self.seal_run(&mut lanes, run, out, ends);
                continue;
            };
            self.seal(plaintext, out);
            ends.push(out.len());
        }
    }

    fn seal_run(&self, lanes: &mut Lanes, plaintexts: &[&[u8]], out: &mut Vec<u8>, ends: &mut Vec<usize>) {
        self.vectors(lanes, plaintexts);
        self.streams(lanes, plaintexts.iter().map(|plaintext| plaintext.len()));
        let mut stream = lanes.stream.as_slice();
        for (plaintext, vector) in plaintexts.iter().zip(&lanes.vectors) {
            out.extend_from_slice(vector);
            stream = append_sum(out, plaintext, stream);
            ends.push(out.len());
        }
    }

    pub(super) fn open_all(&self, sealed: &[&[u8]], out: &mut Vec<u8>, ends: &mut Vec<usize>, authentic: &mut Vec<bool>) {
        out.reserve(sealed.iter().map(|value| value.len().saturating_sub(OVERHEAD)).sum());
        ends.reserve(sealed.len());
        authentic.reserve(sealed.len());
        let mut lanes = Lanes::new(sealed.len());
        // Aside, not in `out`, until somebody has said that they are authentic. Never grows, so that no copy is left anywhere.
        let mut plaintexts = Zeroizing::new(Vec::with_capacity(16 * lanes.stream.len() + 16));
        for run in runs(sealed, OVERHEAD) {
            let [value] = run else {
                plaintexts.clear();
                self.open_run(&mut lanes, run, &mut plaintexts, out, ends, authentic);
                continue;
            };
            authentic.push(self.open(value, out));
            ends.push(out.len());
        }
    }

    fn open_run(
        &self,
        lanes: &mut Lanes,
        sealed: &[&[u8]],
        plaintexts: &mut Vec<u8>,
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
        authentic: &mut Vec<bool>,
    ) {
        // What is too short has no vector, and nothing that would be compared equal to it.
        let parts: [_; LANES] = array::from_fn(|lane| sealed.get(lane)?.split_first_chunk::<OVERHEAD>());
        let parts = &parts[..sealed.len()];
        let ciphertext = |lane: usize| parts[lane].map_or([].as_slice(), |(_, ciphertext)| ciphertext);
        for (vector, part) in lanes.vectors.iter_mut().zip(parts) {
            *vector = part.map_or([0; 16], |(vector, _)| *vector);
        }
        self.streams(lanes, (0..parts.len()).map(|lane| ciphertext(lane).len()));

        let mut bounds = [0; LANES + 1];
        let mut stream = lanes.stream.as_slice();
        for lane in 0..parts.len() {
            stream = append_sum(plaintexts, ciphertext(lane), stream);
            bounds[lane + 1] = plaintexts.len();
        }
        let slices: [&[u8]; LANES] = array::from_fn(|lane| plaintexts.get(bounds[lane]..bounds[lane + 1]).unwrap_or_default());
        let slices = &slices[..parts.len()];
        self.vectors(lanes, slices);
        for ((part, vector), plaintext) in parts.iter().zip(&lanes.vectors).zip(slices) {
            let equal = part.is_some_and(|(stated, _)| bool::from(vector.ct_eq(stated)));
            if equal {
                out.extend_from_slice(plaintext);
            }
            ends.push(out.len());
            authentic.push(equal);
        }
    }

    /// The synthetic initialization vectors of as many plaintexts as there are lanes, or fewer.
    fn vectors(&self, lanes: &mut Lanes, plaintexts: &[&[u8]]) {
        // Long chains first: the lanes that still run are the first ones at every step.
        let mut running = [0; MOST_BLOCKS + 1];
        for plaintext in plaintexts {
            running[block_count(plaintext) - 1] += 1;
        }
        for step in (0..MOST_BLOCKS).rev() {
            running[step] += running[step + 1];
        }
        let mut places: [usize; MOST_BLOCKS] = array::from_fn(|step| running[step + 1]);
        let mut order = [0; LANES];
        for (number, plaintext) in plaintexts.iter().enumerate() {
            let place = &mut places[block_count(plaintext) - 1];
            order[*place] = number;
            *place += 1;
        }

        let chains = &mut lanes.chains;
        chains.fill([0; 16]);
        for step in 0..MOST_BLOCKS {
            let (now, later) = (running[step], running[step + 1]);
            if now == 0 {
                break;
            }
            for (chain, &number) in chains.iter_mut().zip(&order[..now]) {
                *chain = (u128::from_le_bytes(*chain) ^ self.s2v.block(plaintexts[number], step)).to_le_bytes();
            }
            // Chains that have ended are stored already: to go on with them does no harm.
            self.s2v.cipher().permute_all(&mut chains[..padded(now)]);
            for (chain, &number) in chains[later..now].iter().zip(&order[later..now]) {
                lanes.vectors[number] = *chain;
            }
        }
    }

    /// The key streams that belong to the vectors, each as many whole blocks as its length needs, one after the other.
    fn streams(&self, lanes: &mut Lanes, lengths: impl Iterator<Item = usize>) {
        let stream = &mut lanes.stream;
        let mut filled = 0;
        for (vector, length) in lanes.vectors.iter().zip(lengths) {
            let blocks = length.div_ceil(16);
            let mut counter = first_counter(*vector);
            for block in &mut stream[filled..filled + blocks] {
                *block = counter.to_be_bytes();
                counter = counter.wrapping_add(1);
            }
            filled += blocks;
        }
        self.counter.permute_all(&mut stream[..padded(filled)]);
    }
}

/// Splits values into runs of short ones, and long ones alone. `overhead` is what they have besides the text.
fn runs<'a, 'b>(values: &'a [&'b [u8]], overhead: usize) -> impl Iterator<Item = &'a [&'b [u8]]> {
    let is_short = move |value: &[u8]| value.len() <= 16 * MOST_BLOCKS + overhead;
    values.chunk_by(move |one, next| is_short(one) && is_short(next)).flat_map(|run| run.chunks(LANES))
}

/// The number of blocks up to the next full width, where it costs less to encrypt too many than to encrypt the last ones one by one.
fn padded(blocks: usize) -> usize {
    if blocks % WIDTH > WIDTH / 4 { blocks.next_multiple_of(WIDTH) } else { blocks }
}

/// Appends text XOR stream and returns the rest of the stream.
#[inline]
fn append_sum<'a>(out: &mut Vec<u8>, text: &[u8], stream: &'a [[u8; 16]]) -> &'a [[u8; 16]] {
    let end = out.len() + text.len();
    let (blocks, rest) = text.as_chunks::<16>();
    let (keys, mut stream) = stream.split_at(blocks.len());
    for (block, key) in blocks.iter().zip(keys) {
        out.extend_from_slice(&(u128::from_ne_bytes(*block) ^ u128::from_ne_bytes(*key)).to_ne_bytes());
    }
    if let (false, Some((key, others))) = (rest.is_empty(), stream.split_first()) {
        // A whole block, of which what is too much is cut off: less work than to copy a number of bytes that is not known in advance.
        out.extend_from_slice(&(ending(text) ^ u128::from_le_bytes(*key)).to_le_bytes());
        out.truncate(end);
        stream = others;
    }
    stream
}

/// The values that are worked on together.
struct Lanes {
    vectors: [[u8; 16]; LANES],
    chains: [[u8; 16]; LANES],
    stream: Vec<[u8; 16]>,
}

impl Lanes {
    /// For `count` values.
    fn new(count: usize) -> Self {
        let blocks = (count.min(LANES) * MOST_BLOCKS).next_multiple_of(WIDTH);
        Self { vectors: [[0; 16]; LANES], chains: [[0; 16]; LANES], stream: vec![[0; 16]; blocks] }
    }
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.vectors.zeroize();
        self.chains.zeroize();
        self.stream.zeroize();
    }
}
