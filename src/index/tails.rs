//! `Tails`: the last versions of streams whose events are all sealed, so that an append to a stream that is known asks no disk.
//!
//! A tail says how many segments it takes account of. Those that came later are asked when it is used: so a tail is never
//! wrong, only less of a help, and nothing has to be taken out when something is sealed.

use std::fmt;

use quick_cache::Weighter;
use quick_cache::sync::Cache;

/// What an entry takes beside the name.
const ENTRY_BYTES: u64 = 80;
/// What an entry takes on average.
const ENTRY_BYTES_EXPECTED: usize = 100;

/// How far a stream goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tail {
    /// How many of its events are sealed.
    pub(crate) next_version: u64,
    /// In so many segments, the oldest ones.
    pub(crate) segments: usize,
}

pub(crate) struct Tails {
    by_name: Cache<Box<str>, Tail, ByBytes>,
}

#[derive(Debug, Clone)]
struct ByBytes;

impl Weighter<Box<str>, Tail> for ByBytes {
    fn weight(&self, name: &Box<str>, _: &Tail) -> u64 {
        ENTRY_BYTES + name.len() as u64
    }
}

impl Tails {
    /// Room for the tails of so many bytes: those in use stay.
    pub(crate) fn new(bytes_max: usize) -> Self {
        let items = (bytes_max / ENTRY_BYTES_EXPECTED).max(1);
        Self { by_name: Cache::with_weighter(items, bytes_max as u64, ByBytes) }
    }

    pub(crate) fn get(&self, name: &str) -> Option<Tail> {
        self.by_name.get(name)
    }

    /// Keeps a tail, unless one is kept that takes account of more.
    pub(crate) fn put(&self, name: &str, tail: Tail) {
        if self.by_name.peek(name).is_none_or(|known| known.segments < tail.segments) {
            self.by_name.insert(name.into(), tail);
        }
    }
}

impl fmt::Debug for Tails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tails").field("count", &self.by_name.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_that_takes_account_of_less_does_not_displace_one() {
        let tails = Tails::new(10_000);
        assert_eq!(tails.get("a"), None);
        let newer = Tail { next_version: 7, segments: 3 };
        tails.put("a", newer);
        tails.put("a", Tail { next_version: 5, segments: 2 });
        assert_eq!(tails.get("a"), Some(newer));
    }

    #[test]
    fn there_is_room_for_so_many_bytes_and_no_more() {
        let tails = Tails::new(100_000);
        for number in 0..100_000 {
            tails.put(&format!("account-{number}"), Tail { next_version: number, segments: 1 });
        }
        assert!(tails.by_name.weight() <= 100_000, "{} bytes", tails.by_name.weight());
        assert!(tails.by_name.len() > 500, "{tails:?}");
    }
}
