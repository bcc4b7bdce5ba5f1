//! The netfilter strategy next to netfilter: both fill a range until they give up with ports free.

#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]
#![expect(clippy::disallowed_methods, reason = "the crate is pure; its test asks the kernel")]

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use dayfly_alloc::strategy::{Netfilter, Request, Strategy};
use dayfly_alloc::{Key, Pool, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};
use dayfly_testkit::{Namespace, needs, privileged};

const RUNS: u16 = 16;
const RULES: &str = "add table ip nat; \
    add chain ip nat out { type nat hook postrouting priority srcnat; }; \
    add rule ip nat out udp dport 5300-5399 snat to 127.0.0.1:40000-40999";

fn range() -> PortRange {
    PortRange::new(40000, 40999).unwrap()
}

/// How many of the range's ports flows to one destination get before the first one is dropped.
fn kernel(run: u16) -> usize {
    let destination = SocketAddr::from((Ipv4Addr::LOCALHOST, 5300 + run));
    let server = UdpSocket::bind(destination).unwrap();
    server.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut seen = BTreeSet::new();
    for source in 0..=1000 {
        // Each flow from a port of its own: conntrack remembers it when the socket is closed.
        let local = (Ipv4Addr::LOCALHOST, 10_000 + run * 1_100 + source);
        let client = UdpSocket::bind(local).unwrap();
        if let Err(error) = client.send_to(b"?", destination) {
            assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied, "netfilter drops it");
            break;
        }
        let mapped = server.recv_from(&mut [0; 8]).unwrap().1.port();
        assert!(range().contains(Port::new(mapped)));
        assert!(seen.insert(mapped), "{mapped} serves two flows to one destination");
    }
    seen.len()
}

fn model(seed: u64) -> usize {
    let (mut pool, mut random) = (Pool::new(range()), Xoshiro::seeded(seed));
    let local = Ipv4Addr::LOCALHOST.into();
    let key = Key::new(Protocol::Udp, local, local, Port::new(5300));
    let mut strategy = Netfilter::new(range());
    while let Some(port) = strategy.pick(&Request { key: &key, now: 0, free: &pool }, &mut random) {
        pool.take(port);
    }
    1000 - pool.free() as usize
}

fn mean_and_deviation(counts: &[usize]) -> (f64, f64) {
    let count = counts.len() as f64;
    let mean = counts.iter().sum::<usize>() as f64 / count;
    let squares: f64 = counts.iter().map(|got| (*got as f64 - mean).powi(2)).sum();
    (mean, (squares / count).sqrt())
}

#[test]
fn both_give_up_at_the_same_occupancy() {
    privileged!();
    needs!("nft", "nftables");
    let namespace = Namespace::new();
    assert!(namespace.command("nft").arg(RULES).status().unwrap().success());
    let kernel: Vec<usize> = namespace.run(|| (0..RUNS).map(kernel).collect());
    let model: Vec<usize> = (0..400).map(model).collect();
    let (expected, deviation) = mean_and_deviation(&model);
    let (got, _) = mean_and_deviation(&kernel);
    assert!(expected < 999.0, "the strategy gives up with ports free: {expected}");
    let allowed = 4.0 * deviation / f64::from(RUNS).sqrt();
    assert!((got - expected).abs() < allowed, "{kernel:?}, expected {expected} +- {deviation}");
}
