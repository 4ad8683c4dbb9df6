//! Looking at every byte of a journal without changing any: all damage is listed, not the first.

use std::path::{Path, PathBuf};

use crate::disk::{Disk, OpenMode};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{ClosedAt, StoreId};

use super::ScannedFrame;
use super::chain::Chain;
use super::journal_file::{FRAMES_AT, JournalFile, file_name};
use super::recover::{check_closed, journal_numbers};
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

impl JournalFindings {
    /// Lists an error that is about what is on disk; any other is the caller's.
    fn note(&mut self, path: &Path, error: &Error) -> Result<()> {
        match error.kind() {
            ErrorKind::Corrupt | ErrorKind::Io | ErrorKind::UnsupportedVersion => {
                let place = error.place();
                let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
                self.damages.push(Damage {
                    path: place.map_or_else(|| path.to_owned(), |place| place.path.clone()),
                    offset: place.map_or(0, |place| place.offset),
                    what: format!("{}{}", error.what(), cause.unwrap_or_default()),
                });
                Ok(())
            }
            _ => Err(error.clone()),
        }
    }
}

/// Looks at all files of a journal; every sound frame goes to `each`, whose errors are listed as damage too.
pub(crate) fn verify_files(
    disk: &dyn Disk,
    dir: &Path,
    store: StoreId,
    oldest: u64,
    closed: Option<ClosedAt>,
    each: &mut dyn FnMut(&JournalFile, ScannedFrame) -> Result<()>,
) -> Result<JournalFindings> {
    let mut findings = JournalFindings::default();
    let numbers = match journal_numbers(disk, dir, oldest) {
        Ok(numbers) => numbers,
        Err(error) => {
            findings.note(dir, &error)?;
            Vec::new()
        }
    };
    let mut chain = Some(Chain::START);
    for (at, number) in numbers.iter().enumerate() {
        let file = match JournalFile::open(disk, dir, store, *number, OpenMode::Read) {
            Ok(file) => file,
            Err(error) => {
                findings.note(&dir.join(file_name(*number)), &error)?;
                chain = None;
                continue;
            }
        };
        findings.files += 1;
        findings.bytes += file.bytes()?;
        if let Some(chain) = chain
            && file.start != chain
        {
            findings.note(&file.path, &file.corrupt(40, "the file does not follow the one before it"))?;
        }
        let is_last = at + 1 == numbers.len();
        let end = verify_file(&mut findings, &file, is_last.then_some(closed), each)?;
        chain = end.map(|end| end.chain);
    }
    Ok(findings)
}

/// Looks at one file. `last` is given for the last one, with what the manifest says of its end.
fn verify_file(
    findings: &mut JournalFindings,
    file: &JournalFile,
    last: Option<Option<ClosedAt>>,
    each: &mut dyn FnMut(&JournalFile, ScannedFrame) -> Result<()>,
) -> Result<Option<ScanEnd>> {
    let (mut offset, mut chain) = (FRAMES_AT, file.start);
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
        let end = match scanned {
            Ok(end) => end,
            Err(error) => {
                findings.note(&file.path, &error)?;
                return Ok(None);
            }
        };
        let Some(bad) = &end.bad else {
            if let Some(Some(closed)) = last
                && let Err(error) = check_closed(file, &end, closed)
            {
                findings.note(&file.path, &error)?;
            }
            return Ok(Some(end));
        };
        if last == Some(None) {
            if scan::is_torn_tail(file, &end, bad, &mut vouchers)? {
                findings.torn_tail = Some((file.path.clone(), bad.offset));
                return Ok(Some(end));
            }
            if end.offset > offset || !looked_again {
                // A live writer may have been writing just there: looked at once more before it is called damage.
                looked_again = end.offset == offset;
                (offset, chain) = (end.offset, end.chain);
                continue;
            }
        }
        findings.note(&file.path, &file.corrupt(bad.offset, &bad.what))?;
        // On behind the damage: at the next frame that comes later than the one expected here.
        let later = |header: &super::frame::FrameHeader| header.n > end.chain.n;
        match scan::find_header(file, end.file_bytes, bad.resume_at(), later)? {
            Some((next, header)) => {
                offset = next;
                chain = Chain {
                    position: header.first_position,
                    n: header.n,
                    prev_header_crc: header.prev_header_crc,
                };
            }
            None => return Ok(None),
        }
    }
}
