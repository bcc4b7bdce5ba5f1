//! How many of many random things there are at once.

/// The smallest number that a Poisson variable with this mean does not exceed with the given
/// probability.
///
/// Exact: the weights around the mode are summed, relative to the mode's.
#[must_use]
pub fn quantile(mean: f64, probability: f64) -> u64 {
    if mean <= 0.0 {
        return 0;
    }
    let mode = mean.floor();
    let negligible = 1e-18;
    // Downwards from the mode, then upwards; weight(k + 1) = weight(k) x mean / (k + 1).
    let (mut below, mut weight, mut number) = (0.0, 1.0, mode);
    while number > 0.0 && weight > negligible {
        weight *= number / mean;
        number -= 1.0;
        below += weight;
    }
    let lowest = (number, weight);
    let (mut above, mut weight, mut number) = (0.0, 1.0, mode);
    while weight > negligible {
        number += 1.0;
        weight *= mean / number;
        above += weight;
    }
    let wanted = probability.clamp(0.0, 1.0 - 1e-15) * (below + 1.0 + above);
    let (mut number, mut weight) = lowest;
    let mut sum = weight;
    while sum < wanted {
        number += 1.0;
        weight *= mean / number;
        sum += weight;
    }
    number as u64
}

/// The share of openings that find every port taken, when openings at random would occupy `mean`
/// ports of `ports` and those that fail are lost: Erlang's B formula. It holds for any distribution
/// of durations (Sevastyanov, 1957).
#[must_use]
pub fn blocked(mean: f64, ports: u64) -> f64 {
    if mean <= 0.0 {
        return if ports == 0 { 1.0 } else { 0.0 };
    }
    // 1 / B(n) = 1 + n / mean x 1 / B(n - 1); beyond the largest number it is 0 anyway.
    let mut inverse = 1.0_f64;
    for number in 1..=ports {
        inverse = 1.0 + number as f64 / mean * inverse;
        if inverse > 1e300 {
            return 0.0;
        }
    }
    1.0 / inverse
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_sum() {
        for mean in [0.1_f64, 1.0, 7.5, 30.0] {
            for probability in [0.01, 0.5, 0.9, 0.999] {
                let (mut number, mut weight) = (0, (-mean).exp());
                let mut sum = weight;
                while sum < probability {
                    number += 1;
                    weight *= mean / f64::from(number);
                    sum += weight;
                }
                assert_eq!(quantile(mean, probability), number as u64, "{mean} {probability}");
            }
        }
        assert_eq!(quantile(0.0, 0.999), 0);
        // Near the normal approximation where the mean is large: 3.09 deviations.
        let peak = quantile(1e6, 0.999);
        assert!((1_003_085..1_003_100).contains(&peak), "{peak}");
    }

    #[test]
    fn blocking_is_that_of_the_tables() {
        for (mean, ports, expected) in [(1.0, 1, 0.5), (5.0, 10, 0.018_385), (100.0, 100, 0.075_70)]
        {
            let found = blocked(mean, ports);
            assert!((found - expected).abs() < 1e-5, "{mean} {ports}: {found}");
        }
        assert_eq!((blocked(0.0, 5), blocked(3.0, 0), blocked(0.0, 0)), (0.0, 1.0, 1.0));
        // Far beyond the ports there are, all but these fail.
        assert!((blocked(1e6, 1000) - 0.999).abs() < 1e-5);
        assert_eq!(blocked(1.0, 1_000_000), 0.0);
    }
}
