//! Finding every event of segments that is sound in its block, however little else of the files is left: for salvage.
//!
//! A block's checksum covers its envelope and is seeded with the store's id and the segment's number. So neither header nor
//! footer nor directory is needed: a file is walked from envelope to envelope, and behind one that is damaged every byte may
//! begin the next. What is kept of a file is where its blocks of events lie.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, DiskFile, OpenMode, Seed, list_own_dir, number_of, read_some_at};
use crate::error::{Error, ErrorKind, Result};
use crate::state::StateTable;
use crate::types::limits::JOURNAL_FILE_BYTES_MAX;
use crate::types::{Chain, RecordedEvent, StoreId, Timestamp};

use super::envelope::{BadBlock, BlockKind, ENVELOPE_BYTES, Envelope};
use super::event_block::{Bounds, EventBlock};
use super::footer::{FOOTER_BYTES, Footer};
use super::header::{self, HEADER_BYTES, Identity};
use super::pieces::Pieces;
use super::segment_file::SEGMENT_BYTES_MAX;
use super::tier::{TIER_MAGIC, TierRange};

/// Bytes looked through at once.
const LOOK_BYTES: usize = 64 << 10;
/// How many numbers are tried that other files have, for one whose name and header tell nothing.
const NUMBERS_TRIED_MAX: usize = 64;
/// What looks like an envelope is checked up to so many times a file's bytes. Only a file made for it needs more.
const CHECKED_TIMES_MAX: u64 = 16;
const CHECKED_BYTES_MIN: u64 = 64 << 20;
/// What is taken of one segment, decompressed.
const RAW_BYTES_MAX: u64 = 2 * JOURNAL_FILE_BYTES_MAX;

/// What was found of a segment's file.
#[derive(Debug)]
pub(crate) struct FoundSegment {
    pub(crate) path: PathBuf,
    /// Where it starts, and where the next one does: what header and footer say, if they are sound.
    pub(crate) start: Option<Chain>,
    pub(crate) end: Option<Chain>,
    /// How many events were found.
    pub(crate) events: u64,
    /// The least and the greatest of their positions.
    pub(crate) positions: Option<(u64, u64)>,
    /// Where its state records lie, if it has some.
    state: FoundState,
    seed: Seed,
    blocks: Vec<FoundBlock>,
    /// Bytes of these blocks, decompressed.
    raw_bytes: u64,
}

#[derive(Debug, Clone, Copy)]
struct FoundBlock {
    offset: u64,
    bytes: u64,
}

/// What was found of a segment's state records.
#[derive(Debug, Clone, Copy)]
enum FoundState {
    /// The footer says that there are none.
    None,
    Block(FoundBlock),
    Lost,
}

/// What a file's header and footer tell.
struct Told {
    identity: Option<Identity>,
    start: Option<Chain>,
    end: Option<Chain>,
    has_no_states: bool,
}

/// Searches all files in the directory of segments, whatever their names. What cannot be opened or read,
/// or is larger than any segment, is left out.
///
/// # Errors
/// `UnsupportedVersion` when a file is sound and of a newer format, or a block needs more than this program has; `Io` when
/// the directory cannot be listed.
pub(crate) fn search_segments(disk: &dyn Disk, dir: &Path, store: StoreId) -> Result<Vec<FoundSegment>> {
    let names = names(disk, dir)?;
    let others: BTreeSet<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    let mut found = Vec::new();
    for name in &names {
        let path = dir.join(name);
        let Ok(file) = disk.open(&path, OpenMode::Read) else { continue };
        let Some(file_bytes) = file.len().ok().filter(|bytes| *bytes <= SEGMENT_BYTES_MAX) else { continue };
        if TierRange::of_name(name).is_some()
            && head(&*file).is_some_and(|head| head.starts_with(&TIER_MAGIC))
        {
            // It has no events, and may be as large as a segment.
            continue;
        }
        let told = told(&*file, file_bytes, store, &path)?;
        let own = [number_of(name), told.identity.map(|identity| identity.number)];
        let numbers = own.into_iter().flatten().chain(others.iter().copied().take(NUMBERS_TRIED_MAX));
        let seeds = numbers.map(|number| Seed::of_segment(store, number)).collect();
        let mut search =
            Search { pieces: Pieces::new(&*file, file_bytes), seeds, path: &path, checked_bytes: 0 };
        found.extend(search.all(&told)?);
    }
    Ok(found)
}

/// The store that the segments in a directory belong to: that of a sound header, or else the one that a damaged header or
/// `hint` names and of which a block is there.
pub(crate) fn identify_segments(disk: &dyn Disk, dir: &Path, hint: Option<StoreId>) -> Option<StoreId> {
    let mut named: Vec<StoreId> = hint.into_iter().collect();
    for name in names(disk, dir).ok()? {
        let path = dir.join(name);
        let Some(bytes) = { disk.open(&path, OpenMode::Read).ok() }.and_then(|file| head(&*file)) else {
            continue;
        };
        let Some(identity) = header::claim(&bytes) else { continue };
        if header::decode(&bytes, identity, &path).is_ok() {
            return Some(identity.store);
        }
        named.push(identity.store);
    }
    named.into_iter().find(|store| {
        search_segments(disk, dir, *store).is_ok_and(|found| found.iter().any(|found| found.events > 0))
    })
}

