//! The hash that segments keep on disk: XXH3, 64 bits, seed 0, as its specification says. The only file that names twox-hash.

use twox_hash::XxHash3_64;

use crate::types::EventId;

/// The hash of these bytes: the same for ever, on every machine.
pub(super) fn stable_hash(bytes: &[u8]) -> u64 {
    XxHash3_64::oneshot(bytes)
}

/// What the table of ids keeps of an id: the high half of its hash.
pub(super) fn fingerprint(id: EventId) -> u32 {
    u32::try_from(stable_hash(&id.to_bytes()) >> 32).unwrap_or_else(|_| unreachable!("half of 64 bits is 32"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_xxh3_as_published() {
        // From the reference implementation's own tests: an empty input, and seed 0.
        assert_eq!(stable_hash(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(stable_hash(b"account-1"), stable_hash(&b"account-1"[..]));
    }
}
