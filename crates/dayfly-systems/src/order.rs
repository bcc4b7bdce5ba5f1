//! The order in which the two ends of a range are written.
//!
//! Where the ends are two settings, the range between the two writes is neither the old nor the
//! new one. Written in the wrong order it is crossed: NetBSD and illumos refuse the write, HP-UX
//! accepts it and its behaviour is undefined (white paper "HP-UX TCP/IP performance", March 2008,
//! page 73).

use dayfly_ports::PortRange;

/// One of the two settings of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The low one.
    Low,
    /// The high one.
    High,
}

/// One write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Write {
    /// Which setting.
    pub end: End,
    /// The value it gets.
    pub value: u16,
    /// The value it has just before; none if that is not known.
    pub before: Option<u16>,
}

/// Both ends in an order in which the first alone does not cross the range that was set before:
/// the low one first if it lies below the old high one, else the high one.
#[must_use]
pub fn both(old: (u16, u16), new: PortRange) -> [Write; 2] {
    let (low, high) = (new.low().number(), new.high().number());
    let low = Write { end: End::Low, value: low, before: Some(old.0) };
    let high = Write { end: End::High, value: high, before: Some(old.1) };
    if low.value < old.1 { [low, high] } else { [high, low] }
}

/// The writes that lead from what is set to the new range. Where what is set is not known, the
/// high end goes to the top first: from there every order is right.
#[must_use]
pub fn writes(old: Option<(u16, u16)>, new: PortRange) -> Vec<Write> {
    if let Some(old) = old {
        return both(old, new)
            .into_iter()
            .filter(|write| write.before != Some(write.value))
            .collect();
    }
    let high = new.high().number();
    let top = Write { end: End::High, value: u16::MAX, before: None };
    let low = Write { end: End::Low, value: new.low().number(), before: None };
    let mut writes = vec![top, low];
    if high != u16::MAX {
        writes.push(Write { end: End::High, value: high, before: Some(u16::MAX) });
    }
    writes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn range() -> impl Strategy<Value = PortRange> {
        (any::<u16>(), any::<u16>())
            .prop_map(|(a, b)| PortRange::new(a.min(b), a.max(b)).expect("sorted"))
    }

    fn play(mut ends: (u16, u16), writes: &[Write]) -> Vec<(u16, u16)> {
        let mut states = vec![ends];
        for write in writes {
            match write.end {
                End::Low => ends.0 = write.value,
                End::High => ends.1 = write.value,
            }
            states.push(ends);
        }
        states
    }

    proptest! {
        #[test]
        fn never_crosses(old in range(), new in range()) {
            let old = (old.low().number(), old.high().number());
            let goal = (new.low().number(), new.high().number());
            for known in [Some(old), None] {
                let states = play(old, &writes(known, new));
                prop_assert_eq!(states.last(), Some(&goal));
                prop_assert!(states.iter().all(|(low, high)| low <= high), "{:?}", states);
            }
        }

        /// NetBSD takes no range of one port, not even in between.
        #[test]
        fn never_touches_where_both_have_two_ports(old in range(), new in range()) {
            prop_assume!(old.len() > 1 && new.len() > 1);
            let old = (old.low().number(), old.high().number());
            for known in [Some(old), None] {
                let states = play(old, &writes(known, new));
                prop_assert!(states.iter().all(|(low, high)| low < high), "{:?}", states);
            }
        }

        #[test]
        fn backwards_is_as_safe(old in range(), new in range()) {
            let ends = (old.low().number(), old.high().number());
            let there = writes(Some(ends), new);
            let back: Vec<_> = there
                .iter()
                .rev()
                .map(|write| Write { value: write.before.expect("known"), ..*write })
                .collect();
            let states = play((new.low().number(), new.high().number()), &back);
            prop_assert_eq!(states.last(), Some(&ends));
            prop_assert!(states.iter().all(|(low, high)| low <= high), "{:?}", states);
        }
    }
}
