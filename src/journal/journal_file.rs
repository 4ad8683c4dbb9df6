//! A journal file: its name, its header, its handle.
//!
//! ```text
//! offset size  field
//!      0    8  magic "annalsJ" and a zero
//!      8    4  format version: 1
//!     12    4  zero
//!     16   16  store id
//!     32    8  file number, as in its name
//!     40    8  first position that a frame in it may hold
//!     48    8  first n
//!     56    4  prev_header_crc: that of the last frame before this file; 0 for the first
//!     60    4  header checksum: of bytes 0 to 59, seeded like the frames
//!     64       zeros up to 4096, where the first frame starts
//! ```

use std::io;
use std::path::{Path, PathBuf};

use crate::disk::{
    CreateFailure, Cursor, Disk, DiskFile, OpenMode, Seed, create_complete, file_name, read_some_at,
    write_all_at, write_zeros_at,
};
use crate::error::{Error, ErrorKind, Result};
use crate::types::StoreId;
use crate::types::limits::JOURNAL_FILE_BYTES_MAX;

use super::chain::Chain;
use super::read_around::{ReadAround, Unreadable};

pub(crate) const FORMAT_VERSION: u32 = 1;
/// Frames start here: a torn frame never shares a sector with the file's header.
pub(crate) const FRAMES_AT: u64 = 4096;
const FRAMES_AT_USIZE: usize = 4096;
const MAGIC: [u8; 8] = *b"annalsJ\0";
const CHECKED_BYTES: usize = 60;

/// An open journal file whose header was checked.
#[derive(Debug)]
pub(crate) struct JournalFile {
    pub(crate) number: u64,
    pub(crate) path: PathBuf,
    pub(crate) seed: Seed,
    pub(crate) disk_file: Box<dyn DiskFile>,
    /// What its first frame must follow.
    pub(crate) start: Chain,
}

/// A journal file that may be damaged.
#[derive(Debug)]
pub(super) struct DamagedFile {
    /// Its `start` is that of a store's first file: what its header says stands in `header`.
    pub(super) file: JournalFile,
    /// What its first frame must follow, or what is wrong with its header.
    pub(super) header: Result<Chain>,
    /// What the header says it is, if it is one.
    pub(super) claim: Option<Claim>,
    /// Where the disk gave nothing, as far as the file was read.
    pub(super) unreadable: Unreadable,
}

/// Which file a header says it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Claim {
    pub(super) store: StoreId,
    pub(super) number: u64,
    /// Whether the header's checksum holds.
    pub(super) is_sound: bool,
}

impl JournalFile {
    /// Makes file `number`, with zeros up to `prepared_bytes`, durable and under its name when this returns.
    pub(crate) fn create(
        disk: &dyn Disk,
        dir: &Path,
        store: StoreId,
        number: u64,
        start: Chain,
        prepared_bytes: u64,
    ) -> Result<Self, CreateFailure> {
        let path = dir.join(file_name(number));
        let seed = Seed::of_file(store, number);
        let header = encode_header(store, number, start, seed);
        let disk_file = create_complete(disk, &path, |file| {
            file.allocate(prepared_bytes);
            write_all_at(file, &header, 0)?;
            write_zeros_at(file, header.len() as u64, prepared_bytes)
        })?;
        Ok(Self { number, path, seed, disk_file, start })
    }

