//! Windows Vista, Server 2008 and later: `netsh`, a start and a count, four ranges.
//!
//! Source: KB 929851, `netsh int ipv4 set dynamicportrange ?`, Get-NetTCPSetting.

use std::collections::BTreeMap;

use dayfly_ports::{PortRange, PortSet, Protocol};

use crate::ms_rpc::RpcPorts;
use crate::plan::{Change, Job};
use crate::remark::Remark;
use crate::system::{Rules, TCP, UDP, always};
use crate::{
    Action, Check, Current, Exclusion, Family, Found, ReadError, Refusal, Reserved, Reserving,
    ScriptKind, Slot, Step, System, Unit, When,
};

pub(super) static SYSTEM: System = System {
    name: "windows",
    aliases: &["win", "windows11", "windows10", "vista"],
    title: "Windows (Vista, Server 2008 and later)",
    slots: &[
        Slot::new(TCP, "startport", "numberofports", &[always(49152, 65535)]).family(Family::Ipv4),
        Slot::new(UDP, "startport", "numberofports", &[always(49152, 65535)]).family(Family::Ipv4),
        Slot::new(TCP, "startport", "numberofports", &[always(49152, 65535)]).family(Family::Ipv6),
        Slot::new(UDP, "startport", "numberofports", &[always(49152, 65535)]).family(Family::Ipv6),
    ],
    recommended: None,
    unit: Unit::StartCount,
    persists_in: "the registry, by netsh",
    reads: &[
        "netsh int ipv4 show dynamicport tcp",
        "netsh int ipv4 show dynamicport udp",
        "netsh int ipv6 show dynamicport tcp",
        "netsh int ipv6 show dynamicport udp",
        "netsh int ipv4 show excludedportrange protocol=tcp",
        "netsh int ipv4 show excludedportrange protocol=udp",
    ],
    sockets: &["netstat -anq || netstat -an"],
    privilege: "an administrator (an elevated prompt)",
    reserving: Reserving::List {
        setting: "netsh int ipv4 add excludedportrange",
        is_by_protocol: true,
    },
    instead: "take at least 255 ports, beginning at 1025 or above",
    script: ScriptKind::Batch,
    page: include_str!("../../pages/windows.md"),
    rules: &Windows,
};

#[derive(Debug)]
struct Windows;

impl Rules for Windows {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        let mut reader = Reader { objects: text.contains(OBJECT), ..Reader::default() };
        for (index, line) in text.lines().enumerate() {
            reader.line(index + 1, line.trim())?;
        }
        let range = |slot: &'static Slot| {
            let key = (slot.family.name(), *slot.protocols.first()?);
            let range = reader.ranges.get(&key)?;
            let (low, high) = (Some(range.low().number()), Some(range.high().number()));
            Some(Found { slot, low, high, boot: (None, None) })
        };
        let excluded = |protocol: Protocol, protocols| {
            let ports = reader.excluded.get(&protocol)?.clone();
            Some(Reserved { protocols, ports })
        };
        let reserved = [excluded(Protocol::Tcp, TCP), excluded(Protocol::Udp, UDP)];
        let current = Current {
            ranges: system.slots.iter().filter_map(range).collect(),
            reserved: reserved.into_iter().flatten().collect(),
            exclusions: reader.exclusions,
            rpc: RpcPorts::read(text),
            ..Current::default()
        };
        if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
    }

    fn limits(&self, _: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        let (start, count) = (range.low().number(), range.len());
        if count < 255 {
            return vec![Remark::refused(format!(
                "Windows refuses {range}: it has {count} ports, and 255 is the least"
            ))];
        }
        if start < 1024 {
            return vec![Remark::refused(format!(
                "Windows refuses {range}: it begins below 1025 (KB 929851)"
            ))];
        }
        if start == 1024 {
            return vec![Remark::warning(
                "KB 929851 says that 1025 is the lowest start; hosts with 1024 exist, and Windows \
                 takes it.",
            )];
        }
        Vec::new()
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if !job.changes.is_empty() {
            remarks.push(Remark::advice(
                "A range is a start and a count: the end is start + count - 1. TCP and UDP, IPv4 \
                 and IPv6 have one each.",
            ));
        }
        if job.reserve.is_some() {
            remarks.push(Remark::advice(
                "An exclusion holds for IPv4 and IPv6; one that overlaps another, or a port in use, \
                 is refused.",
            ));
        }
        remarks
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        if job.when == When::Boot {
            return Err(Refusal::new(
                "netsh cannot change what the next boot sets without changing it now",
                "leave --persist out, which changes both, or use --runtime",
            ));
        }
        let mut steps: Vec<Step> =
            job.changes.iter().map(|change| dynamic_port(change, job.when)).collect();
        if let Some(ports) = job.reserve {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                if job.is_for(protocol) {
                    steps.extend(exclude(job, protocol, ports));
                }
            }
        }
        if let Some(ports) = job.unreserve {
            for protocol in [Protocol::Tcp, Protocol::Udp] {
                if job.is_for(protocol) {
                    steps.extend(include(job, protocol, ports)?);
                }
            }
        }
        Ok(steps)
    }
}

