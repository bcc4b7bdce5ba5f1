//! The fold against the rules written out naively, and the cases that each rule is about.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a broken fixture fails the test")]

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dayfly_insight::{
    Destination, DestinationKey, Fold, Headroom, RangeSetting, Settings, Socket, State,
    TimeWaitReuse,
};
use dayfly_ports::{Port, PortRange, PortSet, Protocol, Tuple};
use proptest::prelude::*;

const LOW: u16 = 40_000;

fn settings(ports: u16, reserved: &[u16]) -> Settings {
    let range = PortRange::new(LOW, LOW + ports - 1).unwrap();
    let ranges = Protocol::ALL.map(|protocol| RangeSetting { protocol, range });
    let reserved: PortSet = reserved.iter().map(|&offset| Port::new(LOW + offset)).collect();
    Settings {
        ranges: ranges.to_vec(),
        reserved: Box::new(reserved),
        tw_reuse: TimeWaitReuse::Off,
        ..Settings::linux_defaults()
    }
}

fn socket(protocol: Protocol, state: State, local: (&str, u16), remote: (&str, u16)) -> Socket {
    let tuple = Tuple {
        protocol,
        local_address: local.0.parse().unwrap(),
        local_port: Port::new(local.1),
        remote_address: remote.0.parse().unwrap(),
        remote_port: Port::new(remote.1),
    };
    Socket::new(tuple, state)
}

fn connection(offset: u16, remote: (&str, u16)) -> Socket {
    let source = if remote.0.contains("::") { "::ffff:192.0.2.1" } else { "192.0.2.1" };
    socket(Protocol::Tcp, State::Established, (source, LOW + offset), remote)
}

fn listener(address: &str, offset: u16) -> Socket {
    let any = if address.contains(':') { "::" } else { "0.0.0.0" };
    socket(Protocol::Tcp, State::Listen, (address, LOW + offset), (any, 0))
}

fn fold(settings: Settings, sockets: &[Socket]) -> Headroom {
    let mut fold = Fold::new(settings, 7);
    sockets.iter().for_each(|socket| fold.add(socket));
    fold.finish()
}

fn row(headroom: &Headroom, remote: (&str, u16)) -> Destination {
    let address: IpAddr = remote.0.parse().unwrap();
    let matches =
        |row: &&Destination| row.key.destination == address && row.key.port.number() == remote.1;
    *headroom.destinations.iter().find(matches).expect("the destination has a row")
}

const A: (&str, u16) = ("198.51.100.1", 443);
const B: (&str, u16) = ("198.51.100.2", 443);

#[test]
fn destinations_do_not_share_their_limit() {
    let sockets: Vec<_> =
        (0..7).flat_map(|i| [connection(2 * i, A), connection(2 * i, B)]).collect();
    let headroom = fold(settings(16, &[]), &sockets);
    for remote in [A, B] {
        let row = row(&headroom, remote);
        assert_eq!((row.used, row.blocked, row.free, row.fast_free), (7, 0, 9, 1));
        assert_eq!((row.suspected, row.free_min), (0, 9));
    }
}

#[test]
fn a_listener_anywhere_blocks_its_port_for_all() {
    let sockets =
        [listener("127.0.0.9", 0), listener("::1", 1), connection(2, A), connection(4, B)];
    let headroom = fold(settings(16, &[]), &sockets);
    assert_eq!(row(&headroom, A).blocked, 2);
    assert_eq!(row(&headroom, A).free, 13);
    assert_eq!(headroom.open, 14);
}

#[test]
fn a_port_is_used_before_it_is_blocked() {
    let bound = socket(Protocol::Tcp, State::BoundInactive, ("127.0.0.9", LOW), ("0.0.0.0", 0));
    let headroom = fold(settings(16, &[]), &[bound, connection(0, A), connection(2, B)]);
    assert_eq!((row(&headroom, A).used, row(&headroom, A).blocked), (1, 0));
    assert_eq!((row(&headroom, B).used, row(&headroom, B).blocked), (1, 1));
    assert_eq!(row(&headroom, A).free, 15);
    assert_eq!(row(&headroom, B).free, 14);
}

