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
use crate::types::{Durability, Filter, Position, RecordedEvent, Timestamp};

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
    pub(super) acked: Vec<u64>,
    /// How many acknowledgements are done in memory only.
    pub(super) unflushed: usize,
    /// A key is about to go on that waited behind a parked event. What is read before that is settled would be missed.
    pub(super) is_settling_key: bool,
    waits_for_appends: bool,
    idle: usize,
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
            is_settling_key: false,
            waits_for_appends: false,
            idle: 0,
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
            if let Some(key) = &record.key {
                flow.wait_behind(Key::from(key.as_str()), *position);
            }
            if record.is_replayed {
                flow.replay(self.read(*position)?, record.key.as_deref().map(Key::from));
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

    fn key_of(&self, event: &RecordedEvent) -> Option<Key> {
        match &self.keys {
            Keys::Stream => Some(Key::from(event.stream())),
            Keys::Nothing => None,
            Keys::Given(key) => key(event).map(Key::from),
        }
    }

    /// The next event of a key behind a position, among those that were read.
    pub(super) fn next_of_key(
        &self,
        key: &str,
        position: u64,
        read_to: u64,
    ) -> Result<Option<RecordedEvent>> {
        let is_it = |event: &RecordedEvent| {
            event.position().as_u64() > position
                && self.filter.admits(event)
                && self.key_of(event).as_deref() == Some(key)
        };
        let mut events = match &self.keys {
            Keys::Stream => self.store.stream(key)?.read().filter(self.filter.clone()).iter(),
            _ => self.store.read().from(Position::new(position)).filter(self.filter.clone()).iter(),
        };
        let below = |event: &Result<RecordedEvent>| {
            event.as_ref().map_or(true, |event| event.position().as_u64() < read_to)
        };
        events.by_ref().take_while(below).find(|event| event.as_ref().map_or(true, is_it)).transpose()
    }

    /// Reads ahead as far as may be.
    pub(super) fn read_ahead(&self, core: &mut Core) -> Result<()> {
        while core.flow.wants_more() && !core.is_settling_key {
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
            let key = core.taken.as_ref().and_then(|event| self.key_of(event));
            if let Some(event) = core.taken.take() {
                core.flow.take_in(event, key);
            }
        }
        Ok(())
    }

    /// Waits until there may be something for a worker, or until the deadline, or until something happens by itself.
    pub(super) fn wait(&self, core: &mut MutexGuard<'_, Core>, deadline: Option<Instant>) {
        let timer = core.flow.next_timer().map(|at| at.saturating_since(self.now()));
        let timer = timer.and_then(|after| Instant::now().checked_add(after));
        let until = [deadline, timer].into_iter().flatten().min();
        if core.waits_for_appends || !core.flow.wants_more() || core.is_settling_key {
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
        core.waits_for_appends = true;
        MutexGuard::unlocked(core, || {
            let log = self.store.log();
            let is_new =
                || log.index.read(Tables::head) > next || self.changes.load(Ordering::SeqCst) != seen;
            log.waiting.wait(&self.waiter, next, until, is_new);
        });
        core.waits_for_appends = false;
    }

    /// A worker goes away: if there is more to hand out, or nobody waits for appends, one of those who wait looks.
    pub(super) fn hand_on(&self, core: &Core) {
        if core.idle > 0 && (core.flow.has_ready() || !core.waits_for_appends) {
            self.wake_one(core);
        }
    }

    /// Something may be ready: one of those who wait looks.
    pub(super) fn wake_one(&self, core: &Core) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        if core.idle > 0 {
            self.freed.notify_one();
        } else if core.waits_for_appends {
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
