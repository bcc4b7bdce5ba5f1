//! Bitmaps of 64-bit words: read and write a bit, find the set bit of a given rank.

#[inline]
pub(crate) fn get(words: &[u64], index: usize) -> bool {
    words[index / 64] >> (index % 64) & 1 == 1
}

#[inline]
pub(crate) fn set(words: &mut [u64], index: usize) {
    words[index / 64] |= 1 << (index % 64);
}

#[inline]
pub(crate) fn clear(words: &mut [u64], index: usize) {
    words[index / 64] &= !(1 << (index % 64));
}

/// The position of the set bit that has exactly `rank` set bits below it. `rank` must be below the
/// word's count of ones; otherwise the answer is some position below 64.
#[inline]
pub(crate) fn select(word: u64, rank: u32) -> u32 {
    // Counts of ones per byte, then their prefix sums: byte i holds the ones in bytes 0..=i.
    let mut counts = word - ((word >> 1) & 0x5555_5555_5555_5555);
    counts = (counts & 0x3333_3333_3333_3333) + ((counts >> 2) & 0x3333_3333_3333_3333);
    counts = (counts + (counts >> 4)) & 0x0F0F_0F0F_0F0F_0F0F;
    let sums = counts.wrapping_mul(ONES);
    let start = (at_most(sums, rank) * 8) & 63;
    let before = (sums << 8 >> start) as u32 & 0xFF;
    // The same once more inside the byte, with a bit for each byte of a word.
    let spread = (word >> start & 0xFF).wrapping_mul(ONES) & 0x8040_2010_0804_0201;
    let ones = (spread + 0x7F7F_7F7F_7F7F_7F7F) >> 7 & ONES;
    (start + at_most(ones.wrapping_mul(ONES), rank.wrapping_sub(before))) & 63
}

const ONES: u64 = 0x0101_0101_0101_0101;

/// How many of the eight bytes are at most `rank`. Bytes and `rank` are at most 64, so a difference
/// never borrows from its neighbour.
#[inline]
fn at_most(bytes: u64, rank: u32) -> u32 {
    let high = ONES << 7;
    let difference = (u64::from(rank & 63).wrapping_mul(ONES) | high).wrapping_sub(bytes);
    ((difference & high) >> 7).wrapping_mul(ONES).wrapping_shr(56) as u32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn select_finds_each_bit(word: u64, sparse: u64) {
            for word in [word, word & sparse, word | sparse, u64::MAX, 1 << 63, 1] {
                for rank in 0..word.count_ones() {
                    let position = select(word, rank);
                    prop_assert!(word >> position & 1 == 1);
                    prop_assert_eq!((word & ((1 << position) - 1)).count_ones(), rank);
                }
            }
        }
    }
}
