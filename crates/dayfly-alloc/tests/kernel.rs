//! The Linux strategies next to Linux: what holds for the one has to hold for the other.

#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};

use dayfly_alloc::strategy::{LinuxBind, LinuxConnect, LinuxUdp, LinuxVersion, Request, Strategy};
use dayfly_alloc::{Key, Pool, Xoshiro};
use dayfly_ports::{Port, PortRange, PortSet, Protocol};
use dayfly_testkit::{Namespace, Server, SocketOptions, drain, drain_bind, privileged};

const TCP: SocketOptions = SocketOptions::tcp();

/// A namespace with this range and a server on every loopback address, port 80.
struct Ground {
    namespace: Namespace,
    range: PortRange,
    _server: Server,
}

impl Ground {
    fn new(low: u16, high: u16) -> Ground {
        let namespace = Namespace::new();
        namespace.sysctl("net.ipv4.ip_local_port_range", &format!("{low} {high}"));
        let server =
            namespace.run(|| Server::open(&TCP, SocketAddr::from(([0, 0, 0, 0], 80))).unwrap());
        Ground { namespace, range: PortRange::new(low, high).unwrap(), _server: server }
    }

    /// The ports of connections that are closed before the next one is opened.
    fn one_by_one(&self, options: SocketOptions, destinations: &[SocketAddr]) -> Vec<u16> {
        self.namespace
            .run(|| destinations.iter().map(|to| options.connect(*to).unwrap().port()).collect())
    }
}

fn destination(number: u32) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::from_bits(0x7F01_0000 + number), 80))
}

fn key(destination: SocketAddr) -> Key {
    let local = Ipv4Addr::LOCALHOST.into();
    Key::new(Protocol::Tcp, local, destination.ip(), Port::new(destination.port()))
}

/// What the strategy picks for each destination, without anything being taken.
fn picks(strategy: &mut dyn Strategy, free: &PortSet, destinations: &[SocketAddr]) -> Vec<u16> {
    let mut random = Xoshiro::seeded(1);
    let mut pick = |to: &SocketAddr| {
        let key = key(*to);
        strategy.pick(&Request { key: &key, now: 0, free }, &mut random).unwrap().number()
    };
    destinations.iter().map(&mut pick).collect()
}

/// What the strategy picks until nothing is left.
fn exhaust(strategy: &mut dyn Strategy, range: PortRange) -> Vec<u16> {
    let (mut pool, mut random) = (Pool::new(range), Xoshiro::seeded(1));
    let key = key(destination(0));
    let mut ports = Vec::new();
    while let Some(port) = strategy.pick(&Request { key: &key, now: 0, free: &pool }, &mut random) {
        pool.take(port);
        ports.push(port.number());
    }
    ports
}

/// How many ports come before the first one of the other parity than that of `like`.
fn before_other_parity(ports: &[u16], like: u16) -> usize {
    ports.iter().take_while(|port| **port % 2 == like % 2).count()
}

/// The distances from port to port, upwards with a wrap, in ports of the range.
fn steps(ports: &[u16], range: PortRange) -> BTreeMap<u32, usize> {
    let mut steps = BTreeMap::new();
    for pair in ports.windows(2) {
        let step = (u32::from(pair[1]) + range.len() - u32::from(pair[0])) % range.len();
        *steps.entry(step).or_insert(0) += 1;
    }
    steps
}

fn mean(steps: &BTreeMap<u32, usize>) -> f64 {
    let (sum, count) = steps
        .iter()
        .fold((0, 0), |(sum, count), (step, times)| (sum + *step as usize * times, count + times));
    sum as f64 / count as f64
}

#[test]
fn connect_uses_up_one_parity_first() {
    privileged!();
    for (low, high) in [(40000, 40399), (40001, 40400), (40000, 40000), (40000, 40002)] {
        let ground = Ground::new(low, high);
        let kernel = ground.namespace.run(|| drain(&TCP, destination(1)).ports().to_vec());
        let model = exhaust(
            &mut LinuxConnect::new(ground.range, LinuxVersion::From5_18, None),
            ground.range,
        );
        assert_eq!(kernel.len(), model.len(), "{low}-{high}");
        assert_eq!(before_other_parity(&kernel, low), before_other_parity(&model, low));
        let sorted = |ports: &[u16]| ports.iter().copied().collect::<BTreeSet<u16>>();
        assert_eq!(sorted(&kernel), sorted(&model));
    }
}

