//! `Tables`: the index of all events, changed in one step when a commit is published.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::journal::{CommitView, Files, FrameAt};
use crate::segment::Tier;
use crate::state::StateTable;
use crate::types::limits::STATES_BYTES_MAX;
use crate::types::{EventId, Filter, StreamName, Timestamp, Version};

use super::block::Block;
use super::part::{Part, wrong_version};
use super::recent::{Kept, Recent};
use super::{Found, Place, Sealed, StreamKey};

const TOO_MUCH_STATE: &str = "with the commit the state records take more than they may";
const BACK_IN_TIME: &str = "commit was recorded before the one ahead of it";

#[derive(Debug)]
pub(crate) struct Tables {
    /// What was sealed: all events before those of the parts.
    sealed: Arc<Sealed>,
    files: Arc<Files>,
    /// One for each journal file that holds commits with events, in their order.
    parts: Vec<Part>,
    recent: Recent,
    /// The state records behind the last commit.
    states: StateTable,
    /// The journal file of the last commit, with events or without.
    last_file: Option<u64>,
}

impl Tables {
    /// The index of a store of which only what is sealed is known, `states` included, whose journal files will be among `files`.
    pub(crate) fn new(
        sealed: Sealed,
        states: StateTable,
        files: Arc<Files>,
        recent_bytes_max: usize,
    ) -> Self {
        let recent = Recent::new(recent_bytes_max, sealed.commits());
        Self { sealed: Arc::new(sealed), files, parts: Vec::new(), recent, states, last_file: None }
    }

    /// Takes in the next commit. Its events must carry the next version of their streams.
    ///
    /// # Errors
    /// What is wrong with the commit, in words. A part of it may have been taken in: the tables are then of no use.
    pub(crate) fn add(&mut self, view: CommitView, at: FrameAt) -> Result<(), String> {
        if view.event_count() > 0 {
            self.add_events(&view, at)?;
        }
        view.states().for_each(|record| self.states.apply(&record));
        if self.states.bytes() > STATES_BYTES_MAX {
            return Err(TOO_MUCH_STATE.to_owned());
        }
        self.last_file = Some(at.file);
        if view.event_count() > 0 {
            self.recent.push(view);
        }
        Ok(())
    }

    fn add_events(&mut self, view: &CommitView, at: FrameAt) -> Result<(), String> {
        if self.last_recorded_at().is_some_and(|last| last > view.recorded_at()) {
            return Err(BACK_IN_TIME.to_owned());
        }
        if self.parts.last().is_none_or(|part| part.file().number != at.file) {
            let file = self.files.get(at.file).ok_or("the commit's file is not among those open")?;
            self.parts.push(Part::new(file, self.head(), self.commit_count()));
        }
        let Some((last, older)) = self.parts.split_last_mut() else { return Ok(()) };
        last.add(view, at, |name, version| expected_version(&self.sealed, older, name, version))
    }

    /// Whether the next commit can be taken in; what is wrong with it otherwise. Changes nothing.
    pub(crate) fn check(&self, view: &CommitView) -> Result<(), String> {
        if view.event_count() > 0 && self.last_recorded_at().is_some_and(|last| last > view.recorded_at()) {
            return Err(BACK_IN_TIME.to_owned());
        }
        let mut next_versions: HashMap<&str, u64> = HashMap::new();
        for event in 0..view.event_count() {
            let (head, name) = view.head(event);
            let expected = next_versions
                .entry(name)
                .or_insert_with(|| expected_version(&self.sealed, &self.parts, name, head.version));
            if head.version != Version::new(*expected) {
                return Err(wrong_version(event, head.version, *expected));
            }
            *expected += 1;
        }
        Ok(())
    }

    /// Goes over to what is sealed now, up to the journal file before `oldest`. `states` is for those who have not seen all commits
    /// before it: what they are behind the segments.
    pub(crate) fn seal(&mut self, sealed: Sealed, oldest: u64, states: Option<StateTable>) {
        self.parts.retain(|part| part.file().number >= oldest);
        let follows = self.parts.first().is_none_or(|part| part.positions().start == sealed.end().position);
        assert!(follows, "the journal goes on where the segments end");
        self.recent.forget_before(sealed.commits());
        self.last_file = self.last_file.filter(|file| *file >= oldest);
        if let Some(states) = states {
            self.states = states;
        }
        self.sealed = Arc::new(sealed);
    }

    /// Goes over to a tier, where that was made of the segments that there are.
    pub(crate) fn add_tier(&mut self, tier: Arc<Tier>) {
        self.sealed = Arc::new(self.sealed.with_tiers(vec![tier]));
    }

    /// The journal file of the last commit, if that is not sealed.
    pub(crate) fn last_file(&self) -> Option<u64> {
        self.last_file
    }

    /// The state records behind the last commit.
    pub(crate) fn states(&self) -> &StateTable {
        &self.states
    }

    /// What is sealed.
    pub(crate) fn sealed(&self) -> &Arc<Sealed> {
        &self.sealed
    }

    /// The first position not yet committed.
    pub(crate) fn head(&self) -> u64 {
        self.parts.last().map_or(self.sealed.end().position, |part| part.positions().end)
    }

    /// How many commits with events there are.
    pub(crate) fn commit_count(&self) -> u64 {
        self.parts.last().map_or(self.sealed.commits(), |part| part.commits().end)
    }

    /// How many streams have events.
    pub(crate) fn stream_count(&self) -> u64 {
        self.sealed.new_streams() + self.parts.iter().map(Part::new_streams).sum::<u64>()
    }

