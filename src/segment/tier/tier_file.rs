//! `Tier`: an open tier. It keeps its footer and a handle; everything else is read when asked for, through the cache.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::disk::{Disk, DiskFile, OpenMode, read_exact_at};
use crate::error::{Error, ErrorKind, Result};
use crate::segment::block_cache::{Block, BlockCache, BlockKey, Holder, Part};
use crate::segment::directory::{BlockPlace, Directory, Totals};
use crate::segment::envelope::{BadBlock, BlockKind};
use crate::segment::filter::NameFilter;
use crate::segment::footer::BlockCounts;
use crate::segment::raw_block::{open_raw, read_block};
use crate::segment::segment_file::Segment;
use crate::segment::stable_hash::stable_hash;
use crate::types::StoreId;

use super::ends::{FOOTER_BYTES, HEADER_BYTES, TierFooter, TierIdentity};
use super::range::TierRange;
use super::runs_block::RunsBlock;

/// An open tier whose header and footer were checked. Each block is checked whenever it is read.
#[derive(Debug)]
pub(crate) struct Tier {
    pub(super) identity: TierIdentity,
    pub(super) path: PathBuf,
    pub(super) disk_file: Box<dyn DiskFile>,
    pub(super) footer: TierFooter,
    pub(super) cache: Arc<BlockCache>,
    pub(super) holder: Holder,
    /// Something in it was damaged: it is asked nothing more.
    pub(super) is_bad: AtomicBool,
}

/// What a tier over these segments says of them: a hash of their footers.
pub(crate) fn segments_digest<'a>(segments: impl Iterator<Item = &'a Segment>) -> u64 {
    let footers: Vec<u8> = segments.flat_map(|segment| segment.footer.encode(segment.identity)).collect();
    stable_hash(&footers)
}

impl Tier {
    /// Opens the tier over `range` of the store whose segments are in `dir`.
    pub(crate) fn open(
        disk: &dyn Disk,
        dir: &Path,
        store: StoreId,
        range: TierRange,
        cache: Arc<BlockCache>,
    ) -> Result<Self> {
        let path = dir.join(range.file_name());
        let disk_file =
            disk.open(&path, OpenMode::Read).map_err(|error| Error::io("opening", &path, error))?;
        Self::of_file(disk_file, path, TierIdentity { store, range }, cache)
    }

    /// The tier that a file is said to be.
    pub(super) fn of_file(
        disk_file: Box<dyn DiskFile>,
        path: PathBuf,
        identity: TierIdentity,
        cache: Arc<BlockCache>,
    ) -> Result<Self> {
        let footer = read_ends(&*disk_file, &path, identity)?;
        let holder = cache.new_tier();
        Ok(Self { identity, path, disk_file, footer, cache, holder, is_bad: AtomicBool::new(false) })
    }

    pub(crate) fn range(&self) -> TierRange {
        self.identity.range
    }

    /// How many streams have events in its segments.
    pub(crate) fn streams_count(&self) -> u32 {
        self.footer.streams
    }

    /// What it says of its segments: that of `segments_digest` if it was made of those.
    pub(crate) fn segments_digest(&self) -> u64 {
        self.footer.segments_digest
    }

    /// Whether something of it was found to be damaged.
    pub(crate) fn is_bad(&self) -> bool {
        self.is_bad.load(Ordering::Relaxed)
    }

    /// Takes note that it does not say what its segments hold.
    pub(crate) fn condemn(&self) {
        self.is_bad.store(true, Ordering::Relaxed);
    }

