//! A plan as a shell script: `sh FILE apply`, `check` or `undo`.
//!
//! It keeps to what the Bourne shell of Solaris 10 has in common with POSIX. Numbers and names in
//! it are this crate's own; nothing that a host printed is ever in it.

use crate::edit::Lines;
use crate::{Action, Check, Edit, Plan, Step};

pub(crate) fn script(plan: &Plan, awk: &str) -> String {
    let total = plan.steps.len();
    if total == 0 {
        return format!(
            "#!/bin/sh\n# {}: {}\n# Nothing is to be done.\n",
            plan.title,
            summary(plan)
        );
    }
    let mut apply = String::new();
    let mut check = String::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let number = index + 1;
        apply += &format!("    # {number} of {total}\n");
        apply += &format!("    {{\n{}    }} || failed {number}\n", body(&step.action));
        apply += &format!("    {} || failed {number}\n", checked(step));
        // What a later step sets again is not looked at here.
        let shows = |later: &Step| later.check.command == step.check.command;
        if !plan.steps[number..].iter().any(shows) {
            check += &format!("    {} || differs {number}\n", checked(step));
        }
    }
    let undo: String =
        plan.undo().map(|action| format!("    {{\n{}    }} || code=1\n", body(action))).collect();
    let nothing = "    :\n";
    let or_nothing = |text: String| if text.is_empty() { nothing.to_owned() } else { text };
    let back = if plan.undo_is_exact() {
        "    echo \"what was done is taken back\" >&2\n    undo\n"
    } else {
        "    echo \"nothing after it was done; 'sh $0 undo' returns to the defaults\" >&2\n"
    };
    format!(
        r#"#!/bin/sh
# {title}: {what}
# To be run on that host by {privilege}.
# Usage: sh FILE [apply | check | undo]
# shellcheck disable=SC2002 # what a check reads is a command, here and there cat
code=0

# Whether the words of $1 are in standard input, in this order.
has() {{
    {awk} 'BEGIN {{ n = split("'"$1"'", wanted, " "); k = 1 }}
        {{ for (i = 1; i <= NF; i++) if (k <= n && $i == wanted[k]) k++ }}
        END {{ if (k <= n) exit 1 }}'
}}

failed() {{
    echo "step $1 of {total} failed" >&2
{back}    exit 1
}}

differs() {{
    echo "step $1 of {total} is not in force" >&2
    code=1
}}

apply() {{
{apply}}}

check() {{
{check}}}

undo() {{
{undo}}}

case "${{1:-apply}}" in
apply) apply ;;
check) check ;;
undo) undo ;;
*)
    echo "usage: sh $0 [apply | check | undo]" >&2
    exit 2
    ;;
esac
exit "$code"
"#,
        title = plan.title,
        what = summary(plan),
        privilege = plan.privilege,
        apply = or_nothing(apply),
        check = or_nothing(check),
        undo = or_nothing(undo),
    )
}

/// `49152-65535 for tcp, udp; reserved: 8080`.
pub(crate) fn summary(plan: &Plan) -> String {
    let mut parts: Vec<String> = plan
        .changes
        .iter()
        .map(|change| format!("{} for {}", change.to, change.slot.scope()))
        .collect();
    if let Some(ports) = &plan.reserve {
        parts.push(format!("reserved: {ports}"));
    }
    if let Some(ports) = &plan.unreserve {
        parts.push(format!("no longer reserved: {ports}"));
    }
    parts.join("; ")
}

fn checked(step: &Step) -> String {
    let Check { command, expect, gone } = &step.check;
    if *gone {
        return format!("if {command} | has '{expect}'; then false; fi");
    }
    format!("{command} | has '{expect}'")
}

/// The lines of an action; its status is that of the last.
fn body(action: &Action) -> String {
    match action {
        Action::Run(command) => format!("        {command}\n"),
        // The marks of a document in place, and its lines, begin in the first column.
        Action::Write { path, mode, content } => format!(
            "        cat > {path} <<'END_OF_FILE' && chmod {mode:o} {path}\n{content}END_OF_FILE\n"
        ),
        Action::Remove { path } => format!("        rm -f {path}\n"),
        Action::Edit(edit) => edited(edit),
        Action::Restore(Edit { path, backup, .. }) => {
            format!("        if test -f {backup}; then mv {backup} {path}; fi\n")
        }
    }
}

/// The edit as commands: a copy in the same folder, the previous content kept elsewhere, and a
/// rename, so that the file is whole at each moment. A file that already holds it is left alone.
fn edited(edit: &Edit) -> String {
    let Edit { path, backup, .. } = edit;
    let program = program(edit);
    if let Lines::Without { .. } = edit.lines {
        // Nothing is to be taken out of a file that is not there.
        return format!(
            r"        test ! -f {path} || {{
        cp -p {path} {path}.new &&
        awk '{program}' {path} > {path}.new &&
        if cmp -s {path} {path}.new; then rm -f {path}.new
        else cp -p {path} {backup} && mv {path}.new {path}; fi
        }}
"
        );
    }
    format!(
        r"        test -f {path} || : > {path}
        cp -p {path} {path}.new &&
        awk '{program}' {path} > {path}.new &&
        if cmp -s {path} {path}.new; then rm -f {path}.new
        else cp -p {path} {backup} && mv {path}.new {path}; fi
"
    )
}

