//! Whom the ports blame, on programs of every habit that take turns on the real kernel.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its ground fails")]

use std::net::{Ipv4Addr, SocketAddr};

use dayfly_insight::DestinationKey;
use dayfly_insight::blame::{Docket, Habit, Judgement};
use dayfly_linux::probe::Probe;
use dayfly_linux::settings;
use dayfly_testkit::{Namespace, Server, Socket, SocketOptions, check_many, privileged};
use proptest::prelude::*;

const LOW: u16 = 32768;
const HIGH: u16 = 60999;
/// Destinations that programs share, and those that a program with one fixed port goes through.
const SHARED: u16 = 6;
const SINGLE: u16 = 320;

#[derive(Clone, Copy, Debug)]
enum Does {
    Plain,
    Careful,
    WholeRange,
    Binds,
    BindsReusing,
    OwnRange(u16, u16),
    Pins(u16),
}

impl Does {
    fn options(self) -> SocketOptions {
        let options = SocketOptions::tcp();
        let bound = options.bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0));
        match self {
            Does::Plain => options,
            Does::Careful => bound.address_no_port(),
            Does::WholeRange => options.local_port_range(LOW, HIGH),
            Does::Binds => bound,
            Does::BindsReusing => bound.reuse_address(),
            Does::OwnRange(low, length) => options.local_port_range(low, low + length),
            Does::Pins(port) => {
                options.bind(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)).reuse_address()
            }
        }
    }
}

fn any_program() -> impl Strategy<Value = (Does, u16, u16)> {
    let habit = prop_oneof![
        3 => Just(Does::Plain),
        1 => Just(Does::Careful),
        1 => Just(Does::WholeRange),
        2 => Just(Does::Binds),
        1 => Just(Does::BindsReusing),
        1 => (LOW..45_000, 2000u16..9000).prop_map(|(low, length)| Does::OwnRange(low, length)),
        1 => (LOW..HIGH).prop_map(Does::Pins),
    ];
    (habit, 200..SINGLE, 0..SHARED)
}

fn serve(port: u16) -> (SocketAddr, Server) {
    let place = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port);
    (place, Server::open(&SocketOptions::tcp(), place).unwrap())
}

#[test]
fn the_guilty_are_named_and_nobody_else() {
    privileged!();
    let mixes = prop::collection::vec(any_program(), 1..=20);
    check_many(6, 30, &mixes, |programs| {
        let namespace = Namespace::new();
        namespace.run(|| {
            let shared: Vec<_> = (1000..1000 + SHARED).map(serve).collect();
            let single: Vec<_> = (2000..2000 + SINGLE).map(serve).collect();
            let mut docket = Docket::new(&settings::read().unwrap());
            let mut held: Vec<Socket> = Vec::new();
            let mut seen = vec![0; programs.len()];
            for turn in 0..SINGLE {
                for (index, &(does, count, place)) in programs.iter().enumerate() {
                    if turn >= count {
                        continue;
                    }
                    let to = match does {
                        Does::Pins(_) => single[usize::from(turn)].0,
                        _ => shared[usize::from((place + turn % 2) % SHARED)].0,
                    };
                    match does.options().connect(to) {
                        Ok(socket) => {
                            let local = socket.local();
                            let key = DestinationKey::tcp(local.ip(), to);
                            let name = format!("program {index}");
                            docket.add(Some(&name), key, local.port().into());
                            held.push(socket);
                            seen[index] += 1;
                        }
                        // A pinned port that somebody else has by chance.
                        Err(error) => assert!(matches!(does, Does::Pins(_)), "{does:?}: {error}"),
                    }
                }
            }
            let probe = Probe::new().unwrap();
            let mut accusations = docket.accusations();
            for (index, (does, ..)) in programs.iter().enumerate() {
                let name = format!("program {index}");
                let found = accusations.iter_mut().find(|found| found.program == name);
                if seen[index] < 200 {
                    continue;
                }
                let habit = found.as_ref().map(|found| found.habit);
                let right = match does {
                    Does::Plain | Does::Careful => habit.is_none(),
                    // Near one place it looks like, and is, a range of its own.
                    Does::WholeRange => {
                        habit.is_none_or(|habit| matches!(habit, Habit::OwnRange(_)))
                    }
                    Does::Binds => habit == Some(Habit::BindsFirst),
                    Does::BindsReusing => habit == Some(Habit::BindsFirstReusing),
                    Does::OwnRange(..) => matches!(habit, Some(Habit::OwnRange(_))),
                    Does::Pins(_) => habit == Some(Habit::PinsPorts),
                };
                prop_assert!(right, "{:?} is {:?} after {} ports", does, habit, seen[index]);
                if let Some(found) = found.filter(|found| found.habit.binds_first()) {
                    let bound = probe.buckets(&found.ports).unwrap();
                    prop_assert_eq!(found.judge(&bound), Judgement::Confirmed);
                }
            }
            Ok(())
        })
    });
}

#[test]
fn the_kernel_clears_whom_the_ports_accuse_wrongly() {
    privileged!();
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40999");
    namespace.run(|| {
        let (place, _server) = serve(80);
        let connect = || SocketOptions::tcp().connect(place).unwrap();
        let fast: Vec<_> = (0..500).map(|_| connect()).collect();
        // These came when the destination was past its cliff, and stay when it no longer is.
        let late: Vec<_> = (0..200).map(|_| connect()).collect();
        drop(fast);
        let mut docket = Docket::new(&settings::read().unwrap());
        for socket in &late {
            let local = socket.local();
            docket.add(Some("late"), DestinationKey::tcp(local.ip(), place), local.port().into());
        }
        let mut accusation = docket.accusations().remove(0);
        assert_eq!(accusation.habit, Habit::BindsFirst);
        let bound = Probe::new().unwrap().buckets(&accusation.ports).unwrap();
        assert_eq!(accusation.judge(&bound), Judgement::Cleared);
    });
}
