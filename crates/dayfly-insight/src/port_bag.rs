//! The ports of one destination: a short list while they are few, a bitmap afterwards.

use dayfly_ports::{Port, PortSet};

/// Above this many ports a bag turns into a bitmap. 64 ports are 128 bytes, searched in a few
/// vector instructions; the bitmap is 8 KiB.
const FEW: usize = 64;

/// A set of ports that costs two bytes a port until it is large.
#[derive(Clone, Debug)]
pub(crate) enum PortBag {
    /// At most [`FEW`] ports, in the order they came.
    Few(Vec<u16>),
    /// Any number of them.
    Many(Box<PortSet>),
}

impl PortBag {
    /// The bag without a port.
    pub(crate) const fn new() -> Self {
        PortBag::Few(Vec::new())
    }

    /// Adds a port; true if it was not there.
    pub(crate) fn insert(&mut self, port: Port) -> bool {
        match self {
            PortBag::Many(ports) => ports.insert(port),
            PortBag::Few(ports) if ports.contains(&port.number()) => false,
            PortBag::Few(ports) if ports.len() < FEW => {
                ports.push(port.number());
                true
            }
            PortBag::Few(ports) => {
                let mut many: Box<PortSet> = Box::default();
                many.extend(ports.iter().map(|&port| Port::new(port)));
                many.insert(port);
                *self = PortBag::Many(many);
                true
            }
        }
    }

    /// How many of its ports are also in `set`.
    pub(crate) fn intersection_len(&self, set: &PortSet) -> u32 {
        match self {
            PortBag::Few(ports) => {
                ports.iter().filter(|&&port| set.contains(Port::new(port))).count() as u32
            }
            PortBag::Many(ports) => ports.intersection_len(set),
        }
    }

    /// Adds its ports to `set`.
    pub(crate) fn add_to(&self, set: &mut PortSet) {
        match self {
            PortBag::Few(ports) => set.extend(ports.iter().map(|&port| Port::new(port))),
            PortBag::Many(ports) => *set |= ports,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn few_and_many_answer_alike(numbers in prop::collection::vec(0u16..200, 0..150)) {
            let mut bag = PortBag::new();
            let mut set = PortSet::EMPTY;
            for number in numbers {
                prop_assert_eq!(bag.insert(Port::new(number)), set.insert(Port::new(number)));
            }
            let odd = PortSet::FULL.of_parity(Port::new(1));
            prop_assert_eq!(bag.intersection_len(&PortSet::FULL), set.len());
            prop_assert_eq!(bag.intersection_len(&odd), set.intersection_len(&odd));
            let mut copy = PortSet::EMPTY;
            bag.add_to(&mut copy);
            prop_assert_eq!(copy, set);
        }
    }
}
