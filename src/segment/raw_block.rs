//! A block's bytes: read from its file, and checked against the place where they lie. For segments and for tiers.

use std::path::Path;

use crate::disk::{DiskFile, Seed, read_exact_at};
use crate::error::{Error, Result};

use super::directory::BlockPlace;
use super::envelope::{BadBlock, BlockKind, Envelope};

/// Reads a block, envelope included. The file must be known to have it: as many bytes are taken of memory.
pub(super) fn read_block(file: &dyn DiskFile, path: &Path, place: BlockPlace) -> Result<Vec<u8>> {
    let Ok(bytes) = usize::try_from(place.bytes) else {
        return Err(Error::corrupt(path, place.offset, "block is larger than memory"));
    };
    // The file has as many: the directory's blocks end where the footer says, and the footer's where the file does.
    let mut block = vec![0; bytes];
    read_exact_at(file, &mut block, place.offset).map_err(|error| Error::io("reading", path, error))?;
    Ok(block)
}

/// What the envelope of a block says, and its bytes, decompressed: the checksum holds, and it is the block of this place. Of
/// types and state records only the block says how many. `scratch` is for decompressing.
pub(super) fn open_raw<'a>(
    block: &'a [u8],
    place: BlockPlace,
    seed: Seed,
    scratch: &'a mut Vec<u8>,
) -> Result<(Envelope, &'a [u8]), BadBlock> {
    let (envelope, stored) = Envelope::open(block, seed)?;
    let Envelope { kind, first, count, .. } = envelope;
    let is_counted = matches!(kind, BlockKind::Types | BlockKind::State) || count == place.count;
    if kind != place.kind || first != place.first || !is_counted {
        return Err(BadBlock::Misplaced);
    }
    Ok((envelope, envelope.raw(stored, scratch)?))
}
