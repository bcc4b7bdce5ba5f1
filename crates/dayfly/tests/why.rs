//! What people suffer from, staged in namespaces: `dayfly why` names cause, culprit and remedy, and
//! after the remedy the next run is clean.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use dayfly_linux::probe::Probe;
use dayfly_testkit::{
    Folder, Namespace, Server, Socket, SocketOptions, command, drain, privileged, type_in,
};
use insta::assert_snapshot;
use serde_json::Value;

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");

fn dayfly(arguments: &[&str]) -> Command {
    let mut command = command(DAYFLY);
    command.args(arguments).env_remove("COLUMNS").env_remove("LINES").stdin(Stdio::null());
    command
}

/// What the command says for programs.
fn why(namespace: &Namespace, arguments: &[&str]) -> Value {
    let words = [&["why", "--netns", namespace.name(), "--json"], arguments].concat();
    let Output { status, stdout, stderr } = dayfly(&words).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    serde_json::from_slice(&stdout).unwrap()
}

/// What the command says for people, with what differs from run to run replaced.
fn told(namespace: &Namespace, arguments: &[&str]) -> String {
    let words = [&["why", "--netns", namespace.name()], arguments].concat();
    let Output { status, stdout, stderr } = dayfly(&words).env("COLUMNS", "400").output().unwrap();
    let text = format!(
        "exit: {}\n{}{}",
        status.code().unwrap(),
        String::from_utf8(stdout).unwrap(),
        String::from_utf8(stderr).unwrap()
    );
    let text = text.replace(namespace.name(), "NAMESPACE");
    let text =
        text.replace(&format!("pid {} {}", std::process::id(), own_command()), "pid PID THIS");
    let mut lines = String::new();
    for line in text.lines() {
        // The kernel's own choice and its time, and who runs the tests.
        let line = line.split("sending a packet,").next().unwrap();
        let line = line.split(", user ").next().unwrap();
        lines.push_str(line);
        lines.push('\n');
    }
    lines
}

/// The test's own command line as far as the text shows it.
fn own_command() -> String {
    let command = std::env::args().collect::<Vec<_>>().join(" ");
    let mut shown: String = command.chars().take(60).collect();
    if shown.len() < command.len() {
        shown.push_str("...");
    }
    shown
}

/// A namespace with a hundred ports.
fn hundred_ports() -> Namespace {
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "20000 20099");
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
    namespace
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn serve(namespace: &Namespace, place: &str) -> Server {
    namespace.run(|| Server::open(&SocketOptions::tcp(), address(place))).unwrap()
}

/// Runs the remedy that starts so, as a person would paste it; it must be among those offered.
fn apply(answer: &Value, contains: &str) {
    let remedies = answer["remedies"].as_array().unwrap();
    let mut commands = remedies.iter().map(|remedy| remedy["do"].as_str().unwrap());
    let command = commands.find(|command| command.contains(contains)).unwrap();
    type_in(command, DAYFLY);
}

fn offers(answer: &Value, words: &str) -> bool {
    let remedies = answer["remedies"].as_array().unwrap();
    remedies.iter().any(|remedy| remedy["do"].as_str().unwrap().contains(words))
}

#[test]
fn a_service_cannot_start_because_an_outgoing_connection_has_its_port() {
    privileged!();
    let namespace = hundred_ports();
    let _server = serve(&namespace, "127.0.0.1:443");
    let options = SocketOptions::tcp().local_port_range(20050, 20050);
    let thief = namespace.run(|| options.connect(address("127.0.0.1:443"))).unwrap();

    assert_snapshot!("stolen_port", told(&namespace, &["20050"]));
    let answer = why(&namespace, &["20050"]);
    assert_eq!(answer["verdict"], "connection");
    assert_eq!(answer["holders"][0]["remote"], "127.0.0.1:443");
    assert_eq!(answer["holders"][0]["pid"], std::process::id());
    assert_eq!(answer["port"]["bind"][0]["plain"], "EADDRINUSE");
    assert_eq!(answer["port"]["bind"][0]["reuse_address"], "EADDRINUSE");
    assert_eq!(answer["useless"][0]["do"], "SO_REUSEADDR on the new socket");

    apply(&answer, "dayfly reserve 20050 ");
    drop(thief);
    let answer = why(&namespace, &["20050"]);
    assert_eq!(answer["verdict"], "free");
    assert_eq!(answer["remedies"].as_array().unwrap().len(), 0);
    let service = namespace.run(|| SocketOptions::tcp().listen(address("0.0.0.0:20050")));
    assert!(service.is_ok());
    drop(service);
    let again = namespace.run(|| options.connect(address("127.0.0.1:443")));
    assert_eq!(again.unwrap_err().raw_os_error(), Some(99), "EADDRNOTAVAIL");
}

