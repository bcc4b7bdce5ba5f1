//! `dayfly doctor`: trouble that is staged is named, and its remedy, typed as it is printed, ends it.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

use dayfly_testkit::{
    Folder, Namespace, Server, SocketOptions, command, needs, privileged, type_in,
};
use insta::assert_snapshot;
use serde_json::Value;

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");

fn doctor(arguments: &[&str]) -> Command {
    let mut command = command(DAYFLY);
    command.arg("doctor").args(arguments).stdin(Stdio::null()).env_remove("COLUMNS");
    command
}

fn told(command: &mut Command, hidden: &[(&str, &str)]) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let mut text = format!("exit: {}\n", status.code().unwrap());
    text.push_str(&String::from_utf8(stdout).unwrap());
    text.push_str(&String::from_utf8(stderr).unwrap());
    hidden.iter().fold(text, |text, (what, with)| text.replace(what, with))
}

/// The findings of one rule in the namespace, and the exit code.
fn findings(namespace: &Namespace, code: &str, more: &[&str]) -> (Vec<Value>, i32) {
    let mut command = doctor(&["--json", "--fail-on", "info", "--only", code]);
    let output = command.args(["--netns", namespace.name()]).args(more).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    (json["findings"].as_array().unwrap().clone(), output.status.code().unwrap())
}

/// The rule finds something, its first remedy is typed into a shell, the rule finds nothing.
fn remedied(namespace: &Namespace, code: &str) -> Value {
    let (found, exit) = findings(namespace, code, &[]);
    assert_eq!((found.len(), exit), (1, 1), "{code}: {found:?}");
    let action = found[0]["remedies"][0]["do"].as_str().unwrap();
    type_in(action, DAYFLY);
    assert_eq!(findings(namespace, code, &[]), (vec![], 0), "{code} after {action}");
    found[0].clone()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

#[test]
fn a_quiet_namespace_has_no_findings() {
    privileged!();
    let namespace = Namespace::new();
    let text = told(&mut doctor(&["--netns", namespace.name(), "--fail-on", "info"]), &[]);
    assert_eq!(text, "exit: 0\nno findings\n");
}

#[test]
fn full_and_slow_destinations_are_told_apart() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "20000 20099");
    let kept = namespace.run(|| {
        let plain = SocketOptions::tcp();
        let places = [("127.0.0.1:80", 100), ("127.0.0.2:80", 70), ("127.0.0.3:80", 48)];
        let mut kept = Vec::new();
        for (place, count) in places {
            let server = Server::open(&plain, address(place)).unwrap();
            kept.extend((0..count).map(|_| plain.connect(server.address()).unwrap()));
            // Its queue keeps the connections; the listener has to stay.
            std::mem::forget(server);
        }
        kept
    });
    let mut command = doctor(&["--netns", namespace.name(), "--only", "DF001,DF002,DF003"]);
    assert_snapshot!("slow_and_full", told(&mut command, &[(namespace.name(), "scene")]));
    drop(kept);
}

#[test]
fn a_listener_inside_the_range_is_reserved_beside_what_others_reserved() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "33000-33010");
    let listener =
        namespace.run(|| SocketOptions::tcp().listen(address("127.0.0.1:40000")).unwrap());
    let found = remedied(&namespace, "DF005");
    let seen = found["evidence"][0].as_str().unwrap();
    assert!(seen.ends_with("listens on 127.0.0.1:40000"), "{seen}");
    assert!(seen.contains(&format!("(pid {}", std::process::id())), "{seen}");
    let reserved = namespace.read_sysctl("net.ipv4.ip_local_reserved_ports");
    assert_eq!(reserved.trim(), "33000-33010,40000");
    drop(listener);
}

#[test]
fn ranges_that_reach_too_low_or_are_odd_are_mended() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_unprivileged_port_start", "0");
    namespace.sysctl("net.ipv4.ip_local_port_range", "512 60001");
    remedied(&namespace, "DF007");
    assert_eq!(namespace.read_sysctl("net.ipv4.ip_local_port_range").trim(), "1024\t60001");
    namespace.sysctl("net.ipv4.ip_local_port_range", "1024 60000");
    remedied(&namespace, "DF008");
    assert_eq!(namespace.read_sysctl("net.ipv4.ip_local_port_range").trim(), "1024\t60001");
}

