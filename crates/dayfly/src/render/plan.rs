//! A plan for people: what changes, what to know, what to type, how to go back.

use std::fmt::Write;

use dayfly_systems::{Action, Change, Plan, Remark, Severity, Step, When};

use super::style::{self, paint};
use super::text::wrapped;
use super::{Screen, counted};

/// The whole plan. Commands are to paste, so they are never broken.
pub(crate) fn text(plan: &Plan, screen: Screen) -> String {
    let mut text = String::new();
    let head = format!("{}, by {}:", paint(style::STRONG, plan.title), plan.privilege);
    wrapped(&mut text, &head, "  ", screen);
    for one in &plan.changes {
        wrapped(&mut text, &change(one), "    ", screen);
    }
    if let Some(ports) = &plan.reserve {
        let what = format!("  reserved: {ports}, {}", counted(ports.len(), "port"));
        wrapped(&mut text, &what, "    ", screen);
    }
    if let Some(ports) = &plan.unreserve {
        let what = format!("  no longer reserved: {ports}, {}", counted(ports.len(), "port"));
        wrapped(&mut text, &what, "    ", screen);
    }
    if !plan.remarks.is_empty() {
        text.push('\n');
    }
    for one in &plan.remarks {
        remark(&mut text, one, screen);
    }
    if plan.steps.is_empty() {
        return text;
    }
    text.push('\n');
    steps(&mut text, &plan.steps);
    let back = if plan.undo_is_exact() {
        "undo, in this order:"
    } else {
        "undo, in this order; to the defaults, since --current does not tell what is set:"
    };
    text.push('\n');
    wrapped(&mut text, &paint(style::GOOD, back), "  ", screen);
    for action in plan.undo() {
        let _ = writeln!(text, "  {action}");
    }
    for other in &plan.alternatives {
        let _ = writeln!(text, "\n{}", paint(style::GOOD, &format!("or, {}:", other.why)));
        steps(&mut text, &other.steps);
    }
    text
}

/// `tcp: 32768-65535 -> 49152-61000, 11,849 ports`.
fn change(change: &Change) -> String {
    let to = format!("{}, {}", change.to, counted(change.to.len(), "port"));
    let scope = change.slot.scope();
    match change.from {
        Some((low, high)) if (low, high) == (change.to.low().into(), change.to.high().into()) => {
            format!("  {scope}: {to}, as it is")
        }
        Some((low, high)) => format!("  {scope}: {low}-{high} -> {to}"),
        None => format!("  {scope}: not known, by default {} -> {to}", change.slot.default_range()),
    }
}

fn remark(text: &mut String, remark: &Remark, screen: Screen) {
    let label = match remark.severity {
        Severity::Advice => paint(style::DIM, "note:"),
        Severity::Clamped { .. } => paint(style::WARN, "clamped:"),
        _ => paint(style::WARN, "warning:"),
    };
    wrapped(text, &format!("{label} {}", remark.text), "  ", screen);
}

fn steps(text: &mut String, steps: &[Step]) {
    for (index, step) in steps.iter().enumerate() {
        let when = match step.when {
            When::Both => "now and at boot",
            When::Runtime => "now",
            When::Boot => "at boot",
        };
        let head = paint(style::GOOD, &format!("{}. {when}:", index + 1));
        let _ = writeln!(text, "{head} {}", step.action);
        for line in lines(&step.action) {
            let _ = writeln!(text, "     | {line}");
        }
        let label = paint(style::DIM, "check:");
        let _ = writeln!(text, "   {label} {}", step.check.command.replace('\n', "\n   "));
        let says = if step.check.gone { "no longer says" } else { "says" };
        let _ = writeln!(text, "          {says} {}", step.check.expect);
    }
}

/// What goes into a file.
fn lines(action: &Action) -> Vec<String> {
    match action {
        Action::Write { content, .. } => content.lines().map(str::to_owned).collect(),
        Action::Edit(edit) => edit.added(),
        Action::Run(_) | Action::Restore(_) | Action::Remove { .. } => Vec::new(),
    }
}
