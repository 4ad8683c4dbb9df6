//! `OrderBlock`: which ordinal the event at a position has.
//!
//! A block's bytes are the ordinals of positions that follow each other, packed: each takes as many bits as the last ordinal of
//! the segment needs, low bits first.

use std::ops::Range;

/// Positions in a block; the last one may have fewer.
pub(super) const POSITIONS_PER_BLOCK: u32 = 8192;
pub(super) const RAW_BYTES_MAX: usize = 4 * 8192;
/// A number is read with the bytes behind its first, eight in all; in a segment of one event it has no byte itself.
const PADDING: [u8; 8] = [0; 8];

/// The ordinals of positions that follow each other, all checked when this was made.
#[derive(Debug)]
pub(crate) struct OrderBlock {
    /// Padded, so that the last number can be read as the others.
    packed: Vec<u8>,
    bits: u32,
    /// The position of the first.
    first: u64,
    count: u32,
}

/// How many bits an ordinal takes in a segment of `events` events.
fn bits_for(events: u32) -> u32 {
    u32::BITS - events.saturating_sub(1).leading_zeros()
}

fn packed_bytes(count: usize, bits: u32) -> usize {
    (count * usize::try_from(bits).unwrap_or(0)).div_ceil(8)
}

/// A block's bytes.
pub(super) fn encode(ordinals: &[u32], events: u32) -> Vec<u8> {
    let bits = bits_for(events);
    let mut packed = Vec::with_capacity(packed_bytes(ordinals.len(), bits) + 8);
    let (mut held, mut held_bits) = (0_u64, 0);
    for ordinal in ordinals {
        held |= u64::from(*ordinal) << held_bits;
        held_bits += bits;
        while held_bits >= 8 {
            let [low, ..] = held.to_le_bytes();
            packed.push(low);
            held >>= 8;
            held_bits -= 8;
        }
    }
    if held_bits > 0 {
        let [low, ..] = held.to_le_bytes();
        packed.push(low);
    }
    packed
}

impl OrderBlock {
    /// Takes apart the bytes of a block of `count` ordinals, the first of them that of `first`, in a segment of `events` events.
    pub(super) fn decode(raw: Vec<u8>, first: u64, count: u32, events: u32) -> Result<Self, &'static str> {
        let bits = bits_for(events);
        let many = usize::try_from(count.min(POSITIONS_PER_BLOCK)).unwrap_or(0);
        if count > POSITIONS_PER_BLOCK || raw.len() != packed_bytes(many, bits) {
            return Err("block of positions has another length than its count says");
        }
        let mut packed = raw;
        packed.extend_from_slice(&PADDING);
        let block = Self { packed, bits, first, count };
        if (0..count).all(|at| block.ordinal_at(at).is_some_and(|ordinal| ordinal < events)) {
            return Ok(block);
        }
        Err("position has an ordinal past the last event")
    }

    /// The positions that it knows.
    pub(crate) fn positions(&self) -> Range<u64> {
        self.first..self.first + u64::from(self.count)
    }

    /// The ordinal of the event at `position`; `None` when the block does not know it.
    #[inline]
    pub(crate) fn ordinal(&self, position: u64) -> Option<u32> {
        let at = u32::try_from(position.checked_sub(self.first)?).ok()?;
        if at < self.count { self.ordinal_at(at) } else { None }
    }

    #[inline]
    fn ordinal_at(&self, at: u32) -> Option<u32> {
        let bit = at * self.bits;
        let start = usize::try_from(bit / 8).ok()?;
        let held = u64::from_le_bytes(*self.packed.get(start..)?.first_chunk()?);
        u32::try_from((held >> (bit % 8)) & ((1 << self.bits) - 1)).ok()
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.packed.capacity() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals_of_every_width_come_back() {
        for events in
            (0..32).flat_map(|bit| [(1_u32 << bit).saturating_sub(1).max(1), 1 << bit, (1 << bit) + 1])
        {
            let count = events.min(POSITIONS_PER_BLOCK);
            let ordinals: Vec<u32> = (0..count).map(|at| events - 1 - at).collect();
            let block = OrderBlock::decode(encode(&ordinals, events), 70, count, events).expect("block");
            for (at, ordinal) in ordinals.iter().enumerate() {
                assert_eq!(block.ordinal(70 + at as u64), Some(*ordinal), "{at} of {events}");
            }
            assert_eq!((block.ordinal(69), block.ordinal(70 + u64::from(count))), (None, None));
        }
    }

    #[test]
    fn an_ordinal_past_the_last_event_is_refused() {
        let packed = encode(&[0, 1, 5, 3], 8);
        assert!(OrderBlock::decode(packed.clone(), 0, 4, 8).is_ok());
        assert!(OrderBlock::decode(packed.clone(), 0, 4, 5).is_err(), "ordinal 5 of 5 events");
        for length in [0, packed.len() - 1, packed.len() + 1] {
            let mut other = packed.clone();
            other.resize(length, 0);
            assert!(OrderBlock::decode(other, 0, 4, 8).is_err(), "{length} bytes");
        }
    }
}
