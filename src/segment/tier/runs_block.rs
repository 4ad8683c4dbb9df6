//! `RunsBlock`: streams of a tier in the order of their names' bytes, and where the events of each are.
//!
//! A block's bytes, decompressed; all numbers are varints:
//!
//! ```text
//! of each stream: name_len, name, count of its runs
//!   of each run, oldest first: how many segments it lies behind the tier's first, or for any but the first run behind the segment of
//!   the run before; version of its first event; ordinal of its first event; count of its events
//! ```

use crate::disk::{Varints, put_varint};
use crate::segment::stream_block::StreamRun;
use crate::types::limits::STREAM_NAME_BYTES_MAX;
use crate::types::{StreamName, Version};

use super::range::{TierRange, WIDTH_MAX};

/// A block that has as many bytes is full.
const BLOCK_BYTES: usize = 4 << 10;
/// Four varints: two of up to 5 bytes, one of up to 10, one of up to 5.
const RUN_BYTES_MAX: usize = 25;
/// A block that was one byte from full, and one more stream with a run in each segment.
#[expect(clippy::cast_possible_truncation, reason = "4,096; a constant cannot ask `try_from`")]
pub(in crate::segment) const RAW_BYTES_MAX: usize =
    BLOCK_BYTES + STREAM_NAME_BYTES_MAX + 16 + RUN_BYTES_MAX * WIDTH_MAX as usize;

/// The events of a stream in one of a tier's segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TierRun {
    /// The segment's number.
    pub(crate) segment: u64,
    pub(crate) run: StreamRun,
}

/// A stream and all of its runs, oldest first; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StreamRuns {
    pub(crate) name: StreamName,
    pub(crate) runs: Vec<TierRun>,
}

/// A block that is not full yet.
#[derive(Debug, Default)]
pub(super) struct RunsBlockBuilder {
    pub(super) first_name: String,
    pub(super) count: u32,
    pub(super) bytes: Vec<u8>,
}

impl RunsBlockBuilder {
    /// Takes in the next stream of a tier over `range`.
    pub(super) fn push(&mut self, stream: &StreamRuns, range: TierRange) {
        let name = stream.name.as_str();
        if self.count == 0 {
            name.clone_into(&mut self.first_name);
        }
        self.count += 1;
        put_varint(&mut self.bytes, name.len() as u64);
        self.bytes.extend_from_slice(name.as_bytes());
        put_varint(&mut self.bytes, stream.runs.len() as u64);
        let mut before = range.first;
        for TierRun { segment, run } in &stream.runs {
            put_varint(&mut self.bytes, segment.saturating_sub(before));
            put_varint(&mut self.bytes, run.first_version.as_u64());
            put_varint(&mut self.bytes, u64::from(run.ordinals.start));
            put_varint(&mut self.bytes, u64::from(run.ordinals.end - run.ordinals.start));
            before = *segment;
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_BYTES
    }

    /// Begins the next block.
    pub(super) fn clear(&mut self) {
        self.count = 0;
        self.bytes.clear();
    }
}

/// Streams that follow each other in a tier, all checked when this was made.
#[derive(Debug)]
pub(in crate::segment) struct RunsBlock {
    bytes: Vec<u8>,
    range: TierRange,
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    name: u32,
    name_len: u16,
    /// Where the count of its runs lies.
    runs: u32,
}

impl RunsBlock {
    /// Takes apart the bytes of a block of `count` streams, in a tier over `range`.
    pub(super) fn decode(raw: Vec<u8>, count: u32, range: TierRange) -> Result<Self, &'static str> {
        const CUT: &str = "stream is cut or past a limit";
        let at = |rest: &Varints<'_>| u32::try_from(raw.len() - rest.remaining()).map_err(|_| CUT);
        let mut rest = Varints::new(&raw);
        let (mut entries, mut before) = (Vec::new(), "");
        for _ in 0..count {
            let name_len =
                rest.u16().filter(|length| usize::from(*length) <= STREAM_NAME_BYTES_MAX).ok_or(CUT)?;
            let name = at(&rest)?;
            let text = rest.bytes(usize::from(name_len)).and_then(|text| std::str::from_utf8(text).ok());
            let text = text.ok_or("stream's name is cut or no text")?;
            // Nothing is before all, so an empty name is out of order too.
            if text <= before {
                return Err("streams are out of order");
            }
            before = text;
            let runs = at(&rest)?;
            let mut read = RunsIn::begin(&mut rest, range).ok_or(CUT)?;
            while read.left > 0 {
                read.next_run().ok_or("run is cut, or not one of the tier's segments")?;
            }
            entries.push(Entry { name, name_len, runs });
        }
        if rest.remaining() > 0 {
            return Err("block of runs is longer than its streams");
        }
        Ok(Self { bytes: raw, range, entries })
    }