#[test]
fn accepted_connections_are_not_ephemeral_use() {
    let accepted = connection(5, ("203.0.113.9", 51_000));
    for (address, counted) in
        [("192.0.2.1", 0), ("0.0.0.0", 0), ("::", 0), ("127.0.0.1", 1), ("::1", 1)]
    {
        let headroom = fold(settings(16, &[]), &[listener(address, 5), accepted]);
        assert_eq!(headroom.destinations.len(), counted, "{address}");
    }
    let v6_only = Socket { v6_only: true, ..listener("::", 5) };
    assert_eq!(fold(settings(16, &[]), &[v6_only, accepted]).destinations.len(), 1);
}

#[test]
fn mapped_sockets_count_with_v4() {
    let mapped = connection(2, ("::ffff:198.51.100.1", 443));
    let headroom = fold(settings(16, &[]), &[connection(0, A), mapped]);
    assert_eq!(headroom.destinations.len(), 1);
    assert_eq!(row(&headroom, A).used, 2);
}

#[test]
fn time_wait_is_used_and_perhaps_reusable() {
    let time_wait = |offset, left_ms| {
        let tuple = connection(offset, A).tuple;
        Socket { timer_ms: left_ms, ..Socket::new(tuple, State::TimeWait) }
    };
    let sockets = [time_wait(0, 59_900), time_wait(2, 10_000), connection(4, A)];
    let mut settings = settings(16, &[]);
    let row_under = |settings: &Settings| row(&fold(settings.clone(), &sockets), A);
    let off = row_under(&settings);
    assert_eq!((off.used, off.time_wait, off.reusable, off.free), (3, 2, 0, 13));
    settings.tw_reuse = TimeWaitReuse::Everywhere;
    assert_eq!(row_under(&settings).reusable, 1);
}

#[test]
fn the_other_parity_is_suspected_until_the_cliff() {
    // Bound by hand: the other parity while the first is free.
    let headroom = fold(settings(16, &[]), &[connection(1, B), connection(3, B), connection(0, A)]);
    let a = row(&headroom, A);
    assert_eq!((a.suspected, a.free, a.free_min), (2, 15, 13));
    assert_eq!(row(&headroom, B).suspected, 0);

    // Past its cliff a plain client takes the other parity as well.
    let mut sockets: Vec<_> = (0..8).map(|i| connection(2 * i, B)).collect();
    sockets.extend([connection(1, B), connection(0, A)]);
    assert_eq!(row(&fold(settings(16, &[]), &sockets), A).suspected, 0);

    // bind(ip, 0) that ran out of the other parity goes on with the first.
    let mut sockets: Vec<_> = (0..8).map(|i| connection(2 * i + 1, B)).collect();
    sockets.extend([connection(4, B), connection(0, A)]);
    assert_eq!(row(&fold(settings(16, &[]), &sockets), A).suspected, 9);
}

#[test]
fn an_accepted_connection_whose_listener_is_gone_is_suspected() {
    let headroom =
        fold(settings(16, &[]), &[connection(6, ("203.0.113.9", LOW + 3)), connection(0, A)]);
    assert_eq!(row(&headroom, A).suspected, 1);
}

#[test]
fn a_probe_settles_what_the_sockets_leave_open() {
    let mut fold = Fold::new(settings(16, &[]), 0);
    for socket in [listener("::1", 7), connection(1, B), connection(2, B), connection(0, A)] {
        fold.add(&socket);
    }
    assert_eq!(fold.unsettled().to_string(), "40000-40002");
    // The fixed port 40002 was bound by hand as well, which no parity tells.
    fold.settle(&"40001-40002".parse().unwrap());
    let headroom = fold.finish();
    let a = row(&headroom, A);
    assert_eq!((a.blocked, a.suspected, a.free, a.free_min), (3, 0, 12, 12));
}

#[test]
fn odd_ranges_lose_a_port_to_each_call() {
    let free = |ports| {
        let a = row(&fold(settings(ports, &[]), &[connection(0, A)]), A);
        (a.free, a.free_min)
    };
    assert_eq!(free(1), (0, 0));
    assert_eq!(free(2), (1, 1));
    assert_eq!(free(3), (1, 1), "the third port is never handed out");
    assert_eq!(free(4), (3, 3));
    assert_eq!(free(5), (4, 3));
}

