//! Ports of one rule: a few spans, not 64 Ki bits, since a ruleset has many rules.

use std::fmt;

use dayfly_ports::{Port, PortRange, PortSet};

/// A set of ports as spans in ascending order that neither overlap nor touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spans(Box<[PortRange]>);

impl Spans {
    /// The spans that these make together, in any order, overlapping or not.
    #[must_use]
    pub fn new(ranges: impl IntoIterator<Item = PortRange>) -> Self {
        let mut ranges: Vec<PortRange> = ranges.into_iter().collect();
        ranges.sort_unstable();
        let mut merged: Vec<PortRange> = Vec::with_capacity(ranges.len());
        for range in ranges {
            let touches = |last: &&mut PortRange| {
                u32::from(range.low().number()) <= u32::from(last.high().number()) + 1
            };
            match merged.last_mut().filter(touches) {
                Some(last) => {
                    let high = last.high().max(range.high());
                    if let Ok(both) = PortRange::new(last.low().number(), high.number()) {
                        *last = both;
                    }
                }
                None => merged.push(range),
            }
        }
        Spans(merged.into())
    }

    /// Every port.
    #[must_use]
    pub fn all() -> Self {
        Spans::new([PortRange::ALL])
    }

    /// The spans, in ascending order.
    #[must_use]
    pub fn ranges(&self) -> &[PortRange] {
        &self.0
    }

    /// The spans between them, and before and after: what is not in it, in ascending order.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = PortRange> {
        let before = self.0.iter().map(|range| range.low().number().checked_sub(1));
        let after = self.0.iter().map(|range| range.high().number().checked_add(1));
        let lows = std::iter::once(Some(0)).chain(after);
        let highs = before.chain(std::iter::once(Some(u16::MAX)));
        lows.zip(highs).filter_map(|(low, high)| PortRange::new(low?, high?).ok())
    }

    /// How many ports.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.0.iter().map(|range| range.len()).sum()
    }

    /// Whether the port is in it.
    #[must_use]
    pub fn contains(&self, port: Port) -> bool {
        self.0.iter().any(|range| range.contains(port))
    }

    /// The ports that are not in it.
    #[must_use]
    pub fn complement(&self) -> Self {
        Spans(self.gaps().collect())
    }

    /// The same as bits.
    #[must_use]
    pub fn to_set(&self) -> PortSet {
        let mut set = PortSet::EMPTY;
        for &range in &self.0 {
            set.insert_range(range);
        }
        set
    }

    /// Whether there is no port in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&PortSet> for Spans {
    fn from(set: &PortSet) -> Self {
        Spans(set.ranges().collect())
    }
}

impl From<PortRange> for Spans {
    fn from(range: PortRange) -> Self {
        Spans(Box::new([range]))
    }
}

impl fmt::Display for Spans {
    /// As [`PortSet`] prints: `20,1024-65535`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if range.len() == 1 {
                write!(f, "{comma}{}", range.low())?;
            } else {
                write!(f, "{comma}{range}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_merged_and_print_as_sets_do() {
        let range = |text: &str| text.parse::<PortRange>().unwrap();
        let spans = Spans::new(["8-9", "1-3", "4-5", "2-2", "65535-65535"].map(range));
        assert_eq!(spans.to_string(), "1-5,8-9,65535");
        assert_eq!(spans.to_set().to_string(), spans.to_string());
        assert_eq!(spans.complement().to_string(), "0,6-7,10-65534");
        assert!(Spans::all().complement().is_empty());
        assert_eq!(Spans::default().complement(), Spans::all());
        assert_eq!(spans.len(), 8);
        assert!(spans.contains(5.into()) && !spans.contains(6.into()));
    }
}
