//! A destination as people write it: `HOST[:PORT]`.

use std::fmt;
use std::net::{IpAddr, ToSocketAddrs};
use std::str::FromStr;

use dayfly_ports::Port;

use crate::error::Failure;

/// A host, by address or by name, and perhaps a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    host: Host,
    port: Option<Port>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Host {
    Address(IpAddr),
    Name(String),
}

impl Target {
    pub(crate) fn port(&self) -> Option<Port> {
        self.port
    }

    /// The addresses that the host has, IPv4-mapped ones as IPv4.
    pub(crate) fn addresses(&self) -> Result<Vec<IpAddr>, Failure> {
        let name = match &self.host {
            Host::Address(address) => return Ok(vec![address.to_canonical()]),
            Host::Name(name) => name,
        };
        match (name.as_str(), 0).to_socket_addrs() {
            Ok(found) => {
                let mut addresses: Vec<_> =
                    found.map(|address| address.ip().to_canonical()).collect();
                addresses.sort();
                addresses.dedup();
                Ok(addresses)
            }
            Err(error) => {
                Err(Failure::new(format_args!("the host {name:?} is not known: {error}"))
                    .hint("name an address, or look at what `getent hosts` says"))
            }
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // An IPv6 address without brackets has colons of its own: it cannot be followed by a port.
        if let Ok(address) = text.parse() {
            return Ok(Target { host: Host::Address(address), port: None });
        }
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or_else(|| {
                    "the bracket before the IPv6 address is never closed".to_owned()
                })?;
                let port = match rest.strip_prefix(':') {
                    Some(port) => Some(port),
                    None if rest.is_empty() => None,
                    None => return Err(format!("{rest:?} after the bracket is not a port")),
                };
                (host, port)
            }
            None => match text.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            },
        };
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(Port::MIN)) => return Err("a destination's port is 1 to 65535".to_owned()),
            Some(Ok(port)) => Some(port),
            Some(Err(error)) => return Err(format!("{:?}: {error}", port.unwrap_or_default())),
        };
        let is_name = |host: &str| {
            let letter = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '%');
            !host.is_empty() && host.chars().all(letter)
        };
        match host.parse() {
            Ok(address) => Ok(Target { host: Host::Address(address), port }),
            Err(_) if text.starts_with('[') => Err(format!("{host:?} is not an IPv6 address")),
            Err(_) if is_name(host) => Ok(Target { host: Host::Name(host.to_owned()), port }),
            Err(_) => Err(format!("{host:?} is neither an address nor a host name")),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.host, self.port) {
            (Host::Address(IpAddr::V6(address)), Some(port)) => write!(f, "[{address}]:{port}"),
            (Host::Address(address), Some(port)) => write!(f, "{address}:{port}"),
            (Host::Address(address), None) => address.fmt(f),
            (Host::Name(name), Some(port)) => write!(f, "{name}:{port}"),
            (Host::Name(name), None) => name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_usual_spelling() {
        for text in
            ["192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]:443", "db", "db.example:1"]
        {
            assert_eq!(
                text.parse::<Target>().map(|target| target.to_string()),
                Ok(text.to_owned())
            );
        }
        assert_eq!(
            "[::1]".parse::<Target>().map(|target| target.to_string()),
            Ok("::1".to_owned())
        );
    }

    #[test]
    fn refuses_with_a_reason() {
        for (text, reason) in [
            ("", "\"\" is neither an address nor a host name"),
            (":80", "\"\" is neither an address nor a host name"),
            ("db:0", "a destination's port is 1 to 65535"),
            ("db:70000", "\"70000\": a port is at most 65535"),
            ("db:http", "\"http\": a port is a decimal number from 0 to 65535"),
            ("[::1", "the bracket before the IPv6 address is never closed"),
            ("[::1]80", "\"80\" after the bracket is not a port"),
            ("[db]:80", "\"db\" is not an IPv6 address"),
            ("a b", "\"a b\" is neither an address nor a host name"),
        ] {
            assert_eq!(text.parse::<Target>(), Err(reason.to_owned()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]:.0-9a-f%]{0,30}|\\PC{0,20}") {
            if let Ok(target) = text.parse::<Target>() {
                prop_assert_eq!(target.to_string().parse(), Ok(target));
            }
        }
    }
}