/// Where netsh keeps a change. Its default, `store=persistent`, is both now and at each boot.
fn store(when: When) -> &'static str {
    if when == When::Runtime { " store=active" } else { "" }
}

fn dynamic_port(change: &Change, when: When) -> Step {
    let family = change.slot.family;
    let protocol = change.slot.protocols.first().copied().unwrap_or(Protocol::Tcp);
    let set = |low: u16, high: u16| {
        let count = u32::from(high) - u32::from(low) + 1;
        Action::Run(format!(
            "netsh int {family} set dynamicport {protocol} start={low} num={count}{}",
            store(when)
        ))
    };
    let (low, high) = (change.to.low().number(), change.to.high().number());
    let (old_low, old_high) = change.old_or_default();
    Step {
        when,
        action: set(low, high),
        check: Check::new(
            format!("netsh int {family} show dynamicport {protocol}"),
            format_args!("{low} {}", change.to.len()),
        ),
        undo: vec![set(old_low, old_high.max(old_low))],
    }
}

/// One command for each span that is not excluded yet.
fn exclude(job: &Job<'_>, protocol: Protocol, ports: &PortSet) -> Vec<Step> {
    let mut added = ports.clone();
    if let Some(present) = job.current.and_then(|now| now.reserved(protocol)) {
        added -= present;
    }
    added.ranges().map(|range| exclusion(job, protocol, range, true)).collect()
}

/// Entries are deleted as a whole: what else is in them is excluded anew.
fn include(job: &Job<'_>, protocol: Protocol, ports: &PortSet) -> Result<Vec<Step>, Refusal> {
    let mut steps = Vec::new();
    let entries = job.current.map(|now| now.exclusions.as_slice()).unwrap_or_default();
    for entry in entries.iter().filter(|entry| entry.protocol == protocol) {
        let mut left = PortSet::from(entry.range);
        left -= ports;
        if left.len() == entry.range.len() {
            continue;
        }
        if !entry.administered {
            return Err(Refusal::new(
                format!(
                    "{} of {protocol} is excluded by Windows itself or a service of it, not by an \
                     administrator",
                    entry.range
                ),
                "stop what holds it (Hyper-V, WSL and Docker: `net stop winnat`), or leave its \
                 ports out",
            ));
        }
        steps.push(exclusion(job, protocol, entry.range, false));
        steps.extend(left.ranges().map(|range| exclusion(job, protocol, range, true)));
    }
    Ok(steps)
}

/// An entry is made, or deleted.
fn exclusion(job: &Job<'_>, protocol: Protocol, range: PortRange, is_made: bool) -> Step {
    let command = |verb| {
        Action::Run(format!(
            "netsh int ipv4 {verb} excludedportrange protocol={protocol} startport={} \
             numberofports={}{}",
            range.low(),
            range.len(),
            store(job.when)
        ))
    };
    let show = format!("netsh int ipv4 show excludedportrange protocol={protocol}");
    let entry = format!("{} {}", range.low(), range.high());
    let (verb, back) = if is_made { ("add", "delete") } else { ("delete", "add") };
    Step {
        when: job.when,
        action: command(verb),
        check: if is_made { Check::new(show, entry) } else { Check::gone(show, entry) },
        undo: vec![command(back)],
    }
}

const OBJECT: &str = "DynamicPortRange";

