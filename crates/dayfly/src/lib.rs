//! The `dayfly` command: arguments in, a verb does its work, a renderer prints.
//!
//! ```text
//! args (what was typed) -> show::Request (what is meant) -> show::Report -> render (table | JSON)
//! ```
//!
//! Data goes to standard output, everything else to standard error. Exit code 0: fine; 1: the
//! doctor has findings; 2: wrong usage, or nothing could be said.

mod args;
mod captured;
mod change;
mod doctor;
mod error;
mod firewall;
mod ftp;
mod host;
mod identify;
mod pages;
mod place;
mod plan;
mod privilege;
mod quote;
mod render;
mod run;
mod show;
mod simulate;
mod size;
mod subject;
mod systems;
mod target;
mod why;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Verb};
use crate::change::args::GuardArgs;
use crate::error::Failure;
use crate::run::args::RunArgs;

/// The names and meanings of everything that `--json` prints are described in `docs/json.md`.
pub const SCHEMA_VERSION: u32 = 1;

/// Runs the command with the arguments of this process.
#[must_use]
pub fn run() -> ExitCode {
    if let Some(guard) = GuardArgs::of_process() {
        return ended(change::guard(&guard).map(|()| ExitCode::SUCCESS));
    }
    if let Some(args) = RunArgs::of_process() {
        return run::run(&args);
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let done = |()| ExitCode::SUCCESS;
    let result = match cli.verb {
        None => show::run(&cli.show).map(done),
        Some(Verb::Show(show)) => show::run(&show).map(done),
        Some(Verb::Why(why)) => why::run(&why).map(done),
        Some(Verb::Doctor(doctor)) => doctor::run(&doctor),
        Some(Verb::Systems(systems)) => systems::run(&systems).map(done),
        Some(Verb::Plan(plan)) => plan::run(&plan).map(done),
        Some(Verb::Firewall(firewall)) => firewall::run(&firewall),
        Some(Verb::Ftp(ftp)) => ftp::run(&ftp),
        Some(Verb::Simulate(simulate)) => simulate::run(&simulate).map(done),
        Some(Verb::Set(set)) => change::set(&set).map(done),
        Some(Verb::Reserve(reserve)) => change::reserve(&reserve).map(done),
        Some(Verb::Unreserve(unreserve)) => change::unreserve(&unreserve).map(done),
        Some(Verb::Undo(undo)) => change::undo::run(&undo).map(done),
        Some(Verb::Keep(keep)) => change::keep::run(&keep).map(done),
        Some(Verb::History(history)) => change::history::run(&history).map(done),
        Some(Verb::Identify(identify)) => identify::run(&identify).map(done),
        Some(Verb::Run(run)) => Ok(run::run(&run)),
        Some(Verb::Size(size)) => size::run(&size),
        Some(Verb::Completions { shell }) => pages::print_completions(shell).map(done),
        Some(Verb::Man) => pages::print_manual().map(done),
    };
    ended(result)
}

fn ended(result: Result<ExitCode, Failure>) -> ExitCode {
    match result {
        Ok(code) => code,
        // The reader of our output has gone (`dayfly | head`): nobody is left to tell.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            // If standard error is closed as well, the exit code is all that can be said.
            let _ = writeln!(anstream::stderr(), "{}", render::failure(&failure));
            ExitCode::from(2)
        }
    }
}

/// Help and version, or what is wrong with what was typed: exit code 2, for `run` 125.
fn usage(error: &clap::Error) -> ExitCode {
    if let Err(unprinted) = error.print()
        && error.exit_code() == 0
    {
        return ended(Err(Failure::Output(unprinted)));
    }
    let runs = std::env::args_os().nth(1).is_some_and(|verb| verb == "run");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if runs => ExitCode::from(run::FAILED),
        _ => ExitCode::from(2),
    }
}
