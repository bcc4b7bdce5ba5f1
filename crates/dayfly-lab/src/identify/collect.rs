//! From packets to the openings of each host.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::num::NonZeroU64;

use dayfly_ports::{Port, PortSet, Protocol, Tuple};

use crate::capture::{Frame, Role, Segment, Stack, Undecoded, decode};

/// Samples that are kept of each host, as many as are weighed; of more there are totals.
const KEPT: usize = 1024;
/// Stacks that are told apart for each host.
const STACKS: usize = 16;
/// Flows that are remembered so that each opens once: entries of eight bytes, a power of two.
const REMEMBERED: usize = 1 << 17;
/// A datagram flow that was silent for so long begins anew (RFC 4787 section 4.3: the least that a
/// NAT may keep a mapping is two minutes).
const SILENCE_SECONDS: u32 = 120;

/// One opening, as seen from its host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Nanoseconds of the source's clock; none if it was not told, or is 0.
    pub time: Option<NonZeroU64>,
    /// A number that stands for the destination, address and port: 32 bits of a keyed hash, so that
    /// nothing needs to be looked up. Two of 1024 destinations get the same one in one case of 8000.
    pub destination: u32,
    /// The port that the host chose.
    pub port: u16,
}

/// The openings of one host and protocol.
#[derive(Clone, Debug)]
pub struct Host {
    /// Its address, as seen where the capture was made.
    pub address: IpAddr,
    /// The protocol.
    pub protocol: Protocol,
    /// How many openings there were.
    pub openings: u64,
    /// The first of them, at most 1024.
    pub samples: Vec<Sample>,
    /// The stacks that the samples showed, with the initial time to live and how often.
    pub stacks: Vec<(Stack, u8, u64)>,
    /// The fewest hops that lie between the host and the place of the capture, by its time to live;
    /// none if it was not told.
    pub hops: Option<u8>,
    /// Every port, once there are more openings than samples.
    ports: Option<Box<PortSet>>,
}

/// What happened to the packets, or lines, that came in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All of them.
    pub packets: u64,
    /// Those that opened a connection that was not known.
    pub openings: u64,
    /// TCP and SCTP packets of connections that had begun before: nobody knows who opened them.
    pub continued: u64,
    /// UDP packets between equal port numbers, neither of which was chosen for the flow.
    pub symmetric: u64,
    /// Those that say nothing about ports, by reason.
    pub undecoded: BTreeMap<Undecoded, u64>,
}

/// Sorts openings by host and protocol.
///
/// Memory follows the number of hosts: of each at most 1024 samples are kept, and flows are
/// remembered in a table of one mebibyte, from which the longest silent ones are forgotten.
#[derive(Debug)]
pub struct Collector {
    hosts: HashMap<(IpAddr, Protocol), Host, foldhash::fast::FixedState>,
    remembered: Box<[(u32, u32)]>,
    hasher: foldhash::fast::FixedState,
    tally: Tally,
}

impl Collector {
    /// Nothing yet. The seed keeps whoever sends packets from choosing which ones are mixed up.
    #[must_use]
    pub fn new(seed: u64) -> Collector {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        Collector {
            hosts: HashMap::with_hasher(hasher.clone()),
            remembered: vec![(0, 0); REMEMBERED].into(),
            hasher,
            tally: Tally::default(),
        }
    }

    /// What came in so far.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes a captured packet.
    #[inline]
    pub fn add(&mut self, frame: &Frame<'_>) {
        self.tally.packets += 1;
        match decode(frame) {
            Ok(segment) => self.segment(frame.time, &segment),
            Err(reason) => *self.tally.undecoded.entry(reason).or_default() += 1,
        }
    }

    /// Takes an opening that somebody else recognised.
    pub fn add_opening(&mut self, tuple: Tuple, time: Option<u64>) {
        self.tally.packets += 1;
        self.opened(tuple.canonical(), time, None);
    }

    #[inline]
    fn segment(&mut self, time: Option<u64>, segment: &Segment) {
        let Segment { tuple, role, ttl } = *segment;
        match role {
            Role::Continues => self.tally.continued += 1,
            Role::Opens { mark, stack } => {
                if self.is_new(&tuple, mark, None) {
                    self.opened(tuple, time, Some((stack, ttl)));
                }
            }
            Role::Answers { mark } => {
                let tuple = turned(tuple);
                if self.is_new(&tuple, mark, None) {
                    self.opened(tuple, time, None);
                }
            }
            Role::Datagram => {
                let (local, remote) = (tuple.local_port.number(), tuple.remote_port.number());
                if local == remote {
                    self.tally.symmetric += 1;
                    return;
                }
                // The same for both directions.
                let from_low = (tuple.local_address, local) < (tuple.remote_address, remote);
                let flow = if from_low { tuple } else { turned(tuple) };
                let seconds = time.map(|time| (time / 1_000_000_000) as u32);
                if !self.is_new(&flow, 0, Some(seconds.unwrap_or(0))) {
                    return;
                }
                // Who is seen first has begun, unless a service answers what the capture missed.
                let answer = local < 1024 && remote >= 1024;
                let tuple = if answer { turned(tuple) } else { tuple };
                let ttl = (!answer).then_some((Stack::default(), ttl));
                self.opened(tuple, time, ttl);
            }
        }
    }

