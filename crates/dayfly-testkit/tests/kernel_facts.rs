//! What dayfly's model takes for granted about the kernel, asked of the kernel: one test per fact.
//!
//! Unless a test says otherwise the range is the ten ports 40000-40009, TIME_WAIT is never reused,
//! and "room" means: how many more plain connect() calls to a destination are granted.

#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

use std::net::SocketAddr;

use dayfly_testkit::{
    Namespace, Server, Socket, SocketOptions, drain, drain_bind, mapped, privileged,
};

const TCP: SocketOptions = SocketOptions::tcp();
const UDP: SocketOptions = SocketOptions::udp();

/// Two destinations on the same address, and one on another.
const FIRST: &str = "127.0.0.1:80";
const SECOND: &str = "127.0.0.1:81";
const SIXTH: &str = "[::1]:80";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A namespace with servers at [`FIRST`], [`SECOND`] and [`SIXTH`].
struct Ground {
    namespace: Namespace,
    servers: [Server; 3],
}

impl Ground {
    fn new() -> Ground {
        Ground::with_range(40000, 40009)
    }

    fn with_range(low: u16, high: u16) -> Ground {
        let namespace = Namespace::new();
        namespace.sysctl("net.ipv4.ip_local_port_range", &format!("{low} {high}"));
        namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
        let servers = namespace
            .run(|| [FIRST, SECOND, SIXTH].map(|place| Server::open(&TCP, at(place)).unwrap()));
        Ground { namespace, servers }
    }

    fn connect(&self, options: SocketOptions, place: &str) -> Socket {
        self.namespace.run(|| options.connect(at(place)).unwrap())
    }

    fn listen(&self, options: SocketOptions, place: &str) -> Socket {
        self.namespace.run(|| options.listen(at(place)).unwrap())
    }

    fn hold(&self, options: SocketOptions, place: &str) -> Socket {
        self.namespace.run(|| options.hold(at(place)).unwrap())
    }

    /// Takes everything, says which ports, and gives everything back.
    fn granted(&self, options: SocketOptions, place: &str) -> Vec<u16> {
        self.namespace.run(|| drain(&options, at(place)).ports().to_vec())
    }

    fn room(&self, place: &str) -> usize {
        self.granted(TCP, place).len()
    }
}

#[test]
fn every_destination_has_the_whole_range() {
    privileged!();
    let ground = Ground::new();
    let _held = ground.namespace.run(|| drain(&TCP, at(FIRST)));
    assert_eq!(ground.room(FIRST), 0);
    assert_eq!(ground.room(SECOND), 10);
    assert_eq!(ground.room(SIXTH), 10);
}

#[test]
fn connect_takes_the_parity_of_the_low_end_first() {
    privileged!();
    for low in [40000, 40001] {
        let ports = Ground::with_range(low, low + 19).granted(TCP, FIRST);
        assert_eq!(ports.len(), 20);
        assert!(ports[..10].iter().all(|port| port % 2 == low % 2), "{ports:?}");
        assert!(ports[10..].iter().all(|port| port % 2 != low % 2), "{ports:?}");
    }
}

#[test]
fn an_odd_range_loses_one_end_to_each_call() {
    privileged!();
    // A range of one is whole; of three only the two lowest are ever looked at; of more, one call
    // sees all but one, and which one depends on where it starts.
    assert_eq!(Ground::with_range(40000, 40000).granted(TCP, FIRST), [40000]);
    assert_eq!(Ground::with_range(40000, 40002).granted(TCP, FIRST), [40000, 40001]);
    for _ in 0..8 {
        let ports = Ground::with_range(40000, 40010).granted(TCP, FIRST);
        assert!(ports.len() == 10 || ports.len() == 11, "{ports:?}");
        if ports.len() == 10 {
            let missing = (40000..=40010).find(|port| !ports.contains(port));
            assert!(matches!(missing, Some(40000 | 40010)), "{ports:?}");
        }
    }
}

