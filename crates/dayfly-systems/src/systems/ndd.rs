//! `ndd`: HP-UX, and Solaris up to 10. It prints values without their names.

use std::collections::{BTreeMap, VecDeque};

use crate::plan::{Change, Job};
use crate::read::port;
use crate::{Current, ReadError, Step, System, When};

/// The outputs of `ndd -get /dev/tcp tcp_smallest_anon_port ...`: bare numbers with blank lines
/// between. Where the text also holds the commands (a terminal's copy), the names in them say
/// which number is which, and the last wins; without, the numbers come in the order of the slots.
pub(super) fn read(system: &'static System, text: &str) -> Result<Current, ReadError> {
    let slots = system.slots.iter();
    let names: Vec<&'static str> = slots.flat_map(|slot| [slot.low, slot.high]).collect();
    let mut values: BTreeMap<&'static str, u16> = BTreeMap::new();
    let mut asked: VecDeque<&'static str> = VecDeque::new();
    let mut bare = names.iter().copied();
    let mut named = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let separators = |c: char| c.is_whitespace() || matches!(c, '=' | ':');
        let words: Vec<&str> = line.split(separators).filter(|word| !word.is_empty()).collect();
        let mut last = None;
        for word in &words {
            if let Some(&name) = names.iter().find(|known| known == &word) {
                asked.push_back(name);
                (last, named) = (Some(name), true);
            } else if let Some(name) = last
                && word.bytes().all(|byte| byte.is_ascii_digit())
            {
                // The value stands beside its name: of a change, or of somebody's own loop.
                values.insert(name, port(number, name, word)?.unwrap_or_default());
                asked.pop_back();
                last = None;
            }
        }
        let [word] = words[..] else { continue };
        if !word.bytes().all(|byte| byte.is_ascii_digit()) {
            continue;
        }
        let name = if named { asked.pop_front() } else { bare.next() };
        if let Some(name) = name {
            values.insert(name, port(number, name, word)?.unwrap_or_default());
        }
    }
    Ok(Current::of_values(system, |name| values.get(name).copied()))
}

/// The writes at run time.
pub(super) fn runtime(job: &Job<'_>, ndd: &str) -> Vec<Step> {
    if !job.when.now() {
        return Vec::new();
    }
    let steps = |change: &Change| {
        let device = device(change);
        let set = |name: &'static str, value| format!("{ndd} -set /dev/{device} {name} {value}");
        let show = |name: &'static str| format!("{ndd} /dev/{device} {name}");
        super::one_by_one(change, When::Runtime, set, show)
    };
    job.changes.iter().flat_map(steps).collect()
}

/// The driver of a slot: `tcp` in `/dev/tcp`.
pub(super) fn device(change: &Change) -> &'static str {
    change.slot.protocols.first().map_or("tcp", |protocol| protocol.name())
}
