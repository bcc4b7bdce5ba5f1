//! What stays beside the program: little memory, no work while nothing happens, and it ends with the
//! last process that it is there for.

use std::fs;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::exit::wait_until;
use crate::stand::{Stand, VIAS};

/// 2 MiB.
const MOST_KIB: u64 = 2048;

#[test]
fn it_is_small_and_idle() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let mut command = stand.run_command(who, &format!("--via {via} --port 63999"), "sleep 60");
        let mut child = command.spawn().unwrap();
        wait_until(|| sleeps(&stand), || format!("{who:?} {via}: nothing sleeps"));
        let all = stand.supervisors();
        assert!(!all.is_empty(), "{who:?} {via}");
        let memory: u64 = all.iter().map(|pid| own_memory(pid)).sum();
        // What it does at the start may take a while; then it has to be quiet for a second.
        let wakings = || all.iter().map(|path| wakings(path)).collect::<Vec<_>>();
        let mut is_quiet = false;
        for _ in 0..10 {
            let before = wakings();
            std::thread::sleep(Duration::from_secs(1));
            is_quiet = wakings() == before;
            if is_quiet {
                break;
            }
        }
        kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
        child.wait().unwrap();
        assert!(memory <= MOST_KIB, "{who:?} {via}: {memory} KiB");
        assert!(is_quiet, "{who:?} {via}: it wakes while nothing happens");
    }
}

/// `dayfly run` returns with its program; what the program left behind stays pinned (see the matrix)
/// and the supervisor goes when the last of it has gone.
#[test]
fn it_ends_with_the_last_process() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let start = stand.new_file();
        let line = format!("@daemon {} @client connect @4", start.display());
        let done = stand.run(who, &format!("--via {via} --port 63999"), &line);
        assert!(done.success(), "{who:?} {via}: {done:?}");
        assert_eq!(stand.ports(), [], "{who:?} {via}");
        fs::write(&start, "").unwrap();
        let seen = stand.witness.wait_for(1);
        assert_eq!(seen.first().map(|seen| seen.client.port()), Some(63999), "{who:?} {via}");
        wait_until(
            || stand.supervisors().is_empty(),
            || format!("{who:?} {via}: {:?} is left", stand.supervisors()),
        );
    }
}

fn sleeps(stand: &Stand) -> bool {
    stand.supervisors().iter().any(|path| {
        let process = path.rsplit('/').next().unwrap_or_default();
        let children = fs::read_to_string(format!("{path}/task/{process}/children"));
        children.unwrap_or_default().split_whitespace().any(|child| {
            fs::read_to_string(format!("/proc/{child}/comm")).is_ok_and(|name| name == "sleep\n")
        })
    })
}

/// Memory that is no copy of a file, in KiB; what several processes have in common is divided among
/// them (`Pss_Anon` of proc_pid_smaps(5)).
fn own_memory(path: &str) -> u64 {
    let value = field(&format!("{path}/smaps_rollup"), "Pss_Anon:");
    value.split_whitespace().next().unwrap().parse().unwrap()
}

/// How often it was given the processor.
fn wakings(path: &str) -> String {
    field(&format!("{path}/status"), "voluntary_ctxt_switches:")
}

fn field(path: &str, name: &str) -> String {
    let text = fs::read_to_string(path).unwrap();
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}
