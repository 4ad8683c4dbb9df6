//! `Flow`: what becomes of events between being read and being done. Pure: it is told the time, and asks nobody.
//!
//! An event that was read waits behind the earlier ones of its key; then it is ready; then it is out, until it is acknowledged,
//! refused, or its time is up; then done, or ready again after a while. Done events are forgotten when all before them are
//! done: the position up to which that is so is the floor.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crate::state::Progress;
use crate::types::{RecordedEvent, Timestamp};

use super::settings::Settings;

/// So far above what was read events count as handed out once one was, so that this is recorded rarely.
const HANDED_AHEAD: u64 = 1024;
/// Events are read ahead up to so many times as may be out, so that one slow key does not keep others waiting.
const READ_AHEAD: usize = 4;

pub(super) type Key = Arc<str>;

/// An event that is not done, or not forgotten.
#[derive(Debug)]
struct Pending {
    event: RecordedEvent,
    key: Option<Key>,
    /// How often it was handed out.
    times: u32,
    state: State,
    /// It was parked, and is handed out again beside all others.
    is_replayed: bool,
}

impl Pending {
    /// Whether it is done as far as its worker is concerned.
    fn is_done(&self) -> bool {
        matches!(self.state, State::Acked | State::Done)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Behind an earlier one of its key.
    Held,
    Ready,
    /// Refused, or its time was up: not before this.
    Later(Timestamp),
    /// With a worker, until this.
    Out(Timestamp),
    /// Acknowledged, and not yet on disk.
    Acked,
    Done,
}

/// An event that is handed out.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) event: RecordedEvent,
    /// Which time it is handed out, from 1.
    pub(super) attempt: u32,
}

/// What there is for a worker.
#[derive(Debug)]
pub(super) enum Next {
    Given(Given),
    /// This event was handed out so often, as often as it may be, and the process ended over it: it is to be parked.
    TooOften(u64, u32),
}

/// The delivery is not the last one of its event, or the event is done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Expired;

/// What becomes of an event that was not acknowledged.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// It is handed out again.
    Again,
    /// It was handed out as often as it may be.
    TooOften,
}

#[derive(Debug)]
pub(super) struct Flow {
    settings: Settings,
    pending: BTreeMap<u64, Pending>,
    /// Of each key the events that are not done, but for replayed ones, in order.
    lanes: HashMap<Key, VecDeque<u64>>,
    ready: BTreeSet<u64>,
    /// When something is to happen to an event.
    timers: BTreeSet<(Timestamp, u64)>,
    /// Keys whose events wait behind one that is parked, and which.
    waiting: HashMap<Key, u64>,
    /// What the last process knew of events that were not read yet.
    known: BTreeMap<u64, u32>,
    /// All that is admitted below was taken in.
    read_to: u64,
    /// As recorded: below it events may have been handed out.
    handed_to: u64,
    /// Below it the last process, which ended without a word, may have handed out events.
    suspect_to: u64,
    out: usize,
    not_done: usize,
    pub(super) redelivered: u64,
}

impl Flow {
    pub(super) fn new(settings: Settings, progress: Progress) -> Self {
        let Progress { floor, handed_to, known } = progress;
        Self {
            settings,
            pending: BTreeMap::new(),
            lanes: HashMap::new(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            waiting: HashMap::new(),
            known,
            read_to: floor,
            handed_to,
            suspect_to: handed_to,
            out: 0,
            not_done: 0,
            redelivered: 0,
        }
    }

    /// Whether more events may be read.
    pub(super) fn wants_more(&self) -> bool {
        self.not_done < self.settings.max_ack_pending.saturating_mul(READ_AHEAD)
    }

    /// All that is admitted below was taken in.
    pub(super) fn read_to(&self) -> u64 {
        self.read_to
    }

    /// Everything below `position` was read.
    pub(super) fn has_read(&mut self, position: u64) {
        self.read_to = self.read_to.max(position);
        let later = self.known.split_off(&self.read_to);
        // What is known of positions where no event was admitted is of no use any more.
        self.known = later;
    }

    /// Takes in the next event.
    pub(super) fn take_in(&mut self, event: RecordedEvent, key: Option<Key>) {
        let position = event.position().as_u64();
        let known = self.known.remove(&position);
        let waits = key.as_ref().is_some_and(|key| self.waiting.contains_key(key));
        if known != Some(0) && !waits {
            let state = match &key {
                Some(key) => {
                    let lane = self.lanes.entry(Arc::clone(key)).or_default();
                    lane.push_back(position);
                    if lane.len() == 1 { State::Ready } else { State::Held }
                }
                None => State::Ready,
            };
            self.add(event, key, known.unwrap_or(0), state, false);
        }
        self.has_read(position + 1);
    }

    /// Takes in an event that was parked: it is handed out again, beside all others.
    pub(super) fn replay(&mut self, event: RecordedEvent, key: Option<Key>) {
        self.add(event, key, 0, State::Ready, true);
    }

    fn add(&mut self, event: RecordedEvent, key: Option<Key>, times: u32, state: State, is_replayed: bool) {
        let position = event.position().as_u64();
        if state == State::Ready {
            self.ready.insert(position);
        }
        self.not_done += 1;
        self.pending.insert(position, Pending { event, key, times, state, is_replayed });
    }

    /// Those whose time is up; of these, the ones that were handed out as often as they may be.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<(u64, u32)> {
        let mut too_often = Vec::new();
        while let Some((_, position)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            let of = self.pending.get(&position).map(|pending| (pending.state, pending.times));
            match of {
                Some((State::Out(_), times)) if self.fail(position, now, None) == Failed::TooOften => {
                    too_often.push((position, times));
                }
                Some((State::Out(_), _)) => {}
                _ => self.put(position, State::Ready),
            }
        }
        too_often
    }

