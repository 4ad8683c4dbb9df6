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

    /// 20,000 bytes of 7, of which the disk does not give those at 9,000.
    #[derive(Debug)]
    struct BadBlock;

    impl DiskFile for BadBlock {
        fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
            let count = usize::try_from(20_000_u64.saturating_sub(offset)).expect("length").min(buffer.len());
            if (offset..offset + count as u64).contains(&9_000) {
                return Err(io::Error::other("bad sector"));
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

    #[test]
    fn one_bad_block_is_zeros_and_told_and_all_around_it_is_read() {
        let (file, unreadable) = ReadAround::new(Box::new(BadBlock));
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
}
