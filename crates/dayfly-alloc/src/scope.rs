//! What all destinations of one protocol and local address share: claims, the reserved set, and how
//! many connections use each port.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use core::net::IpAddr;

use dayfly_ports::{Port, PortRange, PortSet, Protocol};

use crate::{Key, Pool};

/// Where a claim holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// One local address.
    Address(IpAddr),
    /// Every IPv4 address: a socket bound to `0.0.0.0`.
    AnyV4,
    /// Every IPv6 address: a socket bound to `::` with `IPV6_V6ONLY`.
    AnyV6,
    /// Every address of both families: a dual-stack socket bound to `::`.
    Any,
}

impl Place {
    /// Whether an address belongs to the place. IPv4-mapped addresses are IPv4.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        match self {
            Place::Address(own) => own.to_canonical() == address,
            Place::AnyV4 => address.is_ipv4(),
            Place::AnyV6 => address.is_ipv6(),
            Place::Any => true,
        }
    }

    /// Whether some address belongs to both places.
    #[must_use]
    pub fn overlaps(self, other: Place) -> bool {
        match (self, other) {
            (Place::Address(address), place) | (place, Place::Address(address)) => {
                place.contains(address)
            }
            (Place::AnyV4, Place::AnyV6) | (Place::AnyV6, Place::AnyV4) => false,
            _ => true,
        }
    }
}

/// The claims on one port of one protocol, over all places.
#[derive(Clone, Debug, Default)]
pub(crate) struct PortClaims {
    /// How many claims each place has, and whether they may share.
    pub(crate) by_place: BTreeMap<Place, (u32, bool)>,
}

impl PortClaims {
    /// How many claims hold at this address.
    pub(crate) fn at(&self, address: IpAddr) -> u32 {
        let mine = self.by_place.iter().filter(|(place, _)| place.contains(address));
        mine.map(|(_, (count, _))| count).sum()
    }

    /// Whether a claim at this place would meet one that it cannot share the port with.
    pub(crate) fn refuses(&self, place: Place, shared: bool) -> bool {
        self.by_place
            .iter()
            .any(|(other, (_, theirs))| place.overlaps(*other) && !(shared && *theirs))
    }
}

/// All claims, by protocol and port.
pub(crate) type Claims = BTreeMap<(Protocol, u16), PortClaims>;

/// One protocol and local address.
#[derive(Clone, Debug)]
pub(crate) struct Scope {
    protocol: Protocol,
    address: IpAddr,
    /// Taken: what no destination of this scope may get, because it is reserved or claimed.
    pub(crate) shared: Pool,
    /// Rises with every change of `shared`.
    pub(crate) version: u64,
    /// Connections, in use or held back, by port above the range's low end.
    uses: Box<[u32]>,
}

impl Scope {
    pub(crate) fn new(key: &Key, range: PortRange, reserved: &PortSet, claims: &Claims) -> Self {
        let mut scope = Scope {
            protocol: key.protocol(),
            address: key.local_address(),
            shared: Pool::new(range),
            version: 1,
            uses: vec![0; range.len() as usize].into(),
        };
        for port in range.iter() {
            scope.refresh(port, reserved, claims);
        }
        scope
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    pub(crate) fn address(&self) -> IpAddr {
        self.address
    }

    /// Looks up anew whether a port is reserved or claimed.
    pub(crate) fn refresh(&mut self, port: Port, reserved: &PortSet, claims: &Claims) {
        let address = self.address;
        let claimed = claims.get(&(self.protocol, port.number()));
        let closed = port == Port::MIN
            || reserved.contains(port)
            || claimed.is_some_and(|claims| claims.at(address) > 0);
        let changed = if closed { self.shared.take(port) } else { self.shared.put(port) };
        self.version += u64::from(changed);
    }

    #[inline]
    pub(crate) fn add_use(&mut self, index: usize) {
        self.uses[index] += 1;
    }

    #[inline]
    pub(crate) fn drop_use(&mut self, index: usize) {
        self.uses[index] -= 1;
    }

    /// How many connections use the port or hold it back; 0 outside the range.
    pub(crate) fn uses(&self, port: Port) -> u32 {
        self.shared.index(port).map_or(0, |index| self.uses[index])
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>() + self.shared.bytes() + self.uses.len() * 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_overlap_as_binds_conflict() {
        let four = Place::Address([192, 0, 2, 1].into());
        let mapped = Place::Address("::ffff:192.0.2.1".parse().unwrap());
        let six = Place::Address("2001:db8::1".parse().unwrap());
        let table = [
            (four, mapped, true),
            (four, six, false),
            (four, Place::AnyV4, true),
            (mapped, Place::AnyV4, true),
            (four, Place::AnyV6, false),
            (six, Place::AnyV6, true),
            (four, Place::Any, true),
            (six, Place::Any, true),
            (Place::AnyV4, Place::AnyV6, false),
            (Place::AnyV4, Place::Any, true),
            (Place::Any, Place::Any, true),
        ];
        for (one, other, expected) in table {
            assert_eq!(one.overlaps(other), expected, "{one:?} {other:?}");
            assert_eq!(other.overlaps(one), expected, "{other:?} {one:?}");
        }
    }
}
