//! `dayfly plan` and `dayfly systems`: what people and programs read, the documents' own examples,
//! and the Linux plan carried out on the real kernel.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

use dayfly_testkit::{Namespace, needs, privileged};
use insta::assert_snapshot;
use serde_json::Value;

fn command(words: &[&str]) -> Command {
    let mut command = dayfly_testkit::command(env!("CARGO_BIN_EXE_dayfly"));
    command.args(words);
    command
}

fn dayfly(words: &[&str], input: &str) -> Output {
    let mut command = command(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The words, the input, the exit code and all that was printed.
fn told(words: &[&str], input: &str) -> String {
    let Output { status, stdout, stderr } = dayfly(words, input);
    let mut text = format!("$ dayfly {}\nexit: {}\n", words.join(" "), status.code().unwrap());
    text.push_str(&String::from_utf8(stdout).unwrap());
    if !stderr.is_empty() {
        text.push_str("--- stderr\n");
        text.push_str(&String::from_utf8(stderr).unwrap());
    }
    text
}

fn printed(words: &[&str], input: &str) -> String {
    let Output { status, stdout, stderr } = dayfly(words, input);
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn names() -> Vec<String> {
    let json: Value = serde_json::from_str(&printed(&["systems", "--json"], "")).unwrap();
    let systems = json["systems"].as_array().unwrap();
    systems.iter().map(|system| system["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_table_of_systems() {
    assert_snapshot!("systems", told(&["systems"], ""));
    let narrow = command(&["systems"]).env("COLUMNS", "60").output().unwrap();
    assert_snapshot!("systems_60", String::from_utf8(narrow.stdout).unwrap());
    assert_eq!(names().len(), 16);
}

#[test]
fn every_system_is_explained() {
    for name in names() {
        let page = printed(&["systems", "--explain", &name], "");
        assert!(page.starts_with("# ") && page.contains("Today:"), "{name}");
    }
    assert_snapshot!("explain_freebsd", told(&["systems", "--explain", "FreeBSD"], ""));
}

/// The range that the documents recommend, on every system, from its defaults.
#[test]
fn iana_range() {
    for name in names() {
        let words = ["plan", "--system", &name, "49152-65535"];
        assert_snapshot!(format!("iana_{name}"), told(&words, ""));
    }
}

const NDDCONF: &str = "\
# /usr/bin/ndd /dev/tcp tcp_smallest_anon_port tcp_largest_anon_port
49152

65535
# cat /etc/rc.config.d/nddconf
TRANSPORT_NAME[0]=ip
NDD_NAME[0]=ip_forwarding
NDD_VALUE[0]=0
TRANSPORT_NAME[1]=tcp
NDD_NAME[1]=tcp_largest_anon_port
NDD_VALUE[1]=65500
";

/// Examples of the documents, planned from what they show.
#[test]
fn examples_to_the_letter() {
    let solaris = "32768\n\n65535\n32768\n\n65535\n";
    for (name, words, input) in [
        (
            "solaris",
            &["--system", "solaris", "49152-61000", "--current", "-", "--runtime"][..],
            solaris,
        ),
        (
            "hpux",
            &["--system", "hpux", "50001-61000", "--protocol", "tcp", "--current", "-"],
            NDDCONF,
        ),
        ("windows", &["--system", "windows", "10000-10999"], ""),
        ("windows_xp", &["--system", "xp", "1024-65534"], ""),
        (
            "linux_hole",
            &["--system", "linux", "--reserve", "50000-50010", "--current", "-"],
            "net.ipv4.ip_local_reserved_ports = 8080\n",
        ),
        ("openbsd_hole", &["--system", "openbsd", "--reserve", "8080,9000-9001"], ""),
        (
            "freebsd_high",
            &["--system", "freebsd", "32768-49151", "--class", "high", "--persist"],
            "",
        ),
        ("freebsd_clamped", &["--system", "freebsd", "600-20000", "--runtime"], ""),
    ] {
        assert_snapshot!(format!("example_{name}"), told(&[&["plan"], words].concat(), input));
    }
}

#[test]
fn refusals_say_what_to_do() {
    let linux = "net.ipv4.ip_unprivileged_port_start = 50000\nnet.ipv4.ip_local_reserved_ports =\n";
    let text: Vec<String> = [
        (&["--system", "irix", "49152-65535"][..], ""),
        (&["--system", "xp", "1024-65535"], ""),
        (&["--system", "xp", "1024-65534", "--runtime"], ""),
        (&["--system", "windows", "50000-50100"], ""),
        (&["--system", "netbsd", "50000"], ""),
        (&["--system", "illumos", "49152-65535", "--persist"], ""),
        (&["--system", "linux", "40000-50000", "--current", "-"], linux),
        (&["--system", "linux", "--reserve", "8080", "--persist"], ""),
        (&["--system", "aix", "--reserve", "8080"], ""),
        (&["--system", "aix", "49152-65535", "--class", "high"], ""),
        (&["--system", "aix", "49152-65535", "--protocol", "sctp"], ""),
        (&["--system", "aix", "49152-65535", "--current", "-"], "tcp_ephemeral_low = 99999\n"),
        (&["--system", "aix", "49152-65535", "--current", "-"], "command not found\n"),
        (&["--system", "aix", "49152-65535", "--current", "/no/such/file"], ""),
        (&["--system", "plan9", "49152-65535"], ""),
        (&["--system", "aix"], ""),
        (&["--system", "aix", "65535-49152"], ""),
        (&["--system", "aix", "49152-65535", "--persist", "--runtime"], ""),
    ]
    .into_iter()
    .map(|(words, input)| told(&[&["plan"], words].concat(), input))
    .collect();
    assert_snapshot!("refusals", text.join("\n"));
}

/// The settings of other hosts, from what their commands printed.
#[test]
fn captured_outputs_are_shown() {
    let windows = "\r\nProtocol tcp Dynamic Port Range\r\n---------------------------------\r\n\
        Start Port      : 1024\r\nNumber of Ports : 13977\r\n\r\n\
        Protocol tcp Port Exclusion Ranges\r\n\r\nStart Port    End Port\r\n----------    --------\r\n\
        \x20     5357        5357\r\n     50000       50059     *\r\n";
    let illumos = "PROTO PROPERTY           PERM CURRENT PERSISTENT DEFAULT POSSIBLE\n\
        tcp   smallest_anon_port rw   9000        32768  32768   1024-65535\n\
        tcp   largest_anon_port  rw   65500       --     65535   32768-65535\n";
    let freebsd = "net.inet.ip.portrange.first: 60000\nnet.inet.ip.portrange.last: 10000\n";
    let linux =
        "net.ipv4.ip_local_port_range = 32768\t60999\nnet.ipv4.ip_local_reserved_ports = \n";
    let text: Vec<String> = [
        ("windows", windows),
        ("illumos", illumos),
        ("freebsd", freebsd),
        ("linux", linux),
        ("hpux", NDDCONF),
        ("aix", ""),
    ]
    .into_iter()
    .map(|(name, input)| told(&["show", "--system", name, "--from", "-"], input))
    .chain([
        told(&["show", "--system", "aix"], ""),
        told(&["--system", "aix", "--from", "-", "--netns", "x"], ""),
    ])
    .collect();
    assert_snapshot!("captured", text.join("\n"));
    let json = printed(&["--system", "illumos", "--from", "-", "--json"], illumos);
    assert_snapshot!("captured_json", json.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn json_of_a_plan() {
    let words = ["plan", "--system", "tru64", "49152-65535", "--json"];
    let text = printed(&words, "").replace(env!("CARGO_PKG_VERSION"), "VERSION");
    assert_snapshot!("json_tru64", text);
}

#[test]
fn scripts_of_windows_end_their_lines_as_windows_does() {
    let script = printed(&["plan", "--system", "windows", "10000-10999", "--script"], "");
    assert!(script.starts_with("@echo off\r\n") && script.lines().count() > 20);
    assert_eq!(script.matches('\n').count(), script.matches("\r\n").count());
    assert_snapshot!("script_windows", script.replace("\r\n", "\n"));
}

/// The plan for Linux, from the real kernel's own output, carried out by the real sysctl.
#[test]
fn the_linux_plan_on_the_real_kernel() {
    privileged!();
    needs!("sysctl", "procps");
    let namespace = Namespace::new();
    let reserved = "net.ipv4.ip_local_reserved_ports";
    let run = |script: &str, word: &str| {
        let output = namespace.command("sh").args(["-c", script, "plan", word]).output().unwrap();
        output.status.code().unwrap()
    };
    namespace.sysctl(reserved, "8080");
    for range in ["49152-65535", "1024-2048", "40000-40000", "50000-50001"] {
        let keys =
            ["net.ipv4.ip_local_port_range", reserved, "net.ipv4.ip_unprivileged_port_start"];
        let now = namespace.command("sysctl").args(keys).output().unwrap();
        let now = String::from_utf8(now.stdout).unwrap();
        let words = [
            "plan",
            "--system",
            "linux",
            range,
            "--reserve",
            "50000-50010",
            "--runtime",
            "--script",
            "--current",
            "-",
        ];
        let script = printed(&words, &now);
        let before = (namespace.read_sysctl(keys[0]), namespace.read_sysctl(reserved));
        assert_eq!((run(&script, "apply"), run(&script, "check")), (0, 0), "{range}");
        assert_eq!(namespace.read_sysctl(keys[0]).trim().replace('\t', "-"), range);
        assert_eq!(namespace.read_sysctl(reserved).trim(), "8080,50000-50010");
        assert_eq!((run(&script, "undo"), run(&script, "check")), (0, 1), "{range}");
        assert_eq!((namespace.read_sysctl(keys[0]), namespace.read_sysctl(reserved)), before);
    }
}

/// A refusal in the middle: the range that was set before it goes back as well.
#[test]
fn a_refused_step_takes_the_others_back() {
    privileged!();
    needs!("sysctl", "procps");
    let namespace = Namespace::new();
    let now = "net.ipv4.ip_local_port_range = 32768\t60999\nnet.ipv4.ip_local_reserved_ports =\n";
    let words = [
        "plan",
        "--system",
        "linux",
        "40000-50001",
        "--reserve",
        "8080",
        "--runtime",
        "--script",
        "--current",
        "-",
    ];
    // The second step is made wrong: a port beyond the last.
    let script = printed(&words, now).replace("=\"8080\"", "=\"80800\"");
    let output = namespace.command("sh").args(["-c", &script, "plan", "apply"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("step 2 of 2 failed") && said.contains("taken back"), "{said}");
    assert_eq!(namespace.read_sysctl("net.ipv4.ip_local_port_range").trim(), "32768\t60999");
}
