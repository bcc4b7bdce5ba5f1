//! Apache FtpServer: `<passive ports="123-125, 127, 60000-" external-address="..."/>` of a listener.

use dayfly_ports::{Port, PortRange, PortSet};
use roxmltree::Document;

use super::{Passive, Product, ServerConfig, SourcePort};

pub(super) fn read(file: &str, text: &str) -> ServerConfig {
    let mut config = ServerConfig::new(Product::ApacheFtpServer, file);
    let Ok(document) = Document::parse(text.trim_start_matches('\u{feff}')) else { return config };
    let root = document.root_element();
    config.max_clients = root.attribute("max-logins").and_then(|text| text.parse().ok());
    let mut ports = Box::new(PortSet::EMPTY);
    let mut any = false;
    for node in root.descendants() {
        let port = |name: &str| {
            let number = node.attribute(name).and_then(|text| text.trim().parse::<u16>().ok());
            number.filter(|number| *number != 0).map(Port::new)
        };
        match node.tag_name().name() {
            "nio-listener" => {
                config.control = port("port").unwrap_or(config.control);
                let encrypted = node.attribute("implicit-ssl") == Some("true");
                config.tls |= encrypted || node.children().any(|child| child.has_tag_name("ssl"));
            }
            "ssl" => config.tls = true,
            "active" => {
                let enabled = node.attribute("enabled") != Some("false");
                config.active =
                    enabled.then(|| port("local-port").map_or(SourcePort::Any, SourcePort::Fixed));
            }
            "passive" => {
                let address = node.attribute("external-address");
                config.address = address.map(str::to_owned).or(config.address);
                let Some(list) = node.attribute("ports") else { continue };
                for part in list.split(',').map(str::trim) {
                    match part {
                        "" | "0" => any = true,
                        _ => match span(part) {
                            Some(range) => *ports |= &PortSet::from(range),
                            None => config
                                .ignored
                                .push(format!("ports {part}: no range, the server does not start")),
                        },
                    }
                }
            }
            _ => {}
        }
    }
    if !ports.is_empty() && !any {
        config.passive = Passive::Limited(ports);
    }
    config
}

/// `123`, `123-125`, `60000-` (up to 65535) or `-125` (from 1).
fn span(part: &str) -> Option<PortRange> {
    let Some((low, high)) = part.split_once('-') else { return part.parse().ok() };
    let or = |text: &str, open: u16| match text.trim() {
        "" => Some(open),
        text => text.parse().ok(),
    };
    PortRange::new(or(low, 1)?, or(high, u16::MAX)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(ports: &str) -> ServerConfig {
        let text = format!(
            "<server xmlns=\"http://mina.apache.org/ftpserver/spring/v1\" max-logins=\"500\">\
             <listeners><nio-listener name=\"default\" port=\"2121\"><ssl/><data-connection>\
             <active enabled=\"true\" local-port=\"2020\"/><passive ports=\"{ports}\" \
             external-address=\"192.0.2.1\"/></data-connection></nio-listener></listeners></server>"
        );
        super::super::read("ftpd.xml", &text).unwrap()
    }

    #[test]
    fn lists_of_ports() {
        let list = |text: &str| Passive::Limited(Box::new(text.parse().unwrap()));
        assert_eq!(file("20020-20030").passive, list("20020-20030"));
        assert_eq!(file("123-125, 127, 60000-").passive, list("123-125,127,60000-65535"));
        assert_eq!(file("0").passive, Passive::System);
        assert_eq!(file("70000").ignored.len(), 1);
        let found = file("1-2");
        assert_eq!(found.active, Some(SourcePort::Fixed(Port::new(2020))));
        assert_eq!(
            (found.tls, found.control, found.max_clients),
            (true, Port::new(2121), Some(500))
        );
    }
}
