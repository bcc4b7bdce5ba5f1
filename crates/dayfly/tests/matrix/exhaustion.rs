//! Hundreds of small files over a range of sixty ports: what `dayfly` says is left is how many
//! files get through.
//!
//! Whoever closes a data connection first keeps its TIME_WAIT. In a download that is the server, in
//! an upload the client.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use dayfly_testkit::{needs, privileged};

use crate::place::{Place, SERVER, dayfly};
use crate::servers::{Server, start};

/// The client's range.
const RANGE: &str = "40000 40059";
const PORTS: u64 = 60;
/// The server's only passive port, where that matters.
const ONE: (u16, u16) = (50_000, 50_000);

/// Transfers as many files as it is told, in one session, until one fails.
struct Transfers {
    child: Child,
    words: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Transfers {
    fn start(place: &Place, way: &str) -> Transfers {
        let script = format!(
            "import errno, ftplib, io, sys\n\
             def session():\n    \
                 ftp = ftplib.FTP('{SERVER}', timeout=20)\n    \
                 ftp.login()\n    \
                 return ftp\n\
             kept, number, ftp = [], 0, session()\n\
             def download():\n    ftp.retrbinary('RETR a.txt', lambda part: None)\n\
             def upload():\n    ftp.storbinary('STOR in/%d' % number, io.BytesIO(b'x'))\n\
             def active():\n    ftp.set_pasv(False); upload()\n\
             def sessions():\n    session().close()\n\
             for line in sys.stdin:\n    \
                 done, why = 0, '-'\n    \
                 while done < int(line):\n        \
                     number += 1\n        \
                     try: {way}()\n        \
                     except OSError as error:\n            \
                         why = errno.errorcode.get(error.errno, str(error)); break\n        \
                     done += 1\n    \
                 print(done, why, flush=True)\n"
        );
        let mut child = place
            .client
            .command("python3")
            .args(["-c", &script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let words = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Transfers { child, words, answers }
    }

    /// How many of so many files got through, and the error that ended it.
    fn run(&mut self, files: u64) -> (u64, String) {
        writeln!(self.words, "{files}").unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let (done, why) = answer.trim().split_once(' ').unwrap();
        (done.parse().unwrap(), why.to_owned())
    }

    fn end(mut self) {
        drop(self.words);
        assert!(self.child.wait().unwrap().success());
    }
}

fn place(way: &str, passive: Option<(u16, u16)>) -> (Place, crate::place::Running, Transfers) {
    let place = Place::new();
    place.client.sysctl("net.ipv4.ip_local_port_range", RANGE);
    place.client.sysctl("net.ipv4.tcp_tw_reuse", "0");
    let server = start(&place, Server::Vsftpd, passive);
    let transfers = Transfers::start(&place, way);
    (place, server, transfers)
}

/// What `show` says of the client's connections to a port of the server: (used, free).
fn shown(place: &Place, port: u16) -> (u64, u64) {
    let destination = format!("{SERVER}:{port}");
    let words = ["show", "--netns", place.client.name(), "--destination", &destination];
    let told = dayfly(&words);
    let row = &told["namespaces"][0]["destinations"][0];
    (row["used"].as_u64().unwrap(), row["free"].as_u64().unwrap())
}

/// The ports of the client's range that nobody has.
fn unused(place: &Place) -> u64 {
    let told = dayfly(&["show", "--netns", place.client.name()]);
    told["namespaces"][0]["unused"].as_u64().unwrap()
}

fn error(name: &str) -> impl Fn(u64) -> (u64, String) + '_ {
    move |files| (files, name.to_owned())
}

#[test]
fn uploads_to_one_passive_port_end_where_show_says() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    let (place, _server, mut uploads) = place("upload", Some(ONE));
    assert_eq!(uploads.run(20), (20, "-".to_owned()));
    assert_eq!(shown(&place, ONE.0), (20, 40));
    assert_eq!(uploads.run(300), error("EADDRNOTAVAIL")(40));
    assert_eq!(shown(&place, ONE.0), (60, 0));
    let why = dayfly(&["why", &format!("{SERVER}:{}", ONE.0), "--netns", place.client.name()]);
    assert_eq!((&why["verdict"], &why["classes"]["time_wait"]), (&"full".into(), &PORTS.into()));
    uploads.end();
}

#[test]
fn the_forecast_names_the_file_that_fails() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    let (place, _server, mut uploads) = place("upload", Some(ONE));
    // Twenty files while it is watched, as many again, and then the last.
    let watched = std::thread::scope(|scope| {
        let destination = format!("{SERVER}:{}", ONE.0);
        let watch = scope.spawn({
            let client = place.client.name();
            move || dayfly(&["why", &destination, "--netns", client, "--for", "3"])
        });
        for _ in 0..20 {
            assert_eq!(uploads.run(1), (1, "-".to_owned()));
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        watch.join().unwrap()
    });
    let churn = &watched["churn"];
    let rate = churn["opens_per_second"].as_f64().unwrap();
    let seconds = churn["seconds_to_full"].as_f64().unwrap();
    // Ports left when the watch ended, by the forecast's own rate.
    let (_, free) = shown(&place, ONE.0);
    assert_eq!(free, PORTS - 20);
    let files = rate * seconds;
    assert!(files >= 1.0 && files <= PORTS as f64, "{churn}");
    assert!(churn["steady_state"].as_f64().unwrap() > PORTS as f64, "{churn}");
    assert_eq!(uploads.run(300), error("EADDRNOTAVAIL")(free));
    uploads.end();
}

#[test]
fn active_uploads_end_when_no_port_is_unused() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    let (place, _server, mut uploads) = place("active", None);
    assert_eq!(uploads.run(20), (20, "-".to_owned()));
    // The control connection has a port as well.
    assert_eq!(unused(&place), PORTS - 20 - 1);
    assert_eq!(uploads.run(300), error("EADDRINUSE")(39));
    assert_eq!(unused(&place), 0);
    assert_eq!(shown(&place, 20), (59, 1));
    uploads.end();
}

#[test]
fn sessions_that_are_not_ended_well_use_the_range_up() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    let (place, _server, mut sessions) = place("sessions", None);
    assert_eq!(sessions.run(20), (20, "-".to_owned()));
    assert_eq!(shown(&place, 21), (21, 39));
    assert_eq!(sessions.run(300), error("EADDRNOTAVAIL")(39));
    sessions.end();
}

#[test]
fn downloads_and_uploads_to_many_ports_never_end() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    std::thread::scope(|scope| {
        // The server closes first and keeps what is left; of thousands of ports none comes twice.
        for (way, passive) in [("download", Some(ONE)), ("upload", None)] {
            scope.spawn(move || {
                let (place, _server, mut transfers) = place(way, passive);
                assert_eq!(transfers.run(300), (300, "-".to_owned()), "{way}");
                if way == "download" {
                    assert_eq!(unused(&place), PORTS - 1);
                }
                transfers.end();
            });
        }
    });
}
