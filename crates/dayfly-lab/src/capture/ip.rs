//! From an IP packet to its transport header.

use std::net::IpAddr;

use super::bytes::{array, be16};
use super::decode::Undecoded;

/// Extension headers that are looked through; more are damage or an attack.
const MOST_EXTENSIONS: usize = 16;

/// An IP packet, taken apart.
pub(super) struct Packet<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) protocol: u8,
    /// Time to live, or hop limit.
    pub(super) ttl: u8,
    /// From the transport header on, as far as it was kept.
    pub(super) payload: &'a [u8],
}

/// Takes an IPv4 or IPv6 packet apart; its first half byte says which it is.
#[inline]
pub(super) fn packet(bytes: &[u8]) -> Result<Packet<'_>, Undecoded> {
    match bytes.first() {
        None => Err(Undecoded::CutOff),
        Some(first) => match first >> 4 {
            4 => version4(bytes, *first),
            6 => version6(bytes),
            _ => Err(Undecoded::NotIp),
        },
    }
}

#[inline]
fn version4(bytes: &[u8], first: u8) -> Result<Packet<'_>, Undecoded> {
    let header = bytes.first_chunk::<20>().ok_or(Undecoded::CutOff)?;
    let length = usize::from(first & 0xf) * 4;
    if length < 20 {
        return Err(Undecoded::Damaged);
    }
    let [.., s1, s2, s3, s4, d1, d2, d3, d4] = *header;
    // The offset of a fragment counts eight bytes; only the first one has the ports.
    if u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0 {
        return Err(Undecoded::Fragment);
    }
    // A total length of 0 is what segmentation offload leaves behind.
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    let end = if total == 0 { bytes.len() } else { total.min(bytes.len()) };
    let payload = bytes.get(length..end).ok_or(Undecoded::CutOff)?;
    Ok(Packet {
        source: IpAddr::from([s1, s2, s3, s4]),
        destination: IpAddr::from([d1, d2, d3, d4]),
        protocol: header[9],
        ttl: header[8],
        payload,
    })
}

#[inline]
fn version6(bytes: &[u8]) -> Result<Packet<'_>, Undecoded> {
    let header = bytes.first_chunk::<40>().ok_or(Undecoded::CutOff)?;
    let address = |at: usize| array::<16>(header, at).map(IpAddr::from).ok_or(Undecoded::CutOff);
    let mut protocol = header[6];
    let total = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let rest = &bytes[40..];
    // 0 is a jumbogram, or what segmentation offload leaves behind.
    let mut payload = if total == 0 { rest } else { rest.get(..total).unwrap_or(rest) };
    for _ in 0..MOST_EXTENSIONS {
        let length = match protocol {
            // Hop-by-hop, routing, destination options, mobility, HIP, shim6: in units of eight
            // bytes, the first not counted (RFC 8200 section 4, RFC 6564).
            0 | 43 | 60 | 135 | 139 | 140 => {
                usize::from(*payload.get(1).ok_or(Undecoded::CutOff)?) * 8 + 8
            }
            // Fragment.
            44 => {
                if be16(payload, 2).ok_or(Undecoded::CutOff)? & 0xfff8 != 0 {
                    return Err(Undecoded::Fragment);
                }
                8
            }
            // Authentication, in units of four bytes, two not counted (RFC 4302 section 2.2).
            51 => usize::from(*payload.get(1).ok_or(Undecoded::CutOff)?) * 4 + 8,
            _ => {
                let (source, destination) = (address(8)?, address(24)?);
                return Ok(Packet { source, destination, protocol, ttl: header[7], payload });
            }
        };
        protocol = *payload.first().ok_or(Undecoded::CutOff)?;
        payload = payload.get(length..).ok_or(Undecoded::CutOff)?;
    }
    Err(Undecoded::Damaged)
}
