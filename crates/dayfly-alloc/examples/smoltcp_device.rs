//! A smoltcp device that takes its local ports from here. smoltcp leaves the choice of the port to
//! its user; counting upwards by hand is predictable and, after a reset, reuses ports that the peer
//! still remembers. `cargo run -p dayfly-alloc --example smoltcp_device`

#![expect(clippy::disallowed_macros, reason = "an example shows what it does")]

use std::error::Error;
use std::hash::{BuildHasher, RandomState};

use dayfly_alloc::{Allocator, Handle, Key, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};
use smoltcp::iface::{Config, Interface, SocketHandle, SocketSet};
use smoltcp::phy::{Loopback, Medium};
use smoltcp::socket::tcp;
use smoltcp::time::Instant;
use smoltcp::wire::{HardwareAddress, IpAddress, IpCidr};

const SERVER: (IpAddress, u16) = (IpAddress::v4(127, 0, 0, 1), 80);

fn main() -> Result<(), Box<dyn Error>> {
    let seed = RandomState::new().hash_one("device");
    // 20 ports, held for four seconds: ticks are smoltcp's milliseconds.
    let settings = dayfly_alloc::Config {
        hold: 4000,
        ..dayfly_alloc::Config::new(PortRange::new(50000, 50019)?)
    };
    let mut ports = Allocator::new(settings, Xoshiro::seeded(seed));
    let local = std::net::Ipv4Addr::LOCALHOST.into();
    let key = Key::new(Protocol::Tcp, local, local, Port::new(SERVER.1));

    let mut device = Loopback::new(Medium::Ip);
    let mut interface =
        Interface::new(Config::new(HardwareAddress::Ip), &mut device, Instant::ZERO);
    let mut full = false;
    interface.update_ip_addrs(|list| full = list.push(IpCidr::new(SERVER.0, 8)).is_err());
    assert!(!full, "the interface takes one address");

    let mut sockets = SocketSet::new(Vec::new());
    let mut clients: Vec<(SocketHandle, Handle)> = Vec::new();
    let mut now = 0_i64;
    for round in 0..3 {
        for _ in 0..10 {
            let mut server = socket();
            server.listen(SERVER.1)?;
            let _server = sockets.add(server);
            let lent = ports.allocate(&key, now as u64)?;
            let client = sockets.add(socket());
            let connection = sockets.get_mut::<tcp::Socket>(client);
            connection.connect(interface.context(), SERVER, lent.port().number())?;
            clients.push((client, lent));
        }
        for _ in 0..50 {
            now += 10;
            interface.poll(Instant::from_millis(now), &mut device, &mut sockets);
        }
        let mut taken: Vec<u16> = Vec::new();
        for (client, lent) in clients.drain(..) {
            let connection = sockets.get_mut::<tcp::Socket>(client);
            assert_eq!(connection.state(), tcp::State::Established);
            taken.push(lent.port().number());
            connection.abort();
            ports.release(lent, now as u64)?;
        }
        interface.poll(Instant::from_millis(now), &mut device, &mut sockets);
        println!("round {round} at {now} ms: connected from {taken:?}");
        if round == 1 {
            // Both halves of the range are held now; the third round has to wait.
            let error = ports.allocate(&key, now as u64);
            println!("at {now} ms: {}", error.err().map_or("a port".to_owned(), |e| e.to_string()));
            now += 4000;
        }
    }
    Ok(())
}

fn socket() -> tcp::Socket<'static> {
    let buffer = || tcp::SocketBuffer::new(vec![0; 256]);
    tcp::Socket::new(buffer(), buffer())
}

#[cfg(test)]
mod tests {
    #[test]
    fn runs() {
        super::main().unwrap();
    }
}
