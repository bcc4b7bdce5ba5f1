//! BSD/OS: the range is a constant of the kernel (`IPPORT_DYNAMIC` in `netinet/in.h`).

use crate::plan::Job;
use crate::system::{Rules, TCP_UDP, always};
use crate::{Current, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System, Unit};

pub(super) static SYSTEM: System = System {
    name: "bsdos",
    aliases: &["bsd/os", "bsdi"],
    title: "BSD/OS",
    slots: &[Slot::new(TCP_UDP, "IPPORT_DYNAMIC", "IPPORT_DYNAMIC_LAST", &[always(49152, 65535)])
        .fixed()],
    recommended: None,
    unit: Unit::Constant,
    persists_in: "the kernel",
    reads: &["grep IPPORT_ /usr/include/netinet/in.h"],
    sockets: &["netstat -an -f inet"],
    privilege: "root",
    reserving: Reserving::NOT,
    instead: "build a kernel with other values of IPPORT_DYNAMIC and IPPORT_DYNAMIC_LAST in \
              netinet/in.h, or let the program bind a port of its own before it connects",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/bsdos.md"),
    rules: &Constants,
};

/// A system whose range is in a header file and nowhere else.
#[derive(Debug)]
pub(super) struct Constants;

impl Rules for Constants {
    /// The `#define` lines of the header.
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        let defines: String = text
            .lines()
            .map(|line| line.trim_start().strip_prefix("#define").unwrap_or_default())
            .map(|line| line.split("/*").next().unwrap_or_default().trim())
            .flat_map(|line| [line, "\n"])
            .collect();
        let values = crate::read::named(system, &defines)?;
        let current = Current::of_values(system, |name| values.get(name).copied());
        if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        Err(Refusal::new(
            format!("{} has no setting to change", job.system.title),
            job.system.instead,
        ))
    }
}
