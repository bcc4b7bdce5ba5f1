//! Linux: both ends in one sysctl, strictly checked, and a list of ports left out.
//!
//! Source: `net/ipv4/sysctl_net_ipv4.c` (`ipv4_local_port_range`), `kernel/sysctl.c`
//! (`proc_do_large_bitmap`), Documentation/networking/ip-sysctl.rst, sysctl.d(5).

use dayfly_ports::{PortRange, PortSet, Protocol};

use super::kernel_list;
use crate::plan::{Change, Job};
use crate::remark::Remark;
use crate::system::{ALL, Rules, since};
use crate::{
    Action, Check, Current, Edit, Found, Lines, ReadError, Refusal, Reserved, Reserving,
    ScriptKind, Slot, Step, System, Unit, When,
};

pub(super) const RANGE: &str = "net.ipv4.ip_local_port_range";
const RESERVED: &str = "net.ipv4.ip_local_reserved_ports";
pub(super) const RANGE_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
pub(super) const RESERVED_FILE: &str = "/proc/sys/net/ipv4/ip_local_reserved_ports";

pub(super) static SYSTEM: System = System {
    name: "linux",
    aliases: &[],
    title: "Linux",
    slots: &SLOTS,
    recommended: None,
    unit: Unit::Pair,
    persists_in: "/etc/sysctl.d",
    reads: &["sysctl net.ipv4.ip_local_port_range net.ipv4.ip_local_reserved_ports \
         net.ipv4.ip_unprivileged_port_start"],
    sockets: &[crate::sockets::LINUX],
    privilege: "root (CAP_NET_ADMIN in the network namespace)",
    reserving: Reserving::List { setting: RESERVED, is_by_protocol: false },
    instead: "take a range from 1024-65535, or lower net.ipv4.ip_unprivileged_port_start first",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/linux.md"),
    rules: &Linux,
};

static SLOTS: [Slot; 1] = [Slot::new(
    ALL,
    RANGE,
    RANGE,
    &[
        since("2.2 and before", 1024, 4999),
        since("2.4 to 4.1 (in most cases; below 2.6.22 it followed the memory)", 32768, 61000),
        since("since 4.2 (2015)", 32768, 60999),
    ],
)];

#[derive(Debug)]
struct Linux;

impl Rules for Linux {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        read(system, text)
    }

    fn limits(&self, _: &Slot, range: PortRange, current: Option<&Current>) -> Vec<Remark> {
        limits(range, current)
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let mut remarks = Vec::new();
        if let Some(change) = job.changes.first() {
            remarks.push(Remark::advice(
                "One range for IPv4 and IPv6, for TCP, UDP and SCTP. Each network namespace has its \
                 own, so containers keep theirs.",
            ));
            let has_selinux = job.current.and_then(|now| now.has_selinux).unwrap_or(true);
            if has_selinux && change.to.intersection(PortRange::LINUX_DEFAULT) != Some(change.to) {
                remarks.push(Remark::advice(
                    "SELinux labels 32768-60999 as ephemeral_port_t; its policy does not follow a \
                     changed range.",
                ));
            }
        }
        if job.when.at_boot() {
            remarks.push(Remark::advice(
                "A file whose name sorts after this one, and /etc/sysctl.conf, can set it again: \
                 the last assignment wins.",
            ));
        }
        if job.unreserve.is_some() && job.when.at_boot() {
            remarks.push(Remark::advice(format!(
                "At boot they are taken out of {RESERVED_CONF} only; `grep -r \
                 ip_local_reserved_ports /etc/sysctl.conf /etc/sysctl.d /run/sysctl.d \
                 /usr/lib/sysctl.d` shows who else reserves ports."
            )));
        }
        if job.reserve.is_some() {
            remarks.push(Remark::advice(
                "The list is replaced by each write, so what is reserved already is part of it. A \
                 program that binds a reserved port by its number still gets it.",
            ));
        }
        remarks
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        let mut steps = Vec::new();
        for change in &job.changes {
            steps.extend(range_steps(change, job.when));
        }
        if let Some(ports) = job.reserve {
            steps.extend(reserve_steps(job, ports)?);
        }
        if let Some(ports) = job.unreserve {
            steps.extend(unreserve_steps(job, ports, RESERVED_CONF));
        }
        Ok(steps)
    }
}