/// What lies in the directory; nothing when it is not there.
fn names(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>> {
    let mut names = match list_own_dir(disk, dir) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        names => names.map_err(|error| Error::io("listing", dir, error))?,
    };
    names.sort_unstable();
    Ok(names)
}

fn head(file: &dyn DiskFile) -> Option<[u8; HEADER_BYTES]> {
    let mut bytes = [0; HEADER_BYTES];
    (read_some_at(file, &mut bytes, 0).ok()? == HEADER_BYTES).then_some(bytes)
}

/// Header and footer, each believed when it is sound and of this store.
fn told(file: &dyn DiskFile, file_bytes: u64, store: StoreId, path: &Path) -> Result<Told> {
    let mut told = Told { identity: None, start: None, end: None, has_no_states: false };
    let newer = |error: &Error| error.kind() == ErrorKind::UnsupportedVersion;
    if let Some(bytes) = head(file)
        && let Some(identity) = header::claim(&bytes).filter(|identity| identity.store == store)
    {
        match header::decode(&bytes, identity, path) {
            Ok(start) => (told.identity, told.start) = (Some(identity), Some(start)),
            Err(error) if newer(&error) => return Err(error),
            Err(_) => {}
        }
    }
    let mut bytes = [0; FOOTER_BYTES];
    if let Some(at) = file_bytes.checked_sub(FOOTER_BYTES as u64)
        && read_some_at(file, &mut bytes, at).is_ok_and(|count| count == FOOTER_BYTES)
        && let Some(identity) = Footer::claim(&bytes).filter(|identity| identity.store == store)
    {
        match Footer::decode(&bytes, identity, path, file_bytes) {
            Ok(footer) => {
                told.identity = told.identity.or(Some(identity));
                told.start = told.start.or(Some(footer.start));
                told.end = Some(footer.end);
                told.has_no_states = footer.state_bytes == 0;
            }
            Err(error) if newer(&error) => return Err(error),
            Err(_) => {}
        }
    }
    Ok(told)
}

/// What events may say of themselves when nothing else tells.
fn bounds(start: Option<Chain>, end: Option<Chain>) -> Bounds {
    let times = Timestamp::MIN..=Timestamp::MAX;
    let start = start.map_or(0, |start| start.position);
    let end = end.map_or(u64::MAX, |end| end.position);
    Bounds { positions: start..end, recorded: times.clone(), occurred: times }
}

/// A search through one file.
struct Search<'a> {
    pieces: Pieces<'a>,
    /// Those that its blocks may have; once one was right, that one alone.
    seeds: Vec<Seed>,
    path: &'a Path,
    /// Bytes of what looked like a block and was none.
    checked_bytes: u64,
}

impl Search<'_> {
    /// All blocks of events; `None` when the file cannot be read, or is no segment.
    fn all(&mut self, told: &Told) -> Result<Option<FoundSegment>> {
        let bounds = bounds(told.start, told.end);
        let mut found = FoundSegment {
            path: self.path.to_owned(),
            start: told.start,
            end: told.end,
            events: 0,
            positions: None,
            state: if told.has_no_states { FoundState::None } else { FoundState::Lost },
            seed: Seed::of_segment(StoreId::from_bytes([0; 16]), 0),
            blocks: Vec::new(),
            raw_bytes: 0,
        };
        let mut offset = 0;
        while let Ok(Some((at, bytes))) = self.next_envelope(offset) {
            offset = at + 1;
            let Some((envelope, stored)) = self.open(at, bytes) else {
                self.checked_bytes += bytes * self.seeds.len() as u64;
                if self.checked_bytes > (CHECKED_TIMES_MAX * self.pieces.file_bytes()).max(CHECKED_BYTES_MIN)
                {
                    break;
                }
                continue;
            };
            offset = at + bytes;
            // More than a journal file holds was never sealed: whoever made it wants our memory.
            let raw_bytes = found.raw_bytes + u64::from(envelope.raw_len);
            if envelope.kind == BlockKind::Events
                && raw_bytes <= RAW_BYTES_MAX
                && let Some(block) = decode(envelope, &stored, &bounds, self.path, at)?
            {
                found.take_in(FoundBlock { offset: at, bytes }, &block);
                found.raw_bytes = raw_bytes;
            }
            if envelope.kind == BlockKind::State && decode_states(envelope, &stored, self.path, at)?.is_some()
            {
                found.state = FoundState::Block(FoundBlock { offset: at, bytes });
            }
        }
        found.seed = self.seeds.first().copied().unwrap_or(found.seed);
        let tells = found.events > 0
            || found.start.is_some()
            || found.end.is_some()
            || matches!(found.state, FoundState::Block(_));
        Ok(tells.then_some(found))
    }

    /// The next place from `from` on that looks like an envelope, and the bytes of its block.
    fn next_envelope(&mut self, from: u64) -> io::Result<Option<(u64, u64)>> {
        let (mut at, file_bytes) = (from, self.pieces.file_bytes());
        loop {
            let bytes = self.pieces.at(at, LOOK_BYTES)?;
            let envelopes = bytes.windows(ENVELOPE_BYTES).zip(at..);
            let mut found = envelopes.filter_map(|(envelope, at)| Some((at, Envelope::likely(envelope)?)));
            if let Some(found) = found.find(|(at, bytes)| at.saturating_add(*bytes) <= file_bytes) {
                return Ok(Some(found));
            }
            let Some(steps) = (bytes.len() + 1).checked_sub(ENVELOPE_BYTES).filter(|steps| *steps > 0) else {
                return Ok(None);
            };
            at += steps as u64;
        }
    }

    /// What stands at `offset`, if its checksum holds.
    fn open(&mut self, offset: u64, bytes: u64) -> Option<(Envelope, Vec<u8>)> {
        let block = self.pieces.at(offset, usize::try_from(bytes).ok()?).ok()?;
        let opened = |seed: &Seed| Some((*seed, Envelope::open(block, *seed).ok()?));
        let (seed, (envelope, stored)) = self.seeds.iter().find_map(opened)?;
        let stored = stored.to_vec();
        self.seeds = vec![seed];
        Some((envelope, stored))
    }
}

