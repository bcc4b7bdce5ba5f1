//! `dayfly identify`: this very kernel, told from captures of itself; and what people read.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use dayfly_testkit::{Folder, Namespace, Server, SocketOptions, command, needs, privileged};
use insta::assert_snapshot;
use rustix::io::ioctl_fionread;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;

fn dayfly(words: &[&str], input: &[u8], columns: Option<&str>) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_dayfly"));
    command.arg("identify").args(words).env_remove("COLUMNS").env_remove("LINES");
    if let Some(columns) = columns {
        command.env("COLUMNS", columns);
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

fn told(words: &[&str], input: &[u8], columns: Option<&str>) -> String {
    let Output { status, stdout, stderr } = dayfly(words, input, columns);
    let mut text =
        format!("$ dayfly identify {}\nexit: {}\n", words.join(" "), status.code().unwrap());
    text.push_str(&String::from_utf8(stdout).unwrap());
    if !stderr.is_empty() {
        text.push_str("--- stderr\n");
        text.push_str(&String::from_utf8(stderr).unwrap());
    }
    text
}

/// What it says for programs about the host with the most connections.
fn answer(file: &Path, words: &[&str]) -> Value {
    let words = [&[file.to_str().unwrap(), "--json", "--top", "1"], words].concat();
    let Output { status, stdout, stderr } = dayfly(&words, b"", None);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let json: Value = serde_json::from_slice(&stdout).unwrap();
    json["hosts"][0].clone()
}

/// What the last datagram of a capture says.
const LAST: &[u8] = b"and this is the end of it";

/// tcpdump at work in a namespace; its file goes with it.
struct Capture {
    tcpdump: Child,
    file: PathBuf,
    _folder: Folder,
}

impl Capture {
    fn start(namespace: &Namespace, interface: &str) -> Capture {
        let folder = Folder::new();
        let file = folder.path().join("capture.pcap");
        let mut tcpdump = namespace
            .command("tcpdump")
            .args(["-i", interface, "-s", "128", "-B", "16384", "-U", "--immediate-mode"])
            .args(["-Z", "root", "-w"])
            .arg(&file)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut lines = BufReader::new(tcpdump.stderr.take().unwrap());
        while !said.contains("listening on") {
            assert!(lines.read_line(&mut said).unwrap() > 0, "tcpdump: {said}");
        }
        // What it says in the end must have somewhere to go.
        std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        Capture { tcpdump, file, _folder: folder }
    }

    /// Stops tcpdump when it has seen everything so far: a last datagram, sent to `to` from the
    /// namespace where it listens.
    fn stop(&mut self, namespace: &Namespace, to: &str) -> &Path {
        wait_for_last(namespace, to, &self.file);
        let pid = Pid::from_raw(i32::try_from(self.tcpdump.id()).unwrap()).unwrap();
        kill_process(pid, Signal::INT).unwrap();
        assert!(self.tcpdump.wait().unwrap().success());
        &self.file
    }
}

/// Sends a last datagram and waits until a file has it.
fn wait_for_last(namespace: &Namespace, to: &str, file: &Path) {
    namespace.run(|| UdpSocket::bind("0.0.0.0:9").unwrap().send_to(LAST, to).unwrap());
    let begun = Instant::now();
    while !fs::read(file).unwrap_or_default().windows(LAST.len()).any(|bytes| bytes == LAST) {
        assert!(begun.elapsed() < Duration::from_secs(60), "tcpdump sees nothing");
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // Nothing to do about a refusal here.
        let _ = self.tcpdump.kill();
    }
}

/// What is said about 200 connections with these options to three services on loopback.
fn of_options(options: &SocketOptions) -> Value {
    let namespace = Namespace::new();
    let mut capture = Capture::start(&namespace, "lo");
    namespace.run(|| {
        let server = |port| {
            Server::open(&SocketOptions::tcp(), SocketAddr::from(([127, 0, 0, 1], port))).unwrap()
        };
        let servers: Vec<Server> = [80, 443, 8080].into_iter().map(server).collect();
        let connect = |n: usize| options.connect(servers[n * n % 3].address()).unwrap();
        let _clients: Vec<_> = (0..200).map(connect).collect();
    });
    answer(capture.stop(&namespace, "127.0.0.1:9"), &[])
}

/// What `tcpdump | dayfly identify -` says about 200 connections of the kernel, when both have ended.
/// `end` may end them, by their process group.
fn piped(tcpdump: &str, between: &str, end: impl FnOnce(&Namespace, Pid)) -> Value {
    let namespace = Namespace::new();
    let dayfly = env!("CARGO_BIN_EXE_dayfly");
    let line = format!("{tcpdump} | {between} '{dayfly}' identify - --json --top 1");
    let mut command = namespace.command("sh");
    command.args(["-c", &line]).process_group(0);
    let mut pipeline = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let group = Pid::from_raw(i32::try_from(pipeline.id()).unwrap()).unwrap();
    let mut said = String::new();
    let mut lines = BufReader::new(pipeline.stderr.take().unwrap());
    while !said.contains("listening on") {
        assert!(lines.read_line(&mut said).unwrap() > 0, "tcpdump: {said}");
    }
    std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
    namespace.run(|| {
        let address = SocketAddr::from(([127, 0, 0, 1], 443));
        let server = Server::open(&SocketOptions::tcp(), address).unwrap();
        let connect = |_| SocketOptions::tcp().connect(server.address()).unwrap();
        let _clients: Vec<_> = (0..200).map(connect).collect();
    });
    end(&namespace, group);
    let Output { stdout, .. } = pipeline.wait_with_output().unwrap();
    let json: Value = serde_json::from_slice(&stdout).unwrap();
    json["hosts"][0].clone()
}

#[test]
fn a_live_pipe_is_answered_when_it_ends() {
    privileged!();
    needs!("tcpdump", "tcpdump");
    let tcpdump = "tcpdump -i lo -s 128 -B 16384 -U --immediate-mode -Z root -w -";
    let syn = "'tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn'";
    let answer = piped(&format!("{tcpdump} -c 200 {syn}"), "", |_, _| {});
    is_sure_of(&answer, "linux-connect");
    assert_eq!(answer["openings"], 200);
}

#[test]
fn ctrl_c_ends_a_live_pipe_with_an_answer() {
    privileged!();
    needs!("tcpdump", "tcpdump");
    // A copy of the stream, by which to know that all of it has gone through.
    let folder = Folder::new();
    let copy = folder.path().join("live.pcap");
    let tcpdump = "tcpdump -i lo -s 128 -B 16384 -U --immediate-mode -Z root -w -";
    let answer = piped(tcpdump, &format!("tee -i {} |", copy.display()), |namespace, group| {
        wait_for_last(namespace, "127.0.0.1:9", &copy);
        kill_process_group(group, Signal::INT).unwrap();
    });
    is_sure_of(&answer, "linux-connect");
    assert_eq!(answer["openings"], 200);
}

#[test]
fn an_interrupt_ends_the_wait_for_a_writer_that_does_not_end() {
    let mut command = command(env!("CARGO_BIN_EXE_dayfly"));
    command.args(["identify", "-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut writer = child.stdin.take().unwrap();
    for port in 40000..40050 {
        writeln!(writer, "tcp 192.0.2.1:{port} -> 198.51.100.7:443").unwrap();
    }
    // What it has taken out of the pipe, it read with interrupts held back.
    let begun = Instant::now();
    while ioctl_fionread(&writer).unwrap() > 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is read");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
    let Output { status, stdout, .. } = child.wait_with_output().unwrap();
    drop(writer);
    assert!(status.success());
    let json: Value = serde_json::from_slice(&stdout).unwrap();
    assert_eq!(json["hosts"][0]["openings"], 50);
}

fn is_sure_of(answer: &Value, class: &str) {
    assert_eq!(answer["answer"], class, "{answer:#}");
    assert_eq!(answer["settled"], true, "{answer:#}");
}

fn likely_range(answer: &Value) -> (u64, u64) {
    let range = &answer["ranges"][0];
    assert!(range["probability"].as_f64().unwrap() > 0.5, "{answer:#}");
    (range["low"].as_u64().unwrap(), range["high"].as_u64().unwrap())
}

#[test]
fn this_kernel_is_told_by_how_its_sockets_get_their_ports() {
    privileged!();
    needs!("tcpdump", "tcpdump");
    let tcp = SocketOptions::tcp();
    let loopback = SocketAddr::from(([127, 0, 0, 1], 0));
    for (options, class, range) in [
        (tcp, "linux-connect", Some((32768, 60999))),
        (tcp.bind(loopback).address_no_port(), "linux-connect", Some((32768, 60999))),
        (tcp.bind(loopback), "linux-bind", Some((32768, 60999))),
        (tcp.bind(loopback).reuse_address(), "linux-bind-reuse", Some((32768, 60999))),
        (tcp.local_port_range(40000, 49999), "linux-own-range", None),
    ] {
        let answer = of_options(&options);
        is_sure_of(&answer, class);
        assert_eq!(answer["openings"], 200);
        if let Some(range) = range {
            assert_eq!(likely_range(&answer), range);
            assert_eq!(answer["candidates"][0]["name"], "linux");
        }
        assert_eq!(answer["nat"]["verdict"], "no_sign");
    }
}

#[test]
fn udp_is_random_over_the_range_that_is_set() {
    privileged!();
    needs!("tcpdump", "tcpdump");
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "20000 29999");
    let mut capture = Capture::start(&namespace, "lo");
    namespace.run(|| {
        let server = UdpSocket::bind("127.0.0.1:53").unwrap();
        for _ in 0..400 {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.send_to(b"?", server.local_addr().unwrap()).unwrap();
        }
    });
    let answer = answer(capture.stop(&namespace, "127.0.0.1:9"), &["--protocol", "udp"]);
    is_sure_of(&answer, "random");
    let (low, high) = (&answer["widest"]["low"], &answer["widest"]["high"]);
    assert!((19_000..=20_000).contains(&low.as_u64().unwrap()), "{answer:#}");
    assert!((29_999..=31_000).contains(&high.as_u64().unwrap()), "{answer:#}");
}

#[test]
fn reserved_ports_show_as_never_used() {
    privileged!();
    needs!("tcpdump", "tcpdump");
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "20000 20999");
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "20400-20419");
    let mut capture = Capture::start(&namespace, "lo");
    namespace.run(|| {
        for _ in 0..3000 {
            UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"?", "127.0.0.1:53").unwrap();
        }
    });
    let answer = answer(capture.stop(&namespace, "127.0.0.1:9"), &["--protocol", "udp"]);
    is_sure_of(&answer, "random");
    assert_eq!(answer["excluded"], "20400-20419", "{answer:#}");
    assert!(answer["widest"]["low"].as_u64().unwrap() <= 20000, "{answer:#}");
    assert!(answer["widest"]["high"].as_u64().unwrap() >= 20999, "{answer:#}");
}

