//! The verdict about a conversation: which of its packets decides, by which rule, in words.

use dayfly_ports::PortSet;

use super::talk::{Leg, Talk, widest};
use super::{Aside, Asked, Flow, FlowVerdict, Part, Stopped};
use crate::firewall::matching::condition;
use crate::firewall::model::State;
use crate::firewall::outcome::Decision;
use crate::firewall::packet::Direction;
use crate::firewall::region::Region;

impl Asked<'_> {
    pub(super) fn judge(&self, part: &Part, talk: &Talk, aside: Aside) -> Flow {
        let whole = &part.locals;
        let named = talk.yes.union(&talk.depends);
        let best = widest(&talk.yes, whole);
        let best_named = widest(&named, whole);
        let best_possible = widest(&named.union(&talk.opaque), whole);
        let full = |best: &Option<(PortSet, PortSet)>| {
            best.as_ref().is_some_and(|(_, ports)| ports == whole)
        };
        let nothing = || (PortSet::EMPTY, PortSet::EMPTY);
        let (verdict, (peers, ports)) = if whole.is_empty() {
            (FlowVerdict::Blocked, nothing())
        } else if full(&best) {
            (FlowVerdict::Passes, best.unwrap_or_else(nothing))
        } else if full(&best_named) {
            (FlowVerdict::Passes, best_named.unwrap_or_else(nothing))
        } else if full(&best_possible) {
            (FlowVerdict::Unknown, best_possible.unwrap_or_else(nothing))
        } else if let Some(best) = best.or(best_named) {
            (FlowVerdict::Partly, best)
        } else if !talk.opaque.is_empty() {
            (FlowVerdict::Unknown, best_possible.unwrap_or_else(nothing))
        } else {
            (FlowVerdict::Blocked, nothing())
        };
        let works = Region::product(&peers, &ports);
        let mut needs: Vec<String> = Vec::new();
        if peers != part.peers && !peers.is_empty() && verdict != FlowVerdict::Unknown {
            let side = match part.first.direction {
                Direction::In => "source port",
                Direction::Out => "destination port",
            };
            needs.push(format!("{side} {peers}"));
        }
        if verdict == FlowVerdict::Passes || verdict == FlowVerdict::Partly {
            needs.extend(self.conditions(talk, &works));
        }
        let (leg, decided) = self.decider(talk, verdict, part, &works).unzip();
        let stopped = leg.filter(|_| verdict != FlowVerdict::Passes).map(|leg| Stopped {
            direction: leg.packet.direction,
            opens: leg.packet.state != State::Established,
            carries_data: part.carries_data,
        });
        let rule = decided.map(|decision| self.ruleset.name_of(decision.place));
        let translates = decided.is_some_and(|decision| self.ruleset.translates(decision.place));
        let why = sentence(part, verdict, &ports, rule.as_deref(), aside, translates);
        Flow {
            kind: self.kind,
            protocol: self.protocol,
            family: Some(self.family),
            verdict,
            needs: (!needs.is_empty()).then(|| needs.join(", ")),
            why,
            rule,
            place: decided.map(|decision| decision.place),
            stopped,
            peers: Box::new(if peers.is_empty() { part.peers.clone() } else { peers }),
            works_with: Box::new(ports),
            wanted: Box::new(part.locals.clone()),
        }
    }

    /// On what else it depends, in words.
    fn conditions(&self, talk: &Talk, works: &Region) -> Option<String> {
        let open = works.minus(&talk.yes);
        talk.legs.iter().find_map(|leg| {
            let asked = leg.as_sent(&open.minus(&leg.passes));
            condition(self.ruleset, &leg.packet, &leg.outcome, &asked)
        })
    }

    fn decider<'t>(
        &self,
        talk: &'t Talk,
        verdict: FlowVerdict,
        part: &Part,
        works: &Region,
    ) -> Option<(&'t Leg, &'t Decision)> {
        let whole = Region::product(&part.peers, &part.locals);
        let in_leg = |leg: &'t Leg| match verdict {
            FlowVerdict::Passes => leg.outcome.decision(true, &leg.as_sent(works)),
            FlowVerdict::Unknown => {
                let asked = leg.as_sent(&talk.opaque);
                leg.outcome.decisions.iter().find(|one| !one.certain && one.about.touches(&asked))
            }
            FlowVerdict::Blocked | FlowVerdict::Partly => {
                let failing = whole.minus(&talk.yes);
                // Of a part, the part that would be expected: what goes with the same peers.
                let failing = match works.cells() {
                    [cell] => {
                        let with = Region::product(&cell.sources, &part.locals);
                        failing.intersection(&with)
                    }
                    _ => failing,
                };
                leg.outcome.decision(false, &leg.as_sent(&failing))
            }
        };
        talk.legs.iter().find_map(|leg| Some((leg, in_leg(leg)?)))
    }
}

fn sentence(
    part: &Part,
    verdict: FlowVerdict,
    ports: &PortSet,
    rule: Option<&str>,
    aside: Aside,
    translates: bool,
) -> String {
    let (what, wanted) = (part.what, &part.locals);
    let away = if translates { "sent to another port" } else { "dropped" };
    let side = match part.first.direction {
        Direction::In => "to our port",
        Direction::Out => "from our port",
    };
    match (verdict, rule) {
        _ if wanted.is_empty() => "there is no port to use: the range is empty".to_owned(),
        (FlowVerdict::Passes, Some(rule)) => {
            format!("{what} {side} {wanted} is accepted{} ({rule})", aside.passes)
        }
        (FlowVerdict::Passes, None) => format!("nothing filters {what} {side} {wanted}"),
        (FlowVerdict::Partly, rule) => {
            let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
            format!(
                "{what} passes {side} {ports} only; of {wanted} the rest is {away}{}{rule}",
                aside.fails
            )
        }
        (FlowVerdict::Blocked, rule) => {
            let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
            format!("{what} {side} {wanted} is {away}{}{rule}", aside.fails)
        }
        (FlowVerdict::Unknown, rule) => {
            let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
            if translates {
                format!("{what} {side} {wanted} is sent to another host or address{rule}")
            } else {
                format!("a rule that cannot be read decides about {what} {side} {wanted}{rule}")
            }
        }
    }
}
