//! `Model`: what must be in the store, as a plain `Vec`, and how sure of it a caller may be. It judges appends as the rules
//! of docs/design.md say, without a look at how annals does it.

use std::collections::HashMap;
use std::sync::Arc;

use annals::{ErrorKind, ExpectedVersion, Version};

/// An event as it is sent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentEvent {
    pub(crate) stream: usize,
    pub(crate) id: Option<u64>,
    pub(crate) payload: Arc<Vec<u8>>,
}

impl SentEvent {
    /// The first byte of its payload says it.
    pub(crate) fn event_type(&self) -> &'static str {
        if self.payload.first().is_some_and(|byte| byte % 2 == 1) { "Odd" } else { "Even" }
    }
}

/// An append as it is sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// In the order in which they are named.
    pub(crate) checks: Vec<(usize, ExpectedVersion)>,
    /// In their order; those of one check follow one another.
    pub(crate) events: Vec<(usize, SentEvent)>,
    pub(crate) synced: bool,
}

impl Sent {
    pub(crate) fn all_have_ids(&self) -> bool {
        self.events.iter().all(|(_, event)| event.id.is_some())
    }
}

/// An event as it must be found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Remembered {
    pub(crate) sent: SentEvent,
    pub(crate) version: u64,
    pub(crate) recorded_at: i64,
}

/// What must become of an append when the disk does as it is told.
#[derive(Debug, PartialEq)]
pub(crate) enum Wanted {
    /// These events follow.
    Appended(Vec<Remembered>),
    /// At these positions.
    AlreadyAppended(Vec<usize>),
    /// It has no events and its checks hold.
    Nothing,
    /// By so many checks.
    Refused(ErrorKind, usize),
}

#[derive(Debug, Default)]
pub(crate) struct Model {
    /// What readers see.
    pub(crate) events: Vec<Remembered>,
    /// How many events there were after each commit.
    commit_ends: Vec<usize>,
    /// So many commits survive a power cut.
    durable: usize,
    /// An append that was not answered, or as `Indeterminate`: it is found whole, behind all else, or not at all.
    pub(crate) in_doubt: Option<Vec<Remembered>>,
    /// The power was cut since the store was last open: what was not durable may be gone, from the end.
    pub(crate) power_cut: bool,
    /// What the clock shows.
    pub(crate) now: i64,
}

impl Model {
    pub(crate) fn version(&self, stream: usize) -> Option<u64> {
        (self.events.iter().filter(|event| event.sent.stream == stream).count() as u64).checked_sub(1)
    }

    pub(crate) fn last_recorded_at(&self) -> Option<i64> {
        self.events.last().map(|event| event.recorded_at)
    }

    /// Where the event with an id is in a stream.
    fn known(&self, stream: usize, id: u64) -> Option<usize> {
        self.events.iter().position(|event| event.sent.stream == stream && event.sent.id == Some(id))
    }

    pub(crate) fn judge(&self, sent: &Sent) -> Wanted {
        let ids: Vec<(usize, u64)> =
            sent.events.iter().filter_map(|(_, event)| Some((event.stream, event.id?))).collect();
        if ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id)) {
            return Wanted::Refused(ErrorKind::Invalid, 0);
        }
        let accepts = |stream: usize, expected: ExpectedVersion| {
            expected.accepts(self.version(stream).map(Version::new))
        };
        let conflicts = sent.checks.iter().filter(|(stream, expected)| !accepts(*stream, *expected)).count();
        let found: Vec<Option<usize>> =
            sent.events.iter().map(|(_, event)| self.known(event.stream, event.id?)).collect();
        if found.iter().any(Option::is_some) {
            return self.judge_known(sent, &found, conflicts);
        }
        match (conflicts, sent.events.is_empty()) {
            (0, true) => Wanted::Nothing,
            (0, false) => Wanted::Appended(self.following(sent)),
            _ => Wanted::Refused(ErrorKind::Conflict, conflicts),
        }
    }

    fn judge_known(&self, sent: &Sent, found: &[Option<usize>], conflicts: usize) -> Wanted {
        let all = found.iter().all(Option::is_some);
        let mut last: HashMap<usize, usize> = HashMap::new();
        let mut reused = 0;
        for ((_, event), at) in sent.events.iter().zip(found) {
            let Some(at) = at else { continue };
            let in_order = last.insert(event.stream, *at).is_none_or(|last| last < *at);
            reused += usize::from(!(all && in_order && self.events[*at].sent.payload == event.payload));
        }
        if reused > 0 {
            return Wanted::Refused(ErrorKind::IdReused, reused + conflicts);
        }
        Wanted::AlreadyAppended(found.iter().flatten().copied().collect())
    }

    /// The events of an append, as they are when they follow what is there.
    fn following(&self, sent: &Sent) -> Vec<Remembered> {
        let recorded_at = self.last_recorded_at().map_or(self.now, |last| last.max(self.now));
        let mut next: HashMap<usize, u64> = HashMap::new();
        let remember = |(_, event): &(usize, SentEvent)| {
            let first = self.version(event.stream).map_or(0, |version| version + 1);
            let next = next.entry(event.stream).or_insert(first);
            let version = *next;
            *next += 1;
            Remembered { sent: event.clone(), version, recorded_at }
        };
        sent.events.iter().map(remember).collect()
    }

    /// A commit was answered.
    pub(crate) fn append(&mut self, events: Vec<Remembered>) {
        self.events.extend(events);
        self.commit_ends.push(self.events.len());
    }

    /// All that readers see survives a power cut from now on.
    pub(crate) fn all_is_durable(&mut self) {
        self.durable = self.commit_ends.len();
    }

    /// What may be found when the store is opened, the least first.
    pub(crate) fn may_be_found(&self) -> Vec<Vec<Remembered>> {
        let all = self.commit_ends.len();
        let least = if self.power_cut { self.durable } else { all };
        let end = |commits: usize| commits.checked_sub(1).map_or(0, |last| self.commit_ends[last]);
        let prefixes = (least..=all).map(|commits| self.events[..end(commits)].to_vec());
        let with_doubtful = self.in_doubt.iter().map(|more| [&self.events[..], more].concat());
        prefixes.chain(with_doubtful).collect()
    }

    /// The store was opened and holds this: from now on it is there for certain.
    pub(crate) fn settle(&mut self, found: Vec<Remembered>) {
        if found.len() > self.events.len() {
            self.commit_ends.push(found.len());
        }
        self.commit_ends.retain(|end| *end <= found.len());
        self.events = found;
        (self.in_doubt, self.power_cut) = (None, false);
        self.all_is_durable();
    }
}
