//! What well-known documents say about ephemeral ports, next to what the model and today's systems
//! say. `cargo xtask claims` writes the page and its pictures; a test keeps them true.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::picture::pictures;
use crate::scenario::{SECOND, SHIPPED, Scenario, ScenarioError};
use crate::simulate::{Outcome, Simulation};

/// Where a claim comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Ncftp,
    SuperUser,
    Wikipedia,
    Lesson,
}

impl Source {
    const fn title(self) -> &'static str {
        match self {
            Source::Ncftp => "Mike Gleason, \"The Ephemeral Port Range\", NcFTP Software, 2001",
            Source::SuperUser => {
                "Super User, \"How are source ports determined and how can I force it to use a \
                 specific port\", 2016"
            }
            Source::Wikipedia => "Wikipedia, \"Ephemeral port\"",
            Source::Lesson => {
                "A lesson on network daemons, \"Ephemeral and reserved port numbers\""
            }
        }
    }

    const ALL: [Source; 4] = [Source::Ncftp, Source::SuperUser, Source::Wikipedia, Source::Lesson];
}

/// A scenario and what is read off its outcome.
struct Part {
    scenario: &'static str,
    words: fn(&Outcome) -> String,
    /// The picture that shows it: `occupancy`, `reuse` or `ports`.
    picture: &'static str,
}

/// Something that a document says.
struct Claim {
    source: Source,
    head: &'static str,
    says: &'static str,
    model: Part,
    today: Part,
    /// What follows from both.
    so: &'static str,
}

/// The page and its pictures, each by the name of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// `docs/claims.md`.
    pub text: String,
    /// `docs/pictures/NAME`.
    pub pictures: Vec<(String, String)>,
}

/// Runs every scenario that a claim needs and writes the page.
///
/// # Errors
/// When a scenario that is shipped cannot be read.
pub fn page() -> Result<Page, ScenarioError> {
    let mut runs: BTreeMap<&str, (Scenario, Outcome)> = BTreeMap::new();
    for claim in CLAIMS {
        for part in [&claim.model, &claim.today] {
            if !runs.contains_key(part.scenario) {
                let text = SHIPPED.iter().find(|shipped| shipped.name == part.scenario);
                let scenario = Scenario::parse(text.map_or("", |shipped| shipped.text))?;
                let outcome = Simulation::new(&scenario).run();
                runs.insert(part.scenario, (scenario, outcome));
            }
        }
    }
    let mut text = HEAD.to_owned();
    let mut used = BTreeMap::new();
    for source in Source::ALL {
        let _ = writeln!(text, "\n## {}", source.title());
        for claim in CLAIMS.iter().filter(|claim| claim.source == source) {
            let _ = writeln!(text, "\n### {}", claim.head);
            let _ = writeln!(text, "| | |\n|---|---|");
            let _ = writeln!(text, "| the document says | {} |", claim.says);
            for (who, part) in [("the model says", &claim.model), ("today", &claim.today)] {
                let words = (part.words)(&runs[part.scenario].1);
                let _ = writeln!(text, "| {who} | {words} (`{}`) |", part.scenario);
            }
            let _ = writeln!(text, "\n{}\n", claim.so);
            let mut shown = Vec::new();
            for part in [&claim.model, &claim.today] {
                let name = format!("{}-{}.svg", part.scenario, part.picture);
                if !shown.contains(&name) {
                    let (scenario, _) = &runs[part.scenario];
                    let _ = writeln!(text, "![{}](pictures/{name})", scenario.title);
                    shown.push(name.clone());
                }
                used.insert(name, (part.scenario, part.picture));
            }
        }
    }
    let pictures = used.into_iter().filter_map(|(name, (scenario, picture))| {
        let (scenario, outcome) = &runs[scenario];
        let file = format!("{picture}.svg");
        let drawn = pictures(scenario, outcome).into_iter().find(|(name, _)| *name == file)?;
        Some((name, drawn.1))
    });
    Ok(Page { text, pictures: pictures.collect() })
}

const HEAD: &str = "\
# What the documents say, what the model says, and today

