//! `ConsumerStats`: figures about a consumer.

use std::time::Duration;

use crate::error::{Error, ErrorKind, Result};
use crate::index::Tables;
use crate::store::Store;
use crate::types::Position;

use super::consumer_type::Consumer;

/// Figures about a consumer, as of the moment they were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerStats {
    /// All events before this position that it wants are done, or parked.
    pub floor: Position,
    /// How many positions there are from there to the head.
    pub lag: u64,
    /// How many events are with workers.
    pub pending: usize,
    /// How many events were read and wait: for their key, for their time, or for a worker.
    pub waiting: usize,
    /// How often an event was handed out that had been before, since it was started.
    pub redelivered: u64,
    /// How many events are parked; not those that wait behind them.
    pub parked: usize,
    /// Acknowledgements that are not on disk: with [`AckDurability::Grouped`](crate::AckDurability).
    pub unflushed: usize,
    /// The first event that was read and is not done, and how long ago it was recorded.
    pub oldest: Option<(Position, Duration)>,
}

/// How a consumer stood when it was last on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConsumerInfo {
    /// Its name.
    pub name: String,
    /// All events before this position that it wants were done, or parked.
    pub floor: Position,
    /// How many positions there are from there to the head.
    pub lag: u64,
    /// How many events it had read that were not done.
    pub open: usize,
    /// How many events were parked; not those that wait behind them.
    pub parked: usize,
}

impl Store {
    /// All consumers that the store knows, sorted by name, as they are on disk: whether they are started or not, here or in the
    /// process that writes.
    ///
    /// # Errors
    /// `Corrupt` when what is kept of one cannot be read.
    pub fn consumers(&self) -> Result<Vec<ConsumerInfo>> {
        let unreadable = |what: &str| Error::new(ErrorKind::Corrupt, what);
        self.log().index.read(|tables| {
            let states = tables.states();
            let infos = states.consumers().map(|name| {
                let progress = states.progress(name).map_err(unreadable)?.unwrap_or_default();
                Ok(ConsumerInfo {
                    name: name.to_owned(),
                    floor: Position::new(progress.floor),
                    lag: tables.head().saturating_sub(progress.floor),
                    open: progress.open.len(),
                    parked: states.parked(name).map_err(unreadable)?.len(),
                })
            });
            infos.collect()
        })
    }
}

impl Consumer {
    /// How it stands.
    #[must_use]
    pub fn stats(&self) -> ConsumerStats {
        let head = self.shared.store.log().index.read(Tables::head);
        let now = self.shared.now();
        let core = self.shared.core.lock();
        let floor = core.flow.floor();
        let age = |at| now.saturating_since(at);
        ConsumerStats {
            floor: Position::new(floor),
            lag: head.saturating_sub(floor),
            pending: core.flow.out(),
            waiting: core.flow.not_done() - core.flow.out(),
            redelivered: core.flow.redelivered,
            parked: core.parked.len(),
            unflushed: core.unflushed,
            oldest: core.flow.oldest().map(|event| (event.position(), age(event.recorded_at()))),
        }
    }
}
