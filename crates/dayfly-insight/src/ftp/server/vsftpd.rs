//! vsftpd: lines `key=value`, the last one of a key wins (`vsftpd.conf(5)`, 3.0.3).

use dayfly_ports::{Port, PortRange};

use super::{Passive, Product, ServerConfig, SourcePort};

/// What it picks from when nobody limits it (`vsf_privop_pasv_listen` in `privops.c`).
const LOWEST: u16 = 1024;
/// Clients of a server that stands alone, unless told otherwise (`vsftpd.conf(5)`).
const MAX_CLIENTS: u32 = 2000;

pub(super) fn recognises(line: &str) -> bool {
    let key = line.split('=').next().unwrap_or_default();
    line.contains('=')
        && ["pasv_", "anonymous_enable", "connect_from_port_20", "ftp_data_port", "vsftpd_"]
            .iter()
            .any(|known| key.starts_with(known))
}

pub(super) fn read(file: &str, text: &str) -> ServerConfig {
    let value = |key: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        lines.rev().filter_map(|line| line.split_once('=')).find(|(name, _)| *name == key)
    };
    let text_of = |key: &str| value(key).map(|(_, value)| value.trim());
    let number = |key: &str| text_of(key).and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    // `str_equal_nocase_ascii` with these three words (`parseconf.c`).
    let is_on = |key: &str, default: bool| {
        text_of(key).map_or(default, |text| {
            ["YES", "TRUE", "1"].iter().any(|word| text.eq_ignore_ascii_case(word))
        })
    };
    let mut config = ServerConfig::new(Product::Vsftpd, file);
    let (low, high) = (number("pasv_min_port"), number("pasv_max_port"));
    config.passive = if is_on("pasv_enable", true) {
        let (range, ignored) = passive(low, high);
        config.ignored = ignored;
        if low == 0 && high == 0 { Passive::Own(range) } else { Passive::range(range) }
    } else {
        Passive::Off
    };
    config.active = is_on("port_enable", true).then(|| {
        let port = u16::try_from(number("ftp_data_port")).ok().filter(|port| *port != 0);
        match is_on("connect_from_port_20", false) {
            true => SourcePort::Fixed(Port::new(port.unwrap_or(20))),
            false => SourcePort::Any,
        }
    });
    if let Some(port) = u16::try_from(number("listen_port")).ok().filter(|port| *port != 0) {
        config.control = Port::new(port);
    }
    config.address = text_of("pasv_address").filter(|text| !text.is_empty()).map(str::to_owned);
    config.max_clients = match text_of("max_clients") {
        Some(_) => Some(number("max_clients")).filter(|clients| *clients != 0),
        None => Some(MAX_CLIENTS),
    };
    config.tls = is_on("ssl_enable", false);
    config
}

/// The range that it really takes: an end that it cannot use is passed over without a word.
fn passive(low: u32, high: u32) -> (PortRange, Vec<String>) {
    let mut ignored = Vec::new();
    let usable = |port: u32| u16::try_from(port).ok().filter(|port| *port > LOWEST);
    let from = usable(low).unwrap_or(LOWEST);
    if low != 0 && u32::from(from) != low && low != u32::from(LOWEST) {
        ignored.push(format!("pasv_min_port={low} is no port above {LOWEST}: vsftpd starts there"));
    }
    let to = u16::try_from(high).ok().filter(|port| *port >= from);
    if high != 0 && to.is_none() {
        ignored.push(format!(
            "pasv_max_port={high} does not lie between {from} and 65535: vsftpd goes up to 65535"
        ));
    }
    if (low == 0) != (high == 0) {
        let missing = if low == 0 { "pasv_min_port" } else { "pasv_max_port" };
        ignored.push(format!("{missing} is not set: one end of the range stays open"));
    }
    let to = to.unwrap_or(u16::MAX);
    (PortRange::new(from, to).unwrap_or(PortRange::ALL), ignored)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passive_of(text: &str) -> (Passive, usize) {
        let found = read("f", text);
        (found.passive, found.ignored.len())
    }

    fn range(text: &str) -> Passive {
        Passive::range(text.parse().unwrap())
    }

    #[test]
    fn ranges_good_and_bad() {
        let both = "pasv_min_port=50000\npasv_max_port=50100\n";
        assert_eq!(passive_of(both), (range("50000-50100"), 0));
        assert_eq!(passive_of("listen=YES\n").0, Passive::Own("1024-65535".parse().unwrap()));
        assert_eq!(passive_of("pasv_enable=NO\n"), (Passive::Off, 0));
        let turned = "pasv_min_port=50100\npasv_max_port=50000\n";
        assert_eq!(passive_of(turned), (range("50100-65535"), 1));
        assert_eq!(passive_of("pasv_min_port=50000\n"), (range("50000-65535"), 1));
        assert_eq!(passive_of("pasv_max_port=50000\n"), (range("1024-50000"), 1));
        let wide = "pasv_min_port=70000\npasv_max_port=80000\n";
        assert_eq!(passive_of(wide), (range("1024-65535"), 2));
        let twice =
            "pasv_min_port=1\npasv_min_port=50000\npasv_max_port=50001\n# pasv_min_port=2\n";
        assert_eq!(passive_of(twice), (range("50000-50001"), 0));
    }

    #[test]
    fn everything_else() {
        let found = read("f", "connect_from_port_20=YES\nssl_enable=yes\npasv_address=192.0.2.1\n");
        assert_eq!(found.active, Some(SourcePort::Fixed(Port::new(20))));
        assert_eq!((found.tls, found.address.as_deref()), (true, Some("192.0.2.1")));
        assert_eq!(found.max_clients, Some(2000));
        let found = read("f", "ftp_data_port=2020\nlisten_port=2121\nmax_clients=0\n");
        assert_eq!((found.active, found.max_clients), (Some(SourcePort::Any), None));
        assert_eq!(found.control, Port::new(2121));
        assert_eq!(read("f", "port_enable=NO").active, None);
    }
}
