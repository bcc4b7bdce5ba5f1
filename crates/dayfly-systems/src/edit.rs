//! Lines in files that others write to as well.

use std::collections::BTreeMap;

use dayfly_ports::PortSet;

/// Assignments that a file is to hold, whatever else is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edit {
    /// The file.
    pub path: &'static str,
    /// Where its previous content is kept.
    pub backup: &'static str,
    /// What it is to hold.
    pub lines: Lines,
    /// What it holds, if that is known.
    pub known: Option<String>,
}

/// The form of the assignments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lines {
    /// `name=value`, one a line; earlier assignments of the same names go. The order counts.
    Assignments(Vec<(&'static str, u16)>),
    /// HP-UX' triples of TRANSPORT_NAME, NDD_NAME and NDD_VALUE with one index: transport, name
    /// and value of each, in the order in which they are to be applied. Indices that entries of
    /// these names have are kept, new entries get the next free.
    Nddconf(Vec<(&'static str, &'static str, u16)>),
    /// The first list of ports on each line that holds `name` and is no comment is to be without
    /// these ports. A line whose list has none left goes.
    Without {
        /// What tells the lines.
        name: &'static str,
        /// The ports.
        ports: Box<PortSet>,
    },
}

impl Edit {
    /// The file after the edit.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        match &self.lines {
            Lines::Assignments(pairs) => assigned(text, pairs),
            Lines::Nddconf(entries) => with_entries(text, entries),
            Lines::Without { name, ports } => without(text, name, ports),
        }
    }

    /// The lines that are new or changed; of an empty file where nothing is known of it.
    #[must_use]
    pub fn added(&self) -> Vec<String> {
        let known = self.known.as_deref().unwrap_or_default();
        let is_new = |line: &&str| !known.lines().any(|present| present == *line);
        self.apply(known).lines().filter(is_new).map(str::to_owned).collect()
    }
}

