//! NcFTPd: it takes passive ports from the system's high range of its own accord, where the system
//! has one (the BSDs' `IP_PORTRANGE_HIGH`, 49152-65535), and its files have no word for them.

use super::{DATA, Product, ServerConfig};

pub(super) fn recognises(line: &str) -> bool {
    ["u-authenticate-from-", "domain-list-file=", "gateway-to-system-", "ncftpd"]
        .iter()
        .any(|known| line.starts_with(known))
}

pub(super) fn read(file: &str, text: &str) -> ServerConfig {
    let mut config = ServerConfig::new(Product::NcFtpd, file);
    config.active = Some(DATA);
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    for (key, value) in lines.filter_map(|line| line.split_once('=')) {
        match key.trim() {
            "port" => config.control = value.trim().parse().unwrap_or(config.control),
            "max-users" => config.max_clients = value.trim().parse().ok(),
            _ => {}
        }
    }
    config
}

#[cfg(test)]
mod tests {
    use super::super::Passive;
    use super::*;

    #[test]
    fn it_has_no_range_of_its_own() {
        let found = read("general.cf", "port=2121\nmax-users=50\n# max-users=1\n");
        assert_eq!((found.passive, found.max_clients), (Passive::System, Some(50)));
        assert_eq!(found.control.number(), 2121);
    }
}
