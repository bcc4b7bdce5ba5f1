//! Captured packets in, openings of connections out.
//!
//! Everything here works on bytes that the caller has read, whole or in pieces, so the same code
//! serves a file, a pipe and a fuzzer. Three steps, each usable alone:
//!
//! 1. [`Reader`] finds the frames of a pcap or pcapng stream, of either byte order and any
//!    resolution of time.
//! 2. [`decode`] peels a frame down to its transport header: Ethernet with VLAN tags (802.1Q,
//!    802.1ad), PPPoE and MPLS labels, Linux "cooked" captures of both versions, loopback, PPP and
//!    bare IP; IPv4 with options, IPv6 with extension headers.
//!    [`tcp_data`] goes one step further, to what a TCP segment carries.
//! 3. [`text`] reads the same facts from lines, for everything that is not a capture.
//!
//! What is cut off, damaged or of no use is named ([`FormatError`], [`Undecoded`]), never guessed:
//! fragments after the first hold no ports, tunnels are not opened.

mod bytes;
mod data;
mod decode;
mod ip;
mod link;
mod pcap;
mod pcapng;
mod reader;
pub mod text;

#[cfg(test)]
mod tests;

pub use data::{TcpData, tcp_data};
pub use decode::{Role, Segment, Stack, Undecoded, decode};
pub use link::LinkType;
pub use reader::{FormatError, Frame, Reader, Step};
