//! A pack: a file of snapshot records one behind another. Its name, its header, its handle.
//!
//! ```text
//! offset size  field
//!      0    8  magic "annalsS" and a zero
//!      8    4  format version: 1
//!     12    4  zero
//!     16   16  store id
//!     32    8  pack number, as in its name
//!     40    4  zero
//!     44    4  header checksum: of bytes 0 to 43, seeded with the store's id and the number
//!     48       records, each a multiple of 8 bytes
//! ```
//! A pack of another store or of a newer format is left alone. One whose header is damaged holds nothing that can be
//! used, and goes with the next compaction.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) use crate::disk::file_name;
use crate::disk::{Cursor, Disk, DiskFile, OpenMode, Seed, list_own_dir, put_u32, put_u64, read_some_at};
use crate::types::StoreId;

pub(super) const FORMAT_VERSION: u32 = 1;
pub(super) const RECORDS_AT: u64 = 48;
pub(super) const HEADER_BYTES: usize = 48;
const CHECKED_BYTES: usize = 44;
const MAGIC: [u8; 8] = *b"annalsS\0";

/// An open pack.
#[derive(Debug)]
pub(super) struct Pack {
    pub(super) path: PathBuf,
    /// Shared with readers, which go on while the pack is replaced and removed.
    pub(super) file: Arc<dyn DiskFile>,
    /// The byte behind the last record: where the next one goes.
    pub(super) bytes: u64,
    /// Bytes of records that the directory names; the rest is garbage.
    pub(super) live_bytes: u64,
    /// Whether records may be added. Never behind bytes that are no record.
    pub(super) takes_more: bool,
}

/// What stands under a pack's name.
#[derive(Debug)]
pub(super) enum Opened {
    /// A pack of this store, with its length; its records are still to be looked at.
    Pack(Pack),
    /// A file whose header is damaged.
    Damaged(Pack),
    /// Something that is not ours to touch.
    LeftAlone,
}

impl Pack {
    /// A new pack whose header is written.
    pub(super) fn new(path: PathBuf, file: Box<dyn DiskFile>) -> Self {
        Self { path, file: Arc::from(file), bytes: RECORDS_AT, live_bytes: 0, takes_more: true }
    }

    /// Opens pack `number` and looks at its header.
    pub(super) fn open(disk: &dyn Disk, dir: &Path, store: StoreId, number: u64) -> Opened {
        let path = dir.join(file_name(number));
        let opened = match disk.open(&path, OpenMode::ReadWrite) {
            Ok(file) => Ok((file, true)),
            Err(_) => disk.open(&path, OpenMode::Read).map(|file| (file, false)),
        };
        let Ok((file, takes_more)) = opened else {
            return Opened::LeftAlone;
        };
        let mut header = [0; HEADER_BYTES];
        let read = read_some_at(&*file, &mut header, 0).and_then(|count| Ok((count, file.len()?)));
        let Ok((count, bytes)) = read else {
            return Opened::LeftAlone;
        };
        let pack = Self { path, file: Arc::from(file), bytes, live_bytes: 0, takes_more };
        match header.get(..count).map_or(HeaderIs::Damaged, |header| decode_header(header, store, number)) {
            HeaderIs::Sound => Opened::Pack(pack),
            HeaderIs::Damaged => Opened::Damaged(Self { takes_more: false, ..pack }),
            HeaderIs::NotOurs => Opened::LeftAlone,
        }
    }

    /// Bytes of it that nobody will read again.
    pub(super) fn garbage_bytes(&self) -> u64 {
        self.bytes.saturating_sub(RECORDS_AT).saturating_sub(self.live_bytes)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HeaderIs {
    Sound,
    Damaged,
    NotOurs,
}

/// The number of the pack with this name; `None` when it is no pack's name.
pub(super) fn number_of(name: &str) -> Option<u64> {
    crate::disk::number_of(name).filter(|number| *number > 0)
}

/// The numbers of the packs in a directory, ascending.
pub(super) fn numbers_in(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<u64>> {
    let mut numbers: Vec<u64> = list_own_dir(disk, dir)?.iter().filter_map(|name| number_of(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

pub(super) fn encode_header(store: StoreId, number: u64) -> Vec<u8> {
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend_from_slice(&MAGIC);
    put_u32(&mut header, FORMAT_VERSION);
    put_u32(&mut header, 0);
    header.extend_from_slice(&store.to_bytes());
    put_u64(&mut header, number);
    put_u32(&mut header, 0);
    let crc = Seed::of_file(store, number).checksum(&[&header]);
    put_u32(&mut header, crc);
    header
}

/// Whose pack a header says that it is of, and its number; `None` when it is no header.
pub(super) fn claim(header: &[u8]) -> Option<(StoreId, u64)> {
    let mut cursor = Cursor::new(header);
    if cursor.array() != Some(MAGIC) {
        return None;
    }
    let (_version, _zeros) = (cursor.u32()?, cursor.u32()?);
    Some((StoreId::from_bytes(cursor.array()?), cursor.u64()?))
}

pub(super) fn decode_header(header: &[u8], store: StoreId, number: u64) -> HeaderIs {
    let mut cursor = Cursor::new(header);
    if cursor.array() != Some(MAGIC) {
        return HeaderIs::Damaged;
    }
    let (Some(version), Some(_), Some(id)) = (cursor.u32(), cursor.u32(), cursor.array()) else {
        return HeaderIs::Damaged;
    };
    // What a newer format seals its header with is not known here: its version alone must do.
    if version > FORMAT_VERSION {
        return HeaderIs::NotOurs;
    }
    let owner = StoreId::from_bytes(id);
    let Some((checked, crc)) = header.split_at_checked(CHECKED_BYTES) else {
        return HeaderIs::Damaged;
    };
    if crc != Seed::of_file(owner, number).checksum(&[checked]).to_le_bytes() {
        return HeaderIs::Damaged;
    }
    if owner == store { HeaderIs::Sound } else { HeaderIs::NotOurs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_round_trips_and_any_flipped_bit_or_cut_is_noticed() {
        let store = StoreId::from_bytes([8; 16]);
        let header = encode_header(store, 3);
        assert_eq!(header.len() as u64, RECORDS_AT);
        assert_eq!(decode_header(&header, store, 3), HeaderIs::Sound);
        assert_eq!(decode_header(&header, store, 4), HeaderIs::Damaged);
        assert_eq!(decode_header(&header, StoreId::from_bytes([9; 16]), 3), HeaderIs::NotOurs);
        for bit in 0..header.len() * 8 {
            let mut flipped = header.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_ne!(decode_header(&flipped, store, 3), HeaderIs::Sound, "bit {bit}");
        }
        for cut in 0..header.len() {
            assert_eq!(decode_header(&header[..cut], store, 3), HeaderIs::Damaged, "cut at {cut}");
        }
    }

    #[test]
    fn only_names_that_annals_gives_are_packs() {
        assert_eq!(number_of("00000001"), Some(1));
        assert_eq!(number_of("123456789"), Some(123_456_789));
        for name in ["00000000", "1", "+0000001", "00000001.tmp", "notes", "99999999999999999999999"] {
            assert_eq!(number_of(name), None, "{name}");
        }
    }
}
