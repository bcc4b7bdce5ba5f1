//! Two threads on different destinations next to one.

use std::net::Ipv4Addr;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use dayfly_alloc::{Config, Key, Sharded, SharedPool, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};

use super::Measured;
use super::figure::Figure;

const SECTION: &str = "Threads, half full: million pairs per second, best of 40 rounds in turns";
const ROUNDS: usize = 40;
const PAIRS: u32 = 100_000;

pub(super) fn measure() -> Measured {
    let front = Sharded::new(Config::new(PortRange::DYNAMIC), 64, Xoshiro::seeded);
    // Half full, as a busy destination is.
    for thread in 0..2 {
        for _ in 0..8_192 {
            front.allocate(&key(thread), 0).map_err(|error| error.to_string())?;
        }
    }
    let pools = [(); 2].map(|()| SharedPool::new(PortRange::DYNAMIC));
    let mut best = [[0.0_f64; 2]; 3];
    for _ in 0..ROUNDS {
        for threads in 1..=2 {
            let of_shards = rate(threads, |thread| {
                let (front, key) = (&front, key(thread));
                move || {
                    if let Ok(handle) = front.allocate(&key, 0) {
                        std::hint::black_box(front.release(handle, 0).is_ok());
                    }
                }
            });
            let lend = |pool| {
                let mut random = Xoshiro::seeded(1);
                move || {
                    let pool: &SharedPool = pool;
                    if let Some(lent) = pool.allocate(&mut random) {
                        std::hint::black_box(pool.release(lent).is_ok());
                    }
                }
            };
            let of_pools = rate(threads, |thread| lend(&pools[thread as usize]));
            let of_one_pool = rate(threads, |_| lend(&pools[0]));
            for (best, rate) in best.iter_mut().zip([of_shards, of_pools, of_one_pool]) {
                let best = &mut best[threads as usize - 1];
                *best = best.max(rate);
            }
        }
    }
    let names = ["sharded", "a shared pool for each thread", "one shared pool for all threads"];
    let mut figures = Vec::new();
    for (what, rates) in names.into_iter().zip(best) {
        for (at, rate) in ["1 thread", "2 threads"].into_iter().zip(rates) {
            figures.push(Figure::new(SECTION, what, at, rate, ""));
        }
        figures.push(Figure::new(SECTION, what, "gain", rates[1] / rates[0], ""));
    }
    Ok(figures)
}

/// Million pairs per second of all threads together, from the moment when all are ready until the
/// last one is done.
fn rate<W: FnMut() + Send>(threads: u32, work: impl Fn(u32) -> W) -> f64 {
    let ready = Barrier::new(threads as usize + 1);
    let elapsed = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|thread| {
                let (mut pair, ready) = (work(thread), &ready);
                scope.spawn(move || {
                    ready.wait();
                    let start = Instant::now();
                    for _ in 0..PAIRS {
                        pair();
                    }
                    (start, Instant::now())
                })
            })
            .collect();
        ready.wait();
        let times: Vec<(Instant, Instant)> =
            workers.into_iter().filter_map(|worker| worker.join().ok()).collect();
        let first = times.iter().map(|(start, _)| *start).min();
        let last = times.iter().map(|(_, end)| *end).max();
        first.zip(last).map_or(f64::INFINITY, |(first, last)| (last - first).as_secs_f64())
    });
    f64::from(threads * PAIRS) / elapsed / 1e6
}

/// A destination of the thread's own. The shards' seed is fixed, and so is that these two differ.
fn key(thread: u32) -> Key {
    let remote = Ipv4Addr::from_bits(0xC633_6400 + thread * 7919).into();
    let local = Ipv4Addr::from_bits(0xC000_0201 + thread).into();
    Key::new(Protocol::Tcp, local, remote, Port::new(443))
}
