//! Finding every frame that is sound in itself, wherever it stands in the files of a journal, however little else is left.
//!
//! A frame's checksums are seeded with the store's id and the number of its file. So no file header is needed: every number
//! that a file may have had is tried. The search reads each file once, from front to back, past what the disk does not give,
//! and keeps some tens of bytes a frame.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::disk::{Disk, Seed, list_own_dir, number_of};
use crate::error::{Error, ErrorKind, Result};
use crate::types::StoreId;

use super::CommitView;
use super::frame::{self, BadHeader, FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader, FrameKind};
use super::journal_file::{Claim, DamagedFile, JournalFile};
use super::window::Window;

const HEADER_BYTES: u64 = FRAME_HEADER_BYTES as u64;
const FRAME_ALIGN_USIZE: usize = 8;
/// Bytes looked through at once.
const LOOK_BYTES: u64 = 64 << 10;
/// How many file numbers are tried beyond those that names and headers give.
const NUMBERS_TRIED_MAX: u64 = 64;

/// A frame that is sound in itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FoundFrame {
    pub(crate) n: u64,
    /// The position of its first event, and the one behind its last.
    pub(crate) first_position: u64,
    pub(crate) end_position: u64,
    /// Whether it changes state records.
    pub(crate) has_states: bool,
    pub(crate) header_crc: u32,
    pub(crate) prev_header_crc: u32,
    /// The file it stands in, by its place in `Search::files`, and where in it.
    pub(crate) file: u32,
    pub(crate) offset: u64,
    pub(crate) bytes: u32,
    /// The seed under which it is sound, by its place in `Search::seeds`.
    seed: u32,
}

/// A frame that was there once: its header is sound and the rest of it is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    pub(crate) n: u64,
    pub(crate) first_position: u64,
    /// Whether it changed state records: then it may have had no events.
    pub(crate) has_states: bool,
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
}

/// What a search found.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub(crate) files: Vec<PathBuf>,
    seeds: Vec<Seed>,
    /// In the order in which they stand in the files.
    pub(crate) frames: Vec<FoundFrame>,
    /// Of commits that are lost.
    pub(crate) traces: Vec<Trace>,
    /// The largest first n that a sound file header names, and the position that goes with it: all before it was there.
    pub(crate) began: Option<(u64, u64)>,
}

impl FoundFrame {
    /// The byte behind the frame.
    pub(crate) fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.bytes))
    }
}

/// Searches all files in the journal's directory, whatever their names. What cannot be opened is left out.
///
/// # Errors
/// `UnsupportedVersion` when a file or a frame is sound and of a newer format; `Io` when the directory cannot be listed.
pub(crate) fn search(disk: &dyn Disk, dir: &Path, store: StoreId) -> Result<Search> {
    let mut names = list_own_dir(disk, dir).map_err(|error| Error::io("listing", dir, error))?;
    names.sort_unstable_by_key(|name| (number_of(name).unwrap_or(u64::MAX), name.clone()));
    let opened: Vec<DamagedFile> =
        names.iter().filter_map(|name| open(disk, dir.join(name), store).ok()).collect();
    let mut numbers: BTreeSet<u64> = names.iter().filter_map(|name| number_of(name)).collect();
    numbers.extend(opened.iter().filter_map(|file| file.claim).map(|claim| claim.number));
    numbers.extend(1..=NUMBERS_TRIED_MAX.min(opened.len() as u64 + 1));
    let mut search = Search {
        seeds: numbers.iter().map(|number| Seed::of_file(store, *number)).collect(),
        ..Search::default()
    };
    for DamagedFile { file, header, claim, .. } in &opened {
        match header {
            Ok(start) => search.began = search.began.max(Some((start.n, start.position))),
            Err(newer) if newer.kind() == ErrorKind::UnsupportedVersion && is_ours(*claim, store) => {
                return Err(newer.clone());
            }
            Err(_) => {}
        }
        search.files.push(file.path.clone());
        search.search_file(file)?;
    }
    Ok(search)
}

/// Whether a header whose checksum holds says that the file is of this store.
fn is_ours(claim: Option<Claim>, store: StoreId) -> bool {
    claim.is_some_and(|claim| claim.is_sound && claim.store == store)
}

