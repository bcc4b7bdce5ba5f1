//! The connections of destinations that have few: one table for all of them, ten bytes an entry.
//!
//! An entry is a destination's 40-bit fingerprint, a port and a 24-bit generation. Entries are kept
//! in ascending order with gaps ("ordered linear probing"): the place of a fingerprint is found by
//! multiplication, and everything that belongs to one destination stands side by side. So a
//! destination owns no object and can still be counted, searched and moved out.
//!
//! The table is at most four fifths and, once grown, at least 64 % full: 12.5 to 15.7 bytes per
//! connection. Growing moves every entry once; with a capacity given in advance it never grows.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// A port of a destination with the generation that it was handed out or held back under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// 40 bits, not all of them 0.
    pub(crate) fingerprint: u64,
    /// Never 0.
    pub(crate) port: u16,
    /// 24 bits; odd while the port is in use, even while it is held back.
    pub(crate) generation: u32,
}

impl Entry {
    const fn head(self) -> u64 {
        place(self.fingerprint, self.port) << 8 | (self.generation >> 16) as u64
    }
}

/// Fingerprint and port, in the order that entries are sorted by.
const fn place(fingerprint: u64, port: u16) -> u64 {
    fingerprint << 16 | port as u64
}

/// Slots behind the last home, for what is pushed past it.
const TAIL: usize = 64;

#[derive(Clone, Debug)]
pub(crate) struct Sparse {
    /// Fingerprint, port and the upper eight bits of the generation; 0 is an empty slot.
    heads: Vec<u64>,
    /// The lower sixteen bits of the generation.
    lows: Vec<u16>,
    /// Below 2^32.
    homes: usize,
    len: usize,
}

impl Sparse {
    pub(crate) fn with_capacity(connections: usize) -> Self {
        let homes = (connections + connections / 4 + 1).max(16);
        let mut table = Sparse { heads: Vec::new(), lows: Vec::new(), homes, len: 0 };
        table.clear(homes, TAIL);
        table
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn bytes(&self) -> usize {
        self.heads.capacity() * 8 + self.lows.capacity() * 2
    }

    /// The slots of a destination.
    pub(crate) fn run(&self, fingerprint: u64) -> Range<usize> {
        let start = self.seek(place(fingerprint, 0));
        let rest = &self.heads[start..];
        let len = rest.iter().position(|head| head >> 24 != fingerprint).unwrap_or(rest.len());
        start..start + len
    }

    pub(crate) fn entry(&self, slot: usize) -> Entry {
        let head = self.heads[slot];
        let generation = (head as u32 & 0xFF) << 16 | u32::from(self.lows[slot]);
        Entry { fingerprint: head >> 24, port: (head >> 8) as u16, generation }
    }

    /// The ports of a destination, ascending.
    pub(crate) fn ports(&self, run: Range<usize>) -> impl Iterator<Item = u16> + '_ {
        self.heads[run].iter().map(|head| (head >> 8) as u16)
    }

    /// The slot of a port, if it is there.
    pub(crate) fn find(&self, fingerprint: u64, port: u16) -> Option<usize> {
        let wanted = place(fingerprint, port);
        let slot = self.seek(wanted);
        self.heads.get(slot).is_some_and(|&head| head != 0 && head >> 8 == wanted).then_some(slot)
    }

    pub(crate) fn set_generation(&mut self, slot: usize, generation: u32) {
        self.heads[slot] = self.heads[slot] & !0xFF | u64::from(generation >> 16 & 0xFF);
        self.lows[slot] = generation as u16;
    }

