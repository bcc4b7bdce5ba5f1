//! Why a program could not be started, or not be pinned.

use std::fmt;
use std::io;

/// What stood in the way of [`Pin::spawn`](crate::Pin::spawn).
#[derive(Debug)]
pub enum Error {
    /// No port was given to choose from.
    NoPort,
    /// The program itself could not be run.
    Run(io::Error),
    /// A seccomp filter above has a listener already; there can be one only.
    ListenerActive,
    /// The kernel, or a sandbox, does not let the filter be installed.
    Seccomp(io::Error),
    /// The BPF program or its cgroup could not be made.
    Bpf {
        /// What was being done.
        doing: &'static str,
        /// What the kernel said.
        error: io::Error,
    },
    /// That cannot be done this way.
    BpfCannot(&'static str),
    /// The supervisor could not be started, or it died.
    Supervisor(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::NoPort => f.write_str("there is no port to choose from"),
            Error::Run(error) => write!(f, "the program cannot be run: {error}"),
            Error::ListenerActive => f.write_str(
                "another seccomp listener is active (a nested run, or a container's): there can \
                 be one only",
            ),
            Error::Seccomp(error) => write!(f, "the seccomp filter cannot be installed: {error}"),
            Error::Bpf { doing, error } => write!(f, "{doing}: {error}"),
            Error::BpfCannot(what) => write!(f, "BPF cannot {what}"),
            Error::Supervisor(error) => write!(f, "the supervisor cannot be started: {error}"),
        }
    }
}

impl std::error::Error for Error {}
