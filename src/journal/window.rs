//! `Window`: reads a file from front to back in large pieces and hands out shared views into them.

use std::sync::Arc;

use crate::disk::read_some_at;
use crate::error::{Error, Result};

use super::journal_file::JournalFile;

const WINDOW_BYTES: u64 = 1 << 20;
/// What the first window has; each further one has twice as much. Whoever looks at one damaged place after another begins
/// anew at each of them, and must not read a megabyte every time.
const FIRST_WINDOW_BYTES: u64 = 4 << 10;

/// A piece of a file in memory. A frame inside it is shared with whoever keeps it, never copied.
#[derive(Debug)]
pub(crate) struct Window<'a> {
    file: &'a JournalFile,
    file_bytes: u64,
    start: u64,
    bytes: Arc<Vec<u8>>,
    /// What the next window has, if no more is asked for.
    next_bytes: u64,
}

impl<'a> Window<'a> {
    pub(crate) fn new(file: &'a JournalFile, file_bytes: u64) -> Self {
        Self { file, file_bytes, start: 0, bytes: Arc::new(Vec::new()), next_bytes: FIRST_WINDOW_BYTES }
    }

    /// Up to `count` bytes at `offset`; fewer where the file ends. Reads at least a window's worth when it reads.
    pub(crate) fn at(&mut self, offset: u64, count: u64) -> Result<&[u8]> {
        let end = offset.saturating_add(count).min(self.file_bytes);
        if offset < self.start || end > self.start + self.bytes.len() as u64 {
            // Never more than the rest of the file, whatever a length field says.
            let wanted = count.max(self.next_bytes).min(self.file_bytes.saturating_sub(offset));
            self.next_bytes = (self.next_bytes * 2).min(WINDOW_BYTES);
            let mut bytes = vec![0; usize::try_from(wanted).unwrap_or(usize::MAX)];
            let read = read_some_at(&*self.file.disk_file, &mut bytes, offset)
                .map_err(|error| Error::io("reading", &self.file.path, error))?;
            bytes.truncate(read);
            self.start = offset;
            self.bytes = Arc::new(bytes);
        }
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let to = usize::try_from(end.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.bytes.len());
        Ok(self.bytes.get(from..to).unwrap_or_default())
    }

    /// The bytes from `offset` to the end of a window; none at the end of the file.
    fn rest_at(&mut self, offset: u64) -> Result<&[u8]> {
        self.at(offset, 1)?;
        let from = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        Ok(self.bytes.get(from..).unwrap_or_default())
    }

    /// The shared bytes and where `offset` lies in them. `offset` must have been read by [`Window::at`].
    pub(crate) fn share(&self, offset: u64) -> (Arc<Vec<u8>>, u32) {
        let at = offset.checked_sub(self.start).and_then(|at| u32::try_from(at).ok());
        (Arc::clone(&self.bytes), at.unwrap_or_else(|| unreachable!("the offset was read into this window")))
    }

    /// The first byte from `offset` on that is not zero.
    pub(crate) fn first_nonzero(&mut self, offset: u64) -> Result<Option<u64>> {
        let mut at = offset;
        while at < self.file_bytes {
            let bytes = self.rest_at(at)?;
            if bytes.is_empty() {
                return Err(self.file.corrupt(at, "the file ended while it was read"));
            }
            if let Some(found) = first_nonzero_in(bytes) {
                return Ok(Some(at + found as u64));
            }
            at += bytes.len() as u64;
        }
        Ok(None)
    }

    /// The end of the last byte from `offset` on that is not zero; `offset` when all are.
    pub(crate) fn nonzero_end(&mut self, offset: u64) -> Result<u64> {
        let mut end = offset;
        while let Some(at) = self.first_nonzero(end)? {
            let last = self.rest_at(at)?.iter().rposition(|byte| *byte != 0);
            end = at + last.map_or(1, |last| last as u64 + 1);
        }
        Ok(end)
    }
}

/// Looks at 64 bytes a step, as the rest of a prepared file is megabytes of zeros.
fn first_nonzero_in(bytes: &[u8]) -> Option<usize> {
    const STEP: usize = 64;
    let (steps, _) = bytes.as_chunks::<STEP>();
    let zero_steps = steps.iter().take_while(|step| step.iter().fold(0, |all, byte| all | byte) == 0).count();
    let from = zero_steps * STEP;
    bytes.iter().skip(from).position(|byte| *byte != 0).map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::super::chain::Chain;
    use super::*;
    use crate::disk::{RealDisk, write_all_at};
    use crate::types::StoreId;

    const MIB: u64 = 1 << 20;

    #[test]
    fn what_is_not_zero_is_found_however_far_it_is() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file_bytes = 5 * MIB + 100;
        let store = StoreId::from_bytes([7; 16]);
        let file =
            JournalFile::create(&RealDisk, dir.path(), store, 1, Chain::START, file_bytes).expect("file");
        let places = [8_192, MIB + 77, 3 * MIB + 5, 3 * MIB + 500];
        for place in places {
            write_all_at(&*file.disk_file, &[1], place).expect("write");
        }
        let mut window = Window::new(&file, file_bytes);
        let mut from = 4_096;
        for place in places {
            assert_eq!(window.first_nonzero(from).expect("read"), Some(place));
            assert_eq!(window.first_nonzero(place).expect("read"), Some(place));
            assert_eq!(window.nonzero_end(place).expect("read"), 3 * MIB + 501);
            from = place + 1;
        }
        assert_eq!(window.first_nonzero(from).expect("read"), None);
        assert_eq!(
            (window.nonzero_end(from).expect("read"), window.nonzero_end(4_096).expect("read")),
            (from, from)
        );
    }

    #[test]
    fn a_file_is_read_from_any_offset_to_any_other() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let store = StoreId::from_bytes([7; 16]);
        let file = JournalFile::create(&RealDisk, dir.path(), store, 1, Chain::START, 2 * MIB).expect("file");
        let bytes: Vec<u8> = (0..2 * MIB).map(|at| (at % 251).to_le_bytes()[0]).collect();
        write_all_at(&*file.disk_file, &bytes, 0).expect("write");
        let mut window = Window::new(&file, 2 * MIB);
        let of_file = |from: u64, to: u64| {
            &bytes[usize::try_from(from).expect("offset")..usize::try_from(to).expect("offset")]
        };
        // Forwards, back, over the end of a window, up to the end of the file and past it.
        for (offset, count) in
            [(0, 56), (4_090, 100), (MIB, 300_000), (10, 20), (0, MIB + MIB / 2), (2 * MIB - 8, 8)]
        {
            assert_eq!(
                window.at(offset, count).expect("read"),
                of_file(offset, offset + count),
                "{count} at {offset}"
            );
            let (shared, at) = window.share(offset);
            assert!(
                shared[usize::try_from(at).expect("offset")..].starts_with(of_file(offset, offset + count))
            );
        }
        assert_eq!(window.at(2 * MIB - 8, 100).expect("read"), of_file(2 * MIB - 8, 2 * MIB));
        assert!(window.at(2 * MIB, 8).expect("read").is_empty());
    }
}