#[test]
fn reserved_ports_are_never_granted_but_can_be_bound() {
    privileged!();
    let ground = Ground::new();
    ground.namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40002,40005-40006");
    let mut ports = ground.granted(TCP, FIRST);
    ports.sort_unstable();
    assert_eq!(ports, [40000, 40001, 40003, 40004, 40007, 40008, 40009]);
    assert_eq!(ground.hold(TCP, "127.0.0.1:40002").port(), 40002);
}

#[test]
fn a_reserved_end_of_an_odd_range_is_no_further_loss() {
    privileged!();
    let ground = Ground::with_range(40000, 40010);
    ground.namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40000");
    for _ in 0..4 {
        let ports = ground.granted(TCP, FIRST);
        assert!(ports.len() == 10 || ports.len() == 9, "{ports:?}");
    }
}

#[test]
fn a_listener_anywhere_blocks_its_port_for_every_automatic_connect() {
    privileged!();
    let only = TCP.v6_only(true);
    for (options, place) in [
        (TCP, "127.0.0.9:40004"),
        (TCP, "0.0.0.0:40004"),
        (TCP, "[::1]:40004"),
        (TCP, "[::]:40004"),
        (only, "[::]:40004"),
        (only, "[::1]:40004"),
        (TCP.reuse_address(), "127.0.0.9:40004"),
        (TCP.reuse_port(), "127.0.0.9:40004"),
    ] {
        let ground = Ground::new();
        let _listener = ground.listen(options, place);
        for destination in [FIRST, SIXTH] {
            let ports = ground.granted(TCP, destination);
            assert!(ports.len() == 9 && !ports.contains(&40004), "{place} {destination} {ports:?}");
        }
    }
}

#[test]
fn a_socket_that_is_only_bound_blocks_its_port() {
    privileged!();
    for (options, place) in [
        (TCP, "127.0.0.9:40004"),
        (TCP, "127.0.0.9:0"),
        (TCP, "0.0.0.0:0"),
        (TCP, "[::1]:40004"),
        (TCP.v6_only(true), "[::]:40004"),
        (TCP.reuse_address(), "127.0.0.9:40004"),
        (TCP.reuse_port(), "127.0.0.9:40004"),
    ] {
        let ground = Ground::new();
        let held = ground.hold(options, place);
        for destination in [FIRST, SIXTH] {
            let ports = ground.granted(TCP, destination);
            assert!(
                ports.len() == 9 && !ports.contains(&held.port()),
                "{place} {destination} {ports:?}"
            );
        }
    }
}

#[test]
fn binding_only_the_address_holds_no_port() {
    privileged!();
    let ground = Ground::new();
    let held = ground.hold(TCP.address_no_port(), "127.0.0.9:0");
    assert_eq!(held.port(), 0);
    assert_eq!(ground.room(FIRST), 10);
}

#[test]
fn a_connection_that_was_bound_first_blocks_its_port_for_all_destinations() {
    privileged!();
    for options in [
        TCP.bind(at("127.0.0.1:0")),
        TCP.bind(at("127.0.0.2:0")),
        TCP.bind(at("0.0.0.0:0")),
        TCP.bind(at("127.0.0.1:40004")),
        TCP.bind(at("127.0.0.1:40004")).address_no_port(),
        TCP.bind(at("127.0.0.1:0")).reuse_address(),
        TCP.bind(at("127.0.0.1:0")).reuse_port(),
        TCP.bind(at("127.0.0.1:0")).local_port_range(40002, 40005),
    ] {
        let ground = Ground::new();
        let client = ground.connect(options, SECOND);
        for destination in [FIRST, SIXTH] {
            let ports = ground.granted(TCP, destination);
            assert!(
                ports.len() == 9 && !ports.contains(&client.port()),
                "{options:?} {destination} {ports:?}"
            );
        }
        // Recovered as soon as it is gone (d57f4b874946 even while others share the port).
        drop(client);
        assert_eq!(ground.room(FIRST), 10, "{options:?}");
    }
}

