//! Who makes ports in which way, and how likely it is to meet them.

use dayfly_ports::{PortRange, Protocol};
use dayfly_systems::{Class as Sockets, SYSTEMS};

use super::class::Class;

/// A known way of making ports: somebody, a rule and a range.
#[derive(Clone, Debug)]
pub(super) struct Maker {
    /// A name of `dayfly systems`, or of a stack that is none.
    pub(super) name: &'static str,
    /// Which versions, where the range tells.
    pub(super) since: &'static str,
    pub(super) class: Class,
    pub(super) range: PortRange,
    /// How likely it is to meet; all of them sum to one.
    pub(super) prior: f64,
}

/// A rule, and how often it is met among others of the same system.
type Rule = (Class, f64);

const LINUX: &[Rule] = &[
    (Class::LinuxConnect, 0.5),
    (Class::LinuxConnect512, 0.05),
    (Class::LinuxConnect46, 0.05),
    (Class::LinuxBind, 0.15),
    (Class::LinuxBindReuse, 0.05),
    (Class::LinuxBoth, 0.08),
    (Class::LinuxMany, 0.05),
    (Class::HashedCounter, 0.02),
    (Class::Random, 0.05),
];
const RANDOM: &[Rule] = &[(Class::Random, 1.0)];
const UPWARDS: &[Rule] = &[(Class::Upwards, 1.0)];
/// Where the algorithm is not published, or was not looked up: a guess that claims little.
const UNPUBLISHED: &[Rule] =
    &[(Class::Upwards, 0.4), (Class::DestinationCounter, 0.25), (Class::Random, 0.35)];

/// How likely each system of dayfly-systems is to be met, and its rules for TCP and for the rest.
fn of_system(name: &str) -> (f64, &'static [Rule], &'static [Rule]) {
    match name {
        "linux" => (0.40, LINUX, RANDOM),
        "android" => (0.08, LINUX, RANDOM),
        "windows" => (0.12, UNPUBLISHED, UNPUBLISHED),
        "macos" => (0.10, &[(Class::Upwards, 0.9), (Class::Random, 0.1)], RANDOM),
        "freebsd" => (0.04, &[(Class::Random, 0.95), (Class::Upwards, 0.05)], RANDOM),
        "openbsd" => (0.02, RANDOM, RANDOM),
        "netbsd" => {
            const NETBSD: &[Rule] =
                &[(Class::Downwards, 0.9), (Class::Random, 0.06), (Class::RandomSteps, 0.04)];
            (0.02, NETBSD, NETBSD)
        }
        "illumos" | "solaris" => (0.015, RANDOM, RANDOM),
        "windows-xp" | "tru64" | "irix" | "bsdos" => (0.005, UPWARDS, UPWARDS),
        _ => (0.01, UNPUBLISHED, UNPUBLISHED),
    }
}

/// Name, ends, chance, rules for TCP and for the rest.
type Stack = (&'static str, u16, u16, f64, &'static [Rule], &'static [Rule]);

/// Stacks and translators that are no systems.
const STACKS: [Stack; 7] = [
    ("netfilter masquerade random", 1024, 65535, 0.04, RANDOM, RANDOM),
    ("lwip", 49152, 65534, 0.03, UPWARDS, &[]),
    ("lwip", 49152, 65535, 0.01, &[], UPWARDS),
    ("gvisor", 16000, 65535, 0.02, &[(Class::HashedCounter, 0.9), (Class::Random, 0.1)], RANDOM),
    ("embassy-net", 1025, 65535, 0.01, UPWARDS, UPWARDS),
    ("vpp", 1024, 65535, 0.01, RANDOM, RANDOM),
    ("seastar", 41952, 65535, 0.005, RANDOM, RANDOM),
];

/// Every known way for this protocol.
pub(super) fn makers(protocol: Protocol) -> Vec<Maker> {
    let of_protocol = |tcp, rest| if protocol == Protocol::Tcp { tcp } else { rest };
    let mut makers: Vec<Maker> = Vec::new();
    let mut add = |name, since, range, chance: f64, rules: &[Rule]| {
        for (class, share) in rules {
            let same = |maker: &&mut Maker| {
                (maker.name, maker.class, maker.range) == (name, *class, range)
            };
            // Systems with a setting for each family have the same default in both.
            if makers.iter_mut().find(same).is_none() {
                makers.push(Maker { name, since, class: *class, range, prior: chance * share });
            }
        }
    };
    for system in SYSTEMS {
        let (chance, tcp, rest) = of_system(system.name);
        let slots = system
            .slots
            .iter()
            .filter(|slot| slot.class == Sockets::Default && slot.protocols.contains(&protocol));
        for slot in slots {
            for (age, default) in slot.defaults.iter().rev().enumerate() {
                // Old versions are met less often.
                let chance = chance * 0.1_f64.powi(age as i32);
                add(system.name, default.since, default.range, chance, of_protocol(tcp, rest));
            }
        }
    }
    for (name, low, high, chance, tcp, rest) in STACKS {
        if let Ok(range) = PortRange::new(low, high) {
            add(name, "", range, chance, of_protocol(tcp, rest));
        }
    }
    let sum: f64 = makers.iter().map(|maker| maker.prior).sum();
    makers.iter_mut().for_each(|maker| maker.prior /= sum);
    makers
}

/// How likely a rule is where range and system are nobody's.
pub(super) fn prior(class: Class, protocol: Protocol) -> f64 {
    let tcp_only = match class {
        Class::LinuxBind | Class::LinuxConnect => 0.08,
        Class::LinuxOwnRange => 0.06,
        Class::LinuxBoth | Class::LinuxMany => 0.03,
        Class::LinuxConnect512 | Class::LinuxConnect46 => 0.03,
        // Without a known range it is bind() over a range half as long.
        Class::LinuxBindReuse => 0.0,
        Class::Random => return 0.24,
        Class::Upwards => return 0.12,
        Class::Downwards => return 0.04,
        Class::RandomSteps => return 0.06,
        Class::HashedCounter | Class::DestinationCounter => return 0.08,
        Class::Fixed => return 0.05,
    };
    if protocol == Protocol::Tcp { tcp_only } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_there_once() {
        for protocol in Protocol::ALL {
            let makers = makers(protocol);
            let sum: f64 = makers.iter().map(|maker| maker.prior).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{protocol}: {sum}");
            for (index, one) in makers.iter().enumerate() {
                let again = makers[..index].iter().any(|other| {
                    (other.name, other.class, other.range) == (one.name, one.class, one.range)
                });
                assert!(!again, "{protocol}: {one:?}");
            }
        }
        let tcp = makers(Protocol::Tcp);
        for system in SYSTEMS {
            assert!(tcp.iter().any(|maker| maker.name == system.name), "{}", system.name);
        }
    }
}
