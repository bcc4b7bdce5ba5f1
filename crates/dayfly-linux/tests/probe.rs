//! The oracle against the kernel it asks: the same answers as real connections, and no trace.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its ground fails")]

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

use dayfly_linux::probe::{Family, PortVerdict, Probe, ProbeErrorKind};
use dayfly_ports::{Port, PortRange, PortSet};
use dayfly_testkit::{
    Folder, Namespace, Server, Socket, SocketOptions, command, drain, mapped, needs, privileged,
};

const LOW: u16 = 40000;
const HIGH: u16 = 40039;

fn ten_times_four_ports() -> Namespace {
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", &format!("{LOW} {HIGH}"));
    namespace
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn listen(text: &str) -> Socket {
    SocketOptions::tcp().listen(address(text)).unwrap()
}

/// Every counter of `/proc/net/snmp` in the calling thread's namespace, as `Tcp.OutSegs`.
fn counters() -> BTreeMap<String, i64> {
    let text = std::fs::read_to_string("/proc/thread-self/net/snmp").unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut counters = BTreeMap::new();
    for pair in lines.chunks_exact(2) {
        let mut names = pair[0].split_whitespace();
        let protocol = names.next().unwrap().trim_end_matches(':');
        for (name, value) in names.zip(pair[1].split_whitespace().skip(1)) {
            counters.insert(format!("{protocol}.{name}"), value.parse().unwrap());
        }
    }
    counters
}

/// How many sockets are in TIME_WAIT in the calling thread's namespace.
fn time_wait_count() -> u32 {
    let text = std::fs::read_to_string("/proc/thread-self/net/sockstat").unwrap();
    let line = text.lines().find(|line| line.starts_with("TCP:")).unwrap();
    let mut words = line.split_whitespace().skip_while(|word| *word != "tw");
    words.nth(1).unwrap().parse().unwrap()
}

#[test]
fn thousands_of_questions_leave_no_trace() {
    privileged!();
    let namespace = ten_times_four_ports();
    namespace.add_address("lo", "2001:db8::1/128");
    namespace.run(|| {
        let _server = listen("127.0.0.1:80");
        let probe = Probe::new().unwrap();
        let before = counters();
        let mut granted = 0;
        for round in 0..2000_u16 {
            let port = Port::new(LOW + round % (HIGH - LOW));
            for destination in ["127.0.0.1:80", "127.0.0.9:81", "[::1]:80", "[2001:db8::1]:80"] {
                let destination = address(destination);
                assert_eq!(probe.port(None, destination, port), Ok(PortVerdict::Free));
                assert!(probe.any(None, destination).unwrap().port.is_some());
                granted += 2;
            }
            assert_eq!(probe.bucket(Family::V4, port), Ok(PortVerdict::Free));
            granted += 1;
        }
        let all = PortSet::from(probe.range());
        assert_eq!(probe.buckets(&all), Ok(PortSet::EMPTY));
        granted += i64::from(all.len());
        let mut after = counters();
        // Closing an established socket without a FIN is what this counter counts; it is the only
        // one that moves.
        let resets = after.get_mut("Tcp.EstabResets").unwrap();
        assert_eq!(*resets, granted);
        *resets = 0;
        assert_eq!(after, before);
        assert_eq!((after["Tcp.OutSegs"], after["Tcp.ActiveOpens"]), (0, 0));
        assert_eq!((after["Ip.OutRequests"], time_wait_count()), (0, 0));
    });
}

#[test]
fn every_port_gets_the_answer_that_a_connection_gets() {
    privileged!();
    let namespace = ten_times_four_ports();
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40030-40033");
    namespace.add_address("lo", "10.9.0.1/32");
    namespace.add_address("lo", "10.9.0.2/32");
    namespace.run(|| {
        let destination = address("10.9.0.1:80");
        let elsewhere = address("10.9.0.1:81");
        let _servers = [listen("10.9.0.1:80"), listen("10.9.0.1:81")];
        let plain = SocketOptions::tcp();
        let _held = [
            listen("10.9.0.2:40001"),
            listen("0.0.0.0:40002"),
            listen("[::1]:40003"),
            plain.v6_only(true).listen(address("[::]:40004")).unwrap(),
            plain.reuse_port().listen(address("10.9.0.2:40005")).unwrap(),
            plain.hold(address("10.9.0.2:40006")).unwrap(),
            plain.reuse_address().hold(address("127.0.0.1:40007")).unwrap(),
            // Bound first, then connected: lost to every other destination as well.
            plain.bind(address("10.9.0.1:40008")).connect(elsewhere).unwrap(),
            // Picked by connect(): lost to that destination only.
            plain.local_port_range(40009, 40009).connect(elsewhere).unwrap(),
            plain.local_port_range(40010, 40010).connect(destination).unwrap(),
            plain.local_port_range(40011, 40011).connect(mapped(destination)).unwrap(),
            plain
                .address_no_port()
                .bind(address("10.9.0.1:0"))
                .local_port_range(40012, 40012)
                .connect(elsewhere)
                .unwrap(),
        ];
        let probe = Probe::new().unwrap();
        let source: IpAddr = "10.9.0.1".parse().unwrap();
        for (source, destination) in
            [(None, destination), (Some(source), destination), (Some(source), elsewhere)]
        {
            let range = probe.range();
            let says_free: Vec<u16> = range
                .iter()
                .filter(|port| probe.port(source, destination, *port) == Ok(PortVerdict::Free))
                .map(Port::number)
                .collect();
            let mut granted = drain(&plain, destination).ports().to_vec();
            granted.sort_unstable();
            assert_eq!(says_free, granted, "to {destination} from {source:?}");
        }

        let lost: Vec<u16> = probe
            .range()
            .iter()
            .filter(|port| probe.bucket(Family::V4, *port) == Ok(PortVerdict::Taken))
            .map(Port::number)
            .collect();
        let expected =
            [40001, 40002, 40003, 40004, 40005, 40006, 40007, 40008, 40030, 40031, 40032, 40033];
        assert_eq!(lost, expected);
        let all = PortSet::from(probe.range());
        let together = probe.buckets(&all).unwrap();
        assert_eq!(together.iter().map(Port::number).collect::<Vec<_>>(), expected);
    });
}

#[test]
fn the_search_fails_when_connections_do_and_finds_what_they_find() {
    privileged!();
    let namespace = ten_times_four_ports();
    namespace.run(|| {
        let destination = address("127.0.0.1:80");
        let _server = listen("127.0.0.1:80");
        let probe = Probe::new().unwrap();
        let mut taken = Vec::new();
        while let Some(port) = probe.any(None, destination).unwrap().port {
            assert!(probe.range().contains(port));
            assert_eq!(probe.port(None, destination, port), Ok(PortVerdict::Free));
            taken.push(SocketOptions::tcp().connect(destination).unwrap());
        }
        assert_eq!(taken.len(), 40);
        assert!(SocketOptions::tcp().connect(destination).is_err());
        assert_eq!(probe.any_in(None, destination, probe.range()).unwrap().port, None);
        assert!(probe.any(None, address("127.0.0.1:81")).unwrap().port.is_some());
    });
}

#[test]
fn a_reusable_time_wait_is_free_and_the_question_uses_it_up() {
    privileged!();
    let namespace = ten_times_four_ports();
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "1");
    namespace.sysctl("net.ipv4.tcp_tw_reuse_delay", "1");
    namespace.run(|| {
        let destination = address("127.0.0.1:80");
        let server = Server::open(&SocketOptions::tcp(), destination).unwrap();
        let port = server.leave_time_wait(&SocketOptions::tcp()).unwrap();
        assert_eq!(time_wait_count(), 1);
        let probe = Probe::new().unwrap();
        // The delay is counted in milliseconds of the connection's own time stamps.
        let free = (0..200_000)
            .any(|_| probe.port(None, destination, Port::new(port)) == Ok(PortVerdict::Free));
        assert!(free);
        assert_eq!(time_wait_count(), 0);
    });
}

