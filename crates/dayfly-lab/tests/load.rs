//! Loads that are really run until they exhaust a range, next to their simulation: the first file
//! or connection that fails must be the same, give or take 2 %.

#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]
#![expect(clippy::disallowed_methods, reason = "the crate is pure; its test runs programs")]

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use dayfly_lab::scenario::Scenario;
use dayfly_lab::simulate::{Outcome, Simulation};
use dayfly_testkit::{Folder, Namespace, Server, SocketOptions, command, needs, privileged};

const TCP: SocketOptions = SocketOptions::tcp();

fn simulated(text: &str) -> Outcome {
    let scenario = Scenario::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Simulation::new(&scenario).run()
}

/// vsftpd with one passive port, and a folder that everybody may write to.
struct Ftp {
    namespace: Namespace,
    server: Child,
    _folder: Folder,
}

/// Uploads small files in one session until one fails: prints its number and the error's name.
const CLIENT: &str = r#"
import errno, ftplib, io, sys
ftp = ftplib.FTP()
ftp.connect("127.0.0.1", 21, timeout=20)
ftp.login()
ftp.cwd("in")
ftp.set_pasv(sys.argv[1] == "passive")
for number in range(1, int(sys.argv[2]) + 1):
    try:
        ftp.storbinary(f"STOR {number}", io.BytesIO(b"small"))
    except OSError as error:
        print(number, errno.errorcode[error.errno])
        break
else:
    print(0, "OK")
"#;

