//! What the kernel knows about one TCP tuple (sock_diag(7), one exact question), and which source
//! address it would choose.
//!
//! Asked only when a port is shared: `bind()` with `SO_REUSEADDR` succeeds there, and the
//! program's own `connect()` then fails if the same two ends are connected already.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::{Errno, Result};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, connect_unspec,
    getsockname, netlink, recv, send, socket_with,
};

use crate::sys::option;

/// `SO_NETNS_COOKIE` (`include/uapi/asm-generic/socket.h`, since 5.14).
const SO_NETNS_COOKIE: i32 = 71;

// include/uapi/linux/{netlink,sock_diag,inet_diag}.h.
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const NLM_F_REQUEST: u16 = 1;
const NLMSG_ERROR: u16 = 2;
const REQUEST: usize = 72;
// States of `include/net/tcp_states.h`.
const TCP_FIN_WAIT1: u8 = 4;
const TCP_FIN_WAIT2: u8 = 5;
const TCP_TIME_WAIT: u8 = 6;
const TCP_LAST_ACK: u8 = 9;
const TCP_LISTEN: u8 = 10;
const TCP_CLOSING: u8 = 11;

/// What holds a tuple.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Held {
    /// Nothing.
    Free,
    /// A connection.
    Live,
    /// A connection that this host has closed; the other one still has to.
    Closing,
    /// A connection that is over, for so many more seconds.
    TimeWait(u32),
    /// It could not be found out.
    Unknown,
}

/// Asks about tuples of the network namespace that it was made in.
#[derive(Debug)]
pub(crate) struct Tuples {
    diag: OwnedFd,
    namespace: Option<u64>,
    /// One datagram socket for each family, connected anew for each question. Sends nothing.
    routes: [Option<OwnedFd>; 2],
}

impl Tuples {
    pub(crate) fn open() -> Result<Tuples> {
        let diag = socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::SOCK_DIAG),
        )?;
        let datagram =
            |family| socket_with(family, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok();
        Ok(Tuples {
            namespace: option(&diag, libc::SOL_SOCKET, SO_NETNS_COOKIE).ok(),
            diag,
            routes: [datagram(AddressFamily::INET), datagram(AddressFamily::INET6)],
        })
    }

    /// Whether a socket is of the same network namespace.
    pub(crate) fn sees(&self, socket: &OwnedFd) -> bool {
        option(socket, libc::SOL_SOCKET, SO_NETNS_COOKIE).ok() == self.namespace
    }

    /// Who holds the tuple of a connection from `source`, if the address is fixed, and `port`.
    pub(crate) fn held(&self, source: Option<IpAddr>, port: u16, destination: SocketAddr) -> Held {
        let Some(source) = source.or_else(|| self.source(destination)) else {
            return Held::Unknown;
        };
        self.ask(SocketAddr::new(source, port), destination).unwrap_or(Held::Unknown)
    }

    /// The source address that the kernel would choose.
    fn source(&self, destination: SocketAddr) -> Option<IpAddr> {
        let [v4, v6] = &self.routes;
        let socket = if destination.is_ipv4() { v4 } else { v6 }.as_ref()?;
        connect_unspec(socket).ok()?;
        connect(socket, &destination).ok()?;
        let local = SocketAddr::try_from(getsockname(socket).ok()?).ok()?;
        Some(local.ip())
    }

    fn ask(&self, local: SocketAddr, remote: SocketAddr) -> Result<Held> {
        send(&self.diag, &request(local, remote), SendFlags::empty())?;
        let mut reply = [0; 512];
        let (length, _) = recv(&self.diag, &mut reply, RecvFlags::TRUNC)?;
        Ok(read(&reply[..length.min(512)]))
    }
}

/// Whether the address is this host's: one that a socket can be bound to.
pub(crate) fn is_local(address: IpAddr) -> bool {
    std::net::UdpSocket::bind((address, 0)).is_ok()
}

/// `struct inet_diag_req_v2` behind its `struct nlmsghdr`.
fn request(local: SocketAddr, remote: SocketAddr) -> [u8; REQUEST] {
    let mut bytes = [0; REQUEST];
    bytes[0..4].copy_from_slice(&(REQUEST as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    let family = if remote.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    bytes[16] = family as u8;
    bytes[17] = libc::IPPROTO_TCP as u8;
    bytes[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    bytes[24..26].copy_from_slice(&local.port().to_be_bytes());
    bytes[26..28].copy_from_slice(&remote.port().to_be_bytes());
    fill(&mut bytes[28..44], local.ip());
    fill(&mut bytes[44..60], remote.ip());
    // INET_DIAG_NOCOOKIE: any socket of this tuple.
    bytes[64..72].fill(0xff);
    bytes
}

fn fill(into: &mut [u8], address: IpAddr) {
    match address {
        IpAddr::V4(address) => into[..4].copy_from_slice(&Ipv4Addr::octets(&address)),
        IpAddr::V6(address) => into.copy_from_slice(&Ipv6Addr::octets(&address)),
    }
}

/// `struct inet_diag_msg`: the state is its second byte, the timer's milliseconds are behind the
/// 48 bytes of the tuple.
fn read(reply: &[u8]) -> Held {
    let half = |at: usize| Some(u16::from_ne_bytes(reply.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_ne_bytes(reply.get(at..at + 4)?.try_into().ok()?));
    match half(4) {
        Some(NLMSG_ERROR) => match word(16) {
            Some(error) if error as i32 == -Errno::NOENT.raw_os_error() => Held::Free,
            _ => Held::Unknown,
        },
        Some(SOCK_DIAG_BY_FAMILY) => match (reply.get(17), word(68)) {
            (Some(&TCP_TIME_WAIT), Some(left_ms)) => Held::TimeWait(left_ms.div_ceil(1000)),
            // The kernel falls back to a listener on the port: no tuple.
            (Some(&TCP_LISTEN), _) => Held::Free,
            (Some(&(TCP_FIN_WAIT1 | TCP_FIN_WAIT2 | TCP_LAST_ACK | TCP_CLOSING)), _) => {
                Held::Closing
            }
            (Some(_), _) => Held::Live,
            (None, _) => Held::Unknown,
        },
        _ => Held::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kernel_tells_a_free_tuple_from_a_live_one_and_from_time_wait() {
        for host in ["127.0.0.1", "::1"] {
            let listener = TcpListener::bind((host, 0)).unwrap();
            let server = listener.local_addr().unwrap();
            let client = TcpStream::connect(server).unwrap();
            let port = client.local_addr().unwrap().port();
            let tuples = Tuples::open().unwrap();
            assert_eq!(tuples.held(None, port, server), Held::Live);
            let elsewhere = SocketAddr::new(server.ip(), 1);
            assert_eq!(tuples.held(None, port, elsewhere), Held::Free);
            drop(client);
            drop(listener.accept().unwrap());
            let left = |held| matches!(held, Held::TimeWait(1..=60));
            let held = || tuples.held(Some(server.ip()), port, server);
            while matches!(held(), Held::Live | Held::Closing) {
                std::thread::yield_now();
            }
            assert!(left(held()), "{:?}", held());
        }
    }

    #[test]
    fn own_addresses_are_told_from_others() {
        assert!(is_local("127.0.0.1".parse().unwrap()));
        assert!(!is_local("192.0.2.1".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn any_reply_is_read(reply in prop::collection::vec(any::<u8>(), 0..100)) {
            read(&reply);
        }
    }
}
