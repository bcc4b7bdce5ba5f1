//! The scripts that are made: clean for shellcheck, and doing what the plan says when a real shell
//! runs them.
//!
//! A system's own commands are stood in for by a few lines of shell that keep each setting in a
//! file and refuse, as illumos does, what would put the low end above the high one.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]
#![expect(clippy::disallowed_methods, reason = "the scripts are run by the real shell")]

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use dayfly_ports::Protocol;
use dayfly_systems::{Action, Current, Edit, Plan, Request, Reserved, SYSTEMS, When, find};
use dayfly_testkit::{Folder, command, needs};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

fn plan(system: &str, range: &str, when: When, current: Option<&Current>) -> Plan {
    let range = Some(range.parse().unwrap());
    find(system).unwrap().plan(&Request { range, when, current, ..Request::default() }).unwrap()
}

/// Every shell script that any system's plan makes, and every boot script inside.
fn scripts() -> Vec<(String, String)> {
    let mut scripts = Vec::new();
    for system in SYSTEMS {
        let ports = "8080,9000-9010".parse().unwrap();
        let reserved = Current {
            reserved: vec![Reserved {
                protocols: &Protocol::ALL,
                ports: Box::new("80,9005".parse().unwrap()),
            }],
            ..Current::default()
        };
        let requests = [
            Request { range: "49152-61000".parse().ok(), ..Request::default() },
            Request { range: "49152-65535".parse().ok(), ..Request::default() },
            Request { reserve: Some(&ports), ..Request::default() },
            Request { unreserve: Some(&ports), current: Some(&reserved), ..Request::default() },
        ];
        for plan in requests.iter().filter_map(|request| system.plan(request).ok()) {
            let name = format!("{} {}", plan.system, scripts.len());
            let script = plan.script();
            if script.starts_with("#!") {
                scripts.push((name.clone(), script));
            }
            let others = plan.alternatives.iter().flat_map(|other| &other.steps);
            for step in plan.steps.iter().chain(others) {
                match &step.action {
                    Action::Write { content, .. } if content.starts_with("#!") => {
                        // shellcheck does not know where Android keeps its shell.
                        let content = content.replacen("#!/system/bin/sh", "#!/bin/sh", 1);
                        scripts.push((name.clone(), content));
                    }
                    _ => {}
                }
            }
        }
    }
    scripts
}

#[test]
fn scripts_are_clean() {
    needs!("shellcheck", "shellcheck");
    let scripts = scripts();
    assert!(scripts.len() > 25, "{}", scripts.len());
    for (name, script) in scripts {
        let output = fed(command("shellcheck").args(["--shell=sh", "-"]), &script);
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{name}:\n{said}\n{script}");
        let output = fed(command("sh").arg("-n"), &script);
        assert!(output.status.success(), "{name}");
    }
}

fn fed(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// `ndd`, its parameters in files, strict about their order.
const NDD: &str = r#"#!/bin/sh
state=$(dirname "$0")
if [ "$1" != -set ]; then shift; for name; do cat "$state/$name"; done; exit; fi
name=$3 value=$4
case $name in
*smallest*) low=$value; high=$(cat "$state/${name%%_*}_largest_anon_port") || exit 1 ;;
*) high=$value; low=$(cat "$state/${name%%_*}_smallest_anon_port") || exit 1 ;;
esac
if [ "$low" -gt "$high" ]; then echo "$name: $low > $high" >> "$state/crossed"; exit 1; fi
echo "$value" > "$state/$name"
"#;

struct Host {
    folder: Folder,
    ndd: String,
}

impl Host {
    fn new(low: u16, high: u16) -> Self {
        let folder = Folder::new();
        let ndd = folder.script("ndd", NDD);
        for protocol in ["tcp", "udp"] {
            fs::write(folder.file(&format!("{protocol}_smallest_anon_port")), format!("{low}\n"))
                .unwrap();
            fs::write(folder.file(&format!("{protocol}_largest_anon_port")), format!("{high}\n"))
                .unwrap();
        }
        Host { folder, ndd }
    }

    /// Runs a script in which `ndd` is this host's own.
    fn run(&self, script: &str, word: &str) -> (i32, String) {
        let script = script
            .replace("/usr/sbin/ndd", &self.ndd)
            .replace("nawk", "awk")
            .replace("/etc/init.d", self.folder.path().to_str().unwrap());
        let output = fed(command("sh").args(["-s", word]), &script);
        let said =
            String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code().unwrap(), said)
    }

    fn ends(&self, protocol: &str) -> String {
        let end = |name: &str| {
            let path = self.folder.file(&format!("{protocol}_{name}_anon_port"));
            fs::read_to_string(path).unwrap().trim().to_owned()
        };
        format!("{}-{}", end("smallest"), end("largest"))
    }

    fn crossed(&self) -> bool {
        self.folder.path().join("crossed").exists()
    }
}

/// The new low end above the old high one, the reverse, and what lies between.
const MOVES: [(u16, u16, &str); 5] = [
    (1024, 2048, "50000-60000"),
    (50000, 60000, "1024-2048"),
    (32768, 65535, "49152-61000"),
    (40000, 40000, "40000-65535"),
    (20000, 30000, "25000-35000"),
];

