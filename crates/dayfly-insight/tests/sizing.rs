//! The planner's formulas next to simulations with dayfly-alloc's ports and strategies.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use dayfly_alloc::strategy::{Netfilter, Request, Strategy};
use dayfly_alloc::{Key, Pool, Random, Xoshiro};
use dayfly_insight::nat::failure_probability;
use dayfly_insight::sizing::poisson::{blocked, quantile};
use dayfly_ports::{Port, PortRange, Protocol};

/// A draw from the exponential distribution with mean 1.
fn exponential(random: &mut Xoshiro) -> f64 {
    -(1.0 - random.next_u64() as f64 / u64::MAX as f64).max(1e-300).ln()
}

/// Openings at random that hold a port for `held` on average: the share that finds none, and the
/// share of moments with more than `line` ports in use.
fn simulate(mean: f64, ports: u16, constant: bool, line: u64) -> (f64, f64) {
    let mut random = Xoshiro::seeded(7);
    let mut pool = Pool::new(PortRange::new(1, ports).unwrap());
    let mut ends: Vec<(f64, Port)> = Vec::new();
    let (mut now, mut failed, mut above, mut all) = (0.0, 0_u32, 0_u32, 0_u32);
    for opening in 0..400_000_u32 {
        now += exponential(&mut random) / mean;
        ends.retain(|(end, port)| {
            if *end <= now {
                pool.put(*port);
            }
            *end > now
        });
        let used = u64::from(u32::from(ports) - pool.free());
        let port = pool.take_any(&mut random);
        // The beginning, until as many end as begin.
        if opening > 40_000 {
            all += 1;
            failed += u32::from(port.is_none());
            above += u32::from(used > line);
        }
        if let Some(port) = port {
            ends.push((now + if constant { 1.0 } else { exponential(&mut random) }, port));
        }
    }
    (f64::from(failed) / f64::from(all), f64::from(above) / f64::from(all))
}

#[test]
fn losses_are_those_of_erlangs_formula() {
    for (mean, ports, constant) in [(30.0, 30, false), (30.0, 30, true), (45.0, 30, true)] {
        let (failed, _) = simulate(mean, ports, constant, 0);
        let expected = blocked(mean, ports.into());
        assert!((failed / expected - 1.0).abs() < 0.05, "{mean} {ports}: {failed} for {expected}");
    }
}

#[test]
fn the_busy_moments_are_as_many_as_said() {
    let line = quantile(60.0, 0.99);
    for constant in [false, true] {
        let (_, above) = simulate(60.0, 200, constant, line);
        // At most one in a hundred, and with one port fewer it would be more.
        assert!((0.003..=0.012).contains(&above), "{above} above {line}");
    }
}

#[test]
fn netfilter_fails_as_often_as_said() {
    let range = PortRange::new(1024, 65535).unwrap();
    let mut random = Xoshiro::seeded(3);
    let local = [192, 0, 2, 1].into();
    let key = Key::new(Protocol::Udp, local, local, Port::new(53));
    let (mut failed, mut tries, mut said) = (0_u32, 0_u32, 0.0);
    // How free ports happen to lie decides as much as the draws do.
    for _ in 0..30 {
        let mut pool = Pool::new(range);
        while f64::from(pool.free()) > f64::from(range.len()) * 0.015 {
            pool.take_any(&mut random).unwrap();
        }
        said = failure_probability(range.len(), range.len() - pool.free());
        let mut strategy = Netfilter::new(range);
        for _ in 0..2_000 {
            let request = Request { key: &key, now: 0, free: &pool };
            failed += u32::from(strategy.pick(&request, &mut random).is_none());
            tries += 1;
        }
    }
    let found = f64::from(failed) / f64::from(tries);
    assert!((found / said - 1.0).abs() < 0.15, "{found} for {said}");
}
