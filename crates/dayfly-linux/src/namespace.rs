//! Finds network namespaces and runs code inside them.
//!
//! A namespace is known by the inode of its nsfs file (`namespaces(7)`), the number in
//! `net:[4026531840]`. It may have a name: a file that `ip netns add` mounted under `/run/netns`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::owners::pids;

/// Where `ip netns` keeps its names (`ip-netns(8)`).
const NAMED: &str = "/run/netns";
const OWN: &str = "/proc/thread-self/ns/net";
const INIT: &str = "/proc/1/ns/net";

/// One network namespace, held open so that it cannot vanish.
#[derive(Debug)]
pub struct Namespace {
    id: u64,
    name: String,
    /// What [`Namespace::find`] takes to find it again.
    address: String,
    file: File,
}

impl Namespace {
    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// [`NamespaceError`] when `/proc` is not there.
    pub fn own() -> Result<Self, NamespaceError> {
        let own = Namespace::at(Path::new(OWN), "/proc/self/ns/net")?;
        let name = Names::read().name(own.id).unwrap_or_else(|| "current".to_owned());
        Ok(Namespace { name, ..own })
    }

    /// The namespace that `text` means: a path when it has a slash, else a process id when it is
    /// a number and no namespace has that name, else a name under `/run/netns`.
    ///
    /// # Errors
    /// [`NamespaceError`] when it does not exist or may not be opened.
    pub fn find(text: &str) -> Result<Self, NamespaceError> {
        if text.contains('/') {
            return Namespace::at(Path::new(text), text);
        }
        let named = Path::new(NAMED).join(text);
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        if !text.is_empty() && is_number && !named.exists() {
            let path = PathBuf::from(format!("/proc/{text}/ns/net"));
            let found = Namespace::at(&path, text)?;
            let name = Names::read().name(found.id).unwrap_or_else(|| format!("pid {text}"));
            return Ok(Namespace { name, ..found });
        }
        if text.is_empty() || text.starts_with('.') {
            return Err(NamespaceError::new(named, Cause::NotFound));
        }
        Namespace::at(&named, text)
    }

    /// Every namespace that has a process, a name or a mount, the calling thread's own first.
    #[must_use]
    pub fn all() -> Survey {
        let mut survey = Survey::default();
        let names = Names::read();
        let mut found: BTreeMap<u64, Namespace> = BTreeMap::new();
        let own = Namespace::own().ok();
        let own_id = own.as_ref().map(Namespace::id);
        if let Some(own) = own {
            found.insert(own.id, own);
        }
        let mounted = mounted_namespaces();
        for path in names.paths().chain(mounted.iter().map(PathBuf::as_path)) {
            match Namespace::at(path, &path.display().to_string()) {
                Ok(namespace) => {
                    found.entry(namespace.id).or_insert(namespace);
                }
                Err(error) => survey.unreadable.push(error),
            }
        }
        for pid in pids() {
            let path = format!("/proc/{pid}/ns/net");
            match Namespace::at(Path::new(&path), &pid.to_string()) {
                Ok(namespace) => {
                    let name = format!("pid {pid}");
                    found.entry(namespace.id).or_insert(Namespace { name, ..namespace });
                }
                Err(error) if error.is_permission() => survey.hidden_processes += 1,
                // The process ended meanwhile: nothing to see.
                Err(_) => {}
            }
        }
        for namespace in found.values_mut() {
            if let Some(name) = names.name(namespace.id) {
                if names.by_id.contains_key(&namespace.id) {
                    namespace.address.clone_from(&name);
                }
                namespace.name = name;
            }
        }
        survey.namespaces = found.into_values().collect();
        survey.namespaces.sort_by_key(|namespace| (Some(namespace.id) != own_id, namespace.id));
        survey
    }

    /// The inode of its nsfs file.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What people call it: its name under `/run/netns`, `host` for the first process' namespace,
    /// else how it was found.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What [`Namespace::find`], and so `--netns`, takes to find it again: a name, a process id or a
    /// path. Not the same as [`Namespace::name`], which may be a description.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Whether it is the calling thread's.
    #[must_use]
    pub fn is_own(&self) -> bool {
        fs::metadata(OWN).is_ok_and(|own| own.ino() == self.id)
    }

