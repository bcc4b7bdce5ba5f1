//! What can be typed behind `dayfly firewall`.

use std::net::IpAddr;

use clap::{Args, Subcommand, ValueEnum};
use dayfly_insight::firewall::flows::FlowKind;
use dayfly_insight::firewall::model::Dialect;
use dayfly_insight::firewall::readers::Format;
use dayfly_ports::{Port, PortRange, PortSet, Protocol};

use crate::args::{OutputArgs, PlaceArgs};
use crate::host::Address;

#[derive(Clone, Debug, Args)]
pub(crate) struct FirewallArgs {
    #[command(subcommand)]
    pub(crate) verb: FirewallVerb,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FirewallVerb {
    /// Say whether the open ports are those that are used, and who listens inside them.
    ///
    /// Reads the rules of this host, asks what becomes of FTP in all its modes, of TFTP and of what
    /// comes to automatic ports, and says which rule decides and what helps. Exit code 1 if
    /// something does not work or should not be open.
    Check(CheckArgs),
    /// Print rules that open what is used, in the words of any firewall. Changes nothing.
    ///
    /// For nft a file for `nft -f -`, for iptables one for `iptables-restore -n`, for pf lines for
    /// pf.conf, for the others commands. Ports are those of this host, unless told otherwise.
    Emit(EmitArgs),
}

/// A firewall that rules can be written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Firewall {
    /// nftables.
    Nft,
    /// iptables.
    Iptables,
    /// firewalld.
    Firewalld,
    /// ufw.
    Ufw,
    /// pf of the BSDs and macOS.
    Pf,
    /// ipfw of FreeBSD.
    Ipfw,
    /// Windows Defender Firewall.
    Windows,
    /// Security groups and network ACLs of AWS.
    Aws,
}

impl Firewall {
    pub(crate) const fn dialect(self) -> Dialect {
        match self {
            Firewall::Nft => Dialect::Nft,
            Firewall::Iptables => Dialect::Iptables,
            Firewall::Firewalld => Dialect::Firewalld,
            Firewall::Ufw => Dialect::Ufw,
            Firewall::Pf => Dialect::Pf,
            Firewall::Ipfw => Dialect::Ipfw,
            Firewall::Windows => Dialect::Windows,
            Firewall::Aws => Dialect::Aws,
        }
    }
}

#[derive(Clone, Debug, Args)]
pub(crate) struct EmitArgs {
    /// Whose words to use.
    #[arg(long = "for", value_name = "FIREWALL")]
    pub(crate) firewall: Firewall,

    /// Let servers connect back to this FTP client.
    #[arg(long)]
    pub(crate) ftp_active: bool,

    /// Let clients of this FTP server connect to it and to its passive ports (--range).
    #[arg(long)]
    pub(crate) ftp_passive: bool,

    /// Let the answers of TFTP servers in.
    #[arg(long)]
    pub(crate) tftp: bool,

    /// The ports to open, such as 40000-40100. Without it the range of this host.
    #[arg(long, value_name = "LIST", value_parser = ports)]
    pub(crate) range: Option<Box<PortSet>>,

    /// Without a service: open the ports for these protocols, separated by commas. Else for tcp and
    /// udp.
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',', value_parser = protocol)]
    #[arg(conflicts_with_all = ["ftp_active", "ftp_passive", "tftp"])]
    pub(crate) protocol: Vec<Protocol>,

    /// With --ftp-active: only from port 20. Not every server sends from there.
    #[arg(long, requires = "ftp_active")]
    pub(crate) from_port_20: bool,

    /// Instead of a range: let connection tracking read the ports. Not for FTP over TLS.
    #[arg(long)]
    pub(crate) helper: bool,

    /// The chain of nft or iptables that the rules go in front of. Without it `inet filter input`
    /// or `INPUT`.
    #[arg(long, value_name = "CHAIN", value_parser = chain)]
    pub(crate) chain: Option<String>,
}

/// Names that can be typed into a ruleset as they are.
fn chain(text: &str) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./ ".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("a chain is written `inet filter input` or `INPUT`".to_owned())
    }
}

fn protocol(text: &str) -> Result<Protocol, String> {
    text.parse().map_err(|error: dayfly_ports::ParseProtocolError| error.to_string())
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Check another host instead, of any operating system, through `ssh` and that host's own
    /// commands. Nothing is installed there. Rules that it does not tell make the answer unknown.
    #[arg(long, value_name = "ssh://[USER@]HOST[:PORT]")]
    #[arg(conflicts_with_all = ["netns", "all_netns", "from", "format", "range"])]
    pub(crate) host: Option<Address>,

    /// Read the rules from this file, or from standard input (-), instead of this host.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["netns", "all_netns"])]
    pub(crate) from: Option<String>,

    /// What the file is, where that is not to be seen: nft, iptables, ip6tables, firewalld, ufw, pf,
    /// ipfw, netsh, powershell, aws.
    #[arg(long, value_name = "FORMAT", value_parser = format_of, requires = "from")]
    pub(crate) format: Option<Format>,

    /// The range of automatic ports behind those rules, such as 49152-65535. Without it that of
    /// this host, or the default of a system that has such a firewall.
    #[arg(long, value_name = "RANGE", value_parser = range, requires = "from")]
    pub(crate) range: Option<PortRange>,

    /// The ports that an FTP server here opens for passive transfers. Without it those that the
    /// running servers are configured with, or else the range.
    #[arg(long, value_name = "LIST", value_parser = ports)]
    pub(crate) passive: Option<Box<PortSet>>,

    /// Ask about this other host. Without it about any.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) peer: Option<IpAddr>,

    /// Ask about packets of this interface. Without it about the only one, or any.
    #[arg(long, value_name = "NAME")]
    pub(crate) interface: Option<String>,

    /// Ask about these flows only, separated by commas: ftp-active, ftp-passive, ftps-active,
    /// ftps-passive, ftp-passive-server, ftps-passive-server, tftp, ephemeral-in.
    #[arg(long, value_name = "FLOW", value_delimiter = ',', value_parser = flow)]
    pub(crate) flow: Vec<FlowKind>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn format_of(text: &str) -> Result<Format, String> {
    Format::ALL.into_iter().find(|format| format.name() == text).ok_or_else(|| {
        let names: Vec<_> = Format::ALL.iter().map(|format| format.name()).collect();
        format!("there is no such format; there are {}", names.join(", "))
    })
}

fn flow(text: &str) -> Result<FlowKind, String> {
    FlowKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
        let names: Vec<_> = FlowKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("there is no such flow; there are {}", names.join(", "))
    })
}

fn range(text: &str) -> Result<PortRange, String> {
    text.parse().map_err(|error: dayfly_ports::ParseRangeError| error.to_string())
}

fn ports(text: &str) -> Result<Box<PortSet>, String> {
    let ports: PortSet =
        text.parse().map_err(|error: dayfly_ports::ParseListError| error.to_string())?;
    if ports.contains(Port::MIN) {
        return Err("nobody ever has port 0: begin at 1".to_owned());
    }
    Ok(Box::new(ports))
}
