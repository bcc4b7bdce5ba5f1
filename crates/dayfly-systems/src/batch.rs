//! A plan as a batch file for cmd.exe: `FILE` applies it, `FILE undo` takes it back.

use crate::shell::summary;
use crate::{Action, Plan};

pub(crate) fn script(plan: &Plan) -> String {
    let total = plan.steps.len();
    let mut lines = vec![
        "@echo off".to_owned(),
        format!("rem {}: {}", plan.title, summary(plan)),
        format!("rem To be run on that host by {}.", plan.privilege),
        "rem Usage: FILE [undo]".to_owned(),
        "if /i \"%~1\"==\"undo\" goto undo".to_owned(),
    ];
    for (index, step) in plan.steps.iter().enumerate() {
        let number = index + 1;
        lines.push(format!("set step={number}"));
        lines.push(command(&step.action));
        lines.push("if errorlevel 1 goto failed".to_owned());
        if step.check.gone {
            let words: Vec<_> = step.check.expect.split_whitespace().collect();
            let pattern = format!("findstr /r /c:\"\\<{}\\>\"", words.join("  *"));
            lines.push(format!("{} | {pattern} >nul", step.check.command));
            lines.push("if not errorlevel 1 goto failed".to_owned());
            continue;
        }
        for word in step.check.expect.split_whitespace() {
            lines.push(format!("{} | {} >nul", step.check.command, finder(word)));
            lines.push("if errorlevel 1 goto failed".to_owned());
        }
    }
    lines.push("exit /b 0".to_owned());
    lines.push(":failed".to_owned());
    lines.push(format!("echo step %step% of {total} failed, nothing after it was done 1>&2"));
    lines.push("echo to take back what was done: %~f0 undo 1>&2".to_owned());
    lines.push("exit /b 1".to_owned());
    lines.push(":undo".to_owned());
    lines.push("set code=0".to_owned());
    for action in plan.undo() {
        lines.push(command(action));
        lines.push("if errorlevel 1 set code=1".to_owned());
    }
    lines.push("exit /b %code%".to_owned());
    lines.iter().flat_map(|line| [line.as_str(), "\r\n"]).collect()
}

/// Windows is changed by commands only; a percent sign would be a variable in a batch file.
fn command(action: &Action) -> String {
    action.to_string().replace('%', "%%")
}

/// The filter that looks for a whole word; for one with other signs in it, for these signs.
fn finder(word: &str) -> String {
    if word.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        format!("findstr /r /c:\"\\<{word}\\>\"")
    } else {
        format!("find \"{word}\"")
    }
}
