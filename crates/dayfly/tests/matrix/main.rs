//! Firewalls, FTP and TFTP for real: what `dayfly firewall check` predicts is what happens.
//!
//! Every cell is a pair of namespaces with a real server, a real client and real rules. The
//! prediction is asked for before anything is sent.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

mod clients;
mod exhaustion;
mod forecast;
mod mended;
mod place;
mod rpc;
mod servers;
mod services;
mod told;

use dayfly_insight::ftp::Mode;
use dayfly_testkit::{needs, privileged};

use crate::clients::{Client, fetch};
use crate::place::{Place, nft};
use crate::servers::{Server, start, tftpd};

/// Rules that let answers in, these connections, and nothing else.
fn filter(more: &str) -> String {
    format!(
        "table inet f {{\n chain in {{\n  type filter hook input priority 0\n  policy drop\n  \
         iif lo accept\n  ct state established accept\n  {more}\n }}\n}}\n"
    )
}

/// The same with a connection-tracking helper.
fn helper(name: &str, protocol: &str, port: u16, hook: &str, more: &str) -> String {
    format!(
        "table inet f {{\n ct helper h {{\n  type \"{name}\" protocol {protocol}\n }}\n \
         chain assign {{\n  type filter hook {hook} priority 0\n  \
         {protocol} dport {port} ct helper set \"h\"\n }}\n chain in {{\n  \
         type filter hook input priority 0\n  policy drop\n  iif lo accept\n  \
         ct state established,related accept\n  {more}\n }}\n}}\n"
    )
}

const RANGE_FROM_20: &str = "tcp sport 20 tcp dport 32768-60999 accept";
const RANGE: &str = "tcp dport 32768-60999 accept";
const CONTROL: &str = "tcp dport 21 accept";
const PASSIVE: (u16, u16) = (50_000, 50_009);

/// What is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Guard {
    Client,
    Server,
}

struct Cell {
    name: &'static str,
    guard: Guard,
    rules: String,
    /// Of the guarded side; the kernel's own where none.
    range: Option<&'static str>,
    server: Server,
    passive: Option<(u16, u16)>,
    client: Client,
    mode: Mode,
    works: bool,
}

fn cells() -> Vec<Cell> {
    use Client::{Curl, Ftplib, Lftp};
    use Mode::{Active, Passive};
    use Server::{Pyftpdlib, PyftpdlibTls, Vsftpd, VsftpdTls};
    let of_client = |name, rules: &str, server, client, mode, works| Cell {
        name,
        guard: Guard::Client,
        rules: rules.to_owned(),
        range: None,
        server,
        passive: None,
        client,
        mode,
        works,
    };
    let of_server = |name, rules: &str, server, client, mode, works| Cell {
        guard: Guard::Server,
        passive: Some(PASSIVE),
        ..of_client(name, rules, server, client, mode, works)
    };
    let none = filter("");
    let from_20 = filter(RANGE_FROM_20);
    let open = filter(RANGE);
    let helped = helper("ftp", "tcp", 21, "output", "");
    let control = filter(CONTROL);
    let ports = filter("tcp dport { 21, 50000-50009 } accept");
    let helps = helper("ftp", "tcp", 21, "prerouting", CONTROL);
    vec![
        of_client("established only", &none, Vsftpd, Curl, Active, false),
        of_client("established only", &none, Vsftpd, Curl, Passive, true),
        of_client("established only", &none, Pyftpdlib, Lftp, Active, false),
        of_client("established only", &none, Pyftpdlib, Lftp, Passive, true),
        of_client("range from 20", &from_20, Vsftpd, Curl, Active, true),
        of_client("range from 20", &from_20, Vsftpd, Lftp, Active, true),
        of_client("range from 20", &from_20, Pyftpdlib, Curl, Active, false),
        of_client("range", &open, Pyftpdlib, Curl, Active, true),
        of_client("range", &open, Vsftpd, Ftplib, Active, true),
        Cell {
            range: Some("20000 20100"),
            ..of_client("range, client moved", &from_20, Vsftpd, Curl, Active, false)
        },
        Cell {
            range: Some("20000 20100"),
            ..of_client("range, client moved", &open, Pyftpdlib, Lftp, Active, false)
        },
        of_client("helper", &helped, Vsftpd, Curl, Active, true),
        of_client("helper", &helped, Pyftpdlib, Lftp, Active, true),
        of_client("helper, FTPS", &helped, PyftpdlibTls, Ftplib, Active, false),
        of_client("helper, FTPS", &helped, VsftpdTls, Ftplib, Active, false),
        of_client("range, FTPS", &open, PyftpdlibTls, Ftplib, Active, true),
        of_client("range from 20, FTPS", &from_20, VsftpdTls, Ftplib, Active, true),
        of_client("established only, FTPS", &none, VsftpdTls, Ftplib, Passive, true),
        of_server("control only", &control, Vsftpd, Curl, Active, true),
        of_server("control only", &control, Vsftpd, Curl, Passive, false),
        of_server("control only", &control, Pyftpdlib, Lftp, Passive, false),
        of_server("passive ports", &ports, Vsftpd, Curl, Passive, true),
        of_server("passive ports", &ports, Pyftpdlib, Lftp, Passive, true),
        of_server("passive ports, FTPS", &ports, VsftpdTls, Ftplib, Passive, true),
        of_server("helper", &helps, Vsftpd, Curl, Passive, true),
        of_server("helper, FTPS", &helps, PyftpdlibTls, Ftplib, Passive, false),
    ]
}

