//! `dayfly firewall check`: rules in, what works and what does not out.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::ExitCode;

use dayfly_insight::Settings;
use dayfly_insight::firewall::check::{Check, Listener, check};
use dayfly_insight::firewall::flows::{FlowKind, FlowVerdict, Host};
use dayfly_insight::firewall::model::{Dialect, Family, Ruleset};
use dayfly_insight::firewall::readers;
use dayfly_insight::firewall::remedies::remedies;
use dayfly_insight::firewall::rpc::{self, Service};
use dayfly_insight::rpc::Program;
use dayfly_insight::why::{Remedy, Shell};
use dayfly_linux::evidence;
use dayfly_linux::firewall::{self as live, RulesError};
use dayfly_linux::namespace::Namespace;
use dayfly_linux::observe::ObserveError;
use dayfly_linux::settings;
use dayfly_ports::{PortRange, PortSet, Protocol};
use dayfly_systems::ms_rpc::RpcPorts;

use super::args::CheckArgs;
use super::remote;
use crate::error::Failure;
use crate::place::{self, Note};
use crate::privilege::with_sudo;
use crate::render;

/// Everything that was asked about.
pub(crate) struct Report {
    pub(crate) places: Vec<Checked>,
    pub(crate) degraded: Vec<Note>,
}

/// One namespace, or one file.
pub(crate) struct Checked {
    /// None for a file.
    pub(crate) id: Option<u64>,
    pub(crate) name: String,
    pub(crate) range: PortRange,
    pub(crate) check: Check,
    pub(crate) rpc: Vec<Service>,
    /// Flows that are meant to work.
    pub(crate) wanted: Vec<FlowKind>,
    pub(crate) remedies: Vec<Remedy>,
    pub(crate) remarks: Vec<String>,
    pub(crate) degraded: Vec<Note>,
}

impl Checked {
    /// Whether something should be done.
    pub(crate) fn has_findings(&self) -> bool {
        let check = &self.check;
        let fails = |verdict: FlowVerdict| verdict != FlowVerdict::Passes;
        check.flows.iter().any(|flow| fails(flow.verdict) && self.wanted.contains(&flow.kind))
            || check.compared.iter().any(|one| one.relation.is_wrong())
            || check.exposed.iter().any(|one| !one.listener.transient)
            || rpc::unreachable(&self.rpc).next().is_some()
    }
}

