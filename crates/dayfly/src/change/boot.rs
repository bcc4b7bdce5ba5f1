//! What the files of `sysctl.d(5)` set at boot, and what they would set with one of them changed.

use std::path::Path;

use dayfly_insight::doctor::sysctl_files::{self, Assignment};
use dayfly_linux::evidence;

/// A line of it counts after everything else, and only where somebody reads it: `sysctl --system`
/// (procps) does, `systemd-sysctl` does not, unless a link in `/etc/sysctl.d` leads to it.
const SYSCTL_CONF: &str = "/etc/sysctl.conf";

/// Where systemd keeps the program that applies the files at boot.
const SYSTEMD: [&str; 2] = ["/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl"];

/// The assignments of all files, in the order in which they are applied.
#[derive(Clone, Debug)]
pub(crate) struct Boot {
    assignments: Vec<Assignment>,
    has_systemd: bool,
}

impl Boot {
    /// Of this host.
    pub(crate) fn read() -> Self {
        Boot {
            assignments: evidence::sysctl_files(Path::new("/")),
            has_systemd: SYSTEMD.iter().any(|path| Path::new(path).exists()),
        }
    }

    /// Whether systemd applies the files, and so takes lines of any length.
    pub(crate) const fn has_systemd(&self) -> bool {
        self.has_systemd
    }

    /// The line that decides: the last.
    pub(crate) fn last(&self, key: &str) -> Option<&Assignment> {
        self.of(key).filter(|found| self.counts(found)).last()
    }

    /// The last line before the file, and all after it.
    pub(crate) fn round(&self, key: &str, path: &str) -> (Option<&Assignment>, Vec<&Assignment>) {
        let comes_after = |found: &&Assignment| is_after(&found.file, path);
        let before = self.of(key).filter(|found| found.file != path && !comes_after(found));
        let after = self.of(key).filter(comes_after).collect();
        (before.last(), after)
    }

    /// The last line of this very file.
    pub(crate) fn within(&self, key: &str, path: &str) -> Option<&Assignment> {
        self.of(key).filter(|found| found.file == path).last()
    }

    fn of(&self, key: &str) -> impl Iterator<Item = &Assignment> {
        self.assignments.iter().filter(move |found| found.key == key)
    }

    fn counts(&self, found: &Assignment) -> bool {
        !self.has_systemd || found.file != SYSCTL_CONF
    }
}

/// Whether a file is applied after another.
fn is_after(file: &str, path: &str) -> bool {
    file != path
        && sysctl_files::in_order(vec![path.to_owned(), file.to_owned()])
            .last()
            .is_some_and(|last| last == file)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "/etc/sysctl.d/90-ours.conf";

    fn boot(files: &[(&str, &str)]) -> Boot {
        let paths = files.iter().map(|(path, _)| (*path).to_owned()).collect();
        let assignments = sysctl_files::in_order(paths).into_iter().flat_map(|path| {
            let (_, text) = files.iter().find(|(known, _)| *known == path).unwrap();
            sysctl_files::assignments(&path, text)
        });
        Boot { assignments: assignments.collect(), has_systemd: true }
    }

    #[test]
    fn files_before_and_after_are_told_apart() {
        let boot = boot(&[
            ("/usr/lib/sysctl.d/50-a.conf", "k=1\nk=2\n"),
            (OURS, "k=3\n"),
            ("/run/sysctl.d/91-b.conf", "k=4\nother=1\n"),
            (SYSCTL_CONF, "k=5\n"),
        ]);
        let (before, after) = boot.round("k", OURS);
        assert_eq!(before.map(|found| found.value.as_str()), Some("2"));
        let after: Vec<_> = after.iter().map(|found| found.value.as_str()).collect();
        assert_eq!(after, ["4", "5"]);
        assert_eq!(boot.within("k", OURS).map(|found| found.value.as_str()), Some("3"));
        // systemd does not read the old file.
        assert_eq!(boot.last("k").map(|found| found.value.as_str()), Some("4"));
        let without = Boot { has_systemd: false, ..boot };
        assert_eq!(without.last("k").map(|found| found.value.as_str()), Some("5"));
        assert_eq!(without.last("none"), None);
    }
}
