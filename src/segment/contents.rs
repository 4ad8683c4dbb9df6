//! `Contents`: whether the tables of a segment say the same as its events. Checksums hold for what was written; this holds for what
//! should have been.
//!
//! It keeps the tables of ids and order, 8 bytes an event, and one block of streams.

use std::sync::Arc;

use crate::types::RecordedEvent;

use super::block_cache::Block;
use super::damages::Fault;
use super::directory::{BlockPlace, Directory};
use super::envelope::{BlockKind, Envelope};
use super::event_block::EventBlock;
use super::filter::NameFilter;
use super::footer::Span;
use super::segment_file::Segment;
use super::stable_hash::fingerprint;
use super::stream_block::{StreamBlock, StreamRun};
use super::type_table::{TypeCounts, TypeTable};

/// What was read of a segment, block after block.
pub(super) struct Contents {
    fingerprints: Vec<u32>,
    ordinals: Vec<u32>,
    streams: Vec<Arc<StreamBlock>>,
    filter: Option<Arc<NameFilter>>,
    types: Option<Arc<TypeTable>>,
    raw_bytes: u64,
    first_position: u64,
}

/// What is seen of the events while they are gone through.
struct Seen {
    run: Option<(String, StreamRun)>,
    run_fingerprints: Vec<u32>,
    /// The next stream: block, and place in it.
    next_stream: (usize, usize),
    recorded: Span,
    occurred: Span,
    commits: u64,
    types: TypeCounts,
}

impl Contents {
    pub(super) fn new(segment: &Segment) -> Self {
        Self {
            fingerprints: Vec::new(),
            ordinals: Vec::new(),
            streams: Vec::new(),
            filter: None,
            types: None,
            raw_bytes: 0,
            first_position: segment.positions().start,
        }
    }

    /// Takes in a block; those of events are only counted.
    pub(super) fn take_in(&mut self, envelope: Envelope, block: Block) {
        match block {
            Block::Events(_) => self.raw_bytes += u64::from(envelope.raw_len),
            Block::Streams(block) => self.streams.push(block),
            Block::Ids(block) => {
                self.fingerprints.extend((0..envelope.count).map(|at| block.fingerprint(at)));
            }
            Block::Order(block) => {
                self.ordinals.extend(block.positions().filter_map(|position| block.ordinal(position)));
            }
            Block::Types(types) => self.types = Some(types),
            Block::Filter(filter) => self.filter = Some(filter),
            Block::State(_) | Block::Directory(_) | Block::Runs(_) => {}
        }
    }

    /// The first thing that differs between the events, which are read once more, and what else the segment says.
    pub(super) fn check(
        &self,
        segment: &Segment,
        directory: &Directory,
        places: impl Iterator<Item = BlockPlace>,
    ) -> Option<Fault> {
        let first_names = self.streams.iter().map(|block| block.stream(0).map(|(name, _)| name.as_bytes()));
        if !first_names.eq(directory.first_names().map(Some)) {
            let what = "the directory names other streams than their blocks";
            return Some(Fault::new(segment.footer.directory_offset(), what));
        }
        let mut seen = Seen {
            run: None,
            run_fingerprints: Vec::new(),
            next_stream: (0, 0),
            recorded: Span::NONE,
            occurred: Span::NONE,
            commits: 0,
            types: TypeCounts::default(),
        };
        for place in places.take_while(|place| place.kind == BlockKind::Events) {
            let checked = match segment.read(place) {
                Ok((_, Block::Events(block))) => self.check_block(&block, &mut seen),
                Ok(_) => unreachable!("each part of a segment is of one kind"),
                Err(error) => return Some(Fault::of(error, place.offset)),
            };
            if let Err(what) = checked {
                return Some(Fault::new(place.offset, what));
            }
        }
        let at_end = self.check_end(segment, &mut seen).err();
        at_end.map(|what| Fault::new(segment.footer.directory_offset(), what))
    }

