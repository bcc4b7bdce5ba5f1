//! Sets of addresses, as rules name them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

/// A set of addresses of both families: inclusive spans in ascending order that do not overlap.
///
/// IPv4 addresses are kept as IPv4-mapped ones (RFC 4291 section 2.5.5.2), so one order has both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddressSet(Vec<(u128, u128)>);

const V4: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

impl AddressSet {
    /// The set of these inclusive spans; one whose ends are crossed or of two families is empty.
    #[must_use]
    pub fn new(spans: impl IntoIterator<Item = (IpAddr, IpAddr)>) -> Self {
        let mut spans: Vec<(u128, u128)> = spans
            .into_iter()
            .filter(|(low, high)| low.is_ipv4() == high.is_ipv4())
            .map(|(low, high)| (number(low), number(high)))
            .filter(|(low, high)| low <= high)
            .collect();
        spans.sort_unstable();
        let mut merged: Vec<(u128, u128)> = Vec::with_capacity(spans.len());
        for (low, high) in spans {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        AddressSet(merged)
    }

    /// The addresses of a prefix; bits of the address past its length do not matter. None if the
    /// length is too great.
    #[must_use]
    pub fn prefix(address: IpAddr, length: u32) -> Option<(IpAddr, IpAddr)> {
        match address {
            IpAddr::V4(address) if length <= 32 => {
                let host = u32::MAX.checked_shr(length).unwrap_or(0);
                let low = u32::from(address) & !host;
                Some((IpAddr::V4(low.into()), IpAddr::V4((low | host).into())))
            }
            IpAddr::V6(address) if length <= 128 => {
                let host = u128::MAX.checked_shr(length).unwrap_or(0);
                let low = u128::from(address) & !host;
                Some((IpAddr::V6(low.into()), IpAddr::V6((low | host).into())))
            }
            _ => None,
        }
    }

    /// The address, prefix (`10.0.0.0/8`, `10.0.0.0/255.0.0.0`) or span (`10.0.0.1-10.0.0.9`) that
    /// a text means; `any` and the like are for the caller.
    #[must_use]
    pub fn span_of_text(text: &str) -> Option<(IpAddr, IpAddr)> {
        let text = text.trim();
        if let Some((low, high)) = text.split_once('-') {
            return Some((low.trim().parse().ok()?, high.trim().parse().ok()?));
        }
        let Some((address, length)) = text.split_once('/') else {
            let address = text.parse().ok()?;
            return Some((address, address));
        };
        let address: IpAddr = address.parse().ok()?;
        let length = match length.parse::<u32>() {
            Ok(length) => length,
            Err(_) => mask_length(length.parse().ok()?)?,
        };
        AddressSet::prefix(address, length)
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let wanted = number(address);
        let after = self.0.partition_point(|&(low, _)| low <= wanted);
        after.checked_sub(1).is_some_and(|index| wanted <= self.0[index].1)
    }

    /// Whether it has every address of the family.
    #[must_use]
    pub fn covers(&self, v4: bool) -> bool {
        if v4 {
            return self.0.iter().any(|&(low, high)| low <= V4.0 && high >= V4.1);
        }
        // Mapped addresses are never on the wire: whether they are in a set does not matter.
        let mut next = 0;
        for &(low, high) in &self.0 {
            if low > next && !(low == V4.1 + 1 && next == V4.0) {
                return false;
            }
            match high.checked_add(1) {
                Some(end) => next = end,
                None => return true,
            }
        }
        false
    }

    /// Whether no address of a family but loopback ones are in it.
    #[must_use]
    pub fn is_only_loopback(&self, v4: bool) -> bool {
        let loopback = if v4 { (V4.0 | 0x7f00_0000, V4.0 | 0x7fff_ffff) } else { (1, 1) };
        self.of_family(v4).all(|(low, high)| low >= loopback.0 && high <= loopback.1)
    }

    fn of_family(&self, v4: bool) -> impl Iterator<Item = (u128, u128)> {
        self.0.iter().copied().filter(move |&(low, high)| (low >= V4.0 && high <= V4.1) == v4)
    }
}

fn mask_length(mask: IpAddr) -> Option<u32> {
    let (bits, ones) = match mask {
        IpAddr::V4(mask) => (u128::from(u32::from(mask)) << 96, u32::from(mask).count_ones()),
        IpAddr::V6(mask) => (u128::from(mask), u128::from(mask).count_ones()),
    };
    (bits.leading_ones() == ones).then_some(ones)
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().into(),
        IpAddr::V6(address) => address.into(),
    }
}

fn address(number: u128) -> IpAddr {
    let address = Ipv6Addr::from(number);
    address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4)
}

impl fmt::Display for AddressSet {
    /// `10.0.0.0/8, 192.0.2.1-192.0.2.9`, and after a few `and 49,990 more` in digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 4;
        for (index, &(low, high)) in self.0.iter().take(SHOWN).enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            let (first, last) = (address(low), address(high));
            let width = if first.is_ipv4() { 32 } else { 128 };
            let size = high - low;
            if size == 0 {
                write!(f, "{first}")?;
            } else if size == u128::MAX {
                write!(f, "{first}/0")?;
            } else if (size + 1).is_power_of_two() && low & size == 0 {
                let length = width - (size + 1).trailing_zeros();
                write!(f, "{first}/{length}")?;
            } else {
                write!(f, "{first}-{last}")?;
            }
        }
        if self.0.len() > SHOWN {
            write!(f, " and {} more", self.0.len() - SHOWN)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(texts: &[&str]) -> AddressSet {
        AddressSet::new(texts.iter().map(|text| AddressSet::span_of_text(text).unwrap()))
    }

    #[test]
    fn addresses_prefixes_and_spans_are_read_and_printed() {
        let mixed = set(&["10.1.2.3/8", "192.0.2.1-192.0.2.9", "fe80::1/10", "198.51.100.7"]);
        assert_eq!(mixed.to_string(), "10.0.0.0/8, 192.0.2.1-192.0.2.9, 198.51.100.7, fe80::/10");
        for (address, member) in
            [("10.255.0.1", true), ("11.0.0.0", false), ("192.0.2.5", true), ("fe80::9", true)]
        {
            assert_eq!(mixed.contains(address.parse().unwrap()), member, "{address}");
        }
        assert_eq!(set(&["10.0.0.0/255.255.0.0"]).to_string(), "10.0.0.0/16");
        for wrong in ["", "10.0.0.0/33", "10.0.0.0/255.0.255.0", "x", "1.2.3.4-"] {
            assert_eq!(AddressSet::span_of_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn coverage_is_told_by_family() {
        assert!(set(&["0.0.0.0/0"]).covers(true) && !set(&["0.0.0.0/0"]).covers(false));
        assert!(set(&["::/0"]).covers(false));
        assert!(set(&["0.0.0.0/1", "128.0.0.0/1"]).covers(true));
        assert!(!set(&["::/1"]).covers(false));
        assert!(set(&["127.0.0.0/8"]).is_only_loopback(true));
        assert!(set(&["::1"]).is_only_loopback(false));
        assert!(!set(&["126.0.0.0/7"]).is_only_loopback(true));
    }
}
