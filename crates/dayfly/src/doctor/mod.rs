//! `dayfly doctor`: what is wrong, with evidence and remedy.

pub(crate) mod args;
mod request;

use std::io::{Write, stdout};
use std::path::Path;
use std::process::ExitCode;

use dayfly_insight::doctor::{Evidence, Finding, examine};
use dayfly_linux::evidence::{self, Look};
use dayfly_linux::namespace::Namespace;
use dayfly_linux::observe::ObserveError;

use self::request::Request;
use crate::doctor::args::DoctorArgs;
use crate::error::Failure;
use crate::place::{self, Note};
use crate::render;

/// What was found, and what could not be looked at.
pub(crate) struct Report {
    pub(crate) findings: Vec<Finding>,
    pub(crate) degraded: Vec<Note>,
}

/// Looks, judges, prints. Exit code 1 if a finding is as grave as `--fail-on`.
pub(crate) fn run(args: &DoctorArgs) -> Result<ExitCode, Failure> {
    if let Some(code) = &args.explain {
        stdout().lock().write_all(request::rule(code)?.page.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    let request = Request::resolve(args)?;
    let report = examined(&request)?;
    if args.output.json {
        render::print_json(&render::doctor_json::Document::new(&report))?;
    } else {
        let text = render::doctor::text(&report, render::Screen::of_terminal());
        render::print_text(&text, args.output.color)?;
    }
    let grave = |finding: &Finding| finding.rule.severity >= request.fail_on;
    Ok(if report.findings.iter().any(grave) { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn examined(request: &Request) -> Result<Report, Failure> {
    let root = Path::new("/");
    let mut evidence = Evidence {
        namespaces: Vec::new(),
        sysctl_files: evidence::sysctl_files(root),
        configured: evidence::configured_ports(root, &request.files).map_err(|error| {
            Failure::new(error).hint("--file takes compose files, manifests and socket units")
        })?,
        selinux_enforced: evidence::selinux_enforced(),
    };
    let mut degraded = Vec::new();
    if request.all_netns {
        let survey = Namespace::all();
        for namespace in &survey.namespaces {
            let netns = (!namespace.is_own()).then(|| namespace.address());
            match look(request, namespace, netns) {
                Ok((seen, notes)) => {
                    evidence.namespaces.push(seen);
                    degraded.extend(notes);
                }
                Err(error) => degraded.push(place::unseen(namespace.name(), &error)),
            }
        }
        degraded.extend(place::notes_of(&survey));
    } else {
        let netns = request.netns.as_deref();
        let namespace = place::find(netns)?;
        let (seen, notes) =
            look(request, &namespace, netns).map_err(|error| place::impossible(&error))?;
        evidence.namespaces.push(seen);
        degraded.extend(notes);
    }
    let rules = request.rules.iter().copied();
    Ok(Report { findings: examine(&evidence, rules), degraded })
}

type Seen = (dayfly_insight::doctor::NamespaceEvidence, Vec<Note>);

fn look(
    request: &Request,
    namespace: &Namespace,
    netns: Option<&str>,
) -> Result<Seen, ObserveError> {
    let look = Look {
        name: namespace.name().to_owned(),
        shell: place::shell(netns),
        is_host: namespace.is_host(),
        probe: request.probe,
        sample: request.sample,
    };
    let seen = namespace.run(|| evidence::of_namespace(&look)).map_err(ObserveError::Namespace)?;
    let (seen, degraded) = seen?;
    Ok((seen, degraded.iter().map(place::note).collect()))
}