/// Opens a file as the number that it most likely has.
fn open(disk: &dyn Disk, path: PathBuf, store: StoreId) -> Result<DamagedFile> {
    let named = path.file_name().and_then(|name| number_of(name.to_str()?));
    let opened = JournalFile::open_damaged(disk, path, store, named.unwrap_or(0))?;
    match opened.claim.filter(|claim| claim.is_sound && Some(claim.number) != named) {
        // It has another name than it was given: the header knows better.
        Some(claim) => JournalFile::open_damaged(disk, opened.file.path, store, claim.number),
        None => Ok(opened),
    }
}

/// What stands at an offset.
enum Here {
    Frame(FoundFrame),
    /// A sound header, with nothing sound behind it.
    Trace(FrameHeader),
    Nothing,
}

impl Search {
    fn search_file(&mut self, file: &JournalFile) -> Result<()> {
        let file_bytes = file.bytes()?;
        let mut window = Window::new(file, file_bytes);
        let mut likely = self.seeds.iter().position(|seed| *seed == file.seed).unwrap_or(0);
        let mut offset = 0;
        while let Some(at) = next_magic(&mut window, offset, file_bytes)? {
            offset = at + FRAME_ALIGN;
            match self.look(&mut window, at, &mut likely)? {
                Here::Frame(frame) => {
                    offset = frame.end();
                    self.frames.push(frame);
                }
                Here::Trace(header) if header.kind != FrameKind::Close => self.traces.push(Trace {
                    n: header.n,
                    first_position: header.first_position,
                    has_states: header.kind == FrameKind::CommitWithStates,
                    path: file.path.clone(),
                    offset: at,
                }),
                Here::Trace(_) | Here::Nothing => {}
            }
        }
        Ok(())
    }

    /// What stands at `offset`. `likely` is the number of the seed that is tried first: the one that was right last.
    fn look(&self, window: &mut Window<'_>, offset: u64, likely: &mut usize) -> Result<Here> {
        let bytes = window.at(offset, HEADER_BYTES)?;
        let first = std::iter::once(*likely).chain(0..self.seeds.len());
        let mut found = first.filter_map(|number| {
            let seed = *self.seeds.get(number)?;
            match FrameHeader::decode(bytes, seed) {
                Ok((header, crc)) => Some(Ok((number, seed, header, crc))),
                Err(bad @ BadHeader::UnknownKind(_)) => Some(Err(bad)),
                Err(_) => None,
            }
        });
        let (number, seed, header, header_crc) = match found.next() {
            None => return Ok(Here::Nothing),
            // Sound, and more than this version knows of: what it would lose must not be called lost.
            Some(Err(newer)) => return Err(Error::new(ErrorKind::UnsupportedVersion, newer.to_string())),
            Some(Ok(found)) => found,
        };
        *likely = number;
        let frame_bytes = header.frame_bytes() as u64;
        let bytes = window.at(offset, frame_bytes)?;
        if bytes.len() as u64 != frame_bytes || !frame::is_whole(bytes, &header, seed) {
            return Ok(Here::Trace(header));
        }
        let (events, has_states) = match header.kind {
            FrameKind::Close => (0, false),
            FrameKind::Commit | FrameKind::CommitWithStates => {
                let (bytes, at) = window.share(offset);
                match CommitView::new(bytes, at, header.body_len, header.first_position) {
                    Ok(commit) => (u64::from(commit.event_count()), commit.states().next().is_some()),
                    Err(_) => return Ok(Here::Trace(header)),
                }
            }
        };
        // Positions past the end of u64 are never written.
        let Some(end_position) = header.first_position.checked_add(events) else {
            return Ok(Here::Trace(header));
        };
        Ok(Here::Frame(FoundFrame {
            n: header.n,
            first_position: header.first_position,
            end_position,
            has_states,
            header_crc,
            prev_header_crc: header.prev_header_crc,
            file: u32::try_from(self.files.len().saturating_sub(1)).unwrap_or(u32::MAX),
            offset,
            bytes: u32::try_from(frame_bytes).unwrap_or(u32::MAX),
            seed: u32::try_from(number).unwrap_or(u32::MAX),
        }))
    }

