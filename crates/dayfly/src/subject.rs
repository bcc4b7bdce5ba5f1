//! What a question is about: a port of this host, or a destination.

use std::fmt;
use std::str::FromStr;

use dayfly_ports::Port;

use crate::target::Target;

/// `PORT` or `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Subject {
    Port(Port),
    Destination(Target, Port),
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix(':').unwrap_or(text);
        if number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() {
            return match number.parse() {
                Ok(Port::MIN) => Err("port 0 is nobody's: it asks the system to choose".to_owned()),
                Ok(port) => Ok(Subject::Port(port)),
                Err(error) => Err(error.to_string()),
            };
        }
        let target: Target = text.parse()?;
        match target.port() {
            Some(port) => Ok(Subject::Destination(target, port)),
            None => Err("a destination needs its port as well, as in db:5432".to_owned()),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Subject::Port(port) => port.fmt(f),
            Subject::Destination(target, _) => target.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_ports_from_destinations() {
        let read = |text: &str| text.parse::<Subject>();
        assert_eq!(read("8080"), Ok(Subject::Port(Port::new(8080))));
        assert_eq!(read(":8080"), Ok(Subject::Port(Port::new(8080))));
        for text in ["db:5432", "192.0.2.1:80", "[::1]:80"] {
            let subject = read(text).unwrap();
            assert!(matches!(subject, Subject::Destination(..)));
            assert_eq!(subject.to_string(), text);
        }
        for (text, reason) in [
            ("0", "port 0 is nobody's: it asks the system to choose"),
            ("65536", "a port is at most 65535"),
            ("db", "a destination needs its port as well, as in db:5432"),
            ("::1", "a destination needs its port as well, as in db:5432"),
            ("db:0", "a destination's port is 1 to 65535"),
            ("", "\"\" is neither an address nor a host name"),
        ] {
            assert_eq!(read(text), Err(reason.to_owned()), "{text}");
        }
    }
}
