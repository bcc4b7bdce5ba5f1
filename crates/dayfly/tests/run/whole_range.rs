//! `--whole-range`: the kernel chooses among all ports at once, not one parity first.

use std::collections::BTreeSet;

use crate::stand::{Stand, Who};

/// Far less than half of the range, where a plain program gets one parity only.
const CONNECTIONS: usize = 24;

#[test]
fn both_parities_from_the_first_connection_on() {
    crate::stand!();
    for stand in [Stand::near(), Stand::far()] {
        for program in ["@client", "@client-static", "@client-go", "/usr/bin/python3 @client.py"] {
            for to in ["@4", "@6"] {
                let line = format!("{program} connect {to} count={CONNECTIONS}");
                for (who, options) in [
                    (Who::Root, "--whole-range"),
                    (Who::Root, "--whole-range --via seccomp"),
                    (Who::User, "--whole-range"),
                ] {
                    let done = stand.run(who, options, &line);
                    assert!(done.success(), "{who:?} {options} {line}: {done:?}");
                    let ports = stand.ports();
                    assert_eq!(ports.len(), CONNECTIONS);
                    assert_eq!(parities(&ports), 2, "{who:?} {options} {line}: {ports:?}");
                }
                let words = stand.words(&line);
                let plain = dayfly_testkit::finish(
                    &mut stand.command(Who::User, &words),
                    crate::stand::PATIENCE,
                );
                assert!(plain.success(), "{line}: {plain:?}");
                assert_eq!(parities(&stand.ports()), 1, "the kernel splits no more: {line}");
            }
        }
    }
}

/// Every port of the kernel's range can be had, and none other.
#[test]
fn the_range_is_the_kernels() {
    crate::stand!();
    for who in [Who::Root, Who::User] {
        let stand = Stand::near();
        stand.client.sysctl("net.ipv4.ip_local_port_range", "41000 41063");
        stand.client.sysctl("net.ipv4.ip_local_reserved_ports", "41010,41020-41021");
        let done = stand.run(who, "--whole-range", "@client connect @4 count=61 threads");
        assert!(done.success(), "{who:?}: {done:?}");
        let ports: BTreeSet<u16> = stand.ports().into_iter().collect();
        let all = (41000..=41063).filter(|port| ![41010, 41020, 41021].contains(port));
        assert_eq!(ports, all.collect(), "{who:?}");
    }
}

fn parities(ports: &[u16]) -> usize {
    ports.iter().map(|port| port % 2).collect::<BTreeSet<_>>().len()
}
