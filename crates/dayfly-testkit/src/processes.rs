//! Ending what a test left running.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;

use rustix::process::{Pid, Signal, getpid, kill_process};

/// Ends every process in a namespace of this kind (`net`, `mnt`), and all that they start meanwhile;
/// never this process. The open file is what keeps the namespace: once the last process has left it,
/// its number goes to the next one that somebody makes, and that one's processes are not ours.
pub(crate) fn end_all_in(kind: &str, namespace: &File) {
    // Whoever is seen is killed and starts nothing more: a second look finds the children of the
    // first, and so on.
    while end_each_in(kind, namespace) > 0 {
        std::thread::yield_now();
    }
}

/// How many were still alive.
fn end_each_in(kind: &str, namespace: &File) -> usize {
    // Device and inode say which namespace it is (namespaces(7)).
    let Ok(namespace) = namespace.metadata() else { return 0 };
    let is_inside = |process: &Pid| {
        // What has ended and was not waited for is in no namespace any more.
        fs::metadata(format!("/proc/{process}/ns/{kind}"))
            .is_ok_and(|it| (it.dev(), it.ino()) == (namespace.dev(), namespace.ino()))
    };
    let inside = processes().filter(|process| *process != getpid() && is_inside(process));
    // It may be over already.
    inside.filter(|process| kill_process(*process, Signal::KILL).is_ok()).count()
}

fn processes() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(Pid::from_raw)
}
