//! A server's configuration, held against the host that it runs on: the system's range, reserved
//! ports, other listeners, the firewall.

use dayfly_ports::{PortSet, Protocol};

use super::{Passive, Product, ServerConfig, WhenFull};
use crate::Settings;
use crate::doctor::Listening;
use crate::why::{Action, Remedy, Shell};

/// What a configuration is held against.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The system's range and reserved ports.
    pub settings: &'a Settings,
    /// How commands are run there.
    pub shell: &'a Shell,
    /// Who listens; only those inside the passive ports matter.
    pub listeners: &'a [Listening],
    /// The TCP ports that the firewall lets anybody connect to; none if that is not known.
    pub open: Option<&'a PortSet>,
    /// How many transfers there may be at a time; without it the file's own limit is taken.
    pub clients: Option<u32>,
}

/// One thing that is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// What kind.
    pub kind: IssueKind,
    /// What was seen, a sentence each.
    pub evidence: Vec<String>,
    /// What to do, the best first.
    pub remedies: Vec<Remedy>,
}

/// What may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IssueKind {
    /// The file says something that the server does not do.
    Ignored,
    /// Nobody limits the passive ports.
    Unlimited,
    /// There are fewer ports than clients.
    TooSmall,
    /// Outgoing connections or other services take ports out of the passive range.
    Shared,
    /// The firewall leaves other ports open than the server uses.
    Firewall,
}

impl IssueKind {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            IssueKind::Ignored => "ignored",
            IssueKind::Unlimited => "unlimited",
            IssueKind::TooSmall => "too_small",
            IssueKind::Shared => "shared",
            IssueKind::Firewall => "firewall",
        }
    }
}

/// A range below every system's default, wide enough for a hundred transfers at a time, and free of
/// well-known services: what is advised where there is nothing to go by.
const ADVISED: &str = "30000-30199";

/// More ports than this are not worth reserving for one service: a seventh of Linux' range.
const MANY: u32 = 4096;

/// Everything that is wrong, in the order of [`IssueKind`].
#[must_use]
pub fn issues(config: &ServerConfig, around: &Surroundings<'_>) -> Vec<Issue> {
    let found = [
        ignored(config),
        unlimited(config, around),
        too_small(config, around),
        shared(config, around),
        firewall(config, around),
    ];
    found.into_iter().flatten().collect()
}

fn issue(kind: IssueKind, evidence: String) -> Issue {
    Issue { kind, evidence: vec![evidence], remedies: Vec::new() }
}