#[test]
fn the_connection_is_ended_by_the_command_that_is_offered() {
    privileged!();
    let namespace = hundred_ports();
    let _server = serve(&namespace, "127.0.0.1:443");
    let options = SocketOptions::tcp().local_port_range(20050, 20050);
    let _thief = namespace.run(|| options.connect(address("127.0.0.1:443"))).unwrap();
    let answer = why(&namespace, &["20050", "--protocol", "tcp"]);
    apply(&answer, "ss --kill");
    assert_eq!(why(&namespace, &["20050", "--protocol", "tcp"])["verdict"], "free_until_taken");
}

#[test]
fn a_time_wait_holds_the_port_and_says_until_when() {
    privileged!();
    let namespace = hundred_ports();
    let server = serve(&namespace, "127.0.0.1:443");
    let port = namespace.run(|| server.leave_time_wait(&SocketOptions::tcp())).unwrap();
    let port = port.to_string();
    let answer = why(&namespace, &[&port]);
    assert_eq!(answer["verdict"], "time_wait");
    let seconds = answer["holders"][0]["frees_in_seconds"].as_u64().unwrap();
    assert!((50..=60).contains(&seconds), "{seconds}");
    assert_eq!(answer["port"]["frees_in_seconds"], seconds);
    assert_eq!(answer["holders"][0]["pid"], Value::Null);
    assert!(offers(&answer, "wait "));
}

#[test]
fn a_destination_is_full_of_time_wait() {
    privileged!();
    let namespace = hundred_ports();
    namespace.sysctl("net.ipv4.tcp_tw_reuse_delay", "1");
    let server = serve(&namespace, "127.0.0.1:443");
    namespace.run(|| {
        for _ in 0..100 {
            server.leave_time_wait(&SocketOptions::tcp()).unwrap();
        }
    });
    let answer = why(&namespace, &["127.0.0.1:443"]);
    assert_eq!(answer["verdict"], "full");
    assert_eq!(answer["classes"]["time_wait"], 100);
    assert_eq!(answer["probe"]["error"], "EADDRNOTAVAIL");
    assert_eq!(answer["probe"]["agrees"], true);
    assert_eq!(answer["useless"][0]["do"], "net.ipv4.tcp_fin_timeout");
    assert!(offers(&answer, "keep connections open"));

    apply(&answer, "tcp_tw_reuse=1");
    let answer = why(&namespace, &["127.0.0.1:443"]);
    assert_eq!(answer["verdict"], "only_reuse");
    assert_eq!(answer["classes"]["reusable"], 100);
    assert_eq!(answer["probe"]["agrees"], true);
    assert!(namespace.run(|| SocketOptions::tcp().connect(address("127.0.0.1:443"))).is_ok());
}

#[test]
fn a_full_destination_gets_room_from_a_wider_range() {
    privileged!();
    let namespace = hundred_ports();
    let server = serve(&namespace, "127.0.0.1:443");
    let _held = namespace.run(|| drain(&SocketOptions::tcp(), server.address()));
    assert_snapshot!("full", told(&namespace, &["127.0.0.1:443"]));
    let answer = why(&namespace, &["127.0.0.1:443"]);
    assert_eq!(answer["verdict"], "full");
    assert_eq!(answer["holders"].as_array().unwrap().len(), 100);
    assert_eq!(answer["holders"][99]["pid"], std::process::id());
    apply(&answer, "dayfly set ");
    let answer = why(&namespace, &["127.0.0.1:443"]);
    assert_eq!(answer["verdict"], "room");
    assert_eq!(answer["remedies"].as_array().unwrap().len(), 0);
}

#[test]
fn past_the_cliff_the_whole_range_as_an_option_finds_every_free_port() {
    privileged!();
    let namespace = hundred_ports();
    let server = serve(&namespace, "127.0.0.1:443");
    let connect = || SocketOptions::tcp().connect(server.address()).unwrap();
    let _held: Vec<Socket> = namespace.run(|| (0..60).map(|_| connect()).collect());
    assert_snapshot!("past_cliff", told(&namespace, &["127.0.0.1:443"]));
    let answer = why(&namespace, &["127.0.0.1:443"]);
    assert_eq!(
        (&answer["verdict"], &answer["classes"]["free"]),
        (&"past_cliff".into(), &40.into())
    );
    assert!(offers(&answer, "{20099u << 16 | 20000u}"));
    // The option as offered brings no port, and loses none.
    let option = SocketOptions::tcp().local_port_range(20000, 20099);
    let granted = namespace.run(|| drain(&option, server.address()));
    assert_eq!(granted.ports().len(), 40);
}

