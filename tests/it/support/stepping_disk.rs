//! `SteppingDisk`: a `SimDisk` that lets a test do something between two calls: before it is looked at, and after bytes were
//! put into a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use annals::disk::{Disk, DiskFile, DiskLock, OpenMode};

use super::SimDisk;

/// Where a step is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    BeforeOpen,
    BeforeRead,
    BeforeIsLocked,
    AfterWrite,
    BeforeSync,
    BeforeRename,
    BeforeRemove,
    BeforeSyncDir,
}

type Step = Arc<dyn Fn(Moment, &Path) -> io::Result<()> + Send + Sync>;

/// What the step answers is what the call answers, if it is an error.
#[derive(Clone)]
pub(crate) struct SteppingDisk {
    disk: SimDisk,
    step: Step,
}

struct SteppingFile {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    step: Step,
}

impl SteppingDisk {
    pub(crate) fn new(
        disk: &SimDisk,
        step: impl Fn(Moment, &Path) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { disk: disk.clone(), step: Arc::new(step) }
    }
}

impl Disk for SteppingDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }

    fn resolve(&self, dir: &Path) -> io::Result<PathBuf> {
        self.disk.resolve(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.disk.list(dir)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        (self.step)(Moment::BeforeOpen, path)?;
        let file = self.disk.open(path, mode)?;
        Ok(Box::new(SteppingFile { file, path: path.to_owned(), step: Arc::clone(&self.step) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        (self.step)(Moment::BeforeRename, to)?;
        self.disk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        (self.step)(Moment::BeforeRemove, path)?;
        self.disk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        (self.step)(Moment::BeforeSyncDir, dir)?;
        self.disk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock(path)
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        (self.step)(Moment::BeforeIsLocked, path)?;
        self.disk.is_locked(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.disk.free_bytes(path)
    }
}

impl DiskFile for SteppingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        (self.step)(Moment::BeforeRead, &self.path)?;
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let count = self.file.write_at(bytes, offset)?;
        (self.step)(Moment::AfterWrite, &self.path)?;
        Ok(count)
    }

    fn allocate(&self, bytes: u64) {
        self.file.allocate(bytes);
    }

    fn sync_data(&self) -> io::Result<()> {
        (self.step)(Moment::BeforeSync, &self.path)?;
        self.file.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        (self.step)(Moment::BeforeSync, &self.path)?;
        self.file.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

impl fmt::Debug for SteppingDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SteppingDisk")
    }
}

impl fmt::Debug for SteppingFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SteppingFile").field(&self.path).finish()
    }
}
