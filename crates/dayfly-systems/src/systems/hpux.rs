//! HP-UX: `ndd`, and numbered entries in `/etc/rc.config.d/nddconf`.
//!
//! Source: ndd(1M), rc.config(4), the white paper "HP-UX TCP/IP performance" of March 2008.

use dayfly_ports::PortRange;

use super::{bounded, ndd};
use crate::edit::{Lines, is_nddconf};
use crate::init_script::{self, Place};
use crate::order;
use crate::plan::Job;
use crate::remark::Remark;
use crate::system::{Rules, TCP, UDP, always, span};
use crate::{
    Action, Alternative, Check, Current, Edit, ReadError, Refusal, Reserving, ScriptKind, Slot,
    Step, System, Unit, When,
};

pub(super) static SYSTEM: System = System {
    name: "hpux",
    aliases: &["hp-ux"],
    title: "HP-UX",
    slots: &[
        Slot::new(TCP, "tcp_smallest_anon_port", "tcp_largest_anon_port", &[always(49152, 65535)]),
        Slot::new(UDP, "udp_smallest_anon_port", "udp_largest_anon_port", &[always(49152, 65535)]),
    ],
    recommended: None,
    unit: Unit::LowHigh,
    persists_in: NDDCONF,
    reads: &[
        "/usr/bin/ndd -get /dev/tcp tcp_smallest_anon_port",
        "/usr/bin/ndd -get /dev/tcp tcp_largest_anon_port",
        "/usr/bin/ndd -get /dev/udp udp_smallest_anon_port",
        "/usr/bin/ndd -get /dev/udp udp_largest_anon_port",
        "cat /etc/rc.config.d/nddconf",
    ],
    sockets: &["netstat -an -f inet", "netstat -an -f inet6"],
    privilege: "root",
    reserving: Reserving::NOT,
    instead: "take a range from 1024-65535",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/hpux.md"),
    rules: &HpUx,
};

const NDD: &str = "/usr/bin/ndd";
const NDDCONF: &str = "/etc/rc.config.d/nddconf";
const SCRIPT: &str = "/sbin/init.d/ephemports";
const LINK: &str = "/sbin/rc2.d/S341ephemports";

#[derive(Debug)]
struct HpUx;

impl Rules for HpUx {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        let (entries, rest): (Vec<&str>, Vec<&str>) =
            text.lines().partition(|line| is_nddconf(line));
        let mut current = ndd::read(system, &rest.join("\n"))?;
        // The command that shows the file, or its complaint that there is none, tells as well.
        if !entries.is_empty() || text.contains("nddconf") {
            current.nddconf = Some(entries.iter().flat_map(|line| [*line, "\n"]).collect());
        }
        if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
    }

    fn limits(&self, _: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        bounded("HP-UX", span(1024, 65535), range)
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let mut remarks = vec![Remark::advice(
            "HP-UX does not check the two ends against each other, and behaves undefined where \
             they cross: keep the order.",
        )];
        if job.when.at_boot() {
            remarks.push(Remark::advice(
                "The system reads every file in /etc/rc.config.d: keep no copy of nddconf there, \
                 it would count as well.",
            ));
            if job.current.is_none_or(|now| now.nddconf.is_none()) {
                remarks.push(Remark::warning(
                    "What nddconf holds is not known, so the lines are numbered as for an empty \
                     file; --script continues after the last index on the host itself.",
                ));
            }
        }
        remarks
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        let mut steps = ndd::runtime(job, NDD);
        if job.when.at_boot() && !job.changes.is_empty() {
            steps.push(nddconf(job));
        }
        Ok(steps)
    }

    fn alternatives(&self, job: &Job<'_>) -> Vec<Alternative> {
        if !job.when.at_boot() || job.changes.is_empty() {
            return Vec::new();
        }
        let place = Place { ndd: NDD, path: SCRIPT, link: LINK };
        vec![Alternative {
            why: "instead of nddconf, a boot script",
            steps: boot_script(job, &place),
        }]
    }
}

/// The entries are applied in the order of their indices. At boot the defaults are set, so the
/// largest goes first wherever that does not cross them.
fn nddconf(job: &Job<'_>) -> Step {
    let mut entries = Vec::new();
    for change in &job.changes {
        let default = change.slot.default_range();
        let mut writes = order::both((default.low().number(), default.high().number()), change.to);
        if change.to.high() >= default.low() {
            writes.sort_by_key(|write| write.end == order::End::Low);
        }
        for write in writes {
            let name = super::setting(change.slot, &write);
            entries.push((ndd::device(change), name, write.value));
        }
    }
    let names: Vec<String> = entries
        .iter()
        .map(|(transport, name, value)| format!("{transport} {name} {value}"))
        .collect();
    let edit = Edit {
        path: NDDCONF,
        backup: "/var/adm/nddconf.before-dayfly",
        lines: Lines::Nddconf(entries),
        known: job.current.and_then(|now| now.nddconf.clone()),
    };
    // The entries may stand anywhere in the file, so the check puts the three parts together.
    let asked = r#"tr -d "\"' \t" < /etc/rc.config.d/nddconf | awk -F'[][=]' '
        /^TRANSPORT_NAME\[[0-9]+\]=/ { t[$2 + 0] = $4 }
        /^NDD_NAME\[[0-9]+\]=/ { n[$2 + 0] = $4 }
        /^NDD_VALUE\[[0-9]+\]=/ { v[$2 + 0] = $4 }
        END { for (i in v) print t[i], n[i], v[i] }' | LC_ALL=C sort"#;
    let mut sorted = names;
    sorted.sort();
    Step {
        when: When::Boot,
        action: Action::Edit(edit.clone()),
        check: Check::new(asked, sorted.join(" ")),
        undo: vec![Action::Restore(edit)],
    }
}

/// The script and its link.
pub(super) fn boot_script(job: &Job<'_>, place: &Place) -> Vec<Step> {
    let (path, link) = (place.path, place.link);
    let calls: Vec<String> = job
        .changes
        .iter()
        .map(|change| format!("{} {} {}", ndd::device(change), change.to.low(), change.to.high()))
        .collect();
    let calls = calls.join(" ");
    vec![
        Step {
            when: When::Boot,
            action: Action::Write { path, mode: 0o744, content: init_script::ndd(job, place) },
            check: Check::new(format!("cat {path}"), &calls),
            undo: vec![Action::Remove { path }],
        },
        Step {
            when: When::Boot,
            action: Action::Run(format!("rm -f {link}; ln -s {path} {link}")),
            check: Check::new(format!("cat {link}"), &calls),
            undo: vec![Action::Remove { path: link }],
        },
    ]
}
