//! `Plan`: which events a read is about and which come next, at either end. Bounds are fixed when it is made, so a read
//! sees one prefix of the store however long it takes.

use std::ops::Range;

use crate::error::{Error, ErrorKind, Result};
use crate::index::{Found, StreamKey, Tables};
use crate::types::{AsOf, Filter, Version};

/// Where a read begins, in its direction.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Start {
    /// A version or a position.
    pub(crate) from: Option<u64>,
    pub(crate) backward: bool,
}

/// What is still to be read: a range that shrinks from both ends.
#[derive(Debug)]
pub(crate) enum Plan {
    /// Versions of one stream.
    Stream { key: StreamKey, from: u64, to: u64 },
    /// Positions of the store.
    All { from: u64, to: u64, admitted: Admitted },
    /// Nothing.
    Empty,
}

/// Which end of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Front,
    Back,
}

impl End {
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Front => Self::Back,
            Self::Back => Self::Front,
        }
    }
}

/// Which streams a filter admits, worked out once a stream.
#[derive(Debug, Default)]
pub(crate) struct Admitted {
    by_key: Vec<Option<bool>>,
}

impl Admitted {
    fn admits(&mut self, filter: &Filter, key: StreamKey, tables: &Tables) -> bool {
        let at = key.0 as usize;
        if self.by_key.len() <= at {
            self.by_key.resize(at + 1, None);
        }
        match self.by_key.get_mut(at) {
            Some(Some(known)) => *known,
            Some(unknown) => *unknown.insert(filter.admits_stream(tables.stream_name(key))),
            None => false,
        }
    }
}

impl Plan {
    /// The plan to read one stream.
    pub(crate) fn stream(
        tables: &Tables,
        name: &str,
        start: Start,
        as_of: Option<AsOf>,
        filter: &Filter,
    ) -> Self {
        let Some(key) = tables.stream(name) else {
            return Self::Empty;
        };
        let (mut from, mut to) = (0, tables.stream_events(key));
        if let Some(AsOf::Version(version)) = as_of {
            to = to.min(version.as_u64().saturating_add(1));
        }
        let positions = positions(tables, as_of, filter);
        if positions.start > 0 {
            from = from.max(tables.events_below(key, positions.start));
        }
        if positions.end < tables.head() {
            to = to.min(tables.events_below(key, positions.end));
        }
        (from, to) = begin(start.from, start.backward, from, to);
        Self::Stream { key, from, to }
    }

    /// The plan to read the whole store.
    pub(crate) fn all(tables: &Tables, start: Start, as_of: Option<AsOf>, filter: &Filter) -> Self {
        let positions = positions(tables, as_of, filter);
        let (from, to) = begin(start.from, start.backward, positions.start, positions.end);
        Self::All { from, to, admitted: Admitted::default() }
    }

    /// Takes up to `count` events from one end, in ascending order, and says whether nothing is left.
    pub(crate) fn take(
        &mut self,
        tables: &Tables,
        filter: &Filter,
        end: End,
        count: u64,
    ) -> Result<(Vec<Found>, bool)> {
        match self {
            Self::Empty => Ok((Vec::new(), true)),
            Self::Stream { key, from, to } => {
                let versions = shrink(from, to, end, count);
                let mut found =
                    Vec::with_capacity(usize::try_from(versions.end - versions.start).unwrap_or_default());
                for place in versions.filter_map(|version| tables.place(*key, Version::new(version))) {
                    tables.find(&mut found, place.commit, place.event, place.event.saturating_add(1))?;
                }
                Ok((found, from >= to))
            }
            Self::All { from, to, admitted } => {
                let mut found =
                    Vec::with_capacity(usize::try_from(count.min(*to - *from)).unwrap_or_default());
                let mut left = count;
                let mut guess = None;
                while left > 0 && from < to {
                    let run = next_run(tables, filter, admitted, *from..*to, end, left, guess)?;
                    if run.is_admitted {
                        tables.find(&mut found, run.commit, run.event_from, run.event_to)?;
                        left = left.saturating_sub(u64::from(run.event_to - run.event_from));
                    }
                    let positions = u64::from(run.event_to - run.event_from);
                    match end {
                        End::Front => {
                            *from += positions;
                            guess = run.commit.checked_add(1);
                        }
                        End::Back => {
                            *to -= positions;
                            guess = run.commit.checked_sub(1);
                        }
                    }
                }
                if end == End::Back {
                    found.reverse();
                }
                Ok((found, from >= to))
            }
        }
    }
}

