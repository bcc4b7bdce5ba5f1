//! `dayfly firewall check` on real rulesets, in namespaces.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use dayfly_testkit::{Folder, Namespace, SocketOptions, command, needs, privileged, type_in};
use insta::assert_snapshot;
use serde_json::Value;

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");

/// A client's firewall: what comes back is let in, and what else `input` says.
fn client(output: &str, input: &str) -> String {
    format!(
        "table inet filter {{
            ct helper ftp-standard {{
                type \"ftp\" protocol tcp
            }}
            chain output {{
                type filter hook output priority 0; policy accept
                {output}
            }}
            chain input {{
                type filter hook input priority 0; policy drop
                iif lo accept
                ct state established accept
                {input}
            }}
        }}"
    )
}

/// A namespace with an address, a route and these rules.
fn scene(rules: &str) -> (Namespace, Namespace) {
    let (near, far) = (Namespace::new(), Namespace::new());
    near.connect_to(&far, ("lan0", "10.9.0.1/24"), ("lan1", "10.9.0.2/24"));
    load(&near, rules);
    (near, far)
}

fn load(namespace: &Namespace, rules: &str) {
    let mut nft = namespace.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    let rules = format!("flush ruleset\n{rules}\n");
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

fn check(arguments: &[&str]) -> Command {
    let mut command = command(DAYFLY);
    command.args(["firewall", "check"]).args(arguments).stdin(Stdio::null()).env_remove("COLUMNS");
    command
}

fn told(command: &mut Command, hidden: &[(&str, &str)]) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let mut text = format!("exit: {}\n", status.code().unwrap());
    text.push_str(&String::from_utf8(stdout).unwrap());
    text.push_str(&String::from_utf8(stderr).unwrap());
    hidden.iter().fold(text, |text, (what, with)| text.replace(what, with))
}

/// The JSON of a namespace, and the exit code.
fn json(namespace: &Namespace, more: &[&str]) -> (Value, i32) {
    let mut command = check(&["--json", "--netns", namespace.name()]);
    let output = command.args(more).output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    (document["namespaces"][0].clone(), output.status.code().unwrap())
}

/// `ftp-active passes: source port 20` for each flow.
fn verdicts(namespace: &Namespace) -> Vec<String> {
    let (place, _) = json(namespace, &[]);
    let one = |flow: &Value| {
        let word = |key: &str| flow[key].as_str().unwrap_or_default().to_owned();
        let needs = flow["needs"].as_str().map(|needs| format!(": {needs}")).unwrap_or_default();
        let name = match word("flow").as_str() {
            "ephemeral-in" => format!("ephemeral-in {}", word("protocol")),
            name => name.to_owned(),
        };
        format!("{name} {}{needs}", word("verdict"))
    };
    place["flows"].as_array().unwrap().iter().map(one).collect()
}

#[test]
fn every_kind_of_client_is_told_what_works() {
    privileged!();
    needs!("nft", "nftables");
    let helper = "tcp dport 21 ct helper set \"ftp-standard\"";
    for (name, rules, range) in [
        ("nothing", String::new(), "32768 60999"),
        ("established", client("", ""), "32768 60999"),
        ("port 20", client("", "tcp sport 20 tcp dport 32768-60999 accept"), "32768 60999"),
        (
            "port 20, range moved",
            client("", "tcp sport 20 tcp dport 32768-60999 accept"),
            "20000 20100",
        ),
        ("range", client("", "tcp dport 32768-60999 accept"), "32768 60999"),
        ("lower half", client("", "tcp dport 32768-40000 accept"), "32768 60999"),
        ("helper", client(helper, "ct state related accept"), "32768 60999"),
        ("helper, not related", client(helper, ""), "32768 60999"),
        (
            "helper and range",
            client(helper, "ct state related accept\ntcp dport 32768-60999 accept"),
            "32768 60999",
        ),
        (
            "a neighbour",
            client("", "ip saddr 10.9.0.2 tcp dport 32768-60999 accept"),
            "32768 60999",
        ),
        ("tftp", client("", "udp sport 40000-40009 accept"), "32768 60999"),
    ] {
        let (near, _far) = scene(&rules);
        near.sysctl("net.ipv4.ip_local_port_range", range);
        assert_snapshot!(
            format!("client_{}", name.replace([' ', ','], "_")),
            verdicts(&near).join("\n")
        );
    }
}

