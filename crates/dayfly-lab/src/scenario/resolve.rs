//! From what is written to what is meant: names looked up, defaults filled in, bounds checked.

use std::ops::Range;

use dayfly_ports::{PortRange, PortSet, Protocol};
use toml::Spanned;

use super::behaviour;
use super::error::nearest;
use super::quantity::Time;
use super::written::{self, Arrivals, Direction, Kind, Mode, Per, TwReuse, Written};
use super::{
    Algorithm, Closes, DestinationGroup, Distribution, HostGroup, Nanos, Nat, Pace, Reuse, SECOND,
    Scenario, ScenarioError, Scope, Task, Via, Workload,
};

/// So many pairs of source address and destination at most: each costs some fifty bytes.
const MOST_PAIRS: u64 = 1 << 24;

type Resolved<T> = Result<T, ScenarioError>;

/// The text that the spans belong to.
#[derive(Clone, Copy)]
struct Source<'a>(&'a str);

impl Source<'_> {
    fn wrong(self, span: Range<usize>, message: impl Into<String>) -> ScenarioError {
        ScenarioError::at(self.0, span, message)
    }

    /// A number in bounds, or the default.
    fn number(
        self,
        written: Option<&Spanned<u32>>,
        key: &str,
        default: u32,
        bounds: Range<u32>,
    ) -> Resolved<u32> {
        let Some(written) = written else { return Ok(default) };
        if bounds.contains(written.get_ref()) {
            return Ok(*written.get_ref());
        }
        let message = format!("{key} is between {} and {}", bounds.start, bounds.end - 1);
        Err(self.wrong(written.span(), message))
    }

    /// The place of a name among names; the only one if none is written.
    fn place<'n>(
        self,
        written: Option<&Spanned<String>>,
        what: &str,
        owner: Range<usize>,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> Resolved<usize> {
        let Some(written) = written else {
            return match names.clone().count() {
                1 => Ok(0),
                0 => Err(self
                    .wrong(owner, format!("there is no {what}"))
                    .hint(format!("add a [[{what}]]"))),
                _ => Err(self
                    .wrong(owner, format!("which {what} is meant?"))
                    .hint(format!("write {what} = \"NAME\", one of {}", listed(names)))),
            };
        };
        let wanted = written.get_ref();
        names.clone().position(|name| name == wanted).ok_or_else(|| {
            let error = self.wrong(written.span(), format!("there is no {what} {wanted:?}"));
            match nearest(wanted, names.clone()) {
                Some(near) => error.hint(format!("did you mean {near}?")),
                None => error.hint(format!("there are {}", listed(names))),
            }
        })
    }
}

fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

pub(super) fn resolve(text: &str, written: &Written) -> Resolved<Scenario> {
    let source = Source(text);
    let hosts: Vec<HostGroup> = written
        .host
        .iter()
        .enumerate()
        .map(|(at, one)| host(source, at, one))
        .collect::<Resolved<_>>()?;
    let destinations: Vec<DestinationGroup> = written
        .destination
        .iter()
        .enumerate()
        .map(|(at, one)| destination(source, at, one))
        .collect::<Resolved<_>>()?;
    unique(source, written.host.iter().map(|host| host.get_ref().name.as_ref()))?;
    unique(source, written.destination.iter().map(|to| to.get_ref().name.as_ref()))?;
    unique(source, written.workload.iter().map(|work| work.get_ref().name.as_ref()))?;
    let end = text.len()..text.len();
    if hosts.is_empty() {
        return Err(source.wrong(end, "there is no host").hint("add a [[host]] with its system"));
    }
    if written.workload.is_empty() {
        return Err(source.wrong(end, "nothing happens").hint("add a [[workload]] with its rate"));
    }
    let workloads = workloads(source, written, &hosts, &destinations)?;
    let duration = written.duration.as_ref().map_or(Ok(600 * SECOND), |duration| {
        let Time(nanos) = *duration.get_ref();
        if nanos == 0 {
            Err(source.wrong(duration.span(), "this is no time at all"))
        } else {
            Ok(nanos)
        }
    })?;
    let scenario = Scenario {
        title: written.title.clone().unwrap_or_default(),
        about: written.about.clone().unwrap_or_default(),
        seed: written.seed,
        duration,
        samples: source.number(written.samples.as_ref(), "samples", 240, 2..10_001)?,
        stop_at_failure: written.stop_at_failure,
        nat: written.nat.as_ref().map(|nat| self::nat(source, nat)).transpose()?,
        hosts,
        destinations,
        workloads,
    };
    size(source, written, &scenario)?;
    blocks(source, written, &scenario)?;
    Ok(scenario)
}

