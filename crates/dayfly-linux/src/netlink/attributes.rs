//! The attributes behind a message's fixed part (`struct nlattr`).

use super::wire::{align, array};

/// Length, type, value, padded to four bytes, one after the other. A length that does not fit ends
/// the walk: what came before stands.
#[derive(Clone, Debug)]
pub struct Attributes<'a> {
    rest: &'a [u8],
}

/// One attribute: a number of its protocol and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// Its number, without the flag bits of `nla_type`.
    pub kind: u16,
    /// The bytes, without padding.
    pub value: &'a [u8],
}

impl Attribute<'_> {
    /// The bits of `nla_type` that are flags (`NLA_F_NESTED`, `NLA_F_NET_BYTEORDER`).
    const FLAGS: u16 = 0xC000;
}

impl<'a> Attributes<'a> {
    /// The attributes in `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Attributes { rest: bytes }
    }

    /// The value of the first attribute of this kind.
    #[must_use]
    pub fn find(mut self, kind: u16) -> Option<&'a [u8]> {
        Iterator::find(&mut self, |attribute| attribute.kind == kind).map(|found| found.value)
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Attribute<'a>> {
        let length = usize::from(u16::from_ne_bytes(array(self.rest, 0)?));
        let kind = u16::from_ne_bytes(array(self.rest, 2)?) & !Attribute::FLAGS;
        let Some(value) = self.rest.get(4..length) else {
            self.rest = &[];
            return None;
        };
        self.rest = self.rest.get(align(length)..).unwrap_or_default();
        Some(Attribute { kind, value })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One as the kernel writes it.
    pub(crate) fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = ((4 + value.len()) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value);
        bytes.resize(align(bytes.len()), 0);
        bytes
    }

    #[test]
    fn finds_values_and_ignores_flag_bits() {
        let mut bytes = attribute(8, &[1]);
        bytes.extend(attribute(11 | 0x8000, &[1]));
        assert_eq!(Attributes::new(&bytes).find(11), Some(&[1][..]));
        assert_eq!(Attributes::new(&bytes).find(99), None);
    }

    #[test]
    fn a_lying_length_ends_the_walk_and_keeps_what_came_before() {
        let mut bytes = attribute(8, &[1]);
        let second = bytes.len();
        bytes.extend(attribute(9, &[2]));
        for lie in [0u16, 3, 9, u16::MAX] {
            bytes[second..second + 2].copy_from_slice(&lie.to_ne_bytes());
            let kinds: Vec<_> = Attributes::new(&bytes).map(|found| found.kind).collect();
            assert_eq!(kinds, [8], "{lie}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_end(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Attributes::new(&bytes).count() <= bytes.len() / 4 + 1);
        }
    }
}
