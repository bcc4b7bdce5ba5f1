//! Boot scripts for systems whose `ndd` settings do not survive a boot.
//!
//! The scripts keep to what the Bourne shell of Solaris 10 (`/sbin/sh`) has in common with POSIX:
//! no `$( )`, no `!`, no `local`.

use dayfly_ports::Protocol;

use crate::plan::Job;

/// Where a system keeps `ndd`, its boot scripts, and what the link has to be called.
pub(crate) struct Place {
    pub(crate) ndd: &'static str,
    pub(crate) path: &'static str,
    pub(crate) link: &'static str,
}

/// A script with `start`, `stop` and `status`.
pub(crate) fn ndd(job: &Job<'_>, place: &Place) -> String {
    let mut set = String::new();
    let mut show = String::new();
    let mut about = Vec::new();
    for change in &job.changes {
        let protocol = change.slot.protocols.first().copied().unwrap_or(Protocol::Tcp);
        about.push(format!("{} for {protocol}", change.to));
        set += &format!(
            "    set_range {protocol} {} {} || exit 1\n",
            change.to.low(),
            change.to.high()
        );
        show += &format!("    show_range {protocol}\n");
    }
    format!(
        r#"#!/sbin/sh
#
# Ephemeral ports: {about}.
# Kept in {path}, started by {link}.
#
NDD={ndd}

# set_range PROTOCOL SMALLEST LARGEST
# The largest goes to the top first, so that at no moment the smallest lies above it, whatever was
# set before.
set_range() {{
    "$NDD" -set "/dev/$1" "${{1}}_largest_anon_port" 65535 &&
    "$NDD" -set "/dev/$1" "${{1}}_smallest_anon_port" "$2" &&
    "$NDD" -set "/dev/$1" "${{1}}_largest_anon_port" "$3"
}}

# show_range PROTOCOL
show_range() {{
    echo "$1: smallest and largest ephemeral port"
    "$NDD" "/dev/$1" "${{1}}_smallest_anon_port"
    "$NDD" "/dev/$1" "${{1}}_largest_anon_port"
}}

case "${{1:-start}}" in
start)
{set}    ;;
stop)
    ;;
start_msg)
    echo "Set the range of ephemeral ports"
    ;;
stop_msg)
    echo "Leave the range of ephemeral ports as it is"
    ;;
status)
{show}    ;;
*)
    echo "Usage: $0 {{ start | stop | status }}" >&2
    exit 1
    ;;
esac
exit 0
"#,
        about = about.join(", "),
        path = place.path,
        link = place.link,
        ndd = place.ndd,
    )
}
