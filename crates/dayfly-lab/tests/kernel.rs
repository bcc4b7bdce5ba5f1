//! The model next to the kernel: the same scenario is told to both, and both have to turn slow and
//! fail at the same connection, and choose ports with the same distributions.

#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

mod statistics;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use dayfly_alloc::{Random, Xoshiro};
use dayfly_lab::scenario::Scenario;
use dayfly_lab::simulate::{Outcome, Simulation};
use dayfly_testkit::{
    Drained, Namespace, Server, Socket, SocketOptions, drain, drain_bind, privileged,
};

use statistics::{assert_same_distribution, assert_same_shares};

const TCP: SocketOptions = SocketOptions::tcp();
const FIRST: &str = "127.0.0.1:80";
const SECOND: &str = "127.0.0.1:81";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn simulated(text: &str) -> Outcome {
    let scenario = Scenario::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Simulation::new(&scenario).run()
}

/// How the ports that are counted are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Connect,
    OwnRange,
    Bind,
    BindReuseAddress,
}

/// What happens before the range is filled up.
#[derive(Debug)]
struct Situation {
    low: u16,
    high: u16,
    reserved: BTreeSet<u16>,
    listeners: BTreeSet<u16>,
    /// Connections to another destination that were bound first.
    bound: u32,
    /// Plain ones.
    plain: u32,
    /// Connections to the same destination that the client closed: TIME_WAIT.
    waiting: u32,
    way: Way,
}

impl Situation {
    fn generated(seed: u64) -> Situation {
        let mut random = Xoshiro::seeded(seed);
        let low = 20_000 + random.below(40_000) as u16;
        let length = 2 * (20 + random.below(180)) as u16;
        let high = low + (length - 1);
        let mut some = |most: u32| -> BTreeSet<u16> {
            let count = random.below(most + 1);
            (0..count).map(|_| low + random.below(length.into()) as u16).collect()
        };
        let reserved = some(u32::from(length) / 4);
        let listeners = &some(6) - &reserved;
        let ways = [Way::Connect, Way::OwnRange, Way::Bind, Way::BindReuseAddress];
        let way = ways[seed as usize % ways.len()];
        // Two destinations may share a port, or not, and bind() to that address finds one port more
        // or less: there is nothing to compare.
        let binds = matches!(way, Way::Bind | Way::BindReuseAddress);
        Situation {
            low,
            high,
            reserved,
            listeners,
            bound: random.below(u32::from(length) / 4),
            plain: if binds { 0 } else { random.below(u32::from(length) / 4) },
            waiting: random.below(u32::from(length) / 5),
            way,
        }
    }

    /// How many more connections the kernel grants: before it turns to the other parity, and in all.
    fn on_kernel(&self) -> (usize, usize) {
        let namespace = Namespace::new();
        namespace.sysctl("net.ipv4.ip_local_port_range", &format!("{} {}", self.low, self.high));
        namespace.sysctl("net.ipv4.ip_local_reserved_ports", &listed(&self.reserved));
        namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
        namespace.run(|| {
            let first = Server::open(&TCP, at(FIRST)).unwrap();
            let _second = Server::open(&TCP, at(SECOND)).unwrap();
            let listen = |port: &u16| TCP.listen(SocketAddr::from(([0, 0, 0, 0], *port))).unwrap();
            let _listeners: Vec<Socket> = self.listeners.iter().map(listen).collect();
            let bind = TCP.bind(at("127.0.0.1:0"));
            let many = |options: SocketOptions, count: u32| -> Vec<Socket> {
                (0..count).map(|_| options.connect(at(SECOND)).unwrap()).collect()
            };
            let _held = (many(bind, self.bound), many(TCP, self.plain));
            for _ in 0..self.waiting {
                first.leave_time_wait(&TCP).unwrap();
            }
            let drained: Drained = match self.way {
                Way::Connect => drain(&TCP, at(FIRST)),
                Way::OwnRange => drain(&TCP.local_port_range(self.low, self.high), at(FIRST)),
                Way::Bind => drain_bind(&TCP, at("127.0.0.1:0")),
                Way::BindReuseAddress => drain_bind(&TCP.reuse_address(), at("127.0.0.1:0")),
            };
            let first_parity = if self.way == Way::Connect { self.low } else { self.low + 1 };
            (drained.before_other_parity(first_parity), drained.ports().len())
        })
    }

