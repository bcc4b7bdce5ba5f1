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
//! that moment it shares its descriptors with the supervisor, so nothing has to be handed over.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use dayfly_ports::Port;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::bpf::attachment::{Attachment, Tap};
use crate::choose::timestamps;
use crate::error::Error;
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
                    Err(Error::Supervisor(_)) => {}
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
        Err(error) => fail(&birth, error),
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
        Err(Some(error)) => fail(&birth, error),
        Err(None) => exit(1),
    }
}

/// Ends the supervisor before it has begun.
fn fail(birth: &OwnedFd, error: Errno) -> ! {
    write_record(birth, NOT_SUPERVISED, error.raw_os_error() as u32);
    exit(1)
}

/// Starts the program with its filter. No error means that the program's process has told it.
fn start_filtered(
    command: &mut Command,
    filter: &[libc::sock_filter],
    birth: &OwnedFd,
    signals: &Signals,
) -> Result<(Pid, Listener), Option<Errno>> {
    let (ready, ready_end) = pipe_with(PipeFlags::CLOEXEC)?;
    // Without it daemons leave the supervisor's family, which only Yama minds.
    let _ = rustix::process::set_child_subreaper(Pid::from_raw(1));
    #[expect(unsafe_code, reason = "clone(2) has no safe wrapper")]
    // SAFETY: without CLONE_VM this is fork(2), in a process of one thread; the descriptors that
    // are shared are touched by one side only until the other has stopped sharing.
    let program = checked(unsafe {
        libc::syscall(libc::SYS_clone, libc::CLONE_FILES | libc::SIGCHLD, 0, 0, 0, 0)
    })?;
    if program == 0 {
        signals.restore();
        become_program(command, filter, birth, &ready_end);
    }
    let program = Pid::from_raw(program as i32).ok_or(Errno::SRCH)?;
    let handle = pidfd_open(program, PidfdFlags::empty())?;
    // This side holds a write end too: wait for the number or for the end of the process.
    let mut sources = [PollFd::new(&ready, PollFlags::IN), PollFd::new(&handle, PollFlags::IN)];
    while poll(&mut sources, None) == Err(Errno::INTR) {}
    if !sources[0].revents().contains(PollFlags::IN) {
        return Err(None);
    }
    let mut number = [0; 4];
    rustix::io::read(&ready, &mut number)?;
    #[expect(unsafe_code, reason = "the descriptor was made by a process that shared its table")]
    // SAFETY: the program's process has made it in the common table and has left the table.
    let listener = unsafe { OwnedFd::from_raw_fd(i32::from_ne_bytes(number)) };
    Ok((program, Listener::adopt(listener)))
}

/// `struct clone_args` (clone3(2), since 5.7 with a cgroup).
#[derive(Default)]
#[repr(C)]
struct CloneArguments {
    flags: u64,
    handle: u64,
    child: u64,
    parent: u64,
    exit_signal: u64,
    stack: [u64; 2],
    thread_storage: u64,
    numbers: [u64; 2],
    group: u64,
}

/// `CLONE_INTO_CGROUP` (`include/uapi/linux/sched.h`).
const INTO_GROUP: u64 = 1 << 33;

/// Starts the program as one that was never outside of its cgroup. Moving a process there takes ten
/// milliseconds.
fn start_in_group(
    command: &mut Command,
    attachment: Attachment,
    birth: &OwnedFd,
    signals: &Signals,
) -> Result<(Pid, Guard), Option<Errno>> {
    let arguments = CloneArguments {
        flags: INTO_GROUP,
        exit_signal: libc::SIGCHLD as u64,
        group: attachment.group.folder.as_raw_fd() as u64,
        ..CloneArguments::default()
    };
    #[expect(unsafe_code, reason = "clone3(2) has no safe wrapper")]
    // SAFETY: without CLONE_VM this is fork(2), in a process of one thread; the arguments are as
    // long as is said.
    let program = checked(unsafe {
        libc::syscall(libc::SYS_clone3, &raw const arguments, size_of_val(&arguments))
    })?;
    if program == 0 {
        signals.restore();
        run(command, birth);
    }
    let program = Pid::from_raw(program as i32).ok_or(Errno::SRCH)?;
    Ok((program, Guard::Group(attachment)))
}

/// The program's process, before it is the program.
fn become_program(
    command: &mut Command,
    filter: &[libc::sock_filter],
    birth: &OwnedFd,
    ready: &OwnedFd,
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
    let number = std::os::fd::AsFd::as_fd(&listener).as_raw_fd();
    let _ = rustix::io::write(ready, &number.to_ne_bytes());
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
