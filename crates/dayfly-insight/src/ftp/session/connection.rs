//! A data connection, as the two sides agreed upon it, and what stands out about it.

use std::fmt;
use std::net::IpAddr;

use dayfly_ports::Port;

use super::Session;
use crate::ftp::address::DataAddress;
use crate::ftp::{Mode, Side};

/// A data connection that was agreed upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataConnection {
    /// The line that names the port, counted from 1; 0 for a text that is no session.
    pub line: usize,
    /// That line, from the command or reply on.
    pub said: String,
    /// Who connects.
    pub mode: Mode,
    /// Where to.
    pub to: DataAddress,
    /// Whether the control connection was encrypted, so that nobody on the way could read this.
    pub encrypted: bool,
    /// What was transferred: `RETR a.txt`.
    pub purpose: Option<String>,
    /// How it went, as the server said.
    pub outcome: Outcome,
}

impl DataConnection {
    /// Who opens the connection.
    #[must_use]
    pub const fn connects(&self) -> Side {
        self.mode.listens().other()
    }

    /// The address that is connected to, taking the control connection's where none was named.
    #[must_use]
    pub fn address(&self, session: &Session) -> Option<IpAddr> {
        self.to.address.or(match self.mode.listens() {
            Side::Client => session.client,
            Side::Server => session.server,
        })
    }

    /// What stands out about it, without knowing any firewall.
    #[must_use]
    pub fn remarks(&self, session: &Session) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let listener = self.mode.listens();
        let control = match listener {
            Side::Client => session.client,
            Side::Server => session.server,
        };
        if let Some(named) = self.to.address {
            if named.is_unspecified() {
                remarks.push(Remark::Unspecified { listener });
            } else if let Some(control) = control.filter(|control| *control != named) {
                remarks.push(Remark::Elsewhere { listener, named, control });
            } else if is_private(named) && control.is_none() {
                remarks.push(Remark::Private { listener, named });
            }
        }
        if self.to.port.number() < 1024 {
            remarks.push(Remark::Privileged { port: self.to.port });
        }
        if self.encrypted {
            remarks.push(Remark::Unreadable { mode: self.mode });
        }
        remarks
    }
}

/// How a data connection went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing was said.
    #[default]
    Unknown,
    /// The transfer began or ended well.
    Worked,
    /// The server's words.
    Failed(String),
}

/// What stands out about a data connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remark {
    /// An address that only its own network can reach was named, and the control connection's is
    /// not known.
    Private {
        /// Who named it.
        listener: Side,
        /// The address.
        named: IpAddr,
    },
    /// Another address was named than the control connection has: translated on the way, or not
    /// told its outer address.
    Elsewhere {
        /// Who named it.
        listener: Side,
        /// The address in the message.
        named: IpAddr,
        /// The control connection's.
        control: IpAddr,
    },
    /// `0.0.0.0` or `::`.
    Unspecified {
        /// Who named it.
        listener: Side,
    },
    /// A port below 1024.
    Privileged {
        /// The port.
        port: Port,
    },
    /// A connection-tracking helper could not read the message.
    Unreadable {
        /// Whose port stays unknown to it.
        mode: Mode,
    },
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Remark::Private { listener, named } => write!(
                f,
                "{named} is a private address: only the {listener}'s own network reaches it. \
                 Behind NAT a helper has to rewrite it, or the {listener} has to be told its outer \
                 address"
            ),
            Remark::Elsewhere { listener, named, control } if is_private(*named) => write!(
                f,
                "the {listener} names {named}, an address of its own network, while the control \
                 connection has {control}: NAT between, without a helper that rewrites it{}",
                advice(*listener)
            ),
            Remark::Elsewhere { listener, named, control } => write!(
                f,
                "the {listener} names {named}, but the control connection has {control}: many \
                 servers and clients refuse that (RFC 2577 section 3), and a helper does not \
                 expect it"
            ),
            Remark::Unspecified { listener } => {
                write!(f, "the {listener} names no address that anybody could connect to")
            }
            Remark::Privileged { port } => write!(
                f,
                "port {port} is below 1024: servers refuse such a PORT, and helpers do not follow \
                 it"
            ),
            Remark::Unreadable { mode } => write!(
                f,
                "the control connection is encrypted: no helper can read the port, so the firewall \
                 of the {} has to leave the whole range open",
                mode.listens()
            ),
        }
    }
}

/// How a side learns its outer address.
const fn advice(listener: Side) -> &'static str {
    match listener {
        Side::Client => "; use passive mode",
        Side::Server => "; tell the server its outer address, or use EPSV, which names none",
    }
}

/// Whether only the own network reaches it: RFC 1918, RFC 6598 (shared by carriers), link-local,
/// loopback, RFC 4193.
#[must_use]
pub fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            let shared = a == 100 && (64..128).contains(&b);
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}
