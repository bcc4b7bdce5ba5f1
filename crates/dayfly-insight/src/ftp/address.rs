//! Where a data connection goes, in every spelling that clients and servers use.
//!
//! RFC 959 writes six numbers, `h1,h2,h3,h4,p1,p2`, and the port is `p1 * 256 + p2`. RFC 2428 writes
//! three fields between delimiters, `|1|192.0.2.1|1930|`, of which the answer to `EPSV` fills only
//! the last. In practice parentheses are missing, a dot follows, and the words around it differ:
//! RFC 1123 (section 4.1.2.6) tells clients to look for the digits.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use dayfly_ports::Port;

/// Where a data connection goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DataAddress {
    /// The address; none in an answer to `EPSV`, where it is the control connection's.
    pub address: Option<IpAddr>,
    /// The port, never 0.
    pub port: Port,
    /// In which of the two forms it was written.
    pub form: Form,
}

/// How an address is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Six numbers (`PORT`, `PASV`, RFC 959).
    Numbers,
    /// Fields between delimiters (`EPRT`, `EPSV`, RFC 2428).
    Extended,
}

impl fmt::Display for DataAddress {
    /// `192.0.2.1:1930`, or `port 1930` where the address is the control connection's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(address) => SocketAddr::new(address, self.port.number()).fmt(f),
            None => write!(f, "port {}", self.port),
        }
    }
}

/// Why a text names no data connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AddressError {
    /// Neither six numbers nor fields between delimiters.
    Missing,
    /// One of the six numbers does not fit a byte.
    Number(String),
    /// The port is 0 or more than 65535.
    Port(String),
    /// RFC 2428 knows 1 (IPv4) and 2 (IPv6).
    Family(String),
    /// The address is not one of the family that is named.
    Address(String),
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressError::Missing => f.write_str(
                "no data connection is named: six numbers (192,168,1,2,7,138) or fields between \
                 delimiters (|1|192.168.1.2|1930|) are expected",
            ),
            AddressError::Number(number) => {
                write!(f, "{number} is no byte: the six numbers are 0 to 255 each")
            }
            AddressError::Port(port) => write!(f, "{port} is no port: 1 to 65535 are"),
            AddressError::Family(family) => {
                write!(f, "{family} is no address family: 1 is IPv4, 2 is IPv6 (RFC 2428)")
            }
            AddressError::Address(address) => {
                write!(f, "{address} is not an address of the family that is named before it")
            }
        }
    }
}

impl std::error::Error for AddressError {}

/// The data connection that a text names, in either form, whatever stands around it.
///
/// ```
/// use dayfly_insight::ftp::address::find;
///
/// for text in [
///     "192,168,1,2,7,138",
///     "PORT 192,168,1,2,7,138",
///     "227 Entering Passive Mode (192,168,1,2,7,138).",
///     "|1|192.168.1.2|1930|",
/// ] {
///     assert_eq!(find(text).unwrap().to_string(), "192.168.1.2:1930");
/// }
/// assert_eq!(find("229 Entering Extended Passive Mode (|||1930|)").unwrap().to_string(), "port 1930");
/// ```
///
/// # Errors
/// [`AddressError`]
pub fn find(text: &str) -> Result<DataAddress, AddressError> {
    match numbers(text) {
        Err(AddressError::Missing) => extended(text),
        found => found,
    }
}

/// The first six numbers with commas between them.
///
/// # Errors
/// [`AddressError`]
pub fn numbers(text: &str) -> Result<DataAddress, AddressError> {
    // A blank after a comma belongs to the list; any other character ends it.
    let mut joined = String::with_capacity(text.len());
    for c in text.chars() {
        if !(c == ' ' && (joined.ends_with(',') || joined.is_empty())) {
            joined.push(c);
        }
    }
    let list = joined
        .split(|c: char| !c.is_ascii_digit() && c != ',')
        .map(|run| run.trim_matches(','))
        .find(|run| run.split(',').count() == 6)
        .ok_or(AddressError::Missing)?;
    let mut bytes = [0; 6];
    for (byte, number) in bytes.iter_mut().zip(list.split(',')) {
        *byte = number.parse().map_err(|_| AddressError::Number(number.to_owned()))?;
    }
    let [a, b, c, d, high, low] = bytes;
    let port = u16::from_be_bytes([high, low]);
    if port == 0 {
        return Err(AddressError::Port("0".to_owned()));
    }
    let address = Some(Ipv4Addr::new(a, b, c, d).into());
    Ok(DataAddress { address, port: Port::new(port), form: Form::Numbers })
}

