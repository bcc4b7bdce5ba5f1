//! A private network namespace that other programs can find by name.

use std::fs;
use std::io;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Once};
use std::thread;
use std::time::{Duration, Instant};

use rustix::mount::{UnmountFlags, mount_bind, unmount};
use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space};

use crate::environment;
use crate::link;
use crate::processes::end_all_in;

/// Where `ip netns` keeps its names (ip-netns(8)).
const FOLDER: &str = "/run/netns";
/// `dayfly-test-<process>-<counter>`: the process tells whether a left-over may be removed.
const PREFIX: &str = "dayfly-test-";

/// A network namespace of its own, under `/run/netns`, with loopback up; gone when dropped, with
/// every process in it.
///
/// The range and every other setting are the kernel's defaults, except `net.core.somaxconn`, which
/// is raised so that connections can wait in a listener's queue without being accepted.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    path: PathBuf,
    handle: Arc<OwnedFd>,
}

impl Namespace {
    /// Makes a namespace. Also raises the limit of open files of the whole process, and lets other
    /// users read what it writes.
    ///
    /// # Panics
    /// When the kernel refuses; ask [`privileged!`](crate::privileged) first.
    #[must_use]
    pub fn new() -> Namespace {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        static ONCE: Once = Once::new();
        environment::settle();
        ONCE.call_once(remove_left_overs);
        let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
        // Always as long, so that a report that names it breaks its lines at the same places.
        let name = format!("{PREFIX}{:07}-{counter:03}", std::process::id());
        let path = Path::new(FOLDER).join(&name);
        let made = thread::scope(|scope| scope.spawn(|| make(&path)).join())
            .expect("the thread that makes a namespace does not panic");
        let handle = made.unwrap_or_else(|error| {
            let _ = fs::remove_file(&path);
            panic!("cannot make the network namespace {}: {error}", path.display())
        });
        let namespace = Namespace { name, path, handle: Arc::new(handle) };
        namespace.run(|| link::up("lo").expect("loopback comes up"));
        namespace.sysctl("net.core.somaxconn", "65535");
        namespace
    }

    /// The name, as in `ip netns exec NAME` and `--netns NAME`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for the namespace.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the work in a fresh thread inside the namespace and returns what it returns.
    ///
    /// Sockets that the work opens stay in the namespace wherever they are used afterwards. A
    /// panic in the work goes on in the caller.
    ///
    /// # Panics
    /// When the namespace cannot be entered.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let result = thread::scope(|scope| {
            let inside = scope.spawn(|| {
                enter(self.handle.as_fd()).expect("the namespace can be entered");
                work()
            });
            inside.join()
        });
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Writes a setting, named as in sysctl(8): `net.ipv4.ip_local_port_range`.
    ///
    /// # Panics
    /// When the kernel refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) {
        let path = sysctl_path(key);
        self.run(|| fs::write(&path, value))
            .unwrap_or_else(|error| panic!("cannot write {value:?} to {key}: {error}"));
    }

    /// Reads a setting, without the newline.
    ///
    /// # Panics
    /// When there is no such setting.
    #[must_use]
    pub fn read_sysctl(&self, key: &str) -> String {
        let path = sysctl_path(key);
        self.run(|| fs::read_to_string(&path))
            .unwrap_or_else(|error| panic!("cannot read {key}: {error}"))
            .trim_end()
            .to_owned()
    }

    /// A command that will run inside the namespace, with the environment of
    /// [`command`](crate::command).
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = environment::command(program);
        let handle = Arc::clone(&self.handle);
        #[expect(unsafe_code, reason = "pre_exec is the only way to act between fork and exec")]
        // SAFETY: the closure makes one system call and touches no memory but its own handle, so
        // it is safe after a fork of a process with several threads.
        unsafe {
            command.pre_exec(move || enter(handle.as_fd()));
        }
        command
    }

    /// Adds an address to an interface: `add_address("lo", "10.9.0.1/32")`.
    ///
    /// # Panics
    /// When `ip` (iproute2) refuses.
    pub fn add_address(&self, interface: &str, address: &str) {
        let family = if address.contains(':') { "-6" } else { "-4" };
        let mut words = vec![family, "address", "add", address, "dev", interface];
        if family == "-6" {
            // Usable at once, without waiting for duplicate address detection.
            words.push("nodad");
        }
        self.ip(&words);
        self.wait_for_address(address.split('/').next().unwrap_or(address));
    }

    /// Waits until something sent to an own address arrives: the kernel lays the route to an IPv6
    /// address in a work queue, after `ip` has returned.
    fn wait_for_address(&self, address: &str) {
        let ip: IpAddr = address.parse().expect("an address is added");
        let arrives = || {
            let socket = UdpSocket::bind((ip, 0))?;
            socket.set_read_timeout(Some(Duration::from_millis(2)))?;
            socket.connect(socket.local_addr()?)?;
            socket.send(b"?")?;
            socket.recv(&mut [0])
        };
        let begun = Instant::now();
        while let Err(error) = self.run(arrives) {
            assert!(begun.elapsed() < Duration::from_secs(5), "{ip} stays unreachable: {error}");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Adds a route, in the words of ip-route(8): `add_route("default via 10.9.0.1")`.
    ///
    /// # Panics
    /// When `ip` (iproute2) refuses.
    pub fn add_route(&self, route: &str) {
        let mut words = vec!["route", "add"];
        words.extend(route.split_whitespace());
        self.ip(&words);
    }

    /// Lays a cable to another namespace: `here` is the interface in this one, `there` in the
    /// other; both are up and have the addresses given (`"10.9.0.1/24"`).
    ///
    /// # Panics
    /// When `ip` (iproute2) refuses, for instance because the kernel has no veth.
    pub fn connect_to(&self, other: &Namespace, here: (&str, &str), there: (&str, &str)) {
        self.ip(&[
            "link",
            "add",
            here.0,
            "type",
            "veth",
            "peer",
            "name",
            there.0,
            "netns",
            other.name(),
        ]);
        let ends = [(self, here), (other, there)];
        for (namespace, (interface, _)) in ends {
            namespace.run(|| link::up(interface)).expect("the cable's end comes up");
        }
        for (namespace, (interface, address)) in ends {
            namespace.add_address(interface, address);
        }
    }

    fn ip(&self, words: &[&str]) {
        let done = self
            .command("ip")
            .args(words)
            .output()
            .expect("`ip` runs: install the package iproute2");
        assert!(
            done.status.success(),
            "`ip {}` in {}: {}",
            words.join(" "),
            self.name,
            String::from_utf8_lossy(&done.stderr).trim_end()
        );
    }
}

impl Default for Namespace {
    fn default() -> Self {
        Namespace::new()
    }
}

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // A server that was killed may leave what it started for its clients.
        if let Ok(own) = fs::File::open(&self.path) {
            end_all_in("net", &own);
        }
        remove(&self.path);
    }
}

