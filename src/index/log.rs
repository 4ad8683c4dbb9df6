//! `Log`: what reading needs of a store, shared by all readers: the index and the files.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::journal::{CommitView, Files, FrameAt};
use crate::types::RecordedEvent;

use super::{Found, Index, Place};

/// The commit that somebody read from disk last.
pub(crate) type LastRead = Option<(FrameAt, CommitView)>;

/// The readable part of a store. It outlives the store's handle if an iterator does.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) index: Arc<Index>,
    pub(crate) files: Arc<Files>,
}

impl Log {
    /// The event at one place. `last` is the commit read from disk last, so that those who want several events of one read
    /// it once.
    pub(crate) fn event(&self, place: Place, last: &mut LastRead) -> Result<RecordedEvent> {
        let mut found = [self.index.read(|tables| tables.find_one(place))?];
        if let Some((_, error)) = self.fetch(&mut found, last) {
            return Err(error);
        }
        let event = found.first_mut().and_then(Found::take_first);
        Ok(event.unwrap_or_else(|| unreachable!("what was found was fetched")))
    }

    /// Brings the commits of these events into memory, in order. Stops at the first that cannot be read, and says which of
    /// `found` it is and why.
    pub(crate) fn fetch(&self, found: &mut [Found], last: &mut LastRead) -> Option<(usize, Error)> {
        let mut places: Vec<FrameAt> = found.iter().filter_map(Found::on_disk).collect();
        places.dedup();
        if places.first().copied() == last.as_ref().map(|(at, _)| *at) && last.is_some() {
            places.remove(0);
        }
        let (commits, failure) = self.files.read_commits_until_failure(&places);
        let mut commits = places.iter().copied().zip(commits);
        for (number, one) in found.iter_mut().enumerate() {
            let Some(at) = one.on_disk() else { continue };
            if last.as_ref().is_none_or(|(of, _)| *of != at) {
                *last = commits.next();
            }
            match last {
                Some((_, commit)) => one.read_as(commit.clone()),
                None => return failure.map(|error| (number, error)),
            }
        }
        None
    }
}
