//! The same port to the same destination, again and again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::stand::{SERVER, Stand, VIAS, Who};

/// Over a cable, where TIME_WAIT is not cut short as on loopback, and with the kernel's own reuse
/// switched off.
#[test]
fn a_hundred_runs_from_one_port_to_one_destination() {
    crate::stand!();
    let stand = Stand::far();
    stand.client.sysctl("net.ipv4.tcp_tw_reuse", "0");
    for (who, via) in VIAS {
        // Inside the kernel's range and outside.
        for port in [45678, 63999] {
            for turn in 0..50 {
                let program = ["client", "client-go"][turn % 2];
                let done = stand.run(
                    who,
                    &format!("--via {via} --port {port}"),
                    &format!("@{program} connect @4 requests=2"),
                );
                assert!(done.success(), "{who:?} {via} {port}, run {turn}: {done:?}");
                assert_eq!(stand.ports(), [port; 2], "{who:?} {via}, run {turn}");
            }
        }
        let done = stand.run(
            who,
            &format!("--via {via} --port 63999"),
            "curl --silent --show-error --noproxy * http://10.9.0.2:7000/ http://10.9.0.2:7000/",
        );
        assert!(done.success(), "{who:?} {via}: {done:?}");
        assert!(stand.ports().iter().all(|port| *port == 63999));
    }
}

/// A server that is far away closes a round trip later than the client; a script is faster.
#[test]
fn the_next_connection_waits_for_the_end_of_the_last() {
    crate::stand!();
    let stand = Stand::near();
    stand.witness.close_late(Duration::from_millis(50));
    for who in [Who::Root, Who::User] {
        let url = "http://127.0.0.1:7000/";
        let script = format!("for i in 1 2 3 4; do curl --silent --noproxy '*' {url}; done");
        for strict in ["", "--strict"] {
            let done = stand.shell(who, &format!("--via seccomp --port 63999 {strict}"), &script);
            assert!(done.success() && done.stderr.is_empty(), "{who:?} {strict}: {done:?}");
            assert_eq!(stand.ports(), [63999; 4], "{who:?} {strict}");
        }
    }
}

/// Every port of a range is used, over and over, and no connection fails.
#[test]
fn thousands_of_connections_over_few_ports() {
    crate::stand!();
    for stand in [Stand::near(), Stand::far()] {
        for (who, via) in VIAS {
            for (range, size) in [("45000-45019", 20), ("63000-63019", 20), ("60990-61009", 20)] {
                let done = stand.run(
                    who,
                    &format!("--via {via} --range {range}"),
                    "@client connect @4 requests=600",
                );
                assert!(done.success(), "{who:?} {via} {range} to {}: {done:?}", stand.v4);
                let seen: BTreeSet<u16> = stand.ports().into_iter().collect();
                assert_eq!(seen.len(), size, "{who:?} {via} {range} to {}", stand.v4);
            }
        }
    }
}

/// All ports but one have a live connection to the destination: the one is found, again and again.
#[test]
fn the_last_port_is_found() {
    crate::stand!();
    for stand in [Stand::near(), Stand::far()] {
        for (who, via) in VIAS {
            for (low, high) in [(45100_u16, 45131), (63100, 63131)] {
                let options = format!("--via {via} --range {low}-{high}");
                let count = usize::from(high - low) + 1;
                let done =
                    stand.run(who, &options, &format!("@client connect @4 count={count} threads"));
                assert!(done.success(), "{who:?} {via} {low}-{high}: {done:?}");
                let seen: BTreeSet<u16> = stand.ports().into_iter().collect();
                assert_eq!(seen.len(), count, "{who:?} {via}");
            }
        }
    }
}

/// A connection that stays open keeps its port from the same destination, and no other connection
/// fails because of it. To a program with IPv6 sockets only, an IPv4 destination is an IPv6 one.
#[test]
fn a_live_connection_among_those_that_are_over() {
    crate::stand!();
    let stand = Stand::far();
    let mapped = format!("::ffff:{}", stand.v4);
    for (who, via) in VIAS {
        for destination in [stand.v4, stand.v6, &mapped] {
            let client = stand.path("client");
            let done = stand.shell(
                who,
                &format!("--via {via} --range 63200-63203"),
                &format!(
                    "exec 3<>/dev/tcp/{destination}/{SERVER}; echo '?' >&3; head -n 1 <&3; \
                     {client} connect {destination} {SERVER} requests=40"
                ),
            );
            assert!(done.success(), "{who:?} {via} {destination}: {done:?}");
            assert_eq!(done.stderr, "", "{who:?} {via} {destination}");
            let ports = stand.ports();
            assert_eq!(ports.len(), 41, "{who:?} {via} {destination}");
            let live = ports.iter().filter(|port| **port == ports[0]).count();
            assert_eq!(live, 1, "{who:?} {via} {destination}: {ports:?}");
        }
    }
}

/// Other destinations share a port; the same one cannot.
#[test]
fn one_port_serves_every_destination() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        for port in [45200, 63200] {
            let done = stand.shell(
                who,
                &format!("--via {via} --port {port}"),
                "exec 3<>/dev/tcp/127.0.0.1/7000 4<>/dev/tcp/127.0.0.2/7000 5<>/dev/tcp/::1/7000; \
                 for fd in 3 4 5; do echo '?' >&$fd; head -n 1 <&$fd; done",
            );
            assert!(done.success(), "{who:?} {via} {port}: {done:?}");
            assert_eq!(stand.ports(), [port; 3], "{who:?} {via} {port}");
        }
    }
}

/// Without timestamps the kernel cannot tell an old segment from a new one and keeps TIME_WAIT.
#[test]
fn without_timestamps_the_message_says_so() {
    crate::stand!();
    let stand = Stand::far();
    stand.client.sysctl("net.ipv4.tcp_timestamps", "0");
    let first = stand.run(Who::User, "--via seccomp --port 63999", "@client connect @4");
    assert!(first.success(), "{first:?}");
    let second = stand.run(Who::User, "--via seccomp --port 63999", "@client connect @4");
    for words in ["63999", "10.9.0.2:7000", "TIME_WAIT", "timestamps", "--range"] {
        assert!(second.stderr.contains(words), "{words}: {}", second.stderr);
    }
    let strict = stand.run(Who::User, "--via seccomp --strict --port 63999", "@client connect @4");
    assert!(!strict.success() && strict.stderr.contains("timestamps"), "{strict:?}");
}
