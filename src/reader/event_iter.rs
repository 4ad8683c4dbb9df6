//! `EventIter`: the events of a plan, from both ends, a piece at a time. No lock is held while the caller works.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::types::{AsOf, Filter, RecordedEvent, Version};

use super::Log;
use super::log::InHand;
use super::plan::{End, Plan};

/// The first piece is small, for those who want a few events; the pieces grow for those who want many.
const PIECE_EVENTS_MIN: u64 = 16;
const PIECE_EVENTS_MAX: u64 = 512;

/// An iterator over recorded events. After an error it yields that error for ever.
#[derive(Debug)]
pub(crate) struct EventIter {
    log: Arc<Log>,
    plan: Plan,
    filter: Filter,
    /// Only events up to this version of their stream, for a look at all streams as of a version.
    version_max: Option<Version>,
    front: Piece,
    back: Piece,
    plan_is_done: bool,
    piece_events: u64,
    failed: Option<Error>,
}

/// Events read and not yet handed out, and the error that stands behind them.
#[derive(Debug, Default)]
struct Piece {
    events: VecDeque<InHand>,
    failure: Option<Error>,
}

impl EventIter {
    pub(crate) fn new(log: Arc<Log>, plan: Plan, filter: Filter, as_of: Option<AsOf>) -> Self {
        let version_max = match (as_of, &plan) {
            (Some(AsOf::Version(version)), Plan::All { .. }) => Some(version),
            _ => None,
        };
        Self {
            log,
            plan,
            filter,
            version_max,
            front: Piece::default(),
            back: Piece::default(),
            plan_is_done: false,
            piece_events: PIECE_EVENTS_MIN,
            failed: None,
        }
    }

    /// The next event from one end.
    pub(crate) fn take(&mut self, end: End) -> Option<Result<RecordedEvent>> {
        loop {
            if let Some(error) = &self.failed {
                return Some(Err(error.clone()));
            }
            let in_hand = match self.take_in_hand(end) {
                Ok(Some(in_hand)) => in_hand,
                Ok(None) => return None,
                Err(error) => {
                    self.failed = Some(error);
                    continue;
                }
            };
            match in_hand.event() {
                Ok(event) if self.admits(&event) => return Some(Ok(event)),
                Ok(_) => {}
                Err(error) => self.failed = Some(error),
            }
        }
    }

    fn admits(&self, event: &RecordedEvent) -> bool {
        self.version_max.is_none_or(|max| event.version() <= max) && self.filter.admits_within_stream(event)
    }

    fn take_in_hand(&mut self, end: End) -> Result<Option<InHand>> {
        loop {
            let piece = match end {
                End::Front => &mut self.front,
                End::Back => &mut self.back,
            };
            let next = match end {
                End::Front => piece.events.pop_front(),
                End::Back => piece.events.pop_back(),
            };
            if next.is_some() {
                return Ok(next);
            }
            if let Some(error) = piece.failure.take() {
                return Err(error);
            }
            if self.plan_is_done {
                // What the other end has read and not handed out is next for this end.
                let (this, other) = match end {
                    End::Front => (&mut self.front, &mut self.back),
                    End::Back => (&mut self.back, &mut self.front),
                };
                // An error stands behind the front's events: for the back it is what comes first.
                let error_is_next = end == End::Back || other.events.is_empty();
                if error_is_next && other.failure.is_some() {
                    this.failure = other.failure.take();
                    continue;
                }
                let rest = match end {
                    End::Front => other.events.pop_front(),
                    End::Back => other.events.pop_back(),
                };
                return Ok(rest);
            }
            self.read_piece(end)?;
        }
    }

    fn read_piece(&mut self, end: End) -> Result<()> {
        let Self { log, plan, filter, piece_events, .. } = self;
        let (found, done) = log.index.read(|tables| plan.take(tables, filter, end, *piece_events))?;
        self.plan_is_done = done;
        self.piece_events = (self.piece_events * 2).min(PIECE_EVENTS_MAX);
        let wanted = found.len();
        let (events, failure) = self.log.fetch(found);
        let piece = match end {
            End::Front => &mut self.front,
            End::Back => &mut self.back,
        };
        // Read from the front, events before the one that failed are good; from the back, none of them is next.
        let failed_at_once = end == End::Back && events.len() < wanted;
        piece.events = if failed_at_once { VecDeque::new() } else { events.into() };
        piece.failure = failure;
        Ok(())
    }
}

impl Iterator for EventIter {
    type Item = Result<RecordedEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        self.take(End::Front)
    }
}

impl DoubleEndedIterator for EventIter {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take(End::Back)
    }
}
