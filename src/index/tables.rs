//! `Tables`: the four tables of the index as one value, changed together when a commit is published.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::journal::{CommitView, FrameAt};
use crate::types::{EventId, Position, Timestamp, Version};

use super::block::Block;
use super::commits::Commits;
use super::event_ids::EventIds;
use super::recent::Recent;
use super::streams::Streams;
use super::{CommitEntry, Found, Place, StreamKey, StreamSummary};

const BACK_IN_TIME: &str = "commit was recorded before the one ahead of it";

#[derive(Debug)]
pub(crate) struct Tables {
    streams: Streams,
    commits: Commits,
    event_ids: EventIds,
    recent: Recent,
    /// The stream of every position: lets a filter on streams pass over events without looking at their bytes.
    stream_of: Vec<StreamKey>,
}

impl Tables {
    pub(crate) fn new(recent_bytes_max: usize) -> Self {
        Self {
            streams: Streams::default(),
            commits: Commits::default(),
            event_ids: EventIds::default(),
            recent: Recent::new(recent_bytes_max),
            stream_of: Vec::new(),
        }
    }

    /// Takes in the next commit. Its events must carry the next version of their streams.
    ///
    /// # Errors
    /// What is wrong with the commit, in words. A part of it may have been taken in: the tables are then of no use.
    pub(crate) fn add(&mut self, view: CommitView, at: FrameAt) -> Result<(), String> {
        let commit =
            u32::try_from(self.commits.len()).map_err(|_| "more commits than the index can count")?;
        if self.commits.last().is_some_and(|last| last.recorded_at > view.recorded_at()) {
            return Err(BACK_IN_TIME.to_owned());
        }
        let mut last_key = None;
        for event in 0..view.event_count() {
            let (head, name) = view.head(event);
            // Events of one stream mostly follow each other: the name is looked up when it changes.
            let key = match last_key.filter(|key| self.stream_name(*key) == name) {
                Some(key) => key,
                None => self.streams.key_or_new(name).ok_or("more streams than the index can count")?,
            };
            last_key = Some(key);
            let expected = self.stream_events(key);
            if head.version != Version::new(expected) {
                return Err(wrong_version(event, head.version, expected));
            }
            let place = Place { commit, event };
            self.streams.push(key, place);
            self.event_ids.push(head.id, key, place);
            self.stream_of.push(key);
        }
        self.commits.push(CommitEntry { at, recorded_at: view.recorded_at() });
        self.recent.push(view);
        Ok(())
    }

    /// Whether the next commit can be taken in; what is wrong with it otherwise. Changes nothing.
    pub(crate) fn check(&self, view: &CommitView) -> Result<(), String> {
        if self.commits.last().is_some_and(|last| last.recorded_at > view.recorded_at()) {
            return Err(BACK_IN_TIME.to_owned());
        }
        let mut next_versions: HashMap<&str, u64> = HashMap::new();
        for event in 0..view.event_count() {
            let (head, name) = view.head(event);
            let known = || self.stream(name).map_or(0, |key| self.stream_events(key));
            let expected = next_versions.entry(name).or_insert_with(known);
            if head.version != Version::new(*expected) {
                return Err(wrong_version(event, head.version, *expected));
            }
            *expected += 1;
        }
        Ok(())
    }

    /// The first position not yet committed.
    pub(crate) fn head(&self) -> u64 {
        self.stream_of.len() as u64
    }

    pub(crate) fn stream(&self, name: &str) -> Option<StreamKey> {
        self.streams.key(name)
    }

    pub(crate) fn stream_name(&self, key: StreamKey) -> &str {
        self.streams.name(key).map_or("", |name| name.as_str())
    }

    /// How many streams there are.
    pub(crate) fn stream_count(&self) -> usize {
        self.streams.len()
    }

    /// How many commits there are.
    pub(crate) fn commit_count(&self) -> usize {
        self.commits.len()
    }

