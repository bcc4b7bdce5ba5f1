//! What was seen that speaks for an answer, in sentences.

use super::class::Class;
use super::trace::{Look, Trace};

/// The patterns that the classes are about, each with what was counted; the telling ones only.
pub(super) fn evidence(trace: &Trace, class: Option<Class>) -> Vec<String> {
    let mut found = Vec::new();
    let all = trace.looks.len();
    let odd = trace.looks.iter().filter(|look| look.port % 2 == 1).count();
    let (most, parity) = if odd * 2 > all { (odd, "odd") } else { (all - odd, "even") };
    let linux = class.is_some_and(|class| class.name().starts_with("linux"));
    if linux || most * 20 >= all * 19 {
        found.push(format!("{most} of {all} ports are {parity}"));
    }
    let next: Vec<(&Look, &Look)> =
        trace.looks.windows(2).filter_map(|pair| Some((pair.first()?, pair.last()?))).collect();
    let same: Vec<(&Look, &Look)> = trace.steps().collect();
    let soon: Vec<_> = same
        .iter()
        .copied()
        .filter(|(from, to)| match (from.at, to.at) {
            (Some(from), Some(to)) => to - from < 10.0,
            _ => true,
        })
        .collect();
    let count = |pairs: &[(&Look, &Look)], fits: &dyn Fn(i64) -> bool| {
        let step = |(from, to): &(&Look, &Look)| i64::from(to.port) - i64::from(from.port);
        pairs.iter().filter(|pair| fits(step(pair))).count()
    };
    let mut tell =
        |pairs: &[(&Look, &Look)], what: &str, step: &str, fits: &dyn Fn(i64) -> bool| {
            if !pairs.is_empty() {
                let hits = count(pairs, fits);
                found.push(format!("{hits} of {} steps {what} are {step}", pairs.len()));
            }
        };
    let to_same = "to the same destination";
    let to_next = "from one port to the next";
    match class {
        Some(Class::LinuxConnect | Class::LinuxMany | Class::LinuxBoth) => {
            let fits = |step: i64| (2..=16).contains(&step) && step % 2 == 0;
            tell(&soon, "to the same destination within ten seconds", "+2, +4, ... or +16", &fits);
        }
        Some(Class::LinuxOwnRange) => {
            let fits = |step: i64| (1..=8).contains(&step);
            tell(&soon, "to the same destination within ten seconds", "+1 to +8", &fits);
        }
        Some(Class::LinuxConnect512) => {
            tell(&same, to_same, "+2", &|step| step == 2);
            tell(&same, to_same, "+4", &|step| step == 4);
        }
        Some(Class::Upwards) => tell(&next, to_next, "+1", &|step| step == 1),
        Some(Class::Downwards) => tell(&next, to_next, "-1", &|step| step == -1),
        Some(Class::RandomSteps) => {
            tell(&next, to_next, "+1 to +500", &|step| (1..=500).contains(&step));
        }
        Some(Class::DestinationCounter) => tell(&same, to_same, "+1", &|step| step == 1),
        Some(Class::HashedCounter | Class::LinuxConnect46) => {
            let unit = if class == Some(Class::HashedCounter) { 1 } else { 2 };
            let moved = trace.looks.iter().enumerate().filter_map(|(index, look)| {
                let before = look.before?;
                let step = i64::from(look.port) - i64::from(trace.looks[before].port);
                Some(step == unit * (index - before) as i64)
            });
            let moved: Vec<bool> = moved.collect();
            let hits = moved.iter().filter(|hit| **hit).count();
            found.push(format!(
                "{hits} of {} steps to the same destination are +{unit} for each opening since, \
                 wherever it went",
                moved.len()
            ));
        }
        Some(Class::Random | Class::LinuxBind | Class::LinuxBindReuse) => {
            let near = |step: i64| step != 0 && step.abs() <= 16;
            tell(&same, to_same, "16 or less", &near);
            tell(&next, to_next, "16 or less", &near);
        }
        Some(Class::Fixed) => {
            let mut ports: Vec<u32> = trace.looks.iter().map(|look| look.port).collect();
            ports.sort_unstable();
            ports.dedup();
            found.push(format!("{} different ports in {all} openings", ports.len()));
        }
        None => {}
    }
    found
}