/// The first three fields between four delimiters. The delimiter is any printable character
/// (RFC 2428 section 2: 33 to 126), and the same each time.
///
/// # Errors
/// [`AddressError`]
pub fn extended(text: &str) -> Result<DataAddress, AddressError> {
    let mut worst = AddressError::Missing;
    for (start, delimiter) in text.char_indices() {
        // RFC 2428 forbids none of them, but a letter, a digit or what addresses are made of would
        // make nearly every text a match.
        if !delimiter.is_ascii_graphic()
            || delimiter.is_ascii_alphanumeric()
            || "().,:".contains(delimiter)
        {
            continue;
        }
        let rest = &text[start + delimiter.len_utf8()..];
        let mut fields = rest.split(delimiter);
        let Some([family, address, port]) = take(&mut fields) else { continue };
        // The last delimiter has to be there as well.
        if fields.next().is_none() {
            continue;
        }
        match of_fields(family, address, port) {
            Ok(found) => return Ok(found),
            Err(AddressError::Missing) => {}
            Err(error) => worst = error,
        }
    }
    Err(worst)
}

fn take<'a>(fields: &mut impl Iterator<Item = &'a str>) -> Option<[&'a str; 3]> {
    Some([fields.next()?, fields.next()?, fields.next()?])
}

fn of_fields(family: &str, address: &str, port: &str) -> Result<DataAddress, AddressError> {
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AddressError::Missing);
    }
    let number = port.parse().ok().filter(|&port: &u16| port != 0);
    let number = number.ok_or_else(|| AddressError::Port(port.to_owned()))?;
    let address = match (family, address) {
        ("", "") => None,
        (family @ ("1" | "2"), text) => {
            let parsed: Option<IpAddr> = text.parse().ok();
            let fits = |address: &IpAddr| address.is_ipv4() == (family == "1");
            let wrong = || AddressError::Address(text.to_owned());
            Some(parsed.filter(fits).ok_or_else(wrong)?)
        }
        (family, _) => return Err(AddressError::Family(family.to_owned())),
    };
    Ok(DataAddress { address, port: Port::new(number), form: Form::Extended })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> String {
        find(text).map_or_else(|error| error.to_string(), |found| found.to_string())
    }

    #[test]
    fn six_numbers_in_every_spelling() {
        for text in [
            "192,168,1,2,7,138",
            "(192,168,1,2,7,138)",
            "PORT 192,168,1,2,7,138\r\n",
            "227 Entering Passive Mode (192,168,1,2,7,138)",
            "227 Entering Passive Mode (192,168,1,2,7,138).",
            "227 Entering Passive Mode 192,168,1,2,7,138",
            "227 =192,168,1,2,7,138",
            "227 192,168,1,2,7,138",
            "227 Entering Passive Mode (192, 168, 1, 2, 7, 138)",
            "227 Passive modus, gestartet (192,168,1,2,7,138)",
        ] {
            assert_eq!(told(text), "192.168.1.2:1930", "{text}");
        }
        assert_eq!(told("255,255,255,255,255,255"), "255.255.255.255:65535");
    }

    #[test]
    fn fields_between_any_delimiter() {
        assert_eq!(told("EPRT |1|132.235.1.2|6275|"), "132.235.1.2:6275");
        assert_eq!(told("EPRT |2|1080::8:800:200C:417A|5282|"), "[1080::8:800:200c:417a]:5282");
        assert_eq!(told("229 Entering Extended Passive Mode (|||6446|)"), "port 6446");
        assert_eq!(told("229 Extended Passive OK (!!!7000!)"), "port 7000");
        assert_eq!(told("EPRT !1!192.0.2.1!7000!"), "192.0.2.1:7000");
        assert_eq!(told("EPRT $2$::1$7000$"), "[::1]:7000");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, reason) in [
            ("192,168,1,256,7,138", "256 is no byte"),
            ("192,168,1,2,0,0", "0 is no port"),
            ("|1|192.0.2.1|65536|", "65536 is no port"),
            ("|1|192.0.2.1|0|", "0 is no port"),
            ("|3|192.0.2.1|80|", "3 is no address family"),
            ("|1|::1|80|", "::1 is not an address"),
            ("192,168,1,2,7", "no data connection is named"),
            ("192,168,1,2,7,138,9", "no data connection is named"),
            ("|||80", "no data connection is named"),
            ("hello", "no data connection is named"),
            ("", "no data connection is named"),
        ] {
            assert!(told(text).starts_with(reason), "{text}: {}", told(text));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,60}|[0-9,|!()]{0,40}") {
            let _ = find(&text);
        }

        #[test]
        fn what_is_written_is_read(address: [u8; 4], port in 1u16.., six: [u16; 8]) {
            let [a, b, c, d] = address;
            let [high, low] = port.to_be_bytes();
            let v4 = SocketAddr::from((address, port)).to_string();
            prop_assert_eq!(told(&format!("227 Ok ({a},{b},{c},{d},{high},{low}).")), v4.clone());
            prop_assert_eq!(told(&format!("EPRT |1|{a}.{b}.{c}.{d}|{port}|")), v4);
            let six = std::net::Ipv6Addr::from(six);
            let v6 = SocketAddr::from((six, port)).to_string();
            prop_assert_eq!(told(&format!("EPRT |2|{six}|{port}|")), v6);
        }
    }
}
