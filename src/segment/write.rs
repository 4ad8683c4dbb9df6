//! Writing a segment, in this order: header; blocks of events while they come; streams, ids, order, state, types, filter, directory from
//! tables in memory; footer. The file has its name only when all of it is durable.
//!
//! In memory beside the tables are one block and one piece of output. The tables take 8 bytes an event, 8 bytes a stream and the
//! bytes of the streams' names.

use std::io;
use std::path::Path;

use crate::disk::{CreateFailure, Disk, create_complete, file_name};
use crate::error::Result;
use crate::state::StateTable;
use crate::types::{Chain, Compression, Extension, RecordedEvent, StoreId, Version};

use super::directory::{DirectoryBuilder, Totals};
use super::envelope::{BlockKind, ENVELOPE_BYTES};
use super::event_block_builder::EventBlockBuilder;
use super::filter::NameFilter;
use super::footer::{BlockCounts, FOOTER_BYTES, Footer, Span};
use super::header::{self, Identity};
use super::id_block::{self, IDS_PER_BLOCK};
use super::order_block::{self, POSITIONS_PER_BLOCK};
use super::output::{Output, RawBlock};
use super::stable_hash::{fingerprint, stable_hash};
use super::stream_block::{StreamBlockBuilder, StreamRun};
use super::type_table::TypeCounts;

/// What a segment is made of, beside its events.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewSegment {
    pub(crate) store: StoreId,
    /// That of the journal file.
    pub(crate) number: u64,
    /// What the journal file's first frame followed.
    pub(crate) start: Chain,
    /// What the frame after its last must follow.
    pub(crate) end: Chain,
    pub(crate) compression: Compression,
}

/// An event on its way into a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealedEvent {
    pub(crate) event: RecordedEvent,
    pub(crate) extension: Extension,
}

/// Writes a segment of these events to `dir`: all from `start` to `end`, ascending by stream and version; and of the state records
/// as they are at `end`. An error among the events leaves no file. When this returns, the file is durable under its name.
pub(crate) fn write_segment(
    disk: &dyn Disk,
    dir: &Path,
    new: NewSegment,
    events: &mut dyn Iterator<Item = Result<SealedEvent>>,
    states: &StateTable,
) -> Result<(), CreateFailure> {
    let path = dir.join(file_name(new.number));
    let mut failed = None;
    let created = create_complete(disk, &path, |file| {
        let identity = Identity { store: new.store, number: new.number };
        let mut writer = Writer::new(new, Output::new(file, identity.seed(), new.compression));
        writer.output.put(&header::encode(identity, new.start))?;
        for event in events {
            match event {
                Ok(event) => writer.push(&event)?,
                Err(error) => {
                    failed = Some(error);
                    return Err(io::ErrorKind::Other.into());
                }
            }
        }
        writer.finish(identity, states)
    });
    match (created, failed) {
        (Err(_), Some(error)) => Err(CreateFailure::Unchanged(error)),
        (created, _) => created.map(drop),
    }
}

struct Writer<'a> {
    new: NewSegment,
    output: Output<'a>,
    block: EventBlockBuilder,
    raw: Vec<u8>,
    raw_bytes: u64,
    /// Of the first event of the block that is being built.
    block_first: u32,
    /// How many events have come.
    events: u32,
    commits: u64,
    recorded: Span,
    occurred: Span,
    new_streams: u32,
    stream: Option<OpenStream>,
    tables: Tables,
}

/// The stream whose events are coming.
struct OpenStream {
    name: String,
    first_version: Version,
    last_version: Version,
    first_ordinal: u32,
}

/// What is written behind the events.
struct Tables {
    directory: DirectoryBuilder,
    blocks: BlockCounts,
    streams: Vec<(u32, StreamBlockBuilder)>,
    name_hashes: Vec<u64>,
    last_name: String,
    /// In the order of the ordinals, but sorted within each stream that has ended.
    fingerprints: Vec<u32>,
    /// By place from the first position; `u32::MAX` for those that have not come.
    ordinals: Vec<u32>,
    types: TypeCounts,
}

