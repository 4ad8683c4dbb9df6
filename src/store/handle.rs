//! `Store`: the handle on an open store.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::codec::Codec;
use crate::commit::Request;
use crate::error::{Error, Result};
use crate::index::Log;
use crate::snapshot::Snapshots;
use crate::types::{FilePart, Filter, Position, RecordedEvent, StoreId, StreamName, Timestamp, Version};

use super::inner::{Access, Inner};
use super::{
    Batch, Options, RecoveryReport, SalvageReport, Stats, StoreRead, Stream, VerifyReport, open, typed,
};

/// An open store: cheap to clone, free to share among threads. The last clone dropped closes it; [`Store::close`] does so
/// and tells whether it went well.
///
/// ```
/// use annals::{ExpectedVersion, Store};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Opened { owner: String }
///
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("bank");
/// let store = Store::open(&path)?;
/// store.stream("account-1")?.append(ExpectedVersion::NoStream, [Opened { owner: "Ada".into() }])?;
/// store.close()?;
///
/// let store = Store::open(&path)?;
/// assert!(store.recovery().clean);
/// assert_eq!(store.head().as_u64(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// A stream and how long it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamInfo {
    /// Its name.
    pub name: StreamName,
    /// How many events it has.
    pub events: u64,
    /// The version of its last event.
    pub version: Version,
}

