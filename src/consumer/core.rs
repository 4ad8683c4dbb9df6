//! What the workers of a consumer share, and how one of them waits.
//!
//! Two locks, always taken in this order: `turn` is held by whoever writes the consumer's progress, disk and all, so that one
//! commit follows the other; `core` for moments, and while events are read from the log. Of the workers that wait one waits for
//! appends, in the log's list of waiters; the others for that one, or for an acknowledgement, to wake them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

use crate::error::{Error, ErrorKind, Result};
use crate::index::{Tables, Waiter};
use crate::state::{ParkedRecord, Progress};
use crate::store::{Claim, Store};
use crate::subscription::{Subscription, Update};
use crate::types::limits::CONSUMER_KEY_BYTES_MAX;
use crate::types::{Durability, Filter, OverLimit, Position, RecordedEvent, Timestamp};

use super::consume::Keys;
use super::flow::{Flow, Key};
use super::settings::Settings;

pub(super) struct Shared {
    pub(super) store: Store,
    pub(super) name: String,
    pub(super) filter: Filter,
    keys: Keys,
    pub(super) settings: Settings,
    pub(super) turn: Mutex<()>,
    pub(super) core: Mutex<Core>,
    /// For those who wait while another waits for appends.
    freed: Condvar,
    /// For the one who waits for appends.
    waiter: Arc<Waiter>,
    /// Counts what may be of interest to those who wait, so that none of it is missed between looking and waiting.
    changes: AtomicU64,
    /// Free again when all of this is gone.
    _claim: Claim,
}

pub(super) struct Core {
    pub(super) flow: Flow,
    source: Subscription,
    /// Read and not taken in yet: what tells its key may panic.
    taken: Option<RecordedEvent>,
    pub(super) parked: BTreeMap<u64, ParkedRecord>,
    /// Acknowledged, and for the next commit to record.
    pub(super) acked: Vec<Acked>,
    /// How many acknowledgements are done in memory only.
    pub(super) unflushed: usize,
    /// So many keys are about to go on that waited behind a parked event. What is read before that is settled would be missed.
    pub(super) keys_settling: usize,
    waits_for_appends: bool,
    idle: usize,
    /// The timer that the last one who began to wait knew of.
    known_timer: Option<Timestamp>,
}

/// An event that is acknowledged, and what that does to it if it is parked.
pub(super) struct Acked {
    pub(super) position: u64,
    pub(super) unparks: Option<Unparks>,
}

/// What becomes of a key when its parked event is done.
pub(super) enum Unparks {
    /// Nothing waited.
    Event,
    /// The next one is replayed in its turn.
    Next(RecordedEvent, ParkedRecord),
    /// Nothing waits any more.
    Key(String),
}

impl Shared {
    /// Starts a consumer: where the store knows that it was, or where `begin` says for a new one.
    pub(super) fn start(
        store: Store,
        claim: Claim,
        name: String,
        filter: Filter,
        keys: Keys,
        settings: Settings,
        begin: impl FnOnce(Option<u64>) -> Result<Subscription>,
    ) -> Result<Self> {
        let unreadable = |what: &str| Error::new(ErrorKind::Corrupt, format!("consumer {name:?}: {what}"));
        let (progress, parked) = store.log().index.read(|tables| {
            let states = tables.states();
            (states.progress(&name), states.parked(&name))
        });
        let (progress, parked) = (progress.map_err(unreadable)?, parked.map_err(unreadable)?);
        let source = begin(progress.as_ref().map(|progress| progress.floor))?;
        let progress = match progress {
            Some(progress) => progress,
            None => {
                let floor = source.position().as_u64();
                let new = Progress { floor, read_to: floor, handed_to: floor, open: BTreeMap::new() };
                // So that one that begins now has begun, whatever happens next.
                store.batch().change(new.change(&name)).durability(Durability::Synced).commit()?;
                new
            }
        };
        let waiter = Waiter::new(filter.clone());
        let core = Core {
            flow: Flow::new(settings.clone(), progress),
            source,
            taken: None,
            parked,
            acked: Vec::new(),
            unflushed: 0,
            keys_settling: 0,
            waits_for_appends: false,
            idle: 0,
            known_timer: None,
        };
        let shared = Self {
            store,
            name,
            filter,
            keys,
            settings,
            turn: Mutex::new(()),
            core: Mutex::new(core),
            freed: Condvar::new(),
            waiter,
            changes: AtomicU64::new(0),
            _claim: claim,
        };
        shared.take_up_parked()?;
        Ok(shared)
    }

    /// Keys wait behind what is parked; what was being replayed is replayed on.
    fn take_up_parked(&self) -> Result<()> {
        let mut core = self.core.lock();
        let Core { flow, parked, .. } = &mut *core;
        for (position, record) in parked {
            let key = record.key.as_deref().map(Key::from);
            if let Some(key) = &key {
                // What waits behind it is found by its key and the filter: by others it would be lost.
                let event = self.read(*position)?;
                if !self.filter.admits(&event) || self.key_of(&event)?.as_ref() != Some(key) {
                    let what = format!(
                        "consumer {:?}: events wait behind the parked one at position {position}, by another key or filter: replay or discard it with those first",
                        self.name
                    );
                    return Err(Error::new(ErrorKind::Invalid, what));
                }
                flow.wait_behind(Key::clone(key), *position);
            }
            if record.is_replayed {
                flow.replay(self.read(*position)?, key, record.attempts);
            }
        }
        Ok(())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.store.now()
    }

