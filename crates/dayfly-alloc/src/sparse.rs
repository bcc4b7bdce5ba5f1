//! The connections of destinations that have few: one table for all of them, ten bytes an entry.
//!
//! An entry is a destination's 40-bit fingerprint, a port and a 24-bit generation. Entries are kept
//! in the order of their fingerprints, with gaps ("ordered linear probing"): the place of a
//! fingerprint is found by multiplication, and everything that belongs to one destination stands
//! side by side, in no order. So a destination owns no object and can still be counted, searched and
//! moved out.
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
        self.fingerprint << 24 | (self.port as u64) << 8 | (self.generation >> 16 & 0xFF) as u64
    }
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
    #[inline]
    pub(crate) fn run(&self, fingerprint: u64) -> Range<usize> {
        let start = self.seek(fingerprint);
        let rest = &self.heads[start..];
        let len = rest.iter().position(|head| head >> 24 != fingerprint).unwrap_or(rest.len());
        start..start + len
    }

    /// The slots of a destination, unless this port is in one of them.
    #[inline]
    pub(crate) fn run_without(&self, fingerprint: u64, port: u16) -> Option<Range<usize>> {
        let start = self.seek(fingerprint);
        let mut end = start;
        while let Some(head) = self.heads.get(end).filter(|head| **head >> 24 == fingerprint) {
            if (head >> 8) as u16 == port {
                return None;
            }
            end += 1;
        }
        Some(start..end)
    }

    pub(crate) fn entry(&self, slot: usize) -> Entry {
        let head = self.heads[slot];
        let generation = (head as u32 & 0xFF) << 16 | u32::from(self.lows[slot]);
        Entry { fingerprint: head >> 24, port: (head >> 8) as u16, generation }
    }

    /// The ports of a destination.
    pub(crate) fn ports(&self, run: Range<usize>) -> impl Iterator<Item = u16> + '_ {
        self.heads[run].iter().map(|head| (head >> 8) as u16)
    }

    /// The slot of a port, if it is there.
    #[inline]
    pub(crate) fn find(&self, fingerprint: u64, port: u16) -> Option<usize> {
        let wanted = fingerprint << 16 | u64::from(port);
        let start = self.seek(fingerprint);
        for (step, head) in self.heads[start..].iter().enumerate() {
            if head >> 8 == wanted {
                return Some(start + step);
            }
            if head >> 24 != fingerprint {
                break;
            }
        }
        None
    }

    pub(crate) fn set_generation(&mut self, slot: usize, generation: u32) {
        self.heads[slot] = self.heads[slot] & !0xFF | u64::from(generation >> 16 & 0xFF);
        self.lows[slot] = generation as u16;
    }

    /// Adds a port that is not there yet, to the slots of its destination.
    #[inline]
    pub(crate) fn insert_behind(&mut self, run: Range<usize>, entry: Entry) {
        let mut slot = run.end;
        if self.len + 1 > self.homes * 4 / 5 {
            self.resize(self.homes * 5 / 4 + 1, TAIL);
            slot = self.run(entry.fingerprint).end;
        }
        self.len += 1;
        loop {
            let gap = self.heads[slot..].iter().position(|&head| head == 0);
            if let Some(gap) = gap {
                // Few entries move as a rule, and by hand that is quicker than by memmove.
                let (mut head, mut low) = (entry.head(), entry.generation as u16);
                for slot in slot..=slot + gap {
                    core::mem::swap(&mut self.heads[slot], &mut head);
                    core::mem::swap(&mut self.lows[slot], &mut low);
                }
                return;
            }
            // The last cluster has run into the end: move everything once, with a longer tail.
            let tail = self.heads.len() - self.homes;
            self.resize(self.homes, tail * 2);
            slot = self.run(entry.fingerprint).end;
        }
    }

    /// Takes an entry out.
    pub(crate) fn remove(&mut self, slot: usize) {
        // The destination's last entry takes its place.
        let fingerprint = self.heads[slot] >> 24;
        let rest = &self.heads[slot..];
        let mine = rest.iter().position(|head| head >> 24 != fingerprint).unwrap_or(rest.len());
        let hole = slot + mine - 1;
        self.heads[slot] = self.heads[hole];
        self.lows[slot] = self.lows[hole];
        // What follows and is not at home moves up, so that no gap parts an entry from its home.
        let mut end = hole + 1;
        while end < self.heads.len() && self.heads[end] != 0 && self.home(self.heads[end]) < end {
            self.heads[end - 1] = self.heads[end];
            self.lows[end - 1] = self.lows[end];
            end += 1;
        }
        self.heads[end - 1] = 0;
        self.len -= 1;
        if self.homes > 1024 && self.len < self.homes / 4 {
            self.resize(self.homes / 2, TAIL);
        }
    }

    /// The first slot, from its home on, that is empty or stands at or behind the fingerprint.
    #[inline]
    fn seek(&self, fingerprint: u64) -> usize {
        let wanted = fingerprint << 24;
        let home = self.home(wanted);
        let rest = &self.heads[home..];
        let passed = rest.iter().position(|head| *head == 0 || *head >= wanted);
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

    fn insert(table: &mut Sparse, entry: Entry) {
        table.insert_behind(table.run(entry.fingerprint), entry);
    }

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
                        insert(&mut table, Entry { fingerprint, port, generation });
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
                let mut ports: Vec<u16> = table.ports(table.run(fingerprint)).collect();
                ports.sort_unstable();
                let known: Vec<u16> =
                    model.range((fingerprint, 0)..=(fingerprint, u16::MAX)).map(|(k, _)| k.1).collect();
                prop_assert_eq!(ports, known);
            }
        }
    }

    #[test]
    fn a_million_connections_of_a_hundred_thousand_destinations_take_sixteen_bytes_each() {
        let mut table = Sparse::with_capacity(0);
        for destination in 1..=100_000_u64 {
            let fingerprint = destination.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 24;
            for port in 1..=10 {
                insert(&mut table, Entry { fingerprint, port, generation: 1 });
            }
        }
        assert_eq!(table.len(), 1_000_000);
        assert!(table.bytes() <= 16_000_000, "{} bytes", table.bytes());
    }
}
