//! What people report, with real programs: the program fails, `dayfly why` names cause and culprit,
//! its remedy is applied, and the program works.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Stdio};

use dayfly_testkit::{
    Folder, Namespace, Server, SocketOptions, command, needs, privileged, type_in,
};
use serde_json::Value;

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");

fn namespace() -> Namespace {
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "20000 20099");
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
    namespace.sysctl("net.ipv4.tcp_tw_reuse_delay", "1");
    namespace
}

fn server(namespace: &Namespace, place: &str) -> Server {
    let place: SocketAddr = place.parse().unwrap();
    namespace.run(|| Server::open(&SocketOptions::tcp(), place)).unwrap()
}

fn why(namespace: &Namespace, subject: &str) -> Value {
    let output = command(DAYFLY)
        .args(["why", subject, "--json", "--netns", namespace.name()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Types the remedy that contains these words into a shell.
fn apply(answer: &Value, words: &str) {
    let remedies = answer["remedies"].as_array().unwrap();
    let mut actions = remedies.iter().map(|remedy| remedy["do"].as_str().unwrap());
    let action = actions.find(|action| action.contains(words)).unwrap();
    type_in(action, DAYFLY);
}

/// A Python program in the namespace that says one line and then waits until its input ends.
struct Program {
    child: Child,
    said: String,
}

impl Program {
    fn start(namespace: &Namespace, script: &str) -> Program {
        let script = format!(
            "import errno, socket, struct, sys\n\
             def connected(to, source=None):\n    \
                 s = socket.socket()\n    \
                 # Closed with a reset, so that nothing is left of it.\n    \
                 s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n    \
                 if source: source(s)\n    \
                 s.connect(to)\n    \
                 return s\n\
             {script}\nsys.stdin.read()"
        );
        let mut child = namespace
            .command("python3")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        Program { child, said: said.trim_end().to_owned() }
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().unwrap().success());
    }
}

/// Starts a web server as its user would, and says whether it came up.
fn service_starts(namespace: &Namespace, port: u16) -> bool {
    let script = format!(
        "import http.server\n\
         try:\n    \
             service = http.server.HTTPServer(('', {port}), http.server.SimpleHTTPRequestHandler)\n    \
             print('up', flush=True)\n\
         except OSError as error:\n    \
             print(errno.errorcode[error.errno], flush=True)"
    );
    let service = Program::start(namespace, &script);
    let said = service.said.clone();
    service.end();
    assert!(said == "up" || said == "EADDRINUSE", "{said}");
    said == "up"
}

#[test]
fn a_service_that_cannot_start_finds_the_thief_of_its_port() {
    privileged!();
    needs!("python3", "python3");
    needs!("ss", "iproute2");
    let namespace = namespace();
    let _upstream = server(&namespace, "127.0.0.1:443");
    // Range 1024-65535, a service at 20004, and a client that was there first.
    let thief = Program::start(
        &namespace,
        "kept = [connected(('127.0.0.1', 443)) for _ in range(100)]\n\
         print('connected', flush=True)",
    );
    assert_eq!(thief.said, "connected");
    assert!(!service_starts(&namespace, 20004));

    let answer = why(&namespace, "20004");
    assert_eq!(answer["verdict"], "connection");
    assert_eq!(answer["holders"][0]["pid"], thief.child.id());
    assert_eq!(answer["holders"][0]["remote"], "127.0.0.1:443");
    assert!(answer["holders"][0]["command"].as_str().unwrap().contains("python3"));
    apply(&answer, "dayfly reserve 20004 ");
    apply(&answer, "ss --kill");
    assert_eq!(why(&namespace, "20004")["verdict"], "free");
    assert!(service_starts(&namespace, 20004));
    thief.end();
    // Reserved is reserved: the next client leaves the port alone.
    let client = Program::start(
        &namespace,
        "kept = [connected(('127.0.0.1', 443)) for _ in range(99)]\n\
         print('connected', flush=True)",
    );
    assert_eq!(client.said, "connected");
    assert!(service_starts(&namespace, 20004));
    client.end();
}

/// A load generator: opens and closes connections one after the other until one fails. It waits for
/// the server to close as well, so that all it leaves is TIME_WAIT.
const LOAD: &str = "count = 0\n\
    try:\n    \
        while count < 150:\n        \
            s = socket.create_connection(('127.0.0.1', 443))\n        \
            s.shutdown(socket.SHUT_WR); s.recv(1); s.close()\n        \
            count += 1\n    \
        print('done', flush=True)\n\
    except OSError as error:\n    \
        print(errno.errorcode[error.errno], flush=True)";

#[test]
fn a_load_generator_runs_out_of_ports_to_its_one_upstream() {
    privileged!();
    needs!("python3", "python3");
    let namespace = namespace();
    // A server that answers a close with a close, as web servers do.
    let upstream = Program::start(
        &namespace,
        "import threading\n\
         listener = socket.socket(); listener.bind(('127.0.0.1', 443)); listener.listen(1000)\n\
         def serve():\n    \
             while True:\n        \
                 s, _ = listener.accept()\n        \
                 s.recv(1)\n        \
                 s.close()\n\
         threading.Thread(target=serve, daemon=True).start()\n\
         print('listening', flush=True)",
    );
    assert_eq!(upstream.said, "listening");
    let load = Program::start(&namespace, LOAD);
    assert_eq!(load.said, "EADDRNOTAVAIL");
    load.end();
    let answer = why(&namespace, "127.0.0.1:443");
    assert_eq!(answer["verdict"], "full");
    let over = answer["classes"]["time_wait"].as_u64().unwrap();
    assert!(over > 90, "{answer}");
    assert_eq!(answer["useless"][0]["do"], "net.ipv4.tcp_fin_timeout");
    // What does not help, does not help.
    namespace.sysctl("net.ipv4.tcp_fin_timeout", "1");
    let load = Program::start(&namespace, LOAD);
    assert_eq!(load.said, "EADDRNOTAVAIL");
    load.end();
    apply(&answer, "tcp_tw_reuse=1");
    let load = Program::start(&namespace, LOAD);
    assert_eq!(load.said, "done");
    load.end();
    upstream.end();
}

#[test]
fn a_proxy_with_a_fixed_source_address_has_one_pool_for_all_its_upstreams() {
    privileged!();
    needs!("python3", "python3");
    let namespace = namespace();
    let _upstreams: Vec<_> =
        (1..=4).map(|last| server(&namespace, &format!("127.0.0.{last}:443"))).collect();
    let proxy = |setup: &str| {
        format!(
            "def bound(s):\n    \
                 {setup}s.bind(('127.0.0.9', 0))\n\
             kept = []\n\
             try:\n    \
                 for index in range(160):\n        \
                     to = ('127.0.0.%d' % (1 + index % 4), 443)\n        \
                     kept.append(connected(to, bound))\n    \
                 print('connected', flush=True)\n\
             except OSError as error:\n    \
                 print(errno.errorcode[error.errno], len(kept), flush=True)"
        )
    };
    let greedy = Program::start(&namespace, &proxy(""));
    assert_eq!(greedy.said, "EADDRINUSE 100");
    // Its neighbour, who never connected anywhere, has no port left either.
    let answer = why(&namespace, "127.0.0.1:443");
    assert_eq!(answer["verdict"], "full");
    assert_eq!(answer["classes"]["bound_elsewhere"], 100);
    assert_eq!(answer["holders"][0]["pid"], greedy.child.id());
    let remedies = answer["remedies"].as_array().unwrap();
    let python = remedies.iter().find(|remedy| {
        remedy["do"].as_str().unwrap().starts_with("Python: before bind(): sock.setsockopt(")
    });
    assert!(python.is_some(), "{answer}");
    greedy.end();

    let cured = Program::start(&namespace, &proxy("s.setsockopt(socket.IPPROTO_IP, 24, 1); "));
    assert_eq!(cured.said, "connected");
    let answer = why(&namespace, "127.0.0.1:443");
    assert_eq!((&answer["verdict"], &answer["classes"]["free"]), (&"room".into(), &100.into()));
    assert_eq!(answer["destinations"][0]["other_sources"][0]["used"], 40);
    cured.end();
}

fn nft(namespace: &Namespace, rules: &str) {
    let done = namespace.command("nft").arg(rules).output().unwrap();
    assert!(done.status.success(), "{rules}: {}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_masquerade_rule_with_few_ports_drops_connections_in_silence() {
    privileged!();
    needs!("python3", "python3");
    needs!("ip", "iproute2");
    needs!("nft", "nftables");
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect_to(&far, ("east", "10.9.0.1/24"), ("west", "10.9.0.2/24"));
    let _server = server(&far, "10.9.0.2:80");
    nft(
        &near,
        "table ip nat { chain out { type nat hook postrouting priority 100; \
         ip protocol tcp masquerade to :40000-40019; }; }",
    );
    // Half of forty connections find no port, and their clients wait in vain, again and again.
    let client = |namespace: &Namespace| {
        Program::start(
            namespace,
            "kept = []\n\
             def attempt():\n    \
                 s = socket.socket(); s.setblocking(False); s.connect_ex(('10.9.0.2', 80))\n    \
                 kept.append(s)\n\
             for _ in range(40): attempt()\n\
             import select, threading, time\n\
             deadline = time.monotonic() + 10\n\
             def up(): return sum(1 for s in select.select([], kept, [], 0)[1])\n\
             while up() < 20 and time.monotonic() < deadline: time.sleep(0.01)\n\
             time.sleep(0.3)\n\
             print(up(), flush=True)",
        )
    };
    let starved = client(&near);
    assert_eq!(starved.said, "20");
    let doctor = || {
        let output = command(DAYFLY)
            .args(["doctor", "--json", "--only", "DF016", "--for", "3", "--netns", near.name()])
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        (answer["findings"].as_array().unwrap().clone(), output.status.code())
    };
    let (findings, exit) = doctor();
    assert_eq!((findings.len(), exit), (1, Some(1)), "{findings:?}");
    let said = findings[0]["evidence"].to_string();
    assert!(said.contains("while it was watched: clients see time-outs"), "{said}");
    let cause = "20 ports of 10.9.0.1 are translated towards tcp 10.9.0.2:80: 100.0 % of 20";
    assert!(said.contains(cause), "{said}");
    assert!(said.contains("the rule: masquerade to :40000-40019"), "{said}");
    starved.end();

    nft(&near, "flush chain ip nat out; add rule ip nat out masquerade");
    let served = client(&near);
    assert_eq!(served.said, "40");
    assert_eq!(doctor(), (vec![], Some(0)));
    served.end();
}

#[test]
fn an_upstream_that_does_not_answer_holds_the_ports() {
    privileged!();
    needs!("python3", "python3");
    needs!("nft", "nftables");
    let namespace = namespace();
    nft(
        &namespace,
        "table ip f { chain in { type filter hook input priority 0; tcp dport 443 drop; }; }",
    );
    let client = Program::start(
        &namespace,
        "kept = []\n\
         def attempt():\n    \
             s = socket.socket(); s.setblocking(False)\n    \
             kept.append(s)\n    \
             return s.connect_ex(('127.0.0.1', 443))\n\
         while (error := attempt()) == errno.EINPROGRESS: pass\n\
         print(errno.errorcode[error], flush=True)",
    );
    assert_eq!(client.said, "EADDRNOTAVAIL");
    let answer = why(&namespace, "127.0.0.1:443");
    assert_eq!(answer["verdict"], "full");
    assert_eq!(answer["holders"][0]["state"], "SYN_SENT");
    assert_eq!(answer["holders"][0]["pid"], client.child.id());
    let remedy = &answer["remedies"][0];
    assert!(remedy["do"].as_str().unwrap().starts_with("see why 127.0.0.1 does not answer"));
    assert!(remedy["effect"].as_str().unwrap().starts_with("100 ports wait for an answer"));
    nft(&namespace, "flush ruleset");
    client.end();
    let _server = server(&namespace, "127.0.0.1:443");
    assert_eq!(why(&namespace, "127.0.0.1:443")["verdict"], "room");
}

#[test]
fn a_program_that_does_not_close_keeps_its_ports() {
    privileged!();
    needs!("python3", "python3");
    let namespace = namespace();
    let upstream = namespace.run(|| TcpListener::bind("127.0.0.1:443")).unwrap();
    let leaking = Program::start(
        &namespace,
        "kept = [connected(('127.0.0.1', 443)) for _ in range(60)]\n\
         print('connected', flush=True)",
    );
    assert_eq!(leaking.said, "connected");
    // The server closes every connection; the program never does.
    for _ in 0..60 {
        drop(upstream.accept().unwrap());
    }
    let answer = why(&namespace, "127.0.0.1:443");
    assert_eq!(answer["verdict"], "past_cliff");
    assert_eq!(answer["holders"][0]["state"], "CLOSE_WAIT");
    assert_eq!(answer["holders"][0]["pid"], leaking.child.id());
    let remedies = answer["remedies"].as_array().unwrap();
    let close = remedies.iter().find(|remedy| {
        remedy["do"].as_str().unwrap().starts_with("make the program close the connections")
    });
    assert!(close.unwrap()["effect"].as_str().unwrap().starts_with("60 ports"), "{answer}");
    leaking.end();
    assert_eq!(why(&namespace, "127.0.0.1:443")["verdict"], "room");
}

#[test]
fn the_owner_is_found_without_opening_what_others_have_open() {
    privileged!();
    needs!("strace", "strace");
    let namespace = namespace();
    let _listener =
        namespace.run(|| SocketOptions::tcp().listen("127.0.0.1:8080".parse().unwrap()));
    let folder = Folder::new();
    let trace = folder.path().join("trace");
    let done = command("strace")
        .args(["--follow-forks", "--trace=open,openat,openat2", "--output"])
        .arg(&trace)
        .args([DAYFLY, "why", "8080", "--json", "--netns", namespace.name()])
        .output()
        .unwrap();
    let text = std::fs::read_to_string(&trace).unwrap();
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(answer["holders"][0]["pid"], std::process::id());
    let opened = |what: &str| text.lines().filter(|line| line.contains(what)).count();
    // No descriptor of another process, and of no process but the owner's more than the list.
    assert_eq!(opened("/fd/"), 0);
    assert_eq!((opened("/cmdline\""), opened("/cgroup\"")), (1, 1));
    let lists: Vec<_> = text.lines().filter_map(|line| line.split('"').nth(1)).collect();
    let lists: Vec<_> = lists.into_iter().filter(|path| path.ends_with("/fd")).collect();
    let once: std::collections::BTreeSet<_> = lists.iter().collect();
    assert_eq!(lists.len(), once.len(), "{text}");
}
