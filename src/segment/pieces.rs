//! `Pieces`: a file read from front to back in large pieces, past what the disk does not give.

use std::io;

use crate::disk::{DiskFile, read_some_at};

const PIECE_BYTES: usize = 1 << 20;
/// What is given up when the disk does not give it.
const SECTOR_BYTES: u64 = 4096;

/// A file, and the piece of it that was read last.
pub(super) struct Pieces<'a> {
    file: &'a dyn DiskFile,
    file_bytes: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(file: &'a dyn DiskFile, file_bytes: u64) -> Self {
        Self { file, file_bytes, start: 0, bytes: Vec::new() }
    }

    pub(super) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Up to `count` bytes at `offset`; fewer where the file ends. Zeros where the disk gives an error.
    pub(super) fn at(&mut self, offset: u64, count: usize) -> io::Result<&[u8]> {
        let rest = usize::try_from(self.file_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = count.min(rest);
        let held = offset.checked_sub(self.start).and_then(|from| usize::try_from(from).ok());
        let from = match held.filter(|from| self.bytes.len().checked_sub(*from) >= Some(count)) {
            Some(from) => from,
            None => {
                self.bytes.clear();
                self.bytes.resize(count.max(PIECE_BYTES).min(rest), 0);
                let read = read_around(self.file, &mut self.bytes, offset)?;
                self.bytes.truncate(read);
                self.start = offset;
                0
            }
        };
        let to = (from + count).min(self.bytes.len());
        Ok(self.bytes.get(from..to).unwrap_or_default())
    }
}

/// Reads sector by sector what cannot be read at once.
fn read_around(file: &dyn DiskFile, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    if let Ok(count) = read_some_at(file, bytes, offset) {
        return Ok(count);
    }
    let mut done = 0;
    while let Some(left) = bytes.get_mut(done..).filter(|left| !left.is_empty()) {
        let at = offset + done as u64;
        let to_next = usize::try_from(SECTOR_BYTES - at % SECTOR_BYTES).unwrap_or(usize::MAX);
        let (sector, _) = left.split_at_mut(to_next.min(left.len()));
        match read_some_at(file, sector, at) {
            Ok(count) if count < sector.len() => return Ok(done + count),
            Ok(_) => {}
            Err(_) => sector.fill(0),
        }
        done += sector.len();
    }
    Ok(done)
}
