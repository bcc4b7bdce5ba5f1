//! A destination before the kernel: what the sockets leave open is asked, and the kernel's own
//! search is compared with what was computed.
//!
//! A port that is held only by connections to other destinations may have been bound first. Each
//! such doubt costs the kernel microseconds; where there are very many, a sample is asked first,
//! and the rest only if somebody in the sample binds first, or the search disagrees.

use std::net::SocketAddr;

use dayfly_insight::why::{DestinationAnswer, DestinationStudy};
use dayfly_linux::observe::Degradation;
use dayfly_linux::probe::{Probe, ProbeError};
use dayfly_ports::{Port, PortSet};

use super::report::{Part, ProbeReport};

/// Up to so many doubtful ports are asked about without more ado.
const ASK_ALL: u32 = 4096;
/// Ports of each parity in a sample. Who binds first has the parity that connect() takes last; of
/// one port in a hundred, a sample of a thousand misses one time in 20,000.
const SAMPLE: u32 = 1024;

/// Asks the kernel, where it can be asked, and compares. `thorough`: no sample.
pub(super) fn judge(
    studies: Vec<DestinationStudy>,
    probe: Option<&Result<Probe, ProbeError>>,
    thorough: bool,
    degraded: &mut Vec<Degradation>,
) -> Vec<Part> {
    let part = |mut study: DestinationStudy| {
        let probe = match probe {
            None => {
                return Part { answer: study.finish(), probe: ProbeReport::default() };
            }
            Some(Err(error)) => {
                return Part { answer: study.finish(), probe: ProbeReport::not_run(error) };
            }
            Some(Ok(probe)) => probe,
        };
        let doubts = match settle(probe, &mut study, thorough) {
            Ok(doubts) => doubts,
            Err(error) => {
                degraded.push(Degradation::NotProbed { error });
                Doubts::default()
            }
        };
        let answer = study.finish();
        let report = ProbeReport {
            doubtful: doubts.doubtful,
            asked: doubts.asked,
            ..search(probe, &answer)
        };
        Part { answer, probe: report }
    };
    studies.into_iter().map(part).collect()
}

/// How many ports the sockets leave open, and how many of them the kernel was asked about.
#[derive(Default)]
struct Doubts {
    doubtful: u32,
    asked: u32,
}

fn settle(
    probe: &Probe,
    study: &mut DestinationStudy,
    thorough: bool,
) -> Result<Doubts, ProbeError> {
    let all = study.unsettled();
    let doubtful = all.len();
    let sampled = if thorough || doubtful <= ASK_ALL { all.clone() } else { sample(&all) };
    let mut bound = probe.buckets(&sampled)?;
    let mut asked = sampled.len();
    if asked < doubtful && !bound.is_empty() {
        bound |= &probe.buckets(&(&all - &sampled))?;
        asked = doubtful;
    }
    study.settle(&bound);
    Ok(Doubts { doubtful, asked })
}

/// Ports of both parities, evenly spread.
fn sample(ports: &PortSet) -> PortSet {
    let even = ports.of_parity(Port::MIN);
    let odd = ports - &even;
    let spread = |ports: &PortSet| {
        let (len, count) = (ports.len(), ports.len().min(SAMPLE));
        (0..count).filter_map(|rank| ports.select(rank * len / count)).collect::<PortSet>()
    };
    &spread(&even) | &spread(&odd)
}

/// Runs the kernel's search, as a plain connect() would.
fn search(probe: &Probe, answer: &DestinationAnswer) -> ProbeReport {
    let key = answer.row.key;
    let destination = SocketAddr::new(key.destination, key.port.number());
    let search = match probe.any(None, destination) {
        Err(error) => return ProbeReport::not_run(&error),
        Ok(search) => search,
    };
    let agrees = match search.port {
        Some(port) => {
            // The first parity is left only when nothing of it is free; in a range of odd length
            // each search overlooks one port.
            let low = probe.range().low();
            let left_early = port.is_odd() != low.is_odd() && answer.row.fast_free > 1;
            answer.allows(port) && !left_early
        }
        None => !answer.connects() || answer.row.free_min == 0,
    };
    ProbeReport {
        ran: true,
        error: search.port.is_none().then(|| "EADDRNOTAVAIL".to_owned()),
        found: search.port,
        micros: Some(search.elapsed.as_secs_f64() * 1e6),
        agrees: Some(agrees),
        ..ProbeReport::default()
    }
}

#[cfg(test)]
mod tests {
    use dayfly_ports::PortRange;

    use super::*;

    #[test]
    fn a_sample_has_both_parities_and_spans_the_range() {
        let all = PortSet::from(PortRange::LINUX_DEFAULT);
        let sample = sample(&all);
        assert_eq!(sample.len(), 2 * SAMPLE);
        assert_eq!(sample.of_parity(Port::MIN).len(), SAMPLE);
        assert_eq!(sample.intersection_len(&all), 2 * SAMPLE);
        let last = sample.select(2 * SAMPLE - 1).unwrap();
        assert!(last > Port::new(60_900), "{last}");
        assert!(super::sample(&PortSet::EMPTY).is_empty());
    }
}