/// Runs in a thread of its own, which stays in the new namespace until it ends.
fn make(path: &Path) -> io::Result<OwnedFd> {
    fs::create_dir_all(FOLDER)?;
    fs::File::create_new(path)?;
    #[expect(unsafe_code, reason = "rustix marks unshare unsafe for the sake of CLONE_FILES")]
    // SAFETY: only the network namespace of this thread is unshared; file descriptors stay common.
    unsafe {
        rustix::thread::unshare_unsafe(UnshareFlags::NEWNET)?;
    }
    mount_bind("/proc/thread-self/ns/net", path)?;
    Ok(fs::File::open(path)?.into())
}

fn enter(handle: BorrowedFd<'_>) -> io::Result<()> {
    Ok(move_into_link_name_space(handle, Some(LinkNameSpaceType::Network))?)
}

fn remove(path: &Path) {
    // Nothing can be done about a refusal here, and the next process sweeps up.
    let _ = unmount(path, UnmountFlags::DETACH);
    let _ = fs::remove_file(path);
}

/// Removes the namespaces of test processes that were killed before they could.
fn remove_left_overs() {
    let Ok(entries) = fs::read_dir(FOLDER) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX))
            .and_then(|rest| rest.split('-').next())
            .map(|process| process.trim_start_matches('0'));
        if let Some(process) = owner
            && !Path::new("/proc").join(process).exists()
        {
            remove(&entry.path());
        }
    }
}

fn sysctl_path(key: &str) -> PathBuf {
    Path::new("/proc/sys").join(key.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_has_its_own_settings_and_a_name_and_goes_away() {
        crate::privileged!();
        let namespace = Namespace::new();
        let host = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap();
        namespace.sysctl("net.ipv4.ip_local_port_range", "41000 41009");
        assert_eq!(namespace.read_sysctl("net.ipv4.ip_local_port_range"), "41000\t41009");
        assert_eq!(fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap(), host);

        let path = namespace.path().to_owned();
        assert!(path.ends_with(namespace.name()) && path.exists());
        drop(namespace);
        assert!(!path.exists());
    }

    #[test]
    fn a_panic_inside_reaches_the_test_and_removes_the_namespace() {
        crate::privileged!();
        let mut path = PathBuf::new();
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let namespace = Namespace::new();
            namespace.path().clone_into(&mut path);
            namespace.run(|| std::panic::panic_any("as planned"));
        }));
        assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"as planned"));
        assert!(path.starts_with(FOLDER) && !path.exists());
    }

    #[test]
    fn a_command_runs_inside() {
        crate::privileged!();
        let namespace = Namespace::new();
        let inside = namespace.command("readlink").arg("/proc/self/ns/net").output().unwrap();
        let here = fs::read_link("/proc/self/ns/net").unwrap();
        let inside = String::from_utf8(inside.stdout).unwrap();
        assert!(inside.starts_with("net:["), "{inside}");
        assert_ne!(inside.trim_end(), here.to_str().unwrap());
    }

    #[test]
    fn a_cable_carries_a_connection() {
        crate::privileged!();
        crate::needs!("ip", "iproute2");
        let (near, far) = (Namespace::new(), Namespace::new());
        near.connect_to(&far, ("east", "10.9.0.1/24"), ("west", "10.9.0.2/24"));
        let destination = "10.9.0.2:80".parse().unwrap();
        let _server = far.run(|| crate::SocketOptions::tcp().listen(destination)).unwrap();
        let client = near.run(|| crate::SocketOptions::tcp().connect(destination)).unwrap();
        assert_eq!(client.local().ip().to_string(), "10.9.0.1");
    }

    #[test]
    fn an_ipv6_address_can_be_used_at_once() {
        crate::privileged!();
        crate::needs!("ip", "iproute2");
        let (near, far) = (Namespace::new(), Namespace::new());
        near.connect_to(&far, ("east", "fd00::1/64"), ("west", "fd00::2/64"));
        far.add_address("lo", "fd01::1/128");
        for (namespace, place) in [(&near, "[fd00::2]:80"), (&far, "[fd01::1]:81")] {
            let place = place.parse().unwrap();
            let _server = far.run(|| crate::SocketOptions::tcp().listen(place)).unwrap();
            namespace.run(|| crate::SocketOptions::tcp().connect(place)).unwrap();
        }
    }
}
