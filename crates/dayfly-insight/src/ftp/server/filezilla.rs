//! FileZilla Server: `FileZilla Server.xml` up to 0.9 (`<Item name="Custom PASV min port">`), and
//! `settings.xml` since 1.0 (`<pasv><port_range><min>`). Without a range it asks the system.

use roxmltree::{Document, Node};

use super::{Passive, Product, ServerConfig, span};

pub(super) fn read(file: &str, text: &str) -> ServerConfig {
    let mut config = ServerConfig::new(Product::FileZilla, file);
    let Ok(document) = Document::parse(text.trim_start_matches('\u{feff}')) else { return config };
    let root = document.root_element();
    let found = if root.tag_name().name() == "FileZillaServer" { old(root) } else { new(root) };
    let [low, high, address] = found;
    match (low.unwrap_or("0"), high.unwrap_or("0")) {
        ("0", "0") => {}
        (low, high) => match span(low, high).filter(|range| range.low().number() != 0) {
            Some(range) => config.passive = Passive::range(range),
            None => config.ignored.push(format!("passive ports {low} to {high}: not a range")),
        },
    }
    config.address = address.filter(|address| !address.is_empty()).map(str::to_owned);
    config.tls = is_encrypted(root);
    config
}

/// Lowest port, highest port, address.
type Found<'a> = [Option<&'a str>; 3];

fn old<'a>(root: Node<'a, '_>) -> Found<'a> {
    let item = |name: &str| {
        let items = root.descendants().filter(|node| node.has_tag_name("Item"));
        let named = |node: &Node<'_, '_>| node.attribute("name") == Some(name);
        items.into_iter().find(named).and_then(|node| node.text()).map(str::trim)
    };
    // 0: the control connection's; 1: the one given; 2: asked of a server on the Internet.
    let address = item("Custom PASV IP").filter(|_| item("Custom PASV IP type") != Some("0"));
    [item("Custom PASV min port"), item("Custom PASV max port"), address]
}

fn new<'a>(root: Node<'a, '_>) -> Found<'a> {
    let child = |node: Node<'a, '_>, name: &str| {
        let found = node.descendants().find(|node| node.tag_name().name() == name);
        found.and_then(|node| node.text()).map(str::trim)
    };
    let Some(pasv) = root.descendants().find(|node| node.tag_name().name() == "pasv") else {
        return [None; 3];
    };
    let Some(range) = pasv.descendants().find(|node| node.tag_name().name() == "port_range") else {
        return [None, None, child(pasv, "host_override")];
    };
    [child(range, "min"), child(range, "max"), child(pasv, "host_override")]
}

/// Since 1.0 every listener names its mode (1: encryption may be asked for, 2: it is there from
/// the start, 3: it is required); before, one item switches it on.
fn is_encrypted(root: Node<'_, '_>) -> bool {
    root.descendants().any(|node| {
        let text = node.text().map(str::trim).unwrap_or_default();
        let old = node.attribute("name") == Some("Enable SSL") && text == "1";
        old || (node.tag_name().name() == "tls_mode" && text != "0")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_files() {
        let text = "<FileZillaServer><Settings>\
            <Item name=\"Custom PASV IP type\" type=\"numeric\">1</Item>\
            <Item name=\"Custom PASV IP\" type=\"string\">192.0.2.1</Item>\
            <Item name=\"Custom PASV min port\" type=\"numeric\">50000</Item>\
            <Item name=\"Custom PASV max port\" type=\"numeric\">51000</Item>\
            <Item name=\"Enable SSL\" type=\"numeric\">1</Item></Settings></FileZillaServer>";
        let found = read("f", text);
        assert_eq!(found.passive, Passive::range("50000-51000".parse().unwrap()));
        assert_eq!((found.address.as_deref(), found.tls), (Some("192.0.2.1"), true));
        let none = text.replace("50000", "0").replace("51000", "0");
        assert_eq!(read("f", &none).passive, Passive::System);
    }

    #[test]
    fn new_files() {
        let text = "\u{feff}<?xml version=\"1.0\"?><filezilla xmlns=\"https://filezilla-project.org\">\
            <ftp_server><session><pasv><host_override>ftp.example</host_override><port_range>\
            <min>49152</min><max>65534</max></port_range></pasv></session></ftp_server></filezilla>";
        let found = read("f", text);
        assert_eq!(found.passive, Passive::range("49152-65534".parse().unwrap()));
        assert_eq!((found.address.as_deref(), found.tls), (Some("ftp.example"), false));
        let turned = text.replace("49152", "65535");
        assert_eq!(read("f", &turned).ignored.len(), 1);
    }
}
