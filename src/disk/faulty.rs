//! `FaultyDisk`: the real disk for unit tests, where single things fail while a test says so.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::{Disk, DiskFile, DiskLock, OpenMode, RealDisk};

/// The real disk, but for what a test changes here.
#[derive(Debug, Clone)]
pub(crate) struct FaultyDisk {
    /// Whether half of a write goes to disk and the rest finds no room. Zeros do: they take away again what was written.
    pub(crate) full: Arc<AtomicBool>,
    /// No file may become longer than this.
    pub(crate) file_bytes_max: Arc<AtomicU64>,
    pub(crate) syncs_fail: Arc<AtomicBool>,
    pub(crate) reads_fail: Arc<AtomicBool>,
    /// How often the durable mark was written.
    pub(crate) marks: Arc<AtomicU64>,
    pub(crate) marks_fail: Arc<AtomicBool>,
}

impl Default for FaultyDisk {
    fn default() -> Self {
        Self {
            full: Arc::default(),
            file_bytes_max: Arc::new(AtomicU64::new(u64::MAX)),
            syncs_fail: Arc::default(),
            reads_fail: Arc::default(),
            marks: Arc::default(),
            marks_fail: Arc::default(),
        }
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn DiskFile>,
    disk: FaultyDisk,
}

fn fail_if(flag: &AtomicBool, kind: io::ErrorKind) -> io::Result<()> {
    if flag.load(Ordering::SeqCst) { Err(kind.into()) } else { Ok(()) }
}

impl Disk for FaultyDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir(path)
    }

    fn resolve(&self, dir: &Path) -> io::Result<PathBuf> {
        RealDisk.resolve(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(FaultyFile { file: RealDisk.open(path, mode)?, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        Ok(Box::new(FaultyLock { lock: RealDisk.lock(path)?, disk: self.clone() }))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        RealDisk.is_locked(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(path)
    }
}

impl DiskFile for FaultyFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        fail_if(&self.disk.reads_fail, io::ErrorKind::Other)?;
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        if offset + bytes.len() as u64 > self.disk.file_bytes_max.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        if self.disk.full.load(Ordering::SeqCst) && bytes.iter().any(|byte| *byte != 0) {
            self.file.write_at(bytes.split_at(bytes.len() / 2).0, offset)?;
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.file.write_at(bytes, offset)
    }

    fn allocate(&self, bytes: u64) {
        self.file.allocate(bytes);
    }

    fn sync_data(&self) -> io::Result<()> {
        fail_if(&self.disk.syncs_fail, io::ErrorKind::Other)?;
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        fail_if(&self.disk.syncs_fail, io::ErrorKind::Other)?;
        self.file.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

#[derive(Debug)]
struct FaultyLock {
    lock: Box<dyn DiskLock>,
    disk: FaultyDisk,
}

impl DiskLock for FaultyLock {
    fn is_on(&self, path: &Path) -> io::Result<bool> {
        self.lock.is_on(path)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.disk.marks.fetch_add(1, Ordering::SeqCst);
        fail_if(&self.disk.marks_fail, io::ErrorKind::Other)?;
        self.lock.write(bytes)
    }
}
