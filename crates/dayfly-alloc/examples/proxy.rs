//! A proxy's outgoing pool: several worker threads, three source addresses, two upstreams. The pool
//! picks the source address with the most room to that upstream, so that the addresses fill up
//! evenly. `cargo run -p dayfly-alloc --example proxy`
//!
//! On Linux a proxy hands the result to the kernel as bind(address, 0) with
//! IP_BIND_ADDRESS_NO_PORT and an IP_LOCAL_PORT_RANGE of just that port: an explicit bind() would
//! block the port for all other destinations.

#![expect(clippy::disallowed_macros, reason = "an example shows what it does")]

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::thread;

use dayfly_alloc::{Config, Exhausted, Key, Sharded, ShardedHandle, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};

struct OutgoingPool {
    sources: Vec<IpAddr>,
    ports: Sharded<Xoshiro>,
}

/// Where a connection to an upstream starts.
struct Source {
    address: SocketAddr,
    handle: ShardedHandle,
}

impl OutgoingPool {
    fn open(&self, upstream: SocketAddr, now: u64) -> Result<Source, Exhausted> {
        let key = |source: IpAddr| {
            Key::new(Protocol::Tcp, source, upstream.ip(), Port::new(upstream.port()))
        };
        let mut by_room: Vec<(u32, IpAddr)> = self
            .sources
            .iter()
            .map(|source| (self.ports.free_count(&key(*source), now), *source))
            .collect();
        by_room.sort_by(|a, b| b.cmp(a));
        // The count may be out of date by the time the port is asked for: try the next address.
        let mut error = Exhausted { held: 0 };
        for (_, source) in by_room {
            match self.ports.allocate(&key(source), now) {
                Ok(handle) => {
                    let address = SocketAddr::new(source, handle.port().number());
                    return Ok(Source { address, handle });
                }
                Err(full) => error.held += full.held,
            }
        }
        Err(error)
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let seed = RandomState::new().hash_one("proxy");
    let config = Config { hold: 60, ..Config::new(PortRange::new(40000, 40999)?) };
    let pool = OutgoingPool {
        sources: (1..=3).map(|last| [192, 0, 2, last].into()).collect(),
        ports: Sharded::new(config, 16, |shard| Xoshiro::seeded(seed ^ shard)),
    };
    let upstreams = ["198.51.100.1:443".parse()?, "198.51.100.2:443".parse()?];
    // Each worker keeps 700 connections to each upstream: 2,800 of the 3,000 that there are.
    let opened: Vec<(SocketAddr, SocketAddr)> = thread::scope(|scope| {
        let work = || {
            let open = |upstream| pool.open(upstream, 0).ok().map(|from| (from.address, upstream));
            (0..700).flat_map(|_| upstreams.iter().filter_map(|to| open(*to))).collect::<Vec<_>>()
        };
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).flatten().collect()
    });
    let mut tuples = opened.clone();
    tuples.sort();
    tuples.dedup();
    assert_eq!((opened.len(), tuples.len()), (5600, 5600), "every connection is its own tuple");
    for upstream in upstreams {
        for source in &pool.sources {
            let key = Key::new(Protocol::Tcp, *source, upstream.ip(), Port::new(upstream.port()));
            let free = pool.ports.free_count(&key, 0);
            println!("{source} -> {upstream}: {free} ports free");
            assert!((40..=95).contains(&free), "the addresses fill up evenly");
        }
    }

    // What is closed rests for a minute, and the pool says so when it runs out.
    let mut last = pool.open(upstreams[0], 1)?;
    while let Ok(next) = pool.open(upstreams[0], 1) {
        last = next;
    }
    pool.ports.release(last.handle, 2)?;
    match pool.open(upstreams[0], 3) {
        Ok(source) => println!("connected from {}", source.address),
        Err(full) => println!("at second 3: {full}"),
    }
    println!("at second 62: from {}", pool.open(upstreams[0], 62)?.address);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn runs() {
        super::main().unwrap();
    }
}
