//! `Part`: the index of one journal file, one of the pieces that the index of all unsealed events consists of. Events are
//! only ever added to the last one, and when its file has been sealed a part is dropped as a whole.

use std::ops::Range;
use std::sync::Arc;

use crate::journal::{CommitView, FrameAt, JournalFile};
use crate::types::{EventId, StreamName, Timestamp, Version};

use super::commits::Commits;
use super::event_ids::EventIds;
use super::streams::Streams;
use super::{CommitEntry, Place, StreamKey};

#[derive(Debug)]
pub(crate) struct Part {
    file: Arc<JournalFile>,
    first_position: u64,
    /// The number of its first commit, counted from the store's first.
    first_commit: u64,
    streams: Streams,
    commits: Commits,
    event_ids: EventIds,
    /// The stream of every position: lets a filter on streams pass over events without looking at their bytes.
    stream_of: Vec<StreamKey>,
    /// How many streams begin here: those whose first event of all it holds.
    new_streams: u64,
}

impl Part {
    pub(crate) fn new(file: Arc<JournalFile>, first_position: u64, first_commit: u64) -> Self {
        Self {
            file,
            first_position,
            first_commit,
            streams: Streams::default(),
            commits: Commits::default(),
            event_ids: EventIds::default(),
            stream_of: Vec::new(),
            new_streams: 0,
        }
    }

    /// Takes in the next commit. `expected` tells the version that the first event here of a stream
    /// must have, of which the event says what it has.
    ///
    /// # Errors
    /// What is wrong with the commit, in words. A part of it may have been taken in.
    pub(crate) fn add(
        &mut self,
        view: &CommitView,
        at: FrameAt,
        expected: impl Fn(&str, Version) -> u64,
    ) -> Result<(), String> {
        let commit =
            u32::try_from(self.commits.len()).map_err(|_| "more commits than the index can count")?;
        let mut last_key = None;
        for event in 0..view.event_count() {
            let (head, name) = view.head(event);
            // Events of one stream mostly follow each other: the name is looked up when it changes.
            let known = last_key.filter(|key| self.stream_name(*key) == name).or_else(|| self.stream(name));
            let next = match known {
                Some(key) => self.versions(key).end,
                None => expected(name, head.version),
            };
            if head.version != Version::new(next) {
                return Err(wrong_version(event, head.version, next));
            }
            let key = match known {
                Some(key) => key,
                None => self.streams.add(name, next).ok_or("more streams than the index can count")?,
            };
            last_key = Some(key);
            self.new_streams += u64::from(known.is_none() && next == 0);
            let place = Place { commit, event };
            self.streams.push(key, place);
            self.event_ids.push(head.id, key, place);
            self.stream_of.push(key);
        }
        self.commits.push(CommitEntry { at, recorded_at: view.recorded_at() });
        Ok(())
    }

    /// The journal file that it is about.
    pub(crate) fn file(&self) -> &Arc<JournalFile> {
        &self.file
    }

    /// The positions of its events.
    pub(crate) fn positions(&self) -> Range<u64> {
        self.first_position..self.first_position.saturating_add(self.stream_of.len() as u64)
    }

    /// The numbers of its commits, counted from the store's first.
    pub(crate) fn commits(&self) -> Range<u64> {
        self.first_commit..self.first_commit.saturating_add(self.commits.len() as u64)
    }

    /// How many streams begin here.
    pub(crate) fn new_streams(&self) -> u64 {
        self.new_streams
    }

    /// Where and when one of its commits was recorded; by its number in the part.
    pub(crate) fn commit(&self, commit: u32) -> Option<&CommitEntry> {
        self.commits.entry(commit)
    }

    /// The number of a commit, counted from the store's first.
    pub(crate) fn number_of(&self, commit: u32) -> u64 {
        self.first_commit.saturating_add(u64::from(commit))
    }

    /// When its last commit was recorded.
    pub(crate) fn last_recorded_at(&self) -> Option<Timestamp> {
        self.commits.last().map(|entry| entry.recorded_at)
    }

    /// The first position recorded when `before` holds no longer; the end of the part when it always does.
    pub(crate) fn recorded_boundary(&self, before: impl Fn(Timestamp) -> bool) -> u64 {
        self.commits.boundary(before, self.positions().end)
    }

    /// The commit that holds a position of this part, by its number in the part, and all positions that it holds.
    pub(crate) fn commit_at(&self, position: u64) -> Option<(u32, Range<u64>)> {
        let commit = self.commits.holding(position)?;
        let first = self.commits.entry(commit)?.at.first_position;
        let next = commit.checked_add(1).and_then(|next| self.commits.entry(next));
        Some((commit, first..next.map_or_else(|| self.positions().end, |next| next.at.first_position)))
    }

    /// All its streams, and which of their versions it holds.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (&StreamName, Range<u64>)> {
        self.streams.all()
    }

    pub(crate) fn stream(&self, name: &str) -> Option<StreamKey> {
        self.streams.key(name)
    }

    pub(crate) fn stream_name(&self, key: StreamKey) -> &str {
        self.streams.name(key).map_or("", StreamName::as_str)
    }

    /// The stream of the event at a position of this part.
    pub(crate) fn stream_of(&self, position: u64) -> Option<StreamKey> {
        let at = position.checked_sub(self.first_position)?;
        self.stream_of.get(usize::try_from(at).ok()?).copied()
    }

    /// The versions of a stream that it holds.
    pub(crate) fn versions(&self, key: StreamKey) -> Range<u64> {
        self.streams.versions(key)
    }

    /// Where a version of a stream is; `None` when it is in another part.
    pub(crate) fn place(&self, key: StreamKey, version: u64) -> Option<Place> {
        self.streams.place(key, version)
    }

    /// The first version of a stream whose position is not below `position`.
    pub(crate) fn version_at(&self, key: StreamKey, position: u64) -> u64 {
        let below = { self.streams.places(key) }
            .partition_point(|place| self.commits.position(*place).is_some_and(|at| at < position));
        self.versions(key).start.saturating_add(below as u64)
    }

    /// Where the event with this id is in a stream.
    pub(crate) fn find_id(&mut self, key: StreamKey, id: EventId) -> Option<Place> {
        self.event_ids.find(id, key)
    }
}

pub(super) fn wrong_version(event: u32, version: Version, expected: u64) -> String {
    format!("event {event}: version {version} where {expected} is next")
}
