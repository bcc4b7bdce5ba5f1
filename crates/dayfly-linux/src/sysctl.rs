//! Reads and writes the sysctls that decide which ports a namespace hands out.
//!
//! The only room of this crate that changes anything. `/proc/sys/net` shows the network namespace
//! of the thread that opens a file in it, so the functions here change the calling thread's.
//!
//! A list of reserved ports is not like other values (`proc_do_large_bitmap` in
//! `kernel/sysctl.c`): a write at the start of the file replaces the list, a write at any other
//! offset adds to it, and one write takes no more than a page, ending between two items.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use dayfly_ports::PortSet;

/// The longest list of reserved ports is under 200 kB (every second port, six bytes each). The
/// kernel fills one read and answers the next with end of file, so it has to fit in one.
const LIST: usize = 512 * 1024;

/// The reserved ports, by the name of their sysctl.
pub const RESERVED: &str = "net.ipv4.ip_local_reserved_ports";

/// The value of a sysctl, named as in `sysctl(8)`, as the kernel prints it, without the end of the
/// line.
///
/// # Errors
/// Those of opening and reading the file; `InvalidData` where it is not text.
pub fn read(name: &str) -> io::Result<String> {
    let file = OpenOptions::new().read(true).open(path(name))?;
    let mut buffer = vec![0; if name == RESERVED { LIST } else { 4096 }];
    let length = file.read_at(&mut buffer, 0)?;
    buffer.truncate(length);
    let text = String::from_utf8(buffer)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(text.trim_end_matches('\n').to_owned())
}

/// Replaces a value. A list of more than a page is written piece by piece: the first replaces the
/// old list, the others add to it.
///
/// # Errors
/// Those of opening the file, and what the kernel says to the value: `EINVAL`, `EPERM`.
pub fn write(name: &str, value: &str) -> io::Result<()> {
    put(name, value, 0)
}

/// Reserves more ports. Whatever is reserved stays so, at each moment and whoever else writes.
///
/// # Errors
/// As [`write()`].
pub fn reserve(ports: &PortSet) -> io::Result<()> {
    if ports.is_empty() { Ok(()) } else { put(RESERVED, &ports.to_string(), 1) }
}

fn put(name: &str, value: &str, mut offset: u64) -> io::Result<()> {
    let file = OpenOptions::new().write(true).open(path(name))?;
    let line = format!("{value}\n");
    let mut rest = line.as_bytes();
    while !rest.is_empty() {
        let taken = file.write_at(rest, offset)?;
        if taken == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        rest = &rest[taken..];
        offset = 1;
    }
    Ok(())
}

/// Where a setting lies.
pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/sys/{}", name.replace('.', "/")))
}
