//! The parts of a segment's file, found by docs/format.md; no code is shared with the library.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annals::RecordedEvent;

use super::to_usize;

const HEADER_BYTES: usize = 64;
const FOOTER_BYTES: usize = 192;
const ENVELOPE_BYTES: usize = 24;

/// A block of a segment.
#[derive(Debug, Clone)]
pub(crate) struct SealedBlock {
    /// With its envelope.
    pub(crate) bytes: Range<usize>,
    /// 1 for events, 7 for the directory.
    pub(crate) kind: u8,
    pub(crate) first: u32,
    pub(crate) count: u32,
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

/// The segments among some files, in the order of their numbers.
pub(crate) fn segments(files: &BTreeMap<PathBuf, Vec<u8>>) -> Vec<PathBuf> {
    files.keys().filter(|path| path.parent().is_some_and(|dir| dir.ends_with("segments"))).cloned().collect()
}

/// The blocks of a sound segment.
pub(crate) fn blocks(bytes: &[u8]) -> Vec<SealedBlock> {
    let mut found = Vec::new();
    let mut at = HEADER_BYTES;
    while at < bytes.len() - FOOTER_BYTES {
        let end = at + ENVELOPE_BYTES + to_usize(u32_at(bytes, at + 4).into());
        let (kind, first, count) = (bytes[at], u32_at(bytes, at + 12), u32_at(bytes, at + 16));
        found.push(SealedBlock { bytes: at..end, kind, first, count });
        at = end;
    }
    assert_eq!(at, bytes.len() - FOOTER_BYTES, "blocks fill the file");
    found
}

/// The positions of a sound segment.
pub(crate) fn positions(bytes: &[u8]) -> Range<u64> {
    let footer = &bytes[bytes.len() - FOOTER_BYTES..];
    u64_at(footer, 88)..u64_at(footer, 108)
}

/// The events of a segment, in the order in which they lie in it; of all events of the store.
pub(crate) fn sorted(bytes: &[u8], all: &[RecordedEvent]) -> Vec<RecordedEvent> {
    let positions = positions(bytes);
    let mut events = all[to_usize(positions.start)..to_usize(positions.end)].to_vec();
    events.sort_by(|a, b| (a.stream(), a.version()).cmp(&(b.stream(), b.version())));
    events
}

/// The positions of the events that a block holds, ascending; none when it is no block of events.
pub(crate) fn positions_in(bytes: &[u8], block: &SealedBlock, all: &[RecordedEvent]) -> Vec<u64> {
    if block.kind != 1 {
        return Vec::new();
    }
    let of_block = to_usize(block.first.into())..to_usize((block.first + block.count).into());
    let mut positions: Vec<u64> =
        sorted(bytes, all)[of_block].iter().map(|event| event.position().as_u64()).collect();
    positions.sort_unstable();
    positions
}

/// Ascending positions as ranges.
pub(crate) fn ranges(positions: &[u64]) -> Vec<Range<u64>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    for position in positions {
        match ranges.last_mut().filter(|last| last.end == *position) {
            Some(last) => last.end += 1,
            None => ranges.push(*position..position + 1),
        }
    }
    ranges
}

/// The file of segment `number` of the store in `/bank`.
pub(crate) fn segment(number: u64) -> PathBuf {
    Path::new("/bank/segments").join(format!("{number:08}"))
}
