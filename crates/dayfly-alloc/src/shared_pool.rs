//! One destination that many threads draw from: a bitmap of atomic words, without a lock.
//!
//! Every allocation first takes a permit from the count of free ports and then looks for the port
//! that the permit stands for. So "exhausted" is decided by one atomic word, and while it is not, a
//! search always ends: at least one bit is clear for each permit.

use alloc::boxed::Box;
use core::fmt;

use dayfly_ports::{Port, PortRange};

use crate::atomic::{AtomicU32, AtomicU64, Ordering, relax};
use crate::{Random, ReleaseError, bits, pool};

/// Draws before the search by rank.
const DRAWS: u32 = 16;

/// A port of a [`SharedPool`], to be given back with [`SharedPool::release`].
///
/// It carries the port's generation: a second release is an error. Generations repeat after 2^31
/// allocations of that very port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lent {
    port: Port,
    generation: u32,
}

impl Lent {
    /// The port.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.port
    }
}

/// The ports of one destination, shared between threads without a lock.
///
/// Uniform among the free ports as long as no other thread interferes; a thread that loses a race
/// for a port draws anew. Exhaustion is exact: [`SharedPool::allocate`] fails only if at some moment
/// during the call every port was taken.
///
/// ```
/// use dayfly_alloc::{SharedPool, Xoshiro};
/// use dayfly_ports::PortRange;
///
/// let pool = SharedPool::new(PortRange::DYNAMIC);
/// let lent = pool.allocate(&mut Xoshiro::seeded(1)).expect("all are free");
/// assert!(pool.release(lent).is_ok());
/// assert!(pool.release(lent).is_err(), "given back before");
/// ```
///
/// It stands on cache lines of its own, so that two pools side by side do not slow each other down.
#[repr(align(128))]
pub struct SharedPool {
    range: PortRange,
    /// Set when taken; what lies past the range is set for ever. The length is a power of two.
    taken: Box<[AtomicU64]>,
    /// Odd while lent.
    generations: Box<[AtomicU32]>,
    /// Never more than there are clear bits.
    permits: AtomicU32,
}

impl SharedPool {
    /// A pool with every port of the range free.
    #[must_use]
    pub fn new(range: PortRange) -> Self {
        let len = range.len() as usize;
        let outside = |word: usize| match len.saturating_sub(word * 64) {
            0 => u64::MAX,
            inside @ 1..64 => u64::MAX << inside,
            _ => 0,
        };
        SharedPool {
            range,
            taken: (0..pool::words_of(range)).map(|word| AtomicU64::new(outside(word))).collect(),
            generations: (0..len).map(|_| AtomicU32::new(0)).collect(),
            permits: AtomicU32::new(range.len()),
        }
    }

    /// The range that the pool was made for.
    #[must_use]
    pub const fn range(&self) -> PortRange {
        self.range
    }

    /// How many ports are free at this moment.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.permits.load(Ordering::Relaxed)
    }

    /// Lends a free port, or none if every port is taken.
    pub fn allocate(&self, random: &mut (impl Random + ?Sized)) -> Option<Lent> {
        let mut permits = self.permits.load(Ordering::Relaxed);
        loop {
            let less = permits.checked_sub(1)?;
            // Acquire pairs with the release in `release`: whoever gets the permit sees the bit.
            let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
            match self.permits.compare_exchange_weak(permits, less, success, failure) {
                Ok(_) => break,
                Err(now) => permits = now,
            }
        }
        let index = self.search(random);
        // The bit is ours, so nobody else writes the generation: odd from here on.
        let generation = self.generations[index].load(Ordering::Relaxed).wrapping_add(1);
        self.generations[index].store(generation, Ordering::Release);
        let port = Port::new(self.range.low().number().wrapping_add(index as u16));
        Some(Lent { port, generation })
    }

    /// Takes a port back.
    ///
    /// # Errors
    /// [`ReleaseError`] if it was given back before or does not belong to this pool's range;
    /// nothing changes. Of two threads that give the same port back, exactly one succeeds.
    pub fn release(&self, lent: Lent) -> Result<(), ReleaseError> {
        if !self.range.contains(lent.port) {
            return Err(ReleaseError::Foreign);
        }
        let index = usize::from(lent.port.number() - self.range.low().number());
        let even = lent.generation.wrapping_add(1);
        self.generations[index]
            .compare_exchange(lent.generation, even, Ordering::AcqRel, Ordering::Relaxed)
            .map_err(|_| ReleaseError::Stale)?;
        self.taken[index / 64].fetch_and(!(1 << (index % 64)), Ordering::Release);
        self.permits.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// Sets a clear bit. The caller holds a permit, so there is one.
    fn search(&self, random: &mut (impl Random + ?Sized)) -> usize {
        let mask = self.taken.len() * 64 - 1;
        for _ in 0..DRAWS {
            let index = random.next_u32() as usize & mask;
            let free = self.taken[index / 64].load(Ordering::Relaxed) >> (index % 64) & 1 == 0;
            if free && self.set(index) {
                return index;
            }
        }
        loop {
            // Our permit stands for one clear bit beside those that the count knows of. Others may
            // be between permit and bit; then a rank may find nothing, and is drawn anew.
            let mut rank = random.below(self.permits.load(Ordering::Relaxed) + 1);
            for (position, word) in self.taken.iter().enumerate() {
                let free = !word.load(Ordering::Relaxed);
                if rank < free.count_ones() {
                    let index = position * 64 + bits::select(free, rank) as usize;
                    if self.set(index) {
                        return index;
                    }
                    break;
                }
                rank -= free.count_ones();
            }
            relax();
        }
    }

    fn set(&self, index: usize) -> bool {
        let bit = 1 << (index % 64);
        self.taken[index / 64].fetch_or(bit, Ordering::Acquire) & bit == 0
    }
}