What people know about ephemeral ports comes from a few documents. Here is what they say, next to
what a simulation of their example gives and what today's systems do. Each scenario is shipped:
`dayfly simulate NAME` runs it, `dayfly simulate NAME --print` shows it. The figures and pictures on
this page are the outcome of those scenarios (`cargo xtask claims` writes it); the model itself is
held to the Linux kernel by tests that run the same load on both.
";

fn opened(outcome: &Outcome) -> String {
    match &outcome.first_failure {
        None => format!("all {} connections are opened", grouped(outcome.opened)),
        Some(failure) => format!(
            "connection {} fails after {} s, with {} ports held: {} says {}",
            grouped(failure.moment.number),
            failure.moment.at / SECOND,
            grouped(failure.moment.held.into()),
            failure.call,
            failure.error
        ),
    }
}

fn per_window(outcome: &Outcome) -> String {
    let window = &outcome.window;
    let seconds = window.length / SECOND;
    match &outcome.first_failure {
        Some(_) => format!(
            "{} connections per {seconds} s, {:.1} a second; {}",
            grouped(window.most_opened.into()),
            f64::from(window.most_opened) / seconds as f64,
            opened(outcome)
        ),
        None => format!(
            "{}; {} ports would carry {:.0} a second",
            opened(outcome),
            grouped(outcome.usable.into()),
            window.sustainable
        ),
    }
}

fn capacity(outcome: &Outcome) -> String {
    let half = outcome.first_slow.filter(|_| outcome.slow * 4 > outcome.opened);
    let slow = half.map_or(String::new(), |moment| {
        format!(
            "; past {}, each search looks at half of the range in vain",
            grouped(moment.held.into())
        )
    });
    format!("{} connections at one time{slow}", grouped(outcome.opened))
}

fn files(outcome: &Outcome) -> String {
    let share = &outcome.workloads[0];
    let done = grouped(share.done);
    match &outcome.first_failure {
        None => format!("all {done} files are transferred"),
        Some(failure) => format!(
            "the first file fails after {} s, with {} ports held: {} says {}; {done} of {} files are \
             transferred",
            failure.moment.at / SECOND,
            grouped(failure.moment.held.into()),
            failure.call,
            failure.error,
            grouped(share.done + share.failed),
        ),
    }
}

fn reuse(outcome: &Outcome) -> String {
    format!(
        "a port comes back after {} connections at the earliest, {} on average",
        grouped(outcome.reuse.least().into()),
        grouped(outcome.reuse.mean().round() as u64)
    )
}

fn by_workload(outcome: &Outcome) -> String {
    let shares = outcome.workloads.iter().map(|share| {
        format!("{}: {} of {} opened", share.name, grouped(share.opened), grouped(share.attempted))
    });
    shares.collect::<Vec<_>>().join("; ")
}

fn requests(outcome: &Outcome) -> String {
    format!(
        "{} requests over {} connections; {} ports held at most",
        grouped(outcome.workloads[0].done),
        grouped(outcome.opened),
        outcome.curve.iter().map(|sample| sample.fullest).max().unwrap_or(0)
    )
}

