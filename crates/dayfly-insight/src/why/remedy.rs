//! What helps, what it brings, and what people try in vain.
//!
//! Remedies are written for the settings at hand: commands carry the whole value to be set, effects
//! the number of ports that they bring.

use dayfly_ports::{Port, PortRange};

use super::destination::{DestinationAnswer, DestinationVerdict};
use super::port::{BindOutcome, PortAnswer, PortVerdict};
use super::shell::{Command, Shell};
use super::{BindTrial, Holder, HolderKind};
use crate::{Settings, grouped};

/// Something to do and what comes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remedy {
    /// What to do.
    pub action: Action,
    /// What it brings, and what it does not.
    pub effect: String,
}

impl Remedy {
    /// An action and its effect. Words are a change, a [`Command`] is one.
    #[must_use]
    pub fn new(action: impl Into<Action>, effect: impl Into<String>) -> Self {
        Remedy { action: action.into(), effect: effect.into() }
    }
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// To be typed as it stands.
    Command(Command),
    /// To be changed in a program, a file or elsewhere, in words.
    Change(String),
}

impl Action {
    /// The command or the words.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Action::Command(command) => command.as_str(),
            Action::Change(words) => words,
        }
    }

    /// The same with its text changed, of the same kind.
    #[must_use]
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Action::Command(command) => Action::Command(Command::here(change(command.into()))),
            Action::Change(words) => Action::Change(change(words)),
        }
    }
}

impl From<Command> for Action {
    fn from(command: Command) -> Self {
        Action::Command(command)
    }
}

impl From<String> for Action {
    fn from(words: String) -> Self {
        Action::Change(words)
    }
}

impl From<&str> for Action {
    fn from(words: &str) -> Self {
        Action::Change(words.to_owned())
    }
}

/// Something that people try and that does not help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Useless {
    /// What is tried.
    pub action: String,
    /// Why it changes nothing.
    pub why: String,
}

#[derive(Default)]
struct Remedies(Vec<Remedy>);

impl Remedies {
    fn offer(&mut self, action: impl Into<Action>, effect: impl Into<String>) {
        self.0.push(Remedy::new(action, effect));
    }
}

pub(super) fn of_destination(
    answer: &DestinationAnswer,
    settings: &Settings,
    shell: &Shell,
) -> Vec<Remedy> {
    let verdict = answer.verdict();
    let (row, classes) = (&answer.row, &answer.classes);
    let Some(range) = settings.range(row.key.protocol) else { return Vec::new() };
    if verdict == DestinationVerdict::Room {
        return Vec::new();
    }
    let mut remedies = Remedies::default();
    if verdict == DestinationVerdict::PastCliff {
        remedies.offer(
            format!(
                "set the socket option IP_LOCAL_PORT_RANGE to the whole range before connect(): {}",
                whole_range_call(range)
            ),
            format!(
                "the kernel then tries every port in turn instead of half the range first: a connect() finds one of the {} free ports in microseconds (Linux 6.8 and later). It brings no port",
                grouped(row.free)
            ),
        );
        remedies.offer(
            whole_range_run(),
            "the same for a program that cannot be changed: start it so, CMD being the command with its arguments. It needs no privilege".to_owned(),
        );
    }
    if classes.time_wait > 0 && classes.time_wait * 2 >= row.used {
        remedies.offer(
            "keep connections open and use them again (keep-alive, a connection pool)".to_owned(),
            format!(
                "{} of the {} ports are held by connections that are over; each holds its port for {} s, so {} ports last for {} new connections a second",
                grouped(classes.time_wait),
                grouped(row.used),
                settings.time_wait_seconds,
                grouped(row.usable),
                row.usable / settings.time_wait_seconds.max(1),
            ),
        );
        if !settings.takes_over(row.key.source, row.key.destination) {
            remedies.offer(
                shell.sysctl("net.ipv4.tcp_tw_reuse", "1"),
                format!(
                    "a new connection may take over a TIME_WAIT that is {} ms old: up to {} ports come back",
                    settings.tw_reuse_delay_ms,
                    grouped(classes.time_wait - classes.reusable)
                ),
            );
        }
    }
    if answer.close_wait > 0 {
        remedies.offer(
            "make the program close the connections that its peer has closed (state CLOSE_WAIT)"
                .to_owned(),
            format!("{} ports; nothing else ends these connections", grouped(answer.close_wait)),
        );
    }
    if answer.unanswered * 4 >= row.used.max(1) {
        remedies.offer(
            format!(
                "see why {} does not answer, and give up sooner: a shorter time-out in the program, or {}",
                row.key.destination,
                shell.sysctl("net.ipv4.tcp_syn_retries", "3")
            ),
            format!(
                "{} ports wait for an answer (SYN_SENT), each for more than a minute unless the program gives up",
                grouped(answer.unanswered)
            ),
        );
    }
    let held = classes.listener + classes.bound_inactive;
    if held * 20 >= row.usable.max(1) {
        remedies.offer(
            "move listeners and bound sockets out of the range of automatic ports".to_owned(),
            format!(
                "{} ports: whoever is bound to a port, on whatever address, takes it from every automatic connection",
                grouped(held)
            ),
        );
    }
    if classes.bound_elsewhere + classes.suspected > 0 {
        remedies.offer(
            "set IP_BIND_ADDRESS_NO_PORT before bind() in the programs that bind an address before they connect".to_owned(),
            format!(
                "{}{} ports: bound first, a connection takes its port from every other destination, and its TIME_WAIT does so for {} s more",
                if classes.suspected > 0 { "up to " } else { "" },
                grouped(classes.bound_elsewhere + classes.suspected),
                settings.time_wait_seconds
            ),
        );
    }
    if let Some(wide) = wider(range, settings) {
        remedies.offer(
            shell.dayfly(&format!("set {wide}")),
            format!(
                "{} ports more for every destination. It refuses as long as a service listens inside the wider range on a port that is not reserved, and names the ports",
                grouped(wide.len() - range.len())
            ),
        );
    }
    remedies.offer(
        "connect from one more source address, or to one more address or port of the destination"
            .to_owned(),
        format!("{} ports each, with a cliff of their own", grouped(row.usable)),
    );
    remedies.0
}

