//! Merging the streams of segments, or of tiers, into one row, in the order of their names. In memory is one stream of each.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::error::Result;
use crate::segment::segment_file::Segment;
use crate::types::StreamName;

use super::runs_block::{StreamRuns, TierRun};

/// Streams in the order of their names.
pub(crate) type Source = Box<dyn Iterator<Item = Result<StreamRuns>>>;

/// The streams of several sources in one row, each with the runs of all. The sources stand in the order of their segments. After
/// an error there are no more.
pub(crate) fn merged(sources: Vec<Source>) -> impl Iterator<Item = Result<StreamRuns>> {
    let mut merge = Merge { sources, heads: BinaryHeap::new(), began: false };
    std::iter::from_fn(move || {
        let next = merge.next_stream();
        if next.is_err() {
            merge.heads.clear();
            merge.sources.clear();
        }
        next.transpose()
    })
}

struct Merge {
    sources: Vec<Source>,
    /// The next stream of each source, first name first, then first source.
    heads: BinaryHeap<Reverse<Head>>,
    began: bool,
}

struct Head {
    name: StreamName,
    source: usize,
    runs: Vec<TierRun>,
}

impl Head {
    fn key(&self) -> (&[u8], usize) {
        (self.name.as_str().as_bytes(), self.source)
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Merge {
    fn next_stream(&mut self) -> Result<Option<StreamRuns>> {
        if !self.began {
            self.began = true;
            for source in 0..self.sources.len() {
                self.advance(source)?;
            }
        }
        let Some(Reverse(Head { name, source, mut runs })) = self.heads.pop() else { return Ok(None) };
        self.advance(source)?;
        while self.heads.peek().is_some_and(|Reverse(head)| head.name == name) {
            let Some(Reverse(head)) = self.heads.pop() else { break };
            runs.extend(head.runs);
            self.advance(head.source)?;
        }
        Ok(Some(StreamRuns { name, runs }))
    }

    /// Takes the next stream of a source.
    fn advance(&mut self, source: usize) -> Result<()> {
        let next = self.sources.get_mut(source).and_then(Iterator::next).transpose()?;
        if let Some(StreamRuns { name, runs }) = next {
            self.heads.push(Reverse(Head { name, source, runs }));
        }
        Ok(())
    }
}

impl Segment {
    /// All of its streams, as a tier knows them.
    pub(crate) fn streams_with_runs(self: &Arc<Self>) -> Source {
        let segment = self.number();
        let streams = self.streams_from("");
        Box::new(streams.map(move |stream| {
            stream.map(|(name, run)| StreamRuns { name, runs: vec![TierRun { segment, run }] })
        }))
    }
}
