//! What stays beside the program while it runs.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use dayfly_testkit::Namespace;

use super::{Measured, Programs, Promise, command};

const MOST_KIB: u64 = 2048;

/// The sum over every process that runs the command; what several have in common, files included, is
/// divided among them.
pub(super) fn measure(programs: &Programs) -> Measured {
    let namespace = Namespace::new();
    println!(
        "memory of what stays beside the program, KiB: all, of that not from files, processes"
    );
    let mut promises = Vec::new();
    for via in ["seccomp", "bpf"] {
        let mut words = programs.before(&format!("--via {via} --port 63999"));
        words.extend(["sh", "-c", "echo; read line"].map(str::to_owned));
        let mut child = command(&namespace, &words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{words:?} does not run: {error}"))?;
        if let Some(output) = child.stdout.take() {
            // It runs, so everything is in place.
            let _ = BufReader::new(output).read_line(&mut String::new());
        }
        let all = supervisors(programs);
        let sum = |name: &str| all.iter().filter_map(|path| field(path, name)).sum::<u64>();
        let (all_memory, own) = (sum("Pss:"), sum("Pss_Anon:"));
        // The one that answers; the other is the command itself, which waits as env would.
        let supervisor = all.iter().find(|path| is_supervisor(path));
        let supervisor = supervisor.and_then(|path| field(path, "Pss:")).unwrap_or(u64::MAX);
        drop(child.stdin.take());
        let _ = child.wait();
        println!("  {via:<28} {all_memory:>7} {own:>7} {:>7}", all.len());
        promises.push(Promise {
            what: format!("{via}: the supervisor has {supervisor} KiB, at most {MOST_KIB}"),
            kept: supervisor <= MOST_KIB,
        });
    }
    Ok(promises)
}

fn supervisors(programs: &Programs) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| {
            fs::read_link(entry.path().join("exe")).is_ok_and(|program| program == programs.dayfly)
        })
        .map(|entry| entry.path().display().to_string())
        .collect()
}

fn is_supervisor(path: &str) -> bool {
    fs::read_to_string(format!("{path}/comm")).is_ok_and(|name| name.trim_end() == "dayfly-pin")
}

/// A line of `/proc/PID/smaps_rollup` (proc_pid_smaps(5)), in KiB.
fn field(path: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(format!("{path}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}
