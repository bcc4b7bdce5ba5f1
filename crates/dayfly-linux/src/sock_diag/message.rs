//! One socket: `struct inet_diag_msg`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dayfly_insight::{Socket, State};
use dayfly_ports::{Port, Protocol, Tuple};

use crate::netlink::Attributes;
use crate::netlink::wire::{AF_INET, AF_INET6, array};

/// Length of `struct inet_diag_msg`.
const FIXED: usize = 72;
/// `INET_DIAG_SKV6ONLY`: one byte, whether the socket refuses IPv4. Sent for listeners and
/// unconnected sockets.
const INET_DIAG_SKV6ONLY: u16 = 11;
/// `idiag_timer` of a TIME_WAIT: `idiag_expires` says when it ends.
const TIMER_TIME_WAIT: u8 = 3;

/// A socket as the kernel describes it.
///
/// Layout, `include/uapi/linux/inet_diag.h`: family, state, timer, retransmissions (one byte
/// each), then `struct inet_diag_sockid` (ports, addresses, interface, cookie), expires, receive
/// queue, send queue, uid, inode (four bytes each).
#[derive(Clone, Debug)]
pub struct SocketMessage<'a> {
    /// The socket in dayfly's terms. The inode and the uid are the kernel's.
    pub socket: Socket,
    /// The interface that it is bound to; 0 for none.
    pub interface: u32,
    /// Everything behind the fixed part.
    pub attributes: Attributes<'a>,
}

impl<'a> SocketMessage<'a> {
    /// Reads one socket of a dump that was asked for `protocol`.
    ///
    /// # Errors
    /// [`MessageError`] when the payload is shorter than the fixed part, or the family or state
    /// is one that this protocol does not have.
    pub fn parse(protocol: Protocol, payload: &'a [u8]) -> Result<Self, MessageError> {
        let Some((fixed, rest)) = payload.split_first_chunk::<FIXED>() else {
            return Err(MessageError::Truncated { have: payload.len() });
        };
        let attributes = Attributes::new(rest);
        let [family, state, timer, ..] = *fixed;
        let known = state_of(protocol, state).ok_or(MessageError::State(state))?;
        let address = |at: usize| -> Option<IpAddr> {
            match family {
                AF_INET => array::<4>(fixed, at).map(|four| Ipv4Addr::from(four).into()),
                AF_INET6 => array::<16>(fixed, at).map(|sixteen| Ipv6Addr::from(sixteen).into()),
                _ => None,
            }
        };
        let port = |at: usize| Port::new(u16::from_be_bytes([fixed[at], fixed[at + 1]]));
        let word = |at: usize| array(fixed, at).map_or(0, u32::from_ne_bytes);
        let ends = address(8).zip(address(24));
        let (local_address, remote_address) = ends.ok_or(MessageError::Family(family))?;

        // Only listeners and unconnected sockets carry the attribute; do not search for others.
        let may_be_v6_only = family == AF_INET6 && is_unconnected(known);
        let v6_only = may_be_v6_only
            && attributes.clone().find(INET_DIAG_SKV6ONLY).is_some_and(|value| value != [0]);
        let socket = Socket {
            tuple: Tuple {
                protocol,
                local_address,
                local_port: port(4),
                remote_address,
                remote_port: port(6),
            },
            state: known,
            timer_ms: if timer == TIMER_TIME_WAIT { word(52) } else { 0 },
            v6_only,
            uid: word(64),
            inode: word(68),
        };
        Ok(SocketMessage { socket, interface: word(40), attributes })
    }
}

const fn is_unconnected(state: State) -> bool {
    matches!(state, State::Listen | State::BoundInactive | State::Close)
}

