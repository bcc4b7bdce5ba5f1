//! Running other programs.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a chore returns: why it could not be done, as a sentence.
pub(crate) type Done = Result<(), String>;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// Runs a program from the workspace's folder, its output going where ours goes.
pub(crate) fn run(program: &str, words: &[&str]) -> Done {
    run_with(program, words, &[])
}

/// The same with these variables in its environment.
pub(crate) fn run_with(program: &str, words: &[&str], variables: &[(&str, &OsStr)]) -> Done {
    eprintln!("$ {program} {}", words.join(" "));
    let status = Command::new(program)
        .args(words)
        .envs(variables.iter().copied())
        .current_dir(root())
        .status()
        .map_err(|error| format!("{program} does not run: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{program} {}` failed: {status}", words.join(" ")))
    }
}

/// Whether the program runs and is content with these words. It may be one of the administrator's,
/// which not every search path leads to.
pub(crate) fn answers(program: &str, words: &[&str]) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    Command::new(program)
        .args(words)
        .env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// What the program prints.
pub(crate) fn output(program: &str, words: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(words)
        .current_dir(root())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("{program} does not run: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{program} {}` failed: {}", words.join(" "), output.status));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("{program} printed no text"))
}

/// cargo, the one that runs us.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}
