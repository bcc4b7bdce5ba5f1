//! When connections, requests and sessions begin, and on which host of a group.

use dayfly_alloc::Random;

use crate::scenario::{Nanos, Pace, SECOND, Workload, exponential, nearest};

/// When a workload's next beginning is.
///
/// Beginnings of all hosts of a group are one stream. Where several go on at a time, each end leads
/// to the next beginning, and the stream itself is empty.
pub(super) struct Arrivals {
    /// `Nanos::MAX` if there is none.
    pub(super) next: Nanos,
    /// How many there were.
    pub(super) begun: u64,
    /// How many there may still be.
    pub(super) left: u64,
    hosts: u32,
    /// Nanoseconds from one to the next, on average over all hosts.
    mean: f64,
}

impl Arrivals {
    /// The first one of a workload on so many hosts.
    pub(super) fn of(work: &Workload, hosts: u32, random: &mut impl Random) -> Arrivals {
        let mut arrivals = Arrivals {
            next: work.start,
            begun: 0,
            left: work.count.unwrap_or(u64::MAX),
            hosts,
            mean: match work.pace {
                Pace::Poisson(rate) => SECOND as f64 / (rate * f64::from(hosts)),
                _ => 0.0,
            },
        };
        match work.pace {
            Pace::Poisson(_) => arrivals.next += exponential(arrivals.mean, random),
            Pace::Constant(_) | Pace::Bursts(..) => {}
            Pace::Parallel(..) => arrivals.next = Nanos::MAX,
        }
        arrivals.end(work);
        arrivals
    }

    /// The host that begins, within its group.
    #[inline]
    pub(super) fn host(&self, work: &Workload, random: &mut impl Random) -> u32 {
        match work.pace {
            _ if self.hosts == 1 => 0,
            Pace::Poisson(_) => random.below(self.hosts),
            Pace::Bursts(_, burst) => {
                (self.begun / u64::from(burst) % u64::from(self.hosts)) as u32
            }
            _ => (self.begun % u64::from(self.hosts)) as u32,
        }
    }

    /// One has begun: when is the next?
    #[inline]
    pub(super) fn advance(&mut self, work: &Workload, random: &mut impl Random) {
        self.begun += 1;
        self.left -= 1;
        self.next = match work.pace {
            Pace::Poisson(_) => self.next.saturating_add(exponential(self.mean, random)),
            Pace::Constant(rate) => {
                let since = self.begun as f64 / (rate * f64::from(self.hosts)) * SECOND as f64;
                work.start.saturating_add(nearest(since))
            }
            Pace::Bursts(rate, burst) => {
                let bursts = (self.begun / u64::from(burst)) as f64 * f64::from(burst);
                let since = bursts / (rate * f64::from(self.hosts)) * SECOND as f64;
                work.start.saturating_add(nearest(since))
            }
            Pace::Parallel(..) => Nanos::MAX,
        };
        self.end(work);
    }

    fn end(&mut self, work: &Workload) {
        if self.left == 0 || self.next >= work.stop {
            self.next = Nanos::MAX;
        }
    }
}