fn assigned(text: &str, pairs: &[(&'static str, u16)]) -> String {
    let mut result = String::new();
    let mut dropping = false;
    for line in text.lines() {
        let name = line.trim_start_matches(BLANKS).split_once('=').map(|(name, _)| name);
        let name = name.map(|name| name.trim_end_matches(BLANKS));
        let ours = name.is_some_and(|name| pairs.iter().any(|(known, _)| *known == name));
        // A backslash at the end continues the value on the next line.
        let drop = dropping || ours;
        dropping = drop && line.ends_with('\\');
        if !drop {
            result.push_str(line);
            result.push('\n');
        }
    }
    for (name, value) in pairs {
        result.push_str(&format!("{name}={value}\n"));
    }
    result
}

fn without(text: &str, name: &str, ports: &PortSet) -> String {
    let edited = |line: &str| {
        let is_comment = line.trim_start_matches(BLANKS).starts_with(['#', ';']);
        let list = list_in(line).filter(|_| !is_comment && line.contains(name));
        let Some((at, end, mut left)) = list else { return Some(line.to_owned()) };
        if left.intersection_len(ports) == 0 {
            return Some(line.to_owned());
        }
        left -= ports;
        (!left.is_empty()).then(|| format!("{}{left}{}", &line[..at], &line[end..]))
    };
    text.lines().filter_map(edited).flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// Where a list of ports stands in a line, after a blank, a quote or an equals sign.
fn list_in(line: &str) -> Option<(usize, usize, PortSet)> {
    let starts = |at: &usize| {
        let (before, rest) = line.split_at(*at);
        before.ends_with([' ', '\t', '=', '"', '\''])
            && rest.starts_with(|c: char| c.is_ascii_digit())
    };
    let at = line.char_indices().map(|(at, _)| at).find(starts)?;
    let is_list = |c: char| c.is_ascii_digit() || c == ',' || c == '-';
    let rest = line.get(at..)?;
    let end = at + rest.find(|c| !is_list(c)).unwrap_or(rest.len());
    Some((at, end, line.get(at..end)?.parse().ok()?))
}

const BLANKS: [char; 2] = [' ', '\t'];

/// One index of an nddconf.
#[derive(Default)]
struct Entry {
    transport: Option<String>,
    name: Option<String>,
    name_line: usize,
    value_line: Option<usize>,
}

/// The entries are applied in the order of their indices, and the order of what is wanted counts.
/// So the indices that entries of these names have are filled anew, the lowest first: a name may
/// move to another index. More of them than are wanted get the last one once more.
fn with_entries(text: &str, wanted: &[(&'static str, &'static str, u16)]) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let mut entries: BTreeMap<u32, Entry> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some((variable, index, value)) = element(line) {
            let entry = entries.entry(index).or_default();
            match variable {
                "TRANSPORT_NAME" => entry.transport = Some(value),
                "NDD_NAME" => (entry.name, entry.name_line) = (Some(value), at),
                _ => entry.value_line = Some(at),
            }
        }
    }
    let mut next = entries.keys().next_back().map_or(0, |last| last + 1);
    for group in wanted.chunk_by(|(one, ..), (other, ..)| one == other) {
        let ours = |entry: &Entry| {
            group.iter().any(|(transport, name, _)| {
                entry.transport.as_deref() == Some(transport) && entry.name.as_deref() == Some(name)
            })
        };
        let places: Vec<_> = entries.iter().filter(|(_, entry)| ours(entry)).collect();
        for at in 0..places.len().max(group.len()) {
            let (transport, name, value) = group[at.min(group.len() - 1)];
            let Some((index, entry)) = places.get(at) else {
                lines.push(format!("TRANSPORT_NAME[{next}]={transport}"));
                lines.push(format!("NDD_NAME[{next}]={name}"));
                lines.push(format!("NDD_VALUE[{next}]={value}"));
                next += 1;
                continue;
            };
            if entry.name.as_deref() != Some(name) {
                lines[entry.name_line] = format!("NDD_NAME[{index}]={name}");
            }
            let line = format!("NDD_VALUE[{index}]={value}");
            match entry.value_line {
                Some(at) => lines[at] = line,
                None => lines.push(line),
            }
        }
    }
    lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
}

/// The variable, index and bare value of a line such as `NDD_NAME[0]=tcp_largest_anon_port`.
/// The index has at most nine digits, as many as every awk counts exactly.
fn element(line: &str) -> Option<(&'static str, u32, String)> {
    let (head, value) = line.trim_start_matches(BLANKS).split_once('=')?;
    let (name, index) = head.strip_suffix(']')?.split_once('[')?;
    let variable =
        ["TRANSPORT_NAME", "NDD_NAME", "NDD_VALUE"].into_iter().find(|&known| known == name)?;
    let plain = (1..=9).contains(&index.len()) && index.bytes().all(|byte| byte.is_ascii_digit());
    let index = plain.then(|| index.parse().ok())??;
    let value = value.chars().filter(|c| !['"', '\'', ' ', '\t', '\r'].contains(c)).collect();
    Some((variable, index, value))
}

/// Whether a line belongs to the entries of an nddconf.
pub(crate) fn is_nddconf(line: &str) -> bool {
    element(line).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sysctl() -> Edit {
        let lines = Lines::Assignments(vec![("a.first", 49152), ("a.last", 65535)]);
        Edit {
            path: "/etc/sysctl.conf",
            backup: "/etc/sysctl.conf.before-dayfly",
            lines,
            known: None,
        }
    }

    #[test]
    fn assignments_replace_and_append() {
        let text = "# kept\n a.first = 1\na.firstly=2\n#a.last=3\na.last=\\\n4\nb=5";
        assert_eq!(
            sysctl().apply(text),
            "# kept\na.firstly=2\n#a.last=3\nb=5\na.first=49152\na.last=65535\n"
        );
        let once = sysctl().apply(text);
        assert_eq!(sysctl().apply(&once), once);
    }

    #[test]
    fn ports_are_taken_out_of_lists() {
        let lines = Lines::Without {
            name: "reserved_ports",
            ports: Box::new("80,9005,50000".parse().unwrap()),
        };
        let edit = Edit { path: "", backup: "", lines, known: None };
        let text = "# reserved_ports = 80\nnet.reserved_ports = 80,9000-9010\nnet.range=80 90\n\
                    reserved_ports=50000\necho 80-90 > /proc/reserved_ports\nreserved_ports=81";
        assert_eq!(
            edit.apply(text),
            "# reserved_ports = 80\nnet.reserved_ports = 9000-9004,9006-9010\nnet.range=80 90\n\
             echo 81-90 > /proc/reserved_ports\nreserved_ports=81\n"
        );
        assert_eq!(edit.apply(&edit.apply(text)), edit.apply(text));
        assert_eq!(edit.apply(""), "");
    }

    fn ndd(entries: &[(&'static str, &'static str, u16)]) -> Edit {
        Edit { path: "nddconf", backup: "", lines: Lines::Nddconf(entries.to_vec()), known: None }
    }

    #[test]
    fn nddconf_entries_get_the_next_free_indices() {
        let edit = ndd(&[("tcp", "tcp_largest_anon_port", 65535)]);
        assert_eq!(
            edit.added(),
            ["TRANSPORT_NAME[0]=tcp", "NDD_NAME[0]=tcp_largest_anon_port", "NDD_VALUE[0]=65535"]
        );
        let four: String = (0..4)
            .map(|n| format!("TRANSPORT_NAME[{n}]=ip\nNDD_NAME[{n}]=x{n}\nNDD_VALUE[{n}]=1\n"))
            .collect();
        assert!(edit.apply(&four).ends_with("NDD_VALUE[3]=1\nTRANSPORT_NAME[4]=tcp\nNDD_NAME[4]=tcp_largest_anon_port\nNDD_VALUE[4]=65535\n"));
    }

    #[test]
    fn nddconf_entries_are_applied_in_the_wanted_order() {
        let both = |first: &str, second: &str| {
            format!(
                "TRANSPORT_NAME[0]=tcp\nNDD_NAME[0]={first}\nNDD_VALUE[0]=1\n\
                 TRANSPORT_NAME[1]=tcp\nNDD_NAME[1]={second}\nNDD_VALUE[1]=2\n"
            )
        };
        let edit = ndd(&[("tcp", "low", 1), ("tcp", "high", 2)]);
        assert_eq!(edit.apply(&both("high", "low")), both("low", "high"));
        assert_eq!(edit.apply(&both("low", "high")), both("low", "high"));
        let one = "TRANSPORT_NAME[5]=tcp\nNDD_NAME[5]=high\n";
        let edited = edit.apply(one);
        assert!(edited.contains("NDD_NAME[5]=low\n") && edited.contains("NDD_NAME[6]=high\n"));
    }

    #[test]
    fn nddconf_entries_that_exist_keep_their_index() {
        let text = "# TRANSPORT_NAME[7]=arp\nTRANSPORT_NAME[2]=tcp\nNDD_NAME[2]=\"n\"\nNDD_VALUE[2]=5\n\
                    TRANSPORT_NAME[3]=udp\nNDD_NAME[3]=n\nNDD_VALUE[3]=6\n";
        let edit = ndd(&[("tcp", "n", 9), ("tcp", "m", 8)]);
        let edited = edit.apply(text);
        assert!(edited.contains("NDD_VALUE[2]=9\n") && edited.contains("NDD_VALUE[3]=6\n"));
        assert!(edited.ends_with("TRANSPORT_NAME[4]=tcp\nNDD_NAME[4]=m\nNDD_VALUE[4]=8\n"));
        assert_eq!(edit.apply(&edited), edited);
    }
}
