//! `Log`: what reading needs of a store, shared by all readers: the index and the files.

use std::sync::Arc;

use crate::error::{Error, Result};
use crate::journal::{CommitView, Files, FrameAt};
use crate::types::RecordedEvent;

use super::{Found, Index, Place};

/// The readable part of a store. It outlives the store's handle if an iterator does.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) index: Arc<Index>,
    pub(crate) files: Arc<Files>,
}

impl Log {
    /// The event at one place.
    pub(crate) fn event(&self, place: Place) -> Result<RecordedEvent> {
        let mut found = vec![self.index.read(|tables| tables.find_one(place))?];
        let failure = self.fetch(&mut found);
        let event = found.first_mut().and_then(Found::take_first);
        event.ok_or_else(|| failure.unwrap_or_else(|| unreachable!("what was found was fetched or failed")))
    }

    /// Brings the commits of these events into memory, in order. Stops at the first that cannot be read: what comes before
    /// it stays, and the error tells of it.
    pub(crate) fn fetch(&self, found: &mut Vec<Found>) -> Option<Error> {
        let mut places: Vec<FrameAt> = found.iter().filter_map(Found::on_disk).collect();
        places.dedup();
        if places.is_empty() {
            return None;
        }
        let (commits, failure) = self.files.read_commits_until_failure(&places);
        let mut commits = places.iter().zip(commits);
        let mut current: Option<(&FrameAt, CommitView)> = None;
        let mut readable = found.len();
        for (number, one) in found.iter_mut().enumerate() {
            let Some(at) = one.on_disk() else { continue };
            if current.as_ref().is_none_or(|(of, _)| **of != at) {
                current = commits.next();
            }
            match &current {
                Some((_, commit)) => one.read_as(commit.clone()),
                None => {
                    readable = number;
                    break;
                }
            }
        }
        found.truncate(readable);
        failure
    }
}
