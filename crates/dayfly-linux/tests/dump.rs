//! What the kernel's dumps contain, asked in private namespaces.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;

use dayfly_insight::{Socket, State};
use dayfly_linux::dump::Dumper;
use dayfly_linux::observe::{Options, observe};
use dayfly_linux::settings;
use dayfly_linux::sock_diag::StateMask;
use dayfly_ports::{PortSet, Protocol};
use dayfly_testkit::{Namespace, Server, SocketOptions, mapped, privileged};
use rustix::net::{AddressFamily, SocketType};

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The sockets of the calling thread's namespace, in the kernel's order.
fn sockets(protocol: Protocol, states: StateMask) -> Vec<Socket> {
    let mut sockets = Vec::new();
    let outcome = Dumper::open()
        .unwrap()
        .sockets(protocol, states, |message| sockets.push(message.socket))
        .unwrap();
    assert_eq!((outcome.interrupted, outcome.unknown), (false, 0));
    sockets
}

fn counts(sockets: &[Socket]) -> BTreeMap<State, usize> {
    let mut counts = BTreeMap::new();
    sockets.iter().for_each(|socket| *counts.entry(socket.state).or_default() += 1);
    counts
}

#[test]
fn every_state_of_both_families_comes_in_one_walk() {
    privileged!();
    Namespace::new().run(|| {
        let plain = SocketOptions::tcp();
        let four = Server::open(&plain, address("127.0.0.1:80")).unwrap();
        let _six = Server::open(&plain, address("[::]:8080")).unwrap();
        let _bound = plain.hold(address("127.0.0.1:81")).unwrap();
        let _both = [
            four.connected_pair(&plain).unwrap(),
            (
                plain.connect(address("[::1]:8080")).unwrap(),
                plain.hold(address("[::1]:82")).unwrap(),
            ),
        ];
        four.leave_time_wait(&plain).unwrap();
        let all = sockets(Protocol::Tcp, StateMask::ALL);
        assert_eq!(
            counts(&all),
            BTreeMap::from([
                (State::Established, 4),
                (State::TimeWait, 1),
                (State::Listen, 2),
                (State::BoundInactive, 2),
            ])
        );
        // Whoever reads the stream may rely on claims before connections.
        let is_claim =
            |socket: &Socket| matches!(socket.state, State::Listen | State::BoundInactive);
        assert!(all.is_sorted_by_key(|socket| !is_claim(socket)), "{all:?}");
        // A mask leaves out what it does not name.
        assert_eq!(sockets(Protocol::Tcp, StateMask::CLAIMS).len(), 4);
        assert_eq!(sockets(Protocol::Tcp, StateMask::only(State::TimeWait)).len(), 1);
        assert_eq!(sockets(Protocol::Tcp, StateMask::NONE).len(), 0);
    });
}

#[test]
fn a_time_wait_tells_what_it_has_left() {
    privileged!();
    Namespace::new().run(|| {
        let plain = SocketOptions::tcp();
        let server = Server::open(&plain, address("127.0.0.1:80")).unwrap();
        let port = server.leave_time_wait(&plain).unwrap();
        let found = sockets(Protocol::Tcp, StateMask::only(State::TimeWait));
        assert_eq!(found[0].tuple.local_port.number(), port);
        assert!((50_000..=60_000).contains(&found[0].timer_ms), "{found:?}");
        assert_eq!(found[0].inode, 0, "nobody holds it");
    });
}

#[test]
fn v6_only_and_mapped_addresses_are_told() {
    privileged!();
    Namespace::new().run(|| {
        let plain = SocketOptions::tcp();
        let server = Server::open(&plain, address("127.0.0.1:80")).unwrap();
        let _only = plain.v6_only(true).listen(address("[::]:81")).unwrap();
        let _dual = plain.v6_only(false).listen(address("[::]:82")).unwrap();
        let _mapped = plain.connect(mapped(server.address())).unwrap();
        let all = sockets(Protocol::Tcp, StateMask::ALL);
        let listener = |port| {
            let is_it = |socket: &&Socket| socket.tuple.local_port.number() == port;
            all.iter().find(is_it).unwrap()
        };
        assert!(listener(81).v6_only && !listener(82).v6_only && !listener(80).v6_only);
        let to_server = |socket: &&Socket| socket.tuple.remote_port.number() == 80;
        let client = all.iter().find(to_server).unwrap();
        assert!(client.tuple.remote_address.is_ipv6(), "as the kernel says it");
        assert_eq!(client.tuple.canonical().remote_address, server.address().ip());
    });
}

#[test]
fn udp_is_dumped_in_both_families() {
    privileged!();
    Namespace::new().run(|| {
        let udp = SocketOptions::udp();
        let _connected = udp.connect(address("127.0.0.1:53")).unwrap();
        let _bound = udp.hold(address("[::1]:5353")).unwrap();
        let all = sockets(Protocol::Udp, StateMask::ALL);
        let expected = BTreeMap::from([(State::Established, 1), (State::Close, 1)]);
        assert_eq!(counts(&all), expected);
    });
}

#[test]
fn mptcp_connections_are_counted_above_their_subflows() {
    privileged!();
    Namespace::new().run(|| {
        let mptcp = rustix::net::Protocol::from_raw(NonZeroU32::new(262).unwrap());
        let open = || {
            let kind = SocketType::STREAM;
            rustix::net::socket(AddressFamily::INET, kind, Some(mptcp)).unwrap()
        };
        let listener = open();
        rustix::net::bind(&listener, &address("127.0.0.1:80")).unwrap();
        rustix::net::listen(&listener, 5).unwrap();
        let client = open();
        rustix::net::connect(&client, &address("127.0.0.1:80")).unwrap();
        let _accepted = rustix::net::accept(&listener).unwrap();
        // Both ends are here.
        assert_eq!(Dumper::open().unwrap().mptcp_connections(), Ok(2));
        assert_eq!(observe(&Options::default()).unwrap().headroom.counts.mptcp, 2);
        let all = sockets(Protocol::Tcp, StateMask::only(State::Established));
        assert_eq!(all.len(), 2, "their subflows: {all:?}");
    });
}

#[test]
fn settings_are_those_of_the_namespace() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "20000 20099");
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "1");
    namespace.sysctl("net.ipv4.tcp_tw_reuse_delay", "250");
    namespace.sysctl("net.ipv4.ip_unprivileged_port_start", "80");
    let read = namespace.run(settings::read).unwrap();
    assert_eq!(read.range(Protocol::Tcp).unwrap().to_string(), "20000-20099");
    assert_eq!((read.tw_reuse.number(), read.tw_reuse_delay_ms), (1, 250));
    assert_eq!(read.unprivileged_floor, 80);
    assert!(read.reserved.is_empty());
}

/// A read that is too short loses the end of the list without a word.
#[test]
fn the_longest_list_of_reserved_ports_is_read_whole() {
    privileged!();
    let namespace = Namespace::new();
    let every_second: PortSet = PortSet::FULL.of_parity(1.into());
    let list = every_second.to_string();
    let read = namespace.run(|| {
        use std::io::Write;
        // One write takes at most a page; further writes to the same descriptor add to the list.
        let path = "/proc/sys/net/ipv4/ip_local_reserved_ports";
        let mut file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let items: Vec<&str> = list.split(',').collect();
        for piece in items.chunks(500) {
            file.write_all(piece.join(",").as_bytes()).unwrap();
        }
        settings::read().unwrap()
    });
    assert_eq!(*read.reserved, every_second);
}
