//! From how a destination's ports come and go to where that leads.
//!
//! Two or more looks at the same destination, at most a minute apart, show which ports were taken
//! in between and which came free. A connection that this host closed leaves a TIME_WAIT for a
//! minute, so even those that lived for microseconds are seen; one that the peer closed, or that
//! took over a TIME_WAIT on the same port, may not be: rates are lower bounds.
//!
//! Where TIME_WAIT holds most of the ports, each port is held for about the same time and use grows
//! in a straight line up to its steady state (opens per second times hold time, Little's law).
//! Elsewhere connections end at random, and use approaches the steady state ever more slowly.

use dayfly_ports::PortSet;

/// One look at a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When, in milliseconds of any clock that only goes forward.
    pub at_ms: u64,
    /// The ports in use, TIME_WAIT included.
    pub ports: Box<PortSet>,
    /// How many of them are in TIME_WAIT.
    pub time_wait: u32,
    /// How many ports are free.
    pub free: u32,
    /// How many of those the kernel tries first.
    pub fast_free: u32,
}

/// What the samples say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// From the first look to the last.
    pub seconds: f64,
    /// Ports taken per second.
    pub opens_per_second: f64,
    /// Ports that came free per second.
    pub ends_per_second: f64,
    /// How long a port is held on average; none while too little ended to tell.
    pub hold_seconds: Option<f64>,
    /// How many ports will be in use if nothing changes; none if there is no end in sight.
    pub steady_state: Option<f64>,
    /// When connect() turns slow; none if it never does at this rate. 0: it is.
    pub seconds_to_cliff: Option<f64>,
    /// When connect() fails; none if it never does at this rate. 0: it does.
    pub seconds_to_full: Option<f64>,
}

impl Forecast {
    /// The forecast from looks in the order of time; none from fewer than two, or from looks at
    /// the same moment.
    #[must_use]
    pub fn of(samples: &[Sample], time_wait_seconds: u32) -> Option<Self> {
        let (first, last) = (samples.first()?, samples.last()?);
        let seconds = last.at_ms.checked_sub(first.at_ms)? as f64 / 1000.0;
        if seconds <= 0.0 {
            return None;
        }
        let mut opened = 0;
        let mut ended = 0;
        for pair in samples.windows(2) {
            let [earlier, later] = pair else { continue };
            opened += (&*later.ports - &earlier.ports).len();
            ended += (&*earlier.ports - &later.ports).len();
        }
        let opens = f64::from(opened) / seconds;
        let ends = f64::from(ended) / seconds;
        let total: f64 = samples.iter().map(|sample| f64::from(sample.ports.len())).sum();
        let mean_used = total / samples.len() as f64;
        let used = f64::from(last.ports.len());

        let timed = last.time_wait * 2 > last.ports.len();
        let minute = f64::from(time_wait_seconds);
        let hold = match (ended, timed) {
            // Nothing can have ended yet of what a minute holds.
            (0, true) => Some(minute),
            (0, false) => None,
            // While use still grows, what ends is fewer than what came a hold time ago.
            (_, true) => Some(
                (mean_used / ends).min(minute * mean_used / f64::from(last.time_wait).max(1.0)),
            ),
            (_, false) => Some(mean_used / ends),
        };
        let steady = match (opened, hold) {
            (0, _) if ended == 0 => Some(used),
            (0, _) => Some(0.0),
            (_, hold) => hold.map(|hold| opens * hold),
        };
        let law = Law { used, opens, ends, hold, steady, timed };
        Some(Forecast {
            seconds,
            opens_per_second: opens,
            ends_per_second: ends,
            hold_seconds: hold,
            steady_state: steady,
            seconds_to_cliff: law.seconds_until(last.fast_free),
            seconds_to_full: law.seconds_until(last.free),
        })
    }
}

/// How use goes on.
struct Law {
    used: f64,
    opens: f64,
    ends: f64,
    hold: Option<f64>,
    steady: Option<f64>,
    timed: bool,
}

impl Law {
    /// When so many more ports are in use.
    fn seconds_until(&self, more: u32) -> Option<f64> {
        if more == 0 {
            return Some(0.0);
        }
        let level = self.used + f64::from(more);
        if self.opens <= 0.0 || self.steady.is_some_and(|steady| steady <= level) {
            return None;
        }
        let straight = f64::from(more) / (self.opens - self.ends);
        match (self.hold, self.steady) {
            (Some(hold), Some(steady)) if !self.timed => {
                // dN/dt = opens - N / hold
                Some(hold * ((steady - self.used) / (steady - level)).ln())
            }
            _ => (straight > 0.0 && straight.is_finite()).then_some(straight),
        }
    }
}

