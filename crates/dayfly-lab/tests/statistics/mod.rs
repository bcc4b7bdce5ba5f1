//! Two samples: may they come from the same distribution? False alarms are one in a million.

/// The share of false alarms.
const ALPHA: f64 = 1e-6;
/// The value that a standard normal variable exceeds with that probability.
const NORMAL: f64 = 4.753_424;

/// Two samples of numbers, by Kolmogorov and Smirnov. Where numbers are tied, the test is the
/// stricter one in what it takes to raise an alarm.
pub(crate) fn assert_same_distribution(one: &[u32], other: &[u32], what: &str) {
    let mut values: Vec<u32> = one.iter().chain(other).copied().collect();
    values.sort_unstable();
    values.dedup();
    let below = |sample: &[u32], value| {
        sample.iter().filter(|number| **number <= value).count() as f64 / sample.len() as f64
    };
    let distance = values
        .iter()
        .map(|value| (below(one, *value) - below(other, *value)).abs())
        .fold(0.0, f64::max);
    let (n, m) = (one.len() as f64, other.len() as f64);
    let allowed = ((ALPHA / 2.0).ln() / -2.0).sqrt() * ((n + m) / (n * m)).sqrt();
    assert!(distance < allowed, "{what}: the distributions are {distance:.4} apart");
}

/// How often each of several things was seen, in two samples, by chi-square.
pub(crate) fn assert_same_shares(one: &[u64], other: &[u64], what: &str) {
    let (all_one, all_other) = (one.iter().sum::<u64>() as f64, other.iter().sum::<u64>() as f64);
    let (mut statistic, mut kinds) = (0.0, -1.0);
    for (a, b) in one.iter().zip(other).filter(|(a, b)| **a + **b > 0) {
        let (a, b) = (*a as f64, *b as f64);
        let weighted = a * (all_other / all_one).sqrt() - b * (all_one / all_other).sqrt();
        statistic += weighted * weighted / (a + b);
        kinds += 1.0;
    }
    // Wilson and Hilferty (1931): the cube root of a chi-square is nearly normal.
    let spread = 2.0 / (9.0 * kinds);
    let allowed = kinds * (1.0 - spread + NORMAL * f64::sqrt(spread)).powi(3);
    assert!(statistic < allowed, "{what}: {one:?} and {other:?}");
}