/// `sysctl`'s lines, `grep . FILE`, or the bare files.
pub(super) fn read(system: &'static System, text: &str) -> Result<Current, ReadError> {
    let mut current = Current::default();
    let Some(slot) = system.slots.first() else { return Ok(current) };
    for (index, line) in text.lines().enumerate() {
        // The marks of `cat -A`.
        let line = line.trim().trim_end_matches('$').replace("^I", "\t");
        let number = index + 1;
        // The first word is the key or the file; a command that was typed has others before it.
        let end = line.find(|c: char| c == '=' || c == ':' || c.is_whitespace());
        let (head, rest) = line.split_at(end.unwrap_or(line.len()));
        let after = |name: &str| {
            let value = rest.trim_matches(|c: char| c == '=' || c == ':' || c.is_whitespace());
            (head.ends_with(name) && !rest.is_empty()).then_some(value)
        };
        if let Some(value) = after("ip_local_port_range") {
            current.ranges = vec![pair(slot, number, value)?];
        } else if let Some(value) = after("ip_local_reserved_ports") {
            let ports = kernel_list::ports(number, RESERVED, value)?;
            current.reserved = vec![Reserved { protocols: ALL, ports }];
        } else if let Some(value) = after("ip_unprivileged_port_start") {
            current.floor = crate::read::port(number, "ip_unprivileged_port_start", value)?;
        } else if let Ok(found) = pair(slot, number, &line)
            && current.ranges.is_empty()
        {
            current.ranges = vec![found];
        } else if line.contains([',', '-'])
            && current.reserved.is_empty()
            && let Ok(ports) = kernel_list::ports(number, RESERVED, &line)
        {
            current.reserved = vec![Reserved { protocols: ALL, ports }];
        }
    }
    if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
}

/// Two numbers with white space between.
fn pair(slot: &'static Slot, line: usize, value: &str) -> Result<Found, ReadError> {
    let wrong = || ReadError::value(line, RANGE, value, "two ports, the low one first");
    let bare = value.trim_matches(['"', '\'']);
    let words: Vec<&str> = bare.split_whitespace().collect();
    let [low, high] = words[..] else { return Err(wrong()) };
    let range: PortRange = format!("{low} {high}").parse().map_err(|_| wrong())?;
    let (low, high) = (Some(range.low().number()), Some(range.high().number()));
    Ok(Found { slot, low, high, boot: (None, None) })
}

pub(super) fn limits(range: PortRange, current: Option<&Current>) -> Vec<Remark> {
    let floor = current.and_then(|now| now.floor).unwrap_or(1024);
    let mut remarks = Vec::new();
    if range.low().number() < floor {
        remarks.push(Remark::refused(format!(
            "Linux refuses {range} (EINVAL): it begins below net.ipv4.ip_unprivileged_port_start, \
             {floor}"
        )));
    }
    if range.len() == 1 {
        remarks.push(Remark::warning(
            "One port is one connection to each destination, for every program of the host; to pin \
             the port of one program, leave the range alone.",
        ));
    } else if range.low().is_odd() == range.high().is_odd() {
        remarks.push(Remark::warning(format!(
            "Both ends of {range} have the same parity: bind(0) for TCP never gets one of the ports, \
             and the kernel says so in its log."
        )));
    }
    remarks
}

