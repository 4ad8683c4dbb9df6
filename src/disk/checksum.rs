//! Checksums: CRC-32 (IEEE) over bytes and over what they belong to. The only file that names crc32fast.
//!
//! A checksum finds accidents, not forgers.

use crate::types::StoreId;

/// What every checksum of one file starts from: the store's id and the file's number, so that a frame of another store
/// or another file never counts here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seed(u32);

impl Seed {
    /// The seed of file `number` of a store.
    pub(crate) fn of_file(store: StoreId, number: u64) -> Self {
        Self(Self(0).checksum(&[&store.to_bytes(), &number.to_le_bytes()]))
    }

    /// The seed of segment `number` of a store: not that of the journal file which it was made from, so that a frame never
    /// passes for a block.
    pub(crate) fn of_segment(store: StoreId, number: u64) -> Self {
        Self(Self(0).checksum(&[b"segment", &store.to_bytes(), &number.to_le_bytes()]))
    }

    /// The seed of the tier over segments `first` to `last` of a store.
    pub(crate) fn of_tier(store: StoreId, first: u64, last: u64) -> Self {
        Self(Self(0).checksum(&[b"tier", &store.to_bytes(), &first.to_le_bytes(), &last.to_le_bytes()]))
    }

    /// The seed of a store's files that have no number.
    pub(crate) fn of_store(store: StoreId) -> Self {
        Self::of_file(store, 0)
    }

    /// The checksum of these bytes, one after another.
    pub(crate) fn checksum(self, parts: &[&[u8]]) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize()
    }
}
