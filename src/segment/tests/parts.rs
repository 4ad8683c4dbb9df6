//! A segment's file taken into its parts, to be put together otherwise with checksums that hold.

use std::ops::Range;

use super::made::{NUMBER, STORE};
use crate::disk::Seed;
use crate::segment::envelope::{ENVELOPE_BYTES, Envelope};
use crate::segment::footer::FOOTER_BYTES;
use crate::segment::header::HEADER_BYTES;

pub(super) fn seed() -> Seed {
    Seed::of_segment(STORE, NUMBER)
}

/// Where each block lies, with its envelope.
pub(super) fn blocks(bytes: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), HEADER_BYTES);
    while at < bytes.len() - FOOTER_BYTES {
        let length = Envelope::block_bytes(&bytes[at..]).expect("an envelope");
        let end = at + usize::try_from(length).expect("small");
        found.push(at..end);
        at = end;
    }
    assert_eq!(at, bytes.len() - FOOTER_BYTES);
    found
}

/// Puts the checksum of the block there right.
pub(super) fn seal_block(bytes: &mut [u8], block: &Range<usize>) {
    let (envelope, stored) = bytes[block.clone()].split_at_mut(ENVELOPE_BYTES);
    let crc = seed().checksum(&[&envelope[..20], stored]);
    envelope[20..].copy_from_slice(&crc.to_le_bytes());
}

/// Puts the checksums of header and footer right.
pub(super) fn seal_ends(bytes: &mut [u8]) {
    let footer_at = bytes.len() - FOOTER_BYTES;
    let (start, footer) = bytes.split_at_mut(footer_at);
    for part in [&mut start[..HEADER_BYTES], footer] {
        let (checked, crc) = part.split_at_mut(part.len() - 4);
        crc.copy_from_slice(&seed().checksum(&[checked]).to_le_bytes());
    }
}
