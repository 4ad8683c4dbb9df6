//! What the file `LOCK` holds: the durable mark, the last frame whose sync has returned.
//!
//! ```text
//! offset size  field
//!      0    8  magic "annalsL" and a zero
//!      8    4  format version: 1
//!     12    4  zero
//!     16    8  n of the last frame whose sync has returned; 0 when there is none
//!     24    4  zero
//!     28    4  checksum of all other bytes, seeded with the store's id
//! ```
//! The writer puts it there after each sync and before it answers, and never syncs it. So it never says too much: what it
//! names was on disk before it was written. After a power cut it may say too little, or nothing. Readers in other processes
//! see what it names; recovery takes what it names and does not find for lost, not for torn.
//!
//! One of a longer journal may stand beside a closed store that was put back from a backup. It is lowered when the store is
//! opened, and that is synced: a power cut must not bring it back beside frames that it is not about.

use std::io;
use std::path::Path;

use crate::disk::{Cursor, Disk, OpenMode, Seed, put_u32, put_u64, read_some_at, write_all_at};
use crate::error::{Error, Result};
use crate::types::StoreId;

/// The name of the file whose lock is the store's.
pub(crate) const LOCK_NAME: &str = "LOCK";
const MAGIC: [u8; 8] = *b"annalsL\0";
const FORMAT_VERSION: u32 = 1;
const BYTES: usize = 32;
const CHECKED_BYTES: usize = 28;
/// The writer may be replacing the mark just while it is read.
const READS_MAX: usize = 4;

/// The bytes that say that frame `n` is durable.
pub(crate) fn encode_durable_mark(store: StoreId, n: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(BYTES);
    bytes.extend_from_slice(&MAGIC);
    put_u32(&mut bytes, FORMAT_VERSION);
    put_u32(&mut bytes, 0);
    put_u64(&mut bytes, n);
    put_u32(&mut bytes, 0);
    let crc = Seed::of_store(store).checksum(&[&bytes]);
    put_u32(&mut bytes, crc);
    bytes
}

/// The last frame that the mark in `root` says is durable; 0 when there is no mark, or none that is whole: it is a hint, and
/// what can be known without it is known from the frames.
pub(crate) fn read_durable_mark(disk: &dyn Disk, root: &Path, store: StoreId) -> Result<u64> {
    let path = root.join(LOCK_NAME);
    let file = match disk.open(&path, OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        opened => opened.map_err(|error| Error::io("opening", &path, error))?,
    };
    let mut bytes = [0; BYTES];
    for _ in 0..READS_MAX {
        let count =
            read_some_at(&*file, &mut bytes, 0).map_err(|error| Error::io("reading", &path, error))?;
        if let Some(n) = decode(&bytes, store).filter(|_| count == BYTES) {
            return Ok(n);
        }
    }
    Ok(0)
}

/// Puts a mark that says less in place of one that says too much; durable when this returns.
pub(crate) fn lower_durable_mark(disk: &dyn Disk, root: &Path, store: StoreId, n: u64) -> Result<()> {
    let path = root.join(LOCK_NAME);
    let file = disk.open(&path, OpenMode::ReadWrite).map_err(|error| Error::io("opening", &path, error))?;
    write_all_at(&*file, &encode_durable_mark(store, n), 0)
        .and_then(|()| file.sync_all())
        .map_err(|error| Error::io("lowering the durable mark in", &path, error))
}

fn decode(bytes: &[u8; BYTES], store: StoreId) -> Option<u64> {
    let (checked, crc) = bytes.split_at_checked(CHECKED_BYTES)?;
    let mut cursor = Cursor::new(checked);
    let is_ours = cursor.array() == Some(MAGIC) && cursor.u32() == Some(FORMAT_VERSION);
    let (_, n) = (cursor.u32()?, cursor.u64()?);
    (is_ours && crc == Seed::of_store(store).checksum(&[checked]).to_le_bytes()).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_round_trips_and_any_flipped_bit_or_other_store_is_noticed() {
        let store = StoreId::from_bytes([8; 16]);
        let bytes: [u8; BYTES] = encode_durable_mark(store, 77).try_into().expect("32 bytes");
        assert_eq!(decode(&bytes, store), Some(77));
        assert_eq!(decode(&bytes, StoreId::from_bytes([9; 16])), None);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(decode(&flipped, store), None, "bit {bit}");
        }
    }
}
