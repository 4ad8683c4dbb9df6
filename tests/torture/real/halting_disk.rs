//! `HaltingDisk`: the real disk, which stands still before its n-th change, so that a process can be killed, or the power
//! cut, at a moment that is known. A write is done in half first. It may also skip every sync.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use annals::disk::{Disk, DiskFile, DiskLock, OpenMode, RealDisk};

use super::told::Told;

/// Shared by all its files.
#[derive(Debug, Clone)]
pub(crate) struct HaltingDisk {
    changes: Arc<AtomicU64>,
    halts_at: u64,
    skips_syncs: bool,
}

impl HaltingDisk {
    /// Stands still before change `halts_at`, counted from 1; 0 for never.
    pub(crate) fn new(halts_at: u64, skips_syncs: bool) -> Self {
        Self { changes: Arc::new(AtomicU64::new(0)), halts_at, skips_syncs }
    }

    /// To be called before each change; `in_half` is what is done of the one that is not reached.
    fn change(&self, in_half: impl FnOnce()) {
        if self.changes.fetch_add(1, Ordering::SeqCst) + 1 == self.halts_at {
            in_half();
            println!("{}", Told::Halted);
            loop {
                std::thread::park();
            }
        }
    }
}

impl Disk for HaltingDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.change(|| ());
        RealDisk.create_dir(path)
    }

    fn resolve(&self, dir: &Path) -> io::Result<PathBuf> {
        RealDisk.resolve(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        if mode == OpenMode::CreateNew {
            self.change(|| ());
        }
        let file = RealDisk.open(path, mode)?;
        Ok(Box::new(HaltingFile { file, disk: self.clone() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.change(|| ());
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.change(|| ());
        RealDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.change(|| ());
        if self.skips_syncs { Ok(()) } else { RealDisk.sync_dir(dir) }
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.change(|| ());
        let lock = RealDisk.lock(path)?;
        Ok(Box::new(HaltingLock { lock, disk: self.clone() }))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        RealDisk.is_locked(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(path)
    }
}

#[derive(Debug)]
struct HaltingFile {
    file: Box<dyn DiskFile>,
    disk: HaltingDisk,
}

impl DiskFile for HaltingFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.disk.change(|| {
            // Whatever it answers: the process ends here.
            let _ = self.file.write_at(&bytes[..bytes.len() / 2], offset);
        });
        self.file.write_at(bytes, offset)
    }

    fn allocate(&self, bytes: u64) {
        self.disk.change(|| ());
        self.file.allocate(bytes);
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.change(|| ());
        if self.disk.skips_syncs { Ok(()) } else { self.file.sync_data() }
    }

    fn sync_all(&self) -> io::Result<()> {
        self.disk.change(|| ());
        if self.disk.skips_syncs { Ok(()) } else { self.file.sync_all() }
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

#[derive(Debug)]
struct HaltingLock {
    lock: Box<dyn DiskLock>,
    disk: HaltingDisk,
}

impl DiskLock for HaltingLock {
    fn is_on(&self, path: &Path) -> io::Result<bool> {
        self.lock.is_on(path)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.disk.change(|| ());
        self.lock.write(bytes)
    }
}
