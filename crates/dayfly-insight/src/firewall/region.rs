//! Sets of port pairs, (source, destination), exactly: all 2^32 of them at once.

use std::sync::Arc;

use dayfly_ports::PortSet;

use super::model::Spans;

/// A set of (source port, destination port).
///
/// Kept as cells with disjoint sources: every port of `sources` goes with every port of `ports`.
/// Rules that do not look at the source leave one cell.
#[derive(Clone, Debug, Default)]
pub struct Region {
    cells: Vec<Cell>,
}

/// Part of a [`Region`].
#[derive(Clone, Debug)]
pub struct Cell {
    /// Source ports, never empty.
    pub sources: Arc<PortSet>,
    /// Destination ports, never empty.
    pub ports: Arc<PortSet>,
}

impl Region {
    /// Nothing.
    #[must_use]
    pub const fn empty() -> Self {
        Region { cells: Vec::new() }
    }

    /// Every pair of a source with a destination.
    #[must_use]
    pub fn product(sources: &PortSet, ports: &PortSet) -> Self {
        let mut region = Region::empty();
        region.push(Arc::new(sources.clone()), Arc::new(ports.clone()));
        region
    }

    /// Its cells.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Whether there is no pair in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// Whether the pair is in it.
    #[must_use]
    pub fn contains(&self, source: u16, port: u16) -> bool {
        let holds =
            |cell: &Cell| cell.sources.contains(source.into()) && cell.ports.contains(port.into());
        self.cells.iter().any(holds)
    }

    /// The destination ports that occur in it, with whatever source.
    #[must_use]
    pub fn ports(&self) -> PortSet {
        let mut ports = PortSet::EMPTY;
        for cell in &self.cells {
            ports |= &cell.ports;
        }
        ports
    }

    /// Whether there is a pair whose destination is one of these.
    pub(super) fn touches_ports(&self, spans: &Spans) -> bool {
        let touched =
            |cell: &Cell| spans.ranges().iter().any(|&range| cell.ports.intersects(range));
        self.cells.iter().any(touched)
    }

    /// The pairs whose destination is one of these.
    pub(super) fn with_ports(&self, spans: &Spans) -> Region {
        // Most rules of a long list have nothing to do with what is left: see that cheaply.
        let touched =
            |cell: &&Cell| spans.ranges().iter().any(|&range| cell.ports.intersects(range));
        let inside = |cell: &Cell| Cell {
            sources: Arc::clone(&cell.sources),
            ports: Arc::new(cell.ports.within(spans.ranges())),
        };
        Region { cells: self.cells.iter().filter(touched).map(inside).collect() }
    }

    /// The pairs whose source is one of these.
    pub(super) fn with_sources(&self, spans: &Spans) -> Region {
        let touched =
            |cell: &&Cell| spans.ranges().iter().any(|&range| cell.sources.intersects(range));
        let inside = |cell: &Cell| Cell {
            sources: Arc::new(cell.sources.within(spans.ranges())),
            ports: Arc::clone(&cell.ports),
        };
        Region { cells: self.cells.iter().filter(touched).map(inside).collect() }
    }

    /// Whether there is a pair whose source is one of these.
    pub(super) fn touches_sources(&self, spans: &Spans) -> bool {
        let touched =
            |cell: &Cell| spans.ranges().iter().any(|&range| cell.sources.intersects(range));
        self.cells.iter().any(touched)
    }

    /// Whether there is a pair whose source is none of these.
    pub(super) fn leaves_sources(&self, spans: &Spans) -> bool {
        let outside = |cell: &Cell| spans.gaps().any(|gap| cell.sources.intersects(gap));
        self.cells.iter().any(outside)
    }

    /// The pairs of both.
    #[must_use]
    pub fn union(&self, other: &Region) -> Region {
        match (self.is_empty(), other.is_empty()) {
            (true, _) => other.clone(),
            (_, true) => self.clone(),
            _ => self.overlay(other, |mine, theirs| mine | theirs),
        }
    }

    /// The pairs that both have.
    #[must_use]
    pub fn intersection(&self, other: &Region) -> Region {
        if self.is_empty() || other.is_empty() {
            return Region::empty();
        }
        self.overlay(other, |mine, theirs| mine & theirs)
    }

    /// The pairs that the other does not have.
    #[must_use]
    pub fn minus(&self, other: &Region) -> Region {
        if self.is_empty() || other.is_empty() {
            return self.clone();
        }
        self.overlay(other, |mine, theirs| mine - theirs)
    }

    /// Takes the pairs of the other out.
    pub(super) fn subtract(&mut self, other: &Region) {
        if other.is_empty() {
            return;
        }
        if let ([mine], [theirs]) = (self.cells.as_mut_slice(), other.cells.as_slice())
            && (Arc::ptr_eq(&mine.sources, &theirs.sources) || mine.sources == theirs.sources)
        {
            *Arc::make_mut(&mut mine.ports) -= &theirs.ports;
            if mine.ports.is_empty() {
                self.cells.clear();
            }
        } else {
            *self = self.minus(other);
        }
    }

