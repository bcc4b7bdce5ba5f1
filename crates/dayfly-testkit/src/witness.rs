//! A server that tells every client which address it came from, and remembers.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};

/// One client, as the server saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whether it came by TCP; otherwise by UDP.
    pub tcp: bool,
    /// Its address and port, in the form of IPv4 where mapped.
    pub client: SocketAddr,
}

/// Answers every line with the address that it came from, by TCP and UDP on one port, to HTTP too,
/// and keeps connections open until the client closes them.
///
/// A client's own word for its port proves nothing: what was set may be another port than the one
/// on the wire. This is the word of the other side.
#[derive(Debug)]
pub struct Witness {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    late: Arc<AtomicU64>,
    stop: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

impl Witness {
    /// Opens the sockets in the calling thread's namespace and answers from a thread of its own
    /// until dropped. `[::]:PORT` serves both families.
    ///
    /// # Errors
    /// The kernel's, such as `EADDRINUSE`.
    pub fn open(local: SocketAddr) -> io::Result<Witness> {
        let listener = TcpListener::bind(local)?;
        listener.set_nonblocking(true)?;
        let datagrams = UdpSocket::bind(local)?;
        datagrams.set_nonblocking(true)?;
        let (stopped, stop) = pipe_with(PipeFlags::CLOEXEC)?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let late = Arc::new(AtomicU64::new(0));
        let mut desk = Desk {
            listener,
            datagrams,
            stopped,
            open: Vec::new(),
            seen: seen.clone(),
            late: late.clone(),
        };
        let thread = std::thread::spawn(move || desk.serve());
        Ok(Witness { address: local, seen, late, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Everybody who came since this was last asked, in the order of coming.
    #[must_use]
    pub fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut lock(&self.seen))
    }

    /// From now on a connection is closed so long after the client has closed it, as if the server
    /// were far away; nobody else is served meanwhile.
    pub fn close_late(&self, late: Duration) {
        let late = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
        self.late.store(late, Ordering::Relaxed);
    }

    /// The same as [`take`](Witness::take) once there are at least so many, or when ten seconds are over.
    #[must_use]
    pub fn wait_for(&self, count: usize) -> Vec<Seen> {
        let begun = Instant::now();
        while lock(&self.seen).len() < count && begun.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.take()
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread has.
struct Desk {
    listener: TcpListener,
    datagrams: UdpSocket,
    stopped: OwnedFd,
    open: Vec<TcpStream>,
    seen: Arc<Mutex<Vec<Seen>>>,
    late: Arc<AtomicU64>,
}

impl Desk {
    fn serve(&mut self) {
        loop {
            let (stop, listener, datagrams, ready) = self.wait();
            if stop {
                return;
            }
            // From the last one on, because those that are over leave the list.
            for place in ready.into_iter().rev() {
                if !self.answer(place) {
                    self.open.swap_remove(place);
                }
            }
            if listener {
                self.accept();
            }
            if datagrams {
                self.answer_datagrams();
            }
        }
    }

    /// Whether to stop, whether somebody connects, whether datagrams came, which streams are ready.
    fn wait(&self) -> (bool, bool, bool, Vec<usize>) {
        let fixed = [self.stopped.as_fd(), self.listener.as_fd(), self.datagrams.as_fd()];
        let streams = self.open.iter().map(AsFd::as_fd);
        let mut all: Vec<PollFd<'_>> = fixed
            .into_iter()
            .chain(streams)
            .map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN))
            .collect();
        while poll(&mut all, None).is_err() {}
        let is_ready = |entry: &PollFd<'_>| !entry.revents().is_empty();
        let ready = (0..self.open.len()).filter(|place| is_ready(&all[place + 3])).collect();
        (is_ready(&all[0]), is_ready(&all[1]), is_ready(&all[2]), ready)
    }

    fn accept(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            if stream.set_nonblocking(true).is_ok() {
                self.open.push(stream);
            }
        }
    }

    /// Whether the stream goes on.
    fn answer(&mut self, place: usize) -> bool {
        let stream = &mut self.open[place];
        let mut request = [0; 4096];
        let length = match stream.read(&mut request) {
            Ok(length) => length,
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        };
        let Ok(client) = stream.peer_addr() else { return false };
        if length == 0 {
            std::thread::sleep(Duration::from_millis(self.late.load(Ordering::Relaxed)));
            return false;
        }
        let client = plain(client);
        lock(&self.seen).push(Seen { tcp: true, client });
        let line = format!("{client}\n");
        let answer = if request.starts_with(b"GET ") {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}", line.len())
        } else {
            line
        };
        stream.write_all(answer.as_bytes()).is_ok()
    }

    fn answer_datagrams(&self) {
        let mut request = [0; 4096];
        while let Ok((_, client)) = self.datagrams.recv_from(&mut request) {
            let plain = plain(client);
            lock(&self.seen).push(Seen { tcp: false, client: plain });
            // A client that has gone does not want the answer.
            let _ = self.datagrams.send_to(format!("{plain}\n").as_bytes(), client);
        }
    }
}

fn plain(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

fn lock(seen: &Mutex<Vec<Seen>>) -> MutexGuard<'_, Vec<Seen>> {
    seen.lock().expect("no thread panics while it has the list")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Namespace;

    #[test]
    fn it_tells_and_remembers_where_clients_come_from() {
        crate::privileged!();
        let namespace = Namespace::new();
        let witness = namespace.run(|| Witness::open("[::]:700".parse().unwrap())).unwrap();
        let mut client = namespace.run(|| TcpStream::connect("127.0.0.1:700")).unwrap();
        let from = client.local_addr().unwrap();
        client.write_all(b"?\n").unwrap();
        let mut answer = [0; 80];
        let length = client.read(&mut answer).unwrap();
        assert_eq!(std::str::from_utf8(&answer[..length]).unwrap(), format!("{from}\n"));
        assert_eq!(witness.take(), [Seen { tcp: true, client: from }]);

        let from: SocketAddr = "[::1]:2346".parse().unwrap();
        let client = namespace.run(|| UdpSocket::bind(from)).unwrap();
        client.send_to(b"?\n", "[::1]:700").unwrap();
        let length = client.recv(&mut [0; 80]).unwrap();
        assert_eq!(length, "[::1]:2346\n".len());
        assert_eq!(witness.take(), [Seen { tcp: false, client: from }]);
        assert_eq!(witness.take(), []);
    }
}
