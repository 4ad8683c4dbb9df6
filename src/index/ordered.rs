//! `Ordered`: events of one segment in the order of the store. A segment is sorted by stream, so reading it in the order of
//! positions jumps about among its blocks: they are all taken apart and kept while somebody does.

use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::segment::Segment;
use crate::types::{EventTable, EventTableBuilder, Filter, RecordedEvent};

use super::Found;

/// Bytes of events that share a table, about: who keeps one of them keeps as many. Large enough that its memory is used again
/// as it is.
const TABLE_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(crate) struct Ordered {
    tables: Vec<Arc<EventTable>>,
    /// Ascending by position.
    order: Vec<Place>,
    /// What cannot be read.
    lost: Option<Lost>,
}

/// An event among the tables.
#[derive(Debug, Clone, Copy)]
struct Place {
    table: u32,
    row: u32,
}

/// Positions whose events cannot be read, ascending, and why.
#[derive(Debug)]
struct Lost {
    positions: Vec<Range<u64>>,
    error: Error,
}

impl Ordered {
    /// All events. `old` is of a segment that was read before: its memory is used again if nobody has it.
    pub(crate) fn whole(segment: &Arc<Segment>, old: Option<Arc<Self>>) -> Self {
        let mut gathered = Gathered::new(old);
        gathered.room = TABLE_BYTES + TABLE_BYTES / 8;
        gathered.add(segment, 0..segment.events());
        gathered.in_order(segment)
    }

    /// The events of the streams that a filter admits.
    pub(crate) fn admitted(segment: &Arc<Segment>, filter: &Filter, old: Option<Arc<Self>>) -> Self {
        let mut gathered = Gathered::new(old);
        match admitted_ordinals(segment, filter) {
            Ok(admitted) => {
                for ordinals in admitted {
                    gathered.add(segment, ordinals);
                }
            }
            Err(error) => gathered.bad.add(0..segment.events(), error),
        }
        gathered.in_order(segment)
    }

    /// The events at these positions, which the segment holds: for a few. `None` when one cannot be read.
    pub(crate) fn few(segment: &Arc<Segment>, positions: Range<u64>) -> Option<Vec<Found>> {
        let find = |position| {
            let ordinal = segment.ordinal(position).ok()?;
            let block =
                segment.block_holding(ordinal).ok().filter(|block| block.position(ordinal) == position)?;
            let (table, rows) = block.events(ordinal..ordinal + 1);
            Some(Found::Rows { table, rows })
        };
        positions.map(find).collect()
    }

    /// Which of the events lie at these positions.
    pub(crate) fn at(&self, positions: Range<u64>) -> Range<usize> {
        let below = |end: u64| {
            self.order.partition_point(|place| position_of(&self.tables, *place).is_some_and(|at| at < end))
        };
        below(positions.start)..below(positions.end)
    }

    /// The position of an event.
    pub(crate) fn position(&self, at: usize) -> Option<u64> {
        position_of(&self.tables, *self.order.get(at)?)
    }

    /// Brings these events nearer, before they are read one by one.
    pub(crate) fn touch(&self, at: Range<usize>) {
        for Place { table, row } in self.order.get(at).unwrap_or_default() {
            if let Some(table) = self.tables.get(*table as usize) {
                table.touch(*row as usize);
            }
        }
    }

    #[inline]
    pub(crate) fn event(&self, at: usize) -> Option<RecordedEvent> {
        let Place { table, row } = *self.order.get(at)?;
        Some(self.tables.get(table as usize)?.event(row as usize))
    }

    /// Why some cannot be read.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.lost.as_ref().map(|lost| &lost.error)
    }

    /// The positions of which no event was read.
    fn gaps(&self, all: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut next = all.start;
        let positions = self.order.iter().filter_map(|place| position_of(&self.tables, *place));
        for position in positions.chain([all.end]) {
            if next < position {
                gaps.push(next..position);
            }
            next = position.saturating_add(1);
        }
        gaps
    }

    /// The first of these positions whose events cannot be read, as far as they follow each other.
    pub(crate) fn first_lost(&self, within: &Range<u64>) -> Option<Range<u64>> {
        let mut lost = self.lost.iter().flat_map(|lost| &lost.positions);
        let found = lost.find(|lost| lost.end > within.start && lost.start < within.end)?;
        Some(found.start.max(within.start)..found.end.min(within.end))
    }

    /// The last of them.
    pub(crate) fn last_lost(&self, within: &Range<u64>) -> Option<Range<u64>> {
        let mut lost = self.lost.iter().flat_map(|lost| &lost.positions).rev();
        let found = lost.find(|lost| lost.end > within.start && lost.start < within.end)?;
        Some(found.start.max(within.start)..found.end.min(within.end))
    }
}

/// Events that were taken apart, in the order of streams.
struct Gathered {
    tables: Vec<Arc<EventTable>>,
    /// The one that is not full yet.
    table: EventTableBuilder,
    /// Whose memory may be used again.
    old: Vec<Arc<EventTable>>,
    /// Bytes that a new table has room for from the first.
    room: usize,
    /// Of those that are wanted.
    places: Vec<Place>,
    /// The block that was taken apart last.
    last: Option<Held>,
    bad: Bad,
}

/// Where the events of a block are.
#[derive(Clone)]
struct Held {
    ordinals: Range<u32>,
    table: u32,
    first_row: u32,
}

/// Events that cannot be read, and the first reason met.
#[derive(Debug, Default)]
struct Bad {
    ordinals: Vec<Range<u32>>,
    error: Option<Error>,
}