fn unique<'w>(
    source: Source<'_>,
    names: impl Iterator<Item = Option<&'w Spanned<String>>>,
) -> Resolved<()> {
    let mut seen = Vec::new();
    for name in names.flatten() {
        if seen.contains(&name.get_ref()) {
            return Err(source.wrong(name.span(), format!("{:?} is there twice", name.get_ref())));
        }
        seen.push(name.get_ref());
    }
    Ok(())
}

fn size(source: Source<'_>, written: &Written, scenario: &Scenario) -> Resolved<()> {
    let targets = crate::simulate::targets(scenario);
    let pairs = |host: &HostGroup| u64::from(host.count) * u64::from(host.addresses) * targets;
    let total: u64 = scenario.hosts.iter().map(pairs).fold(0, u64::saturating_add);
    let span = written.host.first().map_or(0..0, Spanned::span);
    if total > MOST_PAIRS {
        let message = format!(
            "{total} pairs of a source address and a destination; at most {MOST_PAIRS} are simulated"
        );
        return Err(source.wrong(span, message).hint("lower count, addresses or passive_ports"));
    }
    if let (Some(nat), Some(place)) = (&scenario.nat, &written.nat)
        && u64::from(nat.addresses) * targets > MOST_PAIRS
    {
        let message = format!("more than {MOST_PAIRS} pairs of a public address and a destination");
        return Err(source.wrong(place.span().start..place.span().start, message));
    }
    for (work, place) in scenario.workloads.iter().zip(&written.workload) {
        if let (Pace::Parallel(parallel, _), Some(key)) = (work.pace, &place.get_ref().parallel)
            && u64::from(parallel) * u64::from(scenario.hosts[work.host].count) > MOST_PAIRS
        {
            let message = format!("more than {MOST_PAIRS} at a time on all hosts");
            return Err(source.wrong(key.span(), message));
        }
    }
    Ok(())
}

/// Blocks have to find room: the hosts that share an address each have their own.
fn blocks(source: Source<'_>, written: &Written, scenario: &Scenario) -> Resolved<()> {
    let (Some(nat), Some(place)) = (&scenario.nat, &written.nat) else { return Ok(()) };
    let (Some(block), Some(key)) = (nat.block, &place.get_ref().block) else { return Ok(()) };
    let hosts: u32 = scenario.hosts.iter().map(|group| group.count).sum();
    let room = u64::from(nat.addresses) * u64::from(nat.range.len() / block);
    if u64::from(hosts) <= room {
        return Ok(());
    }
    let message = format!("{hosts} hosts need a block each, and there is room for {room}");
    Err(source.wrong(key.span(), message).hint("lower block, or raise addresses"))
}

fn name(written: Option<&Spanned<String>>, what: &str, at: usize) -> String {
    written.map_or_else(|| format!("{what}-{}", at + 1), |name| name.get_ref().clone())
}

fn range(source: Source<'_>, written: &Spanned<String>) -> Resolved<PortRange> {
    let range: PortRange = written
        .get_ref()
        .parse()
        .map_err(|error| source.wrong(written.span(), format!("{error}")))?;
    if range.low().number() == 0 {
        return Err(source.wrong(written.span(), "port 0 is never handed out"));
    }
    Ok(range)
}

fn ports(source: Source<'_>, written: Option<&Spanned<String>>) -> Resolved<PortSet> {
    let Some(written) = written else { return Ok(PortSet::EMPTY) };
    written.get_ref().parse().map_err(|error| source.wrong(written.span(), format!("{error}")))
}

fn version(source: Source<'_>, written: &Spanned<String>) -> Resolved<(u32, u32)> {
    let mut numbers = written.get_ref().split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), None) => Ok((major, 0)),
        (Some(Ok(major)), Some(Ok(minor))) => Ok((major, minor)),
        _ => Err(source
            .wrong(written.span(), format!("{:?} is no version", written.get_ref()))
            .hint("write it as \"6.18\"")),
    }
}

