//! The manual page and the shell completions, made from the definition of the arguments.

use std::io::{self, Write};

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, italic, roman};

use crate::args::{Cli, NOTES};
use crate::error::Failure;

pub(crate) fn print_completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "dayfly", &mut script);
    Ok(io::stdout().write_all(&script)?)
}

pub(crate) fn print_manual() -> Result<(), Failure> {
    let mut page = Vec::new();
    manual(&mut page)?;
    Ok(io::stdout().write_all(&page)?)
}

/// One page for the command and all of its verbs. `show` is what the command does without a verb,
/// so its options are the page's.
fn manual(page: &mut Vec<u8>) -> io::Result<()> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let man = Man::new(command.clone()).manual("User Commands");
    man.render_title(page)?;
    man.render_name_section(page)?;
    let mut synopsis = Roff::new();
    synopsis.control("SH", ["SYNOPSIS"]);
    synopsis.text([bold("dayfly"), roman(" [show] ["), italic("OPTIONS"), roman("]")]);
    for verb in other_verbs(&command) {
        synopsis.control("br", []);
        let usage = verb.clone().render_usage().to_string();
        let usage = usage.trim_start_matches("Usage: ").to_owned();
        let rest = usage.trim_start_matches("dayfly").to_owned();
        synopsis.text([bold("dayfly"), roman(rest)]);
    }
    synopsis.to_writer(page)?;
    man.render_description_section(page)?;
    man.render_options_section(page)?;
    for verb in other_verbs(&command) {
        let mut heading = Roff::new();
        heading.control("SH", [verb.get_bin_name().unwrap_or_default()]);
        let about = verb.get_long_about().or(verb.get_about()).map(ToString::to_string);
        heading.text([roman(about.unwrap_or_default())]);
        heading.to_writer(page)?;
        if verb.get_opts().next().is_some() {
            Man::new(verb.clone()).render_options_section(page)?;
        }
    }
    let mut notes = Roff::new();
    for paragraph in NOTES.split("\n\n") {
        let (head, body) = paragraph.split_once(":\n").unwrap_or(("Notes", paragraph));
        notes.control("SH", [head.to_uppercase().as_str()]);
        notes.control("nf", []);
        for line in body.lines() {
            notes.text([roman(line.trim())]);
        }
        notes.control("fi", []);
    }
    notes.to_writer(page)
}

/// Every verb but `show`; of one that has verbs of its own, these instead.
fn other_verbs(command: &Command) -> Vec<&Command> {
    let verbs = command.get_subcommands().filter(|verb| verb.get_name() != "show");
    let leaves = |verb| match other_verbs(verb) {
        inner if inner.is_empty() => vec![verb],
        inner => inner,
    };
    verbs.flat_map(leaves).collect()
}
