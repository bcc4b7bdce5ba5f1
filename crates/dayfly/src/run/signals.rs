//! Signals: `dayfly run` stands between the shell and the command and must not be noticed.
//!
//! The command stays in the process group that the shell made, so what the terminal sends reaches
//! it directly. What is sent to `dayfly run` alone is handed on. When the command stops, so does
//! `dayfly run`, with the same signal, and the shell sees a stopped job; when the command dies of a
//! signal, so does `dayfly run`, as timeout(1) does.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

/// Those that a process causes itself, or that cannot be caught, or that tell of its own children.
const NOT_HANDED_ON: [i32; 12] = [
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGCHLD,
    libc::SIGPIPE,
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
    libc::SIGSTKFLT,
];

/// Those that a terminal sends to the whole process group.
const OF_TERMINAL: [i32; 8] = [
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGHUP,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGCONT,
    libc::SIGWINCH,
];

/// Whether this process was started with SIGPIPE ignored; the standard library always ignores it
/// before `main`.
static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);

#[expect(unsafe_code, reason = "it has to run before the standard library's own start")]
// SAFETY: the loader calls each function of this section once, before `main`.
#[unsafe(link_section = ".init_array")]
#[used]
static NOTE_PIPE: extern "C" fn() = note_pipe;

#[expect(unsafe_code, reason = "sigaction(2) has no safe wrapper")]
extern "C" fn note_pipe() {
    // SAFETY: it only asks, into a structure of integers and pointers.
    let ignored = unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGPIPE, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    };
    PIPE_IGNORED.store(ignored, Ordering::Relaxed);
}

/// Holds the signals of this process back and reads them one by one.
pub(super) struct Signals {
    source: OwnedFd,
    held: libc::sigset_t,
    before: libc::sigset_t,
}

impl Signals {
    /// Holds signals back from now on.
    #[expect(unsafe_code, reason = "signal masks and signalfd(2) have no safe wrapper")]
    pub(super) fn hold() -> io::Result<Signals> {
        // SAFETY: the sets are filled before they are used, and live until the calls return.
        unsafe {
            let mut held: libc::sigset_t = std::mem::zeroed();
            let mut before: libc::sigset_t = std::mem::zeroed();
            libc::sigfillset(&raw mut held);
            for signal in NOT_HANDED_ON {
                libc::sigdelset(&raw mut held, signal);
            }
            libc::sigprocmask(libc::SIG_BLOCK, &raw const held, &raw mut before);
            Ok(Signals { source: source_of(&held)?, held, before })
        }
    }

    /// Makes the command start with the signal mask, and the way with SIGPIPE, that this process
    /// was started with.
    #[expect(unsafe_code, reason = "code between fork and exec")]
    pub(super) fn hand_down(&self, command: &mut Command) {
        let before = self.before;
        let restore = move || {
            // SAFETY: both calls are safe to make between fork and exec (signal-safety(7)).
            unsafe {
                if PIPE_IGNORED.load(Ordering::Relaxed) {
                    libc::signal(libc::SIGPIPE, libc::SIG_IGN);
                }
                libc::sigprocmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut());
            }
            Ok(())
        };
        // SAFETY: the closure allocates nothing and takes no lock.
        unsafe {
            command.pre_exec(restore);
        }
    }

    /// The next signal that is for the command and has not reached it.
    #[expect(unsafe_code, reason = "rustix has no signalfd")]
    pub(super) fn next(&self) -> Option<i32> {
        loop {
            // SAFETY: the structure is made of integers, and the kernel fills in one of them.
            let (length, info) = unsafe {
                let mut info: libc::signalfd_siginfo = std::mem::zeroed();
                let size = size_of_val(&info);
                let length = libc::read(self.source.as_raw_fd(), (&raw mut info).cast(), size);
                (length, info)
            };
            if length <= 0 {
                return None;
            }
            let signal = info.ssi_signo as i32;
            let of_terminal = info.ssi_code == libc::SI_KERNEL && OF_TERMINAL.contains(&signal);
            if !of_terminal {
                return Some(signal);
            }
        }
    }

    /// Stops this process with the signal that stopped the command. Returns when it goes on.
    pub(super) fn stop(&self, signal: i32) {
        raise(signal);
        let set = set_of(signal);
        mask(libc::SIG_UNBLOCK, &set);
        // Here the process stands still, unless nobody could let it go on (setpgid(2), orphans).
        mask(libc::SIG_BLOCK, &self.held);
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

/// Holds one signal back from now on, and gives what becomes readable when it comes.
pub(crate) fn hold_back(signal: i32) -> io::Result<OwnedFd> {
    let set = set_of(signal);
    mask(libc::SIG_BLOCK, &set);
    source_of(&set)
}

/// Takes one that came, and does not hold the next one back.
pub(crate) fn let_go(source: OwnedFd, signal: i32) -> io::Result<()> {
    rustix::io::read(&source, &mut [0; size_of::<libc::signalfd_siginfo>()])?;
    mask(libc::SIG_UNBLOCK, &set_of(signal));
    Ok(())
}

#[expect(unsafe_code, reason = "rustix has no signalfd")]
fn source_of(set: &libc::sigset_t) -> io::Result<OwnedFd> {
    let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
    // SAFETY: the set lives until the call returns, which makes a descriptor that nobody else has.
    unsafe {
        let number = libc::signalfd(-1, std::ptr::from_ref(set), flags);
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedFd::from_raw_fd(number))
    }
}

/// Ends this process with the signal that ended the command; returns only if that cannot be. The
/// command has left its core file, if it was to.
#[expect(unsafe_code, reason = "signal dispositions have no safe wrapper")]
pub(super) fn die_of(signal: i32) {
    // SAFETY: the calls take numbers only.
    unsafe {
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
        libc::signal(signal, libc::SIG_DFL);
    }
    raise(signal);
    mask(libc::SIG_UNBLOCK, &set_of(signal));
}

#[expect(unsafe_code, reason = "raise(3) has no safe wrapper")]
fn raise(signal: i32) {
    // SAFETY: it takes a number.
    unsafe {
        libc::raise(signal);
    }
}

#[expect(unsafe_code, reason = "signal sets have no safe wrapper")]
fn set_of(signal: i32) -> libc::sigset_t {
    // SAFETY: the set is emptied before it is used.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, signal);
        set
    }
}

#[expect(unsafe_code, reason = "signal masks have no safe wrapper")]
fn mask(how: i32, set: &libc::sigset_t) {
    // SAFETY: the set lives until the call returns.
    unsafe {
        libc::sigprocmask(how, std::ptr::from_ref(set), std::ptr::null_mut());
    }
}