pub(super) fn useless_for_destination(
    answer: &DestinationAnswer,
    settings: &Settings,
) -> Vec<Useless> {
    let mut useless = Vec::new();
    let mut warn = |action: &str, why: String| {
        useless.push(Useless { action: action.to_owned(), why });
    };
    if answer.verdict() == DestinationVerdict::Room {
        return useless;
    }
    if answer.classes.time_wait > 0 {
        warn(
            "net.ipv4.tcp_fin_timeout",
            format!(
                "it shortens FIN_WAIT2; TIME_WAIT lasts {} s whatever it says",
                settings.time_wait_seconds
            ),
        );
        warn("net.ipv4.tcp_tw_recycle", "Linux 4.12 removed it".to_owned());
    }
    if answer.verdict() == DestinationVerdict::PastCliff {
        warn(
            "a slightly wider range",
            "half of the new ports are of the parity that is tried last: the slow half stays"
                .to_owned(),
        );
    }
    useless
}

pub(super) fn of_port(answer: &PortAnswer, settings: &Settings, shell: &Shell) -> Vec<Remedy> {
    let mut remedies = Remedies::default();
    let port = answer.port;
    if refused_plain(answer) && granted_with_reuse(answer) {
        remedies.offer(
            "set SO_REUSEADDR on the new socket before bind()".to_owned(),
            "the kernel grants the bind then; it was tried just now".to_owned(),
        );
    }
    match answer.verdict() {
        PortVerdict::Held(HolderKind::Listener) => remedies.offer(
            "stop the listener, or give one of the two services another port".to_owned(),
            "the port is free as soon as the listener and what it accepted are gone".to_owned(),
        ),
        PortVerdict::Held(HolderKind::Bound) => remedies.offer(
            "make the program close the socket, or end it".to_owned(),
            "a bound socket has no end of its own".to_owned(),
        ),
        PortVerdict::Held(HolderKind::Connection | HolderKind::Elsewhere) => remedies.offer(
            shell.command(&format!("ss --kill 'sport = :{port}'")),
            "ends the connections from this port at once; their programs see an error. Ending the program does the same".to_owned(),
        ),
        PortVerdict::Held(HolderKind::TimeWait) => {
            if let Some(seconds) = answer.frees_in_seconds() {
                remedies.offer(
                    format!("wait {seconds} s"),
                    "the last TIME_WAIT on the port ends then".to_owned(),
                );
            }
        }
        PortVerdict::Forbidden => {
            remedies.offer(
                "give the service CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=CAP_NET_BIND_SERVICE)".to_owned(),
                format!("ports below {} need it", settings.unprivileged_floor),
            );
            remedies.offer(
                shell.sysctl("net.ipv4.ip_unprivileged_port_start", &port.to_string()),
                format!("every user may bind port {port} and those above"),
            );
        }
        PortVerdict::Sticky => remedies.offer(
            "wait a minute, then end the programs that have used the port".to_owned(),
            "kernels before 6.17 keep a port bound as long as any socket shares its bucket"
                .to_owned(),
        ),
        PortVerdict::FreeUntilTaken | PortVerdict::Free => {}
    }
    if !answer.handed_out.is_empty() {
        remedies.offer(
            shell.dayfly(&format!("reserve {port}")),
            format!(
                "no outgoing connection is given port {port} any more, while a service can still bind it; on the host itself also after a boot"
            ),
        );
    }
    remedies.0
}

