//! What people do with a remedy: paste it into a shell.

use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;

use crate::{Folder, command, search_path};

/// The verbs that ask before they change something.
const ASKING: [&str; 4] = ["set", "reserve", "unreserve", "undo"];

/// Types a line into a shell that finds this `dayfly`, and says yes where dayfly asks. What it
/// writes down about changes goes away again. Fails the test where the line fails.
///
/// # Panics
/// When the shell or the command fails.
#[track_caller]
pub fn type_in(line: &str, dayfly: &str) {
    let state = Folder::new();
    let mut path = OsString::from(Path::new(dayfly).parent().unwrap_or(Path::new("/")));
    path.push(":");
    path.push(search_path());
    // Nobody sits in front of it: without a yes, dayfly only shows what it would do.
    let line = ASKING.iter().fold(line.to_owned(), |line, verb| {
        line.replace(&format!("dayfly {verb} "), &format!("dayfly {verb} --yes "))
    });
    let done = command("sh")
        .args(["-c", &line])
        .env("PATH", path)
        .env("DAYFLY_STATE", state.path())
        .stdin(Stdio::null())
        .output()
        .expect("sh runs");
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}
