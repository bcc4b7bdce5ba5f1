//! A change of any host, as a plan of its own system's steps.
//!
//! What the plan calls writing or editing a file becomes a deed that knows the file's exact bytes;
//! commands are undone by the system's own commands.

use dayfly_systems::{Action, Plan, Request, System, When as Planned};

use super::deed::{Before, Content, Deed, Kept, Reversal};
use super::draft::{Difference, Draft, Note, Wish, listed};
use super::journal::{Step, When};
use super::scene::Scene;
use crate::error::Failure;
use crate::host::{Host, HostError, survey};

/// What the change would do to a host of this system.
pub(crate) fn draft(
    scene: &Scene,
    system: &'static System,
    wish: &Wish,
    when: When,
) -> Result<Draft, Failure> {
    let command = survey::settings_command(system);
    let said = scene.host.run(&command)?;
    let current = system.read(&said.text()).map_err(|error| {
        Failure::new(format_args!("{}: {error}", scene.host.name()))
            .hint(format!("see what `{command}` says there: {}", said.said()))
    })?;
    let mut request = Request {
        current: Some(&current),
        when: match when {
            When::Now => Planned::Runtime,
            When::Boot => Planned::Boot,
            When::Both => Planned::Both,
        },
        ..Request::default()
    };
    match wish {
        Wish::Range { floor: Some(_), .. } => {
            return Err(Failure::new("--unprivileged-start is for the live kernel of this host")
                .hint("leave it out"));
        }
        Wish::Range { range, protocols, class, .. } => {
            request.range = Some(*range);
            request.protocols = protocols;
            request.class = *class;
        }
        Wish::Reserve { ports, protocols } => {
            request.reserve = Some(ports);
            request.protocols = protocols;
        }
        Wish::Unreserve { ports, protocols } => {
            request.unreserve = Some(ports);
            request.protocols = protocols;
        }
    }
    let plan = system
        .plan(&request)
        .map_err(|refusal| Failure::new(&refusal.message).hint(refusal.hint))?;
    Ok(Draft {
        differences: differences(&plan, &request, when),
        remarks: plan.remarks.iter().cloned().map(Note::from).collect(),
        hazards: Vec::new(),
        steps: steps(&*scene.host, system, &plan)?,
    })
}

fn differences(plan: &Plan, request: &Request<'_>, when: When) -> Vec<Difference> {
    let when = match when {
        When::Now => "now",
        When::Boot => "at boot",
        When::Both => "now and at boot",
    };
    let mut differences: Vec<Difference> = plan
        .changes
        .iter()
        .map(|change| Difference {
            setting: change.slot.scope(),
            when,
            from: change.from.map_or("not known".to_owned(), |(low, high)| format!("{low}-{high}")),
            to: change.to.to_string(),
        })
        .collect();
    if let Some(ports) = &plan.reserve {
        differences.push(Difference {
            setting: "reserved ports".to_owned(),
            when,
            from: String::new(),
            to: ports.to_string(),
        });
    }
    if let Some(ports) = &plan.unreserve {
        let known = request.current.map(|now| now.reserved.as_slice()).unwrap_or_default();
        for reserved in known {
            let mut of = reserved.protocols.iter();
            if !request.protocols.is_empty() && !of.any(|one| request.protocols.contains(one)) {
                continue;
            }
            let mut left = reserved.ports.clone();
            *left -= ports;
            let names: Vec<_> = reserved.protocols.iter().map(|one| one.name()).collect();
            differences.push(Difference {
                setting: format!("reserved ports, {}", names.join(", ")),
                when,
                from: listed(&reserved.ports),
                to: listed(&left),
            });
        }
    }
    differences
}

fn steps(host: &dyn Host, system: &'static System, plan: &Plan) -> Result<Vec<Step>, HostError> {
    let mut steps: Vec<Step> = Vec::new();
    for planned in &plan.steps {
        let deed = match &planned.action {
            Action::Run(run) => {
                // A later step with the same check begins where the earlier one ends.
                let earlier = steps.iter().rev().find_map(|step| match &step.deed {
                    Deed::Command { check, expect, gone, .. }
                        if *check == planned.check.command =>
                    {
                        let led_to = if *gone { Before::Gone } else { Before::Words };
                        Some(led_to(expect.clone()))
                    }
                    _ => None,
                });
                let before = match earlier {
                    Some(before) => before,
                    None => Before::Output(host.run(&planned.check.command)?.text()),
                };
                Deed::Command {
                    run: run.clone(),
                    undo: planned.undo.iter().filter_map(reversal).collect(),
                    check: planned.check.command.clone(),
                    expect: planned.check.expect.clone(),
                    gone: planned.check.gone,
                    before,
                    // Undone last, the first of them puts the file back.
                    keeps: match planned.when {
                        Planned::Both | Planned::Boot if !steps.iter().any(keeps_a_file) => {
                            kept(host, system)?
                        }
                        _ => None,
                    },
                }
            }
            Action::Write { path, mode, content } => Deed::File {
                path: (*path).to_owned(),
                mode: *mode,
                before: host.read(path)?.map(Content::new),
                after: Some(Content::Text(content.clone())),
            },
            Action::Edit(edit) => {
                let before = host.read(edit.path)?;
                let text = dayfly_systems::decoded(before.as_deref().unwrap_or_default());
                let after = edit.apply(&text);
                // A file that would say nothing is not made.
                let is_made = before.is_some() || !after.is_empty();
                Deed::File {
                    path: edit.path.to_owned(),
                    mode: 0o644,
                    before: before.map(Content::new),
                    after: is_made.then_some(Content::Text(after)),
                }
            }
            Action::Remove { path } => Deed::File {
                path: (*path).to_owned(),
                mode: 0o644,
                before: host.read(path)?.map(Content::new),
                after: None,
            },
            // Only an undo puts anything back.
            Action::Restore(_) => continue,
        };
        if !deed.is_idle() {
            steps.push(Step { when: when(planned.when), deed });
        }
    }
    Ok(steps)
}

const fn keeps_a_file(step: &Step) -> bool {
    matches!(&step.deed, Deed::Command { keeps: Some(_), .. })
}

/// The file in which a system's own commands keep what the next boot sets, if it is one file.
fn kept(host: &dyn Host, system: &'static System) -> Result<Option<Kept>, HostError> {
    let path = system.persists_in;
    let is_folder = path.ends_with(".d");
    if !path.starts_with('/') || is_folder {
        return Ok(None);
    }
    let before = host.read(path)?.map(Content::new);
    Ok(Some(Kept { path: path.to_owned(), before }))
}

fn reversal(action: &Action) -> Option<Reversal> {
    match action {
        Action::Run(command) => Some(Reversal::Run(command.clone())),
        Action::Remove { path } => Some(Reversal::Remove((*path).to_owned())),
        Action::Write { .. } | Action::Edit(_) | Action::Restore(_) => None,
    }
}

const fn when(planned: Planned) -> When {
    match planned {
        Planned::Runtime => When::Now,
        Planned::Boot => When::Boot,
        Planned::Both => When::Both,
    }
}
