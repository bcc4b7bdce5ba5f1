//! Scenarios: whatever is written is understood or refused with a place in the text, and what is
//! understood and small runs to its end.
#![no_main]

use dayfly_lab::scenario::{Pace, SECOND, Scenario};
use dayfly_lab::simulate::Simulation;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| match Scenario::parse(text) {
    Err(error) => {
        assert!(!error.message.is_empty());
        assert!(error.line >= 1 && error.column >= 1);
        assert!(error.line <= text.lines().count() + 1);
    }
    Ok(mut scenario) => {
        let small = |pace: &Pace| match pace {
            Pace::Poisson(rate) | Pace::Constant(rate) | Pace::Bursts(rate, _) => *rate <= 1e4,
            Pace::Parallel(parallel, _) => *parallel <= 100,
        };
        let hosts: u32 = scenario.hosts.iter().map(|host| host.count * host.addresses).sum();
        if hosts > 100 || !scenario.workloads.iter().all(|work| small(&work.pace)) {
            return;
        }
        scenario.duration = scenario.duration.min(SECOND / 10);
        scenario.samples = scenario.samples.min(20);
        scenario.workloads.iter_mut().for_each(|work| work.count = Some(work.count.unwrap_or(200).min(200)));
        let outcome = Simulation::new(&scenario).run();
        assert_eq!(outcome.curve.len(), scenario.samples as usize);
    }
});