impl Issue {
    fn and(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    fn remedy(mut self, action: impl Into<Action>, effect: impl Into<String>) -> Self {
        self.remedies.push(Remedy::new(action, effect));
        self
    }
}

/// `vsftpd (/etc/vsftpd.conf)`.
fn name(config: &ServerConfig) -> String {
    format!("{} ({})", config.product, config.file)
}

fn ignored(config: &ServerConfig) -> Option<Issue> {
    let (first, rest) = config.ignored.split_first()?;
    let mut found = issue(IssueKind::Ignored, format!("{}: {first}", name(config)));
    for text in rest {
        found = found.and(text);
    }
    if let Passive::Limited(ports) = &config.passive {
        found = found.and(format!("passive transfers use {ports}"));
    }
    Some(found.remedy(
        format!("correct {}", config.file),
        "clients are told ports that the firewall expects",
    ))
}

fn unlimited(config: &ServerConfig, around: &Surroundings<'_>) -> Option<Issue> {
    let usable = around.settings.usable(Protocol::Tcp);
    let ports = match &config.passive {
        Passive::Off | Passive::Limited(_) => return None,
        Passive::System => format!("the system's range, {usable}"),
        Passive::Own(range) => format!("{range}, whatever the system's range is"),
    };
    let found = issue(
        IssueKind::Unlimited,
        format!("{} takes passive ports from {ports}: no setting limits them", name(config)),
    );
    let found = found.and(
        "the firewall has to leave them all open: every service that listens there can be reached",
    );
    let range = match ADVISED.parse() {
        Ok(range) if config.product != Product::NcFtpd => config.product.setting(range),
        _ => return Some(found),
    };
    Some(found.remedy(
        format!("write into {}: {range}", config.file),
        "200 ports, to be left open in the firewall and reserved on this host",
    ))
}

fn too_small(config: &ServerConfig, around: &Surroundings<'_>) -> Option<Issue> {
    let Passive::Limited(ports) = &config.passive else { return None };
    let wanted = around.clients.or(config.max_clients)?;
    let have = ports.len();
    if have >= wanted {
        return None;
    }
    let whose = match (around.clients, config.max_clients) {
        (Some(_), _) => "as asked",
        (None, _) => "its own limit",
    };
    let found = issue(
        IssueKind::TooSmall,
        format!(
            "{} has {have} passive ports ({ports}) for {wanted} clients at a time ({whose})",
            name(config)
        ),
    );
    let found = match config.when_full {
        WhenFull::Fails => found.and("when all are taken, further transfers fail"),
        WhenFull::LeavesRange => found.and(
            "when all are taken, it uses any port of the system's range, which the firewall does \
             not expect: clients time out",
        ),
    };
    Some(found.remedy(
        format!("widen the passive range to {wanted} ports, or allow {have} clients"),
        "every client finds a port inside the range",
    ))
}

fn shared(config: &ServerConfig, around: &Surroundings<'_>) -> Option<Issue> {
    let Passive::Limited(ports) = &config.passive else { return None };
    let usable = around.settings.usable(Protocol::Tcp);
    let taken = &**ports & &usable;
    let inside: Vec<&Listening> = around
        .listeners
        .iter()
        .filter(|one| {
            one.protocol == Protocol::Tcp
                && !one.address.ip().is_loopback()
                && ports.contains(one.address.port().into())
                && !is_own(config, one)
        })
        .collect();
    let mut found: Option<Issue> = None;
    let mut add = |text: String| {
        found = Some(match found.take() {
            None => issue(IssueKind::Shared, text),
            Some(found) => found.and(text),
        });
    };
    if !taken.is_empty() {
        add(format!(
            "{}: outgoing connections of this host are given passive ports as well ({} of {})",
            name(config),
            taken.len(),
            ports.len()
        ));
    }
    for one in &inside {
        let owner = one.owner.as_deref().unwrap_or("an unknown process");
        add(format!("{owner} listens on {}, inside the passive range", one.address));
    }
    let mut found = found?;
    if taken.len() > MANY {
        found = found.remedy(
            format!("give the server fewer ports, outside the system's range, such as {ADVISED}"),
            "too many to be reserved: outgoing connections would run short",
        );
    } else if !taken.is_empty() {
        found = found.remedy(
            around.shell.dayfly(&format!("reserve {taken}")),
            "outgoing connections no longer take them; the server still can",
        );
    }
    if !inside.is_empty() {
        found = found.remedy(
            "move these services or the passive range",
            "they are no longer reachable through the ports that are open for FTP",
        );
    }
    Some(found)
}

/// Whether it is one of the server's own passive listeners.
fn is_own(config: &ServerConfig, listening: &Listening) -> bool {
    let owner = listening.owner.as_deref().unwrap_or_default();
    match config.product {
        Product::Vsftpd => owner.starts_with("vsftpd"),
        Product::ProFtpd => owner.starts_with("proftpd"),
        Product::PureFtpd => owner.starts_with("pure-ftpd"),
        Product::Pyftpdlib => owner.starts_with("python"),
        _ => false,
    }
}

fn firewall(config: &ServerConfig, around: &Surroundings<'_>) -> Option<Issue> {
    let open = around.open?;
    let usable = around.settings.usable(Protocol::Tcp);
    let ports = config.passive.ports(&usable);
    let closed = &ports - open;
    if closed.is_empty() {
        return None;
    }
    let found = issue(
        IssueKind::Firewall,
        format!(
            "{}: the firewall does not let clients in to {} of {} passive ports ({})",
            name(config),
            closed.len(),
            ports.len(),
            shortened(&closed)
        ),
    );
    let found = if config.tls {
        found.and("with encryption no helper of the firewall can open them by itself")
    } else {
        found.and("a connection-tracking helper opens them one by one, if one is assigned")
    };
    Some(found.remedy(
        format!("let TCP in to the ports {}", shortened(&ports)),
        "passive transfers get through, encrypted ones as well",
    ))
}

/// The set, or how many spans it has where that would fill the screen.
fn shortened(ports: &PortSet) -> String {
    let list = ports.to_string();
    if list.len() <= 60 { list } else { format!("{} ports", ports.len()) }
}

#[cfg(test)]
mod tests {
    use super::super::read_as;
    use super::*;

