//! What makes a connection itself: two ends and a protocol.

use core::fmt;
use core::net::{IpAddr, SocketAddr};

use crate::{Port, Protocol};

/// The five values that no two connections of a host share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// The transport.
    pub protocol: Protocol,
    /// The address on this host; unspecified for a wildcard bind.
    pub local_address: IpAddr,
    /// The port on this host: the source port of an outgoing connection.
    pub local_port: Port,
    /// The peer's address; unspecified when there is none.
    pub remote_address: IpAddr,
    /// The peer's port; 0 when there is none.
    pub remote_port: Port,
}

impl Tuple {
    /// The same connection with IPv4-mapped addresses (`::ffff:192.0.2.1`, RFC 4291 section
    /// 2.5.5.2) written as IPv4: to the kernel both are one tuple.
    #[must_use]
    #[inline]
    pub fn canonical(self) -> Self {
        // Asked of every socket of a host, and nearly always this.
        if self.local_address.is_ipv4() && self.remote_address.is_ipv4() {
            return self;
        }
        Tuple {
            local_address: self.local_address.to_canonical(),
            remote_address: self.remote_address.to_canonical(),
            ..self
        }
    }
}

impl fmt::Display for Tuple {
    /// `tcp 192.0.2.1:40000 -> 198.51.100.7:443`, IPv6 addresses in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = SocketAddr::new(self.local_address, self.local_port.number());
        let remote = SocketAddr::new(self.remote_address, self.remote_port.number());
        write!(f, "{} {local} -> {remote}", self.protocol)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use super::*;

    #[test]
    fn mapped_addresses_are_the_same_connection() {
        let tuple = |local: &str, remote: &str| Tuple {
            protocol: Protocol::Tcp,
            local_address: local.parse().unwrap(),
            local_port: Port::new(40000),
            remote_address: remote.parse().unwrap(),
            remote_port: Port::new(443),
        };
        let plain = tuple("192.0.2.1", "198.51.100.7");
        assert_eq!(tuple("::ffff:192.0.2.1", "::ffff:198.51.100.7").canonical(), plain);
        assert_eq!(plain.to_string(), "tcp 192.0.2.1:40000 -> 198.51.100.7:443");
        let six = tuple("2001:db8::1", "2001:db8::2");
        assert_eq!(six.canonical(), six);
        assert_eq!(six.to_string(), "tcp [2001:db8::1]:40000 -> [2001:db8::2]:443");
    }
}
