//! pyftpdlib: Python source. Read is what programs write down literally: `passive_ports =
//! range(60000, 65535)` (Python's end is not part of it), a list of numbers, `masquerade_address`,
//! `max_cons`.

use dayfly_ports::{Port, PortRange, PortSet};

use super::{Passive, Product, ServerConfig, WhenFull};

/// Connections at a time, unless told otherwise (`FTPServer.max_cons`).
const MAX_CONNECTIONS: u32 = 512;

pub(super) fn read(file: &str, text: &str) -> ServerConfig {
    let mut config = ServerConfig::new(Product::Pyftpdlib, file);
    config.max_clients = Some(MAX_CONNECTIONS);
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        config.tls |= line.contains("TLS_FTPHandler");
        if let Some(address) = assigned(line, "masquerade_address") {
            let address = address.trim_matches(['\'', '"']);
            config.address = (address != "None").then(|| address.to_owned());
        }
        if let Some(number) = assigned(line, "max_cons") {
            // 0 stands for no limit.
            config.max_clients = number.parse().ok().filter(|number| *number != 0);
        }
        if let Some(value) = assigned(line, "passive_ports") {
            passive(&mut config, value);
        }
        if let Some(port) = server_port(line) {
            config.control = port;
        }
    }
    config
}

fn passive(config: &mut ServerConfig, value: &str) {
    if value == "None" {
        config.passive = Passive::System;
        return;
    }
    match ports(value) {
        Some(ports) if !ports.is_empty() => {
            config.passive = Passive::Limited(Box::new(ports));
            // "A random kernel-assigned port will be used" (`PassiveDTP` in `handlers.py`).
            config.when_full = WhenFull::LeavesRange;
        }
        _ => config.ignored.push(format!("passive_ports = {value}: not read, it is no literal")),
    }
}

/// `name = value` or `handler.name = value`, without a comment behind.
fn assigned<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (left, value) = line.split_once('=')?;
    let left = left.trim();
    let is_named = left == name || left.strip_suffix(name).is_some_and(|rest| rest.ends_with('.'));
    let value = value.split('#').next().unwrap_or_default().trim();
    (is_named && !value.starts_with('=')).then_some(value)
}

/// `range(a, b)`, `list(range(a, b + 1))`, `[a, b, c]`, `(a, b)`.
fn ports(value: &str) -> Option<PortSet> {
    let value =
        value.strip_prefix("list(").and_then(|rest| rest.strip_suffix(')')).unwrap_or(value);
    if let Some(inside) = value.strip_prefix("range(").and_then(|rest| rest.strip_suffix(')')) {
        let (low, end) = inside.split_once(',')?;
        let (low, end) = (sum(low)?, sum(end)?);
        let high = u16::try_from(end.checked_sub(1)?).ok()?;
        return Some(PortRange::new(u16::try_from(low).ok()?, high).ok()?.into());
    }
    let inside = value.strip_prefix(['[', '('])?.strip_suffix([']', ')'])?;
    let items = inside.split(',').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| item.parse::<Port>().ok()).collect()
}

/// A number, or two with a plus sign between.
fn sum(text: &str) -> Option<u32> {
    text.split('+').map(|part| part.trim().replace('_', "").parse::<u32>().ok()).sum()
}

/// The port of `FTPServer(("", 2121), handler)` or `address = ("", 2121)`.
fn server_port(line: &str) -> Option<Port> {
    let inside = line.split_once("FTPServer((").map(|(_, rest)| rest).or_else(|| {
        line.split_once('=')
            .filter(|(left, _)| left.trim() == "address")
            .and_then(|(_, right)| right.trim().strip_prefix('('))
    })?;
    let (_, port) = inside.split(')').next()?.rsplit_once(',')?;
    port.trim().parse().ok().filter(|port| *port != Port::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(value: &str) -> Option<String> {
        match read("f", &format!("handler.passive_ports = {value}")).passive {
            Passive::Limited(ports) => Some(ports.to_string()),
            _ => None,
        }
    }

    #[test]
    fn literals_are_read() {
        assert_eq!(told("range(60000, 65535)").as_deref(), Some("60000-65534"));
        assert_eq!(told("list(range(60000, 65535 + 1))  # all").as_deref(), Some("60000-65535"));
        assert_eq!(told("[40001, 40003]").as_deref(), Some("40001,40003"));
        assert_eq!(told("range(60000, 60000)"), None);
        assert_eq!(told("None"), None);
        assert_eq!(told("PORTS"), None);
    }

    #[test]
    fn a_program() {
        let text = "from pyftpdlib.servers import FTPServer\nclass H(TLS_FTPHandler):\n    \
            passive_ports = range(50000, 50101)\n    masquerade_address = '192.0.2.1'\n\
            address = (\"\", 2121)\nserver = FTPServer(address, H)\nserver.max_cons = 256\n";
        let found = read("f", text);
        assert_eq!(found.passive, Passive::range("50000-50100".parse().unwrap()));
        assert_eq!((found.tls, found.address.as_deref()), (true, Some("192.0.2.1")));
        assert_eq!((found.max_clients, found.control), (Some(256), Port::new(2121)));
        assert_eq!(found.when_full, WhenFull::LeavesRange);
        let inline = read("f", "s = FTPServer((\"0.0.0.0\", 21), H)");
        assert_eq!(inline.control, Port::new(21));
    }
}
