//! Android: Linux' kernel and files, no place to keep a change without a rooted system.

use dayfly_ports::PortRange;

use super::linux;
use crate::plan::Job;
use crate::remark::Remark;
use crate::system::{ALL, Rules, since};
use crate::{
    Action, Check, Current, ReadError, Refusal, ScriptKind, Slot, Step, System, Unit, When,
};

pub(super) static SYSTEM: System = System {
    name: "android",
    aliases: &[],
    title: "Android",
    slots: &[Slot::new(
        ALL,
        linux::RANGE,
        linux::RANGE,
        &[since("kernels before 4.2", 32768, 61000), since("since kernel 4.2", 32768, 60999)],
    )],
    recommended: None,
    unit: Unit::Pair,
    persists_in: "boot script, if rooted",
    reads: &["cat /proc/sys/net/ipv4/ip_local_port_range"],
    privilege: "root (adb root or su), which SELinux grants to no app",
    reserving: None,
    instead: "take a range from 1024-65535; reserved ports need a kernel with \
              /proc/sys/net/ipv4/ip_local_reserved_ports, written by hand",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/android.md"),
    rules: &Android,
};

#[derive(Debug)]
struct Android;

impl Rules for Android {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        linux::read(system, text)
    }

    fn limits(&self, _: &Slot, range: PortRange, current: Option<&Current>) -> Vec<Remark> {
        linux::limits(range, current)
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        if !job.when.at_boot() {
            return Vec::new();
        }
        vec![Remark::warning(
            "Android reads no sysctl file of the user's. /data/adb/service.d is run at boot by \
             Magisk and KernelSU only; elsewhere repeat the command after each boot.",
        )]
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        const FILE: &str = "/data/adb/service.d/dayfly-range.sh";
        let file = linux::RANGE_FILE;
        let mut steps = Vec::new();
        for change in &job.changes {
            let (low, high) = (change.to.low(), change.to.high());
            let (old_low, old_high) = change.old_or_default();
            let set = format!("echo {low} {high} > {file}");
            if job.when.now() {
                steps.push(Step {
                    when: When::Runtime,
                    action: Action::Run(set.clone()),
                    check: Check::new(format!("cat {file}"), format_args!("{low} {high}")),
                    undo: vec![Action::Run(format!("echo {old_low} {old_high} > {file}"))],
                });
            }
            if job.when.at_boot() {
                let content = format!("#!/system/bin/sh\n{set}\n");
                steps.push(Step {
                    when: When::Boot,
                    action: Action::Write { path: FILE, mode: 0o755, content },
                    check: Check::new(format!("cat {FILE}"), format_args!("{low} {high} > {file}")),
                    undo: vec![Action::Remove { path: FILE }],
                });
            }
        }
        Ok(steps)
    }
}