#[test]
fn a_program_whose_port_is_forced_is_told() {
    privileged!();
    needs!("tcpdump", "tcpdump");
    needs!("curl", "curl");
    let namespace = Namespace::new();
    let server = namespace.run(|| TcpListener::bind("127.0.0.1:8080").unwrap());
    // It closes first, so that the client's port is free again at once.
    std::thread::spawn(move || {
        for client in server.incoming() {
            let mut client = client.unwrap();
            let _ = client.read(&mut [0; 4096]);
            let _ = client.write_all(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n");
        }
    });
    for (words, class) in [
        (["run", "--port", "40000", "--"], "fixed"),
        (["run", "--range", "40000-40199", "--"], "random"),
        (["run", "--whole-range", "--destination", "127.0.0.1:8080"], "linux-own-range"),
    ] {
        let mut capture = Capture::start(&namespace, "lo");
        let mut curl = namespace.command(env!("CARGO_BIN_EXE_dayfly"));
        curl.args(words).args(["curl", "--silent", "--show-error", "--http1.0"]);
        curl.args(std::iter::repeat_n("http://127.0.0.1:8080/", 60));
        let Output { status, stderr, .. } = curl.output().unwrap();
        assert!(status.success(), "{words:?}: {}", String::from_utf8_lossy(&stderr));
        let answer = answer(capture.stop(&namespace, "127.0.0.1:9"), &["--host", "127.0.0.1"]);
        assert_eq!(answer["openings"], 60);
        is_sure_of(&answer, class);
    }
}

/// Clients behind a gate, and a server before it, where the capture is made.
struct Scene {
    clients: Vec<Namespace>,
    _gate: Namespace,
    outer: Namespace,
}

impl Scene {
    fn new(clients: u8, masquerade: &str) -> Scene {
        let (gate, outer) = (Namespace::new(), Namespace::new());
        gate.connect_to(&outer, ("outside", "192.0.2.1/24"), ("far", "192.0.2.7/24"));
        gate.sysctl("net.ipv4.ip_forward", "1");
        let rules = format!(
            "add table ip nat; add chain ip nat post {{ type nat hook postrouting priority 100; }}; \
             add rule ip nat post oifname outside {masquerade}"
        );
        assert!(gate.command("nft").arg(rules).status().unwrap().success());
        let client = |number: u8| {
            let inner = Namespace::new();
            let (ours, theirs) = (format!("10.7.{number}.2/24"), format!("10.7.{number}.1/24"));
            let there = format!("inside{number}");
            inner.connect_to(&gate, ("near", &ours), (&there, &theirs));
            inner.add_route(&format!("default via 10.7.{number}.1"));
            inner
        };
        Scene { clients: (0..clients).map(client).collect(), outer, _gate: gate }
    }

    /// What is said about so many connections of each client, seen from the server.
    fn told(&self, each: usize) -> Value {
        let server = |port| {
            let place = SocketAddr::from(([192, 0, 2, 7], port));
            self.outer.run(|| Server::open(&SocketOptions::tcp(), place)).unwrap()
        };
        let servers = [server(80), server(443)];
        let mut capture = Capture::start(&self.outer, "far");
        let mut sockets = Vec::new();
        for n in 0..each {
            for client in &self.clients {
                let place = servers[n % 2].address();
                sockets.push(client.run(|| SocketOptions::tcp().connect(place)).unwrap());
            }
        }
        answer(capture.stop(&self.outer, "192.0.2.1:9"), &[])
    }
}

#[test]
fn masquerade_is_told_from_outside() {
    privileged!();
    needs!("tcpdump", "tcpdump");
    needs!("nft", "nftables");
    // One client keeps its ports: a hop away is all that shows.
    let kept = Scene::new(1, "masquerade").told(150);
    is_sure_of(&kept, "linux-connect");
    assert_eq!((&kept["nat"]["verdict"], &kept["nat"]["hops"]), (&"possible".into(), &1.into()));
    // Two clients that keep theirs run side by side.
    let two = Scene::new(2, "masquerade").told(100);
    is_sure_of(&two, "linux-many");
    assert_eq!(two["nat"]["verdict"], "likely", "{two:#}");
    for rule in ["masquerade random", "masquerade fully-random"] {
        let answer = Scene::new(1, rule).told(200);
        is_sure_of(&answer, "random");
        assert_eq!(likely_range(&answer), (1024, 65535));
        assert_eq!(answer["candidates"][0]["name"], "netfilter masquerade random");
        assert_eq!(answer["nat"]["verdict"], "possible");
        assert_eq!(answer["nat"]["range"], true);
    }
}

/// Ports of a Linux host and of a host with one counter, and one connection of a third.
fn lines() -> String {
    let mut text = String::from("# protocol, who, to whom, when\n");
    for n in 0..120_u32 {
        let destination = n % 3;
        let port = 40_000 + destination * 5_000 + n / 3 * 2 * (n % 8 + 1) % 900 / 2 * 2;
        let port = port + n / 3 * 16;
        text.push_str(&format!(
            "tcp 192.0.2.1:{} -> 198.51.100.{destination}:443 {}.5\n",
            50_000 + n,
            n / 20
        ));
        text.push_str(&format!("udp [2001:db8::1]:{port} -> [2001:db8::{destination}]:53\n"));
    }
    text.push_str("tcp 192.0.2.9:40000 -> 198.51.100.7:443\n");
    text
}

#[test]
fn what_people_read() {
    let lines = lines();
    assert_snapshot!("text", told(&["-"], lines.as_bytes(), None));
    assert_snapshot!("text_60", told(&["-", "--protocol", "tcp"], lines.as_bytes(), Some("60")));
    assert_snapshot!("few", told(&["-", "--host", "192.0.2.9"], lines.as_bytes(), None));
    assert_snapshot!(
        "samples",
        told(&["-", "--samples", "30", "--top", "1"], lines.as_bytes(), None)
    );
}

#[test]
fn what_programs_read() {
    let Output { stdout, .. } =
        dayfly(&["-", "--json", "--host", "192.0.2.1"], lines().as_bytes(), None);
    let mut json: Value = serde_json::from_slice(&stdout).unwrap();
    // The last digits of probabilities are no contract.
    fn rounded(value: &mut Value) {
        match value {
            Value::Number(number) if number.is_f64() => {
                let short = (number.as_f64().unwrap() * 1e3).round() / 1e3;
                *value = short.into();
            }
            Value::Array(values) => values.iter_mut().for_each(rounded),
            Value::Object(values) => values.values_mut().for_each(rounded),
            _ => {}
        }
    }
    rounded(&mut json);
    assert_snapshot!("json", serde_json::to_string_pretty(&json).unwrap());
}

#[test]
fn wrong_input_is_named() {
    let pcap = |records: &[u8]| {
        [&b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0"[..], records].concat()
    };
    let text: Vec<String> = [
        (&["-"][..], &b""[..]),
        (&["-"], b"tcp 192.0.2.1:1 -> 192.0.2.2:2\ntcp 192.0.2.1:1 somewhere\n"),
        (&["-"], b"\x1f\x8b\x08\0\0\0\0\0\0\0"),
        (&["-"], b"\x7fELF\x02\x01\x01\0\0"),
        (&["-"], &pcap(&[0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0])),
        (&["-"], &pcap(&[])),
        (&["-", "--host", "192.0.2.7"], b"tcp 192.0.2.1:1 -> 192.0.2.2:2\n"),
        (&["/no/such/file"], b""),
        (&[], b""),
        (&["-", "--host", "nobody"], b""),
        (&["-", "--protocol", "icmp"], b""),
        (&["-", "--samples", "0"], b""),
    ]
    .into_iter()
    .map(|(words, input)| told(words, input, None))
    .collect();
    assert_snapshot!("wrong", text.join("\n"));
}
