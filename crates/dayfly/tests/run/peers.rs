//! What every way to force a source port can do and cannot, as the table of `docs/run-peers.md`:
//! each answer is the outcome of an attempt over a cable between two namespaces.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use dayfly_testkit::finish;

use crate::attempt::Attempt;
use crate::mechanism::Mechanism;
use crate::program::{Call, Program};
use crate::stand::{PATIENCE, Stand, Who};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/run-peers.md");
const BEGIN: &str = "<!-- asserted by crates/dayfly/tests/run/peers.rs -->\n";
/// A packet that is dropped makes a program wait for minutes; nothing else takes long.
const HANGS: Duration = Duration::from_secs(3);

/// An answer; none where the question makes no sense.
type Answer = Option<bool>;
type Row = (&'static str, fn(Round<'_>) -> Answer);

const ROWS: &[Row] = &[
    ("C, dynamic", |round| round.program(Program::Dynamic, Call::Tcp4)),
    ("C, static, glibc", |round| round.program(Program::Static, Call::Tcp4)),
    ("C, static, musl", |round| round.program(Program::Musl, Call::Tcp4)),
    ("Go", |round| round.program(Program::Go, Call::Tcp4)),
    ("Python", |round| round.program(Program::Python, Call::Tcp4)),
    ("curl", |round| round.program(Program::Curl, Call::Tcp4)),
    ("bash with several curls, in a row", |round| round.program(Program::Bash, Call::Tcp4)),
    ("threads", |round| round.program(Program::Threads, Call::Tcp4)),
    ("a daemon, after everybody has gone", |round| round.program(Program::Daemon, Call::Tcp4)),
    ("child namespaces", |round| round.program(Program::ChildNamespaces, Call::Tcp4)),
    ("IPv6", |round| round.either(Call::Tcp6)),
    ("IPv4 through an IPv6 socket", |round| round.either(Call::Mapped)),
    ("a non-blocking connect", |round| round.program(Program::Dynamic, Call::NonBlocking)),
    ("TCP Fast Open", |round| round.either(Call::FastOpen)),
    ("UDP, connect", |round| round.program(Program::Dynamic, Call::UdpConnect)),
    ("UDP, sendto", |round| round.program(Program::Dynamic, Call::UdpSendto)),
    ("io_uring", |round| round.line("@uring @4")),
    ("a range, three connections at once", |round| round.range()),
    ("twice in a row to one destination", |round| round.twice()),
    ("two destinations at once from one port", |round| round.two_destinations()),
    ("leaves a port alone that the program chose", |round| round.own_port()),
    ("keeps an address that the program chose", |round| round.own_address()),
    ("leaves other programs alone", |round| round.others()),
    ("without root", |round| round.without_root()),
];

#[test]
fn the_table_is_true() {
    crate::stand!();
    dayfly_testkit::needs!("nft", "nftables");
    let page = fs::read_to_string(PAGE).unwrap();
    let (before, after) = page.split_once(BEGIN).unwrap();
    let now = format!("{before}{BEGIN}{}", table());
    let old = format!("{before}{BEGIN}{after}");
    if now != old && std::env::var("INSTA_UPDATE").is_ok_and(|value| value == "always") {
        fs::write(PAGE, now).unwrap();
        return;
    }
    let differ = now.lines().filter(|line| !old.contains(line)).collect::<Vec<_>>().join("\n");
    assert!(now == old, "docs/run-peers.md is not true (INSTA_UPDATE=always mends it):\n{differ}");
}

fn table() -> String {
    let stand = Stand::far();
    let mut text = "| |".to_owned();
    for mechanism in Mechanism::PEERS {
        let _ = write!(text, " {} |", mechanism.title());
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(Mechanism::PEERS.len()));
    text.push('\n');
    // Above the kernel's range, where nobody else is given a port by chance.
    let mut first = 61000;
    for (question, ask) in ROWS {
        let _ = write!(text, "| {question} |");
        for mechanism in Mechanism::PEERS {
            if is_a_matter_of_luck(question, mechanism) {
                text.push_str(" at times |");
                continue;
            }
            let mut attempt = || {
                // Ports of its own, or one attempt would meet another's TIME_WAIT.
                first += 8;
                ask(Round { stand: &stand, mechanism, first })
            };
            // A machine that does much else may be late once.
            let answer = attempt().and_then(|first| Some(first || attempt()?));
            text.push_str(match answer {
                Some(true) => " yes |",
                Some(false) => " **no** |",
                None => " |",
            });
        }
        text.push('\n');
    }
    text
}

/// One question to one mechanism.
#[derive(Clone, Copy)]
struct Round<'a> {
    stand: &'a Stand,
    mechanism: Mechanism,
    /// The first of eight ports of its own.
    first: u16,
}

/// Whether netfilter lets a new connection have a port whose last one it still remembers depends on
/// how old that memory is (`nf_nat_used_tuple_harder`): no attempt settles it.
fn is_a_matter_of_luck(question: &str, mechanism: Mechanism) -> bool {
    mechanism == Mechanism::Snat && question.contains("in a row")
}

