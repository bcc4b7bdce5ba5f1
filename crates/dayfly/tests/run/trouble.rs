//! When the port cannot be had, the message says which, who, how long, and what to do.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use dayfly_testkit::{SocketOptions, finish};

use crate::stand::{PATIENCE, Stand, VIAS, Who};

#[test]
fn a_listener_holds_the_port() {
    crate::stand!();
    let stand = Stand::near();
    let place: SocketAddr = "0.0.0.0:63999".parse().unwrap();
    let _listener = stand.client.run(|| SocketOptions::tcp().listen(place)).unwrap();
    for (who, via) in VIAS {
        let options = format!("--via {via} --port 63999");
        let done = stand.run(who, &options, "@client connect @4");
        assert!(done.success(), "{who:?} {via}: it goes on with another port: {done:?}");
        assert_ne!(stand.ports(), [63999]);
        for words in ["63999", "in use", "LISTEN"] {
            assert!(done.stderr.contains(words), "{who:?} {via}, {words}: {}", done.stderr);
        }
        let strict = stand.run(who, &format!("{options} --strict"), "@client connect @4");
        assert!(!strict.success(), "{who:?} {via}: {strict:?}");
        assert_eq!(stand.ports(), [], "{who:?} {via}");
        let quiet = stand.run(who, &format!("{options} --quiet"), "@client connect @4");
        assert!(quiet.success() && quiet.stderr.is_empty(), "{who:?} {via}: {quiet:?}");
        stand.ports();
    }
}

#[test]
fn two_live_connections_to_one_destination() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let options = format!("--via {via} --strict --port 63998");
        let done = stand.run(who, &options, "@client connect @4 count=2");
        assert!(!done.success(), "{who:?} {via}: {done:?}");
        let seen = stand.witness.wait_for(1);
        assert_eq!(seen.len(), 1, "{who:?} {via}: {seen:?}");
        assert_eq!(seen[0].client.port(), 63998, "{who:?} {via}");
        for words in ["63998", "127.0.0.1:7000"] {
            assert!(done.stderr.contains(words), "{who:?} {via}, {words}: {}", done.stderr);
        }
    }
}

#[test]
fn a_port_below_the_floor() {
    crate::stand!();
    let stand = Stand::near();
    let done = stand.run(Who::User, "--port 700", "@client connect @4");
    assert!(
        done.stderr.contains("700") && done.stderr.contains("CAP_NET_BIND_SERVICE"),
        "{done:?}"
    );
    assert_ne!(stand.ports(), [700]);
    for (_, via) in VIAS.into_iter().filter(|(who, _)| *who == Who::Root) {
        let done = stand.run(Who::Root, &format!("--via {via} --port 700"), "@client connect @4");
        assert!(done.success() && done.stderr.is_empty(), "{done:?}");
        assert_eq!(stand.ports(), [700]);
    }
}

/// TCP allows a socket to connect to itself, and then all seems well.
#[test]
fn a_connection_to_itself() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let options = format!("--via {via} --port 7001");
        let done = stand.run(who, &options, "@client connect 127.0.0.1 7001");
        assert!(!done.success(), "nobody listens there: {done:?}");
        assert!(done.stderr.contains("itself"), "{who:?} {via}: {}", done.stderr);
    }
}

/// A user may not look into a program that nobody may read.
#[test]
fn a_program_that_may_not_be_read() {
    crate::stand!();
    let stand = Stand::near();
    let secret = stand.new_file();
    std::fs::copy(stand.path("client"), &secret).unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o711)).unwrap();
    let line = format!("{} connect @4", secret.display());
    let done = stand.run(Who::User, "--port 63997", &line);
    assert!(done.success(), "{done:?}");
    assert_ne!(stand.ports(), [63997]);
    assert!(done.stderr.contains("setuid") || done.stderr.contains("read"), "{}", done.stderr);
    let strict = stand.run(Who::User, "--strict --port 63997", &line);
    assert!(!strict.success(), "{strict:?}");
    assert_eq!(stand.ports(), []);
    for (_, via) in VIAS.into_iter().filter(|(who, _)| *who == Who::Root) {
        let done = stand.run(Who::Root, &format!("--via {via} --port 63997"), &line);
        assert!(done.success(), "{done:?}");
        assert_eq!(stand.ports(), [63997], "{via}");
    }
}

