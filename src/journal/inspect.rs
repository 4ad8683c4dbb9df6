//! Telling what a journal file holds, part by part. Reads only.

use std::path::Path;

use crate::disk::Disk;
use crate::error::Result;
use crate::types::{Chain, FilePart, StoreId};

use super::frame::FrameKind;
use super::journal_file::{FRAMES_AT, JournalFile};
use super::scan;

/// Tells the parts of the journal file at `path`, which its own header says whose it is. Ends at the first that is damaged:
/// where the next one begins is not known then.
pub(crate) fn inspect_journal_file(
    disk: &dyn Disk,
    path: &Path,
    each: &mut dyn FnMut(FilePart) -> Result<()>,
) -> Result<()> {
    let opened = |store, number| JournalFile::open_damaged(disk, path.to_owned(), store, number);
    let claim = opened(StoreId::from_bytes([0; 16]), 0)?.claim;
    let Some(claim) = claim else {
        return each(
            FilePart::new(0, FRAMES_AT, "journal header").damaged("not the header of a journal file"),
        );
    };
    let found = opened(claim.store, claim.number)?;
    let header =
        FilePart::new(0, FRAMES_AT, "journal header").with("store", claim.store).with("number", claim.number);
    let start = match found.header {
        Ok(start) => start,
        Err(error) => return each(header.damaged(error.what())),
    };
    let Chain { position, n, prev_header_crc } = start;
    each(
        header
            .with("first position", position)
            .with("first n", n)
            .with("prev_header_crc", crc(prev_header_crc)),
    )?;
    let end = scan::scan(&found.file, start, &mut |frame| {
        let what = match frame.header.kind {
            FrameKind::Commit => "commit",
            FrameKind::CommitWithStates => "commit with state",
            FrameKind::Close => "close",
        };
        let part = FilePart::new(frame.at.offset, u64::from(frame.at.bytes), what)
            .with("n", frame.header.n)
            .with("durable", frame.header.durable)
            .with("first position", frame.header.first_position)
            .with("prev_header_crc", crc(frame.header.prev_header_crc));
        match frame.commit {
            None => each(part),
            Some(commit) => {
                let part = part
                    .with("events", commit.event_count())
                    .with("state records", commit.states().count())
                    .with("recorded_at", commit.recorded_at().as_micros());
                if commit.event_count() == 0 {
                    return each(part);
                }
                let (first, stream) = commit.head(0);
                each(
                    part.with("first stream", format_args!("{stream:?}"))
                        .with("first version", first.version),
                )
            }
        }
    })?;
    let rest = FilePart::new(end.offset, end.file_bytes.saturating_sub(end.offset), "prepared space");
    match end.bad {
        Some(bad) => each(FilePart { what: "no frame", ..rest }.damaged(bad.what)),
        None if rest.bytes > 0 => each(rest),
        None => Ok(()),
    }
}

fn crc(crc: u32) -> String {
    format!("{crc:08x}")
}
