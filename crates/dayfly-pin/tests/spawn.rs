//! The library as its users see it, with the port judged by the server.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::io::Read;
use std::net::TcpListener;
use std::process::Command;

use dayfly_pin::{Error, Happening, Outcome, Pin, Via};
use dayfly_ports::{Port, PortRange};

const PORTS: &str = "61000-65535";

fn pin() -> Pin {
    Pin::ports(PORTS.parse::<PortRange>().unwrap()).report(true)
}

/// Runs bash, which connects itself.
fn connect(via: Via) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = server.local_addr().unwrap();
    let (mut said, out) = std::io::pipe().unwrap();
    let mut command = Command::new("bash");
    command
        .arg("-c")
        .arg(format!("exec 3<>/dev/tcp/127.0.0.1/{}; echo done; exit 7", place.port()));
    command.stdout(out);
    let mut pinned = pin().via(via).spawn(&mut command).unwrap();
    drop(command);
    assert_eq!(pinned.via(), via);
    let (_, client) = server.accept().unwrap();
    assert!((61000..=65535).contains(&client.port()), "{via:?}: {client}");
    assert_eq!(pinned.wait().unwrap().code(), Some(7));
    let mut text = String::new();
    said.read_to_string(&mut text).unwrap();
    assert_eq!(text, "done\n");
}

#[test]
fn everybody_can_pin() {
    connect(Via::Seccomp);
}

#[test]
fn root_can_pin_in_the_kernel() {
    dayfly_testkit::privileged!();
    connect(Via::Bpf);
}

#[test]
fn events_come_before_the_end() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = server.local_addr().unwrap();
    let script = format!("exec 3<>/dev/tcp/127.0.0.1/{}", place.port());
    let mut pinned =
        pin().via(Via::Seccomp).spawn(Command::new("bash").args(["-c", &script])).unwrap();
    let (_, client) = server.accept().unwrap();
    let mut happened = Vec::new();
    while !matches!(happened.last(), Some(Happening::Exited(_))) {
        match pinned.try_next().unwrap() {
            Some(happening) => happened.push(happening),
            None => std::thread::yield_now(),
        }
    }
    let Happening::Connection(event) = &happened[0] else { panic!("{happened:?}") };
    assert_eq!(event.outcome, Outcome::Pinned(Port::new(client.port())));
    assert_eq!((event.destination, event.program.as_str()), (Some(place), "bash"));
    assert_eq!(pinned.try_next().unwrap(), None);
}

#[test]
fn what_cannot_run_is_told() {
    let spawn = |program: &str| pin().via(Via::Seccomp).spawn(&mut Command::new(program));
    let Err(Error::Run(error)) = spawn("/does/not/exist") else { panic!("it ran") };
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
    let Err(Error::Run(error)) = spawn("/etc/passwd") else { panic!("it ran") };
    assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
    let none = Pin::ports(PortRange::single(Port::MIN)).spawn(&mut Command::new("true"));
    assert!(matches!(none, Err(Error::NoPort)), "{none:?}");
}
