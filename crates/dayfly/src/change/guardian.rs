//! Whoever takes a change back when nobody says keep.
//!
//! It is there, and has said so, before anything is changed; and it is nobody's child, so that it
//! survives dayfly, the shell and the ssh connection. Where systemd answers, it is a timer of systemd.
//! Elsewhere on this host it is a process in a session of its own. On another host it is a script
//! there, in a folder that only its user can look into: it works when this host cannot be reached
//! any more.

use std::env;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write, stdout};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::args::GuardArgs;
use super::deed::{Content, Deed, Kept, Reversal, Sight};
use super::engine;
use super::journal::{Event, Journal, Record, Rest, State};
use super::scene::Scene;
use super::store::Store;
use crate::error::Failure;
use crate::host::Host;

/// What the guardian prints when nothing can stop it any more.
const WATCHING: &str = "watching";
/// How often it looks whether it is still needed.
const LOOK: Duration = Duration::from_secs(1);

/// How many seconds a change of another host may take before its time counts all the same.
const GRACE: u32 = 60;

/// Starts one. What comes back says who it is: `process 71`, the name of a timer, or a folder on
/// another host.
pub(crate) fn start(
    store: &Store,
    scene: &Scene,
    record: &Record,
    seconds: u64,
) -> Result<String, Failure> {
    let id = record.begun.id;
    let Some(namespace) = &scene.namespace else {
        return on_host(&*scene.host, record, seconds);
    };
    let program = env::current_exe()
        .map_err(|error| Failure::new(format_args!("dayfly cannot find itself: {error}")))?;
    let is_root = rustix::process::geteuid().is_root();
    if is_root
        && namespace.is_host()
        && Path::new("/run/systemd/system").is_dir()
        && let Some(timer) = timer(&program, store, id, seconds)
    {
        return Ok(timer);
    }
    let failed = |error: &dyn std::fmt::Display| {
        Failure::new(format_args!("nobody could be made to take the change back: {error}"))
            .hint("nothing was changed; without --for it can be done")
    };
    let mut child = Command::new(program)
        .args([GuardArgs::VERB, &id.to_string(), "--after", &seconds.to_string(), "--state"])
        .arg(store.folder())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| failed(&error))?;
    let mut line = String::new();
    if let Some(output) = child.stdout.take() {
        BufReader::new(output).read_line(&mut line).map_err(|error| failed(&error))?;
    }
    if line.trim_end() != WATCHING {
        let status = child.wait().map_err(|error| failed(&error))?;
        return Err(failed(&format_args!("the process ended: {status}")));
    }
    Ok(format!("process {}", child.id()))
}

/// A timer of systemd that starts [`watch`] (`systemd-run(1)`); none where systemd does not answer,
/// as in a container that sees its folder.
fn timer(program: &Path, store: &Store, id: u32, seconds: u64) -> Option<String> {
    let unit = format!("dayfly-return-{id}-{}", super::clock::now());
    let done = Command::new("systemd-run")
        .args(["--quiet", "--collect", "--unit", &unit])
        .args([&format!("--on-active={seconds}s"), "--timer-property=AccuracySec=1s"])
        .arg(program)
        .args([GuardArgs::VERB, &id.to_string(), "--after", "0", "--state"])
        .arg(store.folder())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    done.is_ok_and(|status| status.success()).then(|| format!("{unit}.timer"))
}

/// The guardian itself: the hidden verb `guard`.
pub(crate) fn watch(store: &Store, id: u32, after: Duration) -> Result<(), Failure> {
    let deadline = Instant::now() + after;
    // Refused where it leads a session already, as a unit of systemd does.
    let _ = rustix::process::setsid();
    let mut out = stdout().lock();
    writeln!(out, "{WATCHING}")?;
    out.flush()?;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        thread::sleep(left.min(LOOK));
        let records = store.records()?;
        let record = records.iter().find(|record| record.begun.id == id);
        if !record.is_some_and(is_mine) {
            return Ok(());
        }
    }
    let lock = store.lock_patiently()?;
    let mut journal = store.open(id, &lock)?;
    if !is_mine(&journal.record) {
        return Ok(());
    }
    let scene = Scene::again(&journal.record.begun.place)?;
    if let Err(why) = return_it(&scene, &mut journal) {
        let noted = journal.write(Event::NotReturned { why });
        noted.map_err(|error| Failure::new(format_args!("the journal: {error}")))?;
    }
    Ok(())
}

/// Whether the change waits, or was cut off before it did.
fn is_mine(record: &Record) -> bool {
    match record.state() {
        State::Rests(Rest::Waiting { .. }) => true,
        State::Rests(Rest::Applied | Rest::Undone) => false,
        State::Interrupted { .. } => !record.is_being_kept(),
    }
}

