//! `dayfly show --nat`: what it says is left of an outer address is what the kernel grants.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use dayfly_testkit::{Namespace, command, needs, privileged};
use insta::assert_snapshot;
use serde_json::Value;

/// Long enough for a connection on a busy machine; what gets no port never comes about.
const PATIENCE: Duration = Duration::from_secs(3);

/// A host behind a gate, and servers before it.
struct Scene {
    inner: Namespace,
    gate: Namespace,
    outer: Namespace,
}

impl Scene {
    fn new(rules: &str) -> Scene {
        let (inner, gate, outer) = (Namespace::new(), Namespace::new(), Namespace::new());
        inner.connect_to(&gate, ("near", "10.7.0.2/24"), ("inside", "10.7.0.1/24"));
        gate.connect_to(&outer, ("outside", "192.0.2.1/24"), ("far", "192.0.2.7/24"));
        outer.add_address("far", "192.0.2.8/24");
        inner.add_route("default via 10.7.0.1");
        gate.sysctl("net.ipv4.ip_forward", "1");
        let mut nft = gate.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
        nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
        assert!(nft.wait().unwrap().success(), "{rules}");
        Scene { inner, gate, outer }
    }

    fn listen(&self, address: &str) -> TcpListener {
        self.outer.run(|| TcpListener::bind(address).unwrap())
    }

    /// Connects until it fails, at most so often.
    fn connect(&self, destination: &str, most: usize) -> Vec<TcpStream> {
        let destination: SocketAddr = destination.parse().unwrap();
        let once = |_| TcpStream::connect_timeout(&destination, PATIENCE).ok();
        self.inner.run(|| (0..most).map_while(once).collect())
    }

    /// Used and free ports of every row, by destination.
    fn told(&self) -> Vec<(String, u64, u64)> {
        let output = show(&["--nat", "--json", "--netns", self.gate.name()]).output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = json["namespaces"][0]["nat"].as_array().unwrap().clone();
        let one = |row: &Value| {
            let place = format!("{}:{}", row["destination"].as_str().unwrap(), row["port"]);
            (place, row["used"].as_u64().unwrap(), row["free"].as_u64().unwrap())
        };
        let mut told: Vec<_> = rows.iter().map(one).collect();
        told.sort();
        told
    }
}

fn show(arguments: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_dayfly"));
    command.arg("show").args(arguments).stdin(Stdio::null()).env_remove("COLUMNS");
    command
}

fn row(place: &str, used: u64, free: u64) -> (String, u64, u64) {
    (place.to_owned(), used, free)
}

#[test]
fn what_is_left_is_what_the_kernel_grants() {
    privileged!();
    needs!("nft", "nftables");
    let scene = Scene::new(
        "table ip nat {\n chain post {\n  type nat hook postrouting priority 100\n  \
         oifname \"outside\" meta l4proto tcp masquerade to :40000-40019\n }\n}\n",
    );
    let _servers = [scene.listen("192.0.2.7:80"), scene.listen("192.0.2.8:80")];
    assert_eq!(scene.told(), []);
    let mut kept = scene.connect("192.0.2.7:80", 5);
    assert_eq!(scene.told(), [row("192.0.2.7:80", 5, 15)]);
    // Twenty-one are asked for, the fifteen that were announced come about.
    let more = scene.connect("192.0.2.7:80", 21);
    assert_eq!(more.len(), 15);
    kept.extend(more);
    assert_eq!(scene.told(), [row("192.0.2.7:80", 20, 0)]);
    // The ports are full for that destination only.
    kept.extend(scene.connect("192.0.2.8:80", 3));
    assert_eq!(scene.told(), [row("192.0.2.7:80", 20, 0), row("192.0.2.8:80", 3, 17)]);

    let mut table = show(&["--nat", "--netns", scene.gate.name()]);
    // Wide: how long the first line is depends on the machine.
    let output = table.env("COLUMNS", "100").output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap().replace(scene.gate.name(), "gate");
    // How often the client sent its SYN again depends on the time.
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"(insert_failed|drop) [0-9]+", "$1 N");
    settings.add_filter("[0-9]+ of [0-9,]+ connections tracked", "N of N connections tracked");
    settings.bind(|| assert_snapshot!("full", text));
    let doctor = command(env!("CARGO_BIN_EXE_dayfly"))
        .args(["doctor", "--only", "DF016", "--netns", scene.gate.name()])
        .output()
        .unwrap();
    let said = String::from_utf8(doctor.stdout).unwrap();
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("100.0 % of 20; 100.00 %"), "{said}");
    assert!(said.contains("widen or leave out the ports of that rule"), "{said}");
}

#[test]
fn a_source_rule_and_the_gates_own_connections_share_the_ports() {
    privileged!();
    needs!("nft", "nftables");
    let scene = Scene::new(
        "table ip nat {\n chain post {\n  type nat hook postrouting priority 100\n  \
         ip saddr 10.7.0.0/24 ip protocol tcp snat to 192.0.2.1:40000-40009\n }\n}\n",
    );
    let _server = scene.listen("192.0.2.7:80");
    scene.gate.sysctl("net.ipv4.ip_local_port_range", "40000 40003");
    let destination: SocketAddr = "192.0.2.7:80".parse().unwrap();
    let own: Vec<_> = scene.gate.run(|| {
        (0..4).map(|_| TcpStream::connect_timeout(&destination, PATIENCE).unwrap()).collect()
    });
    let first = scene.connect("192.0.2.7:80", 1);
    assert_eq!(scene.told(), [row("192.0.2.7:80", 5, 5)]);
    let rest = scene.connect("192.0.2.7:80", 10);
    assert_eq!(rest.len(), 5, "the gate's own four ports are taken");
    drop((own, first, rest));
}

#[test]
fn want_of_privilege_is_said() {
    let mut command = show(&["--nat"]);
    if dayfly_testkit::has_privilege(module_path!(), line!()) {
        use std::os::unix::process::CommandExt;
        command.uid(65534).gid(65534);
    }
    // Whoever may not run the binary where it lies sees nothing at all.
    let Ok(output) = command.output() else { return };
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("not seen: the translated connections: the table of tracked"), "{text}");
    assert!(text.contains("try: sudo "), "{text}");
}
