//! `MANIFEST`: which store this is, where its journal begins, and whether it was closed. Replaced whole, never
//! written in place.
//!
//! ```text
//! offset size  field
//!      0    8  magic "annalsM" and a zero
//!      8    4  format version: 1 while nothing is sealed, 2 when something is
//!     12    4  total length of the file; more than 88 when a later version adds fields that may be skipped
//!     16   16  store id
//!     32    8  created_at, microseconds since 1970, signed
//!     40    8  number of the oldest journal file
//!     48    8  state: 0 open (or not closed cleanly), 1 closed
//!     56    8  closed: number of the last journal file
//!     64    8  closed: its length
//!     72    8  closed: n of the last frame
//!     80    4  count of segments: their numbers are those before the oldest journal file; 0 in version 1
//!     84    4  checksum of all other bytes, seeded with the store's id
//! ```

use std::io;
use std::ops::Range;
use std::path::Path;

use crate::disk::{
    CreateFailure, Cursor, Disk, OpenMode, Seed, put_i64, put_u32, put_u64, read_some_at, replace_file,
};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{ClosedAt, StoreId, Timestamp};

pub(crate) const MANIFEST_NAME: &str = "MANIFEST";
/// Of a store without segments: what the first annals wrote and reads.
const UNSEALED_VERSION: u32 = 1;
const FORMAT_VERSION: u32 = 2;
const MAGIC: [u8; 8] = *b"annalsM\0";
const BYTES: usize = 88;
const BYTES_MAX: u64 = 64 << 10;
const STORE_AT: usize = 16;
const CRC_AT: usize = 84;

/// What the manifest says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Manifest {
    pub(crate) store: StoreId,
    pub(crate) created_at: Timestamp,
    pub(crate) oldest_journal: u64,
    /// How many segments there are. Each has the number of the journal file that it was made from: those before the oldest.
    pub(crate) segments: u32,
    /// Where the journal ended at a clean close; `None` while the store is open and after a crash.
    pub(crate) closed: Option<ClosedAt>,
}

impl Manifest {
    /// The manifest of the store in `root`; `None` when there is none.
    pub(crate) fn read(disk: &dyn Disk, root: &Path) -> Result<Option<Self>> {
        let path = root.join(MANIFEST_NAME);
        let file = match disk.open(&path, OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|error| Error::io("opening", &path, error))?,
        };
        let length = file.len().map_err(|error| Error::io("measuring", &path, error))?;
        if length > BYTES_MAX {
            return Err(Error::corrupt(
                &path,
                BYTES_MAX,
                "the manifest is larger than any that annals writes",
            ));
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
        let count =
            read_some_at(&*file, &mut bytes, 0).map_err(|error| Error::io("reading", &path, error))?;
        bytes.truncate(count);
        Self::decode(&path, &bytes).map(Some)
    }

    /// The store that a damaged manifest names: a hint, believed of nobody.
    pub(crate) fn named_store(disk: &dyn Disk, root: &Path) -> Option<StoreId> {
        let bytes = first_bytes(disk, root)?;
        Some(StoreId::from_bytes(*bytes.get(STORE_AT..)?.first_chunk()?))
    }

    /// Whether the checksum of a manifest holds, whatever its version.
    pub(crate) fn is_sealed(disk: &dyn Disk, root: &Path) -> bool {
        first_bytes(disk, root).is_some_and(|bytes| {
            let (before, crc) = bytes.split_at_checked(CRC_AT).unwrap_or_default();
            let store = before.get(STORE_AT..).and_then(|rest| rest.first_chunk());
            store.is_some_and(|store| {
                let seed = Seed::of_store(StoreId::from_bytes(*store));
                crc == seed.checksum(&[before]).to_le_bytes()
            })
        })
    }

    /// The numbers of the segments.
    pub(crate) fn segment_numbers(&self) -> Range<u64> {
        self.oldest_journal.saturating_sub(u64::from(self.segments))..self.oldest_journal
    }

    /// The manifest once the oldest journal file is a segment.
    pub(crate) fn with_oldest_sealed(self) -> Option<Self> {
        let (oldest_journal, segments) = (self.oldest_journal.checked_add(1)?, self.segments.checked_add(1)?);
        Some(Self { oldest_journal, segments, ..self })
    }

