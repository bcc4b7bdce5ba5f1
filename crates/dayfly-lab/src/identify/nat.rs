//! Whether an address speaks for one host or for several.

use super::class::Class;
use super::collect::Host;

/// What can be said of a translator in front of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nat {
    /// More than one host uses the address.
    Likely(Vec<NatSign>),
    /// Nothing speaks against it, and something for it.
    Possible(Vec<NatSign>),
    /// Nothing of the kind was seen.
    NoSign,
    /// Nothing was seen that would tell.
    Unknown,
}

/// What speaks for a translator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatSign {
    /// Openings of so many different stacks, by their TCP options and initial time to live.
    Stacks(usize),
    /// Several Linux hosts' counters run towards the same destinations.
    Counters,
    /// Ports are drawn from 1024-65535, as `masquerade random` does; a host with that range would
    /// look the same.
    Range,
    /// The host is so many hops away from where the capture was made.
    Hops(u8),
}

/// A stack that showed itself less often is taken for a program with unusual options.
const FEWEST: u64 = 3;

pub(super) fn nat(host: &Host, class: Option<Class>, translator: f64) -> Nat {
    let shown: u64 = host.stacks.iter().map(|(_, _, count)| count).sum();
    let usual = |count: u64| count >= FEWEST && count * 20 >= shown;
    let stacks = host.stacks.iter().filter(|(_, _, count)| usual(*count)).count();
    let mut signs = Vec::new();
    if stacks > 1 {
        signs.push(NatSign::Stacks(stacks));
    }
    if class == Some(Class::LinuxMany) {
        signs.push(NatSign::Counters);
    }
    let likely = !signs.is_empty();
    if translator > 0.5 {
        signs.push(NatSign::Range);
    }
    let hops = host.hops.filter(|hops| *hops > 0).map(NatSign::Hops);
    match (likely, signs.is_empty()) {
        (true, _) => Nat::Likely(signs),
        (false, false) => {
            signs.extend(hops);
            Nat::Possible(signs)
        }
        // A router alone decrements as well, so hops without another sign only allow for one.
        (false, true) if hops.is_some() => Nat::Possible(hops.into_iter().collect()),
        (false, true) if shown > 0 => Nat::NoSign,
        (false, true) => Nat::Unknown,
    }
}