/// The events of a block whose checksum holds; `None` when they are none that were ever written.
fn decode(
    envelope: Envelope,
    stored: &[u8],
    bounds: &Bounds,
    path: &Path,
    offset: u64,
) -> Result<Option<EventBlock>> {
    match envelope.raw(stored, &mut Vec::new()) {
        // Where the block belongs is for the directory to say: its ordinals are not asked for here.
        Ok(raw) => Ok(EventBlock::decode(raw, 0, envelope.count, bounds).ok()),
        // Sound, and more than this program knows: what it would lose must not be called lost.
        Err(bad @ (BadBlock::UnknownCodec(_) | BadBlock::NeedsZstd)) => Err(bad.at(path, offset)),
        Err(_) => Ok(None),
    }
}

/// The state records of a block whose checksum holds, as [`decode`] does with events.
fn decode_states(envelope: Envelope, stored: &[u8], path: &Path, offset: u64) -> Result<Option<StateTable>> {
    match envelope.raw(stored, &mut Vec::new()) {
        Ok(raw) => Ok(StateTable::decode(raw, envelope.count).ok()),
        Err(bad @ (BadBlock::UnknownCodec(_) | BadBlock::NeedsZstd)) => Err(bad.at(path, offset)),
        Err(_) => Ok(None),
    }
}

impl FoundSegment {
    /// The state records behind its last commit, as far as they can be read.
    pub(crate) fn states(&self, disk: &dyn Disk) -> Option<StateTable> {
        let place = match self.state {
            FoundState::None => return Some(StateTable::default()),
            FoundState::Block(place) => place,
            FoundState::Lost => return None,
        };
        let file = disk.open(&self.path, OpenMode::Read).ok()?;
        let (envelope, stored) = self.read_block(&*file, place)?;
        decode_states(envelope, &stored, &self.path, place.offset).ok()?
    }

    /// Whether it has state records that can be read.
    pub(crate) fn has_states(&self) -> bool {
        matches!(self.state, FoundState::Block(_))
    }

    fn take_in(&mut self, place: FoundBlock, block: &EventBlock) {
        self.blocks.push(place);
        for position in block.ordinals().map(|ordinal| block.position(ordinal)) {
            self.events += 1;
            let (least, greatest) = self.positions.unwrap_or((position, position));
            self.positions = Some((least.min(position), greatest.max(position)));
        }
    }

    /// The events that were found, block by block. What has changed since is left out.
    pub(crate) fn read(&self, disk: &dyn Disk) -> Vec<RecordedEvent> {
        let Ok(file) = disk.open(&self.path, OpenMode::Read) else { return Vec::new() };
        let bounds = bounds(self.start, self.end);
        let blocks = self.blocks.iter().filter_map(|place| {
            let (envelope, stored) = self.read_block(&*file, *place)?;
            decode(envelope, &stored, &bounds, &self.path, place.offset).ok()?
        });
        blocks.flat_map(|block| block.ordinals().map(move |ordinal| block.event(ordinal))).collect()
    }

    /// A block that was found, if it is there still.
    fn read_block(&self, file: &dyn DiskFile, place: FoundBlock) -> Option<(Envelope, Vec<u8>)> {
        let mut bytes = vec![0; usize::try_from(place.bytes).ok()?];
        let count = read_some_at(file, &mut bytes, place.offset).ok()?;
        let (envelope, stored) = Envelope::open(bytes.get(..count)?, self.seed).ok()?;
        Some((envelope, stored.to_vec()))
    }
}
