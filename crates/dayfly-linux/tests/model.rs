//! The model of a destination against the kernel, port by port: can this port be had for this
//! destination?

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its ground fails")]

use std::cell::Cell;
use std::net::{IpAddr, SocketAddr};

use dayfly_insight::DestinationKey;
use dayfly_insight::why::{DestinationAnswer, DestinationStudy};
use dayfly_linux::observe::{held_back, sweep};
use dayfly_linux::probe::{PortVerdict, Probe};
use dayfly_linux::settings;
use dayfly_ports::{Port, Protocol};
use dayfly_testkit::{Kind, Scenario, Stage, check_many, privileged, scenarios};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

fn study(source: IpAddr, destination: SocketAddr, settle: bool) -> DestinationAnswer {
    let settings = settings::read().unwrap();
    let key = DestinationKey::tcp(source, destination);
    let start = || DestinationStudy::new(settings.clone(), key, 0);
    let (mut study, degraded) = sweep(&settings, start, DestinationStudy::add).unwrap();
    assert_eq!(degraded, []);
    if settle {
        study.settle(&held_back(&study.unsettled()).unwrap());
    }
    study.finish()
}

/// Compares model and kernel on every port of the range; counts the ports asked about.
fn agrees(scenario: &Scenario, settle: bool, asked: &Cell<u32>) -> Result<(), TestCaseError> {
    let stage = Stage::play(scenario);
    let destinations: Vec<_> = stage.destinations().collect();
    stage
        .namespace()
        .run(|| {
            let probe = Probe::new().unwrap();
            let mut count = 0;
            for &(source, destination) in &destinations {
                let answer = study(source, destination, settle);
                for port in probe.range().iter() {
                    let kernel = probe.port(Some(source), destination, port).unwrap();
                    let model = answer.allows(port);
                    let holder =
                        answer.holders.iter().find(|held| held.socket.tuple.local_port == port);
                    prop_assert_eq!(
                        model,
                        kernel == PortVerdict::Free,
                        "port {} from {} to {}: {:?}",
                        port,
                        source,
                        destination,
                        holder
                    );
                    count += 1;
                }
                // The search as a whole; with three ports it overlooks one, and so does the model.
                let found = probe.any(Some(source), destination).unwrap().port;
                let odd = probe.range().len() % 2 == 1;
                prop_assert!(answer.connects() == found.is_some() || odd);
                prop_assert!(found.is_none_or(|port| answer.allows(port)));
            }
            Ok(count)
        })
        .map(|count| asked.set(asked.get() + count))
}

fn check(seed: u64, cases: u32, kind: Kind, settle: bool) {
    let asked = Cell::new(0);
    check_many(seed, cases, &scenarios(kind), |scenario| agrees(scenario, settle, &asked));
    println!("{kind:?}: {cases} scenarios, {} ports asked about, all agree", asked.get());
    assert!(asked.get() > cases);
}

#[test]
fn everything_a_snapshot_shows() {
    privileged!();
    check(1, 300, Kind::Open, false);
}

#[test]
fn ranges_of_odd_length() {
    privileged!();
    check(2, 150, Kind::Odd, false);
}

#[test]
fn hidden_holders_once_the_kernel_was_asked() {
    privileged!();
    check(3, 300, Kind::Hidden, true);
}

#[test]
fn protocols_without_a_range_have_no_ports() {
    let settings = dayfly_insight::Settings::linux_defaults();
    let key = DestinationKey {
        protocol: Protocol::Sctp,
        ..DestinationKey::tcp([127, 0, 0, 1].into(), "127.0.0.1:80".parse().unwrap())
    };
    let answer = DestinationStudy::new(settings, key, 0).finish();
    assert!(!answer.connects() && !answer.allows(Port::new(40000)));
}
