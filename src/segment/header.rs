//! The header of a segment.
//!
//! ```text
//! offset size  field
//!      0    8  magic "annalsG" and a zero
//!      8    4  format version: 1
//!     12    4  zero
//!     16   16  store id
//!     32    8  segment number, as in its name: that of the journal file which it was made from
//!     40    8  position of its first event
//!     48    8  n of its first frame
//!     56    4  prev_header_crc: that of the last frame before it; 0 for the first
//!     60    4  checksum of bytes 0 to 59
//! ```

use std::path::Path;

use crate::disk::{Cursor, Seed, put_u32, put_u64};
use crate::error::{Error, ErrorKind, Result};
use crate::types::{Chain, StoreId};

/// Without state records, and with them.
const FORMAT_VERSION: u32 = 1;
const FORMAT_VERSION_STATE: u32 = 2;
pub(super) const HEADER_BYTES: usize = 64;
const CHECKED_BYTES: usize = 60;
const MAGIC: [u8; 8] = *b"annalsG\0";

/// Which segment of which store a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) store: StoreId,
    pub(super) number: u64,
}

impl Identity {
    /// What the segment's checksums start from.
    pub(super) fn seed(self) -> Seed {
        Seed::of_segment(self.store, self.number)
    }

    /// Appends what header and footer begin with. A footer tells how long the block of state is, if there is one.
    pub(super) fn put(self, bytes: &mut Vec<u8>, magic: [u8; 8], state_bytes: u32) {
        bytes.extend_from_slice(&magic);
        put_u32(bytes, if state_bytes == 0 { FORMAT_VERSION } else { FORMAT_VERSION_STATE });
        put_u32(bytes, state_bytes);
        bytes.extend_from_slice(&self.store.to_bytes());
        put_u64(bytes, self.number);
    }

    /// Checks what header or footer begin with, and the checksum of all but the last four bytes. They lie at `offset`. How long
    /// the block of state is.
    pub(super) fn check(self, bytes: &[u8], magic: [u8; 8], path: &Path, offset: u64) -> Result<u32> {
        let bad = |at: u64, what: &str| Error::corrupt(path, offset + at, what);
        let mut cursor = Cursor::new(bytes);
        if cursor.array() != Some(magic) {
            return Err(bad(0, "not the header or the footer of a segment"));
        }
        let version = cursor.u32().unwrap_or_default();
        let crc = bytes.split_last_chunk::<4>();
        let is_sound =
            crc.is_some_and(|(checked, crc)| self.seed().checksum(&[checked]).to_le_bytes() == *crc);
        if is_sound && version > FORMAT_VERSION_STATE {
            return Err(Error::new(
                ErrorKind::UnsupportedVersion,
                format!("{}: segment format {version} is newer than {FORMAT_VERSION_STATE}", path.display()),
            ));
        }
        let state_bytes = cursor.u32().unwrap_or_default();
        let expected = if state_bytes == 0 { FORMAT_VERSION } else { FORMAT_VERSION_STATE };
        if cursor.array().map(StoreId::from_bytes) != Some(self.store) {
            return Err(bad(16, "the segment belongs to another store, or its store id is damaged"));
        }
        let number = cursor.u64();
        if !is_sound || version != expected {
            return Err(bad(bytes.len() as u64 - 4, "checksum of the segment's header or footer differs"));
        }
        if number != Some(self.number) {
            return Err(bad(32, "the segment has another number than its name"));
        }
        Ok(state_bytes)
    }
}

/// Which segment the bytes of a header or a footer say they are of, if they begin like one. Believed of nobody.
pub(super) fn claim_of(bytes: &[u8], magic: [u8; 8]) -> Option<Identity> {
    let mut cursor = Cursor::new(bytes);
    if cursor.array() != Some(magic) {
        return None;
    }
    let (_version, _zero) = (cursor.u32()?, cursor.u32()?);
    Some(Identity { store: StoreId::from_bytes(cursor.array()?), number: cursor.u64()? })
}

/// Which segment a header says it is of.
pub(super) fn claim(bytes: &[u8; HEADER_BYTES]) -> Option<Identity> {
    claim_of(bytes, MAGIC)
}

pub(super) fn put_chain(bytes: &mut Vec<u8>, chain: Chain) {
    put_u64(bytes, chain.position);
    put_u64(bytes, chain.n);
    put_u32(bytes, chain.prev_header_crc);
}

pub(super) fn read_chain(cursor: &mut Cursor<'_>) -> Option<Chain> {
    Some(Chain { position: cursor.u64()?, n: cursor.u64()?, prev_header_crc: cursor.u32()? })
}

/// The header's bytes.
pub(super) fn encode(identity: Identity, start: Chain) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES);
    identity.put(&mut bytes, MAGIC, 0);
    put_chain(&mut bytes, start);
    let crc = identity.seed().checksum(&[&bytes]);
    put_u32(&mut bytes, crc);
    bytes
}

/// What comes before the segment's first event, as its header says.
pub(super) fn decode(bytes: &[u8; HEADER_BYTES], identity: Identity, path: &Path) -> Result<Chain> {
    if identity.check(bytes, MAGIC, path, 0)? > 0 {
        return Err(Error::corrupt(path, 12, "the segment's header tells of state records"));
    }
    let chain = bytes.get(40..CHECKED_BYTES).and_then(|chain| read_chain(&mut Cursor::new(chain)));
    chain.ok_or_else(|| Error::corrupt(path, 40, "the segment's header is cut"))
}
