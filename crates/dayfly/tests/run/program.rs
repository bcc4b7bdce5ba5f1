//! What is run, and how it names its destination.

use std::path::Path;

use crate::stand::{SERVER, Stand};

/// The way in which a program says where it wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    Tcp4,
    Tcp6,
    /// IPv4 through an IPv6 socket.
    Mapped,
    NonBlocking,
    FastOpen,
    UdpConnect,
    UdpSendto,
    UdpSendmsg,
    UdpSendmmsg,
}

impl Call {
    pub(crate) const ALL: [Call; 9] = [
        Call::Tcp4,
        Call::Tcp6,
        Call::Mapped,
        Call::NonBlocking,
        Call::FastOpen,
        Call::UdpConnect,
        Call::UdpSendto,
        Call::UdpSendmsg,
        Call::UdpSendmmsg,
    ];

    pub(crate) fn is_udp(self) -> bool {
        matches!(self, Call::UdpConnect | Call::UdpSendto | Call::UdpSendmsg | Call::UdpSendmmsg)
    }

    /// A datagram from a socket that is not connected: the kernel lets no BPF program choose its port
    /// (`bpf_bind` is for connect hooks only).
    pub(crate) fn is_beyond_bpf(self) -> bool {
        matches!(self, Call::UdpSendto | Call::UdpSendmsg | Call::UdpSendmmsg)
    }

    /// The word of our own clients.
    fn word(self) -> &'static str {
        match self {
            Call::Tcp4 | Call::Tcp6 | Call::Mapped => "connect",
            Call::NonBlocking => "nonblocking",
            Call::FastOpen => "fastopen",
            Call::UdpConnect => "udp",
            Call::UdpSendto => "sendto",
            Call::UdpSendmsg => "sendmsg",
            Call::UdpSendmmsg => "sendmmsg",
        }
    }

    fn address(self, stand: &Stand) -> String {
        match self {
            Call::Tcp6 => stand.v6.to_owned(),
            Call::Mapped => format!("::ffff:{}", stand.v4),
            _ => stand.v4.to_owned(),
        }
    }

    fn url(self, stand: &Stand) -> String {
        let address = self.address(stand);
        if address.contains(':') {
            format!("http://[{address}]:{SERVER}/")
        } else {
            format!("http://{address}:{SERVER}/")
        }
    }
}

/// A program as people have them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    /// C with the system's libraries.
    Dynamic,
    /// C with glibc inside.
    Static,
    /// C with musl inside.
    Musl,
    /// Go: static, with system calls of its own.
    Go,
    Python,
    Curl,
    /// A script with several curls, and bash's own connection.
    Bash,
    /// C, each connection in a thread of its own.
    Threads,
    /// A grandchild in a session of its own; it connects when everybody before it has gone.
    Daemon,
    /// In new user, process and mount namespaces.
    ChildNamespaces,
}

impl Program {
    pub(crate) const ALL: [Program; 10] = [
        Program::Dynamic,
        Program::Static,
        Program::Musl,
        Program::Go,
        Program::Python,
        Program::Curl,
        Program::Bash,
        Program::Threads,
        Program::Daemon,
        Program::ChildNamespaces,
    ];

    /// Whether the program has this way at all.
    pub(crate) fn has(self, call: Call) -> bool {
        match self {
            Program::Go => !matches!(call, Call::UdpSendmsg | Call::UdpSendmmsg),
            Program::Python => call != Call::UdpSendmmsg,
            // It connects without blocking always.
            Program::Curl => {
                matches!(call, Call::Tcp4 | Call::Tcp6 | Call::Mapped | Call::FastOpen)
            }
            Program::Bash => matches!(call, Call::Tcp4 | Call::Tcp6 | Call::UdpConnect),
            _ => true,
        }
    }

    /// Whether the connections that it is asked for are open at the same time.
    fn is_parallel(self) -> bool {
        !matches!(self, Program::Curl | Program::Bash)
    }

    /// The command line that makes so many connections. `start` is the file whose appearance makes
    /// a daemon begin.
    pub(crate) fn words(
        self,
        stand: &Stand,
        call: Call,
        count: usize,
        start: &Path,
    ) -> Vec<String> {
        let (word, address) = (call.word(), call.address(stand));
        let client =
            |name: &str| stand.words(&format!("{name} {word} {address} {SERVER} count={count}"));
        match self {
            Program::Dynamic => client("@client"),
            Program::Static => client("@client-static"),
            Program::Musl => client("@client-musl"),
            Program::Go => client("@client-go"),
            Program::Python => client("/usr/bin/python3 @client.py"),
            Program::Threads => {
                let mut words = client("@client");
                words.push("threads".to_owned());
                words
            }
            Program::Daemon => client(&format!("@daemon {} @client", start.display())),
            Program::ChildNamespaces => {
                client("unshare --user --map-root-user --pid --fork --mount @client")
            }
            Program::Curl => {
                let mut words = stand.words("curl --silent --show-error --noproxy *");
                if call == Call::FastOpen {
                    words.push("--tcp-fastopen".to_owned());
                }
                words.push(call.url(stand));
                words
            }
            Program::Bash => vec!["bash".to_owned(), "-ec".to_owned(), script(stand, call)],
        }
    }

    /// How many connections are made when so many are asked for.
    pub(crate) fn connections(self, call: Call, count: usize) -> usize {
        match self {
            Program::Curl => 1,
            Program::Bash if call.is_udp() => 1,
            Program::Bash => 4,
            _ => count,
        }
    }

    /// Whether each of the connections must have a port of its own.
    pub(crate) fn needs_distinct_ports(self, call: Call) -> bool {
        self.is_parallel() && !call.is_udp()
    }
}

/// Three curls, one after the other, and a connection of bash itself. A port is free for the same
/// destination only when the server has closed the last connection as well, hence the pauses.
fn script(stand: &Stand, call: Call) -> String {
    let (protocol, address) = (if call.is_udp() { "udp" } else { "tcp" }, call.address(stand));
    let own = format!("exec 3<>/dev/{protocol}/{address}/{SERVER}; echo '?' >&3; head -n 1 <&3");
    if call.is_udp() {
        return own;
    }
    let url = call.url(stand);
    format!(
        "for i in 1 2 3; do curl --silent --show-error --noproxy '*' '{url}'; sleep 0.1; done; {own}"
    )
}
