//! What to give a firewall so that it lets ports in: a file or commands in its own words.
//!
//! Rules are put in front of those that are there; accepting in a table of one's own would not
//! help, since every other chain of the hook still decides.

use dayfly_ports::{PortSet, Protocol};

use super::{Opening, in_parts, listed, nft_ports};
use crate::firewall::model::Dialect;

/// What is to work.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// What is to be let in.
    pub openings: Vec<Opening>,
    /// Conntrack helpers that are to read control connections instead.
    pub helpers: Vec<Helper>,
    /// The chain to put rules in front of: `inet filter input`, or iptables' `INPUT`.
    pub chain: Option<String>,
}

/// A conntrack helper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// For FTP as the client.
    FtpClient,
    /// For FTP as the server.
    FtpServer,
    /// For TFTP as the client.
    TftpClient,
}

impl Helper {
    const fn name(self) -> &'static str {
        match self {
            Helper::FtpClient | Helper::FtpServer => "ftp",
            Helper::TftpClient => "tftp",
        }
    }

    const fn protocol(self) -> Protocol {
        match self {
            Helper::FtpClient | Helper::FtpServer => Protocol::Tcp,
            Helper::TftpClient => Protocol::Udp,
        }
    }

    const fn port(self) -> u16 {
        match self {
            Helper::FtpClient | Helper::FtpServer => 21,
            Helper::TftpClient => 69,
        }
    }

    const fn is_client(self) -> bool {
        matches!(self, Helper::FtpClient | Helper::TftpClient)
    }
}

/// Why a firewall cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It has no helpers that read control connections, or none that rules can give.
    NoHelpers(Dialect),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::NoHelpers(dialect) => write!(
                f,
                "{} cannot be given a helper by a rule: only open ports help",
                dialect.name()
            ),
        }
    }
}

impl std::error::Error for Refusal {}

/// The file or the commands, a line each.
///
/// # Errors
/// [`Refusal`] when the firewall has no words for it.
pub fn emit(dialect: Dialect, wish: &Wish) -> Result<String, Refusal> {
    let helped = !wish.helpers.is_empty();
    let lines = match dialect {
        Dialect::Nft => nft(wish),
        Dialect::Iptables | Dialect::Ip6tables => iptables(wish),
        Dialect::Firewalld => firewalld(wish),
        _ if helped => return Err(Refusal::NoHelpers(dialect)),
        Dialect::Ufw => each(wish, ufw),
        Dialect::Pf => each(wish, pf),
        Dialect::Ipfw => each(wish, ipfw),
        Dialect::Windows => each(wish, windows),
        Dialect::Aws => each(wish, aws),
    };
    Ok(lines.iter().map(|line| format!("{line}\n")).collect())
}

fn each(wish: &Wish, one: fn(&Opening) -> Vec<String>) -> Vec<String> {
    wish.openings.iter().flat_map(one).collect()
}

/// A file for `nft -f`.
fn nft(wish: &Wish) -> Vec<String> {
    let chain = wish.chain.as_deref().unwrap_or("inet filter input");
    let mut lines = Vec::new();
    if !wish.helpers.is_empty() {
        // A helper may be given by any table, as long as the packet comes there.
        lines.push("table inet dayfly".to_owned());
        lines.push("delete table inet dayfly".to_owned());
        lines.push("table inet dayfly {".to_owned());
        for helper in &wish.helpers {
            lines.push(format!("\tct helper {} {{", helper.name()));
            lines.push(format!("\t\ttype \"{}\" protocol {}", helper.name(), helper.protocol()));
            lines.push("\t}".to_owned());
        }
        for (hook, client) in [("output", true), ("prerouting", false)] {
            let given: Vec<_> = wish.helpers.iter().filter(|it| it.is_client() == client).collect();
            if given.is_empty() {
                continue;
            }
            lines.push(format!("\tchain {hook} {{"));
            lines.push(format!("\t\ttype filter hook {hook} priority 0; policy accept;"));
            for helper in given {
                let (protocol, port) = (helper.protocol(), helper.port());
                let name = helper.name();
                lines.push(format!("\t\t{protocol} dport {port} ct helper set \"{name}\""));
            }
            lines.push("\t}".to_owned());
        }
        lines.push("}".to_owned());
        lines.push(format!("insert rule {chain} ct state related accept"));
    }
    for Opening { protocol, source_ports, ports } in &wish.openings {
        let source = source_ports.as_ref().map(|it| format!("{protocol} sport {} ", nft_ports(it)));
        let source = source.unwrap_or_default();
        let ports = nft_ports(ports);
        lines.push(format!("insert rule {chain} {source}{protocol} dport {ports} accept"));
    }
    lines
}

/// A file for `iptables-restore -n`.
fn iptables(wish: &Wish) -> Vec<String> {
    let chain = wish.chain.as_deref().unwrap_or("INPUT");
    let mut lines = Vec::new();
    if !wish.helpers.is_empty() {
        lines.push("*raw".to_owned());
        for helper in &wish.helpers {
            let hook = if helper.is_client() { "OUTPUT" } else { "PREROUTING" };
            let (protocol, port, name) = (helper.protocol(), helper.port(), helper.name());
            lines.push(format!("-A {hook} -p {protocol} --dport {port} -j CT --helper {name}"));
        }
        lines.push("COMMIT".to_owned());
    }
    lines.push("*filter".to_owned());
    if !wish.helpers.is_empty() {
        lines.push(format!("-I {chain} -m conntrack --ctstate RELATED -j ACCEPT"));
    }
    for opening in &wish.openings {
        lines.extend(specs(opening).iter().map(|spec| format!("-I {chain} {spec} -j ACCEPT")));
    }
    lines.push("COMMIT".to_owned());
    lines
}

