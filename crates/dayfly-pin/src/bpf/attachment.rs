//! Programs, maps and cgroup of one pinned command.

use std::os::fd::{AsRawFd, OwnedFd};
use std::panic::resume_unwind;
use std::thread;

use super::group::Group;
use super::kernel::{self, INET4_CONNECT, INET6_CONNECT};
use super::program::{self, Family, Recipe};
use super::ring::Ring;
use super::{own, table};
use crate::error::Error;
use crate::pin::{Pin, Wish};

/// Bytes of the ring buffer: for some events, and for one about each connection.
const FEW: u32 = 1 << 16;
const MANY: u32 = 1 << 20;

/// Enough for a thread that assembles a program.
const STACK: usize = 1 << 17;

/// What keeps the programs attached.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) group: Group,
    /// Each is one program; the last one to close a link takes the program off.
    pub(crate) links: [OwnedFd; 2],
}

/// What the caller reads.
#[derive(Debug)]
pub(crate) struct Tap {
    pub(crate) ring: Ring,
    table: OwnedFd,
    length: usize,
}

impl Attachment {
    /// Makes everything but the command.
    pub(crate) fn make(pin: &Pin, ports: &[u16]) -> Result<(Attachment, Tap), Error> {
        if let Some(what) = beyond(pin) {
            return Err(Error::BpfCannot(what));
        }
        let value = table::value_of(ports, &own::addresses(), pin.address);
        let table = kernel::value_map(&value)?;
        let size = if pin.report { MANY } else { FEW };
        let events = kernel::ring(size)?;
        let recipe = Recipe {
            table: table.as_raw_fd(),
            events: events.as_raw_fd(),
            count: ports.len() as u32,
            address: pin.address,
            destinations: &pin.destinations,
            udp: pin.udp,
            strict: pin.strict,
            report: pin.report,
        };
        let attachment = attach(&recipe)?;
        let failed = |error| Error::Bpf { doing: "the BPF ring buffer cannot be mapped", error };
        match Ring::open(events, size as usize).map_err(failed) {
            Ok(ring) => Ok((attachment, Tap { ring, table, length: value.len() })),
            Err(error) => {
                attachment.group.remove();
                Err(error)
            }
        }
    }
}

impl Tap {
    /// How many events found the ring buffer full.
    pub(crate) fn lost(&self) -> u32 {
        kernel::value_in(&self.table, self.length).map_or(0, |value| table::lost_in(&value))
    }
}

/// What this way cannot do.
fn beyond(pin: &Pin) -> Option<&'static str> {
    if pin.offer {
        Some("choose the port of a bind(); that is --offer")
    } else if matches!(pin.wish, Wish::WholeRange) {
        Some("set IP_LOCAL_PORT_RANGE; that is --whole-range")
    } else {
        None
    }
}

/// Makes the cgroup and attaches the programs to it. Most of the time goes to the kernel's verifier,
/// which works for two at once.
fn attach(recipe: &Recipe<'_>) -> Result<Attachment, Error> {
    let load = |family, kind| kernel::load(&program::assemble(family, recipe), kind);
    let v6 = || load(Family::V6, INET6_CONNECT);
    thread::scope(|scope| {
        let helper = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, v6);
        let group = Group::make()?;
        let v4 = load(Family::V4, INET4_CONNECT);
        let v6 = match helper {
            Ok(helper) => helper.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Err(_) => v6(),
        };
        let link =
            |program: Result<OwnedFd, Error>, kind| kernel::attach(&program?, &group.folder, kind);
        let links = link(v4, INET4_CONNECT).and_then(|first| Ok([first, link(v6, INET6_CONNECT)?]));
        match links {
            Ok(links) => Ok(Attachment { group, links }),
            Err(error) => {
                group.remove();
                Err(error)
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use dayfly_ports::{Port, PortRange};

    use super::*;
    use crate::bpf::kernel::words_of_verifier;

    /// Every program that can be assembled passes the kernel's verifier.
    #[test]
    fn the_verifier_accepts_every_program() {
        dayfly_testkit::privileged!();
        let events = kernel::ring(FEW).unwrap();
        let v4: IpAddr = "127.0.0.1".parse().unwrap();
        let v6: IpAddr = "::1".parse().unwrap();
        for count in [0, 1, 7, 1000, 65535] {
            let ports: Vec<u16> = (0..count).map(|port| port as u16 + 1).collect();
            let map = kernel::value_map(&table::value_of(&ports, &[], None)).unwrap();
            for bits in 0..48 {
                let set = |bit: u32| bits >> bit & 1 == 1;
                let range = PortRange::single(Port::new(1));
                let mut pin = Pin::ports(range).udp(set(0)).strict(set(1)).report(set(2));
                if set(3) {
                    pin = pin.destination(v4, None).destination(v6, Some(Port::new(443)));
                }
                let recipe = Recipe {
                    table: map.as_raw_fd(),
                    events: events.as_raw_fd(),
                    count,
                    address: [None, Some(v4), Some(v6)][bits as usize >> 4],
                    destinations: &pin.destinations,
                    udp: pin.udp,
                    strict: pin.strict,
                    report: pin.report,
                };
                for (family, attach) in [(Family::V4, INET4_CONNECT), (Family::V6, INET6_CONNECT)] {
                    let program = program::assemble(family, &recipe);
                    if let Err(error) = kernel::load(&program, attach) {
                        let words = words_of_verifier(&program, attach, 1);
                        panic!("{error}: {family:?} {recipe:?}\n{words}");
                    }
                }
            }
        }
    }

    /// Every start waits for it, about a microsecond for each instruction. A loop whose passes differ
    /// for the verifier is gone through many times, and nothing else would tell.
    #[test]
    fn the_verifier_has_little_to_do() {
        dayfly_testkit::privileged!();
        let events = kernel::ring(FEW).unwrap();
        let table = kernel::value_map(&table::value_of(&[1; 1000], &[], None)).unwrap();
        for (family, attach) in [(Family::V4, INET4_CONNECT), (Family::V6, INET6_CONNECT)] {
            let recipe = Recipe {
                table: table.as_raw_fd(),
                events: events.as_raw_fd(),
                count: 1000,
                address: None,
                destinations: &[],
                udp: false,
                strict: false,
                report: false,
            };
            let words = words_of_verifier(&program::assemble(family, &recipe), attach, 4);
            let (_, rest) = words.split_once("processed ").expect(&words);
            let instructions: u32 = rest.split(' ').next().unwrap().parse().unwrap();
            assert!(instructions <= 800, "{family:?}: {words}");
        }
    }
}
