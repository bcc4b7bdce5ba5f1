//! What a firewall check looks at in the calling thread's network namespace: the rules, who
//! listens, and the addresses.
//!
//! Rules are read with the firewall's own commands: `nft -j list ruleset`; where parts of it are
//! iptables' and closed to nft, `iptables-save` and `ip6tables-save` as well; and the older kernel
//! interface of iptables (`/proc/net/ip_tables_names`) with `iptables-legacy-save`.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::fmt;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};

use dayfly_insight::firewall::check::Listener;
use dayfly_insight::firewall::model::{Family, Ruleset};
use dayfly_insight::firewall::readers::{iptables, nft};
use dayfly_insight::{Settings, Socket, State};
use dayfly_ports::Protocol;

use crate::observe::{Degradation, ObserveError, sweep};
use crate::owners;

/// Why the rules cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RulesError {
    /// It takes CAP_NET_ADMIN.
    Privilege,
    /// There are rules, and the command that prints them is not installed.
    NoCommand {
        /// The command.
        command: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// The command failed or printed something else.
    Failed {
        /// The command.
        command: &'static str,
        /// What it said.
        said: String,
    },
}

impl fmt::Display for RulesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RulesError::Privilege => {
                f.write_str("the firewall's rules may only be listed with CAP_NET_ADMIN")
            }
            RulesError::NoCommand { command, .. } => {
                write!(f, "`{command}`, which lists the firewall's rules, is not installed")
            }
            RulesError::Failed { command, said } => write!(f, "`{command}` failed: {said}"),
        }
    }
}

impl std::error::Error for RulesError {}

impl RulesError {
    /// Why a command failed, from what it said.
    #[must_use]
    pub fn of(command: &'static str, said: &str) -> Self {
        let privilege = ["not permitted", "ermission denied", "be root"];
        if privilege.iter().any(|words| said.contains(words)) {
            return RulesError::Privilege;
        }
        let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
        RulesError::Failed { command, said: words.chars().take(300).collect() }
    }
}

/// Where rules are read: in the calling thread's network namespace, or on another Linux host.
pub trait Source {
    /// What a command prints. `package` has it.
    ///
    /// # Errors
    /// When it prints nothing of use; [`RulesError::of`] finds out why.
    fn list(&self, command: &'static str, package: &'static str) -> Result<String, RulesError>;

    /// A file of `/proc/net`; none if it cannot be read.
    fn net_file(&self, name: &str) -> Option<String>;
}

/// Every rule of the calling thread's network namespace.
///
/// # Errors
/// As [`rules_of`].
pub fn rules() -> Result<Ruleset, RulesError> {
    rules_of(&Here)
}

/// Every rule.
///
/// # Errors
/// [`RulesError`] when some of them cannot be read: half a firewall says nothing.
pub fn rules_of(source: &impl Source) -> Result<Ruleset, RulesError> {
    const LIST: &str = "nft -j list ruleset";
    let text = source.list(LIST, "nftables")?;
    let failed = |command| {
        move |error: &dyn fmt::Display| RulesError::Failed { command, said: error.to_string() }
    };
    let listed = nft::listed(&text, &[]).map_err(|error| failed(LIST)(&error))?;
    let mut ruleset = listed.ruleset;
    if !listed.compat.is_empty() {
        // What iptables wrote, iptables can read.
        let mut readable = Vec::new();
        let mut saved = Ruleset::default();
        for &family in &listed.compat {
            let program = saver(family);
            let Ok(text) = source.list(program, "iptables") else { continue };
            saved.merge(iptables::read(&text, family).map_err(|error| failed(program)(&error))?);
            readable.push(family);
        }
        ruleset = nft::listed(&text, &readable).map_err(|error| failed(LIST)(&error))?.ruleset;
        ruleset.merge(saved);
    }
    for family in Family::ALL {
        let (names, program) = match family {
            Family::Ipv4 => ("ip_tables_names", "iptables-legacy-save"),
            Family::Ipv6 => ("ip6_tables_names", "ip6tables-legacy-save"),
        };
        if source.net_file(names).is_some_and(|names| !names.trim().is_empty()) {
            let text = source.list(program, "iptables")?;
            ruleset.merge(iptables::read(&text, family).map_err(|error| failed(program)(&error))?);
        }
    }
    Ok(ruleset)
}

const fn saver(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "iptables-save",
        Family::Ipv6 => "ip6tables-save",
    }
}

/// The calling thread's network namespace.
struct Here;

impl Source for Here {
    fn list(&self, command: &'static str, package: &'static str) -> Result<String, RulesError> {
        let mut words = command.split_whitespace();
        let program = words.next().unwrap_or_default();
        // Users without privilege often have no sbin in their PATH.
        let found = ["/usr/sbin", "/sbin", "/usr/local/sbin"]
            .map(|folder| Path::new(folder).join(program))
            .into_iter()
            .find(|path| path.exists())
            .unwrap_or_else(|| program.into());
        let done = Command::new(found).args(words).env("LC_ALL", "C").stdin(Stdio::null()).output();
        match done {
            Ok(done) if done.status.success() => {
                Ok(String::from_utf8_lossy(&done.stdout).into_owned())
            }
            Ok(done) => Err(RulesError::of(command, &String::from_utf8_lossy(&done.stderr))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(RulesError::NoCommand { command, package })
            }
            Err(error) => Err(RulesError::Failed { command, said: error.to_string() }),
        }
    }

