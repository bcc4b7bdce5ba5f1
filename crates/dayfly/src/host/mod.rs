//! Where commands run and files lie: this host, or another one behind its shell.
//!
//! Whatever reads or changes a system goes through [`Host`], so that there is one way to do it.
//! What comes back is bytes that somebody else wrote: [`Output::said`] makes them fit for a
//! terminal, and nothing of them is ever made part of a command.

mod address;
mod child;
mod complaint;
mod local;
mod remote;
mod ssh;
pub(crate) mod survey;
mod text;

use std::fmt;

pub(crate) use address::Address;
pub(crate) use local::Local;
pub(crate) use remote::Remote;
pub(crate) use text::harmless;

use crate::error::Failure;

/// A machine with a shell and files.
pub(crate) trait Host {
    /// What it is called in a sentence: `this host`, `ssh://root@db`.
    fn name(&self) -> &str;

    /// Runs a command in the system's own shell, `sh` or cmd.exe, without standard input and, in
    /// `sh`, with `LC_ALL=C`. A command that fails is an [`Output`] with another status than 0.
    fn run(&self, command: &str) -> Result<Output, HostError>;

    /// The content of a file; none if there is no such file.
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError>;

    /// Makes a file hold these bytes, at once: whoever reads it sees the old content or the new,
    /// and after a crash it is one of the two. A file that exists keeps owner and permission bits,
    /// a new one gets `mode`; where the path is a symbolic link, the file that it leads to changes.
    fn replace(&self, path: &str, bytes: &[u8], mode: u16) -> Result<(), HostError>;

    /// Removes a file. One that is not there is fine.
    fn remove(&self, path: &str) -> Result<(), HostError>;

    /// Removes what a [`Host::replace`] of this file left beside it when it was cut off.
    fn tidy(&self, path: &str) -> Result<(), HostError>;
}

/// What a command left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Output {
    /// Its exit code; 128 and the signal where a signal ended it.
    pub(crate) status: i32,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
}

impl Output {
    pub(crate) const fn is_success(&self) -> bool {
        self.status == 0
    }

    /// Standard output as text, in whatever code page. Not fit for a terminal.
    pub(crate) fn text(&self) -> String {
        dayfly_systems::decoded(&self.stdout)
    }

    /// The last lines of what the command complained about, fit for a terminal: one line, without
    /// control characters, of some 300 characters at most.
    pub(crate) fn said(&self) -> String {
        let errors = text::one_line(&self.stderr);
        if errors.is_empty() { text::one_line(&self.stdout) } else { errors }
    }

    /// Whether it failed for want of privilege, as far as its complaint tells: the words of
    /// `EACCES`, `EPERM` and `EROFS`, of AIX's commands and of netsh.
    pub(crate) fn wants_privilege(&self) -> bool {
        const WORDS: [&str; 6] = [
            "ermission denied",
            "not permitted",
            "ead-only",
            "must be root",
            "requires elevation",
            "ccess is denied",
        ];
        let said = self.said();
        !self.is_success() && WORDS.iter().any(|words| said.contains(words))
    }
}

/// Why a host did not do what it was asked: not a command that failed, but no answer at all, or a
/// file that could not be read or written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostError {
    /// A sentence that names the host or the file and the cause.
    pub(crate) message: String,
    /// What to do next; empty if nothing is known to help.
    pub(crate) hint: String,
    /// For want of privilege, on the host.
    pub(crate) is_permission: bool,
    /// The host did not answer, or not to the end: whether it did what it was asked is not known.
    pub(crate) is_lost: bool,
}

impl HostError {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        HostError {
            message: message.to_string(),
            hint: String::new(),
            is_permission: false,
            is_lost: false,
        }
    }

    pub(crate) fn lost(message: impl fmt::Display) -> Self {
        HostError { is_lost: true, ..HostError::new(message) }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        HostError { hint: hint.into(), ..self }
    }
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let failure = Failure::new(&error);
        if error.hint.is_empty() { failure } else { failure.hint(error.hint) }
    }
}
