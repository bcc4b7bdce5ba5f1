//! What can be typed behind `dayfly identify`.

use std::net::IpAddr;

use clap::Args;
use dayfly_ports::Protocol;

use crate::args::{OutputArgs, protocol, rows};

#[derive(Clone, Debug, Args)]
pub(crate) struct IdentifyArgs {
    /// A capture (pcap or pcapng), lines of text, or standard input (-). A line is `tcp
    /// 192.0.2.1:40000 -> 198.51.100.7:443 12.5`: who opened, to whom, and the time in seconds, if
    /// known. A pipe such as `tcpdump -U -w - | dayfly identify -` is answered when it ends or at
    /// Ctrl-C.
    #[arg(value_name = "FILE")]
    pub(crate) file: String,

    /// Say something about this host only.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) host: Option<IpAddr>,

    /// Look at these protocols only: tcp, udp, sctp, separated by commas.
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',', value_parser = protocol)]
    pub(crate) protocol: Vec<Protocol>,

    /// Say something about the N hosts with the most connections. Without it the text has 5, and
    /// JSON all.
    #[arg(long, value_name = "N", value_parser = rows)]
    pub(crate) top: Option<usize>,

    /// Stop reading after so many new connections: for captures that go on.
    #[arg(long, value_name = "N", value_parser = rows)]
    pub(crate) samples: Option<usize>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
