//! A conversation: which pairs of ports it can be held over.

use std::cell::RefCell;
use std::rc::Rc;

use dayfly_ports::PortSet;

use crate::firewall::evaluate::Outcome;
use crate::firewall::model::Ruleset;
use crate::firewall::packet::{Direction, Packet};
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

/// The first packet, the peer's ports, ours, and the conversation.
type Held = (Packet, PortSet, PortSet, Rc<Talk>);

impl Talks {
    /// As [`Talk::hold`], once for all who ask the same.
    pub(super) fn hold(
        &self,
        ruleset: &Ruleset,
        first: &Packet,
        peers: &PortSet,
        locals: &PortSet,
    ) -> Rc<Talk> {
        let known = self.0.borrow().iter().find_map(|(packet, theirs, ours, talk)| {
            (packet == first && theirs == peers && ours == locals).then(|| Rc::clone(talk))
        });
        known.unwrap_or_else(|| {
            let talk = Rc::new(Talk::hold(ruleset, first, peers, locals));
            let key = (first.clone(), peers.clone(), locals.clone(), Rc::clone(&talk));
            self.0.borrow_mut().push(key);
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
    /// Asks the ruleset about each packet of a conversation that begins with `first`.
    pub(super) fn hold(
        ruleset: &Ruleset,
        first: &Packet,
        peers: &PortSet,
        locals: &PortSet,
    ) -> Talk {
        let whole = Region::product(peers, locals);
        let mut talk = Talk {
            legs: Vec::with_capacity(3),
            yes: whole.clone(),
            depends: Region::empty(),
            opaque: Region::empty(),
        };
        let mut no = Region::empty();
        for packet in [first.clone(), first.answer(), first.later()] {
            let asked = match packet.direction {
                Direction::In => whole.clone(),
                Direction::Out => Region::product(locals, peers),
            };
            let outcome = ruleset.evaluate(&packet, &asked);
            let turned = |region: &Region| match packet.direction {
                Direction::In => region.clone(),
                Direction::Out => region.transposed(),
            };
            let passes = turned(&outcome.surely_passed());
            talk.yes = talk.yes.intersection(&passes);
            no.add(&turned(&outcome.surely_blocked()));
            talk.opaque.add(&turned(&outcome.opaque));
            talk.legs.push(Leg { packet, outcome, passes });
        }
        let open = whole.minus(&talk.yes).minus(&no);
        talk.opaque = talk.opaque.intersection(&open);
        talk.depends = open.minus(&talk.opaque);
        talk
    }
}

impl Leg {
    /// A region of (peer's port, local port) as this packet has it: (source, destination).
    pub(super) fn as_sent(&self, region: &Region) -> Region {
        match self.packet.direction {
            Direction::In => region.clone(),
            Direction::Out => region.transposed(),
        }
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
