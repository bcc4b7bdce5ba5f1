//! From a system's algorithm and the call that is made to the strategy that picks.

use dayfly_alloc::strategy::{
    DoubleHash, FreeBsd, Illumos, LinuxBind, LinuxConnect, LinuxUdp, LinuxVersion, NetBsd,
    Netfilter, OpenBsd, RandomIncrements, Sequential, SimpleHash, SimpleRandom, SimpleRandomStart,
    Strategy, UniformFree, Vpp, Windows,
};
use dayfly_ports::{PortRange, Protocol};

use crate::scenario::{Algorithm, SECOND, Via};

/// RFC 6056 section 3.3.4: a table of 10 is enough to be better than one counter.
const COUNTERS: usize = 10;
/// RFC 6056 section 3.3.5: N = 500.
const LARGEST_INCREMENT: u32 = 500;
/// A common size; the order in which ports come is random for all of them.
const UDP_SLOTS: u32 = 4096;
/// `ts_secret` in `net/core/secure_seq.c` changes on this grid, for all destinations at once.
const LINUX_PERIOD: u64 = 10 * SECOND;

/// How many kinds of calls a host keeps a strategy for.
pub(super) const CALLS: usize = 6;

/// The call that settles a port, as an index below [`CALLS`].
pub(super) const fn call(protocol: Protocol, via: Via) -> usize {
    match (protocol, via) {
        (Protocol::Udp, _) => 0,
        (Protocol::Sctp, _) => 1,
        (Protocol::Tcp, Via::Connect) => 2,
        (Protocol::Tcp, Via::OwnRange) => 3,
        (Protocol::Tcp, Via::Bind) => 4,
        (Protocol::Tcp, Via::BindReuseAddress) => 5,
    }
}

/// A fresh strategy of this algorithm for this call.
pub(super) fn strategy(algorithm: Algorithm, call: usize, range: PortRange) -> Box<dyn Strategy> {
    match algorithm {
        Algorithm::Linux(version) => linux(version, call, range),
        Algorithm::FreeBsd => Box::new(FreeBsd::new(range, true)),
        Algorithm::OpenBsd => Box::new(OpenBsd::new(range)),
        Algorithm::NetBsd(algorithm) => Box::new(NetBsd::new(range, algorithm)),
        Algorithm::Illumos => Box::new(Illumos::new(range)),
        Algorithm::Sequential => Box::new(Sequential::from_low_end(range)),
        Algorithm::SequentialFromRandom => Box::new(Sequential::from_random_place(range)),
        Algorithm::Xnu if call == 0 => Box::new(FreeBsd::new(range, true)),
        Algorithm::Xnu => Box::new(Sequential::from_random_place(range)),
        Algorithm::Windows => Box::new(Windows::new(range)),
        Algorithm::Rfc6056(2) => Box::new(SimpleRandom::new(range)),
        Algorithm::Rfc6056(3) => Box::new(SimpleHash::new(range)),
        Algorithm::Rfc6056(4) => Box::new(DoubleHash::new(range, COUNTERS)),
        Algorithm::Rfc6056(5) => Box::new(RandomIncrements::new(range, LARGEST_INCREMENT)),
        Algorithm::Rfc6056(_) => Box::new(SimpleRandomStart::new(range)),
        Algorithm::Uniform => Box::new(UniformFree::new(range)),
        Algorithm::Netfilter => Box::new(Netfilter::new(range)),
        Algorithm::Vpp => Box::new(Vpp::over(range)),
    }
}

/// A host's way to pick for one kind of call. Linux' own is not hidden behind a trait, so that what a
/// destination hashes to can be kept.
pub(super) enum Picker {
    Linux(LinuxConnect),
    Other(Box<dyn Strategy>),
}

/// A fresh one, with so many counters where Linux would have its whole table.
pub(super) fn picker(
    algorithm: Algorithm,
    call: usize,
    range: PortRange,
    counters: Option<u32>,
) -> Picker {
    let Algorithm::Linux(version) = algorithm else {
        return Picker::Other(strategy(algorithm, call, range));
    };
    let linux = linux_connect(version, range);
    let linux = match counters {
        Some(counters) => linux.with_table(counters),
        None => linux,
    };
    match call {
        2 => Picker::Linux(linux),
        3 => Picker::Linux(linux.with_own_range()),
        _ => Picker::Other(strategy(algorithm, call, range)),
    }
}

fn linux_connect(version: LinuxVersion, range: PortRange) -> LinuxConnect {
    let resalted = version == LinuxVersion::From5_18;
    LinuxConnect::new(range, version, resalted.then_some(LINUX_PERIOD))
}

fn linux(version: LinuxVersion, call: usize, range: PortRange) -> Box<dyn Strategy> {
    let connect = || linux_connect(version, range);
    match call {
        0 => Box::new(LinuxUdp::new(range, UDP_SLOTS)),
        // net/sctp/socket.c, sctp_get_port_local: a random start, then one by one.
        1 => Box::new(SimpleRandomStart::new(range)),
        3 => Box::new(connect().with_own_range()),
        4 => Box::new(LinuxBind::new(range, false)),
        5 => Box::new(LinuxBind::new(range, true)),
        _ => Box::new(connect()),
    }
}
