//! How far a counter moves from one seen port to the next, when some are not seen.

use std::sync::LazyLock;

/// Shares of openings that a capture misses.
pub(super) const LOSSES: [f64; 7] = [0.003, 0.07, 0.2, 0.3, 0.4, 0.55, 0.7];
/// How likely each is.
pub(super) const LOSSES_PRIOR: [f64; 7] = [1.0 / 7.0; 7];
/// The largest steps of counters that move at random; RFC 6056 proposes 500.
pub(super) const LARGEST: [u32; 4] = [500, 100, 250, 1000];
/// How likely each is: nobody is known to change it.
pub(super) const LARGEST_PRIOR: [f64; 4] = [0.85, 0.05, 0.05, 0.05];

/// The distribution of a distance: `at(d)` is the probability of `d`.
#[derive(Debug)]
pub(super) struct Distances(Vec<f64>);

impl Distances {
    #[inline]
    pub(super) fn at(&self, distance: u32) -> f64 {
        self.0.get(distance as usize).copied().unwrap_or(0.0)
    }

    /// Steps of 1 to `largest`, each as likely as the others; a step is followed by an unseen one
    /// with probability `loss`. It satisfies `f = (1 - loss) u + loss u * f`.
    fn uniform(largest: u32, loss: f64) -> Distances {
        let largest = largest as usize;
        // Beyond this the tail weighs less than 1e-6.
        let length = largest * (2 + (14.0 / -loss.ln()) as usize);
        let each = 1.0 / largest as f64;
        let mut found = vec![0.0; length + 1];
        let mut window = 0.0;
        for distance in 1..=length {
            window += found[distance - 1];
            if distance > largest {
                window -= found[distance - 1 - largest];
            }
            let direct = if distance <= largest { (1.0 - loss) * each } else { 0.0 };
            found[distance] = direct + loss * each * window;
        }
        Distances(found)
    }
}

/// Steps of Linux' `connect()` since 5.18, in its own units: 1 to 8; one for each of [`LOSSES`].
pub(super) static LINUX: LazyLock<Vec<Distances>> = LazyLock::new(|| {
    let with = |loss: f64| {
        let mut found = Distances::uniform(8, loss);
        // A port that is taken is walked past: a tail of one in fourteen.
        found.0.resize(160, 0.0);
        for (distance, share) in found.0.iter_mut().enumerate().skip(1) {
            let tail = (-(distance as f64) / 12.0).exp() * (1.0_f64 / 12.0).exp_m1();
            *share = 0.93 * *share + 0.07 * tail;
        }
        found
    };
    LOSSES.into_iter().map(with).collect()
});

/// Random steps: for each of [`LARGEST`], for each of [`LOSSES`].
pub(super) static RANDOM: LazyLock<Vec<Vec<Distances>>> = LazyLock::new(|| {
    let of = |largest: u32| {
        LOSSES.into_iter().map(|loss| Distances::uniform(largest, loss)).collect::<Vec<_>>()
    };
    LARGEST.into_iter().map(of).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_sum_to_one() {
        for table in LINUX.iter().chain(RANDOM.iter().flatten()) {
            let sum: f64 = table.0.iter().sum();
            assert!((sum - 1.0).abs() < 1e-4, "{sum}");
        }
        assert!((Distances::uniform(8, 0.3).at(1) - 0.7 / 8.0).abs() < 1e-12);
        assert!((Distances::uniform(2, 0.5).at(2) - (0.25 + 0.5 * 0.5 * 0.25)).abs() < 1e-12);
    }
}
