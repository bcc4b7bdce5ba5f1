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
use std::sync::Arc;

use dayfly_ports::PortSet;

use super::matching::{Grain, Split, split};
use super::model::{
    Base, Condition, Effect, Hook, JUMPS, RulePlace, Ruleset, Spans, State, Test, Verdict,
};
use super::packet::{Direction, Packet};
use super::region::Region;

/// What happens to a kind of packet.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Pairs that may pass: certainly, unless they are in `blocked` too.
    pub passed: Region,
    /// Pairs that may be dropped.
    pub blocked: Region,
    /// Pairs whose fate a rule that cannot be read may decide.
    pub opaque: Region,
    /// Who decided what, in order. Acceptance by one chain is not the end.
    pub decisions: Vec<Decision>,
    /// Helpers that the connection gets, and for which pairs.
    pub helpers: Vec<(Box<str>, Region)>,
}

/// A rule, or a policy, that decided about some pairs.
#[derive(Clone, Debug)]
pub struct Decision {
    /// Which.
    pub place: RulePlace,
    /// How.
    pub accepts: bool,
    /// Whether it decides all of them whatever is not known.
    pub certain: bool,
    /// About which pairs.
    pub about: Trace,
}

/// A region that is only looked at again: as spans, since a long ruleset leaves many of them.
#[derive(Clone, Debug)]
pub struct Trace(Vec<(Arc<PortSet>, Spans)>);

impl Trace {
    fn of(region: &Region) -> Self {
        let compact =
            |cell: &super::region::Cell| (Arc::clone(&cell.sources), Spans::from(&*cell.ports));
        Trace(region.cells().iter().map(compact).collect())
    }

    /// Whether it has a pair of this region.
    #[must_use]
    pub fn touches(&self, region: &Region) -> bool {
        region.cells().iter().any(|cell| {
            self.0.iter().any(|(sources, spans)| {
                spans.ranges().iter().any(|&range| cell.ports.intersects(range))
                    && (Arc::ptr_eq(sources, &cell.sources)
                        || sources.intersection_len(&cell.sources) > 0)
            })
        })
    }

    /// The destination ports that occur in it.
    #[must_use]
    pub fn ports(&self) -> Spans {
        match self.0.as_slice() {
            [(_, spans)] => spans.clone(),
            cells => Spans::new(cells.iter().flat_map(|(_, spans)| spans.ranges()).copied()),
        }
    }
}

impl Outcome {
    /// Pairs that pass whatever is not known.
    #[must_use]
    pub fn surely_passed(&self) -> Region {
        self.passed.minus(&self.blocked)
    }

    /// Pairs that are dropped whatever is not known.
    #[must_use]
    pub fn surely_blocked(&self) -> Region {
        self.blocked.minus(&self.passed)
    }

    /// The decision that a person wants to hear about for these pairs: the last acceptance, or the
    /// first drop.
    #[must_use]
    pub fn decision(&self, accepts: bool, region: &Region) -> Option<&Decision> {
        let about = |one: &&Decision| one.accepts == accepts && one.about.touches(region);
        if accepts {
            // A rule says more than a policy that comes after it.
            let rules = self.decisions.iter().filter(|one| one.place.rule.is_some());
            rules.rev().find(about).or_else(|| self.decisions.iter().rev().find(about))
        } else {
            self.decisions.iter().find(about)
        }
    }
}

/// The conntrack hook's priority (`NF_IP_PRI_CONNTRACK`): chains before it see no state.
const CONNTRACK: i32 = -200;
/// Steps after which a walk ends, and says so: no real ruleset needs as many, crossed jumps may.
const STEPS: u64 = 30_000_000;

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
            grain: self.grain(),
        };
        let mut live = vec![(packet.clone(), region.clone())];
        for (hook, (chain, base)) in hooks
            .into_iter()
            .flat_map(|hook| self.called_at(hook).into_iter().map(move |it| (hook, it)))
        {
            let family = self.chains[chain].family;
            if family.is_some_and(|family| family != packet.family) {
                continue;
            }
            let mut accepted = Vec::new();
            for (packet, region) in live {
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
        if base.first_packet_only && !(tracked && packet.state == State::New) {
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
        let Some(chain) = ruleset.chains.get(index).filter(|_| depth <= JUMPS) else {
            self.give_up(packet, &region, exits);
            return Vec::new();
        };
        let mut live: Live = vec![(packet, region)];
        let mut sinks = Sinks { exits, returned: Vec::new(), back: Vec::new() };
        for (number, rule) in chain.rules.iter().enumerate() {
            live.retain(|(_, region)| !region.is_empty());
            if live.is_empty() {
                break;
            }
            let work = live.iter().map(|(_, region)| region.cells().len() as u64).sum::<u64>();
            if self.steps.get() < work {
                for (packet, region) in live.drain(..) {
                    self.give_up(packet, &region, sinks.exits);
                }
                break;
            }
            self.steps.set(self.steps.get() - work);
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
        live
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
            Verdict::Opaque(_) => {
                self.decide(place, false, false, &region);
                self.give_up(packet, &region, sinks.exits);
            }
        }
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
