//! What the caller's environment may change: nothing.
//!
//! A shell, a language, a width, a proxy, an ssh session, a strict umask: whoever runs the tests has
//! some of it, and everything that a test starts would inherit it. So what is started through this
//! crate gets an environment of its own, in which only the search path is the caller's.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use rustix::fs::Mode;
use rustix::process::umask;

use crate::limits::raise_open_files;

/// Where programs of the administrator are, which not every search path names.
const SBIN: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// The longest folder in which a socket can have a name of its own: `sun_path` of unix(7) has 108
/// bytes.
const LONGEST: usize = 30;

/// A command that finds the programs that the caller finds and those of the administrator, and
/// knows nothing else of the caller's environment.
///
/// ```
/// let words = dayfly_testkit::command("sh").args(["-c", "echo $LC_ALL"]).output().unwrap();
/// assert_eq!(words.stdout, b"C.UTF-8\n");
/// ```
#[must_use]
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", search_path()).env("HOME", "/nonexistent");
    command.env("LC_ALL", "C.UTF-8").env("TMPDIR", scratch());
    command
}

/// The caller's `PATH`, and where programs of the administrator are.
#[must_use]
pub fn search_path() -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let sbin = SBIN.iter().map(PathBuf::from);
    // Its folders come from such a list, so that none has what cannot be in one.
    env::join_paths(env::split_paths(&path).chain(sbin)).unwrap_or(path)
}

/// Where files of tests go: the caller's folder for temporary files, or `/tmp` where others may not
/// enter that one, or where its name is too long for a socket in it or has what shells and
/// configuration files read as something else.
///
/// Servers run as users of their own, and the words of many programs are split at spaces.
#[must_use]
pub fn scratch() -> PathBuf {
    let folder = env::temp_dir();
    let is_plain = |text: &str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/-_.".contains(c);
        text.len() <= LONGEST && text.starts_with('/') && text.chars().all(plain)
    };
    let is_open = |folder: &Path| {
        let mode = |folder: &Path| fs::metadata(folder).map_or(0, |data| data.permissions().mode());
        mode(folder) & 0o7 == 0o7 && folder.ancestors().all(|folder| mode(folder) & 0o1 == 0o1)
    };
    if folder.to_str().is_some_and(is_plain) && is_open(&folder) { folder } else { "/tmp".into() }
}

/// What a test process changes of itself before it does anything: once, as early as possible.
pub(crate) fn settle() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        raise_open_files();
        // Other users read what tests write.
        umask(Mode::from_raw_mode(0o022));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_search_path_is_the_callers() {
        let output = command("env").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mut names: Vec<_> =
            text.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
        names.sort_unstable();
        assert_eq!(names, ["HOME", "LC_ALL", "PATH", "TMPDIR"]);
    }
}
