//! Telling what a tier's file holds, part by part. Reads only.

use std::path::Path;

use crate::disk::{Cursor, Disk};
use crate::error::Result;
use crate::segment::inspect::{blocks, open, read};
use crate::types::{FilePart, StoreId};

use super::ends::{FOOTER_BYTES, HEADER_BYTES, MAGIC, TierFooter, TierIdentity};
use super::range::TierRange;

/// Tells the parts of the tier at `path`, which its own header says whose it is. Ends where no block is.
pub(crate) fn inspect_tier(
    disk: &dyn Disk,
    path: &Path,
    each: &mut dyn FnMut(FilePart) -> Result<()>,
) -> Result<()> {
    let (file, file_bytes) = open(disk, path)?;
    let bytes = read(&*file, path, 0, HEADER_BYTES as u64)?;
    let part = FilePart::new(0, HEADER_BYTES as u64, "tier header");
    let Some((bytes, identity)) = bytes.first_chunk().and_then(|bytes| Some((bytes, claim(bytes)?))) else {
        return each(part.damaged("not the header of a tier"));
    };
    let part = part
        .with("store", identity.store)
        .with("first segment", identity.range.first())
        .with("last segment", identity.range.last());
    match identity.check_header(bytes) {
        Ok(()) => each(part)?,
        Err(what) => each(part.damaged(what))?,
    }
    let Some(footer_at) = file_bytes.checked_sub(FOOTER_BYTES as u64) else { return Ok(()) };
    blocks(&*file, path, HEADER_BYTES as u64..footer_at, identity.seed(), each)?;
    let bytes = read(&*file, path, footer_at, FOOTER_BYTES as u64)?;
    let part = FilePart::new(footer_at, FOOTER_BYTES as u64, "tier footer");
    match bytes.first_chunk().map(|bytes| TierFooter::decode(bytes, identity, file_bytes)) {
        Some(Ok(footer)) => each(
            part.with("segments' digest", format_args!("{:016x}", footer.segments_digest))
                .with("streams", footer.streams)
                .with("blocks of runs", footer.blocks),
        ),
        Some(Err(what)) => each(part.damaged(what)),
        None => each(part.damaged("cut")),
    }
}

/// Which tier the bytes of a header say they are of, if they begin like one.
fn claim(bytes: &[u8; HEADER_BYTES]) -> Option<TierIdentity> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array() != Some(MAGIC) {
        return None;
    }
    let (_version, _zero) = (cursor.u32()?, cursor.u32()?);
    let store = StoreId::from_bytes(cursor.array()?);
    Some(TierIdentity { store, range: TierRange { first: cursor.u64()?, last: cursor.u64()? } })
}