    fn net_file(&self, name: &str) -> Option<String> {
        // The thread's own: `/proc/self/net` is that of the process' first thread.
        fs::read_to_string(Path::new("/proc/thread-self/net").join(name)).ok()
    }
}

/// Everybody who receives from outside: TCP listeners and UDP sockets without a fixed peer, but
/// those on loopback addresses.
///
/// A listener is transient when an FTP session of its process explains it, or TFTP does, or when it
/// is a helper of NFS: those are handed their port by the kernel and are gone with the work.
///
/// # Errors
/// As [`sweep`].
pub fn listeners(settings: &Settings) -> Result<(Vec<Listener>, Vec<Degradation>), ObserveError> {
    #[derive(Default)]
    struct Seen {
        receiving: Vec<Socket>,
        talking: BTreeSet<u32>,
    }
    let add = |seen: &mut Seen, socket: &Socket| {
        let tuple = socket.tuple.canonical();
        let (local, remote) = (tuple.local_port.number(), tuple.remote_port.number());
        let receives = match tuple.protocol {
            Protocol::Udp => socket.state == State::Close,
            _ => socket.state == State::Listen,
        };
        if [20, 21, 69, 990].contains(&local) || [21, 990].contains(&remote) {
            seen.talking.insert(socket.inode);
        }
        if receives && !tuple.local_address.is_loopback() && local != 0 {
            seen.receiving.push(*socket);
        }
    };
    let (seen, mut degraded) = sweep(settings, Seen::default, add)?;
    let receiving = || seen.receiving.iter().map(|socket| socket.inode);
    let owners = owners::find(receiving().chain(seen.talking.iter().copied()));
    degraded.extend(owners.unowned(receiving()));
    let transferring: BTreeSet<u32> =
        seen.talking.iter().filter_map(|&inode| owners.of(inode)).map(|owner| owner.pid).collect();
    let mut listeners: Vec<Listener> = seen
        .receiving
        .iter()
        .map(|socket| {
            let owner = owners.of(socket.inode);
            let port = socket.tuple.local_port.number();
            let well_known = [20, 21, 69, 990].contains(&port);
            let automatic = settings.usable(socket.tuple.protocol).contains(port.into());
            let transient = !well_known
                && owner.is_some_and(|owner| {
                    transferring.contains(&owner.pid) || owner.name.starts_with("rpc.") && automatic
                });
            Listener {
                protocol: socket.tuple.protocol,
                address: SocketAddr::new(socket.tuple.local_address, port),
                owner: owner.map(ToString::to_string),
                transient,
            }
        })
        .collect();
    listeners.sort_by_key(|one| (one.protocol, one.address.port(), one.address.ip()));
    listeners.dedup();
    Ok((listeners, degraded))
}

/// An interface's address, loopback and link-local ones left out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InterfaceAddress {
    /// The interface.
    pub interface: String,
    /// Its address.
    pub address: IpAddr,
}

/// The addresses under which this namespace can be reached (`getifaddrs(3)`).
///
/// # Errors
/// What the C library says.
pub fn addresses() -> io::Result<Vec<InterfaceAddress>> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    #[expect(unsafe_code, reason = "rustix has no list of addresses")]
    // SAFETY: getifaddrs writes a pointer to a list, which is freed below.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = Vec::new();
    let mut next = list;
    #[expect(unsafe_code, reason = "the list is linked by C pointers")]
    // SAFETY: every entry of the list is valid until freeifaddrs, and the next one is null at its
    // end.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        #[expect(unsafe_code, reason = "names are C strings")]
        // SAFETY: ifa_name is a string with a zero at its end, valid as long as the list.
        let interface = unsafe { CStr::from_ptr(entry.ifa_name) }.to_string_lossy().into_owned();
        if let Some(address) = address_of(entry)
            && is_reachable(address)
        {
            found.push(InterfaceAddress { interface, address });
        }
    }
    #[expect(unsafe_code, reason = "the list is C's to free")]
    // SAFETY: the list is what getifaddrs returned, and nothing points into it any more.
    unsafe {
        libc::freeifaddrs(list);
    }
    found.sort();
    Ok(found)
}

fn address_of(entry: &libc::ifaddrs) -> Option<IpAddr> {
    #[expect(unsafe_code, reason = "addresses are C structures told apart by their family")]
    // SAFETY: ifa_addr is null or points to a sockaddr; with these families it is as large as the
    // structure that it is read as.
    unsafe {
        let family = entry.ifa_addr.as_ref()?.sa_family;
        match i32::from(family) {
            libc::AF_INET => {
                let address = entry.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned();
                Some(IpAddr::V4(u32::from_be(address.sin_addr.s_addr).into()))
            }
            libc::AF_INET6 => {
                let address = entry.ifa_addr.cast::<libc::sockaddr_in6>().read_unaligned();
                Some(IpAddr::V6(address.sin6_addr.s6_addr.into()))
            }
            _ => None,
        }
    }
}

/// Whether others reach this host there: neither a loopback nor a link-local address.
#[must_use]
pub const fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    }
}
