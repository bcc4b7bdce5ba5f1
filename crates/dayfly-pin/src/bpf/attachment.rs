//! Programs, maps and cgroup of one pinned command.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};

use super::group::Group;
use super::kernel::{self, INET4_CONNECT, INET6_CONNECT};
use super::program::{self, Family, Recipe};
use super::ring::Ring;
use crate::error::Error;
use crate::pin::{Pin, Wish};

/// Bytes of the ring buffer: for some events, and for one about each connection.
const FEW: u32 = 1 << 16;
const MANY: u32 = 1 << 20;

/// More addresses of this host are not looked through.
const MOST_OWN: usize = 16;

/// What keeps the programs attached.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) group: Group,
    /// Each is one program; the last one to close a link takes the program off.
    pub(crate) links: [OwnedFd; 2],
}

/// What the caller reads.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) ring: Ring,
    ports: OwnedFd,
    length: usize,
}

impl Attachment {
    /// Makes everything but the command.
    pub(crate) fn make(pin: &Pin, ports: &[u16]) -> Result<(Attachment, Tap), Error> {
        if let Some(what) = beyond(pin) {
            return Err(Error::BpfCannot(what));
        }
        let group = Group::make()?;
        match fill(pin, ports, &group) {
            Ok((links, tap)) => Ok((Attachment { group, links }, tap)),
            Err(error) => {
                group.remove();
                Err(error)
            }
        }
    }
}

impl Tap {
    /// How many events found the ring buffer full.
    pub(crate) fn lost(&self) -> u32 {
        kernel::value_in(&self.ports, self.length).map_or(0, |value| program::lost_in(&value))
    }
}

/// What this way cannot do.
fn beyond(pin: &Pin) -> Option<&'static str> {
    if pin.offer {
        Some("choose the port of a bind(); that is --offer")
    } else if matches!(pin.wish, Wish::WholeRange) {
        Some("set IP_LOCAL_PORT_RANGE; that is --whole-range")
    } else {
        None
    }
}

fn fill(pin: &Pin, ports: &[u16], group: &Group) -> Result<([OwnedFd; 2], Tap), Error> {
    let value = program::value_of(ports);
    let map = kernel::value_map(&value)?;
    let size = if pin.report { MANY } else { FEW };
    let events = kernel::ring(size)?;
    let own = own_addresses();
    let recipe = Recipe {
        ports: map.as_raw_fd(),
        count: ports.len() as u32,
        events: events.as_raw_fd(),
        address: pin.address,
        destinations: &pin.destinations,
        own: &own,
        udp: pin.udp,
        strict: pin.strict,
        report: pin.report,
    };
    let link = |family, attach| {
        let program = kernel::load(&program::assemble(family, &recipe), attach)?;
        kernel::attach(&program, &group.folder, attach)
    };
    let links = [link(Family::V4, INET4_CONNECT)?, link(Family::V6, INET6_CONNECT)?];
    let failed = |error| Error::Bpf { doing: "the BPF ring buffer cannot be mapped", error };
    let ring = Ring::open(events, size as usize).map_err(failed)?;
    Ok((links, Tap { ring, ports: map, length: value.len() }))
}

/// Addresses of this network namespace's interfaces (getifaddrs(3)).
#[expect(unsafe_code, reason = "getifaddrs(3) has no safe wrapper")]
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the list is followed until its end and given back once; an address is read as the
    // kind that its family says.
    unsafe {
        if libc::getifaddrs(&raw mut list) != 0 {
            return found;
        }
        let mut at = list;
        while !at.is_null() && found.len() < MOST_OWN {
            let address = (*at).ifa_addr;
            if !address.is_null() {
                match i32::from((*address).sa_family) {
                    libc::AF_INET => {
                        let address = &*address.cast::<libc::sockaddr_in>();
                        let octets = address.sin_addr.s_addr.to_ne_bytes();
                        found.push(IpAddr::V4(Ipv4Addr::from(octets)));
                    }
                    libc::AF_INET6 => {
                        let address = &*address.cast::<libc::sockaddr_in6>();
                        found.push(IpAddr::V6(Ipv6Addr::from(address.sin6_addr.s6_addr)));
                    }
                    _ => {}
                }
            }
            at = (*at).ifa_next;
        }
        libc::freeifaddrs(list);
    }
    found
}

#[cfg(test)]
mod tests {
    use dayfly_ports::{Port, PortRange};

    use super::*;
    use crate::bpf::kernel::complaint;

    /// Every program that can be assembled passes the kernel's verifier.
    #[test]
    fn the_verifier_accepts_every_program() {
        dayfly_testkit::privileged!();
        let events = kernel::ring(FEW).unwrap();
        let v4: IpAddr = "127.0.0.1".parse().unwrap();
        let v6: IpAddr = "::1".parse().unwrap();
        for count in [0, 1, 7, 1000, 65535] {
            let ports: Vec<u16> = (0..count).map(|port| port as u16 + 1).collect();
            let map = kernel::value_map(&program::value_of(&ports)).unwrap();
            for bits in 0..48 {
                let set = |bit: u32| bits >> bit & 1 == 1;
                let range = PortRange::single(Port::new(1));
                let mut pin = Pin::ports(range).udp(set(0)).strict(set(1)).report(set(2));
                if set(3) {
                    pin = pin.destination(v4, None).destination(v6, Some(Port::new(443)));
                }
                let recipe = Recipe {
                    ports: map.as_raw_fd(),
                    count,
                    events: events.as_raw_fd(),
                    address: [None, Some(v4), Some(v6)][bits as usize >> 4],
                    destinations: &pin.destinations,
                    own: &[v4, v6, "10.0.0.1".parse().unwrap()],
                    udp: pin.udp,
                    strict: pin.strict,
                    report: pin.report,
                };
                for (family, attach) in [(Family::V4, INET4_CONNECT), (Family::V6, INET6_CONNECT)] {
                    let program = program::assemble(family, &recipe);
                    if let Err(error) = kernel::load(&program, attach) {
                        panic!("{error}: {family:?} {recipe:?}\n{}", complaint(&program, attach));
                    }
                }
            }
        }
    }
}