    /// Adds a port that is not there yet.
    pub(crate) fn insert(&mut self, entry: Entry) {
        if self.len + 1 > self.homes * 4 / 5 {
            self.resize(self.homes * 5 / 4 + 1, TAIL);
        }
        self.len += 1;
        loop {
            let mut slot = self.seek(place(entry.fingerprint, entry.port));
            let gap = self.heads[slot..].iter().position(|&head| head == 0);
            if let Some(gap) = gap {
                // Few entries move as a rule, and by hand that is quicker than by memmove.
                let (mut head, mut low) = (entry.head(), entry.generation as u16);
                for _ in 0..=gap {
                    core::mem::swap(&mut self.heads[slot], &mut head);
                    core::mem::swap(&mut self.lows[slot], &mut low);
                    slot += 1;
                }
                return;
            }
            // The last cluster has run into the end: move everything once, with a longer tail.
            let tail = self.heads.len() - self.homes;
            self.resize(self.homes, tail * 2);
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, slot: usize) {
        // What follows and is not at home moves up, so that no gap parts an entry from its home.
        let mut end = slot + 1;
        while end < self.heads.len() && self.heads[end] != 0 && self.home(self.heads[end]) < end {
            end += 1;
        }
        self.heads.copy_within(slot + 1..end, slot);
        self.lows.copy_within(slot + 1..end, slot);
        self.heads[end - 1] = 0;
        self.len -= 1;
        if self.homes > 1024 && self.len < self.homes / 4 {
            self.resize(self.homes / 2, TAIL);
        }
    }

    /// The first slot, from its home on, that is empty or stands at or behind `wanted`.
    #[inline]
    fn seek(&self, wanted: u64) -> usize {
        let home = self.home(wanted << 8);
        let rest = &self.heads[home..];
        let passed = rest.iter().position(|head| *head == 0 || *head >= wanted << 8);
        home + passed.unwrap_or(rest.len())
    }

    #[inline]
    fn home(&self, head: u64) -> usize {
        (((head >> 32) * self.homes as u64) >> 32) as usize
    }

    fn clear(&mut self, homes: usize, tail: usize) {
        self.heads = vec![0; homes + tail];
        self.lows = vec![0; homes + tail];
        self.homes = homes;
    }

    fn resize(&mut self, homes: usize, tail: usize) {
        let heads = core::mem::take(&mut self.heads);
        let lows = core::mem::take(&mut self.lows);
        self.clear(homes, tail);
        let mut next = 0;
        for (head, low) in heads.into_iter().zip(lows).filter(|(head, _)| *head != 0) {
            // Ascending, so each goes to its home or right behind the one before.
            next = self.home(head).max(next);
            if next == self.heads.len() {
                self.heads.push(0);
                self.lows.push(0);
            }
            self.heads[next] = head;
            self.lows[next] = low;
            next += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeMap;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Fingerprints from both ends and from a small set, so that clusters form and run into the
        /// end of the table.
        #[test]
        fn agrees_with_a_plain_map(
            steps in prop::collection::vec((0_u64..6, 1_u16..400, any::<bool>()), 0..4000),
        ) {
            let fingerprints = [2, 1, (1 << 40) - 1, (1 << 40) - 2, 0x12_3456_789A, 0x80_0000_0000];
            let mut table = Sparse::with_capacity(0);
            let mut model = BTreeMap::new();
            for (index, (which, port, add)) in steps.into_iter().enumerate() {
                let fingerprint = fingerprints[which as usize];
                let found = table.find(fingerprint, port);
                let known = model.get(&(fingerprint, port)).copied();
                prop_assert_eq!(found.map(|slot| table.entry(slot).generation), known);
                match (add, found) {
                    (true, None) => {
                        let generation = (index as u32).wrapping_mul(0x9E37) & 0xFF_FFFF;
                        table.insert(Entry { fingerprint, port, generation });
                        model.insert((fingerprint, port), generation);
                    }
                    (true, Some(slot)) => {
                        table.set_generation(slot, 0xFF_0000 | index as u32);
                        model.insert((fingerprint, port), 0xFF_0000 | index as u32);
                    }
                    (false, Some(slot)) => {
                        table.remove(slot);
                        model.remove(&(fingerprint, port));
                    }
                    (false, None) => {}
                }
            }
            prop_assert_eq!(table.len(), model.len());
            for fingerprint in fingerprints {
                let ports: Vec<u16> = table.ports(table.run(fingerprint)).collect();
                let known: Vec<u16> =
                    model.range((fingerprint, 0)..=(fingerprint, u16::MAX)).map(|(k, _)| k.1).collect();
                prop_assert_eq!(ports, known);
            }
        }
    }

    #[test]
    fn a_million_connections_of_a_hundred_thousand_destinations_take_sixteen_bytes_each() {
        let mut table = Sparse::with_capacity(0);
        for destination in 0..100_000_u64 {
            let fingerprint = destination.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
            for port in 1..=10 {
                table.insert(Entry { fingerprint, port, generation: 1 });
            }
        }
        assert_eq!(table.len(), 1_000_000);
        assert!(table.bytes() <= 16_000_000, "{} bytes", table.bytes());
    }
}
