//! ProFTPD: directives in contexts (`proftpd.conf(5)`, mod_core 1.3.8).

use dayfly_ports::{Port, PortSet};

use super::{Passive, Product, ServerConfig, SourcePort, WhenFull, span};

pub(super) fn recognises(line: &str) -> bool {
    let word = line.split_whitespace().next().unwrap_or_default();
    [
        "PassivePorts",
        "ServerType",
        "MasqueradeAddress",
        "AllowOverwrite",
        "<Global>",
        "<VirtualHost",
    ]
    .iter()
    .any(|known| word.eq_ignore_ascii_case(known))
}

pub(super) fn read(file: &str, text: &str) -> ServerConfig {
    let mut config = ServerConfig::new(Product::ProFtpd, file);
    config.when_full = WhenFull::LeavesRange;
    let mut ports = Box::new(PortSet::EMPTY);
    let mut contexts: Vec<String> = Vec::new();
    let mut root_revoked = false;
    for line in text.lines().map(str::trim) {
        if line.starts_with('#') {
            continue;
        }
        if let Some(closed) = line.strip_prefix("</") {
            let name = closed.trim_end_matches('>').trim();
            contexts.retain(|context| !context.eq_ignore_ascii_case(name));
            continue;
        }
        if let Some(opened) = line.strip_prefix('<') {
            let name = opened.split(|c: char| c.is_whitespace() || c == '>').next();
            contexts.push(name.unwrap_or_default().to_owned());
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((directive, arguments)) = words.split_first() else { continue };
        let argument = arguments.first().copied().unwrap_or_default();
        let is_on = argument.eq_ignore_ascii_case("on");
        match directive.to_ascii_lowercase().as_str() {
            "passiveports" => match allowed(&contexts).and_then(|()| range(arguments)) {
                Ok(range) => *ports |= &PortSet::from(range),
                Err(why) => config.ignored.push(format!("{line}: {why}")),
            },
            "masqueradeaddress" => config.address = Some(argument.to_owned()),
            "maxinstances" => config.max_clients = argument.parse().ok(),
            "maxclients" if contexts.is_empty() => {
                config.max_clients = argument.parse().ok().or(config.max_clients);
            }
            "tlsengine" => config.tls |= is_on,
            "rootrevoke" => root_revoked = is_on,
            "port" if contexts.is_empty() => {
                if let Ok(port) = argument.parse::<u16>()
                    && port != 0
                {
                    config.control = Port::new(port);
                }
            }
            _ => {}
        }
    }
    if !ports.is_empty() {
        config.passive = Passive::Limited(ports);
    }
    // It connects from the port below the control connection's, which only root may bind.
    config.active = Some(match config.control.number().checked_sub(1) {
        Some(port) if !root_revoked && port != 0 => SourcePort::Fixed(Port::new(port)),
        _ => SourcePort::Any,
    });
    config
}

/// `PassivePorts` is allowed in the server's configuration, `<VirtualHost>` and `<Global>`.
fn allowed(contexts: &[String]) -> Result<(), String> {
    let known = ["Global", "VirtualHost", "IfModule", "IfDefine", "IfVersion", "IfClass"];
    let fits = |context: &&String| known.iter().any(|name| context.eq_ignore_ascii_case(name));
    match contexts.iter().find(|context| !fits(context)) {
        Some(context) => {
            Err(format!("it is not allowed in <{context}>, the server does not start"))
        }
        None => Ok(()),
    }
}

fn range(arguments: &[&str]) -> Result<dayfly_ports::PortRange, String> {
    let [low, high] = arguments else {
        return Err("two ports are expected, the server does not start".to_owned());
    };
    match span(low, high) {
        Some(range) if range.low().number() >= 1024 => Ok(range),
        Some(_) => Err("the ports must be 1024 or more, the server does not start".to_owned()),
        None => Err("not a range, the server does not start".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_count() {
        let text = "Port 21\n# PassivePorts 1 2\n<Global>\n  PassivePorts 49152 65534\n</Global>\n\
            <IfModule mod_tls.c>\nTLSEngine on\n</IfModule>\nMasqueradeAddress ftp.example\n\
            MaxInstances 30\n";
        let found = read("f", text);
        assert_eq!(found.passive, Passive::range("49152-65534".parse().unwrap()));
        assert_eq!(found.when_full, WhenFull::LeavesRange);
        assert_eq!((found.tls, found.max_clients), (true, Some(30)));
        assert_eq!(found.address.as_deref(), Some("ftp.example"));
        assert_eq!(found.active, Some(super::super::DATA));
    }

    #[test]
    fn what_it_refuses_is_told() {
        for text in [
            "PassivePorts 1000 2000",
            "PassivePorts 50000",
            "PassivePorts 50100 50000",
            "<Anonymous ~ftp>\nPassivePorts 50000 50100\n</Anonymous>",
        ] {
            let found = read("f", text);
            assert_eq!((found.passive, found.ignored.len()), (Passive::System, 1), "{text}");
        }
    }
}
