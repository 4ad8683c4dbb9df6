//! `Appender`: the one who writes frames. Owned by the leader of the commit queue; never shared.
//!
//! Order of steps for a group: space is prepared and synced; the frames go there in one write; one sync. What is
//! durable when: after the write nothing is; after the sync all of the group is.

use std::path::PathBuf;
use std::sync::Arc;

use crate::disk::{CreateFailure, Disk, Seed, write_all_at, write_zeros_at};
use crate::error::{Error, Result};
use crate::types::{StoreId, Timestamp};

use super::chain::Chain;
use super::draft::FrameFields;
use super::frame::{FrameKind, close_frame};
use super::journal_file::{FRAMES_AT, JournalFile};
use super::prepared::{FIRST_STEP_BYTES, PrepareFailure, Prepared};
use super::{CommitDraft, Files, FrameAt};

/// The end of the journal.
#[derive(Debug)]
pub(crate) struct Appender {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    store: StoreId,
    files: Arc<Files>,
    capacity: u64,
    prepared: Arc<Prepared>,
    /// Behind the last frame.
    offset: u64,
    chain: Chain,
    /// The last n whose sync has returned.
    durable: u64,
    last_kind: Option<FrameKind>,
}

/// Frames that will be written together.
#[derive(Debug)]
pub(crate) struct GroupBuffer {
    bytes: Vec<u8>,
    file: u64,
    start: u64,
    seed: Seed,
    chain: Chain,
    durable: u64,
}

/// Why a group is not on disk.
#[derive(Debug)]
pub(crate) enum WriteFailure {
    /// It is not there, and the disk is as it was before.
    NothingWritten(Error),
    /// It may be there or not, or the disk could not be put back: nothing may be appended any more.
    Unknown(Error),
}

impl From<PrepareFailure> for WriteFailure {
    fn from(failure: PrepareFailure) -> Self {
        match failure {
            PrepareFailure::NoSpace(error) => Self::NothingWritten(error),
            PrepareFailure::SyncFailed(error) => Self::Unknown(error),
        }
    }
}

impl From<CreateFailure> for WriteFailure {
    fn from(failure: CreateFailure) -> Self {
        match failure {
            CreateFailure::Unchanged(error) => Self::NothingWritten(error),
            CreateFailure::Unknown(error) => Self::Unknown(error),
        }
    }
}

/// Where an appender starts.
#[derive(Debug)]
pub(crate) struct Tail {
    pub(crate) file: Arc<JournalFile>,
    pub(crate) offset: u64,
    pub(crate) chain: Chain,
    pub(crate) durable: u64,
    pub(crate) last_kind: Option<FrameKind>,
    pub(crate) file_bytes: u64,
}

impl Appender {
    pub(crate) fn new(
        disk: Arc<dyn Disk>,
        dir: PathBuf,
        store: StoreId,
        files: Arc<Files>,
        capacity: u64,
        tail: Tail,
    ) -> Self {
        let Tail { file, offset, chain, durable, last_kind, file_bytes } = tail;
        let prepared = Arc::new(Prepared::new(Arc::clone(&disk), file, file_bytes, capacity));
        Self { disk, dir, store, files, capacity, prepared, offset, chain, durable, last_kind }
    }

    /// An empty group behind the last frame.
    pub(crate) fn begin(&self) -> GroupBuffer {
        GroupBuffer {
            bytes: Vec::new(),
            file: self.prepared.file.number,
            start: self.offset,
            seed: self.prepared.file.seed,
            chain: self.chain,
            durable: self.durable,
        }
    }

    /// Whether a frame of so many bytes still goes into the current file, behind `group`. A file that has no frame takes
    /// one of any size, so a commit larger than a file gets a file of its own.
    pub(crate) fn fits(&self, group: &GroupBuffer, frame_bytes: usize) -> bool {
        let end = group.end().saturating_add(frame_bytes as u64);
        end <= self.capacity || group.end() == FRAMES_AT
    }

    /// Writes a group. On `Ok` the operating system has it; it is not durable before [`Appender::sync`].
    pub(crate) fn write(&mut self, group: &GroupBuffer) -> Result<(), WriteFailure> {
        if group.is_empty() {
            return Ok(());
        }
        self.prepared.check_syncs()?;
        self.prepared.ensure(group.end())?;
        self.put(&group.bytes)?;
        self.offset = group.end();
        self.chain = group.chain;
        // With state records or without.
        self.last_kind = Some(FrameKind::Commit);
        Ok(())
    }

