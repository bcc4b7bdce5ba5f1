//! Sums of logarithms, and distributions of counts.

use std::iter;
use std::sync::LazyLock;

/// The logarithm of the sum of `exp` of each; minus infinity of none.
pub(super) fn log_sum(logs: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = logs.clone().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return largest;
    }
    largest + logs.map(|log| (log - largest).exp()).sum::<f64>().ln()
}

/// Logarithms of factorials, as far as ports reach.
static LN_FACTORIAL: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let mut sum = 0.0;
    let logs = (1..=1 << 17).map(|n| {
        sum += f64::from(n).ln();
        sum
    });
    iter::once(0.0).chain(logs).collect()
});

/// ln of `n` factorial, for `n` up to 131,072.
fn ln_factorial(n: u32) -> f64 {
    LN_FACTORIAL[n as usize]
}

/// `exp`, but 0 for what is lost next to any other chance: most chances are, and the smallest numbers
/// take the longest.
fn chance(log: f64) -> f64 {
    /// Apart, or the compiler takes both ways and then chooses.
    #[inline(never)]
    fn exp(log: f64) -> f64 {
        log.exp()
    }
    if log < -60.0 { 0.0 } else { exp(log) }
}

/// A probability above 0 and below 1 with the logarithms that are asked for again and again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odds {
    ln: f64,
    ln_not: f64,
}

impl Odds {
    pub(super) fn of(probability: f64) -> Odds {
        Odds { ln: probability.ln(), ln_not: (1.0 - probability).ln() }
    }

    /// How likely it happens so many times and then does not: the geometric distribution.
    pub(super) fn geometric(self, times: u32) -> f64 {
        chance(f64::from(times) * self.ln + self.ln_not)
    }
}

/// How likely `extra` failures are before `wanted` successes, one at least, for each probability of a
/// failure: the negative binomial distribution.
pub(super) fn negative_binomials(extra: u32, wanted: u32, failures: &[Odds], chances: &mut [f64]) {
    let ways = ln_factorial(extra + wanted - 1) - ln_factorial(extra) - ln_factorial(wanted - 1);
    let (extra, wanted) = (f64::from(extra), f64::from(wanted));
    for (failure, one) in failures.iter().zip(chances) {
        *one = chance(ways + extra * failure.ln + wanted * failure.ln_not);
    }
}

/// How likely `hits` of `tries` are where each is a hit with this probability: the binomial
/// distribution.
pub(super) fn binomial(hits: u32, tries: u32, hit: Odds) -> f64 {
    let Some(misses) = tries.checked_sub(hits) else { return 0.0 };
    let choose = ln_factorial(tries) - ln_factorial(hits) - ln_factorial(misses);
    chance(choose + f64::from(hits) * hit.ln + f64::from(misses) * hit.ln_not)
}

/// How likely each number of hits is, from none to all of `tries`, where a hit's probability itself has
/// the distribution Beta(`a`, `b`).
pub(super) fn beta_binomials(tries: u32, a: f64, b: f64, chances: &mut Vec<f64>) {
    const LARGE: f64 = 1e200;
    chances.clear();
    let mut chance = 1.0;
    chances.push(chance);
    for hits in 0..tries {
        let left = f64::from(tries - hits);
        let hits = f64::from(hits);
        chance *= left * (hits + a) / ((hits + 1.0) * (left - 1.0 + b));
        if chance > LARGE {
            chances.iter_mut().for_each(|one| *one /= LARGE);
            chance /= LARGE;
        }
        chances.push(chance);
    }
    let all: f64 = chances.iter().sum();
    chances.iter_mut().for_each(|one| *one /= all);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-8 * b.abs().max(1.0)
    }

    #[test]
    fn known_values() {
        assert!(near(log_sum([0.0, 0.0].into_iter()), 2_f64.ln()));
        assert_eq!(log_sum(std::iter::empty()), f64::NEG_INFINITY);
        let mut chances = [0.0; 2];
        negative_binomials(0, 3, &[Odds::of(0.5), Odds::of(0.1)], &mut chances);
        assert!(near(chances[0], 0.125) && near(chances[1], 0.729));
        let quarter = Odds::of(0.25);
        assert!(near(binomial(1, 2, quarter), 0.375) && binomial(3, 2, quarter) == 0.0);
        assert!(near(quarter.geometric(2), 0.75 / 16.0) && quarter.geometric(100) == 0.0);
        assert!(near(ln_factorial(10), 3_628_800_f64.ln()) && ln_factorial(0) == 0.0);
        let mut chances = Vec::new();
        beta_binomials(2, 1.0, 1.0, &mut chances);
        assert!(chances.iter().all(|chance| near(*chance, 1.0 / 3.0)) && chances.len() == 3);
        beta_binomials(1, 0.2, 0.6, &mut chances);
        assert!(near(chances[1], 0.25));
        // Where the chance of no hit is too small for a number.
        beta_binomials(900, 1e6, 1e-3, &mut chances);
        assert!(chances[900] > 0.99999 && chances.len() == 901);
    }

    #[test]
    fn distributions_sum_to_one() {
        let mut all = 0.0;
        for extra in 0..400 {
            let mut chances = [0.0];
            negative_binomials(extra, 5, &[Odds::of(0.4)], &mut chances);
            all += chances[0];
        }
        assert!(near(all, 1.0), "{all}");
    }
}
