//! `SalvageReport`: what a salvage brought over, and what is lost.

use std::ops::Range;
use std::path::PathBuf;

use crate::journal::Damage;
use crate::types::{Position, StoreId, StreamName, Version};

/// What [`Store::salvage`](crate::Store::salvage) brought over into the new store, and what is lost.
///
/// The new store counts anew. An event's position there is its old one less the lost positions below it, which
/// [`SalvageReport::new_position`] works out. So it is with versions, by stream, as far as [`SalvageReport::lost_versions`]
/// knows: the events that a stream lost at its end leave no gap, and are told by position alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SalvageReport {
    /// The store that was read.
    pub store_id: StoreId,
    /// The store that was made.
    pub new_store_id: StoreId,
    /// How many commits were brought over.
    pub commits: u64,
    /// How many events.
    pub events: u64,
    /// How many commits got a later `recorded_at`, because theirs lay before that of a commit ahead of them: 0 unless
    /// somebody forged it.
    pub recorded_at_held: u64,
    /// The positions, in the old store, of events that are lost. In ascending order.
    pub lost: Vec<Range<Position>>,
    /// The versions, in the old store, of events that are lost, where a later event of their stream shows the gap. In the
    /// order in which the gaps were met.
    pub lost_versions: Vec<LostVersions>,
    /// Set when there were more events behind the last one that is known of, and nothing tells how many.
    pub lost_end: Option<LostEnd>,
    /// Commits that are sound in themselves and were left out, since they contradict a longer row of others: as when an older
    /// copy of a journal file stands beside a newer one that went on differently.
    pub left_out: Vec<Damage>,
    /// How many checkpoints were brought over. Each is at the event of the new store that its owner had to read next, or at the
    /// one behind it if that is lost.
    pub checkpoints: u64,
    /// Whether something is lost that may have moved or removed checkpoints: those that are there may be further back than
    /// they were, or have been removed, and others may be missing. Never of a store in which no trace of a checkpoint is found.
    pub checkpoints_in_doubt: bool,
    /// Where an unfinished write stands, file and offset, as a crash leaves it. Opening the old store would cut it off; it is
    /// not counted as lost.
    pub torn_tail: Option<(PathBuf, u64)>,
    /// All damage, as [`Store::verify`](crate::Store::verify) lists it. Not all damage loses events.
    pub damages: Vec<Damage>,
}

/// Events that a stream has lost before one that it still has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostVersions {
    /// The stream.
    pub stream: StreamName,
    /// The versions that it lost, as the old store counted them.
    pub versions: Range<Version>,
}

/// What is known of an end that is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostEnd {
    /// What is lost begins with this position.
    pub from: Position,
    /// So many events are lost at least: 0 where it may have been a commit that only moved checkpoints.
    pub events_min: u64,
    /// At most so many commits, if the manifest or a frame's header tells.
    pub commits_max: Option<u64>,
}

impl SalvageReport {
    /// Whether nothing is known to be lost or left out, and no checkpoint is in doubt: the new store has all that the old one had.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.lost.is_empty()
            && self.lost_end.is_none()
            && self.left_out.is_empty()
            && !self.checkpoints_in_doubt
    }

    /// How many events are known to be lost; not those of `lost_end`.
    #[must_use]
    pub fn lost_events(&self) -> u64 {
        self.lost.iter().map(|lost| lost.end.as_u64() - lost.start.as_u64()).sum()
    }

    /// How many of the lost events have a stream that is known.
    #[must_use]
    pub fn lost_events_of_known_streams(&self) -> u64 {
        let counts = self.lost_versions.iter().map(|lost| &lost.versions);
        counts.map(|versions| versions.end.as_u64() - versions.start.as_u64()).sum()
    }

    /// Where the event at a position of the old store is in the new one; `None` when it is not there.
    #[must_use]
    pub fn new_position(&self, old: Position) -> Option<Position> {
        if self.lost.iter().any(|lost| lost.contains(&old)) {
            return None;
        }
        let below = self.lost.iter().take_while(|lost| lost.end <= old);
        let lost: u64 = below.map(|lost| lost.end.as_u64() - lost.start.as_u64()).sum();
        old.as_u64().checked_sub(lost).filter(|new| *new < self.events).map(Position::new)
    }
}
