//! `Seal`: the checksums of a store's files made right again after bytes were changed, so that what lies behind the
//! checksums is put to the test. It follows docs/format.md and shares no code with the library.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

const FRAMES_AT: usize = 4096;
const FRAME_HEADER_BYTES: usize = 56;
const RECORDS_AT: usize = 48;

/// Seals the files of one store.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seal {
    store: [u8; 16],
}

impl Seal {
    pub(crate) fn new(store: [u8; 16]) -> Self {
        Self { store }
    }

    /// Of the store that these files are of, as its manifest says.
    pub(crate) fn of(files: &BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let manifest = files.iter().find(|(path, _)| path.ends_with("MANIFEST")).expect("a manifest").1;
        Self::new(manifest[16..32].try_into().expect("16 bytes"))
    }

    fn crc(self, number: u64, bytes: &[&[u8]]) -> [u8; 4] {
        let mut seed = crc32fast::Hasher::new_with_initial(0);
        seed.update(&self.store);
        seed.update(&number.to_le_bytes());
        let mut crc = crc32fast::Hasher::new_with_initial(seed.finalize());
        bytes.iter().for_each(|part| crc.update(part));
        crc.finalize().to_le_bytes()
    }

    /// Seals whatever file this is by its name.
    pub(crate) fn file(self, path: &Path, bytes: &mut [u8]) {
        let number = path.file_name().and_then(|name| name.to_str()?.parse().ok()).unwrap_or(0);
        let dir = path.parent().and_then(Path::file_name).unwrap_or_default();
        if path.ends_with("MANIFEST") {
            self.manifest(bytes);
        } else if path.ends_with("LOCK") {
            self.durable_mark(bytes);
        } else if dir == "journal" {
            self.journal_header(number, bytes);
            self.frames(number, bytes, FRAMES_AT);
        } else if dir == "segments" {
            self.segment(number, bytes);
        } else if dir == "snapshots" {
            self.pack(number, bytes);
        }
    }

    /// The manifest's checksum.
    pub(crate) fn manifest(self, bytes: &mut [u8]) {
        if bytes.len() >= 88 {
            let crc = self.crc(0, &[&bytes[..84], &bytes[88..]]);
            bytes[84..88].copy_from_slice(&crc);
        }
    }

    /// The durable mark's checksum.
    pub(crate) fn durable_mark(self, bytes: &mut [u8]) {
        if bytes.len() >= 32 {
            let crc = self.crc(0, &[&bytes[..28]]);
            bytes[28..32].copy_from_slice(&crc);
        }
    }

    /// The checksum of a journal file's header.
    pub(crate) fn journal_header(self, number: u64, bytes: &mut [u8]) {
        if bytes.len() >= 64 {
            let crc = self.crc(number, &[&bytes[..60]]);
            bytes[60..64].copy_from_slice(&crc);
        }
    }

    /// Both checksums and the padding of every frame from `at` on, each chained to the one before it, as far as one is
    /// found behind another. Lengths, sequences and all other fields stay as they are.
    pub(crate) fn frames(self, number: u64, bytes: &mut [u8], mut at: usize) {
        let mut prev_header_crc: Option<[u8; 4]> = None;
        while bytes.get(at..at + FRAME_HEADER_BYTES).is_some_and(|header| header.starts_with(b"ANFR")) {
            if let Some(crc) = prev_header_crc {
                bytes[at + 40..at + 44].copy_from_slice(&crc);
            }
            let end = self.frame(number, bytes, at);
            prev_header_crc = bytes[at + 52..at + 56].try_into().ok();
            let Some(end) = end else { return };
            at = end;
        }
    }

    /// Both checksums and the padding of the frame at `at`; where it ends, if all of it is there.
    pub(crate) fn frame(self, number: u64, bytes: &mut [u8], at: usize) -> Option<usize> {
        let body_len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes")) as usize;
        let body = at + FRAME_HEADER_BYTES..at + FRAME_HEADER_BYTES + body_len;
        let end = (body.end - at) / 8 * 8 + 8 + at;
        let is_whole = end <= bytes.len();
        if is_whole {
            let crc = self.crc(number, &[&bytes[body.clone()]]);
            bytes[at + 44..at + 48].copy_from_slice(&crc);
            let count = u8::try_from(end - body.end).expect("at most 8");
            bytes[body.end..end].fill(0xA0 | count);
        }
        self.frame_header(number, bytes, at);
        is_whole.then_some(end)
    }

    /// The checksum of the frame header at `at`.
    pub(crate) fn frame_header(self, number: u64, bytes: &mut [u8], at: usize) {
        let crc = self.crc(number, &[&bytes[at..at + 52]]);
        bytes[at + 52..at + 56].copy_from_slice(&crc);
    }

