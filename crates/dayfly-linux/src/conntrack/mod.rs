//! Connection tracking of the calling thread's network namespace.
//!
//! [`flows`] streams the kernel's table through ctnetlink and keeps nothing; [`statistics`] reads
//! what procfs counts. The table needs `CAP_NET_ADMIN`, the counts do not.

mod message;
mod rules;

use std::fmt;
use std::fs;
use std::ops::ControlFlow;

use dayfly_insight::nat::{Flow, NatFold, NatRow, NatRule, OuterAddresses};
use rustix::io::Errno;
use rustix::net::netlink;

pub use message::parse;
pub use rules::{RulesUnread, rules};

use crate::netlink::{AskError, BrokenAnswer, Channel, Frame};

/// The statistics, before and after.
const STATISTICS: &str = "/proc/thread-self/net/stat/nf_conntrack";

/// Calls `each` for every tracked TCP, UDP and SCTP connection.
///
/// # Errors
/// [`ConntrackError`]; flows that were handed over before it stand.
pub fn flows(mut each: impl FnMut(&Flow)) -> Result<(), ConntrackError> {
    Channel::open(Some(netlink::NETFILTER))?.ask(&message::request(), |frame| match frame {
        Frame::Message { kind: message::ENTRY, payload, .. } => {
            if let Some(flow) = parse(payload) {
                each(&flow);
            }
            ControlFlow::Continue(())
        }
        Frame::Message { .. } => ControlFlow::Continue(()),
        Frame::Done { errno: 0, .. } => ControlFlow::Break(Ok(())),
        Frame::Done { errno, .. } | Frame::Error(errno) => {
            ControlFlow::Break(Err(Errno::from_raw_os_error(errno).into()))
        }
    })?
}

/// What is left of every outer address for each destination it has connections to, fullest first.
/// The table is walked twice, and only once where nothing is translated.
///
/// # Errors
/// [`ConntrackError`]
pub fn nat(rules: &[NatRule]) -> Result<Vec<NatRow>, ConntrackError> {
    let mut outer = OuterAddresses::default();
    flows(|flow| outer.add(flow))?;
    if outer.is_empty() {
        return Ok(Vec::new());
    }
    let mut fold = NatFold::new(outer);
    flows(|flow| fold.add(flow))?;
    Ok(fold.finish(rules))
}

/// Why the table could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConntrackError {
    /// The kernel refused the request, or ended the dump.
    Refused(Errno),
    /// The answer is not netlink.
    Broken(BrokenAnswer),
}

impl ConntrackError {
    /// Whether more privilege would help.
    #[must_use]
    pub fn is_permission(&self) -> bool {
        matches!(self, ConntrackError::Refused(Errno::PERM | Errno::ACCESS))
    }
}

impl From<AskError> for ConntrackError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(errno) => ConntrackError::Refused(errno),
            AskError::Broken(error) => ConntrackError::Broken(error),
        }
    }
}

impl From<Errno> for ConntrackError {
    fn from(errno: Errno) -> Self {
        ConntrackError::Refused(errno)
    }
}

impl fmt::Display for ConntrackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConntrackError::Refused(Errno::PERM | Errno::ACCESS) => {
                f.write_str("the table of tracked connections needs CAP_NET_ADMIN")
            }
            ConntrackError::Refused(errno) => {
                write!(f, "the kernel does not list its tracked connections: {errno}")
            }
            ConntrackError::Broken(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ConntrackError {}

/// What connection tracking counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Entries (`net.netfilter.nf_conntrack_count`).
    pub count: u64,
    /// The most that it holds (`net.netfilter.nf_conntrack_max`).
    pub max: u64,
    /// Entries that could not be made because their tuple was taken, or no port was found.
    pub insert_failed: u64,
    /// Packets dropped for that or for want of room.
    pub dropped: u64,
    /// Entries that were thrown out to make room.
    pub early_drop: u64,
}

/// None where nothing is tracked: no module, or no rule that needs it.
#[must_use]
pub fn statistics() -> Option<Statistics> {
    let number = |name: &str| {
        let path = format!("/proc/sys/net/netfilter/{name}");
        fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()
    };
    let (count, max) = (number("nf_conntrack_count")?, number("nf_conntrack_max")?);
    let stat = fs::read_to_string(STATISTICS).unwrap_or_default();
    Some(Statistics {
        count,
        max,
        insert_failed: column(&stat, "insert_failed"),
        dropped: column(&stat, "drop"),
        early_drop: column(&stat, "early_drop"),
    })
}

/// The sum of a column of `/proc/net/stat/nf_conntrack`: names in the first line, then a line of
/// hexadecimal numbers for each processor.
fn column(text: &str, name: &str) -> u64 {
    let mut lines = text.lines();
    let names = lines.next().unwrap_or_default();
    let Some(at) = names.split_whitespace().position(|found| found == name) else { return 0 };
    let values = lines.filter_map(|line| line.split_whitespace().nth(at));
    values.filter_map(|value| u64::from_str_radix(value, 16).ok()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_summed_over_processors() {
        let text = "entries searched drop insert_failed\n 0a 00 01 10\n 0a 00 02 ff\n";
        assert_eq!(column(text, "insert_failed"), 0x10f);
        assert_eq!(column(text, "drop"), 3);
        assert_eq!(column(text, "missing"), 0);
        assert_eq!(column("", "drop"), 0);
    }
}
