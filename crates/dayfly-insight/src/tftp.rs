//! TFTP: every answer comes from a new port, the transfer's identifier (RFC 1350 section 4), so a
//! firewall before the client has to know the server's ports, or follow with a helper.

use dayfly_ports::PortRange;

/// A TFTP server and the ports that it answers from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TftpServer {
    /// The program.
    pub program: String,
    /// The ports; none if the system hands them out.
    pub ports: Option<PortRange>,
}

impl TftpServer {
    /// The option that limits the ports to this range.
    #[must_use]
    pub fn setting(&self, range: PortRange) -> String {
        let (low, high) = (range.low(), range.high());
        match self.program.as_str() {
            "dnsmasq" => format!("tftp-port-range={low},{high} in dnsmasq.conf"),
            _ => format!("{} --port-range {low}:{high}", self.program),
        }
    }
}

/// What a process with these words is: tftpd-hpa's `in.tftpd` (`-R`, `--port-range`) or dnsmasq
/// (`--enable-tftp`, `--tftp-port-range`); none if it serves no TFTP that can be seen.
#[must_use]
pub fn of_command(words: &[&str]) -> Option<TftpServer> {
    let (program, rest) = words.split_first()?;
    let program = program.rsplit('/').next().unwrap_or(program);
    let (names, separator): (&[&str], char) = match program {
        "in.tftpd" => (&["-R", "--port-range"], ':'),
        "dnsmasq" if rest.iter().any(|word| word.starts_with("--enable-tftp")) => {
            (&["--tftp-port-range"], ',')
        }
        _ => return None,
    };
    let ports = value(rest, names).and_then(|text| {
        let (low, high) = text.split_once(separator)?;
        PortRange::new(low.parse().ok()?, high.parse().ok()?).ok()
    });
    Some(TftpServer { program: program.to_owned(), ports })
}

/// The value of an option: `-R V`, `-RV`, `--port-range V`, `--port-range=V`.
fn value<'a>(words: &[&'a str], names: &[&str]) -> Option<&'a str> {
    for (index, word) in words.iter().enumerate() {
        for name in names {
            match word.strip_prefix(name) {
                Some("") => return words.get(index + 1).copied(),
                Some(rest) if name.starts_with("--") => {
                    if let Some(value) = rest.strip_prefix('=') {
                        return Some(value);
                    }
                }
                Some(rest) => return Some(rest),
                None => {}
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(line: &str) -> Option<String> {
        let found = of_command(&line.split(' ').collect::<Vec<_>>())?;
        Some(found.ports.map_or("any".to_owned(), |ports| ports.to_string()))
    }

    #[test]
    fn options_limit_the_ports() {
        for line in [
            "/usr/sbin/in.tftpd --listen -R 40000:40009 /srv",
            "in.tftpd -R40000:40009",
            "in.tftpd --port-range=40000:40009",
            "in.tftpd --port-range 40000:40009 -L",
            "dnsmasq --enable-tftp=eth0 --tftp-port-range=40000,40009",
        ] {
            assert_eq!(told(line).as_deref(), Some("40000-40009"), "{line}");
        }
        assert_eq!(told("in.tftpd --listen").as_deref(), Some("any"));
        assert_eq!(told("in.tftpd -R 9:1").as_deref(), Some("any"));
        assert_eq!(told("dnsmasq -k"), None);
        assert_eq!(told(""), None);
    }

    proptest! {
        #[test]
        fn any_words_are_read(line in "(in.tftpd|dnsmasq --enable-tftp|\\PC{0,5})( (-R|--port-range)?\\PC{0,9}){0,5}") {
            let _ = told(&line);
        }
    }
}
