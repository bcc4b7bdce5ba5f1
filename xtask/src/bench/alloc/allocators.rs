//! One destination: allocate and release, at every occupancy, the contenders taking turns.

use std::hint::black_box;
use std::time::Instant;

use dayfly_alloc::{Allocator, Config, Handle, Key, Pool, Random, SharedPool, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};

use super::figure::Figure;
use super::{Measured, OCCUPANCIES, PORTS};

const SECTION: &str =
    "One destination, 16,384 ports: allocate + release, best of 21 rounds in turns";
const ROUNDS: usize = 21;
const PAIRS: u32 = 40_000;

/// Somebody who hands out ports.
trait Contender {
    const NAME: &'static str;
    /// With this many ports taken, at random.
    fn filled(taken: u32, seed: u64) -> Self;
    /// One allocation and, if it succeeds, its release.
    fn pair(&mut self);
    /// Gives one of the taken ports back and takes another instead.
    fn churn(&mut self);
}

pub(super) fn measure() -> Measured {
    let mut figures = Vec::new();
    for (taken, at) in OCCUPANCIES {
        let mut times: [Vec<f64>; 5] = Default::default();
        for round in 0..ROUNDS as u64 {
            times[0].push(nanoseconds::<OnePool>(taken, round));
            times[1].push(nanoseconds::<Keyed>(taken, round));
            times[2].push(nanoseconds::<OneSharedPool>(taken, round));
            times[3].push(nanoseconds::<Bitmap>(taken, round));
            times[4].push(nanoseconds::<Stepping>(taken, round));
        }
        let names = [OnePool::NAME, Keyed::NAME, OneSharedPool::NAME, Bitmap::NAME, Stepping::NAME];
        for (name, times) in names.into_iter().zip(times) {
            let value = times.into_iter().fold(f64::INFINITY, f64::min);
            figures.push(Figure::new(SECTION, name, at, value, "ns"));
        }
    }
    // The most that a destination has before it gets a bitmap of its own.
    let sparse = (0..ROUNDS as u64).map(|round| nanoseconds::<Keyed>(23, round));
    let value = sparse.fold(f64::INFINITY, f64::min);
    figures.push(Figure::new(SECTION, Keyed::NAME, "23 taken", value, "ns"));
    Ok(figures)
}

/// What a pair takes: sixteen stretches between which another port becomes free, so that nobody
/// profits from one lucky place.
fn nanoseconds<C: Contender>(taken: u32, seed: u64) -> f64 {
    const STRETCHES: u32 = 16;
    let mut contender = C::filled(taken, seed);
    let pairs = PAIRS / STRETCHES;
    let mut total = 0.0;
    for _ in 0..STRETCHES {
        if taken > 0 && taken < PORTS {
            contender.churn();
        }
        let start = Instant::now();
        for _ in 0..pairs {
            black_box(&mut contender).pair();
        }
        total += start.elapsed().as_nanos() as f64;
    }
    total / f64::from(pairs * STRETCHES)
}

struct OnePool {
    pool: Pool,
    random: Xoshiro,
    held: Vec<Port>,
}

impl Contender for OnePool {
    const NAME: &'static str = "pool";

    fn filled(taken: u32, seed: u64) -> Self {
        let (mut pool, mut random) = (Pool::new(PortRange::DYNAMIC), Xoshiro::seeded(seed));
        let held = (0..taken).filter_map(|_| pool.take_any(&mut random)).collect();
        OnePool { pool, random, held }
    }

    fn pair(&mut self) {
        if let Some(port) = self.pool.take_any(&mut self.random) {
            self.pool.put(black_box(port));
        }
    }

    fn churn(&mut self) {
        let last = self.random.below(self.held.len() as u32) as usize;
        self.pool.put(self.held.swap_remove(last));
        self.held.extend(self.pool.take_any(&mut self.random));
    }
}

struct Keyed {
    allocator: Allocator<Xoshiro>,
    key: Key,
    random: Xoshiro,
    held: Vec<Handle>,
}

impl Contender for Keyed {
    const NAME: &'static str = "allocator";

    fn filled(taken: u32, seed: u64) -> Self {
        let config = Config::new(PortRange::DYNAMIC);
        let mut allocator = Allocator::new(config, Xoshiro::seeded(seed));
        let (local, remote) = ([192, 0, 2, 1].into(), [198, 51, 100, 7].into());
        let key = Key::new(Protocol::Tcp, local, remote, Port::new(443));
        let held = (0..taken).filter_map(|_| allocator.allocate(&key, 0).ok()).collect();
        Keyed { allocator, key, random: Xoshiro::seeded(seed), held }
    }

