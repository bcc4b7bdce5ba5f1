//! `dayfly ftp`: what FTP says about ports (`explain`), and what its servers are told (`check`).

pub(crate) mod args;
mod check;
mod explain;
mod judge;

use std::process::ExitCode;

use self::args::{FtpArgs, FtpVerb};
pub(crate) use self::check::{Checked, Report};
pub(crate) use self::explain::{Explained, Explanation};
use crate::error::Failure;

pub(crate) fn run(args: &FtpArgs) -> Result<ExitCode, Failure> {
    match &args.verb {
        FtpVerb::Explain(args) => explain::run(args).map(|()| ExitCode::SUCCESS),
        FtpVerb::Check(args) => check::run(args),
    }
}
