//! What can be typed. Each flag is defined here once, for the parser, the help, the manual page
//! and the completions.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use dayfly_ports::{PortRange, PortSet, Protocol};
use dayfly_systems::{Class, SYSTEMS, System};

use crate::change::args::{HistoryArgs, KeepArgs, ReserveArgs, SetArgs, UndoArgs};
use crate::doctor::args::DoctorArgs;
use crate::firewall::args::FirewallArgs;
use crate::ftp::args::FtpArgs;
use crate::host::Address;
use crate::identify::IdentifyArgs;
use crate::run::args::RunArgs;
use crate::show::args::ShowArgs;
use crate::simulate::args::SimulateArgs;
use crate::size::SizeArgs;
use crate::why::args::WhyArgs;

/// See how many more connections this host can open to every destination.
///
/// Without a verb, dayfly shows how much room is left: for every destination that this host is
/// connected to, how many of the ephemeral ports (the source ports that the kernel hands out) are
/// used, in TIME_WAIT, blocked and free, fullest destination first.
#[derive(Debug, Parser)]
#[command(name = "dayfly", version, args_conflicts_with_subcommands = true)]
#[command(after_help = NOTES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,

    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

/// Paragraphs with a head each, for the help and the manual page.
pub(crate) const NOTES: &str = "\
Examples:
  dayfly                                  every destination of this host
  dayfly --destination db:5432            one destination, connected or not
  dayfly --all-netns --top 5              the fullest five of every namespace
  dayfly --json | jq '.namespaces[0].destinations[0]'
  dayfly --host ssh://root@db             another host, of any operating system
  dayfly plan --system freebsd 49152-65535

The bar:
  =  used ports
  x  blocked ports: listeners and bound sockets, no connect() gets them
  .  free ports
  |  the cliff: from here on connect() searches half the range in vain first

Exit status:
  0  fine
  1  findings: doctor, the checks; size: the load does not fit
  2  wrong usage, or nothing could be said";

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show how much room every destination has left (the default).
    Show(ShowArgs),
    /// Say who holds a port, or why a destination cannot be reached any more.
    ///
    /// For a port of this host: who holds it, what bind() says to it right now, when it is free
    /// again, and whether an outgoing connection can take it away again. For a destination: what
    /// stands in the way of every usable port, who holds most, what the kernel's own search finds,
    /// and what helps.
    Why(WhyArgs),
    /// Say what is wrong, who did it and what to do; exit code 1 if anything is.
    Doctor(DoctorArgs),
    /// Print what every operating system starts with, and where it keeps a change.
    Systems(SystemsArgs),
    /// Print the native steps that change a system's range, with checks and undo. Changes nothing.
    ///
    /// The steps go from what is set to what is wanted, in an order that is valid at each moment.
    /// What is set is asked from a host (--host), or read from the output of the system's own commands
    /// (--current); `dayfly systems
    /// --json` names them. Without it the plan is right from every state, and its undo leads to the
    /// system's defaults.
    Plan(PlanArgs),
    /// Check whether the firewall opens what is used.
    Firewall(FirewallArgs),
    /// Explain what FTP says about ports, and check what its servers are told.
    Ftp(FtpArgs),
    /// Change the range that ports are handed out from, on this host.
    ///
    /// Shows what is set and what it becomes, now and after each boot, and asks. Then it writes down
    /// what is there, does one step after the other, reads back, and can take all of it back: `dayfly
    /// undo`. A change that would cut off a service or the outgoing connections is refused unless it
    /// is forced. Connections that are open stay open.
    Set(SetArgs),
    /// Keep ports from being handed out, besides those that already are.
    ///
    /// A program that asks for such a port by its number still gets it: reserve what services of this
    /// host listen on. What others have reserved (by hand, by file, Cilium, Talos) stays.
    Reserve(ReserveArgs),
    /// Let ports be handed out again. All others stay reserved.
    Unreserve(ReserveArgs),
    /// Take a change back, to the byte: the last one, or that of a number.
    Undo(UndoArgs),
    /// Make a change stay that was made for a while (`--for`).
    Keep(KeepArgs),
    /// List what dayfly changed, and how each change stands.
    History(HistoryArgs),
    /// Say which strategy, range and system made the ports of a capture, and how sure that is.
    ///
    /// Reads pcap and pcapng of any byte order, VLANs, Linux cooked captures and bare IP, and lines of
    /// text. For each host and protocol: the strategy with its probability and evidence, the ends of
    /// the range, ports that are never used, systems that do so, whether NAT stands in front, how
    /// well the next port can be guessed, and how many more connections would settle it.
    Identify(IdentifyArgs),
    /// Run a command whose connections go out from the ports that you name.
    ///
    /// The command and all that it starts: dynamic or static programs of any language, as any user.
    /// Exit codes, signals and job control are the command's own, as with env(1): 125 when dayfly
    /// itself fails, 126 when the command cannot be run, 127 when there is no such command. Ports
    /// that the command binds itself are left alone.
    Run(RunArgs),
    /// Simulate what would happen: any system, any load, and what becomes of its ports.
    ///
    /// Every connection gets its port from the algorithm of its system and holds it as long as that
    /// system would. Says when searches turn slow, when connections fail and how, how much goes
    /// through and how soon ports come back. Opens nothing; the same seed gives the same outcome.
    Simulate(Box<SimulateArgs>),
    /// Say how many ports, addresses and gateways a load needs; exit code 1 if it does not fit.
    ///
    /// Ports in use = rate x (time open + time held afterwards), for each destination. Says the mean
    /// and what the busy moments need on top, what the ports carry, when they are gone, and which
    /// single change would help: on a host, behind NAT and cloud gateways, for the subscribers of a
    /// carrier.
    Size(SizeArgs),
    /// Print a completion script for a shell.
    Completions {
        /// The shell to complete for.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, in roff.
    Man,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct SystemsArgs {
    /// Print what holds for this system today, and what older documents say.
    #[arg(long, value_name = "NAME", value_parser = system, conflicts_with = "json")]
    pub(crate) explain: Option<&'static System>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct PlanArgs {
    /// The range that is wanted, such as 49152-65535.
    #[arg(value_name = "RANGE", value_parser = range, required_unless_present_any = ["reserve", "unreserve"])]
    pub(crate) range: Option<PortRange>,

    /// Plan for this operating system, by a name of `dayfly systems`.
    #[arg(long, value_name = "NAME", value_parser = system, required_unless_present = "host")]
    pub(crate) system: Option<&'static System>,

    /// Plan for this host: its system and what is set there are asked from it, through `ssh`.
    #[arg(long, value_name = "ssh://[USER@]HOST[:PORT]")]
    #[arg(conflicts_with_all = ["system", "current"])]
    pub(crate) host: Option<Address>,

    /// Change these protocols only, separated by commas, where the system tells them apart.
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',', value_parser = protocol)]
    pub(crate) protocol: Vec<Protocol>,

    /// Which class of ranges to change, on the BSDs.
    #[arg(long, value_name = "CLASS", default_value = "default", hide_default_value = true)]
    pub(crate) class: ClassChoice,

    /// Keep these ports from being handed out, besides those that already are: 8080,9000-9010.
    #[arg(long, value_name = "LIST", value_parser = ports)]
    pub(crate) reserve: Option<Box<PortSet>>,

    /// Let these ports be handed out again, and leave the others reserved: 8080,9000-9010.
    #[arg(long, value_name = "LIST", value_parser = ports, conflicts_with = "reserve")]
    pub(crate) unreserve: Option<Box<PortSet>>,

    /// Change only what the next boot sets.
    #[arg(long, conflicts_with = "runtime")]
    pub(crate) persist: bool,

    /// Change only what is in force, until the next boot.
    #[arg(long)]
    pub(crate) runtime: bool,

    /// Read what is set from this file, or from standard input (-).
    #[arg(long, value_name = "FILE")]
    pub(crate) current: Option<String>,

    /// Print a script for the system's own shell that applies, checks and undoes the plan.
    #[arg(long, conflicts_with = "json")]
    pub(crate) script: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Which sockets a range is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassChoice {
    /// All that ask for nothing else.
    Default,
    /// Those that ask for IP_PORTRANGE_HIGH.
    High,
    /// Privileged programs that ask for IP_PORTRANGE_LOW.
    Low,
}

