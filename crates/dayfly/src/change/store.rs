//! The folder with the journals, and the lock that keeps two dayflys apart.

use std::env;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::journal::{self, Begun, Journal, Record};
use crate::error::Failure;
use crate::privilege::with_sudo;

/// Where the journals lie.
#[derive(Clone, Debug)]
pub(crate) struct Store {
    folder: PathBuf,
}

/// The right to change something; whoever has it is alone.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Store {
    /// `given` if there is one (`--state`, `DAYFLY_STATE`), else `/var/lib/dayfly` for root and
    /// `$XDG_STATE_HOME/dayfly` for others (XDG Base Directory Specification).
    pub(crate) fn new(given: Option<&Path>) -> Result<Self, Failure> {
        let named = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        let folder = if let Some(folder) = given {
            folder.to_owned()
        } else if rustix::process::geteuid().is_root() {
            PathBuf::from("/var/lib/dayfly")
        } else if let Some(folder) = named("XDG_STATE_HOME") {
            PathBuf::from(folder).join("dayfly")
        } else if let Some(home) = named("HOME") {
            PathBuf::from(home).join(".local/state/dayfly")
        } else {
            return Err(Failure::new("there is no folder to write changes down in")
                .hint("name one: --state DIR"));
        };
        let folder = std::path::absolute(&folder).unwrap_or(folder);
        Ok(Store { folder })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Makes the folder if need be, and keeps every other dayfly out until the lock is dropped.
    pub(crate) fn lock(&self) -> Result<Lock, Failure> {
        self.acquire(FlockOperation::NonBlockingLockExclusive)
    }

    /// As [`Store::lock`], but waits for whoever has it.
    pub(crate) fn lock_patiently(&self) -> Result<Lock, Failure> {
        self.acquire(FlockOperation::LockExclusive)
    }

    fn acquire(&self, operation: FlockOperation) -> Result<Lock, Failure> {
        let path = self.folder.join("lock");
        let open = || -> io::Result<File> {
            // What files held is nobody else's business.
            if !self.folder.is_dir() {
                DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
            }
            OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)
        };
        let file = open().map_err(|error| self.failed(&path, &error))?;
        match flock(&file, operation) {
            Ok(()) => Ok(Lock { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                Err(Failure::new("another dayfly is changing something at this moment")
                    .hint(format!("wait for it, or see who it is: fuser -v {}", path.display())))
            }
            Err(error) => Err(self.failed(&path, &error.into())),
        }
    }

    /// Whether some dayfly is at work at this moment.
    pub(crate) fn is_busy(&self) -> bool {
        let Ok(file) = File::open(self.folder.join("lock")) else { return false };
        flock(&file, FlockOperation::NonBlockingLockShared).is_err()
    }

    /// The changes, the oldest first. A journal that cannot be read is an error that names it.
    pub(crate) fn records(&self) -> Result<Vec<Record>, Failure> {
        let mut ids = self.ids()?;
        ids.sort_unstable();
        ids.into_iter()
            .map(|id| {
                let path = self.path(id);
                let text = fs::read_to_string(&path).map_err(|error| self.failed(&path, &error))?;
                journal::parse(&text).map_err(|why| unreadable(&path, &why))
            })
            .collect()
    }

    /// Opens the journal of a change, to go on with it.
    pub(crate) fn open(&self, id: u32, _lock: &Lock) -> Result<Journal, Failure> {
        let path = self.path(id);
        Journal::open(&path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => no_such_change(id),
            io::ErrorKind::InvalidData => unreadable(&path, &error.to_string()),
            _ => self.failed(&path, &error),
        })
    }

    /// Writes down a new change.
    pub(crate) fn create(&self, begun: Begun, _lock: &Lock) -> Result<Journal, Failure> {
        let path = self.path(begun.id);
        Journal::create(&path, begun).map_err(|error| self.failed(&path, &error))
    }

    /// The number of the next change.
    pub(crate) fn next_id(&self, _lock: &Lock) -> Result<u32, Failure> {
        Ok(self.ids()?.into_iter().max().unwrap_or(0) + 1)
    }

    fn ids(&self) -> Result<Vec<u32>, Failure> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(&self.folder, &error)),
        };
        let id = |entry: fs::DirEntry| {
            entry.file_name().to_str()?.strip_suffix(".journal")?.parse::<u32>().ok()
        };
        Ok(entries.flatten().filter_map(id).collect())
    }

    fn path(&self, id: u32) -> PathBuf {
        self.folder.join(format!("{id}.journal"))
    }

    fn failed(&self, path: &Path, error: &io::Error) -> Failure {
        let failure = Failure::new(format_args!("{}: {error}", path.display()));
        if error.kind() != io::ErrorKind::PermissionDenied {
            failure.hint("changes are written down there; name another folder: --state DIR")
        } else if rustix::process::geteuid().is_root() {
            failure.hint("name a folder that may be written to: --state DIR")
        } else {
            failure.hint(with_sudo())
        }
    }
}

/// The failure of a number that no change has.
pub(crate) fn no_such_change(id: u32) -> Failure {
    Failure::new(format_args!("there is no change {id}")).hint("`dayfly history` lists them")
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new(format_args!("the journal {} cannot be read: {why}", path.display()))
        .hint("its first line holds what was there before; move the file away to go on without it")
}

/// Who asks, as far as sudo tells.
pub(crate) fn user() -> String {
    let named = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    named("SUDO_USER")
        .or_else(|| named("USER"))
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}
