//! What becomes of one stopped call.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;

use dayfly_ports::{Port, Protocol};
use rustix::io::Errno;
use rustix::net::{bind, getsockname};

use super::abi::{Call, MULTIPLEXED, call_of};
use super::caller::{self, Callers, Hint};
use super::notification::{Answer, Listener};
use crate::choose::{Chooser, Miss, cause_of};
use crate::event::{Cause, Event, Outcome};
use crate::pin::{Destination, Pin, Wish};
use crate::sys::{option, set_option};

/// `IP_LOCAL_PORT_RANGE` (`include/uapi/linux/in.h`, since 6.3): high end and low end in 16 bits
/// each. At level `IPPROTO_IP` for IPv6 sockets too.
const IP_LOCAL_PORT_RANGE: i32 = 51;
/// From 1 to 65535. The kernel drops each end that lies outside `net.ipv4.ip_local_port_range`, so
/// what is left is the whole range of whichever namespace the socket is in, as it is at that moment;
/// that there is a range at all is what switches the parity split off
/// (`__inet_hash_connect` in `net/ipv4/inet_hashtables.c`).
const WHOLE: u32 = 0xffff_0001;

/// `IPPROTO_MPTCP` (`include/uapi/linux/in.h`).
const MPTCP: u64 = 262;

/// Decides about stopped calls, one after the other.
#[derive(Debug)]
pub(crate) struct Decider {
    wish: Wish,
    address: Option<IpAddr>,
    destinations: Vec<Destination>,
    udp: bool,
    strict: bool,
    report: bool,
    chooser: Chooser,
    callers: Callers,
    /// Whether the call that is decided about may wait for a port.
    may_wait: bool,
}

/// One stopped call, and what is known about its socket.
struct Dial {
    thread: u32,
    protocol: Protocol,
    /// What the socket is bound to, with port 0.
    own: SocketAddr,
    hint: Hint,
}

impl Decider {
    pub(crate) fn new(pin: &Pin, ports: Vec<u16>) -> Self {
        Decider {
            wish: pin.wish.clone(),
            address: pin.address,
            destinations: pin.destinations.clone(),
            udp: pin.udp,
            strict: pin.strict,
            report: pin.report,
            chooser: Chooser::new(ports),
            callers: Callers::default(),
            may_wait: false,
        }
    }

    /// The answer to a stopped call, and what there is to tell about it. Only if it may wait it can
    /// be [`Answer::Later`].
    pub(crate) fn decide(
        &mut self,
        listener: &Listener,
        notification: &libc::seccomp_notif,
        may_wait: bool,
    ) -> (Answer, Option<Event>) {
        self.may_wait = may_wait;
        let thread = notification.pid;
        let data = &notification.data;
        let Some((call, arguments, narrow)) = decode(thread, data) else {
            return (Answer::Continue, None);
        };
        let number = arguments[0] as i32;
        let socket = match self.callers.descriptor(listener, notification.id, thread, number) {
            Ok(socket) => socket,
            Err(Errno::PERM) => return self.unreadable(thread),
            // Not a descriptor, or nobody waits any more: the kernel has the right error for it.
            Err(_) => return (Answer::Continue, None),
        };
        // Of a closed kind, or not a socket at all: not ours.
        let Some((protocol, own)) = look(&socket) else {
            return (Answer::Continue, None);
        };
        let hint = match call {
            Call::Connect | Call::Bind => caller::address(thread, arguments[1], arguments[2]),
            Call::SendTo => caller::address(thread, arguments[4], arguments[5]),
            Call::SendMessage | Call::SendMessages => caller::message(thread, arguments[1], narrow),
            Call::Listen | Call::Multiplexed | Call::IoUringSetup => Hint::Unknown,
        };
        let dial = Dial { thread, protocol, own, hint };
        match call {
            Call::Bind => self.offer_bound(&socket, &dial),
            Call::Listen => self.offer_listening(&socket, &dial),
            _ => self.dial(&socket, &dial),
        }
    }