impl From<ClassChoice> for Class {
    fn from(choice: ClassChoice) -> Self {
        match choice {
            ClassChoice::Default => Class::Default,
            ClassChoice::High => Class::High,
            ClassChoice::Low => Class::Low,
        }
    }
}

/// Where to look.
#[derive(Clone, Debug, Args)]
pub(crate) struct PlaceArgs {
    /// Look at this network namespace instead of the current one: a name of `ip netns`, a process
    /// id, or a path.
    #[arg(long, value_name = "NAME|PID|PATH", conflicts_with = "all_netns")]
    pub(crate) netns: Option<String>,

    /// Look at every network namespace of the host.
    #[arg(long)]
    pub(crate) all_netns: bool,
}

/// How to print.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print JSON; docs/json.md explains every name.
    #[arg(long)]
    pub(crate) json: bool,

    /// When to use colour. NO_COLOR is respected.
    #[arg(long, value_name = "WHEN", default_value = "auto", hide_default_value = true)]
    pub(crate) color: ColorChoice,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set.
    Auto,
    /// Also into a pipe.
    Always,
    /// Not at all.
    Never,
}

impl ColorChoice {
    /// The same choice for the stream that is written to.
    pub(crate) const fn of_stream(self) -> anstream::ColorChoice {
        match self {
            ColorChoice::Auto => anstream::ColorChoice::Auto,
            ColorChoice::Always => anstream::ColorChoice::Always,
            ColorChoice::Never => anstream::ColorChoice::Never,
        }
    }
}

pub(crate) fn protocol(text: &str) -> Result<Protocol, String> {
    text.parse().map_err(|error: dayfly_ports::ParseProtocolError| error.to_string())
}

pub(crate) fn system(text: &str) -> Result<&'static System, String> {
    dayfly_systems::find(text).ok_or_else(|| {
        let names: Vec<_> = SYSTEMS.iter().map(|system| system.name).collect();
        format!("there is no such system; there are {}", names.join(", "))
    })
}

pub(crate) fn range(text: &str) -> Result<PortRange, String> {
    text.parse().map_err(|error: dayfly_ports::ParseRangeError| error.to_string())
}

pub(crate) fn ports(text: &str) -> Result<Box<PortSet>, String> {
    let ports = text.parse().map_err(|error: dayfly_ports::ParseListError| error.to_string())?;
    Ok(Box::new(ports))
}

pub(crate) fn rows(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(rows) => Ok(rows),
        Err(_) => Err("a number of rows, such as 5".to_owned()),
    }
}

/// From a tenth of a second to a day: less would only heat the machine.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 =
        text.parse().map_err(|_| "a number of seconds, such as 2 or 0.5".to_owned())?;
    if (0.1..=86_400.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("between 0.1 and 86400 seconds".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn seconds_have_bounds() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        for wrong in ["0", "-1", "nan", "inf", "1e99", "two", ""] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
