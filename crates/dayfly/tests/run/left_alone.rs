//! What a program has chosen itself stays as it is.

use std::net::SocketAddr;

use crate::stand::{Stand, VIAS, Who};

#[test]
fn a_port_that_the_program_chose() {
    crate::stand!();
    let stand = Stand::near();
    let mut own = 2345;
    for (who, via) in VIAS {
        for program in ["client", "client-static"] {
            own += 1;
            let done = stand.run(
                who,
                &format!("--via {via} --port 63999"),
                &format!("@{program} connect @4 bind=127.0.0.1 port={own}"),
            );
            assert!(done.success(), "{who:?} {via}: {done:?}");
            assert_eq!(stand.ports(), [own], "{who:?} {via}");
        }
    }
}

#[test]
fn an_address_that_the_program_chose() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let done = stand.run(
            who,
            &format!("--via {via} --port 63998"),
            "@client connect @4 bind=127.0.0.2 no-port",
        );
        assert!(done.success(), "{who:?} {via}: {done:?}");
        assert_eq!(clients(&stand), ["127.0.0.2:63998"], "{who:?} {via}");
    }
}

/// The kernel has chosen a port when connect() comes: too late, unless bind() is caught as well.
#[test]
fn a_port_that_the_kernel_chose_at_bind() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let options = format!("--via {via} --port 63997");
        let done = stand.run(who, &options, "@client connect @4 bind=127.0.0.2");
        assert!(done.success(), "{who:?} {via}: {done:?}");
        let seen = clients(&stand);
        assert!(seen[0].starts_with("127.0.0.2:") && seen[0] != "127.0.0.2:63997", "{seen:?}");
    }
    let done = stand.run(Who::User, "--offer --port 63997", "@client connect @4 bind=127.0.0.2");
    assert!(done.success(), "{done:?}");
    assert_eq!(clients(&stand), ["127.0.0.2:63997"]);
}

#[test]
fn only_the_destinations_that_are_named() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        for (destination, pinned) in [
            ("127.0.0.1", true),
            ("127.0.0.1:7000", true),
            ("127.0.0.1:7001", false),
            ("127.0.0.2", false),
            ("[::1]:7000", false),
        ] {
            let options = format!("--via {via} --port 63996 --destination {destination}");
            let done = stand.run(who, &options, "@client connect @4");
            assert!(done.success(), "{who:?} {via} {destination}: {done:?}");
            assert_eq!(stand.ports() == [63996], pinned, "{who:?} {via} {destination}");
        }
    }
}

#[test]
fn the_source_address_that_is_wanted() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        for (ports, is_it) in [("--port 63995", true), ("", false)] {
            let options = format!("--via {via} --address 127.0.0.9 {ports}");
            let done = stand.run(who, &options, "@client connect @4");
            assert!(done.success(), "{who:?} {options}: {done:?}");
            let seen: SocketAddr = clients(&stand)[0].parse().unwrap();
            assert_eq!(seen.ip().to_string(), "127.0.0.9", "{who:?} {options}");
            assert_eq!(seen.port() == 63995, is_it, "{who:?} {options}: {seen}");
        }
    }
}

/// Without `--udp` the resolver keeps its random ports.
#[test]
fn udp_unless_asked_for() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        for call in ["udp", "sendto", "sendmsg"] {
            let options = format!("--via {via} --port 63994");
            let done = stand.run(who, &options, &format!("@client {call} @4"));
            assert!(done.success(), "{who:?} {via} {call}: {done:?}");
            assert_ne!(stand.ports(), [63994], "{who:?} {via} {call}");
        }
    }
}

fn clients(stand: &Stand) -> Vec<String> {
    stand.witness.take().iter().map(|seen| seen.client.to_string()).collect()
}
