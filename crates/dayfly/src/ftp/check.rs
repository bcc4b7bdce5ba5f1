//! `dayfly ftp check`: configurations of FTP servers, held against this host.

use std::fs;
use std::process::ExitCode;

use dayfly_insight::doctor::NamespaceEvidence;
use dayfly_insight::ftp::server::review::{Issue, Surroundings, issues};
use dayfly_insight::ftp::server::{self, ServerConfig};
use dayfly_linux::evidence::{self, Look};
use dayfly_linux::observe::ObserveError;

use super::args::CheckArgs;
use crate::error::Failure;
use crate::place::{self, Note};
use crate::render;

/// What was found.
pub(crate) struct Report {
    pub(crate) servers: Vec<Checked>,
    pub(crate) degraded: Vec<Note>,
}

/// A server and what is wrong with it.
pub(crate) struct Checked {
    pub(crate) config: ServerConfig,
    pub(crate) issues: Vec<Issue>,
}

pub(super) fn run(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let given = args.files.iter().map(|file| read(file)).collect::<Result<Vec<_>, _>>()?;
    let (seen, degraded) = look(args)?;
    let configs = if given.is_empty() { seen.ftp_servers.clone() } else { given };
    let around = Surroundings {
        settings: &seen.headroom.settings,
        shell: &seen.shell,
        listeners: &seen.listeners,
        open: seen.open_to_all.as_deref(),
        clients: args.clients,
    };
    let judge = |config: ServerConfig| Checked { issues: issues(&config, &around), config };
    let report = Report { servers: configs.into_iter().map(judge).collect(), degraded };
    if args.output.json {
        render::print_json(&render::ftp_json::Document::new(&report))?;
    } else {
        let text = render::ftp::checked(&report, render::Screen::of_terminal());
        render::print_text(&text, args.output.color)?;
    }
    let wrong = report.servers.iter().any(|server| !server.issues.is_empty());
    Ok(if wrong { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn read(file: &str) -> Result<ServerConfig, Failure> {
    let bytes = fs::read(file)
        .map_err(|error| Failure::new(format_args!("{file} cannot be read: {error}")))?;
    let text = String::from_utf8_lossy(&bytes);
    server::read(file, &text).ok_or_else(|| {
        Failure::new(format_args!("{file} is not the configuration of an FTP server that is known"))
            .hint("known are vsftpd, ProFTPD, Pure-FTPd, FileZilla Server, IIS, pyftpdlib, Apache FtpServer and NcFTPd")
    })
}

fn look(args: &CheckArgs) -> Result<(NamespaceEvidence, Vec<Note>), Failure> {
    let netns = args.netns.as_deref();
    let namespace = place::find(netns)?;
    let look = Look {
        name: namespace.name().to_owned(),
        shell: place::shell(netns),
        is_host: namespace.is_host(),
        ..Look::default()
    };
    let seen = namespace.run(|| evidence::of_namespace(&look)).map_err(ObserveError::Namespace);
    let (seen, degraded) = seen.and_then(|seen| seen).map_err(|error| place::impossible(&error))?;
    Ok((seen, degraded.iter().map(place::note).collect()))
}
