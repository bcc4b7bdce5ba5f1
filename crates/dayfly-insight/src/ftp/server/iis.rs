//! Internet Information Services: `applicationHost.config` since 7 (`<firewallSupport>`, 0 to 0 for
//! the system's range), `MetaBase.xml` in 6 (`PassivePortRange`, 5001 to 65535).

use dayfly_ports::{PortRange, PortSet};
use roxmltree::Document;

use super::{DATA, Passive, Product, ServerConfig, span};

/// What version 6 takes without a setting: the range of Winsock then.
const SIX: (u16, u16) = (1025, 5000);
/// The lowest port that version 6 accepts.
const SIX_LOWEST: u16 = 5001;

pub(super) fn read(file: &str, text: &str) -> ServerConfig {
    let mut config = ServerConfig::new(Product::Iis, file);
    config.active = Some(DATA);
    let Ok(document) = Document::parse(text.trim_start_matches('\u{feff}')) else { return config };
    let root = document.root_element();
    let named =
        |name: &'static str| root.descendants().filter(move |node| node.tag_name().name() == name);
    if named("MBProperty").next().is_some() {
        let value = root.descendants().find_map(|node| node.attribute("PassivePortRange"));
        metabase(&mut config, value.unwrap_or_default());
        return config;
    }
    for node in named("firewallSupport") {
        if let Some(address) = node.attribute("externalIp4Address") {
            config.address = Some(address.to_owned()).filter(|text| !text.is_empty());
        }
        let low = node.attribute("lowDataChannelPort").unwrap_or("0");
        let high = node.attribute("highDataChannelPort").unwrap_or("0");
        match (low, high) {
            ("0", "0") => {}
            _ => match span(low, high).filter(|range| range.low().number() != 0) {
                Some(range) => config.passive = Passive::range(range),
                None => config.ignored.push(format!("data channel ports {low}-{high}: no range")),
            },
        }
    }
    let asks = |policy: Option<&str>| policy.is_some_and(|policy| policy != "SslDeny");
    config.tls = named("ssl").any(|node| asks(node.attribute("controlChannelPolicy")));
    config
}

/// One range or one port, or several with commas between.
fn metabase(config: &mut ServerConfig, value: &str) {
    let mut ports = Box::new(PortSet::EMPTY);
    for part in value.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        match part.parse::<PortRange>() {
            Ok(range) if range.low().number() >= SIX_LOWEST => *ports |= &PortSet::from(range),
            _ => config.ignored.push(format!(
                "PassivePortRange {part}: only {SIX_LOWEST} to 65535 is valid, the service does \
                 not start"
            )),
        }
    }
    config.passive = match (ports.is_empty(), PortRange::new(SIX.0, SIX.1)) {
        (true, Ok(winsock)) => Passive::Own(winsock),
        (true, Err(_)) => Passive::System,
        (false, _) => Passive::Limited(ports),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_seven() {
        let file = |low: &str, high: &str| {
            format!(
                "<configuration><system.applicationHost><sites><site><ftpServer><security>\
                 <ssl controlChannelPolicy=\"SslAllow\"/></security><firewallSupport \
                 externalIp4Address=\"192.0.2.1\"/></ftpServer></site></sites>\
                 </system.applicationHost><system.ftpServer><firewallSupport \
                 lowDataChannelPort=\"{low}\" highDataChannelPort=\"{high}\"/></system.ftpServer>\
                 </configuration>"
            )
        };
        let found = read("f", &file("5000", "6000"));
        assert_eq!(found.passive, Passive::range("5000-6000".parse().unwrap()));
        assert_eq!((found.address.as_deref(), found.tls), (Some("192.0.2.1"), true));
        assert_eq!(read("f", &file("0", "0")).passive, Passive::System);
        assert_eq!(read("f", &file("6000", "5000")).ignored.len(), 1);
    }

    #[test]
    fn six() {
        let file = |value: &str| {
            let text = format!(
                "<configuration><MBProperty><IIsFtpService Location=\"/LM/MSFTPSVC\" \
                 PassivePortRange=\"{value}\"/></MBProperty></configuration>"
            );
            read("f", &text)
        };
        assert_eq!(file("5500-5700").passive, Passive::range("5500-5700".parse().unwrap()));
        assert_eq!(file("").passive, Passive::Own("1025-5000".parse().unwrap()));
        assert_eq!(file("5000-6000").ignored.len(), 1);
    }
}