pub(super) fn useless_for_port(answer: &PortAnswer) -> Vec<Useless> {
    let tried = answer.trials.iter().any(|trial| trial.reuse_address == Some(BindOutcome::InUse));
    if !tried {
        return Vec::new();
    }
    let why = match answer.holders.first().map(|holder: &Holder| holder.kind) {
        Some(HolderKind::Listener) => {
            "a listener shares its port with nobody but SO_REUSEPORT sockets of the same user"
        }
        Some(HolderKind::TimeWait) => {
            "it counts only if the connection in TIME_WAIT had set it as well, and it had not"
        }
        Some(HolderKind::Connection | HolderKind::Elsewhere | HolderKind::Bound) => {
            "it counts only if the socket that holds the port had set it as well, and it had not"
        }
        None => "the kernel refuses all the same",
    };
    vec![Useless { action: "SO_REUSEADDR on the new socket".to_owned(), why: why.to_owned() }]
}

fn refused_plain(answer: &PortAnswer) -> bool {
    answer.trials.iter().any(|trial| trial.plain == BindOutcome::InUse)
}

/// Whether every bind that was refused succeeds with `SO_REUSEADDR`.
fn granted_with_reuse(answer: &PortAnswer) -> bool {
    let refused = |trial: &&BindTrial| trial.plain == BindOutcome::InUse;
    let granted = |trial: &BindTrial| trial.reuse_address == Some(BindOutcome::Granted);
    answer.trials.iter().filter(refused).all(granted)
}

/// What starts an unmodified program with the same option. Where it runs is the program's business.
pub(crate) fn whole_range_run() -> Command {
    Command::here("dayfly run --whole-range -- CMD")
}

/// The call in C; the value is high port and low port in one 32-bit number.
pub(crate) fn whole_range_call(range: PortRange) -> String {
    let (low, high) = (range.low().number(), range.high().number());
    format!("setsockopt(fd, IPPROTO_IP, 51, &(uint32_t){{{high}u << 16 | {low}u}}, 4)")
}

/// The widest range that the settings permit, if it is at least a tenth wider.
fn wider(range: PortRange, settings: &Settings) -> Option<PortRange> {
    // Ends of different parity, as the kernel wants them; 65535 is odd.
    let low = settings.unprivileged_floor.max(1024).next_multiple_of(2);
    let low = Port::new(u16::try_from(low).ok()?).min(range.low());
    let wide = PortRange::new(low.number(), Port::MAX.number()).ok()?;
    (wide.len() * 10 >= range.len() * 11).then_some(wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wider_range_has_ends_of_both_parities_and_stays_above_the_floor() {
        let mut settings = Settings::linux_defaults();
        let wide = wider(PortRange::LINUX_DEFAULT, &settings).unwrap();
        assert_eq!(wide.to_string(), "1024-65535");
        assert_eq!(wider(wide, &settings), None);
        settings.unprivileged_floor = 2001;
        let wide = wider(PortRange::LINUX_DEFAULT, &settings).unwrap();
        assert_eq!(wide.to_string(), "2002-65535");
        settings.unprivileged_floor = 65536;
        assert_eq!(wider(PortRange::LINUX_DEFAULT, &settings), None);
    }

    #[test]
    fn the_call_spells_the_value_as_the_kernel_reads_it() {
        assert_eq!(
            whole_range_call(PortRange::LINUX_DEFAULT),
            "setsockopt(fd, IPPROTO_IP, 51, &(uint32_t){60999u << 16 | 32768u}, 4)"
        );
    }
}