fn host(source: Source<'_>, at: usize, written: &Spanned<written::Host>) -> Resolved<HostGroup> {
    let host = written.get_ref();
    let version = host.version.as_ref().map(|text| version(source, text)).transpose()?;
    let system = host.system.get_ref();
    let known = behaviour::known(system, version).ok_or_else(|| {
        let error = source.wrong(host.system.span(), format!("there is no system {system:?}"));
        match nearest(system, behaviour::names()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint(format!("there are {}", listed(behaviour::names()))),
        }
    })?;
    if let Some(version) = &host.version
        && !matches!(known.name.as_str(), "linux" | "android" | "freebsd")
    {
        let message = format!("versions of {} are not told apart", known.name);
        return Err(source.wrong(version.span(), message).hint("leave version out"));
    }
    let mut behaviour = known.behaviour;
    if let Some(strategy) = &host.strategy {
        behaviour.algorithm = algorithm(source, strategy)?;
    }
    let delay = host.tw_reuse_delay.map_or(SECOND, |Time(delay)| delay);
    let reuse = match (host.tw_reuse, known.reuse) {
        (Some(TwReuse::Never), _) => Reuse::Never,
        (Some(TwReuse::Loopback), _) => Reuse::Loopback(delay),
        (Some(TwReuse::Everywhere), _) => Reuse::Everywhere(delay),
        (None, Reuse::Loopback(_)) => Reuse::Loopback(delay),
        (None, known) => known,
    };
    let group = HostGroup {
        name: name(host.name.as_ref(), "host", at),
        system: known.name,
        behaviour,
        count: source.number(host.count.as_ref(), "count", 1, 1..1_000_001)?,
        addresses: source.number(host.addresses.as_ref(), "addresses", 1, 1..65_536)?,
        range: host.range.as_ref().map_or(Ok(known.range), |text| range(source, text))?,
        reserved: ports(source, host.reserved.as_ref())?,
        listeners: ports(source, host.listeners.as_ref())?,
        time_wait: host.time_wait.map_or(known.time_wait, |Time(nanos)| nanos),
        max_time_wait: host.max_time_wait,
        reuse,
    };
    Ok(group)
}

fn algorithm(source: Source<'_>, written: &Spanned<String>) -> Resolved<Algorithm> {
    let wanted = written.get_ref();
    behaviour::strategy(wanted).ok_or_else(|| {
        let error = source.wrong(written.span(), format!("there is no strategy {wanted:?}"));
        match nearest(wanted, behaviour::strategies()) {
            Some(near) => error.hint(format!("did you mean {near}?")),
            None => error.hint(format!("there are {}", listed(behaviour::strategies()))),
        }
    })
}

fn destination(
    source: Source<'_>,
    at: usize,
    written: &Spanned<written::Destination>,
) -> Resolved<DestinationGroup> {
    let to = written.get_ref();
    Ok(DestinationGroup {
        name: name(to.name.as_ref(), "destination", at),
        port: to.port.as_ref().map_or(443, |port| *port.get_ref()),
        count: source.number(to.count.as_ref(), "count", 1, 1..1_000_001)?,
        time_wait: to.time_wait.map_or(60 * SECOND, |Time(nanos)| nanos),
        loopback: to.loopback,
    })
}

fn workloads(
    source: Source<'_>,
    written: &Written,
    hosts: &[HostGroup],
    destinations: &[DestinationGroup],
) -> Resolved<Vec<Workload>> {
    let names: Vec<String> = written
        .workload
        .iter()
        .enumerate()
        .map(|(at, work)| name(work.get_ref().name.as_ref(), "workload", at))
        .collect();
    let one = |(at, work): (usize, &Spanned<written::Workload>)| {
        workload(source, &names, at, work, hosts, destinations)
    };
    written.workload.iter().enumerate().map(one).collect()
}

