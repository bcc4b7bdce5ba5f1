//! Many destinations with few connections each, touched at random; and what connections weigh.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::Instant;

use dayfly_alloc::{Allocator, Config, Handle, Key, Random, Usage, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};

use super::Measured;
use super::figure::Figure;

const COLD: &str = "Many destinations, touched at random: best of 7 rounds";
const WEIGHT: &str = "What a connection weighs";
const DESTINATIONS: u32 = 100_000;
const CONNECTIONS: u32 = 1_000_000;
const ROUNDS: usize = 7;
const TOUCHES: u32 = 50_000;

pub(super) fn measure() -> Measured {
    let exhausted = |error| format!("an allocation failed: {error}");
    let mut random = Xoshiro::seeded(1);
    let mut allocator = Allocator::new(Config::new(PortRange::DYNAMIC), Xoshiro::seeded(2));
    let mut handles: Vec<Handle> = Vec::with_capacity(CONNECTIONS as usize);
    for _ in 0..CONNECTIONS {
        let key = destination(random.below(DESTINATIONS));
        handles.push(allocator.allocate(&key, 0).map_err(exhausted)?);
    }
    let weight = |usage: Usage| {
        let bytes = usage.sparse_bytes + usage.bitmap_bytes + usage.shared_bytes;
        bytes as f64 / usage.connections as f64
    };
    let spread = weight(allocator.usage());
    // Half the rounds' worth of pure allocation, half of release, so that the load stays.
    let (mut allocate, mut release) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let targets: Vec<u32> = (0..TOUCHES).map(|_| random.below(DESTINATIONS)).collect();
        let start = Instant::now();
        for target in targets {
            handles.push(allocator.allocate(&destination(target), 0).map_err(exhausted)?);
        }
        allocate.push(start.elapsed().as_nanos() as f64 / f64::from(TOUCHES));
        let doomed: Vec<Handle> = (0..TOUCHES)
            .map(|_| handles.swap_remove(random.below(handles.len() as u32) as usize))
            .collect();
        let start = Instant::now();
        for handle in doomed {
            black_box(allocator.release(handle, 0).is_ok());
        }
        release.push(start.elapsed().as_nanos() as f64 / f64::from(TOUCHES));
    }
    let best = |times: Vec<f64>| times.into_iter().fold(f64::INFINITY, f64::min);
    let mut one = Allocator::new(Config::new(wide()?), Xoshiro::seeded(3));
    while one.allocate(&destination(0), 0).is_ok() {}
    let at = "100,000 destinations";
    Ok(vec![
        Figure::new(COLD, "cold allocation", at, best(allocate), "ns"),
        Figure::new(COLD, "cold release", at, best(release), "ns"),
        Figure::new(WEIGHT, "bytes per connection", "1,000,000 to 100,000", spread, "bytes"),
        Figure::new(WEIGHT, "bytes per connection", "64,512 to one", weight(one.usage()), "bytes"),
    ])
}

fn wide() -> Result<PortRange, String> {
    PortRange::new(1024, 65535).map_err(|error| error.to_string())
}

fn destination(number: u32) -> Key {
    let remote = Ipv4Addr::from_bits(0x0A00_0000 + number).into();
    Key::new(Protocol::Tcp, [192, 0, 2, 1].into(), remote, Port::new(443))
}
