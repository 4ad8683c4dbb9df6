//! Salvaging state records: those of the newest segment that has them, and then the changes that the journal's frames make, in
//! their order.

use crate::disk::Disk;
use crate::error::Result;
use crate::journal::{CommitView, FoundFrame};
use crate::segment::FoundSegment;
use crate::state::{Moving, StateChange, StateTable};
use crate::types::limits::{COMMIT_STATES_MAX, STATES_BYTES_MAX};
use crate::types::{Durability, Position};

use super::Store;
use super::batch;
use super::salvage_report::SalvageReport;

/// The state records of a damaged store, as far as they are known.
#[derive(Debug)]
pub(super) struct FoundStates {
    table: StateTable,
    /// The n of the next frame: all before it are taken in, or known to be lost.
    next_n: u64,
    /// Whether there is a trace of any: a store that never had some is in no doubt about them.
    are_there: bool,
    /// Something is lost that may have changed them.
    is_in_doubt: bool,
}

impl FoundStates {
    /// What the segments say.
    pub(super) fn of_segments(segments: &[FoundSegment], disk: &dyn Disk) -> Self {
        let are_there = segments.iter().any(FoundSegment::has_states);
        let mut newest_first: Vec<_> = segments.iter().collect();
        newest_first.sort_by_key(|segment| std::cmp::Reverse(segment.start.map(|start| start.n)));
        // One that does not say where it belongs may be the newest.
        let mut is_in_doubt = segments.iter().any(|segment| segment.start.is_none());
        for segment in newest_first {
            if let Some(table) = segment.states(disk) {
                // Where it ends is not known if its footer is lost: then frames are taken that it may know of already.
                let next_n = segment.end.or(segment.start).map_or(1, |chain| chain.n);
                is_in_doubt |= segment.end.is_none();
                return Self { table, next_n, are_there, is_in_doubt };
            }
            is_in_doubt = true;
        }
        Self { table: StateTable::default(), next_n: 1, are_there, is_in_doubt }
    }

    /// Takes in the changes of the next frame; `commit` is there if it has any.
    pub(super) fn take_in(&mut self, frame: &FoundFrame, commit: Option<&CommitView>) {
        self.are_there |= frame.has_states;
        if frame.n < self.next_n {
            return;
        }
        self.is_in_doubt |= frame.n > self.next_n;
        self.next_n = frame.n.saturating_add(1);
        for record in commit.into_iter().flat_map(CommitView::states) {
            if self.table.bytes() + self.table.growth(&record) <= STATES_BYTES_MAX {
                self.table.apply(&record);
            } else {
                // A removal that would have made room is lost.
                self.is_in_doubt = true;
            }
        }
    }

    /// A frame is lost that changed some.
    pub(super) fn lose(&mut self) {
        (self.are_there, self.is_in_doubt) = (true, true);
    }

    /// Puts them into the new store, where all events are already. Positions move with the events that they are about. All frames
    /// up to `last_n` were there once.
    pub(super) fn put(&self, store: &Store, report: &mut SalvageReport, last_n: u64) -> Result<()> {
        let is_in_doubt = self.is_in_doubt || self.next_n <= last_n || report.lost_end.is_some();
        report.checkpoints_in_doubt = self.are_there && is_in_doubt;
        let next = |position| moved(report, position);
        let event = |position| report.new_position(position);
        let changes: Vec<StateChange> = self.table.moved(&Moving { next: &next, event: &event }).collect();
        report.checkpoints = self.table.checkpoints().count() as u64;
        for changes in changes.chunks(COMMIT_STATES_MAX) {
            batch::commit(store.inner(), Vec::new(), &[], changes, Durability::Buffered, None)?;
        }
        Ok(())
    }
}

/// Where the next event to read is, if it was at `old`: what is lost was not read, and is not there to be read.
fn moved(report: &SalvageReport, old: Position) -> Position {
    let below = |position: Position| position.min(old).as_u64();
    let lost: u64 = report.lost.iter().map(|lost| below(lost.end) - below(lost.start)).sum();
    Position::new((old.as_u64() - lost).min(report.events))
}
