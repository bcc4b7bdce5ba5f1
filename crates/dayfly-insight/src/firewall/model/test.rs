//! What a rule looks at in a packet.

use std::fmt;
use std::sync::Arc;

use super::{AddressSet, Family, Names, Spans};

/// Where connection tracking puts a packet (`enum ip_conntrack_info`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Opens a connection.
    New,
    /// Belongs to one that has been answered.
    Established,
    /// Opens a connection that a helper expected.
    Related,
    /// Fits nowhere.
    Invalid,
    /// Not looked at, by order of a rule.
    Untracked,
}

impl State {
    /// Every state.
    pub const ALL: [State; 5] =
        [State::New, State::Established, State::Related, State::Invalid, State::Untracked];

    /// The name in nft; iptables prints it in capitals.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::New => "new",
            State::Established => "established",
            State::Related => "related",
            State::Invalid => "invalid",
            State::Untracked => "untracked",
        }
    }

    /// The state of this name, in any case.
    #[must_use]
    pub fn of_name(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name().eq_ignore_ascii_case(name))
    }
}

/// A set of states.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StateSet(u8);

impl StateSet {
    /// Whether the state is in it.
    #[must_use]
    pub const fn contains(self, state: State) -> bool {
        self.0 & 1 << state as u8 != 0
    }
}

impl FromIterator<State> for StateSet {
    fn from_iter<I: IntoIterator<Item = State>>(states: I) -> Self {
        StateSet(states.into_iter().fold(0, |set, state| set | 1 << state as u8))
    }
}

impl fmt::Display for StateSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> =
            State::ALL.into_iter().filter(|&state| self.contains(state)).map(State::name).collect();
        f.write_str(&names.join(","))
    }
}

/// One look at a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// The address family.
    Family(Family),
    /// The IP protocol number is one of these.
    Protocols(Box<[u8]>),
    /// The source port.
    SourcePort(Spans),
    /// The destination port.
    DestinationPort(Spans),
    /// The source address.
    Source(Arc<AddressSet>),
    /// The destination address.
    Destination(Arc<AddressSet>),
    /// The interface that it came in by.
    Input(Names),
    /// The interface that it goes out by.
    Output(Names),
    /// The destination (or else the source) is an address of this host.
    Local {
        /// The destination; else the source.
        destination: bool,
    },
    /// What connection tracking says.
    State(StateSet),
    /// Whether its connection's destination was translated.
    Translated,
    /// Whether it goes against the direction of the connection's first packet.
    Reply(bool),
    /// The helper of the connection that caused this one.
    Helper(Box<str>),
    /// TCP's flags under a mask are (or, with `any`, have one of) these.
    Flags {
        /// Which flags are looked at.
        mask: u8,
        /// What they are.
        value: u8,
        /// Any of `value` is enough.
        any: bool,
    },
    /// The packet's mark under a mask is this.
    Mark {
        /// Which bits are looked at.
        mask: u32,
        /// What they are.
        value: u32,
    },
    /// The same for every packet that is asked about: an ICMP type is not that of a TCP packet.
    Known {
        /// What was looked at.
        what: Box<str>,
        /// What it says.
        holds: bool,
    },
    /// Depends on something that is not followed.
    Hidden {
        /// What, such as `limit rate 10/second` or `xt match recent`.
        what: Box<str>,
        /// True where not even the ports are known (the rule is a closed book); false where it is
        /// known on what the packet's fate depends.
        opaque: bool,
    },
}

/// What a rule demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// One test.
    Is(Test),
    /// The opposite of one test.
    Not(Test),
    /// One of these groups holds, all tests of it: the elements of a set of concatenations.
    Any {
        /// The opposite of it.
        negated: bool,
        /// Groups of tests.
        groups: Arc<[Box<[Test]>]>,
        /// How people call it: `@allowed`.
        name: Box<str>,
    },
}

impl Condition {
    /// A test or its opposite.
    #[must_use]
    pub fn of(test: Test, negated: bool) -> Self {
        if negated { Condition::Not(test) } else { Condition::Is(test) }
    }

    /// That the protocol is one of these.
    #[must_use]
    pub fn protocols(numbers: &[u8]) -> Self {
        Condition::Is(Test::Protocols(numbers.into()))
    }

    /// Something that is not understood.
    #[must_use]
    pub fn opaque(what: impl Into<Box<str>>) -> Self {
        Condition::Is(Test::Hidden { what: what.into(), opaque: true })
    }

    /// Something that is understood and depends on more than the packet.
    #[must_use]
    pub fn depends(what: impl Into<Box<str>>) -> Self {
        Condition::Is(Test::Hidden { what: what.into(), opaque: false })
    }
}

