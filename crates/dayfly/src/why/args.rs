//! What can be typed after `dayfly why`.

use std::net::IpAddr;
use std::time::Duration;

use clap::Args;
use dayfly_ports::Protocol;

use crate::args::{OutputArgs, protocol, rows, seconds};
use crate::subject::Subject;

#[derive(Clone, Debug, Args)]
pub(crate) struct WhyArgs {
    /// A port of this host, or a destination: an address or a name with its port, IPv6 addresses
    /// in brackets.
    #[arg(value_name = "PORT|HOST:PORT")]
    pub(crate) subject: Subject,

    /// Look at this network namespace instead of the current one: a name of `ip netns`, a process
    /// id, or a path.
    #[arg(long, value_name = "NAME|PID|PATH")]
    pub(crate) netns: Option<String>,

    /// For a port: look at these protocols only, separated by commas. Without it tcp and udp.
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',', value_parser = protocol)]
    pub(crate) protocol: Vec<Protocol>,

    /// For a port: the address that you want to bind. Without it all addresses, of IPv4 and IPv6.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<IpAddr>,

    /// For a destination: watch it so long, and say how fast ports come and go and when it turns
    /// slow and full.
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) watch: Option<Duration>,

    /// Name N owners, and with --json N holders, at most. Without it the table names 5, JSON all.
    #[arg(long, value_name = "N", value_parser = rows)]
    pub(crate) top: Option<usize>,

    /// Do not ask the kernel's own port search, which needs CAP_NET_ADMIN and sends no packet.
    #[arg(long)]
    pub(crate) no_probe: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