/// Steps of 2 to 16 with a mean of 9: of 14,116 ports, one returns after 3,137 connections on
/// average and never before 1,764.
#[test]
fn connect_moves_by_as_much_as_the_kernel() {
    privileged!();
    let ground = Ground::new(32768, 60999);
    // The kernel's table of counters is one for all namespaces: a destination of this test's own.
    let destinations = vec![destination(50_000); 3000];
    let free = PortSet::from(ground.range);
    for (options, own_range, allowed) in [
        (TCP, false, (1..=8).map(|step| 2 * step).collect::<BTreeSet<u32>>()),
        (TCP.local_port_range(32768, 60999), true, (1..=8).collect()),
    ] {
        let mut kernel = steps(&ground.one_by_one(options, &destinations), ground.range);
        // The secret changes every ten seconds, which is one jump or, on a slow machine, a few.
        let jumps: usize =
            kernel.extract_if(.., |step, _| *step > 16).map(|(_, times)| times).sum();
        assert!(jumps <= 5, "{jumps} jumps");
        let strategy = LinuxConnect::new(ground.range, LinuxVersion::From5_18, None);
        let mut strategy = if own_range { strategy.with_own_range() } else { strategy };
        let model = steps(&picks(&mut strategy, &free, &destinations), ground.range);
        let seen: BTreeSet<u32> = kernel.keys().copied().collect();
        assert_eq!(seen, allowed);
        assert_eq!(model.keys().copied().collect::<BTreeSet<u32>>(), allowed);
        let ratio = mean(&kernel) / mean(&model);
        assert!((0.93..1.07).contains(&ratio), "{} and {}", mean(&kernel), mean(&model));
    }
}

/// 400 reserved ports of 1,000 send 40 % of the connections to the one port behind them.
#[test]
fn a_hole_piles_connections_up_behind_it() {
    privileged!();
    let ground = Ground::new(40000, 40999);
    ground.namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40300-40699");
    // Destinations of this run's own: what an earlier run sent past the hole stays past it until
    // the secret changes.
    let first = 0x1_0000 + std::process::id() % 3_000 * 4_096;
    let destinations: Vec<SocketAddr> = (first..first + 4000).map(destination).collect();
    let mut free = PortSet::from(ground.range);
    free -= &"40300-40699".parse().unwrap();
    let kernel = ground.one_by_one(TCP, &destinations);
    let mut strategy = LinuxConnect::new(ground.range, LinuxVersion::From5_18, None);
    let model = picks(&mut strategy, &free, &destinations);
    for ports in [kernel, model] {
        assert!(ports.iter().all(|port| port % 2 == 0 && free.contains(Port::new(*port))));
        let behind = ports.iter().filter(|port| **port == 40700).count() as f64 / 4000.0;
        // 40 %, give or take five standard deviations.
        assert!((0.36..0.44).contains(&behind), "{behind}");
    }
}

#[test]
fn bind_takes_the_other_parity_and_the_lower_half_first() {
    privileged!();
    for reuse in [false, true] {
        let ground = Ground::new(40000, 40399);
        let options = if reuse { TCP.reuse_address() } else { TCP };
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let kernel = ground.namespace.run(|| drain_bind(&options, local).ports().to_vec());
        let model = exhaust(&mut LinuxBind::new(ground.range, reuse), ground.range);
        assert_eq!(kernel.len(), model.len());
        for ports in [&kernel, &model] {
            let first = if reuse { 100 } else { 200 };
            assert_eq!(before_other_parity(ports, 40001), first);
            let lower = ports.iter().take_while(|port| **port < 40200).count();
            assert!(!reuse || lower == 200, "the lower half first: {lower}");
        }
    }
}

#[test]
fn udp_is_random_and_complete() {
    privileged!();
    let ground = Ground::new(40000, 40099);
    let udp = SocketOptions::udp();
    let local = SocketAddr::from(([127, 0, 0, 1], 0));
    let drained = ground.namespace.run(|| drain_bind(&udp, local).ports().to_vec());
    let model = exhaust(&mut LinuxUdp::new(ground.range, 256), ground.range);
    assert_eq!((drained.len(), model.len()), (100, 100));
    let kernel: Vec<u16> =
        ground.namespace.run(|| (0..10_000).map(|_| udp.hold(local).unwrap().port()).collect());
    let free = PortSet::from(ground.range);
    let model = picks(&mut LinuxUdp::new(ground.range, 256), &free, &vec![destination(0); 10_000]);
    for ports in [kernel, model] {
        let mut seen = [0_i32; 100];
        ports.iter().for_each(|port| seen[usize::from(port - 40000)] += 1);
        // 100 each are due, with a standard deviation of 10.
        assert!(seen.iter().all(|times| (times - 100).abs() < 55), "{seen:?}");
    }
}
