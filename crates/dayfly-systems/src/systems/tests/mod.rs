//! What holds for every system, and what the tests of single ones share.

mod plans;
mod reads;

use dayfly_ports::{PortSet, Protocol};
use proptest::prelude::*;

use super::*;
use crate::{Class, Current, Family, Plan, Refusal, Request, decoded};

fn system(name: &str) -> &'static System {
    find(name).unwrap()
}

fn read(name: &str, text: &str) -> Current {
    let current = system(name).read(text).unwrap();
    // Whatever the line ends and blank lines round it, the same.
    for variant in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\n\n"),
        format!("# prompt\n{text}\nend of it\n"),
    ] {
        assert_eq!(system(name).read(&variant).as_ref(), Ok(&current), "{name}: {variant}");
    }
    // A terminal's copy holds the commands. For ndd and netsh they say what a number is.
    if !matches!(name, "solaris" | "hpux" | "windows") {
        let typed: String =
            system(name).reads.iter().map(|command| format!("# {command}\n{command}\n")).collect();
        assert_eq!(system(name).read(&format!("{typed}{text}")).as_ref(), Ok(&current), "{name}");
    }
    current
}

/// `tcp 32768-65535; udp ...` of all that was read.
fn ranges(current: &Current) -> String {
    let texts: Vec<_> = current
        .ranges
        .iter()
        .map(|found| {
            let end = |end: Option<u16>| end.map_or("?".to_owned(), |port| port.to_string());
            format!("{} {}-{}", found.slot.scope(), end(found.low), end(found.high))
        })
        .collect();
    texts.join("; ")
}

fn plan(name: &str, range: &str) -> Plan {
    asked(name, range, None).unwrap()
}

fn asked(name: &str, range: &str, current: Option<&str>) -> Result<Plan, Refusal> {
    let current = current.map(|text| system(name).read(text).unwrap());
    let range = Some(range.parse().unwrap());
    system(name).plan(&Request { range, current: current.as_ref(), ..Request::default() })
}

fn actions(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.action.to_string()).collect()
}

fn undo(plan: &Plan) -> Vec<String> {
    plan.undo().map(ToString::to_string).collect()
}

#[test]
fn every_system_is_found_and_well_formed() {
    let names: Vec<_> = SYSTEMS.iter().map(|system| system.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    for system in SYSTEMS {
        assert_eq!(find(&system.name.to_uppercase()).map(|found| found.name), Some(system.name));
        for alias in system.aliases {
            assert_eq!(find(alias).map(|found| found.name), Some(system.name), "{alias}");
        }
        assert!(system.slots.iter().all(|slot| !slot.defaults.is_empty()), "{}", system.name);
        assert!(system.page.starts_with(&format!("# {}\n", system.title)), "{}", system.name);
        assert!(system.page.len() > 400, "{}", system.name);
    }
    assert!(find("plan9").is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any text is read or refused by each system, and what is read can be planned from.
    #[test]
    fn any_text_is_read_or_refused(
        text in "(\\PC|\n){0,60}",
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..30),
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        for text in [text, words.concat(), decoded(&bytes)] {
            for system in SYSTEMS {
                let Ok(current) = system.read(&text) else { continue };
                let request = Request {
                    range: "20000-29999".parse().ok(),
                    current: Some(&current),
                    ..Request::default()
                };
                if let Ok(plan) = system.plan(&request) {
                    prop_assert!(!plan.script().is_empty());
                }
            }
        }
    }

    /// Whatever range, the plan says where it leads, and every step can be taken back.
    #[test]
    fn any_range_is_planned_or_refused(a in any::<u16>(), b in any::<u16>()) {
        let range = PortRange::new(a.min(b), a.max(b)).unwrap();
        for system in SYSTEMS {
            let request = Request { range: Some(range), ..Request::default() };
            match system.plan(&request) {
                Ok(plan) => {
                    for change in &plan.changes {
                        prop_assert_eq!(change.to.intersection(range), Some(change.to));
                    }
                    prop_assert!(plan.steps.iter().all(|step| !step.undo.is_empty()));
                }
                Err(refusal) => prop_assert!(!refusal.hint.is_empty()),
            }
        }
    }
}

const WORDS: [&str; 36] = [
    "\n",
    "\r\n",
    " ",
    "\t",
    "=",
    ": ",
    " = ",
    "->",
    "NONE",
    "--",
    "0",
    "1024",
    "49152",
    "65535",
    "65536",
    "4294967296",
    "tcp",
    "udp",
    "ipv6",
    "Start Port : ",
    "DynamicPortRangeStartPort : ",
    "MaxUserPort",
    "0xfffe",
    "tcp_ephemeral_low",
    "tcp_ephemeral_high",
    "net.inet.ip.portrange.first",
    "net.inet.ip.portrange.last",
    "tcp_smallest_anon_port",
    "tcp_largest_anon_port",
    "net.ipv4.ip_local_port_range",
    "ip_local_reserved_ports",
    "net.inet.ip.anonportmin",
    "net.inet.ip.portfirst",
    "PROTO PROPERTY CURRENT\n",
    "NDD_NAME[0]=",
    "smallest_anon_port",
];