    /// Whether the files of this system (`/etc/sysctl.d`, units) are about it: it is the caller's
    /// own, and that of process 1 unless that may not be looked at.
    #[must_use]
    pub fn is_host(&self) -> bool {
        self.is_own() && fs::metadata(INIT).map_or(true, |init| init.ino() == self.id)
    }

    /// Runs `work` inside the namespace and returns what it returned. The calling thread stays
    /// where it is: another thread enters, unless the namespace is the caller's own.
    ///
    /// # Errors
    /// [`NamespaceError`] when the namespace may not be entered (CAP_SYS_ADMIN).
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, NamespaceError> {
        if self.is_own() {
            return Ok(work());
        }
        let refused = |error: io::Error| {
            let cause = match error.raw_os_error() {
                Some(libc::EPERM) => Cause::MayNotEnter,
                _ => Cause::Other(error.to_string()),
            };
            NamespaceError::new(PathBuf::from(&self.name), cause)
        };
        std::thread::scope(|scope| {
            let inside = scope.spawn(|| {
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(self.file.as_fd(), kind).map_err(io::Error::from)?;
                Ok(work())
            });
            match inside.join() {
                Ok(result) => result.map_err(refused),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }

    /// Opens the file of a namespace; the address is its name until it gets a better one.
    fn at(path: &Path, address: &str) -> Result<Self, NamespaceError> {
        let failed = |error: &io::Error| {
            let cause = match error.kind() {
                io::ErrorKind::NotFound => Cause::NotFound,
                io::ErrorKind::PermissionDenied => Cause::MayNotOpen,
                _ => Cause::Other(error.to_string()),
            };
            NamespaceError::new(path.to_owned(), cause)
        };
        // Opening a pipe or a device could block or do something: look before.
        let kind = fs::metadata(path).map_err(|error| failed(&error))?;
        if !kind.is_file() {
            return Err(NamespaceError::new(path.to_owned(), Cause::NotANamespace));
        }
        let file = File::open(path).map_err(|error| failed(&error))?;
        let statfs = rustix::fs::fstatfs(&file).map_err(|error| failed(&error.into()))?;
        if statfs.f_type != libc::NSFS_MAGIC {
            return Err(NamespaceError::new(path.to_owned(), Cause::NotANamespace));
        }
        let id = file.metadata().map_err(|error| failed(&error))?.ino();
        Ok(Namespace { id, name: address.to_owned(), address: address.to_owned(), file })
    }
}

/// What [`Namespace::all`] found.
#[derive(Debug, Default)]
pub struct Survey {
    /// The namespaces, the caller's own first, then by inode.
    pub namespaces: Vec<Namespace>,
    /// Names and mounts that could not be opened.
    pub unreadable: Vec<NamespaceError>,
    /// Processes whose namespace may not be looked at.
    pub hidden_processes: usize,
}

/// The names that namespaces have.
struct Names {
    by_id: BTreeMap<u64, PathBuf>,
    init: Option<u64>,
}

impl Names {
    fn read() -> Self {
        let entries = fs::read_dir(NAMED).into_iter().flatten().flatten();
        let by_id = entries
            .map(|entry| entry.path())
            .filter_map(|path| Some((fs::metadata(&path).ok()?.ino(), path)))
            .collect();
        Names { by_id, init: fs::metadata(INIT).ok().map(|init| init.ino()) }
    }

    fn name(&self, id: u64) -> Option<String> {
        let named = self.by_id.get(&id).and_then(|path| path.file_name());
        let named = named.map(OsStr::to_string_lossy).map(std::borrow::Cow::into_owned);
        named.or_else(|| (self.init == Some(id)).then(|| "host".to_owned()))
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        self.by_id.values().map(PathBuf::as_path)
    }
}

/// Namespaces that are kept alive by a mount elsewhere, as container engines do.
fn mounted_namespaces() -> Vec<PathBuf> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().filter_map(mounted_namespace).collect()
}

/// The mount point of a line of mountinfo (`proc_pid_mountinfo(5)`) whose root is a network
/// namespace.
fn mounted_namespace(line: &str) -> Option<PathBuf> {
    let mut fields = line.split(' ').skip(3);
    let (root, mount_point) = (fields.next()?, fields.next()?);
    root.starts_with("net:[").then(|| PathBuf::from(unescape(mount_point)))
}

/// mountinfo writes space, tab, newline and backslash as three octal digits.
fn unescape(field: &str) -> String {
    let mut text = String::with_capacity(field.len());
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        let (plain, escape) = rest.split_at(at);
        text.push_str(plain);
        let code = escape.get(1..4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                text.push(char::from(code));
                rest = &escape[4..];
            }
            None => {
                text.push('\\');
                rest = &escape[1..];
            }
        }
    }
    text + rest
}

