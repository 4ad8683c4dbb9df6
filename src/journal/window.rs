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
            end = at + 1;
            let bytes = self.rest_at(end)?;
            let last = bytes.iter().rposition(|byte| *byte != 0);
            end += last.map_or(0, |last| last as u64 + 1);
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
