//! The shape that every operating system fits into.

use std::fmt;

use dayfly_ports::{PortRange, Protocol};

use crate::plan::{Job, Plan, Request, Step};
use crate::remark::Remark;
use crate::{Alternative, Current, ReadError, Refusal};

/// One operating system: its ranges, its commands, its traps.
#[derive(Debug)]
pub struct System {
    /// The name it is found by: lower case, no blanks.
    pub name: &'static str,
    /// Other names that mean it.
    pub aliases: &'static [&'static str],
    /// What people call it, with the versions that are meant.
    pub title: &'static str,
    /// Every range it hands ports out from.
    pub slots: &'static [Slot],
    /// What is worth setting; none if the default is best left alone, or cannot be changed.
    pub recommended: Option<PortRange>,
    /// The unit in which a range is written.
    pub unit: Unit,
    /// Where a change is kept across a reboot.
    pub persists_in: &'static str,
    /// Commands that print what is set; [`System::read`] takes their outputs, one after another.
    pub reads: &'static [&'static str],
    /// Commands that list its sockets; [`sockets::listed`](crate::sockets::listed) takes their
    /// outputs, one after another.
    pub sockets: &'static [&'static str],
    /// Who may change it.
    pub privilege: &'static str,
    /// How single ports are kept from being handed out.
    pub reserving: Reserving,
    /// What to do where this system cannot do what is asked.
    pub instead: &'static str,
    /// Which shell its commands are for.
    pub script: ScriptKind,
    /// A page about it: what holds today, and what older documents say.
    pub page: &'static str,
    pub(crate) rules: &'static dyn Rules,
}

/// How a system keeps single ports from being handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserving {
    /// It has a list of them.
    List {
        /// The native name of the setting.
        setting: &'static str,
        /// Whether each protocol has a list of its own.
        is_by_protocol: bool,
    },
    /// It cannot.
    Not {
        /// What to do instead.
        instead: &'static str,
    },
}

impl Reserving {
    pub(crate) const NOT: Reserving =
        Reserving::Not { instead: "choose a range that leaves them out" };

    /// The native name of the list, where there is one.
    #[must_use]
    pub const fn setting(self) -> Option<&'static str> {
        match self {
            Reserving::List { setting, .. } => Some(setting),
            Reserving::Not { .. } => None,
        }
    }
}

/// What only one system, or one family of them, can say.
pub(crate) trait Rules: fmt::Debug + Sync {
    /// What its commands printed.
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError>;

    /// What it does to this range in this slot.
    fn limits(&self, slot: &Slot, range: PortRange, current: Option<&Current>) -> Vec<Remark> {
        let _ = (slot, range, current);
        Vec::new()
    }

    /// What is worth knowing about the plan as a whole.
    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let _ = job;
        Vec::new()
    }

    /// The steps of a change that [`Rules::limits`] lets through.
    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal>;

    /// Other ways to the same end.
    fn alternatives(&self, job: &Job<'_>) -> Vec<Alternative> {
        let _ = job;
        Vec::new()
    }
}

impl System {
    /// What the outputs of [`System::reads`] say, in any order, with whatever stands round them.
    ///
    /// # Errors
    /// When nothing in the text is known to this system, or a value is none it can have.
    pub fn read(&'static self, text: &str) -> Result<Current, ReadError> {
        self.rules.read(self, text)
    }

    /// The steps from what is set to what is wanted.
    ///
    /// # Errors
    /// [`Refusal`] when the system refuses it, cannot do it, or would accept it and break.
    pub fn plan(&'static self, request: &Request<'_>) -> Result<Plan, Refusal> {
        crate::plan::plan(self, request)
    }

    /// The range of the default class that TCP (or what comes first) starts with today.
    #[must_use]
    pub fn default_range(&self) -> PortRange {
        let slot = self.slots.iter().find(|slot| slot.class == Class::Default);
        slot.map_or(PortRange::DYNAMIC, Slot::default_range)
    }

    /// [`System::reads`] on one line, for the system's own shell.
    #[must_use]
    pub fn read_command(&self) -> String {
        self.one_line(self.reads)
    }

    /// [`System::sockets`] as one command for the system's own shell.
    #[must_use]
    pub fn sockets_command(&self) -> String {
        self.one_line(self.sockets)
    }

    /// A warning where ports are reserved for some protocols only, and there is one list for all.
    #[must_use]
    pub fn one_list_for_all(&self, protocols: &[Protocol]) -> Option<Remark> {
        let Reserving::List { is_by_protocol: false, .. } = self.reserving else { return None };
        (!protocols.is_empty()).then(|| {
            Remark::warning(format!(
                "{} has one list of reserved ports for all protocols: it changes for all of them.",
                self.title
            ))
        })
    }

    fn one_line(&self, commands: &[&str]) -> String {
        let separator = match self.script {
            ScriptKind::Shell { .. } => "; ",
            ScriptKind::Batch => " & ",
        };
        commands.join(separator)
    }

