//! How well ports can be guessed: the number of guesses that the best attacker needs on average.
//!
//! Two attackers, neither of whom knows a secret. [`by_occupancy`] knows which ports are free and
//! guesses the likeliest first: it sees through strategies that prefer the port behind a run of taken
//! ones. [`by_last_port`] knows the port that the destination was given last and guesses the likeliest
//! distance first: it sees through counters.
//!
//! The figure to compare with is half the free ports, [`best_possible`]: no strategy that uses every
//! free port can cost an attacker more.

use alloc::vec;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr};

use dayfly_ports::{Port, PortRange, Protocol};

use crate::strategy::{Request, Strategy};
use crate::{Availability, Key, Pool, Random};

/// The guesses an attacker needs who tries outcomes in the order of their weights: the mean over
/// all outcomes, each as likely as its weight says. 0 without weights.
#[must_use]
pub fn expected_guesses(weights: &[f64]) -> f64 {
    let mut weights = weights.to_vec();
    weights.sort_by(|a, b| b.total_cmp(a));
    let total: f64 = weights.iter().sum();
    let mut guesses = 0.0;
    for (rank, weight) in weights.iter().enumerate() {
        guesses += (rank + 1) as f64 * weight;
    }
    if total > 0.0 { guesses / total } else { 0.0 }
}

/// What no strategy that uses every free port can exceed: all of them are equally likely.
#[must_use]
pub fn best_possible(free: u32) -> f64 {
    (f64::from(free) + 1.0) / 2.0
}

/// How likely each port is under a random start and a walk upwards (RFC 6056 algorithm 1): a port
/// gets one share for itself and one for each taken port right below it. One weight for each port
/// of the range, ascending; they sum to its length, or to 0 if no port is free.
#[must_use]
pub fn walk_weights(free: &dyn Availability, range: PortRange) -> Vec<f64> {
    let mut weights = vec![0.0; range.len() as usize];
    let is_free: Vec<bool> = range.iter().map(|port| free.is_free(port)).collect();
    let Some(last_free) = is_free.iter().rposition(|free| *free) else { return weights };
    // The walk wraps, so the taken ports behind the last free one count for the first.
    let mut run = (is_free.len() - 1 - last_free) as f64;
    for (weight, free) in weights.iter_mut().zip(is_free) {
        run += 1.0;
        if free {
            *weight = run;
            run = 0.0;
        }
    }
    weights
}

/// The guesses of an attacker who knows which ports are free, from `samples` picks for as many
/// destinations. Needs some hundred samples for each free port.
pub fn by_occupancy(
    strategy: &mut dyn Strategy,
    free: &dyn Availability,
    range: PortRange,
    samples: u32,
    random: &mut dyn Random,
) -> f64 {
    let mut weights = vec![0.0; range.len() as usize];
    for _ in 0..samples {
        let remote = Ipv4Addr::from_bits(random.next_u32());
        let key = key(remote.into());
        let picked = strategy.pick(&Request { key: &key, now: 0, free }, random);
        if let Some(port) = picked {
            weights[usize::from(port.number() - range.low().number())] += 1.0;
        }
    }
    expected_guesses(&weights)
}

/// The guesses of an attacker who knows the last port, from `samples` connections to one
/// destination that come and go while `pool` stays as full as it is.
///
/// Before each connection a taken port, drawn at random, is given back. The attacker counts free
/// ports upwards from the last port and tries the distances in the order of how often they occur.
pub fn by_last_port(
    strategy: &mut dyn Strategy,
    pool: &mut Pool,
    samples: u32,
    random: &mut dyn Random,
) -> f64 {
    let range = pool.range();
    let key = key([198, 51, 100, 7].into());
    let mut taken: Vec<Port> = range.iter().filter(|port| !pool.is_free(*port)).collect();
    let mut weights = vec![0.0; range.len() as usize];
    let mut last: Option<Port> = None;
    for _ in 0..samples {
        if !taken.is_empty() {
            let port = taken.swap_remove(random.below(taken.len() as u32) as usize);
            pool.put(port);
            strategy.released(&key, port);
        }
        let picked = strategy.pick(&Request { key: &key, now: 0, free: pool }, random);
        let Some(port) = picked else { continue };
        if let Some(last) = last {
            weights[free_between(pool, last, port) as usize] += 1.0;
        }
        last = Some(port);
        pool.take(port);
        taken.push(port);
    }
    expected_guesses(&weights)
}