    /// When something happens next though nobody does anything.
    pub(super) fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Whether an event could be handed out now.
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty() && self.out < self.settings.max_ack_pending
    }

    /// Hands out the first event that is ready.
    pub(super) fn give(&mut self, now: Timestamp) -> Option<Next> {
        if !self.has_ready() {
            return None;
        }
        let position = self.ready.first().copied()?;
        self.put(position, State::Out(now.saturating_add(self.settings.ack_wait)));
        let pending = self.pending.get_mut(&position)?;
        if pending.times >= self.settings.max_deliver {
            return Some(Next::TooOften(position, pending.times));
        }
        pending.times += 1;
        self.redelivered += u64::from(pending.times > 1);
        Some(Next::Given(Given { event: pending.event.clone(), attempt: pending.times }))
    }

    /// Whether it must be on disk that this event is handed out before it is: if the process ends over it, that has to count.
    pub(super) fn must_be_noted(&self, position: u64) -> bool {
        let is_replayed = self.pending.get(&position).is_some_and(|pending| pending.is_replayed);
        !is_replayed && (position < self.suspect_to || position >= self.handed_to)
    }

    /// Takes back that an event was handed out: nobody got it.
    pub(super) fn take_back(&mut self, position: u64) {
        self.put(position, State::Ready);
        if let Some(pending) = self.pending.get_mut(&position) {
            pending.times = pending.times.saturating_sub(1);
        }
    }

    /// Whether a delivery is the last one of its event, and its worker still has it.
    pub(super) fn check_out(&self, position: u64, attempt: u32) -> Result<(), Expired> {
        let pending = self.pending.get(&position).filter(|pending| pending.times == attempt);
        let is_out = pending.is_some_and(|pending| matches!(pending.state, State::Out(_)));
        if is_out { Ok(()) } else { Err(Expired) }
    }

    /// The worker goes on with an event: its time begins anew.
    pub(super) fn extend(&mut self, position: u64, now: Timestamp) {
        self.put(position, State::Out(now.saturating_add(self.settings.ack_wait)));
    }

    /// An event that is out is acknowledged; it is done when that is on disk.
    pub(super) fn acknowledge(&mut self, position: u64) {
        self.put(position, State::Acked);
    }

    /// An acknowledgement did not get to the disk: the event is out still.
    pub(super) fn unacknowledge(&mut self, position: u64, now: Timestamp) {
        self.extend(position, now);
    }

    /// An event that is out was not done: it is handed out again after `delay`, or what the settings say.
    pub(super) fn fail(&mut self, position: u64, now: Timestamp, delay: Option<Duration>) -> Failed {
        let Some(times) = self.pending.get(&position).map(|pending| pending.times) else {
            return Failed::Again;
        };
        if times >= self.settings.max_deliver {
            // It stays as it is until it is parked; should that fail, it is tried again.
            self.put(position, State::Out(now.saturating_add(self.settings.ack_wait)));
            return Failed::TooOften;
        }
        let delay = delay.unwrap_or_else(|| self.settings.backoff(times));
        self.put(
            position,
            if delay.is_zero() { State::Ready } else { State::Later(now.saturating_add(delay)) },
        );
        Failed::Again
    }

    /// An event is done, and that is on disk. Its key goes on.
    pub(super) fn finish(&mut self, position: u64) {
        self.put(position, State::Done);
        let Some(pending) = self.pending.get(&position) else { return };
        if pending.is_replayed {
            self.pending.remove(&position);
            return;
        }
        if let Some(key) = pending.key.clone()
            && let Some(lane) = self.lanes.get_mut(&key)
        {
            lane.pop_front();
            match lane.front().copied() {
                Some(next) => self.put(next, State::Ready),
                None => drop(self.lanes.remove(&key)),
            }
        }
        self.forget_done();
    }

    /// An event is parked, and that is on disk. If its key waits behind it, so do those of the key that were read already.
    pub(super) fn parked(&mut self, position: u64, key_waits: bool) {
        let key = self.pending.get(&position).and_then(|pending| pending.key.clone());
        let Some(key) = key.filter(|_| key_waits) else { return self.finish(position) };
        self.wait_behind(Arc::clone(&key), position);
        for waiting in self.lanes.remove(&key).unwrap_or_default() {
            self.put(waiting, State::Done);
        }
        self.finish(position);
    }

    /// The events of a key wait behind one that is parked.
    pub(super) fn wait_behind(&mut self, key: Key, position: u64) {
        self.waiting.insert(key, position);
    }

    /// The events of a key wait no more.
    pub(super) fn go_on(&mut self, key: &str) {
        self.waiting.remove(key);
    }

    fn forget_done(&mut self) {
        let is_done = |pending: &Pending| pending.state == State::Done;
        while let Some(first) = self.pending.first_entry().filter(|first| is_done(first.get())) {
            first.remove();
        }
    }

    /// The one way by which a state changes.
    fn put(&mut self, position: u64, state: State) {
        let Some(pending) = self.pending.get_mut(&position) else { return };
        let old = std::mem::replace(&mut pending.state, state);
        let is_open = |state: State| !matches!(state, State::Done);
        let is_out = |state: State| matches!(state, State::Out(_) | State::Acked);
        self.not_done -= usize::from(is_open(old) && !is_open(state));
        self.out += usize::from(is_out(state));
        self.out -= usize::from(is_out(old));
        match old {
            State::Ready => drop(self.ready.remove(&position)),
            State::Later(at) | State::Out(at) => drop(self.timers.remove(&(at, position))),
            State::Held | State::Acked | State::Done => {}
        }
        match state {
            State::Ready => drop(self.ready.insert(position)),
            State::Later(at) | State::Out(at) => drop(self.timers.insert((at, position))),
            State::Held | State::Acked | State::Done => {}
        }
    }

    /// All below is done or acknowledged, or parked.
    pub(super) fn floor(&self) -> u64 {
        let first = self.own().find(|(_, pending)| !pending.is_done());
        first.map_or(self.read_to, |(position, _)| *position)
    }

    /// The events that are not replayed.
    fn own(&self) -> impl Iterator<Item = (&u64, &Pending)> {
        self.pending.iter().filter(|(_, pending)| !pending.is_replayed)
    }

    /// How far it has come, with all that is acknowledged.
    pub(super) fn progress(&self) -> Progress {
        let floor = self.floor();
        let mut known = self.known.clone();
        for (position, pending) in self.own().filter(|(position, _)| **position >= floor) {
            if pending.is_done() {
                known.insert(*position, 0);
            } else if pending.times > 0 {
                known.insert(*position, pending.times);
            }
        }
        Progress { floor, handed_to: self.handed_to.max(floor), known }
    }

    /// What to record before an event is handed out: the progress, and that events were, somewhat further than now.
    pub(super) fn progress_ahead(&self) -> Progress {
        let mut progress = self.progress();
        let ahead = self.read_to.saturating_add(HANDED_AHEAD);
        if ahead > progress.handed_to.saturating_add(HANDED_AHEAD / 2) {
            progress.handed_to = ahead;
        }
        progress
    }

    /// It is on disk that events up to here may have been handed out.
    pub(super) fn noted(&mut self, progress: &Progress) {
        self.handed_to = self.handed_to.max(progress.handed_to);
    }

    /// How many events are with workers.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// How many events are read and not done.
    pub(super) fn not_done(&self) -> usize {
        self.not_done
    }

    /// The key of an event that is not done.
    pub(super) fn key_of(&self, position: u64) -> Option<Key> {
        self.pending.get(&position)?.key.clone()
    }

    /// Whether an event was parked before and is handed out again.
    pub(super) fn is_replayed(&self, position: u64) -> bool {
        self.pending.get(&position).is_some_and(|pending| pending.is_replayed)
    }

    /// The first event that is not done.
    pub(super) fn oldest(&self) -> Option<&RecordedEvent> {
        let is_open = |pending: &&Pending| !matches!(pending.state, State::Done);
        self.pending.values().find(is_open).map(|pending| &pending.event)
    }
}
