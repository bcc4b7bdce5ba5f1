//! How many guesses the best attacker needs for the next port, strategy by strategy.

use dayfly_alloc::predict::{
    best_possible, by_last_port, by_occupancy, expected_guesses, walk_weights,
};
use dayfly_alloc::strategy::LinuxVersion::{From4_6, From5_18};
use dayfly_alloc::strategy::{
    DoubleHash, FreeBsd, Illumos, LinuxBind, LinuxConnect, LinuxUdp, NetBsd, NetBsdAlgorithm,
    Netfilter, OldestFree, RandomIncrements, Request, Sequential, SimpleHash, SimpleRandom,
    SimpleRandomStart, Strategy, UniformFree,
};
use dayfly_alloc::{Key, Pool, Random, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};

use super::Measured;
use super::figure::Figure;

const WALK: &str =
    "Guesses for the next port of RFC 6056's algorithm 1, 16,384 ports, steady churn";
const ALL: &str = "Guesses for the next port, 2,048 ports, a quarter of them taken: 768.5 at best";

pub(super) fn measure() -> Measured {
    let mut figures = Vec::new();
    for (taken, at) in [(8_192, "50 %"), (14_745, "90 %"), (16_220, "99 %"), (16_368, "99.9 %")] {
        let best = best_possible(16_384 - taken);
        figures.push(Figure::new(WALK, "algorithm 1", at, walked(taken), "guesses"));
        figures.push(Figure::new(WALK, "uniform-free", at, best, "guesses"));
    }
    let range = PortRange::new(50_000, 52_047).map_err(|error| error.to_string())?;
    for (name, make) in STRATEGIES {
        let mut strategy = make(range);
        let mut random = Xoshiro::seeded(7);
        let mut pool = churned(strategy.as_mut(), range, &mut random);
        let known = by_occupancy(strategy.as_mut(), &pool, range, 400_000, &mut random);
        let last = by_last_port(strategy.as_mut(), &mut pool, 100_000, &mut random);
        figures.push(Figure::new(ALL, name, "knows what is free", known, "guesses"));
        figures.push(Figure::new(ALL, name, "knows the last port", last, "guesses"));
    }
    Ok(figures)
}

type Make = fn(PortRange) -> Box<dyn Strategy>;

const STRATEGIES: [(&str, Make); 19] = [
    ("uniform-free", |range| Box::new(UniformFree::new(range))),
    ("oldest-free", |range| Box::new(OldestFree::new(range, 1))),
    ("oldest-free among 256", |range| Box::new(OldestFree::new(range, 256))),
    ("RFC 6056 algorithm 1, gVisor", |range| Box::new(SimpleRandomStart::new(range))),
    ("RFC 6056 algorithm 2", |range| Box::new(SimpleRandom::new(range))),
    ("RFC 6056 algorithm 3", |range| Box::new(SimpleHash::new(range))),
    ("RFC 6056 algorithm 4, table of 10", |range| Box::new(DoubleHash::new(range, 10))),
    ("RFC 6056 algorithm 5, N = 500", |range| Box::new(RandomIncrements::new(range, 500))),
    ("sequential: BSD, XNU, lwIP", |range| Box::new(Sequential::from_random_place(range))),
    ("Linux connect, 4.6", |range| Box::new(LinuxConnect::new(range, From4_6, None))),
    ("Linux connect, 5.18", |range| Box::new(LinuxConnect::new(range, From5_18, None))),
    ("Linux connect, own range", |range| {
        Box::new(LinuxConnect::new(range, From5_18, None).with_own_range())
    }),
    ("Linux bind(0)", |range| Box::new(LinuxBind::new(range, false))),
    ("Linux UDP", |range| Box::new(LinuxUdp::new(range, 1 << 14))),
    ("netfilter", |range| Box::new(Netfilter::new(range))),
    ("FreeBSD", |range| Box::new(FreeBsd::new(range, true))),
    ("NetBSD bsd", |range| Box::new(NetBsd::new(range, NetBsdAlgorithm::Bsd))),
    ("NetBSD hash", |range| Box::new(NetBsd::new(range, NetBsdAlgorithm::Hash))),
    ("illumos", |range| Box::new(Illumos::new(range))),
];

/// A pool, a quarter full after the strategy has filled it and turned it over ten times.
fn churned(strategy: &mut dyn Strategy, range: PortRange, random: &mut Xoshiro) -> Pool {
    let mut pool = Pool::new(range);
    let mut taken = Vec::new();
    for _ in 0..11 * range.len() {
        if taken.len() as u32 >= range.len() / 4 {
            let port = taken.swap_remove(random.below(taken.len() as u32) as usize);
            pool.put(port);
            strategy.released(&key(), port);
        }
        let key = key();
        let picked = strategy.pick(&Request { key: &key, now: 0, free: &pool }, random);
        if let Some(port) = picked {
            pool.take(port);
            taken.push(port);
        }
    }
    pool
}

/// The guesses for algorithm 1 in the occupancy of its own making, exactly: the mean over many
/// moments of a steady churn.
fn walked(target: u32) -> f64 {
    let range = PortRange::DYNAMIC;
    let (mut pool, mut random) = (Pool::new(range), Xoshiro::seeded(1));
    let mut strategy = SimpleRandomStart::new(range);
    let (mut taken, mut sum, mut moments) = (Vec::new(), 0.0, 0);
    for step in 0..400_000 {
        if taken.len() as u32 >= target {
            let port = taken.swap_remove(random.below(taken.len() as u32) as usize);
            pool.put(port);
        }
        let key = key();
        let request = Request { key: &key, now: 0, free: &pool };
        if let Some(port) = strategy.pick(&request, &mut random) {
            pool.take(port);
            taken.push(port);
        }
        if step >= 200_000 && step % 2_000 == 0 {
            sum += expected_guesses(&walk_weights(&pool, range));
            moments += 1;
        }
    }
    sum / f64::from(moments)
}

fn key() -> Key {
    let (local, remote) = ([192, 0, 2, 1].into(), [198, 51, 100, 7].into());
    Key::new(Protocol::Tcp, local, remote, Port::new(443))
}
