//! `Flow`: what becomes of events between being read and being done. Pure: it is told the time, and asks nobody.
//!
//! An event that was read waits behind the earlier ones of its key; then it is ready; then it is out, until it is acknowledged,
//! refused, or its time is up; then done and forgotten, or ready again after a while. The first that is not done is the floor. What
//! was read and is not open is done: so what has to be remembered is bounded by what may be open.

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

/// An event that is not done.
#[derive(Debug)]
struct Pending {
    event: RecordedEvent,
    key: Option<Key>,
    /// How often it was handed out.
    times: u32,
    /// Of the last time: no two have the same.
    serial: u64,
    state: State,
    /// It was parked, and is handed out again beside all others.
    is_replayed: bool,
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
}

/// An event that is handed out.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) event: RecordedEvent,
    /// Which time it is handed out, from 1.
    pub(super) attempt: u32,
    /// By which its worker is known.
    pub(super) serial: u64,
}

/// An event, and which time it was handed out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) position: u64,
    pub(super) serial: u64,
}

/// What there is for a worker.
#[derive(Debug)]
pub(super) enum Next {
    Given(Given),
    /// This event was handed out as often as it may be, and the process ended over it: it is to be parked.
    TooOften(Place),
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
    /// Of events that the last process had open, and that were not read again yet, how often they were handed out.
    unread: BTreeMap<u64, u32>,
    /// What the last process had read: of that, what it had not open is done.
    was_read_to: u64,
    /// All that is admitted below was taken in.
    read_to: u64,
    /// Behind the last event that was handed out, or is done: behind it all is as if it had not been read.
    touched_to: u64,
    serial: u64,
    /// As recorded: below it events may have been handed out.
    handed_to: u64,
    /// Below it the last process, which ended without a word, may have handed out events.
    suspect_to: u64,
    out: usize,
    pub(super) redelivered: u64,
}

impl Flow {
    pub(super) fn new(settings: Settings, progress: Progress) -> Self {
        let Progress { floor, read_to, handed_to, open } = progress;
        Self {
            settings,
            pending: BTreeMap::new(),
            lanes: HashMap::new(),
            ready: BTreeSet::new(),
            timers: BTreeSet::new(),
            waiting: HashMap::new(),
            unread: open,
            was_read_to: read_to,
            read_to: floor,
            touched_to: floor,
            serial: 0,
            handed_to,
            suspect_to: handed_to,
            out: 0,
            redelivered: 0,
        }
    }

    /// Whether more events may be read.
    pub(super) fn wants_more(&self) -> bool {
        self.pending.len() < self.settings.max_ack_pending.saturating_mul(READ_AHEAD)
    }

    /// All that is admitted below was taken in, by this process or the last one.
    pub(super) fn read_to(&self) -> u64 {
        self.read_to.max(self.was_read_to)
    }

    /// Everything below `position` was read.
    pub(super) fn has_read(&mut self, position: u64) {
        self.read_to = self.read_to.max(position);
        // Where no event is admitted any more none is open.
        self.unread = self.unread.split_off(&self.read_to);
    }

    /// Takes in the next event.
    pub(super) fn take_in(&mut self, event: RecordedEvent, key: Option<Key>) {
        let position = event.position().as_u64();
        let was_open = self.unread.remove(&position);
        let is_done = was_open.is_none() && position < self.was_read_to;
        let waits =
            key.as_ref().and_then(|key| self.waiting.get(key)).is_some_and(|behind| position >= *behind);
        if !is_done && !waits {
            let state = match &key {
                Some(key) => {
                    let lane = self.lanes.entry(Arc::clone(key)).or_default();
                    lane.push_back(position);
                    if lane.len() == 1 { State::Ready } else { State::Held }
                }
                None => State::Ready,
            };
            self.add(event, key, was_open.unwrap_or(0), state, false);
        }
        self.has_read(position + 1);
    }

    /// Takes in an event that was parked: it is handed out again, beside all others. `times` is how often it was since.
    pub(super) fn replay(&mut self, event: RecordedEvent, key: Option<Key>, times: u32) {
        self.unread.remove(&event.position().as_u64());
        self.add(event, key, times, State::Ready, true);
    }

    fn add(&mut self, event: RecordedEvent, key: Option<Key>, times: u32, state: State, is_replayed: bool) {
        let position = event.position().as_u64();
        if state == State::Ready {
            self.ready.insert(position);
        }
        self.pending.insert(position, Pending { event, key, times, serial: 0, state, is_replayed });
    }

