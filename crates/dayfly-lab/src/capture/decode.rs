//! From a frame to what it says about a connection.

use dayfly_ports::{Port, Protocol, Tuple};

use super::bytes::{be16, be32};
use super::link::LinkType;
use super::reader::Frame;
use super::{ip, link};

/// One packet of a connection, as far as ports are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// The connection, seen from the sender: its address and port are the local ones.
    pub tuple: Tuple,
    /// What the packet does.
    pub role: Role,
    /// Time to live, or hop limit.
    pub ttl: u8,
}

/// What a packet does to its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It opens it: SYN, or SCTP's INIT. The sender chose its port.
    Opens {
        /// TCP's initial sequence number, SCTP's initiate tag: the same when it is sent again.
        mark: u32,
        /// How the sender's stack fills the packet in.
        stack: Stack,
    },
    /// It answers: the receiver opened, with this mark.
    Answers {
        /// The mark of the packet that it answers.
        mark: u32,
    },
    /// It belongs to a connection that was opened before.
    Continues,
    /// UDP does not say who began.
    Datagram,
}

/// What an opening tells of the stack that made it: two different ones are two different stacks.
/// 0 where nothing was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stack(pub u32);

/// Why a frame says nothing about ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Undecoded {
    /// Not enough of it was captured.
    CutOff,
    /// A link that is not known here.
    Link(LinkType),
    /// ARP, or anything else that is not IP.
    NotIp,
    /// A fragment after the first, which has no ports.
    Fragment,
    /// Neither TCP, UDP nor SCTP: its IP protocol number.
    Transport(u8),
    /// A header that contradicts itself.
    Damaged,
}

const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const ACK: u8 = 0x10;

/// What the frame says about a connection.
///
/// # Errors
/// [`Undecoded`], when it says nothing.
#[inline]
pub fn decode(frame: &Frame<'_>) -> Result<Segment, Undecoded> {
    let packet = ip::packet(link::packet(frame.link, frame.bytes)?)?;
    let bytes = packet.payload;
    let (protocol, role) = match packet.protocol {
        6 => {
            let flags = *bytes.get(13).ok_or(Undecoded::CutOff)?;
            let role = match flags & (SYN | ACK | RST) {
                SYN => Role::Opens { mark: be32(bytes, 4).unwrap_or(0), stack: tcp_stack(bytes) },
                both if both == SYN | ACK => {
                    Role::Answers { mark: be32(bytes, 8).unwrap_or(0).wrapping_sub(1) }
                }
                _ => Role::Continues,
            };
            (Protocol::Tcp, role)
        }
        17 => (Protocol::Udp, Role::Datagram),
        132 => {
            // The common header is 12 bytes; the first chunk's type follows.
            let role = match bytes.get(12) {
                Some(1) => {
                    Role::Opens { mark: be32(bytes, 16).unwrap_or(0), stack: Stack::default() }
                }
                Some(2) => Role::Answers { mark: be32(bytes, 4).unwrap_or(0) },
                Some(_) => Role::Continues,
                None => return Err(Undecoded::CutOff),
            };
            (Protocol::Sctp, role)
        }
        other => return Err(Undecoded::Transport(other)),
    };
    let port = |at: usize| be16(bytes, at).map(Port::new).ok_or(Undecoded::CutOff);
    let tuple = Tuple {
        protocol,
        local_address: packet.source,
        local_port: port(0)?,
        remote_address: packet.destination,
        remote_port: port(2)?,
    };
    Ok(Segment { tuple, role, ttl: packet.ttl })
}

/// The order of TCP's options, without their values, which follow the route and the program, and
/// without those that programs switch on: MPTCP (30), Fast Open (34, 254).
fn tcp_stack(bytes: &[u8]) -> Stack {
    let end = usize::from(bytes.get(12).copied().unwrap_or(0) >> 4) * 4;
    let mut options = bytes.get(20..end.min(bytes.len())).unwrap_or(&[]);
    // FNV-1a.
    let mut hash = 0x811c_9dc5_u32;
    let mut add = |byte: u8| hash = (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    while let Some((&kind, rest)) = options.split_first() {
        if !matches!(kind, 30 | 34 | 254) {
            add(kind);
        }
        options = match kind {
            0 => break,
            1 => rest,
            _ => {
                let length = usize::from(rest.first().copied().unwrap_or(0));
                match options.get(length.max(2)..) {
                    Some(rest) => rest,
                    None => break,
                }
            }
        };
    }
    Stack(hash | 1)
}