/// Root's filter leaves setuid alone: the program becomes who it should be, and is pinned.
#[test]
fn a_setuid_program() {
    crate::stand!();
    let stand = Stand::near();
    let program = stand.new_file();
    std::fs::copy(stand.path("client"), &program).unwrap();
    std::os::unix::fs::chown(&program, Some(65533), None).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o4755)).unwrap();
    let line = format!("{} connect @4", program.display());
    for (who, via) in VIAS {
        let done = stand.run(who, &format!("--via {via} --port 63996"), &line);
        assert!(done.success(), "{who:?} {via}: {done:?}");
        // For a user the filter needs no_new_privs, which takes the meaning from the setuid bit.
        assert_eq!(stand.ports(), [63996], "{who:?} {via}: {}", done.stderr);
    }
}

/// A kernel allows one listener for each program.
#[test]
fn a_run_within_a_run() {
    crate::stand!();
    let stand = Stand::near();
    let inner = "@dayfly run --via seccomp --port 63994 -- @client connect @4";
    for who in [Who::Root, Who::User] {
        let done = stand.run(who, "--via seccomp --port 63995", inner);
        assert_eq!(done.status.and_then(|status| status.code()), Some(125), "{who:?}: {done:?}");
        assert!(done.stderr.contains("seccomp") && done.stderr.contains("--via bpf"), "{done:?}");
        assert_eq!(stand.ports(), []);
    }
    // Automatically, root's inner run takes the other way.
    let inner = "@dayfly run --port 63994 -- @client connect @4";
    let done = stand.run(Who::Root, "--via seccomp --port 63995", inner);
    assert!(done.success(), "{done:?}");
    assert_eq!(stand.ports().len(), 1);
}

/// Calls through io_uring pass no filter, so there is none; through BPF it may stay.
#[test]
fn a_program_with_io_uring() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let done = stand.run(who, &format!("--via {via} --port 63993"), "@uring @4");
        assert!(done.success(), "{who:?} {via}: {done:?}");
        assert_eq!(stand.ports(), [63993], "{who:?} {via}: {}", done.stderr);
        let way = if via == "bpf" { "io_uring\n" } else { "no io_uring: Function not implemented" };
        assert!(done.stderr.starts_with(way), "{who:?} {via}: {}", done.stderr);
    }
}

/// A program that enters another network namespace takes its port along.
#[test]
fn another_network_namespace() {
    crate::stand!();
    let (stand, there) = (Stand::near(), Stand::near());
    for (_, via) in VIAS.into_iter().filter(|(who, _)| *who == Who::Root) {
        let line = format!("ip netns exec {} @client connect @4", there.client.name());
        let done = stand.run(Who::Root, &format!("--via {via} --port 63992"), &line);
        assert!(done.success(), "{via}: {done:?}");
        assert_eq!(there.ports(), [63992], "{via}");
    }
}

/// A container's sandbox without what BPF takes: the other way is taken, or it is said what is missing.
#[test]
fn a_sandbox() {
    crate::stand!();
    let stand = Stand::near();
    for call in [libc::SYS_bpf, libc::SYS_clone3] {
        let run = |via: &str| {
            let line = format!("@deny {call} @dayfly run --via {via} --port 63991 --");
            let words = stand.words(&format!("{line} @client connect @4"));
            finish(&mut stand.command(Who::Root, &words), PATIENCE)
        };
        let done = run("auto");
        assert!(done.success(), "{call}: {done:?}");
        assert_eq!((stand.ports(), done.stderr.as_str()), (vec![63991], ""), "{call}");
        let done = run("bpf");
        assert_eq!(done.status.and_then(|status| status.code()), Some(125), "{call}: {done:?}");
        assert!(done.stderr.contains("Function not implemented"), "{call}: {}", done.stderr);
        assert!(done.stderr.contains("--via seccomp"), "{call}: {}", done.stderr);
        assert_eq!(stand.ports(), [], "{call}");
    }
}
