//! RPC programs behind a firewall: where each listens, whether that stays so, and whether clients
//! get there.
//!
//! A client asks rpcbind (Windows: the endpoint mapper on port 135) for the port and connects to
//! what it is told. Where the firewall lets in the question and not what the answer names, the
//! client hangs: those programs are [`unreachable()`].

use std::collections::BTreeMap;

use dayfly_ports::{Port, PortSet, Protocol};

use super::check::Listener;
use super::flows::{Flow, FlowVerdict, Host, assess_service};
use super::model::{Chain, Family, Ruleset};
use super::remedies::opened;
use super::writers::Opening;
use crate::rpc::{PORTMAPPER, Pin, Program, low_ports};
use crate::why::{Action, Remedy, Shell};

/// A program and its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its number; none for Windows, which tells of ranges only.
    pub number: Option<u32>,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// How it came to its ports.
    pub placed: Placed,
    /// Whether somebody listens there: rpcbind keeps telling of programs that were killed.
    pub listening: bool,
    /// Who, if that can be seen.
    pub owner: Option<String>,
    /// How it gets the same port each time, where that is known.
    pub pin: Option<Pin>,
    /// Whether clients reach it: `wanted` are its ports.
    pub flow: Flow,
}

/// How a program came to its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Placed {
    /// The system hands them out: another one after the next start.
    Automatic,
    /// One of 600-1023, as `bindresvport` takes them: another one after the next start, unless it
    /// was named.
    Low,
    /// By its number or by configuration.
    Fixed,
}

impl Placed {
    /// The name in reports and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Placed::Automatic => "automatic",
            Placed::Low => "low",
            Placed::Fixed => "fixed",
        }
    }
}

impl Service {
    /// Whether it tells clients where the others are.
    #[must_use]
    pub fn is_mapper(&self) -> bool {
        self.number == Some(PORTMAPPER) || self.number.is_none() && *self.flow.wanted == mapper()
    }

    /// `status (100024)`, or only what there is of it.
    #[must_use]
    pub fn title(&self) -> String {
        match (&self.name, self.number) {
            (Some(name), Some(number)) => format!("{name} ({number})"),
            (Some(name), None) => name.clone(),
            (None, Some(number)) => format!("program {number}"),
            (None, None) => "a program".to_owned(),
        }
    }
}

/// What rpcbind tells of, in the families that the host has, with whoever listens there. What is
/// bound to loopback addresses is left out.
#[must_use]
pub fn services(
    ruleset: &Ruleset,
    host: &Host,
    programs: &[Program],
    listeners: &[Listener],
) -> Vec<Service> {
    // Where both families have the same port and the same answer, one row says it.
    let mut grouped: BTreeMap<_, Vec<&Program>> = BTreeMap::new();
    for program in programs.iter().filter(|one| one.is_public()) {
        let key = (program.number, program.protocol, program.port);
        let group = grouped.entry(key).or_default();
        if !group.iter().any(|one| one.family == program.family) {
            group.push(program);
        }
    }
    let mut services = Vec::new();
    for group in grouped.values() {
        let of_host = |program: &&&Program| host.families.contains(&program.family);
        let each: Vec<Service> = group
            .iter()
            .filter(of_host)
            .map(|program| service(ruleset, host, program, listeners))
            .collect();
        let alike = |one: &Service| {
            each.first().is_some_and(|first| {
                (first.flow.verdict, &first.flow.needs, &first.owner)
                    == (one.flow.verdict, &one.flow.needs, &one.owner)
            })
        };
        if each.len() == host.families.len() && each.iter().all(alike) {
            services.extend(each.into_iter().take(1).map(|mut one| {
                one.flow.family = None;
                one
            }));
        } else {
            services.extend(each);
        }
    }
    services
}

fn service(ruleset: &Ruleset, host: &Host, program: &Program, listeners: &[Listener]) -> Service {
    let ports = PortSet::from_iter([program.port]);
    let listener = listeners.iter().find(|one| {
        one.protocol == program.protocol
            && one.address.port() == program.port.number()
            // Of IPv6's sockets most take IPv4 as well.
            && (one.address.is_ipv6() || program.family == Family::Ipv4)
    });
    Service {
        number: Some(program.number),
        name: program.name.clone(),
        placed: placed(host, program.protocol, &ports),
        listening: listener.is_some(),
        owner: listener.and_then(|one| one.owner.clone()),
        pin: program.pin(),
        flow: assess_service(ruleset, host, program.family, program.protocol, &ports),
    }
}

fn placed(host: &Host, protocol: Protocol, ports: &PortSet) -> Placed {
    let used = match protocol {
        Protocol::Udp => &host.udp,
        _ => &host.tcp,
    };
    if ports.intersection_len(used) > 0 {
        Placed::Automatic
    } else if ports.intersection_len(&low_ports()) > 0 {
        Placed::Low
    } else {
        Placed::Fixed
    }
}

