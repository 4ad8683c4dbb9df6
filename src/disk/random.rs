//! `IdSource`: random bits for event ids and store ids, from the keys that the operating system gives std's hasher.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::types::{EventId, Timestamp};

use super::{Clock, SystemClock};

/// Makes ids that no other store, process or call makes: 128 bits of SipHash over a counter, under keys of the
/// operating system's randomness that nobody else has. Good against accident; not a secret.
#[derive(Debug)]
pub(crate) struct IdSource {
    keys: [RandomState; 2],
    /// Who made it and when: a forked process has the keys of its parent.
    salt: (u32, Timestamp),
    count: AtomicU64,
}

impl Default for IdSource {
    fn default() -> Self {
        Self {
            keys: Default::default(),
            salt: (std::process::id(), SystemClock.now()),
            count: AtomicU64::new(0),
        }
    }
}

impl IdSource {
    /// 128 random bits.
    pub(crate) fn bits(&self) -> u128 {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        let [high, low] = self.keys.each_ref().map(|keys| u128::from(keys.hash_one((count, self.salt))));
        (high << 64) | low
    }

    /// A version 7 UUID of this time.
    pub(crate) fn event_id(&self, now: Timestamp) -> EventId {
        EventId::v7(now, self.bits())
    }
}