#[test]
fn a_connection_whose_port_connect_chose_blocks_only_its_own_destination() {
    privileged!();
    for options in [
        TCP,
        TCP.bind(at("127.0.0.1:0")).address_no_port(),
        TCP.local_port_range(40002, 40005),
        TCP.bind(at("127.0.0.1:0")).address_no_port().local_port_range(40004, 40004),
        TCP.reuse_address(),
    ] {
        let ground = Ground::new();
        let _client = ground.connect(options, SECOND);
        assert_eq!(ground.room(FIRST), 10, "{options:?}");
        assert_eq!(ground.room(SIXTH), 10, "{options:?}");
        assert_eq!(ground.room(SECOND), 9, "{options:?}");
    }
}

#[test]
fn another_source_address_has_the_range_anew() {
    privileged!();
    let ground = Ground::new();
    let other = TCP.bind(at("127.0.0.2:0")).address_no_port();
    let _held = ground.namespace.run(|| drain(&other, at(FIRST)));
    assert_eq!(ground.granted(other, FIRST).len(), 0);
    assert_eq!(ground.room(FIRST), 10);
}

#[test]
fn mapped_sockets_share_the_tuples_of_ipv4() {
    privileged!();
    let ground = Ground::new();
    let mapped_first = mapped(at(FIRST)).to_string();
    let held = ground.connect(TCP, &mapped_first);
    assert!(held.local().is_ipv6());
    let ports = ground.granted(TCP, FIRST);
    assert!(ports.len() == 9 && !ports.contains(&held.port()), "{ports:?}");
    assert_eq!(ground.room(&mapped_first), 9);
    assert_eq!(ground.room(SIXTH), 10);
}

#[test]
fn a_port_bound_after_connect_took_it_is_blocked_until_the_binding_goes() {
    privileged!();
    let ground = Ground::new();
    let client = ground.connect(TCP, SECOND);
    let port = client.port();
    let held = ground.hold(TCP, &format!("127.0.0.9:{port}"));
    assert_eq!(ground.room(FIRST), 9);
    drop(held);
    assert_eq!(ground.room(FIRST), 10);
}

#[test]
fn time_wait_keeps_its_own_destination_only() {
    privileged!();
    let ground = Ground::new();
    let port = ground.namespace.run(|| ground.servers[1].leave_time_wait(&TCP).unwrap());
    assert_eq!(ground.room(FIRST), 10);
    let ports = ground.granted(TCP, SECOND);
    assert!(ports.len() == 9 && !ports.contains(&port), "{ports:?}");
}

#[test]
fn time_wait_of_a_connection_that_was_bound_first_blocks_all_destinations() {
    privileged!();
    for options in [TCP.bind(at("127.0.0.1:0")), TCP.bind(at("127.0.0.1:40004")).reuse_address()] {
        for reuse in ["0", "1", "2"] {
            let ground = Ground::new();
            ground.namespace.sysctl("net.ipv4.tcp_tw_reuse", reuse);
            let port =
                ground.namespace.run(|| ground.servers[1].leave_time_wait(&options).unwrap());
            let ports = ground.granted(TCP, FIRST);
            assert!(ports.len() == 9 && !ports.contains(&port), "{options:?} {reuse} {ports:?}");
        }
    }
}

#[test]
fn time_wait_can_be_taken_again_after_a_second_when_the_setting_allows() {
    privileged!();
    for (reuse, again) in [("0", 9), ("1", 10), ("2", 10)] {
        let ground = Ground::new();
        ground.namespace.sysctl("net.ipv4.tcp_tw_reuse", reuse);
        ground.namespace.run(|| ground.servers[0].leave_time_wait(&TCP).unwrap());
        assert_eq!(ground.room(FIRST), 9, "at once, tcp_tw_reuse={reuse}");
        std::thread::sleep(std::time::Duration::from_millis(1200));
        assert_eq!(ground.room(FIRST), again, "later, tcp_tw_reuse={reuse}");
    }
}