    /// The same of the model.
    fn in_model(&self) -> (usize, usize) {
        let text = format!(
            "stop_at_failure = true
            [[host]]
            system = \"linux\"
            range = \"{}-{}\"
            reserved = \"{}\"
            listeners = \"{}\"
            tw_reuse = \"never\"
            [[destination]]
            name = \"first\"
            [[destination]]
            name = \"second\"
            {}{}{}{}",
            self.low,
            self.high,
            listed(&self.reserved),
            listed(&self.listeners),
            work("second", "via = \"bind\"", self.bound, 0, "forever"),
            work("second", "", self.plain, 10, "forever"),
            work("first", "", self.waiting, 20, "1 ms"),
            work("first", self.via(), 1000, 30, "forever"),
        );
        let outcome = simulated(&text);
        let before = u64::from(self.bound + self.plain + self.waiting);
        let granted = outcome.opened - before;
        // The other parity comes as the first search in vain over half of the range.
        let slow = outcome.first_slow.map_or(granted, |moment| {
            assert_eq!(moment.workload, 3, "the range is not full before: {self:?}");
            moment.number - before - 1
        });
        (slow as usize, granted as usize)
    }

    fn via(&self) -> &'static str {
        match self.way {
            Way::Connect => "",
            Way::OwnRange => "via = \"own-range\"",
            Way::Bind => "via = \"bind\"",
            Way::BindReuseAddress => "via = \"bind-reuse-address\"",
        }
    }
}

fn work(to: &str, more: &str, count: u32, start: u32, duration: &str) -> String {
    format!(
        "[[workload]]\ndestination = \"{to}\"\narrivals = \"constant\"\nrate = 1000\ncount = {count}\n\
         start = {start}\nduration = \"{duration}\"\n{more}\n"
    )
}

fn listed(ports: &BTreeSet<u16>) -> String {
    ports.iter().map(u16::to_string).collect::<Vec<_>>().join(",")
}

#[test]
fn both_turn_slow_and_fail_at_the_same_connection() {
    privileged!();
    for seed in 0..32 {
        let situation = Situation::generated(seed);
        let (kernel, model) = (situation.on_kernel(), situation.in_model());
        assert_eq!(kernel.1, model.1, "seed {seed}: {situation:?}");
        // With steps of one, or a half at a time, there is no such turn.
        if matches!(situation.way, Way::Connect | Way::Bind) {
            assert_eq!(kernel.0, model.0, "seed {seed}: {situation:?}");
        }
    }
}

/// Destinations that no other run of the last seconds used: what it sent round a range stays
/// there until the kernel's secret changes.
fn destinations(count: u32) -> impl Iterator<Item = SocketAddr> {
    let first = 0x7F10_0000 + std::process::id() % 200 * 0x1_0000;
    (first..first + count).map(|address| SocketAddr::from((Ipv4Addr::from_bits(address), 80)))
}

fn open_ground(range: &str) -> (Namespace, Server) {
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", range);
    let server = namespace.run(|| Server::open(&TCP, at("0.0.0.0:80")).unwrap());
    (namespace, server)
}

const DESTINATIONS: u32 = 1200;
const CONNECTIONS: u32 = 40;