    /// Bytes of commits kept in memory.
    pub(crate) fn recent_bytes(&self) -> usize {
        self.recent.bytes()
    }

    pub(crate) fn summaries(&self) -> impl Iterator<Item = StreamSummary> + '_ {
        self.streams.summaries()
    }

    /// The last version of a stream.
    pub(crate) fn version(&self, key: StreamKey) -> Option<Version> {
        self.streams.version(key)
    }

    /// How many events a stream has.
    pub(crate) fn stream_events(&self, key: StreamKey) -> u64 {
        self.streams.places(key).len() as u64
    }

    /// Where the event at `version` of a stream is.
    pub(crate) fn place(&self, key: StreamKey, version: Version) -> Option<Place> {
        self.streams.places(key).get(usize::try_from(version.as_u64()).ok()?).copied()
    }

    /// Where the event with this id is in a stream.
    pub(crate) fn find_id(&mut self, key: StreamKey, id: EventId) -> Option<Place> {
        self.event_ids.find(id, key)
    }

    /// The stream of the event at `position`.
    pub(crate) fn stream_of(&self, position: u64) -> Option<StreamKey> {
        self.stream_of.get(usize::try_from(position).ok()?).copied()
    }

    /// How many of a stream's events lie below `position`.
    pub(crate) fn events_below(&self, key: StreamKey, position: u64) -> u64 {
        self.streams.places(key).partition_point(|place| self.position(*place).as_u64() < position) as u64
    }

    /// The first position recorded when `before` holds no longer; the head when it always does.
    pub(crate) fn recorded_boundary(&self, before: impl Fn(Timestamp) -> bool) -> u64 {
        self.commits.boundary(before, self.head())
    }

    /// When the last commit was recorded.
    pub(crate) fn last_recorded_at(&self) -> Option<Timestamp> {
        self.commits.last().map(|entry| entry.recorded_at)
    }

    /// The position of an event.
    pub(crate) fn position(&self, place: Place) -> Position {
        Position::new(self.commits.position(place).unwrap_or_default())
    }

    /// The commit that holds `position`, and the positions that it holds.
    pub(crate) fn commit_at(&self, position: u64) -> Option<(u32, Range<u64>)> {
        let commit = self.commits.holding(position)?;
        Some((commit, self.positions_of(commit)?))
    }

    /// The positions that a commit holds.
    pub(crate) fn positions_of(&self, commit: u32) -> Option<Range<u64>> {
        let first = self.commits.entry(commit)?.at.first_position;
        let next = commit.checked_add(1).and_then(|next| self.commits.entry(next));
        Some(first..next.map_or_else(|| self.head(), |next| next.at.first_position))
    }

    /// What a reader needs to read events `from..to` of a commit, wherever its bytes are.
    pub(crate) fn find(&self, commit: u32, from: u32, to: u32) -> Result<Found> {
        if let Some(view) = self.recent.view(commit) {
            return Ok(Found::Commit { view: view.clone(), from, to });
        }
        let entry = self.commits.entry(commit).ok_or_else(|| missing(commit))?;
        Ok(Found::Disk { at: entry.at, from, to })
    }

    /// What a reader needs to read one event.
    pub(crate) fn find_one(&self, place: Place) -> Result<Found> {
        self.find(place.commit, place.event, place.event.saturating_add(1))
    }

    /// The commits in memory that hold `position` and positions around it, if there are several; and these positions.
    pub(crate) fn block_at(&self, position: u64) -> Option<(&Arc<Block>, Range<u64>)> {
        let block = self.recent.block(self.commits.holding(position)?)?;
        Some((block, block.positions()))
    }
}

fn wrong_version(event: u32, version: Version, expected: u64) -> String {
    format!("event {event}: version {version} where {expected} is next")
}

fn missing(commit: u32) -> Error {
    Error::new(ErrorKind::Corrupt, format!("commit {commit} is not in the index"))
}