impl Round<'_> {
    fn who(&self) -> Who {
        if self.mechanism == Mechanism::Bpf { Who::Root } else { Who::User }
    }

    fn patience(&self) -> Duration {
        if self.mechanism == Mechanism::Snat { HANGS } else { PATIENCE }
    }

    fn is_curls_own(&self) -> bool {
        self.mechanism == Mechanism::LocalPort
    }

    fn attempt(&self, program: Program, call: Call, size: u16, count: usize) -> bool {
        let attempt = Attempt {
            who: self.who(),
            mechanism: self.mechanism,
            ports: self.first..=self.first + size - 1,
            call,
            program,
            count,
            patience: self.patience(),
        };
        attempt.make(self.stand).is_ok()
    }

    fn program(self, program: Program, call: Call) -> Answer {
        if self.is_curls_own() && !matches!(program, Program::Curl | Program::Bash) {
            return None;
        }
        Some(self.attempt(program, call, 1, 1))
    }

    /// A question about the network, not about the program: curl's option answers it with curl.
    fn either(self, call: Call) -> Answer {
        let program = if self.is_curls_own() { Program::Curl } else { Program::Dynamic };
        self.program(program, call)
    }

    /// Runs a line and returns the clients that the server saw, if it ended well.
    fn clients(&self, line: &str) -> Option<Vec<String>> {
        let words = self.stand.words(line);
        self.clients_of(words)
    }

    fn clients_of(&self, words: Vec<String>) -> Option<Vec<String>> {
        let ports = self.first..=self.first;
        let (words, _undo) = self.mechanism.apply(self.stand, &ports, false, words);
        let _ = self.stand.witness.take();
        let done = finish(&mut self.stand.command(self.who(), &words), self.patience());
        let seen = self.stand.witness.take();
        done.success().then(|| seen.iter().map(|seen| seen.client.to_string()).collect())
    }

    fn line(self, line: &str) -> Answer {
        if self.is_curls_own() {
            return None;
        }
        Some(self.clients(line) == Some(vec![format!("10.9.0.1:{}", self.first)]))
    }

    fn range(self) -> Answer {
        if self.is_curls_own() {
            return None;
        }
        Some(self.attempt(Program::Dynamic, Call::Tcp4, 4, 3))
    }

    fn twice(self) -> Answer {
        let program = if self.is_curls_own() { Program::Curl } else { Program::Dynamic };
        let words = program.words(self.stand, Call::Tcp4, 1, &self.stand.new_file());
        let ports = self.first..=self.first;
        let (words, _undo) = self.mechanism.apply(self.stand, &ports, false, words);
        let _ = self.stand.witness.take();
        let once = || {
            let done = finish(&mut self.stand.command(self.who(), &words), self.patience());
            done.success() && self.stand.ports() == [self.first]
        };
        Some(once() && once())
    }

    fn two_destinations(self) -> Answer {
        let text = if self.is_curls_own() {
            let url = "http://10.9.0.2:7000/ http://10.9.0.4:7000/";
            format!("curl --silent --noproxy '*' --parallel {url}")
        } else {
            "exec 3<>/dev/tcp/10.9.0.2/7000 4<>/dev/tcp/10.9.0.4/7000; \
             for fd in 3 4; do echo '?' >&$fd; head -n 1 <&$fd; done"
                .to_owned()
        };
        let words = vec!["bash".to_owned(), "-ec".to_owned(), text];
        let seen = self.clients_of(words).unwrap_or_default();
        let wanted = format!(":{}", self.first);
        Some(seen.len() == 2 && seen.iter().all(|client| client.ends_with(&wanted)))
    }

    fn own_port(self) -> Answer {
        if self.is_curls_own() {
            return None;
        }
        let own = self.first + 1;
        let seen = self.clients(&format!("@client connect @4 bind=10.9.0.1 port={own}"));
        Some(seen == Some(vec![format!("10.9.0.1:{own}")]))
    }

    fn own_address(self) -> Answer {
        if self.is_curls_own() {
            return None;
        }
        let seen = self.clients("@client connect @4 bind=10.9.0.3 no-port");
        Some(seen == Some(vec![format!("10.9.0.3:{}", self.first)]))
    }

    /// A program that was started without it, while it is in place.
    fn others(self) -> Answer {
        let ports = self.first..=self.first;
        let (_, _undo) = self.mechanism.apply(self.stand, &ports, false, Vec::new());
        let _ = self.stand.witness.take();
        let words = self.stand.words("@client connect @4");
        let done = finish(&mut self.stand.command(Who::User, &words), PATIENCE);
        Some(done.success() && self.stand.ports() != [self.first])
    }

    fn without_root(self) -> Answer {
        let allowed = |words: &[String]| {
            finish(&mut self.stand.command(Who::User, words), PATIENCE).success()
        };
        let set_up = self.mechanism.set_up_lines(self.first, self.first);
        if let Some(line) = set_up.first() {
            let words: Vec<String> =
                line.split_whitespace().map(|word| word.replace('|', " ")).collect();
            return Some(allowed(&words));
        }
        let curl = self.stand.words("curl --silent --noproxy * http://10.9.0.2:7000/");
        let (words, _undo) =
            self.mechanism.apply(self.stand, &(self.first..=self.first), false, curl);
        let _ = self.stand.witness.take();
        Some(allowed(&words) && self.stand.ports() == [self.first])
    }
}
