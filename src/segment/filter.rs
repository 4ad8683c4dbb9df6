//! `NameFilter`: a binary fuse filter over the names of a segment's streams, so that a look for a stream that is not there mostly
//! ends here. The only file that names xorf.
//!
//! The block's bytes:
//!
//! ```text
//! offset size  field
//!      0    8  seed
//!      8    4  segment_length: a power of two, 262,144 at most
//!     12    4  segment_count_length: a multiple of segment_length
//!     16       fingerprints: segment_count_length + 2 × segment_length bytes
//! ```
//! The keys are the names' stable hashes. A key that is there is always found; of those that are not, one in 256 is.

use xorf::{BinaryFuse8, Descriptor, Filter};

use crate::disk::{Cursor, put_u32, put_u64};

use super::stable_hash::stable_hash;

const HEADER_BYTES: usize = 16;
const SEGMENT_LENGTH_MAX: u32 = 262_144;

/// The names that a segment may have.
#[derive(Debug)]
pub(super) struct NameFilter {
    filter: BinaryFuse8,
}

impl NameFilter {
    /// A filter of these names, given as their hashes; `None` if none comes about, which is all but impossible.
    pub(super) fn of(mut hashes: Vec<u64>) -> Option<Self> {
        hashes.sort_unstable();
        // Two names with one hash are one key.
        hashes.dedup();
        if hashes.is_empty() {
            return None;
        }
        let filter = BinaryFuse8::try_from(&hashes).ok()?;
        Some(Self { filter })
    }

    /// The block's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let Descriptor { seed, segment_length, segment_count_length, .. } = self.filter.descriptor;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.filter.fingerprints.len());
        put_u64(&mut bytes, seed);
        put_u32(&mut bytes, segment_length);
        put_u32(&mut bytes, segment_count_length);
        bytes.extend_from_slice(&self.filter.fingerprints);
        bytes
    }

    /// Takes apart the block's bytes.
    pub(super) fn decode(raw: &[u8]) -> Result<Self, &'static str> {
        let (header, fingerprints) = raw.split_at_checked(HEADER_BYTES).ok_or("filter is cut")?;
        let mut cursor = Cursor::new(header);
        let (Some(seed), Some(segment_length), Some(segment_count_length)) =
            (cursor.u64(), cursor.u32(), cursor.u32())
        else {
            return Err("filter is cut");
        };
        // With these, every key's three fingerprints lie in the block: the first below segment_count_length, the others in the two
        // segments behind its own.
        let is_sound = segment_length.is_power_of_two()
            && segment_length <= SEGMENT_LENGTH_MAX
            && segment_count_length > 0
            && segment_count_length.is_multiple_of(segment_length)
            && u64::from(segment_count_length) + 2 * u64::from(segment_length) == fingerprints.len() as u64;
        if !is_sound {
            return Err("filter's lengths do not add up");
        }
        let descriptor = Descriptor {
            seed,
            segment_length,
            segment_length_mask: segment_length - 1,
            segment_count_length,
        };
        Ok(Self { filter: BinaryFuse8 { descriptor, fingerprints: fingerprints.into() } })
    }

    /// Whether a stream with this name may be there; `false` is certain.
    pub(super) fn may_hold(&self, name: &str) -> bool {
        self.filter.contains(&stable_hash(name.as_bytes()))
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.filter.fingerprints.len() + size_of::<Self>()
    }
}
