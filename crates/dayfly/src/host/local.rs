//! This host: its own shell and files.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::child::{self, ChildError};
use super::{Host, HostError, Output};

/// How long a command may take. None that changes a setting takes a second.
const LIMIT: Duration = Duration::from_secs(60);

/// This host.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Local;

impl Host for Local {
    fn name(&self) -> &str {
        "this host"
    }

    fn run(&self, command: &str) -> Result<Output, HostError> {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", command]).env("LC_ALL", "C");
        // sysctl(8) is where not every user's search path leads to.
        let path = std::env::var("PATH").unwrap_or_default();
        shell.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"));
        child::run(&mut shell, b"", LIMIT).map_err(|error| match error {
            ChildError::Start(error) => HostError::new(format_args!("/bin/sh: {error}")),
            ChildError::Late => HostError::lost(format_args!(
                "`{command}` did not end within {} seconds and was stopped",
                LIMIT.as_secs()
            )),
            ChildError::Flood => {
                HostError::lost(format_args!("`{command}` printed without end and was stopped"))
            }
        })
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        match fs::read(path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(refused(path, "read", &error)),
        }
    }

    fn replace(&self, path: &str, bytes: &[u8], mode: u16) -> Result<(), HostError> {
        replace(Path::new(path), bytes, mode).map_err(|error| refused(path, "written", &error))
    }

    fn remove(&self, path: &str) -> Result<(), HostError> {
        let removed = fs::remove_file(path).and_then(|()| synced(Path::new(path)));
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(refused(path, "removed", &error))
            }
            _ => Ok(()),
        }
    }

    fn tidy(&self, path: &str) -> Result<(), HostError> {
        tidy(Path::new(path)).map_err(|error| refused(path, "tidied up", &error))
    }
}

fn refused(path: &str, done: &str, error: &io::Error) -> HostError {
    HostError {
        is_permission: error.kind() == io::ErrorKind::PermissionDenied,
        ..HostError::new(format_args!("{path} cannot be {done}: {error}"))
    }
}

/// A temporary file beside it, synced, then renamed over it.
fn replace(path: &Path, bytes: &[u8], mode: u16) -> io::Result<()> {
    let path = match fs::canonicalize(path) {
        Ok(path) => path,
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let present = match fs::metadata(&path) {
        Ok(present) => Some(present),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let temporary = beside(&path);
    let written = create(&temporary).and_then(|mut file| {
        file.write_all(bytes)?;
        let mut mode = u32::from(mode);
        if let Some(present) = &present {
            std::os::unix::fs::fchown(&file, Some(present.uid()), Some(present.gid()))?;
            mode = present.mode() & 0o7777;
        }
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&temporary, &path)
    });
    if written.is_err() {
        // It may not even have been made.
        let _ = fs::remove_file(&temporary);
    }
    written.and_then(|()| synced(&path))
}

/// A name that no program takes for configuration: it begins with a dot.
fn beside(path: &Path) -> PathBuf {
    let mut name = prefix(path);
    name.push(std::process::id().to_string());
    path.with_file_name(name)
}

/// How the names begin that [`beside`] gives.
fn prefix(path: &Path) -> OsString {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".dayfly-");
    name
}

fn tidy(path: &Path) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let prefix = prefix(&path);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    for entry in fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten() {
        if entry.file_name().as_encoded_bytes().starts_with(prefix.as_encoded_bytes()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn create(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match open() {
        // Left by a process of the same number that was killed.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            open()
        }
        done => done,
    }
}

/// Makes the folder remember what it holds.
fn synced(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("dayfly-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Folder(path)
        }

        fn file(&self, name: &str) -> String {
            self.0.join(name).to_str().unwrap().to_owned()
        }

        fn names(&self) -> Vec<String> {
            let entries = fs::read_dir(&self.0).unwrap();
            let mut names: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &str) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn commands_run_in_a_shell_of_the_plain_locale() {
        let output = Local.run("printf '%s' \"$LC_ALL\"; cat; echo no >&2; exit 4").unwrap();
        assert_eq!((output.status, output.text().as_str()), (4, "C"));
        assert!(!output.is_success() && output.said() == "no");
        assert!(Local.run("command -v sysctl").unwrap().is_success());
    }

    #[test]
    fn files_are_made_replaced_and_removed() {
        let folder = Folder::new("local");
        let path = folder.file("a.conf");
        assert_eq!(Local.read(&path), Ok(None));
        Local.replace(&path, b"one", 0o640).unwrap();
        assert_eq!((Local.read(&path), mode(&path)), (Ok(Some(b"one".to_vec())), 0o640));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o604)).unwrap();
        Local.replace(&path, b"\0\xff", 0o640).unwrap();
        assert_eq!((Local.read(&path), mode(&path)), (Ok(Some(b"\0\xff".to_vec())), 0o604));
        assert_eq!(folder.names(), ["a.conf"]);
        Local.remove(&path).unwrap();
        Local.remove(&path).unwrap();
        assert_eq!(Local.read(&path), Ok(None));
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = Folder::new("link");
        let (file, link) = (folder.file("file"), folder.file("link"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        Local.replace(&link, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn what_was_left_by_a_dead_one_is_in_nobodys_way() {
        let folder = Folder::new("left");
        let path = folder.file("a");
        fs::write(beside(Path::new(&path)), "half").unwrap();
        Local.replace(&path, b"whole", 0o600).unwrap();
        assert_eq!(folder.names(), ["a"]);
        assert_eq!(Local.read(&path), Ok(Some(b"whole".to_vec())));
        for name in [".a.dayfly-1", ".a.dayfly-99999", ".ab.dayfly-1", ".a"] {
            fs::write(folder.file(name), "half").unwrap();
        }
        Local.tidy(&path).unwrap();
        assert_eq!(folder.names(), [".a", ".ab.dayfly-1", "a"]);
    }

    #[test]
    fn errors_name_the_file() {
        let folder = Folder::new("errors");
        let error = Local.replace(&folder.file("no/a"), b"", 0o600).unwrap_err();
        assert!(
            error.message.ends_with("cannot be written: No such file or directory (os error 2)")
        );
        let error = Local.read(&folder.file("")).unwrap_err();
        assert!(error.message.contains("cannot be read: Is a directory"), "{error}");
        assert_eq!(folder.names(), [""; 0]);
    }
}
