//! `IdBlock`: a fingerprint of 32 bits of each event's id, by which a retry of an event that was sealed long ago is found.
//!
//! A block's bytes are the fingerprints, 4 bytes each. The n-th of a segment belongs to a stream's run if n is among the run's
//! ordinals; within the run they are sorted. So a fingerprint says that the run may have the id, not at which event.

/// Fingerprints in a block; the last one may have fewer.
pub(super) const IDS_PER_BLOCK: u32 = 4096;
pub(super) const RAW_BYTES_MAX: usize = 4 * 4096;

/// Fingerprints that follow each other in a segment.
#[derive(Debug)]
pub(super) struct IdBlock {
    fingerprints: Vec<u32>,
}

/// A block's bytes.
pub(super) fn encode(fingerprints: &[u32]) -> Vec<u8> {
    fingerprints.iter().flat_map(|fingerprint| fingerprint.to_le_bytes()).collect()
}

impl IdBlock {
    /// Takes apart the bytes of a block of `count` fingerprints.
    pub(super) fn decode(raw: &[u8], count: u32) -> Result<Self, &'static str> {
        let (fingerprints, rest) = raw.as_chunks::<4>();
        if !rest.is_empty() || fingerprints.len() as u64 != u64::from(count) {
            return Err("block of ids has another length than its count says");
        }
        Ok(Self { fingerprints: fingerprints.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect() })
    }

    /// The fingerprint at a place of the block, which must have it.
    pub(super) fn fingerprint(&self, at: u32) -> u32 {
        let found = usize::try_from(at).ok().and_then(|at| self.fingerprints.get(at));
        *found.unwrap_or_else(|| unreachable!("blocks of ids have as many as the segment has events"))
    }

    /// Bytes of memory that it takes.
    pub(super) fn memory_bytes(&self) -> usize {
        4 * self.fingerprints.capacity() + size_of::<Self>()
    }
}
