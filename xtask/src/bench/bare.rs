//! The least that anything must do that looks at all TCP sockets: ask for the dump, receive it,
//! count the messages, understand none of them.

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use crate::shell::Done;

/// What the program is called by.
pub(crate) const NAME: &str = "bare-dump";

/// `TCPDIAG_GETSOCK` of `linux/inet_diag.h`: both families in one pass over the hash.
const TCPDIAG_GETSOCK: u16 = 18;
/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_DUMP: u16 = 0x1 | 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
/// `struct nlmsghdr`.
const HEADER: usize = 16;
/// `struct inet_diag_req`: four bytes, an `inet_diag_sockid`, two words.
const REQUEST: usize = 4 + 48 + 8;
/// The kernel never fills more than this at once (`netlink_recvmsg`).
const BUFFER: usize = 32 * 1024;

/// Dumps the TCP sockets of this namespace, in every state, and prints how many there are.
pub(crate) fn run(_words: &[&str]) -> Done {
    println!("{}", count().map_err(|error| format!("the dump failed: {error}"))?);
    Ok(())
}

fn count() -> Result<u64, Errno> {
    let socket = net::socket_with(
        AddressFamily::NETLINK,
        SocketType::RAW,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )?;
    let mut request = [0; HEADER + REQUEST];
    request[0..4].copy_from_slice(&((HEADER + REQUEST) as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&TCPDIAG_GETSOCK.to_ne_bytes());
    request[6..8].copy_from_slice(&REQUEST_DUMP.to_ne_bytes());
    // All states, the one of sockets that are only bound included.
    request[HEADER + 52..HEADER + 56].copy_from_slice(&u32::MAX.to_ne_bytes());
    net::send(&socket, &request, SendFlags::empty())?;

    let mut buffer = vec![0; BUFFER];
    let mut count = 0;
    loop {
        let (received, _) = net::recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut rest = &buffer[..received];
        while let Some((header, _)) = rest.split_first_chunk::<HEADER>() {
            let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
            match u16::from_ne_bytes([header[4], header[5]]) {
                NLMSG_DONE => return Ok(count),
                NLMSG_ERROR => return Err(refusal(&rest[HEADER..])),
                _ => count += 1,
            }
            rest = rest.get(length.next_multiple_of(4).max(HEADER)..).unwrap_or(&[]);
        }
    }
}

/// The negative error number that `struct nlmsgerr` begins with.
fn refusal(body: &[u8]) -> Errno {
    let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
    Errno::from_raw_os_error(code.saturating_neg())
}
