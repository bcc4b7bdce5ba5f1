//! The rules of every firewall, and packets sent through what was read of them.
#![no_main]

use dayfly_insight::firewall::model::Family;
use dayfly_insight::firewall::packet::{Direction, Packet};
use dayfly_insight::firewall::readers::{Format, read};
use dayfly_insight::firewall::region::Region;
use dayfly_ports::{PortRange, PortSet, Protocol};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let _ = read(text);
    for format in Format::ALL {
        let Ok(ruleset) = format.read(text) else { continue };
        let ports = PortRange::new(1, 9).map_or(PortSet::EMPTY, PortSet::from);
        let asked = Region::product(&PortSet::FULL, &ports);
        for direction in [Direction::In, Direction::Out] {
            let packet = Packet::first(direction, Family::Ipv4, Protocol::Tcp);
            let outcome = ruleset.evaluate(&packet, &asked);
            // Every pair goes somewhere, and none comes from nowhere.
            let decided = outcome.passed.union(&outcome.blocked);
            assert!(asked.minus(&decided).is_empty() && decided.minus(&asked).is_empty());
        }
    }
});
