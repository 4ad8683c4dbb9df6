//! Looking at every byte of a journal without changing any: all damage is listed, not the first.

use std::path::{Path, PathBuf};

use crate::disk::{Disk, file_name, list_own_dir, number_of};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{ClosedAt, StoreId};

use super::ScannedFrame;
use super::chain::Chain;
use super::frame::{FRAME_ALIGN, FrameHeader};
use super::journal_file::{DamagedFile, FRAMES_AT, JournalFile};
use super::recover::{before_the_first, check_closed};
use super::scan::{self, ScanEnd};

/// One place where bytes are not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// The byte in it.
    pub offset: u64,
    /// What is wrong.
    pub what: String,
}

/// What a look at the journal found.
#[derive(Debug, Default)]
pub(crate) struct JournalFindings {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) frames: u64,
    pub(crate) damages: Vec<Damage>,
    /// Where an unfinished write stands that the next opening would cut.
    pub(crate) torn_tail: Option<(PathBuf, u64)>,
}

impl Damage {
    /// The damage that an error met while looking at `path` tells of; `None` when it is about something else.
    pub(crate) fn of(path: &Path, error: &Error) -> Option<Self> {
        // Numbers at the end of u64 are on disk only because somebody put them there.
        let is_damage = matches!(
            error.kind(),
            ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::UnsupportedVersion | ErrorKind::Exhausted
        );
        is_damage.then(|| {
            let place = error.place();
            let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
            Self {
                path: place.map_or_else(|| path.to_owned(), |place| place.path.clone()),
                offset: place.map_or(0, |place| place.offset),
                what: format!("{}{}", error.what(), cause.unwrap_or_default()),
            }
        })
    }
}

impl JournalFindings {
    /// Lists an error that is about what is on disk; any other is the caller's.
    fn note(&mut self, path: &Path, error: &Error) -> Result<()> {
        self.damages.push(Damage::of(path, error).ok_or_else(|| error.clone())?);
        Ok(())
    }

    /// The numbers of the files that are there, ascending. Names that look like ours and are not are listed.
    fn numbers(&mut self, disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>> {
        let names = match list_own_dir(disk, dir) {
            Ok(names) => names,
            Err(error) => {
                self.note(dir, &Error::io("listing", dir, error))?;
                return Ok(Vec::new());
            }
        };
        let mut numbers: Vec<u64> = names.iter().filter_map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        let mut foreign: Vec<&String> = names
            .iter()
            .filter(|name| number_of(name).is_none() && name.bytes().all(|byte| byte.is_ascii_digit()))
            .collect();
        foreign.sort_unstable();
        let what = "not the name that annals gives a journal file".to_owned();
        self.damages.extend(foreign.into_iter().map(|name| Damage {
            path: dir.join(name),
            offset: 0,
            what: what.clone(),
        }));
        Ok(numbers)
    }

    /// Lists the files from `from` up to, and without, `to`: they should be there and are not.
    fn note_missing(&mut self, dir: &Path, from: u64, to: u64) {
        let what = match to.saturating_sub(from) {
            0 => return,
            1 => "the journal file is missing".to_owned(),
            several => format!("the journal file is missing, and the {} after it", several - 1),
        };
        self.damages.push(Damage { path: dir.join(file_name(from)), offset: 0, what });
    }
}

/// Looks at all files of a journal; every sound frame goes to `each`, whose errors are listed as damage too. `oldest` is the
/// number of the first file and `follows` what its first frame must follow, if that is known; `durable` the durable mark,
/// read before.
#[expect(
    clippy::too_many_arguments,
    reason = "what a journal is held against; each is told apart by its type"
)]
pub(crate) fn verify_files(
    disk: &dyn Disk,
    dir: &Path,
    store: StoreId,
    oldest: Option<u64>,
    follows: Option<Chain>,
    closed: Option<ClosedAt>,
    durable: u64,
    each: &mut dyn FnMut(&JournalFile, ScannedFrame) -> Result<()>,
) -> Result<JournalFindings> {
    let mut findings = JournalFindings::default();
    let mut numbers = findings.numbers(disk, dir)?;
    if let Some(oldest) = oldest.filter(|_| follows != Some(Chain::START)) {
        // Sealed, and not yet removed when their writer ended.
        numbers.retain(|number| *number >= oldest);
    }
    let mut expected = oldest.or(numbers.first().copied()).unwrap_or(1);
    if let Some(first) = numbers.first().filter(|first| **first < expected) {
        findings.note(dir, &before_the_first(dir, *first, expected))?;
        expected = *first;
    }
    let mut chain = follows;
    for (at, number) in numbers.iter().copied().enumerate() {
        if number > expected {
            findings.note_missing(dir, expected, number);
            chain = None;
        }
        expected = number.saturating_add(1);
        let path = dir.join(file_name(number));
        let damaged = match JournalFile::open_damaged(disk, path.clone(), store, number) {
            Ok(damaged) => damaged,
            Err(error) => {
                findings.note(&path, &error)?;
                chain = None;
                continue;
            }
        };
        // A file that is not the one the store was closed at may end where it likes: that it is the last is told below.
        let last = (at + 1 == numbers.len() && closed.is_none_or(|closed| closed.file <= number)).then_some(
            match closed {
                Some(closed) => EndsAt::Closed(closed),
                None => EndsAt::LeastFrame(durable),
            },
        );
        let from = findings.damages.len();
        chain = verify_file(&mut findings, &damaged, chain, last, each)?.map(|end| end.chain);
        for (start, end, what) in damaged.unreadable.places() {
            let what = format!("{} bytes cannot be read: {what}", end - start);
            findings.damages.push(Damage { path: path.clone(), offset: start, what });
        }
        // In the order of their places in each file.
        findings.damages.get_mut(from..).unwrap_or_default().sort_by_key(|damage| damage.offset);
    }
    // There is no store without a first file, and a closed one has all up to the one it was closed at.
    let end = closed
        .map_or(0, |closed| closed.file.saturating_add(1))
        .max(expected.saturating_add(u64::from(numbers.is_empty())));
    findings.note_missing(dir, expected, end);
    Ok(findings)
}