#[test]
fn asked_destinations_have_a_row() {
    let mut fold = Fold::new(settings(16, &[3]), 0);
    fold.add(&listener("::1", 7));
    let key = DestinationKey {
        protocol: Protocol::Tcp,
        source: Ipv4Addr::LOCALHOST.into(),
        destination: Ipv4Addr::LOCALHOST.into(),
        port: Port::new(80),
    };
    fold.include(key);
    let headroom = fold.finish();
    assert_eq!(headroom.destinations[0].key, key);
    assert_eq!(headroom.destinations[0].free, 14);
}

#[test]
fn sctp_ports_serve_one_association_whatever_the_destination() {
    let association = |offset, remote: (&str, u16)| {
        socket(Protocol::Sctp, State::Established, ("192.0.2.1", LOW + offset), remote)
    };
    let headroom = fold(settings(16, &[]), &[association(0, A), association(1, B)]);
    let a = row(&headroom, A);
    assert_eq!((a.used, a.blocked, a.free, a.fast_free), (1, 1, 14, 14));
}

#[test]
fn udp_is_limited_per_local_address() {
    let udp = |address: &str, offset, v6_only| {
        let any = if address.contains(':') { "::" } else { "0.0.0.0" };
        let state = State::Close;
        Socket { v6_only, ..socket(Protocol::Udp, state, (address, LOW + offset), (any, 0)) }
    };
    let used = |sockets: &[Socket]| -> Vec<(IpAddr, u32)> {
        let headroom = fold(settings(16, &[]), sockets);
        let mut rows: Vec<_> =
            headroom.udp_sources.iter().map(|row| (row.source, row.used)).collect();
        rows.sort();
        rows
    };
    let v4 = |last| IpAddr::from(Ipv4Addr::new(127, 0, 0, last));
    let any_v4 = IpAddr::from(Ipv4Addr::UNSPECIFIED);
    let any_v6 = IpAddr::from(Ipv6Addr::UNSPECIFIED);
    let local_v6 = IpAddr::from(Ipv6Addr::LOCALHOST);

    let two = [udp("127.0.0.1", 0, false), udp("127.0.0.2", 1, false)];
    assert_eq!(used(&two), [(any_v4, 2), (v4(1), 1), (v4(2), 1)]);
    let wild = [udp("127.0.0.1", 0, false), udp("0.0.0.0", 1, false), udp("::", 2, false)];
    assert_eq!(used(&wild), [(any_v4, 3), (v4(1), 3), (any_v6, 3)]);
    let only = [udp("127.0.0.1", 0, false), udp("::", 2, true), udp("::1", 3, true)];
    assert_eq!(used(&only), [(any_v4, 1), (v4(1), 1), (any_v6, 3), (local_v6, 2)]);
    // Connected without a bind: still open to IPv4, hence in the way of 0.0.0.0.
    let half = [udp("127.0.0.1", 0, false), udp("::1", 3, false)];
    assert_eq!(used(&half), [(any_v4, 2), (v4(1), 1), (any_v6, 2), (local_v6, 1)]);
    assert_eq!(used(&[udp("::ffff:127.0.0.1", 0, false)]), [(any_v4, 1), (v4(1), 1)]);
}

/// Few addresses and ports, so that they meet.
fn any_socket() -> impl Strategy<Value = Socket> {
    let state = prop_oneof![
        Just(State::Listen),
        Just(State::BoundInactive),
        Just(State::Established),
        Just(State::TimeWait),
        Just(State::CloseWait),
    ];
    (state, 0u16..24, 0usize..3, 0usize..3).prop_map(|(state, offset, local, remote)| {
        let local = ["192.0.2.1", "192.0.2.2", "0.0.0.0"][local];
        let remote = ["198.51.100.1", "198.51.100.2", "198.51.100.3"][remote];
        match state {
            State::Listen | State::BoundInactive => {
                socket(Protocol::Tcp, state, (local, LOW + offset), ("0.0.0.0", 0))
            }
            _ => {
                let local = if local == "0.0.0.0" { "192.0.2.1" } else { local };
                socket(Protocol::Tcp, state, (local, LOW + offset), (remote, 443))
            }
        }
    })
}