#[test]
fn binding_before_connecting_eats_the_pool_of_everybody() {
    privileged!();
    let namespace = hundred_ports();
    let (victim, other) = (serve(&namespace, "127.0.0.1:443"), serve(&namespace, "127.0.0.1:80"));
    let eater = SocketOptions::tcp().bind(address("127.0.0.1:0"));
    let held = namespace.run(|| drain(&eater, other.address()));
    let answer = why(&namespace, &["127.0.0.1:443"]);
    assert_eq!(answer["verdict"], "full");
    assert_eq!(answer["classes"]["bound_elsewhere"], held.ports().len());
    assert_eq!(answer["holders"][0]["kind"], "bound_elsewhere");
    assert_eq!(answer["holders"][0]["pid"], std::process::id());
    assert_eq!(answer["probe"]["agrees"], true);
    assert!(offers(&answer, "IP_BIND_ADDRESS_NO_PORT"));
    // What this test is written in is not known, so every language gets its advice.
    assert!(offers(&answer, "Go: ") && offers(&answer, "C, C++, Rust: "));

    drop(held);
    let cured = eater.address_no_port();
    let _held = namespace.run(|| drain(&cured, other.address()));
    let answer = why(&namespace, &["127.0.0.1:443"]);
    assert_eq!((&answer["verdict"], &answer["classes"]["free"]), (&"room".into(), &100.into()));
    drop(victim);
}

#[test]
fn among_thousands_of_doubtful_ports_a_sample_finds_who_binds_first() {
    privileged!();
    let namespace = Namespace::new();
    let (busy, asked) = (serve(&namespace, "127.0.0.1:80"), "127.0.0.1:443");
    let plain = SocketOptions::tcp();
    let connect = |options: SocketOptions, count: usize| -> Vec<Socket> {
        let one = |_| options.connect(busy.address()).unwrap();
        namespace.run(|| (0..count).map(one).collect())
    };
    let _plain = connect(plain, 5000);
    let answer = why(&namespace, &[asked]);
    let probe = &answer["probe"];
    assert_eq!((&probe["doubtful"], &probe["asked"]), (&5000.into(), &1024.into()));
    assert_eq!((&probe["agrees"], &answer["classes"]["free"]), (&true.into(), &28232.into()));
    // One port in fifty is bound first; everybody is asked then, and every port is found.
    let _bound = connect(plain.bind(address("127.0.0.1:0")), 100);
    let answer = why(&namespace, &[asked]);
    let probe = &answer["probe"];
    assert_eq!((&probe["doubtful"], &probe["asked"]), (&5100.into(), &5100.into()));
    assert_eq!(answer["classes"]["bound_elsewhere"], 100);
    assert_eq!(answer["classes"]["free"], 28132);
}

#[test]
fn listeners_and_bound_sockets_are_told_apart_and_named() {
    privileged!();
    let namespace = hundred_ports();
    let plain = SocketOptions::tcp();
    let _listener = namespace.run(|| plain.listen(address("127.0.0.9:20010"))).unwrap();
    let _bound = namespace.run(|| plain.hold(address("127.0.0.9:20012"))).unwrap();
    let _datagram = namespace.run(|| SocketOptions::udp().hold(address("0.0.0.0:20014"))).unwrap();
    for (port, verdict, state, protocol) in [
        ("20010", "listener", "LISTEN", "tcp"),
        ("20012", "bound_inactive", "BOUND_INACTIVE", "tcp"),
        ("20014", "bound_inactive", "UNCONN", "udp"),
    ] {
        let answer = why(&namespace, &[port]);
        assert_eq!(answer["verdict"], verdict);
        assert_eq!(answer["holders"][0]["state"], state);
        assert_eq!(answer["holders"][0]["protocol"], protocol);
        assert_eq!(answer["holders"][0]["pid"], std::process::id());
        assert_ne!(answer["probe"]["agrees"], false);
    }
    // An address that the listener is not on can be bound all the same.
    let answer = why(&namespace, &["20010", "--address", "127.0.0.1", "--protocol", "tcp"]);
    assert_eq!(answer["port"]["bind"][0]["plain"], "granted");
    assert_eq!(answer["verdict"], "free_until_taken");
    let text = told(&namespace, &["20010", "--address", "127.0.0.1", "--protocol", "tcp"]);
    assert!(text.contains("free at 127.0.0.1, though not everywhere"), "{text}");
    assert_snapshot!("listener", told(&namespace, &["20010"]));
}