/// Reads in any language: words are looked for in the commands and heads only (`tcp`, `ipv6`),
/// which are never translated, and of the lines with a colon the last number counts.
#[derive(Default)]
struct Reader {
    /// The text is of PowerShell's Get-NetTCPSetting or Get-NetUDPSetting, which print other
    /// numbers as well, and one range for both families.
    objects: bool,
    family: Option<Family>,
    protocol: Option<Protocol>,
    start: Option<(usize, u32)>,
    ranges: BTreeMap<(&'static str, Protocol), PortRange>,
    excluded: BTreeMap<Protocol, Box<PortSet>>,
    exclusions: Vec<Exclusion>,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), ReadError> {
        if self.objects && line.starts_with("SettingName") {
            self.protocol = Some(Protocol::Tcp);
            self.start = None;
        }
        // A full-width colon stands in Chinese and Japanese outputs.
        let value = line.rsplit_once([':', '：']).map(|(_, value)| value.trim());
        if let Some(value) = value
            && !value.is_empty()
            && value.bytes().all(|byte| byte.is_ascii_digit())
        {
            return self.number(number, line, value);
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            [low, high] => self.exclusion(low, high, false),
            [low, high, "*"] => self.exclusion(low, high, true),
            _ => self.head(line),
        }
        Ok(())
    }

    fn head(&mut self, line: &str) {
        let lower = line.to_ascii_lowercase();
        let of_letters = |c: char| !c.is_ascii_alphanumeric();
        let has = |name: &str| {
            lower.split(of_letters).any(|word| word == name || word == format!("net{name}setting"))
        };
        for family in [Family::Ipv4, Family::Ipv6] {
            if has(family.name()) {
                self.family = Some(family);
            }
        }
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            if has(protocol.name()) {
                self.protocol = Some(protocol);
                self.start = None;
            }
        }
    }

    /// A start, or the count that follows it.
    fn number(&mut self, line: usize, text: &str, value: &str) -> Result<(), ReadError> {
        if self.objects && !text.starts_with(OBJECT) {
            return Ok(());
        }
        let wrong =
            || ReadError::value(line, "the dynamic port range", value, "a start or count of ports");
        let value: u32 = value.parse().map_err(|_| wrong())?;
        let Some((_, start)) = self.start.take() else {
            self.start = Some((line, value));
            return Ok(());
        };
        let end = start.checked_add(value).and_then(|end| end.checked_sub(1));
        let end = end.and_then(|end| u16::try_from(end).ok()).ok_or_else(wrong)?;
        let start = u16::try_from(start).map_err(|_| wrong())?;
        let range = PortRange::new(start, end).map_err(|_| wrong())?;
        if self.objects {
            // Get-NetUDPSetting prints no name: a second object without one is its.
            let is_second = self.ranges.contains_key(&(Family::Ipv4.name(), Protocol::Tcp));
            let unnamed = if is_second { Protocol::Udp } else { Protocol::Tcp };
            let protocol = self.protocol.take().unwrap_or(unnamed);
            self.ranges.insert((Family::Ipv4.name(), protocol), range);
            self.ranges.insert((Family::Ipv6.name(), protocol), range);
            return Ok(());
        }
        let protocol = self.protocol.unwrap_or(Protocol::Tcp);
        // netsh does not say which family it shows. Without the command beside it, the second
        // output of a protocol is that of IPv6.
        let is_second = self.ranges.contains_key(&(Family::Ipv4.name(), protocol));
        let family = self.family.take();
        let family = family.unwrap_or(if is_second { Family::Ipv6 } else { Family::Ipv4 });
        self.ranges.insert((family.name(), protocol), range);
        Ok(())
    }

    /// A row of the table of exclusions, or the dashes under its heads, which tell that there is
    /// a table even if it is empty.
    fn exclusion(&mut self, low: &str, high: &str, administered: bool) {
        let Some(protocol) = self.protocol else { return };
        let is_rule = |word: &str| word.bytes().all(|byte| byte == b'-');
        let ends = (low.parse(), high.parse());
        let range = match ends {
            (Ok(low), Ok(high)) => PortRange::new(low, high).ok(),
            _ if is_rule(low) && is_rule(high) => None,
            _ => return,
        };
        let ports = self.excluded.entry(protocol).or_insert_with(|| Box::new(PortSet::EMPTY));
        if let Some(range) = range {
            ports.insert_range(range);
            self.exclusions.push(Exclusion { protocol, range, administered });
        }
    }
}