/// The positions that `as_of` and the filter's recorded range leave.
fn positions(tables: &Tables, as_of: Option<AsOf>, filter: &Filter) -> Range<u64> {
    let (mut from, mut to) = (0, tables.head());
    match as_of {
        Some(AsOf::Position(position)) => to = to.min(position.as_u64().saturating_add(1)),
        Some(AsOf::Recorded(time)) => to = to.min(tables.recorded_boundary(|at| at <= time)),
        Some(AsOf::Version(_)) | None => {}
    }
    if let Some(range) = filter.recorded_range() {
        from = tables.recorded_boundary(|at| range.is_after(at));
        to = to.min(tables.recorded_boundary(|at| range.is_after(at) || range.ends_after(at)));
    }
    from..to
}

/// The bounds with the start put in: the first event of a forward read, the last of a backward one.
fn begin(start: Option<u64>, backward: bool, from: u64, to: u64) -> (u64, u64) {
    let (from, to) = match (start, backward) {
        (None, _) => (from, to),
        (Some(start), false) => (from.max(start), to),
        (Some(start), true) => (from, to.min(start.saturating_add(1))),
    };
    // A start beyond the end reads nothing.
    (from.min(to), to)
}

/// Cuts up to `count` numbers off one end of `from..to`; in ascending order.
fn shrink(from: &mut u64, to: &mut u64, end: End, count: u64) -> Range<u64> {
    let count = count.min(to.saturating_sub(*from));
    match end {
        End::Front => {
            let start = *from;
            *from += count;
            start..*from
        }
        End::Back => {
            let stop = *to;
            *to -= count;
            *to..stop
        }
    }
}

/// Events that follow each other in one commit and are admitted, or not admitted, alike.
struct Run {
    commit: u32,
    event_from: u32,
    event_to: u32,
    is_admitted: bool,
}

/// The run at one end of `range`, of `count` events at most if they are admitted. A right guess of its commit saves a
/// search.
fn next_run(
    tables: &Tables,
    filter: &Filter,
    admitted: &mut Admitted,
    range: Range<u64>,
    end: End,
    count: u64,
    guess: Option<u32>,
) -> Result<Run> {
    let at = match end {
        End::Front => range.start,
        End::Back => range.end - 1,
    };
    let (commit, held) = tables
        .commit_at(at, guess)
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("position {at} is not in the index")))?;
    let within = held.start.max(range.start)..held.end.min(range.end);
    let (is_admitted, alike) = if filter.admits_all_streams() {
        (true, within.end - within.start)
    } else {
        let mut admits =
            |position| tables.stream_of(position).is_some_and(|key| admitted.admits(filter, key, tables));
        let is_admitted = admits(at);
        let alike = match end {
            End::Front => within.take_while(|position| admits(*position) == is_admitted).count(),
            End::Back => within.rev().take_while(|position| admits(*position) == is_admitted).count(),
        };
        (is_admitted, alike as u64)
    };
    let length = if is_admitted { alike.min(count) } else { alike };
    let first = match end {
        End::Front => at,
        End::Back => at + 1 - length,
    };
    let event = |position: u64| u32::try_from(position - held.start).unwrap_or(u32::MAX);
    Ok(Run { commit, event_from: event(first), event_to: event(first + length), is_admitted })
}