    /// The file that a frame stands in.
    pub(crate) fn path(&self, frame: &FoundFrame) -> &Path {
        self.files.get(to_usize(frame.file)).map_or(Path::new(""), PathBuf::as_path)
    }
}

/// The next offset from `from` on where a frame may begin.
fn next_magic(window: &mut Window<'_>, from: u64, file_bytes: u64) -> Result<Option<u64>> {
    let mut at = from;
    while at < file_bytes {
        let bytes = window.at(at, LOOK_BYTES)?;
        if let Some(steps) = bytes.chunks(FRAME_ALIGN_USIZE).position(frame::begins) {
            return Ok(Some(at + FRAME_ALIGN * steps as u64));
        }
        at += LOOK_BYTES;
    }
    Ok(None)
}

/// Reads frames that were found, again and checked again, file by file.
#[derive(Debug)]
pub(crate) struct FoundReader<'a> {
    disk: &'a dyn Disk,
    search: &'a Search,
    store: StoreId,
    /// The file that was read last.
    open: Option<(u32, JournalFile)>,
}

impl<'a> FoundReader<'a> {
    pub(crate) fn new(disk: &'a dyn Disk, search: &'a Search, store: StoreId) -> Self {
        Self { disk, search, store, open: None }
    }

    /// The commit in a frame.
    ///
    /// # Errors
    /// `Corrupt` or `Io`: it is not what was found any more.
    pub(crate) fn read(&mut self, frame: &FoundFrame) -> Result<CommitView> {
        let path = self.search.path(frame);
        if self.open.as_ref().is_none_or(|(number, _)| *number != frame.file) {
            let opened = JournalFile::open_damaged(self.disk, path.to_owned(), self.store, 0)?;
            self.open = Some((frame.file, opened.file));
        }
        let gone =
            || Error::corrupt(path, frame.offset, "the frame that was found here is not here any more");
        let (_, file) = self.open.as_ref().ok_or_else(gone)?;
        let seed = self.search.seeds.get(to_usize(frame.seed)).ok_or_else(gone)?;
        let end = frame.end().min(file.bytes()?);
        let mut window = Window::new(file, end);
        let bytes = window.at(frame.offset, u64::from(frame.bytes))?;
        let (header, crc) = FrameHeader::decode(bytes, *seed).map_err(|_| gone())?;
        if crc != frame.header_crc || !frame::is_whole(bytes, &header, *seed) {
            return Err(gone());
        }
        let (bytes, at) = window.share(frame.offset);
        CommitView::new(bytes, at, header.body_len, header.first_position).map_err(|_| gone())
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    use super::super::chain::Chain;
    use super::super::draft::tests::first_frame;
    use super::super::journal_file::FRAMES_AT;
    use crate::disk::{RealDisk, write_all_at};

    #[test]
    fn what_changed_since_it_was_found_is_not_read() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = StoreId::from_bytes([7; 16]);
        let file = JournalFile::create(&RealDisk, dir.path(), store, 1, Chain::START, 8192).expect("file");
        let put = |bytes: &[u8]| write_all_at(&*file.disk_file, bytes, FRAMES_AT).expect("write");
        let sound = first_frame(store, &["one"]).0;
        put(&sound);
        let search = search(&RealDisk, dir.path(), store).expect("search");
        let frame = search.frames[0];
        let read = || FoundReader::new(&RealDisk, &search, store).read(&frame);
        assert_eq!(read().expect("it is there").event(0).payload(), b"one");
        let mut flipped = sound.clone();
        flipped[100] ^= 1;
        // Another sound frame, a flipped bit of the body, and one of the header.
        let mut header = sound.clone();
        header[9] ^= 1;
        for bytes in [first_frame(store, &["two"]).0, flipped, header] {
            put(&bytes);
            assert_eq!(read().expect_err("another").kind(), ErrorKind::Corrupt);
        }
        put(&sound);
        read().expect("it is there again");
    }

    pub(crate) fn frame(n: u64, position: u64, header_crc: u32, prev_header_crc: u32) -> FoundFrame {
        FoundFrame {
            n,
            first_position: position,
            end_position: position + 1,
            has_states: false,
            header_crc,
            prev_header_crc,
            file: 0,
            offset: n * 8,
            bytes: 8,
            seed: 0,
        }
    }
}