/// [`Edit::apply`] as an awk program. Without a single quote, since it is quoted with them.
fn program(edit: &Edit) -> String {
    match &edit.lines {
        Lines::Assignments(pairs) => {
            let names: Vec<_> = pairs.iter().map(|(name, _)| *name).collect();
            let added: String = pairs
                .iter()
                .map(|(name, value)| format!("    print \"{name}={value}\"\n"))
                .collect();
            format!(
                r#"
BEGIN {{ n = split("{names}", list, " "); for (i = 1; i <= n; i++) ours[list[i]] = 1 }}
{{
    name = $0; sub(/^[ \t]*/, "", name); at = index(name, "=")
    name = at ? substr(name, 1, at - 1) : ""; sub(/[ \t]*$/, "", name)
    drop = dropping || (name in ours)
    dropping = drop && $0 ~ /\\$/
    if (!drop) print
}}
END {{
{added}}}"#,
                names = names.join(" ")
            )
        }
        Lines::Without { name, ports } => {
            let spans: Vec<_> =
                ports.ranges().map(|span| format!("{} {}", span.low(), span.high())).collect();
            let spans = spans.join(" ");
            format!(
                r#"
BEGIN {{
    n = split("{spans}", ends, " ")
    for (i = 1; i < n; i += 2) for (port = ends[i]; port <= ends[i + 1]; port++) out[port + 0] = 1
}}
function without(list,    i, n, items, ends, k, port, from, left) {{
    n = split(list, items, ",")
    for (i = 1; i <= n; i++) {{
        k = split(items[i], ends, "-"); from = -1
        for (port = ends[1] + 0; port <= ends[k] + 1; port++) {{
            if (port <= ends[k] + 0 && !(port in out)) {{ if (from < 0) from = port }}
            else if (from >= 0) {{
                left = left (left == "" ? "" : ",") from (port - 1 > from ? "-" (port - 1) : "")
                from = -1
            }}
        }}
    }}
    return left
}}
index($0, "{name}") && $0 !~ /^[ \t]*[#;]/ && match($0, /[ \t="\047][0-9][0-9,-]*/) {{
    list = without(substr($0, RSTART + 1, RLENGTH - 1))
    if (list != "") print substr($0, 1, RSTART) list substr($0, RSTART + RLENGTH)
    next
}}
{{ print }}"#
            )
        }
        Lines::Nddconf(entries) => {
            let group = |group: &[(&'static str, &'static str, u16)]| {
                let (transport, ..) = group.first()?;
                let names: Vec<_> = group.iter().map(|(_, name, _)| *name).collect();
                let puts: String = group
                    .iter()
                    .map(|(_, name, value)| {
                        format!("    put(\"{transport}\", \"{name}\", {value})\n")
                    })
                    .collect();
                let (_, name, value) = group.last()?;
                Some(format!(
                    "    collect(\"{transport}\", \"{}\")\n{puts}    \
                     while (at < places) put(\"{transport}\", \"{name}\", {value})\n",
                    names.join(" ")
                ))
            };
            let calls: String =
                entries.chunk_by(|(one, ..), (other, ..)| one == other).filter_map(group).collect();
            format!(
                r#"
function collect(t, names,    i, j, k, n, list) {{
    at = 0; places = 0
    n = split(names, list, " ")
    for (i in seen) for (j = 1; j <= n; j++) if (transport[i] == t && name[i] == list[j]) {{
        for (k = ++places; k > 1 && order[k - 1] > i + 0; k--) order[k] = order[k - 1]
        order[k] = i + 0
    }}
}}
function put(t, d, v,    i) {{
    if (++at > places) {{
        line[++lines] = "TRANSPORT_NAME[" top "]=" t
        line[++lines] = "NDD_NAME[" top "]=" d
        line[++lines] = "NDD_VALUE[" top "]=" v
        top++
        return
    }}
    i = order[at]
    if (name[i] != d) line[named[i]] = "NDD_NAME[" i "]=" d
    if (i in place) line[place[i]] = "NDD_VALUE[" i "]=" v
    else line[++lines] = "NDD_VALUE[" i "]=" v
}}
{{
    line[++lines] = $0
    text = $0; sub(/^[ \t]*/, "", text); at = index(text, "=")
    head = at ? substr(text, 1, at - 1) : ""; value = substr(text, at + 1)
    if (head !~ /^(TRANSPORT_NAME|NDD_NAME|NDD_VALUE)\[[0-9]+\]$/) next
    variable = head; sub(/\[.*/, "", variable)
    number = head; sub(/.*\[/, "", number); sub(/\]/, "", number)
    if (length(number) > 9) next
    number += 0; gsub(/["\047 \t\r]/, "", value)
    seen[number] = 1; if (number >= top) top = number + 1
    if (variable == "TRANSPORT_NAME") transport[number] = value
    else if (variable == "NDD_NAME") {{ name[number] = value; named[number] = lines }}
    else place[number] = lines
}}
END {{
    top += 0
{calls}    for (i = 1; i <= lines; i++) print line[i]
}}"#
            )
        }
    }
}
