//! A conversation: which pairs of ports it can be held over.

use std::cell::RefCell;
use std::rc::Rc;

use dayfly_ports::PortSet;

use crate::firewall::model::Ruleset;
use crate::firewall::outcome::{Moved, Outcome};
use crate::firewall::packet::{Direction, Packet, Translation};
use crate::firewall::region::Region;

/// The packets of a conversation and what becomes of each. Regions are (peer's port, local port).
pub(super) struct Talk {
    /// Its packets, in order: the first, the answer, what follows.
    pub(super) legs: Vec<Leg>,
    /// Pairs over which it can be held.
    pub(super) yes: Region,
    /// Pairs for which that depends on something nameable.
    pub(super) depends: Region,
    /// Pairs for which a rule that cannot be read decides.
    pub(super) opaque: Region,
}

/// Conversations that have been held, with whom, from where.
#[derive(Default)]
pub(super) struct Talks(RefCell<Vec<Held>>);

/// What was asked for and the conversation.
type Held = (Asked, Rc<Talk>);

/// A conversation to be held.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Asked {
    /// Its first packet.
    pub(super) first: Packet,
    /// The peer's ports.
    pub(super) peers: PortSet,
    /// Ours.
    pub(super) locals: PortSet,
    /// Whether a packet that NAT sends to another port of ours has come to the wrong one.
    pub(super) exact: bool,
}

impl Talks {
    /// As [`Talk::hold`], once for all who ask the same.
    pub(super) fn hold(&self, ruleset: &Ruleset, asked: Asked) -> Rc<Talk> {
        let known = self
            .0
            .borrow()
            .iter()
            .find_map(|(known, talk)| (*known == asked).then(|| Rc::clone(talk)));
        known.unwrap_or_else(|| {
            let talk = Rc::new(Talk::hold(ruleset, &asked));
            self.0.borrow_mut().push((asked, Rc::clone(&talk)));
            talk
        })
    }
}

/// One packet.
pub(super) struct Leg {
    pub(super) packet: Packet,
    pub(super) outcome: Outcome,
    /// What surely passes, as (peer's port, local port).
    pub(super) passes: Region,
}

impl Talk {
    /// Asks the ruleset about each packet of a conversation.
    fn hold(ruleset: &Ruleset, asked: &Asked) -> Talk {
        let Asked { first, peers, locals, exact } = asked;
        let whole = Region::product(peers, locals);
        let mut talk = Talk {
            legs: Vec::with_capacity(3),
            yes: whole.clone(),
            depends: Region::empty(),
            opaque: Region::empty(),
        };
        let mut no = Region::empty();
        let mut outcome = ruleset.evaluate(first, &as_sent(first, &whole));
        let moved = std::mem::take(&mut outcome.moved);
        for one in moved.iter().filter(|one| *exact && one.leaves_its_port()) {
            outcome.turn_away(one);
        }
        let (mut stays, mut unsure) = (whole.clone(), Region::empty());
        for one in &moved {
            if one.certain {
                stays.subtract(&one.pairs);
            } else {
                unsure.add(&one.pairs);
            }
        }
        talk.add(first.clone(), outcome, &whole, &Region::empty(), &mut no);
        // What NAT has moved is answered from where it went to.
        let mut parts = vec![(Translation::None, stays)];
        for Moved { translation, pairs, .. } in moved {
            match parts.iter_mut().find(|(known, _)| *known == translation) {
                Some((_, known)) => known.add(&pairs),
                None => parts.push((translation, pairs)),
            }
        }
        for (translation, pairs) in parts.iter().filter(|(_, pairs)| !pairs.is_empty()) {
            for packet in [first.answer(), first.later()] {
                let packet = Packet { translation: *translation, ..packet };
                let outcome = ruleset.evaluate(&packet, &as_sent(&packet, pairs));
                talk.add(packet, outcome, pairs, &unsure, &mut no);
            }
        }
        let open = whole.minus(&talk.yes).minus(&no);
        talk.opaque = talk.opaque.intersection(&open);
        talk.depends = open.minus(&talk.opaque);
        talk
    }

    /// Adds a packet that these pairs have; `unsure` are those of them that may have another one.
    fn add(
        &mut self,
        packet: Packet,
        outcome: Outcome,
        pairs: &Region,
        unsure: &Region,
        no: &mut Region,
    ) {
        let turned = |region: &Region| as_sent(&packet, region);
        let passes = turned(&outcome.surely_passed());
        self.yes.subtract(&pairs.minus(&passes));
        no.add(&turned(&outcome.surely_blocked()).minus(unsure));
        self.opaque.add(&turned(&outcome.opaque));
        self.legs.push(Leg { packet, outcome, passes });
    }
}

/// A region of (peer's port, local port) as this packet has it, (source, destination), or back.
fn as_sent(packet: &Packet, region: &Region) -> Region {
    match packet.direction {
        Direction::In => region.clone(),
        Direction::Out => region.transposed(),
    }
}

impl Leg {
    /// A region of (peer's port, local port) as this packet has it: (source, destination).
    pub(super) fn as_sent(&self, region: &Region) -> Region {
        as_sent(&self.packet, region)
    }
}

/// The peer's ports that go with the most local ones, and those local ports.
pub(super) fn widest(region: &Region, locals: &PortSet) -> Option<(PortSet, PortSet)> {
    let mut best: Option<(PortSet, PortSet)> = None;
    for cell in region.cells() {
        let size = (cell.ports.intersection_len(locals), cell.sources.len());
        let known = best.as_ref().map_or((0, 0), |(peers, ports)| (ports.len(), peers.len()));
        if size > known {
            best = Some(((*cell.sources).clone(), &*cell.ports & locals));
        }
    }
    best.filter(|(_, ports)| !ports.is_empty())
}