fn range_steps(change: &Change, when: When) -> Vec<Step> {
    const FILE: &str = "/etc/sysctl.d/90-dayfly-range.conf";
    let (low, high) = (change.to.low(), change.to.high());
    let set = |low: u16, high: u16| Action::Run(format!("sysctl -w {RANGE}=\"{low} {high}\""));
    let (old_low, old_high) = change.old_or_default();
    let mut steps = Vec::new();
    if when.now() && change.from != Some((low.number(), high.number())) {
        steps.push(Step {
            when: When::Runtime,
            action: set(low.number(), high.number()),
            check: Check::new(format!("cat {RANGE_FILE}"), format_args!("{low} {high}")),
            undo: vec![set(old_low, old_high)],
        });
    }
    if when.at_boot() {
        steps.push(Step {
            when: When::Boot,
            action: Action::Write {
                path: FILE,
                mode: 0o644,
                content: format!("{RANGE} = {low} {high}\n"),
            },
            check: Check::new(format!("cat {FILE}"), format_args!("{RANGE} = {low} {high}")),
            undo: vec![Action::Remove { path: FILE }],
        });
    }
    steps
}

const RESERVED_CONF: &str = "/etc/sysctl.d/90-dayfly-reserved.conf";

/// Takes ports out of the list of the kernel, and out of the file that writes it at boot.
pub(super) fn unreserve_steps(job: &Job<'_>, ports: &PortSet, file: &'static str) -> Vec<Step> {
    let mut steps = Vec::new();
    if job.when.now()
        && let Some((present, left)) = job.left(Protocol::Tcp)
    {
        // Marks round a list that may be empty.
        steps.push(Step {
            when: When::Runtime,
            action: Action::Run(kernel_list::replace(RESERVED_FILE, &left)),
            check: Check::new(format!("echo \"=$({WHOLE})=\""), format_args!("={left}=")),
            undo: vec![Action::Run(kernel_list::replace(RESERVED_FILE, present))],
        });
    }
    if job.when.at_boot() {
        let edit = Edit {
            path: file,
            backup: match file {
                RESERVED_CONF => "/etc/sysctl.d/90-dayfly-reserved.conf.before-dayfly",
                _ => "/data/adb/dayfly-reserved.sh.before-dayfly",
            },
            lines: Lines::Without {
                name: "ip_local_reserved_ports",
                ports: Box::new(ports.clone()),
            },
            known: None,
        };
        steps.push(Step {
            when: When::Boot,
            action: Action::Edit(edit.clone()),
            check: Check::new(items_in(file, ports), "left: 0"),
            undo: vec![Action::Restore(edit)],
        });
    }
    steps
}

/// A command that counts the items of the lists in a file that hold any of the ports.
fn items_in(file: &str, ports: &PortSet) -> String {
    let holds =
        |span: PortRange| format!("(e[1] + 0 <= {} && e[k] + 0 >= {})", span.high(), span.low());
    let any: Vec<_> = ports.ranges().map(holds).collect();
    format!(
        "cat {file} 2>/dev/null | awk '/ip_local_reserved_ports/ && !/^[ \\t]*[#;]/ && match($0, \
         /[ \\t=\"][0-9][0-9,-]*/) {{ n = split(substr($0, RSTART + 1, RLENGTH - 1), items, \",\"); \
         for (i = 1; i <= n; i++) {{ k = split(items[i], e, \"-\"); if ({}) left++ }} }} \
         END {{ print \"left:\", left + 0 }}'",
        any.join(" || ")
    )
}

/// The whole list, which the kernel hands out to one read only.
pub(super) const WHOLE: &str =
    "dd if=/proc/sys/net/ipv4/ip_local_reserved_ports bs=262144 2>/dev/null";

