//! Where a destination's bitmap is: a table from fingerprints to places.
//!
//! An entry is one word, fingerprint and place together, so a look-up that hits at once reads one
//! cache line and nothing else.

use alloc::vec;
use alloc::vec::Vec;

/// Places are below this: 24 bits beside the fingerprint's 40, all ones meaning "empty".
const EMPTY: u64 = u64::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Index {
    /// Fingerprint in the upper 40 bits, place in the lower 24. The length is a power of two.
    entries: Vec<u64>,
    len: usize,
}

impl Index {
    pub(crate) fn new() -> Self {
        Index { entries: vec![EMPTY; 16], len: 0 }
    }

    /// The place of a fingerprint.
    #[inline]
    pub(crate) fn find(&self, fingerprint: u64) -> Option<usize> {
        let mut slot = self.home(fingerprint);
        loop {
            let entry = self.entries[slot];
            // Read before the test for emptiness: the usual answer in the first step.
            if entry >> 24 == fingerprint && entry != EMPTY {
                return Some(entry as usize & 0xFF_FFFF);
            }
            if entry == EMPTY {
                return None;
            }
            slot = self.after(slot);
        }
    }

    /// Adds a fingerprint that is not there yet.
    pub(crate) fn insert(&mut self, fingerprint: u64, place: usize) {
        if self.len * 2 >= self.entries.len() {
            let doubled = vec![EMPTY; self.entries.len() * 2];
            let before = core::mem::replace(&mut self.entries, doubled);
            for entry in before.into_iter().filter(|entry| *entry != EMPTY) {
                self.put(entry);
            }
        }
        self.len += 1;
        self.put(fingerprint << 24 | (place as u64 & 0xFF_FFFF));
    }

    /// Takes a fingerprint out.
    pub(crate) fn remove(&mut self, fingerprint: u64) {
        let mut hole = self.home(fingerprint);
        loop {
            match self.entries[hole] {
                EMPTY => return,
                entry if entry >> 24 == fingerprint => break,
                _ => hole = self.after(hole),
            }
        }
        self.len -= 1;
        // Whatever follows and would be cut off from its home by the hole moves into it.
        let mut slot = self.after(hole);
        while self.entries[slot] != EMPTY {
            let home = self.home(self.entries[slot] >> 24);
            let distance =
                |from: usize, to: usize| to.wrapping_sub(from) & (self.entries.len() - 1);
            if distance(home, slot) >= distance(hole, slot) {
                self.entries[hole] = self.entries[slot];
                hole = slot;
            }
            slot = self.after(slot);
        }
        self.entries[hole] = EMPTY;
    }

    fn put(&mut self, entry: u64) {
        let mut slot = self.home(entry >> 24);
        while self.entries[slot] != EMPTY {
            slot = self.after(slot);
        }
        self.entries[slot] = entry;
    }

    #[inline]
    fn home(&self, fingerprint: u64) -> usize {
        fingerprint as usize & (self.entries.len() - 1)
    }

    #[inline]
    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.entries.len() - 1)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_plain_map(
            steps in prop::collection::vec((0_u64..60, any::<bool>()), 0..400),
        ) {
            let mut index = Index::new();
            let mut model = BTreeMap::new();
            for (place, (number, add)) in steps.into_iter().enumerate() {
                // Few homes, the lowest and the highest fingerprint among them.
                let fingerprint = match number {
                    0 => (1 << 40) - 1,
                    _ => ((number % 7) << 30) | (number % 5),
                };
                let known = model.get(&fingerprint).copied();
                prop_assert_eq!(index.find(fingerprint), known);
                if add && known.is_none() {
                    index.insert(fingerprint, place);
                    model.insert(fingerprint, place);
                } else if !add {
                    index.remove(fingerprint);
                    model.remove(&fingerprint);
                }
            }
            for (fingerprint, place) in model {
                prop_assert_eq!(index.find(fingerprint), Some(place));
            }
        }
    }
}
