//! What can be typed after `dayfly doctor`.

use std::time::Duration;

use clap::Args;
use dayfly_insight::doctor::{ParseSeverityError, Severity};

use crate::args::{OutputArgs, PlaceArgs, seconds};

#[derive(Clone, Debug, Args)]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    pub(crate) place: PlaceArgs,

    /// Apply these rules only, by their codes, separated by commas.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(crate) only: Vec<String>,

    /// Leave these rules out, by their codes, separated by commas.
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(crate) ignore: Vec<String>,

    /// Print what this finding means, how to see it and what to do, and look at nothing.
    #[arg(long, value_name = "CODE")]
    pub(crate) explain: Option<String>,

    /// The least severity that makes the exit code 1: info, warning or critical.
    #[arg(long, value_name = "SEVERITY", default_value = "warning", value_parser = severity)]
    pub(crate) fail_on: Severity,

    /// Read the ports of this compose file, Kubernetes manifest or socket unit too.
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Vec<String>,

    /// Count for so long how many connections are opened.
    #[arg(long = "for", value_name = "SECONDS", value_parser = seconds)]
    pub(crate) watch: Option<Duration>,

    /// Ask the kernel itself about every port that the list of sockets leaves open. Sends no
    /// packet; needs CAP_NET_ADMIN.
    #[arg(long)]
    pub(crate) probe: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

fn severity(text: &str) -> Result<Severity, String> {
    text.parse().map_err(|error: ParseSeverityError| error.to_string())
}
