//! From what a firewall's own commands print to a [`Ruleset`].
//!
//! A reader never fails on a rule that it does not understand: the rule becomes opaque and the
//! answer says so. It fails on a text that is not what it was said to be.

pub mod aws;
pub mod firewalld;
pub mod ipfw;
pub mod iptables;
pub mod nft;
pub mod pf;
mod simple;
mod ufw;
pub mod windows;

use std::fmt;

use serde_json::Value;

use super::model::{Dialect, Family, Ruleset};

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// `nft -j list ruleset`.
    Nft,
    /// `iptables-save`.
    Iptables,
    /// `ip6tables-save`.
    Ip6tables,
    /// A zone of firewalld.
    Firewalld,
    /// ufw's `user.rules` or `user6.rules`.
    Ufw,
    /// `pf.conf` or `pfctl -sr`.
    Pf,
    /// `ipfw list`.
    Ipfw,
    /// `netsh advfirewall firewall show rule name=all`.
    Netsh,
    /// `Get-NetFirewallRule` as JSON.
    PowerShell,
    /// Network ACLs and security groups of AWS, as JSON.
    Aws,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 10] = [
        Format::Nft,
        Format::Iptables,
        Format::Ip6tables,
        Format::Firewalld,
        Format::Ufw,
        Format::Pf,
        Format::Ipfw,
        Format::Netsh,
        Format::PowerShell,
        Format::Aws,
    ];

    /// The name in arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Format::Nft => "nft",
            Format::Iptables => "iptables",
            Format::Ip6tables => "ip6tables",
            Format::Firewalld => "firewalld",
            Format::Ufw => "ufw",
            Format::Pf => "pf",
            Format::Ipfw => "ipfw",
            Format::Netsh => "netsh",
            Format::PowerShell => "powershell",
            Format::Aws => "aws",
        }
    }

    /// Whose rules they are.
    #[must_use]
    pub const fn dialect(self) -> Dialect {
        match self {
            Format::Nft => Dialect::Nft,
            Format::Iptables => Dialect::Iptables,
            Format::Ip6tables => Dialect::Ip6tables,
            Format::Firewalld => Dialect::Firewalld,
            Format::Ufw => Dialect::Ufw,
            Format::Pf => Dialect::Pf,
            Format::Ipfw => Dialect::Ipfw,
            Format::Netsh | Format::PowerShell => Dialect::Windows,
            Format::Aws => Dialect::Aws,
        }
    }

    /// What a text looks like; none if it looks like nothing that is known.
    #[must_use]
    pub fn of(text: &str) -> Option<Format> {
        let begin = text.trim_start_matches('\u{feff}').trim_start();
        if begin.starts_with(['{', '[']) {
            let near: String = begin.chars().take(4000).collect();
            return Some(if near.contains("\"nftables\"") {
                Format::Nft
            } else if near.contains("\"NetworkAcls\"") || near.contains("\"SecurityGroups\"") {
                Format::Aws
            } else {
                Format::PowerShell
            });
        }
        if begin.starts_with('<') {
            return Some(Format::Firewalld);
        }
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let is_dashes = |line: &str| line.len() >= 10 && line.bytes().all(|byte| byte == b'-');
        if lines.clone().any(|line| {
            line.starts_with("*filter") || line == "*raw" || line == "*nat" || line == "*mangle"
        }) {
            let is_v6 =
                ["ip6tables", "icmp6", "icmpv6", "::"].iter().any(|word| text.contains(word));
            return Some(
                if text.contains(":ufw-user-input") || text.contains(":ufw6-user-input") {
                    Format::Ufw
                } else if is_v6 {
                    Format::Ip6tables
                } else {
                    Format::Iptables
                },
            );
        }
        if lines.clone().any(is_dashes) {
            return Some(Format::Netsh);
        }
        let words = |line: &str| -> Vec<String> {
            line.split_whitespace().take(3).map(str::to_owned).collect()
        };
        lines.find_map(|line| {
            let words = words(line);
            let first = words.first()?.as_str();
            let second = words.get(1).map_or("", String::as_str);
            let numbered = first.len() <= 5 && first.bytes().all(|byte| byte.is_ascii_digit());
            match first {
                "ipfw" | "add" => Some(Format::Ipfw),
                _ if numbered && !second.is_empty() => Some(Format::Ipfw),
                "pass" | "block" | "scrub" | "anchor" | "match" => Some(Format::Pf),
                "set" if second == "skip" || second == "block-policy" => Some(Format::Pf),
                _ => None,
            }
        })
    }

    /// Reads a text of this format.
    ///
    /// # Errors
    /// [`ReadError`] when the text is something else.
    pub fn read(self, text: &str) -> Result<Ruleset, ReadError> {
        let text = text.trim_start_matches('\u{feff}');
        let json = || -> Result<Value, ReadError> {
            serde_json::from_str(text)
                .map_err(|error| ReadError::new(format_args!("this is not JSON: {error}")))
        };
        match self {
            Format::Nft => nft::read(text),
            Format::Iptables => iptables::read(text, Family::Ipv4),
            Format::Ip6tables => iptables::read(text, Family::Ipv6),
            Format::Firewalld => firewalld::read(text),
            Format::Ufw => ufw::read(text),
            Format::Pf => pf::read(text),
            Format::Ipfw => ipfw::read(text),
            Format::Netsh => windows::read_netsh(text),
            Format::PowerShell => windows::read_json(&json()?),
            Format::Aws => aws::read(&json()?),
        }
    }
}

/// Reads a text of whatever format it looks like.
///
/// # Errors
/// [`ReadError`] when it looks like nothing that is known, or is not what it looks like.
pub fn read(text: &str) -> Result<(Format, Ruleset), ReadError> {
    let Some(format) = Format::of(text) else {
        return Err(ReadError::new("these are not the rules of a firewall that is known"));
    };
    Ok((format, format.read(text)?))
}

/// A text is not what a firewall prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError(String);

impl ReadError {
    fn new(message: impl fmt::Display) -> Self {
        ReadError(message.to_string())
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}
