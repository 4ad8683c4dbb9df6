//! `StreamsFrom`: the streams of a segment whose names begin alike, in order.

use std::sync::Arc;

use crate::error::Result;
use crate::types::StreamName;

use super::directory::Directory;
use super::envelope::BlockKind;
use super::segment_file::Segment;
use super::stream_block::{StreamBlock, StreamRun};

/// Streams of a segment in the order of their names' bytes. After an error there are no more.
#[derive(Debug)]
pub(crate) struct StreamsFrom {
    segment: Arc<Segment>,
    prefix: String,
    state: State,
}

#[derive(Debug)]
enum State {
    Start,
    /// The next stream is at this place of the block with this index.
    At(Arc<Directory>, u32, Arc<StreamBlock>, usize),
    End,
}

impl Segment {
    /// The streams whose names start with `prefix`: all for an empty one.
    pub(crate) fn streams_from(self: &Arc<Self>, prefix: &str) -> StreamsFrom {
        StreamsFrom { segment: Arc::clone(self), prefix: prefix.to_owned(), state: State::Start }
    }
}

impl StreamsFrom {
    fn read_next(&mut self) -> Result<Option<(StreamName, StreamRun)>> {
        let (directory, mut index, mut block, mut at) = match std::mem::replace(&mut self.state, State::End) {
            State::End => return Ok(None),
            State::At(directory, index, block, at) => (directory, index, block, at),
            State::Start => {
                let directory = self.segment.directory()?;
                let indexes = directory.indexes(BlockKind::Streams);
                if indexes.is_empty() {
                    return Ok(None);
                }
                let index = directory.streams_index(&self.prefix).unwrap_or(indexes.start);
                let block = self.segment.streams_block(&directory, index)?;
                let at = block.first_from(&self.prefix);
                (directory, index, block, at)
            }
        };
        while block.stream(at).is_none() {
            index += 1;
            if index >= directory.indexes(BlockKind::Streams).end {
                return Ok(None);
            }
            (block, at) = (self.segment.streams_block(&directory, index)?, 0);
        }
        let found = block.stream(at).filter(|(name, _)| name.starts_with(&self.prefix));
        let Some((name, run)) = found else { return Ok(None) };
        let name = StreamName::new(name)
            .unwrap_or_else(|_| unreachable!("names were checked to be within their limits"));
        self.state = State::At(directory, index, block, at + 1);
        Ok(Some((name, run)))
    }
}

impl Iterator for StreamsFrom {
    type Item = Result<(StreamName, StreamRun)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read_next().transpose()
    }
}
