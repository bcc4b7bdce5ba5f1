//! What can be typed behind `dayfly size`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use dayfly_insight::sizing::Translator;
use dayfly_ports::PortRange;
use dayfly_systems::System;

use crate::args::{OutputArgs, range, seconds, system};

#[derive(Clone, Debug, Args)]
pub(crate) struct SizeArgs {
    /// Connections opened each second, all together. Without it: what the ports carry.
    #[arg(long, value_name = "RATE", value_parser = amount)]
    pub(crate) target: Option<f64>,

    /// Seconds that a connection is open. Without it 0: what comes after it decides.
    #[arg(long, value_name = "SECONDS", value_parser = amount)]
    pub(crate) duration: Option<f64>,

    /// Seconds that its port is kept afterwards. Without it TIME_WAIT of the system, or what the
    /// translator waits.
    #[arg(long, value_name = "SECONDS", value_parser = amount)]
    pub(crate) hold: Option<f64>,

    /// Destinations, address and port, that the connections spread over evenly.
    #[arg(long, value_name = "N", value_parser = count)]
    pub(crate) destinations: Option<u32>,

    /// Source addresses that there are.
    #[arg(long, value_name = "N", default_value = "1", value_parser = count)]
    pub(crate) addresses: u32,

    /// Ports of each address: a range, or how many.
    #[arg(long, value_name = "RANGE|N", value_parser = span)]
    pub(crate) ports: Option<Span>,

    /// How much of the ports may be in use on average: 80, 80% or 0.8.
    #[arg(long, value_name = "PERCENT", default_value = "80", value_parser = share)]
    pub(crate) utilisation: f64,

    /// In how many of a hundred moments the ports must suffice, the busiest ones included.
    #[arg(long, value_name = "PERCENT", default_value = "99.9", value_parser = share)]
    pub(crate) quantile: f64,

    /// The range and TIME_WAIT of this operating system, by a name of `dayfly systems`; linux if
    /// nothing else is said.
    #[arg(long, value_name = "NAME", value_parser = system, conflicts_with = "behind")]
    pub(crate) system: Option<&'static System>,

    /// The ports of a translator instead.
    #[arg(long, value_name = "WHAT")]
    pub(crate) behind: Option<BehindChoice>,

    /// Instances or virtual machines that share a translator's ports.
    #[arg(long, value_name = "N", value_parser = count, requires = "behind")]
    #[arg(conflicts_with = "subscribers")]
    pub(crate) instances: Option<u32>,

    /// Subscribers of a carrier-grade NAT.
    #[arg(long, value_name = "N", value_parser = count, requires = "behind")]
    pub(crate) subscribers: Option<u32>,

    /// Ports that each subscriber gets. Without it all ports are divided among them.
    #[arg(long, value_name = "N", value_parser = count, requires = "subscribers")]
    pub(crate) block: Option<u32>,

    /// Measure the load of this host for so long, 10 seconds unless told: rate, time and ports of the
    /// destination that is opened most often. What is typed besides replaces what was measured.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    #[arg(num_args = 0..=1, default_missing_value = "10")]
    pub(crate) from_now: Option<Duration>,

    /// Measure in this network namespace: a name of `ip netns`, a process id, or a path.
    #[arg(long, value_name = "NAME|PID|PATH", requires = "from_now")]
    pub(crate) netns: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// A translator, as it is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BehindChoice {
    /// Azure NAT Gateway.
    #[value(name = "azure", alias = "azure-nat")]
    AzureNat,
    /// Azure Load Balancer with outbound rules.
    AzureLb,
    /// AWS NAT Gateway.
    Aws,
    /// Google Cloud NAT.
    Gcp,
    /// Linux masquerade or SNAT.
    Netfilter,
    /// Carrier-grade NAT with a block for each subscriber.
    Cgn,
}

impl From<BehindChoice> for Translator {
    fn from(choice: BehindChoice) -> Self {
        match choice {
            BehindChoice::AzureNat => Translator::AzureNat,
            BehindChoice::AzureLb => Translator::AzureLb,
            BehindChoice::Aws => Translator::AwsNat,
            BehindChoice::Gcp => Translator::GcpNat,
            BehindChoice::Netfilter => Translator::Netfilter,
            BehindChoice::Cgn => Translator::Cgn,
        }
    }
}

/// Ports, as they are typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Range(PortRange),
    Count(u32),
}

impl Span {
    pub(crate) const fn len(self) -> u32 {
        match self {
            Span::Range(range) => range.len(),
            Span::Count(count) => count,
        }
    }
}

fn span(text: &str) -> Result<Span, String> {
    match text.parse() {
        Ok(0 | 65_537..) => Err("between 1 and 65536 ports, or a range".to_owned()),
        Ok(count) => Ok(Span::Count(count)),
        Err(_) => range(text).map(Span::Range),
    }
}

fn count(text: &str) -> Result<u32, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        // A thousand million is more than any table of translations has.
        Ok(count @ 1..=1_000_000_000) => Ok(count),
        _ => Err("a whole number, such as 4".to_owned()),
    }
}

fn amount(text: &str) -> Result<f64, String> {
    let amount: f64 = text.parse().map_err(|_| "a number, such as 250 or 0.5".to_owned())?;
    if (0.0..=1e9).contains(&amount) {
        Ok(amount)
    } else {
        Err("between 0 and 1000000000".to_owned())
    }
}

fn share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%');
    let number: f64 = percent
        .unwrap_or(text)
        .trim()
        .parse()
        .map_err(|_| "a share, such as 80, 80% or 0.8".to_owned())?;
    let share = if percent.is_none() && number <= 1.0 { number } else { number / 100.0 };
    if share > 0.0 && share <= 1.0 {
        Ok(share)
    } else {
        Err("more than 0 and at most 100 %".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_spans() {
        for text in ["80", "80%", "0.8", "80 %"] {
            assert_eq!(share(text), Ok(0.8), "{text}");
        }
        for text in ["0", "101", "-5", "nan", "much", ""] {
            assert!(share(text).is_err(), "{text}");
        }
        assert_eq!(span("40000-40019").map(Span::len), Ok(20));
        assert_eq!(span("512").map(Span::len), Ok(512));
        for text in ["0", "65537", "10-1", "-", "all"] {
            assert!(span(text).is_err(), "{text}");
        }
    }
}
