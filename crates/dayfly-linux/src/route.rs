//! Which source address the kernel would choose for a destination.
//!
//! Asked through rtnetlink(7), not by connecting a UDP socket, which is the usual way: that needs a
//! free UDP port, and where ports are short is where this question is asked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::ControlFlow;

use rustix::io::Errno;

use crate::netlink::wire::{AF_INET, AF_INET6, NLM_F_REQUEST, NLMSG_HDRLEN};
use crate::netlink::{AskError, Attributes, Channel, Frame};

/// `struct rtmsg` (`include/uapi/linux/rtnetlink.h`).
const ROUTE: usize = 12;
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
    let answer = Channel::open(None)?
        .ask(&request(address), |frame| ControlFlow::Break(source_in(frame)))
        .map_err(|error| match error {
            AskError::Refused(errno) => io::Error::from(errno),
            AskError::Broken(error) => io::Error::other(error),
        })?;
    Ok(answer?)
}

fn request(address: IpAddr) -> Vec<u8> {
    let (family, bytes) = match address {
        IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
    };
    let attribute = 4 + bytes.len();
    let mut request = Vec::with_capacity(NLMSG_HDRLEN + ROUTE + attribute);
    request.extend(((NLMSG_HDRLEN + ROUTE + attribute) as u32).to_ne_bytes());
    request.extend(RTM_GETROUTE.to_ne_bytes());
    request.extend(NLM_F_REQUEST.to_ne_bytes());
    request.extend([0; 8]);
    request.extend([family, (bytes.len() * 8) as u8]);
    request.extend([0; ROUTE - 2]);
    request.extend((attribute as u16).to_ne_bytes());
    request.extend(RTA_DST.to_ne_bytes());
    request.extend(bytes);
    request
}

/// The preferred source in the kernel's answer, whatever it has.
fn source_in(answer: Frame<'_>) -> Result<IpAddr, Errno> {
    let payload = match answer {
        Frame::Message { kind: RTM_NEWROUTE, payload, .. } => payload,
        Frame::Error(errno) => return Err(Errno::from_raw_os_error(errno.clamp(1, 4095))),
        Frame::Message { .. } | Frame::Done { .. } => return Err(Errno::BADMSG),
    };
    let (route, attributes) = payload.split_first_chunk::<ROUTE>().ok_or(Errno::BADMSG)?;
    if NOWHERE.contains(&route[7]) {
        return Err(Errno::NETUNREACH);
    }
    let source = Attributes::new(attributes).find(RTA_PREFSRC).ok_or(Errno::ADDRNOTAVAIL)?;
    if let Ok(octets) = <[u8; 4]>::try_from(source) {
        return Ok(IpAddr::from(octets));
    }
    let octets = <[u8; 16]>::try_from(source).map_err(|_| Errno::ADDRNOTAVAIL)?;
    Ok(IpAddr::from(octets).to_canonical())
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
        fn any_answer_is_read_or_refused(payload: Vec<u8>, kind in 20u16..30, errno: i32) {
            let _ = source_in(Frame::Message { kind, payload: &payload, interrupted: false });
            let _ = source_in(Frame::Error(errno));
        }
    }
}
