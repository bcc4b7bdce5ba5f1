//! What `dayfly run` prints: a sentence for each connection that missed, a table at the end.

use std::fmt::Write;
use std::io;
use std::net::IpAddr;

use dayfly_pin::{Cause, Event, Outcome, Via};
use dayfly_ports::Port;

use super::counted;
use super::style::{self, paint};
use crate::run::ledger::{Started, Totals};

/// The name of a way in reports and JSON.
pub(crate) const fn via(via: Via) -> &'static str {
    match via {
        Via::Auto => "auto",
        Via::Seccomp => "seccomp",
        Via::Bpf => "bpf",
    }
}

/// A connection that missed, and what was found out about it.
pub(crate) struct Miss<'a> {
    pub(crate) event: &'a Event,
    pub(crate) cause: Cause,
    pub(crate) port: Option<Port>,
    pub(crate) refused: bool,
    /// Whether there is but one port to choose from.
    pub(crate) single: bool,
    /// The source address that is wanted.
    pub(crate) address: Option<IpAddr>,
    /// Who is in the way.
    pub(crate) held: Option<String>,
}

/// The sentences about a connection that could not have one of the ports.
pub(crate) fn missed(miss: &Miss<'_>) -> String {
    let Miss { event, cause, refused, single, .. } = miss;
    let port = miss.port.map_or_else(|| "?".to_owned(), |port| port.to_string());
    let there =
        event.destination.map_or_else(|| "its destination".to_owned(), |there| there.to_string());
    let (pid, program) = (event.thread, &event.program);
    let range = "give it more ports with --range";
    let (what, hint) = match cause {
        Cause::InUse => {
            let held = miss.held.clone().unwrap_or_else(|| {
                format!("a socket that is gone or cannot be seen (`dayfly why {port}`)")
            });
            if *single {
                (format!("source port {port}: in use by {held}"), range)
            } else {
                let what = format!("every source port is in use; {port} by {held}");
                (what, "give it more ports with a wider --range")
            }
        }
        Cause::SameDestination => {
            let held = miss.held.as_ref().map(|held| format!(", {held}")).unwrap_or_default();
            let all = if *single { port.clone() } else { format!("every port, {port} too,") };
            (
                format!(
                    "{all} already has a live connection to {there}{held}; one port = one \
                     connection per destination"
                ),
                range,
            )
        }
        Cause::TimeWait { seconds } => (
            format!("{port} -> {there} is in TIME_WAIT for {seconds} s and TCP timestamps are off"),
            "use --range, or sysctl -w net.ipv4.tcp_timestamps=1",
        ),
        Cause::Itself => (
            format!(
                "destination {there} equals the forced source port on this host: it would connect \
                 to itself"
            ),
            "choose another --port",
        ),
        Cause::Privilege => (
            format!("port {port} needs CAP_NET_BIND_SERVICE"),
            "run as root, or choose ports from net.ipv4.ip_unprivileged_port_start on",
        ),
        Cause::NotHere => {
            let address = miss.address.map(|address| address.to_string());
            let address = address.unwrap_or_else(|| "the source address".to_owned());
            (format!("{address} is not an address of this host"), "`ip address` lists them")
        }
        Cause::Family => {
            let address = miss.address.map(|address| address.to_string()).unwrap_or_default();
            (
                format!("{there} is of another family than the source address {address}"),
                "name --destination, or have the command use one family only",
            )
        }
        Cause::Unreadable => (
            format!("pid {pid} ({program}) is setuid or non-dumpable: port not forced"),
            "run as root",
        ),
        Cause::Other(number) => {
            let error = io::Error::from_raw_os_error(*number);
            (format!("source port {port}: bind() says {error}"), "")
        }
    };
    let name = name_of(cause.errno());
    let end = if *refused {
        format!("connect() to {there} got {name}")
    } else if *cause == Cause::Unreadable {
        "its connections go out from other ports".to_owned()
    } else {
        format!("the connection of {program} ({pid}) to {there} goes out from another port")
    };
    let mut text = format!("{} {what}; {end}", paint(style::WARN, "dayfly:"));
    if !hint.is_empty() {
        let _ = write!(text, "\n{} {hint}", paint(style::GOOD, "hint:"));
    }
    text
}

/// The name that manual pages have for an error.
fn name_of(errno: i32) -> String {
    match errno {
        libc::EADDRINUSE => "EADDRINUSE".to_owned(),
        libc::EADDRNOTAVAIL => "EADDRNOTAVAIL".to_owned(),
        libc::EACCES => "EACCES".to_owned(),
        libc::EPERM => "EPERM".to_owned(),
        other => io::Error::from_raw_os_error(other).to_string(),
    }
}

/// The table at the end.
pub(crate) fn report(started: &Started, events: &[Event], totals: Totals) -> String {
    let mut text = String::new();
    for (typed, addresses) in &started.names {
        let _ = writeln!(text, "dayfly: {typed} is {}", addresses.join(", "));
    }
    text.push_str(&table(events));
    let shown = events.len() as u64;
    let all = totals.pinned + totals.left_alone + totals.missed + totals.refused;
    if all > shown {
        let _ = writeln!(text, "  ...  and {} more", super::grouped(all - shown));
    }
    let _ =
        write!(text, "dayfly: {} pinned via {}", counted(totals.pinned, "connection"), started.via);
    for (number, what) in [
        (totals.left_alone, "that bound a port of their own"),
        (totals.missed, "from other ports"),
        (totals.refused, "refused"),
        (totals.lost, "not told"),
    ] {
        if number > 0 {
            let _ = write!(text, ", {} {what}", super::grouped(number));
        }
    }
    text.push('\n');
    text
}

/// A line for each connection, its columns as wide as what is in them.
fn table(events: &[Event]) -> String {
    let rows: Vec<_> = events.iter().filter_map(row).collect();
    let width = |column: fn(&[String; 5]) -> usize, head: &str| {
        rows.iter().map(column).max().unwrap_or_default().max(head.len())
    };
    let what_width = width(|row| row[2].len(), "");
    let to_width = width(|row| row[3].len(), "destination");
    let line = |[port, protocol, what, to, program]: [&str; 5]| {
        let what = if what_width == 0 { String::new() } else { format!("{what:<what_width$}  ") };
        format!("{port:>6}  {protocol:<5}  {what}{to:<to_width$}  {program}")
    };
    let mut text = String::new();
    if !rows.is_empty() {
        let head = line(["port", "", "", "destination", "program"]);
        let _ = writeln!(text, "{}", paint(style::DIM, &head));
    }
    for row in &rows {
        let _ = writeln!(text, "{}", line(row.each_ref().map(String::as_str)));
    }
    text
}

/// Port, protocol, what is special about it, destination, program.
fn row(event: &Event) -> Option<[String; 5]> {
    let (port, what) = match event.outcome {
        Outcome::Pinned(port) => (port.to_string(), ""),
        Outcome::LeftAlone(port) => (port.to_string(), "own"),
        Outcome::Missed { refused: true, .. } => ("-".to_owned(), "refused"),
        Outcome::Missed { .. } => ("other".to_owned(), "missed"),
        Outcome::Lost(_) => return None,
    };
    let to = event.destination.map_or_else(|| "?".to_owned(), |there| there.to_string());
    let program = format!("{} ({})", event.program, event.thread);
    Some([port, event.protocol.to_string(), what.to_owned(), to, program])
}