#[test]
fn a_server_is_told_what_works_and_who_sits_inside() {
    privileged!();
    needs!("nft", "nftables");
    let (near, _far) = scene(&client("", "tcp dport 21 accept"));
    let options = SocketOptions::tcp();
    let _ftp = near.run(|| options.listen("0.0.0.0:21".parse().unwrap()).unwrap());
    let (place, exit) = json(&near, &["--passive", "40000-40100"]);
    let server =
        place["flows"].as_array().unwrap().iter().find(|it| it["flow"] == "ftp-passive-server");
    assert_eq!((server.unwrap()["verdict"].as_str(), exit), (Some("blocked"), 1));

    load(&near, &client("", "tcp dport { 21, 40000-40100 } accept"));
    let (place, _) = json(&near, &["--passive", "40000-40100"]);
    let server =
        place["flows"].as_array().unwrap().iter().find(|it| it["flow"] == "ftp-passive-server");
    assert_eq!(server.unwrap()["verdict"], "passes");
    assert_eq!(place["exposed"], Value::Array(vec![]));

    // The FTP server listens by this very process, so another one has to be the web server.
    let mut web = near
        .command("python3")
        .args(["-m", "http.server", "40050"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let address = "10.9.0.1:40050".parse().unwrap();
    while near.run(|| SocketOptions::tcp().connect(address)).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let (place, exit) = json(&near, &["--passive", "40000-40100"]);
    web.kill().unwrap();
    web.wait().unwrap();
    let exposed = &place["exposed"][0];
    assert_eq!(
        (exposed["port"].as_u64(), exposed["kind"].as_str()),
        (Some(40050), Some("service"))
    );
    assert!(exposed["owner"].as_str().unwrap().starts_with("python3 (pid "), "{exposed}");
    assert_eq!(exit, 1);
}

#[test]
fn what_it_says_to_do_helps() {
    privileged!();
    needs!("nft", "nftables");
    let rules = client("", "tcp sport 20 tcp dport 32768-60999 accept");
    let flow = ["--flow", "ftp-active"];
    let find = |namespace: &Namespace| {
        let (place, exit) = json(namespace, &flow);
        (place["remedies"].as_array().unwrap().clone(), exit)
    };
    // Each of the first three remedies is enough by itself.
    for index in 0..3 {
        let (near, _far) = scene(&rules);
        near.sysctl("net.ipv4.ip_local_port_range", "20000 20100");
        let (remedies, exit) = find(&near);
        assert_eq!(exit, 1);
        let action = remedies[index]["do"].as_str().unwrap();
        type_in(action, DAYFLY);
        let (place, _) = json(&near, &flow);
        assert_eq!(place["flows"][0]["verdict"], "passes", "after {action}: {place}");
    }
}

#[test]
fn a_report_is_sentences() {
    privileged!();
    needs!("nft", "nftables");
    let (near, _far) = scene(&client("", "tcp sport 20 tcp dport 32768-60999 accept"));
    near.sysctl("net.ipv4.ip_local_port_range", "20000 20100");
    let hidden = [(near.name(), "scene")];
    assert_snapshot!("moved", told(&mut check(&["--netns", near.name()]), &hidden));
    let mut narrow = check(&["--netns", near.name()]);
    assert_snapshot!("moved_narrow", told(narrow.env("COLUMNS", "60"), &hidden));
}

fn emitted(arguments: &[&str]) -> String {
    let output = command(DAYFLY).args(["firewall", "emit"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What people may wish for, with the range of ports.
const WISHES: [&[&str]; 7] = [
    &["--ftp-active"],
    &["--ftp-active", "--from-port-20"],
    &["--ftp-passive"],
    &["--tftp"],
    &["--range", "20000-20100"],
    &["--ftp-active", "--helper"],
    &["--tftp", "--ftp-passive", "--helper"],
];

#[test]
fn every_firewall_is_written_to_in_its_own_words() {
    let mut text = String::new();
    for firewall in ["nft", "iptables", "firewalld", "ufw", "pf", "ipfw", "windows", "aws"] {
        for wish in WISHES {
            let mut arguments = vec!["--for", firewall, "--range", "20000-20100,30000"];
            arguments
                .extend(wish.iter().filter(|word| **word != "--range" && **word != "20000-20100"));
            let output = command(DAYFLY).args(["firewall", "emit"]).args(&arguments).output();
            let Output { stdout, stderr, .. } = output.unwrap();
            text.push_str(&format!("$ {}\n", arguments.join(" ")));
            text.push_str(&String::from_utf8(stdout).unwrap());
            text.push_str(&String::from_utf8(stderr).unwrap());
        }
    }
    assert_snapshot!("emitted", text);
}

/// Runs a program in the namespace on a text; what it said if it did not like it.
fn accepted(namespace: &Namespace, program: &str, words: &[&str], text: &str) {
    let mut command = namespace.command(program);
    let mut child =
        command.args(words).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{program}: {said}\n{text}");
}

#[test]
fn nft_and_iptables_take_what_is_emitted() {
    privileged!();
    needs!("nft", "nftables");
    needs!("iptables-nft-restore", "iptables");
    let namespace = Namespace::new();
    load(&namespace, &client("", ""));
    for wish in WISHES {
        let nft = emitted(&[&["--for", "nft"], wish].concat());
        accepted(&namespace, "nft", &["-c", "-f", "-"], &nft);
        let iptables = emitted(&[&["--for", "iptables"], wish].concat());
        accepted(&namespace, "iptables-nft-restore", &["--test", "-n"], &iptables);
    }
}

#[test]
fn firewalld_and_ufw_take_what_is_emitted_and_are_read_back() {
    privileged!();
    needs!("firewall-offline-cmd", "firewalld");
    needs!("ufw", "ufw");
    let namespace = Namespace::new();
    let active = ["--ftp-active", "--range", "20000-20100"];
    let asked = ["--json", "--range", "20000-20100", "--flow", "ftp-active", "--from"];
    let verdict = |file: &std::path::Path| -> Value {
        let mut command = check(&asked);
        let output = command.arg(file).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["namespaces"][0]["flows"][0]["verdict"].clone()
    };

    let folder = Folder::new();
    let zone = folder.path().join("zones/public.xml");
    std::fs::create_dir_all(folder.path().join("zones")).unwrap();
    std::fs::copy("/usr/lib/firewalld/zones/public.xml", &zone).unwrap();
    assert_eq!(verdict(&zone), "blocked");
    for line in emitted(&[&["--for", "firewalld"], &active[..]].concat()).lines() {
        let Some(words) = line.strip_prefix("firewall-cmd --permanent ") else { continue };
        let mut offline = namespace.command("firewall-offline-cmd");
        offline.arg(format!("--system-config={}", folder.path().display())).arg("--zone=public");
        let done = offline.args(words.split(' ')).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }
    assert_eq!(verdict(&zone), "passes");

    // A dry run prints the file that it would write, the one for IPv6 behind it.
    let line = emitted(&[&["--for", "ufw"], &active[..]].concat());
    let words: Vec<&str> = line.trim().split(' ').skip(1).collect();
    let done = namespace.command("ufw").arg("--dry-run").args(words).output().unwrap();
    let said = String::from_utf8(done.stdout).unwrap();
    assert!(done.status.success(), "{said}");
    let rules = folder.path().join("user.rules");
    let (file, _) = said.split_once("COMMIT\n").unwrap();
    std::fs::write(&rules, format!("{file}COMMIT\n")).unwrap();
    assert_eq!(verdict(&rules), "passes");
}

#[test]
fn the_helper_that_it_says_to_emit_helps() {
    privileged!();
    needs!("nft", "nftables");
    let (near, _far) = scene(&client("", ""));
    let (place, _) = json(&near, &["--flow", "ftp-active"]);
    let remedies = place["remedies"].as_array().unwrap();
    let action =
        remedies.iter().find_map(|it| it["do"].as_str().filter(|it| it.contains("--helper")));
    type_in(action.unwrap(), DAYFLY);
    let (place, exit) = json(&near, &["--flow", "ftp-active"]);
    assert_eq!((place["flows"][0]["verdict"].as_str(), exit), (Some("passes"), 0), "{place}");
}

#[test]
fn wrong_input_is_answered_with_a_sentence() {
    for (name, arguments) in [
        ("no_file", &["--from", "/no/such/file"][..]),
        ("empty", &["--from", "/dev/null"]),
        ("not_rules", &["--from", "src/main.rs"]),
        ("port_0", &["--passive", "0-9"]),
        ("no_flow", &["--flow", "gopher"]),
        ("range_without_file", &["--range", "1-2"]),
        ("other_format", &["--from", "/etc/passwd", "--format", "pf"]),
        ("no_format", &["--from", "/etc/passwd", "--format", "ipchains"]),
    ] {
        assert_snapshot!(format!("wrong_{name}"), told(&mut check(arguments), &[]));
    }
}

/// A connection that has to come to a certain port, and is sent to another, does not work; one that
/// somebody waits for there does.
#[test]
fn what_nat_moves_is_followed() {
    privileged!();
    needs!("nft", "nftables");
    let nat = |rules: &str, input: &str| {
        format!(
            "table ip n {{\n chain p {{\n type nat hook prerouting priority -100\n {rules}\n }}\n}}\n{}",
            client("", input)
        )
    };
    let flow = |namespace: &Namespace, name: &str| {
        let (place, _) = json(namespace, &["--passive", "40000-40009", "--flow", name]);
        let flow = &place["flows"][0];
        let text = |key: &str| flow[key].as_str().unwrap_or_default().to_owned();
        (text("verdict"), text("why"))
    };
    let range = "tcp dport 32768-60999 accept";
    for (rules, input, name, verdict, why) in [
        ("tcp dport 32768-60999 redirect to :2222", range, "ftp-active", "blocked", "another port"),
        ("tcp dport 40000 redirect to :2222", range, "ftp-active", "partly", "another port"),
        (
            "tcp dport 21 redirect to :2121",
            "tcp dport { 2121, 40000-40009 } accept",
            "ftp-passive-server",
            "passes",
            "40000-40009",
        ),
        (
            "tcp dport 21 redirect to :2121",
            "tcp dport { 21, 40000-40009 } accept",
            "ftp-passive-server",
            "blocked",
            "control",
        ),
        (
            "tcp dport 40000-40009 dnat to 10.9.0.7",
            "tcp dport { 21, 40000-40009 } accept",
            "ftp-passive-server",
            "unknown",
            "another host",
        ),
        (
            "tcp dport 40000-40009 redirect",
            "tcp dport { 21, 40000-40009 } accept",
            "ftp-passive-server",
            "passes",
            "40000-40009",
        ),
        (
            "tcp dport 21 redirect to :2121",
            "ct status dnat accept\n tcp dport 40000-40009 accept",
            "ftp-passive-server",
            "passes",
            "40000-40009",
        ),
    ] {
        let (near, _far) = scene(&nat(rules, input));
        let (told, said) = flow(&near, name);
        assert_eq!(told, verdict, "{rules}: {said}");
        assert!(said.contains(why), "{rules}: {said}");
    }
    let (near, _far) = scene(&nat("tcp dport 80 redirect to :8080", "tcp dport 8080 accept"));
    let (place, _) = json(&near, &[]);
    let open = place["open"].as_array().unwrap().iter();
    let open: Vec<_> =
        open.filter(|one| one["direction"] == "in" && one["family"] != "ipv6").collect();
    let moved = open.iter().find(|one| one["arrives"] == 8080).unwrap();
    assert_eq!(moved["ports"], "80");
}
