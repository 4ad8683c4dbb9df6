//! `EventIter`: the events of a plan, from both ends, a piece at a time. No lock is held while the caller works.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::index::{Found, LastRead, Log};
use crate::types::{AsOf, Filter, RecordedEvent, Version};

use super::plan::{End, Plan, Taken};

/// The first piece is small, for those who want a few events; the pieces grow for those who want many.
pub(super) const PIECE_EVENTS_MIN: u64 = 16;
pub(super) const PIECE_EVENTS_MAX: u64 = 512;

/// An iterator over recorded events. After an error it yields that error for ever.
#[derive(Debug)]
pub(crate) struct EventIter {
    log: Arc<Log>,
    plan: Plan,
    filter: Filter,
    /// Only events up to this version of their stream, for a look at all streams as of a version.
    version_max: Option<Version>,
    /// Whether there is no condition but those that the plan has seen to.
    admits_all: bool,
    front: Piece,
    back: Piece,
    /// A large commit is read once, not once a piece.
    last_read: LastRead,
    piece_events: u64,
    failed: Option<Error>,
}

/// Events in memory and not yet handed out, and the error that stands behind them as seen from the piece's own end.
#[derive(Debug, Default)]
struct Piece {
    runs: VecDeque<Found>,
    failure: Option<Error>,
}

impl Piece {
    #[inline]
    fn take(&mut self, end: End) -> Option<RecordedEvent> {
        loop {
            let taken = match end {
                End::Front => self.runs.front_mut()?.take_first(),
                End::Back => self.runs.back_mut()?.take_last(),
            };
            if taken.is_some() {
                return taken;
            }
            match end {
                End::Front => self.runs.pop_front(),
                End::Back => self.runs.pop_back(),
            };
        }
    }
}

impl EventIter {
    /// An iterator over a plan; or over the error because of which there is none.
    pub(crate) fn new(log: Arc<Log>, plan: Result<Plan>, filter: Filter, as_of: Option<AsOf>) -> Self {
        let (plan, failed) = match plan {
            Ok(plan) => (plan, None),
            Err(error) => (Plan::Empty, Some(error)),
        };
        let version_max = version_max(as_of, &plan);
        Self {
            log,
            plan,
            admits_all: version_max.is_none() && filter.admits_all_within_stream(),
            filter,
            version_max,
            front: Piece::default(),
            back: Piece::default(),
            last_read: None,
            piece_events: PIECE_EVENTS_MIN,
            failed,
        }
    }

    /// The next event from one end.
    #[inline]
    fn take(&mut self, end: End) -> Option<Result<RecordedEvent>> {
        loop {
            match self.piece(end).take(end) {
                Some(event) if self.admits_all || self.admits(&event) => return Some(Ok(event)),
                Some(_) => {}
                None => match self.refill(end) {
                    Ok(true) => {}
                    Ok(false) => return None,
                    Err(error) => return Some(Err(error)),
                },
            }
        }
    }

    fn admits(&self, event: &RecordedEvent) -> bool {
        self.version_max.is_none_or(|max| event.version() <= max) && self.filter.admits_within_stream(event)
    }

    /// Puts something into an empty piece; `false` when nothing is left.
    fn refill(&mut self, end: End) -> Result<bool> {
        let failure = self.piece(end).failure.take();
        if let Some(error) = self.failed.take().or(failure) {
            // Nothing is handed out after an error but the error.
            (self.front, self.back) = (Piece::default(), Piece::default());
            self.failed = Some(error.clone());
            return Err(error);
        }
        if !self.plan.is_done() {
            self.read_piece(end).inspect_err(|error| self.failed = Some(error.clone()))?;
            return Ok(true);
        }
        // What the other end has read and not handed out is next for this end.
        let mut rest = mem::take(self.piece(end.other()));
        if rest.failure.is_some() {
            // The error stands behind the other end's events: for this end it comes first.
            rest.runs.clear();
        }
        let is_something = !rest.runs.is_empty() || rest.failure.is_some();
        *self.piece(end) = rest;
        Ok(is_something)
    }

    fn piece(&mut self, end: End) -> &mut Piece {
        match end {
            End::Front => &mut self.front,
            End::Back => &mut self.back,
        }
    }

    fn read_piece(&mut self, end: End) -> Result<()> {
        let Self { log, plan, filter, piece_events, last_read, .. } = self;
        let Taken { found: mut runs, unreadable } = plan.take(log, filter, end, *piece_events)?;
        self.piece_events = (self.piece_events * 2).min(PIECE_EVENTS_MAX);
        let mut failure = unreadable.map(|unreadable| unreadable.error);
        while let Some((number, error)) = log.fetch(&mut runs, last_read) {
            failure = Some(error);
            // What lies between this end and what cannot be read is good.
            match end {
                End::Front => runs.truncate(number),
                End::Back => drop(runs.drain(..=number)),
            }
        }
        *self.piece(end) = Piece { runs: runs.into(), failure };
        Ok(())
    }
}

/// The last version that counts, where the plan cannot see to it: in a look at all streams as of a version.
pub(super) fn version_max(as_of: Option<AsOf>, plan: &Plan) -> Option<Version> {
    match (as_of, plan) {
        (Some(AsOf::Version(version)), Plan::All(_)) => Some(version),
        _ => None,
    }
}

impl Iterator for EventIter {
    type Item = Result<RecordedEvent>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.take(End::Front)
    }
}

impl DoubleEndedIterator for EventIter {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.take(End::Back)
    }
}
