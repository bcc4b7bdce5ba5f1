//! Pure-FTPd: lines `Name value`, a folder with a file for each name, or the options of
//! `pure-ftpd(8)` (1.0.50). [`launch`](super::launch) turns options into lines.

use dayfly_ports::PortRange;

use super::{DATA, Passive, Product, ServerConfig, span};

/// What it picks from when nobody limits it: seen of 1.0.50, whatever the system's range is.
const UNLIMITED: (u16, u16) = (1024, 65535);
/// Clients at a time, unless told otherwise (`-c`).
const MAX_CLIENTS: u32 = 50;

pub(super) fn recognises(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    ["PassivePortRange", "ForcePassiveIP", "MaxClientsNumber"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

pub(super) fn read(file: &str, text: &str) -> ServerConfig {
    let mut config = ServerConfig::new(Product::PureFtpd, file);
    config.active = Some(DATA);
    if let Ok(range) = PortRange::new(UNLIMITED.0, UNLIMITED.1) {
        config.passive = Passive::Own(range);
    }
    let mut clients = MAX_CLIENTS;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        let mut words = line.split(|c: char| c.is_whitespace() || c == ':' || c == '=');
        let name = words.next().unwrap_or_default();
        let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
        match (name.to_ascii_lowercase().as_str(), words.as_slice()) {
            ("passiveportrange", &[low, high]) => match span(low, high) {
                Some(range) => config.passive = Passive::range(range),
                None => config.ignored.push(format!("{line}: not a range")),
            },
            ("passiveportrange", _) => {
                config.ignored.push(format!("{line}: two ports are expected"));
            }
            ("forcepassiveip", &[address]) => config.address = Some(address.to_owned()),
            ("maxclientsnumber", &[number]) => clients = number.parse().unwrap_or(clients),
            ("tls", &[level]) => config.tls = level != "0",
            _ => {}
        }
    }
    if let Passive::Limited(ports) = &config.passive {
        // pure-ftpd(8): "the maximum number of clients is forced down to (last + 1 - first)/2".
        let served = ports.len() / 2;
        if clients > served {
            config.ignored.push(format!(
                "{clients} clients: with {} passive ports it serves {served} at a time",
                ports.len()
            ));
            clients = served;
        }
    }
    config.max_clients = Some(clients);
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_cut_the_number_of_clients() {
        let found =
            read("f", "MaxClientsNumber 50\nPassivePortRange          30000 50000\nTLS 1\n");
        assert_eq!(found.passive, Passive::range("30000-50000".parse().unwrap()));
        assert_eq!((found.max_clients, found.tls), (Some(50), true));
        let found = read("f", "PassivePortRange 30000:30009\nForcePassiveIP 192.0.2.1\n");
        assert_eq!((found.max_clients, found.ignored.len()), (Some(5), 1));
        assert_eq!(found.address.as_deref(), Some("192.0.2.1"));
        let found = read("f", "#PassivePortRange 1 2\nPassivePortRange 5\n");
        let unlimited = Passive::Own("1024-65535".parse().unwrap());
        assert_eq!((found.passive, found.ignored.len()), (unlimited, 1));
    }
}
