//! How many ports, addresses and gateways a load needs, and what a supply of them carries.
//!
//! A connection occupies a port towards its destination from its opening until its end, and some time
//! longer: TIME_WAIT, or what a translator keeps. By Little's law the ports in use are, on average,
//! `rate x (duration + hold)`. Openings come at random (a Poisson process), so the number in use has
//! a Poisson distribution whatever the durations are: [`poisson::quantile`] says what to be ready
//! for, [`poisson::blocked`] which share of openings fails when there is less (Erlang's B formula).
//!
//! ```
//! use dayfly_insight::sizing::{Demand, Goal, Load, Supply, plan};
//!
//! let load = Load { rate: 400.0, duration: 0.5, hold: 60.0, destinations: 1 };
//! let plan = plan(&load, &Supply::of_host(28_232, 1), &Goal::default());
//! assert_eq!(plan.demand, Some(Demand { mean: 24_200.0, peak: 24_682 }));
//! assert!(!plan.fits, "more than 80 % of the ports");
//! assert_eq!(plan.addresses, Some(2));
//! ```

pub mod poisson;
mod translator;

pub use translator::{Translator, dynamic_block};

/// What is to be carried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Connections opened each second, all together.
    pub rate: f64,
    /// Seconds that one is open.
    pub duration: f64,
    /// Seconds that its port is kept after its end.
    pub hold: f64,
    /// Destinations (address and port) that the connections spread over evenly.
    pub destinations: u32,
}

/// What carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Supply {
    /// Ports of one source address.
    pub ports: u32,
    /// Source addresses.
    pub addresses: u32,
    /// Into how many fixed shares the ports are divided: virtual machines, subscribers. 1 if
    /// everybody takes from the same ports.
    pub shares: u32,
    /// Whether a port serves every destination once, or one connection only.
    pub per_destination: bool,
    /// How many source addresses there can be; none if nothing limits them.
    pub most_addresses: Option<u32>,
}

impl Supply {
    /// A host with so many usable ports and source addresses.
    #[must_use]
    pub const fn of_host(ports: u32, addresses: u32) -> Supply {
        Supply { ports, addresses, shares: 1, per_destination: true, most_addresses: None }
    }

    /// The ports of one share, towards one destination where that matters.
    #[must_use]
    pub fn capacity(&self) -> u64 {
        u64::from(self.ports) * u64::from(self.addresses) / u64::from(self.shares.max(1))
    }

    /// How many addresses give every share so many ports; a share does not straddle addresses.
    fn addresses_for(&self, wanted: u64) -> Option<u64> {
        let ports = u64::from(self.ports);
        if self.shares <= 1 {
            return wanted.max(1).checked_next_multiple_of(ports.max(1))?.checked_div(ports);
        }
        let shares_of_one = ports / wanted.max(1);
        (shares_of_one > 0).then(|| u64::from(self.shares).div_ceil(shares_of_one))
    }
}

/// How well it is to be carried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Goal {
    /// The share of the ports that may be in use on average.
    pub utilisation: f64,
    /// The probability that the ports suffice at any moment.
    pub quantile: f64,
}

impl Default for Goal {
    /// 80 %, and 999 of 1000 moments.
    fn default() -> Self {
        Goal { utilisation: 0.8, quantile: 0.999 }
    }
}

/// Ports in use of one share, towards one destination.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// On average.
    pub mean: f64,
    /// At most, but for the moments beyond [`Goal::quantile`].
    pub peak: u64,
}

/// Load and supply held against each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// What the load needs; none if the rate is 0.
    pub demand: Option<Demand>,
    /// What there is for it.
    pub capacity: u64,
    /// Whether that meets the goal.
    pub fits: bool,
    /// The share of openings that find no port: Erlang's B.
    pub blocked: f64,
    /// How long after the load starts the ports are gone, if they ever are.
    pub seconds_to_full: Option<f64>,
    /// The ports that each share needs to meet the goal.
    pub needed: Option<u64>,
    /// The source addresses that it takes; none if no number would do.
    pub addresses: Option<u64>,
    /// The rate, all together, up to which the goal is met.
    pub carries: f64,
    /// Single changes after which the goal is met, where it is not.
    pub knobs: Vec<Knob>,
}