    /// Puts this manifest in place of the one in `root`; durable when this returns.
    pub(crate) fn write(&self, disk: &dyn Disk, root: &Path) -> Result<(), CreateFailure> {
        replace_file(disk, &root.join(MANIFEST_NAME), &self.encode())
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.extend_from_slice(&MAGIC);
        put_u32(&mut bytes, if self.segments == 0 { UNSEALED_VERSION } else { FORMAT_VERSION });
        put_u32(&mut bytes, u32::try_from(BYTES).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&self.store.to_bytes());
        put_i64(&mut bytes, self.created_at.as_micros());
        put_u64(&mut bytes, self.oldest_journal);
        let closed = self.closed.unwrap_or(ClosedAt { file: 0, file_bytes: 0, n: 0 });
        put_u64(&mut bytes, u64::from(self.closed.is_some()));
        put_u64(&mut bytes, closed.file);
        put_u64(&mut bytes, closed.file_bytes);
        put_u64(&mut bytes, closed.n);
        put_u32(&mut bytes, self.segments);
        let crc = Seed::of_store(self.store).checksum(&[&bytes]);
        put_u32(&mut bytes, crc);
        bytes
    }

    fn decode(path: &Path, bytes: &[u8]) -> Result<Self> {
        let bad = |offset, what: &str| Error::corrupt(path, offset, what);
        let mut cursor = Cursor::new(bytes);
        if cursor.array() != Some(MAGIC) {
            return Err(bad(0, "not a manifest"));
        }
        let version = cursor.u32().unwrap_or_default();
        if version > FORMAT_VERSION {
            let what =
                format!("{}: manifest format {version} is newer than {FORMAT_VERSION}", path.display());
            return Err(Error::new(ErrorKind::UnsupportedVersion, what));
        }
        let cut = || bad(bytes.len() as u64, "the manifest is cut short");
        let length = cursor.u32().ok_or_else(cut)?;
        if bytes.len() < BYTES || length as usize != bytes.len() {
            return Err(bad(12, "the manifest has another length than it says"));
        }
        let store = StoreId::from_bytes(cursor.array().ok_or_else(cut)?);
        let (before, from_crc) = bytes.split_at_checked(CRC_AT).ok_or_else(cut)?;
        let (crc, after) = from_crc.split_first_chunk::<4>().ok_or_else(cut)?;
        if u32::from_le_bytes(*crc) != Seed::of_store(store).checksum(&[before, after]) {
            return Err(bad(CRC_AT as u64, "the manifest's checksum differs"));
        }
        let created_at = Timestamp::from_micros(cursor.i64().ok_or_else(cut)?);
        let oldest_journal = cursor.u64().ok_or_else(cut)?;
        let state = cursor.u64().ok_or_else(cut)?;
        let closed = ClosedAt {
            file: cursor.u64().ok_or_else(cut)?,
            file_bytes: cursor.u64().ok_or_else(cut)?,
            n: cursor.u64().ok_or_else(cut)?,
        };
        let segments = cursor.u32().ok_or_else(cut)?;
        let written = match version {
            UNSEALED_VERSION => segments == 0 && oldest_journal > 0,
            FORMAT_VERSION => segments > 0 && oldest_journal > u64::from(segments),
            _ => false,
        };
        if state > 1 || !written {
            return Err(bad(48, "the manifest holds a value that is never written"));
        }
        Ok(Self { store, created_at, oldest_journal, segments, closed: (state == 1).then_some(closed) })
    }
}

/// The fixed part of a manifest, as far as it is there and nothing follows it.
fn first_bytes(disk: &dyn Disk, root: &Path) -> Option<Vec<u8>> {
    let file = disk.open(&root.join(MANIFEST_NAME), OpenMode::Read).ok()?;
    let mut bytes = vec![0; BYTES];
    let count = read_some_at(&*file, &mut bytes, 0).ok()?;
    bytes.truncate(count);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_round_trips_and_any_flipped_bit_or_cut_is_noticed() {
        let path = Path::new(MANIFEST_NAME);
        let open = Manifest {
            store: StoreId::from_bytes([8; 16]),
            created_at: Timestamp::from_micros(-5),
            oldest_journal: 1,
            segments: 0,
            closed: None,
        };
        let closed = Manifest { closed: Some(ClosedAt { file: 3, file_bytes: 4, n: 5 }), ..open };
        let sealed = closed.with_oldest_sealed().expect("another segment");
        assert_eq!(sealed.segment_numbers(), 1..2);
        for manifest in [open, closed, sealed] {
            let bytes = manifest.encode();
            assert_eq!(Manifest::decode(path, &bytes).expect("manifest"), manifest);
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(Manifest::decode(path, &flipped).is_err(), "bit {bit}");
            }
            for cut in 0..bytes.len() {
                assert!(Manifest::decode(path, &bytes[..cut]).is_err(), "cut at {cut}");
            }
        }
    }
}
