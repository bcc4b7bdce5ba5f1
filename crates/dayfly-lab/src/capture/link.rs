//! From a frame to the IP packet in it.

use std::fmt;

use super::bytes::{Order, be16, be32};
use super::decode::Undecoded;

/// What a frame begins with, by its number in the list of tcpdump.org (LINKTYPE_*).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u32);

impl LinkType {
    /// BSD loopback: the address family in the order of the machine that captured.
    pub const NULL: LinkType = LinkType(0);
    /// Ethernet.
    pub const ETHERNET: LinkType = LinkType(1);
    /// PPP, perhaps with its HDLC address.
    pub const PPP: LinkType = LinkType(9);
    /// IPv4 or IPv6 without anything before it.
    pub const RAW: LinkType = LinkType(101);
    /// OpenBSD loopback: the address family in network order.
    pub const LOOP: LinkType = LinkType(108);
    /// Linux "cooked": captures of the interface `any`.
    pub const LINUX_SLL: LinkType = LinkType(113);
    /// IPv4 without anything before it.
    pub const IPV4: LinkType = LinkType(228);
    /// IPv6 without anything before it.
    pub const IPV6: LinkType = LinkType(229);
    /// Linux "cooked", version 2.
    pub const LINUX_SLL2: LinkType = LinkType(276);
    /// The interface of the packet was never described.
    pub const UNKNOWN: LinkType = LinkType(u32::MAX);
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            0 => "NULL",
            1 => "ETHERNET",
            9 => "PPP",
            12 | 14 | 101 => "RAW",
            105 => "IEEE802_11",
            108 => "LOOP",
            113 => "LINUX_SLL",
            127 => "IEEE802_11_RADIOTAP",
            189 | 220 => "USB_LINUX",
            228 => "IPV4",
            229 => "IPV6",
            253 => "NETLINK",
            276 => "LINUX_SLL2",
            u32::MAX => return f.write_str("an interface that was not described"),
            number => return write!(f, "link type {number}"),
        };
        f.write_str(name)
    }
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;

/// Where the IP packet begins.
#[inline]
pub(super) fn packet(link: LinkType, bytes: &[u8]) -> Result<&[u8], Undecoded> {
    match link {
        LinkType::ETHERNET => by_ether_type(be16(bytes, 12), bytes, 14),
        LinkType::LINUX_SLL => by_ether_type(be16(bytes, 14), bytes, 16),
        LinkType::LINUX_SLL2 => by_ether_type(be16(bytes, 0), bytes, 20),
        // 12 and 14 are what some systems number their own "raw" link.
        LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => Ok(bytes),
        LinkType::NULL => {
            let native = Order::NATIVE.u32(bytes, 0).ok_or(Undecoded::CutOff)?;
            loopback(native.min(native.swap_bytes()), bytes)
        }
        LinkType::LOOP => loopback(be32(bytes, 0).ok_or(Undecoded::CutOff)?, bytes),
        LinkType::PPP => {
            let framed = bytes.starts_with(&[0xff, 0x03]);
            ppp(bytes, if framed { 2 } else { 0 })
        }
        other => Err(Undecoded::Link(other)),
    }
}

/// Address families of the systems that write such captures: IPv6 is 24, 28 or 30 on the BSDs, 10 on
/// Linux.
fn loopback(family: u32, bytes: &[u8]) -> Result<&[u8], Undecoded> {
    match family {
        2 | 10 | 23 | 24 | 28 | 30 => rest(bytes, 4),
        _ => Err(Undecoded::NotIp),
    }
}

/// Tags and labels peel off until IP is left. More than eight of them are damage.
#[inline]
fn by_ether_type(kind: Option<u16>, bytes: &[u8], mut at: usize) -> Result<&[u8], Undecoded> {
    let mut kind = kind.ok_or(Undecoded::CutOff)?;
    for _ in 0..8 {
        match kind {
            IPV4 | IPV6 => return rest(bytes, at),
            // 802.1Q, 802.1ad and what came before it: two bytes of tag, then the next type.
            0x8100 | 0x88a8 | 0x9100 | 0x9200 => {
                kind = be16(bytes, at + 2).ok_or(Undecoded::CutOff)?;
                at += 4;
            }
            // A PPPoE session: six bytes, then PPP.
            0x8864 => return ppp(bytes, at + 6),
            // MPLS: labels of four bytes, the last one marked; what follows says itself what it is.
            0x8847 | 0x8848 => {
                let label = be32(bytes, at).ok_or(Undecoded::CutOff)?;
                at += 4;
                if label & 0x100 != 0 {
                    return rest(bytes, at);
                }
            }
            _ => return Err(Undecoded::NotIp),
        }
    }
    Err(Undecoded::NotIp)
}

fn ppp(bytes: &[u8], at: usize) -> Result<&[u8], Undecoded> {
    match be16(bytes, at) {
        Some(0x0021 | 0x0057) => rest(bytes, at + 2),
        Some(_) => Err(Undecoded::NotIp),
        None => Err(Undecoded::CutOff),
    }
}

#[inline]
fn rest(bytes: &[u8], at: usize) -> Result<&[u8], Undecoded> {
    bytes.get(at..).ok_or(Undecoded::CutOff)
}
