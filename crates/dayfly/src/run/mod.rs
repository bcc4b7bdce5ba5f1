//! `dayfly run`: a command whose connections go out from the ports that are wanted.
//!
//! Exit codes are those of env(1): the command's own; 125 when dayfly itself fails, 126 when the
//! command cannot be run, 127 when there is no such command. If a signal ends the command, it ends
//! `dayfly run` too, and a shell says 128 and the signal's number.

pub(crate) mod args;
pub(crate) mod ledger;
mod message;
pub(crate) mod signals;

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitCode, ExitStatus};

use dayfly_linux::settings;
use dayfly_pin::{Error, Happening, Outcome, Pin, Pinned};
use dayfly_ports::{PortRange, PortSet};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use crate::error::Failure;
use crate::privilege::with_sudo;
use crate::render;
use args::RunArgs;
use ledger::Ledger;
use message::Messages;
use signals::Signals;

/// What env(1) says when it fails itself.
pub(crate) const FAILED: u8 = 125;
const NOT_RUNNABLE: u8 = 126;
const NOT_FOUND: u8 = 127;

pub(crate) fn run(args: &RunArgs) -> ExitCode {
    match start(args) {
        Ok(status) => end(status),
        Err((code, failure)) => {
            let _ = writeln!(anstream::stderr(), "{}", render::failure(&failure));
            ExitCode::from(code)
        }
    }
}

/// Ends as the command did.
fn end(status: ExitStatus) -> ExitCode {
    if let Some(signal) = status.signal() {
        signals::die_of(signal);
        return ExitCode::from(128 | signal as u8);
    }
    leave(status.code().unwrap_or_default())
}

/// Ends this process at once. All is written; what the C library tidies up otherwise would only be
/// waited for.
#[expect(unsafe_code, reason = "std has no _exit")]
fn leave(code: i32) -> ! {
    // SAFETY: it takes a number.
    unsafe { libc::_exit(code) }
}

fn start(args: &RunArgs) -> Result<ExitStatus, (u8, Failure)> {
    let own = |failure| (FAILED, failure);
    let (pin, names) = pin_of(args).map_err(own)?;
    let mut ledger = Ledger::open(args).map_err(own)?;
    let signals = Signals::hold()
        .map_err(|error| own(Failure::new(format_args!("signals cannot be held: {error}"))))?;
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]);
    signals.hand_down(&mut command);
    let mut pinned = pin.spawn(&mut command).map_err(|error| refusal(args, error))?;
    let mut messages = Messages::new(args);
    messages.started(&pinned, args);
    ledger.started(&pinned, &names);
    let status = attend(&mut pinned, &signals, |event| {
        if let Outcome::Missed { .. } = event.outcome {
            messages.missed(event);
        }
        ledger.note(event);
    });
    let status = status.map_err(|error| own(Failure::new(error)))?;
    messages.end();
    ledger.ended(status);
    Ok(status)
}

/// Hands signals on and takes note of what happens, until the command is over.
fn attend(
    pinned: &mut Pinned,
    signals: &Signals,
    mut note: impl FnMut(&dayfly_pin::Event),
) -> io::Result<ExitStatus> {
    loop {
        while let Some(happening) = pinned.try_next()? {
            match happening {
                Happening::Connection(event) => note(&event),
                Happening::Stopped(signal) => signals.stop(signal),
                Happening::Continued => {}
                Happening::Exited(status) => return Ok(status),
            }
        }
        while let Some(signal) = signals.next() {
            // It may be over already.
            let _ = pinned.hand_on(signal);
        }
        let [life, log] = pinned.sources();
        let mut sources = [
            PollFd::new(signals, PollFlags::IN),
            PollFd::from_borrowed_fd(life, PollFlags::IN),
            PollFd::from_borrowed_fd(log, PollFlags::IN),
        ];
        match poll(&mut sources, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A destination as it was typed, and what it stands for.
pub(crate) struct Name {
    pub(crate) typed: String,
    pub(crate) addresses: Vec<std::net::IpAddr>,
}

/// What was typed, as the library takes it.
fn pin_of(args: &RunArgs) -> Result<(Pin, Vec<Name>), Failure> {
    let ports = match (args.port, args.range, &args.port_set) {
        (Some(port), _, _) => Some(PortSet::from(PortRange::single(port))),
        (_, Some(range), _) => Some(unreserved(range)?),
        (_, _, Some(ports)) => Some(PortSet::clone(ports)),
        (None, None, None) => None,
    };
    let mut pin = match (ports, args.address) {
        (Some(ports), _) => Pin::ports(ports),
        (None, Some(address)) => Pin::address(address),
        (None, None) => Pin::whole_range(),
    };
    if let Some(address) = args.address {
        pin = pin.from_address(address);
    }
    let mut names = Vec::new();
    for target in &args.destination {
        let addresses = target.addresses()?;
        for address in &addresses {
            pin = pin.destination(*address, target.port());
        }
        names.push(Name { typed: target.to_string(), addresses });
    }
    let pin = pin
        .udp(args.udp)
        .offer(args.offer)
        .strict(args.strict)
        .report(args.report.is_some())
        .via(args.via.into());
    Ok((pin, names))
}

/// The range without the ports that the system reserves for servers.
fn unreserved(range: PortRange) -> Result<PortSet, Failure> {
    let mut ports = PortSet::from(range);
    // Without /proc nothing is known to be reserved.
    if let Ok(settings) = settings::read() {
        ports -= &settings.reserved;
    }
    if ports.is_empty() {
        return Err(Failure::new(format_args!(
            "every port of {range} is in net.ipv4.ip_local_reserved_ports"
        ))
        .hint(format!("--port-set {range} takes them all the same")));
    }
    Ok(ports)
}

/// The exit code and the sentence for a command that was not started.
fn refusal(args: &RunArgs, error: Error) -> (u8, Failure) {
    let name = args.command[0].to_string_lossy();
    match error {
        Error::Run(error) => {
            let code =
                if error.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE };
            (code, Failure::new(format_args!("{name:?} cannot be run: {error}")))
        }
        Error::ListenerActive => (
            FAILED,
            Failure::new(error).hint(if rustix::process::geteuid().is_root() {
                "--via bpf does without".to_owned()
            } else {
                format!("as root, --via bpf does without: {}", with_sudo())
            }),
        ),
        Error::Bpf { .. } => (
            FAILED,
            Failure::new(&error).hint(if rustix::process::geteuid().is_root() {
                "--via seccomp works without BPF".to_owned()
            } else {
                format!("--via seccomp works for everybody; or {}", with_sudo())
            }),
        ),
        Error::BpfCannot(_) => (FAILED, Failure::new(&error).hint("--via seccomp can")),
        error => (FAILED, Failure::new(error)),
    }
}
