//! Starts the program between a supervisor and the filter.
//!
//! ```text
//! caller ── fork ──> supervisor ── clone ──> program
//!    ^                   │  parent and subreaper of all that the program starts
//!    └── birth, life, log┘  three pipes
//! ```
//!
//! The supervisor has to be an ancestor of whatever it looks into: where Yama restricts ptrace
//! (`kernel.yama.ptrace_scope` = 1, as on Ubuntu), nobody else may. As the subreaper it stays one
//! when a daemon leaves its parents behind.
//!
//! Filter and listener are made by the program's process just before it becomes the program. At
//! that moment it shares its descriptors and its memory with the supervisor, so nothing has to be
//! handed over.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use dayfly_ports::Port;
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::Pid;

use crate::bpf::attachment::{Attachment, Tap};
use crate::choose::timestamps;
use crate::error::Error;
use crate::newborn;
use crate::pin::{Pin, Via, Wish};
use crate::pinned::{Log, Pinned};
use crate::seccomp::decide::Decider;
use crate::seccomp::filter::{self, Scope};
use crate::seccomp::notification::Listener;
use crate::supervisor::{Guard, Pipes, Signals, Supervisor, write_record};
use crate::sys::checked;

/// What the pipe of birth carries: a tag and a number.
const STARTED: u32 = 0;
const NOT_RUN: u32 = 1;
const NOT_FILTERED: u32 = 2;
const NOT_SUPERVISED: u32 = 3;
const NOT_IN_GROUP: u32 = 4;

/// Room for so many bytes of events. A pipe of an ordinary user may have as many
/// (`fs.pipe-max-size`).
const LOG: usize = 1 << 20;

pub(crate) fn spawn(pin: &Pin, command: &mut Command) -> Result<Pinned, Error> {
    let ports = match &pin.wish {
        Wish::Ports(ports) => shuffled(ports.iter().filter(|port| *port != Port::MIN)),
        Wish::AnyPort | Wish::WholeRange => Vec::new(),
    };
    let bpf = || Attachment::make(pin, &ports);
    match pin.via {
        Via::Bpf => {
            let (attachment, tap) = bpf()?;
            return launch(command, &mut Plan::Bpf(Some(attachment)), Some(tap));
        }
        Via::Auto if suits_bpf(pin) => {
            if let Ok((attachment, tap)) = bpf() {
                match launch(command, &mut Plan::Bpf(Some(attachment)), Some(tap)) {
                    // The cgroup's limits, or a sandbox without clone3().
                    Err(Error::Bpf { .. }) => {}
                    result => return result,
                }
            }
        }
        Via::Auto | Via::Seccomp => {}
    }
    let filter = filter::assemble(Scope { udp: pin.udp, offer: pin.offer });
    let decider = Box::new(Decider::new(pin, ports));
    launch(command, &mut Plan::Seccomp { filter, decider: Some(decider) }, None)
}

/// Whether BPF can do all that is wanted. It sees no datagram that is sent without `connect()`, and
/// cannot tell a TIME_WAIT that may not be taken over.
fn suits_bpf(pin: &Pin) -> bool {
    !pin.udp && !pin.offer && !matches!(pin.wish, Wish::WholeRange) && timestamps()
}

/// How the program is to be started.
enum Plan {
    Seccomp { filter: Vec<libc::sock_filter>, decider: Option<Box<Decider>> },
    Bpf(Option<Attachment>),
}

fn launch(command: &mut Command, plan: &mut Plan, tap: Option<Tap>) -> Result<Pinned, Error> {
    let failed = |error: Errno| Error::Supervisor(error.into());
    let (birth, birth_end) = pipe_with(PipeFlags::CLOEXEC).map_err(failed)?;
    let (life, life_end) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(failed)?;
    let (log, log_end) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(failed)?;
    // Without it events get lost sooner.
    let _ = fcntl_setpipe_size(&log_end, LOG);
    #[expect(unsafe_code, reason = "fork(2) has no safe wrapper")]
    // SAFETY: the child goes on in this thread alone. What it allocates is safe after glibc's and
    // musl's fork(), and it never returns.
    let supervisor = checked(unsafe { libc::fork() }.into()).map_err(failed)?;
    if supervisor == 0 {
        supervise(command, plan, birth_end, Pipes { life: life_end, log: log_end });
    }
    drop((birth_end, life_end, log_end));
    let supervisor = Pid::from_raw(supervisor as i32).ok_or_else(|| failed(Errno::SRCH))?;
    let mut program = None;
    let mut refusal = None;
    let mut birth = File::from(birth);
    let mut record = [0; 8];
    // Both writers close it: the supervisor when it begins its work, the program when it runs.
    while birth.read_exact(&mut record).is_ok() {
        let (tag, number) = split(&record);
        let error = io::Error::from_raw_os_error(number as i32);
        match tag {
            STARTED => program = Pid::from_raw(number as i32),
            NOT_RUN => refusal = Some(Error::Run(error)),
            NOT_FILTERED if number as i32 == libc::EBUSY => refusal = Some(Error::ListenerActive),
            NOT_FILTERED => refusal = Some(Error::Seccomp(error)),
            NOT_IN_GROUP => {
                let doing = "the program cannot be started in a cgroup";
                refusal = Some(Error::Bpf { doing, error });
            }
            _ => refusal = Some(Error::Supervisor(error)),
        }
    }
    match (program, refusal) {
        (Some(program), None) => {
            let log = match tap {
                Some(tap) => Log::Ring(tap),
                None => Log::Pipe(log),
            };
            Ok(Pinned::new(program, supervisor, life, log))
        }
        (_, refusal) => {
            // The supervisor takes the cgroup away when it had a program to look after.
            if let (None, Plan::Bpf(Some(attachment))) = (program, plan) {
                attachment.group.remove();
            }
            let _ =
                rustix::process::waitpid(Some(supervisor), rustix::process::WaitOptions::empty());
            Err(refusal.unwrap_or_else(|| {
                Error::Supervisor(io::Error::other("it was killed before the program ran"))
            }))
        }
    }
}

