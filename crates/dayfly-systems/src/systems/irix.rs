//! IRIX: the range is a constant of the kernel, everything above the privileged ports.

use super::bsdos::Constants;
use crate::system::{TCP_UDP, always};
use crate::{Reserving, ScriptKind, Slot, System, Unit};

pub(super) static SYSTEM: System = System {
    name: "irix",
    aliases: &["irix64"],
    title: "IRIX",
    slots: &[
        Slot::new(TCP_UDP, "IPPORT_RESERVED", "IPPORT_MAXPORT", &[always(1024, 65535)]).fixed()
    ],
    recommended: None,
    unit: Unit::Constant,
    persists_in: "the kernel",
    reads: &["grep IPPORT_ /usr/include/netinet/in.h"],
    sockets: &["netstat -an -f inet"],
    privilege: "root",
    reserving: Reserving::NOT,
    instead: "no systune group holds it: open 1024-65535 in firewalls in front of IRIX, or let the \
              program bind a port of its own before it connects",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/irix.md"),
    rules: &Constants,
};