/// One change that would make the load fit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Knob {
    /// So many requests over each connection instead of one.
    KeepAlive(u64),
    /// Seconds that a port is kept after the end, at most.
    Hold(f64),
    /// So many source addresses.
    Addresses(u64),
    /// So many destinations (addresses or ports of the service).
    Destinations(u64),
    /// So many ports for each source address.
    Ports(u64),
    /// So many openings each second, at most.
    Rate(f64),
}

/// Holds a load against a supply.
#[must_use]
pub fn plan(load: &Load, supply: &Supply, goal: &Goal) -> Plan {
    let capacity = supply.capacity();
    let each = split(load, supply);
    let held = load.duration + load.hold;
    let mean = load.rate / each * held;
    let most = most_mean(capacity, goal);
    let peak = poisson::quantile(mean, goal.quantile);
    let needed = (peak as f64).max((mean / goal.utilisation).ceil()) as u64;
    let fits = mean <= most;
    let addresses = supply
        .addresses_for(needed)
        .filter(|count| supply.most_addresses.is_none_or(|most| *count <= u64::from(most)));
    let carries = if held > 0.0 { most / held * each } else { f64::INFINITY };
    let full = mean > capacity as f64 && load.rate > 0.0;
    Plan {
        demand: (load.rate > 0.0).then_some(Demand { mean, peak }),
        capacity,
        fits,
        blocked: if mean > 0.0 { poisson::blocked(mean, capacity) } else { 0.0 },
        seconds_to_full: full.then(|| capacity as f64 * each / load.rate),
        needed: (load.rate > 0.0).then_some(needed),
        addresses,
        carries,
        knobs: if fits { Vec::new() } else { knobs(load, supply, most, needed, addresses) },
    }
}

/// Over how many independent pools the load spreads.
fn split(load: &Load, supply: &Supply) -> f64 {
    let destinations = if supply.per_destination { load.destinations.max(1) } else { 1 };
    f64::from(supply.shares.max(1)) * f64::from(destinations)
}