impl<'a> Writer<'a> {
    fn new(new: NewSegment, output: Output<'a>) -> Self {
        let events = new.end.position.checked_sub(new.start.position);
        let events = events.and_then(|events| u32::try_from(events).ok()).filter(|events| *events < u32::MAX);
        let Some(events) = events else {
            unreachable!("a journal file has at least as many bytes as events, far below 4 GiB")
        };
        let events = usize::try_from(events).unwrap_or(usize::MAX);
        let tables = Tables {
            directory: DirectoryBuilder::default(),
            blocks: BlockCounts::default(),
            streams: Vec::new(),
            name_hashes: Vec::new(),
            last_name: String::new(),
            fingerprints: Vec::with_capacity(events),
            ordinals: vec![u32::MAX; events],
            types: TypeCounts::default(),
        };
        Self {
            new,
            output,
            block: EventBlockBuilder::default(),
            raw: Vec::new(),
            raw_bytes: 0,
            block_first: 0,
            events: 0,
            commits: 0,
            recorded: Span::NONE,
            occurred: Span::NONE,
            stream: None,
            new_streams: 0,
            tables,
        }
    }

    fn push(&mut self, sealed: &SealedEvent) -> io::Result<()> {
        let SealedEvent { event, extension } = sealed;
        assert!(extension.flags & 0xff == 0, "an event with flags that nobody knows was not read");
        let goes_on = self.stream.as_ref().is_some_and(|stream| stream.name == event.stream());
        if goes_on {
            if self.block.ends_within_stream(event, extension) {
                self.finish_block()?;
            }
        } else {
            self.finish_stream();
            if self.block.ends_before_stream(event, extension) {
                self.finish_block()?;
            }
        }
        if !goes_on || self.block.count() == 0 {
            self.block.begin_run(event);
        }
        self.note_stream(event);
        self.block.push(event, extension);
        self.note_event(event);
        Ok(())
    }

    /// Begins the event's stream, or checks that the event is the next of it.
    fn note_stream(&mut self, event: &RecordedEvent) {
        match &mut self.stream {
            Some(stream) => {
                let follows = stream.last_version.next() == Some(event.version());
                assert!(follows, "a stream's events come one behind another");
                stream.last_version = event.version();
            }
            None => {
                self.new_streams += u32::from(event.version() == Version::FIRST);
                self.stream = Some(OpenStream {
                    name: event.stream().to_owned(),
                    first_version: event.version(),
                    last_version: event.version(),
                    first_ordinal: self.events,
                });
            }
        }
    }

    /// Takes the event into the tables.
    fn note_event(&mut self, event: &RecordedEvent) {
        let place = event.position().as_u64().checked_sub(self.new.start.position);
        let place = place.and_then(|place| usize::try_from(place).ok());
        let slot = place.and_then(|place| self.tables.ordinals.get_mut(place));
        let Some(slot) = slot.filter(|slot| **slot == u32::MAX) else {
            unreachable!("each position of a segment comes once")
        };
        *slot = self.events;
        self.tables.fingerprints.push(fingerprint(event.id()));
        self.tables.types.add(event.event_type());
        self.recorded.add(event.recorded_at());
        self.occurred.add(event.occurred_at());
        self.commits += u64::from(event.position() == event.commit_position());
        self.events += 1;
    }

    fn finish_stream(&mut self) {
        let Some(OpenStream { name, first_version, first_ordinal, .. }) = self.stream.take() else { return };
        let first = usize::try_from(first_ordinal).unwrap_or(usize::MAX);
        self.tables.fingerprints.get_mut(first..).unwrap_or_default().sort_unstable();
        self.tables.add_stream(&name, &StreamRun { first_version, ordinals: first_ordinal..self.events });
    }

    fn finish_block(&mut self) -> io::Result<()> {
        let (first, count) = (self.block_first, self.block.count());
        if count == 0 {
            return Ok(());
        }
        self.raw.clear();
        self.block.finish(&mut self.raw);
        self.raw_bytes += self.raw.len() as u64;
        let bytes = &self.raw;
        let stored = self.output.put_block(RawBlock { kind: BlockKind::Events, first, count, bytes })?;
        self.tables.directory.push(stored, first);
        self.tables.blocks.events += 1;
        self.block_first = self.events;
        Ok(())
    }

