//! What a strategy needs to know of the ports: which are free.
//!
//! The pool, the allocator's view of one destination, a plain [`PortSet`] and the simulator's
//! worlds all answer it, so one strategy runs over each of them.

use core::cell::Cell;

use dayfly_ports::{Port, PortRange, PortSet};

/// Which ports are free for one tuple without its local port.
pub trait Availability {
    /// Whether the port may be handed out now. A port that the answerer knows nothing of is not
    /// free.
    fn is_free(&self, port: Port) -> bool;

    /// How many ports of the range are free.
    fn free_in(&self, range: PortRange) -> u32 {
        count(self, range)
    }

    /// The free port of the range that has exactly `rank` free ones of the range below it.
    fn select_free(&self, range: PortRange, rank: u32) -> Option<Port> {
        select(self, range, rank)
    }

    /// The first free port of those `start`, `start + step`, `start + 2 * step` and so on above the
    /// low end, wrapping within the range, until all of them have been looked at. The range's length
    /// has to be a multiple of `step`; `start` counts modulo the length.
    ///
    /// What most systems do to find a port, so whoever keeps a bitmap answers it by the word.
    fn first_free(&self, range: PortRange, start: u32, step: u32) -> Option<Port> {
        let (len, step) = (range.len(), step.max(1));
        let start = start % len;
        (0..len.div_ceil(step))
            .map(|tried| start + tried * step)
            .map(|offset| if offset >= len { offset - len } else { offset })
            .map(|offset| Port::new(range.low().number() + offset as u16))
            .find(|port| self.is_free(*port))
    }
}

pub(crate) fn count<A: Availability + ?Sized>(free: &A, range: PortRange) -> u32 {
    range.iter().filter(|port| free.is_free(*port)).count() as u32
}

pub(crate) fn select<A: Availability + ?Sized>(
    free: &A,
    range: PortRange,
    rank: u32,
) -> Option<Port> {
    range.iter().filter(|port| free.is_free(*port)).nth(rank as usize)
}

/// The set of the free ports.
impl Availability for PortSet {
    fn is_free(&self, port: Port) -> bool {
        self.contains(port)
    }
}

/// Counts how often a strategy asks: its probes are what a kernel pays for.
///
/// ```
/// use dayfly_alloc::{Availability, Counting};
/// use dayfly_ports::{Port, PortSet};
///
/// let counting = Counting::new(&PortSet::EMPTY);
/// assert!(!counting.is_free(Port::new(80)));
/// assert_eq!(counting.probes(), 1);
/// ```
#[derive(Debug)]
pub struct Counting<'a, A: ?Sized> {
    inner: &'a A,
    probes: Cell<u64>,
}

impl<'a, A: Availability + ?Sized> Counting<'a, A> {
    /// Counts the questions that `inner` answers.
    pub fn new(inner: &'a A) -> Self {
        Counting { inner, probes: Cell::new(0) }
    }

    /// The ports asked about so far. A rank or a count is one question, whatever it costs.
    pub fn probes(&self) -> u64 {
        self.probes.get()
    }

    fn ask(&self) -> &'a A {
        self.probes.set(self.probes.get() + 1);
        self.inner
    }
}

impl<A: Availability + ?Sized> Availability for Counting<'_, A> {
    fn is_free(&self, port: Port) -> bool {
        self.ask().is_free(port)
    }

    fn free_in(&self, range: PortRange) -> u32 {
        self.ask().free_in(range)
    }

    fn select_free(&self, range: PortRange, rank: u32) -> Option<Port> {
        self.ask().select_free(range, rank)
    }
}
