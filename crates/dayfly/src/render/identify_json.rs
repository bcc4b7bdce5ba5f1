//! The JSON of `identify`, schema version 1; `docs/json.md` explains every name.

use dayfly_lab::capture::Undecoded;
use dayfly_lab::identify::{Host, Nat, NatSign, Verdict};
use serde::Serialize;

use super::json::{NoteObject, note};
use super::systems_json::Ends;
use crate::SCHEMA_VERSION;
use crate::identify::Report;

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    source: &'a str,
    packets: u64,
    openings: u64,
    continued: u64,
    symmetric: u64,
    undecoded: Vec<UndecodedObject>,
    hosts: Vec<HostObject<'a>>,
    hosts_omitted: usize,
    hosts_too_few: usize,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct UndecodedObject {
    reason: &'static str,
    number: Option<u32>,
    packets: u64,
}

#[derive(Serialize)]
struct HostObject<'a> {
    address: String,
    protocol: &'static str,
    openings: u64,
    destinations: usize,
    answer: Option<&'static str>,
    group: Vec<&'static str>,
    merged_because: Option<&'static str>,
    probability: f64,
    settled: bool,
    classes: Vec<ClassObject>,
    unknown: f64,
    seen: Ends,
    widest: Ends,
    ranges: Vec<RangeObject>,
    excluded: String,
    candidates: Vec<CandidateObject<'a>>,
    nat: NatObject,
    guesses_after_last: Option<f64>,
    guesses_blind: Option<f64>,
    more_openings: Option<u64>,
    evidence: &'a [String],
}

#[derive(Serialize)]
struct ClassObject {
    class: &'static str,
    title: &'static str,
    members: &'static str,
    probability: f64,
}

#[derive(Serialize)]
struct RangeObject {
    low: u16,
    high: u16,
    probability: f64,
}

#[derive(Serialize)]
struct CandidateObject<'a> {
    name: &'a str,
    since: &'a str,
    probability: f64,
}

#[derive(Serialize)]
struct NatObject {
    verdict: &'static str,
    stacks: Option<usize>,
    counters: bool,
    range: bool,
    hops: Option<u8>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        let tally = &report.tally;
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            source: &report.source,
            packets: tally.packets,
            openings: tally.openings,
            continued: tally.continued,
            symmetric: tally.symmetric,
            undecoded: tally
                .undecoded
                .iter()
                .map(|(reason, packets)| undecoded(*reason, *packets))
                .collect(),
            hosts: report.hosts.iter().map(|(host, verdict)| object(host, verdict)).collect(),
            hosts_omitted: report.omitted,
            hosts_too_few: report.too_few,
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}

fn undecoded(reason: Undecoded, packets: u64) -> UndecodedObject {
    let (reason, number) = match reason {
        Undecoded::CutOff => ("cut_off", None),
        Undecoded::Link(link) => ("link", Some(link.0)),
        Undecoded::NotIp => ("not_ip", None),
        Undecoded::Fragment => ("fragment", None),
        Undecoded::Transport(number) => ("transport", Some(number.into())),
        Undecoded::Damaged => ("damaged", None),
    };
    UndecodedObject { reason, number, packets }
}

fn object<'a>(host: &'a Host, verdict: &'a Verdict) -> HostObject<'a> {
    HostObject {
        address: host.address.to_string(),
        protocol: host.protocol.name(),
        openings: host.openings,
        destinations: host.destinations(),
        answer: verdict.group.first().map(|class| class.name()),
        group: verdict.group.iter().map(|class| class.name()).collect(),
        merged_because: verdict.merged_because,
        probability: verdict.probability,
        settled: verdict.is_settled(),
        classes: verdict
            .classes
            .iter()
            .map(|(class, probability)| ClassObject {
                class: class.name(),
                title: class.title(),
                members: class.members(),
                probability: *probability,
            })
            .collect(),
        unknown: verdict.unknown,
        seen: verdict.ends.seen.into(),
        widest: verdict.ends.widest.into(),
        ranges: verdict
            .ranges
            .iter()
            .map(|(range, probability)| RangeObject {
                low: range.low().number(),
                high: range.high().number(),
                probability: *probability,
            })
            .collect(),
        excluded: verdict.excluded.to_string(),
        candidates: verdict
            .candidates
            .iter()
            .map(|one| CandidateObject {
                name: one.name,
                since: one.since,
                probability: one.probability,
            })
            .collect(),
        nat: nat(&verdict.nat),
        guesses_after_last: verdict.guesses.map(|guesses| guesses.after_last),
        guesses_blind: verdict.guesses.map(|guesses| guesses.blind),
        more_openings: verdict.more,
        evidence: &verdict.evidence,
    }
}

fn nat(nat: &Nat) -> NatObject {
    let (verdict, signs) = match nat {
        Nat::Likely(signs) => ("likely", signs.as_slice()),
        Nat::Possible(signs) => ("possible", signs.as_slice()),
        Nat::NoSign => ("no_sign", &[][..]),
        Nat::Unknown => ("unknown", &[][..]),
    };
    let mut object = NatObject { verdict, stacks: None, counters: false, range: false, hops: None };
    for sign in signs {
        match sign {
            NatSign::Stacks(count) => object.stacks = Some(*count),
            NatSign::Counters => object.counters = true,
            NatSign::Range => object.range = true,
            NatSign::Hops(hops) => object.hops = Some(*hops),
        }
    }
    object
}