/// The greatest mean with which so many ports meet the goal.
fn most_mean(capacity: u64, goal: &Goal) -> f64 {
    let (mut low, mut high) = (0.0, capacity as f64 * goal.utilisation);
    if poisson::quantile(high, goal.quantile) <= capacity {
        return high;
    }
    for _ in 0..50 {
        let middle = f64::midpoint(low, high);
        if poisson::quantile(middle, goal.quantile) <= capacity {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// What would help, each alone, the cheapest first.
fn knobs(
    load: &Load,
    supply: &Supply,
    most: f64,
    needed: u64,
    addresses: Option<u64>,
) -> Vec<Knob> {
    let each = split(load, supply);
    let rate = load.rate / each;
    let mut knobs = Vec::new();
    // Keeping connections open saves what comes after them, not the time that they are in use.
    let after = most - rate * load.duration;
    if after > 0.0 && load.hold > 0.0 {
        knobs.push(Knob::KeepAlive((rate * load.hold / after).ceil().max(2.0) as u64));
        knobs.push(Knob::Hold(after / rate));
    }
    knobs.extend(addresses.map(Knob::Addresses));
    if supply.per_destination && most > 0.0 {
        let total = load.rate / f64::from(supply.shares.max(1)) * (load.duration + load.hold);
        knobs.push(Knob::Destinations((total / most).ceil() as u64));
    }
    let ports =
        (needed * u64::from(supply.shares.max(1))).div_ceil(u64::from(supply.addresses.max(1)));
    if ports > u64::from(supply.ports) && ports <= 64_512 {
        knobs.push(Knob::Ports(ports));
    }
    if most > 0.0 && load.duration + load.hold > 0.0 {
        knobs.push(Knob::Rate(most / (load.duration + load.hold) * each));
    }
    knobs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(rate: f64, duration: f64, hold: f64) -> Load {
        Load { rate, duration, hold, destinations: 1 }
    }

    #[test]
    fn by_hand() {
        // 16,384 ports and a minute of TIME_WAIT: 273 a second fill them, 218 fill four fifths.
        let supply = Supply::of_host(16_384, 1);
        let goal = Goal::default();
        let full = plan(&load(273.5, 0.0, 60.0), &supply, &goal);
        assert!(!full.fits && full.seconds_to_full.is_some_and(|at| (at - 59.9).abs() < 0.1));
        let room = plan(&load(218.0, 0.0, 60.0), &supply, &goal);
        assert!(room.fits && room.seconds_to_full.is_none() && room.knobs.is_empty());
        assert!((room.carries - 218.45).abs() < 0.01, "{}", room.carries);
        // Twice as many destinations carry twice as much.
        let two = Load { destinations: 2, ..load(436.0, 0.0, 60.0) };
        assert!(plan(&two, &supply, &goal).fits);
        // A carrier's translator: a port for a connection, wherever it goes.
        let carrier = Supply {
            ports: 64_512,
            addresses: 4,
            shares: 1000,
            per_destination: false,
            most_addresses: None,
        };
        assert_eq!(carrier.capacity(), 258);
        let users = Load { destinations: 50, ..load(1000.0, 1.0, 240.0) };
        let planned = plan(&users, &carrier, &goal);
        assert_eq!(planned.demand.map(|demand| demand.mean), Some(241.0));
        assert_eq!(planned.needed, Some(302));
        assert_eq!(planned.addresses, Some(1000_u64.div_ceil(64_512 / 302)));
    }

    #[test]
    fn few_ports_need_more_spare_ones() {
        // At 80 % of 10 ports, the busiest moment in a thousand would need 18.
        let supply = Supply::of_host(10, 1);
        let planned = plan(&load(8.0, 1.0, 0.0), &supply, &Goal::default());
        assert!(!planned.fits && planned.needed == Some(18));
        assert!(planned.carries < 4.0);
    }

    #[test]
    fn without_load_or_supply() {
        let nothing = plan(&load(0.0, 1.0, 60.0), &Supply::of_host(100, 1), &Goal::default());
        assert!(nothing.fits && nothing.demand.is_none() && nothing.blocked == 0.0);
        let empty = plan(&load(1.0, 1.0, 60.0), &Supply::of_host(0, 1), &Goal::default());
        assert!(!empty.fits && empty.blocked == 1.0 && empty.carries == 0.0);
        assert_eq!((empty.addresses, empty.seconds_to_full), (None, Some(0.0)));
    }

    proptest! {
        /// What a knob says is enough; what `carries` says is not too much.
        #[test]
        fn knobs_help(
            rate in 0.1..20_000.0_f64, duration in 0.0..30.0_f64, hold in 0.0..300.0_f64,
            destinations in 1_u32..20, ports in 20_u32..64_512, addresses in 1_u32..9,
            shares in 1_u32..50, per_destination: bool,
        ) {
            let load = Load { rate, duration, hold, destinations };
            let supply = Supply { ports, addresses, shares, per_destination, most_addresses: None };
            let goal = Goal::default();
            let first = plan(&load, &supply, &goal);
            for knob in &first.knobs {
                let (mut load, mut supply) = (load, supply);
                match knob {
                    Knob::KeepAlive(requests) => {
                        load.rate /= *requests as f64;
                        load.duration *= *requests as f64;
                    }
                    Knob::Hold(seconds) => load.hold = *seconds * 0.999_999,
                    Knob::Addresses(count) => supply.addresses = *count as u32,
                    Knob::Destinations(count) => load.destinations = *count as u32,
                    Knob::Ports(count) => supply.ports = *count as u32,
                    Knob::Rate(rate) => load.rate = *rate * 0.999_999,
                }
                prop_assert!(plan(&load, &supply, &goal).fits, "{:?} of {:?}", knob, first);
            }
            if first.carries > 0.0 && first.carries.is_finite() {
                let more = Load { rate: first.carries * 1.001, ..load };
                prop_assert!(!plan(&more, &supply, &goal).fits);
            }
        }
    }
}
