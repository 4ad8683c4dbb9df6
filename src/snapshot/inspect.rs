//! Telling what a pack of snapshots holds, part by part. Reads only.

use std::path::Path;

use crate::disk::{Disk, OpenMode, Seed, read_some_at};
use crate::error::{Error, Result};
use crate::types::FilePart;

use super::pack::{HEADER_BYTES, HeaderIs, RECORDS_AT, claim, decode_header};
use super::record::Header;
use super::scan::scan;

/// Tells the parts of the pack at `path`, which its own header says whose it is.
pub(crate) fn inspect_pack(
    disk: &dyn Disk,
    path: &Path,
    each: &mut dyn FnMut(FilePart) -> Result<()>,
) -> Result<()> {
    let reading = |error| Error::io("reading", path, error);
    let file = disk.open(path, OpenMode::Read).map_err(|error| Error::io("opening", path, error))?;
    let bytes = file.len().map_err(reading)?;
    let mut header = [0; HEADER_BYTES];
    read_some_at(&*file, &mut header, 0).map_err(reading)?;
    let part = FilePart::new(0, RECORDS_AT, "pack header");
    let Some((store, number)) = claim(&header) else {
        return each(part.damaged("not the header of a pack of snapshots"));
    };
    let part = part.with("store", store).with("number", number);
    match decode_header(&header, store, number) {
        HeaderIs::Sound => each(part)?,
        HeaderIs::Damaged | HeaderIs::NotOurs => {
            return each(part.damaged("the header is damaged, or of a newer format"));
        }
    }
    let seed = Seed::of_store(store);
    let mut records = Vec::new();
    let end = scan(&*file, bytes, seed, |header, offset, bytes| records.push((header, offset, bytes)));
    for (header, offset, bytes) in records {
        let mut record = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
        read_some_at(&*file, &mut record, offset).map_err(reading)?;
        let part = FilePart::new(offset, bytes, "snapshot")
            .with("sequence", header.sequence)
            .with("stream", format_args!("{:?}", header.stream.as_str()))
            .with("version", header.up_to.version)
            .with("position", header.up_to.position)
            .with("recorded_at", header.up_to.recorded_at.as_micros())
            .with("event id", header.up_to.id)
            .with("state type", format_args!("{:?}", header.state_type))
            .with("schema", header.schema)
            .with("codec", header.codec.as_u8())
            .with("keep", header.keep);
        let is_whole = Header::decode_whole(&record, seed).is_some();
        each(if is_whole { part } else { part.damaged("the snapshot's checksum differs") })?;
    }
    if end < bytes {
        return each(FilePart::new(end, bytes - end, "no snapshot").damaged("no record stands here"));
    }
    Ok(())
}