/// The supervisor's process, from its first moment to its last.
fn supervise(command: &mut Command, plan: &mut Plan, birth: OwnedFd, pipes: Pipes) -> ! {
    let signals = match Signals::block() {
        Ok(signals) => signals,
        Err(error) => fail(&birth, NOT_SUPERVISED, error),
    };
    let failure = match plan {
        Plan::Seccomp { .. } => NOT_SUPERVISED,
        Plan::Bpf(_) => NOT_IN_GROUP,
    };
    let started = match plan {
        Plan::Seccomp { filter, decider } => start_filtered(command, filter, &birth, &signals)
            .and_then(|(program, listener)| {
                listener.wake_in_turns();
                let decider = decider.take().ok_or(None)?;
                Ok((program, Guard::Calls { listener, decider }))
            }),
        Plan::Bpf(attachment) => attachment
            .take()
            .ok_or(None)
            .and_then(|attachment| start_in_group(command, attachment, &birth, &signals)),
    };
    match started {
        Ok((program, guard)) => {
            let mut supervisor = Supervisor::settle(program, guard, signals, pipes);
            write_record(&birth, STARTED, program.as_raw_pid() as u32);
            supervisor.close_all_else();
            exit(supervisor.run())
        }
        Err(Some(error)) => fail(&birth, failure, error),
        Err(None) => exit(1),
    }
}

/// Ends the supervisor before it has begun.
fn fail(birth: &OwnedFd, tag: u32, error: Errno) -> ! {
    write_record(birth, tag, error.raw_os_error() as u32);
    exit(1)
}

/// Starts the program with its filter. No error means that the program's process has told it.
fn start_filtered(
    command: &mut Command,
    filter: &[libc::sock_filter],
    birth: &OwnedFd,
    signals: &Signals,
) -> Result<(Pid, Listener), Option<Errno>> {
    // Without it daemons leave the supervisor's family, which only Yama minds.
    let _ = rustix::process::set_child_subreaper(Pid::from_raw(1));
    let mut listener = None;
    let program = newborn::start(|| {
        signals.restore();
        become_program(command, filter, birth, &mut listener);
    })?;
    let Some(number) = listener else { return Err(None) };
    #[expect(unsafe_code, reason = "the descriptor was made by a process that shared its table")]
    // SAFETY: the program's process has made it in the common table and has left the table.
    let listener = unsafe { OwnedFd::from_raw_fd(number) };
    Ok((program, Listener::adopt(listener)))
}

/// Starts the program in its cgroup.
fn start_in_group(
    command: &mut Command,
    attachment: Attachment,
    birth: &OwnedFd,
    signals: &Signals,
) -> Result<(Pid, Guard), Option<Errno>> {
    let program = newborn::start_in_group(attachment.group.folder.as_fd(), || {
        signals.restore();
        run(command, birth);
    })?;
    Ok((program, Guard::Group(attachment)))
}

/// The program's process, before it is the program. Leaves the listener's number in the memory that
/// it shares with the supervisor.
fn become_program(
    command: &mut Command,
    filter: &[libc::sock_filter],
    birth: &OwnedFd,
    number: &mut Option<RawFd>,
) -> ! {
    let listener = match Listener::install(filter) {
        Ok(listener) => listener,
        Err(error) => {
            write_record(birth, NOT_FILTERED, error.raw_os_error() as u32);
            exit(1);
        }
    };
    #[expect(unsafe_code, reason = "rustix marks unshare unsafe for the sake of CLONE_FILES")]
    // SAFETY: from here on this process has a table of its own, with the same descriptors.
    let unshared = unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::FILES) };
    if let Err(error) = unshared {
        write_record(birth, NOT_FILTERED, error.raw_os_error() as u32);
        exit(1);
    }
    *number = Some(listener.as_fd().as_raw_fd());
    run(command, birth)
}

/// Becomes the program, or tells why not.
fn run(command: &mut Command, birth: &OwnedFd) -> ! {
    let error = command.exec();
    let number = error.raw_os_error().unwrap_or(libc::EINVAL);
    write_record(birth, NOT_RUN, number as u32);
    exit(127)
}

fn split(record: &[u8; 8]) -> (u32, u32) {
    let [a, b, c, d, e, f, g, h] = *record;
    (u32::from_ne_bytes([a, b, c, d]), u32::from_ne_bytes([e, f, g, h]))
}

/// Ends a process that shares its memory image with the caller: nothing that the caller has
/// registered may run, and no buffer be written twice.
fn exit(code: i32) -> ! {
    #[expect(unsafe_code, reason = "std has no _exit")]
    // SAFETY: it ends the process.
    unsafe {
        libc::_exit(code)
    }
}

/// The ports in an order that nobody can guess.
fn shuffled(ports: impl Iterator<Item = Port>) -> Vec<u16> {
    use std::hash::{BuildHasher, Hasher};
    // The standard library's hasher is keyed from the kernel's randomness.
    let keys = std::collections::hash_map::RandomState::new();
    let mut ports: Vec<u16> = ports.map(Port::number).collect();
    ports.sort_by_cached_key(|port| {
        let mut hasher = keys.build_hasher();
        hasher.write_u16(*port);
        hasher.finish()
    });
    ports
}
