//! The rules of `kernel_facts.rs` taken together: who knows every socket and how it was made can
//! say how many more connections the kernel grants. Where this fails, the rules are wrong, and so
//! is every model built on them.

use dayfly_testkit::{Kind, Scenario, Stage, check_many, privileged, scenarios};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

fn check(scenario: &Scenario) -> Result<(), TestCaseError> {
    let stage = Stage::play(scenario);
    let odd = (scenario.range.1 - scenario.range.0).is_multiple_of(2);
    for (source, destination) in stage.destinations() {
        let (room, fast) = stage.expected(source, destination);
        let (granted, granted_fast) = stage.granted(source, destination);
        // A call overlooks one end of an odd range, and turns to the other parity for it.
        let overlooked = usize::from(odd);
        prop_assert!(
            granted <= room && granted + overlooked >= room,
            "{source} to {destination}: {granted} granted, {room} expected"
        );
        prop_assert!(
            granted_fast <= fast && granted_fast + overlooked >= fast,
            "{source} to {destination}: {granted_fast} granted fast, {fast} expected"
        );
    }
    Ok(())
}

#[test]
fn the_rules_hold_for_what_a_snapshot_shows() {
    privileged!();
    check_many(1, 60, &scenarios(Kind::Open), check);
}

#[test]
fn the_rules_hold_for_what_a_snapshot_hides() {
    privileged!();
    check_many(2, 60, &scenarios(Kind::Hidden), check);
}

#[test]
fn the_rules_hold_for_odd_ranges() {
    privileged!();
    check_many(3, 40, &scenarios(Kind::Odd), check);
}

#[test]
fn the_rules_hold_for_thousands_of_ports() {
    privileged!();
    check_many(4, 3, &scenarios(Kind::Large), check);
}