/// The least, the mean and the greatest number of connections between two uses of a port.
fn reuse(ports: &[u16]) -> [u32; 3] {
    let mut last = std::collections::BTreeMap::new();
    let mut distances = Vec::new();
    for (number, port) in ports.iter().enumerate() {
        if let Some(before) = last.insert(port, number) {
            distances.push((number - before) as u32);
        }
    }
    let count = distances.len().max(1) as u32;
    let (least, most) = (distances.iter().min(), distances.iter().max());
    let mean = 10 * distances.iter().sum::<u32>() / count;
    [least.copied().unwrap_or(0), mean, most.copied().unwrap_or(0)]
}

#[test]
fn ports_come_back_after_as_many_connections() {
    privileged!();
    let (namespace, _server) = open_ground("40000 40059");
    let kernel: Vec<[u32; 3]> = namespace.run(|| {
        destinations(DESTINATIONS)
            .map(|to| {
                let ports: Vec<u16> =
                    (0..CONNECTIONS).map(|_| TCP.connect(to).unwrap().port()).collect();
                reuse(&ports)
            })
            .collect()
    });
    let model: Vec<[u32; 3]> = (0..DESTINATIONS)
        .map(|seed| {
            let outcome = simulated(&format!(
                "seed = {seed}\nduration = \"1 s\"\nsamples = 2\n\
                 [[host]]\nsystem = \"linux\"\nrange = \"40000-40059\"\n[[destination]]\n\
                 [[workload]]\narrivals = \"constant\"\nrate = 1000\ncount = {CONNECTIONS}\n\
                 duration = \"10 us\"\ncloses = \"reset\"\n"
            ));
            let reuse = &outcome.reuse;
            [reuse.least(), (10.0 * reuse.mean()) as u32, reuse.most()]
        })
        .collect();
    for figure in 0..3 {
        let of = |all: &[[u32; 3]]| all.iter().map(|one| one[figure]).collect::<Vec<u32>>();
        assert_same_distribution(&of(&kernel), &of(&model), ["least", "mean", "most"][figure]);
    }
}

const PICKS: u32 = 6000;

/// How often each port was chosen, one share for each 20 ports and one for each port behind a hole.
fn shares(ports: impl Iterator<Item = (u16, u32)>) -> Vec<u64> {
    let mut shares = vec![0; 53];
    for (port, times) in ports {
        let share = match port {
            40400 => 50,
            40401 => 51,
            40960 => 52,
            port => usize::from(port - 40000) / 20,
        };
        shares[share] += u64::from(times);
    }
    shares
}

fn model_shares(via: &str) -> Vec<u64> {
    let outcome = simulated(&format!(
        "duration = \"10 s\"\n[[host]]\nsystem = \"linux\"\ncount = {PICKS}\n\
         range = \"40000-40999\"\nreserved = \"40100-40399,40900-40959\"\n[[destination]]\n\
         [[workload]]\narrivals = \"constant\"\nrate = 1\ncount = {PICKS}\nduration = \"10 us\"\n\
         closes = \"reset\"\nvia = \"{via}\"\n"
    ));
    assert_eq!(outcome.opened, u64::from(PICKS));
    let heat = outcome.heat.iter().enumerate().filter(|(_, times)| **times > 0);
    shares(heat.map(|(port, times)| (port as u16, *times)))
}

#[test]
fn holes_send_as_many_connections_to_the_ports_behind_them() {
    privileged!();
    let (namespace, _server) = open_ground("40000 40999");
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40100-40399,40900-40959");
    let connect = namespace.run(|| {
        let port = |to| (TCP.connect(to).unwrap().port(), 1);
        shares(destinations(PICKS).map(port))
    });
    assert_same_shares(&connect, &model_shares("connect"), "connect()");
    let bind = namespace.run(|| {
        let port = |_| (TCP.hold(at("127.0.0.1:0")).unwrap().port(), 1);
        shares((0..PICKS).map(port))
    });
    assert_same_shares(&bind, &model_shares("bind"), "bind(0)");
    assert!(connect[50] > u64::from(PICKS) / 5, "the hole shows: {connect:?}");
}