fn workload(
    source: Source<'_>,
    names: &[String],
    at: usize,
    written: &Spanned<written::Workload>,
    hosts: &[HostGroup],
    destinations: &[DestinationGroup],
) -> Resolved<Workload> {
    let work = written.get_ref();
    let owner = written.span();
    let owner = owner.start..owner.start;
    let kind = work.kind.as_ref().map_or(Kind::Connections, |kind| *kind.get_ref());
    only_where_it_belongs(source, work, kind)?;
    let host_names = hosts.iter().map(|host| host.name.as_str());
    let to_names = destinations.iter().map(|to| to.name.as_str());
    let host = source.place(work.host.as_ref(), "host", owner.clone(), host_names)?;
    let destination =
        source.place(work.destination.as_ref(), "destination", owner.clone(), to_names)?;
    let protocol = match (work.protocol.as_ref().map(|protocol| *protocol.get_ref()), kind) {
        (Some(written::Protocol::Udp), _) | (None, Kind::Dns) => Protocol::Udp,
        (Some(written::Protocol::Sctp), _) | (None, Kind::Sctp) => Protocol::Sctp,
        _ => Protocol::Tcp,
    };
    let task = task(source, work, kind, names, owner.clone())?;
    let duration = match (&work.duration, kind) {
        (Some(written), _) => *written.get_ref(),
        (None, Kind::Exhaust) => Distribution::Forever,
        (None, Kind::Dns) => Distribution::Exponential(SECOND / 50),
        (None, Kind::Sctp) => Distribution::Constant(60 * SECOND),
        (None, Kind::Ftp) => Distribution::Constant(SECOND / 100),
        (None, _) => Distribution::Constant(SECOND / 10),
    };
    let closes = match work.closes.as_ref().map(|closes| *closes.get_ref()) {
        Some(written::Closes::Client) => Closes::Client,
        Some(written::Closes::Server) => Closes::Server,
        Some(written::Closes::Reset) => Closes::Reset,
        // Whoever sends a file ends the connection (RFC 959, section 3.3: stream mode).
        None if kind == Kind::Ftp && download(work) => Closes::Server,
        None => Closes::Client,
    };
    let via = match work.via.as_ref().map(|via| *via.get_ref()) {
        None | Some(written::Via::Connect) => Via::Connect,
        Some(written::Via::OwnRange) => Via::OwnRange,
        Some(written::Via::Bind) => Via::Bind,
        Some(written::Via::BindReuseAddress) => Via::BindReuseAddress,
    };
    Ok(Workload {
        name: names[at].clone(),
        host,
        destination,
        protocol,
        pace: pace(source, work, kind, owner)?,
        count: work.count,
        start: work.start.map_or(0, |Time(nanos)| nanos),
        stop: work.stop.map_or(Nanos::MAX, |Time(nanos)| nanos),
        duration,
        closes,
        via,
        task,
    })
}

fn download(work: &written::Workload) -> bool {
    work.direction.as_ref().is_none_or(|direction| *direction.get_ref() == Direction::Download)
}

/// A key that this kind of workload does not look at is a mistake worth telling.
fn only_where_it_belongs(source: Source<'_>, work: &written::Workload, kind: Kind) -> Resolved<()> {
    let ftp = [
        ("mode", work.mode.as_ref().map(Spanned::span)),
        ("direction", work.direction.as_ref().map(Spanned::span)),
        ("files", work.files.as_ref().map(Spanned::span)),
        ("passive_ports", work.passive_ports.as_ref().map(Spanned::span)),
        ("quit", work.quit.as_ref().map(Spanned::span)),
    ];
    let http = [
        ("keep_alive", work.keep_alive.as_ref().map(Spanned::span)),
        ("idle", work.idle.as_ref().map(Spanned::span)),
        ("requests", work.requests.as_ref().map(Spanned::span)),
    ];
    let predict = [
        ("victim", work.victim.as_ref().map(Spanned::span)),
        ("guesses", work.guesses.as_ref().map(Spanned::span)),
    ];
    refuse(source, kind != Kind::Ftp, "ftp", ftp)?;
    refuse(source, kind != Kind::Http, "http", http)?;
    refuse(source, kind != Kind::Predict, "predict", predict)
}

/// Refuses keys that are written where they mean nothing.
fn refuse<const N: usize>(
    source: Source<'_>,
    elsewhere: bool,
    word: &str,
    keys: [(&str, Option<Range<usize>>); N],
) -> Resolved<()> {
    for (key, place) in keys {
        if let Some(place) = place.filter(|_| elsewhere) {
            let message = format!("{key} belongs to workloads of the kind \"{word}\"");
            return Err(source.wrong(place, message));
        }
    }
    Ok(())
}