    /// Opens file `number` and checks its header.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        store: StoreId,
        number: u64,
        mode: OpenMode,
    ) -> Result<Self> {
        let path = dir.join(file_name(number));
        let disk_file = match disk.open(&path, mode) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::corrupt(&path, 0, "the file is missing"));
            }
            opened => opened.map_err(|error| Error::io("opening", &path, error))?,
        };
        let seed = Seed::of_file(store, number);
        let file = Self { number, path, seed, disk_file, start: Chain::START };
        let start = decode_header(&file.path, &file.header_bytes()?, store, number, seed)?;
        Ok(Self { start, ..file })
    }

    /// Opens a file as file `number`, whatever its header says and past what the disk does not give: for those who look at
    /// damage.
    pub(super) fn open_damaged(
        disk: &dyn Disk,
        path: PathBuf,
        store: StoreId,
        number: u64,
    ) -> Result<DamagedFile> {
        let opened = disk.open(&path, OpenMode::Read);
        let opened = opened.map_err(|error| Error::io("opening", &path, error))?;
        let (around, unreadable) = ReadAround::new(opened);
        let seed = Seed::of_file(store, number);
        let file = Self { number, path, seed, disk_file: Box::new(around), start: Chain::START };
        let bytes = file.header_bytes()?;
        let header = decode_header(&file.path, &bytes, store, number, seed);
        Ok(DamagedFile { file, header, claim: claim(&bytes), unreadable })
    }

    /// The bytes before the first frame, as far as they are there, of a file that is not larger than any of ours.
    fn header_bytes(&self) -> Result<Vec<u8>> {
        if self.bytes()? > JOURNAL_FILE_BYTES_MAX {
            let what = "the journal file is larger than any that annals writes";
            return Err(self.corrupt(JOURNAL_FILE_BYTES_MAX, what));
        }
        let mut bytes = vec![0; FRAMES_AT_USIZE];
        let count = read_some_at(&*self.disk_file, &mut bytes, 0)
            .map_err(|error| Error::io("reading", &self.path, error))?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// The file's length in bytes.
    pub(crate) fn bytes(&self) -> Result<u64> {
        self.disk_file.len().map_err(|error| Error::io("measuring", &self.path, error))
    }

    /// An error about `offset` of this file.
    pub(crate) fn corrupt(&self, offset: u64, what: impl std::fmt::Display) -> Error {
        Error::corrupt(&self.path, offset, what)
    }
}

fn encode_header(store: StoreId, number: u64, start: Chain, seed: Seed) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&MAGIC);
    bytes.extend_from_slice(&FORMAT_VERSION.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&store.to_bytes());
    bytes.extend_from_slice(&number.to_le_bytes());
    bytes.extend_from_slice(&start.position.to_le_bytes());
    bytes.extend_from_slice(&start.n.to_le_bytes());
    bytes.extend_from_slice(&start.prev_header_crc.to_le_bytes());
    let crc = seed.checksum(&[&bytes]);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode_header(path: &Path, bytes: &[u8], store: StoreId, number: u64, seed: Seed) -> Result<Chain> {
    let bad = |offset, what: &str| Error::corrupt(path, offset, what);
    let (fixed, rest) =
        bytes.split_at_checked(64).ok_or_else(|| bad(bytes.len() as u64, "the file's header is cut"))?;
    let mut cursor = Cursor::new(fixed);
    if cursor.array() != Some(MAGIC) {
        return Err(bad(0, "not a journal file"));
    }
    let version = cursor.u32().unwrap_or_default();
    if version > FORMAT_VERSION {
        return Err(Error::new(
            ErrorKind::UnsupportedVersion,
            format!("{}: journal format {version} is newer than {FORMAT_VERSION}", path.display()),
        ));
    }
    let zeros = cursor.u32();
    let file_store = cursor.array().map(StoreId::from_bytes);
    let file_number = cursor.u64();
    let start = Chain {
        position: cursor.u64().unwrap_or_default(),
        n: cursor.u64().unwrap_or_default(),
        prev_header_crc: cursor.u32().unwrap_or_default(),
    };
    let checked = fixed.get(..CHECKED_BYTES).unwrap_or_default();
    if file_store != Some(store) {
        return Err(bad(16, "the file belongs to another store, or its store id is damaged"));
    }
    if cursor.u32() != Some(seed.checksum(&[checked])) || zeros != Some(0) || version != FORMAT_VERSION {
        return Err(bad(60, "the file header's checksum differs"));
    }
    if file_number != Some(number) {
        return Err(bad(32, "the file has another number than its name"));
    }
    if start.n == 0 {
        return Err(bad(48, "frames are counted from 1"));
    }
    if let Some(at) = rest.iter().position(|byte| *byte != 0) {
        return Err(bad(64 + at as u64, "a byte between header and frames is not zero"));
    }
    if bytes.len() < FRAMES_AT_USIZE {
        return Err(bad(bytes.len() as u64, "the file ends before its first frame"));
    }
    Ok(start)
}