#[test]
fn a_bound_port_takes_time_wait_over_at_once_with_so_reuseaddr() {
    privileged!();
    // Whatever tcp_tw_reuse says: tcp_twsk_unique asks only when connect() chooses the port.
    let ground = Ground::new();
    let fixed = TCP.bind(at("127.0.0.1:40004")).reuse_address();
    ground.namespace.run(|| ground.servers[0].leave_time_wait(&fixed).unwrap());
    let without = TCP.bind(at("127.0.0.1:40004"));
    let error = ground.namespace.run(|| without.connect(at(FIRST)).unwrap_err());
    assert_eq!(error.kind(), std::io::ErrorKind::AddrInUse);
    assert_eq!(ground.connect(fixed, FIRST).port(), 40004);
}

#[test]
fn a_listener_may_share_the_port_of_a_connection_with_so_reuseaddr_on_both() {
    privileged!();
    let ground = Ground::new();
    let client = ground.connect(TCP.reuse_address(), FIRST);
    let place = client.local().to_string();
    let refused = ground.namespace.run(|| TCP.listen(at(&place)).unwrap_err());
    assert_eq!(refused.kind(), std::io::ErrorKind::AddrInUse);
    let _listener = ground.listen(TCP.reuse_address(), &place);
    assert_eq!(ground.room(SECOND), 9);
}

#[test]
fn accepted_connections_keep_blocking_after_their_listener_is_gone() {
    privileged!();
    let ground = Ground::new();
    let listener = ground.namespace.run(|| Server::open(&TCP, at("127.0.0.9:40004")).unwrap());
    let outside = TCP.bind(at("127.0.0.1:50000"));
    let (client, server) = ground.namespace.run(|| listener.connected_pair(&outside).unwrap());
    assert_eq!(ground.room(FIRST), 9, "listener and accepted");
    drop(listener);
    assert_eq!(ground.room(FIRST), 9, "accepted alone");
    server.finish_before(&client);
    client.finish();
    assert_eq!(ground.room(FIRST), 9, "TIME_WAIT of the accepted");
}

#[test]
fn a_half_closed_connection_keeps_its_port() {
    privileged!();
    let ground = Ground::new();
    let (client, server) = ground.namespace.run(|| ground.servers[0].connected_pair(&TCP).unwrap());
    client.finish_before(&server);
    assert_eq!(ground.room(FIRST), 9, "FIN_WAIT2 without an owner");
    assert_eq!(ground.room(SECOND), 10);
    drop(server);

    let (client, server) = ground.namespace.run(|| ground.servers[0].connected_pair(&TCP).unwrap());
    server.finish_before(&client);
    assert_eq!(ground.room(FIRST), 9, "CLOSE_WAIT");
    assert_eq!(ground.room(SECOND), 10);
    client.finish();
    assert_eq!(ground.room(FIRST), 10, "the server waits, at its own port");
}

#[test]
fn a_range_on_the_socket_ends_the_parity() {
    privileged!();
    let ground = Ground::with_range(40000, 40063);
    let ports = ground.granted(TCP.local_port_range(40000, 40063), FIRST);
    assert_eq!(ports.len(), 64);
    assert!(ports[..32].iter().any(|port| port % 2 == 1), "{ports:?}");
    // One that lies outside is ignored, one that overlaps is cut.
    assert_eq!(ground.granted(TCP.local_port_range(50000, 50009), FIRST).len(), 64);
    let mut cut = ground.granted(TCP.local_port_range(40060, 40069), FIRST);
    cut.sort_unstable();
    assert_eq!(cut, [40060, 40061, 40062, 40063]);
}

#[test]
fn binding_to_any_port_needs_one_that_nobody_has_at_that_address() {
    privileged!();
    let ground = Ground::new();
    let clients: Vec<_> = (0..3).map(|_| ground.connect(TCP, FIRST)).collect();
    let _listener = ground.listen(TCP, "127.0.0.9:40001");
    let bound = |place| ground.namespace.run(|| drain_bind(&TCP, at(place)).ports().to_vec());
    let here = bound("127.0.0.1:0");
    assert_eq!(here.len(), 7);
    assert!(clients.iter().all(|client| !here.contains(&client.port())));
    assert_eq!(bound("127.0.0.2:0").len(), 10);
    assert_eq!(bound("127.0.0.9:0").len(), 9);
    assert_eq!(bound("0.0.0.0:0").len(), 6);
}

