//! The longest unused port first, or one of the few longest unused.

use alloc::collections::{BTreeMap, VecDeque};

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at};
use crate::{Key, Random};

/// A queue of free ports for each key, in the order in which they became free; one of the `among`
/// ports at its front is chosen, each as likely as the others.
///
/// With `among` = 1 this is mTCP's free list (`mtcp/src/addr_pool.c`): the greatest possible reuse
/// distance, and an order that whoever has seen one round can foretell. A greater `among` trades
/// reuse distance for unpredictability. The first round is in random order.
///
/// The queue follows [`Strategy::pick`] and [`Strategy::released`]; ports that turn out to be taken
/// are passed over and keep their place.
#[derive(Clone, Debug)]
pub struct OldestFree {
    range: PortRange,
    among: u32,
    queues: BTreeMap<Key, VecDeque<Port>>,
}

impl OldestFree {
    /// Chooses among this many (at least one) of the ports that have been free for longest.
    #[must_use]
    pub fn new(range: PortRange, among: u32) -> Self {
        OldestFree { range, among: among.max(1), queues: BTreeMap::new() }
    }
}

impl Strategy for OldestFree {
    fn name(&self) -> &'static str {
        "oldest-free"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let range = self.range;
        let queue = self.queues.entry(*request.key).or_insert_with(|| {
            let mut ports: VecDeque<Port> = (0..range.len()).map(|o| at(range, o)).collect();
            for end in (1..ports.len()).rev() {
                ports.swap(end, random.below(end as u32 + 1) as usize);
            }
            ports
        });
        // The places of the first `among` free ports; reservoir sampling keeps one of them.
        let free = queue.iter().enumerate().filter(|(_, port)| request.free.is_free(**port));
        let mut chosen = None;
        for (count, (place, _)) in free.take(self.among as usize).enumerate() {
            if random.below(count as u32 + 1) == 0 {
                chosen = Some(place);
            }
        }
        queue.remove(chosen?)
    }

    fn released(&mut self, key: &Key, port: Port) {
        if let Some(queue) = self.queues.get_mut(key) {
            queue.push_back(port);
        }
    }
}
