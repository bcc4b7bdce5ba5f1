//! What can be typed behind `dayfly firewall`.

use std::net::IpAddr;

use clap::{Args, Subcommand};
use dayfly_insight::firewall::flows::FlowKind;
use dayfly_ports::{PortRange, PortSet};

use crate::args::{OutputArgs, PlaceArgs};

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
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Read the rules from this file, or from standard input (-), instead of this host.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["netns", "all_netns"])]
    pub(crate) from: Option<String>,

    /// The range of automatic ports behind those rules, such as 49152-65535. Without it that of
    /// this host.
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
    let ports = text.parse().map_err(|error: dayfly_ports::ParseListError| error.to_string())?;
    Ok(Box::new(ports))
}
