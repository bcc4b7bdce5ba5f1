//! Openings as lines of text, for what is not a capture: the output of a tracer, a log, a
//! simulation.
//!
//! ```text
//! # protocol, who opened -> whom, and when in seconds of any clock, if known
//! tcp 192.0.2.1:40000 -> 198.51.100.7:443 12.345
//! udp [2001:db8::1]:40001 -> [2001:db8::53]:53
//! ```

use std::fmt;
use std::net::SocketAddr;

use dayfly_ports::{Port, Protocol, Tuple};

/// What one line says: the tuple as its opener sees it, and when, in nanoseconds.
pub type Line = (Tuple, Option<u64>);

/// Reads a line; none if it is blank or a comment (`#`).
///
/// # Errors
/// [`LineError`], which names the word.
pub fn line(text: &str) -> Result<Option<Line>, LineError> {
    let text = text.split('#').next().unwrap_or("");
    let mut words = text.split_ascii_whitespace().filter(|word| !matches!(*word, "->" | ">"));
    let Some(protocol) = words.next() else { return Ok(None) };
    let wrong = |what: &'static str, word: &str| LineError { what, word: shortened(word) };
    let protocol: Protocol =
        protocol.parse().map_err(|_| wrong("no protocol (tcp, udp, sctp)", protocol))?;
    let mut end = |what: &'static str| -> Result<SocketAddr, LineError> {
        let word = words.next().ok_or_else(|| wrong(what, ""))?;
        word.parse().map_err(|_| wrong(what, word))
    };
    let local = end("no address and port of the opener")?;
    let remote = end("no address and port of the destination")?;
    let time = match words.next() {
        Some(word) => {
            let seconds: f64 = word.parse().map_err(|_| wrong("no time in seconds", word))?;
            // Ten million years fit; anything else is no time.
            if !(0.0..=1.8e10).contains(&seconds) {
                return Err(wrong("no time in seconds", word));
            }
            Some((seconds * 1e9) as u64)
        }
        None => None,
    };
    if let Some(word) = words.next() {
        return Err(wrong("one word too many", word));
    }
    let tuple = Tuple {
        protocol,
        local_address: local.ip(),
        local_port: Port::new(local.port()),
        remote_address: remote.ip(),
        remote_port: Port::new(remote.port()),
    };
    Ok(Some((tuple, time)))
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineError {
    what: &'static str,
    word: String,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.word.is_empty() {
            return f.write_str(self.what);
        }
        write!(f, "{}: {:?}", self.what, self.word)
    }
}

impl std::error::Error for LineError {}

fn shortened(word: &str) -> String {
    word.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read() {
        let (tuple, time) =
            line("tcp 192.0.2.1:40000 -> 198.51.100.7:443 12.5 # comment").unwrap().unwrap();
        assert_eq!(tuple.to_string(), "tcp 192.0.2.1:40000 -> 198.51.100.7:443");
        assert_eq!(time, Some(12_500_000_000));
        let (tuple, time) = line(" UDP\t[2001:db8::1]:1 [2001:db8::2]:53").unwrap().unwrap();
        assert_eq!(tuple.to_string(), "udp [2001:db8::1]:1 -> [2001:db8::2]:53");
        assert_eq!(time, None);
        assert_eq!(line("  # nothing"), Ok(None));
    }

    #[test]
    fn wrong_lines_name_the_word() {
        for (text, says) in [
            ("icmp 1.2.3.4:1 1.2.3.4:2", "no protocol (tcp, udp, sctp): \"icmp\""),
            ("tcp 1.2.3.4 1.2.3.4:2", "no address and port of the opener: \"1.2.3.4\""),
            ("tcp 1.2.3.4:1", "no address and port of the destination"),
            ("tcp 1.2.3.4:1 1.2.3.4:2 soon", "no time in seconds: \"soon\""),
            ("tcp 1.2.3.4:1 1.2.3.4:2 -1", "no time in seconds: \"-1\""),
            ("tcp 1.2.3.4:1 1.2.3.4:2 1 2", "one word too many: \"2\""),
        ] {
            assert_eq!(line(text).unwrap_err().to_string(), says, "{text}");
        }
    }
}
