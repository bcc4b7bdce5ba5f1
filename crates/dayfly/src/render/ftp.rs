//! FTP in sentences: the data connections of a session, and the servers' configurations.

use std::fmt::Write;

use dayfly_insight::firewall::flows::{Flow, FlowVerdict};
use dayfly_insight::ftp::address::Form;
use dayfly_insight::ftp::server::{Passive, ServerConfig, SourcePort, WhenFull};
use dayfly_insight::ftp::session::{DataConnection, Outcome, Session};

use super::style::{self, paint};
use super::text::{action, notes, wrapped};
use super::{Screen, counted};
use crate::ftp::{Checked, Explained, Explanation, Report};

/// Every session with its data connections, in order.
pub(crate) fn explained(explanation: &Explanation, screen: Screen) -> String {
    let mut text = String::new();
    let many = explanation.sessions.len() > 1;
    for (index, explained) in explanation.sessions.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if let Some(head) = ends(&explained.session).filter(|_| many) {
            let _ = writeln!(text, "{}", paint(style::STRONG, &head));
        }
        of_session(&mut text, explained, screen);
    }
    notes(&mut text, &explanation.degraded, screen);
    text
}

/// `192.0.2.1 to 198.51.100.7`.
fn ends(session: &Session) -> Option<String> {
    Some(format!("session of {} with {}", session.client?, session.server?))
}

fn of_session(text: &mut String, explained: &Explained, screen: Screen) {
    let session = &explained.session;
    for (index, connection) in session.connections.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        one(text, connection, session, screen);
        if let Some(flow) = explained.verdicts.get(index).and_then(Option::as_ref) {
            firewall(text, flow, screen);
        }
    }
    for misread in &session.misread {
        let line = format!(
            "{} line {}: {}: {}",
            paint(style::WARN, "not read:"),
            misread.line,
            misread.said,
            misread.error
        );
        wrapped(text, &line, "  ", screen);
    }
    if let Some(line) = session.encrypted_from {
        text.push('\n');
        let sentence = format!(
            "From line {line} on the control connection is encrypted (AUTH TLS). A firewall's \
             helper cannot read it: the range of whoever listens has to be open."
        );
        wrapped(text, &sentence, "  ", screen);
    }
}

/// What the firewall does to it, and which rule.
fn firewall(text: &mut String, flow: &Flow, screen: Screen) {
    let (colour, verdict) = match flow.verdict {
        FlowVerdict::Passes => (style::GOOD, "passes"),
        FlowVerdict::Partly => (style::WARN, "passes for some ports"),
        FlowVerdict::Blocked => (style::BAD, "stopped"),
        FlowVerdict::Unknown => (style::WARN, "unknown"),
    };
    let needs = flow.needs.as_ref().map(|needs| format!(", needs {needs}")).unwrap_or_default();
    let line = format!("  firewall: {}{needs}: {}", paint(colour, verdict), flow.why);
    wrapped(text, &line, "    ", screen);
}