impl fmt::Debug for SharedPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedPool({}, {} free)", self.range, self.free())
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;
    use std::sync::Barrier;
    use std::thread;
    use std::vec::Vec;

    use super::*;
    use crate::Xoshiro;

    fn range(low: u16, high: u16) -> PortRange {
        PortRange::new(low, high).unwrap()
    }

    #[test]
    fn lends_every_port_once() {
        for range in [range(0, 0), range(65535, 65535), range(1000, 1099), range(0, 4095)] {
            let pool = SharedPool::new(range);
            let mut random = Xoshiro::seeded(1);
            let lent: Vec<Lent> =
                (0..range.len()).map(|_| pool.allocate(&mut random).unwrap()).collect();
            let ports: BTreeSet<Port> = lent.iter().map(Lent::port).collect();
            assert_eq!(ports.len() as u32, range.len());
            assert!(ports.iter().all(|port| range.contains(*port)));
            assert_eq!((pool.allocate(&mut random), pool.free()), (None, 0));
            for lent in lent {
                assert_eq!(pool.release(lent), Ok(()));
                assert_eq!(pool.release(lent), Err(ReleaseError::Stale));
            }
            assert_eq!(pool.free(), range.len());
        }
        let foreign = SharedPool::new(range(5, 5)).allocate(&mut Xoshiro::seeded(1)).unwrap();
        assert_eq!(SharedPool::new(range(6, 6)).release(foreign), Err(ReleaseError::Foreign));
    }

    /// Four threads on fewer ports than they want: nobody is lent a port that somebody else has,
    /// and in the end all are free.
    #[test]
    fn no_port_is_lent_twice_at_once() {
        let pool = SharedPool::new(range(40000, 40199));
        let owned: Vec<AtomicU32> = (0..200).map(|_| AtomicU32::new(0)).collect();
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for seed in 0..4 {
                let (pool, owned, start) = (&pool, &owned, &start);
                scope.spawn(move || {
                    let mut random = Xoshiro::seeded(seed);
                    let mut mine: Vec<Lent> = Vec::new();
                    start.wait();
                    for _ in 0..50_000 {
                        if random.below(100) < 55 {
                            if let Some(lent) = pool.allocate(&mut random) {
                                let place = usize::from(lent.port().number() - 40000);
                                assert_eq!(owned[place].swap(1, Ordering::SeqCst), 0);
                                mine.push(lent);
                            }
                        } else if !mine.is_empty() {
                            let lent = mine.swap_remove(random.below(mine.len() as u32) as usize);
                            owned[usize::from(lent.port().number() - 40000)]
                                .store(0, Ordering::SeqCst);
                            pool.release(lent).unwrap();
                        }
                    }
                    for lent in mine {
                        owned[usize::from(lent.port().number() - 40000)].store(0, Ordering::SeqCst);
                        pool.release(lent).unwrap();
                    }
                });
            }
        });
        assert_eq!(pool.free(), 200);
    }
}
