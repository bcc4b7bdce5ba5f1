//! A folder for the files of one test.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::environment::{command, scratch, settle};

/// A folder of its own that everybody may enter and only its owner may write to; gone, with all
/// that is in it, when dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one, below [`scratch`](crate::scratch).
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn new() -> Folder {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        settle();
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        // Always as long, so that a report that names it breaks its lines at the same places.
        let name = format!("dayfly-files-{:07}-{counter:03}", std::process::id());
        let path = scratch().join(name);
        // Left by a process of the same number that was killed.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path)
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .unwrap_or_else(|error| panic!("cannot make the folder {}: {error}", path.display()));
        Folder { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of something in it, as text for a command line or a configuration.
    #[must_use]
    pub fn file(&self, name: &str) -> String {
        self.path.join(name).display().to_string()
    }

    /// Copies programs here, where everybody may run them.
    ///
    /// Another process does it: what this one has open for writing is open in every process that
    /// another thread starts, until that runs its program, and the kernel runs nothing that somebody
    /// may write to (`ETXTBSY` of execve(2)).
    ///
    /// # Panics
    /// When one cannot be copied.
    pub fn bring(&self, programs: impl IntoIterator<Item = impl AsRef<Path>>) {
        // Whoever builds with a strict umask has programs that only they may run.
        let mut copy = command("install");
        copy.args(["-m", "755", "-t"]).arg(&self.path).arg("--");
        copy.args(programs.into_iter().map(|program| program.as_ref().to_owned()));
        let done = copy.output().expect("install runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    }

    /// Makes a script that everybody may run, by another process as well; returns its path.
    ///
    /// # Panics
    /// When it cannot be made.
    #[must_use]
    pub fn script(&self, name: &str, text: &str) -> String {
        let path = self.file(name);
        let mut make = command("install");
        make.args(["-m", "755", "/dev/stdin", &path]).stdin(Stdio::piped());
        let mut making = make.spawn().expect("install runs");
        let mut input = making.stdin.take().expect("it is a pipe");
        input.write_all(text.as_bytes()).expect("install reads");
        drop(input);
        assert!(making.wait().expect("install ends").success(), "{path} cannot be made");
        path
    }
}

impl Default for Folder {
    fn default() -> Self {
        Folder::new()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
