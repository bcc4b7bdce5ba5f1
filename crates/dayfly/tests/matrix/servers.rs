//! Real servers, each with a configuration of its own.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dayfly_ports::PortSet;
use dayfly_testkit::command;

use crate::place::{Household, Place, Running, SERVER};

/// Debian's own, which has Debian's modules.
pub(crate) const PYTHON: &str = "/usr/bin/python3";
/// How long a server may take to come up on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Which program, and whether it speaks TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Server {
    /// Connects from port 20.
    Vsftpd,
    /// Connects from an ephemeral port.
    Pyftpdlib,
    VsftpdTls,
    PyftpdlibTls,
}

impl Server {
    pub(crate) const fn is_encrypted(self) -> bool {
        matches!(self, Server::VsftpdTls | Server::PyftpdlibTls)
    }
}

impl Server {
    /// The ports that its active connections come from: the one of FTP's data, or any.
    pub(crate) fn sends_from(self) -> PortSet {
        let ports = match self {
            Server::Vsftpd | Server::VsftpdTls => "20",
            Server::Pyftpdlib | Server::PyftpdlibTls => "32768-60999",
        };
        ports.parse().unwrap()
    }
}

/// Whether Debian's Python has it; says what is skipped when not.
pub(crate) fn has_pyftpdlib(place: &str, line: u32) -> bool {
    let import = command(PYTHON).args(["-c", "import pyftpdlib, OpenSSL"]).output();
    import.is_ok_and(|done| done.status.success())
        || dayfly_testkit::has_program(
            "pyftpdlib",
            "python3-pyftpdlib python3-openssl",
            place,
            line,
        )
}

/// Starts it in the server's namespace, with this range for passive transfers.
pub(crate) fn start(place: &Place, server: Server, passive: Option<(u16, u16)>) -> Running {
    let certificate = server.is_encrypted().then(|| certificate(place));
    let certificate = certificate.as_deref();
    let command = match server {
        Server::Vsftpd | Server::VsftpdTls => vsftpd(place, passive, certificate),
        Server::Pyftpdlib | Server::PyftpdlibTls => pyftpdlib(place, passive, certificate),
    };
    up(place, command)
}

/// A service that has nothing to do with FTP.
pub(crate) fn web(place: &Place, port: u16) -> Running {
    let mut command = place.server.command("python3");
    command.args(["-m", "http.server", &port.to_string()]).current_dir(place.folder.path());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let running = Running(child.unwrap());
    wait_for(place, port);
    running
}

/// tftpd-hpa, which answers from one of these ports.
pub(crate) fn tftpd(place: &Place, answers: Option<(u16, u16)>) -> Household {
    let range = answers.map(|(low, high)| format!("--port-range {low}:{high}"));
    // A process for each transfer stays until the client has given up.
    let server = Household::start(
        &place.server,
        &format!(
            "in.tftpd --foreground --listen --secure --user nobody --address {SERVER}:69 {} {} &",
            range.unwrap_or_default(),
            place.folder.path().join("files").display()
        ),
    );
    let begun = Instant::now();
    // Bound as soon as the kernel says so; nothing is sent.
    while !place.server.run(|| std::net::UdpSocket::bind((SERVER, 69)).is_err()) {
        assert!(begun.elapsed() < PATIENCE, "in.tftpd does not come up");
        thread::sleep(Duration::from_millis(10));
    }
    server
}

fn up(place: &Place, mut command: Command) -> Running {
    let log = place.write("server.log", "");
    let log = std::fs::File::create(log).unwrap();
    command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
    let running = Running(command.spawn().unwrap());
    wait_for(place, 21);
    running
}

fn wait_for(place: &Place, port: u16) {
    let begun = Instant::now();
    while place.server.run(|| TcpStream::connect((SERVER, port)).is_err()) {
        let log = std::fs::read_to_string(place.folder.path().join("server.log"));
        assert!(begun.elapsed() < PATIENCE, "port {port} stays closed: {log:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn vsftpd(place: &Place, passive: Option<(u16, u16)>, certificate: Option<&str>) -> Command {
    let folder = place.folder.path().display();
    let mut text = format!(
        "listen=YES\nbackground=NO\nanonymous_enable=YES\nno_anon_password=YES\n\
         local_enable=NO\nanon_root={folder}/files\nsecure_chroot_dir={folder}/empty\n\
         write_enable=YES\nanon_upload_enable=YES\nanon_umask=022\nconnect_from_port_20=YES\n\
         connect_timeout=2\naccept_timeout=10\nseccomp_sandbox=NO\nxferlog_enable=NO\n"
    );
    if let Some((low, high)) = passive {
        text += &format!("pasv_min_port={low}\npasv_max_port={high}\n");
    }
    if let Some(file) = certificate {
        text += &format!(
            "ssl_enable=YES\nallow_anon_ssl=YES\nrequire_ssl_reuse=NO\nrsa_cert_file={file}\n\
             rsa_private_key_file={file}\nssl_ciphers=HIGH\n"
        );
    }
    let file = place.write("vsftpd.conf", &text);
    let mut command = place.server.command("vsftpd");
    command.arg(file);
    command
}

fn pyftpdlib(place: &Place, passive: Option<(u16, u16)>, certificate: Option<&str>) -> Command {
    let folder = place.folder.path().display();
    let handler = if certificate.is_some() { "TLS_FTPHandler" } else { "FTPHandler" };
    let mut text = format!(
        "from pyftpdlib.authorizers import DummyAuthorizer\n\
         from pyftpdlib.handlers import {handler}, ActiveDTP\n\
         from pyftpdlib.servers import FTPServer\n\
         authorizer = DummyAuthorizer()\n\
         authorizer.add_anonymous('{folder}/files', perm='elrw')\n\
         ActiveDTP.timeout = 2\n\
         class Handler({handler}):\n    pass\n\
         Handler.authorizer = authorizer\n"
    );
    if let Some((low, high)) = passive {
        text += &format!("Handler.passive_ports = range({low}, {high} + 1)\n");
    }
    if let Some(file) = certificate {
        text += &format!("Handler.certfile = '{file}'\n");
    }
    text += &format!("FTPServer(('{SERVER}', 21), Handler).serve_forever()\n");
    let file = place.write("server.py", &text);
    let mut command = place.server.command(PYTHON);
    command.args(["-W", "ignore"]).arg(file);
    command
}

/// A certificate and its key in one file.
fn certificate(place: &Place) -> String {
    let file = place.folder.path().join("server.pem").display().to_string();
    let done = command("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-nodes", "-days", "1", "-subj", "/CN=ftp", "-keyout", &file, "-out"])
        .arg(place.folder.path().join("only.pem"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let only = std::fs::read_to_string(place.folder.path().join("only.pem")).unwrap();
    let key = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{key}{only}")).unwrap();
    file
}