    /// Adds the pairs of the other.
    pub(super) fn add(&mut self, other: &Region) {
        if other.is_empty() {
            return;
        }
        if let ([mine], [theirs]) = (self.cells.as_mut_slice(), other.cells.as_slice())
            && (Arc::ptr_eq(&mine.sources, &theirs.sources) || mine.sources == theirs.sources)
        {
            *Arc::make_mut(&mut mine.ports) |= &theirs.ports;
        } else {
            *self = self.union(other);
        }
    }

    /// The same pairs with source and destination exchanged.
    #[must_use]
    pub fn transposed(&self) -> Region {
        let mut classes = vec![(PortSet::FULL, PortSet::EMPTY)];
        for cell in &self.cells {
            let mut next = Vec::with_capacity(classes.len() + 1);
            for (class, sources) in classes {
                let (inside, outside) = (&class & &cell.ports, &class - &cell.ports);
                if !inside.is_empty() {
                    next.push((inside, &sources | &cell.sources));
                }
                if !outside.is_empty() {
                    next.push((outside, sources));
                }
            }
            classes = next;
        }
        let mut region = Region::empty();
        for (class, sources) in classes {
            region.push(Arc::new(class), Arc::new(sources));
        }
        region.merged()
    }

    /// Joins every pair of cells with `join`, for which nothing joined with nothing is nothing.
    fn overlay(&self, other: &Region, join: impl Fn(&PortSet, &PortSet) -> PortSet) -> Region {
        let mut region = Region::empty();
        let mut rest: Vec<PortSet> =
            other.cells.iter().map(|cell| (*cell.sources).clone()).collect();
        for mine in &self.cells {
            let mut left = (*mine.sources).clone();
            for (theirs, rest) in other.cells.iter().zip(&mut rest) {
                let common = &left & &theirs.sources;
                if common.is_empty() {
                    continue;
                }
                left -= &common;
                *rest -= &common;
                region.push(Arc::new(common), Arc::new(join(&mine.ports, &theirs.ports)));
            }
            region.push(Arc::new(left), Arc::new(join(&mine.ports, &PortSet::EMPTY)));
        }
        for (theirs, rest) in other.cells.iter().zip(rest) {
            region.push(Arc::new(rest), Arc::new(join(&PortSet::EMPTY, &theirs.ports)));
        }
        region.merged()
    }

    fn push(&mut self, sources: Arc<PortSet>, ports: Arc<PortSet>) {
        if !sources.is_empty() && !ports.is_empty() {
            self.cells.push(Cell { sources, ports });
        }
    }

    /// Cells with the same destinations become one.
    fn merged(self) -> Region {
        let mut cells: Vec<Cell> = Vec::with_capacity(self.cells.len());
        for cell in self.cells {
            match cells.iter_mut().find(|known| known.ports == cell.ports) {
                Some(known) => *Arc::make_mut(&mut known.sources) |= &cell.sources,
                None => cells.push(cell),
            }
        }
        Region { cells }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> PortSet {
        text.parse().unwrap()
    }

    /// Regions made of a few rectangles with ends where they meet.
    fn any_region() -> impl Strategy<Value = Region> {
        let end = prop_oneof![Just(0u16), Just(20), Just(21), Just(1024), Just(65535)];
        let side = (end.clone(), end).prop_map(|(a, b)| set(&format!("{}-{}", a.min(b), a.max(b))));
        prop::collection::vec((side.clone(), side), 0..4).prop_map(|rectangles| {
            rectangles.iter().fold(Region::empty(), |region, (sources, ports)| {
                region.union(&Region::product(sources, ports))
            })
        })
    }

    const PROBES: [u16; 8] = [0, 1, 20, 21, 22, 1023, 1024, 65535];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn algebra_agrees_pair_by_pair(a in any_region(), b in any_region()) {
            let (union, both, rest) = (a.union(&b), a.intersection(&b), a.minus(&b));
            let turned = a.transposed();
            let (mut added, mut taken) = (a.clone(), a.clone());
            added.add(&b);
            taken.subtract(&b);
            for source in PROBES {
                for port in PROBES {
                    let (left, right) = (a.contains(source, port), b.contains(source, port));
                    prop_assert_eq!(union.contains(source, port), left | right);
                    prop_assert_eq!(both.contains(source, port), left & right);
                    prop_assert_eq!(rest.contains(source, port), left & !right);
                    prop_assert_eq!(turned.contains(port, source), left);
                    prop_assert_eq!(added.contains(source, port), left | right);
                    prop_assert_eq!(taken.contains(source, port), left & !right);
                }
            }
            for region in [union, both, rest, turned] {
                let mut seen = PortSet::EMPTY;
                for cell in region.cells() {
                    prop_assert!((&seen & &cell.sources).is_empty());
                    seen |= &cell.sources;
                }
            }
        }
    }
}
