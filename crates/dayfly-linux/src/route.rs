//! Which source address the kernel would choose for a destination.
//!
//! Asked through rtnetlink(7), not by connecting a UDP socket, which is the usual way: that needs a
//! free UDP port, and where ports are short is where this question is asked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// `struct nlmsghdr` and `struct rtmsg` (`include/uapi/linux/{netlink,rtnetlink}.h`).
const HEADER: usize = 16;
const ROUTE: usize = 12;
const NLMSG_ERROR: u16 = 2;
const RTM_NEWROUTE: u16 = 24;
const RTM_GETROUTE: u16 = 26;
const RTA_DST: u16 = 1;
const RTA_PREFSRC: u16 = 7;
/// Route types that lead nowhere: `RTN_BLACKHOLE`, `RTN_UNREACHABLE`, `RTN_PROHIBIT`.
const NOWHERE: std::ops::RangeInclusive<u8> = 6..=8;

/// The source address of the calling thread's network namespace for a new connection to
/// `destination`. Nothing is sent, and no port is taken.
///
/// # Errors
/// `ENETUNREACH` or another error of the route look-up when there is no route, `EADDRNOTAVAIL` when
/// there is no address of that family.
pub fn source_of(destination: SocketAddr) -> io::Result<IpAddr> {
    let address = match destination.ip().to_canonical() {
        // connect(2) takes it for this host.
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        // NETLINK_ROUTE is 0.
        None,
    )?;
    let kernel = netlink::SocketAddrNetlink::new(0, 0);
    rustix::net::sendto(&socket, &request(address), SendFlags::empty(), &kernel)?;
    let mut buffer = [0; 4096];
    let (length, _) = loop {
        match rustix::net::recv(&socket, &mut buffer[..], RecvFlags::empty()) {
            Err(Errno::INTR) => {}
            received => break received?,
        }
    };
    Ok(source_in(&buffer[..length])?)
}

fn request(address: IpAddr) -> Vec<u8> {
    let (family, bytes) = match address {
        IpAddr::V4(address) => (AddressFamily::INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AddressFamily::INET6, address.octets().to_vec()),
    };
    let attribute = 4 + bytes.len();
    let mut request = Vec::with_capacity(HEADER + ROUTE + attribute);
    request.extend(((HEADER + ROUTE + attribute) as u32).to_ne_bytes());
    request.extend(RTM_GETROUTE.to_ne_bytes());
    request.extend((libc::NLM_F_REQUEST as u16).to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family.as_raw() as u8, (bytes.len() * 8) as u8]);
    request.extend([0; ROUTE - 2]);
    request.extend((attribute as u16).to_ne_bytes());
    request.extend(RTA_DST.to_ne_bytes());
    request.extend(bytes);
    request
}

/// The preferred source in the kernel's answer, whatever bytes it has.
fn source_in(answer: &[u8]) -> Result<IpAddr, Errno> {
    let broken = Errno::BADMSG;
    let kind = half(answer, 4).ok_or(broken)?;
    if kind == NLMSG_ERROR {
        let errno = answer.get(HEADER..HEADER + 4).ok_or(broken)?;
        let errno = i32::from_ne_bytes(errno.try_into().map_err(|_| broken)?);
        return Err(Errno::from_raw_os_error(errno.wrapping_neg().clamp(1, 4095)));
    }
    let route = answer.get(HEADER..HEADER + ROUTE).ok_or(broken)?;
    if kind != RTM_NEWROUTE {
        return Err(broken);
    }
    if NOWHERE.contains(&route[7]) {
        return Err(Errno::NETUNREACH);
    }
    let mut rest = answer.get(HEADER + ROUTE..).unwrap_or_default();
    while let (Some(length), Some(kind)) = (half(rest, 0), half(rest, 2)) {
        let length = usize::from(length);
        let Some(value) = rest.get(4..length) else { break };
        if kind == RTA_PREFSRC {
            if let Ok(octets) = <[u8; 4]>::try_from(value) {
                return Ok(IpAddr::from(octets));
            }
            if let Ok(octets) = <[u8; 16]>::try_from(value) {
                return Ok(IpAddr::from(octets).to_canonical());
            }
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(Errno::ADDRNOTAVAIL)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use dayfly_testkit::{Namespace, SocketOptions, drain_bind, needs, privileged};
    use proptest::prelude::*;

    use super::*;

    fn source(text: &str) -> Result<String, Option<i32>> {
        let found = source_of(text.parse().unwrap());
        found.map(|address| address.to_string()).map_err(|error| error.raw_os_error())
    }

    #[test]
    fn the_routes_choose() {
        privileged!();
        needs!("ip", "iproute2");
        let namespace = Namespace::new();
        namespace.add_address("lo", "10.9.0.1/24");
        namespace.add_address("lo", "2001:db8::1/64");
        namespace.add_route("198.51.100.0/24 dev lo src 10.9.0.1");
        namespace.add_route("unreachable 203.0.113.0/24");
        namespace.run(|| {
            let chosen = |text: &str| Ok(text.to_owned());
            assert_eq!(source("127.0.0.9:80"), chosen("127.0.0.1"));
            assert_eq!(source("0.0.0.0:80"), chosen("127.0.0.1"));
            assert_eq!(source("[::1]:80"), chosen("::1"));
            assert_eq!(source("[::]:80"), chosen("::1"));
            assert_eq!(source("[::ffff:198.51.100.7]:80"), chosen("10.9.0.1"));
            assert_eq!(source("[2001:db8::7]:80"), chosen("2001:db8::1"));
            assert_eq!(source("192.0.2.1:80"), Err(Some(libc::ENETUNREACH)));
            assert_eq!(source("[2001:db9::7]:80"), Err(Some(libc::ENETUNREACH)));
            assert_eq!(source("203.0.113.1:80"), Err(Some(libc::EHOSTUNREACH)));
        });
    }

    #[test]
    fn it_needs_no_port() {
        privileged!();
        let namespace = Namespace::new();
        namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40001");
        namespace.run(|| {
            let _all = drain_bind(&SocketOptions::udp(), "0.0.0.0:0".parse().unwrap());
            assert_eq!(source("127.0.0.1:80"), Ok("127.0.0.1".to_owned()));
        });
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(mut bytes: Vec<u8>, kind in 0u16..30) {
            if bytes.len() >= 6 {
                bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
            }
            let _ = source_in(&bytes);
        }
    }
}
