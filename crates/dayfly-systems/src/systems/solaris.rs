//! Solaris up to 10: `ndd`, which forgets at boot, and a boot script.
//!
//! Source: ndd(1M), the Solaris Tunable Parameters Reference Manual.

use dayfly_ports::PortRange;

use super::hpux::boot_script;
use super::{bounded, ndd};
use crate::init_script::Place;
use crate::plan::Job;
use crate::remark::Remark;
use crate::smf;
use crate::system::{Rules, SCTP, TCP, UDP, always, span};
use crate::{
    Alternative, Current, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System, Unit,
};

pub(super) static SYSTEM: System = System {
    name: "solaris",
    aliases: &["solaris10", "sunos"],
    title: "Solaris 10 and before",
    slots: &[
        Slot::new(TCP, "tcp_smallest_anon_port", "tcp_largest_anon_port", &[always(32768, 65535)]),
        Slot::new(UDP, "udp_smallest_anon_port", "udp_largest_anon_port", &[always(32768, 65535)]),
        Slot::new(
            SCTP,
            "sctp_smallest_anon_port",
            "sctp_largest_anon_port",
            &[always(32768, 65535)],
        )
        .on_request(),
    ],
    recommended: None,
    unit: Unit::LowHigh,
    persists_in: SCRIPT,
    reads: &[
        "/usr/sbin/ndd /dev/tcp tcp_smallest_anon_port tcp_largest_anon_port",
        "/usr/sbin/ndd /dev/udp udp_smallest_anon_port udp_largest_anon_port",
    ],
    sockets: &["netstat -an -f inet", "netstat -an -f inet6"],
    privilege: "root",
    reserving: Reserving::Not { instead: INSTEAD_OF_RESERVING },
    instead: "take a range from 1024-65535",
    script: ScriptKind::Shell { awk: "nawk" },
    page: include_str!("../../pages/solaris.md"),
    rules: &Solaris,
};

/// `tcp_update_next_port` in `tcp_bind.c` passes over extra privileged ports; there is room for 64
/// (`TCP_NUM_EPRIV_PORTS`).
const INSTEAD_OF_RESERVING: &str = "choose a range that leaves them out; or, for a few ports of \
     root's services: ndd -set /dev/tcp tcp_extra_priv_ports_add PORT. None but root can bind such a \
     port, and no connection is handed it";

const SCRIPT: &str = "/etc/init.d/ephemports";

#[derive(Debug)]
struct Solaris;

impl Rules for Solaris {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        let current = ndd::read(system, text)?;
        if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
    }

    fn limits(&self, _: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        bounded("Solaris", span(1024, 65535), range)
    }

    fn advice(&self, _: &Job<'_>) -> Vec<Remark> {
        vec![Remark::advice(
            "One range for IPv4 and IPv6; a zone with its own IP stack has its own. Solaris 10 has \
             SCTP too: name it with --protocol.",
        )]
    }

    fn alternatives(&self, job: &Job<'_>) -> Vec<Alternative> {
        if !job.when.at_boot() || job.changes.is_empty() {
            return Vec::new();
        }
        let why = "on Solaris 10, instead of the boot script, a service";
        vec![Alternative { why, steps: smf::steps(job, NDD) }]
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        let mut steps = ndd::runtime(job, NDD);
        if job.when.at_boot() {
            let place = Place { ndd: NDD, path: SCRIPT, link: "/etc/rc2.d/S70ephemports" };
            steps.extend(boot_script(job, &place));
        }
        Ok(steps)
    }
}

const NDD: &str = "/usr/sbin/ndd";
