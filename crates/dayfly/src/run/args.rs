//! What `dayfly run` can be told.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{ArgGroup, Args, Parser, ValueEnum};
use dayfly_pin::Via;
use dayfly_ports::{Port, PortRange, PortSet};

use crate::target::Target;

#[derive(Clone, Debug, Args)]
#[command(group = ArgGroup::new("wish").required(true).multiple(true)
    .args(["port", "range", "port_set", "address", "whole_range"]))]
pub(crate) struct RunArgs {
    /// Connections go out from this port. One port is enough for one connection to each
    /// destination at a time, and again at once after it is over.
    #[arg(long, value_name = "PORT", value_parser = port, conflicts_with_all = ["range", "port_set"])]
    pub(crate) port: Option<Port>,

    /// Connections go out from these ports, such as 50000-50100, those left out that the system
    /// reserves (net.ipv4.ip_local_reserved_ports).
    #[arg(long, value_name = "RANGE", value_parser = range, conflicts_with = "port_set")]
    pub(crate) range: Option<PortRange>,

    /// Connections go out from these ports, such as 4000,4002,5000-5009.
    #[arg(long, value_name = "LIST", value_parser = ports)]
    pub(crate) port_set: Option<Box<PortSet>>,

    /// Connections go out from this address of the host.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) address: Option<IpAddr>,

    /// Only connections to this destination, with this port or any; may be given several times.
    /// A name is looked up once, before the command starts.
    #[arg(long, value_name = "HOST[:PORT]")]
    pub(crate) destination: Vec<Target>,

    /// UDP too. It takes from a resolver the randomness of its source ports.
    #[arg(long)]
    pub(crate) udp: bool,

    /// What the command binds to any port (port 0) gets one of the ports as well, TCP and UDP:
    /// for FTP, RTP and WebRTC behind a firewall that opens just these.
    #[arg(long)]
    pub(crate) offer: bool,

    /// Every TCP socket may have every port of the system's range at once: past half full,
    /// connect() is many times as fast.
    #[arg(long, conflicts_with_all = [
        "port", "range", "port_set", "address", "udp", "offer", "strict", "report",
    ])]
    pub(crate) whole_range: bool,

    /// A connection that can have none of the ports fails. Without it, it goes out from another
    /// port, and a message says why.
    #[arg(long)]
    pub(crate) strict: bool,

    /// How: bpf is the faster way and needs root and cgroup2; seccomp works for everybody.
    #[arg(long, value_name = "WAY", default_value = "auto", hide_default_value = true)]
    pub(crate) via: ViaChoice,

    /// Say which connection got which port: at the end, on standard error or into FILE.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub(crate) report: Option<Option<PathBuf>>,

    /// With --report: one line of JSON for each connection, as it is made; docs/json.md explains
    /// every name.
    #[arg(long, requires = "report")]
    pub(crate) json: bool,

    /// Print no message about connections that could not have one of the ports.
    #[arg(long)]
    pub(crate) quiet: bool,

    /// The command and its arguments.
    #[arg(value_name = "COMMAND", required = true, trailing_var_arg = true)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) command: Vec<OsString>,
}

/// `run` without the other verbs beside it.
#[derive(Debug, Parser)]
struct Alone {
    #[command(flatten)]
    run: RunArgs,
}

impl RunArgs {
    /// What the arguments of this process tell `run` to do, if they tell it that and are right.
    ///
    /// To build the options of all verbs takes about as long as to start a program. Whatever is
    /// wrong is left to them to explain.
    pub(crate) fn of_process() -> Option<RunArgs> {
        let mut words = std::env::args_os().skip(1).peekable();
        if words.peek()? != "run" {
            return None;
        }
        Alone::try_parse_from(words).ok().map(|alone| alone.run)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ViaChoice {
    /// The best way that works here.
    Auto,
    /// Stop each call, bind, let it go on.
    Seccomp,
    /// A program in the kernel, on a cgroup.
    Bpf,
}

impl From<ViaChoice> for Via {
    fn from(choice: ViaChoice) -> Via {
        match choice {
            ViaChoice::Auto => Via::Auto,
            ViaChoice::Seccomp => Via::Seccomp,
            ViaChoice::Bpf => Via::Bpf,
        }
    }
}

fn port(text: &str) -> Result<Port, String> {
    match text.parse() {
        Ok(Port::MIN) => Err("port 0 asks the system to choose".to_owned()),
        Ok(port) => Ok(port),
        Err(error) => Err(dayfly_ports::ParsePortError::to_string(&error)),
    }
}

fn range(text: &str) -> Result<PortRange, String> {
    let range: PortRange =
        text.parse().map_err(|error: dayfly_ports::ParseRangeError| error.to_string())?;
    if range.low() == Port::MIN {
        return Err("port 0 asks the system to choose; begin at 1 or above".to_owned());
    }
    Ok(range)
}

fn ports(text: &str) -> Result<Box<PortSet>, String> {
    let ports: PortSet =
        text.parse().map_err(|error: dayfly_ports::ParseListError| error.to_string())?;
    if ports.is_empty() {
        return Err("there is no port in it".to_owned());
    }
    if ports.contains(Port::MIN) {
        return Err("port 0 asks the system to choose".to_owned());
    }
    Ok(Box::new(ports))
}
