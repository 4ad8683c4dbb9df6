//! `Log`: what reading needs of a store, shared by all readers: the index and the files.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::journal::{CommitView, Files, FrameAt, read_commits_until_failure};
use crate::segment::BlockCache;
use crate::types::{EventId, Filter, RecordedEvent, StreamName, Timestamp, Version};

use super::waiting::Waiting;
use super::{Found, Index, Sealed, Tables, Tail, Tails};

/// The commit that somebody read from disk last.
pub(crate) type LastRead = Option<(FrameAt, CommitView)>;

/// The readable part of a store. It outlives the store's handle if an iterator does.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) index: Arc<Index>,
    pub(crate) files: Arc<Files>,
    /// Blocks of segments that were read.
    pub(crate) cache: Arc<BlockCache>,
    /// Of streams whose events are all sealed.
    pub(crate) tails: Tails,
    /// Those who wait for what is appended.
    pub(crate) waiting: Waiting,
}

/// Bytes of tails that are kept.
const TAILS_BYTES_MAX: usize = 8 << 20;

impl Log {
    /// What there is to read.
    pub(crate) fn new(tables: Tables, files: Arc<Files>, cache: Arc<BlockCache>) -> Self {
        Self {
            index: Arc::new(Index::new(tables)),
            files,
            cache,
            tails: Tails::new(TAILS_BYTES_MAX),
            waiting: Waiting::default(),
        }
    }

    /// What is sealed now.
    pub(crate) fn sealed(&self) -> Arc<Sealed> {
        self.index.read(|tables| Arc::clone(tables.sealed()))
    }

    /// The version that the next event of a stream will have: how many events it has.
    pub(crate) fn next_version(&self, name: &str) -> Result<u64> {
        let (unsealed, sealed) =
            self.index.read(|tables| (tables.next_version(name), Arc::clone(tables.sealed())));
        unsealed.map_or_else(|| self.sealed_versions(&sealed, name), Ok)
    }

    /// How many events of a stream are sealed.
    fn sealed_versions(&self, sealed: &Sealed, name: &str) -> Result<u64> {
        let segments = sealed.segments().len();
        let known = self.tails.get(name).filter(|tail| tail.segments <= segments);
        let known = known.unwrap_or(Tail { next_version: 0, segments: 0 });
        if known.segments == segments {
            return Ok(known.next_version);
        }
        let next_version = sealed.next_version(name, known.segments)?.unwrap_or(known.next_version);
        // A stream that never was is not kept: there is no end to them, and its next append is in the journal.
        if next_version > 0 {
            self.tails.put(name, Tail { next_version, segments });
        }
        Ok(next_version)
    }

    /// The version of a stream's last event.
    pub(crate) fn version(&self, name: &str) -> Result<Option<Version>> {
        Ok(self.next_version(name)?.checked_sub(1).map(Version::new))
    }

    /// The first version of a stream whose position is not below `position`.
    pub(crate) fn version_at(&self, name: &str, position: u64) -> Result<u64> {
        let (unsealed, sealed) =
            self.index.read(|tables| (tables.version_at(name, position), Arc::clone(tables.sealed())));
        unsealed.map_or_else(|| sealed.version_at(name, position), Ok)
    }

    /// The first position recorded when `before` holds no longer; the head when it always does.
    pub(crate) fn recorded_boundary(&self, before: impl Fn(Timestamp) -> bool) -> Result<u64> {
        let (unsealed, sealed) =
            self.index.read(|tables| (tables.recorded_boundary(&before), Arc::clone(tables.sealed())));
        unsealed.map_or_else(|| sealed.recorded_boundary(before), Ok)
    }

    /// The streams that a filter admits, and how many events each has.
    pub(crate) fn streams(&self, filter: &Filter) -> Result<BTreeMap<StreamName, u64>> {
        let (unsealed, sealed) =
            self.index.read(|tables| (tables.unsealed_streams(filter), Arc::clone(tables.sealed())));
        let mut streams = sealed.streams(filter)?;
        streams.extend(unsealed);
        Ok(streams)
    }

    /// The event with this id in a stream. `last` as for [`Log::event`].
    pub(crate) fn find_id(
        &self,
        name: &str,
        id: EventId,
        last: &mut LastRead,
    ) -> Result<Option<RecordedEvent>> {
        let (unsealed, sealed) =
            self.index.change(|tables| (tables.find_id(name, id), Arc::clone(tables.sealed())));
        match unsealed? {
            Some(found) => self.event(found, last).map(Some),
            None => sealed.find_id(name, id),
        }
    }

    /// One event that was found. `last` is the commit read from disk last, so that those who want several events of one
    /// read it once.
    pub(crate) fn event(&self, found: Found, last: &mut LastRead) -> Result<RecordedEvent> {
        let mut found = [found];
        if let Some((_, error)) = self.fetch(&mut found, last) {
            return Err(error);
        }
        let event = found.first_mut().and_then(Found::take_first);
        Ok(event.unwrap_or_else(|| unreachable!("what was found was fetched")))
    }

    /// Brings these events into memory, in order, and takes them apart. Stops at the first that cannot be read, and says which of
    /// `found` it is and why.
    pub(crate) fn fetch(&self, found: &mut [Found], last: &mut LastRead) -> Option<(usize, Error)> {
        let mut places: Vec<_> = found.iter().filter_map(Found::on_disk).collect();
        places.dedup_by_key(|(_, at)| *at);
        if last.as_ref().is_some_and(|(of, _)| places.first().is_some_and(|(_, at)| at == of)) {
            places.remove(0);
        }
        let (commits, failure) = read_commits_until_failure(&places);
        let places: Vec<FrameAt> = places.into_iter().map(|(_, at)| at).collect();
        let mut commits = places.into_iter().zip(commits);
        for (number, one) in found.iter_mut().enumerate() {
            if let Some((_, at)) = one.on_disk() {
                if last.as_ref().is_none_or(|(of, _)| *of != at) {
                    *last = commits.next();
                }
                match last {
                    Some((_, commit)) if !one.is_in(commit) => {
                        let what = "another frame stands here than the one that was written";
                        let error = one.on_disk().map(|(file, at)| file.corrupt(at.offset, what));
                        Found::take_apart(found.get_mut(..number).unwrap_or_default());
                        return error.map(|error| (number, error));
                    }
                    Some((_, commit)) => one.read_as(commit.clone()),
                    None => {
                        Found::take_apart(found.get_mut(..number).unwrap_or_default());
                        return failure.map(|error| (number, error));
                    }
                }
            }
        }
        Found::take_apart(found);
        None
    }
}
