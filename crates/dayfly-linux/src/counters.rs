//! Counters of the calling thread's network namespace.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// `TcpExt.TCPTimeWaitOverflow`.
pub(crate) fn time_wait_overflow() -> Option<u64> {
    let text = fs::read_to_string("/proc/thread-self/net/netstat").ok()?;
    counter(&text, "TcpExt", "TCPTimeWaitOverflow")
}

/// Whether an MPTCP connection may exist: one was begun, or asked for, since the namespace was
/// made. The table of them is large, and a walk of it costs more than everything else on a quiet
/// host, so it is worth asking first.
pub(crate) fn saw_mptcp() -> bool {
    let text = fs::read_to_string("/proc/thread-self/net/netstat").unwrap_or_default();
    let begun = ["MPCapableSYNTX", "MPCapableSYNRX"].map(|name| counter(&text, "MPTcpExt", name));
    begun.iter().flatten().any(|&number| number > 0)
}

/// Connections opened in a second, measured for so long.
pub(crate) fn opens_per_second(sample: Duration) -> Option<f64> {
    if sample.is_zero() {
        return None;
    }
    let begin = Instant::now();
    let before = active_opens()?;
    thread::sleep(sample);
    let opened = active_opens()?.saturating_sub(before);
    Some(opened as f64 / begin.elapsed().as_secs_f64())
}

fn active_opens() -> Option<u64> {
    let text = fs::read_to_string("/proc/thread-self/net/snmp").ok()?;
    counter(&text, "Tcp", "ActiveOpens")
}

/// A counter of `/proc/net/snmp` or `/proc/net/netstat`: pairs of lines with one prefix, names in
/// the first and values in the second.
fn counter(text: &str, prefix: &str, name: &str) -> Option<u64> {
    let mut rows = text.lines().filter_map(|line| {
        let (found, rest) = line.split_once(':')?;
        (found == prefix).then(|| rest.split_whitespace())
    });
    let at = rows.next()?.position(|found| found == name)?;
    rows.next()?.nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pairs_of_lines() {
        let text = "Ip: A B\nIp: 1 2\nTcp: RtoAlgorithm ActiveOpens\nTcp: 1 42\nTcpExt: X\n";
        assert_eq!(counter(text, "Tcp", "ActiveOpens"), Some(42));
        assert_eq!(counter(text, "Tcp", "B"), None);
        assert_eq!(counter(text, "TcpExt", "X"), None);
        assert_eq!(counter("", "Tcp", "X"), None);
    }

    #[test]
    fn the_kernel_has_both() {
        assert!(active_opens().is_some() && time_wait_overflow().is_some());
    }
}
