//! Lists of ports as kernels print and take them.

use dayfly_ports::PortSet;

use crate::ReadError;

/// `8080,9000-9010`; empty for none. Quotes round it are taken off.
pub(super) fn ports(line: usize, name: &str, value: &str) -> Result<Box<PortSet>, ReadError> {
    let bare = value.trim().trim_matches(['"', '\'']);
    match bare.parse::<PortSet>() {
        Ok(ports) => Ok(Box::new(ports)),
        Err(_) => {
            Err(ReadError::value(line, name, value, "a list of ports such as 8080,9000-9010"))
        }
    }
}

/// As many bytes as one write gets across: Linux parses a page of each, without its last byte
/// (`proc_do_large_bitmap`), and what a pipe takes is whole up to 4096 bytes (PIPE_BUF).
pub(super) const WRITE: usize = 4095;

/// Puts ports into a list of Linux, whatever else is in it: a write at any other place than the
/// beginning adds to what is there.
///
/// With dd, since it writes a block at once. A shell's own printf may cut a number in two (bash
/// writes 1,024 bytes at a time), and the kernel takes both parts for ports.
pub(super) fn add(file: &str, ports: &PortSet) -> String {
    let writes: Vec<_> = pieces(ports).map(|piece| write(file, &piece, " seek=1")).collect();
    writes.join(" && ")
}

/// Replaces a list of Linux: the first write, at the beginning, replaces all, others add to it.
pub(super) fn replace(file: &str, ports: &PortSet) -> String {
    let mut at = "";
    let writes: Vec<_> = pieces(ports)
        .map(|piece| write(file, &piece, std::mem::replace(&mut at, " seek=1")))
        .collect();
    match ports.to_string() {
        list if list.is_empty() => format!("echo > {file}"),
        list if fits_echo(&list) => format!("echo {list} > {file}"),
        _ => writes.join(" && "),
    }
}

/// Whether every shell's echo writes a list at once: bash cuts its output at 1,024 bytes.
pub(super) const fn fits_echo(list: &str) -> bool {
    list.len() < 1000
}

fn write(file: &str, piece: &str, at: &str) -> String {
    format!("printf %s {piece} | dd of={file} bs=4096{at} conv=notrunc")
}

/// The list in parts of whole items.
fn pieces(ports: &PortSet) -> impl Iterator<Item = String> {
    let list = ports.to_string();
    let mut pieces: Vec<String> = Vec::new();
    for item in list.split(',').filter(|item| !item.is_empty()) {
        match pieces.last_mut() {
            Some(piece) if piece.len() + 1 + item.len() <= WRITE => {
                piece.push(',');
                piece.push_str(item);
            }
            _ => pieces.push(item.to_owned()),
        }
    }
    pieces.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_written_in_pieces_of_whole_items() {
        let ports: PortSet = (1024..60000)
            .step_by(2)
            .map(|n| n.to_string())
            .collect::<Vec<_>>()
            .join(",")
            .parse()
            .unwrap();
        let pieces: Vec<String> = pieces(&ports).collect();
        assert!(pieces.len() > 10 && pieces.iter().all(|piece| piece.len() <= WRITE));
        assert_eq!(pieces.join(","), ports.to_string());
        let text = replace("FILE", &ports);
        assert_eq!(text.matches("seek=1").count(), pieces.len() - 1);
        assert_eq!(add("FILE", &ports).matches("seek=1").count(), pieces.len());
        assert_eq!(replace("FILE", &PortSet::EMPTY), "echo > FILE");
    }
}
