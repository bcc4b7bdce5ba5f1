//! What a port is allocated for: a tuple without its local port.

use core::fmt;
use core::net::{IpAddr, Ipv6Addr};

use dayfly_ports::{Port, Protocol, Tuple};

use crate::Random;

/// A tuple without its local port: protocol, local address, remote address, remote port.
///
/// IPv4-mapped addresses are the same as IPv4 ones, as they are to every stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    protocol: Protocol,
    local: u128,
    remote: u128,
    remote_port: u16,
}

impl Key {
    /// The key of connections from `local` to `remote`, port `remote_port`.
    #[must_use]
    pub fn new(protocol: Protocol, local: IpAddr, remote: IpAddr, remote_port: Port) -> Self {
        let remote_port = remote_port.number();
        Key { protocol, local: bits(local), remote: bits(remote), remote_port }
    }

    /// The transport.
    #[must_use]
    pub const fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// The address on this host.
    #[must_use]
    pub fn local_address(&self) -> IpAddr {
        address(self.local)
    }

    /// The peer's address.
    #[must_use]
    pub fn remote_address(&self) -> IpAddr {
        address(self.remote)
    }

    /// The peer's port.
    #[must_use]
    pub const fn remote_port(&self) -> Port {
        Port::new(self.remote_port)
    }

    /// The connection that this key and a local port make.
    #[must_use]
    pub fn tuple(&self, local_port: Port) -> Tuple {
        Tuple {
            protocol: self.protocol,
            local_address: self.local_address(),
            local_port,
            remote_address: self.remote_address(),
            remote_port: self.remote_port(),
        }
    }

    /// What the key shares with other destinations: protocol and local address.
    pub(crate) const fn scope(&self) -> (Protocol, u128) {
        (self.protocol, self.local)
    }

    /// The bytes that keyed hashes are taken over: addresses and remote port, as in RFC 6056
    /// section 3.3.3.
    pub(crate) fn bytes(&self) -> [u8; 35] {
        let mut bytes = [0; 35];
        bytes[..16].copy_from_slice(&self.local.to_be_bytes());
        bytes[16..32].copy_from_slice(&self.remote.to_be_bytes());
        bytes[32..34].copy_from_slice(&self.remote_port.to_be_bytes());
        bytes[34] = self.protocol.ip_number();
        bytes
    }
}

impl From<Tuple> for Key {
    fn from(tuple: Tuple) -> Self {
        Key::new(tuple.protocol, tuple.local_address, tuple.remote_address, tuple.remote_port)
    }
}

impl fmt::Display for Key {
    /// `tcp 192.0.2.1 -> 198.51.100.7 port 443`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (local, remote) = (self.local_address(), self.remote_address());
        write!(f, "{} {local} -> {remote} port {}", self.protocol, self.remote_port)
    }
}

fn address(bits: u128) -> IpAddr {
    Ipv6Addr::from_bits(bits).to_canonical()
}

#[inline]
pub(crate) fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(four) => 0xFFFF_0000_0000 | u128::from(four.to_bits()),
        IpAddr::V6(six) => six.to_bits(),
    }
}

/// A keyed hash over keys: fast, and out of the reach of a peer who does not know the secret.
///
/// Folded 64-bit multiplications, as in wyhash. Not a cryptographic hash; a collision costs two
/// destinations that share one space of ports, never a doubled tuple.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprints {
    secret: [u64; 6],
}

impl Fingerprints {
    pub(crate) fn new(random: &mut impl Random) -> Self {
        Fingerprints { secret: core::array::from_fn(|_| random.next_u64() | 1) }
    }

    /// 40 bits that stand for the key, never all 0.
    #[inline]
    pub(crate) fn of(&self, key: &Key) -> u64 {
        let [a, b, c, d, e, f] = self.secret;
        let local = fold((key.local >> 64) as u64 ^ a, key.local as u64 ^ b);
        let remote = fold((key.remote >> 64) as u64 ^ c, key.remote as u64 ^ d);
        let rest = u64::from(key.remote_port) << 8 | u64::from(key.protocol.ip_number());
        (fold(local.rotate_left(20) ^ remote ^ e, rest ^ f) >> 24).max(1)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::HashSet;
    use std::string::ToString;

    use super::*;
    use crate::Xoshiro;

    fn key(local: &str, remote: &str, port: u16) -> Key {
        let (local, remote) = (local.parse().unwrap(), remote.parse().unwrap());
        Key::new(Protocol::Tcp, local, remote, Port::new(port))
    }

    #[test]
    fn mapped_addresses_are_the_same_key() {
        let plain = key("192.0.2.1", "198.51.100.7", 443);
        assert_eq!(key("::ffff:192.0.2.1", "::ffff:198.51.100.7", 443), plain);
        assert_eq!(plain.to_string(), "tcp 192.0.2.1 -> 198.51.100.7 port 443");
        assert_eq!(Key::from(plain.tuple(Port::new(40000))), plain);
    }

    #[test]
    fn fingerprints_of_neighbours_differ() {
        let fingerprints = Fingerprints::new(&mut Xoshiro::seeded(1));
        let mut seen = HashSet::new();
        for port in 0..1000 {
            for last in 0..50 {
                let remote = IpAddr::from([198, 51, 100, last]);
                let key = Key::new(Protocol::Udp, [192, 0, 2, 1].into(), remote, Port::new(port));
                assert!(seen.insert(fingerprints.of(&key)));
                assert!(fingerprints.of(&key) < 1 << 40);
            }
        }
    }
}