    fn check_block(&self, block: &EventBlock, seen: &mut Seen) -> Result<(), String> {
        for ordinal in block.ordinals() {
            let event = block.event(ordinal);
            if seen.run.as_ref().is_none_or(|(_, run)| run.ordinals.end == ordinal) {
                self.begin_run(seen)?;
            }
            self.check_event(&event, ordinal, seen)
                .map_err(|what| format!("event at position {}: {what}", event.position()))?;
        }
        Ok(())
    }

    /// Ends the run of the stream before, and begins that of the next.
    fn begin_run(&self, seen: &mut Seen) -> Result<(), String> {
        self.end_run(seen)?;
        let (mut block, mut at) = seen.next_stream;
        let next = loop {
            let Some(streams) = self.streams.get(block) else {
                return Err("there are more events than the streams say".to_owned());
            };
            match streams.stream(at) {
                Some((name, run)) => break (name.to_owned(), run),
                None => (block, at) = (block + 1, 0),
            }
        };
        if self.filter.as_ref().is_some_and(|filter| !filter.may_hold(&next.0)) {
            return Err("the filter does not know a stream".to_owned());
        }
        seen.next_stream = (block, at + 1);
        seen.run = Some(next);
        Ok(())
    }

    fn check_event(&self, event: &RecordedEvent, ordinal: u32, seen: &mut Seen) -> Result<(), &'static str> {
        let Some((name, run)) = &seen.run else { unreachable!("a run was begun") };
        let place = ordinal.checked_sub(run.ordinals.start).ok_or("the streams are out of step")?;
        let version = run.first_version.plus(u64::from(place));
        if event.stream() != name || Some(event.version()) != version {
            return Err("the streams say another stream or version");
        }
        let place = usize::try_from(event.position().as_u64() - self.first_position).unwrap_or(usize::MAX);
        if self.ordinals.get(place) != Some(&ordinal) {
            return Err("the order says another place");
        }
        seen.run_fingerprints.push(fingerprint(event.id()));
        seen.recorded.add(event.recorded_at());
        seen.occurred.add(event.occurred_at());
        seen.commits += u64::from(event.position() == event.commit_position());
        seen.types.add(event.event_type());
        Ok(())
    }

    fn end_run(&self, seen: &mut Seen) -> Result<(), String> {
        let Some((name, run)) = &seen.run else { return Ok(()) };
        seen.run_fingerprints.sort_unstable();
        let first = usize::try_from(run.ordinals.start).unwrap_or(usize::MAX);
        let told = self.fingerprints.get(first..).and_then(|rest| rest.get(..seen.run_fingerprints.len()));
        if told != Some(&seen.run_fingerprints) {
            return Err(format!(
                "the ids of stream {} are others than its events'",
                crate::error::Quoted(name)
            ));
        }
        seen.run_fingerprints.clear();
        Ok(())
    }

    /// Holds what was seen of all events against footer and types.
    fn check_end(&self, segment: &Segment, seen: &mut Seen) -> Result<(), String> {
        self.end_run(seen)?;
        let (block, at) = seen.next_stream;
        let rest = self.streams.iter().skip(block).enumerate();
        if rest.into_iter().any(|(skipped, block)| block.stream(if skipped == 0 { at } else { 0 }).is_some())
        {
            return Err("there are fewer events than the streams say".to_owned());
        }
        let footer = &segment.footer;
        let same_counts = seen.commits == footer.commits && self.raw_bytes == footer.raw_bytes;
        let same_times = seen.recorded == footer.recorded && seen.occurred == footer.occurred;
        if !same_counts || (!same_times && footer.totals.events > 0) {
            return Err("the footer's counts or times are others than the events'".to_owned());
        }
        let same_types = match (&self.types, seen.types.counts()) {
            (Some(table), Some(counts)) => {
                counts.iter().all(|(name, events)| table.events_of(name) == *events)
            }
            (None, None) => true,
            _ => false,
        };
        if same_types { Ok(()) } else { Err("the types are others than the events'".to_owned()) }
    }
}