    /// The runs of the stream with this name, oldest first; none when it is not here.
    pub(super) fn find(&self, name: &str) -> Vec<TierRun> {
        let found = self.entries.binary_search_by(|entry| self.name_of(entry).cmp(name.as_bytes()));
        found.ok().and_then(|at| self.entries.get(at)).map(|entry| self.runs_of(entry)).unwrap_or_default()
    }

    /// The stream at a place; `None` behind the last.
    pub(super) fn stream(&self, at: usize) -> Option<StreamRuns> {
        let entry = self.entries.get(at)?;
        let name = std::str::from_utf8(self.name_of(entry)).ok().and_then(|name| StreamName::new(name).ok());
        let name = name.unwrap_or_else(|| unreachable!("names were checked to be within their limits"));
        Some(StreamRuns { name, runs: self.runs_of(entry) })
    }

    /// Bytes of memory that it takes.
    pub(in crate::segment) fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.entries.capacity() * size_of::<Entry>() + size_of::<Self>()
    }

    fn runs_of(&self, entry: &Entry) -> Vec<TierRun> {
        let start = usize::try_from(entry.runs).unwrap_or(usize::MAX);
        let mut rest = Varints::new(self.bytes.get(start..).unwrap_or_default());
        let mut runs = Vec::new();
        if let Some(mut read) = RunsIn::begin(&mut rest, self.range) {
            runs.extend(std::iter::from_fn(|| read.next_run()));
        }
        runs
    }

    fn name_of(&self, entry: &Entry) -> &[u8] {
        let start = usize::try_from(entry.name).unwrap_or(usize::MAX);
        let name = self.bytes.get(start..).and_then(|rest| rest.get(..usize::from(entry.name_len)));
        name.unwrap_or_else(|| unreachable!("names were checked to lie in the block"))
    }
}

/// The runs of one stream while they are read.
struct RunsIn<'r, 'b> {
    rest: &'r mut Varints<'b>,
    range: TierRange,
    /// The segment of the run before.
    before: Option<u64>,
    left: u64,
}

impl<'r, 'b> RunsIn<'r, 'b> {
    /// The count of a stream's runs, and what follows. `None` when there are none, or more than segments.
    fn begin(rest: &'r mut Varints<'b>, range: TierRange) -> Option<Self> {
        let left = rest.number().filter(|count| (1..=range.width()).contains(count))?;
        Some(Self { rest, range, before: None, left })
    }

    /// The next run; `None` behind the last, and when it is none of the tier's.
    fn next_run(&mut self) -> Option<TierRun> {
        self.left = self.left.checked_sub(1)?;
        let gap = self.rest.number().filter(|gap| *gap > 0 || self.before.is_none())?;
        let segment = self.before.unwrap_or(self.range.first).checked_add(gap)?;
        let first_version = self.rest.number()?;
        let (start, count) = (self.rest.u32()?, self.rest.u32().filter(|count| *count > 0)?);
        first_version.checked_add(u64::from(count))?;
        let ordinals = start..start.checked_add(count)?;
        self.before = Some(segment);
        let run = StreamRun { first_version: Version::new(first_version), ordinals };
        (segment <= self.range.last).then_some(TierRun { segment, run })
    }
}