#[test]
fn a_watched_destination_says_where_it_goes() {
    privileged!();
    let namespace = hundred_ports();
    let server = serve(&namespace, "127.0.0.1:443");
    let mut child =
        dayfly(&["why", "--netns", namespace.name(), "--json", "--for", "1", "127.0.0.1:443"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
    // However slow the machine, some of these fall between the first look and the last; and however
    // fast, each look finds other ports held.
    let mut held = VecDeque::new();
    while child.try_wait().unwrap().is_none() {
        if held.len() == 90 {
            held.pop_front();
        }
        held.push_back(namespace.run(|| SocketOptions::tcp().connect(server.address())).unwrap());
    }
    let output = child.wait_with_output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(answer["churn"]["opens_per_second"].as_f64().unwrap() > 0.0, "{answer}");
    assert!(answer["churn"]["seconds"].as_f64().unwrap() >= 1.0);
}

#[test]
fn without_privilege_the_model_answers_and_says_so() {
    privileged!();
    // The build may lie where nobody else can enter.
    let folder = Folder::new();
    folder.bring([DAYFLY]);
    let dayfly = |words: &[&str]| {
        let mut command = command(folder.file("dayfly"));
        command.args(words);
        command
    };
    let output = dayfly(&["why", "--json", "127.0.0.1:443"]).uid_nobody().output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["probe"]["ran"], false);
    assert!(answer["probe"]["error"].as_str().unwrap().contains("CAP_NET_ADMIN"));
    assert!(answer["degraded"][0]["fix"].as_str().unwrap().starts_with("sudo "));
    assert!(answer["classes"]["usable"].as_u64().unwrap() > 0);
    let output = dayfly(&["why", "--json", "53"]).uid_nobody().output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    if answer["holders"].as_array().unwrap().is_empty() {
        assert_eq!(answer["verdict"], "below_floor");
        assert!(offers(&answer, "sudo sysctl -w net.ipv4.ip_unprivileged_port_start=53"));
    }
}

#[test]
fn a_wrong_question_gets_a_sentence_and_exit_code_2() {
    privileged!();
    let namespace = hundred_ports();
    let mut text = String::new();
    for words in [
        &["why"][..],
        &["why", "0"],
        &["why", "65536"],
        &["why", "host"],
        &["why", "[::1"],
        &["why", "no-such-host.invalid:80"],
        &["why", "80", "--netns", "no-such-namespace"],
        &["why", "80", "--for", "5"],
        &["why", "80", "--address", "192.0.2.1", "--netns", namespace.name()],
        &["why", "127.0.0.1:80", "--protocol", "udp"],
        &["why", "192.0.2.1:80", "--netns", namespace.name()],
    ] {
        let output = dayfly(words).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(output.stdout.is_empty(), "{words:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        let said = said.replace(namespace.name(), "NAMESPACE");
        // What the resolver says differs from system to system.
        let said = said.split(": failed to lookup").next().unwrap();
        text.push_str(&format!(
            "$ dayfly {}\n{}\n",
            words.join(" ").replace(namespace.name(), "NAMESPACE"),
            said.trim_end()
        ));
    }
    assert_snapshot!("wrong_questions", text);
}

#[test]
fn the_search_agrees_with_the_answer_after_every_connection() {
    privileged!();
    let namespace = hundred_ports();
    let server = serve(&namespace, "127.0.0.1:443");
    let mut held = Vec::new();
    for _ in 0..5 {
        namespace.run(|| {
            for _ in 0..20 {
                held.push(SocketOptions::tcp().connect(server.address()).unwrap());
            }
        });
        let answer = why(&namespace, &["127.0.0.1:443"]);
        assert_eq!(answer["classes"]["connection"], held.len());
        assert_eq!(answer["probe"]["agrees"], true);
    }
    let none = namespace.run(|| Probe::new().unwrap().any(None, server.address()).unwrap().port);
    assert_eq!(none, None);
}

/// Runs a command as a user without privilege.
trait AsNobody {
    fn uid_nobody(&mut self) -> &mut Self;
}

impl AsNobody for Command {
    fn uid_nobody(&mut self) -> &mut Self {
        use std::os::unix::process::CommandExt;
        self.uid(65534).gid(65534)
    }
}
