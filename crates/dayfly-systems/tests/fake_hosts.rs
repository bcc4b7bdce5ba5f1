//! Plans carried out on hosts with other systems, as an administrator would: the script is applied,
//! checked, still in force after a boot, undone, and gone after another.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use dayfly_systems::{Action, Current, Plan, Request, System, find};
use dayfly_testkit::{FakeHost, needs, privileged};

fn read(host: &FakeHost, system: &'static System) -> Current {
    system.read(&host.sh(&format!("{} 2>&1; true", system.read_command()))).unwrap()
}

/// Exit code and output of the plan's script.
fn run(host: &FakeHost, plan: &Plan, word: &str) -> (i32, String) {
    let script = plan.script();
    let said = host.sh(&format!(
        "cat > /tmp/plan <<'END_OF_PLAN'\n{script}END_OF_PLAN\nsh /tmp/plan {word} 2>&1; echo \"=$?\""
    ));
    let (said, code) = said.trim_end().rsplit_once('=').unwrap();
    (code.parse().unwrap(), said.to_owned())
}

/// Far up, across to far down, one port across again, and everything.
const RANGES: [&str; 4] = ["60000-61000", "2000-3001", "50000-50000", "1024-65535"];

#[test]
fn scripts_hold_across_a_boot_and_back() {
    privileged!();
    needs!("sshd", "openssh-server");
    for name in [
        "aix",
        "android",
        "dragonfly",
        "freebsd",
        "hpux",
        "illumos",
        "linux",
        "macos",
        "netbsd",
        "openbsd",
        "solaris",
        "tru64",
    ] {
        let (system, host) = (find(name).unwrap(), FakeHost::start(name));
        // What was set before the last change, that change, and what is set now.
        let mut last = (read(&host, system), None);
        let mut now = last.0.clone();
        for range in RANGES {
            let request = Request {
                range: Some(range.parse().unwrap()),
                current: Some(&now),
                ..Request::default()
            };
            let step = format!("{name} {range}");
            let plan = match system.plan(&request) {
                Ok(plan) => plan,
                Err(refusal) => {
                    assert_eq!((name, range), ("netbsd", "50000-50000"), "{refusal}");
                    continue;
                }
            };
            // The script itself reads back after each step.
            let (code, said) = run(&host, &plan, "apply");
            assert_eq!(code, 0, "{step}: {said}");
            host.boot();
            let after = read(&host, system);
            for change in &plan.changes {
                let found = after.found(change.slot).and_then(|found| found.range());
                assert_eq!(found, Some(change.to), "{step} after a boot");
            }
            assert_eq!(run(&host, &plan, "check"), (0, String::new()), "{step}, after a boot");
            last = (std::mem::replace(&mut now, after), Some(plan));
        }
        assert_eq!(host.file("/var/tmp/fakehost-crossed"), None, "{name}");
        // A backup of a file is that of the last edit, so one step back is what a script promises.
        let (before, Some(plan)) = last else { panic!("{name}: nothing was changed") };
        let (code, said) = run(&host, &plan, "undo");
        assert_eq!((code, said.contains("rror")), (0, false), "{name}: {said}");
        let ends = |current: &Current| -> Vec<_> {
            current.ranges.iter().map(|found| (found.slot, found.ends())).collect()
        };
        assert_eq!(ends(&read(&host, system)), ends(&before), "{name}");
    }
}

/// The other way that a plan names: a service of SMF on Solaris, a boot script on HP-UX.
#[test]
fn alternatives_hold_across_a_boot() {
    privileged!();
    needs!("sshd", "openssh-server");
    for name in ["solaris", "hpux"] {
        let (system, host) = (find(name).unwrap(), FakeHost::start(name));
        let before = read(&host, system);
        let request = Request {
            range: Some("20000-29999".parse().unwrap()),
            current: Some(&before),
            ..Request::default()
        };
        let plan = system.plan(&request).unwrap();
        let steps = &plan.alternatives[0].steps;
        for step in steps {
            match &step.action {
                Action::Write { path, mode, content } => {
                    let script =
                        format!("cat > {path} <<'END'\n{content}END\nchmod {mode:o} {path}");
                    let _ = host.sh(&script);
                }
                action => drop(host.sh(&action.to_string())),
            }
            let said = host.sh(&step.check.command);
            assert!(step.check.passes(&said), "{name}: {}: {said}", step.check.command);
        }
        host.boot();
        let ends: Vec<_> = read(&host, system).ranges.iter().map(|found| found.ends()).collect();
        assert_eq!(ends, [Some((20000, 29999)); 2], "{name}");
        for action in steps.iter().rev().flat_map(|step| &step.undo) {
            let _ = host.sh(&action.to_string());
        }
        host.boot();
        assert_eq!(read(&host, system), before, "{name}");
    }
}