/// The free ports above `from` and below `to`, counted upwards with a wrap.
fn free_between(pool: &Pool, from: Port, to: Port) -> u32 {
    let below = |port: Port| {
        let low = pool.range().low();
        let span =
            port.number().checked_sub(1).and_then(|end| PortRange::new(low.number(), end).ok());
        span.map_or(0, |span| span.iter().filter(|port| pool.is_free(*port)).count() as u32)
    };
    let (start, end) = (below(from) + u32::from(pool.is_free(from)), below(to));
    if end >= start { end - start } else { end + pool.free() - start }
}

fn key(remote: IpAddr) -> Key {
    Key::new(Protocol::Tcp, [192, 0, 2, 1].into(), remote, Port::new(443))
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use crate::Xoshiro;
    use crate::strategy::{RandomIncrements, Sequential, SimpleRandomStart, UniformFree};

    #[test]
    fn guesses_of_known_distributions() {
        assert_eq!(expected_guesses(&[]), 0.0);
        assert_eq!(expected_guesses(&[0.0, 5.0, 0.0]), 1.0);
        assert_eq!(expected_guesses(&[1.0; 99]), 50.0);
        assert_eq!(best_possible(99), 50.0);
        assert_eq!(expected_guesses(&[1.0, 3.0]), 1.25);
    }

    #[test]
    fn a_walk_prefers_the_port_behind_a_run() {
        let range = PortRange::new(100, 107).unwrap();
        let mut pool = Pool::new(range);
        for port in [100, 103, 104, 107] {
            pool.take(Port::new(port));
        }
        assert_eq!(walk_weights(&pool, range), [0.0, 3.0, 1.0, 0.0, 0.0, 3.0, 1.0, 0.0]);
        for port in range.iter() {
            pool.take(port);
        }
        assert_eq!(walk_weights(&pool, range), [0.0; 8]);
    }

    /// Random start over 16,384 ports under steady churn, against figures published for it. The
    /// occupancies are those of its own making: runs grow because walks fill them up.
    #[test]
    fn random_start_is_as_predictable_as_simulations_say() {
        let table =
            [(0.5, 2560.0, 4096.0), (0.9, 294.0, 820.0), (0.99, 19.0, 82.0), (0.999, 3.0, 9.0)];
        for (occupancy, walked, uniform) in table {
            let mut random = Xoshiro::seeded(11);
            let (pool, taken) = (&mut Pool::new(PortRange::DYNAMIC), &mut Vec::new());
            let target = (16384.0 * occupancy) as usize;
            let mut strategy = SimpleRandomStart::new(PortRange::DYNAMIC);
            let key = key([198, 51, 100, 7].into());
            let mut guesses = Vec::new();
            for step in 0..150_000 {
                if taken.len() >= target {
                    let port: Port = taken.swap_remove(random.below(taken.len() as u32) as usize);
                    pool.put(port);
                }
                let picked =
                    strategy.pick(&Request { key: &key, now: 0, free: pool }, &mut random).unwrap();
                pool.take(picked);
                taken.push(picked);
                if step >= 70_000 && step % 4_000 == 0 {
                    guesses.push(expected_guesses(&walk_weights(pool, PortRange::DYNAMIC)));
                }
            }
            let mean = guesses.iter().sum::<f64>() / guesses.len() as f64;
            assert!((mean / walked - 1.0).abs() < 0.35, "{occupancy}: {mean} for {walked}");
            let best = best_possible(16384 - target as u32);
            assert!((best / uniform - 1.0).abs() < 0.1, "{occupancy}: {best} for {uniform}");
        }
    }

    #[test]
    fn counters_give_themselves_away_and_uniform_does_not() {
        let range = PortRange::new(50000, 50255).unwrap();
        let mut random = Xoshiro::seeded(5);
        let mut measure = |strategy: &mut dyn Strategy| {
            let mut pool = Pool::new(range);
            for _ in 0..128 {
                pool.take_any(&mut random);
            }
            by_last_port(strategy, &mut pool, 20_000, &mut random)
        };
        assert!(measure(&mut Sequential::from_random_place(range)) < 1.5);
        assert!(measure(&mut RandomIncrements::new(range, 20)) < 15.0);
        assert!(measure(&mut UniformFree::new(range)) > 58.0, "half of 129 at best");
        let range = PortRange::new(50000, 50999).unwrap();
        let mut pool = Pool::new(range);
        for port in 50000..50900 {
            pool.take(Port::new(port));
        }
        let mut guess =
            |strategy: &mut dyn Strategy| by_occupancy(strategy, &pool, range, 50_000, &mut random);
        // A run of 900 makes the port behind it 901 times as likely as each of the other 99.
        assert!(guess(&mut SimpleRandomStart::new(range)) < 7.0);
        assert!(guess(&mut UniformFree::new(range)) > 48.0);
    }
}