    /// Those whose time is up; of these, the ones that were handed out as often as they may be.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<Place> {
        let mut too_often = Vec::new();
        while let Some((_, position)) = self.timers.first().copied().filter(|(at, _)| *at <= now) {
            let of = self.pending.get(&position).map(|pending| (pending.state, pending.serial));
            match of {
                Some((State::Out(_), serial)) if self.fail(position, now, None) == Failed::TooOften => {
                    too_often.push(Place { position, serial });
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
        self.serial += 1;
        let pending = self.pending.get_mut(&position)?;
        pending.serial = self.serial;
        if pending.times >= self.settings.max_deliver {
            return Some(Next::TooOften(Place { position, serial: self.serial }));
        }
        pending.times += 1;
        self.redelivered += u64::from(pending.times > 1);
        if !pending.is_replayed {
            self.touched_to = self.touched_to.max(position + 1);
        }
        let given = Given { event: pending.event.clone(), attempt: pending.times, serial: self.serial };
        Some(Next::Given(given))
    }

    /// Whether it must be on disk that this event is handed out before it is: if the process ends over it, that has to count.
    pub(super) fn must_be_noted(&self, position: u64) -> bool {
        self.is_replayed(position) || position < self.suspect_to || position >= self.handed_to
    }

    /// Takes back that an event was handed out, if nobody has had it since.
    pub(super) fn take_back(&mut self, place: Place) {
        if self.check_out(place).is_ok() {
            self.put(place.position, State::Ready);
            if let Some(pending) = self.pending.get_mut(&place.position) {
                pending.times = pending.times.saturating_sub(1);
            }
        }
    }

    /// Whether a delivery is the last one of its event, and its worker still has it. How often the event was handed out.
    pub(super) fn check_out(&self, place: Place) -> Result<u32, Expired> {
        let pending = self.pending.get(&place.position).filter(|pending| pending.serial == place.serial);
        let is_out = |pending: &&Pending| matches!(pending.state, State::Out(_));
        pending.filter(is_out).map(|pending| pending.times).ok_or(Expired)
    }

    /// The worker goes on with an event: its time begins anew.
    pub(super) fn extend(&mut self, position: u64, now: Timestamp) {
        self.put(position, State::Out(now.saturating_add(self.settings.ack_wait)));
    }

    /// An event that is out is acknowledged; it is done when that is on disk.
    pub(super) fn acknowledge(&mut self, position: u64) {
        // The progress that is recorded with it must say that it was read, a replayed one, too.
        self.touch(position);
        self.put(position, State::Acked);
    }

    /// An event is about to be replayed that was read and waited: what is recorded must say that it was read, or the next process
    /// would read it beside.
    pub(super) fn touch(&mut self, position: u64) {
        self.touched_to = self.touched_to.max(position + 1);
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
        let Some(Pending { key: Some(key), is_replayed: false, .. }) = self.forget(position) else { return };
        if let Some(lane) = self.lanes.get_mut(&key) {
            lane.pop_front();
            match lane.front().copied() {
                Some(next) => self.put(next, State::Ready),
                None => drop(self.lanes.remove(&key)),
            }
        }
    }

    /// An event is parked, and that is on disk. If its key waits behind it, so do those of the key that were read already.
    pub(super) fn parked(&mut self, position: u64, key_waits: bool) {
        let key = self.pending.get(&position).and_then(|pending| pending.key.clone());
        let Some(key) = key.filter(|_| key_waits) else { return self.finish(position) };
        self.forget(position);
        for waiting in self.lanes.remove(&key).unwrap_or_default() {
            self.forget(waiting);
        }
        self.wait_behind(key, position);
    }

    /// The events of a key wait behind one that is parked.
    pub(super) fn wait_behind(&mut self, key: Key, position: u64) {
        self.waiting.insert(key, position);
    }

    /// The events of a key wait no more.
    pub(super) fn go_on(&mut self, key: &str) {
        self.waiting.remove(key);
    }

    /// An event is of no concern any more.
    fn forget(&mut self, position: u64) -> Option<Pending> {
        // Out of what is ready, out, and waits for a time.
        self.put(position, State::Held);
        self.touched_to = self.touched_to.max(position + 1);
        self.pending.remove(&position)
    }

    /// The one way by which a state changes.
    fn put(&mut self, position: u64, state: State) {
        let Some(pending) = self.pending.get_mut(&position) else { return };
        let old = std::mem::replace(&mut pending.state, state);
        let is_out = |state: State| matches!(state, State::Out(_) | State::Acked);
        self.out += usize::from(is_out(state));
        self.out -= usize::from(is_out(old));
        match old {
            State::Ready => drop(self.ready.remove(&position)),
            State::Later(at) | State::Out(at) => drop(self.timers.remove(&(at, position))),
            State::Held | State::Acked => {}
        }
        match state {
            State::Ready => drop(self.ready.insert(position)),
            State::Later(at) | State::Out(at) => drop(self.timers.insert((at, position))),
            State::Held | State::Acked => {}
        }
    }

    /// All below is done or acknowledged, or parked.
    pub(super) fn floor(&self) -> u64 {
        let open = self.open().next().map(|(position, _)| position);
        let unread = self.unread.first_key_value().map(|(position, _)| *position);
        let first = open.into_iter().chain(unread).min();
        first.unwrap_or(self.read_to())
    }

    /// The events that were read and are neither done nor acknowledged, and how often each was handed out; not replayed ones.
    fn open(&self) -> impl Iterator<Item = (u64, u32)> {
        let is_open = |pending: &Pending| !pending.is_replayed && pending.state != State::Acked;
        let open = self.pending.iter().filter(move |(_, pending)| is_open(pending));
        open.map(|(position, pending)| (*position, pending.times))
    }

    /// How far it has come, with all that is acknowledged. What was read and not touched is read again by the next process.
    pub(super) fn progress(&self) -> Progress {
        let floor = self.floor();
        let read_to = self.touched_to.max(self.was_read_to).max(floor);
        let open = self.open().filter(|(position, _)| *position < read_to);
        let open = open.chain(self.unread.iter().map(|(position, times)| (*position, *times)));
        Progress { floor, read_to, handed_to: self.handed_to.max(floor), open: open.collect() }
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
        self.pending.len()
    }

    /// An event that is not done.
    pub(super) fn event(&self, position: u64) -> Option<&RecordedEvent> {
        self.pending.get(&position).map(|pending| &pending.event)
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
        self.pending.values().next().map(|pending| &pending.event)
    }
}
