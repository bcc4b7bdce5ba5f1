//! What a dump asks for.

use dayfly_insight::State;
use dayfly_ports::Protocol;

use super::{SOCK_DIAG_BY_FAMILY, TCPDIAG_GETSOCK};
use crate::netlink::wire::{AF_INET, AF_INET6, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_HDRLEN};

/// The address families that a dump covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4 sockets.
    V4,
    /// IPv6 sockets, those that talk IPv4 through mapped addresses included.
    V6,
    /// Both in one walk of the kernel's table. Only the legacy TCP request can do that.
    Both,
}

/// Which states to dump: one bit for each of the kernel's state numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateMask(u32);

impl StateMask {
    /// Every state, those that future kernels may add included. Bit 13, bound but inactive, is
    /// in no other mask: 0xfff, which older tools send, misses it.
    pub const ALL: StateMask = StateMask(u32::MAX);
    /// Listeners and sockets that are bound and inactive: what blocks a port for everybody.
    pub const CLAIMS: StateMask = StateMask(1 << 10 | 1 << 13);
    /// No state at all: the kernel walks its table and sends nothing.
    pub const NONE: StateMask = StateMask(0);

    /// The mask of one state.
    #[must_use]
    pub const fn only(state: State) -> Self {
        StateMask(match state {
            State::Established => 1 << 1,
            State::SynSent => 1 << 2,
            State::SynReceived => 1 << 3 | 1 << 12,
            State::FinWait1 => 1 << 4,
            State::FinWait2 => 1 << 5,
            State::TimeWait => 1 << 6,
            State::Close => 1 << 7,
            State::CloseWait => 1 << 8,
            State::LastAck => 1 << 9,
            State::Listen => 1 << 10,
            State::Closing => 1 << 11,
            State::BoundInactive => 1 << 13,
        })
    }
}

/// Whose sockets a dump lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The sockets of a transport; for TCP the subflows of MPTCP connections too.
    Of(Protocol),
    /// MPTCP connections, above their subflows.
    Mptcp,
}

/// One dump request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Whose sockets.
    pub table: Table,
    /// The families.
    pub family: Family,
    /// The states.
    pub states: StateMask,
}

impl Request {
    /// The netlink frame to send; none if the kernel has no request for this combination
    /// ([`Family::Both`] is TCP's alone).
    #[must_use]
    pub fn encode(self) -> Option<Vec<u8>> {
        let mut payload = Vec::with_capacity(64);
        let kind = match self.family {
            Family::Both if self.table != Table::Of(Protocol::Tcp) => return None,
            // struct inet_diag_req: family, source and destination length, extensions, sockid,
            // states, dbs.
            Family::Both => {
                payload.extend([0; 4 + SOCKID]);
                payload.extend(self.states.0.to_ne_bytes());
                payload.extend([0; 4]);
                TCPDIAG_GETSOCK
            }
            // struct inet_diag_req_v2: family, protocol, extensions, padding, states, sockid.
            Family::V4 | Family::V6 => {
                let family = if self.family == Family::V4 { AF_INET } else { AF_INET6 };
                let number = match self.table {
                    Table::Of(protocol) => protocol.ip_number(),
                    // The field has eight bits; the attribute below says the rest.
                    Table::Mptcp => IPPROTO_MPTCP as u8,
                };
                payload.extend([family, number, 0, 0]);
                payload.extend(self.states.0.to_ne_bytes());
                payload.extend([0; SOCKID]);
                if self.table == Table::Mptcp {
                    payload.extend(8u16.to_ne_bytes());
                    payload.extend(INET_DIAG_REQ_PROTOCOL.to_ne_bytes());
                    payload.extend(IPPROTO_MPTCP.to_ne_bytes());
                }
                SOCK_DIAG_BY_FAMILY
            }
        };
        let mut frame = Vec::with_capacity(NLMSG_HDRLEN + payload.len());
        frame.extend(((NLMSG_HDRLEN + payload.len()) as u32).to_ne_bytes());
        frame.extend(kind.to_ne_bytes());
        frame.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
        frame.extend([0; 8]);
        frame.extend(payload);
        Some(frame)
    }
}

/// Length of `struct inet_diag_sockid`. All zero in a dump: no socket in particular.
const SOCKID: usize = 48;

/// `include/uapi/linux/in.h`: no protocol of the IP header, hence above 255.
const IPPROTO_MPTCP: u32 = 262;
/// `include/uapi/linux/inet_diag.h`: the attribute of a request that names such a protocol.
const INET_DIAG_REQ_PROTOCOL: u16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_the_kernels() {
        let length = |table, family| {
            let request = Request { table, family, states: StateMask::ALL };
            request.encode().map(|frame| (frame.len(), frame[0] as usize))
        };
        assert_eq!(length(Table::Of(Protocol::Tcp), Family::Both), Some((16 + 60, 16 + 60)));
        assert_eq!(length(Table::Of(Protocol::Udp), Family::V6), Some((16 + 56, 16 + 56)));
        assert_eq!(length(Table::Mptcp, Family::V4), Some((16 + 56 + 8, 16 + 56 + 8)));
        assert_eq!(length(Table::Of(Protocol::Udp), Family::Both), None);
    }
}
