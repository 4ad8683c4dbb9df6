//! What a bad frame at the end of the journal is: a write that a crash cut short, or damage. A pure decision over bytes.
//!
//! Frames go into space that was filled with zeros and synced before. So after a crash each 512-byte sector of an
//! unsynced write holds the new bytes or zeros, and a write that the process did not get to finish leaves zeros behind
//! its last byte. A finished frame starts with its magic and ends with padding that is never zero. Hence a bad frame is
//! torn when it is cut by the end of the file, when its last byte is zero, when nothing follows its header, or when all
//! of it that lies in one sector is zero. Anything else is damage.
//!
//! The one thing this cannot tell: a flipped bit in the very last commit before a crash, if that commit's payload holds
//! a whole aligned sector of zeros. It is then taken for torn, cut, kept in quarantine and reported.

use super::frame::FRAME_HEADER_BYTES;

const SECTOR_BYTES: u64 = 512;
/// In so many bytes behind its header a finished frame has one that is not zero: a commit its count of events, a close
/// frame its padding.
const BEHIND_HEADER_BYTES: u64 = 16;

/// How far a bad frame reaches, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Its header is bad too: only that much is known to be a frame.
    HeaderOnly,
    /// Its header is sound and says so many bytes.
    Frame(u64),
}

impl Extent {
    /// The bytes to look at.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::HeaderOnly => FRAME_HEADER_BYTES as u64 + BEHIND_HEADER_BYTES,
            Self::Frame(bytes) => bytes,
        }
    }

    /// Bytes of the whole frame, if they are known.
    pub(crate) fn frame_bytes(self) -> Option<u64> {
        match self {
            Self::HeaderOnly => None,
            Self::Frame(bytes) => Some(bytes),
        }
    }

    /// The bytes that are known to be the frame's.
    fn known(self) -> usize {
        match self {
            Self::HeaderOnly => FRAME_HEADER_BYTES,
            Self::Frame(bytes) => usize::try_from(bytes).unwrap_or(usize::MAX),
        }
    }
}

/// Whether the bad frame at `offset` was torn by a crash. `bytes` are those of its extent that the file has.
pub(crate) fn is_torn(offset: u64, bytes: &[u8], extent: Extent) -> bool {
    let (known, behind) = bytes.split_at(extent.known().min(bytes.len()));
    let cut_by_end_of_file = known.len() < extent.known();
    let unfinished = match extent {
        Extent::HeaderOnly => behind.iter().all(|byte| *byte == 0),
        Extent::Frame(_) => known.ends_with(&[0]),
    };
    cut_by_end_of_file || unfinished || has_zero_sector(offset, known)
}

/// Whether some 512-byte-aligned part of the bytes at `offset` is all zero.
fn has_zero_sector(offset: u64, bytes: &[u8]) -> bool {
    let to_first_boundary = usize::try_from(SECTOR_BYTES - offset % SECTOR_BYTES).unwrap_or(usize::MAX);
    let (first, rest) = bytes.split_at(to_first_boundary.min(bytes.len()));
    let is_zero = |part: &[u8]| !part.is_empty() && part.iter().all(|byte| *byte == 0);
    let sector = usize::try_from(SECTOR_BYTES).unwrap_or(usize::MAX);
    is_zero(first) || rest.chunks(sector).any(is_zero)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extent_is_what_must_be_looked_at() {
        assert_eq!((Extent::HeaderOnly.bytes(), Extent::HeaderOnly.frame_bytes()), (56 + 16, None));
        assert_eq!((Extent::Frame(800).bytes(), Extent::Frame(800).frame_bytes()), (800, Some(800)));
    }

    #[test]
    fn a_whole_frame_with_a_flipped_bit_is_damage() {
        let mut frame = vec![7; 2048];
        frame[100] ^= 1;
        assert!(!is_torn(4096, &frame, Extent::Frame(2048)));
    }

    #[test]
    fn a_cut_frame_is_torn() {
        assert!(is_torn(4096, &[7; 100], Extent::Frame(2048)));
        assert!(is_torn(4096, &[7; 55], Extent::HeaderOnly));
    }

    #[test]
    fn a_write_that_stopped_before_its_end_is_torn() {
        let mut frame = vec![7; 300];
        frame[120..].fill(0);
        assert!(is_torn(4200, &frame, Extent::Frame(300)));
        for kept in 0..=56 {
            let mut header = [7; 72];
            header[kept..].fill(0);
            assert!(is_torn(4200, &header, Extent::HeaderOnly), "{kept} bytes of the header");
        }
    }

    #[test]
    fn a_bad_header_that_is_followed_by_something_is_damage() {
        let mut header = [7; 72];
        header[52..71].fill(0);
        assert!(!is_torn(4200, &header, Extent::HeaderOnly));
    }

    #[test]
    fn a_lost_sector_is_torn_wherever_it_lies() {
        for sector in 0..4 {
            let (offset, mut frame) = (4096 + 200_usize, vec![7_u8; 1500]);
            for (at, byte) in frame.iter_mut().enumerate() {
                if (offset + at) / 512 == 8 + sector {
                    *byte = 0;
                }
            }
            assert!(is_torn(offset as u64, &frame, Extent::Frame(1500)), "sector {sector}");
        }
    }

    #[test]
    fn zeros_that_fill_no_aligned_sector_are_damage() {
        // From 4204 to 5104, and from 4196 to 4696: sectors begin at 4096, 4608 and 5120.
        for (offset, zeros) in [(4104, 100..1000), (4096, 100..600)] {
            let mut frame = vec![7; 2048];
            frame[zeros].fill(0);
            assert!(!is_torn(offset, &frame, Extent::Frame(2048)), "at {offset}");
        }
        // 16 more bytes, and the sector behind 4608 is zeros.
        let mut frame = vec![7; 2048];
        frame[100..1016].fill(0);
        assert!(is_torn(4104, &frame, Extent::Frame(2048)));
    }
}
