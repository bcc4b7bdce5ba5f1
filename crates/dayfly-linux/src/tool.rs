//! Programs of the system that are run.

use std::process::{Command, Stdio};

/// A program without input, whose words are not translated. It is also looked for where users without
/// privilege often do not look.
pub(crate) fn tool(program: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new(program);
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).env("LC_ALL", "C");
    command.stdin(Stdio::null());
    command
}