fn task(
    source: Source<'_>,
    work: &written::Workload,
    kind: Kind,
    names: &[String],
    owner: Range<usize>,
) -> Resolved<Task> {
    let keep_alive = work.keep_alive.as_ref().is_some_and(|keep| *keep.get_ref());
    Ok(match kind {
        Kind::Http if keep_alive => Task::KeepAlive {
            idle: work.idle.as_ref().map_or(60 * SECOND, |time| time.get_ref().0),
            requests: source.number(work.requests.as_ref(), "requests", 1000, 1..u32::MAX)?,
        },
        Kind::Ftp => Task::Ftp {
            active: work.mode.as_ref().is_some_and(|mode| *mode.get_ref() == Mode::Active),
            files: source.number(work.files.as_ref(), "files", 100, 1..u32::MAX)?,
            passive_ports: source.number(
                work.passive_ports.as_ref(),
                "passive_ports",
                1000,
                1..65_536,
            )?,
            quit: work.quit.as_ref().is_none_or(|quit| *quit.get_ref()),
        },
        Kind::Predict => {
            let names = names.iter().map(String::as_str);
            let Some(victim) = work.victim.as_ref() else {
                return Err(source
                    .wrong(owner, "whose ports are to be predicted?")
                    .hint("write victim = \"WORKLOAD\""));
            };
            Task::Predict {
                victim: source.place(Some(victim), "workload", owner, names)?,
                guesses: source.number(work.guesses.as_ref(), "guesses", 10, 1..65_536)?,
            }
        }
        _ => Task::Connection,
    })
}

fn pace(
    source: Source<'_>,
    work: &written::Workload,
    kind: Kind,
    owner: Range<usize>,
) -> Resolved<Pace> {
    let pause = work.pause.as_ref().map(|pause| pause.get_ref().0);
    match (&work.rate, &work.parallel) {
        (Some(rate), Some(_)) => {
            Err(source.wrong(rate.span(), "rate and parallel: one of them paces a workload"))
        }
        (None, Some(parallel)) => {
            if let Some(key) = &work.arrivals {
                return Err(source.wrong(key.span(), "arrivals belongs to rate"));
            }
            let parallel = source.number(Some(parallel), "parallel", 1, 1..1_000_001)?;
            Ok(Pace::Parallel(parallel, pause.unwrap_or(0)))
        }
        (Some(rate), None) => {
            if let Some(pause) = &work.pause {
                return Err(source.wrong(pause.span(), "pause belongs to parallel"));
            }
            let per_second = *rate.get_ref();
            if !(1e-6..=1e9).contains(&per_second) {
                return Err(source.wrong(rate.span(), "rate is between 0.000001 and 1e9 a second"));
            }
            let arrivals = work.arrivals.as_ref().map(|arrivals| *arrivals.get_ref());
            let burst = source.number(work.burst.as_ref(), "burst", 10, 1..1_000_001)?;
            match (arrivals, &work.burst) {
                (Some(Arrivals::Bursts), _) => Ok(Pace::Bursts(per_second, burst)),
                (_, Some(key)) => {
                    Err(source.wrong(key.span(), "burst belongs to arrivals = \"bursts\""))
                }
                (Some(Arrivals::Constant), None) => Ok(Pace::Constant(per_second)),
                _ => Ok(Pace::Poisson(per_second)),
            }
        }
        (None, None) if kind == Kind::Ftp => Ok(Pace::Parallel(1, pause.unwrap_or(0))),
        (None, None) => Err(source
            .wrong(owner, "how often does it happen?")
            .hint("write rate = 100 (a second) or parallel = 10 (at a time)")),
    }
}

fn nat(source: Source<'_>, written: &Spanned<written::Nat>) -> Resolved<Nat> {
    let nat = written.get_ref();
    let algorithm = match &nat.strategy {
        Some(strategy) => self::algorithm(source, strategy)?,
        None => Algorithm::Netfilter,
    };
    let range = match &nat.range {
        Some(text) => range(source, text)?,
        None => PortRange::new(1024, 65535).unwrap_or(PortRange::ALL),
    };
    let block = match &nat.block {
        Some(block) => {
            Some(source.number(Some(block), "block", 0, 1..range.len().saturating_add(1))?)
        }
        None => None,
    };
    Ok(Nat {
        algorithm,
        addresses: source.number(nat.addresses.as_ref(), "addresses", 1, 1..1_000_001)?,
        range,
        block,
        keeps_port: nat.keeps_port.unwrap_or(block.is_none()),
        scope: match nat.per {
            Some(Per::Address) => Scope::Address,
            Some(Per::Destination) | None => Scope::Tuple,
        },
        hold: nat.hold.map_or(120 * SECOND, |Time(nanos)| nanos),
    })
}
