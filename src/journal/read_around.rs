//! `ReadAround`: a file read past what the disk does not give. For those who look at damage: one sector that cannot be
//! read must not hide the rest of the file.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::disk::{DiskFile, read_some_at};

/// What is given up when the disk does not give it.
const BLOCK_BYTES: u64 = 4096;

/// A file that is only read. Where the disk gives an error it reads as zeros, and the place is noted.
#[derive(Debug)]
pub(super) struct ReadAround {
    file: Box<dyn DiskFile>,
    unreadable: Unreadable,
}

/// The blocks of a file that could not be read.
#[derive(Debug, Clone, Default)]
pub(super) struct Unreadable {
    /// By offset: the end, and what the disk said.
    blocks: Arc<Mutex<BTreeMap<u64, (u64, String)>>>,
}

impl ReadAround {
    pub(super) fn new(file: Box<dyn DiskFile>) -> (Self, Unreadable) {
        let unreadable = Unreadable::default();
        (Self { file, unreadable: unreadable.clone() }, unreadable)
    }

    /// Reads block by block.
    fn read_blocks(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(self.file.len()?.saturating_sub(offset)).unwrap_or(usize::MAX);
        let count = rest.min(buffer.len());
        let mut done = 0;
        while let Some(left) = buffer.get_mut(done..count).filter(|left| !left.is_empty()) {
            let at = offset + done as u64;
            let to_next = usize::try_from(BLOCK_BYTES - at % BLOCK_BYTES).unwrap_or(usize::MAX);
            let (block, _) = left.split_at_mut(to_next.min(left.len()));
            match read_some_at(&*self.file, block, at) {
                Ok(read) if read < block.len() => return Ok(done + read),
                Ok(_) => {}
                Err(error) => {
                    block.fill(0);
                    self.unreadable.note(at, block.len() as u64, &error);
                }
            }
            done += block.len();
        }
        Ok(done)
    }
}

impl Unreadable {
    fn note(&self, at: u64, bytes: u64, error: &io::Error) {
        let mut blocks = self.blocks.lock();
        let end = at + bytes;
        blocks.entry(at).and_modify(|block| block.0 = block.0.max(end)).or_insert((end, error.to_string()));
    }

    /// The places that could not be read, neighbours together: offset, end, what the disk said of the first.
    pub(super) fn places(&self) -> Vec<(u64, u64, String)> {
        let mut places: Vec<(u64, u64, String)> = Vec::new();
        for (at, (end, what)) in &*self.blocks.lock() {
            match places.last_mut() {
                Some(last) if *at <= last.1 => last.1 = last.1.max(*end),
                _ => places.push((*at, *end, what.clone())),
            }
        }
        places
    }
}

impl DiskFile for ReadAround {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.file.read_at(buffer, offset) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => self.read_blocks(buffer, offset),
            read => read,
        }
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn allocate(&self, _: u64) {}

    fn sync_data(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn sync_all(&self) -> io::Result<()> {
        Err(io::ErrorKind::PermissionDenied.into())
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of 7 that says it has 20,000 of.
    #[derive(Debug)]
    struct Sevens {
        /// So many it gives.
        bytes: u64,
        /// Reading these is an error.
        bad: &'static [u64],
        error: io::ErrorKind,
    }

    impl DiskFile for Sevens {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let rest = usize::try_from(self.bytes.saturating_sub(offset)).expect("length");
            let count = rest.min(buffer.len());
            if self.bad.iter().any(|bad| (offset..offset + count as u64).contains(bad)) {
                return Err(io::Error::new(self.error, "bad sector"));
            }
            buffer[..count].fill(7);
            Ok(count)
        }

        fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
            unreachable!("it is only read")
        }

        fn allocate(&self, _: u64) {}

        fn sync_data(&self) -> io::Result<()> {
            unreachable!("it is only read")
        }

        fn sync_all(&self) -> io::Result<()> {
            unreachable!("it is only read")
        }

        fn len(&self) -> io::Result<u64> {
            Ok(20_000)
        }
    }

    fn around(bytes: u64, bad: &'static [u64], error: io::ErrorKind) -> (ReadAround, Unreadable) {
        ReadAround::new(Box::new(Sevens { bytes, bad, error }))
    }

    #[test]
    fn one_bad_block_is_zeros_and_told_and_all_around_it_is_read() {
        let (file, unreadable) = around(20_000, &[9_000], io::ErrorKind::Other);
        let mut bytes = vec![1; 30_000];
        assert_eq!(read_some_at(&file, &mut bytes, 0).expect("read"), 20_000);
        for (at, byte) in bytes[..20_000].iter().enumerate() {
            assert_eq!(*byte, if (8192..12_288).contains(&at) { 0 } else { 7 }, "{at}");
        }
        let mut some = [1; 10];
        assert_eq!(read_some_at(&file, &mut some, 8_995).expect("read"), 10);
        assert_eq!(some, [0; 10]);
        assert_eq!(unreadable.places(), [(8192, 12_288, "bad sector".to_owned())]);
    }

    #[test]
    fn bad_blocks_that_touch_are_one_place_and_others_are_not() {
        let (file, unreadable) = around(20_000, &[0, 4_096, 12_288], io::ErrorKind::Other);
        read_some_at(&file, &mut [1; 20_000], 0).expect("read");
        let what = || "bad sector".to_owned();
        assert_eq!(unreadable.places(), [(0, 8_192, what()), (12_288, 16_384, what())]);
    }

    #[test]
    fn a_file_that_gives_less_than_its_length_ends_there() {
        let (file, unreadable) = around(10_000, &[100], io::ErrorKind::Other);
        let mut bytes = vec![1; 20_000];
        assert_eq!(file.read_blocks(&mut bytes, 0).expect("read"), 10_000);
        assert!(
            bytes[..4_096].iter().all(|byte| *byte == 0)
                && bytes[4_096..10_000].iter().all(|byte| *byte == 7)
        );
        assert!(bytes[10_000..].iter().all(|byte| *byte == 1), "nothing is made up");
        assert_eq!(unreadable.places(), [(0, 4_096, "bad sector".to_owned())]);
    }

    #[test]
    fn a_call_that_was_interrupted_is_no_damage() {
        let (file, unreadable) = around(20_000, &[100], io::ErrorKind::Interrupted);
        let error = file.read_at(&mut [0; 200], 0).expect_err("it is for the caller to try again");
        assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        assert!(unreadable.places().is_empty());
    }

    #[test]
    fn nothing_is_written() {
        let (file, _) = around(20_000, &[], io::ErrorKind::Other);
        for refused in [file.write_at(&[1], 0).map(drop), file.sync_data(), file.sync_all()] {
            assert_eq!(refused.expect_err("it is only read").kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
