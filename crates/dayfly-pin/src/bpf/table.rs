//! What the programs look up: an array map with one value, written before they run.
//!
//! ```text
//! place reached | events lost | ports | attempts | zero | addresses: counts, IPv4, IPv6 | the ports
//! ```
//!
//! Whatever has a number that differs from command to command is here and not in the programs: what
//! the verifier cannot know, it does not follow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::choose::NEAR;

/// The place in the list of ports that comes next.
pub(crate) const NEXT: i16 = 0;
/// Events that found the ring buffer full.
pub(crate) const LOST_EVENTS: i16 = 4;
/// How many ports there are.
pub(crate) const COUNT: i16 = 8;
/// How many attempts there are: some for a port that nobody has, then one for each port.
pub(crate) const ATTEMPTS: i16 = 12;
/// Always 0.
pub(crate) const ZERO: i16 = 16;
/// The ports, 16 bits each, in network order.
pub(crate) const PORTS: i16 = V6.addresses + 16 * MOST_ADDRESSES as i16;

/// Room for addresses of each family: those of this host, the one that is wanted, and the two that
/// stand for any.
pub(crate) const MOST_ADDRESSES: usize = MOST_OWN + 3;
/// More addresses of this host are not looked through.
pub(crate) const MOST_OWN: usize = 16;

/// Where the addresses of a family are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct List {
    /// How many mean this host, as a destination: all of the list.
    pub(crate) here: i16,
    /// How many a connection can come from: the first ones.
    pub(crate) sources: i16,
    /// The list.
    pub(crate) addresses: i16,
    /// An entry has two to this many bytes.
    pub(crate) shift: i32,
}

/// IPv4.
pub(crate) const V4: List = List { here: 20, sources: 24, addresses: 40, shift: 2 };
/// IPv6; destinations may be IPv4 addresses in it.
pub(crate) const V6: List =
    List { here: 28, sources: 32, addresses: 40 + 4 * MOST_ADDRESSES as i16, shift: 4 };

/// The value for these ports, the addresses of this host, and the source address that is wanted.
pub(crate) fn value_of(ports: &[u16], own: &[IpAddr], wanted: Option<IpAddr>) -> Vec<u8> {
    let mut value = vec![0; PORTS as usize];
    let attempts = ports.len() + ports.len().min(NEAR);
    put(&mut value, COUNT, &(ports.len() as u32).to_ne_bytes());
    put(&mut value, ATTEMPTS, &(attempts as u32).to_ne_bytes());
    let own = &own[..own.len().min(MOST_OWN)];
    for (list, v4) in [(V4, true), (V6, false)] {
        let octets = |address: &IpAddr| match (v4, *address) {
            (true, IpAddr::V4(address)) => Some(address.octets().to_vec()),
            (true, IpAddr::V6(_)) => None,
            (false, IpAddr::V4(address)) => Some(address.to_ipv6_mapped().octets().to_vec()),
            (false, IpAddr::V6(address)) => Some(address.octets().to_vec()),
        };
        let candidates = wanted.as_ref().map_or(own, std::slice::from_ref);
        let sources = candidates.iter().filter(|address| address.is_ipv4() == v4);
        let any: [IpAddr; 2] = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let number_of_sources = sources.clone().count();
        let rest = own.iter().filter(|address| wanted.is_some() || address.is_ipv4() != v4);
        let entries: Vec<_> = sources.chain(rest).chain(&any).filter_map(octets).collect();
        put(&mut value, list.sources, &(number_of_sources as u32).to_ne_bytes());
        put(&mut value, list.here, &(entries.len() as u32).to_ne_bytes());
        put(&mut value, list.addresses, &entries.concat());
    }
    value.extend(ports.iter().flat_map(|port| port.to_be_bytes()));
    value.resize(value.len().next_multiple_of(8), 0);
    value
}

/// How many events were lost, from the value of the map.
pub(crate) fn lost_in(value: &[u8]) -> u32 {
    let at = LOST_EVENTS as usize;
    u32::from_ne_bytes([value[at], value[at + 1], value[at + 2], value[at + 3]])
}

fn put(value: &mut [u8], at: i16, bytes: &[u8]) {
    value[at as usize..][..bytes.len()].copy_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(value: &[u8], at: i16) -> u32 {
        u32::from_ne_bytes(value[at as usize..][..4].try_into().unwrap())
    }

    #[test]
    fn sources_come_first() {
        let own: Vec<IpAddr> =
            ["fe80::1", "10.0.0.1", "::1"].iter().map(|text| text.parse().unwrap()).collect();
        let value = value_of(&[443, 80], &own, None);
        assert_eq!((number(&value, V4.sources), number(&value, V4.here)), (1, 2));
        assert_eq!((number(&value, V6.sources), number(&value, V6.here)), (2, 5));
        assert_eq!(value[V4.addresses as usize..][..8], [10, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(value[V6.addresses as usize..][..2], [0xfe, 0x80]);
        assert_eq!(value[PORTS as usize..][..4], [1, 187, 0, 80]);
        let wanted = Some("10.0.0.2".parse().unwrap());
        let value = value_of(&[], &own, wanted);
        assert_eq!((number(&value, V4.sources), number(&value, V4.here)), (1, 3));
        assert_eq!((number(&value, V6.sources), number(&value, V6.here)), (0, 5));
        assert_eq!(value[V4.addresses as usize..][..8], [10, 0, 0, 2, 10, 0, 0, 1]);
    }

    #[test]
    fn the_most_addresses_fit() {
        for address in ["10.0.0.1", "fe80::1"] {
            let address: IpAddr = address.parse().unwrap();
            for wanted in [None, Some(address), Some("::2".parse().unwrap())] {
                let value = value_of(&[], &[address; 40], wanted);
                assert_eq!(value.len(), (PORTS as usize).next_multiple_of(8));
                assert!(number(&value, V6.here) as usize <= MOST_ADDRESSES);
            }
        }
    }
}
