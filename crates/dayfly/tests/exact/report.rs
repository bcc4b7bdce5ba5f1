//! What `dayfly show --json` says, in the names that its contract promises.

use std::net::{IpAddr, SocketAddr};

use dayfly_testkit::{Namespace, command};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Report {
    schema_version: u32,
    namespaces: Vec<Room>,
}

/// One namespace of the report.
#[derive(Debug, Deserialize)]
pub(crate) struct Room {
    pub(crate) name: String,
    pub(crate) destinations: Vec<Destination>,
    pub(crate) udp_sources: Vec<UdpSource>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Destination {
    pub(crate) protocol: String,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) port: u16,
    pub(crate) usable: usize,
    pub(crate) used: usize,
    pub(crate) time_wait: usize,
    pub(crate) reusable: usize,
    pub(crate) blocked: usize,
    pub(crate) suspected: usize,
    pub(crate) free: usize,
    pub(crate) free_min: usize,
    pub(crate) fast_free: usize,
    pub(crate) fill: f64,
}

impl Destination {
    pub(crate) fn place(&self) -> SocketAddr {
        SocketAddr::new(self.destination, self.port)
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct UdpSource {
    pub(crate) source: IpAddr,
    pub(crate) usable: usize,
    pub(crate) used: usize,
    pub(crate) free: usize,
    pub(crate) fill: f64,
}

/// Runs `dayfly show` on the namespace from outside, with further words.
pub(crate) fn show(namespace: &Namespace, words: &[&str]) -> Room {
    let output = command(env!("CARGO_BIN_EXE_dayfly"))
        .args(["show", "--netns", namespace.name(), "--json"])
        .args(words)
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {complaint}", output.status);
    let mut report: Report = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report.schema_version, 1);
    assert_eq!(report.namespaces.len(), 1);
    let room = report.namespaces.remove(0);
    assert_eq!(room.name, namespace.name());
    room
}
