//! What the firewall does to a data connection: that of this host, or one from a file.

use std::net::IpAddr;

use dayfly_insight::Settings;
use dayfly_insight::firewall::flows::{Flow, FlowKind, Host, assess};
use dayfly_insight::firewall::model::{Family, Ruleset};
use dayfly_insight::firewall::readers;
use dayfly_insight::ftp::session::{DataConnection, Session};
use dayfly_insight::ftp::{Mode, Side};
use dayfly_linux::firewall::{self as live, RulesError};
use dayfly_linux::observe::ObserveError;
use dayfly_linux::settings;
use dayfly_ports::{PortRange, PortSet, Protocol};

use super::args::{ExplainArgs, SideChoice};
use crate::error::Failure;
use crate::place::{self, Note};
use crate::privilege::with_sudo;

/// Rules, and which side of the sessions stands behind them.
pub(super) struct Judge {
    ruleset: Ruleset,
    settings: Settings,
    side: Side,
    /// Its own address, where just one is known.
    address: Option<IpAddr>,
}

impl Judge {
    /// None, with a note if that needs one, where no rules can be asked: neither end is this host,
    /// or the rules may not be read.
    pub(super) fn for_sessions(
        args: &ExplainArgs,
        sessions: &[Session],
    ) -> Result<(Option<Judge>, Vec<Note>), Failure> {
        let asked = args.side.map(Side::from);
        if let Some(file) = &args.from {
            let judge = Judge {
                ruleset: of_file(file)?,
                settings: settings::read().unwrap_or_else(|_| Settings::linux_defaults()),
                side: asked.unwrap_or(Side::Client),
                address: None,
            };
            return Ok((Some(judge), Vec::new()));
        }
        let namespace = place::find(args.netns.as_deref())?;
        let seen = namespace.run(|| {
            let addresses = live::addresses().unwrap_or_default();
            let own: Vec<IpAddr> = addresses.into_iter().map(|one| one.address).collect();
            let (side, address) = side_of(sessions, &own, asked)?;
            Some((side, address, settings::read(), live::rules()))
        });
        let seen = seen.map_err(|error| place::impossible(&ObserveError::Namespace(error)))?;
        let Some((side, address, settings, rules)) = seen else { return Ok((None, Vec::new())) };
        let settings =
            settings.map_err(|error| place::impossible(&ObserveError::Settings(error)))?;
        match rules {
            Ok(ruleset) => Ok((Some(Judge { ruleset, settings, side, address }), Vec::new())),
            Err(error) => Ok((None, vec![note(&error)])),
        }
    }

    /// What becomes of the connection.
    pub(super) fn flow(&self, connection: &DataConnection, session: &Session) -> Option<Flow> {
        let port = PortSet::from(PortRange::single(connection.to.port));
        let usable = self.settings.usable(Protocol::Tcp);
        let listens = connection.mode.listens() == self.side;
        let kind = match (self.side, connection.mode, connection.encrypted) {
            (Side::Client, Mode::Active, false) => FlowKind::FtpActive,
            (Side::Client, Mode::Active, true) => FlowKind::FtpsActive,
            (Side::Client, Mode::Passive, false) => FlowKind::FtpPassive,
            (Side::Client, Mode::Passive, true) => FlowKind::FtpsPassive,
            (Side::Server, Mode::Passive, false) => FlowKind::FtpPassiveServer,
            (Side::Server, Mode::Passive, true) => FlowKind::FtpsPassiveServer,
            (Side::Server, Mode::Active, _) => FlowKind::Outgoing,
        };
        let peer = match self.side {
            Side::Client => session.server,
            Side::Server => session.client,
        };
        let known = connection.address(session).or(peer).or(self.address);
        let is_v4 = known.is_none_or(|address| address.to_canonical().is_ipv4());
        let host = Host {
            families: vec![if is_v4 { Family::Ipv4 } else { Family::Ipv6 }],
            interface: None,
            addresses: self.address.into_iter().collect(),
            peer,
            tcp: Box::new(if listens && self.side == Side::Client { port.clone() } else { usable }),
            udp: Box::new(PortSet::EMPTY),
            passive: Some(Box::new(port)),
            rpc: None,
        };
        let flows = assess(&self.ruleset, &host, kind);
        flows.into_iter().find(|flow| flow.protocol == Protocol::Tcp)
    }
}

/// Which end this host is, and the address that says so.
fn side_of(
    sessions: &[Session],
    own: &[IpAddr],
    asked: Option<Side>,
) -> Option<(Side, Option<IpAddr>)> {
    let is_own = |address: &IpAddr| own.contains(address);
    let mut ends = sessions.iter().flat_map(|session| {
        let control = [(Side::Client, session.client), (Side::Server, session.server)];
        let data = session.connections.iter().map(|one| (one.mode.listens(), one.to.address));
        control.into_iter().chain(data)
    });
    let found = ends.find_map(|(side, address)| Some((side, address.filter(is_own)?)));
    match (asked, found) {
        (Some(side), Some((seen, address))) if side == seen => Some((side, Some(address))),
        (Some(side), _) => Some((side, None)),
        (None, found) => found.map(|(side, address)| (side, Some(address))),
    }
}

fn of_file(file: &str) -> Result<Ruleset, Failure> {
    let bytes = std::fs::read(file)
        .map_err(|error| Failure::new(format_args!("{file} cannot be read: {error}")))?;
    let read = readers::read(&dayfly_systems::decoded(&bytes));
    read.map(|(_, ruleset)| ruleset).map_err(|error| {
        Failure::new(format_args!("{file}: {error}")).hint(
            "`nft -j list ruleset`, iptables-save, pfctl -sr, ipfw list and others print rules",
        )
    })
}

fn note(error: &RulesError) -> Note {
    Note {
        what: "what the firewall does to these connections".to_owned(),
        why: error.to_string(),
        fix: match error {
            RulesError::Privilege => with_sudo(),
            RulesError::NoCommand { package, .. } => format!("apt-get install {package}"),
            RulesError::Failed { .. } => String::new(),
        },
    }
}

impl From<SideChoice> for Side {
    fn from(choice: SideChoice) -> Side {
        match choice {
            SideChoice::Client => Side::Client,
            SideChoice::Server => Side::Server,
        }
    }
}