impl Cell {
    fn title(&self) -> String {
        let Cell { name, guard, server, client, mode, .. } = self;
        format!("{guard:?}: {name}: {server:?}, {client:?}, {mode}")
    }

    /// Runs it; a sentence if anything is not as it should be.
    fn run(&self) -> Result<(), String> {
        let place = Place::new();
        let guarded = match self.guard {
            Guard::Client => &place.client,
            Guard::Server => &place.server,
        };
        if let Some(range) = self.range {
            guarded.sysctl("net.ipv4.ip_local_port_range", range);
        }
        let _server = start(&place, self.server, self.passive);
        nft(guarded, &self.rules);
        let foretold = forecast::works(guarded, self);
        if foretold != self.works {
            return Err(format!("{}: foretold {foretold}", self.title()));
        }
        let works = fetch(&place, self.client, self.mode, self.server.is_encrypted());
        if works == self.works { Ok(()) } else { Err(format!("{}: {works}", self.title())) }
    }
}

/// Runs all of it, many at a time: most of the time is spent waiting for what is blocked.
fn all(cells: &[Cell]) {
    const AT_ONCE: usize = 9;
    let next = std::sync::atomic::AtomicUsize::new(0);
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(cell) =
                    cells.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
                {
                    if let Err(error) = cell.run() {
                        wrong.lock().unwrap().push(error);
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn ftp_goes_where_it_was_said_to_go() {
    privileged!();
    needs!("nft", "nftables");
    needs!("vsftpd", "vsftpd");
    needs!("curl", "curl");
    needs!("lftp", "lftp");
    needs!("openssl", "openssl");
    if !servers::has_pyftpdlib(module_path!(), line!()) {
        return;
    }
    all(&cells());
}

#[test]
fn tftp_goes_where_it_was_said_to_go() {
    privileged!();
    needs!("nft", "nftables");
    needs!("in.tftpd", "tftpd-hpa");
    needs!("tftp", "tftp-hpa");
    let cells = [
        ("established only", filter(""), None, false),
        ("range", filter("udp dport 32768-60999 accept"), None, true),
        ("from its ports", filter("udp sport 40000-40009 accept"), Some((40_000, 40_009)), true),
        ("from other ports", filter("udp sport 40010-40019 accept"), Some((40_000, 40_009)), false),
        ("helper", helper("tftp", "udp", 69, "output", ""), None, true),
    ];
    std::thread::scope(|scope| {
        for (name, rules, answers, works) in &cells {
            scope.spawn(move || {
                let place = Place::new();
                let _server = tftpd(&place, *answers);
                nft(&place.client, rules);
                let foretold = forecast::tftp_works(&place.client, *answers);
                assert_eq!(foretold, *works, "{name}");
                assert_eq!(fetch(&place, Client::Tftp, Mode::Passive, false), *works, "{name}");
            });
        }
    });
}
