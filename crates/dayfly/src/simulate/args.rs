//! What can be typed behind `dayfly simulate`.

use clap::Args;
use dayfly_lab::scenario::{PresetKind, Seconds};
use dayfly_ports::PortRange;

use crate::args::OutputArgs;

#[derive(Clone, Debug, Args)]
pub(crate) struct SimulateArgs {
    /// A scenario: a file (docs/scenario.md has every key), standard input (-), or the name of one
    /// of those that are shipped (--list).
    #[arg(value_name = "FILE|NAME", required_unless_present_any = ["system", "list"])]
    #[arg(conflicts_with = "system")]
    pub(crate) scenario: Option<String>,

    /// List the scenarios that are shipped.
    #[arg(long, conflicts_with_all = ["scenario", "system"])]
    pub(crate) list: bool,

    /// Simulate a common case on this system or stack, without a file.
    #[arg(long, value_name = "NAME", requires = "workload")]
    pub(crate) system: Option<String>,

    /// What happens there: connections, http, keep-alive, ftp-active, ftp-passive, dns, sctp,
    /// exhaust or predict.
    #[arg(long, value_name = "KIND", requires = "system", value_parser = workload)]
    pub(crate) workload: Option<PresetKind>,

    /// How often it happens, a second.
    #[arg(long, value_name = "RATE", requires = "system", value_parser = rate)]
    pub(crate) rate: Option<f64>,

    /// How long a connection, request or file takes, such as 250ms.
    #[arg(long, value_name = "TIME", requires = "system")]
    pub(crate) lasts: Option<Seconds>,

    /// What ports are handed out from, instead of the system's range.
    #[arg(long, value_name = "RANGE", requires = "system", value_parser = range)]
    pub(crate) range: Option<PortRange>,

    /// How many destinations there are.
    #[arg(long, value_name = "N", requires = "system", default_value_t = 1)]
    #[arg(hide_default_value = true, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) destinations: u32,

    /// How long TIME_WAIT lasts, instead of what the system does.
    #[arg(long, value_name = "TIME", requires = "system")]
    pub(crate) time_wait: Option<Seconds>,

    /// Simulate so much time, such as 10min.
    #[arg(long = "for", value_name = "TIME")]
    pub(crate) duration: Option<Seconds>,

    /// Start the random numbers here. The same seed gives the same outcome.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Print the scenario itself and simulate nothing.
    #[arg(long, conflicts_with_all = ["json", "plot", "picture", "list"])]
    pub(crate) print: bool,

    /// Draw how soon ports come back and which were used, too.
    #[arg(long, conflicts_with = "json")]
    pub(crate) plot: bool,

    /// Write the pictures as SVG files into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) picture: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn workload(text: &str) -> Result<PresetKind, String> {
    let known = PresetKind::ALL.iter().find(|(word, _)| *word == text);
    known.map(|(_, kind)| *kind).ok_or_else(|| {
        let words: Vec<&str> = PresetKind::ALL.iter().map(|(word, _)| *word).collect();
        format!("there are {}", words.join(", "))
    })
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if (1e-6..=1e9).contains(&rate) => Ok(rate),
        _ => Err("a number between 0.000001 and 1e9, a second".to_owned()),
    }
}

fn range(text: &str) -> Result<PortRange, String> {
    text.parse().map_err(|error: dayfly_ports::ParseRangeError| error.to_string())
}
