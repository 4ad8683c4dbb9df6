//! Numbers of variable length (LEB128): seven bits a byte, the low ones first, the eighth says that more follow. Signed ones
//! in zigzag. Each number has one form only.

/// Appends a number.
pub(crate) fn put_varint(bytes: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    while rest >= 0x80 {
        let [low, ..] = rest.to_le_bytes();
        bytes.push(low | 0x80);
        rest >>= 7;
    }
    let [low, ..] = rest.to_le_bytes();
    bytes.push(low);
}

/// Appends a signed number: small ones are short, below zero too.
pub(crate) fn put_signed(bytes: &mut Vec<u8>, number: i64) {
    put_varint(bytes, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

/// Reads what lies one behind another; `None` past the end, and for a number in another form than it is written in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Varints<'a> {
    rest: &'a [u8],
}

impl<'a> Varints<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let (byte, rest) = self.rest.split_first()?;
        if *byte < 0x80 {
            self.rest = rest;
            return Some(u64::from(*byte));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Option<u64> {
        let mut number = 0;
        for (at, byte) in self.rest.iter().enumerate().take(10) {
            // Of the tenth byte one bit is left; a zero at the end would be another form of the same number.
            if at == 9 && *byte > 1 {
                return None;
            }
            number |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.rest = self.rest.get(at + 1..)?;
                return (*byte != 0 || at == 0).then_some(number);
            }
        }
        None
    }

    #[inline]
    pub(crate) fn signed(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some(((number >> 1) ^ (number & 1).wrapping_neg()).cast_signed())
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.number()?).ok()
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    /// The next `count` bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) const fn remaining(&self) -> usize {
        self.rest.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_round_trip_at_every_length() {
        let unsigned = (0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]);
        for number in unsigned.chain([u64::MAX]) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, number);
            put_signed(&mut bytes, number.cast_signed());
            put_signed(&mut bytes, number.cast_signed().wrapping_neg());
            let mut read = Varints::new(&bytes);
            assert_eq!(read.number(), Some(number));
            assert_eq!(read.signed(), Some(number.cast_signed()));
            assert_eq!(read.signed(), Some(number.cast_signed().wrapping_neg()));
            assert_eq!((read.remaining(), read.number()), (0, None));
        }
    }

    #[test]
    fn other_forms_and_numbers_that_are_too_long_or_cut_are_refused() {
        for bytes in [
            &[0x80][..],
            &[0x80, 0],
            &[0xff; 9],
            &[0xff; 12],
            &[255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
        ] {
            assert_eq!(Varints::new(bytes).number(), None, "{bytes:?}");
        }
    }
}
