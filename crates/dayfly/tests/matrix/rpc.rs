//! Sun RPC for real: rpcbind and statd, what is said of them, and whether clients reach them.

use std::time::{Duration, Instant};

use dayfly_testkit::{Namespace, needs, privileged};
use serde_json::Value;

use crate::filter;
use crate::place::{Household, Place, SERVER, dayfly, nft};
use crate::services::found;

/// rpcbind and statd. Both keep files under fixed names.
fn statd(namespace: &Namespace, options: &str) -> Household {
    let server = Household::start(
        namespace,
        &format!(
            "set -e; mount -t tmpfs none /run; mount -t tmpfs none /var/lib/nfs; \
             mkdir -p /run/rpcbind /run/sendsigs.omit.d /var/lib/nfs/sm /var/lib/nfs/sm.bak; \
             rpcbind -f & until rpcinfo -p 127.0.0.1 >/dev/null 2>&1; do sleep 0.05; done; \
             rpc.statd --foreground --no-notify {options} &"
        ),
    );
    let begun = Instant::now();
    while programs(namespace) < 2 {
        assert!(begun.elapsed() < Duration::from_secs(20), "rpc.statd does not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

fn programs(namespace: &Namespace) -> usize {
    let mut command = namespace.command("rpcinfo");
    let output = command.args(["-p", "127.0.0.1"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.trim_start().starts_with("100024 ")).count()
}

#[test]
fn an_rpc_service_that_nobody_pinned() {
    privileged!();
    needs!("rpcinfo", "rpcbind");
    needs!("rpc.statd", "nfs-common");
    for (options, low) in [("", None), ("-p 32765 -o 32766", Some("0.0.0.0:853"))] {
        let namespace = Namespace::new();
        let _statd = statd(&namespace, options);
        let service =
            low.map(|place| namespace.run(|| std::net::TcpListener::bind(place).unwrap()));
        let unpinned = found(&namespace, "DF046");
        let in_danger = found(&namespace, "DF047");
        if service.is_none() {
            assert!(unpinned.contains("status (100024), rpc.statd (pid "), "{unpinned}");
            assert!(unpinned.contains(") has tcp "), "{unpinned}");
            assert!(unpinned.contains("status (100024) has udp "), "{unpinned}");
            assert_eq!(in_danger, "");
        } else {
            assert_eq!(unpinned, "");
            assert!(in_danger.contains(" listens on 853"), "{in_danger}");
        }
    }
}

/// Whether a client is answered by the program that listens there.
fn answers(place: &Place, row: &Value) -> bool {
    let port: u16 = row["ports"].as_str().unwrap().parse().unwrap();
    let [high, low] = port.to_be_bytes();
    let version = if row["number"] == 100_000 { "2" } else { "1" };
    // Nobody answers a packet that is dropped; what passes may take its time.
    let patience = if row["verdict"] == "passes" { "20" } else { "1" };
    let mut command = place.client.command("timeout");
    // It blocks every other signal while it connects.
    command.args(["-s", "KILL", patience, "rpcinfo", "-a", &format!("{SERVER}.{high}.{low}")]);
    command.args(["-T", row["protocol"].as_str().unwrap(), &row["number"].to_string(), version]);
    command.output().unwrap().status.success()
}

#[test]
fn programs_are_reached_as_it_was_said() {
    privileged!();
    needs!("nft", "nftables");
    needs!("rpcinfo", "rpcbind");
    needs!("rpc.statd", "nfs-common");
    let mapper = "tcp dport 111 accept";
    let pinned = "tcp dport { 111, 32765 } accept\n udp dport { 111, 32765 } accept";
    let inside = "tcp dport 111 accept\n udp dport 32768-60999 accept";
    let pins = "-p 32765 -o 32766";
    std::thread::scope(|scope| {
        for (name, options, rules, passing, exit) in [
            ("nothing filtered", "", None, 4, false),
            ("rpcbind only", "", Some(mapper), 1, true),
            ("nobody is told", "", Some("tcp dport 22 accept"), 0, false),
            ("pinned", pins, Some(pinned), 4, false),
            ("pinned, not open", pins, Some(mapper), 1, true),
            ("half", "", Some(inside), 2, true),
        ] {
            scope.spawn(move || {
                let place = Place::new();
                let _statd = statd(&place.server, options);
                if let Some(rules) = rules {
                    nft(&place.server, &filter(rules));
                }
                let words = ["firewall", "check", "--flow", "ftp-passive", "--netns"];
                let told = dayfly(&[&words[..], &[place.server.name()]].concat());
                let told = &told["namespaces"][0];
                let rows = told["rpc"].as_array().unwrap();
                assert_eq!(rows.len(), 4, "{name}: {rows:?}");
                for row in rows {
                    let passes = row["verdict"] == "passes";
                    assert_eq!(answers(&place, row), passes, "{name}: {row}");
                    let automatic = row["number"] == 100_024 && options.is_empty();
                    let placed = if automatic { "automatic" } else { "fixed" };
                    assert_eq!(row["placed"], placed, "{name}: {row}");
                    assert_eq!(row["listening"], true, "{name}: {row}");
                    assert!(row["owner"].as_str().unwrap().starts_with("rpc"), "{name}: {row}");
                }
                let count = rows.iter().filter(|row| row["verdict"] == "passes").count();
                assert_eq!(count, passing, "{name}: {rows:?}");
                // The opened half of the range is a finding of its own.
                assert_eq!(told["findings"].as_bool(), Some(exit), "{name}: {told}");
                let moves = told["remedies"].to_string();
                let offers_pin = moves.contains("[statd] port=32765");
                assert_eq!(offers_pin, exit && options.is_empty(), "{name}: {moves}");
                let doctor = found(&place.server, "DF053");
                assert_eq!(doctor.contains("status (100024), rpc.statd"), exit, "{name}: {doctor}");
            });
        }
    });
}

/// rpcbind goes on telling of a program that was killed, and of one that only this host reaches.
#[test]
fn a_program_that_is_gone_is_told_apart() {
    privileged!();
    needs!("rpcinfo", "rpcbind");
    let place = Place::new();
    let _rpcbind = Household::start(
        &place.server,
        "mount -t tmpfs none /run; mkdir -p /run/rpcbind; rpcbind -i -f &",
    );
    let register = "import socket, struct
def call(number, port):
    # Call, version 2, rpcbind's version 2, SET (RFC 1833, section 3), no authentication.
    words = [7, 0, 2, 100000, 2, 1, 0, 0, 0, 0, number, 1, 6, port]
    body = struct.pack('>14I', *words)
    link = socket.create_connection(('127.0.0.1', 111))
    link.sendall(struct.pack('>I', 1 << 31 | len(body)) + body)
    assert link.recv(100)[-4:] == bytes([0, 0, 0, 1])
call(391002, 700)
call(391003, 40000)";
    let begun = Instant::now();
    loop {
        let done = place.server.command("python3").args(["-c", register]).output().unwrap();
        if done.status.success() {
            break;
        }
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(begun.elapsed() < Duration::from_secs(20), "{said}");
        std::thread::sleep(Duration::from_millis(50));
    }
    let told = dayfly(&["firewall", "check", "--netns", place.server.name()]);
    let rows = told["namespaces"][0]["rpc"].as_array().unwrap();
    let row = |number: u32| rows.iter().find(|row| row["number"] == number).unwrap();
    for (number, placed) in [(391_002, "low"), (391_003, "automatic")] {
        assert_eq!(row(number)["placed"], placed);
        assert_eq!(row(number)["listening"], false);
        assert_eq!(row(number)["owner"], Value::Null);
        assert_eq!(row(number)["verdict"], "passes");
    }
}
