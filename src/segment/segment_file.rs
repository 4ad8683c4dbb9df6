//! `Segment`: an open segment. It keeps its footer and a handle; everything else is read when asked for, through the cache.

use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::{Disk, DiskFile, OpenMode, file_name, read_exact_at};
use crate::error::{Error, Result};
use crate::types::limits::JOURNAL_FILE_BYTES_MAX;
use crate::types::{Chain, StoreId, Timestamp};

use super::block_cache::BlockCache;
use super::footer::{FOOTER_BYTES, Footer};
use super::header::{self, HEADER_BYTES, Identity};

/// No segment is larger: its tables repeat names that a journal file holds once, and little else.
pub(super) const SEGMENT_BYTES_MAX: u64 = 4 * JOURNAL_FILE_BYTES_MAX;

/// An open segment whose header and footer were checked. Each block is checked whenever it is read.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(super) identity: Identity,
    pub(super) path: PathBuf,
    pub(super) disk_file: Box<dyn DiskFile>,
    pub(super) footer: Footer,
    pub(super) cache: Arc<BlockCache>,
}

impl Segment {
    /// Opens segment `number` of the store in `dir`.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        store: StoreId,
        number: u64,
        cache: Arc<BlockCache>,
    ) -> Result<Self> {
        let path = dir.join(file_name(number));
        let disk_file = match disk.open(&path, OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::corrupt(&path, 0, "the file is missing"));
            }
            opened => opened.map_err(|error| Error::io("opening", &path, error))?,
        };
        let identity = Identity { store, number };
        let footer = read_ends(&*disk_file, &path, identity)?;
        Ok(Self { identity, path, disk_file, footer, cache })
    }

    /// Its number: that of the journal file which it was made from.
    pub(crate) fn number(&self) -> u64 {
        self.identity.number
    }

    /// What its first frame followed in the journal.
    pub(crate) fn start(&self) -> Chain {
        self.footer.start
    }

    /// What the frame after its last must follow.
    pub(crate) fn end(&self) -> Chain {
        self.footer.end
    }

    /// The positions of its events.
    pub(crate) fn positions(&self) -> Range<u64> {
        self.footer.start.position..self.footer.end.position
    }

    /// How many events it has.
    pub(crate) fn events(&self) -> u32 {
        self.footer.totals.events
    }

    /// How many commits its events were made by.
    pub(crate) fn commits(&self) -> u64 {
        self.footer.commits
    }

    /// How many streams it has events of.
    pub(crate) fn streams(&self) -> u32 {
        self.footer.totals.streams
    }

    /// How many streams begin in it.
    pub(crate) fn new_streams(&self) -> u32 {
        self.footer.new_streams
    }

    /// The length of its file.
    pub(crate) fn file_bytes(&self) -> u64 {
        self.footer.file_bytes
    }

    /// Bytes of its events, decompressed.
    pub(crate) fn raw_bytes(&self) -> u64 {
        self.footer.raw_bytes
    }

    /// The least and the greatest recorded_at; both 1970 when there are no events.
    pub(crate) fn recorded(&self) -> (Timestamp, Timestamp) {
        (self.footer.recorded.least, self.footer.recorded.greatest)
    }

    /// The least and the greatest occurred_at; both 1970 when there are no events.
    pub(crate) fn occurred(&self) -> (Timestamp, Timestamp) {
        (self.footer.occurred.least, self.footer.occurred.greatest)
    }
}

/// Checks header and footer; the footer.
pub(super) fn read_ends(file: &dyn DiskFile, path: &Path, identity: Identity) -> Result<Footer> {
    let file_bytes = file.len().map_err(|error| Error::io("measuring", path, error))?;
    if file_bytes > SEGMENT_BYTES_MAX {
        return Err(Error::corrupt(
            path,
            SEGMENT_BYTES_MAX,
            "the segment is larger than any that annals writes",
        ));
    }
    let Some(footer_at) = file_bytes.checked_sub(FOOTER_BYTES as u64).filter(|at| *at >= HEADER_BYTES as u64)
    else {
        return Err(Error::corrupt(path, file_bytes, "the segment is cut"));
    };
    let reading = |error| Error::io("reading", path, error);
    let (mut header, mut footer) = ([0; HEADER_BYTES], [0; FOOTER_BYTES]);
    read_exact_at(file, &mut header, 0).map_err(reading)?;
    let start = header::decode(&header, identity, path)?;
    read_exact_at(file, &mut footer, footer_at).map_err(reading)?;
    let footer = Footer::decode(&footer, identity, path, file_bytes)?;
    if footer.start != start {
        return Err(Error::corrupt(path, 40, "the segment's header and footer differ in where it starts"));
    }
    Ok(footer)
}