/// The kernel's numbers (`include/net/tcp_states.h`); SCTP's diag uses TCP's for what it has.
const fn state_of(protocol: Protocol, number: u8) -> Option<State> {
    Some(match number {
        1 => State::Established,
        2 => State::SynSent,
        3 | 12 => State::SynReceived,
        4 => State::FinWait1,
        5 => State::FinWait2,
        6 => State::TimeWait,
        7 if matches!(protocol, Protocol::Tcp) => State::BoundInactive,
        7 => State::Close,
        8 => State::CloseWait,
        9 => State::LastAck,
        10 => State::Listen,
        11 => State::Closing,
        13 => State::BoundInactive,
        _ => return None,
    })
}

/// Why a payload is not a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageError {
    /// Shorter than `struct inet_diag_msg`.
    Truncated {
        /// How many bytes there are.
        have: usize,
    },
    /// Neither AF_INET nor AF_INET6.
    Family(u8),
    /// A state that no kernel has.
    State(u8),
}

impl fmt::Display for MessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            MessageError::Truncated { have } => {
                write!(f, "a socket of the dump has {have} bytes, fewer than {FIXED}")
            }
            MessageError::Family(family) => {
                write!(f, "a socket of the dump has the unknown address family {family}")
            }
            MessageError::State(state) => {
                write!(f, "a socket of the dump has the unknown state {state}")
            }
        }
    }
}

impl std::error::Error for MessageError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `192.0.2.1:40000 -> 198.51.100.7:443` of this family and state, 5 s on its timer.
    fn message(family: u8, state: u8, attributes: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0; FIXED];
        bytes[0] = family;
        bytes[1] = state;
        bytes[2] = TIMER_TIME_WAIT;
        bytes[4..6].copy_from_slice(&40000u16.to_be_bytes());
        bytes[6..8].copy_from_slice(&443u16.to_be_bytes());
        bytes[8..12].copy_from_slice(&[192, 0, 2, 1]);
        bytes[24..28].copy_from_slice(&[198, 51, 100, 7]);
        bytes[52..56].copy_from_slice(&5000u32.to_ne_bytes());
        bytes[64..68].copy_from_slice(&1000u32.to_ne_bytes());
        bytes[68..72].copy_from_slice(&77u32.to_ne_bytes());
        bytes.extend(attributes);
        bytes
    }

    #[test]
    fn reads_a_time_wait() {
        let bytes = message(AF_INET, 6, &[]);
        let socket = SocketMessage::parse(Protocol::Tcp, &bytes).unwrap().socket;
        assert_eq!(socket.tuple.to_string(), "tcp 192.0.2.1:40000 -> 198.51.100.7:443");
        assert_eq!((socket.state, socket.timer_ms), (State::TimeWait, 5000));
        assert_eq!((socket.uid, socket.inode), (1000, 77));
    }

    #[test]
    fn reads_whether_a_v6_listener_refuses_v4() {
        let only = [5, 0, 11, 0, 1, 0, 0, 0];
        let both = [5, 0, 11, 0, 0, 0, 0, 0];
        for (attributes, expected) in [(&only[..], true), (&both[..], false), (&[][..], false)] {
            let bytes = message(AF_INET6, 10, attributes);
            let found = SocketMessage::parse(Protocol::Tcp, &bytes).unwrap().socket;
            assert_eq!(found.v6_only, expected);
        }
    }

    #[test]
    fn names_what_is_wrong() {
        let parse = |bytes: &[u8]| SocketMessage::parse(Protocol::Tcp, bytes).err();
        assert_eq!(parse(&[0; 71]), Some(MessageError::Truncated { have: 71 }));
        assert_eq!(parse(&message(1, 1, &[])), Some(MessageError::Family(1)));
        assert_eq!(parse(&message(AF_INET, 0, &[])), Some(MessageError::State(0)));
        assert_eq!(parse(&message(AF_INET, 14, &[])), Some(MessageError::State(14)));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..160)) {
            for protocol in Protocol::ALL {
                let parsed = SocketMessage::parse(protocol, &bytes);
                prop_assert!(parsed.is_err() || bytes.len() >= FIXED);
            }
        }
    }
}
