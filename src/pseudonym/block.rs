//! AES-256 on single blocks: a keyed permutation of all 128-bit values.

use aes::cipher::consts::U16;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use aes::{Aes256, Block};
use std::fmt::{self, Debug, Formatter};

/// A keyed permutation of the 128-bit values. Different blocks have different images, and without the key an image says nothing but whether two blocks are equal.
///
/// # References
/// FIPS 197, Advanced Encryption Standard, 2001 (updated 2023).
pub(super) struct BlockCipher {
    cipher: Aes256,
}

impl BlockCipher {
    /// Expands the key. The expanded key is wiped on drop.
    pub(super) fn new(key: &[u8; 32]) -> Self {
        Self { cipher: Aes256::new(Array::cast_from_core(key)) }
    }

    /// Replaces every block by its image. Many blocks are in flight at a time: give as many at once as there are.
    pub(super) fn encrypt(&self, blocks: &mut [[u8; 16]]) {
        self.cipher.permute_all(blocks);
    }

    /// Undoes [`encrypt`](Self::encrypt).
    pub(super) fn decrypt(&self, blocks: &mut [[u8; 16]]) {
        self.cipher.decrypt_blocks(Block::cast_slice_from_core_mut(blocks));
    }
}

/// Block ciphers of 128 bits, on plain arrays of bytes.
pub(super) trait Permutation {
    /// Replaces every block by its image, many at a time.
    fn permute_all(&self, blocks: &mut [[u8; 16]]);

    /// The image of one block.
    fn permute(&self, block: [u8; 16]) -> [u8; 16];
}

impl<C: BlockCipherEncrypt + BlockSizeUser<BlockSize = U16>> Permutation for C {
    #[inline]
    fn permute_all(&self, blocks: &mut [[u8; 16]]) {
        self.encrypt_blocks(Block::cast_slice_from_core_mut(blocks));
    }

    #[inline]
    fn permute(&self, block: [u8; 16]) -> [u8; 16] {
        let mut block = Array(block);
        self.encrypt_block(&mut block);
        block.0
    }
}

impl Debug for BlockCipher {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("BlockCipher(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sequence<const N: usize>() -> [u8; N] {
        std::array::from_fn(|i| u8::try_from(i).unwrap())
    }

    #[test]
    fn the_example_of_fips_197_appendix_c_3() {
        let cipher = BlockCipher::new(&sequence());
        let plain: [u8; 16] = std::array::from_fn(|i| 0x11 * u8::try_from(i).unwrap());
        let image = 0x8ea2_b7ca_5167_45bf_eafc_4990_4b49_6089_u128.to_be_bytes();
        // Alone, and in every place of a run that is longer than what the processor takes at once.
        for count in [1, 2, 7, 8, 9, 63, 64, 65, 200] {
            let mut blocks = vec![plain; count];
            cipher.encrypt(&mut blocks);
            assert_eq!(blocks, vec![image; count]);
            cipher.decrypt(&mut blocks);
            assert_eq!(blocks, vec![plain; count]);
        }
        cipher.encrypt(&mut []);
        cipher.decrypt(&mut []);
    }

    #[test]
    fn blocks_come_back_and_do_not_depend_on_their_neighbours() {
        let cipher = BlockCipher::new(&[7; 32]);
        let blocks: Vec<[u8; 16]> = (0..1_000_u128).map(|i| (i * i * 0x0123_4567_89ab_cdef).to_le_bytes()).collect();
        let mut images = blocks.clone();
        cipher.encrypt(&mut images);
        for (block, image) in blocks.iter().zip(&images) {
            let mut single = [*block];
            cipher.encrypt(&mut single);
            assert_eq!(single[0], *image);
        }
        assert_eq!(images.iter().collect::<std::collections::BTreeSet<_>>().len(), 1_000);
        cipher.decrypt(&mut images);
        assert_eq!(images, blocks);
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", BlockCipher::new(&[7; 32])), "BlockCipher(..)");
    }
}