impl Bad {
    fn add(&mut self, ordinals: Range<u32>, error: Error) {
        self.ordinals.push(ordinals);
        self.error.get_or_insert(error);
    }
}

impl Gathered {
    fn new(old: Option<Arc<Ordered>>) -> Self {
        let (old, mut places) = match old.and_then(|old| Arc::try_unwrap(old).ok()) {
            Some(Ordered { tables, order, .. }) => (tables, order),
            None => (Vec::new(), Vec::new()),
        };
        places.clear();
        let (tables, table) = (Vec::new(), EventTableBuilder::default());
        Self { tables, table, old, room: 0, places, last: None, bad: Bad::default() }
    }

    /// Begins a new table if this one is full.
    fn see_to_room(&mut self) {
        let is_new = self.table.rows().is_empty();
        if !is_new && self.table.bytes().len() + size_of_val(self.table.rows()) < TABLE_BYTES {
            return;
        }
        // One that was made for large events is too much for small ones.
        let old = self.old.pop().filter(|old| old.memory_bytes() <= 4 * TABLE_BYTES);
        let mut next = old.map(EventTableBuilder::in_place_of).unwrap_or_default();
        next.reserve(0, self.room);
        let full = std::mem::replace(&mut self.table, next);
        if !is_new {
            self.tables.push(full.table());
        }
    }

    /// Adds the events of neighbouring streams, which lie behind those that were added before.
    fn add(&mut self, segment: &Arc<Segment>, ordinals: Range<u32>) {
        // They may begin in the block in which those before ended.
        let last = self.last.take().filter(|held| held.ordinals.contains(&ordinals.start));
        let mut next = last.map_or(ordinals.start, |held| self.want(held, &ordinals));
        while next < ordinals.end {
            let mut blocks = segment.blocks(next..ordinals.end);
            loop {
                self.see_to_room();
                let table = u32::try_from(self.tables.len()).unwrap_or(u32::MAX);
                let first_row = u32::try_from(self.table.rows().len()).unwrap_or(u32::MAX);
                match blocks.next_into(&mut self.table) {
                    Some(Ok(held)) => next = self.want(Held { ordinals: held, table, first_row }, &ordinals),
                    Some(Err(error)) => {
                        // Goes on behind it, if it is known where that is.
                        let held = segment.beside(next).unwrap_or(next..ordinals.end);
                        let end = held.end.min(ordinals.end);
                        self.bad.add(next..end, error);
                        next = end;
                    }
                    None => break,
                }
            }
        }
    }

    /// Wants these of a block's events; the ordinal behind the last of them.
    fn want(&mut self, held: Held, ordinals: &Range<u32>) -> u32 {
        let Held { ordinals: of_block, table, first_row } = held.clone();
        let wanted = of_block.start.max(ordinals.start)..of_block.end.min(ordinals.end);
        let row = |ordinal: u32| first_row + (ordinal - of_block.start);
        self.places.extend((row(wanted.start)..row(wanted.end)).map(|row| Place { table, row }));
        self.last = Some(held);
        wanted.end
    }

    fn in_order(self, segment: &Arc<Segment>) -> Ordered {
        let Self { mut tables, table, places, bad, .. } = self;
        tables.push(table.table());
        let order = by_position(places, &tables, &segment.positions());
        let mut ordered = Ordered { tables, order, lost: None };
        if let Some(error) = bad.error {
            let known = segment.positions_of(&bad.ordinals);
            let positions = known.unwrap_or_else(|_| ordered.gaps(segment.positions()));
            ordered.lost = Some(Lost { positions, error });
        }
        ordered
    }
}

fn position_of(tables: &[Arc<EventTable>], place: Place) -> Option<u64> {
    let row = tables.get(place.table as usize)?.rows().get(place.row as usize)?;
    Some(row.facts.position.as_u64())
}

/// These events of a segment, whose positions differ, in the order of positions. Many are put where they belong rather than
/// compared with each other.
fn by_position(mut wanted: Vec<Place>, tables: &[Arc<EventTable>], positions: &Range<u64>) -> Vec<Place> {
    const NOWHERE: Place = Place { table: u32::MAX, row: u32::MAX };
    let span = usize::try_from(positions.end - positions.start).unwrap_or(usize::MAX);
    if wanted.len() < span / 4 {
        wanted.sort_unstable_by_key(|place| position_of(tables, *place));
        return wanted;
    }
    let mut places = vec![NOWHERE; span];
    for wanted in wanted.drain(..) {
        let place = position_of(tables, wanted).and_then(|position| position.checked_sub(positions.start));
        let place = place.and_then(|at| places.get_mut(usize::try_from(at).ok()?));
        *place.unwrap_or_else(|| unreachable!("a block's positions are its segment's")) = wanted;
    }
    wanted.extend(places.into_iter().filter(|place| place.table != NOWHERE.table));
    wanted
}

/// The events of the streams that a filter admits; of streams that lie side by side together.
fn admitted_ordinals(segment: &Arc<Segment>, filter: &Filter) -> Result<Vec<Range<u32>>> {
    let mut admitted: Vec<Range<u32>> = Vec::new();
    for prefix in filter.stream_prefixes() {
        for stream in segment.streams_from(&prefix) {
            let (name, run) = stream?;
            if !filter.admits_stream(name.as_str()) {
                continue;
            }
            match admitted.last_mut() {
                Some(last) if last.end == run.ordinals.start => last.end = run.ordinals.end,
                _ => admitted.push(run.ordinals),
            }
        }
    }
    Ok(admitted)
}