#[test]
fn a_time_wait_that_is_not_reusable_stays_and_is_taken() {
    privileged!();
    let namespace = ten_times_four_ports();
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
    namespace.run(|| {
        let destination = address("127.0.0.1:80");
        let server = Server::open(&SocketOptions::tcp(), destination).unwrap();
        let port = server.leave_time_wait(&SocketOptions::tcp()).unwrap();
        let probe = Probe::new().unwrap();
        let port = Port::new(port);
        assert_eq!(probe.port(None, destination, port), Ok(PortVerdict::Taken));
        assert_eq!(probe.bucket(Family::V4, port), Ok(PortVerdict::Free));
        assert_eq!(time_wait_count(), 1);
    });
}

#[test]
fn what_cannot_be_answered_is_said_in_a_sentence() {
    privileged!();
    let namespace = ten_times_four_ports();
    namespace.run(|| {
        let probe = Probe::new().unwrap();
        let destination = address("127.0.0.1:80");
        assert_eq!(
            probe.port(None, destination, Port::new(HIGH + 1)),
            Ok(PortVerdict::OutsideRange)
        );
        let away = address("192.0.2.1:80");
        let error = probe.any(None, away).unwrap_err();
        assert_eq!(error.kind(), &ProbeErrorKind::NoRoute(away.ip()));
        let strange: IpAddr = "192.0.2.9".parse().unwrap();
        let error = probe.any(Some(strange), destination).unwrap_err();
        assert_eq!(error.kind(), &ProbeErrorKind::SourceNotLocal(strange));
        assert_eq!(
            error.to_string(),
            "192.0.2.9 is not an address of this host, or not of the same family"
        );
        let six: IpAddr = "::1".parse().unwrap();
        assert!(probe.any(Some(six), destination).is_err());
    });
}