/// What an opening asks for, in iptables' words; several where one rule cannot hold the ports.
pub(super) fn specs(opening: &Opening) -> Vec<String> {
    let side = |name: &str, ports: &PortSet| {
        let text = listed(ports, ':', ",");
        if text.contains(',') {
            format!(" -m multiport --{name}s {text}")
        } else {
            format!(" --{name} {text}")
        }
    };
    let source =
        opening.source_ports.as_ref().map(|ports| side("sport", ports)).unwrap_or_default();
    let protocol = opening.protocol;
    let spec = |ports: &PortSet| format!("-p {protocol}{source}{}", side("dport", ports));
    in_parts(&opening.ports).iter().map(spec).collect()
}

/// Commands. firewalld has no rule for a source and a destination port at once, so the source port
/// is left out.
fn firewalld(wish: &Wish) -> Vec<String> {
    let mut lines = Vec::new();
    for helper in &wish.helpers {
        if *helper == Helper::FtpServer {
            lines.push("firewall-cmd --permanent --add-service=ftp".to_owned());
        } else {
            // Its services are about what comes in; what goes out needs a direct rule.
            let (protocol, port, name) = (helper.protocol(), helper.port(), helper.name());
            lines.push(format!(
                "firewall-cmd --permanent --direct --add-rule ipv4 raw OUTPUT 0 \
                 -p {protocol} --dport {port} -j CT --helper {name}"
            ));
        }
    }
    for opening in &wish.openings {
        for range in opening.ports.ranges() {
            let mut ports = PortSet::EMPTY;
            ports.insert_range(range);
            let ports = listed(&ports, '-', ",");
            lines.push(format!("firewall-cmd --permanent --add-port={ports}/{}", opening.protocol));
        }
    }
    lines.push("firewall-cmd --reload".to_owned());
    lines
}

/// Commands; ufw takes as many ports as multiport.
fn ufw(opening: &Opening) -> Vec<String> {
    let source = match &opening.source_ports {
        Some(ports) => format!(" port {}", listed(ports, ':', ",")),
        None => String::new(),
    };
    let protocol = opening.protocol;
    let one = |ports: &PortSet| {
        let ports = listed(ports, ':', ",");
        format!("ufw allow proto {protocol} from any{source} to any port {ports}")
    };
    in_parts(&opening.ports).iter().map(one).collect()
}

/// Lines for the end of `pf.conf`, where the last rule that matches decides (pf.conf(5)).
fn pf(opening: &Opening) -> Vec<String> {
    let list = |ports: &PortSet| {
        let text = listed(ports, ':', ", ");
        if text.contains(',') { format!("{{ {text} }}") } else { text }
    };
    let source = opening.source_ports.as_ref().map(|ports| format!(" port {}", list(ports)));
    let source = source.unwrap_or_default();
    let (protocol, ports) = (opening.protocol, list(&opening.ports));
    vec![format!("pass in proto {protocol} from any{source} to any port {ports} keep state")]
}

/// Commands; the rules get the next free numbers but the last one's (ipfw(8)).
fn ipfw(opening: &Opening) -> Vec<String> {
    let source = opening.source_ports.as_ref().map(|ports| format!(" {}", listed(ports, '-', ",")));
    let source = source.unwrap_or_default();
    let (protocol, ports) = (opening.protocol, listed(&opening.ports, '-', ","));
    vec![format!("ipfw add allow {protocol} from any{source} to me {ports} in")]
}

/// Commands for cmd.exe.
fn windows(opening: &Opening) -> Vec<String> {
    let remote = opening.source_ports.as_ref();
    let remote = remote.map(|ports| format!(" remoteport={}", listed(ports, '-', ",")));
    let remote = remote.unwrap_or_default();
    let (protocol, ports) = (opening.protocol, listed(&opening.ports, '-', ","));
    let name = format!("dayfly {protocol} {ports}");
    vec![format!(
        "netsh advfirewall firewall add rule name=\"{name}\" dir=in action=allow \
         protocol={} localport={ports}{remote}",
        protocol.name().to_ascii_uppercase()
    )]
}

/// Commands for a security group; ACL and group have no source ports.
fn aws(opening: &Opening) -> Vec<String> {
    let protocol = opening.protocol;
    let one = |range: dayfly_ports::PortRange| {
        let (low, high) = (range.low(), range.high());
        [
            format!(
                "aws ec2 authorize-security-group-ingress --group-id \"$GROUP\" \
                 --protocol {protocol} --port {low}-{high} --cidr 0.0.0.0/0"
            ),
            format!(
                "aws ec2 create-network-acl-entry --network-acl-id \"$ACL\" --ingress \
                 --rule-number \"$NUMBER\" --protocol {protocol} --port-range From={low},To={high} \
                 --cidr-block 0.0.0.0/0 --rule-action allow"
            ),
        ]
    };
    opening.ports.ranges().flat_map(one).collect()
}