    /// Whether this was not seen lately, and remembers it. `seconds` is the time, where silence
    /// counts.
    #[inline]
    fn is_new(&mut self, tuple: &Tuple, mark: u32, seconds: Option<u32>) -> bool {
        let hash = self.hash(tuple, mark);
        let print = (hash >> 32) as u32 | 1;
        let now = seconds.unwrap_or(0);
        let place = hash as usize & (REMEMBERED - 2);
        let pair = &mut self.remembered[place..place + 2];
        if let Some(entry) = pair.iter_mut().find(|entry| entry.0 == print) {
            let silent = now.saturating_sub(entry.1);
            entry.1 = now;
            return silent > SILENCE_SECONDS;
        }
        // The older one of two makes room; where no time is known, the first.
        let older = usize::from(pair[1].0 == 0 || pair[1].1 < pair[0].1);
        pair[older] = (print, now);
        if older == 0 {
            pair.swap(0, 1);
        }
        true
    }

    /// A keyed hash of a connection. Half of the work on a capture full of openings is here, so the
    /// fields go in as a few whole numbers.
    #[inline]
    fn hash(&self, tuple: &Tuple, mark: u32) -> u64 {
        let ports = u64::from(tuple.local_port.number()) << 16
            | u64::from(tuple.remote_port.number())
            | u64::from(tuple.protocol.ip_number()) << 32;
        let mut hasher = self.hasher.build_hasher();
        match (tuple.local_address, tuple.remote_address) {
            (IpAddr::V4(local), IpAddr::V4(remote)) => {
                hasher.write_u64(u64::from(local.to_bits()) << 32 | u64::from(remote.to_bits()));
            }
            (local, remote) => (local, remote).hash(&mut hasher),
        }
        hasher.write_u64(ports);
        hasher.write_u32(mark);
        hasher.finish()
    }

    fn opened(&mut self, tuple: Tuple, time: Option<u64>, stack: Option<(Stack, u8)>) {
        self.tally.openings += 1;
        let tuple = tuple.canonical();
        let host = self
            .hosts
            .entry((tuple.local_address, tuple.protocol))
            .or_insert_with(|| Host::new(tuple.local_address, tuple.protocol));
        host.openings += 1;
        if host.samples.len() == KEPT {
            host.all_ports().insert(tuple.local_port);
            return;
        }
        let destination = (tuple.remote_address, tuple.remote_port.number());
        host.samples.push(Sample {
            time: time.and_then(NonZeroU64::new),
            destination: self.hasher.hash_one(destination) as u32,
            port: tuple.local_port.number(),
        });
        if let Some((stack, ttl)) = stack {
            host.show(stack, ttl);
        }
    }

    /// The hosts, those with the most openings first.
    #[must_use]
    pub fn finish(self) -> (Vec<Host>, Tally) {
        let mut hosts: Vec<Host> = self.hosts.into_values().collect();
        hosts.sort_by(|one, other| {
            let key = |host: &Host| (host.address, host.protocol);
            other.openings.cmp(&one.openings).then_with(|| key(one).cmp(&key(other)))
        });
        (hosts, self.tally)
    }
}

impl Host {
    fn new(address: IpAddr, protocol: Protocol) -> Host {
        Host {
            address,
            protocol,
            openings: 0,
            samples: Vec::new(),
            stacks: Vec::new(),
            hops: None,
            ports: None,
        }
    }

    /// How many destinations the samples went to.
    #[must_use]
    pub fn destinations(&self) -> usize {
        let mut numbers: Vec<u32> = self.samples.iter().map(|one| one.destination).collect();
        numbers.sort_unstable();
        numbers.dedup();
        numbers.len()
    }

    /// Every port that it chose.
    #[must_use]
    pub fn ports(&self) -> PortSet {
        match &self.ports {
            Some(ports) => (**ports).clone(),
            None => self.samples.iter().map(|sample| Port::new(sample.port)).collect(),
        }
    }

    fn all_ports(&mut self) -> &mut PortSet {
        let samples = &self.samples;
        let so_far = || Box::new(samples.iter().map(|sample| Port::new(sample.port)).collect());
        self.ports.get_or_insert_with(so_far)
    }

    fn show(&mut self, stack: Stack, ttl: u8) {
        // Stacks start at one of four values, and nobody is more than a few dozen hops away.
        let initial = [32, 64, 128].into_iter().find(|initial| ttl <= *initial).unwrap_or(255);
        let hops = initial - ttl;
        self.hops = Some(self.hops.map_or(hops, |known| known.min(hops)));
        let same = |known: &&mut (Stack, u8, u64)| (known.0, known.1) == (stack, initial);
        if let Some((_, _, count)) = self.stacks.iter_mut().find(same) {
            *count += 1;
        } else if self.stacks.len() < STACKS {
            self.stacks.push((stack, initial, 1));
        }
    }
}

/// The connection as the other end sees it.
fn turned(tuple: Tuple) -> Tuple {
    Tuple {
        protocol: tuple.protocol,
        local_address: tuple.remote_address,
        local_port: Port::new(tuple.remote_port.number()),
        remote_address: tuple.local_address,
        remote_port: Port::new(tuple.local_port.number()),
    }
}