fn reserve_steps(job: &Job<'_>, added: &PortSet) -> Result<Vec<Step>, Refusal> {
    const FILE: &str = RESERVED_CONF;
    let (list, set, back) = merged(job, added)?;
    let mut steps = Vec::new();
    if job.when.now() {
        steps.push(Step {
            when: When::Runtime,
            action: Action::Run(set),
            check: check(&list, added),
            undo: vec![Action::Run(back)],
        });
    }
    if job.when.at_boot() {
        let action = match &list {
            Some(list) => {
                Action::Write { path: FILE, mode: 0o644, content: format!("{RESERVED} = {list}\n") }
            }
            None if job.when.now() => {
                Action::Run(format!("echo \"{RESERVED} = $(cat {RESERVED_FILE})\" > {FILE}"))
            }
            None => {
                return Err(Refusal::new(
                    "what is reserved already is not known, and the file would replace it at boot",
                    "give it: sysctl net.ipv4.ip_local_reserved_ports | dayfly plan --system linux \
                     --current - ...",
                ));
            }
        };
        let expect = list.map_or(RESERVED.to_owned(), |list| format!("{RESERVED} = {list}"));
        steps.push(Step {
            when: When::Boot,
            action,
            check: Check::new(format!("cat {FILE}"), expect),
            undo: vec![Action::Remove { path: FILE }],
        });
    }
    Ok(steps)
}

/// The whole list if what is reserved is known, the command that reserves, and its undo.
fn merged(job: &Job<'_>, added: &PortSet) -> Result<(Option<String>, String, String), Refusal> {
    // Each network namespace has a list of its own.
    const BEFORE: &str = "f=/run/dayfly-reserved.$(stat -Lc %i /proc/self/ns/net)";
    let present = job.current.and_then(|now| now.reserved(Protocol::Tcp));
    let list = present.map(|present| {
        let mut all = present.clone();
        all |= added;
        all.to_string()
    });
    let length = list.as_ref().map_or_else(|| added.to_string().len(), String::len);
    let is_long = length > kernel_list::WRITE;
    if is_long && job.when.at_boot() {
        return Err(Refusal::new(
            format!(
                "the list has {length} bytes, and what reads sysctl.d writes the first 4095 only"
            ),
            "reserve whole ranges instead of single ports, or --runtime",
        ));
    }
    if is_long && list.is_none() {
        return Err(Refusal::new(
            format!("the list has {length} bytes, and what is reserved already is not known"),
            "give it: sysctl net.ipv4.ip_local_reserved_ports | dayfly plan --system linux \
             --current - ...",
        ));
    }
    Ok(match (list, present) {
        (Some(list), Some(present)) if is_long => (
            Some(list),
            kernel_list::add(RESERVED_FILE, added),
            kernel_list::replace(RESERVED_FILE, present),
        ),
        (Some(list), Some(present)) => {
            let set = format!("sysctl -w {RESERVED}=\"{list}\"");
            (Some(list), set, format!("sysctl -w {RESERVED}=\"{present}\""))
        }
        _ => {
            let set = format!(
                "{BEFORE}; test -e \"$f\" || cat {RESERVED_FILE} > \"$f\"; old=$(cat \"$f\"); sysctl -w \
                 {RESERVED}=\"${{old:+$old,}}{added}\""
            );
            let back = format!("{BEFORE}; sysctl -w {RESERVED}=\"$(cat \"$f\")\" && rm -f \"$f\"");
            (None, set, back)
        }
    })
}

/// The kernel prints the merged list. Where that is not known, every span of it is looked at.
fn check(list: &Option<String>, added: &PortSet) -> Check {
    if let Some(list) = list {
        let is_long = list.len() > kernel_list::WRITE;
        let read = if is_long { WHOLE.to_owned() } else { format!("cat {RESERVED_FILE}") };
        return Check::new(read, list);
    }
    let expand = "tr ',' '\\n' | awk -F- '{ for (i = $1; i <= $NF; i++) print i }'";
    let expect: Vec<_> = added.iter().map(|port| port.to_string()).collect();
    Check::new(format!("cat {RESERVED_FILE} | {expand}"), expect.join(" "))
}
