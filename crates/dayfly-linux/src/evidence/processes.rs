//! The processes of the calling thread's network namespace, by the words they were started with.

use std::fs;
use std::path::PathBuf;

use crate::owners::pids;

/// A process that was recognised.
pub(super) struct Process<T> {
    pub(super) pid: u32,
    /// `/proc/PID`.
    pub(super) folder: PathBuf,
    /// Its words with spaces between.
    pub(super) line: String,
    /// What it was recognised as.
    pub(super) is: T,
}

/// The processes whose words are recognised. Of other users' processes only those are found whose
/// namespace may be looked at.
pub(super) fn recognised<T>(recognise: impl Fn(&[&str]) -> Option<T>) -> Vec<Process<T>> {
    let own = fs::read_link("/proc/thread-self/ns/net").ok();
    let mut found = Vec::new();
    for pid in pids() {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let Ok(bytes) = fs::read(folder.join("cmdline")) else { continue };
        let text = String::from_utf8_lossy(&bytes);
        let words: Vec<&str> = text.trim_end_matches('\0').split('\0').collect();
        let Some(is) = recognise(&words) else { continue };
        if fs::read_link(folder.join("ns/net")).ok() == own {
            found.push(Process { pid, folder, line: words.join(" "), is });
        }
    }
    found
}
