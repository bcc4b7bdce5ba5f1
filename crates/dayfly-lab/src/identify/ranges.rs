//! Ranges that nobody named: how likely they are, and where their ends can be.

use std::sync::LazyLock;

use dayfly_ports::PortRange;

/// The lowest and highest port that a range can have.
const FIRST: u32 = 1;
const LAST: u32 = 65535;
/// One port is no range but `Class::Fixed`; and nobody writes a system's range with fewer ports than
/// the second of these.
const SHORTEST: u32 = 2;
const SHORTEST_ROUND: u32 = 16;
/// Shares of the ranges that people set: round numbers, and any.
const ROUND: f64 = 0.6;
const ANY: f64 = 0.4;

/// Where the ends of a range are, as far as the samples tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// The lowest and the highest port that belongs to the range for sure: they were seen.
    pub seen: PortRange,
    /// Each end lies between this and `seen` with a probability of 99 %.
    pub widest: PortRange,
}

impl Ends {
    /// From the ports seen and how many of them were drawn over the whole range. Whatever the
    /// range was before, it is more than `x` times as wide as what `n` draws show of it with a
    /// probability of `x^(1 - n)` (Pareto's law); from one draw nothing follows.
    pub(super) fn new(seen: PortRange, draws: f64) -> Ends {
        let power = 100_f64.ln() / (draws - 1.0).max(0.01);
        let beyond = f64::from(seen.len()) * power.min(20.0).exp_m1();
        let beyond = beyond.min(f64::from(LAST)).ceil() as u32;
        let low = u32::from(seen.low().number()).saturating_sub(beyond).max(FIRST);
        let high = (u32::from(seen.high().number()) + beyond).min(LAST);
        let widest = PortRange::new(low as u16, high as u16).unwrap_or(seen);
        Ends { seen, widest }
    }
}

static LN: LazyLock<Vec<f64>> =
    LazyLock::new(|| (0..=65536).map(|n| f64::from(n.max(1)).ln()).collect());

/// Low ends that people write: powers of two, thousands, multiples of 1024, descending.
static LOWS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut lows: Vec<u32> = (1..66).map(|n| n * 1000).chain((1..64).map(|n| n * 1024)).collect();
    lows.extend((1..66).map(|n| n * 1000 + 1));
    lows.extend([1, 1025, 10001]);
    sorted(lows, true)
});

/// High ends that people write: the same minus one, the same, ascending.
static HIGHS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let mut highs: Vec<u32> = (1..66)
        .flat_map(|n| [n * 1000, n * 1000 - 1, n * 1000 + 99, n * 1000 + 999])
        .chain((2..=64).map(|n| n * 1024 - 1))
        .collect();
    highs.extend([65534, 65535]);
    sorted(highs, false)
});

fn sorted(mut numbers: Vec<u32>, descending: bool) -> Vec<u32> {
    numbers.retain(|number| (FIRST..=LAST).contains(number));
    numbers.sort_unstable();
    numbers.dedup();
    if descending {
        numbers.reverse();
    }
    numbers
}

/// The logarithm of: the prior probabilities of all ranges that contain `seen`, each times the
/// likelihood of `draws` draws from it next to their likelihood from `seen` itself.
pub(super) fn log_spread(seen: PortRange, draws: f64) -> f64 {
    let (a, b) = (u32::from(seen.low().number()).max(1), u32::from(seen.high().number()).max(1));
    let width = b - a + 1;
    let ln = &*LN;
    let share = |len: u32| (draws * (ln[width as usize] - ln[len as usize])).exp();
    let negligible = 1e-12;

    let mut any = 0.0;
    let (below, above) = (a - FIRST, LAST - b);
    let mut more = SHORTEST.saturating_sub(width);
    while more <= below + above {
        // So many lengths at a time that the likelihood changes by a twentieth at most: the one in
        // their middle stands for all, with an error below one in a thousand.
        let most = (0.05 * f64::from(width + more) / draws.max(1e-6)) as u32;
        let lengths = most.clamp(1, below + above + 1 - more);
        let middle = more + (lengths - 1) / 2;
        let share = share(width + middle);
        if share < negligible {
            break;
        }
        // In how many ways `middle` ports split into some below and some above.
        let ways = middle.min(below) + 1 - middle.saturating_sub(above);
        any += f64::from(ways) * f64::from(lengths) * share;
        more += lengths;
    }
    any /= f64::from(LAST) * f64::from(LAST) / 2.0;

    let mut round = 0.0;
    for low in LOWS.iter().filter(|low| **low <= a) {
        if share(b - low + 1) < negligible {
            break;
        }
        let shortest = b.max(low + SHORTEST_ROUND - 1);
        for high in HIGHS.iter().filter(|high| **high >= shortest) {
            let share = share(high - low + 1);
            if share < negligible {
                break;
            }
            round += share;
        }
    }
    round /= (LOWS.len() * HIGHS.len()) as f64 / 2.0;
    (ROUND * round + ANY * any).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(low: u16, high: u16) -> PortRange {
        PortRange::new(low, high).unwrap()
    }

    #[test]
    fn without_draws_it_is_the_prior_of_the_ranges_around() {
        let everything = log_spread(range(30000, 30000), 0.0).exp();
        assert!((0.3..1.2).contains(&everything), "{everything}");
        let all = log_spread(range(1, 65535), 0.0).exp();
        assert!(all < 1e-3, "{all}");
        // More draws leave less room around what was seen.
        let spread = |draws: f64| log_spread(range(40000, 50000), draws);
        assert!(spread(1.0) > spread(10.0) && spread(10.0) > spread(100.0));
    }

    #[test]
    fn bounds_shrink_with_samples() {
        let few = Ends::new(range(32800, 60900), 10.0);
        let many = Ends::new(range(32800, 60900), 1000.0);
        assert_eq!(few.widest.high().number(), 65535);
        assert_eq!(many.widest, range(32670, 61030));
        assert_eq!(Ends::new(range(40000, 40100), 1.0).widest, range(1, 65535));
    }
}