#[test]
fn ports_bound_by_hand_and_holes_are_noticed() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40000-40400");
    let kept = namespace.run(|| {
        let plain = SocketOptions::tcp();
        let one = Server::open(&plain, address("127.0.0.1:80")).unwrap();
        let two = Server::open(&plain, address("127.0.0.2:80")).unwrap();
        let by_hand = plain.bind(address("127.0.0.1:0"));
        let clients: Vec<_> = (0..20).map(|_| by_hand.connect(one.address()).unwrap()).collect();
        let other = plain.connect(two.address()).unwrap();
        (one, two, clients, other)
    });
    let (found, _) = findings(&namespace, "DF004", &[]);
    let seen = found[0]["evidence"][0].as_str().unwrap();
    assert!(seen.starts_with("20 ports are held by connections that look bound"), "{seen}");
    let culprit = found[0]["evidence"][1].as_str().unwrap();
    assert!(culprit.contains(&format!("(pid {}) binds before it connects", std::process::id())));
    assert!(culprit.contains(": 20 of 21 ports are of the parity"), "{culprit}");
    assert!(culprit.ends_with("the kernel confirms it"), "{culprit}");
    // The probe settles it: what is held back for sure is no suspicion any more.
    let (found, _) = findings(&namespace, "DF004", &["--probe"]);
    let seen = found[0]["evidence"][0].as_str().unwrap();
    assert!(seen.starts_with("20 ports are held by connections that bound them"), "{seen}");
    let (found, _) = findings(&namespace, "DF010", &[]);
    let seen = found[0]["evidence"][0].as_str().unwrap();
    assert!(seen.starts_with("40000-40400 is reserved: 401 ports in a row"), "{seen}");
    drop(kept);
}

/// A program that opens 250 connections in its own way and keeps them until its input ends.
fn program(namespace: &Namespace, name: &str, setup: &str, to: &str) -> Child {
    let script = format!(
        "import socket, struct, sys\n\
         kept = []\n\
         for index in range(250):\n    \
             s = socket.socket()\n    \
             host, port = '127.0.0.1', {to}\n    \
             {setup}\n    \
             s.connect((host, port))\n    \
             kept.append(s)\n\
         print('ready', flush=True)\n\
         sys.stdin.read()"
    );
    let mut child = namespace
        .command("python3")
        .args(["-c", &script])
        .arg(name)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    child.stdout.as_mut().unwrap().read_exact(&mut ready).unwrap();
    child
}

#[test]
fn of_several_programs_the_guilty_are_named_and_nobody_else() {
    privileged!();
    needs!("python3", "python3");
    let namespace = Namespace::new();
    let options = SocketOptions::tcp();
    let servers: Vec<_> = namespace.run(|| {
        let every = |last| Server::open(&options, SocketAddr::from(([127, 0, 0, 1], last)));
        (1000..1252).map(|port| every(port).unwrap()).collect()
    });
    let no_port = "s.setsockopt(0, 24, 1); s.bind(('127.0.0.1', 0))";
    let own_range = "s.setsockopt(0, 51, struct.pack('I', 41999 << 16 | 41000))";
    // The first to come, so that nobody else has its port by chance.
    let pinned = "s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', 50000))";
    let pins = program(&namespace, "pins", pinned, "1002 + index");
    let mut children = [
        program(&namespace, "plain", "pass", "1000"),
        program(&namespace, "binds", "s.bind(('127.0.0.1', 0))", "1000"),
        program(&namespace, "careful", no_port, "1001"),
        program(&namespace, "reuses", "s.setsockopt(1, 2, 1); s.bind(('127.0.0.1', 0))", "1001"),
        program(&namespace, "own-range", own_range, "1002"),
        pins,
    ];
    let (found, _) = findings(&namespace, "DF004", &[]);
    let pid = |index: usize| format!("(pid {})", children[index].id());
    let said = found[0]["evidence"].to_string();
    for (index, guilty) in [false, true, false, true, false, false].into_iter().enumerate() {
        assert_eq!(said.contains(&pid(index)), guilty, "{index}: {said}");
    }
    assert!(said.contains("binds with SO_REUSEADDR before it connects"), "{said}");
    assert_eq!(said.matches("the kernel confirms it").count(), 2, "{said}");
    let advice = found[0]["remedies"][0]["do"].as_str().unwrap();
    assert!(advice.starts_with("Python: before bind(): sock.setsockopt(socket.IPPROTO_IP, 24, 1)"));

    let (found, _) = findings(&namespace, "DF019", &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    let said = format!("{found:?}");
    for (index, guilty) in [false, false, false, false, true, true].into_iter().enumerate() {
        assert_eq!(said.contains(&pid(index)), guilty, "{index}: {said}");
    }
    assert!(said.contains("connections from 1 ports, such as 50000"), "{said}");
    for child in &mut children {
        drop(child.stdin.take());
        child.wait().unwrap();
    }
    drop(servers);
}

#[test]
fn too_many_time_wait_are_counted_by_the_kernel() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.tcp_max_tw_buckets", "5");
    namespace.run(|| {
        let plain = SocketOptions::tcp();
        let server = Server::open(&plain, address("127.0.0.1:80")).unwrap();
        for _ in 0..5 {
            server.leave_time_wait(&plain).unwrap();
        }
    });
    let (found, _) = findings(&namespace, "DF014", &[]);
    let seen = found[0]["evidence"][0].as_str().unwrap();
    assert!(seen.starts_with("5 sockets are in TIME_WAIT, net.ipv4.tcp_max_tw_buckets is 5"));
    let action = found[0]["remedies"][0]["do"].as_str().unwrap();
    assert!(action.ends_with("sysctl -w net.ipv4.tcp_max_tw_buckets=10"), "{action}");
}

