//! The cgroup that a pinned program is born into: one below the caller's own, so that every limit
//! of the caller holds on.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::error::Error;

/// A cgroup of our own.
#[derive(Debug)]
pub(crate) struct Group {
    path: PathBuf,
    pub(crate) folder: OwnedFd,
    /// `cgroup.events`: readable with priority when the group becomes empty.
    pub(crate) events: fs::File,
}

static MADE: AtomicU32 = AtomicU32::new(0);

impl Group {
    pub(crate) fn make() -> Result<Group, Error> {
        let doing = "a cgroup cannot be made";
        let failed = |error| Error::Bpf { doing, error };
        let own = own().ok_or_else(|| failed(io::Error::other("there is no cgroup2 here")))?;
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let path = own.join(format!("dayfly-run-{}-{number}", std::process::id()));
        fs::create_dir(&path).map_err(failed)?;
        let open = || Ok((fs::File::open(&path)?, fs::File::open(path.join("cgroup.events"))?));
        match open() {
            Ok((folder, events)) => Ok(Group { folder: folder.into(), events, path }),
            Err(error) => {
                let _ = fs::remove_dir(&path);
                Err(failed(error))
            }
        }
    }

    /// Whether nothing runs in it. Has to be asked once before it is polled.
    pub(crate) fn is_empty(&self) -> bool {
        let mut text = [0; 256];
        let length = rustix::io::pread(&self.events, &mut text, 0).unwrap_or(0);
        text[..length].starts_with(b"populated 0")
    }

    /// Removes it, and the empty ones that a nested run has left inside for the moment.
    pub(crate) fn remove(&self) {
        remove(&self.path);
    }
}

fn remove(path: &Path) {
    for inner in fs::read_dir(path).into_iter().flatten().flatten() {
        if inner.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&inner.path());
        }
    }
    // If something still is inside, it stays: an empty cgroup does no harm.
    let _ = fs::remove_dir(path);
}

/// The folder of the caller's own cgroup.
fn own() -> Option<PathBuf> {
    let cgroup = fs::read_to_string("/proc/self/cgroup").ok()?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| folder(line, path)).filter(|folder| folder.is_dir())
}

/// Where a line of `/proc/self/mountinfo` (proc_pid_mountinfo(5)) shows this cgroup.
fn folder(line: &str, path: &str) -> Option<PathBuf> {
    let (place, kind) = line.split_once(" - ")?;
    if !kind.starts_with("cgroup2 ") {
        return None;
    }
    let mut words = place.split(' ').skip(3);
    let (root, mount) = (words.next()?, words.next()?);
    let below = path.strip_prefix(root.trim_end_matches('/'))?;
    Some(Path::new(mount).join(below.trim_start_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_read() {
        let line = "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw";
        assert_eq!(folder(line, "/user.slice"), Some("/sys/fs/cgroup/user.slice".into()));
        assert_eq!(folder(line, "/"), Some("/sys/fs/cgroup/".into()));
        let inner = "30 23 0:26 /pod /sys/fs/cgroup rw - cgroup2 cgroup rw";
        assert_eq!(folder(inner, "/pod/web"), Some("/sys/fs/cgroup/web".into()));
        assert_eq!(folder(inner, "/other"), None);
        assert_eq!(folder("30 23 0:26 / /sys rw - sysfs sysfs rw", "/"), None);
        assert_eq!(folder("", "/"), None);
    }
}
