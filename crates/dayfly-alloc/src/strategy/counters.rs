//! The kernel's table of counters (`table_perturb` in `net/ipv4/inet_hashtables.c`), in no more
//! room than the counters in use take.

use alloc::vec;
use alloc::vec::Vec;

use crate::Random;

/// So many are searched one by one; past that the table is laid out whole.
const FEW: usize = 16;
/// A table of so many is laid out at once: a page at most.
const SMALL: u32 = 1 << 10;

/// Counters of 32 bits that start at random, or the single one of older kernels, which starts at 0.
///
/// While few are in use, each is drawn when it is first asked for, which is as random as drawing
/// all in advance: a host with a few destinations needs a few bytes where the kernel takes 256 KiB.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    size: u32,
    few: Vec<(u32, u32)>,
    all: Vec<u32>,
}

impl Counters {
    /// So many counters, at least one.
    pub(super) const fn new(size: u32) -> Counters {
        Counters { size, few: Vec::new(), all: Vec::new() }
    }

    /// Whether there is one for all destinations.
    pub(super) const fn is_single(&self) -> bool {
        self.size <= 1
    }

    /// Lays out a small table, once.
    pub(super) fn begin(&mut self, random: &mut dyn Random) {
        if !self.is_single() && self.size <= SMALL && self.all.is_empty() {
            self.lay_out(random);
        }
    }

    /// The counter that belongs to this hash.
    pub(super) fn of(&mut self, hash: u64, random: &mut dyn Random) -> &mut u32 {
        let index = (hash % u64::from(self.size.max(1))) as u32;
        if self.all.is_empty() && self.few.len() >= FEW {
            let known = self.few.iter().any(|(known, _)| *known == index);
            if !known {
                self.lay_out(random);
            }
        }
        if !self.all.is_empty() {
            return &mut self.all[index as usize];
        }
        let place = match self.few.iter().position(|(known, _)| *known == index) {
            Some(place) => place,
            None => {
                let first = if self.is_single() { 0 } else { random.next_u32() };
                self.few.push((index, first));
                self.few.len() - 1
            }
        };
        &mut self.few[place].1
    }

    /// A new secret is in force. Places are a counter plus a hash; with a hash that nobody has seen,
    /// their distribution is the same whatever the counter, so the few kept may as well go.
    pub(super) fn forget(&mut self) {
        if !self.is_single() {
            self.few.clear();
        }
    }

    fn lay_out(&mut self, random: &mut dyn Random) {
        self.all = vec![0; self.size as usize];
        self.all.iter_mut().for_each(|counter| *counter = random.next_u32());
        for (index, counter) in self.few.drain(..) {
            self.all[index as usize] = counter;
        }
    }
}