/// What people call an IP protocol.
pub(crate) fn protocol_name(number: u8) -> String {
    match number {
        1 => "icmp".to_owned(),
        6 => "tcp".to_owned(),
        17 => "udp".to_owned(),
        58 => "ipv6-icmp".to_owned(),
        132 => "sctp".to_owned(),
        136 => "udplite".to_owned(),
        number => number.to_string(),
    }
}

/// The number of an IP protocol that rules call so (`/etc/protocols`).
pub(crate) fn protocol_number(name: &str) -> Option<u8> {
    Some(match name.to_ascii_lowercase().as_str() {
        "icmp" => 1,
        "igmp" => 2,
        "ipencap" | "ipip" => 4,
        "tcp" => 6,
        "udp" => 17,
        "dccp" => 33,
        "ipv6" => 41,
        "gre" => 47,
        "esp" => 50,
        "ah" => 51,
        "ipv6-icmp" | "icmpv6" | "icmp6" => 58,
        "ospf" => 89,
        "pim" => 103,
        "ipcomp" | "comp" => 108,
        "vrrp" | "carp" => 112,
        "sctp" => 132,
        "udplite" => 136,
        number => return number.parse().ok(),
    })
}

const FLAGS: [(&str, u8); 8] = [
    ("fin", 0x01),
    ("syn", 0x02),
    ("rst", 0x04),
    ("psh", 0x08),
    ("ack", 0x10),
    ("urg", 0x20),
    ("ecn", 0x40),
    ("cwr", 0x80),
];

/// The bit of a TCP flag (RFC 9293 section 3.1), in any case.
pub(crate) fn flag(name: &str) -> Option<u8> {
    FLAGS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, bit)| bit)
}

fn flags(bits: u8) -> String {
    let names: Vec<_> =
        FLAGS.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| *name).collect();
    if names.is_empty() { "0".to_owned() } else { names.join("|") }
}

/// A test with the word for its opposite, in nft's words.
fn show(f: &mut fmt::Formatter<'_>, test: &Test, not: &str) -> fmt::Result {
    match test {
        Test::Family(family) => write!(f, "nfproto {not}{}", family.name()),
        Test::Protocols(numbers) => {
            let names: Vec<_> = numbers.iter().map(|&number| protocol_name(number)).collect();
            write!(f, "{not}{}", names.join(","))
        }
        Test::SourcePort(spans) => write!(f, "sport {not}{spans}"),
        Test::DestinationPort(spans) => write!(f, "dport {not}{spans}"),
        Test::Source(set) => write!(f, "saddr {not}{set}"),
        Test::Destination(set) => write!(f, "daddr {not}{set}"),
        Test::Input(names) => write!(f, "iifname {not}{names}"),
        Test::Output(names) => write!(f, "oifname {not}{names}"),
        Test::Local { destination: true } => write!(f, "fib daddr type {not}local"),
        Test::Local { destination: false } => write!(f, "fib saddr type {not}local"),
        Test::State(states) => write!(f, "ct state {not}{states}"),
        Test::Translated => write!(f, "ct status {not}dnat"),
        Test::Reply(true) => write!(f, "ct direction {not}reply"),
        Test::Reply(false) => write!(f, "ct direction {not}original"),
        Test::Helper(name) => write!(f, "ct helper {not}{name}"),
        Test::Flags { mask: 0xff, value, any: true } => {
            write!(f, "tcp flags {not}{}", flags(*value))
        }
        Test::Flags { mask, value, .. } => {
            write!(
                f,
                "tcp flags & {} {}{}",
                flags(*mask),
                if not.is_empty() { "== " } else { not },
                flags(*value)
            )
        }
        Test::Mark { mask: u32::MAX, value } => write!(f, "mark {not}{value:#x}"),
        Test::Mark { mask, value } => write!(f, "mark & {mask:#x} {not}{value:#x}"),
        Test::Known { what, .. } | Test::Hidden { what, .. } => write!(f, "{not}{what}"),
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self, "")
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Condition::Is(test) => show(f, test, ""),
            Condition::Not(test) => show(f, test, "!= "),
            Condition::Any { negated, groups, name } => {
                f.write_str(if *negated { "!= " } else { "" })?;
                if !name.is_empty() {
                    return f.write_str(name);
                }
                f.write_str("{ ")?;
                for (index, group) in groups.iter().take(3).enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    for (index, test) in group.iter().enumerate() {
                        f.write_str(if index > 0 { " . " } else { "" })?;
                        test.fmt(f)?;
                    }
                }
                f.write_str(if groups.len() > 3 { ", ... }" } else { " }" })
            }
        }
    }
}
