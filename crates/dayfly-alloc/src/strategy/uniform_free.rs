//! Uniform among the free ports: this crate's own rule.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at};
use crate::Random;

/// Every free port exactly as likely as the others, and no failure while one is free.
///
/// A few draws over the range, then a draw among the free ports by rank; [`Pool`] does the same
/// with a list instead of a rank, faster.
///
/// [`Pool`]: crate::Pool
#[derive(Clone, Debug)]
pub struct UniformFree {
    range: PortRange,
}

impl UniformFree {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        UniformFree { range }
    }
}

impl Strategy for UniformFree {
    fn name(&self) -> &'static str {
        "uniform-free"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        for _ in 0..3 {
            let port = at(self.range, random.below(self.range.len()));
            if request.free.is_free(port) {
                return Some(port);
            }
        }
        let free = request.free.free_in(self.range);
        request.free.select_free(self.range, random.below(free))
    }
}
