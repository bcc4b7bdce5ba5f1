//! FTP: a protocol that writes ephemeral ports into its own messages.
//!
//! Every transfer has a connection of its own. In *active* mode the client listens on an ephemeral
//! port, names it in `PORT` or `EPRT`, and the server connects to it from its data port. In
//! *passive* mode the server listens, names the port in its answer to `PASV` or `EPSV`, and the
//! client connects. Whoever listens needs a firewall that lets the other side in.
//!
//! - [`address`] reads the ports, in every spelling;
//! - [`session`] reads what was said and tells who connects where;
//! - [`conversation`] puts what was said together from captured packets;
//! - [`server`] reads the files that tell a server which ports to listen on.

pub mod address;
pub mod conversation;
pub mod server;
pub mod session;

use std::fmt;

/// An end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Who asks for files.
    Client,
    /// Who has them.
    Server,
}

impl Side {
    /// `client` or `server`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Side::Client => "client",
            Side::Server => "server",
        }
    }

    /// The other end.
    #[must_use]
    pub const fn other(self) -> Side {
        match self {
            Side::Client => Side::Server,
            Side::Server => Side::Client,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Who connects for a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// The server connects to the client (`PORT`, `EPRT`).
    Active,
    /// The client connects to the server (`PASV`, `EPSV`).
    Passive,
}

impl Mode {
    /// `active` or `passive`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Mode::Active => "active",
            Mode::Passive => "passive",
        }
    }

    /// Who listens on an ephemeral port, and so needs to be let in to.
    #[must_use]
    pub const fn listens(self) -> Side {
        match self {
            Mode::Active => Side::Client,
            Mode::Passive => Side::Server,
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
