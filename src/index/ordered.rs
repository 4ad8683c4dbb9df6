//! `Ordered`: events of one segment in the order of the store. A segment is sorted by stream, so reading it in the order of
//! positions jumps about among its blocks: they are all kept while somebody does.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::segment::{EventBlock, Segment};
use crate::types::{Filter, RecordedEvent};

#[derive(Debug, Default)]
pub(crate) struct Ordered {
    blocks: Vec<Arc<EventBlock>>,
    /// Ascending by position.
    events: Vec<Entry>,
    /// What cannot be read.
    lost: Option<Lost>,
}

/// Positions whose events cannot be read, ascending, and why.
#[derive(Debug)]
struct Lost {
    positions: Vec<Range<u64>>,
    error: Error,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    position: u64,
    /// Which of the blocks it is in.
    block: u32,
    ordinal: u32,
}

impl Ordered {
    /// All events.
    pub(crate) fn whole(segment: &Arc<Segment>) -> Self {
        let mut ordered = Self::default();
        let bad = ordered.add(segment, 0..segment.events());
        ordered.finish(segment, bad)
    }

    /// The events of the streams that a filter admits.
    pub(crate) fn admitted(segment: &Arc<Segment>, filter: &Filter) -> Self {
        let mut ordered = Self::default();
        let mut bad = Bad::default();
        let admitted = admitted_ordinals(segment, filter).unwrap_or_else(|error| {
            bad.add(0..segment.events(), error);
            Vec::new()
        });
        for ordinals in admitted {
            bad.append(ordered.add(segment, ordinals));
        }
        ordered.finish(segment, bad)
    }

    /// The events at these positions, which the segment holds: for a few. `None` when one cannot be read.
    pub(crate) fn few(segment: &Arc<Segment>, positions: Range<u64>) -> Option<Self> {
        let mut ordered = Self::default();
        let mut known: HashMap<u32, u32> = HashMap::new();
        for position in positions {
            let ordinal = segment.ordinal(position).ok()?;
            let block = segment.block_holding(ordinal).ok()?;
            let number = *known.entry(block.ordinals().start).or_insert(ordered.block_count());
            if number == ordered.block_count() {
                ordered.blocks.push(block);
            }
            ordered.events.push(Entry { position, block: number, ordinal });
        }
        Some(ordered)
    }

    /// Adds the events of neighbouring streams; what of them cannot be read.
    fn add(&mut self, segment: &Arc<Segment>, ordinals: Range<u32>) -> Bad {
        let mut bad = Bad::default();
        let mut next = ordinals.start;
        while next < ordinals.end {
            for block in segment.blocks(next..ordinals.end) {
                match block {
                    Ok(block) => next = self.add_block(block, next..ordinals.end),
                    Err(error) => {
                        // Goes on behind it, if it is known where that is.
                        let held = segment.beside(next).unwrap_or(next..ordinals.end);
                        let end = held.end.min(ordinals.end);
                        bad.add(next..end, error);
                        next = end;
                    }
                }
            }
        }
        bad
    }

    /// Adds the wanted events of a block; the ordinal behind the last of them.
    fn add_block(&mut self, block: Arc<EventBlock>, wanted: Range<u32>) -> u32 {
        let held = block.ordinals();
        let wanted = held.start.max(wanted.start)..held.end.min(wanted.end);
        let number = self.block_count();
        let end = wanted.end;
        self.events.extend(wanted.map(|ordinal| Entry {
            position: block.position(ordinal),
            block: number,
            ordinal,
        }));
        self.blocks.push(block);
        end
    }

    fn finish(mut self, segment: &Arc<Segment>, bad: Bad) -> Self {
        self.events = by_position(self.events, &segment.positions());
        if let Some(error) = bad.error {
            let positions =
                segment.positions_of(&bad.ordinals).unwrap_or_else(|_| self.gaps(segment.positions()));
            self.lost = Some(Lost { positions, error });
        }
        self
    }

    /// The positions of which no event was read.
    fn gaps(&self, all: Range<u64>) -> Vec<Range<u64>> {
        let mut gaps = Vec::new();
        let mut next = all.start;
        for position in self.events.iter().map(|entry| entry.position).chain([all.end]) {
            if next < position {
                gaps.push(next..position);
            }
            next = position.saturating_add(1);
        }
        gaps
    }

    fn block_count(&self) -> u32 {
        u32::try_from(self.blocks.len()).unwrap_or(u32::MAX)
    }

    /// Which of the events lie at these positions.
    pub(crate) fn at(&self, positions: Range<u64>) -> Range<usize> {
        let below = |end: u64| self.events.partition_point(|entry| entry.position < end);
        below(positions.start)..below(positions.end)
    }

    /// The position of an event.
    pub(crate) fn position(&self, at: usize) -> Option<u64> {
        self.events.get(at).map(|entry| entry.position)
    }

    /// Brings these events nearer, before they are read one by one.
    pub(crate) fn touch(&self, at: Range<usize>) {
        for entry in self.events.get(at).unwrap_or_default() {
            if let Some(block) = self.blocks.get(entry.block as usize) {
                block.touch(entry.ordinal);
            }
        }
    }

    #[inline]
    pub(crate) fn event(&self, at: usize) -> Option<RecordedEvent> {
        let entry = self.events.get(at)?;
        Some(self.blocks.get(entry.block as usize)?.event(entry.ordinal))
    }

    /// Why some cannot be read.
    pub(crate) fn error(&self) -> Option<&Error> {
        self.lost.as_ref().map(|lost| &lost.error)
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

    fn append(&mut self, other: Self) {
        self.ordinals.extend(other.ordinals);
        if let Some(error) = other.error {
            self.error.get_or_insert(error);
        }
    }
}

/// Events of a segment with these positions, each of which is there once at most, in the order of positions. Many are put where
/// they belong rather than compared with each other.
fn by_position(mut events: Vec<Entry>, positions: &Range<u64>) -> Vec<Entry> {
    let span = usize::try_from(positions.end - positions.start).unwrap_or(usize::MAX);
    if events.len() < span / 4 {
        events.sort_unstable_by_key(|entry| entry.position);
        return events;
    }
    let mut places = vec![u32::MAX; span];
    for (at, entry) in (0..).zip(&events) {
        let place = usize::try_from(entry.position - positions.start).ok().and_then(|at| places.get_mut(at));
        *place.unwrap_or_else(|| unreachable!("a block's positions are its segment's")) = at;
    }
    places.into_iter().filter_map(|at| events.get(usize::try_from(at).ok()?)).copied().collect()
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