impl Store {
    /// Opens the store in the directory `path`; makes the directory and the store if there is none.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Options::new().open(path)
    }

    /// Looks at every byte of the store in `path` and lists all damage. Changes nothing, takes no lock; beside a live
    /// writer, what the writer is just writing may show as a torn tail.
    ///
    /// A manifest that is missing or damaged is listed, and the journal is looked at all the same.
    ///
    /// ```
    /// use annals::{ExpectedVersion, NewEvent, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("bank");
    /// let store = Store::open(&path)?;
    /// store.stream("account-1")?.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Opened", *b"Ada")?])?;
    /// store.close()?;
    /// let report = Store::verify(&path)?;
    /// assert!(report.is_sound());
    /// assert_eq!(report.events, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// What is wrong with the manifest, `Corrupt` when it is missing, if no file of the journal tells either which store
    /// this is: nothing can be checked then. `UnsupportedVersion` for a store of a newer annals.
    pub fn verify(path: impl AsRef<Path>) -> Result<VerifyReport> {
        Options::new().verify(path)
    }

    /// Writes all sound events of the store in `from` into a new store in `new`, a directory that is missing or empty, and
    /// tells what is lost. The old store is only read: nothing in it changes, and its lock is not taken.
    ///
    /// It needs neither manifest nor file headers: every commit whose own checksums hold is found, wherever in the journal
    /// it stands, also behind an unfinished write. Commits keep their order, events their ids, times, types, payloads and
    /// metadata; versions and positions are counted anew. What is sound comes over as it is: the same events in the same
    /// commits at the same positions. Snapshots and quarantine do not come over.
    ///
    /// Salvage a store that nobody has open. Beside a writer it brings over what there is just then, and may tell of a write
    /// in flight as lost. If it fails, what there is of the new store is not complete: remove it and start again. The old
    /// store should be kept until what was lost has been understood.
    ///
    /// ```
    /// use annals::{ExpectedVersion, NewEvent, Position, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let (bank, mended) = (dir.path().join("bank"), dir.path().join("mended"));
    /// let store = Store::open(&bank)?;
    /// let account = store.stream("account-1")?;
    /// for payload in ["opened", "deposited", "withdrawn"] {
    ///     account.append_raw(ExpectedVersion::Any, [NewEvent::new("Happened", payload)?])?;
    /// }
    /// store.close()?;
    /// let journal = bank.join("journal/00000001");
    /// let mut bytes = std::fs::read(&journal)?;
    /// let at = bytes.windows(9).position(|window| window == b"deposited").ok_or("not there")?;
    /// bytes[at] ^= 1;
    /// std::fs::write(&journal, bytes)?;
    ///
    /// let report = Store::salvage(&bank, &mended)?;
    /// assert_eq!(report.events, 2);
    /// assert_eq!(report.lost, [Position::new(1)..Position::new(2)]);
    /// assert_eq!(report.lost_versions[0].stream.as_str(), "account-1");
    /// assert_eq!(report.new_position(Position::new(2)), Some(Position::new(1)));
    /// assert_eq!(Store::open(&mended)?.head(), Position::new(2));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `NotFound` when `from` is not there; `Invalid` when `new` is not empty, or lies in `from`; `UnsupportedVersion` for a
    /// store of a newer annals; what is wrong with the manifest when nothing tells which store this is. Nothing is made then. `StorageFull`, `Io` and the like when the new
    /// store cannot be written.
    pub fn salvage(from: impl AsRef<Path>, new: impl AsRef<Path>) -> Result<SalvageReport> {
        Options::new().salvage(from, new)
    }

    /// Tells the parts of one file of a store, in the words of the format's description (`docs/format.md`): the manifest, the
    /// durable mark, a journal file, a segment, a tier or a pack of snapshots. Reads only, and that file alone; whether a store is
    /// sound is for [`Store::verify`] to say.
    ///
    /// ```
    /// use annals::{Error, ExpectedVersion, NewEvent, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("bank");
    /// let store = Store::open(&path)?;
    /// store.stream("account-1")?.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Opened", *b"Ada")?])?;
    /// store.close()?;
    /// let mut parts = Vec::new();
    /// Store::inspect(path.join("journal/00000001"), |part| {
    ///     parts.push(part.what);
    ///     Ok::<(), Error>(())
    /// })?;
    /// assert_eq!(parts, ["journal header", "commit", "close", "prepared space"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Invalid` when it is no such file, `Io` when it cannot be read, and the caller's. Damage is told in the parts.
    pub fn inspect<E: From<Error>>(
        file: impl AsRef<Path>,
        each: impl FnMut(FilePart) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        Options::new().inspect(file, each)
    }

    pub(super) fn new(inner: Inner) -> Self {
        Self { inner: Arc::new(inner) }
    }

    pub(super) fn inner(&self) -> &Inner {
        &self.inner
    }

    /// What opening the store found and did.
    #[must_use]
    pub fn recovery(&self) -> &RecoveryReport {
        &self.inner.report
    }

    /// Which store it is: given when it was made, kept for ever.
    #[must_use]
    pub fn id(&self) -> StoreId {
        self.inner.store_id
    }

    /// The first position not yet committed.
    #[must_use]
    pub fn head(&self) -> Position {
        open::head(&self.inner.log)
    }

    /// A handle on a stream. Writes nothing.
    ///
    /// # Errors
    /// `Invalid` when the name is empty or longer than 512 bytes.
    pub fn stream(&self, name: impl AsRef<str>) -> Result<Stream> {
        Ok(Stream::new(Arc::clone(&self.inner), StreamName::new(name)?))
    }

    /// Appends to several streams as one commit.
    ///
    /// Events are encoded with `Bincode` unless [`Batch::with_codec`] is called first, whatever codec a repository or
    /// stream has.
    pub fn batch(&self) -> Batch {
        Batch::new(Arc::clone(&self.inner))
    }

    /// A read of the whole store, in order of position.
    pub fn read(&self) -> StoreRead {
        StoreRead::of_store(Arc::clone(&self.inner))
    }

    /// All streams that have events, sorted by name.
    ///
    /// # Errors
    /// `Corrupt` or `Io` when what tells them is on disk and cannot be read.
    pub fn streams(&self) -> Result<Vec<StreamInfo>> {
        self.streams_where(&Filter::new())
    }

    /// The streams that have events and that the filter's conditions on streams admit, sorted by name.
    ///
    /// # Errors
    /// As [`Store::streams`].
    pub fn streams_where(&self, filter: &Filter) -> Result<Vec<StreamInfo>> {
        let streams = self.inner.log.streams(filter)?;
        let info = |(name, events): (StreamName, u64)| StreamInfo {
            name,
            events,
            version: Version::new(events.saturating_sub(1)),
        };
        Ok(streams.into_iter().map(info).collect())
    }

    /// The value of an event, upcast to the current schema. Takes events that codec `C` made, or any that is built in.
    ///
    /// # Errors
    /// `Codec` naming stream, version and type.
    pub fn decode<C: Codec, E: DeserializeOwned>(&self, event: &RecordedEvent) -> Result<E> {
        typed::decode::<C, E>(event, &self.inner.upcasters)
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// `Indeterminate` when the sync fails: the store is poisoned then. `Poisoned`, `Closed`, `ReadOnly`.
    pub fn flush(&self) -> Result<()> {
        self.inner.commit(Request::flush()?).map(drop)
    }

    /// Takes in what a writer in another process has made durable since this store was opened to be read only, or since it
    /// was refreshed; the head afterwards. Iterators that were made before do not see it.
    ///
    /// A store that was opened to write knows everything already.
    ///
    /// # Errors
    /// `Corrupt` with file and offset for damage, `Io` when a file cannot be read. What was known before can be read still,
    /// and the next refresh goes on from there.
    ///
    /// ```
    /// use annals::{ExpectedVersion, NewEvent, Options, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("bank");
    /// let writer = Store::open(&path)?;
    /// let reader = Options::new().read_only().open(&path)?; // mostly in another process
    /// assert_eq!(reader.head().as_u64(), 0);
    ///
    /// writer.stream("account-1")?.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Opened", *b"Ada")?])?;
    /// assert_eq!(reader.refresh()?.as_u64(), 1);
    /// assert_eq!(reader.stream("account-1")?.read().iter().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn refresh(&self) -> Result<Position> {
        match &self.inner.access {
            Access::Write(_) => Ok(self.head()),
            Access::Read(following) => following.lock().refresh(&self.inner.log),
        }
    }

    /// Seals all that was appended so far: full journal files, and the current one, which is ended for it, become segments,
    /// sorted by stream and compressed. How many files that were.
    ///
    /// Nothing that readers see changes. Appends go on meanwhile.
    ///
    /// ```
    /// use annals::{ExpectedVersion, NewEvent, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::open(dir.path().join("bank"))?;
    /// let account = store.stream("account-1")?;
    /// account.append_raw(ExpectedVersion::NoStream, [NewEvent::new("Opened", *b"Ada")?])?;
    /// assert_eq!(store.seal()?, 1);
    /// assert_eq!(store.seal()?, 0);
    /// assert_eq!(account.read().iter().count(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// `Corrupt` naming file and offset when the journal is not what was written; `StorageFull` and `Io` as the operating
    /// system says: what was not sealed stays in the journal. `Poisoned` and `Indeterminate` when a sync failed; `Closed`,
    /// `ReadOnly`.
    pub fn seal(&self) -> Result<u64> {
        self.inner.seal()
    }

    /// Figures about the store.
    ///
    /// # Errors
    /// `Io` when files cannot be measured.
    pub fn stats(&self) -> Result<Stats> {
        let inner = &self.inner;
        // Before the files are counted: one that is not in the backlog any more is not among them either.
        let upkeep = inner.upkept();
        let (journal_files, journal_bytes) = inner.log.files.measure()?;
        let written = inner.written();
        let snapshots = inner.snapshots.measure();
        let cache = inner.log.cache.stats();
        let sealed = inner.log.sealed();
        Ok(inner.log.index.read(|tables| Stats {
            store_id: inner.store_id,
            head: Position::new(tables.head()),
            streams: tables.stream_count(),
            commits: tables.commit_count(),
            checkpoints: tables.states().len() as u64,
            checkpoint_bytes: tables.states().bytes() as u64,
            journal_files,
            journal_bytes,
            backlog_files: upkeep.backlog_files,
            stalls: upkeep.stalls.count,
            stalled: upkeep.stalls.time,
            seals_failed: upkeep.seals_failed,
            segments: sealed.numbers().count() as u64,
            segment_bytes: sealed.file_bytes(),
            segment_raw_bytes: sealed.segments().iter().map(|of| of.segment.raw_bytes()).sum(),
            block_cache_bytes: cache.bytes,
            block_cache_hits: cache.hits,
            block_cache_misses: cache.misses,
            snapshot_bytes: snapshots.bytes,
            snapshots: snapshots.usable,
            snapshots_written: snapshots.written,
            snapshots_used: snapshots.used,
            snapshots_ignored: snapshots.ignored,
            snapshots_failed: snapshots.failed,
            recent_bytes: tables.recent_bytes() as u64,
            groups: written.groups,
            largest_group: written.largest_group,
            group_sizes: written.group_sizes,
            syncs: written.syncs,
            sync_micros: written.sync_micros,
            marks_failed: written.marks_failed,
            recorded_at_held: written.recorded_at_held,
            clock_behind: Duration::from_micros(written.clock_behind_micros),
        }))
    }

    /// Closes the store for all its handles: later appends answer `Closed`; reads go on from what was known. The directory
    /// may be opened again at once.
    ///
    /// # Errors
    /// `Poisoned` when a sync had failed, `StorageFull` and `Io` when the journal could not be ended cleanly: everything
    /// acknowledged as synced is on disk nevertheless, and the next opening recovers.
    pub fn close(&self) -> Result<()> {
        self.inner.close()
    }

    /// The time, as the store's clock tells it.
    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    pub(crate) fn log(&self) -> &Arc<Log> {
        &self.inner.log
    }

    pub(crate) fn snapshots(&self) -> &Snapshots {
        &self.inner.snapshots
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("root", &self.inner.root)
            .field("id", &format_args!("{}", self.inner.store_id))
            .finish_non_exhaustive()
    }
}