    fn finish(mut self, identity: Identity, states: &StateTable) -> io::Result<()> {
        self.finish_stream();
        self.finish_block()?;
        assert!(self.events as usize == self.tables.ordinals.len(), "all events of a segment come");
        let Self { new, mut output, events, tables, .. } = self;
        let streams = tables.streams_count();
        let types = tables.types.encode();
        let filter = NameFilter::of(tables.name_hashes.clone()).map(|filter| filter.encode());
        let (directory, blocks) = tables.put(&mut output, events)?;
        let mut put = |kind, count, bytes: &[u8]| {
            let stored = output.put_block(RawBlock { kind, first: 0, count, bytes })?;
            Ok::<_, io::Error>(u64::from(stored) + ENVELOPE_BYTES as u64)
        };
        let state_bytes = match u32::try_from(states.len()) {
            Ok(count) if count > 0 => put(BlockKind::State, count, &states.encode())?,
            _ => 0,
        };
        let state_bytes = u32::try_from(state_bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let types_bytes = types.map_or(Ok(0), |(count, bytes)| put(BlockKind::Types, count, &bytes))?;
        let filter_bytes = filter.map_or(Ok(0), |bytes| put(BlockKind::Filter, streams, &bytes))?;
        let blocks_count = u32::try_from(blocks.sum()).unwrap_or(u32::MAX);
        let directory_bytes = put(BlockKind::Directory, blocks_count, &directory.into_bytes())?;
        let footer = Footer {
            file_bytes: output.bytes() + FOOTER_BYTES as u64,
            raw_bytes: self.raw_bytes,
            totals: Totals { events, streams },
            commits: self.commits,
            blocks,
            start: new.start,
            end: new.end,
            recorded: self.recorded,
            occurred: self.occurred,
            state_bytes,
            types_bytes,
            filter_bytes,
            directory_bytes,
            new_streams: self.new_streams,
        };
        output.put(&footer.encode(identity))?;
        output.flush()
    }
}

impl Tables {
    fn streams_count(&self) -> u32 {
        u32::try_from(self.name_hashes.len()).unwrap_or(u32::MAX)
    }

    fn add_stream(&mut self, name: &str, run: &StreamRun) {
        let index = self.streams_count();
        let is_full = self.streams.last().is_none_or(|(_, block)| block.is_full());
        if is_full {
            self.streams.push((index, StreamBlockBuilder::default()));
        }
        let Some((_, block)) = self.streams.last_mut() else { unreachable!("a block was begun") };
        assert!(self.last_name.as_str() < name, "streams come in the order of their names");
        name.clone_into(&mut self.last_name);
        block.push(name, run);
        self.name_hashes.push(stable_hash(name.as_bytes()));
    }

    /// Writes the blocks of streams, ids and order; the whole directory.
    fn put(self, output: &mut Output<'_>, events: u32) -> io::Result<(DirectoryBuilder, BlockCounts)> {
        let Self { mut directory, mut blocks, streams, fingerprints, ordinals, .. } = self;
        for (first, block) in streams {
            let kind = BlockKind::Streams;
            let stored =
                output.put_block(RawBlock { kind, first, count: block.count, bytes: block.bytes() })?;
            directory.push(stored, first);
            directory.push_name(&block.first_name);
            blocks.streams += 1;
        }
        let mut put = |kind, per_block: u32, numbers: &[u32], encode: &dyn Fn(&[u32]) -> Vec<u8>| {
            let mut first = 0;
            for chunk in numbers.chunks(usize::try_from(per_block).unwrap_or(1)) {
                let count = u32::try_from(chunk.len()).unwrap_or(u32::MAX);
                let stored = output.put_block(RawBlock { kind, first, count, bytes: &encode(chunk) })?;
                directory.push(stored, first);
                first += count;
            }
            Ok::<_, io::Error>(first.div_ceil(per_block))
        };
        blocks.ids = put(BlockKind::Ids, IDS_PER_BLOCK, &fingerprints, &id_block::encode)?;
        let pack = |ordinals: &[u32]| order_block::encode(ordinals, events);
        blocks.order = put(BlockKind::Order, POSITIONS_PER_BLOCK, &ordinals, &pack)?;
        Ok((directory, blocks))
    }
}
