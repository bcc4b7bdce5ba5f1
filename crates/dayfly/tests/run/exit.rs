//! Exit codes, signals, the terminal, descriptors: as with env(1) and timeout(1), nothing changes
//! for the program but its port.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};

use dayfly_testkit::wait;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::stand::{PATIENCE, Stand, VIAS, Who};

/// What people see of a program that ended: 126 when it may not be run, 127 when it is not there
/// (POSIX, env), 128 + n when signal n ended it, as a shell says it.
#[test]
fn the_exit_code_is_the_programs() {
    crate::stand!();
    let stand = Stand::near();
    let script = |text: &str| ["sh", "-c", text].map(str::to_owned).to_vec();
    for (who, via) in VIAS {
        for (words, code) in [
            (script("exit 0"), 0),
            (script("exit 1"), 1),
            (script("exit 125"), 125),
            (script("kill -TERM $$"), 128 + 15),
            (script("kill -KILL $$"), 128 + 9),
            (vec!["no-such-program".to_owned()], 127),
            (vec!["/no/such/program".to_owned()], 127),
            (vec!["/etc/passwd".to_owned()], 126),
            (vec!["/".to_owned()], 126),
        ] {
            let line = format!("@dayfly run --via {via} --port 63999 --");
            let words = [stand.words(&line), words].concat();
            let done = dayfly_testkit::finish(&mut stand.command(who, &words), PATIENCE);
            assert_eq!(
                as_a_shell_says(done.status),
                Some(code),
                "{who:?} {words:?}: {}",
                done.stderr
            );
            let expected_words = matches!(code, 126 | 127);
            assert_eq!(!done.stderr.is_empty(), expected_words, "{words:?}: {}", done.stderr);
        }
    }
}

/// A program that a signal ended is reported as env and timeout do: by ending in the same way.
fn as_a_shell_says(status: Option<ExitStatus>) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    let status = status?;
    status.code().or(status.signal().map(|signal| 128 + signal))
}

#[test]
fn own_failure_is_125() {
    crate::stand!();
    let stand = Stand::near();
    for (who, options) in [
        (Who::User, "--via bpf --port 63999"),
        (Who::Root, "--port 0"),
        (Who::Root, "--port 65536"),
        (Who::Root, "--range 9-3"),
        (Who::Root, "--no-such-option"),
    ] {
        let done = stand.run(who, options, "true");
        assert_eq!(done.status.and_then(|status| status.code()), Some(125), "{options}: {done:?}");
        assert!(!done.stderr.is_empty(), "{options}");
    }
}

#[test]
fn signals_reach_the_program() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        for (signal, name) in [
            (Signal::TERM, "TERM"),
            (Signal::INT, "INT"),
            (Signal::HUP, "HUP"),
            (Signal::USR1, "USR1"),
        ] {
            // The last line comes only if the program heard it once.
            let text = format!(
                "n=0; trap 'n=$((n+1))' {name}; echo ready; \
                 while [ $n = 0 ]; do sleep 0.01; done; sleep 0.05; echo heard $n; exit 7"
            );
            let (mut child, mut output) = begin(&stand, who, via, &text);
            kill_process(Pid::from_child(&child), signal).unwrap();
            let (status, rest) = end(&mut child, &mut output);
            assert_eq!((status.code(), rest.trim()), (Some(7), "heard 1"), "{who:?} {via} {name}");
        }
    }
}

/// A shell's `kill %1` goes to the process group: to the program, and to `dayfly run`, which must not
/// hand it on. Many servers take a second one for impatience.
#[test]
fn signals_to_the_group_are_heard_once() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        // Nothing in between delays the shell: two signals would be two.
        let text = "n=0; trap 'n=$((n+1))' TERM USR1; echo ready; \
                    while [ $n -lt 2 ]; do :; done; sleep 0.1; echo heard $n; exit 7";
        let (mut child, mut output) = begin(&stand, who, via, text);
        let pid = Pid::from_child(&child);
        kill_process_group(pid, Signal::TERM).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(30));
        // One for the group, and one of another kind for `dayfly run` alone.
        kill_process(pid, Signal::USR1).unwrap();
        let (status, rest) = end(&mut child, &mut output);
        assert_eq!((status.code(), rest.trim()), (Some(7), "heard 2"), "{who:?} {via}");
    }
}

