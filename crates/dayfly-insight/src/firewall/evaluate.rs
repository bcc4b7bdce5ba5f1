//! Which pairs of ports a ruleset lets through: the kernel's walk over chains, for all ports at
//! once.
//!
//! A rule that asks for something unknown may match or not, so its ports go both ways: they are
//! decided by the rule *and* go on to the next one. What ends up on both sides depends on
//! something; what is on one side only is certain. Where a rule that cannot be read had a hand in
//! it, the pair is marked opaque.
//!
//! The order of hooks and chains, and that accepting ends one chain only while dropping ends
//! everything, is `nf_hook_slow` in `net/netfilter/core.c`; jumps are `nft_do_chain` in
//! `net/netfilter/nf_tables_core.c`.

use std::cell::Cell;

use super::matching::{Grain, Split, split};
use super::model::{
    Base, Condition, Effect, Hook, JUMPS, RulePlace, Ruleset, State, TRANSLATION, TRANSLATION_BACK,
    Target, Test, Verdict,
};
use super::outcome::{Decision, Moved, Outcome, Trace};
use super::packet::{Direction, Packet, Translation};
use super::region::Region;

/// The conntrack hook's priority (`NF_IP_PRI_CONNTRACK`): chains before it see no state.
const CONNTRACK: i32 = -200;
/// Steps after which a walk ends, and says so: no real ruleset needs as many, crossed jumps may.
const STEPS: u64 = 30_000_000;
/// What a chain that is entered counts for, in steps: crossed jumps enter the same ones again and
/// again.
const ENTRY: u64 = 500;
/// What a decision counts for: each is kept.
const DECISION: u64 = 50;

impl Ruleset {
    /// Sends a kind of packet, with these ports, through every chain on its way.
    #[must_use]
    pub fn evaluate(&self, packet: &Packet, region: &Region) -> Outcome {
        let hooks = match packet.direction {
            Direction::In => Hook::INCOMING,
            Direction::Out => Hook::OUTGOING,
        };
        let mut walk = Walk {
            ruleset: self,
            outcome: Outcome::default(),
            steps: Cell::new(STEPS),
            path: Vec::new(),
            grain: self.grain(),
        };
        // What is open already is translated on its way, and its answers are translated back.
        let translation = packet.translation;
        let mut first = packet.clone();
        if packet.direction == Direction::In {
            first.translation = Translation::None;
        }
        let mut live = vec![(first, region.clone())];
        for (hook, (chain, base)) in hooks
            .into_iter()
            .flat_map(|hook| self.called_at(hook).into_iter().map(move |it| (hook, it)))
        {
            let family = self.chains[chain].family;
            if family.is_some_and(|family| family != packet.family) {
                continue;
            }
            let mut accepted = Vec::new();
            for (mut packet, region) in live {
                if translation != Translation::None {
                    let reached = base.called_at() >= TRANSLATION || hook == Hook::Input;
                    packet.translation = match (packet.direction, hook) {
                        (Direction::In, Hook::Prerouting | Hook::Input) if reached => translation,
                        (Direction::Out, Hook::Postrouting)
                            if base.called_at() > TRANSLATION_BACK =>
                        {
                            Translation::Same
                        }
                        (Direction::Out, Hook::Egress) => Translation::Same,
                        _ => packet.translation,
                    };
                }
                walk.base_chain(chain, base, hook, packet, region, &mut accepted);
            }
            live = accepted;
        }
        for (_, region) in live {
            walk.outcome.passed.add(&region);
        }
        walk.outcome
    }
}

impl Ruleset {
    /// Each rule with source ports of its own may part every cell of a region: with thousands of
    /// them nobody has asked about a certain one, and they are told apart no longer.
    fn grain(&self) -> Grain {
        const MOST: usize = 400;
        let of_source = |test: &Test| matches!(test, Test::SourcePort(_));
        let weight = |condition: &Condition| match condition {
            Condition::Is(test) | Condition::Not(test) => usize::from(of_source(test)),
            Condition::Any { groups, .. } => {
                groups.iter().filter(|group| group.iter().any(of_source)).count()
            }
        };
        let rules = self.chains.iter().flat_map(|chain| &chain.rules);
        let mut total = 0;
        for condition in rules.flat_map(|rule| rule.conditions.iter().chain(&rule.late)) {
            total += weight(condition);
            if total > MOST {
                return Grain::Coarse;
            }
        }
        Grain::Fine
    }
}