/// What the header at the start of these bytes says it is of; `None` when they are not a header.
fn claim(bytes: &[u8]) -> Option<Claim> {
    let mut cursor = Cursor::new(bytes);
    let magic = cursor.array();
    let (_version, _zeros) = (cursor.u32()?, cursor.u32()?);
    let (store, number) = (StoreId::from_bytes(cursor.array()?), cursor.u64()?);
    let checked = bytes.get(..CHECKED_BYTES)?;
    let crc = bytes.get(CHECKED_BYTES..)?.first_chunk::<4>()?;
    let is_sound =
        magic == Some(MAGIC) && u32::from_le_bytes(*crc) == Seed::of_file(store, number).checksum(&[checked]);
    Some(Claim { store, number, is_sound })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::RealDisk;

    fn store() -> StoreId {
        StoreId::from_bytes([1; 16])
    }

    #[test]
    fn a_header_round_trips_and_any_flipped_bit_or_cut_is_noticed() {
        let (store, path) = (store(), Path::new("00000002"));
        let seed = Seed::of_file(store, 2);
        let start = Chain { position: 5, n: 6, prev_header_crc: 7 };
        let mut bytes = encode_header(store, 2, start, seed);
        bytes.resize(FRAMES_AT_USIZE, 0);
        assert_eq!(decode_header(path, &bytes, store, 2, seed).expect("header"), start);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode_header(path, &flipped, store, 2, seed).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert!(decode_header(path, &bytes[..cut], store, 2, seed).is_err(), "cut at {cut}");
        }
        bytes[8] = 9;
        let newer = decode_header(path, &bytes, store, 2, seed).expect_err("newer");
        assert_eq!(newer.kind(), ErrorKind::UnsupportedVersion);
    }

    #[test]
    fn a_file_that_is_missing_is_damage() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let opened = JournalFile::open(&RealDisk, dir.path(), store(), 3, OpenMode::Read);
        let error = opened.expect_err("there is none");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains("00000003"), "{error}");
    }

    #[test]
    fn a_file_may_be_as_large_as_the_limit_and_not_a_byte_larger() {
        let dir = tempfile::tempdir().expect("temporary directory");
        JournalFile::create(&RealDisk, dir.path(), store(), 1, Chain::START, 8192).expect("file");
        let path = dir.path().join(file_name(1));
        let open = |bytes: u64| {
            std::fs::OpenOptions::new()
                .write(true)
                .open(&path)
                .and_then(|file| file.set_len(bytes))
                .expect("length");
            JournalFile::open(&RealDisk, dir.path(), store(), 1, OpenMode::Read)
        };
        assert_eq!(open(JOURNAL_FILE_BYTES_MAX).expect("at the limit").number, 1);
        assert_eq!(open(JOURNAL_FILE_BYTES_MAX + 1).expect_err("past it").kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_byte_behind_the_header_is_told_where_it_is() {
        let seed = Seed::of_file(store(), 1);
        let mut bytes = encode_header(store(), 1, Chain::START, seed);
        bytes.resize(FRAMES_AT_USIZE, 0);
        bytes[100] = 1;
        let error = decode_header(Path::new("f"), &bytes, store(), 1, seed).expect_err("damage");
        assert!(error.to_string().contains("100"), "{error}");
    }

    #[test]
    fn a_header_speaks_for_itself_only_with_its_checksum_and_its_magic() {
        let bytes = encode_header(store(), 5, Chain::START, Seed::of_file(store(), 5));
        let told = claim(&bytes).expect("a header");
        assert!(told.is_sound && told.store == store() && told.number == 5);
        for at in [0, 12, 33, 60] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(!claim(&damaged).expect("a header still").is_sound, "byte {at}");
        }
        assert!(claim(&bytes[..60]).is_none());
    }
}
