//! Segments whose file is bytes in memory: thousands of damaged ones are looked at without a disk.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::made::{NUMBER, STORE};
use crate::disk::{DiskFile, file_name};
use crate::error::Result;
use crate::segment::BlockCache;
use crate::segment::footer::Footer;
use crate::segment::header::Identity;
use crate::segment::segment_file::{Segment, read_ends};

#[derive(Debug)]
pub(in crate::segment) struct Held(pub(in crate::segment) Vec<u8>);

impl DiskFile for Held {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, _: &[u8], _: u64) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn allocate(&self, _: u64) {}

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }
}

/// The segment whose file has these bytes.
pub(super) fn open_held(bytes: &[u8], cache_bytes: u64) -> Result<Arc<Segment>> {
    let identity = Identity { store: STORE, number: NUMBER };
    let footer = read_ends(&Held(bytes.to_vec()), &PathBuf::from(file_name(NUMBER)), identity)?;
    Ok(opened_before(footer, bytes, cache_bytes))
}

/// A segment that was open with this footer when its file came to have these bytes.
pub(super) fn opened_before(footer: Footer, bytes: &[u8], cache_bytes: u64) -> Arc<Segment> {
    Arc::new(Segment {
        identity: Identity { store: STORE, number: NUMBER },
        path: PathBuf::from(file_name(NUMBER)),
        disk_file: Box::new(Held(bytes.to_vec())),
        footer,
        cache: Arc::new(BlockCache::new(cache_bytes)),
    })
}
