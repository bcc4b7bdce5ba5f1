//! Which pairs of ports a rule's conditions hold for.

use super::model::{Condition, Family, Ruleset, Test};
use super::outcome::{Decision, Outcome};
use super::packet::{Direction, Packet, Translation};
use super::region::Region;

/// A region, divided by conditions; the pairs for which they do not hold are left out.
pub(super) struct Split {
    /// They hold.
    pub(super) yes: Region,
    /// They may hold.
    pub(super) maybe: Region,
    /// Whether it is a rule that cannot be read that leaves it open.
    pub(super) opaque: bool,
}

/// How finely source ports are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grain {
    /// Exactly.
    Fine,
    /// All of them, none of them, or it depends.
    Coarse,
}

/// What a test says about a packet before its ports are looked at.
enum Answer<'a> {
    Yes,
    No,
    Maybe { opaque: bool },
    From(&'a super::model::Spans),
    To(&'a super::model::Spans),
}

/// Divides a region by conditions that all have to hold.
pub(super) fn split(
    conditions: &[Condition],
    packet: &Packet,
    region: &Region,
    grain: Grain,
) -> Split {
    // What needs no look at the ports rules most rules out.
    let excluded = |condition: &Condition| match condition {
        Condition::Is(test) => match answer(test, packet) {
            Answer::To(spans) => !region.touches_ports(spans),
            answer => matches!(answer, Answer::No),
        },
        Condition::Not(test) => matches!(answer(test, packet), Answer::Yes),
        Condition::Any { .. } => false,
    };
    let nothing = || Split { yes: Region::empty(), maybe: Region::empty(), opaque: false };
    if conditions.iter().any(excluded) {
        return nothing();
    }
    let mut split = Split { yes: region.clone(), maybe: Region::empty(), opaque: false };
    for condition in conditions {
        split = narrowed(condition, packet, split, grain);
        if split.yes.is_empty() && split.maybe.is_empty() {
            return nothing();
        }
    }
    split
}

fn narrowed(condition: &Condition, packet: &Packet, before: Split, grain: Grain) -> Split {
    if grain == Grain::Coarse
        && let Condition::Is(test) | Condition::Not(test) = condition
        && let Answer::From(spans) = answer(test, packet)
    {
        let negated = matches!(condition, Condition::Not(_));
        return roughly(spans, negated, before);
    }
    match condition {
        Condition::Is(test) => match answer(test, packet) {
            Answer::Yes => before,
            Answer::No => {
                Split { yes: Region::empty(), maybe: Region::empty(), opaque: before.opaque }
            }
            Answer::Maybe { opaque } => Split {
                maybe: before.yes.union(&before.maybe),
                yes: Region::empty(),
                opaque: before.opaque | opaque,
            },
            Answer::From(spans) => Split {
                yes: before.yes.with_sources(spans),
                maybe: before.maybe.with_sources(spans),
                ..before
            },
            Answer::To(spans) => Split {
                yes: before.yes.with_ports(spans),
                maybe: before.maybe.with_ports(spans),
                ..before
            },
        },
        Condition::Not(test) => match answer(test, packet) {
            Answer::Yes => {
                Split { yes: Region::empty(), maybe: Region::empty(), opaque: before.opaque }
            }
            Answer::No => before,
            Answer::Maybe { opaque } => Split {
                maybe: before.yes.union(&before.maybe),
                yes: Region::empty(),
                opaque: before.opaque | opaque,
            },
            Answer::From(spans) => Split {
                yes: before.yes.minus(&before.yes.with_sources(spans)),
                maybe: before.maybe.minus(&before.maybe.with_sources(spans)),
                ..before
            },
            Answer::To(spans) => Split {
                yes: before.yes.minus(&before.yes.with_ports(spans)),
                maybe: before.maybe.minus(&before.maybe.with_ports(spans)),
                ..before
            },
        },
        Condition::Any { negated, groups, .. } => {
            let all = before.yes.union(&before.maybe);
            let held = any_of(groups, packet, &all, grain);
            let undecided = held.maybe.minus(&held.yes);
            let (yes, maybe) = if *negated {
                (all.minus(&held.yes).minus(&undecided), undecided)
            } else {
                (held.yes, undecided)
            };
            Split {
                yes: yes.intersection(&before.yes).minus(&before.maybe),
                maybe: maybe.union(&yes.intersection(&before.maybe)),
                opaque: before.opaque | held.opaque,
            }
        }
    }
}

/// A test of the source port that does not part what it may or may not hold for.
fn roughly(spans: &super::model::Spans, negated: bool, before: Split) -> Split {
    let all = before.yes.union(&before.maybe);
    // Every rule of a long list comes here: see which sides there are without making them.
    let (inside, outside) = (all.touches_sources(spans), all.leaves_sources(spans));
    let (holds, fails) = if negated { (outside, inside) } else { (inside, outside) };
    if !fails {
        before
    } else if !holds {
        Split { yes: Region::empty(), maybe: Region::empty(), opaque: before.opaque }
    } else {
        Split { yes: Region::empty(), maybe: all, opaque: before.opaque }
    }
}

fn any_of(groups: &[Box<[Test]>], packet: &Packet, region: &Region, grain: Grain) -> Split {
    let mut held = Split { yes: Region::empty(), maybe: Region::empty(), opaque: false };
    'groups: for group in groups {
        let mut part = Split { yes: region.clone(), maybe: Region::empty(), opaque: false };
        if group.iter().any(|test| matches!(answer(test, packet), Answer::No)) {
            continue;
        }
        for test in group {
            part = narrowed(&Condition::Is(test.clone()), packet, part, grain);
            if part.yes.is_empty() && part.maybe.is_empty() {
                continue 'groups;
            }
        }
        held.yes.add(&part.yes);
        held.maybe.add(&part.maybe);
        held.opaque |= part.opaque;
    }
    held
}

