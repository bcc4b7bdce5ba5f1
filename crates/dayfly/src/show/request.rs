//! What was typed, resolved to what is meant: names looked up, defaults filled in.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use dayfly_insight::{Destination, DestinationKey};
use dayfly_linux::observe::Wishes;
use dayfly_ports::Protocol;

use crate::args::ColorChoice;
use crate::error::Failure;
use crate::show::args::ShowArgs;
use crate::target::Target;

/// Everything `show` needs to know.
pub(crate) struct Request {
    pub(crate) scope: Scope,
    pub(crate) filter: Filter,
    pub(crate) probe: bool,
    pub(crate) top: Option<usize>,
    pub(crate) format: Format,
    pub(crate) watch: Option<Duration>,
}

/// Which namespaces to look at.
pub(crate) enum Scope {
    /// The one that `--netns` names, or the caller's own.
    One(Option<String>),
    All,
}

pub(crate) enum Format {
    Json,
    Table { color: ColorChoice },
}

/// Which rows to show.
pub(crate) struct Filter {
    protocols: Vec<Protocol>,
    pub(crate) destination: Option<Wanted>,
}

/// The destination that was named, with the addresses that it has.
pub(crate) struct Wanted {
    target: Target,
    addresses: Vec<IpAddr>,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.fmt(f)
    }
}

impl Request {
    pub(crate) fn resolve(args: &ShowArgs) -> Result<Self, Failure> {
        let destination = match &args.destination {
            Some(target) => Some(Wanted { addresses: target.addresses()?, target: target.clone() }),
            None => None,
        };
        Ok(Request {
            scope: match args.place.all_netns {
                true => Scope::All,
                false => Scope::One(args.place.netns.clone()),
            },
            filter: Filter { protocols: args.protocol.clone(), destination },
            probe: args.probe,
            top: args.top,
            format: if args.output.json {
                Format::Json
            } else {
                Format::Table { color: args.output.color }
            },
            watch: args.watch,
        })
    }
}

impl Filter {
    /// A destination named with its port gets a row even if nothing is connected to it.
    pub(crate) fn wishes(&self) -> Wishes {
        let Some(wanted) = &self.destination else { return Wishes::default() };
        let Some(port) = wanted.target.port() else { return Wishes::default() };
        let asked = |protocol| self.protocols.contains(&protocol);
        let mut protocols = Vec::new();
        if self.protocols.is_empty() || asked(Protocol::Tcp) {
            protocols.push(Protocol::Tcp);
        }
        if asked(Protocol::Sctp) {
            protocols.push(Protocol::Sctp);
        }
        let socket = |address: &IpAddr| SocketAddr::new(*address, port.number());
        let pairs =
            |protocol| wanted.addresses.iter().map(move |address| (protocol, socket(address)));
        Wishes { destinations: protocols.into_iter().flat_map(pairs).collect() }
    }

    pub(crate) fn shows(&self, row: &Destination) -> bool {
        self.shows_key(&row.key)
    }

    pub(crate) fn shows_key(&self, key: &DestinationKey) -> bool {
        let wanted = self.destination.as_ref().is_none_or(|wanted| {
            wanted.addresses.contains(&key.destination)
                && wanted.target.port().is_none_or(|port| port == key.port)
        });
        wanted && self.shows_protocol(key.protocol)
    }

    /// UDP ports do not depend on the destination: naming one hides them, naming UDP shows them.
    pub(crate) fn shows_udp(&self) -> bool {
        match &self.destination {
            Some(_) => self.protocols.contains(&Protocol::Udp),
            None => self.shows_protocol(Protocol::Udp),
        }
    }

    pub(crate) fn shows_protocol(&self, protocol: Protocol) -> bool {
        self.protocols.is_empty() || self.protocols.contains(&protocol)
    }
}