fn one(text: &mut String, connection: &DataConnection, session: &Session, screen: Screen) {
    let (mode, listener) = (connection.mode, connection.mode.listens());
    let port = connection.to.port;
    let place = match connection.address(session) {
        Some(address) => std::net::SocketAddr::new(address, port.number()).to_string(),
        None => format!("port {port} of the {listener}"),
    };
    let head = if connection.line == 0 && connection.to.form == Form::Numbers {
        paint(style::STRONG, &place)
    } else {
        let who = format!("{mode}: the {} connects to", connection.connects());
        format!("{who} {}", paint(style::STRONG, &place))
    };
    wrapped(text, &head, "  ", screen);
    let mut say = |label: &str, sentence: &str| {
        wrapped(text, &format!("  {label} {sentence}"), "    ", screen);
    };
    if connection.line > 0 {
        say("said:", &format!("{} (line {})", connection.said, connection.line));
    }
    if connection.to.form == Form::Numbers {
        let (high, low) = (port.number() >> 8, port.number() & 0xff);
        say("port:", &format!("{high} * 256 + {low} = {port}"));
    }
    if connection.line == 0 && connection.to.form == Form::Numbers {
        say("in an answer to PASV:", "the client connects there, from an ephemeral port");
        say("in a PORT command:", "the server connects there, from port 20 or an ephemeral port");
    } else {
        say(
            "from:",
            match connection.connects() {
                dayfly_insight::ftp::Side::Client => "an ephemeral port of the client",
                dayfly_insight::ftp::Side::Server => {
                    "port 20 of the server, or an ephemeral one (pyftpdlib, vsftpd without \
                 connect_from_port_20)"
                }
            },
        );
        say(
            "needs:",
            &format!(
                "the {listener}'s firewall lets a new connection in to port {port}, or follows the \
             session with a helper"
            ),
        );
    }
    if let Some(purpose) = &connection.purpose {
        say("for:", purpose);
    }
    match &connection.outcome {
        Outcome::Unknown => {}
        Outcome::Worked => say("result:", &paint(style::GOOD, "the connection came about")),
        Outcome::Failed(words) => say("result:", &paint(style::BAD, words)),
    }
    for remark in connection.remarks(session) {
        say(&paint(style::WARN, "note:"), &remark.to_string());
    }
}

/// Every server with what is wrong.
pub(crate) fn checked(report: &Report, screen: Screen) -> String {
    let mut text = String::new();
    for (index, server) in report.servers.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        server_text(&mut text, server, screen);
    }
    if report.servers.is_empty() {
        wrapped(
            &mut text,
            "no FTP server runs here or has a file here; `dayfly ftp check FILE` reads any file",
            "  ",
            screen,
        );
    }
    notes(&mut text, &report.degraded, screen);
    text
}

fn server_text(text: &mut String, server: &Checked, screen: Screen) {
    let config = &server.config;
    let head = format!("{} ({})", paint(style::STRONG, config.product.name()), config.file);
    wrapped(text, &head, "  ", screen);
    let mut say = |label: &str, sentence: String| {
        wrapped(text, &format!("  {label:<9}{sentence}"), "           ", screen);
    };
    say("passive:", passive(config));
    say(
        "active:",
        match config.active {
            None => "refused".to_owned(),
            Some(SourcePort::Fixed(port)) => format!("connects from port {port}"),
            Some(SourcePort::Any) => "connects from an ephemeral port".to_owned(),
        },
    );
    if let Some(address) = &config.address {
        say("address:", format!("clients are told {address}"));
    }
    if config.tls {
        say("FTPS:", "offered: no helper can read the ports of such sessions".to_owned());
    }
    for issue in &server.issues {
        for (index, seen) in issue.evidence.iter().enumerate() {
            let label = if index == 0 { paint(style::WARN, "!") } else { " ".to_owned() };
            wrapped(text, &format!("  {label} {seen}"), "    ", screen);
        }
        for remedy in &issue.remedies {
            let lead = format!("    {} ", paint(style::GOOD, "do:"));
            action(text, &lead, &remedy.action, "      ", screen);
            wrapped(text, &format!("        {}", remedy.effect), "        ", screen);
        }
    }
    if server.issues.is_empty() {
        let _ = writeln!(text, "  {}", paint(style::GOOD, "nothing is wrong"));
    }
}

fn passive(config: &ServerConfig) -> String {
    let ports = match &config.passive {
        Passive::Off => return "refused".to_owned(),
        Passive::System => "any port of the system's range".to_owned(),
        Passive::Own(range) => format!("any port of {range}, by its own choice"),
        Passive::Limited(ports) => format!("{ports}, {}", counted(ports.len(), "port")),
    };
    let full = match config.when_full {
        WhenFull::LeavesRange => ", and any of the system's when these are taken",
        WhenFull::Fails => "",
    };
    match config.max_clients {
        Some(clients) => format!("{ports}{full}, for at most {}", counted(clients, "client")),
        None => format!("{ports}{full}"),
    }
}
