//! Reading what native commands print: bytes to text, lines to names and values.

use std::collections::BTreeMap;
use std::fmt;

use crate::System;

/// The text of an output, whatever the code page: UTF-8, UTF-16 with a mark (PowerShell's `>`), or
/// one of the OEM code pages, in which everything but ASCII becomes a replacement character. Names
/// and numbers are ASCII in all of them.
#[must_use]
pub fn decoded(bytes: &[u8]) -> String {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// Nothing in it is a setting of this system.
    Nothing {
        /// The system.
        system: &'static str,
    },
    /// A setting has a value that it cannot have.
    Value {
        /// The line, counted from 1.
        line: usize,
        /// The setting.
        name: String,
        /// The value.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
}

impl ReadError {
    pub(crate) fn nothing(system: &'static System) -> Self {
        ReadError::Nothing { system: system.title }
    }

    pub(crate) fn value(line: usize, name: &str, value: &str, expected: &'static str) -> Self {
        let value = value.chars().take(60).collect();
        ReadError::Value { line, name: name.to_owned(), value, expected }
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Nothing { system } => {
                write!(f, "the text holds no setting of {system}")
            }
            ReadError::Value { line, name, value, expected } => {
                write!(f, "line {line}: {name} is {value:?}, not {expected}")
            }
        }
    }
}

impl std::error::Error for ReadError {}

/// What a value must be.
pub(crate) const PORT: &str = "a port from 0 to 65535";

/// A port in a value that may be quoted; none for what means "not set".
pub(crate) fn port(line: usize, name: &str, value: &str) -> Result<Option<u16>, ReadError> {
    let bare = value.trim().trim_matches(['"', '\'']).trim();
    if matches!(bare, "" | "-" | "--" | "?" | "n/a") || bare.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let is_number = bare.bytes().all(|byte| byte.is_ascii_digit());
    match bare.parse() {
        Ok(port) if is_number => Ok(Some(port)),
        _ => Err(ReadError::value(line, name, value, PORT)),
    }
}

/// Lines of the form `name = value`, `name=value`, `name: value` or `name value`: line number from
/// 1, name, value. Of `name: old -> new`, which some print after a change, the new value.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    text.lines().enumerate().filter_map(|(index, line)| {
        let line = line.trim();
        let end = line.find(|c: char| c == '=' || c == ':' || c.is_whitespace())?;
        let (name, rest) = line.split_at(end);
        let rest = rest.trim_start_matches(|c: char| c == '=' || c == ':' || c.is_whitespace());
        let value = rest.rsplit_once("->").map_or(rest, |(_, new)| new);
        Some((index + 1, name, value.trim()))
    })
}

/// The last value of each name of the system's slots.
pub(crate) fn named(
    system: &'static System,
    text: &str,
) -> Result<BTreeMap<&'static str, u16>, ReadError> {
    let mut values = BTreeMap::new();
    let names: Vec<_> = system.slots.iter().flat_map(|slot| [slot.low, slot.high]).collect();
    for (line, name, value) in pairs(text) {
        if let Some(&known) = names.iter().find(|&&known| known == name) {
            match port(line, name, value)? {
                Some(value) => values.insert(known, value),
                None => values.remove(known),
            };
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_keeps_names_and_numbers() {
        let wide: Vec<u8> = [0xff, 0xfe]
            .into_iter()
            .chain("Start Port : 49152\r\n".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(decoded(&wide), "Start Port : 49152\r\n");
        assert_eq!(decoded(b"\xef\xbb\xbfa=1"), "a=1");
        // Code page 932, a Japanese Windows.
        assert!(decoded(b"\x8aJ\x8en\x83|\x81[\x83g : 49152").ends_with(": 49152"));
    }

    #[test]
    fn pairs_of_every_spelling() {
        let text = "a=1\nb = 2\r\n  c: 3\nd 4\n\nlonely\ne: 5 -> 6\nf=\n";
        let found: Vec<_> = pairs(text).collect();
        let expected = [(1, "a", "1"), (2, "b", "2"), (3, "c", "3"), (4, "d", "4"), (7, "e", "6")];
        assert_eq!(found[..5], expected);
        assert_eq!(found[5], (8, "f", ""));
    }

    #[test]
    fn ports_are_read_or_refused() {
        for unset in ["", "NONE", "none", "--", "\"\"", "n/a"] {
            assert_eq!(port(1, "x", unset), Ok(None), "{unset:?}");
        }
        assert_eq!(port(1, "x", "\"65535\""), Ok(Some(65535)));
        for wrong in ["65536", "-1", "+1", "0x10", "1 2", "abc"] {
            assert!(port(1, "x", wrong).is_err(), "{wrong:?}");
        }
    }
}