fn answer<'a>(test: &'a Test, packet: &Packet) -> Answer<'a> {
    let known = |holds: bool| if holds { Answer::Yes } else { Answer::No };
    let maybe = Answer::Maybe { opaque: false };
    let v4 = packet.family == Family::Ipv4;
    match test {
        Test::Family(family) => known(*family == packet.family),
        Test::Protocols(numbers) => known(numbers.contains(&packet.protocol.ip_number())),
        Test::SourcePort(spans) => match (packet.translation, packet.direction) {
            (Translation::To(port), Direction::Out) => known(spans.contains(port.into())),
            _ => Answer::From(spans),
        },
        Test::DestinationPort(spans) => match (packet.translation, packet.direction) {
            (Translation::To(port), Direction::In) => known(spans.contains(port.into())),
            _ => Answer::To(spans),
        },
        Test::Translated => known(packet.translation != Translation::None),
        Test::Source(set) | Test::Destination(set) => {
            let address = match test {
                Test::Source(_) => packet.source(),
                _ => packet.destination(),
            };
            match address {
                Some(address) => known(set.contains(address)),
                None if set.covers(v4) => Answer::Yes,
                // Nothing from or to loopback is asked about.
                None if set.is_only_loopback(v4) => Answer::No,
                None => maybe,
            }
        }
        Test::Input(names) | Test::Output(names) => {
            let asked = match test {
                Test::Input(_) => Direction::In,
                _ => Direction::Out,
            };
            match &packet.interface {
                // There is no such interface in this direction: an empty name.
                _ if asked != packet.direction => known(names.is_all()),
                Some(interface) => known(names.contains(interface)),
                None if names.is_all() => Answer::Yes,
                None if names.is_only_loopback() => Answer::No,
                None => maybe,
            }
        }
        Test::Local { destination } => known(*destination == (packet.direction == Direction::In)),
        Test::State(states) => known(states.contains(packet.state)),
        Test::Reply(reply) => known(*reply == packet.reply),
        Test::Helper(name) => known(packet.helper.as_deref() == Some(&**name)),
        Test::Flags { mask, value, any } => {
            let flags = packet.flags & mask;
            known(if *any { flags & value != 0 } else { flags == *value })
        }
        Test::Mark { mask, value } => match packet.mark {
            Some(mark) => known(mark & mask == *value),
            None => maybe,
        },
        Test::Known { holds, .. } => known(*holds),
        Test::Hidden { opaque, .. } => Answer::Maybe { opaque: *opaque },
    }
}

/// On what it depends whether these pairs pass, in words: what the first rule asks for that may
/// decide about them.
pub(super) fn condition(
    ruleset: &Ruleset,
    packet: &Packet,
    outcome: &Outcome,
    region: &Region,
) -> Option<String> {
    if region.is_empty() {
        return None;
    }
    let about = |one: &&Decision| !one.certain && one.about.touches(region);
    let decision = outcome.decisions.iter().find(about)?;
    let rule = ruleset.chains.get(decision.place.chain)?.rules.get(decision.place.rule?)?;
    let open = |test: &Test| matches!(answer(test, packet), Answer::Maybe { .. });
    let is_open = |condition: &&Condition| match condition {
        Condition::Is(test) | Condition::Not(test) => open(test),
        Condition::Any { groups, .. } => groups.iter().any(|group| group.iter().any(open)),
    };
    let words: Vec<String> =
        rule.conditions.iter().chain(&rule.late).filter(is_open).map(in_words).collect();
    let words = match words.as_slice() {
        // The rule that called this one's chain asked for something.
        [] => "what the rules before it ask for".to_owned(),
        words => words.join(", "),
    };
    Some(if decision.accepts { words } else { format!("not: {words}") })
}

/// As people say it: `source address 10.0.0.0/8`.
fn in_words(condition: &Condition) -> String {
    let (test, not) = match condition {
        Condition::Is(test) => (test, ""),
        Condition::Not(test) => (test, "not "),
        Condition::Any { .. } => return condition.to_string(),
    };
    match test {
        Test::Source(set) => format!("{not}source address {set}"),
        Test::Destination(set) => format!("{not}destination address {set}"),
        Test::Input(names) | Test::Output(names) => format!("{not}interface {names}"),
        test => format!("{not}{test}"),
    }
}

#[cfg(test)]
mod tests {
    use dayfly_ports::{PortSet, Protocol};

    use super::*;
    use crate::firewall::model::Spans;

    #[test]
    fn groups_hold_pairs_and_their_opposite_holds_the_rest() {
        let spans = |text: &str| Spans::from(&text.parse::<PortSet>().unwrap());
        let group = |from: &str, to: &str| -> Box<[Test]> {
            Box::new([Test::SourcePort(spans(from)), Test::DestinationPort(spans(to))])
        };
        let groups = [group("20", "1024-2000"), group("21", "1500-3000")];
        let packet = Packet::first(Direction::In, Family::Ipv4, Protocol::Tcp);
        let whole = Region::product(&PortSet::FULL, &PortSet::FULL);
        for negated in [false, true] {
            let any = Condition::Any { negated, groups: groups.clone().into(), name: "".into() };
            let held = split(&[any], &packet, &whole, Grain::Fine);
            assert!(held.maybe.is_empty());
            for (source, port, inside) in
                [(20, 1024, true), (20, 2001, false), (21, 2500, true), (22, 1600, false)]
            {
                assert_eq!(held.yes.contains(source, port), inside != negated, "{source} {port}");
            }
        }
    }
}