/// Windows' endpoint mapper.
fn mapper() -> PortSet {
    PortSet::from_iter([Port::new(135)])
}

/// The services of MS-RPC: the endpoint mapper, and the ports that it sends clients to, which are the
/// system's automatic ones where the registry lists none.
#[must_use]
pub fn windows_services(ruleset: &Ruleset, host: &Host, listeners: &[Listener]) -> Vec<Service> {
    let family = host.families.first().copied().unwrap_or(Family::Ipv4);
    let one = |name: &str, ports: &PortSet, placed| {
        let listens = |one: &Listener| {
            one.protocol == Protocol::Tcp && ports.contains(one.address.port().into())
        };
        let mut flow = assess_service(ruleset, host, family, Protocol::Tcp, ports);
        flow.family = None;
        Service {
            number: None,
            name: Some(name.to_owned()),
            placed,
            listening: listeners.iter().any(listens),
            owner: None,
            pin: None,
            flow,
        }
    };
    let (ports, how) = match host.rpc.as_deref() {
        Some(ports) => (ports, Placed::Fixed),
        None => (&*host.tcp, Placed::Automatic),
    };
    vec![one("RPC endpoint mapper", &mapper(), Placed::Fixed), one("RPC endpoints", ports, how)]
}

/// Programs that clients are told of and cannot reach.
pub fn unreachable(services: &[Service]) -> impl Iterator<Item = &Service> {
    let told = |family: Option<Family>| {
        services.iter().any(|one| {
            let same = one.flow.family.is_none() || family.is_none() || one.flow.family == family;
            one.is_mapper() && same && one.flow.verdict == FlowVerdict::Passes
        })
    };
    services.iter().filter(move |one| {
        let fails = matches!(one.flow.verdict, FlowVerdict::Blocked | FlowVerdict::Partly);
        fails
            && !one.is_mapper()
            && (one.listening || one.number.is_none())
            && told(one.flow.family)
    })
}

/// What helps: a port that stays, then a rule that lets clients in to it.
#[must_use]
pub fn remedies(ruleset: &Ruleset, services: &[Service], shell: &Shell) -> Vec<Remedy> {
    let mut remedies: Vec<Remedy> = Vec::new();
    let mut offer = |action: Action, effect: String| {
        if !remedies.iter().any(|known| known.action == action) {
            remedies.push(Remedy { action, effect });
        }
    };
    for service in unreachable(services) {
        let chain = service.flow.place.and_then(|place| ruleset.chains.get(place.chain));
        let open = |ports: &PortSet| open(service, ports, chain?, shell);
        let name = service.title();
        if let Some(place) = service.flow.place.filter(|&place| ruleset.translates(place)) {
            let action = format!("take this port out of the rule: {}", ruleset.name_of(place));
            offer(action.into(), format!("clients reach {name}"));
            continue;
        }
        match (service.placed, service.pin) {
            _ if service.number.is_none() => {
                let rule = "netsh advfirewall firewall add rule name=\"RPC endpoints\" dir=in \
                    action=allow protocol=TCP localport=RPC";
                let effect = "Windows lets clients in to the endpoints' ports, whichever they are";
                offer(shell.command(rule).into(), effect.to_owned());
            }
            (Placed::Fixed, _) => {
                if let Some(rule) = open(&service.flow.wanted) {
                    offer(rule, format!("clients reach {name}"));
                }
            }
            (_, Some(pin)) => {
                let port = pin.port;
                let effect = format!("{name} has port {port} each time, which a rule can open");
                offer(pin.how.into(), effect);
                if let Some(rule) = open(&PortSet::from_iter([Port::new(port)])) {
                    offer(rule, format!("clients reach {name} when it has port {port}"));
                }
            }
            (_, None) => offer(
                format!("give {name} a port of its own, and open that").into(),
                "a firewall can only open a port that stays the same".to_owned(),
            ),
        }
    }
    remedies
}

