//! What can be typed after the verbs that change a host.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser};
use dayfly_ports::{PortRange, PortSet, Protocol};

use crate::args::{ClassChoice, OutputArgs, ports, protocol, range};
use crate::host::Address;

#[derive(Clone, Debug, Args)]
pub(crate) struct SetArgs {
    /// The range that is wanted, such as 49152-65535.
    #[arg(value_name = "RANGE", value_parser = range)]
    pub(crate) range: PortRange,

    /// Also let every user bind the ports from PORT on (net.ipv4.ip_unprivileged_port_start), below
    /// which no range can begin.
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(0..))]
    pub(crate) unprivileged_start: Option<u16>,

    /// Which class of ranges to change, on the BSDs.
    #[arg(long, value_name = "CLASS", default_value = "default", hide_default_value = true)]
    pub(crate) class: ClassChoice,

    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ReserveArgs {
    /// The ports, such as 8080,9000-9010.
    #[arg(value_name = "PORTS", value_parser = ports)]
    pub(crate) ports: Box<PortSet>,

    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// What every change has.
#[derive(Clone, Debug, Args)]
pub(crate) struct ChangeArgs {
    /// Change these protocols only, separated by commas, where the system tells them apart.
    #[arg(long, value_name = "PROTOCOL", value_delimiter = ',', value_parser = protocol)]
    pub(crate) protocol: Vec<Protocol>,

    /// Change this network namespace instead of the current one: a name of `ip netns`, a process
    /// id, or a path.
    #[arg(long, value_name = "NAME|PID|PATH")]
    pub(crate) netns: Option<String>,

    /// Change another host instead, of any operating system, through `ssh` and that system's own
    /// commands. Nothing is installed there.
    #[arg(long, value_name = "ssh://[USER@]HOST[:PORT]", conflicts_with = "netns")]
    pub(crate) host: Option<Address>,

    /// Change only what the next boot sets.
    #[arg(long, conflicts_with = "runtime")]
    pub(crate) persist: bool,

    /// Change only what is in force, until the next boot.
    #[arg(long)]
    pub(crate) runtime: bool,

    /// Take it back after this time, unless `dayfly keep` is said before: 60s, 5m, 1h. What the next
    /// boot sets changes with `dayfly keep`, so that a reset takes it back as well.
    #[arg(long = "for", value_name = "TIME", value_parser = span, conflicts_with = "persist")]
    pub(crate) wait: Option<Duration>,

    #[command(flatten)]
    pub(crate) consent: ConsentArgs,

    /// Do it although a service or the outgoing connections may be cut off.
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) state: StateArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// What may be done without asking.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ConsentArgs {
    /// Do it without asking.
    #[arg(long, short, conflicts_with = "dry_run")]
    pub(crate) yes: bool,

    /// Show what would be done, and do nothing. The default where nobody can be asked.
    #[arg(long)]
    pub(crate) dry_run: bool,
}

/// Where changes are written down.
#[derive(Clone, Debug, Args)]
pub(crate) struct StateArgs {
    /// Keep the journals of changes in this folder. Without it in /var/lib/dayfly, and for others
    /// than root in $XDG_STATE_HOME/dayfly.
    #[arg(long = "state", value_name = "DIR", env = "DAYFLY_STATE", hide_env_values = true)]
    pub(crate) folder: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UndoArgs {
    /// The change, by its number in `dayfly history`. Without it the last that is not undone.
    #[arg(value_name = "ID", value_parser = id)]
    pub(crate) id: Option<u32>,

    #[command(flatten)]
    pub(crate) consent: ConsentArgs,

    /// Put back what was there before, although somebody else has changed it since.
    #[arg(long)]
    pub(crate) force: bool,

    #[command(flatten)]
    pub(crate) state: StateArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct KeepArgs {
    /// The change, by its number in `dayfly history`. Without it the one that waits.
    #[arg(value_name = "ID", value_parser = id)]
    pub(crate) id: Option<u32>,

    #[command(flatten)]
    pub(crate) state: StateArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) state: StateArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The guardian of a change that waits. dayfly starts it, nobody types it: so it is in no help.
#[derive(Clone, Debug, Parser)]
#[command(name = "dayfly guard")]
pub(crate) struct GuardArgs {
    pub(crate) id: u32,

    #[arg(long, value_name = "SECONDS")]
    pub(crate) after: u64,

    #[command(flatten)]
    pub(crate) state: StateArgs,
}

impl GuardArgs {
    /// The first word that makes this process a guardian.
    pub(crate) const VERB: &str = "guard";

    /// What this process was started with, if as a guardian.
    pub(crate) fn of_process() -> Option<Self> {
        let mut words = std::env::args_os().skip(1).peekable();
        (words.peek()? == Self::VERB).then(|| GuardArgs::parse_from(words))
    }
}

fn id(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "the number of a change, such as 3".to_owned())
}

/// From a second to a day, with a unit: 60s, 5m, 1h. A bare number is seconds.
fn span(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.strip_suffix(['s', 'm', 'h']) {
        Some(number) => (number, &text[number.len()..]),
        None => (text, "s"),
    };
    let number: u64 =
        number.parse().map_err(|_| "a number with a unit, such as 60s, 5m or 1h".to_owned())?;
    let factor = match unit {
        "h" => 3600,
        "m" => 60,
        _ => 1,
    };
    match number.checked_mul(factor) {
        Some(seconds @ 1..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err("between 1s and 24h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_units_and_bounds() {
        for (text, seconds) in [("60s", 60), ("5m", 300), ("24h", 86_400), ("7", 7)] {
            assert_eq!(span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for wrong in ["0s", "25h", "", "s", "1.5m", "-1s", "1d", "99999999999999999999h", "\u{e4}m"]
        {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
