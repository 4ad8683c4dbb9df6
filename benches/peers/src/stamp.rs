//! What a store adds to the events it takes: positions, ids and recorded_at. annals does this itself; for the others the
//! writer does it by these rules.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

use crate::random::Random;

/// Gives out positions, ids and times, for one writer.
#[derive(Debug)]
pub(crate) struct Stamp {
    next_position: u64,
    recorded_at: i64,
    random: Random,
}

impl Stamp {
    /// Goes on after `events` events.
    pub(crate) fn new(events: u64) -> Self {
        let recorded_at = now();
        Self { next_position: events, recorded_at, random: Random::new(recorded_at.cast_unsigned()) }
    }

    /// How many events there are.
    pub(crate) const fn events(&self) -> u64 {
        self.next_position
    }

    /// Does work that stores events. If it fails, the positions that it was given are taken back.
    pub(crate) fn for_work<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = self.next_position;
        let done = work(self);
        if done.is_err() {
            self.next_position = before;
        }
        done
    }

    /// Reads the clock for the next commit. A clock set back is held.
    pub(crate) fn tick(&mut self) {
        self.recorded_at = self.recorded_at.max(now());
    }

    pub(crate) const fn recorded_at(&self) -> i64 {
        self.recorded_at
    }

    pub(crate) const fn position(&mut self) -> u64 {
        self.next_position += 1;
        self.next_position - 1
    }

    /// The id given, or a new one of version 7: milliseconds and 74 random bits.
    pub(crate) fn id(&mut self, given: Option<[u8; 16]>) -> [u8; 16] {
        given.unwrap_or_else(|| {
            let random = (u128::from(self.random.next()) << 64) | u128::from(self.random.next());
            let millis = u128::from((self.recorded_at / 1000).cast_unsigned());
            let bits = (millis << 80) | (random & !(0xffff_ffff_ffff << 80));
            let version = (bits & !(0xf << 76)) | (7 << 76);
            ((version & !(0b11 << 62)) | (0b10 << 62)).to_be_bytes()
        })
    }
}

fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