/// The terminal sends the signal to everybody in the group, the program among them.
#[test]
fn control_c_is_heard_once() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let text = "n=0; trap \"n=\\$((n+1))\" INT; echo ready; while [ $n = 0 ]; \
                    do sleep 0.01; done; sleep 0.1; echo heard $n; exit 6";
        let (mut child, mut output) = on_terminal(&stand, who, via, text);
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), "ready", "{who:?} {via}");
        child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
        let (status, rest) = end(&mut child, &mut output);
        assert!(rest.contains("heard 1"), "{who:?} {via}: {rest}");
        assert_eq!(status.code(), Some(6), "{who:?} {via}: {rest}");
    }
}

/// Ctrl-Z and `fg`.
#[test]
fn it_stops_and_goes_on() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let text = "echo ready; read line; echo $line; exit 3";
        let (mut child, mut output) = begin(&stand, who, via, text);
        let pid = Pid::from_child(&child);
        kill_process_group(pid, Signal::TSTP).unwrap();
        // The one that started it is told, as a shell must be.
        wait_until(|| state(pid) == 'T', || format!("{via}: {} does not stop", state(pid)));
        kill_process_group(pid, Signal::CONT).unwrap();
        wait_until(|| state(pid) != 'T', || format!("{via}: it does not go on"));
        child.stdin.take().unwrap().write_all(b"back\n").unwrap();
        let (status, rest) = end(&mut child, &mut output);
        assert_eq!((status.code(), rest.as_str()), (Some(3), "back\n"), "{who:?} {via}");
    }
}

/// The program may read from the terminal, which only the foreground group may.
#[test]
fn the_terminal_is_the_programs() {
    crate::stand!();
    let stand = Stand::near();
    for (who, via) in VIAS {
        let text = "read line </dev/tty; echo \"got $line\"; [ -t 0 ] && [ -t 1 ] && exit 5";
        let (mut child, mut output) = on_terminal(&stand, who, via, text);
        child.stdin.as_mut().unwrap().write_all(b"hello\n").unwrap();
        let (status, output) = end(&mut child, &mut output);
        assert!(output.contains("got hello"), "{who:?} {via}: {output}");
        assert_eq!(status.code(), Some(5), "{who:?} {via}: {output}");
    }
}

#[test]
fn the_program_inherits_what_it_would_have_without() {
    crate::stand!();
    let stand = Stand::near();
    let text = "ls -l /proc/self/fd | wc -l; grep -E '^(SigBlk|SigIgn|SigCgt|SigPnd|Umask)' \
                /proc/self/status; ulimit -a; pwd; env | grep -vE '^(_|SHLVL)=' | sort";
    let words: Vec<String> = ["bash", "-c", text].map(str::to_owned).to_vec();
    for (who, via) in VIAS {
        let plain = dayfly_testkit::finish(&mut stand.command(who, &words), PATIENCE);
        let line = format!("@dayfly run --via {via} --port 63999 --");
        let pinned = [stand.words(&line), words.clone()].concat();
        let pinned = dayfly_testkit::finish(&mut stand.command(who, &pinned), PATIENCE);
        assert_eq!(pinned.stdout, plain.stdout, "{who:?} {via}");
    }
}

/// Starts a script in a process group of its own, and reads its first line.
fn begin(stand: &Stand, who: Who, via: &str, text: &str) -> (Child, BufReader<ChildStdout>) {
    use std::os::unix::process::CommandExt;
    let line = format!("@dayfly run --via {via} --port 63999 -- sh -c");
    let words = [stand.words(&line), vec![text.to_owned()]].concat();
    let mut command = stand.command(who, &words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n", "{who:?} {via}");
    (child, output)
}

/// Starts a script on a terminal of its own, through script(1); what is typed goes to its input.
/// script(1) takes the shell of the environment, and some shells would stay in between, in the
/// foreground, and die of the signal themselves: hence `exec`.
fn on_terminal(stand: &Stand, who: Who, via: &str, text: &str) -> (Child, BufReader<ChildStdout>) {
    let dayfly = stand.path("dayfly");
    let inner = format!("exec {dayfly} run --via {via} --port 63999 -- sh -c '{text}'");
    let words = ["script", "-qec", &inner, "/dev/null"].map(str::to_owned);
    let mut command = stand.command(who, &words);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap());
    (child, output)
}

/// Waits for the end; the status and what was written since the first line.
fn end(child: &mut Child, output: &mut BufReader<ChildStdout>) -> (ExitStatus, String) {
    let status = wait(child, PATIENCE).unwrap().unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    (status, rest)
}

/// The letter of proc_pid_stat(5).
fn state(pid: Pid) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
    let stat = stat.unwrap_or_default();
    stat.rsplit(") ").next().and_then(|rest| rest.chars().next()).unwrap_or('?')
}

pub(crate) fn wait_until(mut condition: impl FnMut() -> bool, why: impl Fn() -> String) {
    let begun = std::time::Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "{}", why());
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
