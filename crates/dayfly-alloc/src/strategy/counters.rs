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
    pub(super) fn begin<R: Random + ?Sized>(&mut self, random: &mut R) {
        if !self.is_single() && self.size <= SMALL && self.all.is_empty() {
            self.lay_out(random);
        }
    }

    /// The counter that belongs to this hash.
    #[inline]
    pub(super) fn of<R: Random + ?Sized>(&mut self, hash: u64, random: &mut R) -> &mut u32 {
        let size = u64::from(self.size.max(1));
        // A division only where a mask does not do.
        let index = if size.is_power_of_two() { hash & (size - 1) } else { hash % size } as usize;
        if self.all.is_empty() { self.of_few(index as u32, random) } else { &mut self.all[index] }
    }

    fn of_few<R: Random + ?Sized>(&mut self, index: u32, random: &mut R) -> &mut u32 {
        let place = self.few.iter().position(|(known, _)| *known == index);
        if place.is_none() && self.few.len() >= FEW {
            self.lay_out(random);
            return &mut self.all[index as usize];
        }
        let place = place.unwrap_or_else(|| {
            let first = if self.is_single() { 0 } else { random.next_u32() };
            self.few.push((index, first));
            self.few.len() - 1
        });
        &mut self.few[place].1
    }

    /// A new secret is in force. Places are a counter plus a hash; with a hash that nobody has seen,
    /// their distribution is the same whatever the counter, so those kept may as well go; or in time
    /// every host would have laid out its table because of one busy moment.
    pub(super) fn forget(&mut self) {
        if !self.is_single() {
            self.few.clear();
        }
        if self.size > SMALL {
            self.all = Vec::new();
        }
    }

    fn lay_out<R: Random + ?Sized>(&mut self, random: &mut R) {
        self.all = vec![0; self.size as usize];
        self.all.iter_mut().for_each(|counter| *counter = random.next_u32());
        for (index, counter) in self.few.drain(..) {
            self.all[index as usize] = counter;
        }
    }
}
