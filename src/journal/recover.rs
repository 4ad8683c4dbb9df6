//! Opening a journal: every frame of every file checked in order, and the end put right after a crash.
//!
//! The order of what it does to the disk: the torn bytes are copied to quarantine and synced; zeros go over them and over
//! all the space behind the last frame; the frames that nobody vouches for, which may sit in the page cache only, are
//! written again in place; one sync of the file, one of the directory. A crash in between leaves the torn tail, parts of
//! it, or its zeros, and recovery starts anew.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{
    Disk, DiskFile, OpenMode, TEMPORARY_SUFFIX, create_complete, file_name, list_own_dir, number_of,
    read_exact_at, read_some_at, write_all_at, write_zeros_at,
};
use crate::error::{Error, Result};
use crate::types::limits::JOURNAL_FILE_BYTES_MAX;
use crate::types::{ClosedAt, StoreId};

use super::appender::Tail;
use super::chain::Chain;
use super::frame::FrameKind;
use super::journal_file::{FRAMES_AT, JournalFile};
use super::prepared::FIRST_STEP_BYTES;
use super::scan::{self, BadFrame, ScanEnd, Vouchers};
use super::{Begin, Files, FrameAt, ScannedFrame, TornTail};

const COPY_BYTES: u64 = 1 << 20;

/// What recovery is told.
#[derive(Debug)]
pub(crate) struct Recovery<'a> {
    pub(crate) disk: &'a dyn Disk,
    pub(crate) dir: &'a Path,
    pub(crate) quarantine: &'a Path,
    pub(crate) store: StoreId,
    pub(crate) begin: Begin,
    /// What the manifest says of the end if the store was closed.
    pub(crate) closed: Option<ClosedAt>,
    /// The durable mark: this frame and all before it had been synced.
    pub(crate) durable: u64,
    /// Refuse a torn tail instead of cutting it.
    pub(crate) strict: bool,
    /// Gets every file, before the first frame of it is handed out.
    pub(crate) files: &'a Files,
}

/// What recovery found and did.
#[derive(Debug)]
pub(crate) struct Recovered {
    pub(crate) tail: Tail,
    pub(crate) frames: u64,
    pub(crate) torn: Option<TornTail>,
    pub(crate) rewritten_bytes: u64,
}

/// Makes the first journal file of a new store.
pub(crate) fn create_first(disk: &dyn Disk, dir: &Path, store: StoreId, capacity: u64) -> Result<()> {
    let bytes = FIRST_STEP_BYTES.min(capacity);
    JournalFile::create(disk, dir, store, 1, Chain::START, bytes).map(drop).map_err(Error::from)
}

/// Reads all files, hands every sound frame to `each`, and puts the end right.
pub(crate) fn recover(
    recovery: &Recovery<'_>,
    each: &mut dyn FnMut(ScannedFrame) -> Result<()>,
) -> Result<Recovered> {
    let numbers = journal_numbers(recovery.disk, recovery.dir, recovery.begin)?;
    let mut chain = recovery.begin.follows;
    let mut frames = 0;
    let mut last = None;
    for (at, number) in numbers.iter().enumerate() {
        let is_last = at + 1 == numbers.len();
        let mode = if is_last { OpenMode::ReadWrite } else { OpenMode::Read };
        let file = Arc::new(JournalFile::open(recovery.disk, recovery.dir, recovery.store, *number, mode)?);
        recovery.files.add(Arc::clone(&file));
        let mut unvouched = VecDeque::new();
        let end = scan_following(&file, chain, &mut |frame: ScannedFrame| {
            frames += 1;
            let durable = frame.header.durable.max(recovery.durable);
            unvouched.push_back((frame.header.n, frame.at));
            while unvouched.front().is_some_and(|(n, _)| *n <= durable) {
                unvouched.pop_front();
            }
            each(frame)
        })?;
        if let (Some(bad), false) = (&end.bad, is_last) {
            return Err(file.corrupt(bad.offset, &bad.what));
        }
        chain = end.chain;
        last = Some((file, end, unvouched.into_iter().map(|(_, at)| at).collect::<Vec<_>>()));
    }
    let (file, end, unvouched) = last.ok_or_else(|| missing(recovery.dir, recovery.begin.file))?;
    if let Some(closed) = recovery.closed {
        check_closed(&file, &end, closed)?;
    }
    let (torn, rewritten_bytes) = put_end_right(recovery, &file, &end, &unvouched)?;
    let tail = Tail {
        file,
        offset: end.offset,
        chain,
        // Everything that was found has been synced by now.
        durable: chain.n - 1,
        last_kind: end.last.map(|header| header.kind),
        file_bytes: end.file_bytes,
    };
    Ok(Recovered { tail, frames, torn, rewritten_bytes })
}

