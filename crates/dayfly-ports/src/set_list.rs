//! The kernel's list form of a set: `8080,9000-9010`.
//!
//! This is what `/proc/sys/net/ipv4/ip_local_reserved_ports` prints and takes
//! (`proc_do_large_bitmap` in `kernel/sysctl.c`): decimal numbers and inclusive spans, separated by
//! commas; the empty text is the empty set.

use core::fmt;
use core::str::FromStr;

use crate::{ParseRangeError, PortRange, PortSet};

impl fmt::Display for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, range) in self.ranges().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if range.len() == 1 {
                write!(f, "{}", range.low())?;
            } else {
                write!(f, "{range}")?;
            }
        }
        Ok(())
    }
}

impl FromStr for PortSet {
    type Err = ParseListError;

    /// Reads the list in any order, with overlaps and white space around the items. An empty item
    /// (`1,,2`) is an error, as it is for the kernel.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut set = PortSet::EMPTY;
        if text.trim().is_empty() {
            return Ok(set);
        }
        for (index, item) in text.split(',').enumerate() {
            let range: PortRange =
                item.parse().map_err(|cause| ParseListError { item: index + 1, cause })?;
            set.insert_range(range);
        }
        Ok(set)
    }
}

/// Why a text is not a list of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseListError {
    item: usize,
    cause: ParseRangeError,
}

impl ParseListError {
    /// Which item of the list is wrong, counted from 1.
    #[must_use]
    pub const fn item(&self) -> usize {
        self.item
    }
}

impl fmt::Display for ParseListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {} of the list of ports is wrong: {}", self.item, self.cause)
    }
}

impl core::error::Error for ParseListError {}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use proptest::prelude::*;

    use super::*;
    use crate::Port;

    #[test]
    fn prints_what_the_kernel_prints() {
        for text in ["", "0", "8080,9000-9010", "1-2,4,65535", "0-65535"] {
            assert_eq!(text.parse::<PortSet>().unwrap().to_string(), text);
        }
        assert_eq!(" 4, 1-2 ,2-3\n".parse::<PortSet>().unwrap().to_string(), "1-4");
    }

    #[test]
    fn names_the_item_that_is_wrong() {
        for (text, item) in [("1,,2", 2), ("1,2,", 3), ("x", 1), ("1,70000", 2), ("5-4", 1)] {
            assert_eq!(text.parse::<PortSet>().unwrap_err().item(), item, "{text:?}");
        }
        assert_eq!(
            "80,9-8".parse::<PortSet>().unwrap_err().to_string(),
            "item 2 of the list of ports is wrong: \
             the range 9-8 is empty: its low end is above its high end"
        );
    }

    proptest! {
        #[test]
        fn text_round_trips(numbers in prop::collection::vec(any::<u16>(), 0..50)) {
            let set: PortSet = numbers.into_iter().map(Port::new).collect();
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[0-9,\\- \n]{0,40}|\\PC{0,20}") {
            if let Ok(set) = text.parse::<PortSet>() {
                prop_assert_eq!(set.to_string().parse(), Ok(set));
            }
        }
    }
}
