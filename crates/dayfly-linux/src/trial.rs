//! What `bind()` says to a port, by trying it: no rule of ours can be wrong about it.
//!
//! The socket is bound, never listens, and is closed at once. For those microseconds the port is
//! held, as by any bound socket; nothing is sent and nothing can arrive.

use std::net::{IpAddr, SocketAddr};

use dayfly_insight::why::{BindOutcome, BindTrial};
use dayfly_ports::{Port, Protocol};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, ipproto, sockopt};

/// Tries to bind `port` at `address`, in the calling thread's network namespace, with and without
/// `SO_REUSEADDR`. A `::` socket accepts IPv4 as well, as most servers' do.
///
/// UDP is tried without it only: with it, the trial could take a datagram that is meant for
/// somebody else.
#[must_use]
pub fn bind(protocol: Protocol, address: IpAddr, port: Port) -> BindTrial {
    let place = SocketAddr::new(address, port.number());
    BindTrial {
        protocol,
        address,
        plain: outcome(attempt(protocol, place, false)),
        reuse_address: (protocol != Protocol::Udp).then(|| outcome(attempt(protocol, place, true))),
    }
}

fn attempt(protocol: Protocol, place: SocketAddr, reuse: bool) -> Result<(), Errno> {
    let family = match place {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, ipproto::UDP),
        Protocol::Sctp => (SocketType::STREAM, ipproto::SCTP),
    };
    let socket = rustix::net::socket_with(family, kind, SocketFlags::CLOEXEC, Some(number))?;
    if family == AddressFamily::INET6 {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    sockopt::set_socket_reuseaddr(&socket, reuse)?;
    rustix::net::bind(&socket, &place)
}

fn outcome(result: Result<(), Errno>) -> BindOutcome {
    match result {
        Ok(()) => BindOutcome::Granted,
        Err(Errno::ADDRINUSE) => BindOutcome::InUse,
        Err(Errno::ACCESS) => BindOutcome::Forbidden,
        Err(Errno::ADDRNOTAVAIL) => BindOutcome::NotHere,
        Err(errno) => BindOutcome::Other(errno.raw_os_error()),
    }
}