    /// The position from which on all events are in memory.
    pub(crate) fn first_recent(&self) -> u64 {
        // A block may hold commits of before that are sealed by now.
        let first_unsealed = self.parts.first().map_or(0, |part| part.commits().start);
        let number = self.recent.first_commit().max(first_unsealed);
        let part = self.parts.iter().find(|part| part.commits().contains(&number));
        let commit = part.and_then(|part| part.commit(u32::try_from(number - part.commits().start).ok()?));
        commit.map_or_else(|| self.head(), |commit| commit.at.first_position)
    }

    /// Bytes of commits kept in memory.
    pub(crate) fn recent_bytes(&self) -> usize {
        self.recent.bytes()
    }

    /// The admitted streams with events that are not sealed, and how many events each has.
    pub(crate) fn unsealed_streams(&self, filter: &Filter) -> BTreeMap<StreamName, u64> {
        { self.parts.iter().flat_map(Part::streams) }
            .filter(|(name, _)| filter.admits_stream(name.as_str()))
            .map(|(name, versions)| (name.clone(), versions.end))
            .collect()
    }

    /// The version that the next event of a stream will have; `None` when none of its events is unsealed.
    pub(crate) fn next_version(&self, name: &str) -> Option<u64> {
        next_version(&self.parts, name)
    }

    /// The first version of a stream whose position is not below `position`; `None` when it has no unsealed event below.
    pub(crate) fn version_at(&self, name: &str, position: u64) -> Option<u64> {
        { self.parts.iter().rev() }
            .filter(|part| part.positions().start < position)
            .find_map(|part| Some(part.version_at(part.stream(name)?, position)))
    }

    /// The first unsealed position recorded when `before` holds no longer, the head when it always does. `None` when it holds
    /// for none that is unsealed.
    pub(crate) fn recorded_boundary(&self, before: impl Fn(Timestamp) -> bool) -> Option<u64> {
        let first = self.parts.first()?;
        first.commit(0).filter(|entry| before(entry.recorded_at))?;
        let holds_for = |part: &Part| part.last_recorded_at().is_none_or(&before);
        let at = self.parts.partition_point(holds_for);
        Some(self.parts.get(at).map_or_else(|| self.head(), |part| part.recorded_boundary(before)))
    }

    /// When the last commit was recorded.
    pub(crate) fn last_recorded_at(&self) -> Option<Timestamp> {
        self.parts.last().map_or_else(|| self.sealed.last_recorded_at(), Part::last_recorded_at)
    }

    /// The part that holds a position.
    pub(crate) fn part_at(&self, position: u64) -> Option<&Part> {
        let after = self.parts.partition_point(|part| part.positions().start <= position);
        self.parts.get(after.checked_sub(1)?).filter(|part| part.positions().contains(&position))
    }

    /// The part that holds a version of a stream, the stream's number in it, and the versions that it holds.
    pub(crate) fn part_of(&self, name: &str, version: u64) -> Option<(&Part, StreamKey, Range<u64>)> {
        { self.parts.iter().rev() }
            .filter_map(|part| part.stream(name).map(|key| (part, key, part.versions(key))))
            .find(|(_, _, versions)| versions.contains(&version))
    }

    /// What a reader needs to read events `from..to` of one of a part's commits, wherever its bytes are.
    pub(crate) fn find(&self, part: &Part, commit: u32, from: u32, to: u32) -> Result<Found> {
        let number = part.number_of(commit);
        match self.recent.find(number) {
            Some(Kept::Block(block)) => {
                let rows = block.row(number, from).zip(block.row(number, to));
                let (from, to) = rows.ok_or_else(|| missing(number))?;
                return Ok(Found::Rows { table: Arc::clone(block.table()), rows: from..to });
            }
            Some(Kept::Open(view)) => return Ok(Found::Commit { view: view.clone(), from, to }),
            None => {}
        }
        let entry = part.commit(commit).ok_or_else(|| missing(number))?;
        Ok(Found::Disk { file: Arc::clone(part.file()), at: entry.at, from, to })
    }

    /// What a reader needs to read one event.
    pub(crate) fn find_one(&self, part: &Part, place: Place) -> Result<Found> {
        self.find(part, place.commit, place.event, place.event.saturating_add(1))
    }

    /// What a reader needs to read the event with this id in a stream; `None` when it is not there, or sealed.
    pub(crate) fn find_id(&mut self, name: &str, id: EventId) -> Result<Option<Found>> {
        let found = { self.parts.iter_mut().enumerate().rev() }
            .find_map(|(number, part)| Some((number, part.find_id(part.stream(name)?, id)?)));
        let Some((number, place)) = found else { return Ok(None) };
        self.parts.get(number).map(|part| self.find_one(part, place)).transpose()
    }

    /// The commits in memory that hold `position` and positions around it, if there are several; and these positions.
    pub(crate) fn block_at(&self, position: u64) -> Option<(&Arc<Block>, Range<u64>)> {
        let part = self.part_at(position)?;
        let (commit, _) = part.commit_at(position)?;
        let block = self.recent.block(part.number_of(commit))?;
        Some((block, block.positions()))
    }
}

/// The version that the next event of a stream will have behind these parts, if one of them knows it.
fn next_version(parts: &[Part], name: &str) -> Option<u64> {
    parts.iter().rev().find_map(|part| Some(part.versions(part.stream(name)?).end))
}

/// The version that the next event of a stream must have. What the parts do not know may be sealed: then an event that says
/// `version` is believed. It was judged against the segments when it was appended, and reading sees whether it follows.
fn expected_version(sealed: &Sealed, parts: &[Part], name: &str, version: Version) -> u64 {
    let unknown = if sealed.segments().is_empty() { 0 } else { version.as_u64() };
    next_version(parts, name).unwrap_or(unknown)
}

fn missing(commit: u64) -> Error {
    Error::new(ErrorKind::Corrupt, format!("commit {commit} is not in the index"))
}
