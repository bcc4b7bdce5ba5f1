//! `dayfly firewall`: does what is open equal what is used (`check`), and rules
//! that make it so (`emit`).

pub(crate) mod args;
mod check;
mod emit;
mod remote;

use std::process::ExitCode;

use self::args::{FirewallArgs, FirewallVerb};
pub(crate) use self::check::{Checked, Report};
use crate::error::Failure;

pub(crate) fn run(args: &FirewallArgs) -> Result<ExitCode, Failure> {
    match &args.verb {
        FirewallVerb::Check(args) => check::run(args),
        FirewallVerb::Emit(args) => emit::run(args),
    }
}
