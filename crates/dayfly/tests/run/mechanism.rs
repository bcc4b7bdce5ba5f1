//! The ways to force a source port: ours, and those that people were told so far.

use std::ops::RangeInclusive;

use dayfly_testkit::finish;

use crate::stand::{PATIENCE, Stand, Who};

/// A way to force a source port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    /// Nothing at all: the control of every test.
    Nothing,
    /// `dayfly run`.
    Automatic,
    /// `dayfly run --via seccomp`.
    Seccomp,
    /// `dayfly run --via bpf`.
    Bpf,
    /// A library that is loaded before the program's own and wraps connect().
    Preload,
    /// `curl --local-port`: the program's own option.
    LocalPort,
    /// The kernel's range made as small as one port.
    Sysctl,
    /// Rewritten on the way out, by nftables.
    Snat,
}

/// Takes back what [`Mechanism::apply`] did to the namespace.
pub(crate) struct Undo<'a> {
    stand: &'a Stand,
    lines: Vec<String>,
}

impl Mechanism {
    pub(crate) const PEERS: [Mechanism; 6] = [
        Mechanism::Seccomp,
        Mechanism::Bpf,
        Mechanism::Preload,
        Mechanism::LocalPort,
        Mechanism::Sysctl,
        Mechanism::Snat,
    ];

    /// Its column in a table.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Mechanism::Nothing => "nothing",
            Mechanism::Automatic => "`dayfly run`",
            Mechanism::Seccomp => "`dayfly run`, as a user",
            Mechanism::Bpf => "`dayfly run --via bpf`, as root",
            Mechanism::Preload => "`LD_PRELOAD` shim",
            Mechanism::LocalPort => "`curl --local-port`",
            Mechanism::Sysctl => "one-port `ip_local_port_range`",
            Mechanism::Snat => "nftables `snat`",
        }
    }

    /// Sets up what it needs; the command line with the ports forced.
    pub(crate) fn apply<'a>(
        self,
        stand: &'a Stand,
        ports: &RangeInclusive<u16>,
        udp: bool,
        words: Vec<String>,
    ) -> (Vec<String>, Undo<'a>) {
        let (low, high) = (ports.start(), ports.end());
        let span = if low == high { low.to_string() } else { format!("{low}-{high}") };
        let before = match self {
            Mechanism::Nothing | Mechanism::LocalPort | Mechanism::Sysctl | Mechanism::Snat => {
                String::new()
            }
            Mechanism::Preload => {
                format!("env LD_PRELOAD={} SOURCE_PORT={low}", stand.path("preload.so"))
            }
            Mechanism::Automatic | Mechanism::Seccomp | Mechanism::Bpf => {
                let via = match self {
                    Mechanism::Bpf => "bpf",
                    Mechanism::Seccomp => "seccomp",
                    _ => "auto",
                };
                let udp = if udp { "--udp" } else { "" };
                let option = if low == high { "--port" } else { "--range" };
                format!("@dayfly run --via {via} {option} {span} {udp} --")
            }
        };
        let mut line = stand.words(&before);
        let own_option = format!("curl --local-port {span} ");
        line.extend(words.into_iter().flat_map(|word| match self {
            Mechanism::LocalPort if word == "curl" => stand.words(&own_option),
            Mechanism::LocalPort => vec![word.replace("curl ", &own_option)],
            _ => vec![word],
        }));
        let undo = Undo { stand, lines: self.undo_lines() };
        for line in self.set_up_lines(*low, *high) {
            undo.must(&line);
        }
        (line, undo)
    }

    /// As root, before the program runs.
    pub(crate) fn set_up_lines(self, low: u16, high: u16) -> Vec<String> {
        match self {
            Mechanism::Sysctl => {
                vec![format!("sysctl -qw net.ipv4.ip_local_port_range={low}|{high}")]
            }
            Mechanism::Snat => {
                let mut lines = vec![
                    "nft add table inet forced".to_owned(),
                    "nft add chain inet forced out { type nat hook postrouting priority 100 ; }"
                        .to_owned(),
                ];
                for protocol in ["tcp", "udp"] {
                    lines.extend(["ip", "ip6"].map(|family| {
                        let own = if family == "ip" { "10.9.0.1" } else { "[fd09::1]" };
                        format!(
                            "nft add rule inet forced out meta l4proto {protocol} \
                             snat {family} to {own}:{low}-{high}"
                        )
                    }));
                }
                lines
            }
            _ => Vec::new(),
        }
    }

    fn undo_lines(self) -> Vec<String> {
        match self {
            Mechanism::Sysctl => vec!["sysctl -qw net.ipv4.ip_local_port_range=32768|60999".into()],
            Mechanism::Snat => vec!["nft delete table inet forced".into()],
            _ => Vec::new(),
        }
    }
}

impl Undo<'_> {
    fn must(&self, line: &str) {
        let words: Vec<String> =
            line.split_whitespace().map(|word| word.replace('|', " ")).collect();
        let done = finish(&mut self.stand.command(Who::Root, &words), PATIENCE);
        assert!(done.success(), "{line}: {done:?}");
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        for line in &self.lines {
            self.must(line);
        }
    }
}
