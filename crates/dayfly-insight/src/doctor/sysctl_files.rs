//! Files of `sysctl.d(5)`: what they assign, and in which order.

/// `key = value` in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The key with dots: `net.ipv4.ip_local_port_range`.
    pub key: String,
    /// The value, white space around it taken off.
    pub value: String,
    /// The file.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
}

/// The assignments of a file's text, in their order. Comments (`#`, `;`), empty lines and lines
/// without an equals sign assign nothing. A `-` before the key (failure is ignored) is taken off.
pub fn assignments(file: &str, text: &str) -> Vec<Assignment> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    let meant = lines.filter(|(_, line)| !line.starts_with(['#', ';']));
    let pairs = meant.filter_map(|(line, text)| Some((line, text.split_once('=')?)));
    pairs
        .map(|(line, (key, value))| Assignment {
            key: dotted(key.trim().trim_start_matches('-').trim()),
            value: value.trim().to_owned(),
            file: file.to_owned(),
            line,
        })
        .filter(|assignment| !assignment.key.is_empty())
        .collect()
}

/// The order in which `systemd-sysctl(8)` and `sysctl --system` apply files: by name, whatever the
/// folder; of two with one name the one in the folder that comes first here.
pub const FOLDERS: [&str; 5] = [
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
];

/// Sorts paths into the order of application and drops those that another folder overrides.
/// `/etc/sysctl.conf` comes last, as `sysctl --system` reads it.
#[must_use]
pub fn in_order(paths: Vec<String>) -> Vec<String> {
    let rank = |path: &str| FOLDERS.iter().position(|folder| path.starts_with(folder));
    let name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_last = |path: &str| rank(path).is_none();
    let mut paths = paths;
    paths.sort_by_key(|path| (is_last(path), name(path), rank(path)));
    paths.dedup_by(|later, earlier| {
        !is_last(later) && !is_last(earlier) && name(later) == name(earlier)
    });
    paths
}

/// The assignment of this key that is in force: the last.
#[must_use]
pub fn last<'a>(assignments: &'a [Assignment], key: &str) -> Option<&'a Assignment> {
    assignments.iter().rev().find(|assignment| assignment.key == key)
}

/// Keys are written with dots or slashes; what comes first decides which of them separates.
fn dotted(key: &str) -> String {
    match key.find(['.', '/']) {
        Some(at) if key[at..].starts_with('/') => {
            key.replace('.', "\0").replace('/', ".").replace('\0', "/")
        }
        _ => key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_every_form() {
        let text = "# comment\n; comment\n\nnet.ipv4.ip_local_port_range = 1024 65535\r\n\
                    -net/ipv4/tcp_tw_reuse=1\nnet.ipv4.conf.eth0/1.forwarding = 0\n no equals\n= 1\n";
        let found: Vec<_> = assignments("f", text)
            .into_iter()
            .map(|found| (found.line, format!("{}={}", found.key, found.value)))
            .collect();
        assert_eq!(
            found,
            [
                (4, "net.ipv4.ip_local_port_range=1024 65535".to_owned()),
                (5, "net.ipv4.tcp_tw_reuse=1".to_owned()),
                (6, "net.ipv4.conf.eth0/1.forwarding=0".to_owned()),
            ]
        );
    }

    #[test]
    fn files_apply_by_name_and_folders_override() {
        let paths = [
            "/etc/sysctl.conf",
            "/usr/lib/sysctl.d/99-z.conf",
            "/usr/lib/sysctl.d/50-a.conf",
            "/etc/sysctl.d/50-a.conf",
            "/run/sysctl.d/70-b.conf",
        ];
        assert_eq!(
            in_order(paths.map(str::to_owned).to_vec()),
            [
                "/etc/sysctl.d/50-a.conf",
                "/run/sysctl.d/70-b.conf",
                "/usr/lib/sysctl.d/99-z.conf",
                "/etc/sysctl.conf",
            ]
        );
    }

    #[test]
    fn the_last_assignment_wins() {
        let all = assignments("f", "a.b = 1\na.c = 2\na.b = 3\n");
        assert_eq!(last(&all, "a.b").map(|found| found.value.as_str()), Some("3"));
        assert_eq!(last(&all, "a.d"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,80}|[a-z./=# \n-]{0,80}") {
            let found = assignments("f", &text);
            prop_assert!(found.len() <= text.lines().count());
        }
    }
}
