//! Connection tracking of the calling thread's network namespace, as procfs shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};

use dayfly_insight::doctor::{Conntrack, Translation};
use dayfly_ports::Protocol;

/// The statistics, before and after.
const STATISTICS: &str = "/proc/thread-self/net/stat/nf_conntrack";

/// Entries that could not be made and packets dropped, since the namespace was made.
pub(super) fn failed() -> u64 {
    let stat = fs::read_to_string(STATISTICS).unwrap_or_default();
    column(&stat, "insert_failed") + column(&stat, "drop")
}

/// None where nothing is tracked: no module, or no rule that needs it. `failed_before` is what
/// [`failed`] said when the namespace began to be watched.
pub(super) fn read(failed_before: u64) -> Option<Conntrack> {
    let number = |name: &str| {
        let path = format!("/proc/sys/net/netfilter/{name}");
        fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()
    };
    let (count, max) = (number("nf_conntrack_count")?, number("nf_conntrack_max")?);
    let stat = fs::read_to_string(STATISTICS).unwrap_or_default();
    let mut table = Table::default();
    if let Ok(file) = File::open("/proc/thread-self/net/nf_conntrack") {
        // A table may have millions of lines: never hold more than one.
        BufReader::new(file).lines().map_while(Result::ok).for_each(|line| table.add(&line));
    }
    Some(Conntrack {
        count,
        max,
        insert_failed: column(&stat, "insert_failed"),
        dropped: column(&stat, "drop") + column(&stat, "early_drop"),
        failed_while_watched: failed().saturating_sub(failed_before),
        translations: table.translations(),
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

/// Ports in use, by translated address and destination.
#[derive(Default)]
struct Table {
    ports: BTreeMap<(Protocol, IpAddr, SocketAddr), BTreeSet<u16>>,
}

impl Table {
    fn add(&mut self, line: &str) {
        if let Some((protocol, address, destination, port)) = translated(line) {
            self.ports.entry((protocol, address, destination)).or_default().insert(port);
        }
    }

    fn translations(self) -> Vec<Translation> {
        let rows = self.ports.into_iter().map(|((protocol, address, destination), ports)| {
            Translation { protocol, address, destination, ports: ports.len() as u32 }
        });
        rows.collect()
    }
}

/// A line of `/proc/net/nf_conntrack` whose source was translated: protocol, the address and port
/// that the outside sees, and where it goes. The line has the tuple of the first packet and then
/// that of the answer; if the answer does not go to where the first packet came from, the source
/// was translated.
fn translated(line: &str) -> Option<(Protocol, IpAddr, SocketAddr, u16)> {
    let protocol: Protocol = line.split_whitespace().nth(2)?.parse().ok()?;
    let values =
        |key: &'static str| line.split_whitespace().filter_map(move |word| word.strip_prefix(key));
    let both = |key| {
        let mut found = values(key);
        Some((found.next()?, found.next()?))
    };
    let (source, answer_source) = both("src=")?;
    let (_, answer_destination) = both("dst=")?;
    let (source_port, answer_source_port) = both("sport=")?;
    let (_, answer_destination_port) = both("dport=")?;
    if (source, source_port) == (answer_destination, answer_destination_port) {
        return None;
    }
    let destination =
        SocketAddr::new(answer_source.parse().ok()?, answer_source_port.parse().ok()?);
    Some((
        protocol,
        answer_destination.parse().ok()?,
        destination,
        answer_destination_port.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TRANSLATED: &str = "ipv4     2 tcp      6 431999 ESTABLISHED src=10.0.0.2 dst=198.51.100.7 \
        sport=40000 dport=443 src=198.51.100.7 dst=192.0.2.1 sport=443 dport=50000 [ASSURED] mark=0";
    const PLAIN: &str = "ipv4     2 tcp      6 9 TIME_WAIT src=192.0.2.1 dst=198.51.100.7 \
        sport=40000 dport=443 src=198.51.100.7 dst=192.0.2.1 sport=443 dport=40000 [ASSURED] mark=0";

    #[test]
    fn counts_distinct_ports_of_translated_connections() {
        let mut table = Table::default();
        for line in [TRANSLATED, TRANSLATED, PLAIN, &TRANSLATED.replace("50000", "50001"), "", "x"]
        {
            table.add(line);
        }
        let found = table.translations();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].ports, found[0].destination.to_string()),
            (2, "198.51.100.7:443".to_owned())
        );
        assert_eq!(found[0].address.to_string(), "192.0.2.1");
    }

    #[test]
    fn columns_are_summed_over_processors() {
        let text = "entries searched drop insert_failed\n 0a 00 01 10\n 0a 00 02 ff\n";
        assert_eq!(column(text, "insert_failed"), 0x10f);
        assert_eq!(column(text, "drop"), 3);
        assert_eq!(column(text, "missing"), 0);
        assert_eq!(column("", "drop"), 0);
    }

    proptest! {
        #[test]
        fn any_line_is_read_or_passed_over(line in "\\PC{0,80}|(src=|dst=|sport=|[0-9.]| ){0,30}") {
            Table::default().add(&line);
        }
    }
}