    fn pair(&mut self) {
        if let Ok(handle) = self.allocator.allocate(black_box(&self.key), 0) {
            let released = self.allocator.release(handle, 0);
            debug_assert!(released.is_ok());
        }
    }

    fn churn(&mut self) {
        let last = self.random.below(self.held.len() as u32) as usize;
        let released = self.allocator.release(self.held.swap_remove(last), 0);
        debug_assert!(released.is_ok());
        self.held.extend(self.allocator.allocate(&self.key, 0));
    }
}

struct OneSharedPool {
    pool: SharedPool,
    random: Xoshiro,
}

impl Contender for OneSharedPool {
    const NAME: &'static str = "shared pool, one thread";

    fn filled(taken: u32, seed: u64) -> Self {
        let (pool, mut random) = (SharedPool::new(PortRange::DYNAMIC), Xoshiro::seeded(seed));
        for _ in 0..taken {
            black_box(pool.allocate(&mut random));
        }
        OneSharedPool { pool, random }
    }

    fn pair(&mut self) {
        if let Some(lent) = self.pool.allocate(&mut self.random) {
            let released = self.pool.release(lent);
            debug_assert!(released.is_ok());
        }
    }

    fn churn(&mut self) {}
}

/// A random start on a bitmap, then word by word to the next free port: RFC 6056's first algorithm
/// as fast as it gets.
struct Bitmap {
    taken: Box<[u64; PORTS as usize / 64]>,
    random: Xoshiro,
}

impl Bitmap {
    fn next_free(&self, start: usize) -> Option<usize> {
        let (first, bit) = (start / 64, start % 64);
        let head = !self.taken[first] & (u64::MAX << bit);
        if head != 0 {
            return Some(first * 64 + head.trailing_zeros() as usize);
        }
        let words = self.taken.len();
        (1..=words).map(|step| (first + step) % words).find_map(|word| {
            let free = !self.taken[word];
            (free != 0).then(|| word * 64 + free.trailing_zeros() as usize)
        })
    }
}

impl Contender for Bitmap {
    const NAME: &'static str = "random start, by words";

    fn filled(taken: u32, seed: u64) -> Self {
        let mut random = Xoshiro::seeded(seed);
        let mut pool = Pool::new(PortRange::DYNAMIC);
        let mut bits = Box::new([0; PORTS as usize / 64]);
        for port in (0..taken).filter_map(|_| pool.take_any(&mut random)) {
            let index = usize::from(port.number() - 49152);
            bits[index / 64] |= 1_u64 << (index % 64);
        }
        Bitmap { taken: bits, random }
    }

    fn pair(&mut self) {
        let start = self.random.below(PORTS) as usize;
        if let Some(index) = self.next_free(start) {
            self.taken[index / 64] |= 1 << (index % 64);
            let index = black_box(index);
            self.taken[index / 64] &= !(1 << (index % 64));
        }
    }

    fn churn(&mut self) {
        // The taken port at or behind a random place goes, the next free one comes.
        let start = self.random.below(PORTS) as usize;
        let Some(came) = self.next_free(start) else { return };
        let bit = |index: usize| self.taken[index / 64] >> (index % 64) & 1 == 1;
        let all = PORTS as usize;
        let gone = (0..all).map(|step| (start + step) % all).find(|index| bit(*index));
        if let Some(gone) = gone {
            self.taken[gone / 64] &= !(1 << (gone % 64));
        }
        self.taken[came / 64] |= 1 << (came % 64);
    }
}

/// The same, port by port, as systems walk.
struct Stepping(Bitmap);

impl Contender for Stepping {
    const NAME: &'static str = "random start, by ports";

    fn filled(taken: u32, seed: u64) -> Self {
        Stepping(Bitmap::filled(taken, seed))
    }

    fn pair(&mut self) {
        let start = self.0.random.below(PORTS) as usize;
        for step in 0..PORTS as usize {
            let index = (start + step) % PORTS as usize;
            if self.0.taken[index / 64] >> (index % 64) & 1 == 0 {
                self.0.taken[index / 64] |= 1 << (index % 64);
                let index = black_box(index);
                self.0.taken[index / 64] &= !(1 << (index % 64));
                return;
            }
        }
    }

    fn churn(&mut self) {
        self.0.churn();
    }
}