/// Where to begin in a file, and what the first frame there must follow; `None` when no frame of this store is in it.
fn begin(
    findings: &mut JournalFindings,
    damaged: &DamagedFile,
    before: Option<Chain>,
) -> Result<Option<(u64, Chain)>> {
    let file = &damaged.file;
    let start = match &damaged.header {
        Ok(start) => {
            if before.is_some_and(|before| before != *start) {
                findings.note(&file.path, &file.corrupt(40, "the file does not follow the one before it"))?;
            }
            return Ok(Some((FRAMES_AT, *start)));
        }
        Err(error) => {
            findings.note(&file.path, error)?;
            scan::find_header(file, file.bytes()?, FRAMES_AT, |_| true)?
        }
    };
    // The header is told of. If the frames are of this store nevertheless, they are looked at all the same.
    Ok(start
        .map(|(offset, header)| before.map_or((offset, chain_before(&header)), |before| (FRAMES_AT, before))))
}

/// What a frame follows, as its header says.
fn chain_before(header: &FrameHeader) -> Chain {
    Chain { position: header.first_position, n: header.n, prev_header_crc: header.prev_header_crc }
}

/// Where the last file must end.
#[derive(Debug, Clone, Copy)]
enum EndsAt {
    /// As the manifest says.
    Closed(ClosedAt),
    /// Not before this frame, which had been synced.
    LeastFrame(u64),
}

/// Looks at one file. `last` is given for the last one.
fn verify_file(
    findings: &mut JournalFindings,
    damaged: &DamagedFile,
    before: Option<Chain>,
    last: Option<EndsAt>,
    each: &mut dyn FnMut(&JournalFile, ScannedFrame) -> Result<()>,
) -> Result<Option<ScanEnd>> {
    let file = &damaged.file;
    findings.files += 1;
    findings.bytes += file.bytes()?;
    let Some((mut offset, mut chain)) = begin(findings, damaged, before)? else { return Ok(None) };
    let mut looked_again = false;
    let mut vouchers = scan::Vouchers::default();
    loop {
        let mut listed = Vec::new();
        let scanned = scan::scan_from(file, offset, chain, &mut |frame| {
            findings.frames += 1;
            if let Err(error) = each(file, frame) {
                listed.push(error);
            }
            Ok(())
        });
        listed.iter().try_for_each(|error| findings.note(&file.path, error))?;
        let (resume_at, expected_n) = match scanned {
            Err(error) => {
                findings.note(&file.path, &error)?;
                // A frame whose records cannot be read. One that a newer version wrote has no place: it ends the look.
                match error.place() {
                    Some(place) => (place.offset.saturating_add(FRAME_ALIGN), chain.n),
                    None => return Ok(None),
                }
            }
            Ok(end) => {
                let judged = match (last, &end.bad) {
                    (Some(EndsAt::LeastFrame(durable)), _) => {
                        scan::torn_tail(file, &end, durable, &mut vouchers)
                    }
                    (_, Some(bad)) => Err(file.corrupt(bad.offset, &bad.what)),
                    (Some(EndsAt::Closed(closed)), None) => check_closed(file, &end, closed).map(|()| None),
                    (None, None) => Ok(None),
                };
                let may_be_live = matches!(last, Some(EndsAt::LeastFrame(_)));
                match judged {
                    Ok(None) => return Ok(Some(end)),
                    Ok(Some(torn)) => {
                        findings.torn_tail = Some((file.path.clone(), torn.offset));
                        return Ok(Some(end));
                    }
                    // A live writer may have been writing just there: looked at once more before it is called damage.
                    Err(_) if may_be_live && (end.offset > offset || !looked_again) => {
                        looked_again = end.offset == offset;
                        (offset, chain) = (end.offset, end.chain);
                        continue;
                    }
                    Err(error) => findings.note(&file.path, &error)?,
                }
                let Some(bad) = &end.bad else { return Ok(Some(end)) };
                (bad.resume_at(), end.chain.n)
            }
        };
        // On behind the damage: at the next frame that comes later than the one expected here.
        let later = |header: &FrameHeader| header.n > expected_n;
        match scan::find_header(file, file.bytes()?, resume_at, later)? {
            Some((next, header)) => (offset, chain) = (next, chain_before(&header)),
            None => return Ok(None),
        }
    }
}
