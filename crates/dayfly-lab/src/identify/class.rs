//! The classes of strategies that ports can tell apart.

/// A rule for the next port, as far as ports show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Each port is drawn anew from the whole range.
    Random,
    /// Linux, TCP `bind()` to port 0: drawn anew from the ports whose parity is not the low end's.
    LinuxBind,
    /// The same with `SO_REUSEADDR`: from the lower half of the range.
    LinuxBindReuse,
    /// Linux 5.18 and later, TCP `connect()`: for each destination 2 to 16 upwards, ports of the low
    /// end's parity, a new place every ten seconds.
    LinuxConnect,
    /// Linux 5.12 to 5.17: for each destination 2 upwards, 4 one time in 16.
    LinuxConnect512,
    /// Linux 4.2 to 5.11: one counter for all, in steps of 2, at a secret distance for each
    /// destination.
    LinuxConnect46,
    /// Linux, `connect()` with `IP_LOCAL_PORT_RANGE`: for each destination 1 to 8 upwards.
    LinuxOwnRange,
    /// `connect()` and `bind()` to port 0 side by side on one Linux host.
    LinuxBoth,
    /// Several Linux hosts behind one address that keeps their ports.
    LinuxMany,
    /// One counter for all destinations, upwards.
    Upwards,
    /// One counter for all destinations, downwards.
    Downwards,
    /// One counter for all destinations, in random steps upwards.
    RandomSteps,
    /// One counter for all, at a secret distance for each destination: RFC 6056 algorithm 3.
    HashedCounter,
    /// A counter for each destination, or for some of them: RFC 6056 algorithm 4.
    DestinationCounter,
    /// The same few ports again and again.
    Fixed,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 15] = [
        Class::Random,
        Class::LinuxBind,
        Class::LinuxBindReuse,
        Class::LinuxConnect,
        Class::LinuxConnect512,
        Class::LinuxConnect46,
        Class::LinuxOwnRange,
        Class::LinuxBoth,
        Class::LinuxMany,
        Class::Upwards,
        Class::Downwards,
        Class::RandomSteps,
        Class::HashedCounter,
        Class::DestinationCounter,
        Class::Fixed,
    ];

    /// A short name, in lower case with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Class::Random => "random",
            Class::LinuxBind => "linux-bind",
            Class::LinuxBindReuse => "linux-bind-reuse",
            Class::LinuxConnect => "linux-connect",
            Class::LinuxConnect512 => "linux-connect-5.12",
            Class::LinuxConnect46 => "linux-connect-4.2",
            Class::LinuxOwnRange => "linux-own-range",
            Class::LinuxBoth => "linux-both",
            Class::LinuxMany => "linux-many",
            Class::Upwards => "upwards",
            Class::Downwards => "downwards",
            Class::RandomSteps => "random-steps",
            Class::HashedCounter => "hashed-counter",
            Class::DestinationCounter => "destination-counter",
            Class::Fixed => "fixed",
        }
    }

    /// What it is, in a line.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Class::Random => "random over the range",
            Class::LinuxBind => "Linux bind() to port 0",
            Class::LinuxBindReuse => "Linux bind() to port 0 with SO_REUSEADDR",
            Class::LinuxConnect => "Linux connect(), 5.18 or later",
            Class::LinuxConnect512 => "Linux connect(), 5.12 to 5.17",
            Class::LinuxConnect46 => "Linux connect(), 4.2 to 5.11",
            Class::LinuxOwnRange => "Linux connect() with IP_LOCAL_PORT_RANGE",
            Class::LinuxBoth => "Linux connect() and bind() to port 0, both",
            Class::LinuxMany => "several Linux hosts behind one address",
            Class::Upwards => "one counter, upwards",
            Class::Downwards => "one counter, downwards",
            Class::RandomSteps => "one counter, random steps",
            Class::HashedCounter => "one counter, a secret offset per destination",
            Class::DestinationCounter => "a counter per destination",
            Class::Fixed => "the same few ports",
        }
    }

    /// The strategies that look like this, whatever is seen of their ports.
    #[must_use]
    pub const fn members(self) -> &'static str {
        match self {
            Class::Random => {
                "RFC 6056 algorithms 1 and 2, any choice among the free ports, Linux for UDP, \
                 netfilter (masquerade random, fully-random), FreeBSD, OpenBSD, illumos, NetBSD \
                 (random_start, random_pick, hash, doublehash), VPP, dayfly run --range"
            }
            Class::LinuxBind | Class::LinuxBindReuse => "Linux bind() to port 0",
            Class::LinuxConnect | Class::LinuxConnect512 | Class::LinuxConnect46 => {
                "Linux connect()"
            }
            Class::LinuxOwnRange => "Linux connect() on a socket with a range of its own",
            Class::LinuxBoth => "programs that connect() and programs that bind() first",
            Class::LinuxMany => "NAT that keeps the source port (netfilter masquerade)",
            Class::Upwards => "traditional BSD, XNU for TCP, lwIP, embassy-net",
            Class::Downwards => "NetBSD's default, bsd",
            Class::RandomSteps => "RFC 6056 algorithm 5, NetBSD randinc",
            Class::HashedCounter => "RFC 6056 algorithm 3, gVisor, Linux before 4.2",
            Class::DestinationCounter => "RFC 6056 algorithm 4",
            Class::Fixed => "programs that are bound to a port, dayfly run --port",
        }
    }
}
