//! `dayfly firewall check --host`: another host's rules, range and listeners, through its own
//! commands.
//!
//! Rules that the host does not tell are unknown rules, never none: the check then says `unknown`,
//! and a note says what would help.

use std::net::SocketAddr;

use dayfly_insight::firewall::check::Listener;
use dayfly_insight::firewall::model::{Dialect, Ruleset};
use dayfly_insight::firewall::readers::Format;
use dayfly_insight::rpc::registered;
use dayfly_insight::why::Shell;
use dayfly_insight::{Socket, State};
use dayfly_linux::firewall::{InterfaceAddress, RulesError, Source, is_reachable, rules_of};
use dayfly_ports::{PortRange, PortSet, Protocol};
use dayfly_systems::Current;
use dayfly_systems::ms_rpc::{self, RpcPorts};

use super::args::CheckArgs;
use super::check::{Checked, RPCBIND, Rpc, Seen, answer, unasked, used};
use crate::captured;
use crate::error::Failure;
use crate::host::{Address, Host, HostError, Remote, harmless, survey};
use crate::place::Note;
use crate::privilege::program_as_root;
use crate::quote::posix;

/// Looks once.
pub(super) fn look(args: &CheckArgs, address: &Address) -> Result<Checked, Failure> {
    let remote = Remote::connect(address)?;
    let system = remote.system();
    let is_linux = matches!(system.name, "linux" | "android");
    let current = survey::settings(&remote)?;
    let (sockets, mut degraded) = survey::sockets(&remote)?;
    let listeners: Vec<Listener> = sockets.iter().filter_map(listener).collect();
    degraded.extend(untold(args, &listeners));
    let (id, range, used, addresses) = if is_linux {
        let (settings, id) = survey::linux(&remote, &current)?;
        let range = settings.range(Protocol::Tcp).unwrap_or(PortRange::LINUX_DEFAULT);
        (Some(id), range, used(&settings), addresses(&remote)?)
    } else {
        degraded.extend(captured::untold(system, &current, "it does not tell"));
        let used =
            [Protocol::Tcp, Protocol::Udp].map(|protocol| usable(&remote, &current, protocol));
        let range = around(&used[0]).unwrap_or_else(|| system.default_range());
        (None, range, used, Vec::new())
    };
    let mut rules = Rules { remote: &remote, range, unread: Vec::new() };
    let ruleset = if is_linux { rules.linux() } else { rules.foreign()? };
    let mut unread = rules.unread;
    let is_whole = unread.is_empty();
    degraded.append(&mut unread);
    let rpc = rpc(&remote, &listeners, &mut degraded)?;
    let name = remote.name().to_owned();
    let place = posix(&name);
    let shell = Shell::over_ssh(&place).with_dayfly(&program_as_root(), &format!("--host {place}"));
    let seen = Seen { ruleset, range, used, listeners, addresses, passive: None, rpc, degraded };
    let mut checked = answer(args, id, name, &shell, seen);
    if !is_whole {
        // The notes say what helps: there is no rule to look at.
        checked.remedies.clear();
    }
    make_harmless(&mut checked);
    Ok(checked)
}

/// Names and texts of rules are the host's words.
fn make_harmless(checked: &mut Checked) {
    let clean = |text: &mut String| *text = harmless(text);
    let check = &mut checked.check;
    for flow in check.flows.iter_mut().chain(&mut check.outgoing) {
        clean(&mut flow.why);
        flow.rule.as_mut().map(clean);
        flow.needs.as_mut().map(clean);
    }
    for service in &mut checked.rpc {
        service.name.as_mut().map(clean);
        clean(&mut service.flow.why);
        service.flow.rule.as_mut().map(clean);
        service.flow.needs.as_mut().map(clean);
    }
    for open in &mut check.open {
        open.needs.as_mut().map(clean);
    }
    for remedy in &mut checked.remedies {
        remedy.action = remedy.action.clone().map(|text| harmless(&text));
        clean(&mut remedy.effect);
    }
    checked.remarks.iter_mut().for_each(clean);
}

