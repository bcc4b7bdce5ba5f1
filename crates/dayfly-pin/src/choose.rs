//! Which port a socket gets: one that nobody has, else one that can be shared.
//!
//! 1. A `bind()` without `SO_REUSEADDR` succeeds only on a port that no socket has at all: whatever
//!    the destination, the connection cannot fail for want of the port.
//! 2. If there is none near at hand, a `bind()` with `SO_REUSEADDR` shares a port with connections
//!    that were bound the same way: towards other destinations, and towards the same one if that
//!    connection is in TIME_WAIT and TCP timestamps are on. The kernel is asked about the tuple
//!    first, because the failure would be the program's.
//!
//! The ports are gone through in one fixed order, over and over: whoever comes next gets the port
//! that was given longest ago. The socket keeps `SO_REUSEADDR`, for the next one to share with.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::bind;
use rustix::net::sockopt::{set_socket_reuseaddr, socket_reuseaddr};

use dayfly_ports::Port;

use crate::event::Cause;
use crate::tuple::{Held, Tuples, is_local};

/// So many ports are tried first for one that nobody has, before sharing: the next in order are
/// the likeliest, and each try costs about a microsecond.
pub(crate) const NEAR: usize = 16;

/// The ports that are wanted, and the place reached among them.
#[derive(Debug)]
pub(crate) struct Chooser {
    ports: Vec<u16>,
    next: usize,
    timestamps: bool,
    tuples: Option<Tuples>,
    closing: bool,
}

/// Why there was none, and which was tried last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Miss {
    pub(crate) cause: Cause,
    pub(crate) port: Option<Port>,
}

impl Chooser {
    /// A chooser among `ports`, in that order.
    pub(crate) fn new(ports: Vec<u16>) -> Self {
        Chooser { ports, next: 0, timestamps: timestamps(), tuples: None, closing: false }
    }

    /// Whether the port is one of those wanted.
    pub(crate) fn has(&self, port: u16) -> bool {
        self.ports.contains(&port)
    }

    /// Whether, of the ports that the last socket could not have, one comes free when the other side
    /// closes a connection that is closed here.
    pub(crate) const fn is_free_soon(&self) -> bool {
        self.closing
    }

    /// Binds a TCP socket to `local` with one of the ports. `destination` is canonical.
    pub(crate) fn stream(
        &mut self,
        socket: &OwnedFd,
        local: SocketAddr,
        destination: Option<SocketAddr>,
    ) -> Result<Port, Miss> {
        self.closing = false;
        let before = socket_reuseaddr(socket).unwrap_or(false);
        if before {
            let _ = set_socket_reuseaddr(socket, false);
        }
        let near = self.ports.len().min(NEAR);
        let mut found = self.unused(socket, local, destination, 0..near);
        if found.is_err_and(Miss::may_be_shared) {
            let _ = set_socket_reuseaddr(socket, true);
            found = self.shared(socket, local, destination);
            if found.is_err_and(Miss::may_be_shared) && near < self.ports.len() {
                let _ = set_socket_reuseaddr(socket, false);
                let shared = found;
                found = self.unused(socket, local, destination, near..self.ports.len());
                found = if found.is_ok() { found } else { shared };
            }
        }
        let _ = set_socket_reuseaddr(socket, found.is_ok() || before);
        found
    }

    /// Binds a UDP socket. Its ports are never shared: the other socket would get the replies.
    pub(crate) fn datagram(
        &mut self,
        socket: &OwnedFd,
        local: SocketAddr,
        destination: Option<SocketAddr>,
    ) -> Result<Port, Miss> {
        self.unused(socket, local, destination, 0..self.ports.len())
    }

    /// Binds to a port that no socket has, among those at these distances from the next.
    fn unused(
        &mut self,
        socket: &OwnedFd,
        local: SocketAddr,
        destination: Option<SocketAddr>,
        distances: std::ops::Range<usize>,
    ) -> Result<Port, Miss> {
        self.first(distances, |_, port| {
            if is_itself(port, destination) {
                return Err(Cause::Itself);
            }
            attempt(socket, local, port)
        })
    }