    /// Puts bytes behind the last frame, or takes them away again.
    fn put(&self, bytes: &[u8]) -> Result<(), WriteFailure> {
        let file = &self.prepared.file;
        let Err(error) = write_all_at(&*file.disk_file, bytes, self.offset) else {
            return Ok(());
        };
        let error = Error::io(&format!("writing at offset {} of", self.offset), &file.path, error);
        // The zeros are synced, or a power cut could bring back what its caller was told is not there.
        let end = self.offset + bytes.len() as u64;
        match write_zeros_at(&*file.disk_file, self.offset, end).and_then(|()| file.disk_file.sync_data()) {
            Ok(()) => Err(WriteFailure::NothingWritten(error)),
            Err(_) => Err(WriteFailure::Unknown(error)),
        }
    }

    /// Makes everything written durable. Called once: whoever gets an error never calls it again.
    pub(crate) fn sync(&mut self) -> Result<()> {
        if !self.is_synced() {
            let file = &self.prepared.file;
            file.disk_file.sync_data().map_err(|error| Error::io("syncing", &file.path, error))?;
            self.durable = self.chain.n - 1;
        }
        Ok(())
    }

    /// Whether everything written is durable.
    pub(crate) fn is_synced(&self) -> bool {
        self.durable == self.chain.n - 1
    }

    /// Starts the next file. What the old one holds is durable before the new one has its name.
    pub(crate) fn roll(&mut self, first_frame_bytes: usize) -> Result<(), WriteFailure> {
        self.sync().map_err(WriteFailure::Unknown)?;
        let number = self.prepared.file.number + 1;
        let bytes = FIRST_STEP_BYTES.min(self.capacity).max(FRAMES_AT + first_frame_bytes as u64);
        // A file that may have its name makes the old one look finished: no frame may follow there any more.
        let file = JournalFile::create(&*self.disk, &self.dir, self.store, number, self.chain, bytes)?;
        let file = Arc::new(file);
        self.files.add(Arc::clone(&file));
        self.prepared = Arc::new(Prepared::new(Arc::clone(&self.disk), file, bytes, self.capacity));
        self.offset = FRAMES_AT;
        Ok(())
    }

    /// Writes and syncs a close frame, unless the last frame is one or there is no frame at all.
    pub(crate) fn close(&mut self) -> Result<(), WriteFailure> {
        self.sync().map_err(WriteFailure::Unknown)?;
        if self.last_kind.is_some_and(|kind| kind != FrameKind::Close) {
            let Chain { n, position, prev_header_crc } = self.chain;
            let seed = self.prepared.file.seed;
            let (bytes, header_crc) = close_frame(n, self.durable, position, prev_header_crc, seed);
            let chain = self.chain.after(0, header_crc).map_err(WriteFailure::NothingWritten)?;
            let end = self.offset + bytes.len() as u64;
            self.prepared.ensure(end)?;
            self.put(&bytes)?;
            (self.offset, self.chain, self.last_kind) = (end, chain, Some(FrameKind::Close));
            self.sync().map_err(WriteFailure::Unknown)?;
        } else {
            self.sync_length().map_err(WriteFailure::Unknown)?;
        }
        Ok(())
    }

    /// Makes the file's length durable, which the manifest is to name: space may have been asked for and not have been got.
    fn sync_length(&self) -> Result<()> {
        let file = &self.prepared.file;
        if file.bytes()? != self.prepared.end() {
            file.disk_file.sync_all().map_err(|error| Error::io("syncing", &file.path, error))?;
        }
        Ok(())
    }

    /// The space that is being filled, for whoever prepares ahead.
    pub(crate) fn prepared(&self) -> &Arc<Prepared> {
        &self.prepared
    }

    /// Bytes of a full file.
    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Behind the last frame.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// The last frame whose sync has returned; 0 when there is none.
    pub(crate) fn durable(&self) -> u64 {
        self.durable
    }

    /// The last frame's sequence; 0 when there is none.
    pub(crate) fn last_n(&self) -> u64 {
        self.chain.n - 1
    }
}

impl GroupBuffer {
    /// Makes a draft the next frame of the group; where it will be.
    pub(crate) fn push(&mut self, draft: CommitDraft, recorded_at: Timestamp) -> Result<FrameAt> {
        let events = draft.event_count() as u64;
        let Chain { position, n, prev_header_crc } = self.chain;
        // Checked before the frame is there: a chain at its end takes no frame.
        let past_it = self.chain.after(events, 0)?;
        let fields =
            FrameFields { first_position: position, n, durable: self.durable, prev_header_crc, recorded_at };
        let offset = self.end();
        let (frame, header_crc) = draft.into_frame(fields, self.seed);
        let bytes =
            u32::try_from(frame.len()).unwrap_or_else(|_| unreachable!("frames are limited to 64 MiB"));
        self.chain = Chain { prev_header_crc: header_crc, ..past_it };
        if self.bytes.is_empty() {
            self.bytes = frame
        } else {
            self.bytes.extend_from_slice(&frame)
        }
        Ok(FrameAt { file: self.file, offset, first_position: position, bytes })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Where the group starts in its file.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    /// The bytes, to be shared with readers.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn end(&self) -> u64 {
        self.start + self.bytes.len() as u64
    }
}
