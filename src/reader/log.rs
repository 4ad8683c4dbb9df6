//! `Log`: what reading needs of a store, shared by all readers: the index and the files.

use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::index::{Found, Index, Place, Source};
use crate::journal::{CommitView, Files, FrameAt};
use crate::types::RecordedEvent;

/// The readable part of a store. It outlives the store's handle if an iterator does.
#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) index: Arc<Index>,
    pub(crate) files: Arc<Files>,
}

/// An event whose commit is in memory.
#[derive(Debug, Clone)]
pub(crate) struct InHand {
    commit: CommitView,
    event: u32,
}

impl InHand {
    pub(crate) fn event(&self) -> Result<RecordedEvent> {
        self.commit.event(self.event).map_err(|bad| {
            let first = self.commit.first_position();
            Error::new(
                ErrorKind::Corrupt,
                format!("event {} of the commit at position {first}: {bad}", self.event),
            )
        })
    }
}

impl Log {
    /// The event at one place.
    pub(crate) fn event(&self, place: Place) -> Result<RecordedEvent> {
        let found = self.index.read(|tables| tables.found(place))?;
        let (in_hand, failure) = self.fetch(vec![found]);
        match (in_hand.first(), failure) {
            (Some(event), _) => event.event(),
            (None, Some(error)) => Err(error),
            (None, None) => Err(Error::new(ErrorKind::Corrupt, "an event was found and could not be read")),
        }
    }

    /// Brings the commits of these events into memory, in order; stops at the first that cannot be read, with the error.
    pub(crate) fn fetch(&self, found: Vec<Found>) -> (Vec<InHand>, Option<Error>) {
        let mut in_hand = Vec::with_capacity(found.len());
        let mut on_disk: Vec<FrameAt> = Vec::new();
        for one in &found {
            if let Source::Disk(at) = one.source
                && on_disk.last() != Some(&at)
            {
                on_disk.push(at);
            }
        }
        let (commits, failure) = self.files.read_commits_until_failure(&on_disk);
        let mut commits = on_disk.iter().zip(commits);
        let mut current: Option<(&FrameAt, CommitView)> = None;
        for one in found {
            let commit = match one.source {
                Source::Recent(commit) => commit,
                Source::Disk(at) => {
                    if current.as_ref().is_none_or(|(of, _)| **of != at) {
                        current = commits.next();
                    }
                    match &current {
                        Some((_, commit)) => commit.clone(),
                        None => return (in_hand, failure),
                    }
                }
            };
            in_hand.push(InHand { commit, event: one.event });
        }
        (in_hand, failure)
    }
}