/// Somebody who receives from outside.
fn listener(socket: &Socket) -> Option<Listener> {
    let tuple = socket.tuple.canonical();
    let receives = match tuple.protocol {
        Protocol::Udp => socket.state == State::Close,
        _ => socket.state == State::Listen,
    };
    let port = tuple.local_port.number();
    (receives && port != 0 && !tuple.local_address.is_loopback()).then(|| Listener {
        protocol: tuple.protocol,
        address: SocketAddr::new(tuple.local_address, port),
        owner: None,
        transient: false,
    })
}

/// What nobody sees through ssh.
fn untold(args: &CheckArgs, listeners: &[Listener]) -> Vec<Note> {
    let mut notes = Vec::new();
    if !listeners.is_empty() {
        notes.push(Note {
            what: "who holds the listeners, and which are open for a transfer only".to_owned(),
            why: "the list of sockets does not tell".to_owned(),
            fix: "dayfly on that host".to_owned(),
        });
    }
    if args.passive.is_none() && listeners.iter().any(|one| [21, 990].contains(&one.address.port()))
    {
        notes.push(Note {
            what: "the passive ports of its FTP server".to_owned(),
            why: "configurations are not read through ssh".to_owned(),
            fix: "name them: --passive LIST".to_owned(),
        });
    }
    notes
}

/// What is known of RPC there.
fn rpc(
    remote: &Remote,
    listeners: &[Listener],
    degraded: &mut Vec<Note>,
) -> Result<Rpc, HostError> {
    let system = remote.system();
    if matches!(system.name, "windows" | "windows-xp") {
        let output = remote.run(ms_rpc::COMMAND)?;
        return Ok(Rpc::Windows(RpcPorts::read(&output.text()).map(|found| found.ports)));
    }
    if !listeners.iter().any(|one| one.address.port() == RPCBIND) {
        return Ok(Rpc::default());
    }
    // Only Linux is known to list both families.
    let is_linux = matches!(system.name, "linux" | "android");
    let output =
        remote.run(if is_linux { "timeout -s KILL 5 rpcinfo 127.0.0.1" } else { "rpcinfo -p" })?;
    let programs = registered(&output.text());
    if programs.is_empty() {
        let said = output.said();
        let why = if said.is_empty() { "it told of none".to_owned() } else { harmless(&said) };
        degraded.push(unasked(why));
    }
    Ok(Rpc::Sun(programs))
}

/// The automatic ports of a system that is not Linux.
fn usable(remote: &Remote, current: &Current, protocol: Protocol) -> Box<PortSet> {
    let mut ports = Box::new(PortSet::EMPTY);
    for supply in survey::supplies(remote.system(), current) {
        if supply.protocol == protocol {
            *ports |= &supply.usable;
        }
    }
    if ports.is_empty() { Box::new(remote.system().default_range().into()) } else { ports }
}

fn around(ports: &PortSet) -> Option<PortRange> {
    let (first, last) = (ports.iter().next()?, ports.ranges().last()?);
    PortRange::new(first.number(), last.high().number()).ok()
}

/// The addresses of a Linux host; none where it has no `ip`: then the question is about any.
fn addresses(remote: &Remote) -> Result<Vec<InterfaceAddress>, HostError> {
    let text = remote.run("ip -o addr show")?.text();
    let address = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let interface = words.next()?.to_owned();
        let address = words.nth(1)?.split('/').next()?.parse().ok()?;
        is_reachable(address).then_some(InterfaceAddress { interface, address })
    };
    let mut found: Vec<InterfaceAddress> = text.lines().filter_map(address).collect();
    found.sort();
    Ok(found)
}

/// The shell's answer when there is no such command.
const NOT_FOUND: i32 = 127;

impl Source for Remote {
    fn list(&self, command: &'static str, package: &'static str) -> Result<String, RulesError> {
        match self.run(command) {
            Ok(output) if output.is_success() => Ok(output.text()),
            Ok(output) if output.status == NOT_FOUND => {
                Err(RulesError::NoCommand { command, package })
            }
            Ok(output) => Err(RulesError::of(command, &output.said())),
            Err(error) => Err(RulesError::Failed { command, said: error.message }),
        }
    }

    fn net_file(&self, name: &str) -> Option<String> {
        let bytes = self.read(&format!("/proc/net/{name}")).ok()??;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}

/// Reads the rules.
struct Rules<'a> {
    remote: &'a Remote,
    range: PortRange,
    /// What could not be read.
    unread: Vec<Note>,
}

