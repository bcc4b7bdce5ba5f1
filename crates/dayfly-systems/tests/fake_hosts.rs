//! Plans carried out on hosts with other systems, as an administrator would: the script is applied,
//! checked, still in force after a boot, undone, and gone after another.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use dayfly_systems::{Current, Plan, Request, System, find};
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

/// Far up, across to far down, and everything.
const RANGES: [&str; 3] = ["60000-61000", "2000-3001", "1024-65535"];

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
        let mut chain = vec![(read(&host, system), None)];
        for range in RANGES {
            let before = read(&host, system);
            let request = Request {
                range: Some(range.parse().unwrap()),
                current: Some(&before),
                ..Request::default()
            };
            let plan = system.plan(&request).unwrap();
            let step = format!("{name} {range}");
            let (code, said) = run(&host, &plan, "apply");
            assert_eq!(code, 0, "{step}: {said}");
            let shows = |when: &str| {
                let now = read(&host, system);
                for change in &plan.changes {
                    let found = now.found(change.slot).and_then(|found| found.range());
                    assert_eq!(found, Some(change.to), "{step} {when}");
                }
            };
            shows("now");
            host.boot();
            shows("after a boot");
            assert_eq!(run(&host, &plan, "check"), (0, String::new()), "{step}, after a boot");
            chain.push((read(&host, system), Some(plan)));
        }
        assert_eq!(host.file("/var/tmp/fakehost-crossed"), None, "{name}");
        // The last one is taken back. A backup of a file is that of the last edit, so one step back
        // is what a script promises.
        let (_, plan) = chain.pop().unwrap();
        let (code, said) = run(&host, &plan.unwrap(), "undo");
        assert_eq!((code, said.contains("rror")), (0, false), "{name}: {said}");
        let ends = |current: &Current| -> Vec<_> {
            current.ranges.iter().map(|found| (found.slot, found.ends())).collect()
        };
        let (before, _) = chain.pop().unwrap();
        assert_eq!(ends(&read(&host, system)), ends(&before), "{name}");
    }
}