fn queries(outcome: &Outcome) -> String {
    let ports = outcome.heat.iter().filter(|times| **times > 0).count() as u64;
    format!("{} queries from {} ports; {}", grouped(outcome.opened), grouped(ports), reuse(outcome))
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

const fn part(
    scenario: &'static str,
    words: fn(&Outcome) -> String,
    picture: &'static str,
) -> Part {
    Part { scenario, words, picture }
}

const CLAIMS: &[Claim] = &[
    Claim {
        source: Source::Ncftp,
        head: "4,000 ports are 4,000 connections per 240 seconds",
        says: "\"if the ephemeral port range is only 4000 ports wide [...] you could have only 4000 \
               connections per 240 second window, and in practice this can be exhausted\"",
        model: part("four-thousand-bsd", per_window, "occupancy"),
        today: part("four-thousand-linux", per_window, "occupancy"),
        so: "Right, for 240 seconds of TIME_WAIT. Linux, the BSDs and illumos have 60, Windows 120, \
             macOS 30: the same range carries four times as much there.",
    },
    Claim {
        source: Source::Ncftp,
        head: "A larger range is the remedy",
        says: "\"To use a larger range so that more simultaneous connections are possible\"",
        model: part("linux-default", per_window, "occupancy"),
        today: part("keep-alive", requests, "occupancy"),
        so: "True and limited: ports divided by TIME_WAIT is all that one source address can open to one \
             destination, and on Linux the second half of the range costs long searches. Connections \
             that are kept need hardly any ports.",
    },
    Claim {
        source: Source::Ncftp,
        head: "The traditional range has 3,975 ports",
        says: "\"1024 through 4999 [...] relatively small size (3975 ports)\"",
        model: part("bsd-range", capacity, "occupancy"),
        today: part("iana-range", capacity, "occupancy"),
        so: "Both ends belong to a range: it has 3,976 ports, and 49152-65535 has 16,384, not 16,383.",
    },
    Claim {
        source: Source::Ncftp,
        head: "Hundreds of small files by FTP exhaust the ports",
        says: "\"FTP uses a separate data connection for each data transfer, so this phenomenon can be \
               experienced when FTP'ing hundreds of small files over a fast local network. When all \
               ephemeral ports are in use, a compatible BSD Sockets TCP/IP stack will return \
               'Address already in use' errors\"",
        model: part("ftp-bsd", files, "occupancy"),
        today: part("ftp-linux", files, "occupancy"),
        so: "Thousands rather than hundreds, and only where the client closes first: active mode, or \
             uploads to one passive port. The error of bind() is \"Address already in use\" on Linux; \
             connect() says \"Cannot assign requested address\" there.",
    },
    Claim {
        source: Source::Ncftp,
        head: "Each data transfer holds a port of the client",
        says: "\"each side must wait until the TIME_WAIT state is expired before the connection's \
               resources can really be disposed\"",
        model: part("ftp-bsd", files, "occupancy"),
        today: part("ftp-passive-download", files, "occupancy"),
        so: "Only the side that closes first waits. Whoever sends a file closes its data connection, so \
             downloads leave TIME_WAIT with the server, and the client's 4,000 ports never run out.",
    },
    Claim {
        source: Source::Ncftp,
        head: "A port is not used again until all others have been",
        says: "\"most IP stacks won't reuse that port number until the entire pool of ephemeral ports have \
               been used\"",
        model: part("counter", reuse, "reuse"),
        today: part("steps-of-linux", reuse, "reuse"),
        so: "True of a counter. Linux walks through one half of its range in steps of 2 to 16 and jumps \
             to a new place every ten seconds, FreeBSD and OpenBSD draw lots each time: there a port \
             can come back soon.",
    },
    Claim {
        source: Source::SuperUser,
        head: "A range of one port paralyses everybody else",
        says: "\"since there is a single port in the range [...] you will paralyze all other applications \
               until you restore a large EPR\"",
        model: part("one-port", by_workload, "occupancy"),
        today: part("one-port", by_workload, "occupancy"),
        so: "Whoever connects to the same server, or binds. On Linux one port serves every other server \
             as well, once for each; and IP_LOCAL_PORT_RANGE (since 6.3) gives a single program a range \
             of its own.",
    },
    Claim {
        source: Source::SuperUser,
        head: "Windows: a sample of 1,000 ports",
        says: "\"netsh int ipv4 set dynamicport tcp start=10000 num=1000 [...] ends at port 10999 (1000 \
               ports)\"",
        model: part("windows-thousand", per_window, "occupancy"),
        today: part("windows-default", per_window, "occupancy"),
        so: "The sample takes fifteen sixteenths of the default range away: 8 connections a second to one \
             destination are left of 136.",
    },
    Claim {
        source: Source::SuperUser,
        head: "Windows Server 2003 and before: 1025-5000",
        says: "\"use 1025 as the start port, and then use 3976 as the range\"",
        model: part("windows-xp", per_window, "occupancy"),
        today: part("windows-default", per_window, "occupancy"),
        so: "3,976 ports and four minutes of TIME_WAIT are less than 17 connections a second to one \
             destination.",
    },
    Claim {
        source: Source::SuperUser,
        head: "Linux 2.4: 32768 through 61000",
        says: "\"the Linux 2.4 kernel will default the range of 32768 through 61000 if adequate kernel \
               memory is available\"",
        model: part("linux-2-4", capacity, "occupancy"),
        today: part("linux-default", per_window, "occupancy"),
        so: "The dependence on memory went in 2007, and since 2015 (Linux 4.2) the range ends at 60999.",
    },
    Claim {
        source: Source::Wikipedia,
        head: "Many implementations simply increment",
        says: "\"many implementations simply increment the last used port number until the ephemeral port \
               range is exhausted, when the numbers roll over\"",
        model: part("counter", reuse, "ports"),
        today: part("random-start", reuse, "reuse"),
        so: "macOS (TCP), NetBSD (downwards) and lwIP still count. Linux, FreeBSD, OpenBSD and illumos \
             choose at random, by which a port can follow itself.",
    },
    Claim {
        source: Source::Wikipedia,
        head: "Selection should use 1024-65535",
        says: "\"ephemeral port selection algorithms should use the whole range 1024-65535\" (RFC 6056)",
        model: part("whole-range", per_window, "occupancy"),
        today: part("linux-default", per_window, "occupancy"),
        so: "64,512 ports carry 1,075 connections a second to one destination, the default 470. Listeners \
             inside the range have to be reserved, or they lose their ports.",
    },
    Claim {
        source: Source::Lesson,
        head: "A datagram, a port",
        says: "\"Since UDP is stateless, each datagram might use a different ephemeral port if multiple \
               requests are sent, although often the same port is reused for efficiency\"",
        model: part("dns", queries, "reuse"),
        today: part("dns", queries, "reuse"),
        so: "A port belongs to a socket, not to a datagram: a program that keeps its socket keeps its \
             port. With a socket for each query the ports are random on Linux and free again at once: \
             UDP has no TIME_WAIT.",
    },
    Claim {
        source: Source::Lesson,
        head: "SCTP: ports and paths",
        says: "\"SCTP supports multi-homing [...] Ephemeral ports help in managing these multiple paths \
               within one association\"",
        model: part("sctp", capacity, "occupancy"),
        today: part("sctp", capacity, "occupancy"),
        so: "An association has one port on all of its addresses. Three addresses give no more \
             associations than one.",
    },
    Claim {
        source: Source::Lesson,
        head: "Ports can be exhausted by an attacker",
        says: "\"an attacker might try to consume all available ephemeral ports\"",
        model: part("attack", by_workload, "occupancy"),
        today: part("subscribers-behind-nat", opened, "occupancy"),
        so: "Whoever may open connections from the same address to the same destination can: on the host \
             itself, or behind the same NAT, where no attacker is needed at all.",
    },
];

#[cfg(test)]
mod tests {
    #![expect(clippy::disallowed_methods, reason = "the page is a file of the workspace")]

    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_page_says_what_the_scenarios_give() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let page = page().unwrap();
        let again = "run `cargo xtask claims` and read the difference";
        assert_eq!(fs::read_to_string(docs.join("claims.md")).unwrap(), page.text, "{again}");
        for (name, picture) in &page.pictures {
            let kept = fs::read_to_string(docs.join("pictures").join(name)).unwrap();
            assert!(kept == *picture, "docs/pictures/{name} is not what it was: {again}");
        }
        let files = fs::read_dir(docs.join("pictures")).unwrap().count();
        assert_eq!(files, page.pictures.len(), "pictures that no claim shows");
    }

    #[test]
    fn every_file_is_shipped_and_can_be_read() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let mut files: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        let mut names: Vec<String> =
            SHIPPED.iter().map(|shipped| format!("{}.toml", shipped.name)).collect();
        names.sort();
        assert_eq!(files, names);
        for shipped in SHIPPED {
            let scenario = Scenario::parse(shipped.text).unwrap();
            assert_eq!(scenario.title, shipped.title(), "{}", shipped.name);
            assert!(!scenario.about.is_empty(), "{}", shipped.name);
        }
    }
}
