//! What a TCP segment carries.

use std::net::SocketAddr;

use super::bytes::{be16, be32};
use super::decode::Undecoded;
use super::reader::Frame;
use super::{ip, link};

/// The data of one TCP segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TcpData<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// Who gets it.
    pub to: SocketAddr,
    /// The sequence number of its first byte.
    pub sequence: u32,
    /// The bytes, as far as they were kept; often none.
    pub bytes: &'a [u8],
}

/// The data in a frame.
///
/// # Errors
/// [`Undecoded`], when it is no TCP segment.
pub fn tcp_data<'a>(frame: &Frame<'a>) -> Result<TcpData<'a>, Undecoded> {
    let packet = ip::packet(link::packet(frame.link, frame.bytes)?)?;
    if packet.protocol != 6 {
        return Err(Undecoded::Transport(packet.protocol));
    }
    let bytes = packet.payload;
    let port = |at| be16(bytes, at).ok_or(Undecoded::CutOff);
    let header = usize::from(*bytes.get(12).ok_or(Undecoded::CutOff)? >> 4) * 4;
    if header < 20 {
        return Err(Undecoded::Damaged);
    }
    // A SYN takes a number of its own, in front of what it may carry (Fast Open).
    let syn = u32::from(bytes.get(13).copied().unwrap_or(0) >> 1 & 1);
    Ok(TcpData {
        from: SocketAddr::new(packet.source, port(0)?),
        to: SocketAddr::new(packet.destination, port(2)?),
        sequence: be32(bytes, 4).ok_or(Undecoded::CutOff)?.wrapping_add(syn),
        bytes: bytes.get(header..).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::capture::LinkType;

    /// A bare IPv4 packet (link type 101) with a TCP segment.
    fn packet(flags: u8, data: &[u8]) -> Vec<u8> {
        let length = (40 + data.len()) as u16;
        let mut bytes = vec![0x45, 0];
        bytes.extend(length.to_be_bytes());
        bytes.extend([0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7]);
        bytes.extend([0x9c, 0x40, 0, 21, 0, 0, 0, 9, 0, 0, 0, 0, 0x50, flags, 0, 0, 0, 0, 0, 0]);
        bytes.extend(data);
        // What short Ethernet frames are filled up with.
        bytes.extend([0; 6]);
        bytes
    }

    #[test]
    fn data_without_padding() {
        let read = |bytes: &[u8]| {
            let frame = Frame { time: None, link: LinkType(101), bytes };
            tcp_data(&frame).map(|data| (data.sequence, data.to.to_string(), data.bytes.to_vec()))
        };
        let expected =
            |sequence, data: &[u8]| Ok((sequence, "198.51.100.7:21".to_owned(), data.to_vec()));
        assert_eq!(read(&packet(0x18, b"PASV\r\n")), expected(9, b"PASV\r\n"));
        assert_eq!(read(&packet(0x02, b"")), expected(10, b""));
        assert_eq!(read(&packet(0x18, b"PASV")[..30]), Err(Undecoded::CutOff));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            let _ = tcp_data(&Frame { time: None, link: LinkType(101), bytes: &bytes });
        }
    }
}
