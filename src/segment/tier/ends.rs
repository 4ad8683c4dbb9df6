//! The header and the footer of a tier.
//!
//! ```text
//! offset size  header
//!      0    8  magic "annalsT" and a zero
//!      8    4  format version: 1
//!     12    4  zero
//!     16   16  store id
//!     32    8  number of the first segment that it covers
//!     40    8  of the last
//!     48   12  zero
//!     60    4  checksum of bytes 0 to 59
//!
//! offset size  footer
//!      0    8  magic "annalsU" and a zero
//!      8    4  format version: 1
//!     12    4  zero
//!     16   16  store id
//!     32    8  number of the first segment that it covers
//!     40    8  of the last
//!     48    8  length of the file
//!     56    8  XXH3 (64 bits, seed 0) of the footers of its segments that hold events, one behind another
//!     64    4  count of streams
//!     68    4  count of blocks of runs
//!     72    8  bytes of the filter, with its envelope; 0 if there is none
//!     80    8  of the directory
//!     88    4  zero
//!     92    4  checksum of bytes 0 to 91
//! ```
//! A segment's footer says where it begins and ends in the journal, and what it holds. So a tier that was made of other segments
//! of the same numbers, of a store that was put back from a backup and went on otherwise, is known by it.

use crate::disk::{Cursor, Seed, put_u32, put_u64};
use crate::segment::envelope::ENVELOPE_BYTES;
use crate::types::StoreId;

use super::range::TierRange;

pub(in crate::segment) const MAGIC: [u8; 8] = *b"annalsT\0";
const FOOTER_MAGIC: [u8; 8] = *b"annalsU\0";
const FORMAT_VERSION: u32 = 1;
/// As many as a segment's: the directory counts from there.
pub(super) const HEADER_BYTES: usize = crate::segment::header::HEADER_BYTES;
pub(super) const FOOTER_BYTES: usize = 96;

/// Which tier of which store a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TierIdentity {
    pub(super) store: StoreId,
    pub(super) range: TierRange,
}

/// What a tier's footer says beside that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TierFooter {
    pub(super) file_bytes: u64,
    pub(super) segments_digest: u64,
    pub(super) streams: u32,
    pub(super) blocks: u32,
    pub(super) filter_bytes: u64,
    pub(super) directory_bytes: u64,
}

impl TierIdentity {
    /// What the tier's checksums start from.
    pub(super) fn seed(self) -> Seed {
        Seed::of_tier(self.store, self.range.first, self.range.last)
    }

    /// The header's bytes.
    pub(super) fn encode_header(self) -> Vec<u8> {
        let mut bytes = self.begin(MAGIC);
        bytes.resize(HEADER_BYTES - 4, 0);
        self.seal(bytes)
    }

    /// What header and footer begin with.
    fn begin(self, magic: [u8; 8]) -> Vec<u8> {
        let mut bytes = magic.to_vec();
        put_u32(&mut bytes, FORMAT_VERSION);
        put_u32(&mut bytes, 0);
        bytes.extend_from_slice(&self.store.to_bytes());
        put_u64(&mut bytes, self.range.first);
        put_u64(&mut bytes, self.range.last);
        bytes
    }

    fn seal(self, mut bytes: Vec<u8>) -> Vec<u8> {
        let crc = self.seed().checksum(&[&bytes]);
        put_u32(&mut bytes, crc);
        bytes
    }

    /// Whether these bytes are the header of this tier.
    pub(super) fn check_header(self, bytes: &[u8; HEADER_BYTES]) -> Result<(), &'static str> {
        // Nothing else stands in it.
        let is_newer = self.is_newer(bytes, MAGIC);
        match bytes[..] == self.encode_header() {
            true => Ok(()),
            false if is_newer => Err("tier is of a newer format"),
            false => Err("not the header of this tier"),
        }
    }

    /// Whether a checksum that holds says that a later version wrote these bytes.
    fn is_newer(self, bytes: &[u8], magic: [u8; 8]) -> bool {
        let mut cursor = Cursor::new(bytes);
        let is_ours = cursor.array() == Some(magic);
        let crc = bytes.split_last_chunk::<4>();
        let is_sound =
            crc.is_some_and(|(checked, crc)| self.seed().checksum(&[checked]).to_le_bytes() == *crc);
        is_ours && is_sound && cursor.u32().is_some_and(|version| version > FORMAT_VERSION)
    }
}

impl TierFooter {
    /// The footer's bytes.
    pub(super) fn encode(&self, identity: TierIdentity) -> Vec<u8> {
        let mut bytes = identity.begin(FOOTER_MAGIC);
        put_u64(&mut bytes, self.file_bytes);
        put_u64(&mut bytes, self.segments_digest);
        put_u32(&mut bytes, self.streams);
        put_u32(&mut bytes, self.blocks);
        put_u64(&mut bytes, self.filter_bytes);
        put_u64(&mut bytes, self.directory_bytes);
        put_u32(&mut bytes, 0);
        identity.seal(bytes)
    }

    /// The footer at the end of a file of `file_bytes` bytes, which has room for header and footer.
    pub(super) fn decode(
        bytes: &[u8; FOOTER_BYTES],
        identity: TierIdentity,
        file_bytes: u64,
    ) -> Result<Self, &'static str> {
        let fields = bytes.get(48..).and_then(|fields| Self::parse(&mut Cursor::new(fields)));
        let footer = fields.ok_or("tier's footer is cut")?;
        if bytes[..] != footer.encode(identity) {
            let is_newer = identity.is_newer(bytes, FOOTER_MAGIC);
            return Err(if is_newer { "tier is of a newer format" } else { "not the footer of this tier" });
        }
        footer.check(file_bytes).map(|()| footer)
    }

    fn parse(cursor: &mut Cursor<'_>) -> Option<Self> {
        Some(Self {
            file_bytes: cursor.u64()?,
            segments_digest: cursor.u64()?,
            streams: cursor.u32()?,
            blocks: cursor.u32()?,
            filter_bytes: cursor.u64()?,
            directory_bytes: cursor.u64()?,
        })
    }

    /// Whether its numbers go together.
    fn check(&self, file_bytes: u64) -> Result<(), &'static str> {
        if self.file_bytes != file_bytes {
            return Err("tier has another length than its footer says");
        }
        let envelope = ENVELOPE_BYTES as u64;
        let is_block = |bytes: u64| bytes == 0 || bytes >= envelope;
        let fixed = (HEADER_BYTES + FOOTER_BYTES) as u64;
        let sum = fixed.checked_add(self.filter_bytes).and_then(|sum| sum.checked_add(self.directory_bytes));
        let fits = is_block(self.filter_bytes)
            && self.directory_bytes >= envelope
            && sum.is_some_and(|sum| sum <= file_bytes)
            && (1..=self.streams).contains(&self.blocks);
        if fits { Ok(()) } else { Err("numbers in the tier's footer do not go together") }
    }

    pub(super) fn directory_offset(&self) -> u64 {
        self.file_bytes - FOOTER_BYTES as u64 - self.directory_bytes
    }

    /// Where the filter lies, and the blocks of runs end.
    pub(super) fn filter_offset(&self) -> u64 {
        self.directory_offset() - self.filter_bytes
    }
}
