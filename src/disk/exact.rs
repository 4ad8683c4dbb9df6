//! Whole reads and writes over [`DiskFile`]'s partial ones: EINTR is retried, short ones are continued, a write of
//! nothing is an error.

use std::io;

use super::DiskFile;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Reads until `buffer` is full or the file ends; how much was read.
pub(crate) fn read_some_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count.min(rest.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Fills `buffer` from `offset`; `UnexpectedEof` when the file ends first.
pub(crate) fn read_exact_at(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    if read_some_at(file, buffer, offset)? == buffer.len() {
        return Ok(());
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}

/// Writes all of `bytes` at `offset`.
pub(crate) fn write_all_at(file: &dyn DiskFile, bytes: &[u8], offset: u64) -> io::Result<()> {
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match file.write_at(rest, offset.saturating_add(written as u64)) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::WriteZero, "the disk took no bytes")),
            Ok(count) => written += count.min(rest.len()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes zeros over `from..to`.
pub(crate) fn write_zeros_at(file: &dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let mut at = from;
    while at < to {
        let count = usize::try_from(to - at).unwrap_or(usize::MAX).min(ZEROS.len());
        write_all_at(file, ZEROS.get(..count).unwrap_or(&ZEROS), at)?;
        at += count as u64;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A file that interrupts every other call and moves three bytes at most.
    #[derive(Debug, Default)]
    struct Stubborn {
        bytes: Mutex<Vec<u8>>,
        calls: Mutex<u64>,
        full: bool,
    }

    impl Stubborn {
        fn interrupted(&self) -> bool {
            let mut calls = self.calls.lock().expect("calls");
            *calls += 1;
            calls.is_multiple_of(2)
        }
    }

    impl DiskFile for Stubborn {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            if self.interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let bytes = self.bytes.lock().expect("bytes");
            let rest = bytes.get(usize::try_from(offset).expect("offset")..).unwrap_or_default();
            let count = rest.len().min(buffer.len()).min(3);
            buffer[..count].copy_from_slice(&rest[..count]);
            Ok(count)
        }

        fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
            if self.interrupted() {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let mut held = self.bytes.lock().expect("bytes");
            let offset = usize::try_from(offset).expect("offset");
            let count = if self.full { 0 } else { bytes.len().min(3) };
            if held.len() < offset + count {
                held.resize(offset + count, 0xff);
            }
            held[offset..offset + count].copy_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn allocate(&self, _: u64) {}

        fn sync_data(&self) -> io::Result<()> {
            Ok(())
        }

        fn sync_all(&self) -> io::Result<()> {
            Ok(())
        }

        fn len(&self) -> io::Result<u64> {
            Ok(self.bytes.lock().expect("bytes").len() as u64)
        }
    }

    #[test]
    fn short_and_interrupted_calls_are_continued() {
        let file = Stubborn::default();
        write_all_at(&file, b"what happened, in order", 2).expect("write");
        write_zeros_at(&file, 0, 2).expect("zeros");
        let mut buffer = [1; 25];
        read_exact_at(&file, &mut buffer, 0).expect("read");
        assert_eq!(&buffer, b"\0\0what happened, in order");
        let mut longer = [1; 40];
        assert_eq!(read_some_at(&file, &mut longer, 0).expect("read"), 25);
        let error = read_exact_at(&file, &mut longer, 0).expect_err("past the end");
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn a_write_of_nothing_is_an_error() {
        let file = Stubborn { full: true, ..Stubborn::default() };
        assert_eq!(write_all_at(&file, b"x", 0).expect_err("full").kind(), io::ErrorKind::WriteZero);
    }
}