#[test]
fn churn_is_measured() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "20000 20099");
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let busy = scope.spawn(|| {
            namespace.run(|| {
                let plain = SocketOptions::tcp();
                let server = Server::open(&plain, address("127.0.0.1:80")).unwrap();
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    drop(server.connected_pair(&plain).unwrap());
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            });
        });
        let (found, _) = findings(&namespace, "DF009", &["--for", "0.5"]);
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        busy.join().unwrap();
        assert_eq!(found.len(), 1);
    });
    assert_eq!(findings(&namespace, "DF009", &["--for", "0.1"]).0.len(), 0);
}

#[test]
fn configured_services_come_from_files() {
    privileged!();
    let namespace = Namespace::new();
    let folder = Folder::new();
    let compose = "services: {web: {ports: ['127.0.0.1:40000:80', '8080:80']}}\n";
    fs::write(folder.path().join("compose.yaml"), compose).unwrap();
    // Files are about the host: the command has to be at home in the namespace.
    let script = format!("exec '{DAYFLY}' doctor --only DF006 --file compose.yaml");
    let text = told(
        at_home(&namespace, &script).current_dir(folder.path()),
        &[(namespace.name(), "scene")],
    );
    assert_snapshot!("configured", text);
}

#[test]
fn files_and_kernel_are_compared() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "20000");
    let long: Vec<String> = (0..1000).map(|port| (20_000 + 2 * port).to_string()).collect();
    let script = format!(
        "for d in /etc/sysctl.d /run/sysctl.d /usr/lib/sysctl.d; do \
         mkdir -p $d; mount -t tmpfs none $d; done; mount --bind /dev/null /etc/sysctl.conf; \
         echo 'net.ipv4.ip_local_port_range = 1024 65535' > /etc/sysctl.d/10-range.conf; \
         echo 'net.ipv4.tcp_fin_timeout = 5' > /usr/lib/sysctl.d/50-folk.conf; \
         echo 'net.ipv4.ip_local_reserved_ports = {}' > /etc/sysctl.d/90-reserved.conf; \
         exec '{DAYFLY}' doctor --only DF011,DF012,DF013",
        long.join(",")
    );
    let text = told(&mut at_home(&namespace, &script), &[(namespace.name(), "scene")]);
    assert_snapshot!("files", text);
}

/// A shell whose process 1 is in the namespace, with mounts of its own: to it, this is the host.
fn at_home(namespace: &Namespace, script: &str) -> Command {
    let mut command = namespace.command("unshare");
    command.args(["--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec", script]);
    command.stdin(Stdio::null()).env("COLUMNS", "300");
    command
}

#[test]
fn every_finding_is_explained() {
    let text = told(&mut doctor(&["--explain", "df002"]), &[]);
    assert!(text.starts_with("exit: 0\n# DF002: destination past the cliff\n"), "{text}");
}

#[test]
fn wrong_usage_gets_a_sentence_and_exit_code_2() {
    let wrong: &[&[&str]] = &[
        &["--explain", "DF999"],
        &["--only", "DF001,X"],
        &["--ignore", "nothing"],
        &["--fail-on", "grave"],
        &["--for", "0"],
        &["--file", "/no/such/file"],
        &["--netns", "no-such-namespace"],
    ];
    let mut text = String::new();
    for arguments in wrong {
        text.push_str(&format!("$ dayfly doctor {}\n", arguments.join(" ")));
        text.push_str(&told(&mut doctor(arguments), &[]));
        text.push('\n');
    }
    assert_eq!(text.matches("exit: 2\n").count(), wrong.len(), "{text}");
    assert_snapshot!("doctor_wrong_usage", text);
}
