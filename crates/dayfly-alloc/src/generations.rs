//! The generations of one destination's ports: a small table while they are few, an array once they
//! are many.
//!
//! An array has four bytes for every port of the range, which is 64 KiB for 16,384 ports: too much
//! for the destination that has just got its bitmap. The table has sixteen bytes for each port that
//! is in use or held.

use alloc::boxed::Box;
use alloc::vec;

#[derive(Clone, Debug)]
pub(crate) enum Generations {
    Few(Table),
    Many(Box<[u32]>),
}

/// An open-addressing table; the length is a power of two and at least twice the entries.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    /// Index plus one in the upper half, generation in the lower; 0 is empty.
    entries: Box<[u64]>,
    len: usize,
    /// Past this many entries an array takes over.
    limit: usize,
    ports: usize,
}

impl Generations {
    /// For a range of this many ports.
    pub(crate) fn new(ports: usize) -> Self {
        let entries = vec![0; 128].into();
        Generations::Few(Table { entries, len: 0, limit: ports / 8, ports })
    }

    /// The generation of a port that has one; of another, any number.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> u32 {
        match self {
            Generations::Few(table) => table.entries[table.slot(index)] as u32,
            Generations::Many(array) => array[index],
        }
    }

    #[inline]
    pub(crate) fn set(&mut self, index: usize, generation: u32) {
        match self {
            Generations::Few(table) => {
                if let Some(array) = table.set(index, generation) {
                    *self = Generations::Many(array);
                }
            }
            Generations::Many(array) => array[index] = generation,
        }
    }

    /// The port is free: it needs no generation any more.
    #[inline]
    pub(crate) fn forget(&mut self, index: usize) {
        if let Generations::Few(table) = self {
            table.remove(index);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Generations::Few(table) => size_of_val(&*table.entries),
            Generations::Many(array) => size_of_val(&**array),
        }
    }
}

impl Table {
    /// Where the port is, or the empty slot where it would be.
    #[inline]
    fn slot(&self, index: usize) -> usize {
        let mut slot = self.home(index);
        while self.entries[slot] != 0 && self.entries[slot] >> 32 != index as u64 + 1 {
            slot = self.after(slot);
        }
        slot
    }

    /// Sets a port's generation; returns the array that takes over if there are too many now.
    fn set(&mut self, index: usize, generation: u32) -> Option<Box<[u32]>> {
        let slot = self.slot(index);
        if self.entries[slot] == 0 {
            self.len += 1;
            if self.len > self.limit {
                let mut array: Box<[u32]> = vec![0; self.ports].into();
                for entry in self.entries.iter().filter(|entry| **entry != 0) {
                    array[(entry >> 32) as usize - 1] = *entry as u32;
                }
                array[index] = generation;
                return Some(array);
            }
        }
        self.entries[slot] = (index as u64 + 1) << 32 | u64::from(generation);
        if self.len * 2 > self.entries.len() {
            let doubled = vec![0; self.entries.len() * 2].into();
            let entries = core::mem::replace(&mut self.entries, doubled);
            for entry in entries.iter().filter(|entry| **entry != 0) {
                let slot = self.slot((entry >> 32) as usize - 1);
                self.entries[slot] = *entry;
            }
        }
        None
    }

    fn remove(&mut self, index: usize) {
        let mut hole = self.slot(index);
        if self.entries[hole] == 0 {
            return;
        }
        self.len -= 1;
        let mut slot = self.after(hole);
        while self.entries[slot] != 0 {
            let home = self.home((self.entries[slot] >> 32) as usize - 1);
            let distance = |from: usize| slot.wrapping_sub(from) & (self.entries.len() - 1);
            if distance(home) >= distance(hole) {
                self.entries[hole] = self.entries[slot];
                hole = slot;
            }
            slot = self.after(slot);
        }
        self.entries[hole] = 0;
    }

    #[inline]
    fn home(&self, index: usize) -> usize {
        // Ports are random already; the low bits do.
        index & (self.entries.len() - 1)
    }

    #[inline]
    fn after(&self, slot: usize) -> usize {
        (slot + 1) & (self.entries.len() - 1)
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
            ports in prop_oneof![Just(1_usize), Just(100), Just(4000), Just(65536)],
            steps in prop::collection::vec((0_usize..700, any::<u32>(), 0_u8..3), 0..1500),
        ) {
            let mut generations = Generations::new(ports);
            let mut model = BTreeMap::new();
            for (pick, generation, what) in steps {
                // From both ends, and with the same low bits.
                let index = match what {
                    0 => pick,
                    1 => ports.saturating_sub(pick),
                    _ => pick * 128,
                } % ports;
                if pick % 3 > 0 {
                    generations.set(index, generation);
                    model.insert(index, generation);
                } else {
                    generations.forget(index);
                    model.remove(&index);
                }
            }
            for (index, generation) in model {
                prop_assert_eq!(generations.get(index), generation);
            }
        }
    }
}