#[test]
fn udp_connect_needs_a_port_that_is_free_at_every_address() {
    privileged!();
    let ground = Ground::new();
    let _bound = ground.hold(UDP, "127.0.0.9:40004");
    assert_eq!(ground.granted(UDP, "127.0.0.1:53").len(), 9);
    let _client = ground.connect(UDP, "127.0.0.1:53");
    assert_eq!(ground.granted(UDP, "127.0.0.1:54").len(), 8, "whatever the destination");
    assert_eq!(ground.granted(UDP, "127.0.0.2:53").len(), 8, "and the address");
    // TCP does not share its ports with UDP.
    assert_eq!(ground.room(FIRST), 10);
}

#[test]
fn udp_bound_to_an_address_needs_a_port_that_is_free_there_and_at_the_wildcard() {
    privileged!();
    let ground = Ground::new();
    let bound = |place| ground.namespace.run(|| drain_bind(&UDP, at(place)).ports().len());
    let _elsewhere = ground.hold(UDP, "127.0.0.9:40004");
    assert_eq!(bound("127.0.0.1:0"), 10);
    assert_eq!(bound("127.0.0.9:0"), 9);
    assert_eq!(bound("0.0.0.0:0"), 9);
    let _wildcard = ground.hold(UDP, "0.0.0.0:40005");
    assert_eq!(bound("127.0.0.1:0"), 9);
    assert_eq!(bound("127.0.0.9:0"), 8);
    // A connected socket has the address that the route gave it.
    let client = ground.connect(UDP, "127.0.0.1:53");
    assert_eq!(client.local().ip().to_string(), "127.0.0.1");
    assert_eq!(bound("127.0.0.1:0"), 8);
    assert_eq!(bound("127.0.0.9:0"), 8);
}

#[test]
fn udp_of_both_families_meets_at_the_wildcard() {
    privileged!();
    let only = UDP.v6_only(true);
    // What is bound; then how many ports bind() finds at 127.0.0.1, 0.0.0.0, ::1, :: and :: for
    // IPv6 alone.
    for (options, place, expected) in [
        (UDP, "127.0.0.1:40004", [9, 9, 10, 9, 10]),
        (UDP, "0.0.0.0:40004", [9, 9, 10, 9, 10]),
        (UDP, "[::1]:40004", [10, 10, 9, 9, 9]),
        (UDP, "[::]:40004", [9, 9, 9, 9, 9]),
        (only, "[::1]:40004", [10, 10, 9, 9, 9]),
        (only, "[::]:40004", [10, 10, 9, 9, 9]),
    ] {
        let ground = Ground::new();
        let _held = ground.hold(options, place);
        let found = [
            (UDP, "127.0.0.1:0"),
            (UDP, "0.0.0.0:0"),
            (UDP, "[::1]:0"),
            (UDP, "[::]:0"),
            (only, "[::]:0"),
        ]
        .map(|(options, place)| {
            ground.namespace.run(|| drain_bind(&options, at(place)).ports().len())
        });
        assert_eq!(found, expected, "{options:?} at {place}");
    }
}

#[test]
fn a_udp_socket_of_ipv6_that_was_not_bound_stays_open_to_ipv4() {
    privileged!();
    let ground = Ground::new();
    let client = ground.connect(UDP, "[::1]:53");
    assert_eq!(client.local().ip().to_string(), "::1");
    let bound = |place| ground.namespace.run(|| drain_bind(&UDP, at(place)).ports().len());
    assert_eq!(bound("127.0.0.1:0"), 10);
    assert_eq!(bound("0.0.0.0:0"), 9);
    assert_eq!(bound("[::1]:0"), 9);
}