#[test]
fn without_the_capability_the_error_says_what_is_missing() {
    privileged!();
    needs!("setpriv", "util-linux");
    // The same program again, as a user without the capability, from where everybody may run it.
    let this = std::env::current_exe().unwrap();
    let folder = Folder::new();
    folder.bring([&this]);
    let output = command("setpriv")
        .args(["--reuid=65534", "--clear-groups", "--inh-caps=-all", "--"])
        .arg(folder.path().join(this.file_name().unwrap()))
        .args(["--exact", "unprivileged_part", "--nocapture"])
        .env("DAYFLY_UNPRIVILEGED_PART", "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("said so"), "{text}");
}

/// Does its work only when run by the test above, without privilege.
#[test]
fn unprivileged_part() {
    if std::env::var_os("DAYFLY_UNPRIVILEGED_PART").is_none() {
        return;
    }
    let error = Probe::new().unwrap_err();
    assert_eq!(error.kind(), &ProbeErrorKind::Privilege);
    assert!(error.hint().unwrap().contains("setcap cap_net_admin+ep"));
    println!("said so");
}

#[test]
fn an_ipv6_search_uses_the_same_range() {
    privileged!();
    let namespace = ten_times_four_ports();
    namespace.add_address("lo", "2001:db8::1/128");
    namespace.run(|| {
        let destination = address("[2001:db8::1]:80");
        let _server = listen("[2001:db8::1]:80");
        let probe = Probe::new().unwrap();
        let source: IpAddr = "2001:db8::1".parse().unwrap();
        let port = Port::new(40020);
        assert_eq!(probe.port(Some(source), destination, port), Ok(PortVerdict::Free));
        let _connection =
            SocketOptions::tcp().local_port_range(40020, 40020).connect(destination).unwrap();
        assert_eq!(probe.port(Some(source), destination, port), Ok(PortVerdict::Taken));
        assert_eq!(probe.port(None, destination, port), Ok(PortVerdict::Taken));
        assert_eq!(
            probe.port(Some("::1".parse().unwrap()), destination, port),
            Ok(PortVerdict::Free)
        );
        assert_eq!(probe.bucket(Family::V6, port), Ok(PortVerdict::Free));
        assert_eq!(PortRange::new(LOW, HIGH), Ok(probe.range()));
    });
}
