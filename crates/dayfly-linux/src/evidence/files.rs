//! Files of the host: what sets sysctls at boot, and what services are configured to listen on.

use std::fs;
use std::path::Path;

use dayfly_insight::doctor::ConfiguredPort;
use dayfly_insight::doctor::service_files::{compose, manifest, socket_unit};
use dayfly_insight::doctor::sysctl_files::{self, Assignment, FOLDERS};

/// Where systemd keeps units, the first folder first (`systemd.unit(5)`).
const UNITS: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
];
/// Where kubelet takes its static pods from, by default.
const MANIFESTS: &str = "/etc/kubernetes/manifests";
const SYSCTL_CONF: &str = "/etc/sysctl.conf";
/// No sysctl file, unit or manifest is larger; a file that is, is something else.
const LARGEST: u64 = 4 << 20;

/// Every assignment of the files that `sysctl --system` applies, in its order, the files taken
/// from under `root` (`/` on a host).
#[must_use]
pub fn sysctl_files(root: &Path) -> Vec<Assignment> {
    let mut paths = Vec::new();
    for folder in FOLDERS {
        paths.extend(names_in(root, folder, &["conf"]));
    }
    paths.push(SYSCTL_CONF.to_owned());
    let mut assignments = Vec::new();
    for path in sysctl_files::in_order(paths) {
        if let Some(text) = text_of(root, &path) {
            assignments.extend(sysctl_files::assignments(&path, &text));
        }
    }
    assignments
}

/// The ports of systemd's socket units and of Kubernetes' static pods under `root`, and of the
/// given compose files and manifests.
///
/// # Errors
/// A sentence, when one of the given files cannot be read.
pub fn configured_ports(root: &Path, given: &[String]) -> Result<Vec<ConfiguredPort>, String> {
    let mut found = Vec::new();
    let mut names = Vec::new();
    for folder in UNITS {
        for path in names_in(root, folder, &["socket"]) {
            // A unit of the same name in an earlier folder replaces this one.
            let name = path.rsplit('/').next().map(str::to_owned);
            if !names.contains(&name) {
                names.push(name);
                found.extend(
                    text_of(root, &path).map_or(Vec::new(), |text| socket_unit(&path, &text)),
                );
            }
        }
    }
    for path in names_in(root, MANIFESTS, &["yaml", "yml", "json"]) {
        found.extend(text_of(root, &path).map_or(Vec::new(), |text| manifest(&path, &text)));
    }
    for path in given {
        let text = fs::read_to_string(path)
            .map_err(|error| format!("the file {path} cannot be read: {error}"))?;
        found.extend(compose(path, &text));
        found.extend(manifest(path, &text));
        if path.ends_with(".socket") {
            found.extend(socket_unit(path, &text));
        }
    }
    Ok(found)
}

/// Whether SELinux is enforced; none where there is no SELinux.
#[must_use]
pub fn selinux_enforced() -> Option<bool> {
    Some(fs::read_to_string("/sys/fs/selinux/enforce").ok()?.trim() == "1")
}

/// The files of a folder with one of these endings, by their absolute paths, in order.
pub(super) fn names_in(root: &Path, folder: &str, endings: &[&str]) -> Vec<String> {
    let entries = fs::read_dir(under(root, folder)).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let wanted =
        |name: &String| name.rsplit_once('.').is_some_and(|(_, ending)| endings.contains(&ending));
    let mut paths: Vec<_> = names.filter(wanted).map(|name| format!("{folder}/{name}")).collect();
    paths.sort();
    paths
}

/// None for a file that is not there, not text, or masked by a link to `/dev/null`.
pub(super) fn text_of(root: &Path, path: &str) -> Option<String> {
    let path = under(root, path);
    let kind = fs::metadata(&path).ok()?;
    (kind.is_file() && kind.len() <= LARGEST).then(|| fs::read_to_string(path).ok())?
}

fn under(root: &Path, path: &str) -> std::path::PathBuf {
    root.join(path.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder that goes away with the value.
    struct Root(std::path::PathBuf);

    impl Root {
        fn new(name: &str, files: &[(&str, &str)]) -> Root {
            let root = std::env::temp_dir().join(format!("dayfly-{}-{name}", std::process::id()));
            for (path, text) in files {
                let path = under(&root, path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            Root(root)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn sysctl_files_are_read_in_the_order_of_application() {
        let root = Root::new(
            "sysctl",
            &[
                ("/usr/lib/sysctl.d/50-a.conf", "a.b = 1\n"),
                ("/etc/sysctl.d/60-b.conf", "a.b = 2\n"),
                ("/etc/sysctl.d/notes.txt", "a.b = 9\n"),
                ("/etc/sysctl.conf", "a.b = 3\n"),
            ],
        );
        symlink("/dev/null", under(&root.0, "/etc/sysctl.d/50-a.conf")).unwrap();
        let found: Vec<_> =
            sysctl_files(&root.0).into_iter().map(|found| (found.file, found.value)).collect();
        assert_eq!(
            found,
            [
                ("/etc/sysctl.d/60-b.conf".to_owned(), "2".to_owned()),
                ("/etc/sysctl.conf".to_owned(), "3".to_owned()),
            ]
        );
    }

    #[test]
    fn services_are_found_and_given_files_must_be_there() {
        let root = Root::new(
            "services",
            &[
                ("/usr/lib/systemd/system/a.socket", "[Socket]\nListenStream=40000\n"),
                ("/etc/systemd/system/a.socket", "[Socket]\nListenStream=40001\n"),
                ("/etc/kubernetes/manifests/api.yaml", "spec: {x: {hostPort: 40002}}\n"),
            ],
        );
        let ports = |given: &[String]| -> Result<Vec<String>, String> {
            let found = configured_ports(&root.0, given)?;
            Ok(found.iter().map(|found| found.ports.low().to_string()).collect())
        };
        assert_eq!(ports(&[]), Ok(vec!["40001".to_owned(), "40002".to_owned()]));
        let error = ports(&["/no/such/file".to_owned()]).unwrap_err();
        assert!(error.starts_with("the file /no/such/file cannot be read: "), "{error}");
    }
}
