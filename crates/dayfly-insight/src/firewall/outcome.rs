//! What becomes of a kind of packet, for all pairs of ports, and who decided it.

use std::sync::Arc;

use dayfly_ports::{Port, PortSet};

use super::model::{RulePlace, Spans};
use super::packet::Translation;
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
    /// Pairs that a rule of NAT sends to another port of this host. All regions name the port that
    /// a packet was sent to, not the one where it arrives.
    pub moved: Vec<Moved>,
}

/// Pairs that arrive at another port.
#[derive(Clone, Debug)]
pub struct Moved {
    /// The rule.
    pub place: RulePlace,
    /// What they arrive as.
    pub translation: Translation,
    /// Which pairs.
    pub pairs: Region,
    /// Whether all of them do, whatever is not known.
    pub certain: bool,
}

impl Moved {
    /// Whether a pair of it arrives at another port than it was sent to.
    #[must_use]
    pub fn leaves_its_port(&self) -> bool {
        !self.pairs.minus(&self.kept()).is_empty()
    }

    /// The pairs that arrive where they were sent to.
    fn kept(&self) -> Region {
        match self.translation {
            Translation::To(port) => {
                self.pairs.with_ports(&Spans::from(&PortSet::from_iter([Port::new(port)])))
            }
            Translation::None | Translation::Same => self.pairs.clone(),
        }
    }
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
    pub(super) fn of(region: &Region) -> Self {
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

    /// Counts what arrives at another port as blocked by the rule that sends it there.
    pub(super) fn turn_away(&mut self, moved: &Moved) {
        let gone = moved.pairs.minus(&moved.kept());
        if moved.certain {
            self.passed.subtract(&gone);
        }
        self.blocked.add(&gone);
        let (place, certain) = (moved.place, moved.certain);
        let decision = Decision { place, accepts: false, certain, about: Trace::of(&gone) };
        self.decisions.insert(0, decision);
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