/// A namespace that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceError {
    what: PathBuf,
    cause: Cause,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    NotFound,
    NotANamespace,
    MayNotOpen,
    MayNotEnter,
    Other(String),
}

impl NamespaceError {
    fn new(what: PathBuf, cause: Cause) -> Self {
        NamespaceError { what, cause }
    }

    /// Whether more privilege would help.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        matches!(self.cause, Cause::MayNotOpen | Cause::MayNotEnter)
    }
}

impl fmt::Display for NamespaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.what.display();
        match &self.cause {
            Cause::NotFound => write!(f, "there is no network namespace at {what}"),
            Cause::NotANamespace => write!(f, "{what} is not a network namespace"),
            Cause::MayNotOpen => {
                write!(f, "the network namespace {what} may only be looked at with CAP_SYS_PTRACE")
            }
            Cause::MayNotEnter => {
                write!(f, "the network namespace {what} may only be entered with CAP_SYS_ADMIN")
            }
            Cause::Other(cause) => {
                write!(f, "the network namespace {what} cannot be entered: {cause}")
            }
        }
    }
}

impl std::error::Error for NamespaceError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_mountinfo() {
        let line =
            "512 29 0:4 net:[4026532201] /run/docker/netns/a\\040b rw shared:7 - nsfs nsfs rw";
        assert_eq!(mounted_namespace(line), Some(PathBuf::from("/run/docker/netns/a b")));
        let other = "22 1 254:0 / / rw,relatime - ext4 /dev/vda rw";
        assert_eq!(mounted_namespace(other), None);
        for broken in ["", "1 2 3", "1 2 3 net:[1]"] {
            assert_eq!(mounted_namespace(broken), None);
        }
        assert_eq!(unescape("a\\"), "a\\");
        assert_eq!(unescape("\\134é\\9"), "\\é\\9");
    }

    #[test]
    fn refuses_what_is_not_a_namespace() {
        for text in
            ["/etc/passwd", "/dev/null", "/proc/self/ns/", "no-such-name", "", "..", "4194999"]
        {
            let error = Namespace::find(text).unwrap_err().to_string();
            assert!(error.contains("network namespace"), "{text:?}: {error}");
        }
    }

    #[test]
    fn finds_its_own() {
        let own = Namespace::own().unwrap();
        let by_pid = Namespace::find(&std::process::id().to_string()).unwrap();
        let by_path = Namespace::find("/proc/self/ns/net").unwrap();
        assert_eq!((own.id(), own.id()), (by_pid.id(), by_path.id()));
        assert_eq!(Namespace::all().namespaces.first().map(Namespace::id), Some(own.id()));
        assert_eq!(own.run(|| 7), Ok(7));
    }

    #[test]
    fn what_a_survey_finds_can_be_found_again() {
        for namespace in Namespace::all().namespaces {
            // A process may have ended meanwhile, and its namespace with it.
            if let Ok(again) = Namespace::find(namespace.address()) {
                assert_eq!(again.id(), namespace.id(), "{}", namespace.address());
            } else {
                assert!(!namespace.is_own());
            }
        }
    }
}
