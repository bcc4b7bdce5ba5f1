//! `dayfly identify`: which strategy, range and system made the ports of a capture.

mod args;
mod input;
mod live;

use dayfly_lab::capture::Undecoded;
use dayfly_lab::identify::{Collector, Host, Tally, Verdict, identify};
use dayfly_linux::observe::hash_seed;

pub(crate) use self::args::IdentifyArgs;
use crate::error::Failure;
use crate::place::Note;
use crate::render;

/// Fewer connections than this are no ground for an answer.
const FEWEST: u64 = 5;
/// Hosts that the text says something about, unless told.
const TOP: usize = 5;

/// What is printed.
pub(crate) struct Report {
    pub(crate) source: String,
    pub(crate) tally: Tally,
    /// Those that something is said about.
    pub(crate) hosts: Vec<(Host, Verdict)>,
    /// How many others there are: with enough connections, and with too few.
    pub(crate) omitted: usize,
    pub(crate) too_few: usize,
    pub(crate) degraded: Vec<Note>,
}

pub(crate) fn run(args: &IdentifyArgs) -> Result<(), Failure> {
    let mut collector = Collector::new(hash_seed());
    let enough = args.samples.map_or(u64::MAX, |samples| samples as u64);
    let mut degraded = input::read(&args.file, enough, &mut collector)?;
    let (mut hosts, tally) = collector.finish();
    degraded.extend(unseen(&tally));
    hosts.retain(|host| {
        args.host.is_none_or(|address| address.to_canonical() == host.address)
            && (args.protocol.is_empty() || args.protocol.contains(&host.protocol))
    });
    if hosts.is_empty() {
        return Err(nothing(args, &tally));
    }
    let all = hosts.len();
    // A host that was asked for gets an answer however little was seen of it.
    hosts.retain(|host| host.openings >= FEWEST || args.host.is_some());
    let enough_of = hosts.len();
    let shown = if args.output.json { usize::MAX } else { TOP };
    hosts.truncate(args.top.unwrap_or(shown));
    let hosts: Vec<(Host, Verdict)> = hosts
        .into_iter()
        .filter_map(|host| identify(&host).map(|verdict| (host, verdict)))
        .collect();
    let report = Report {
        source: args.file.clone(),
        tally,
        omitted: enough_of - hosts.len(),
        too_few: all - enough_of,
        hosts,
        degraded,
    };
    if args.output.json {
        return render::print_json(&render::identify_json::Document::new(&report));
    }
    let text = render::identify::text(&report, render::Screen::of_terminal());
    render::print_text(&text, args.output.color)
}

/// What kept packets from being understood, where something can be done about it.
fn unseen(tally: &Tally) -> Vec<Note> {
    let mut notes = Vec::new();
    for (reason, packets) in &tally.undecoded {
        let what = render::counted(*packets, "packet");
        let (why, fix) = match reason {
            Undecoded::CutOff => (
                "they were not captured as far as their ports".to_owned(),
                "tcpdump -s 128".to_owned(),
            ),
            Undecoded::Link(link) => (
                format!("they come from a link that is not known: {link}"),
                "tcpdump -y EN10MB, or -i any".to_owned(),
            ),
            Undecoded::Damaged => ("their headers contradict themselves".to_owned(), String::new()),
            Undecoded::NotIp | Undecoded::Fragment | Undecoded::Transport(_) => continue,
        };
        notes.push(Note { what, why, fix });
    }
    notes
}

/// Why there is no host to say anything about.
fn nothing(args: &IdentifyArgs, tally: &Tally) -> Failure {
    if tally.openings > 0 {
        return Failure::new("none of the connections in it is by this host and protocol").hint(
            "`dayfly identify FILE` without --host and --protocol names those that are there",
        );
    }
    let of = render::counted(tally.packets, "packet");
    let failure = Failure::new(format_args!(
        "nothing in {} opens a connection, among {of}",
        if args.file == "-" { "standard input" } else { &args.file }
    ));
    if tally.continued > 0 {
        return failure.hint(
            "its TCP connections began before the capture, so nobody can tell who opened them: \
             capture while connections are opened",
        );
    }
    failure.hint("tcpdump -w FILE 'tcp[tcpflags] & tcp-syn != 0 or udp' captures what is needed")
}