/// The command that lets clients in.
fn open(service: &Service, ports: &PortSet, chain: &Chain, shell: &Shell) -> Option<Action> {
    let opening = Opening {
        protocol: service.flow.protocol,
        source_ports: None,
        ports: Box::new(ports.clone()),
    };
    opened(chain, opening, shell)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::firewall::readers::nft;
    use crate::rpc::registered;

    const PROGRAMS: &str = "100000 4 tcp 0.0.0.0.0.111 portmapper\n\
        100000 4 tcp6 ::.0.111 portmapper\n\
        100003 4 tcp 0.0.0.0.8.1 nfs\n\
        100005 3 tcp 0.0.0.0.156.65 mountd\n\
        100005 3 tcp6 ::.156.66 mountd\n\
        100011 2 udp 0.0.0.0.2.188 rquotad\n\
        200001 1 tcp 127.0.0.1.156.70 -\n";

    fn host(families: &[Family]) -> Host {
        let used: PortSet = "40000-40999".parse().unwrap();
        Host {
            families: families.to_vec(),
            interface: None,
            addresses: Vec::new(),
            peer: None,
            tcp: Box::new(used.clone()),
            udp: Box::new(used),
            passive: None,
            rpc: None,
        }
    }

    fn listener(protocol: Protocol, address: &str) -> Listener {
        let owner = Some("it (pid 7)".to_owned());
        Listener { protocol, address: address.parse().unwrap(), owner, transient: false }
    }

    fn rules(expressions: &str) -> Ruleset {
        let text = format!(
            r#"{{"nftables":[{{"metainfo":{{"json_schema_version":1}}}},
            {{"table":{{"family":"inet","name":"f"}}}},
            {{"chain":{{"family":"inet","table":"f","name":"in","type":"filter","hook":"input",
              "prio":0,"policy":"drop"}}}}{expressions}]}}"#
        );
        nft::listed(&text, &[]).unwrap().ruleset
    }

    fn accepting(ports: &str) -> String {
        format!(
            r#",{{"rule":{{"family":"inet","table":"f","chain":"in","expr":[{{"match":{{"op":"==",
            "left":{{"payload":{{"protocol":"tcp","field":"dport"}}}},"right":{ports}}}}},
            {{"accept":null}}]}}}}"#
        )
    }

    fn told(services: &[Service]) -> Vec<String> {
        let one = |one: &Service| {
            let family = one.flow.family.map_or("any", Family::name);
            format!(
                "{} {} {} {family} {} {} {}",
                one.title(),
                one.flow.protocol,
                one.flow.wanted,
                one.placed.name(),
                if one.listening { "listens" } else { "gone" },
                one.flow.verdict.name()
            )
        };
        services.iter().map(one).collect()
    }

    #[test]
    fn every_program_has_a_row_and_families_are_joined_where_alike() {
        let ruleset = rules(&accepting(r#"{"set":[111,2049]}"#));
        let listeners = [
            listener(Protocol::Tcp, "[::]:111"),
            listener(Protocol::Tcp, "0.0.0.0:40001"),
            listener(Protocol::Tcp, "[::]:40002"),
        ];
        let programs = registered(PROGRAMS);
        let both = services(&ruleset, &host(&Family::ALL), &programs, &listeners);
        assert_eq!(
            told(&both),
            [
                "portmapper (100000) tcp 111 any fixed listens passes",
                "nfs (100003) tcp 2049 ipv4 fixed gone passes",
                "mountd (100005) tcp 40001 ipv4 automatic listens blocked",
                "mountd (100005) tcp 40002 ipv6 automatic listens blocked",
                "rquotad (100011) udp 700 ipv4 low gone blocked",
            ]
        );
        let names: Vec<String> = unreachable(&both).map(Service::title).collect();
        assert_eq!(names, ["mountd (100005)", "mountd (100005)"]);
        let remedies = remedies(&ruleset, &both, &Shell::default());
        assert_eq!(remedies.len(), 2);
        assert!(remedies[0].action.as_str().contains("[mountd] port=20048"), "{remedies:?}");
        assert!(remedies[1].action.as_str().contains("tcp dport 20048 accept"), "{remedies:?}");
        let four = services(&ruleset, &host(&[Family::Ipv4]), &programs, &listeners);
        assert_eq!(told(&four).len(), 4);
        assert!(told(&four)[0].contains(" any "));
    }

    #[test]
    fn nobody_is_misled_where_nobody_is_told() {
        let ruleset = rules(&accepting("2049"));
        let listeners = [listener(Protocol::Tcp, "0.0.0.0:40001")];
        let programs = registered(PROGRAMS);
        let services = services(&ruleset, &host(&[Family::Ipv4]), &programs, &listeners);
        assert_eq!(unreachable(&services).count(), 0);
    }

    #[test]
    fn windows_has_a_mapper_and_a_range() {
        let ruleset = rules(&accepting(r#"{"set":[135,{"range":[5000,5050]}]}"#));
        let listed = Some(Box::new("5000-5100".parse().unwrap()));
        let rows = windows_services(&ruleset, &Host { rpc: listed, ..host(&Family::ALL) }, &[]);
        assert_eq!(
            told(&rows),
            [
                "RPC endpoint mapper tcp 135 any fixed gone passes",
                "RPC endpoints tcp 5000-5100 any fixed gone partly"
            ]
        );
        assert_eq!(unreachable(&rows).count(), 1);
        assert!(
            remedies(&ruleset, &rows, &Shell::default())[0]
                .action
                .as_str()
                .contains("localport=RPC")
        );
        let rows = windows_services(&ruleset, &host(&Family::ALL), &[]);
        assert_eq!(told(&rows)[1], "RPC endpoints tcp 40000-40999 any automatic gone blocked");
    }
}
