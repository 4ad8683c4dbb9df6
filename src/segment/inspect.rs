//! Telling what a segment's file holds, part by part. Reads only.

use std::ops::Range;
use std::path::Path;

use crate::disk::{Disk, DiskFile, OpenMode, Seed, read_some_at};
use crate::error::{Error, Result};
use crate::types::{Chain, FilePart};

use super::envelope::{ENVELOPE_BYTES, Envelope};
use super::footer::{FOOTER_BYTES, Footer};
use super::header::{self, HEADER_BYTES};

/// Tells the parts of the segment at `path`, which its own header says whose it is. Ends where no block is: where the next
/// one begins is not known then.
pub(crate) fn inspect_segment(
    disk: &dyn Disk,
    path: &Path,
    each: &mut dyn FnMut(FilePart) -> Result<()>,
) -> Result<()> {
    let (file, file_bytes) = open(disk, path)?;
    let bytes = read(&*file, path, 0, HEADER_BYTES as u64)?;
    let part = FilePart::new(0, HEADER_BYTES as u64, "segment header");
    let Some((bytes, identity)) = bytes.first_chunk().and_then(|bytes| Some((bytes, header::claim(bytes)?)))
    else {
        return each(part.damaged("not the header of a segment"));
    };
    let part = part.with("store", identity.store).with("number", identity.number);
    match header::decode(bytes, identity, path) {
        Ok(start) => each(with_chain(part, "start", start))?,
        Err(error) => each(part.damaged(error.what()))?,
    }
    let Some(footer_at) = file_bytes.checked_sub(FOOTER_BYTES as u64) else { return Ok(()) };
    blocks(&*file, path, HEADER_BYTES as u64..footer_at, identity.seed(), each)?;
    let bytes = read(&*file, path, footer_at, FOOTER_BYTES as u64)?;
    let part = FilePart::new(footer_at, FOOTER_BYTES as u64, "segment footer");
    match bytes.first_chunk().map(|bytes| Footer::decode(bytes, identity, path, file_bytes)) {
        Some(Ok(footer)) => each(with_footer(part, &footer)),
        Some(Err(error)) => each(part.damaged(error.what())),
        None => each(part.damaged("cut")),
    }
}

/// Tells the blocks that fill this part of a file.
pub(super) fn blocks(
    file: &dyn DiskFile,
    path: &Path,
    part: Range<u64>,
    seed: Seed,
    each: &mut dyn FnMut(FilePart) -> Result<()>,
) -> Result<()> {
    let mut offset = part.start;
    while offset < part.end {
        let block = block(file, path, offset, part.end, seed)?;
        offset += block.bytes;
        each(block)?;
    }
    Ok(())
}

/// The block at `offset`; the rest up to `end` if none stands there.
fn block(file: &dyn DiskFile, path: &Path, offset: u64, end: u64, seed: Seed) -> Result<FilePart> {
    let rest = FilePart::new(offset, end - offset, "no block");
    let envelope = read(file, path, offset, (ENVELOPE_BYTES as u64).min(end - offset))?;
    let Some(bytes) = Envelope::block_bytes(&envelope).filter(|bytes| *bytes <= end - offset) else {
        return Ok(rest.damaged("the rest is shorter than the block that the envelope tells of"));
    };
    let block = read(file, path, offset, bytes)?;
    let part = FilePart::new(offset, bytes, "block");
    Ok(match Envelope::open(&block, seed) {
        Ok((envelope, stored)) => {
            let part = FilePart { what: envelope.kind.name(), ..part }
                .with("codec", envelope.codec)
                .with("stored_len", envelope.stored_len)
                .with("raw_len", envelope.raw_len)
                .with("first", envelope.first)
                .with("count", envelope.count);
            match envelope.raw(stored, &mut Vec::new()) {
                Ok(_) => part,
                Err(bad) => part.damaged(bad),
            }
        }
        Err(bad) => part.damaged(bad),
    })
}

fn with_footer(part: FilePart, footer: &Footer) -> FilePart {
    let part = part
        .with("events", footer.totals.events)
        .with("streams", footer.totals.streams)
        .with("new streams", footer.new_streams)
        .with("commits", footer.commits)
        .with("raw bytes", footer.raw_bytes)
        .with("state bytes", footer.state_bytes)
        .with("blocks of events", footer.blocks.events)
        .with("of streams", footer.blocks.streams)
        .with("of ids", footer.blocks.ids)
        .with("of order", footer.blocks.order)
        .with("least recorded_at", footer.recorded.least.as_micros())
        .with("greatest recorded_at", footer.recorded.greatest.as_micros())
        .with("least occurred_at", footer.occurred.least.as_micros())
        .with("greatest occurred_at", footer.occurred.greatest.as_micros());
    with_chain(with_chain(part, "start", footer.start), "end", footer.end)
}

fn with_chain(part: FilePart, name: &'static str, chain: Chain) -> FilePart {
    let Chain { position, n, prev_header_crc } = chain;
    part.with(name, format_args!("position {position}, n {n}, prev_header_crc {prev_header_crc:08x}"))
}

/// The file at `path`, and its length.
pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<(Box<dyn DiskFile>, u64)> {
    let file = disk.open(path, OpenMode::Read).map_err(|error| Error::io("opening", path, error))?;
    let file_bytes = file.len().map_err(|error| Error::io("measuring", path, error))?;
    Ok((file, file_bytes))
}

/// As many of these bytes as the file has.
pub(super) fn read(file: &dyn DiskFile, path: &Path, offset: u64, bytes: u64) -> Result<Vec<u8>> {
    let mut read = vec![0; usize::try_from(bytes).unwrap_or(usize::MAX)];
    let count = read_some_at(file, &mut read, offset).map_err(|error| Error::io("reading", path, error))?;
    read.truncate(count);
    Ok(read)
}