#[test]
fn boot_scripts_order_their_writes() {
    for (low, high, range) in MOVES {
        let host = Host::new(low, high);
        let plan = plan("solaris", range, When::Boot, None);
        let Action::Write { content, .. } = &plan.steps[0].action else { panic!("no script") };
        assert_eq!(host.run(content, "start"), (0, String::new()), "{range}");
        assert_eq!((host.ends("tcp"), host.ends("udp")), (range.to_owned(), range.to_owned()));
        assert!(!host.crossed());
        let (low, high) = range.split_once('-').unwrap();
        let (code, said) = host.run(content, "status");
        assert!(code == 0 && said.contains(low) && said.contains(high), "{said}");
        assert_eq!(host.run(content, "stop"), (0, String::new()));
        assert_eq!(host.run(content, "nonsense").0, 1);
    }
}

#[test]
fn plan_scripts_apply_check_and_undo() {
    for (low, high, range) in MOVES {
        let host = Host::new(low, high);
        let now =
            find("solaris").unwrap().read(&format!("{low}\n{high}\n{low}\n{high}\n")).unwrap();
        for current in [Some(&now), None] {
            let script = plan("solaris", range, When::Runtime, current).script();
            assert_eq!(host.run(&script, "check").0, 1, "{range}");
            let (code, said) = host.run(&script, "apply");
            assert_eq!((code, host.ends("tcp")), (0, range.to_owned()), "{said}");
            assert_eq!(host.run(&script, "check"), (0, String::new()));
            assert_eq!(host.run(&script, "undo").0, 0);
            let back =
                if current.is_some() { format!("{low}-{high}") } else { "32768-65535".to_owned() };
            assert_eq!((host.ends("tcp"), host.ends("udp")), (back.clone(), back));
            assert!(!host.crossed(), "{range}");
        }
    }
}

#[test]
fn a_refusal_in_the_middle_is_taken_back() {
    let host = Host::new(32768, 65535);
    let now = find("solaris").unwrap().read("32768\n65535\n32768\n65535\n").unwrap();
    let script = plan("solaris", "49152-61000", When::Runtime, Some(&now)).script();
    // The third of four writes fails: the host has lost this parameter.
    fs::remove_file(host.folder.file("udp_largest_anon_port")).unwrap();
    let (code, said) = host.run(&script, "apply");
    assert!(code == 1 && said.contains("step 3 of 4 failed"), "{said}");
    assert_eq!(host.ends("tcp"), "32768-65535");
}

/// The shell's way to edit a file is the crate's own.
fn same_edit(folder: &Path, edit: &Edit, plan: &Plan, before: &str) {
    let file = folder.join("file");
    fs::write(&file, before).unwrap();
    let script = plan
        .script()
        .replace(edit.backup, folder.join("backup").to_str().unwrap())
        .replace(edit.path, file.to_str().unwrap());
    let run = |word| {
        let output = fed(command("sh").args(["-s", word]), &script);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(run("apply"), (Some(0), String::new()), "{before:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), edit.apply(before), "{before:?}");
    // A second time changes nothing, and the undo still leads to the first state.
    assert_eq!(run("apply"), (Some(0), String::new()), "{before:?}");
    assert_eq!(run("undo"), (Some(0), String::new()), "{before:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), before);
}

#[test]
fn shell_and_crate_edit_alike() {
    let folder = Folder::new();
    let lines = prop::sample::select(vec![
        "",
        "# comment",
        "net.inet.ip.portfirst=1",
        " net.inet.ip.portlast = 2",
        "kern.x=1",
        "net.inet.ip.portfirst=\\",
        "net.inet.ip.portfirsts=7",
        "no equals",
        "TRANSPORT_NAME[0]=tcp",
        "NDD_NAME[0]=tcp_largest_anon_port",
        "NDD_VALUE[0]=5",
        "TRANSPORT_NAME[3]=\"tcp\"",
        "NDD_NAME[3]='tcp_smallest_anon_port'",
        "NDD_VALUE[4]=1",
        "#NDD_VALUE[9]=1",
        "TRANSPORT_NAME[007]=udp",
        "NDD_VALUE[12345678901]=1",
        "NDD_NAME[x]=y",
        "'quoted' \"twice\"",
    ]);
    let texts = prop::collection::vec(lines, 0..12)
        .prop_map(|lines| lines.into_iter().flat_map(|line| [line, "\n"]).collect::<String>());
    for system in ["openbsd", "hpux"] {
        let plan = plan(system, "50001-61000", When::Boot, None);
        let Action::Edit(edit) = &plan.steps[0].action else { panic!("no edit") };
        let mut runner = TestRunner::new(ProptestConfig {
            cases: 40,
            failure_persistence: None,
            ..ProptestConfig::default()
        });
        let done = runner.run(&texts, |text| {
            same_edit(folder.path(), edit, &plan, &text);
            Ok(())
        });
        done.unwrap();
    }
}
