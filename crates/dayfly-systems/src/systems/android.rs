//! Android: Linux' kernel and files, no place to keep a change without a rooted system.

use dayfly_ports::{PortRange, PortSet, Protocol};

use super::{kernel_list, linux};
use crate::plan::Job;
use crate::remark::Remark;
use crate::system::{ALL, Rules, since};
use crate::{
    Action, Check, Current, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System, Unit,
    When,
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
    reads: &["grep \"\" /proc/sys/net/ipv4/ip_local_port_range \
         /proc/sys/net/ipv4/ip_local_reserved_ports"],
    sockets: &[crate::sockets::LINUX],
    privilege: "root (adb root or su), which SELinux grants to no app",
    reserving: Reserving::List {
        setting: "net.ipv4.ip_local_reserved_ports",
        is_by_protocol: false,
    },
    instead: "take a range from 1024-65535",
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
        let mut steps = Vec::new();
        for change in &job.changes {
            let (low, high) = change.old_or_default();
            let write = Write {
                file: linux::RANGE_FILE,
                script: "/data/adb/service.d/dayfly-range.sh",
                value: format!("{} {}", change.to.low(), change.to.high()),
                before: format!("{low} {high}"),
                long: None,
            };
            steps.extend(write.steps(job.when));
        }
        if let Some(added) = job.reserve {
            let Some(present) = job.current.and_then(|now| now.reserved(Protocol::Tcp)) else {
                return Err(Refusal::new(
                    "what is reserved already is not known, and a write would replace it",
                    format!(
                        "give it: the output of `{}` with --current",
                        job.system.read_command()
                    ),
                ));
            };
            let mut all = present.clone();
            all |= added;
            let write = Write {
                file: linux::RESERVED_FILE,
                script: RESERVED_SCRIPT,
                value: all.to_string(),
                before: present.to_string(),
                long: Some(Long { added, all: &all, present }),
            };
            steps.extend(write.steps(job.when));
        }
        if let Some(ports) = job.unreserve {
            steps.extend(linux::unreserve_steps(job, ports, RESERVED_SCRIPT));
        }
        Ok(steps)
    }
}

const RESERVED_SCRIPT: &str = "/data/adb/service.d/dayfly-reserved.sh";

/// The ports of a list, for when it does not fit into one write.
struct Long<'a> {
    added: &'a PortSet,
    all: &'a PortSet,
    present: &'a PortSet,
}

/// A file of the kernel, what it gets, and the script that writes it at boot.
struct Write<'a> {
    file: &'static str,
    script: &'static str,
    value: String,
    before: String,
    long: Option<Long<'a>>,
}

impl Write<'_> {
    fn steps(self, when: When) -> Vec<Step> {
        let Write { file, script, value, before, long } = self;
        let echo = |value: &str| format!("echo {value} > {file}");
        let long = long.filter(|_| !kernel_list::fits_echo(&value));
        let (set, boot, read) = match &long {
            Some(long) => (
                kernel_list::add(file, long.added),
                kernel_list::replace(file, long.all).replace(" && ", "\n"),
                linux::WHOLE.to_owned(),
            ),
            None => (echo(&value), echo(&value), format!("cat {file}")),
        };
        let back = match &long {
            Some(long) => kernel_list::replace(file, long.present),
            None => echo(&before),
        };
        let mut steps = Vec::new();
        if when.now() {
            steps.push(Step {
                when: When::Runtime,
                action: Action::Run(set),
                check: Check::new(read, &value),
                undo: vec![Action::Run(back)],
            });
        }
        if when.at_boot() {
            steps.push(Step {
                when: When::Boot,
                action: Action::Write {
                    path: script,
                    mode: 0o755,
                    content: format!("#!/system/bin/sh\n{boot}\n"),
                },
                check: Check::new(format!("cat {script}"), &boot),
                undo: vec![Action::Remove { path: script }],
            });
        }
        steps
    }
}
