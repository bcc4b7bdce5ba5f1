//! Counts by size: exact for small values, a sixteenth of an octave apart above.

/// How many steps an octave has.
const STEPS: u32 = 16;

/// How often values of each size were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    least: u32,
    most: u32,
}

impl Histogram {
    /// One more of this size.
    #[inline]
    pub fn add(&mut self, value: u32) {
        let index = index(value);
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] += 1;
        self.least = if self.count == 0 { value } else { self.least.min(value) };
        self.most = self.most.max(value);
        self.count += 1;
        self.sum += u128::from(value);
    }

    /// All values of another one as well.
    pub(super) fn merge(&mut self, other: &Histogram) {
        if other.count == 0 {
            return;
        }
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.least = if self.count == 0 { other.least } else { self.least.min(other.least) };
        self.most = self.most.max(other.most);
        self.count += other.count;
        self.sum += other.sum;
    }

    /// How many values there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The least one; 0 of none.
    #[must_use]
    pub const fn least(&self) -> u32 {
        self.least
    }

    /// The greatest one; 0 of none.
    #[must_use]
    pub const fn most(&self) -> u32 {
        self.most
    }

    /// The mean; 0 of none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// The value that this share of all does not exceed, to the width of its step.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u32 {
        let wanted = (share * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        for (low, high, count) in self.steps() {
            seen += count;
            if seen >= wanted {
                return if low == high { low } else { high.min(self.most) };
            }
        }
        self.most
    }

    /// Every step with its least and greatest value and how many fell into it, ascending; those
    /// with none included, up to the greatest value.
    pub fn steps(&self) -> impl Iterator<Item = (u32, u32, u64)> + '_ {
        self.counts.iter().enumerate().map(|(index, count)| {
            let low = low(index as u32);
            (low, low_of_next(index as u32) - 1, *count)
        })
    }
}

/// The step of a value.
fn index(value: u32) -> usize {
    if value < STEPS {
        return value as usize;
    }
    // The highest bit stands for the octave, the four below it for the step.
    let octave = value.ilog2() - STEPS.ilog2();
    (octave * STEPS + (value >> octave)) as usize
}

/// The least value of a step: the inverse of [`index`].
fn low(index: u32) -> u32 {
    if index < 2 * STEPS {
        return index;
    }
    let octave = index / STEPS - 1;
    (index - octave * STEPS) << octave
}

fn low_of_next(index: u32) -> u32 {
    low(index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_whole() {
        for value in (0..5000).chain([65_535, 1 << 20, (1 << 30) + 12_345]) {
            let step = index(value) as u32;
            assert!(low(step) <= value && value < low_of_next(step), "{value}");
        }
    }

    #[test]
    fn knows_its_figures() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.mean(), histogram.quantile(0.5)), (0.0, 0));
        (1..=1000).for_each(|value| histogram.add(value));
        assert_eq!((histogram.least(), histogram.most(), histogram.count()), (1, 1000, 1000));
        assert!((histogram.mean() - 500.5).abs() < 1e-9);
        assert!((500..=512).contains(&histogram.quantile(0.5)), "{}", histogram.quantile(0.5));
        assert_eq!(histogram.quantile(1.0), 1000);
        assert_eq!(histogram.steps().map(|(_, _, count)| count).sum::<u64>(), 1000);
        let mut parts = Histogram::default();
        for part in [(1..=10), (11..=1000)] {
            let mut some = Histogram::default();
            part.for_each(|value| some.add(value));
            parts.merge(&some);
            parts.merge(&Histogram::default());
        }
        assert_eq!(parts, histogram);
    }
}
