//! `Options`: how a store is opened, for those whom `Store::open` does not suit.

use std::path::Path;
use std::sync::Arc;

use crate::codec::Upcasters;
use crate::disk::{Clock, Disk, RealDisk, SystemClock};
use crate::error::{Error, ErrorKind, Result};
use crate::types::limits::{JOURNAL_FILE_BYTES_MAX, JOURNAL_FILE_BYTES_MIN};
use crate::types::{Compression, Durability};

use super::{Store, open, open_read_only};

const JOURNAL_FILE_BYTES: u64 = 64 << 20;
const RECENT_BYTES_MAX: usize = 64 << 20;
const BLOCK_CACHE_BYTES_MAX: u64 = 64 << 20;

/// What opening does with an unfinished write at the end of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Recovery {
    /// Copies it to `quarantine/`, cuts it off, and tells of it in the [`RecoveryReport`](crate::RecoveryReport).
    #[default]
    CutTornTail,
    /// Refuses to open the store.
    Strict,
}

/// What opening does where there is no store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Creation {
    /// Makes one.
    #[default]
    IfMissing,
    /// Answers `NotFound` and makes nothing, so that a mistyped path does not become a store.
    Never,
}

/// Who prepares journal space ahead of the writer, and who seals full journal files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Maintenance {
    /// One thread of the store's own, joined when it is closed. While more than three full files wait to be sealed, appends
    /// wait for one of them. Closing seals what is left of the journal if that is more than 1 MiB, which takes about a second for
    /// 100 MiB, so that the next opening has little to read.
    #[default]
    Background,
    /// The appending thread prepares when it runs out of space, and [`Store::seal`] seals: no thread is started.
    Inline,
}

/// How to open a store.
///
/// ```
/// use annals::{Durability, Options};
/// # let dir = tempfile::tempdir()?;
/// let store = Options::new()
///     .durability(Durability::Buffered)
///     .journal_file_bytes(8 << 20)
///     .open(dir.path().join("bank"))?;
/// assert_eq!(store.head().as_u64(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Options {
    pub(super) read_only: bool,
    pub(super) creation: Creation,
    pub(super) durability: Durability,
    pub(super) journal_file_bytes: u64,
    pub(super) recent_bytes_max: usize,
    pub(super) block_cache_bytes_max: u64,
    pub(super) compression: Compression,
    pub(super) recovery: Recovery,
    pub(super) maintenance: Maintenance,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) disk: Arc<dyn Disk>,
    pub(super) upcasters: Upcasters,
}

impl Default for Options {
    fn default() -> Self {
        Self::new()
    }
}

impl Options {
    /// What `Store::open` uses: synced appends, journal files of 64 MiB, 64 MiB of recent events in memory, a torn tail
    /// is cut and reported, space is prepared in the background.
    #[must_use]
    pub fn new() -> Self {
        Self {
            read_only: false,
            creation: Creation::IfMissing,
            durability: Durability::Synced,
            journal_file_bytes: JOURNAL_FILE_BYTES,
            recent_bytes_max: RECENT_BYTES_MAX,
            block_cache_bytes_max: BLOCK_CACHE_BYTES_MAX,
            compression: Compression::default(),
            recovery: Recovery::CutTornTail,
            maintenance: Maintenance::Background,
            clock: Arc::new(SystemClock),
            disk: Arc::new(RealDisk),
            upcasters: Upcasters::new(),
        }
    }

    /// Opens the store to be read only: takes no lock, makes, repairs and changes nothing, so it works beside a writer in
    /// another process, in a directory that must not be written to, and on what a crash left.
    ///
    /// It sees what is durable: beside a live writer every `Synced` append that was answered, and a `Buffered` one once it is
    /// flushed. What it sees only grows, and only with [`Store::refresh`]. Without a writer it sees what recovery would find;
    /// an unfinished write at the end is skipped, and told in the [`RecoveryReport`](crate::RecoveryReport). Appends answer
    /// `ReadOnly`. It never makes a store, whatever [`Options::creation`] says.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.read_only = true;
        self
    }

    /// What to do where there is no store.
    #[must_use]
    pub fn creation(mut self, creation: Creation) -> Self {
        self.creation = creation;
        self
    }

    /// What an append's answer means unless the append says otherwise.
    #[must_use]
    pub fn durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// At how many bytes a journal file is full: 64 KiB to 1 GiB. May differ from one opening to the next.
    #[must_use]
    pub fn journal_file_bytes(mut self, bytes: u64) -> Self {
        self.journal_file_bytes = bytes;
        self
    }

    /// How many bytes of the newest events are kept in memory; older ones are read from disk. 0 keeps none.
    #[must_use]
    pub fn recent_bytes_max(mut self, bytes: usize) -> Self {
        self.recent_bytes_max = bytes;
        self
    }

    /// How many bytes of segments are kept in memory once they were read. 0 keeps none.
    #[must_use]
    pub fn block_cache_bytes_max(mut self, bytes: u64) -> Self {
        self.block_cache_bytes_max = bytes;
        self
    }

    /// How the blocks of new segments are compressed. Segments that are there stay as they are; all forms are read.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// What to do with an unfinished write at the end of the journal.
    #[must_use]
    pub fn recovery(mut self, recovery: Recovery) -> Self {
        self.recovery = recovery;
        self
    }

    /// Who prepares journal space ahead, and seals.
    #[must_use]
    pub fn maintenance(mut self, maintenance: Maintenance) -> Self {
        self.maintenance = maintenance;
        self
    }

    /// Where recorded_at comes from.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Where the files are.
    #[must_use]
    pub fn disk(mut self, disk: impl Disk + 'static) -> Self {
        self.disk = Arc::new(disk);
        self
    }

    /// How events of older schema versions are read.
    ///
    /// Every program that writes must be given them: without them new events are marked as schema version 1 and would be
    /// upcast again.
    #[must_use]
    pub fn upcasters(mut self, upcasters: Upcasters) -> Self {
        self.upcasters = upcasters;
        self
    }

    /// Opens the store in the directory `path`; makes the directory and the store if there is none.
    ///
    /// # Errors
    /// `NotFound` when there is no store and [`Creation::Never`] or [`Options::read_only`] was asked for;
    /// `Locked` when it is open already, here or in another process; `Corrupt` with file and offset when bytes in it
    /// are not what was written, nothing is changed then; `UnsupportedVersion` for a store of a newer annals;
    /// `Invalid` for options out of their limits, and for a directory that holds other files and no store; `StorageFull` and `Io` as the operating system says.
    pub fn open(self, path: impl AsRef<Path>) -> Result<Store> {
        if !(JOURNAL_FILE_BYTES_MIN..=JOURNAL_FILE_BYTES_MAX).contains(&self.journal_file_bytes) {
            let what = format!(
                "journal files of {} bytes: the limits are {JOURNAL_FILE_BYTES_MIN} and {JOURNAL_FILE_BYTES_MAX}",
                self.journal_file_bytes
            );
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        if self.read_only {
            return open_read_only::open_read_only(self, path.as_ref());
        }
        open::open(self, path.as_ref())
    }
}