    pub(super) fn directory(&self) -> Result<Arc<Directory>> {
        match self.cached(Part::Directory, self.directory_place())? {
            Block::Directory(directory) => Ok(directory),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    pub(super) fn filter(&self) -> Result<Option<Arc<NameFilter>>> {
        let Some(place) = self.filter_place() else { return Ok(None) };
        match self.cached(Part::Filter, place)? {
            Block::Filter(filter) => Ok(Some(filter)),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    /// The block of runs with this index, which the directory must have.
    pub(super) fn runs_block(&self, directory: &Directory, index: u32) -> Result<Arc<RunsBlock>> {
        match self.cached(Part::Block(index), self.place(directory, index))? {
            Block::Runs(block) => Ok(block),
            _ => unreachable!("{ANOTHER_KIND}"),
        }
    }

    pub(super) fn directory_place(&self) -> BlockPlace {
        let footer = &self.footer;
        let (offset, bytes) = (footer.directory_offset(), footer.directory_bytes);
        BlockPlace { kind: BlockKind::Directory, offset, bytes, first: 0, count: footer.blocks }
    }

    pub(super) fn filter_place(&self) -> Option<BlockPlace> {
        let footer = &self.footer;
        let (offset, bytes) = (footer.filter_offset(), footer.filter_bytes);
        let place = BlockPlace { kind: BlockKind::Filter, offset, bytes, first: 0, count: footer.streams };
        (bytes > 0).then_some(place)
    }

    pub(super) fn place(&self, directory: &Directory, index: u32) -> BlockPlace {
        let place = directory.place(index, self.totals());
        let place = place.unwrap_or_else(|| unreachable!("only blocks that the directory has are asked for"));
        BlockPlace { kind: BlockKind::Runs, ..place }
    }

    fn totals(&self) -> Totals {
        Totals { events: 0, streams: self.footer.streams }
    }

    fn cached(&self, part: Part, place: BlockPlace) -> Result<Block> {
        self.cache.get(BlockKey { of: self.holder, part }, || self.read(place))
    }

    /// Reads a block from the file.
    pub(super) fn read(&self, place: BlockPlace) -> Result<Block> {
        let block = read_block(&*self.disk_file, &self.path, place)?;
        self.take_apart(place, &block).map_err(|bad| bad.at(&self.path, place.offset))
    }

    fn take_apart(&self, place: BlockPlace, block: &[u8]) -> Result<Block, BadBlock> {
        let mut scratch = Vec::new();
        let (envelope, raw) = open_raw(block, place, self.identity.seed(), &mut scratch)?;
        Ok(match envelope.kind {
            BlockKind::Runs => {
                Block::Runs(Arc::new(RunsBlock::decode(raw.to_vec(), envelope.count, self.identity.range)?))
            }
            BlockKind::Filter => Block::Filter(Arc::new(NameFilter::decode(raw)?)),
            BlockKind::Directory => {
                let blocks = BlockCounts { streams: self.footer.blocks, ..BlockCounts::default() };
                let end = self.footer.filter_offset();
                Block::Directory(Arc::new(Directory::decode(raw, blocks, self.totals(), end)?))
            }
            _ => return Err(BadBlock::Misplaced),
        })
    }

    /// Whether an error says that the tier itself is of no use, and not only the disk just now.
    pub(super) fn is_about_content(error: &Error) -> bool {
        matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::UnsupportedVersion)
    }
}

const ANOTHER_KIND: &str = "each part of a tier is of one kind";

/// Checks header and footer; the footer.
pub(super) fn read_ends(file: &dyn DiskFile, path: &Path, identity: TierIdentity) -> Result<TierFooter> {
    let file_bytes = file.len().map_err(|error| Error::io("measuring", path, error))?;
    let Some(footer_at) = file_bytes.checked_sub(FOOTER_BYTES as u64).filter(|at| *at >= HEADER_BYTES as u64)
    else {
        return Err(Error::corrupt(path, file_bytes, "the tier is cut"));
    };
    let reading = |error| Error::io("reading", path, error);
    let (mut header, mut footer) = ([0; HEADER_BYTES], [0; FOOTER_BYTES]);
    read_exact_at(file, &mut header, 0).map_err(reading)?;
    identity.check_header(&header).map_err(|what| Error::corrupt(path, 0, what))?;
    read_exact_at(file, &mut footer, footer_at).map_err(reading)?;
    TierFooter::decode(&footer, identity, file_bytes).map_err(|what| Error::corrupt(path, footer_at, what))
}
