//! The load that this host has right now.

use std::net::SocketAddr;
use std::time::Duration;

use dayfly_insight::forecast::Forecast;
use dayfly_insight::{DestinationKey, Settings};
use dayfly_linux::observe::{Degradation, ObserveError, Options, observe};
use dayfly_linux::settings;
use dayfly_ports::Protocol;

use crate::error::Failure;
use crate::place;
use crate::why::watch;

/// Destinations that are watched: those with the most ports in use at the first look.
const WATCHED: usize = 32;

/// What was measured of the destination that is opened most often.
pub(crate) struct Measured {
    pub(crate) namespace: String,
    pub(crate) seconds: f64,
    pub(crate) destination: SocketAddr,
    /// How many destinations were watched, and how many of these were opened.
    pub(crate) watched: usize,
    pub(crate) active: usize,
    /// Openings a second, to this destination.
    pub(crate) rate: f64,
    /// How long a port is held; none while too little ended to tell.
    pub(crate) held: Option<f64>,
    /// The part of that which is TIME_WAIT.
    pub(crate) share_of_time_wait: f64,
    /// Usable ports.
    pub(crate) ports: u32,
    pub(crate) time_wait_seconds: u32,
    pub(crate) degraded: Vec<Degradation>,
}

struct Looked {
    settings: Settings,
    found: Vec<(DestinationKey, Forecast, f64)>,
    watched: usize,
    degraded: Vec<Degradation>,
}

/// Watches the fullest destinations of a namespace.
pub(super) fn measure(netns: Option<&str>, time: Duration) -> Result<Measured, Failure> {
    let namespace = place::find(netns)?;
    let Looked { settings, found, watched, degraded } = namespace
        .run(|| look(time))
        .map_err(|error| place::refused(&error))?
        .map_err(|error| place::impossible(&error))?;
    let active = found.iter().filter(|(_, forecast, _)| forecast.opens_per_second > 0.0).count();
    let busiest = found
        .into_iter()
        .max_by(|one, other| one.1.opens_per_second.total_cmp(&other.1.opens_per_second))
        .filter(|(_, forecast, _)| forecast.opens_per_second > 0.0);
    let Some((key, forecast, share_of_time_wait)) = busiest else {
        let (time, name) = (crate::render::seconds(time.as_secs_f64()), namespace.name());
        let failure = match watched {
            0 => format!("in {time} nobody in the network namespace {name} opened a connection"),
            1 => format!(
                "in {time} nothing was opened to the one destination of the network namespace {name}"
            ),
            _ => format!(
                "in {time} nothing was opened to any of {watched} destinations of the network \
                 namespace {name}"
            ),
        };
        return Err(Failure::new(failure).hint(
            "watch for longer (--from-now 60) while there is load, or type the load: --target",
        ));
    };
    Ok(Measured {
        namespace: namespace.name().to_owned(),
        seconds: forecast.seconds,
        destination: key.remote(),
        watched,
        active,
        rate: forecast.opens_per_second,
        held: forecast.hold_seconds,
        share_of_time_wait,
        ports: settings.usable(Protocol::Tcp).len(),
        time_wait_seconds: settings.time_wait_seconds,
        degraded,
    })
}

/// Runs inside the namespace.
fn look(time: Duration) -> Result<Looked, ObserveError> {
    let settings = settings::read().map_err(ObserveError::Settings)?;
    let first = observe(&Options::default())?;
    let mut rows: Vec<_> = first.headroom.destinations.iter().collect();
    rows.retain(|row| row.key.protocol == Protocol::Tcp);
    rows.sort_by_key(|row| std::cmp::Reverse(row.used));
    let keys: Vec<DestinationKey> = rows.iter().take(WATCHED).map(|row| row.key).collect();
    let found = watch(&settings, &keys, time)?
        .into_iter()
        .filter_map(|(key, samples)| {
            let last = samples.last()?;
            let share = f64::from(last.time_wait) / f64::from(last.ports.len().max(1));
            Some((key, Forecast::of(&samples, settings.time_wait_seconds)?, share))
        })
        .collect();
    Ok(Looked { settings, found, watched: keys.len(), degraded: first.degraded })
}
