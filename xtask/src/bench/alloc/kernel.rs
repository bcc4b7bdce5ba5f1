//! The kernel's own choice, in a namespace: connect() and bind(0), with the ports taken in the order
//! in which the kernel itself takes them.

use std::net::SocketAddr;
use std::time::Instant;

use dayfly_alloc::{Random, Xoshiro};
use dayfly_testkit::{Namespace, Server, Socket, SocketOptions, raise_open_files};

use super::figure::Figure;
use super::{Measured, OCCUPANCIES, PORTS};
use crate::shell;

const SECTION: &str = "This kernel, whole system calls with their socket: median";
const LOW: u16 = 49_152;
const CALLS: usize = 101;

pub(super) fn measure() -> Measured {
    if !shell::output("id", &["-u"])?.trim().eq("0") {
        return Err("needs root for a network namespace".to_owned());
    }
    raise_open_files();
    let tcp = SocketOptions::tcp();
    let to = SocketAddr::from(([127, 0, 0, 1], 80));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let connect = |port: Option<u16>| match port {
        Some(port) => tcp.local_port_range(port, port).connect(to),
        None => tcp.connect(to),
    };
    let bind = |port: Option<u16>| tcp.hold(SocketAddr::new(any.ip(), port.unwrap_or(0)));
    let mut figures = of("kernel connect()", 0, &connect)?;
    figures.extend(of("kernel bind(0)", 1, &bind)?);
    Ok(figures)
}

/// `open` takes a given port or lets the kernel choose; `parity` is the one that it takes first.
fn of(
    what: &str,
    parity: u16,
    open: &(dyn Fn(Option<u16>) -> std::io::Result<Socket> + Sync),
) -> Result<Vec<Figure>, String> {
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "49152 65535");
    namespace.run(|| {
        let failed = |error| format!("{what} failed: {error}");
        let tcp = SocketOptions::tcp();
        let here = SocketAddr::from(([127, 0, 0, 1], 80));
        let _server = Server::open(&tcp, here).map_err(failed)?;
        // One parity and then the other, each in random order.
        let mut random = Xoshiro::seeded(1);
        let mut order: Vec<u16> = Vec::new();
        for parity in [parity, 1 - parity] {
            let mut half: Vec<u16> =
                (0..PORTS as u16 / 2).map(|place| LOW + 2 * place + parity).collect();
            while !half.is_empty() {
                order.push(half.swap_remove(random.below(half.len() as u32) as usize));
            }
        }
        let mut held = Vec::new();
        let mut figures = Vec::new();
        for (taken, at) in OCCUPANCIES {
            while held.len() < taken as usize {
                held.push(open(Some(order[held.len()])).map_err(failed)?);
            }
            let mut times = Vec::new();
            for _ in 0..CALLS {
                let start = Instant::now();
                let opened = open(None);
                times.push(start.elapsed().as_nanos() as f64);
                if opened.is_ok() != (taken < PORTS) {
                    return Err(format!("{what} with {taken} ports taken: {opened:?}"));
                }
            }
            figures.push(Figure::new(SECTION, what, at, super::super::median(times), "ns"));
        }
        Ok(figures)
    })
}