    /// The checksums of a segment's header, of every block, as far as one is found behind another, and of its footer.
    pub(crate) fn segment(self, number: u64, bytes: &mut [u8]) {
        const FOOTER_BYTES: usize = 192;
        if bytes.len() < 64 + FOOTER_BYTES {
            return;
        }
        let crc = self.crc_of_segment(number, &[&bytes[..60]]);
        bytes[60..64].copy_from_slice(&crc);
        let end = bytes.len();
        let crc = self.crc_of_segment(number, &[&bytes[end - FOOTER_BYTES..end - 4]]);
        bytes[end - 4..].copy_from_slice(&crc);
        let mut at = 64;
        while let Some(block) = self.block(number, &mut bytes[at..end - FOOTER_BYTES]) {
            at += block;
        }
    }

    /// The checksums of a tier's header, blocks and footer.
    pub(crate) fn tier(self, first: u64, last: u64, bytes: &mut [u8]) {
        const FOOTER_BYTES: usize = 96;
        let mut seed = crc32fast::Hasher::new_with_initial(0);
        let (first, last) = (first.to_le_bytes(), last.to_le_bytes());
        [&b"tier"[..], &self.store, &first, &last].iter().for_each(|part| seed.update(part));
        let seed = seed.finalize();
        let put = |bytes: &mut [u8], parts: [std::ops::Range<usize>; 2], at: usize| {
            let mut crc = crc32fast::Hasher::new_with_initial(seed);
            parts.iter().for_each(|part| crc.update(&bytes[part.clone()]));
            bytes[at..at + 4].copy_from_slice(&crc.finalize().to_le_bytes());
        };
        let footer = bytes.len() - FOOTER_BYTES;
        put(bytes, [0..60, 0..0], 60);
        put(bytes, [footer..footer + 92, 0..0], footer + 92);
        let mut at = 64;
        while at + 24 <= footer {
            let stored_len =
                u32::from_le_bytes(bytes[at + 4..at + 8].try_into().expect("four bytes")) as usize;
            let end = at + 24 + stored_len;
            if end > footer {
                return;
            }
            put(bytes, [at..at + 20, at + 24..end], at + 20);
            at = end;
        }
    }

    /// The checksum of the block at the start of `bytes`; its length, if all of it is there.
    pub(crate) fn block(self, number: u64, bytes: &mut [u8]) -> Option<usize> {
        const ENVELOPE_BYTES: usize = 24;
        let stored_len = u32::from_le_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
        let end = ENVELOPE_BYTES + stored_len;
        let crc = self.crc_of_segment(number, &[bytes.get(..20)?, bytes.get(ENVELOPE_BYTES..end)?]);
        bytes[20..24].copy_from_slice(&crc);
        Some(end)
    }

    fn crc_of_segment(self, number: u64, bytes: &[&[u8]]) -> [u8; 4] {
        let mut seed = crc32fast::Hasher::new_with_initial(0);
        [&b"segment"[..], &self.store, &number.to_le_bytes()].iter().for_each(|part| seed.update(part));
        let mut crc = crc32fast::Hasher::new_with_initial(seed.finalize());
        bytes.iter().for_each(|part| crc.update(part));
        crc.finalize().to_le_bytes()
    }

    /// The checksums of a pack's header and of every record, as far as one is found behind another.
    pub(crate) fn pack(self, number: u64, bytes: &mut [u8]) {
        if bytes.len() < RECORDS_AT {
            return;
        }
        let crc = self.crc(number, &[&bytes[..44]]);
        bytes[44..48].copy_from_slice(&crc);
        let mut at = RECORDS_AT;
        while let Some(rest) =
            bytes.get_mut(at..).filter(|rest| rest.len() >= 80 && rest.starts_with(b"ANSS"))
        {
            let Some(record_bytes) = self.record(rest) else { return };
            at += record_bytes;
        }
    }

    /// The checksums of the snapshot record at the start of `bytes`; its length, if all of it is there.
    fn record(self, bytes: &mut [u8]) -> Option<usize> {
        let state_len = u32::from_le_bytes(bytes[8..12].try_into().expect("four bytes")) as usize;
        let name =
            |at: usize| usize::from(u16::from_le_bytes(bytes[at..at + 2].try_into().expect("two bytes")));
        let head = 80 + name(68) + name(70);
        if let Some(state) = bytes.get(head..head + state_len) {
            let crc = self.crc(0, &[state]);
            bytes[12..16].copy_from_slice(&crc);
        }
        let crc = self.crc(0, &[bytes.get(8..head)?]);
        bytes[4..8].copy_from_slice(&crc);
        let end = (head + state_len).next_multiple_of(8);
        (end <= bytes.len()).then_some(end)
    }
}