    /// A connection, or a datagram from a socket without a port.
    fn dial(&mut self, socket: &OwnedFd, dial: &Dial) -> (Answer, Option<Event>) {
        if dial.hint == Hint::Dissolve || (dial.protocol == Protocol::Udp && !self.udp) {
            return (Answer::Continue, None);
        }
        let destination = dial.destination();
        if !self.concerns(destination) {
            return (Answer::Continue, None);
        }
        if dial.own.port() != 0 {
            // Bound by the program, or by us at an earlier call on the same socket.
            let port = dial.own.port();
            let own = self.report && !self.chooser.has(port);
            let outcome = Outcome::LeftAlone(Port::new(port));
            return (Answer::Continue, own.then(|| dial.event(outcome)));
        }
        if matches!(self.wish, Wish::WholeRange) {
            if dial.protocol == Protocol::Tcp {
                let _ = set_option(socket, libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, WHOLE);
            }
            return (Answer::Continue, None);
        }
        let local = match self.local(dial) {
            Ok(local) => local,
            Err(cause) => return self.missed(dial, Miss { cause, port: None }),
        };
        let found = match (&self.wish, dial.protocol) {
            (Wish::AnyPort, _) => return self.address_only(socket, local, dial),
            (_, Protocol::Udp) => self.chooser.datagram(socket, local, destination),
            (_, _) => self.chooser.stream(socket, local, destination),
        };
        match found {
            Ok(port) => (Answer::Continue, self.pinned(dial, local, port)),
            Err(_) if self.may_wait && self.chooser.is_free_soon() => (Answer::Later, None),
            Err(miss) => self.missed(dial, miss),
        }
    }

    /// Fixes the address and leaves the port to `connect()`.
    fn address_only(
        &self,
        socket: &OwnedFd,
        local: SocketAddr,
        dial: &Dial,
    ) -> (Answer, Option<Event>) {
        let _ = set_option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1);
        match bind(socket, &local) {
            Ok(()) => (Answer::Continue, None),
            Err(error) => self.missed(dial, Miss { cause: cause_of(error), port: None }),
        }
    }

    /// `bind()`: one that asks for any port gets one of ours. The supervisor binds, to the address
    /// as it has read it: whatever happens to the caller's memory afterwards changes nothing.
    fn offer_bound(&mut self, socket: &OwnedFd, dial: &Dial) -> (Answer, Option<Event>) {
        let Hint::Place(place) = dial.hint else {
            return (Answer::Continue, None);
        };
        let same_family = place.is_ipv4() == dial.own.is_ipv4();
        if place.port() != 0 || dial.own.port() != 0 || !same_family {
            return (Answer::Continue, None);
        }
        // The port is to be chosen by connect(), which is stopped as well.
        let later = option(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT);
        if later.is_ok_and(|later| later != 0) {
            return (Answer::Continue, None);
        }
        // Nobody is to share the port of a server: only an unused one will do.
        match self.chooser.datagram(socket, place, None) {
            Ok(port) => (Answer::Done, self.pinned(dial, place, port)),
            Err(miss) => self.missed(dial, miss),
        }
    }

    /// `listen()` on a socket without a port, which the kernel would choose.
    fn offer_listening(&mut self, socket: &OwnedFd, dial: &Dial) -> (Answer, Option<Event>) {
        if dial.own.port() != 0 || dial.protocol != Protocol::Tcp {
            return (Answer::Continue, None);
        }
        match self.chooser.datagram(socket, dial.own, None) {
            Ok(port) => (Answer::Continue, self.pinned(dial, dial.own, port)),
            Err(miss) => self.missed(dial, miss),
        }
    }

    /// Whether connections to this destination are to be pinned.
    fn concerns(&self, destination: Option<SocketAddr>) -> bool {
        self.destinations.is_empty()
            || destination
                .is_some_and(|there| self.destinations.iter().any(|wanted| wanted.is(there)))
    }

    /// What to bind to: the address that the program chose, else the one that is wanted, else any.
    fn local(&self, dial: &Dial) -> Result<SocketAddr, Cause> {
        let Some(wanted) = self.address.filter(|_| dial.own.ip().is_unspecified()) else {
            return Ok(dial.own);
        };
        let mut local = dial.own;
        match (wanted, dial.own, dial.destination()) {
            (IpAddr::V4(_), SocketAddr::V4(_), _) => local.set_ip(wanted),
            (IpAddr::V4(wanted), SocketAddr::V6(_), Some(SocketAddr::V4(_))) => {
                local.set_ip(wanted.to_ipv6_mapped().into());
            }
            (IpAddr::V6(_), SocketAddr::V6(_), Some(SocketAddr::V6(_)) | None) => {
                local.set_ip(wanted);
            }
            _ => return Err(Cause::Family),
        }
        Ok(local)
    }

    fn pinned(&self, dial: &Dial, local: SocketAddr, port: Port) -> Option<Event> {
        let source = local.ip().to_canonical();
        self.report.then(|| Event {
            source: (!source.is_unspecified()).then_some(source),
            ..dial.event(Outcome::Pinned(port))
        })
    }

    fn missed(&self, dial: &Dial, miss: Miss) -> (Answer, Option<Event>) {
        let outcome = Outcome::Missed { cause: miss.cause, port: miss.port, refused: self.strict };
        (self.let_go(miss.cause), Some(dial.event(outcome)))
    }

    fn unreadable(&self, thread: u32) -> (Answer, Option<Event>) {
        let cause = Cause::Unreadable;
        let event = Event {
            outcome: Outcome::Missed { cause, port: None, refused: self.strict },
            protocol: Protocol::Tcp,
            thread,
            program: name_of(thread),
            destination: None,
            source: None,
        };
        (self.let_go(cause), Some(event))
    }

    fn let_go(&self, cause: Cause) -> Answer {
        if self.strict {
            Answer::Fail(Errno::from_raw_os_error(cause.errno()))
        } else {
            Answer::Continue
        }
    }
}

