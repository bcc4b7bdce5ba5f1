//! The JSON of `plan`, schema version 1; `docs/json.md` explains every name.

use dayfly_systems::{Action, Plan, Step};
use serde::Serialize;

use super::systems_json::{Ends, Scope};
use crate::SCHEMA_VERSION;

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    system: &'static str,
    title: &'static str,
    privilege: &'static str,
    changes: Vec<ChangeObject>,
    reserve: Option<String>,
    unreserve: Option<String>,
    remarks: Vec<RemarkObject<'a>>,
    steps: Vec<StepObject<'a>>,
    undo: Vec<ActionObject<'a>>,
    undo_is_exact: bool,
    alternatives: Vec<AlternativeObject<'a>>,
}

#[derive(Serialize)]
struct ChangeObject {
    #[serde(flatten)]
    scope: Scope,
    from: Option<Ends>,
    to: Ends,
}

#[derive(Serialize)]
struct RemarkObject<'a> {
    severity: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct StepObject<'a> {
    when: &'static str,
    action: ActionObject<'a>,
    check: CheckObject<'a>,
    undo: Vec<ActionObject<'a>>,
}

#[derive(Serialize)]
struct CheckObject<'a> {
    command: &'a str,
    expect: &'a str,
    gone: bool,
}

#[derive(Serialize)]
struct AlternativeObject<'a> {
    why: &'static str,
    steps: Vec<StepObject<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
enum ActionObject<'a> {
    Run { command: &'a str },
    Write { path: &'static str, mode: String, content: &'a str },
    Edit { path: &'static str, backup: &'static str, lines: Vec<String> },
    Restore { path: &'static str, backup: &'static str },
    Remove { path: &'static str },
}

impl<'a> Document<'a> {
    pub(crate) fn new(plan: &'a Plan) -> Self {
        let changes = plan.changes.iter().map(|change| ChangeObject {
            scope: Scope::new(change.slot),
            from: change.from.map(|(low, high)| Ends { low, high }),
            to: change.to.into(),
        });
        let remarks = plan
            .remarks
            .iter()
            .map(|remark| RemarkObject { severity: remark.severity.name(), text: &remark.text });
        let others = plan
            .alternatives
            .iter()
            .map(|other| AlternativeObject { why: other.why, steps: steps(&other.steps) });
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            system: plan.system,
            title: plan.title,
            privilege: plan.privilege,
            changes: changes.collect(),
            reserve: plan.reserve.as_ref().map(ToString::to_string),
            unreserve: plan.unreserve.as_ref().map(ToString::to_string),
            remarks: remarks.collect(),
            steps: steps(&plan.steps),
            undo: plan.undo().map(action).collect(),
            undo_is_exact: plan.undo_is_exact(),
            alternatives: others.collect(),
        }
    }
}

fn steps(steps: &[Step]) -> Vec<StepObject<'_>> {
    steps.iter().map(step).collect()
}

fn step(step: &Step) -> StepObject<'_> {
    StepObject {
        when: step.when.name(),
        action: action(&step.action),
        check: CheckObject {
            command: &step.check.command,
            expect: &step.check.expect,
            gone: step.check.gone,
        },
        undo: step.undo.iter().map(action).collect(),
    }
}

fn action(action: &Action) -> ActionObject<'_> {
    match action {
        Action::Run(command) => ActionObject::Run { command },
        Action::Write { path, mode, content } => {
            ActionObject::Write { path, mode: format!("{mode:04o}"), content }
        }
        Action::Edit(edit) => {
            ActionObject::Edit { path: edit.path, backup: edit.backup, lines: edit.added() }
        }
        Action::Restore(edit) => ActionObject::Restore { path: edit.path, backup: edit.backup },
        Action::Remove { path } => ActionObject::Remove { path },
    }
}
