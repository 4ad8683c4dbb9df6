//! `Disk` and `DiskFile`: what the store asks of a disk, and nothing more.
//!
//! What the store assumes of an implementation: bytes written and not yet synced may be lost or kept in any mix of
//! 512-byte sectors; a file that was created or renamed may be lost until its directory is synced; `sync_data` and
//! `sync_all` return only when the bytes are on stable storage, or with an error.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// How a file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpenMode {
    /// It must exist; only to be read.
    Read,
    /// It must exist; to be read and written.
    ReadWrite,
    /// It must not exist; made with mode 0600.
    CreateNew,
}

/// A place that holds files. `Store` uses [`RealDisk`](super::RealDisk) unless told otherwise.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a directory with mode 0700. `Ok` when it is there already and is a directory.
    ///
    /// # Errors
    /// As the operating system says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// The path of a directory that is there, free of links.
    ///
    /// # Errors
    /// As the operating system says; `NotFound` when it is not there, `NotADirectory` when it is something else.
    fn resolve(&self, dir: &Path) -> io::Result<PathBuf>;

    /// The names of what lies in a directory, in any order. Of a name that is not UTF-8, what is not is replaced: it is none
    /// that annals gives, and only told.
    ///
    /// # Errors
    /// As the operating system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Opens a regular file, never through a link in its last part.
    ///
    /// # Errors
    /// As the operating system says; `InvalidInput` when it is not a regular file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>>;

    /// Gives a file another name, in place of what had it.
    ///
    /// # Errors
    /// As the operating system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the operating system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes names created in, renamed in and removed from a directory durable.
    ///
    /// # Errors
    /// As the operating system says; what was done since the last sync may then be on disk or not.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on a file, made if it is not there, until the answer is dropped. Never waits.
    ///
    /// # Errors
    /// `WouldBlock` when another holds it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;

    /// Whether somebody holds the lock on a file now, in this process or another. Never waits, makes no file.
    ///
    /// # Errors
    /// As the operating system says. A file that is not there is locked by nobody.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;

    /// Bytes that may still be written below `path`.
    ///
    /// # Errors
    /// As the operating system says.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// An open file. All methods take `&self`: readers and the one writer share it.
#[expect(
    clippy::len_without_is_empty,
    reason = "a length on disk may fail to be known; emptiness is no question here"
)]
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Reads up to `buffer.len()` bytes from `offset`; 0 at the end of the file.
    ///
    /// # Errors
    /// As the operating system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes up to `bytes.len()` bytes at `offset`, growing the file if need be.
    ///
    /// # Errors
    /// As the operating system says; how much was written is then unknown.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize>;

    /// Reserves disk blocks for the first `bytes` bytes, growing the file if need be. A hint: an implementation may do
    /// nothing, and what fails here fails again when the store writes the bytes, as it does next.
    fn allocate(&self, bytes: u64);

    /// Makes the bytes written durable, and as much of the file's metadata as reading them needs.
    ///
    /// # Errors
    /// As the operating system says. Nothing is known then of the bytes written since the last sync, for ever.
    fn sync_data(&self) -> io::Result<()>;

    /// Makes bytes and all metadata durable.
    ///
    /// # Errors
    /// As [`DiskFile::sync_data`].
    fn sync_all(&self) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// As the operating system says.
    fn len(&self) -> io::Result<u64>;
}

/// A held lock; dropping it frees it.
pub trait DiskLock: Send + Sync + fmt::Debug {
    /// Whether the file at `path` is the one that is locked, and not another that was put in its place.
    ///
    /// # Errors
    /// As the operating system says.
    fn is_on(&self, path: &Path) -> io::Result<bool>;

    /// Puts bytes at the start of the locked file, for other processes to read. Nobody syncs them.
    ///
    /// # Errors
    /// As the operating system says.
    fn write(&self, bytes: &[u8]) -> io::Result<()>;
}