/// Scans a file that must follow `chain`.
fn scan_following(
    file: &JournalFile,
    chain: Chain,
    each: &mut dyn FnMut(ScannedFrame) -> Result<()>,
) -> Result<ScanEnd> {
    if file.start != chain {
        return Err(file.corrupt(40, "the file does not follow the one before it"));
    }
    scan::scan(file, chain, each)
}

/// The numbers of the journal files, which must be without gaps from the first on.
pub(crate) fn journal_numbers(disk: &dyn Disk, dir: &Path, begin: Begin) -> Result<Vec<u64>> {
    let names = list_own_dir(disk, dir).map_err(|error| Error::io("listing", dir, error))?;
    let mut numbers = Vec::new();
    for name in &names {
        match number_of(name) {
            Some(number) => numbers.push(number),
            None if name.bytes().all(|byte| byte.is_ascii_digit()) => {
                return Err(Error::corrupt(
                    &dir.join(name),
                    0,
                    "not the name that annals gives a journal file",
                ));
            }
            None => {}
        }
    }
    numbers.sort_unstable();
    numbers.retain(|number| *number >= begin.file || !begin.may_leave_files());
    let mut expected = begin.file;
    if let Some(first) = numbers.first().filter(|first| **first < begin.file) {
        return Err(before_the_first(dir, *first, begin.file));
    }
    for number in &numbers {
        if *number != expected {
            return Err(missing(dir, expected));
        }
        expected = expected.saturating_add(1);
    }
    Ok(numbers)
}

/// The manifest names a first file, and an earlier one is there.
pub(super) fn before_the_first(dir: &Path, number: u64, oldest: u64) -> Error {
    let what = format!("the manifest says that the journal begins with file {oldest}");
    Error::corrupt(&dir.join(file_name(number)), 0, what)
}

fn missing(dir: &Path, number: u64) -> Error {
    Error::corrupt(&dir.join(file_name(number)), 0, "the journal file is missing")
}

/// Holds the end of the journal against what the manifest says a clean close left.
pub(crate) fn check_closed(file: &JournalFile, end: &ScanEnd, closed: ClosedAt) -> Result<()> {
    if file.number != closed.file {
        return Err(file.corrupt(0, format!("the store was closed at journal file {}", closed.file)));
    }
    if let Some(bad) = &end.bad {
        return Err(file.corrupt(bad.offset, &bad.what));
    }
    if end.chain.n - 1 != closed.n {
        let found = end.chain.n - 1;
        return Err(file.corrupt(
            end.offset,
            format!("the store was closed after frame {}, the last one here is {found}", closed.n),
        ));
    }
    if end.last.is_some_and(|last| last.kind != FrameKind::Close) {
        return Err(file.corrupt(end.offset, "the store was closed, but its close frame is not here"));
    }
    if end.file_bytes != closed.file_bytes {
        return Err(file.corrupt(
            end.file_bytes,
            format!("the file had {} bytes when the store was closed", closed.file_bytes),
        ));
    }
    Ok(())
}

/// Cuts a torn tail and writes unvouched frames again; what was cut, and how many bytes were written again.
fn put_end_right(
    recovery: &Recovery<'_>,
    file: &JournalFile,
    end: &ScanEnd,
    unvouched: &[FrameAt],
) -> Result<(Option<TornTail>, u64)> {
    if recovery.closed.is_some() {
        return Ok((None, 0));
    }
    let torn = match scan::torn_tail(file, end, recovery.durable, &mut Vouchers::default())? {
        None => None,
        Some(bad) => Some(cut(recovery, file, end, bad)?),
    };
    // Whoever put zeros here and could not sync them left the disk with other bytes than can be read. They would come back
    // with the next power cut, behind frames that are shorter.
    write_zeros_at(&*file.disk_file, end.offset, end.file_bytes)
        .map_err(|error| Error::io("clearing the space behind the last frame of", &file.path, error))?;
    let rewritten = rewrite(file, unvouched)?;
    file.disk_file.sync_all().map_err(|error| Error::io("syncing", &file.path, error))?;
    recovery
        .disk
        .sync_dir(recovery.dir)
        .map_err(|error| Error::io("syncing directory", recovery.dir, error))?;
    Ok((torn, rewritten))
}

