//! One port number.

use core::fmt;
use core::num::IntErrorKind;
use core::str::FromStr;

/// A port number, 0 to 65535.
///
/// Zero is a member: the kernel's reserved list and some systems' ranges can name it, although no
/// connection ever uses it ("0" asks the system to choose, RFC 6335 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(u16);

impl Port {
    /// The lowest number, 0.
    pub const MIN: Port = Port(0);
    /// The highest number, 65535.
    pub const MAX: Port = Port(u16::MAX);

    /// The port of this number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Port(number)
    }

    /// The number, in host byte order.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }

    /// Whether the number is odd. Linux hands out one parity before the other.
    #[must_use]
    pub const fn is_odd(self) -> bool {
        self.0 % 2 == 1
    }
}

impl From<u16> for Port {
    fn from(number: u16) -> Self {
        Port(number)
    }
}

impl From<Port> for u16 {
    fn from(port: Port) -> Self {
        port.0
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = ParsePortError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        // `u16::from_str` takes a leading plus sign; no tool prints one.
        if text.starts_with('+') {
            return Err(ParsePortError::NotANumber);
        }
        text.parse().map(Port).map_err(|error| match error.kind() {
            IntErrorKind::PosOverflow => ParsePortError::TooLarge,
            _ => ParsePortError::NotANumber,
        })
    }
}

/// Why a text is not a [`Port`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParsePortError {
    /// Not a decimal number.
    NotANumber,
    /// A number above 65535.
    TooLarge,
}

impl fmt::Display for ParsePortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ParsePortError::NotANumber => "a port is a decimal number from 0 to 65535",
            ParsePortError::TooLarge => "a port is at most 65535",
        })
    }
}

impl core::error::Error for ParsePortError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_the_whole_space_and_nothing_else() {
        assert_eq!("0".parse(), Ok(Port::MIN));
        assert_eq!(" 65535\n".parse(), Ok(Port::MAX));
        assert_eq!("65536".parse::<Port>(), Err(ParsePortError::TooLarge));
        for wrong in ["", "-1", "+1", "0x50", "http", "80 81", "8.0"] {
            assert_eq!(wrong.parse::<Port>(), Err(ParsePortError::NotANumber), "{wrong:?}");
        }
    }
}
