//! A scenario as it is written in TOML: every key, before anything is looked up.
//!
//! `docs/scenario.md` documents each of them; a test holds it to that.

use serde::Deserialize;
use toml::Spanned;

use super::quantity::{Distribution, Time};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) title: Option<String>,
    pub(super) about: Option<String>,
    #[serde(default)]
    pub(super) seed: u64,
    pub(super) duration: Option<Spanned<Time>>,
    pub(super) samples: Option<Spanned<u32>>,
    #[serde(default)]
    pub(super) stop_at_failure: bool,
    #[serde(default)]
    pub(super) host: Vec<Spanned<Host>>,
    #[serde(default)]
    pub(super) destination: Vec<Spanned<Destination>>,
    #[serde(default)]
    pub(super) workload: Vec<Spanned<Workload>>,
    pub(super) nat: Option<Spanned<Nat>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Host {
    pub(super) name: Option<Spanned<String>>,
    pub(super) system: Spanned<String>,
    pub(super) version: Option<Spanned<String>>,
    pub(super) strategy: Option<Spanned<String>>,
    pub(super) count: Option<Spanned<u32>>,
    pub(super) addresses: Option<Spanned<u32>>,
    pub(super) range: Option<Spanned<String>>,
    pub(super) reserved: Option<Spanned<String>>,
    pub(super) listeners: Option<Spanned<String>>,
    pub(super) time_wait: Option<Time>,
    pub(super) max_time_wait: Option<u32>,
    pub(super) tw_reuse: Option<TwReuse>,
    pub(super) tw_reuse_delay: Option<Time>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum TwReuse {
    Never,
    Loopback,
    Everywhere,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Destination {
    pub(super) name: Option<Spanned<String>>,
    pub(super) port: Option<Spanned<u16>>,
    pub(super) count: Option<Spanned<u32>>,
    pub(super) time_wait: Option<Time>,
    #[serde(default)]
    pub(super) loopback: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Workload {
    pub(super) name: Option<Spanned<String>>,
    pub(super) kind: Option<Spanned<Kind>>,
    pub(super) protocol: Option<Spanned<Protocol>>,
    pub(super) host: Option<Spanned<String>>,
    pub(super) destination: Option<Spanned<String>>,
    pub(super) rate: Option<Spanned<f64>>,
    pub(super) arrivals: Option<Spanned<Arrivals>>,
    pub(super) burst: Option<Spanned<u32>>,
    pub(super) parallel: Option<Spanned<u32>>,
    pub(super) pause: Option<Spanned<Time>>,
    pub(super) count: Option<u64>,
    pub(super) start: Option<Time>,
    pub(super) stop: Option<Time>,
    pub(super) duration: Option<Spanned<Distribution>>,
    pub(super) closes: Option<Spanned<Closes>>,
    pub(super) via: Option<Spanned<Via>>,
    pub(super) keep_alive: Option<Spanned<bool>>,
    pub(super) idle: Option<Spanned<Time>>,
    pub(super) requests: Option<Spanned<u32>>,
    pub(super) mode: Option<Spanned<Mode>>,
    pub(super) direction: Option<Spanned<Direction>>,
    pub(super) files: Option<Spanned<u32>>,
    pub(super) passive_ports: Option<Spanned<u32>>,
    pub(super) quit: Option<Spanned<bool>>,
    pub(super) victim: Option<Spanned<String>>,
    pub(super) guesses: Option<Spanned<u32>>,
}

/// What a workload is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Kind {
    Connections,
    Http,
    Ftp,
    Dns,
    Sctp,
    Exhaust,
    Predict,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Arrivals {
    Poisson,
    Constant,
    Bursts,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Closes {
    Client,
    Server,
    Reset,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Via {
    Connect,
    OwnRange,
    Bind,
    BindReuseAddress,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Mode {
    Active,
    Passive,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Direction {
    Upload,
    Download,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nat {
    pub(super) strategy: Option<Spanned<String>>,
    pub(super) addresses: Option<Spanned<u32>>,
    pub(super) range: Option<Spanned<String>>,
    pub(super) block: Option<Spanned<u32>>,
    pub(super) keeps_port: Option<bool>,
    pub(super) per: Option<Per>,
    pub(super) hold: Option<Time>,
}

/// Within what a NAT's port is unique.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Per {
    Destination,
    Address,
}
