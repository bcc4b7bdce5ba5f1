//! Unit and container from the text of `/proc/PID/cgroup` (`cgroups(7)`).
//!
//! One line per hierarchy, `ID:CONTROLLERS:PATH`; with cgroup v2 the one line `0::PATH`. systemd
//! names the groups after its units, container engines after their containers: `docker-ID.scope`,
//! `cri-containerd-ID.scope`, `crio-ID.scope`, `libpod-ID.scope` under systemd, `/docker/ID`,
//! `/kubepods/.../ID`, `/lxc/NAME` without it.

/// The unit types that can hold processes (`systemd.unit(5)`); slices hold other units.
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// The innermost systemd unit: `nginx.service`, `session-3.scope`. None inside a container's own
/// scope, which only repeats the container's id.
#[must_use]
pub fn unit_of(cgroup: &str) -> Option<String> {
    let path = best_path(cgroup)?;
    path.rsplit('/')
        .filter(|name| container_in(name).is_none())
        .find(|name| {
            UNITS
                .iter()
                .any(|suffix| name.strip_suffix(suffix).is_some_and(|stem| !stem.is_empty()))
        })
        .map(readable)
}

/// The innermost container: the engine's id of 64 hexadecimal digits, or LXC's name.
#[must_use]
pub fn container_of(cgroup: &str) -> Option<String> {
    let path = best_path(cgroup)?;
    if let Some(id) = path.rsplit('/').find_map(container_in) {
        return Some(id.to_owned());
    }
    let mut names = path.split('/').skip_while(|name| *name != "lxc");
    names.next();
    let lxc = names
        .next()
        .or_else(|| path.split('/').find_map(|name| name.strip_prefix("lxc.payload.")))?;
    (!lxc.is_empty()).then(|| readable(lxc))
}

/// The path that says most: cgroup v2's, or of v1's hierarchies the one that systemd keeps, or the
/// longest.
fn best_path(cgroup: &str) -> Option<&str> {
    let paths = cgroup.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':')
    });
    let rank = |(controllers, path): &(&str, &str)| {
        let known = controllers.is_empty() || *controllers == "name=systemd";
        // On a mixed host one of the two is only "/".
        (path.len() > 1, known, path.len())
    };
    paths.max_by_key(rank).map(|(_, path)| path)
}

/// The container id in one name of the path.
fn container_in(name: &str) -> Option<&str> {
    let name = name.strip_suffix(".scope").unwrap_or(name);
    let id = name.rsplit(['-', ':']).next()?;
    let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_id.then_some(id)
}

/// Group names may hold anything but a slash and a newline.
fn readable(name: &str) -> String {
    name.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn units_and_containers_of_the_usual_hosts() {
        let table = [
            ("0::/system.slice/nginx.service", Some("nginx.service"), None),
            ("0::/", None, None),
            ("", None, None),
            ("0::/user.slice/user-1000.slice/session-3.scope", Some("session-3.scope"), None),
            (
                "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-web.service",
                Some("app-web.service"),
                None,
            ),
            ("0::/system.slice/web.service/workers", Some("web.service"), None),
            ("0::/system.slice/docker-ID.scope", None, Some(ID)),
            ("0::/docker/ID", None, Some(ID)),
            ("0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-ID.scope", None, Some(ID)),
            ("0::/kubepods/burstable/pod5f0c/ID", None, Some(ID)),
            (
                "0::/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:ID",
                Some("containerd.service"),
                Some(ID),
            ),
            ("0::/machine.slice/libpod-ID.scope/container", None, Some(ID)),
            ("0::/lxc/web/system.slice/cron.service", Some("cron.service"), Some("web")),
            ("0::/lxc.payload.web/system.slice/cron.service", Some("cron.service"), Some("web")),
            (
                "12:memory:/a/much/longer/path/than/the/other\n1:name=systemd:/system.slice/a.service\n0::/\n",
                Some("a.service"),
                None,
            ),
            ("4:cpu,cpuacct:/docker/ID\n0::/\n", None, Some(ID)),
            ("0::/../../system.slice/b.service", Some("b.service"), None),
            ("0::/system.slice/odd:name.service", Some("odd:name.service"), None),
        ];
        for (text, unit, container) in table {
            let text = text.replace("ID", ID);
            assert_eq!(unit_of(&text).as_deref(), unit, "{text}");
            assert_eq!(container_of(&text).as_deref(), container, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "([0-9]{0,2}:\\PC{0,6}:/\\PC{0,20}(\\.service|\\.scope|/lxc/)?\n){0,4}") {
            let _ = (unit_of(&text), container_of(&text));
        }
    }
}