    /// Binds to a port whose holders share it.
    fn shared(
        &mut self,
        socket: &OwnedFd,
        local: SocketAddr,
        destination: Option<SocketAddr>,
    ) -> Result<Port, Miss> {
        if self.tuples.is_none() {
            self.tuples = Tuples::open().ok();
        }
        let mut closing = false;
        let visible = self.tuples.as_ref().is_some_and(|tuples| tuples.sees(socket));
        let source = local.ip().to_canonical();
        let source = (!source.is_unspecified()).then_some(source);
        let found = self.first(0..self.ports.len(), |chooser, port| {
            if is_itself(port, destination) {
                return Err(Cause::Itself);
            }
            let held = match (&chooser.tuples, destination) {
                (Some(tuples), Some(destination)) if visible => {
                    tuples.held(source, port, destination)
                }
                _ => Held::Unknown,
            };
            match held {
                Held::Live => Err(Cause::SameDestination),
                Held::Closing => {
                    closing = true;
                    Err(Cause::SameDestination)
                }
                Held::TimeWait(seconds) if !chooser.timestamps => Err(Cause::TimeWait { seconds }),
                Held::Free | Held::TimeWait(_) | Held::Unknown => attempt(socket, local, port),
            }
        });
        self.closing = closing;
        found
    }

    /// The first port, in order, that `attempt` succeeds with. Of several causes the one that says
    /// most is told.
    fn first(
        &mut self,
        distances: std::ops::Range<usize>,
        mut attempt: impl FnMut(&Self, u16) -> Result<(), Cause>,
    ) -> Result<Port, Miss> {
        let mut miss = Miss { cause: Cause::InUse, port: None };
        for distance in distances {
            let at = (self.next + distance) % self.ports.len();
            let port = self.ports[at];
            match attempt(self, port) {
                Ok(()) => {
                    self.next = (at + 1) % self.ports.len();
                    return Ok(Port::new(port));
                }
                Err(cause) => {
                    if miss.port.is_none() || cause != Cause::InUse {
                        miss = Miss { cause, port: Some(Port::new(port)) };
                    }
                    // About every port, or about the address: the next one would say the same.
                    if matches!(cause, Cause::NotHere | Cause::Other(_)) {
                        break;
                    }
                }
            }
        }
        Err(miss)
    }
}

impl Miss {
    const fn may_be_shared(self) -> bool {
        matches!(self.cause, Cause::InUse | Cause::SameDestination | Cause::TimeWait { .. })
    }
}

fn attempt(socket: &OwnedFd, local: SocketAddr, port: u16) -> Result<(), Cause> {
    let mut local = local;
    local.set_port(port);
    bind(socket, &local).map_err(cause_of)
}

/// What an error of `bind()` means.
pub(crate) fn cause_of(error: Errno) -> Cause {
    match error {
        Errno::ADDRINUSE => Cause::InUse,
        Errno::ACCESS => Cause::Privilege,
        Errno::ADDRNOTAVAIL => Cause::NotHere,
        error => Cause::Other(error.raw_os_error()),
    }
}

/// Whether TCP timestamps are on here: only then is a TIME_WAIT taken over
/// (`net.ipv4.tcp_timestamps`).
pub(crate) fn timestamps() -> bool {
    let value = std::fs::read_to_string("/proc/sys/net/ipv4/tcp_timestamps");
    value.map_or(true, |value| value.trim() != "0")
}

/// Whether a connection from this port would be one to itself: TCP allows two sockets to open at
/// once (RFC 9293 section 3.5), so a socket can open with itself.
fn is_itself(port: u16, destination: Option<SocketAddr>) -> bool {
    let here =
        |address: IpAddr| address.is_loopback() || address.is_unspecified() || is_local(address);
    destination.is_some_and(|there| there.port() == port && here(there.ip()))
}