impl Rules<'_> {
    /// Those of a Linux host, read as on this one.
    fn linux(&mut self) -> Ruleset {
        rules_of(self.remote).unwrap_or_else(|error| {
            let command = match &error {
                RulesError::Privilege => "nft -j list ruleset",
                // The older kernel interface of iptables alone may be in use.
                RulesError::NoCommand { package: "nftables", .. } => "iptables-save",
                RulesError::NoCommand { command, .. } | RulesError::Failed { command, .. } => {
                    command
                }
            };
            self.unknown(Dialect::Nft, command, &error.to_string())
        })
    }

    /// Those of another system's firewalls: all of them apply.
    fn foreign(&mut self) -> Result<Ruleset, HostError> {
        let system = self.remote.system();
        let formats: &[Format] = match system.name {
            "freebsd" | "dragonfly" => &[Format::Pf, Format::Ipfw],
            "macos" | "openbsd" => &[Format::Pf],
            "windows" => &[Format::Netsh],
            _ => {
                self.unread.push(Note {
                    what: "the firewall's rules".to_owned(),
                    why: format!("dayfly knows no command that lists them on {}", system.title),
                    fix: self.elsewhere(),
                });
                return Ok(Ruleset::unreadable(Dialect::Pf, system.title));
            }
        };
        let mut ruleset = Ruleset::default();
        for &format in formats {
            ruleset.merge(self.firewall(format)?);
        }
        Ok(ruleset)
    }

    fn firewall(&mut self, format: Format) -> Result<Ruleset, HostError> {
        let (command, dialect) = (list_of(format), format.dialect());
        let is_pf = format == Format::Pf;
        let mut output = self.remote.run(if is_pf { "pfctl -s info" } else { command })?;
        if is_pf && output.is_success() {
            // Rules that are loaded and switched off filter nothing.
            if output.text().contains("Status: Disabled") {
                return Ok(Ruleset::default());
            }
            output = self.remote.run(command)?;
        }
        if !output.is_success() {
            return Ok(match output.said() {
                said if is_absent(&said) => Ruleset::default(),
                _ if output.status == NOT_FOUND => {
                    self.unread.push(Note {
                        what: "the firewall's rules".to_owned(),
                        why: format!("there is no command `{command}`"),
                        fix: self.elsewhere(),
                    });
                    Ruleset::unreadable(dialect, dialect.name())
                }
                said => self.unknown(dialect, command, &said),
            });
        }
        let mut text = output.text();
        if is_pf && text.lines().any(|line| line.trim_start().starts_with("anchor")) {
            // With what the anchors hold; whoever cannot tell it leaves them closed.
            let whole = self.remote.run("pfctl -a '*' -sr")?;
            if whole.is_success() && !whole.text().trim().is_empty() {
                text = whole.text();
            }
        }
        // pf without a rule lets everything pass.
        if is_pf && text.trim().is_empty() {
            return Ok(Ruleset::default());
        }
        let read = format.read(&text);
        Ok(read.unwrap_or_else(|error| self.unknown(dialect, command, &error.to_string())))
    }

    /// Unknown rules, and a note about the command that would tell them.
    fn unknown(&mut self, dialect: Dialect, command: &str, why: &str) -> Ruleset {
        let sudo = if dialect == Dialect::Windows { "" } else { "sudo " };
        let (place, range) = (posix(self.remote.name()), self.range);
        let why = if why.is_empty() { format!("`{command}` failed") } else { harmless(why) };
        self.unread.push(Note {
            what: "the firewall's rules".to_owned(),
            why,
            fix: format!(
                "ssh {place} {sudo}{command} | dayfly firewall check --from - --range {range}"
            ),
        });
        Ruleset::unreadable(dialect, dialect.name())
    }

    fn elsewhere(&self) -> String {
        format!("save them and name the file: --from FILE --range {}", self.range)
    }
}

const fn list_of(format: Format) -> &'static str {
    match format {
        Format::Ipfw => "ipfw list",
        Format::Netsh => "netsh advfirewall firewall show rule name=all verbose",
        _ => "pfctl -sr",
    }
}

/// Whether the kernel has no such firewall: pf without its device, ipfw without its socket option.
fn is_absent(said: &str) -> bool {
    said.contains("/dev/pf: No such file") || said.contains("Protocol not available")
}