#[cfg(test)]
mod tests {
    use dayfly_ports::{Port, PortRange};

    use super::*;

    /// Looks at a load of `rate` connections a second, each of which holds its port for `hold`
    /// seconds, once a second from `from` to `to`.
    fn load(rate: u32, hold: f64, from: u32, to: u32, timed: bool) -> Vec<Sample> {
        let usable = 20_000;
        let look = |at: u32| {
            let mut ports: Box<PortSet> = Box::default();
            for index in 0..rate * at {
                let start = f64::from(index) / f64::from(rate);
                // Ends spread around the mean unless a timer makes them equal.
                let life =
                    if timed { hold } else { hold * 2.0 * f64::from(index * 7 % 100) / 99.0 };
                if start + life > f64::from(at) {
                    ports.insert(Port::new(30_000 + (index % usable) as u16));
                }
            }
            let used = ports.len();
            Sample {
                at_ms: u64::from(at) * 1000,
                ports,
                time_wait: if timed { used } else { 0 },
                free: usable - used,
                fast_free: (usable / 2).saturating_sub(used),
            }
        };
        (from..=to).map(look).collect()
    }

    fn near(value: Option<f64>, expected: f64) -> bool {
        value.is_some_and(|value| (value - expected).abs() <= expected * 0.15)
    }

    #[test]
    fn a_load_of_time_wait_grows_straight_to_rate_times_a_minute() {
        let early = Forecast::of(&load(200, 60.0, 5, 10, true), 60).unwrap();
        assert!(near(Some(early.opens_per_second), 200.0), "{early:?}");
        assert!(near(early.steady_state, 12_000.0), "{early:?}");
        assert!(near(early.seconds_to_cliff, 40.0), "{early:?}");
        assert_eq!(early.seconds_to_full, None);
        let heavy = Forecast::of(&load(400, 60.0, 5, 10, true), 60).unwrap();
        assert!(near(heavy.seconds_to_full, 40.0), "{heavy:?}");
    }

    #[test]
    fn a_steady_load_stays() {
        for timed in [true, false] {
            let steady = Forecast::of(&load(100, 20.0, 70, 90, timed), 60).unwrap();
            assert!(near(steady.hold_seconds, 20.0), "{steady:?}");
            assert!(near(steady.steady_state, 2000.0), "{steady:?}");
            assert_eq!((steady.seconds_to_cliff, steady.seconds_to_full), (None, None));
        }
    }

    #[test]
    fn a_leak_has_no_end() {
        let leak = Forecast::of(&load(100, 1e9, 10, 20, false), 60).unwrap();
        assert_eq!((leak.hold_seconds, leak.steady_state), (None, None));
        assert!(near(leak.seconds_to_full, 180.0), "{leak:?}");
    }

    #[test]
    fn nothing_to_tell() {
        let quiet = load(0, 1.0, 1, 3, false);
        let forecast = Forecast::of(&quiet, 60).unwrap();
        assert_eq!((forecast.opens_per_second, forecast.seconds_to_full), (0.0, None));
        assert_eq!(Forecast::of(&quiet[..1], 60), None);
        assert_eq!(Forecast::of(&[], 60), None);
        let mut full = quiet;
        for sample in &mut full {
            *sample.ports = PortRange::LINUX_DEFAULT.into();
            (sample.free, sample.fast_free) = (0, 0);
        }
        let forecast = Forecast::of(&full, 60).unwrap();
        assert_eq!(forecast.seconds_to_full, Some(0.0));
        assert!(near(forecast.steady_state, 28_232.0));
    }

    proptest::proptest! {
        #[test]
        fn whatever_was_seen_the_numbers_are_numbers(
            samples in proptest::collection::vec((0u64..5000, 0u16..300, 0u16..300, 0u32..400), 0..6)
        ) {
            let samples: Vec<Sample> = samples
                .into_iter()
                .map(|(at_ms, one, other, time_wait)| {
                    let range = PortRange::new(one.min(other), one.max(other)).unwrap();
                    let ports = Box::new(PortSet::from(range));
                    Sample { at_ms, ports, time_wait, free: time_wait, fast_free: time_wait / 2 }
                })
                .collect();
            if let Some(forecast) = Forecast::of(&samples, 60) {
                for number in [forecast.hold_seconds, forecast.steady_state,
                    forecast.seconds_to_cliff, forecast.seconds_to_full].into_iter().flatten() {
                    proptest::prop_assert!(number.is_finite() && number >= 0.0, "{:?}", forecast);
                }
            }
        }
    }
}
