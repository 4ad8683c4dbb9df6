//! What a consumer is told when it is started.

use std::time::Duration;

/// What becomes of the later events of a key whose event is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ParkPolicy {
    /// They wait until the parked one is replayed or discarded: the key's order holds.
    #[default]
    ParkKey,
    /// They go on without it.
    ParkEvent,
}

/// What the answer to an acknowledgement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AckDurability {
    /// It is on disk. Workers that acknowledge at the same time share a commit.
    #[default]
    Synced,
    /// It is in memory; every so many acknowledgements go to disk together, and so do those that are left when nothing more
    /// is to be handed out, or the consumer is flushed or dropped: do that before the store is closed. What ends the process
    /// before forgets fewer than so many: their events come again with the next one.
    Grouped(usize),
}

/// The numbers of a consumer.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) ack_wait: Duration,
    pub(super) max_deliver: u32,
    /// After the first failure, the second, and so on; the last one repeats.
    pub(super) backoff: Vec<Duration>,
    pub(super) max_ack_pending: usize,
    pub(super) park: ParkPolicy,
    pub(super) acks: AckDurability,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            ack_wait: Duration::from_secs(30),
            max_deliver: 10,
            backoff: Vec::new(),
            max_ack_pending: 1000,
            park: ParkPolicy::default(),
            acks: AckDurability::default(),
        }
    }
}

impl Settings {
    /// How long an event waits that was handed out so often and not done.
    pub(super) fn backoff(&self, times: u32) -> Duration {
        let at = usize::try_from(times.saturating_sub(1)).unwrap_or(usize::MAX);
        self.backoff.get(at).or(self.backoff.last()).copied().unwrap_or_default()
    }
}
