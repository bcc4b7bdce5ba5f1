//! A carrier NAT: subscribers get blocks of ports on one external address, connections keep their
//! port where they can, and a port rests for four minutes after its connection (RFC 7857 section
//! 2.2). `cargo run -p dayfly-alloc --example nat`

#![expect(clippy::disallowed_macros, reason = "an example shows what it does")]

use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use dayfly_alloc::{Allocator, Blocks, Config, Handle, Key, Options, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};

/// Inside address and port, and the destination.
type Flow = (SocketAddr, SocketAddr);

struct Nat {
    external: IpAddr,
    ports: Allocator<Xoshiro>,
    blocks: Blocks,
    random: Xoshiro,
    flows: HashMap<Flow, Handle>,
}

impl Nat {
    fn new(external: IpAddr, seed: u64) -> Result<Self, Box<dyn Error>> {
        let range = PortRange::new(1024, 65535)?;
        let config = Config { hold: 240, ..Config::new(range) };
        Ok(Nat {
            external,
            ports: Allocator::new(config, Xoshiro::seeded(seed)),
            // 126 subscribers can have a block of 512 ports; each may have two.
            blocks: Blocks::new(range, 512, 2),
            random: Xoshiro::seeded(seed ^ 1),
            flows: HashMap::new(),
        })
    }

    /// The external address and port of a flow: the one it has, or a new one.
    fn outbound(&mut self, flow: Flow, now: u64) -> Result<SocketAddr, Box<dyn Error>> {
        if let Some(handle) = self.flows.get(&flow) {
            return Ok(SocketAddr::new(self.external, handle.port().number()));
        }
        let (inside, to) = flow;
        let key = Key::new(Protocol::Tcp, self.external, to.ip(), Port::new(to.port()));
        let subscriber = subscriber_of(inside.ip());
        let handle = loop {
            // A port from any of the subscriber's blocks; if there is none, one more block.
            let blocks: Vec<PortRange> = self.blocks.of(subscriber).collect();
            let found = blocks.into_iter().find_map(|block| {
                let options = Options {
                    preferred: Some(Port::new(inside.port())),
                    within: Some(block),
                    ..Options::default()
                };
                self.ports.allocate_with(&key, now, &options).ok()
            });
            match found {
                Some(handle) => break handle,
                None => {
                    self.blocks.assign(subscriber, &mut self.random)?;
                }
            }
        };
        self.flows.insert(flow, handle);
        Ok(SocketAddr::new(self.external, handle.port().number()))
    }

    /// The connection has ended.
    fn ended(&mut self, flow: Flow, now: u64) -> Result<(), Box<dyn Error>> {
        match self.flows.remove(&flow) {
            Some(handle) => Ok(self.ports.release(handle, now)?),
            None => Ok(()),
        }
    }
}

fn subscriber_of(inside: IpAddr) -> u64 {
    match inside {
        IpAddr::V4(four) => four.to_bits().into(),
        IpAddr::V6(six) => (six.to_bits() >> 64) as u64,
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let seed = RandomState::new().hash_one("nat");
    let mut nat = Nat::new(Ipv4Addr::new(203, 0, 113, 1).into(), seed)?;
    let server = SocketAddr::from(([198, 51, 100, 7], 443));
    let mut outside = Vec::new();
    for client in 1..=3 {
        for port in [40000, 40001] {
            let inside = SocketAddr::from(([100, 64, 0, client], port));
            let mapped = nat.outbound((inside, server), 0)?;
            println!("{inside} -> {server} leaves as {mapped}");
            let owner = nat.blocks.owner(Port::new(mapped.port()));
            assert_eq!(owner, Some(subscriber_of(inside.ip())), "the block says whose it is");
            outside.push(mapped);
        }
    }
    outside.sort();
    outside.dedup();
    assert_eq!(outside.len(), 6, "no two flows to one server share a port");

    // A subscriber that opens too many connections to one server meets its own limit.
    let mut opened = 0;
    let refused = loop {
        let inside = SocketAddr::from(([100, 64, 0, 9], 1024 + opened));
        match nat.outbound((inside, server), 1) {
            Ok(_) => opened += 1,
            Err(error) => break error,
        }
    };
    println!("100.64.0.9 opened {opened} connections; then: {refused}");
    assert_eq!(opened, 1024);

    // Ports rest for four minutes.
    let (inside, flow) = (SocketAddr::from(([100, 64, 0, 9], 1024)), server);
    nat.ended((inside, flow), 60)?;
    assert!(nat.outbound((inside, flow), 299).is_err());
    println!("after four minutes it leaves as {}", nat.outbound((inside, flow), 300)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn runs() {
        super::main().unwrap();
    }
}
