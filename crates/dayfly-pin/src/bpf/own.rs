//! The addresses of this network namespace (rtnetlink(7)). getifaddrs(3) says the same and asks for
//! all about the interfaces before, which takes longer.

use std::net::IpAddr;

use rustix::io::Result;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, send, socket_with,
};

// include/uapi/linux/{netlink,rtnetlink,if_addr}.h.
const NLMSG_DONE: u16 = 3;
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_DUMP: u16 = 0x300;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// `struct nlmsghdr`, `struct ifaddrmsg`, `struct rtattr`.
const HEADER: usize = 16;
const MESSAGE: usize = 8;
const ATTRIBUTE: usize = 4;

/// The addresses, in the kernel's order; none if it does not tell.
pub(crate) fn addresses() -> Vec<IpAddr> {
    let mut found = Vec::new();
    // Without them only destinations outside of this host can be told from others.
    let _ = dump(&mut found);
    found
}

fn dump(found: &mut Vec<IpAddr>) -> Result<()> {
    // NETLINK_ROUTE is 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
    let mut request = [0; HEADER + MESSAGE];
    request[0..4].copy_from_slice(&((HEADER + MESSAGE) as u32).to_ne_bytes());
    request[4..6].copy_from_slice(&RTM_GETADDR.to_ne_bytes());
    request[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    send(&socket, &request, SendFlags::empty())?;
    // More than the kernel puts into one answer (`NLMSG_GOODSIZE`).
    let mut answer = vec![0; 1 << 15];
    loop {
        let (length, _) = recv(&socket, &mut answer, RecvFlags::empty())?;
        if length == 0 || !read(&answer[..length], found) {
            return Ok(());
        }
    }
}

/// Takes the addresses out of an answer; whether more answers follow.
fn read(mut answer: &[u8], found: &mut Vec<IpAddr>) -> bool {
    while let Some((kind, body, rest)) = message(answer) {
        match kind {
            RTM_NEWADDR => found.extend(address(body)),
            // The end, or an error instead.
            0..=NLMSG_DONE => return false,
            _ => {}
        }
        answer = rest;
    }
    true
}

/// The first message: its kind, what is in it, and what follows.
fn message(answer: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = u32::from_ne_bytes(answer.get(0..4)?.try_into().ok()?) as usize;
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let body = answer.get(HEADER..length)?;
    Some((kind, body, answer.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

/// The address of this side: on a point-to-point link `IFA_ADDRESS` is the other one's.
fn address(body: &[u8]) -> Option<IpAddr> {
    let mut attributes = body.get(MESSAGE..)?;
    let mut address = None;
    while let Some((kind, value, rest)) = attribute(attributes) {
        if kind == IFA_LOCAL || (kind == IFA_ADDRESS && address.is_none()) {
            let v4 = <[u8; 4]>::try_from(value).map(IpAddr::from);
            address = v4.or_else(|_| <[u8; 16]>::try_from(value).map(IpAddr::from)).ok();
        }
        attributes = rest;
    }
    address
}

fn attribute(attributes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::from(u16::from_ne_bytes(attributes.get(0..2)?.try_into().ok()?));
    let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
    let value = attributes.get(ATTRIBUTE..length)?;
    Some((kind, value, attributes.get(length.next_multiple_of(4)..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_namespace_tells_its_addresses() {
        dayfly_testkit::privileged!();
        let namespace = dayfly_testkit::Namespace::new();
        for words in ["address add 10.1.2.3 peer 10.9.9.9 dev lo", "address add fd00::5 dev lo"] {
            let done = namespace.command("ip").args(words.split(' ')).status().unwrap();
            assert!(done.success());
        }
        let found = namespace.run(addresses);
        for address in ["127.0.0.1", "10.1.2.3", "::1", "fd00::5"] {
            assert!(found.contains(&address.parse().unwrap()), "{address}: {found:?}");
        }
        assert!(!found.contains(&"10.9.9.9".parse().unwrap()), "{found:?}");
    }

    proptest! {
        #[test]
        fn any_answer_is_read(answer in prop::collection::vec(any::<u8>(), 0..200)) {
            read(&answer, &mut Vec::new());
        }
    }
}
