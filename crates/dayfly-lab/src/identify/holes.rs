//! Ports of the range that are never handed out.

use dayfly_ports::{Port, PortRange, PortSet};

/// A gap is a hole if chance alone would leave one so long anywhere in the range with less than
/// this probability.
const CHANCE: f64 = 1e-3;

/// The holes between the lowest and the highest port seen, after `draws` draws over the range.
/// With `parity`, only ports of that parity are looked at.
pub(super) fn holes(ports: &PortSet, ends: PortRange, draws: f64, parity: Option<u32>) -> PortSet {
    let mut found = PortSet::EMPTY;
    let step = if parity.is_some() { 2 } else { 1 };
    let universe = f64::from(ends.len()) / f64::from(step);
    let is_hole = |missing: u32| {
        let each = (1.0 - f64::from(missing) / universe).max(0.0);
        missing > 0 && universe * each.powf(draws) < CHANCE
    };
    let counts = |port: &Port| {
        ends.contains(*port) && parity.is_none_or(|parity| u32::from(port.number()) % 2 == parity)
    };
    let mut last: Option<Port> = None;
    for port in ports.iter().filter(counts) {
        if let Some(last) = last {
            let missing = u32::from(port.number() - last.number()) / step - 1;
            if is_hole(missing)
                && let Ok(hole) = PortRange::new(last.number() + 1, port.number() - 1)
            {
                found.insert_range(hole);
            }
        }
        last = Some(port);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_holes_when_there_were_enough_draws() {
        let ends = PortRange::new(10000, 10999).unwrap();
        let mut ports = PortSet::from(ends);
        for port in 10400..=10409 {
            ports.remove(Port::new(port));
        }
        ports.remove(Port::new(10800));
        assert!(holes(&ports, ends, 500.0, None).is_empty());
        let some = holes(&ports, ends, 3_000.0, None);
        assert_eq!(some.to_string(), "10400-10409");
        assert_eq!(holes(&ports, ends, 20_000.0, None).to_string(), "10400-10409,10800");
    }
}
