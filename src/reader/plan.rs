//! `Plan`: which events a read is about and which come next, at either end. Bounds are fixed when it is made, so a read
//! sees one prefix of the store however long it takes.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::index::{BlockRun, Found, StreamKey, Tables};
use crate::journal::FrameAt;
use crate::types::{AsOf, Filter, Version};

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
                let mut piece = PieceSize::default();
                let mut found = Vec::new();
                while (found.len() as u64) < count && from < to && piece.takes_more() {
                    let version = shrink(from, to, end, 1).start;
                    if let Some(place) = tables.place(*key, Version::new(version)) {
                        found.push(tables.find_one(place)?);
                        piece.add(found.last());
                    }
                }
                if end == End::Back {
                    found.reverse();
                }
                Ok((found, from >= to))
            }
            Self::All { from, to, admitted } => {
                let mut found = Vec::new();
                let mut left = count;
                let mut piece = PieceSize::default();
                while left > 0 && from < to && piece.takes_more() {
                    let run = next_run(tables, filter, admitted, *from..*to, end, left)?;
                    match end {
                        End::Front => *from += run.length,
                        End::Back => *to -= run.length,
                    }
                    if let Some(admitted) = run.found {
                        found.push(admitted);
                        piece.add(found.last());
                        left = left.saturating_sub(run.length);
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

/// How many bytes a piece will have read from disk.
#[derive(Debug, Default)]
struct PieceSize {
    bytes: u64,
    last: Option<FrameAt>,
}

impl PieceSize {
    fn takes_more(&self) -> bool {
        self.bytes < PIECE_BYTES
    }

    fn add(&mut self, found: Option<&Found>) {
        let at = found.and_then(Found::on_disk);
        if let Some(at) = at.filter(|at| self.last != Some(*at)) {
            self.bytes += u64::from(at.bytes);
            self.last = Some(at);
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

/// Events that follow each other and are admitted, or not admitted, alike.
struct Run {
    length: u64,
    /// `None` when they are not admitted.
    found: Option<Found>,
}

/// The run at one end of `range`, of `count` events at most if they are admitted.
fn next_run(
    tables: &Tables,
    filter: &Filter,
    admitted: &mut Admitted,
    range: Range<u64>,
    end: End,
    count: u64,
) -> Result<Run> {
    let at = match end {
        End::Front => range.start,
        End::Back => range.end - 1,
    };
    let within = |held: &Range<u64>| held.start.max(range.start)..held.end.min(range.end);
    if filter.admits_all_streams()
        && let Some((block, held)) = tables.block_at(at)
    {
        let positions = cut(within(&held), end, count);
        let length = positions.end - positions.start;
        return Ok(Run { length, found: Some(Found::Block(BlockRun::new(Arc::clone(block), positions))) });
    }
    let (commit, held) = tables
        .commit_at(at)
        .ok_or_else(|| Error::new(ErrorKind::Corrupt, format!("position {at} is not in the index")))?;
    let mut admits = |position| {
        filter.admits_all_streams()
            || tables.stream_of(position).is_some_and(|key| admitted.admits(filter, key, tables))
    };
    let is_admitted = admits(at);
    let alike = match end {
        End::Front => within(&held).take_while(|position| admits(*position) == is_admitted).count() as u64,
        End::Back => {
            within(&held).rev().take_while(|position| admits(*position) == is_admitted).count() as u64
        }
    };
    if !is_admitted {
        return Ok(Run { length: alike, found: None });
    }
    let positions = cut(within(&held), end, alike.min(count));
    let event = |position: u64| u32::try_from(position - held.start).unwrap_or(u32::MAX);
    let found = tables.find(commit, event(positions.start), event(positions.end))?;
    Ok(Run { length: positions.end - positions.start, found: Some(found) })
}

/// Up to `count` positions at one end of a range.
fn cut(positions: Range<u64>, end: End, count: u64) -> Range<u64> {
    let Range { mut start, end: mut stop } = positions;
    shrink(&mut start, &mut stop, end, count)
}