impl Dial {
    fn destination(&self) -> Option<SocketAddr> {
        match self.hint {
            Hint::Place(place) => Some(canonical(place)),
            Hint::Dissolve | Hint::Unknown => None,
        }
    }

    fn event(&self, outcome: Outcome) -> Event {
        let source = self.own.ip().to_canonical();
        Event {
            outcome,
            protocol: self.protocol,
            thread: self.thread,
            program: name_of(self.thread),
            destination: self.destination(),
            source: (!source.is_unspecified()).then_some(source),
        }
    }
}

/// Which call it is, with its arguments, and whether the caller's pointers have 32 bits.
fn decode(thread: u32, data: &libc::seccomp_data) -> Option<(Call, [u64; 6], bool)> {
    let (call, narrow) = call_of(data.arch, data.nr as u32)?;
    if call != Call::Multiplexed {
        return Some((call, data.args, narrow));
    }
    let (_, call) = MULTIPLEXED.iter().find(|(which, _)| u64::from(*which) == data.args[0])?;
    Some((*call, caller::multiplexed(thread, data.args[1])?, narrow))
}

/// Protocol and bound address of a TCP or UDP socket; none of any other. The family comes first:
/// the protocol numbers of netlink mean other things.
fn look(socket: &OwnedFd) -> Option<(Protocol, SocketAddr)> {
    let own = SocketAddr::try_from(getsockname(socket).ok()?).ok()?;
    let number = option(socket, libc::SOL_SOCKET, libc::SO_PROTOCOL).ok()?;
    let protocol = match number {
        number if number == libc::IPPROTO_TCP as u64 || number == MPTCP => Protocol::Tcp,
        number if number == libc::IPPROTO_UDP as u64 => Protocol::Udp,
        _ => return None,
    };
    Some((protocol, own))
}

fn canonical(place: SocketAddr) -> SocketAddr {
    match place.ip() {
        IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
            SocketAddr::new(place.ip().to_canonical(), place.port())
        }
        // Connecting to "any" means this host (ip(7)).
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => {
            SocketAddr::new(Ipv4Addr::LOCALHOST.into(), place.port())
        }
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => {
            SocketAddr::new(Ipv6Addr::LOCALHOST.into(), place.port())
        }
        _ => place,
    }
}

fn name_of(thread: u32) -> String {
    let name = std::fs::read_to_string(format!("/proc/{thread}/comm")).unwrap_or_default();
    name.trim_end().to_owned()
}