/// Looks, judges, prints. Exit code 1 if there is a finding.
pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let report = match (&args.from, &args.host) {
        (Some(file), _) => from_file(args, file)?,
        (None, Some(address)) => {
            let places = vec![remote::look(args, address)?];
            Report { places, degraded: Vec::new() }
        }
        (None, None) => from_here(args)?,
    };
    if args.output.json {
        render::print_json(&render::firewall_json::Document::new(&report))?;
    } else {
        let text = render::firewall::text(&report, render::Screen::of_terminal());
        render::print_text(&text, args.output.color)?;
    }
    let found = report.places.iter().any(Checked::has_findings);
    Ok(if found { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn from_file(args: &CheckArgs, file: &str) -> Result<Report, Failure> {
    let bytes = if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    let bytes =
        bytes.map_err(|error| Failure::new(format_args!("{file} cannot be read: {error}")))?;
    let name = if file == "-" { "standard input" } else { file };
    let text = dayfly_systems::decoded(&bytes);
    if text.trim().is_empty() {
        return Err(Failure::new(format_args!("{name} is empty: no rules came"))
            .hint("did the command that was to print them succeed, and with privilege?"));
    }
    let read = match args.format {
        Some(format) => format.read(&text).map(|ruleset| (format, ruleset)),
        None => readers::read(&text),
    };
    let (format, ruleset) = read.map_err(|error| {
        Failure::new(format_args!("{name}: {error}")).hint(
            "`nft -j list ruleset`, iptables-save, pfctl -sr, ipfw list and others print rules; \
             --format says which it was",
        )
    })?;
    let mut settings = settings::read().unwrap_or_else(|_| Settings::linux_defaults());
    if let Some(range) = args.range.or_else(|| default_range(format.dialect())) {
        *settings.reserved = dayfly_ports::PortSet::EMPTY;
        for setting in &mut settings.ranges {
            setting.range = range;
        }
    }
    let families = Family::ALL.into_iter().filter(|&family| {
        let sees = |chain: &dayfly_insight::firewall::model::Chain| {
            chain.base.is_some() && chain.family.is_none_or(|seen| seen == family)
        };
        ruleset.chains.iter().any(sees)
    });
    let host = Host {
        families: families.collect(),
        interface: args.interface.clone(),
        addresses: Vec::new(),
        ..host(args, used(&settings))
    };
    let range = settings.range(Protocol::Tcp).unwrap_or(PortRange::LINUX_DEFAULT);
    // The same text may hold what the registry says.
    let rpc = match format.dialect() {
        Dialect::Windows => Rpc::Windows(RpcPorts::read(&text).map(|found| found.ports)),
        _ => Rpc::default(),
    };
    let asked = Asked { ruleset: &ruleset, host, range, listeners: &[], rpc };
    let checked = judge(args, None, name.to_owned(), &Shell::default(), asked);
    Ok(Report { places: vec![checked], degraded: Vec::new() })
}

/// What a system with such a firewall starts with; none for Linux, which this host is.
fn default_range(dialect: Dialect) -> Option<PortRange> {
    let name = match dialect {
        Dialect::Pf | Dialect::Ipfw => "freebsd",
        Dialect::Windows => "windows",
        _ => return None,
    };
    dayfly_systems::find(name).map(dayfly_systems::System::default_range)
}

fn from_here(args: &CheckArgs) -> Result<Report, Failure> {
    let mut report = Report { places: Vec::new(), degraded: Vec::new() };
    if !args.place.all_netns {
        let netns = args.place.netns.as_deref();
        let namespace = place::find(netns)?;
        report.places.push(look(args, &namespace, netns)?);
        return Ok(report);
    }
    let survey = Namespace::all();
    for namespace in &survey.namespaces {
        let netns = (!namespace.is_own()).then(|| namespace.address());
        match look(args, namespace, netns) {
            Ok(checked) => report.places.push(checked),
            Err(Failure::Said { message, hint }) => report.degraded.push(Note {
                what: format!("network namespace {}", namespace.name()),
                why: message,
                fix: hint.unwrap_or_default(),
            }),
            Err(failure) => return Err(failure),
        }
    }
    report.degraded.extend(place::notes_of(&survey));
    Ok(report)
}

/// What is read of a namespace or of another host.
pub(super) struct Seen {
    pub(super) ruleset: Ruleset,
    pub(super) range: PortRange,
    /// The automatic ports of TCP and of UDP.
    pub(super) used: [Box<PortSet>; 2],
    pub(super) listeners: Vec<Listener>,
    pub(super) addresses: Vec<live::InterfaceAddress>,
    /// What the FTP servers here open for passive transfers; none without a server.
    pub(super) passive: Option<Box<PortSet>>,
    pub(super) rpc: Rpc,
    pub(super) degraded: Vec<Note>,
}

/// What is known of RPC there.
pub(super) enum Rpc {
    /// What rpcbind tells clients.
    Sun(Vec<Program>),
    /// The ports that Windows' registry lists, if it does.
    Windows(Option<Box<PortSet>>),
}

impl Default for Rpc {
    fn default() -> Self {
        Rpc::Sun(Vec::new())
    }
}

fn look(args: &CheckArgs, namespace: &Namespace, netns: Option<&str>) -> Result<Checked, Failure> {
    let seen = namespace
        .run(seen)
        .map_err(|error| place::impossible(&ObserveError::Namespace(error)))??;
    let name = namespace.name().to_owned();
    Ok(answer(args, Some(namespace.id()), name, &place::shell(netns), seen))
}

/// The answer for everything that was seen.
pub(super) fn answer(
    args: &CheckArgs,
    id: Option<u64>,
    name: String,
    shell: &Shell,
    seen: Seen,
) -> Checked {
    let Seen { ruleset, range, used, listeners, addresses, passive, rpc, degraded } = seen;
    let interfaces: BTreeSet<&str> = addresses.iter().map(|one| one.interface.as_str()).collect();
    let mut host = host(args, used);
    host.passive = host.passive.or(passive);
    if host.interface.is_none() && interfaces.len() == 1 {
        host.interface = interfaces.first().map(|&name| name.to_owned());
    }
    for family in Family::ALL {
        let of_family: Vec<_> = addresses
            .iter()
            .map(|one| one.address)
            .filter(|address| address.is_ipv4() == (family == Family::Ipv4))
            .collect();
        if !of_family.is_empty() {
            host.families.push(family);
        }
        if let [only] = of_family.as_slice() {
            host.addresses.push(*only);
        }
    }
    if host.families.is_empty() {
        host.families = Family::ALL.to_vec();
    }
    let asked = Asked { ruleset: &ruleset, host, range, listeners: &listeners, rpc };
    let checked = judge(args, id, name, shell, asked);
    Checked { degraded, ..checked }
}

/// Runs inside the namespace.
fn seen() -> Result<Seen, Failure> {
    let settings =
        settings::read().map_err(|error| place::impossible(&ObserveError::Settings(error)))?;
    let ruleset = live::rules().map_err(|error| unreadable(&error))?;
    let (listeners, degraded) =
        live::listeners(&settings).map_err(|error| place::impossible(&error))?;
    let mut degraded: Vec<Note> = degraded.iter().map(place::note).collect();
    let rpcbind = listeners.iter().any(|one| one.address.port() == RPCBIND);
    let programs = if rpcbind { evidence::rpc_programs() } else { Ok(Vec::new()) };
    let programs = programs.unwrap_or_else(|why| {
        degraded.push(unasked(why));
        Vec::new()
    });
    let addresses = live::addresses().unwrap_or_default();
    let passive = evidence::passive_ports(&settings);
    let range = settings.range(Protocol::Tcp).unwrap_or(PortRange::LINUX_DEFAULT);
    let used = used(&settings);
    let rpc = Rpc::Sun(programs);
    Ok(Seen { ruleset, range, used, listeners, addresses, passive, rpc, degraded })
}

/// Where rpcbind listens.
pub(super) const RPCBIND: u16 = 111;

/// Port 111 is held, and nobody says what is registered there.
pub(super) fn unasked(why: String) -> Note {
    let fix = "rpcinfo 127.0.0.1".to_owned();
    Note { what: "the RPC programs that rpcbind knows".to_owned(), why, fix }
}

fn unreadable(error: &RulesError) -> Failure {
    let failure = Failure::new(error);
    match error {
        RulesError::Privilege => failure.hint(with_sudo()),
        RulesError::NoCommand { package, .. } => failure.hint(format!(
            "install the package {package}, or save the rules elsewhere and name the file: --from FILE"
        )),
        RulesError::Failed { .. } => failure.hint("save the rules and name the file: --from FILE"),
    }
}

/// The automatic ports of TCP and of UDP.
pub(super) fn used(settings: &Settings) -> [Box<PortSet>; 2] {
    [Protocol::Tcp, Protocol::Udp].map(|protocol| Box::new(settings.usable(protocol)))
}

fn host(args: &CheckArgs, [tcp, udp]: [Box<PortSet>; 2]) -> Host {
    Host {
        families: Vec::new(),
        interface: args.interface.clone(),
        addresses: Vec::new(),
        peer: args.peer,
        tcp,
        udp,
        passive: args.passive.clone(),
        rpc: None,
    }
}

/// What the answer depends on.
struct Asked<'a> {
    ruleset: &'a Ruleset,
    host: Host,
    range: PortRange,
    listeners: &'a [Listener],
    rpc: Rpc,
}

fn judge(
    args: &CheckArgs,
    id: Option<u64>,
    name: String,
    shell: &Shell,
    asked: Asked<'_>,
) -> Checked {
    let Asked { ruleset, mut host, range, listeners, rpc } = asked;
    if let Rpc::Windows(listed) = &rpc {
        host.rpc.clone_from(listed);
    }
    let kinds = if args.flow.is_empty() { FlowKind::ALL.to_vec() } else { args.flow.clone() };
    // Whoever names a flow wants it. An FTP server is seen by its listener; TFTP is seen by nothing.
    let serves_ftp = host.passive.is_some()
        || listeners
            .iter()
            .any(|one| one.protocol == Protocol::Tcp && [21, 990].contains(&one.address.port()));
    let meant = |kind: &FlowKind| {
        !args.flow.is_empty()
            || match kind {
                FlowKind::EphemeralIn | FlowKind::Tftp => false,
                kind => serves_ftp || !kind.is_server(),
            }
    };
    let wanted: Vec<FlowKind> = kinds.iter().copied().filter(meant).collect();
    let check = check(ruleset, &host, &kinds, listeners);
    let mut remedies = remedies(ruleset, &host, &check, &wanted, shell);
    let rpc = match rpc {
        Rpc::Sun(programs) => rpc::services(ruleset, &host, &programs, listeners),
        Rpc::Windows(_) => rpc::windows_services(ruleset, &host, listeners),
    };
    remedies.extend(rpc::remedies(ruleset, &rpc, shell));
    Checked {
        id,
        name,
        range,
        check,
        rpc,
        wanted,
        remedies,
        remarks: ruleset.remarks.clone(),
        degraded: Vec::new(),
    }
}
