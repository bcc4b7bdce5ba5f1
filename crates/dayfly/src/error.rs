//! What ends the command: a sentence, and what to do next.

use std::fmt;
use std::io;

/// Why the command could not do what it was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something named by the user, or the system, stands in the way.
    Said {
        /// A sentence that names the thing and the cause.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// Standard output cannot be written.
    Output(io::Error),
}

impl Failure {
    pub(crate) fn new(message: impl fmt::Display) -> Self {
        Failure::Said { message: message.to_string(), hint: None }
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        match self {
            Failure::Said { message, .. } => Failure::Said { message, hint: Some(hint.into()) },
            output @ Failure::Output(_) => output,
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Said { message, .. } => f.write_str(message),
            Failure::Output(error) => write!(f, "standard output cannot be written: {error}"),
        }
    }
}
