//! `Plan`: which events a read is about and which come next, at either end. Bounds are fixed when it is made, so a read
//! sees one prefix of the store however long it takes.

use crate::error::Result;
use crate::index::{Found, Place, StreamKey, Tables};
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

    /// Takes up to `count` events from one end. Fewer only when the plan is at its end, which is said too.
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
                let taken = shrink(from, to, end, count);
                let places = taken.filter_map(|version| tables.place(*key, Version::new(version)));
                let found: Result<Vec<Found>> = places.map(|place| tables.found(place)).collect();
                Ok((found?, from >= to))
            }
            Self::All { from, to, admitted } => {
                let places = take_positions(tables, filter, admitted, from, to, end, count);
                let found: Result<Vec<Found>> = places.into_iter().map(|place| tables.found(place)).collect();
                Ok((found?, from >= to))
            }
        }
    }
}

/// The positions that `as_of` and the filter's recorded range leave.
fn positions(tables: &Tables, as_of: Option<AsOf>, filter: &Filter) -> std::ops::Range<u64> {
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
    match (start, backward) {
        (None, _) => (from, to),
        (Some(start), false) => (from.max(start), to),
        (Some(start), true) => (from, to.min(start.saturating_add(1))),
    }
}

/// Cuts up to `count` numbers off one end of `from..to`; in ascending order.
fn shrink(from: &mut u64, to: &mut u64, end: End, count: u64) -> std::ops::Range<u64> {
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

/// Cuts positions off one end until `count` of them are admitted; their places in ascending order.
fn take_positions(
    tables: &Tables,
    filter: &Filter,
    admitted: &mut Admitted,
    from: &mut u64,
    to: &mut u64,
    end: End,
    count: u64,
) -> Vec<Place> {
    let all_streams = filter.admits_all_streams();
    let mut admits = |position| {
        all_streams || tables.stream_of(position).is_some_and(|key| admitted.admits(filter, key, tables))
    };
    let mut places: Vec<Place> = Vec::new();
    while *from < *to && (places.len() as u64) < count {
        let position = match end {
            End::Front => *from,
            End::Back => *to - 1,
        };
        if admits(position) {
            // Positions mostly follow each other: the next place is found from the one before.
            let near = places.last().copied().filter(|_| end == End::Front);
            places.extend(
                near.map_or_else(|| tables.locate(position), |near| tables.locate_near(near, position)),
            );
        }
        match end {
            End::Front => *from += 1,
            End::Back => *to -= 1,
        }
    }
    if end == End::Back {
        places.reverse();
    }
    places
}