    fn told(product: Product, text: &str, open: Option<&str>, clients: Option<u32>) -> Vec<String> {
        let settings = Settings::linux_defaults();
        let open: Option<PortSet> = open.map(|list| list.parse().unwrap());
        let listener = |address: &str, owner: &str| Listening {
            protocol: Protocol::Tcp,
            address: address.parse().unwrap(),
            owner: Some(owner.to_owned()),
        };
        let listeners = [
            listener("0.0.0.0:50005", "nginx (pid 7)"),
            listener("127.0.0.1:50006", "redis (pid 8)"),
            listener("0.0.0.0:50007", "vsftpd (pid 9)"),
        ];
        let around = Surroundings {
            settings: &settings,
            shell: &Shell::default(),
            listeners: &listeners,
            open: open.as_ref(),
            clients,
        };
        let config = read_as(product, "f", text);
        let found = issues(&config, &around);
        found.iter().map(|issue| format!("{}: {}", issue.kind.name(), issue.evidence[0])).collect()
    }

    #[test]
    fn each_issue_is_found_and_nothing_else() {
        let vsftpd = |text, open, clients| told(Product::Vsftpd, text, open, clients);
        let good = "pasv_min_port=30000\npasv_max_port=30199\nmax_clients=200\n";
        assert!(vsftpd(good, Some("21,30000-30199"), None).is_empty());
        assert_eq!(
            vsftpd(good, Some("21"), Some(201)),
            [
                "too_small: vsftpd (f) has 200 passive ports (30000-30199) for 201 clients at a \
                 time (as asked)",
                "firewall: vsftpd (f): the firewall does not let clients in to 200 of 200 passive \
                 ports (30000-30199)"
            ]
        );
        let inside = "pasv_min_port=50000\npasv_max_port=50009\nmax_clients=5\n";
        assert_eq!(
            vsftpd(inside, None, None),
            ["shared: vsftpd (f): outgoing connections of this host are given passive ports as \
                 well (10 of 10)"]
        );
        assert!(vsftpd("", None, None)[0].starts_with("unlimited: vsftpd (f) takes passive ports"));
        assert!(
            vsftpd("pasv_min_port=9\n", None, None)[0].starts_with("ignored: vsftpd (f): pasv")
        );
        assert!(vsftpd("pasv_enable=NO\n", Some(""), Some(9)).is_empty());
    }

    #[test]
    fn listeners_inside_are_named_but_not_the_servers_own() {
        let settings = Settings::linux_defaults();
        let text = "pasv_min_port=50000\npasv_max_port=50009\nmax_clients=5\n";
        let config = read_as(Product::Vsftpd, "f", text);
        let listeners: Vec<Listening> = [("0.0.0.0:50005", "nginx"), ("0.0.0.0:50007", "vsftpd")]
            .map(|(address, owner)| Listening {
                protocol: Protocol::Tcp,
                address: address.parse().unwrap(),
                owner: Some(format!("{owner} (pid 7)")),
            })
            .into();
        let around = Surroundings {
            settings: &settings,
            shell: &Shell::default(),
            listeners: &listeners,
            open: None,
            clients: None,
        };
        let found = issues(&config, &around);
        assert_eq!(found[0].evidence.len(), 2, "{found:?}");
        assert!(found[0].evidence[1].starts_with("nginx (pid 7) listens on 0.0.0.0:50005"));
        assert_eq!(found[0].remedies[0].action.as_str(), "dayfly reserve 50000-50009");
    }

    #[test]
    fn leaving_the_range_is_said() {
        let settings = Settings::linux_defaults();
        let config = read_as(Product::ProFtpd, "f", "PassivePorts 30000 30009\nMaxInstances 30\n");
        let around = Surroundings {
            settings: &settings,
            shell: &Shell::default(),
            listeners: &[],
            open: None,
            clients: None,
        };
        let found = issues(&config, &around);
        assert!(
            found[0].evidence[1].contains("it uses any port of the system's range"),
            "{found:?}"
        );
    }
}
