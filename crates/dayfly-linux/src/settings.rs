//! Reads the sysctls that decide which ports a namespace hands out.
//!
//! `/proc/sys/net` shows the network namespace of the thread that reads it, so the functions here
//! answer for the calling thread's.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use dayfly_insight::{RangeSetting, Settings, TimeWaitReuse};
use dayfly_ports::{PortRange, PortSet, Protocol};

use crate::sysctl;

/// `TCP_TIMEWAIT_LEN` (`include/net/tcp.h`): a constant of the kernel.
const TIME_WAIT_SECONDS: u32 = 60;

/// Before `tcp_tw_reuse_delay` existed (6.14) the kernel waited one second.
const REUSE_DELAY_MS: u32 = 1000;

/// The settings of the calling thread's network namespace.
///
/// # Errors
/// [`SettingsError`] when the range itself cannot be read. Settings that a kernel does not have
/// take the value that it behaves by.
pub fn read() -> Result<Settings, SettingsError> {
    let range: PortRange = required("ip_local_port_range")?;
    let reserved = match text("ip_local_reserved_ports") {
        Ok(list) => {
            list.parse::<PortSet>().map_err(|_| unreadable("ip_local_reserved_ports", &list))?
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => PortSet::EMPTY,
        Err(error) => return Err(missing("ip_local_reserved_ports", error)),
    };
    let number = |name| optional::<u32>(name);
    let mut protocols = vec![Protocol::Tcp, Protocol::Udp];
    if has_sctp() {
        protocols.push(Protocol::Sctp);
    }
    Ok(Settings {
        ranges: protocols.into_iter().map(|protocol| RangeSetting { protocol, range }).collect(),
        reserved: Box::new(reserved),
        unprivileged_floor: number("ip_unprivileged_port_start").unwrap_or(1024),
        time_wait_seconds: TIME_WAIT_SECONDS,
        tw_reuse: number("tcp_tw_reuse")
            .and_then(TimeWaitReuse::from_number)
            .unwrap_or(TimeWaitReuse::Off),
        tw_reuse_delay_ms: number("tcp_tw_reuse_delay").unwrap_or(REUSE_DELAY_MS),
        timestamps: number("tcp_timestamps").is_none_or(|value| value != 0),
        autobind_reuse: number("ip_autobind_reuse").map(|value| value != 0),
        max_time_wait: number("tcp_max_tw_buckets"),
        step_width: number("ip_local_port_step_width"),
    })
}

/// Whether the kernel has SCTP and has it loaded. Asking sock_diag would load the module.
#[must_use]
pub fn has_sctp() -> bool {
    Path::new("/proc/thread-self/net/sctp").exists()
}

/// Their names in `sysctl(8)` begin so.
fn full(name: &str) -> String {
    format!("net.ipv4.{name}")
}

fn text(name: &str) -> io::Result<String> {
    sysctl::read(&full(name))
}

fn required<T: std::str::FromStr>(name: &'static str) -> Result<T, SettingsError> {
    let value = text(name).map_err(|error| missing(name, error))?;
    value.parse().map_err(|_| unreadable(name, &value))
}

fn optional<T: std::str::FromStr>(name: &str) -> Option<T> {
    text(name).ok()?.trim().parse().ok()
}

fn missing(name: &str, error: io::Error) -> SettingsError {
    SettingsError { path: sysctl::path(&full(name)), cause: error.to_string() }
}

fn unreadable(name: &str, value: &str) -> SettingsError {
    let start: String = value.trim().chars().take(60).collect();
    SettingsError { path: sysctl::path(&full(name)), cause: format!("it says {start:?}") }
}

/// A setting without which nothing can be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    path: PathBuf,
    cause: String,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} cannot be read: {}", self.path.display(), self.cause)
    }
}

impl std::error::Error for SettingsError {}
