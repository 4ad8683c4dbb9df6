//! `SkipIter`: the events of a plan, in one direction, past commits that cannot be read. What is passed over is told, a
//! commit once. Apart from `EventIter`, which ends at the first error: there nothing is looked up that only this needs.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::index::{Found, LastRead, Log, Tables};
use crate::journal::FrameAt;
use crate::types::{AsOf, Filter, Position, RecordedEvent, Version};

use super::Skipped;
use super::event_iter::{PIECE_EVENTS_MAX, PIECE_EVENTS_MIN, version_max};
use super::plan::{End, Plan, Taken, Unreadable};

/// An iterator over the recorded events that can be read, and over what cannot.
#[derive(Debug)]
pub(crate) struct SkipIter {
    log: Arc<Log>,
    plan: Plan,
    filter: Filter,
    version_max: Option<Version>,
    end: End,
    piece: VecDeque<Step>,
    last_read: LastRead,
    /// The commit that was passed over last: the events of one commit follow each other in every read.
    last_skipped: Option<FrameAt>,
    piece_events: u64,
}

#[derive(Debug)]
enum Step {
    Events(Found),
    Skip(Skipped),
}

impl SkipIter {
    /// An iterator over a plan; or, if there is none, over the reason why nothing is found.
    pub(crate) fn new(
        log: Arc<Log>,
        plan: Result<Plan>,
        filter: Filter,
        as_of: Option<AsOf>,
        end: End,
    ) -> Self {
        let (plan, piece) = match plan {
            Ok(plan) => (plan, VecDeque::new()),
            Err(error) => (Plan::Empty, VecDeque::from([Step::Skip(skipped_all(&log, error))])),
        };
        Self {
            log,
            version_max: version_max(as_of, &plan),
            plan,
            filter,
            end,
            piece,
            last_read: None,
            last_skipped: None,
            piece_events: PIECE_EVENTS_MIN,
        }
    }

    fn admits(&self, event: &RecordedEvent) -> bool {
        self.version_max.is_none_or(|max| event.version() <= max) && self.filter.admits_within_stream(event)
    }

    /// Reads the next piece, in the order of the read.
    fn refill(&mut self) {
        let Self { log, plan, filter, end, piece_events, .. } = self;
        let Taken { mut found, unreadable } = match plan.take(log, filter, *end, *piece_events) {
            Ok(taken) => taken,
            Err(error) => {
                // Where anything of the stream lies cannot be found out.
                self.piece.push_back(Step::Skip(skipped_all(log, error)));
                self.plan = Plan::Empty;
                return;
            }
        };
        self.piece_events = (self.piece_events * 2).min(PIECE_EVENTS_MAX);
        let first = match *end {
            End::Front => found.first(),
            End::Back => found.last(),
        };
        // A commit that was passed over at the end of the last piece is not asked for again.
        let begins_skipped =
            first.and_then(Found::on_disk).is_some_and(|(_, at)| self.last_skipped == Some(at));
        // Together as long as all goes well, then one by one: so no bytes are read more than a few times.
        let all_read = !begins_skipped && self.log.fetch(&mut found, &mut self.last_read).is_none();
        if self.end == End::Back {
            found.reverse();
        }
        for one in found {
            let step = if all_read { Some(Step::Events(one)) } else { self.fetch_one(one) };
            self.piece.extend(step);
        }
        self.piece.extend(unreadable.map(|Unreadable { positions, error }| {
            let positions = Position::new(positions.start)..Position::new(positions.end);
            Step::Skip(Skipped { positions, error })
        }));
    }

    /// Brings one commit's events into memory. `None` when they are of a commit that was told of already.
    fn fetch_one(&mut self, mut one: Found) -> Option<Step> {
        let at = one.on_disk().map(|(_, at)| at);
        if at.is_some() && at == self.last_skipped {
            return None;
        }
        match (at, self.log.fetch(std::slice::from_mut(&mut one), &mut self.last_read)) {
            (Some(at), Some((_, error))) => {
                self.last_skipped = Some(at);
                Some(Step::Skip(self.skipped(at, error)))
            }
            _ => Some(Step::Events(one)),
        }
    }

    fn skipped(&self, at: FrameAt, error: Error) -> Skipped {
        let first = at.first_position;
        let held = self
            .log
            .index
            .read(|tables| tables.part_at(first)?.commit_at(first).map(|(_, positions)| positions));
        let positions = held.unwrap_or(first..first);
        Skipped { positions: Position::new(positions.start)..Position::new(positions.end), error }
    }
}

/// All positions passed over for one reason.
fn skipped_all(log: &Log, error: Error) -> Skipped {
    Skipped { positions: Position::new(0)..Position::new(log.index.read(Tables::head)), error }
}

impl Iterator for SkipIter {
    type Item = std::result::Result<RecordedEvent, Skipped>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let event = match self.piece.front_mut() {
                Some(Step::Events(found)) => match self.end {
                    End::Front => found.take_first(),
                    End::Back => found.take_last(),
                },
                Some(Step::Skip(_)) => None,
                None if self.plan.is_done() => return None,
                None => {
                    self.refill();
                    continue;
                }
            };
            match event {
                Some(event) if self.admits(&event) => return Some(Ok(event)),
                Some(_) => {}
                None => {
                    if let Some(Step::Skip(skipped)) = self.piece.pop_front() {
                        return Some(Err(skipped));
                    }
                }
            }
        }
    }
}
