//! Packets that are really sent, and what of them really arrives.
//!
//! A raw socket sends whole packets, with any source; a raw socket at the other end receives what
//! has passed the input hook (`ip_local_deliver_finish` hands packets to raw sockets after it),
//! whether anybody listens or not. The sequence number, or UDP's payload, tells which one it was.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use dayfly_ports::Protocol;
use rustix::fd::OwnedFd;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, ipproto, recv, sendto,
    socket_with, sockopt,
};

/// One packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shot {
    pub(crate) protocol: Protocol,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    /// TCP's flags.
    pub(crate) flags: u8,
    /// The number of the packet that this one acknowledges.
    pub(crate) acknowledges: Option<u16>,
}

/// An end of the cable.
pub(crate) struct End {
    senders: [OwnedFd; 2],
    receivers: [(Protocol, bool, OwnedFd); 4],
}

/// In the upper half of a number: ours. The kernel's own answers have others.
const MARK: u32 = 0xDA17_0000;

impl End {
    /// The sockets, in the calling thread's namespace.
    pub(crate) fn open() -> End {
        let raw = |family, protocol| {
            socket_with(
                family,
                SocketType::RAW,
                SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
                Some(protocol),
            )
            .unwrap()
        };
        let receiver = |protocol, v4| {
            let family = if v4 { AddressFamily::INET } else { AddressFamily::INET6 };
            let number = if protocol == Protocol::Tcp { ipproto::TCP } else { ipproto::UDP };
            let socket = raw(family, number);
            sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20).unwrap();
            (protocol, v4, socket)
        };
        End {
            senders: [AddressFamily::INET, AddressFamily::INET6].map(|it| raw(it, ipproto::RAW)),
            receivers: [
                receiver(Protocol::Tcp, true),
                receiver(Protocol::Tcp, false),
                receiver(Protocol::Udp, true),
                receiver(Protocol::Udp, false),
            ],
        }
    }

    /// Sends a packet with this number. What the ruleset drops on the way out is EPERM, which is no
    /// error here.
    pub(crate) fn send(&self, shot: &Shot, number: u16) {
        let sender = &self.senders[usize::from(shot.to.is_ipv6())];
        let packet = packet(shot, MARK | u32::from(number));
        // A raw IPv6 socket takes no port.
        let to = SocketAddr::new(shot.to.ip(), 0);
        let sent = loop {
            match sendto(sender, &packet, SendFlags::empty(), &to) {
                // A busy machine has not yet carried away what was sent before.
                Err(rustix::io::Errno::AGAIN) => std::thread::sleep(Duration::from_millis(1)),
                sent => break sent,
            }
        };
        assert!(matches!(sent, Ok(_) | Err(rustix::io::Errno::PERM)), "{shot:?}: {sent:?}");
    }

    /// The numbers that have arrived.
    pub(crate) fn arrived(&self, numbers: &mut BTreeSet<u16>) {
        let mut buffer = [0; 256];
        for (protocol, v4, socket) in &self.receivers {
            while let Ok((length, _)) = recv(socket, &mut buffer[..], RecvFlags::empty()) {
                let packet = &buffer[..length];
                // IPv4 comes with its header, IPv6 without.
                let header = if *v4 { usize::from(packet[0] & 0xf) * 4 } else { 0 };
                let at = header + if *protocol == Protocol::Tcp { 4 } else { 8 };
                let Some(bytes) = packet.get(at..at + 4) else { continue };
                let tag = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
                if tag & 0xffff_0000 == MARK {
                    numbers.insert(tag as u16);
                }
            }
        }
    }

    /// The numbers that have arrived once nothing is missing, or for so long.
    pub(crate) fn await_arrivals(
        &self,
        expected: &BTreeSet<u16>,
        patience: Duration,
    ) -> BTreeSet<u16> {
        let begun = Instant::now();
        let mut numbers = BTreeSet::new();
        loop {
            self.arrived(&mut numbers);
            if numbers.is_superset(expected) || begun.elapsed() > patience {
                return numbers;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn packet(shot: &Shot, tag: u32) -> Vec<u8> {
    let mut transport = Vec::with_capacity(20);
    transport.extend(shot.from.port().to_be_bytes());
    transport.extend(shot.to.port().to_be_bytes());
    let checksum_at = if shot.protocol == Protocol::Tcp {
        transport.extend(tag.to_be_bytes());
        let acknowledged = match (shot.acknowledges, shot.flags & 0x10) {
            // Connection tracking takes nothing else for an answer (`tcp_in_window`).
            (Some(number), _) => (MARK | u32::from(number)) + 1,
            (None, 0) => 0,
            (None, _) => 0x1100_0001,
        };
        transport.extend(acknowledged.to_be_bytes());
        transport.extend([5 << 4, shot.flags, 0xff, 0xff, 0, 0, 0, 0]);
        16
    } else {
        transport.extend(12u16.to_be_bytes());
        transport.extend([0, 0]);
        transport.extend(tag.to_be_bytes());
        6
    };
    let number = shot.protocol.ip_number();
    let length = transport.len() as u16;
    let mut sum = u32::from(number) + u32::from(length);
    let mut packet = Vec::with_capacity(60);
    match (shot.from.ip(), shot.to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            // The kernel fills in the header's checksum and identification (raw(7)).
            packet.extend([0x45, 0]);
            packet.extend((length + 20).to_be_bytes());
            packet.extend([0, 0, 0, 0, 64, number, 0, 0]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            sum += summed(&from.octets()) + summed(&to.octets());
        }
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            packet.extend([0x60, 0, 0, 0]);
            packet.extend(length.to_be_bytes());
            packet.extend([number, 64]);
            packet.extend(from.octets());
            packet.extend(to.octets());
            sum += summed(&from.octets()) + summed(&to.octets());
        }
        families => panic!("{families:?}"),
    }
    sum += summed(&transport);
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    transport[checksum_at..checksum_at + 2].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    packet.extend(transport);
    packet
}

/// RFC 1071, before the fold.
fn summed(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum()
}