/// Packets on their way, with what has been changed about them.
type Live = Vec<(Packet, Region)>;

/// Where a chain's packets go.
struct Sinks<'a> {
    /// Through: the hook's next chain.
    exits: &'a mut Live,
    /// Back to the caller.
    returned: Live,
    /// On to the next rule.
    back: Live,
}

struct Walk<'a> {
    ruleset: &'a Ruleset,
    outcome: Outcome,
    steps: Cell<u64>,
    /// The chains that jumped into one another to where it is.
    path: Vec<usize>,
    grain: Grain,
}

impl Walk<'_> {
    fn base_chain(
        &mut self,
        chain: usize,
        base: Base,
        hook: Hook,
        packet: Packet,
        region: Region,
        accepted: &mut Live,
    ) {
        let tracked = packet.state != State::Untracked;
        // What a helper expected is translated as its own first packet.
        let opens = tracked && matches!(packet.state, State::New | State::Related) && !packet.reply;
        if base.first_packet_only && (!opens || packet.translation != Translation::None) {
            join(accepted, packet, &region);
            return;
        }
        let before_conntrack = matches!(hook, Hook::Ingress)
            || (matches!(hook, Hook::Prerouting | Hook::Output) && base.priority < CONNTRACK);
        let state = packet.state;
        let mut seen = packet;
        if before_conntrack && tracked {
            seen.state = State::Invalid;
        }
        let mut exits = Vec::new();
        let rest = self.chain(chain, seen, region, 0, &mut exits);
        for (packet, region) in rest {
            self.decide(RulePlace { chain, rule: None }, base.accepts, true, &region);
            if base.accepts {
                join(&mut exits, packet, &region);
            } else {
                self.outcome.blocked.add(&region);
            }
        }
        for (mut packet, region) in exits {
            if before_conntrack && packet.state == State::Invalid {
                packet.state = state;
            }
            join(accepted, packet, &region);
        }
    }

    /// Walks a chain; what it accepts goes to `exits`, what falls through is returned.
    fn chain(
        &mut self,
        index: usize,
        packet: Packet,
        region: Region,
        depth: usize,
        exits: &mut Live,
    ) -> Live {
        let ruleset = self.ruleset;
        // The kernel refuses circles; a file may have some.
        let follows = depth <= JUMPS && !self.path.contains(&index) && self.spend(ENTRY);
        let Some(chain) = ruleset.chains.get(index).filter(|_| follows) else {
            self.give_up(packet, &region, exits);
            return Vec::new();
        };
        self.path.push(index);
        let mut live: Live = vec![(packet, region)];
        let mut sinks = Sinks { exits, returned: Vec::new(), back: Vec::new() };
        for (number, rule) in chain.rules.iter().enumerate() {
            live.retain(|(_, region)| !region.is_empty());
            if live.is_empty() {
                break;
            }
            let work = live.iter().map(|(_, region)| region.cells().len() as u64).sum::<u64>();
            if !self.spend(work) {
                for (packet, region) in live.drain(..) {
                    self.give_up(packet, &region, sinks.exits);
                }
                break;
            }
            let place = RulePlace { chain: index, rule: Some(number) };
            for (packet, region) in &mut live {
                let Split { yes, maybe, opaque } =
                    split(&rule.conditions, packet, region, self.grain);
                if yes.is_empty() && maybe.is_empty() {
                    continue;
                }
                let certain = maybe.is_empty();
                let all = if certain { yes.clone() } else { yes.union(&maybe) };
                if matches!(rule.verdict, Verdict::Continue) && rule.effects.is_empty() {
                    continue;
                }
                if opaque {
                    self.outcome.opaque.add(&maybe);
                }
                region.subtract(&yes);
                let changed = self.changed(packet, &rule.effects, &all);
                let (asked, certain) = if rule.late.is_empty() {
                    (all, certain)
                } else {
                    let late = split(&rule.late, &changed, &all, self.grain);
                    if late.opaque {
                        self.outcome.opaque.add(&late.maybe);
                    }
                    join(&mut sinks.back, changed.clone(), &all.minus(&late.yes));
                    (late.yes.union(&late.maybe), certain && late.maybe.is_empty())
                };
                self.apply(&rule.verdict, place, certain, changed, asked, depth, &mut sinks);
            }
            let back = std::mem::take(&mut sinks.back);
            for (packet, region) in back {
                join(&mut live, packet, &region);
            }
        }
        for (packet, region) in sinks.returned {
            join(&mut live, packet, &region);
        }
        live.retain(|(_, region)| !region.is_empty());
        self.path.pop();
        live
    }

    /// Whether there were so many steps left.
    fn spend(&self, steps: u64) -> bool {
        let left = self.steps.get().checked_sub(steps);
        self.steps.set(left.unwrap_or(0));
        left.is_some()
    }

    /// What a verdict does with these pairs.
    #[expect(clippy::too_many_arguments, reason = "a step of the walk, cut out of it")]
    fn apply(
        &mut self,
        verdict: &Verdict,
        place: RulePlace,
        certain: bool,
        packet: Packet,
        region: Region,
        depth: usize,
        sinks: &mut Sinks<'_>,
    ) {
        if region.is_empty() {
            return;
        }
        match verdict {
            Verdict::Continue => join(&mut sinks.back, packet, &region),
            Verdict::Accept => {
                self.decide(place, true, certain, &region);
                join(sinks.exits, packet, &region);
            }
            Verdict::Drop => {
                self.decide(place, false, certain, &region);
                self.outcome.blocked.add(&region);
            }
            Verdict::Return => join(&mut sinks.returned, packet, &region),
            Verdict::Jump(target) => {
                for (packet, region) in self.chain(*target, packet, region, depth + 1, sinks.exits)
                {
                    join(&mut sinks.back, packet, &region);
                }
            }
            Verdict::Goto(target) => {
                for (packet, region) in self.chain(*target, packet, region, depth + 1, sinks.exits)
                {
                    join(&mut sinks.returned, packet, &region);
                }
            }
            Verdict::Map(entries) => {
                let mut rest = region;
                for (conditions, verdict) in entries {
                    let Split { yes, maybe, opaque } =
                        split(conditions, &packet, &rest, self.grain);
                    if yes.is_empty() && maybe.is_empty() {
                        continue;
                    }
                    if opaque {
                        self.outcome.opaque.add(&maybe);
                    }
                    rest.subtract(&yes);
                    let certain = certain && maybe.is_empty();
                    let all = yes.union(&maybe);
                    self.apply(verdict, place, certain, packet.clone(), all, depth, sinks);
                }
                join(&mut sinks.back, packet, &rest);
            }
            Verdict::Translate(target) if self.is_ours(*target, &packet) => {
                let translation = target.port.map_or(Translation::Same, Translation::To);
                self.outcome.moved.push(Moved {
                    place,
                    translation,
                    pairs: region.clone(),
                    certain,
                });
                join(sinks.exits, Packet { translation, ..packet }, &region);
            }
            Verdict::Translate(_) | Verdict::Opaque(_) => {
                self.decide(place, false, false, &region);
                self.give_up(packet, &region, sinks.exits);
            }
        }
    }

    /// Whether what is sent to this target still comes to this host, at the address that it has.
    fn is_ours(&self, target: Target, packet: &Packet) -> bool {
        packet.direction == Direction::In
            && target.address.is_none_or(|address| packet.local == Some(address))
    }

    /// These pairs may go either way.
    fn give_up(&mut self, packet: Packet, region: &Region, exits: &mut Live) {
        self.outcome.opaque.add(region);
        self.outcome.blocked.add(region);
        join(exits, packet, region);
    }

    fn changed(&mut self, packet: &Packet, effects: &[Effect], region: &Region) -> Packet {
        let mut packet = packet.clone();
        for effect in effects {
            match effect {
                Effect::Helper(name) => self.outcome.helpers.push((name.clone(), region.clone())),
                Effect::Untracked => packet.state = State::Untracked,
                Effect::Mark(mark) => packet.mark = *mark,
            }
        }
        packet
    }

    fn decide(&mut self, place: RulePlace, accepts: bool, certain: bool, region: &Region) {
        if !region.is_empty() {
            self.spend(DECISION);
            let about = Trace::of(region);
            self.outcome.decisions.push(Decision { place, accepts, certain, about });
        }
    }
}

/// Adds a region to the packets of the same kind.
fn join(live: &mut Live, packet: Packet, region: &Region) {
    match live.iter_mut().find(|(known, _)| *known == packet) {
        Some((_, known)) => known.add(region),
        None => live.push((packet, region.clone())),
    }
}
