//! Writing a tier, in this order: header; blocks of runs while the streams come; filter, directory, footer. The file has its name
//! only when all of it is durable.
//!
//! In memory are one block, one piece of output, 8 bytes of each stream and the first name of each block; while the filter is made,
//! some 30 bytes of each stream.

use std::io;
use std::path::Path;

use crate::disk::{CreateFailure, Disk, create_complete};
use crate::error::{Error, ErrorKind, Result};
use crate::segment::directory::DirectoryBuilder;
use crate::segment::envelope::{BlockKind, ENVELOPE_BYTES};
use crate::segment::filter::NameFilter;
use crate::segment::output::{Output, RawBlock};
use crate::segment::stable_hash::stable_hash;
use crate::types::{Compression, StoreId};

use super::ends::{FOOTER_BYTES, TierFooter, TierIdentity};
use super::range::TierRange;
use super::runs_block::{RunsBlockBuilder, StreamRuns};

/// What a tier is made of, beside its streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewTier {
    pub(crate) store: StoreId,
    pub(crate) range: TierRange,
    /// That of its segments.
    pub(crate) segments_digest: u64,
    pub(crate) compression: Compression,
}

/// Writes a tier of these streams, ascending by name, to `dir`. An error among them leaves no file. When this returns, the file is
/// durable under its name.
pub(crate) fn write_tier(
    disk: &dyn Disk,
    dir: &Path,
    new: NewTier,
    streams: &mut dyn Iterator<Item = Result<StreamRuns>>,
) -> Result<(), CreateFailure> {
    let path = dir.join(new.range.file_name());
    let mut failed = None;
    let created = create_complete(disk, &path, |file| {
        let identity = TierIdentity { store: new.store, range: new.range };
        let mut writer = Writer::new(identity, Output::new(file, identity.seed(), new.compression));
        writer.output.put(&identity.encode_header())?;
        for stream in streams {
            let bad = match stream {
                Ok(stream) if writer.follows(&stream) => {
                    writer.push(&stream)?;
                    continue;
                }
                Ok(_) => Error::new(ErrorKind::Corrupt, "streams of segments do not follow each other"),
                Err(error) => error,
            };
            failed = Some(bad);
            return Err(io::ErrorKind::Other.into());
        }
        writer.finish(new.segments_digest)
    });
    match (created, failed) {
        (Err(_), Some(error)) => Err(CreateFailure::Unchanged(error)),
        (created, _) => created.map(drop),
    }
}

struct Writer<'a> {
    identity: TierIdentity,
    output: Output<'a>,
    block: RunsBlockBuilder,
    directory: DirectoryBuilder,
    blocks: u32,
    /// Of the first stream of the block that is being built.
    block_first: u32,
    name_hashes: Vec<u64>,
    last_name: String,
}

impl<'a> Writer<'a> {
    fn new(identity: TierIdentity, output: Output<'a>) -> Self {
        Self {
            identity,
            output,
            block: RunsBlockBuilder::default(),
            directory: DirectoryBuilder::default(),
            blocks: 0,
            block_first: 0,
            name_hashes: Vec::new(),
            last_name: String::new(),
        }
    }

    /// Whether a stream may come next: tables that are sound in themselves may still not go together.
    fn follows(&self, stream: &StreamRuns) -> bool {
        let range = self.identity.range;
        let is_within = |segment: u64| (range.first..=range.last).contains(&segment);
        self.last_name.as_str() < stream.name.as_str()
            && stream.runs.iter().all(|run| is_within(run.segment))
            && stream.runs.is_sorted_by(|a, b| a.segment < b.segment)
    }

    fn push(&mut self, stream: &StreamRuns) -> io::Result<()> {
        if self.block.is_full() {
            self.finish_block()?;
        }
        stream.name.as_str().clone_into(&mut self.last_name);
        self.name_hashes.push(stable_hash(self.last_name.as_bytes()));
        self.block.push(stream, self.identity.range);
        Ok(())
    }

    fn streams(&self) -> u32 {
        u32::try_from(self.name_hashes.len()).unwrap_or(u32::MAX)
    }

    fn finish_block(&mut self) -> io::Result<()> {
        let (first, count, bytes) = (self.block_first, self.block.count, &self.block.bytes);
        let stored = self.output.put_block(RawBlock { kind: BlockKind::Runs, first, count, bytes })?;
        self.directory.push(stored, first);
        self.directory.push_name(&self.block.first_name);
        self.blocks += 1;
        self.block_first += count;
        self.block.clear();
        Ok(())
    }

    fn finish(mut self, segments_digest: u64) -> io::Result<()> {
        if self.block.count > 0 {
            self.finish_block()?;
        }
        let streams = self.streams();
        let Self { identity, mut output, directory, blocks, name_hashes, .. } = self;
        let filter = NameFilter::of(name_hashes).map(|filter| filter.encode());
        let mut put = |kind, count, bytes: &[u8]| {
            let stored = output.put_block(RawBlock { kind, first: 0, count, bytes })?;
            Ok::<_, io::Error>(u64::from(stored) + ENVELOPE_BYTES as u64)
        };
        let filter_bytes = filter.map_or(Ok(0), |bytes| put(BlockKind::Filter, streams, &bytes))?;
        let directory_bytes = put(BlockKind::Directory, blocks, &directory.into_bytes())?;
        let file_bytes = output.bytes() + FOOTER_BYTES as u64;
        let footer =
            TierFooter { file_bytes, segments_digest, streams, blocks, filter_bytes, directory_bytes };
        output.put(&footer.encode(identity))?;
        output.flush()
    }
}
