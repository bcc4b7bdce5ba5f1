//! An inclusive span of ports.

use core::fmt;
use core::ops::RangeInclusive;
use core::str::FromStr;

use crate::{ParsePortError, Port};

/// An inclusive span of ports that is never empty.
///
/// Both ends belong to it, as in `net.ipv4.ip_local_port_range`, `IP_LOCAL_PORT_RANGE` and every
/// other system's setting. Written `low-high`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortRange {
    low: u16,
    high: u16,
}

impl PortRange {
    /// Every port there is, 0 included.
    pub const ALL: PortRange = PortRange { low: 0, high: u16::MAX };
    /// Linux' default since 3.0: 32768-60999 (`inet_net_init` in `net/ipv4/af_inet.c`).
    pub const LINUX_DEFAULT: PortRange = PortRange { low: 32768, high: 60999 };
    /// The ports that IANA never assigns: 49152-65535 (RFC 6335 section 6).
    pub const DYNAMIC: PortRange = PortRange { low: 49152, high: u16::MAX };

    /// The span from `low` to `high`, both included.
    ///
    /// # Errors
    /// [`EmptyRangeError`] when `low` is above `high`.
    pub const fn new(low: u16, high: u16) -> Result<Self, EmptyRangeError> {
        if low > high {
            return Err(EmptyRangeError { low, high });
        }
        Ok(PortRange { low, high })
    }

    /// The span of exactly one port.
    #[must_use]
    pub const fn single(port: Port) -> Self {
        PortRange { low: port.number(), high: port.number() }
    }

    /// The lowest port.
    #[must_use]
    pub const fn low(self) -> Port {
        Port::new(self.low)
    }

    /// The highest port.
    #[must_use]
    pub const fn high(self) -> Port {
        Port::new(self.high)
    }

    /// How many ports: 1 to 65536, which is why it is not a `u16`.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub const fn len(self) -> u32 {
        self.high as u32 - self.low as u32 + 1
    }

    /// Whether the port lies inside.
    #[must_use]
    pub const fn contains(self, port: Port) -> bool {
        self.low <= port.number() && port.number() <= self.high
    }

    /// The ports that both spans hold, if any.
    #[must_use]
    pub fn intersection(self, other: PortRange) -> Option<PortRange> {
        PortRange::new(self.low.max(other.low), self.high.min(other.high)).ok()
    }

    /// The ports in ascending order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = Port> + ExactSizeIterator + Clone {
        // Counted in u32 so that a span that ends at 65535 ends.
        let low = u32::from(self.low);
        (0..self.len() as usize).map(move |offset| Port::new((low + offset as u32) as u16))
    }
}

impl From<PortRange> for RangeInclusive<u16> {
    fn from(range: PortRange) -> Self {
        range.low..=range.high
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.low, self.high)
    }
}

impl FromStr for PortRange {
    type Err = ParseRangeError;

    /// Reads `low-high`, a single port, or the two numbers with white space between them that
    /// `/proc/sys/net/ipv4/ip_local_port_range` holds.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let ends = text.split_once('-').or_else(|| text.split_once(char::is_whitespace));
        let (low, high) = ends.unwrap_or((text, text));
        let low: Port = low.parse().map_err(ParseRangeError::Port)?;
        let high: Port = high.parse().map_err(ParseRangeError::Port)?;
        PortRange::new(low.number(), high.number()).map_err(ParseRangeError::Empty)
    }
}

/// The low end lies above the high end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmptyRangeError {
    low: u16,
    high: u16,
}

impl fmt::Display for EmptyRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the range {}-{} is empty: its low end is above its high end",
            self.low, self.high
        )
    }
}

impl core::error::Error for EmptyRangeError {}

/// Why a text is not a [`PortRange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParseRangeError {
    /// One of the ends is not a port.
    Port(ParsePortError),
    /// The ends are in the wrong order.
    Empty(EmptyRangeError),
}

impl fmt::Display for ParseRangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseRangeError::Port(error) => error.fmt(f),
            ParseRangeError::Empty(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for ParseRangeError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_fit_where_a_u16_would_not() {
        assert_eq!(PortRange::ALL.len(), 65536);
        assert_eq!(PortRange::new(1, 65535).map(PortRange::len), Ok(65535));
        assert_eq!(PortRange::single(Port::MAX).len(), 1);
        assert_eq!(PortRange::LINUX_DEFAULT.len(), 28232);
        assert_eq!(PortRange::DYNAMIC.len(), 16384);
    }

    #[test]
    fn iteration_ends_at_the_last_port() {
        assert_eq!(PortRange::ALL.iter().count(), 65536);
        assert_eq!(PortRange::ALL.iter().next_back(), Some(Port::MAX));
    }

    #[test]
    fn reads_every_written_form() {
        let range = PortRange::new(32768, 60999).unwrap();
        for text in ["32768-60999", "32768\t60999\n", " 32768 60999", "32768 - 60999"] {
            assert_eq!(text.parse(), Ok(range), "{text:?}");
        }
        assert_eq!("80".parse(), Ok(PortRange::single(Port::new(80))));
        assert!(matches!("2-1".parse::<PortRange>(), Err(ParseRangeError::Empty(_))));
        for wrong in ["", "-", "1-", "-1", "1-2-3", "1 2 3", "1-65536"] {
            assert!(
                matches!(wrong.parse::<PortRange>(), Err(ParseRangeError::Port(_))),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn intersections() {
        let range = |text: &str| text.parse::<PortRange>().unwrap();
        assert_eq!(range("1-10").intersection(range("5-20")), Some(range("5-10")));
        assert_eq!(range("1-10").intersection(range("10-20")), Some(range("10")));
        assert_eq!(range("1-10").intersection(range("11-20")), None);
    }
}