fn cut(recovery: &Recovery<'_>, file: &JournalFile, end: &ScanEnd, bad: &BadFrame) -> Result<TornTail> {
    if recovery.strict {
        let what = format!("a torn tail, which strict recovery does not cut: {}", bad.what);
        return Err(file.corrupt(bad.offset, what));
    }
    let found = TornTail::found(file, end, bad)?;
    let torn_end = found.offset + found.bytes;
    recovery
        .disk
        .create_dir(recovery.quarantine)
        .map_err(|error| Error::io("creating directory", recovery.quarantine, error))?;
    if let Some(parent) = recovery.quarantine.parent() {
        recovery.disk.sync_dir(parent).map_err(|error| Error::io("syncing directory", parent, error))?;
    }
    let quarantined = free_name(recovery, &format!("{}-{}", file_name(file.number), bad.offset))?;
    create_complete(recovery.disk, &quarantined, |copy| {
        each_piece(file, bad.offset, torn_end, |bytes, at| write_all_at(copy, bytes, at - bad.offset))
    })?;
    // Durable now: the copy. Only then are the bytes themselves touched.
    Ok(TornTail { quarantined: Some(quarantined), ..found })
}

/// A name in quarantine that no copy has: an earlier recovery, cut short while it cleared the tail, may have left one.
fn free_name(recovery: &Recovery<'_>, wanted: &str) -> Result<PathBuf> {
    let taken = list_own_dir(recovery.disk, recovery.quarantine);
    let taken = taken.map_err(|error| Error::io("listing", recovery.quarantine, error))?;
    let mut name = wanted.to_owned();
    for number in 2_u64.. {
        if !taken.contains(&name) {
            break;
        }
        name = format!("{wanted}-{number}");
    }
    Ok(recovery.quarantine.join(name))
}

/// Writes frames that follow one another again, in place: the page cache may have them and the disk not. How many bytes
/// that were. Each is checked once more, or a bit that flips in this read would become damage on disk.
fn rewrite(file: &JournalFile, frames: &[FrameAt]) -> Result<u64> {
    let mut rest = frames;
    let mut rewritten = 0;
    while let Some(first) = rest.first() {
        let fits = rest.iter().take_while(|at| at.end() - first.offset <= COPY_BYTES).count().max(1);
        let (together, later) = rest.split_at(fits);
        let end = together.last().map_or(first.offset, FrameAt::end);
        let mut bytes = vec![0; usize::try_from(end - first.offset).unwrap_or(usize::MAX)];
        read_exact_at(&*file.disk_file, &mut bytes, first.offset)
            .map_err(|error| Error::io("reading the unsynced end of", &file.path, error))?;
        for at in together {
            let start = usize::try_from(at.offset - first.offset).unwrap_or(usize::MAX);
            scan::check_bytes(file, *at, bytes.get(start..).unwrap_or_default())?;
        }
        write_all_at(&*file.disk_file, &bytes, first.offset)
            .map_err(|error| Error::io("writing again the unsynced end of", &file.path, error))?;
        rewritten += bytes.len() as u64;
        rest = later;
    }
    Ok(rewritten)
}

fn each_piece(
    file: &JournalFile,
    from: u64,
    to: u64,
    mut put: impl FnMut(&[u8], u64) -> io::Result<()>,
) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let mut bytes = vec![0; usize::try_from((to - at).min(COPY_BYTES)).unwrap_or(usize::MAX)];
        read_exact_at(&*file.disk_file, &mut bytes, at)?;
        put(&bytes, at)?;
        at += bytes.len() as u64;
    }
    Ok(())
}

/// Whether a name is what a journal file that never came into being left behind.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(TEMPORARY_SUFFIX).is_some_and(|name| number_of(name).is_some())
}

/// Whether the journal directory of a store without a manifest holds nothing that was ever committed.
pub(crate) fn holds_no_frame(disk: &dyn Disk, dir: &Path) -> Result<bool> {
    let numbers = journal_numbers(disk, dir, Begin::FIRST)?;
    let path = dir.join(file_name(1));
    match numbers.as_slice() {
        [] => Ok(true),
        [1] => {
            let opened = disk.open(&path, OpenMode::Read);
            let file = opened.map_err(|error| Error::io("opening", &path, error))?;
            let reading = |error| Error::io("reading", &path, error);
            // One that is too large is no file of ours, and its zeros are not worth the time to read them.
            let is_ours = file.len().map_err(reading)? <= JOURNAL_FILE_BYTES_MAX;
            Ok(is_ours && is_zero_from(&*file, FRAMES_AT).map_err(reading)?)
        }
        // A second file is made for a commit.
        _ => Ok(false),
    }
}

fn is_zero_from(file: &dyn DiskFile, from: u64) -> io::Result<bool> {
    let mut bytes = vec![0; usize::try_from(COPY_BYTES).unwrap_or(usize::MAX)];
    let mut at = from;
    loop {
        let count = read_some_at(file, &mut bytes, at)?;
        if bytes.iter().take(count).any(|byte| *byte != 0) {
            return Ok(false);
        }
        if count < bytes.len() {
            return Ok(true);
        }
        at += count as u64;
    }
}
