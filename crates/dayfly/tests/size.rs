//! `dayfly size`: what people and programs read, the kernel's own count, and a measured load.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use dayfly_testkit::{Namespace, Server, SocketOptions, command, needs, privileged};
use insta::assert_snapshot;
use serde_json::Value;

fn dayfly(words: &str, columns: Option<&str>) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_dayfly"));
    command.arg("size").args(words.split_whitespace()).stdin(Stdio::null());
    command.env_remove("COLUMNS").env_remove("LINES");
    if let Some(columns) = columns {
        command.env("COLUMNS", columns);
    }
    command.output().unwrap()
}

fn told(words: &str, columns: Option<&str>) -> String {
    let Output { status, stdout, stderr } = dayfly(words, columns);
    let mut text = format!("$ dayfly size {words}\nexit: {}\n", status.code().unwrap());
    text.push_str(&String::from_utf8(stdout).unwrap());
    if !stderr.is_empty() {
        text.push_str("--- stderr\n");
        text.push_str(&String::from_utf8(stderr).unwrap());
    }
    text
}

fn all(words: &[&str]) -> String {
    let text: Vec<String> = words.iter().map(|words| told(words, None)).collect();
    text.join("\n")
}

fn json(words: &str) -> Value {
    let Output { stdout, stderr, .. } = dayfly(&format!("{words} --json"), None);
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

#[test]
fn hosts() {
    assert_snapshot!(
        "hosts",
        all(&[
            "--target 200 --duration 2 --destinations 3 --system freebsd",
            "--target 300",
            "--target 600 --duration 0.5",
            "--system windows",
            "--target 250 --ports 49152-65535 --hold 240",
            "--target 1 --ports 5 --hold 2",
        ])
    );
    assert_snapshot!("hosts_60", told("--target 600 --duration 0.5", Some("60")));
}

#[test]
fn translators() {
    assert_snapshot!(
        "translators",
        all(&[
            "--behind azure --addresses 2 --target 1000",
            "--behind azure-lb --instances 100 --addresses 2 --target 500",
            "--behind aws --target 8000 --duration 1",
            "--behind gcp --instances 80 --target 400",
            "--behind netfilter --target 530",
            "--behind cgn --subscribers 1000 --addresses 4",
            "--behind cgn --subscribers 1000 --addresses 8 --block 512 --target 1800",
            "--behind cgn --subscribers 1000 --addresses 4 --block 512 --target 1000",
        ])
    );
}

#[test]
fn what_programs_read() {
    let mut json = json("--behind netfilter --target 530");
    json["dayfly_version"] = "VERSION".into();
    let failure = json["failure_probability"].take().as_f64().unwrap();
    assert!((failure - (63_600_f64 / 64_512.0).powi(248)).abs() < 1e-4, "{failure}");
    assert!((json["blocked"].take().as_f64().unwrap() - 2.3e-6).abs() < 1e-6);
    assert_snapshot!("json", serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn wrong_usage_is_named() {
    assert_snapshot!(
        "wrong",
        all(&[
            "--behind aws --addresses 9 --target 1",
            "--behind aws --instances 3",
            "--behind aws --subscribers 3",
            "--behind cgn --subscribers 100 --block 70000",
            "--target many",
            "--target -1",
            "--utilisation 0",
            "--ports 100-1",
            "--system beos",
            "--behind cisco",
            "--system linux --behind aws",
            "--netns there",
            "--from-now 0",
        ])
    );
}

/// A rule with 20 ports carries exactly the flows that `size` says it does.
#[test]
fn netfilter_grants_as_many_as_it_says() {
    privileged!();
    needs!("nft", "nftables");
    let said = json("--behind netfilter --ports 40000-40019");
    let said = said["capacity"].as_u64().unwrap();
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect_to(&far, ("east", "10.9.0.1/24"), ("west", "10.9.0.2/24"));
    let rules = "add table ip nat; \
        add chain ip nat out { type nat hook postrouting priority srcnat; }; \
        add rule ip nat out oifname east meta l4proto udp masquerade to :40000-40019";
    assert!(near.command("nft").arg(rules).status().unwrap().success());
    for port in [5300, 5301] {
        let destination = SocketAddr::from((Ipv4Addr::new(10, 9, 0, 2), port));
        let _server = far.run(|| UdpSocket::bind(destination).unwrap());
        let granted = near.run(|| {
            // Each flow from a port of its own: the table of connections remembers it.
            let from = |port| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).unwrap();
            let sends = |port: &u16| from(*port).send_to(b"?", destination).is_ok();
            (10_000..10_100).take_while(sends).count() as u64
        });
        assert_eq!(granted, said, "to port {port}");
    }
}

#[test]
fn the_load_of_this_host_is_measured() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "20000 20999");
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
    let options = SocketOptions::tcp();
    let place = SocketAddr::from(([127, 0, 0, 1], 443));
    let server = namespace.run(|| Server::open(&options, place)).unwrap();
    namespace.run(|| server.leave_time_wait(&options)).unwrap();
    let words = format!("--from-now 1.5 --netns {}", namespace.name());
    let over = AtomicBool::new(false);
    let found = thread::scope(|scope| {
        scope.spawn(|| {
            namespace.run(|| {
                while !over.load(Ordering::Relaxed) {
                    server.leave_time_wait(&options).unwrap();
                    thread::sleep(Duration::from_millis(20));
                }
            });
        });
        let found = json(&words);
        over.store(true, Ordering::Relaxed);
        found
    });
    let measured = &found["measured"];
    assert_eq!(measured["destination"], "127.0.0.1:443");
    assert_eq!(measured["namespace"], namespace.name());
    let rate = measured["opens_per_second"].as_f64().unwrap();
    assert!(rate > 0.0 && rate <= 60.0, "{found:#}");
    // Nothing has left TIME_WAIT yet, so that is how long a port is held.
    assert_eq!(measured["held_seconds"], 60.0);
    assert_eq!((&found["load"]["duration"], &found["load"]["hold"]), (&0.0.into(), &60.0.into()));
    assert_eq!(found["supply"]["ports"], 1000);
    let carries = found["carries"].as_f64().unwrap();
    assert!((carries - 800.0 / 60.0).abs() < 0.1, "{found:#}");

    let quiet = told(&format!("--from-now 0.2 --netns {}", Namespace::new().name()), None);
    assert!(quiet.starts_with("$ dayfly size --from-now 0.2"), "{quiet}");
    assert!(quiet.contains("exit: 2"), "{quiet}");
}
