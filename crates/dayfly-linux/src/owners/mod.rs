//! Who holds a socket: from the socket's inode to process, user, unit and container.
//!
//! The kernel does not say. The only way from a socket to a process leads through the links
//! `/proc/PID/fd/N -> socket:[INODE]` (`proc_pid_fd(5)`), so [`find`] walks them once, for all the
//! sockets that an answer wants to name, and stops when it has them all. The links are read, never
//! opened: an open would touch the file behind it.
//!
//! A process of another pid namespace is found as long as this `/proc` shows it, which the host's
//! does for every container. What cannot be looked into for want of privilege is counted.

mod cgroup;
mod procfs;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::observe::Degradation;

pub use cgroup::{container_of, unit_of};
pub use procfs::{command_line, socket_inode, user_name};

/// A process that holds a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its number, in the pid namespace of the `/proc` that was read.
    pub pid: u32,
    /// The name that the kernel keeps (`/proc/PID/comm`): at most 15 bytes, and for a program that
    /// renames its main thread not the program's.
    pub name: String,
    /// Its arguments, joined by spaces; the name in brackets where there are none (kernel threads,
    /// zombies).
    pub command: String,
    /// The user it runs as, by name where `/etc/passwd` has one, else the number.
    pub user: String,
    /// The systemd unit whose control group it is in.
    pub unit: Option<String>,
    /// The container whose control group it is in, by the engine's id.
    pub container: Option<String>,
}

impl Owner {
    /// The name of the program's file: `python3.12` of `/usr/bin/python3.12 -u crawler.py`, `nginx`
    /// of `nginx: worker process`.
    #[must_use]
    pub fn executable(&self) -> &str {
        let program = self.command.split(' ').next().unwrap_or_default();
        let program = program.rsplit('/').next().unwrap_or_default();
        let program = program.trim_end_matches(':');
        if program.is_empty() { &self.name } else { program }
    }
}

impl fmt::Display for Owner {
    /// `nginx (pid 71, nginx.service)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {}", self.name, self.pid)?;
        if let Some(unit) = &self.unit {
            write!(f, ", {unit}")?;
        }
        f.write_str(")")
    }
}

/// What [`find`] found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owners {
    by_inode: BTreeMap<u32, Owner>,
    /// How many processes could not be looked into although sockets were still missing: those of
    /// other users, without `CAP_SYS_PTRACE` (`ptrace(2)`, access mode checking).
    hidden: u32,
}

impl Owners {
    /// The process that holds the socket; of several (a parent and its children) the first.
    #[must_use]
    pub fn of(&self, inode: u32) -> Option<&Owner> {
        self.by_inode.get(&inode)
    }

    /// What could not be said of the sockets with these inodes; none if each has an owner.
    #[must_use]
    pub fn unowned(&self, inodes: impl IntoIterator<Item = u32>) -> Option<Degradation> {
        let is_missing = |inode: &u32| *inode != 0 && !self.by_inode.contains_key(inode);
        let sockets = inodes.into_iter().filter(is_missing).count();
        (sockets > 0).then_some(Degradation::Unowned { sockets, hidden: self.hidden })
    }
}

/// Finds who holds the sockets with these inodes. 0, the inode of sockets that nobody holds, is
/// not looked for.
#[must_use]
pub fn find(wanted: impl IntoIterator<Item = u32>) -> Owners {
    let mut missing: BTreeSet<u32> = wanted.into_iter().filter(|inode| *inode != 0).collect();
    let mut owners = Owners::default();
    if missing.is_empty() {
        return owners;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    for pid in pids() {
        let folder = PathBuf::from(format!("/proc/{pid}"));
        let found = match sockets_in(&folder.join("fd"), &mut missing) {
            Ok(found) => found,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                owners.hidden += 1;
                continue;
            }
            // It ended meanwhile; its sockets are no longer what they were.
            Err(_) => continue,
        };
        if found.is_empty() {
            continue;
        }
        let owner = describe(pid, &folder, &passwd);
        owners.by_inode.extend(found.into_iter().map(|inode| (inode, owner.clone())));
        if missing.is_empty() {
            break;
        }
    }
    owners
}

/// Takes those of `missing` that a folder of descriptors links to.
fn sockets_in(folder: &Path, missing: &mut BTreeSet<u32>) -> std::io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let link = match entry.and_then(|entry| fs::read_link(entry.path())) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Err(error);
            }
            // Closed between the listing and the look.
            Err(_) => continue,
            Ok(link) => link,
        };
        if let Some(inode) = link.to_str().and_then(socket_inode)
            && missing.remove(&inode)
        {
            found.push(inode);
            if missing.is_empty() {
                break;
            }
        }
    }
    Ok(found)
}

fn describe(pid: u32, folder: &Path, passwd: &str) -> Owner {
    let name = fs::read_to_string(folder.join("comm")).unwrap_or_default().trim_end().to_owned();
    let arguments = fs::read(folder.join("cmdline")).unwrap_or_default();
    let cgroup = fs::read_to_string(folder.join("cgroup")).unwrap_or_default();
    let user = match fs::metadata(folder) {
        Ok(metadata) => {
            user_name(passwd, metadata.uid()).unwrap_or_else(|| metadata.uid().to_string())
        }
        Err(_) => String::new(),
    };
    Owner {
        pid,
        command: command_line(&arguments).unwrap_or_else(|| format!("[{name}]")),
        name,
        user,
        unit: unit_of(&cgroup),
        container: container_of(&cgroup),
    }
}

/// The processes, lowest number first: a parent before the children that inherit its sockets.
pub(crate) fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut pids: Vec<u32> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    pids.sort_unstable();
    pids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executables_are_read_from_command_lines() {
        for (command, executable) in [
            ("/usr/bin/python3.12 -u crawler.py", "python3.12"),
            ("nginx: worker process", "nginx"),
            ("(squid-1) --kid squid-1", "(squid-1)"),
            ("sleep 5", "sleep"),
            ("", "kernel"),
            ("/", "kernel"),
        ] {
            let owner = Owner {
                pid: 1,
                name: "kernel".to_owned(),
                command: command.to_owned(),
                user: "root".to_owned(),
                unit: None,
                container: None,
            };
            assert_eq!(owner.executable(), executable, "{command}");
        }
    }
}