    /// The event at a position, which the store has.
    pub(super) fn read(&self, position: u64) -> Result<RecordedEvent> {
        let event = self.store.read().from(Position::new(position)).iter().next().transpose()?;
        let event = event.filter(|event| event.position().as_u64() == position);
        event.ok_or_else(|| {
            let what = format!("consumer {:?}: there is no event at position {position}", self.name);
            Error::new(ErrorKind::Corrupt, what)
        })
    }

    fn key_of(&self, event: &RecordedEvent) -> Result<Option<Key>> {
        let key = match &self.keys {
            Keys::Stream => return Ok(Some(Key::from(event.stream()))),
            Keys::Nothing => return Ok(None),
            Keys::Given(key) => key(event),
        };
        if let Some(key) = &key {
            OverLimit::check("key of an event", key.len(), CONSUMER_KEY_BYTES_MAX)?;
        }
        Ok(key.map(Key::from))
    }

    /// The next event of a key behind one of its events, among those that were read.
    fn next_of_key(&self, key: &str, event: &RecordedEvent, read_to: u64) -> Result<Option<RecordedEvent>> {
        let (filter, behind) = (self.filter.clone(), event.position().as_u64() + 1);
        let events = match &self.keys {
            Keys::Stream => {
                let Some(version) = event.version().next() else { return Ok(None) };
                self.store.stream(key)?.read().from(version).filter(filter).iter()
            }
            _ => self.store.read().from(Position::new(behind)).filter(filter).iter(),
        };
        for event in events {
            let event = event?;
            if event.position().as_u64() >= read_to {
                break;
            }
            if self.key_of(&event)?.as_deref() == Some(key) {
                return Ok(Some(event));
            }
        }
        Ok(None)
    }

    /// What becomes of the key of a parked event that is done. It may ask the caller's key function, and fail or panic with it:
    /// nothing is changed before.
    pub(super) fn unparks(&self, core: &Core, event: &RecordedEvent) -> Result<Option<Unparks>> {
        let position = event.position().as_u64();
        let Some(record) = core.parked.get(&position) else { return Ok(None) };
        let Some(key) = &record.key else { return Ok(Some(Unparks::Event)) };
        let next = self.next_of_key(key, event, core.flow.read_to())?;
        Ok(Some(match next {
            Some(next) => {
                let record = ParkedRecord {
                    attempts: 0,
                    at: self.now(),
                    is_replayed: true,
                    key: Some(key.clone()),
                    reason: format!("waited behind position {position}"),
                };
                Unparks::Next(next, record)
            }
            None => Unparks::Key(key.clone()),
        }))
    }

    /// Reads ahead as far as may be.
    pub(super) fn read_ahead(&self, core: &mut Core) -> Result<()> {
        while core.flow.wants_more() && core.keys_settling == 0 {
            if core.taken.is_none() {
                core.taken = match core.source.next(Duration::ZERO) {
                    Ok(Some(Update::Event(event))) => Some(event),
                    Ok(Some(_)) => continue,
                    Ok(None) => {
                        core.flow.has_read(core.source.position().as_u64());
                        return Ok(());
                    }
                    Err(error) => return Err(error),
                };
            }
            let key = core.taken.as_ref().map(|event| self.key_of(event)).transpose()?.flatten();
            if let Some(event) = core.taken.take() {
                core.flow.take_in(event, key);
            }
        }
        Ok(())
    }

    /// Waits until there may be something for a worker, or until the deadline, or until something happens by itself.
    pub(super) fn wait(&self, core: &mut MutexGuard<'_, Core>, deadline: Option<Instant>) {
        core.known_timer = core.flow.next_timer();
        let timer = core.known_timer.map(|at| at.saturating_since(self.now()));
        let timer = timer.and_then(|after| Instant::now().checked_add(after));
        let until = [deadline, timer].into_iter().flatten().min();
        if core.waits_for_appends {
            core.idle += 1;
            match until {
                Some(until) => drop(self.freed.wait_until(core, until)),
                None => self.freed.wait(core),
            }
            core.idle -= 1;
            return;
        }
        let seen = self.changes.load(Ordering::SeqCst);
        let next = core.source.position().as_u64();
        // What cannot be read now is nothing new.
        let may_read = core.flow.wants_more() && core.keys_settling == 0;
        core.waits_for_appends = true;
        MutexGuard::unlocked(core, || {
            let log = self.store.log();
            let is_new = || {
                self.changes.load(Ordering::SeqCst) != seen
                    || (may_read && log.index.read(Tables::head) > next)
            };
            log.waiting.wait(&self.waiter, next, until, is_new);
        });
        core.waits_for_appends = false;
    }

    /// A worker goes away: if there is more to hand out, nobody waits for appends, or time is up sooner than those know who
    /// wait, one of them looks.
    pub(super) fn hand_on(&self) {
        let core = self.core.lock();
        let is_sooner = match (core.flow.next_timer(), core.known_timer) {
            (Some(next), Some(known)) => next < known,
            (next, None) => next.is_some(),
            (None, Some(_)) => false,
        };
        if core.flow.has_ready() || is_sooner || !core.waits_for_appends {
            self.wake_one(&core);
        }
    }

    /// Something may be ready: those who wait look. One of each kind: one that was told before may be on its way with something
    /// else.
    pub(super) fn wake_one(&self, core: &Core) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        if core.idle > 0 {
            self.freed.notify_one();
        }
        if core.waits_for_appends {
            self.store.log().waiting.wake(&self.waiter);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // What is acknowledged in memory only goes to disk, and that nobody has an event any more. Whoever wants to hear of errors
        // calls `flush`.
        let _ = self.leave();
    }
}
