//! `Plan`: which events a read is about and which come next, at either end. Bounds are fixed when it is made, so a read
//! sees one prefix of the store however long it takes.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::index::{Found, Log, Tables};
use crate::journal::FrameAt;
use crate::types::{AsOf, Filter, StreamName};

use super::positions::Positions;
use super::versions::Versions;

/// A piece that reaches so many bytes on disk is not made larger.
const PIECE_BYTES: u64 = 1 << 20;

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
    Stream(Versions),
    /// Positions of the store.
    All(Positions),
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

/// The next events of a plan.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// In ascending order. Those of the journal may have to be read from disk yet.
    pub(crate) found: Vec<Found>,
    /// What of a segment, behind them as seen from their end, cannot be read. The plan has passed over it.
    pub(crate) unreadable: Option<Unreadable>,
}

/// Events of a segment that cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// They lie among these positions.
    pub(crate) positions: Range<u64>,
    pub(crate) error: Error,
}

impl Plan {
    /// The plan to read one stream.
    pub(crate) fn stream(
        log: &Log,
        name: &StreamName,
        start: Start,
        as_of: Option<AsOf>,
        filter: &Filter,
    ) -> Result<Self> {
        let (mut from, mut to) = (0, log.next_version(name.as_str())?);
        if let Some(AsOf::Version(version)) = as_of {
            to = to.min(version.as_u64().saturating_add(1));
        }
        let head = log.index.read(Tables::head);
        let positions = positions(log, head, as_of, filter)?;
        if positions.start > 0 {
            from = from.max(log.version_at(name.as_str(), positions.start)?);
        }
        if positions.end < head {
            to = to.min(log.version_at(name.as_str(), positions.end)?);
        }
        let versions = begin(start.from, start.backward, from, to);
        Ok(Self::Stream(Versions::new(name.clone(), versions)))
    }

    /// The plan to read the whole store.
    pub(crate) fn all(log: &Log, start: Start, as_of: Option<AsOf>, filter: &Filter) -> Result<Self> {
        let positions = positions(log, log.index.read(Tables::head), as_of, filter)?;
        Ok(Self::All(Positions::new(begin(start.from, start.backward, positions.start, positions.end))))
    }

    /// Takes up to `count` events from one end.
    pub(crate) fn take(&mut self, log: &Log, filter: &Filter, end: End, count: u64) -> Result<Taken> {
        match self {
            Self::Empty => Ok(Taken::default()),
            Self::Stream(versions) => versions.take(log, end, count),
            Self::All(positions) => positions.take(log, filter, end, count),
        }
    }

    /// Whether nothing is left to take.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream(versions) => versions.is_done(),
            Self::All(positions) => positions.is_done(),
        }
    }
}

/// How many bytes a piece will have read from disk.
#[derive(Debug, Default)]
pub(super) struct PieceSize {
    bytes: u64,
    last: Option<FrameAt>,
}

impl PieceSize {
    pub(super) fn takes_more(&self) -> bool {
        self.bytes < PIECE_BYTES
    }

    pub(super) fn add(&mut self, found: Option<&Found>) {
        let at = found.and_then(Found::on_disk).map(|(_, at)| at);
        if let Some(at) = at.filter(|at| self.last != Some(*at)) {
            self.bytes += u64::from(at.bytes);
            self.last = Some(at);
        }
    }
}

/// The number at one end of a range that is not empty.
pub(super) fn next(range: &Range<u64>, end: End) -> u64 {
    match end {
        End::Front => range.start,
        End::Back => range.end.saturating_sub(1),
    }
}

/// Cuts up to `count` numbers off one end of a range; in ascending order.
pub(super) fn shrink(range: &mut Range<u64>, end: End, count: u64) -> Range<u64> {
    let count = count.min(range.end.saturating_sub(range.start));
    match end {
        End::Front => {
            let start = range.start;
            range.start += count;
            start..range.start
        }
        End::Back => {
            let stop = range.end;
            range.end -= count;
            range.end..stop
        }
    }
}

/// What was found from one end, in ascending order.
pub(super) fn in_order(mut found: Vec<Found>, end: End) -> Vec<Found> {
    if end == End::Back {
        found.reverse();
    }
    found
}

/// What of `range` lies within `held`.
pub(super) fn within(range: &Range<u64>, held: &Range<u64>) -> Range<u64> {
    held.start.max(range.start)..held.end.min(range.end)
}

/// The positions that `as_of` and the filter's recorded range leave.
fn positions(log: &Log, head: u64, as_of: Option<AsOf>, filter: &Filter) -> Result<Range<u64>> {
    let (mut from, mut to) = (0, head);
    match as_of {
        Some(AsOf::Position(position)) => to = to.min(position.as_u64().saturating_add(1)),
        Some(AsOf::Recorded(time)) => to = to.min(log.recorded_boundary(|at| at <= time)?),
        Some(AsOf::Version(_)) | None => {}
    }
    if let Some(range) = filter.recorded_range() {
        from = log.recorded_boundary(|at| range.is_after(at))?;
        to = to.min(log.recorded_boundary(|at| range.is_after(at) || range.ends_after(at))?);
    }
    Ok(from..to)
}

/// The bounds with the start put in: the first event of a forward read, the last of a backward one.
fn begin(start: Option<u64>, backward: bool, from: u64, to: u64) -> Range<u64> {
    let (from, to) = match (start, backward) {
        (None, _) => (from, to),
        (Some(start), false) => (from.max(start), to),
        (Some(start), true) => (from, to.min(start.saturating_add(1))),
    };
    // A start beyond the end reads nothing.
    from.min(to)..to
}
