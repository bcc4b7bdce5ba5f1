//! Scenarios made up at random, the same ones for the same seed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::{Action, Ending, Scenario, SocketOptions, mapped};

/// What a family of scenarios is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ranges of even length, and everything that a snapshot shows.
    Open,
    /// The same with connections that were bound first or whose listener is gone: they close
    /// their ports to automatic connections, and a snapshot does not say so.
    Hidden,
    /// The same as far as the ports give it away: bind() to no port in particular takes the other
    /// parity than connect() does, while less than half of the range is in use.
    Suspicious,
    /// Ranges of odd length, where a call of connect() overlooks one end.
    Odd,
    /// As [`Kind::Open`], with thousands of ports.
    Large,
    /// UDP alone.
    Datagram,
}

/// Scenarios of a kind.
pub fn scenarios(kind: Kind) -> impl Strategy<Value = Scenario> {
    let length = match kind {
        Kind::Open | Kind::Hidden | Kind::Datagram => (1..30_u16).prop_map(|half| half * 2).boxed(),
        Kind::Suspicious => (40..120_u16).prop_map(|half| half * 2).boxed(),
        Kind::Odd => (0..25_u16).prop_map(|half| half * 2 + 1).boxed(),
        Kind::Large => (500..1500_u16).prop_map(|half| half * 2).boxed(),
    };
    (20_000..60_000_u16, length).prop_flat_map(move |(low, length)| {
        let range = (low, low + (length - 1));
        let (most_reserved, actions) =
            if kind == Kind::Suspicious { (length / 20, 8) } else { (length / 4, 12) };
        let reserved = btree_set(low..=range.1, 0..=usize::from(most_reserved));
        (Just(range), reserved, vec(action(kind, range), 0..actions))
            .prop_map(|(range, reserved, actions)| Scenario { range, reserved, actions })
    })
}

/// Checks so many scenarios, reduces the first that fails to a small one and panics with it.
///
/// # Panics
/// When the check does not hold.
pub fn check_many<T: std::fmt::Debug>(
    seed: u64,
    cases: u32,
    strategy: &impl Strategy<Value = T>,
    check: impl Fn(&T) -> Result<(), TestCaseError>,
) {
    let config =
        Config { cases, max_shrink_iters: 400, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let result = TestRunner::new_with_rng(config, rng).run(strategy, |value| check(&value));
    if let Err(error) = result {
        panic!("seed {seed}: {error}");
    }
}

fn action(kind: Kind, range: (u16, u16)) -> impl Strategy<Value = Action> {
    // So many at a time that eight times as many stay below half of the range; or that the range
    // runs full.
    let most = (range.1 - range.0) / if kind == Kind::Suspicious { 20 } else { 3 } + 1;
    let visible = vec![
        (8, connect(chosen_by_connect(range), most).boxed()),
        (2, hold(range).boxed()),
        (2, listen(range).boxed()),
        (1, accept(range, Just(true).boxed()).boxed()),
        (1, datagram(range).boxed()),
    ];
    let hidden = vec![
        (5, connect(bound_first(range), most).boxed()),
        (1, accept(range, any::<bool>().boxed()).boxed()),
    ];
    let suspicious = vec![(5, connect(bound_to_no_port(), most).boxed())];
    match kind {
        Kind::Hidden => Union::new_weighted([visible, hidden].concat()),
        Kind::Suspicious => Union::new_weighted([visible, suspicious].concat()),
        Kind::Open | Kind::Odd | Kind::Large => Union::new_weighted(visible),
        Kind::Datagram => Union::new([datagram(range).boxed()]),
    }
}

/// A family, the source that is asked for, and whether an IPv6 socket speaks IPv4.
#[derive(Clone, Copy, Debug)]
struct Way {
    to: SocketAddr,
    source: IpAddr,
}

fn way() -> impl Strategy<Value = Way> {
    let port = select(vec![80, 81]);
    let v4 = (1..=2_u8, port.clone(), 1..=3_u8, any::<bool>()).prop_map(|(to, port, from, map)| {
        let to = SocketAddr::new(loopback(to), port);
        Way { to: if map { mapped(to) } else { to }, source: loopback(from) }
    });
    let v6 = port.prop_map(|port| {
        let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
        Way { to: SocketAddr::new(here, port), source: here }
    });
    prop_oneof![3 => v4, 1 => v6]
}

fn connect(
    options: impl Strategy<Value = (SocketOptions, Way)>,
    most: u16,
) -> impl Strategy<Value = Action> {
    let ending = select(vec![
        Ending::Open,
        Ending::Open,
        Ending::TimeWait,
        Ending::TimeWait,
        Ending::CloseWait,
        Ending::FinWait,
    ]);
    (options, 1..=most, ending).prop_map(|((options, way), count, ending)| Action::Connect {
        options,
        to: way.to,
        count,
        ending,
    })
}

/// The ways in which connect() settles the port.
fn chosen_by_connect((low, high): (u16, u16)) -> impl Strategy<Value = (SocketOptions, Way)> {
    let bind = any::<bool>();
    let own_range = proptest::option::weighted(0.2, (low..=high, low..=high));
    (way(), bind, own_range, any::<bool>()).prop_map(|(way, bind, own_range, reuse)| {
        let mut options = SocketOptions::tcp();
        if bind {
            options = options.bind(SocketAddr::new(way.source, 0)).address_no_port();
        }
        if let Some((one, other)) = own_range {
            options = options.local_port_range(one.min(other), one.max(other));
        }
        if reuse {
            options = options.reuse_address();
        }
        (options, way)
    })
}

/// The ways in which bind() settles the port of a client.
fn bound_first((low, high): (u16, u16)) -> impl Strategy<Value = (SocketOptions, Way)> {
    let port = prop_oneof![2 => Just(0), 1 => low..=high];
    (way(), port, any::<bool>(), any::<bool>()).prop_map(|(way, port, reuse, wildcard)| {
        let source = match way.source {
            IpAddr::V4(_) if wildcard => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) if wildcard => Ipv6Addr::UNSPECIFIED.into(),
            source => source,
        };
        let options = SocketOptions::tcp().bind(SocketAddr::new(source, port));
        (if reuse { options.reuse_address() } else { options }, way)
    })
}