    /// Whether any of its ranges can be changed.
    #[must_use]
    pub fn is_settable(&self) -> bool {
        self.slots.iter().any(|slot| slot.writable)
    }
}

/// One range, and the sockets it is for.
#[derive(Debug, PartialEq, Eq)]
pub struct Slot {
    /// The protocols that share it.
    pub protocols: &'static [Protocol],
    /// The address family it is for.
    pub family: Family,
    /// Which sockets of these choose it.
    pub class: Class,
    /// The native name of the low end; both ends bear one name where they are one setting.
    pub low: &'static str,
    /// The native name of the high end. Windows counts ports here.
    pub high: &'static str,
    /// What it started with over the versions, the oldest first; never empty.
    pub defaults: &'static [DefaultRange],
    /// Whether it can be changed without building a kernel.
    pub writable: bool,
    /// Only some versions have it, so it is changed only when its protocol is named.
    pub on_request: bool,
}

impl Slot {
    /// What it starts with in the newest version.
    #[must_use]
    pub fn default_range(&self) -> PortRange {
        self.defaults.last().map_or(PortRange::DYNAMIC, |found| found.range)
    }

    /// `tcp, udp` and, where it matters, the family: `tcp over ipv4`.
    #[must_use]
    pub fn scope(&self) -> String {
        let names: Vec<_> = self.protocols.iter().map(|protocol| protocol.name()).collect();
        let family = match self.family {
            Family::Any => String::new(),
            family => format!(" over {family}"),
        };
        let class = match self.class {
            Class::Default => String::new(),
            class => format!(", {class} class"),
        };
        format!("{}{family}{class}", names.join(", "))
    }
}

/// A default of some versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefaultRange {
    /// Which versions: `since 4.2 (2015)`.
    pub since: &'static str,
    /// The range.
    pub range: PortRange,
}

/// The address family of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// One range for both.
    Any,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

impl Family {
    /// `any`, `ipv4` or `ipv6`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Family::Any => "any",
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which sockets pick from a range: the option `IP_PORTRANGE` of the BSDs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Class {
    /// All that ask for nothing else.
    #[default]
    Default,
    /// Those that set `IP_PORTRANGE_HIGH`.
    High,
    /// Those that set `IP_PORTRANGE_LOW` or call `rresvport()`: privileged.
    Low,
}

impl Class {
    /// `default`, `high` or `low`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Default => "default",
            Class::High => "high",
            Class::Low => "low",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How a system writes a range down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// The two ends, two settings.
    LowHigh,
    /// The two ends, one setting.
    Pair,
    /// The low end and how many ports.
    StartCount,
    /// The high end; the low end is fixed.
    Top,
    /// A constant of the kernel.
    Constant,
}

impl Unit {
    /// In words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Unit::LowHigh => "low, high",
            Unit::Pair => "pair",
            Unit::StartCount => "start, count",
            Unit::Top => "high",
            Unit::Constant => "constant",
        }
    }
}

/// Which shell a system's commands are written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptKind {
    /// A shell of the Bourne family, and the name of an awk that takes functions.
    Shell {
        /// `awk`; Solaris calls it `nawk`.
        awk: &'static str,
    },
    /// cmd.exe.
    Batch,
}

/// A range in a table of constants.
pub(crate) const fn span(low: u16, high: u16) -> PortRange {
    match PortRange::new(low, high) {
        Ok(range) => range,
        Err(_) => panic!("a range of the tables is empty"),
    }
}

/// A default of the newest version only.
pub(crate) const fn always(low: u16, high: u16) -> DefaultRange {
    DefaultRange { since: "", range: span(low, high) }
}

/// A default since some version.
pub(crate) const fn since(since: &'static str, low: u16, high: u16) -> DefaultRange {
    DefaultRange { since, range: span(low, high) }
}

pub(crate) const TCP: &[Protocol] = &[Protocol::Tcp];
pub(crate) const UDP: &[Protocol] = &[Protocol::Udp];
pub(crate) const SCTP: &[Protocol] = &[Protocol::Sctp];
pub(crate) const TCP_UDP: &[Protocol] = &[Protocol::Tcp, Protocol::Udp];
pub(crate) const ALL: &[Protocol] = &Protocol::ALL;

impl Slot {
    /// A writable range of one family-blind setting in the default class; the rest is changed by
    /// struct update.
    pub(crate) const fn new(
        protocols: &'static [Protocol],
        low: &'static str,
        high: &'static str,
        defaults: &'static [DefaultRange],
    ) -> Slot {
        Slot {
            protocols,
            family: Family::Any,
            class: Class::Default,
            low,
            high,
            defaults,
            writable: true,
            on_request: false,
        }
    }

    pub(crate) const fn class(self, class: Class) -> Slot {
        Slot { class, ..self }
    }

    pub(crate) const fn family(self, family: Family) -> Slot {
        Slot { family, ..self }
    }

    pub(crate) const fn fixed(self) -> Slot {
        Slot { writable: false, ..self }
    }

    pub(crate) const fn on_request(self) -> Slot {
        Slot { on_request: true, ..self }
    }
}
