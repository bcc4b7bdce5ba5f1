//! The transports that hand out ephemeral ports.

use core::fmt;
use core::str::FromStr;

/// A transport protocol with ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Transmission Control Protocol, IP protocol 6. MPTCP subflows count here.
    Tcp,
    /// User Datagram Protocol, IP protocol 17.
    Udp,
    /// Stream Control Transmission Protocol, IP protocol 132.
    Sctp,
}

impl Protocol {
    /// Every protocol, in the order that reports use.
    pub const ALL: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

    /// The name that `ss` and this tool print: lower case.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }

    /// The number in the IP header (IANA protocol numbers).
    #[must_use]
    pub const fn ip_number(self) -> u8 {
        match self {
            Protocol::Tcp => 6,
            Protocol::Udp => 17,
            Protocol::Sctp => 132,
        }
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Protocol {
    type Err = ParseProtocolError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        Protocol::ALL
            .into_iter()
            .find(|protocol| text.eq_ignore_ascii_case(protocol.name()))
            .ok_or(ParseProtocolError)
    }
}

/// The text names none of the protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseProtocolError;

impl fmt::Display for ParseProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a protocol is one of tcp, udp, sctp")
    }
}

impl core::error::Error for ParseProtocolError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_in_any_case() {
        for protocol in Protocol::ALL {
            assert_eq!(protocol.name().parse(), Ok(protocol));
        }
        assert_eq!("TCP".parse(), Ok(Protocol::Tcp));
        assert_eq!("icmp".parse::<Protocol>(), Err(ParseProtocolError));
    }
}
