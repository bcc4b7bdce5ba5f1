//! What can be typed after `dayfly show`, and after `dayfly` alone.

use std::time::Duration;

use clap::Args;
use dayfly_ports::Protocol;
use dayfly_systems::System;

use crate::args::{OutputArgs, PlaceArgs, protocol, rows, seconds, system};
use crate::host::Address;
use crate::target::Target;

#[derive(Clone, Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Show this destination only, even if nothing is connected to it: an address or a name, with
    /// a port or without, IPv6 addresses in brackets before a port.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) destination: Option<Target>,

    /// Show these protocols only: tcp, udp, sctp, separated by commas.
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',', value_parser = protocol)]
    pub(crate) protocol: Vec<Protocol>,

    /// Show the N fullest destinations. Without it the table fits the screen, and JSON has all.
    #[arg(long, value_name = "N", value_parser = rows)]
    pub(crate) top: Option<usize>,

    /// Ask the kernel itself about every port that the list of sockets leaves open. Sends no
    /// packet; needs CAP_NET_ADMIN.
    #[arg(long)]
    pub(crate) probe: bool,

    /// Show the outer addresses of NAT instead: for each destination how many ports connections that
    /// pass through this host have left. Needs CAP_NET_ADMIN.
    #[arg(long, conflicts_with_all = ["destination", "protocol", "probe"])]
    pub(crate) nat: bool,

    /// Look again every SECONDS, until interrupted. With --json, one line of JSON each time.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub(crate) watch: Option<Duration>,

    /// Show another host instead, of any operating system, through `ssh` and that host's own
    /// commands. Nothing is installed there.
    #[arg(long, value_name = "ssh://[USER@]HOST[:PORT]")]
    #[arg(conflicts_with_all = ["netns", "all_netns", "probe", "system", "nat"])]
    pub(crate) host: Option<Address>,

    /// Show the settings of a host with this operating system instead, by a name of `dayfly
    /// systems`, from what its own commands printed (--from).
    #[arg(long, value_name = "NAME", value_parser = system, requires = "from")]
    #[arg(conflicts_with_all = ["netns", "all_netns", "destination", "protocol", "top", "probe", "nat", "watch"])]
    pub(crate) system: Option<&'static System>,

    /// Read the output of that system's commands from this file, or from standard input (-).
    #[arg(long, value_name = "FILE", requires = "system")]
    pub(crate) from: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