proptest! {
    /// The definitions of the report, spelled out on plain sets.
    #[test]
    fn agrees_with_the_definitions(
        mut sockets in prop::collection::vec(any_socket(), 0..60),
        ports in 4u16..22,
        reserved in prop::collection::vec(0u16..24, 0..4),
    ) {
        sockets.sort_by_key(|socket| match socket.state {
            State::Listen => 0,
            State::BoundInactive => 1,
            _ => 2,
        });
        let settings = settings(ports, &reserved);
        let usable: BTreeSet<u16> =
            (0..ports).filter(|offset| !reserved.contains(offset)).map(|o| LOW + o).collect();
        let is_claim = |socket: &&Socket| {
            matches!(socket.state, State::Listen | State::BoundInactive)
        };
        let port = |socket: &Socket| socket.tuple.local_port.number();
        let claimed: BTreeSet<u16> =
            sockets.iter().filter(is_claim).map(port).filter(|p| usable.contains(p)).collect();
        let accepted = |connection: &Socket| sockets.iter().any(|listener| {
            let address = listener.tuple.local_address;
            listener.state == State::Listen
                && port(listener) == port(connection)
                && (address.is_unspecified() || address == connection.tuple.local_address)
        });

        let headroom = fold(settings, &sockets);
        prop_assert_eq!(headroom.open as usize, usable.difference(&claimed).count());
        let mut rows = 0;
        for source in ["192.0.2.1", "192.0.2.2"] {
            for remote in ["198.51.100.1", "198.51.100.2", "198.51.100.3"] {
                let used: BTreeSet<u16> = sockets
                    .iter()
                    .filter(|socket| !is_claim(socket) && !accepted(socket))
                    .filter(|socket| {
                        socket.tuple.local_address == source.parse::<IpAddr>().unwrap()
                            && socket.tuple.remote_address == remote.parse::<IpAddr>().unwrap()
                    })
                    .map(port)
                    .filter(|port| usable.contains(port))
                    .collect();
                let found = headroom.destinations.iter().find(|row| {
                    row.key.source == source.parse::<IpAddr>().unwrap()
                        && row.key.destination == remote.parse::<IpAddr>().unwrap()
                });
                let Some(found) = found else {
                    prop_assert!(used.is_empty());
                    continue;
                };
                rows += 1;
                let taken: BTreeSet<u16> = used.union(&claimed).copied().collect();
                let free: BTreeSet<u16> = usable.difference(&taken).copied().collect();
                prop_assert_eq!(found.used as usize, used.len());
                prop_assert_eq!(found.blocked as usize, claimed.difference(&used).count());
                prop_assert_eq!(found.free as usize, free.len());
                let fast = free.iter().filter(|port| *port % 2 == LOW % 2).count();
                prop_assert_eq!(found.fast_free as usize, fast);
                prop_assert!(found.free_min <= found.free);
                prop_assert!(found.reusable <= found.time_wait && found.time_wait <= found.used);
                prop_assert_eq!(found.usable, found.used + found.blocked + found.free);
                prop_assert!((0.0..=1.0).contains(&found.fill()));
            }
        }
        prop_assert_eq!(rows, headroom.destinations.len());
    }

    #[test]
    fn the_order_of_connections_does_not_matter(
        mut sockets in prop::collection::vec(any_socket(), 0..60), seed: u64
    ) {
        sockets.retain(|socket| socket.state != State::Listen);
        let forward = fold(settings(20, &[]), &sockets);
        sockets.reverse();
        let mut backward = Fold::new(settings(20, &[]), seed);
        sockets.iter().for_each(|socket| backward.add(socket));
        // Two rows of one tuple cannot exist in a kernel; which of them counts is open.
        let plain = |headroom: Headroom| {
            let rows = headroom.destinations.into_iter();
            rows.map(|row| Destination { time_wait: 0, reusable: 0, ..row }).collect::<Vec<_>>()
        };
        prop_assert_eq!(plain(forward), plain(backward.finish()));
    }
}
