//! Which source address the kernel would choose for a destination.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// The source address of the calling thread's network namespace for a new connection to
/// `destination`. Connecting a UDP socket does the look-up and sends nothing.
///
/// # Errors
/// As `connect(2)`: `ENETUNREACH` when there is no route, `EADDRNOTAVAIL` when there is no address
/// of that family.
pub fn source_of(destination: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match destination {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0))?;
    socket.connect(destination)?;
    Ok(socket.local_addr()?.ip().to_canonical())
}