fn return_it(scene: &Scene, journal: &mut Journal) -> Result<(), String> {
    let review = engine::review(scene, &journal.record).map_err(|error| error.to_string())?;
    for (step, sight) in review {
        let step_is_cut = journal.record.cut(step).is_some();
        if let Sight::Other(what) = sight
            && !step_is_cut
        {
            let deed = &journal.record.begun.steps[step].deed;
            return Err(format!("{} {what}: somebody else changed it", deed.subject()));
        }
    }
    engine::take_back(scene, journal).map_err(|stopped| stopped.to_string())
}

/// Tells the guardian of another host that the change is done: from now on the time counts. Without
/// that it counts from a while after its start, so that a slow connection is no hurry.
pub(crate) fn begin(host: &dyn Host, guardian: &str) -> Result<(), Failure> {
    if guardian.starts_with('/') && !host.run(&format!(": > {guardian}/applied"))?.is_success() {
        return Err(Failure::new(format_args!("the guardian on {} is gone", host.name()))
            .hint("`dayfly history` says how the change stands"));
    }
    Ok(())
}

/// A script on another host that sleeps there and undoes every step.
fn on_host(host: &dyn Host, record: &Record, seconds: u64) -> Result<String, Failure> {
    let failed = |said: String| {
        Failure::new(format_args!(
            "nobody could be made to take the change back on {}: {said}",
            host.name()
        ))
        .hint("nothing was changed; without --for it can be done")
    };
    // Making a folder follows no link and fails if there is something of that name.
    let token = format!("{:x}{:x}", std::process::id(), super::clock::now());
    let folder = format!("/var/tmp/dayfly-{token}");
    let made = host.run(&format!("umask 077; mkdir {folder}"))?;
    if !made.is_success() {
        return Err(failed(made.said()));
    }
    host.replace(&format!("{folder}/return"), script(record, &folder, seconds).as_bytes(), 0o600)?;
    let started = host.run(&format!(
        "nohup sh {folder}/return > /dev/null 2>&1 < /dev/null &\n\
         n=0\n\
         while test ! -f {folder}/watching && test $n -lt 20; do sleep 1; n=`expr $n + 1`; done\n\
         test -f {folder}/watching"
    ))?;
    if !started.is_success() {
        return Err(failed(started.said()));
    }
    Ok(folder)
}

/// Sends the guardian of another host home.
pub(crate) fn dismiss(host: &dyn Host, folder: &str) -> Result<(), Failure> {
    // The name comes from our own journal; take no chances all the same.
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let name = folder.strip_prefix("/var/tmp/dayfly-").unwrap_or_default();
    if name.is_empty() || !name.chars().all(plain) {
        return Ok(());
    }
    let gone = host.run(&format!("rm -f {folder}/return && rm -rf {folder}"))?;
    if gone.is_success() {
        return Ok(());
    }
    Err(Failure::new(format_args!(
        "the guardian on {} is not to be stopped: {}",
        host.name(),
        gone.said()
    )))
}

/// `sh` of any age: no functions, no `$(...)`.
fn script(record: &Record, folder: &str, seconds: u64) -> String {
    let mut text = format!(
        "trap '' 1\numask 022\n: > {folder}/watching\nn=0\n\
         while test ! -f {folder}/applied && test $n -lt {GRACE}; do sleep 1; n=`expr $n + 1`; done\n\
         sleep {seconds}\ntest -f {folder}/return || exit 0\n"
    );
    for step in record.begun.steps.iter().rev() {
        match &step.deed {
            Deed::Command { undo, keeps, .. } => {
                for reversal in undo {
                    let _ = match reversal {
                        Reversal::Run(command) => writeln!(text, "{command}"),
                        Reversal::Remove(path) => writeln!(text, "rm -f {path}"),
                    };
                }
                if let Some(Kept { path, before }) = keeps {
                    put_back(&mut text, path, before.as_ref());
                }
            }
            Deed::File { path, before, .. } => put_back(&mut text, path, before.as_ref()),
            // Only where the kernel is read and written directly.
            Deed::Setting { .. } | Deed::Reserve { .. } => {}
        }
    }
    let _ = writeln!(text, "rm -rf {folder}");
    text
}

fn put_back(text: &mut String, path: &str, before: Option<&Content>) {
    let _ = match before {
        None => writeln!(text, "rm -f {path}"),
        // Written over, so that owner and mode stay.
        Some(content) => writeln!(text, "{{\n{}}} > {path}", printed(content)),
    };
}

/// The bytes as commands that print them: nothing of a file's content is ever read by the shell.
fn printed(content: &Content) -> String {
    let mut text = String::new();
    for piece in content.bytes().chunks(256) {
        text += "printf '";
        for byte in piece {
            let _ = write!(text, "\\{byte:03o}");
        }
        text += "'\n";
    }
    if text.is_empty() { ":\n".to_owned() } else { text }
}
