//! Clients that connect when they are told, in turns, so that whatever else the machine does meets
//! all of them alike.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use dayfly_testkit::{Namespace, Socket, SocketOptions};

use super::super::median;
use super::{Programs, command};

/// A program that waits for its turn.
pub(super) struct Client {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

/// Somewhere to connect to; what comes is accepted between turns.
pub(super) struct Destination {
    _socket: Socket,
    listener: TcpListener,
    address: SocketAddr,
}

impl Destination {
    pub(super) fn open(namespace: &Namespace) -> Result<Destination, String> {
        let address = SocketAddr::from(([127, 0, 0, 1], 7000));
        let opened = namespace.run(|| {
            // Its queue is long, unlike that of the standard library's listener.
            let socket = SocketOptions::tcp().listen(address)?;
            let listener = TcpListener::from(socket.as_fd().try_clone_to_owned()?);
            listener.set_nonblocking(true)?;
            Ok::<_, std::io::Error>(Destination { _socket: socket, listener, address })
        });
        opened.map_err(|error| format!("cannot listen at {address}: {error}"))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Accepts what has come; it lasts as long as the value.
    pub(super) fn keep(&self) -> Vec<TcpStream> {
        std::iter::from_fn(|| self.listener.accept().ok()).map(|(stream, _)| stream).collect()
    }

    fn empty(&self) {
        while self.listener.accept().is_ok() {}
    }
}

impl Client {
    /// Starts it; `options` are those of `dayfly run`, none for the plain program.
    pub(super) fn start(
        programs: &Programs,
        namespace: &Namespace,
        options: &str,
        name: &str,
        batch: usize,
    ) -> Result<Client, String> {
        let mut words = programs.before(options);
        words.extend(programs.client(name));
        words.extend(["connect", "127.0.0.1", "7000"].map(str::to_owned));
        words.push(format!("turns={batch}"));
        let mut child = command(namespace, &words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{words:?} does not run: {error}"))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a client without pipes".to_owned());
        };
        Ok(Client { child, input: Some(input), output: BufReader::new(output) })
    }

    /// One turn: the median of what its connections took, in microseconds.
    fn turn(&mut self) -> Result<f64, String> {
        let gone = |error: std::io::Error| format!("a client is gone: {error}");
        if let Some(input) = &mut self.input {
            input.write_all(b".").map_err(gone)?;
        }
        let mut line = String::new();
        self.output.read_line(&mut line).map_err(gone)?;
        let took: Vec<f64> = line.split_whitespace().flat_map(str::parse).collect();
        if took.is_empty() {
            return Err("a client could not connect; see above".to_owned());
        }
        Ok(median(took) / 1e3)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // The end of its input is the end of the program.
        self.input = None;
        let _ = self.child.wait();
    }
}

/// Lets all of them take their turns, so many rounds; for each client what each round took, in
/// microseconds. Who comes first changes from round to round.
pub(super) fn take_turns(
    clients: &mut [Client],
    destination: &Destination,
    rounds: usize,
) -> Result<Vec<Vec<f64>>, String> {
    /// Rounds that are not counted: caches, page tables, the interpreter.
    const WARM_UP: usize = 3;
    let mut took = vec![Vec::with_capacity(rounds); clients.len()];
    for round in 0..rounds + WARM_UP {
        for place in 0..clients.len() {
            let place = (place + round) % clients.len();
            let result = clients[place].turn()?;
            destination.empty();
            if round >= WARM_UP {
                took[place].push(result);
            }
        }
    }
    Ok(took)
}

/// The median of the differences, round by round.
pub(super) fn added(of: &[f64], to: &[f64]) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| of - to))
}

/// The median of the ratios, round by round.
pub(super) fn ratio(of: &[f64], to: &[f64]) -> f64 {
    median(of.iter().zip(to).map(|(of, to)| of / to))
}