impl Ftp {
    fn start(range: &str) -> Ftp {
        let namespace = Namespace::new();
        namespace.sysctl("net.ipv4.ip_local_port_range", range);
        namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
        let folder = Folder::new();
        let place = folder.path().join("in");
        fs::create_dir(&place).unwrap();
        fs::create_dir(folder.path().join("empty")).unwrap();
        let owner = String::from_utf8(command("id").args(["-u", "ftp"]).output().unwrap().stdout);
        chown(&place, owner.unwrap().trim().parse().ok(), None).unwrap();
        let configuration = folder.path().join("vsftpd.conf");
        let text = format!(
            "listen=YES\nbackground=NO\nanonymous_enable=YES\nwrite_enable=YES\n\
             anon_upload_enable=YES\nanon_root={0}\nseccomp_sandbox=NO\nisolate_network=NO\n\
             secure_chroot_dir={0}/empty\npasv_min_port=2100\npasv_max_port=2100\n\
             connect_from_port_20=YES\n",
            folder.path().display()
        );
        fs::write(&configuration, text).unwrap();
        let mut command = namespace.command("vsftpd");
        let server = command.arg(&configuration).stdin(Stdio::null()).spawn().unwrap();
        let ftp = Ftp { namespace, server, _folder: folder };
        let begun = Instant::now();
        while ftp.namespace.run(|| TCP.connect(SocketAddr::from(([127, 0, 0, 1], 21))).is_err()) {
            assert!(begun.elapsed() < Duration::from_secs(30), "vsftpd does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        ftp
    }

    /// The first file that fails, and how.
    fn upload(&self, mode: &str, files: u32) -> (u64, String) {
        let mut client = self.namespace.command("python3");
        let output = client.args(["-c", CLIENT, mode, &files.to_string()]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (number, error) = text.trim().split_once(' ').unwrap_or_else(|| {
            panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
        });
        (number.parse().unwrap(), error.to_owned())
    }
}

impl Drop for Ftp {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn model(mode: &str) -> (u64, String) {
    let ports = if mode == "passive" { "passive_ports = 1" } else { "" };
    let outcome = simulated(&format!(
        "[[host]]\nsystem = \"linux\"\nrange = \"40000-40099\"\ntw_reuse = \"never\"\n\
         [[destination]]\nport = 21\nloopback = true\n\
         [[workload]]\nkind = \"ftp\"\nmode = \"{mode}\"\ndirection = \"upload\"\nfiles = 150\n\
         count = 1\n{ports}\n"
    ));
    // The first attempt of a session is its control connection.
    let file = outcome.workloads[0].first_failed.unwrap() - 1;
    (file, outcome.first_failure.unwrap().error.to_owned())
}

#[test]
fn small_files_exhaust_a_hundred_ports_at_the_same_file() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    needs!("python3", "python3");
    for mode in ["passive", "active"] {
        let ftp = Ftp::start("40000 40099");
        let (file, error) = ftp.upload(mode, 150);
        let expected = model(mode);
        assert_eq!(error, expected.1, "{mode}");
        let apart = (file as f64 / expected.0 as f64 - 1.0).abs();
        assert!(apart <= 0.02, "{mode}: file {file}, expected {}", expected.0);
    }
}

#[test]
fn connections_exhaust_a_thousand_ports_at_the_same_one() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40999");
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40500-40549");
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
    // Two of three connections are closed by the client, the others stay open.
    let kernel = namespace.run(|| {
        let server = Server::open(&TCP, SocketAddr::from(([127, 0, 0, 1], 80))).unwrap();
        let mut open = Vec::new();
        let begun = Instant::now();
        let mut number = 1_u64;
        loop {
            let done = match number % 3 {
                0 => server.connected_pair(&TCP).map(|pair| open.push(pair)),
                _ => server.leave_time_wait(&TCP).map(|_| ()),
            };
            if let Err(error) = done {
                return (number, error.raw_os_error(), begun.elapsed());
            }
            number += 1;
        }
    });
    let outcome = simulated(
        "stop_at_failure = true\n[[host]]\nsystem = \"linux\"\nrange = \"40000-40999\"\n\
         reserved = \"40500-40549\"\ntw_reuse = \"never\"\n[[destination]]\nloopback = true\n\
         [[workload]]\nrate = 2000\narrivals = \"constant\"\nduration = \"100 us\"\n\
         [[workload]]\nrate = 1000\narrivals = \"constant\"\nduration = \"forever\"\n",
    );
    let failure = outcome.first_failure.unwrap();
    assert_eq!(kernel.1, Some(number_of(failure.error)));
    assert!(kernel.2 < Duration::from_secs(60), "no TIME_WAIT has ended");
    let apart = (kernel.0 as f64 / failure.moment.number as f64 - 1.0).abs();
    assert!(apart <= 0.02, "{kernel:?}, expected {failure:?}");
}

/// The number of an error, of those that can come up.
fn number_of(name: &str) -> i32 {
    match name {
        "EADDRINUSE" => 98,
        "EADDRNOTAVAIL" => 99,
        _ => 0,
    }
}

/// `net.ipv4.tcp_tw_reuse_delay` is shortened, so that ports come back while the test runs.
#[test]
fn time_wait_that_is_old_enough_is_taken_over() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40009");
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "1");
    namespace.sysctl("net.ipv4.tcp_tw_reuse_delay", "1");
    let kernel = namespace.run(|| {
        let server = Server::open(&TCP, SocketAddr::from(([127, 0, 0, 1], 80))).unwrap();
        let ports = (0..200).map(|_| {
            let port = server.leave_time_wait(&TCP);
            std::thread::sleep(Duration::from_millis(1));
            port
        });
        ports.collect::<Result<Vec<u16>, _>>().unwrap()
    });
    let outcome = simulated(
        "[[host]]\nsystem = \"linux\"\nrange = \"40000-40009\"\ntw_reuse = \"everywhere\"\n\
         tw_reuse_delay = \"1 ms\"\n[[destination]]\n[[workload]]\nrate = 500\ncount = 200\n\
         arrivals = \"constant\"\nduration = \"100 us\"\n",
    );
    assert_eq!((kernel.len() as u64, 0), (outcome.opened, outcome.failed));
    // The second half of the range is not needed by either.
    assert!(kernel.iter().all(|port| port % 2 == 0), "{kernel:?}");
    assert!(outcome.heat.iter().skip(1).step_by(2).all(|times| *times == 0));
    assert!(outcome.reused >= 195);
}
