//! What the commands of every operating system print, and the plans made from it.
#![no_main]

use dayfly_systems::{Request, SYSTEMS, decoded};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = decoded(bytes);
    let range = "20000-29999".parse().ok();
    for system in SYSTEMS {
        let Ok(current) = system.read(&text) else { continue };
        for found in &current.ranges {
            assert!(found.range().is_none_or(|range| range.low() <= range.high()));
        }
        let request = Request { range, current: Some(&current), ..Request::default() };
        if let Ok(plan) = system.plan(&request) {
            assert!(plan.steps.is_empty() || !plan.script().is_empty());
        }
    }
});
