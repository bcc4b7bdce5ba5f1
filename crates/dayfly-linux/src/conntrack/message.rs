//! The wire format of ctnetlink: one tracked connection. Bytes only, no system call.
//!
//! `struct nfgenmsg` (`include/uapi/linux/netfilter/nfnetlink.h`) and nested attributes
//! (`nfnetlink_conntrack.h`). Addresses and ports are network byte order.

use std::net::{IpAddr, SocketAddr};

use dayfly_insight::nat::Flow;
use dayfly_ports::Protocol;

use crate::netlink::Attributes;
use crate::netlink::wire::{AF_INET, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_HDRLEN, array};

/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET`.
const GET: u16 = 1 << 8 | 1;
/// `NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW`: what a dump consists of.
pub(super) const ENTRY: u16 = 1 << 8;
/// `struct nfgenmsg`: family, version, resource.
const NFGENMSG: usize = 4;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_PROTOINFO: u16 = 4;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_PROTOINFO_TCP: u16 = 1;
const CTA_PROTOINFO_TCP_STATE: u16 = 1;
/// `TCP_CONNTRACK_TIME_WAIT`.
const TIME_WAIT: u8 = 7;

/// The request for every entry of a family: `AF_UNSPEC` (0) for both.
pub(super) fn request() -> [u8; NLMSG_HDRLEN + NFGENMSG] {
    let mut bytes = [0; NLMSG_HDRLEN + NFGENMSG];
    bytes[..4].copy_from_slice(&((NLMSG_HDRLEN + NFGENMSG) as u32).to_ne_bytes());
    bytes[4..6].copy_from_slice(&GET.to_ne_bytes());
    bytes[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    bytes
}

/// The entry in the payload of a frame; none for a protocol without ports, or bytes that are no
/// entry.
#[must_use]
pub fn parse(payload: &[u8]) -> Option<Flow> {
    let is_v4 = *payload.first()? == AF_INET;
    let attributes = Attributes::new(payload.get(NFGENMSG..)?);
    let tuple = |kind| ends(attributes.clone().find(kind)?, is_v4);
    let (protocol, source, _) = tuple(CTA_TUPLE_ORIG)?;
    let (_, answer_source, answer_destination) = tuple(CTA_TUPLE_REPLY)?;
    let state = || {
        let info = attributes.clone().find(CTA_PROTOINFO)?;
        let tcp = Attributes::new(info).find(CTA_PROTOINFO_TCP)?;
        Attributes::new(tcp).find(CTA_PROTOINFO_TCP_STATE)?.first().copied()
    };
    let time_wait = protocol == Protocol::Tcp && state() == Some(TIME_WAIT);
    Some(Flow { protocol, source, answer_source, answer_destination, time_wait })
}

/// Protocol, source and destination of a tuple.
fn ends(tuple: &[u8], is_v4: bool) -> Option<(Protocol, SocketAddr, SocketAddr)> {
    let tuple = Attributes::new(tuple);
    let addresses = Attributes::new(tuple.clone().find(CTA_TUPLE_IP)?);
    let proto = Attributes::new(tuple.find(CTA_TUPLE_PROTO)?);
    let number = *proto.clone().find(CTA_PROTO_NUM)?.first()?;
    let protocol = Protocol::ALL.into_iter().find(|protocol| protocol.ip_number() == number)?;
    let address = |v4: u16, v6: u16| -> Option<IpAddr> {
        if is_v4 {
            Some(array::<4>(addresses.clone().find(v4)?, 0)?.into())
        } else {
            Some(array::<16>(addresses.clone().find(v6)?, 0)?.into())
        }
    };
    let port = |kind| Some(u16::from_be_bytes(array(proto.clone().find(kind)?, 0)?));
    let source = address(CTA_IP_V4_SRC, CTA_IP_V6_SRC)?;
    let destination = address(CTA_IP_V4_DST, CTA_IP_V6_DST)?;
    Some((
        protocol,
        SocketAddr::new(source, port(CTA_PROTO_SRC_PORT)?),
        SocketAddr::new(destination, port(CTA_PROTO_DST_PORT)?),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::netlink::attribute;

    /// A tuple the way the kernel nests it.
    fn tuple(kind: u16, protocol: u8, source: SocketAddr, destination: SocketAddr) -> Vec<u8> {
        let bytes = |address: IpAddr| match address {
            IpAddr::V4(v4) => v4.octets().to_vec(),
            IpAddr::V6(v6) => v6.octets().to_vec(),
        };
        let shift = if source.is_ipv4() { 0 } else { 2 };
        let mut ip = attribute(CTA_IP_V4_SRC + shift, &bytes(source.ip()));
        ip.extend(attribute(CTA_IP_V4_DST + shift, &bytes(destination.ip())));
        let mut proto = attribute(CTA_PROTO_NUM, &[protocol]);
        proto.extend(attribute(CTA_PROTO_SRC_PORT, &source.port().to_be_bytes()));
        proto.extend(attribute(CTA_PROTO_DST_PORT, &destination.port().to_be_bytes()));
        let mut inside = attribute(CTA_TUPLE_IP | 0x8000, &ip);
        inside.extend(attribute(CTA_TUPLE_PROTO | 0x8000, &proto));
        attribute(kind | 0x8000, &inside)
    }

    fn entry(protocol: u8, flow: &Flow, destination: SocketAddr) -> Vec<u8> {
        let family = if flow.source.is_ipv4() { AF_INET } else { 10 };
        let mut bytes = vec![family, 0, 0, 0];
        bytes.extend(tuple(CTA_TUPLE_ORIG, protocol, flow.source, destination));
        bytes.extend(tuple(CTA_TUPLE_REPLY, protocol, flow.answer_source, flow.answer_destination));
        let state = if flow.time_wait { TIME_WAIT } else { 3 };
        let tcp = attribute(CTA_PROTOINFO_TCP_STATE, &[state]);
        bytes.extend(attribute(CTA_PROTOINFO, &attribute(CTA_PROTOINFO_TCP, &tcp)));
        bytes
    }

    #[test]
    fn entries_of_both_families_are_read() {
        for (inner, outer, destination) in [
            ("10.0.0.2:40000", "192.0.2.1:2000", "198.51.100.7:443"),
            ("[fd00::2]:40000", "[2001:db8::1]:2000", "[2001:db8::7]:443"),
        ] {
            let flow = Flow {
                protocol: Protocol::Tcp,
                source: inner.parse().unwrap(),
                answer_source: destination.parse().unwrap(),
                answer_destination: outer.parse().unwrap(),
                time_wait: true,
            };
            let bytes = entry(6, &flow, flow.answer_source);
            assert_eq!(parse(&bytes), Some(flow));
            assert!(flow.is_source_translated());
            assert_eq!(parse(&entry(1, &flow, flow.answer_source)), None, "ICMP has no ports");
            for cut in 0..bytes.len() {
                // Only the state may be missing.
                assert!(parse(&bytes[..cut]).is_none_or(|found| !found.time_wait), "{cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_passed_over(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