/// The way that is most common among those: an address, and any port.
fn bound_to_no_port() -> impl Strategy<Value = (SocketOptions, Way)> {
    way().prop_map(|way| (SocketOptions::tcp().bind(SocketAddr::new(way.source, 0)), way))
}

fn hold(range: (u16, u16)) -> impl Strategy<Value = Action> {
    (place(range, true), options()).prop_map(|(local, options)| Action::Hold { options, local })
}

fn listen(range: (u16, u16)) -> impl Strategy<Value = Action> {
    (place(range, false), options()).prop_map(|(local, options)| Action::Listen { options, local })
}

fn accept(range: (u16, u16), listening: BoxedStrategy<bool>) -> impl Strategy<Value = Action> {
    let place = (9..=10_u8, range.0..=range.1)
        .prop_map(|(last, port)| SocketAddr::new(loopback(last), port));
    (place, listening, any::<bool>()).prop_map(|(local, listening, over)| Action::Accept {
        local,
        listening,
        over,
    })
}

/// UDP, which must not matter to TCP.
fn datagram(range: (u16, u16)) -> impl Strategy<Value = Action> {
    let held =
        place(range, true).prop_map(|local| Action::Hold { options: SocketOptions::udp(), local });
    let connected = way().prop_map(|way| Action::Connect {
        options: SocketOptions::udp(),
        to: way.to,
        count: 1,
        ending: Ending::Open,
    });
    prop_oneof![held, connected]
}

fn options() -> impl Strategy<Value = SocketOptions> {
    select(vec![
        SocketOptions::tcp(),
        SocketOptions::tcp().reuse_address(),
        SocketOptions::tcp().reuse_port(),
        SocketOptions::tcp().v6_only(true),
    ])
}

/// An address to bind to, and a port of the range or, where that is of use, none in particular.
fn place((low, high): (u16, u16), any_port: bool) -> impl Strategy<Value = SocketAddr> {
    let address = select(vec![
        loopback(1),
        loopback(2),
        loopback(9),
        Ipv4Addr::UNSPECIFIED.into(),
        Ipv6Addr::LOCALHOST.into(),
        Ipv6Addr::UNSPECIFIED.into(),
    ]);
    let port = if any_port {
        prop_oneof![3 => low..=high, 1 => Just(0)].boxed()
    } else {
        (low..=high).boxed()
    };
    (address, port).prop_map(|(address, port)| SocketAddr::new(address, port))
}

fn loopback(last: u8) -> IpAddr {
    Ipv4Addr::new(127, 0, 0, last).into()
}
