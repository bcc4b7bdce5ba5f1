//! What another host tells of itself: its settings and its sockets.

use dayfly_insight::{RangeSetting, Settings, Socket, State, Supply, TimeWaitReuse};
use dayfly_ports::{PortSet, Protocol};
use dayfly_systems::sockets::{self, Listed, Listing, Phase};
use dayfly_systems::{Class, Current, Family, ReadError, System};

use super::{Host, HostError, Remote};
use crate::place::Note;

/// What is set there.
///
/// # Errors
/// When it does not answer, or nothing of its answer is a setting.
pub(crate) fn settings(remote: &Remote) -> Result<Current, HostError> {
    let system = remote.system();
    let command = settings_command(system);
    let output = remote.run(&command)?;
    system.read(&output.text()).map_err(|error| {
        let said = output.said();
        let complaint = match &error {
            // Nothing was printed but complaints: those say more.
            ReadError::Nothing { .. } if !said.is_empty() => format!(" (it says: {said})"),
            _ => String::new(),
        };
        HostError::new(format_args!("{}: {}{complaint}", remote.name(), shown(&error)))
            .hint(format!("it was asked with `{command}`; try that on the host"))
    })
}

/// What prints a system's settings. Of Linux, whole: its list of reserved ports is handed out to
/// one read only, however long it is, and what comes after is not told.
pub(crate) fn settings_command(system: &System) -> String {
    match system.name {
        "linux" | "android" => LINUX_SETTINGS.to_owned(),
        _ => system.read_command(),
    }
}

/// The words of an error can be the host's.
fn shown(error: &ReadError) -> String {
    super::harmless(&error.to_string())
}

/// Its sockets, and what of them could not be told.
pub(crate) fn sockets(remote: &Remote) -> Result<(Vec<Socket>, Vec<Note>), HostError> {
    let system = remote.system();
    let command = system.sockets_command();
    let output = remote.run(&command)?;
    let listing = sockets::listed(&output.text());
    let mut notes = Vec::new();
    if !listing.is_list {
        let said = output.said();
        let why = if said.is_empty() { "it printed no list".to_owned() } else { said };
        notes.push(Note { what: "sockets".to_owned(), why, fix: first_line(&command) });
    }
    Ok((unfolded(&listing, &mut notes), notes))
}

/// What of a list can be used, and notes about the rest.
pub(crate) fn unfolded(listing: &Listing, notes: &mut Vec<Note>) -> Vec<Socket> {
    if listing.cut > 0 {
        notes.push(Note {
            what: format!("{} sockets", listing.cut),
            why: "their addresses were cut off to fit a column".to_owned(),
            fix: String::new(),
        });
    }
    if listing.unknown_states > 0 {
        notes.push(Note {
            what: format!("the state of {} sockets", listing.unknown_states),
            why: "it is named in a language that is not known; they count as connected".to_owned(),
            fix: String::new(),
        });
    }
    listing.sockets.iter().map(socket).collect()
}

fn first_line(command: &str) -> String {
    if command.contains('\n') { String::new() } else { command.to_owned() }
}

fn socket(listed: &Listed) -> Socket {
    let is_udp = listed.tuple.protocol == Protocol::Udp;
    let state = match listed.phase {
        Phase::Listening => State::Listen,
        Phase::Connected => State::Established,
        Phase::TimeWait => State::TimeWait,
        Phase::Bound if is_udp => State::Close,
        Phase::Bound => State::BoundInactive,
    };
    // Where the list does not tell, it has just begun: nothing takes it over.
    let timer_ms = listed.left_ms.unwrap_or(if state == State::TimeWait { u32::MAX } else { 0 });
    Socket { timer_ms, ..Socket::new(listed.tuple, state) }
}

/// The ranges that ports are handed out from, without the reserved ports, where both ends are
/// known.
pub(crate) fn supplies(system: &'static System, current: &Current) -> Vec<Supply> {
    let mut supplies = Vec::new();
    for slot in system.slots.iter().filter(|slot| slot.class == Class::Default) {
        let range = match current.found(slot) {
            Some(found) => found.range(),
            None if !slot.writable => Some(slot.default_range()),
            None => None,
        };
        let Some(range) = range else { continue };
        for &protocol in slot.protocols {
            let mut usable = Box::new(PortSet::from(range));
            if let Some(reserved) = current.reserved(protocol) {
                *usable -= reserved;
            }
            let ipv6 = match slot.family {
                Family::Any => None,
                Family::Ipv4 => Some(false),
                Family::Ipv6 => Some(true),
            };
            supplies.push(Supply { protocol, ipv6, usable });
        }
    }
    supplies
}

/// `name:value` of every setting that decides about ports.
const LINUX_SETTINGS: &str = "cd /proc/sys/net/ipv4 && grep '' ip_local_port_range \
     ip_unprivileged_port_start; if list=$(dd if=ip_local_reserved_ports bs=262144 2>/dev/null); then \
     echo \"ip_local_reserved_ports:$list\"; else grep '' /dev/null ip_local_reserved_ports; fi";

/// The same of those that decide what becomes of TIME_WAIT, and the number of the namespace.
const LINUX_MORE: &str = "cd /proc/sys/net/ipv4 && grep '' tcp_tw_reuse tcp_tw_reuse_delay \
     tcp_timestamps ip_autobind_reuse tcp_max_tw_buckets ip_local_port_step_width 2>/dev/null; \
     readlink /proc/self/ns/net";

/// Everything that dayfly's model of Linux goes by, and the number of the network namespace.
pub(crate) fn linux(remote: &Remote, current: &Current) -> Result<(Settings, u64), HostError> {
    let text = remote.run(LINUX_MORE)?.text();
    let value = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        rest.and_then(|value| value.trim().parse::<u32>().ok())
    };
    let found = current.ranges.first().and_then(|found| found.range());
    let range = found.ok_or_else(|| {
        HostError::new(format_args!("{}: its range cannot be read", remote.name()))
    })?;
    let reserved = current.reserved(Protocol::Tcp).cloned().unwrap_or(PortSet::EMPTY);
    let protocols = [Protocol::Tcp, Protocol::Udp];
    let settings = Settings {
        ranges: protocols.map(|protocol| RangeSetting { protocol, range }).into(),
        reserved: Box::new(reserved),
        unprivileged_floor: current.floor.unwrap_or(1024).into(),
        tw_reuse: value("tcp_tw_reuse")
            .and_then(TimeWaitReuse::from_number)
            .unwrap_or(TimeWaitReuse::Off),
        timestamps: value("tcp_timestamps").is_none_or(|value| value != 0),
        autobind_reuse: value("ip_autobind_reuse").map(|value| value != 0),
        max_time_wait: value("tcp_max_tw_buckets"),
        step_width: value("ip_local_port_step_width"),
        tw_reuse_delay_ms: value("tcp_tw_reuse_delay").unwrap_or(1000),
        ..Settings::linux_defaults()
    };
    let namespace = text.lines().find_map(|line| line.strip_prefix("net:[")?.strip_suffix(']'));
    Ok((settings, namespace.and_then(|id| id.parse().ok()).unwrap_or_default()))
}
