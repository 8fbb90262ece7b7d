//! The loops: whole words in, integers out.

use super::{Proposal, Strips, Support};
use rand::CryptoRng;

/// How many draws share one call of the generator.
const BLOCK: usize = 512;

impl<const WORD: u32, const CELL: u32, const LOW: u32> Strips<WORD, CELL, LOW> {
    /// Fills a slice with independent draws.
    ///
    /// Every draw takes one word (two if the position needs them) from a block; those that were not decided at once are finished one after the other behind the block.
    pub(in super::super) fn fill(&self, rng: &mut dyn CryptoRng, out: &mut [i64]) {
        let words = if self.is_wide() { 2 } else { 1 };
        let mut bytes = [0_u8; BLOCK * 16];
        let mut open = [0_u16; BLOCK];
        for block in out.chunks_mut(BLOCK) {
            let bytes = &mut bytes[..block.len() * words * 8];
            rng.fill_bytes(bytes);
            let undecided =
                if self.is_wide() { self.block::<16>(bytes, block, &mut open) } else { self.block::<8>(bytes, block, &mut open) };
            for &index in &open[..undecided] {
                let index = usize::from(index);
                let at = index * words * 8;
                block[index] = self.finish(self.parse(word(bytes, at), word(bytes, at + (words - 1) * 8)), rng);
            }
        }
    }

    /// Decides what can be decided from one word each, without a branch on the draws; returns how many remain, their indices in `open`.
    #[expect(clippy::needless_bitwise_bool, reason = "no branch may depend on a draw")]
    fn block<const STRIDE: usize>(&self, bytes: &[u8], out: &mut [i64], open: &mut [u16; BLOCK]) -> usize {
        let (position, half, rounding) = (self.position, self.half(), self.rounding());
        let signed = u64::from(self.is_signed());
        let refuses_zero = self.refuses_minus_zero();
        let (quick, cells) = (&self.quick[..Self::STRIPS], &self.cells[..Self::STRIPS]);
        let mut undecided = 0;
        for (index, (slot, bytes)) in out.iter_mut().zip(bytes.chunks_exact(STRIDE)).enumerate() {
            let proposal = self.parse_with(word(bytes, 0), word(bytes, STRIDE - 8), cells, signed);
            let y = ((proposal.strip as u64) << position) | proposal.offset;
            let accepted = (proposal.test < quick[proposal.strip % Self::STRIPS]) & !(refuses_zero & proposal.negative & (y == 0));
            let size = ((y + half) >> rounding).cast_signed();
            let sign = -i64::from(proposal.negative);
            *slot = (size ^ sign) - sign;
            open[undecided % BLOCK] = u16::try_from(index).unwrap_or(0);
            undecided += usize::from(!accepted);
        }
        undecided
    }

    /// Goes on with a proposal that was not decided; refused ones are followed by new ones until one is accepted.
    fn finish(&self, mut proposal: Proposal, rng: &mut dyn CryptoRng) -> i64 {
        loop {
            if let Some(draw) = self.judge(&proposal, rng) {
                return draw;
            }
            let first = rng.next_u64();
            let second = if self.is_wide() { rng.next_u64() } else { first };
            proposal = self.parse(first, second);
        }
    }

    /// Reads a proposal from one word, or from two where sign and position need one of their own.
    pub(super) fn parse(&self, first: u64, second: u64) -> Proposal {
        self.parse_with(first, second, &self.cells, u64::from(self.is_signed()))
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the loop over a block is made of it")]
    fn parse_with(&self, first: u64, second: u64, cells: &[super::alias::Cell], signed: u64) -> Proposal {
        let low = first & ((1 << LOW) - 1);
        #[expect(clippy::cast_possible_truncation, reason = "the top WORD <= 32 bits")]
        let top = (first >> LOW) as u32 & (u32::MAX >> (32 - WORD));
        let own = (top >> (WORD - CELL)) as usize;
        let cell = cells[own % Self::STRIPS];
        let strip = if top & ((1 << (WORD - CELL)) - 1) < cell.cut { own } else { cell.alias as usize };
        #[expect(clippy::cast_possible_truncation, reason = "LOW <= 32 bits")]
        let (sign, offset, test) = if self.position + 1 > LOW / 3 {
            (second >> 63, (second << 1 >> 1) >> (63 - self.position), low as u32)
        } else {
            let below_sign = low & ((1 << (LOW - 1)) - 1);
            (low >> (LOW - 1), below_sign >> (LOW - 1 - self.position), (below_sign & ((1 << (LOW - 1 - self.position)) - 1)) as u32)
        };
        Proposal { strip, negative: sign & signed == 1, offset, test }
    }

    /// Half a unit of the draw in units of the position, for rounding.
    fn half(&self) -> u64 {
        (1_u64 << self.rounding()) >> 1
    }

    /// Both signs of 0 are one integer: where it is not a strip of its own with half the density, one of them is refused.
    pub(super) fn refuses_minus_zero(&self) -> bool {
        self.support == Support::Integers && !self.halves_zero
    }

    /// The draw of an accepted position in strip `strip`.
    pub(super) fn value(&self, strip: u64, offset: u64, negative: bool) -> i64 {
        let y = (u128::from(strip) << self.position) | u128::from(offset);
        let size = i64::try_from((y + u128::from(self.half())) >> self.rounding()).unwrap_or(i64::MAX);
        if negative { -size } else { size }
    }
}

fn word(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
