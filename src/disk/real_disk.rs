//! `RealDisk`: files of the operating system. The only file that names std's file functions and fs2.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;

use super::{Disk, DiskFile, DiskLock, OpenMode};

const FILE_MODE: u32 = 0o600;
const DIR_MODE: u32 = 0o700;
/// A manifest may be replaced by a live writer just while a reader opens it.
const OPEN_ATTEMPTS_MAX: usize = 16;
/// Readers of other processes may look at the lock just while it is taken.
const LOCK_ATTEMPTS_MAX: usize = 1024;

/// The file system of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        match DirBuilder::new().mode(DIR_MODE).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && fs::metadata(path)?.is_dir() => {
                Ok(())
            }
            done => done,
        }
    }

    fn resolve(&self, dir: &Path) -> io::Result<PathBuf> {
        let resolved = fs::canonicalize(dir)?;
        if fs::metadata(&resolved)?.is_dir() {
            Ok(resolved)
        } else {
            Err(io::ErrorKind::NotADirectory.into())
        }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        for _ in 0..OPEN_ATTEMPTS_MAX {
            if let Some(file) = open_named(path, mode)? {
                return Ok(Box::new(RealFile(file)));
            }
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, "the file was replaced each time it was opened"))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        if let Ok(metadata) = fs::symlink_metadata(path) {
            require_regular(&metadata)?;
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(FILE_MODE)
            .open(path)?;
        for _ in 0..LOCK_ATTEMPTS_MAX {
            if lock_unless_held(fs2::FileExt::try_lock_exclusive(&file))? {
                return Ok(Box::new(RealLock { file }));
            }
            // Those who only ask whether it is locked share it for a moment; a holder shares it with nobody.
            if !lock_unless_held(fs2::FileExt::try_lock_shared(&file))? {
                break;
            }
            fs2::FileExt::unlock(&file)?;
            thread::yield_now();
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let file = match open_named(path, OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        // A file that was replaced meanwhile is nobody's lock: none of ours ever is.
        let Some(file) = file else { return Ok(false) };
        let is_free = lock_unless_held(fs2::FileExt::try_lock_shared(&file))?;
        if is_free {
            // Closing the file would not do: a child process that was forked meanwhile has it open too.
            fs2::FileExt::unlock(&file)?;
        }
        Ok(!is_free)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        fs2::available_space(path)
    }
}

/// Whether an attempt to lock went well; `false` when another holds the lock.
fn lock_unless_held(attempt: io::Result<()>) -> io::Result<bool> {
    match attempt {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Opens a file if its name is still that of the file in hand then, and not of a link or another file put there meanwhile.
fn open_named(path: &Path, mode: OpenMode) -> io::Result<Option<File>> {
    let mut options = OpenOptions::new();
    options.read(true).mode(FILE_MODE);
    match mode {
        // Looked at before it is opened, because opening a FIFO would wait for its other end.
        OpenMode::Read | OpenMode::ReadWrite => require_regular(&fs::symlink_metadata(path)?)?,
        OpenMode::CreateNew => {}
    }
    let file = match mode {
        OpenMode::Read => options.open(path)?,
        OpenMode::ReadWrite => options.write(true).open(path)?,
        OpenMode::CreateNew => options.write(true).create_new(true).open(path)?,
    };
    let (named, opened) = (fs::symlink_metadata(path)?, file.metadata()?);
    require_regular(&named)?;
    Ok(is_same_file(&named, &opened).then_some(file))
}

fn is_same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

fn require_regular(metadata: &fs::Metadata) -> io::Result<()> {
    if metadata.file_type().is_file() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(&self.0, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        FileExt::write_at(&self.0, bytes, offset)
    }

    fn allocate(&self, bytes: u64) {
        // What it answers cannot be relied on: fs2 reads the error from where posix_fallocate does not put it. The zeros
        // that are written next tell the truth.
        let _ = fs2::FileExt::allocate(&self.0, bytes);
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn sync_all(&self) -> io::Result<()> {
        self.0.sync_all()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// The operating system frees the lock when the process is killed. Dropping frees it by name, not by closing the file: a
/// child process that was forked meanwhile has the file open too.
#[derive(Debug)]
struct RealLock {
    file: File,
}

impl DiskLock for RealLock {
    fn is_on(&self, path: &Path) -> io::Result<bool> {
        match fs::symlink_metadata(path) {
            Ok(named) => Ok(is_same_file(&named, &self.file.metadata()?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        FileExt::write_all_at(&self.file, bytes, 0)
    }
}

impl Drop for RealLock {
    fn drop(&mut self) {
        // If this fails, closing the file frees the lock.
        let _ = fs2::FileExt::unlock(&self.file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_by_others_and_is_gone_when_it_is_dropped() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("LOCK");
        assert!(!RealDisk.is_locked(&path).expect("nobody locks what is not there"));
        assert!(!path.exists(), "asking makes no file");
        let lock = RealDisk.lock(&path).expect("lock");
        assert!(RealDisk.is_locked(&path).expect("held"));
        assert_eq!(RealDisk.lock(&path).expect_err("held").kind(), io::ErrorKind::WouldBlock);
        drop(lock);
        assert!(!RealDisk.is_locked(&path).expect("free"));
        drop(RealDisk.lock(&path).expect("free again"));
        assert!(RealDisk.is_locked(dir.path()).is_err(), "a directory is no lock");
    }

    #[test]
    fn who_shares_the_lock_for_ever_is_a_holder_and_who_only_looks_is_none() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let path = dir.path().join("LOCK");
        drop(RealDisk.lock(&path).expect("made"));
        let sharing = File::open(&path).expect("open");
        fs2::FileExt::try_lock_shared(&sharing).expect("shared");
        assert_eq!(RealDisk.lock(&path).expect_err("never let go of").kind(), io::ErrorKind::WouldBlock);
        fs2::FileExt::unlock(&sharing).expect("unlocked");
        thread::scope(|scope| {
            scope.spawn(|| (0..2_000).try_for_each(|_| RealDisk.is_locked(&path).map(drop)).expect("looks"));
            for _ in 0..200 {
                drop(RealDisk.lock(&path).expect("only looked at"));
            }
        });
    }

    #[test]
    fn there_is_some_space() {
        assert!(RealDisk.free_bytes(&std::env::temp_dir()).expect("asked") > 0);
    }
}
