//! `TierStreams`: the streams of a tier in the order of their names' bytes, with their runs.

use std::sync::Arc;

use crate::error::Result;
use crate::segment::directory::Directory;
use crate::segment::envelope::BlockKind;

use super::runs_block::{RunsBlock, StreamRuns};
use super::tier_file::Tier;

/// All streams of a tier. After an error there are no more.
#[derive(Debug)]
pub(crate) struct TierStreams {
    tier: Arc<Tier>,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    /// The next stream is at this place of the block, and the next block has this index.
    At(Arc<Directory>, Arc<RunsBlock>, usize, u32),
    End,
}

impl Tier {
    /// All of its streams.
    pub(crate) fn streams(self: &Arc<Self>) -> TierStreams {
        TierStreams { tier: Arc::clone(self), state: State::Start }
    }
}

impl TierStreams {
    fn read_next(&mut self) -> Result<Option<StreamRuns>> {
        let (directory, mut block, mut at, mut next) = match std::mem::replace(&mut self.state, State::End) {
            State::End => return Ok(None),
            State::At(directory, block, at, next) => (directory, block, at, next),
            State::Start => {
                let directory = self.tier.directory()?;
                let first = directory.indexes(BlockKind::Streams).start;
                let block = self.tier.runs_block(&directory, first)?;
                (directory, block, 0, first + 1)
            }
        };
        let stream = loop {
            if let Some(stream) = block.stream(at) {
                break stream;
            }
            if next >= directory.indexes(BlockKind::Streams).end {
                return Ok(None);
            }
            (block, at, next) = (self.tier.runs_block(&directory, next)?, 0, next + 1);
        };
        self.state = State::At(directory, block, at + 1, next);
        Ok(Some(stream))
    }
}

impl Iterator for TierStreams {
    type Item = Result<StreamRuns>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_next().transpose()
    }
}
