//! macOS: FreeBSD's names and clamps, the IANA range, and a LaunchDaemon to keep a change.
//!
//! Source: xnu `bsd/netinet/in_pcb.c`, `bsd/net/restricted_in_port.c`, launchd.plist(5).

use dayfly_ports::PortRange;

use super::{clamped, freebsd, sysctl};
use crate::plan::Job;
use crate::remark::Remark;
use crate::system::{Rules, TCP_UDP, always};
use crate::{
    Action, Check, Class, Current, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System,
    Unit, When,
};

pub(super) static SYSTEM: System = System {
    name: "macos",
    aliases: &["darwin", "osx"],
    title: "macOS",
    slots: &[
        Slot::new(
            TCP_UDP,
            "net.inet.ip.portrange.first",
            "net.inet.ip.portrange.last",
            &[always(49152, 65535)],
        ),
        Slot::new(
            TCP_UDP,
            "net.inet.ip.portrange.hifirst",
            "net.inet.ip.portrange.hilast",
            &[always(49152, 65535)],
        )
        .class(Class::High),
        Slot::new(
            TCP_UDP,
            "net.inet.ip.portrange.lowlast",
            "net.inet.ip.portrange.lowfirst",
            &[always(600, 1023)],
        )
        .class(Class::Low),
    ],
    recommended: None,
    unit: Unit::LowHigh,
    persists_in: "a LaunchDaemon",
    reads: &["sysctl net.inet.ip.portrange"],
    sockets: &["netstat -anW -p tcp", "netstat -anW -p udp"],
    privilege: "root (sudo)",
    reserving: Reserving::NOT,
    instead: "the default and high classes take 1024-65535, the low class 1-1023",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/macos.md"),
    rules: &MacOs,
};

#[derive(Debug)]
struct MacOs;

impl Rules for MacOs {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        sysctl::read(system, text)
    }

    fn limits(&self, slot: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        clamped("macOS", freebsd::bounds(slot.class), range)
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let port = dayfly_ports::Port::new(55555);
        let mut remarks = Vec::new();
        if job.changes.iter().any(|change| change.to.contains(port)) {
            remarks.push(Remark::advice(
                "macOS never hands out TCP port 55555, which its remote management listens on.",
            ));
        }
        if job.when.at_boot() {
            remarks.push(Remark::advice(
                "Current versions pass over /etc/sysctl.conf, so a LaunchDaemon sets the range at \
                 each boot.",
            ));
        }
        remarks
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        let mut steps = sysctl::runtime(job, "sysctl -w");
        if job.when.at_boot() {
            steps.extend(job.changes.iter().flat_map(|change| daemon(change, job.when)));
        }
        Ok(steps)
    }
}

/// A file of its own for each class, so that one plan does not undo another. launchd finds it at
/// the next boot by itself; where the range changes now as well, it is told now, and says whether it
/// takes the file.
fn daemon(change: &crate::Change, when: When) -> Vec<Step> {
    let (label, path) = match change.slot.class {
        Class::Default => ("dayfly.portrange", "/Library/LaunchDaemons/dayfly.portrange.plist"),
        Class::High => {
            ("dayfly.portrange.high", "/Library/LaunchDaemons/dayfly.portrange.high.plist")
        }
        Class::Low => ("dayfly.portrange.low", "/Library/LaunchDaemons/dayfly.portrange.low.plist"),
    };
    let words: String = super::for_boot(change)
        .iter()
        .map(|(name, value)| format!("        <string>{name}={value}</string>\n"))
        .collect();
    let content = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
    <key>Label</key>
    <string>{label}</string>
    <key>ProgramArguments</key>
    <array>
        <string>/usr/sbin/sysctl</string>
        <string>-w</string>
{words}    </array>
    <key>RunAtLoad</key>
    <true/>
    <key>KeepAlive</key>
    <false/>
</dict>
</plist>
"#
    );
    let mut steps = vec![Step {
        when: When::Boot,
        action: Action::Write { path, mode: 0o644, content },
        check: Check::new(format!("plutil -lint {path}"), "OK"),
        undo: vec![Action::Remove { path }],
    }];
    if when.now() {
        // 36: it is being done.
        let out = format!("launchctl bootout system/{label}");
        steps.push(Step {
            when: When::Boot,
            action: Action::Run(format!("{out} 2>/dev/null; launchctl bootstrap system {path}")),
            check: Check::new(format!("launchctl print system/{label}"), format!("system/{label}")),
            undo: vec![Action::Run(format!("{out} || test $? -eq 36"))],
        });
    }
    steps
}
