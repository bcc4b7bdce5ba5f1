//! `--offer`: a server that opens ports of its own opens them in the given range, so that a firewall
//! needs to open no other.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::exit::wait_until;
use crate::stand::{PATIENCE, Stand, Who};

/// bind() to port 0, listen() without bind(), TCP and UDP: what a program is then told, and where it
/// really is.
#[test]
fn sockets_bound_to_any_port() {
    crate::stand!();
    let stand = Stand::near();
    let script = "import socket as s, sys\n\
        bound = s.socket(); bound.bind(('127.0.0.1', 0)); bound.listen()\n\
        free = s.socket(); free.listen()\n\
        six = s.socket(s.AF_INET6); six.bind(('::', 0)); six.listen()\n\
        own = s.socket(); own.bind(('127.0.0.1', 2345)); own.listen()\n\
        udp = s.socket(s.AF_INET, s.SOCK_DGRAM); udp.bind(('127.0.0.1', 0))\n\
        print(*[x.getsockname()[1] for x in (bound, free, six, own, udp)], flush=True)\n\
        sys.stdin.read()";
    for who in [Who::Root, Who::User] {
        let mut words =
            stand.words("@dayfly run --offer --range 50000-50003 -- /usr/bin/python3 -c");
        words.push(script.to_owned());
        let mut command = stand.command(who, &words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ports: Vec<u16> = line.split_whitespace().map(|word| word.parse().unwrap()).collect();
        for (place, port) in ports.iter().enumerate() {
            let wanted = if place == 3 { 2345..=2345 } else { 50000..=50003 };
            assert!(wanted.contains(port), "{who:?}: {ports:?}");
            if place < 4 {
                let reached = stand.client.run(|| TcpStream::connect(("127.0.0.1", *port)));
                assert!(reached.is_ok(), "{who:?}: nobody listens at {port}: {reached:?}");
            }
        }
        drop(child.stdin.take());
        child.wait().unwrap();
    }
}

/// A real FTP server: the port that it listens at for data, and the port that it dials from.
#[test]
fn the_data_ports_of_an_ftp_server() {
    crate::stand!();
    dayfly_testkit::needs!(
        "../lib/python3/dist-packages/pyftpdlib/__main__.py",
        "python3-pyftpdlib"
    );
    let stand = Stand::near();
    let line = "-- /usr/bin/python3 -m pyftpdlib --interface 127.0.0.1 --port 2121 --directory /";
    let words = stand.words(&format!("@dayfly run --offer --range 50100-50109 {line}"));
    let mut server = stand.command(Who::User, &words);
    let mut server = server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let connect = |port: u16| stand.client.run(|| TcpStream::connect(("127.0.0.1", port)));
    wait_until(|| connect(2121).is_ok(), || "the FTP server does not listen".to_owned());

    let mut control = Control::open(connect(2121).unwrap());
    control.say("USER anonymous", "331");
    control.say("PASS x", "230");
    // 227 Entering passive mode (127,0,0,1,195,81).
    let passive = control.say("PASV", "227");
    let inner = passive.split(['(', ')']).nth(1).unwrap();
    let numbers: Vec<u16> = inner.split(',').map(|word| word.parse().unwrap()).collect();
    let port = numbers[4] * 256 + numbers[5];
    assert!((50100..=50109).contains(&port), "{passive}");
    assert!(connect(port).is_ok(), "{passive}");

    let ours = stand.client.run(|| TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = ours.local_addr().unwrap().port();
    control.say(&format!("PORT 127,0,0,1,{},{}", port / 256, port % 256), "200");
    control.send("LIST");
    ours.set_nonblocking(true).unwrap();
    let mut from: Option<SocketAddr> = None;
    wait_until(
        || {
            from = ours.accept().ok().map(|(_, from)| from);
            from.is_some()
        },
        || "the FTP server does not dial".to_owned(),
    );
    let from = from.unwrap();
    assert!((50100..=50109).contains(&from.port()), "the server dials from {from}");
    assert_eq!(from.ip(), IpAddr::from([127, 0, 0, 1]));
    kill_process(Pid::from_child(&server), Signal::TERM).unwrap();
    server.wait().unwrap();
}

/// The conversation of RFC 959.
struct Control {
    stream: BufReader<TcpStream>,
}

impl Control {
    fn open(stream: TcpStream) -> Control {
        stream.set_read_timeout(Some(PATIENCE.max(Duration::from_secs(1)))).unwrap();
        let mut control = Control { stream: BufReader::new(stream) };
        control.hear("220");
        control
    }

    fn send(&mut self, words: &str) {
        self.stream.get_mut().write_all(format!("{words}\r\n").as_bytes()).unwrap();
    }

    fn say(&mut self, words: &str, code: &str) -> String {
        self.send(words);
        self.hear(code)
    }

    fn hear(&mut self, code: &str) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        assert!(line.starts_with(code), "{line}");
        line
    }
}
