//! What a person sees: standard output, standard error and exit code of `dayfly show`.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Command, Output, Stdio};

use dayfly_testkit::{
    Folder, Namespace, Server, Socket, SocketOptions, command, needs, privileged,
};
use insta::assert_snapshot;

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");
/// `nobody` on Debian: any user that is not root will do.
const NOBODY: u32 = 65534;

/// The command as a pipe sees it: 80 columns, 24 lines.
fn dayfly(arguments: &[&str]) -> Command {
    let mut command = command(DAYFLY);
    command.args(arguments).env_remove("COLUMNS").env_remove("LINES").stdin(Stdio::null());
    command
}

/// Everything that the command let out, with what differs from run to run replaced.
fn told(command: &mut Command, hidden: &[(&str, &str)]) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let mut text = format!("exit: {}\n", status.code().unwrap());
    for (name, bytes) in [("stdout", stdout), ("stderr", stderr)] {
        let part = String::from_utf8(bytes).unwrap();
        if !part.is_empty() {
            text.push_str(&format!("--- {name}\n{part}"));
        }
    }
    hidden.iter().fold(text, |text, (what, with)| text.replace(what, with))
}

/// A namespace with a hundred ports: one destination past the cliff, one well before it, one over
/// IPv6, a listener and a bound socket in the range, UDP.
struct Scene {
    namespace: Namespace,
    _sockets: Vec<Socket>,
    _servers: Vec<Server>,
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl Scene {
    fn new() -> Scene {
        let namespace = Namespace::new();
        namespace.sysctl("net.ipv4.ip_local_port_range", "20000 20099");
        namespace.sysctl("net.ipv4.ip_local_reserved_ports", "20010-20011");
        namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
        let (sockets, servers) = namespace.run(|| {
            let plain = SocketOptions::tcp();
            let mut sockets = vec![
                plain.listen(address("127.0.0.9:20020")).unwrap(),
                plain.hold(address("127.0.0.9:20022")).unwrap(),
            ];
            let busy = Server::open(&plain, address("127.0.0.1:443")).unwrap();
            let idle = Server::open(&plain, address("127.0.0.2:5432")).unwrap();
            let six = Server::open(&plain, address("[::1]:8080")).unwrap();
            for (server, connections) in [(&busy, 60), (&idle, 5), (&six, 3)] {
                for _ in 0..connections {
                    sockets.push(plain.connect(server.address()).unwrap());
                }
            }
            for _ in 0..4 {
                idle.leave_time_wait(&plain).unwrap();
            }
            for _ in 0..2 {
                let udp = SocketOptions::udp();
                sockets.push(udp.connect(address("127.0.0.1:53")).unwrap());
            }
            (sockets, vec![busy, idle, six])
        });
        Scene { namespace, _sockets: sockets, _servers: servers }
    }

    fn told(&self, columns: u32, arguments: &[&str]) -> String {
        let name = self.namespace.name();
        let mut command = dayfly(arguments);
        command.args(["--netns", name]).env("COLUMNS", columns.to_string());
        told(&mut command, &[(name, "scene")])
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let name = self.namespace.name();
        let output = dayfly(arguments).args(["--json", "--netns", name]).output().unwrap();
        assert!(output.status.success());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn the_table_fits_the_screen() {
    privileged!();
    let scene = Scene::new();
    assert_snapshot!("table_80", scene.told(80, &[]));
    assert_snapshot!("table_60", scene.told(60, &[]));
    assert_snapshot!("table_120_top", scene.told(120, &["--top", "1"]));
    for columns in [60, 80, 100] {
        let text = scene.told(columns, &[]);
        let widest = text.lines().map(str::len).max().unwrap();
        assert!(widest <= columns as usize, "{widest} columns instead of {columns}:\n{text}");
    }
}

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    privileged!();
    let scene = Scene::new();
    assert!(!scene.told(80, &[]).contains('\x1b'));
    assert!(!scene.told(80, &["--color", "never"]).contains('\x1b'));
    assert!(scene.told(80, &["--color", "always"]).contains("\x1b[33mSLOW"));
}

#[test]
fn one_destination_has_a_row_connected_or_not() {
    privileged!();
    let scene = Scene::new();
    assert_snapshot!("destination_busy", scene.told(80, &["--destination", "127.0.0.1:443"]));
    assert_snapshot!("destination_new", scene.told(80, &["--destination", "[::1]:9"]));
    assert_snapshot!("destination_no_route", scene.told(80, &["--destination", "192.0.2.1:9"]));
    let rows = |arguments: &[&str]| {
        let json = scene.json(arguments);
        json["namespaces"][0]["destinations"].as_array().unwrap().len()
    };
    assert_eq!(rows(&["--destination", "127.0.0.2"]), 1, "any port of the host");
    assert_eq!(rows(&["--destination", "127.0.0.1:80"]), 1, "not connected");
    assert_eq!(rows(&["--destination", "::ffff:127.0.0.2"]), 1, "a mapped address");
    assert_eq!(rows(&["--protocol", "udp"]), 0);
    assert_snapshot!("protocol_udp", scene.told(80, &["--protocol", "udp"]));
    assert_snapshot!("protocol_sctp", scene.told(80, &["--protocol", "sctp"]));
    assert_eq!(rows(&[]), 3);
    assert_eq!(rows(&["--top", "2"]), 2);
}

#[test]
fn json_keeps_its_contract() {
    privileged!();
    let scene = Scene::new();
    let json = scene.json(&[]);
    let keys = |value: &serde_json::Value| -> Vec<String> {
        value.as_object().unwrap().keys().cloned().collect()
    };
    let namespace = &json["namespaces"][0];
    let mut text = format!("document: {}\n", keys(&json).join(" "));
    for (name, value) in [
        ("namespace", namespace),
        ("settings", &namespace["settings"]),
        ("range", &namespace["settings"]["ranges"][0]),
        ("sockets", &namespace["sockets"]),
        ("destination", &namespace["destinations"][0]),
        ("udp_source", &namespace["udp_sources"][0]),
    ] {
        text.push_str(&format!("{name}: {}\n", keys(value).join(" ")));
    }
    assert_snapshot!("json_names", text);
    assert_eq!(json["schema_version"], 1);
    assert_eq!(namespace["name"], scene.namespace.name());
    let pretty = |value| serde_json::to_string_pretty(value).unwrap();
    let mut settings = namespace["settings"].clone();
    // The kernel derives it from the memory that it has.
    assert!(settings["max_time_wait"].take().is_u64());
    assert_snapshot!("json_settings", pretty(&settings));
    assert_snapshot!("json_destination", pretty(&namespace["destinations"][0]));
    assert_snapshot!("json_sockets", pretty(&namespace["sockets"]));
    // Every name is explained.
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md");
    let page = fs::read_to_string(page).unwrap();
    for name in text.split_whitespace().filter(|word| !word.ends_with(':')) {
        assert!(page.contains(&format!("`{name}`")), "docs/json.md does not explain {name}");
    }
}

#[test]
fn wrong_usage_gets_a_sentence_and_exit_code_2() {
    let wrong: &[&[&str]] = &[
        &["--netns", "no-such-namespace"],
        &["--netns", "/etc/passwd"],
        &["--netns", "4194304"],
        &["--netns", "a", "--all-netns"],
        &["--destination", "host:99999"],
        &["--destination", "[::1"],
        &["--destination", "no such host"],
        &["--protocol", "icmp"],
        &["--top", "0"],
        &["--top", "many"],
        &["--watch", "0"],
        &["--watch", "soon"],
        &["--color", "blue"],
        &["--nonsense"],
        &["nonsense"],
    ];
    let mut text = String::new();
    for arguments in wrong {
        text.push_str(&format!("$ dayfly {}\n", arguments.join(" ")));
        text.push_str(&told(&mut dayfly(arguments), &[]));
        text.push('\n');
    }
    assert_eq!(text.matches("exit: 2\n").count(), wrong.len(), "{text}");
    assert_snapshot!("wrong_usage", text);
}

#[test]
fn an_unknown_host_is_named() {
    let text = told(&mut dayfly(&["--destination", "no-such-host.invalid:80"]), &[]);
    assert!(text.starts_with("exit: 2\n"), "{text}");
    assert!(text.contains("the host \"no-such-host.invalid\" is not known"), "{text}");
    assert!(text.contains("hint:"), "{text}");
}

#[test]
fn without_privilege_the_rest_still_works() {
    privileged!();
    let scene = Scene::new();
    let name = scene.namespace.name();
    // The build may lie where nobody else can read: copy the program to where all can.
    let folder = Folder::new();
    folder.bring([DAYFLY]);
    let copy = folder.file("dayfly");
    let hidden = [(copy.as_str(), "/path/to/dayfly"), (name, "scene")];
    let unprivileged = |mut setpriv: Command, arguments: &[&str]| {
        let user = format!("--reuid={NOBODY}");
        setpriv.args([&user, "--clear-groups", "--inh-caps=-all", &copy]).args(arguments);
        told(setpriv.env("COLUMNS", "80").env("LINES", "24"), &hidden)
    };
    let inside = || scene.namespace.command("setpriv");
    let outside = || command("setpriv");
    assert_snapshot!("unprivileged_own", unprivileged(inside(), &[]));
    assert_snapshot!("unprivileged_probe", unprivileged(inside(), &["--probe"]));
    assert_snapshot!("unprivileged_other", unprivileged(outside(), &["--netns", name]));
    let all = unprivileged(outside(), &["--all-netns"]);
    assert!(all.starts_with("exit: 0\n"), "{all}");
    assert!(all.contains("not seen: network namespace scene"), "{all}");
    assert!(all.contains("try: sudo /path/to/dayfly --all-netns"), "{all}");
}

#[test]
fn all_namespaces_are_shown_and_stale_names_are_said() {
    privileged!();
    let scene = Scene::new();
    let stale = format!("/run/netns/{}-stale", scene.namespace.name());
    fs::write(&stale, "").unwrap();
    let output = dayfly(&["--all-netns", "--json"]).output().unwrap();
    fs::remove_file(&stale).unwrap();
    assert_eq!(output.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let namespaces = json["namespaces"].as_array().unwrap();
    let named = |name: &str| namespaces.iter().any(|namespace| namespace["name"] == name);
    assert!(named(scene.namespace.name()));
    assert!(namespaces.len() >= 2, "the namespace of this test, and the scene's");
    let notes = json["degraded"].as_array().unwrap();
    let why = format!("{stale} is not a network namespace");
    assert!(notes.iter().any(|note| note["why"] == *why), "{notes:?}");
}

#[test]
fn a_namespace_is_found_by_name_pid_and_path() {
    privileged!();
    let scene = Scene::new();
    let mut sleeper = scene.namespace.command("sleep").arg("60").spawn().unwrap();
    let found = |netns: &str| {
        let output = dayfly(&["--json", "--netns", netns]).output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        (json["namespaces"][0]["id"].as_u64(), json["namespaces"][0]["name"].clone())
    };
    let by_name = found(scene.namespace.name());
    let by_pid = found(&sleeper.id().to_string());
    let by_path = found(&scene.namespace.path().display().to_string());
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert_eq!(by_name, by_pid);
    assert_eq!(by_name.0, by_path.0);
    assert!(by_name.0.is_some());
}

/// The command that is offered has to be one that works, also for a namespace without a name.
#[test]
fn the_way_to_a_nameless_namespace_can_be_typed() {
    privileged!();
    needs!("python3", "python3");
    needs!("ip", "iproute2");
    let script = "ip link set lo up; echo 20000 20001 > /proc/sys/net/ipv4/ip_local_port_range; \
                  exec python3 -c \"import socket, sys; s = socket.create_server(('127.0.0.1', 80)); \
                  c = [socket.create_connection(('127.0.0.1', 80)) for _ in range(2)]; \
                  print('ready', flush=True); sys.stdin.read()\"";
    let mut program = command("unshare")
        .args(["--net", "sh", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(program.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    let offered = format!("dayfly why 127.0.0.1:80 --netns {}", program.id());
    let all = told(&mut dayfly(&["--all-netns"]), &[]);
    let words: Vec<&str> = offered.split(' ').skip(1).collect();
    let answer = told(&mut dayfly(&words), &[]);
    drop(program.stdin.take());
    program.wait().unwrap();
    assert!(all.contains(&format!("try: {offered}\n")), "{all}");
    assert!(answer.starts_with("exit: 0\n"), "{answer}");
}

#[test]
fn a_closed_pipe_is_quiet() {
    let mut child =
        dayfly(&["--watch", "0.1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_said() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let text = told(dayfly(&["--json"]).stdout(full), &[]);
    assert!(text.starts_with("exit: 2\n"), "{text}");
    assert!(text.contains("standard output cannot be written: No space left on device"), "{text}");
}

#[test]
fn watching_prints_one_line_of_json_each_time() {
    let mut child = dayfly(&["--watch", "0.1", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().take(3).map(Result::unwrap).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        let json: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(json["schema_version"], 1);
    }
}
