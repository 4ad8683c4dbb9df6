//! What goes to disk of a consumer, one commit after another: each holds all that is known by then, so that the last one counts.

use std::time::Duration;

use parking_lot::MutexGuard;

use crate::error::{Error, ErrorKind, Result};
use crate::state::ParkedRecord;
use crate::store::Batch;
use crate::types::{BatchReceipt, Durability};

use super::core::{Acked, Core, Shared, Unparks};
use super::flow::{Failed, Key, Place};
use super::settings::{AckDurability, ParkPolicy};

impl Shared {
    /// A delivery is done.
    pub(super) fn acknowledge(&self, place: Place) -> Result<()> {
        let mut core = self.check_out(place)?;
        if let AckDurability::Grouped(most) = self.settings.acks
            && !core.flow.is_replayed(place.position)
        {
            core.flow.finish(place.position);
            core.unflushed += 1;
            let is_full = core.unflushed >= most;
            self.wake_one(&core);
            drop(core);
            return if is_full { self.flush_acks(most) } else { Ok(()) };
        }
        self.push_acked(&mut core, place.position)?;
        drop(core);
        let turn = self.turn.lock();
        // Whoever had the turn before may have recorded it with its own.
        if !self.core.lock().acked.iter().any(|acked| acked.position == place.position) {
            return Ok(());
        }
        let batch = self.store.batch().durability(Durability::Synced);
        self.record(&turn, batch, Some(place.position)).map(drop)
    }

    /// A delivery is done, and with it what a batch appends.
    pub(super) fn acknowledge_with<C>(&self, place: Place, batch: Batch<C>) -> Result<BatchReceipt> {
        if !batch.is_of(&self.store) {
            let what = format!("consumer {:?}: the batch is of another store", self.name);
            return Err(Error::new(ErrorKind::Invalid, what));
        }
        let turn = self.turn.lock();
        let mut core = self.check_out(place)?;
        self.push_acked(&mut core, place.position)?;
        drop(core);
        self.record(&turn, batch, Some(place.position))
    }

    /// Takes note that an event which is out is acknowledged: for the next commit to record.
    fn push_acked(&self, core: &mut Core, position: u64) -> Result<()> {
        let event = core.flow.event(position).cloned();
        let unparks = event.map(|event| self.unparks(core, &event)).transpose()?.flatten();
        core.flow.acknowledge(position);
        push(core, Acked { position, unparks });
        Ok(())
    }

    /// The core, if this delivery is the last one of its event and its time is not up.
    pub(super) fn check_out(&self, place: Place) -> Result<MutexGuard<'_, Core>> {
        let core = self.core.lock();
        match core.flow.check_out(place) {
            Ok(_) => Ok(core),
            Err(_) => Err(Error::new(
                ErrorKind::Expired,
                format!(
                    "consumer {:?}: the time for the event at position {} was up: it is handed out again, or done",
                    self.name, place.position
                ),
            )),
        }
    }

    /// Brings to disk what is acknowledged in memory only, if it is at least so much.
    pub(super) fn flush_acks(&self, least: usize) -> Result<()> {
        let turn = self.turn.lock();
        if self.core.lock().unflushed < least {
            return Ok(());
        }
        self.record(&turn, self.store.batch().durability(Durability::Synced), None).map(drop)
    }

    /// Commits all that is acknowledged. If that fails, `own` is out again; the others are their own workers' to record.
    fn record<C>(
        &self,
        _turn: &MutexGuard<'_, ()>,
        batch: Batch<C>,
        own: Option<u64>,
    ) -> Result<BatchReceipt> {
        let mut core = self.core.lock();
        let acked = std::mem::take(&mut core.acked);
        let unflushed = core.unflushed;
        let progress = core.flow.progress();
        drop(core);
        let mut changes = vec![progress.change(&self.name)];
        for Acked { position, unparks } in &acked {
            if unparks.is_some() {
                changes.push(ParkedRecord::removal(&self.name, *position));
            }
            if let Some(Unparks::Next(event, record)) = unparks {
                changes.push(record.change(&self.name, event.position().as_u64()));
            }
        }
        // Others are told that theirs is on disk, however much the batch asks for.
        let has_others = unflushed > 0 || acked.iter().any(|acked| Some(acked.position) != own);
        let batch = if has_others { batch.durability(Durability::Synced) } else { batch };
        let committed = changes.into_iter().fold(batch, Batch::change).commit();
        let mut core = self.core.lock();
        match &committed {
            Ok(_) => {
                core.flow.noted(&progress);
                core.unflushed -= unflushed;
                acked.into_iter().for_each(|acked| settle(&mut core, acked));
            }
            Err(_) => {
                for acked in acked {
                    if Some(acked.position) == own {
                        core.keys_settling -= usize::from(matches!(acked.unparks, Some(Unparks::Key(_))));
                        core.flow.unacknowledge(acked.position, self.now());
                    } else {
                        core.acked.push(acked);
                    }
                }
            }
        }
        self.wake_one(&core);
        committed
    }

    /// A delivery is not done.
    pub(super) fn refuse(&self, place: Place, delay: Option<Duration>) -> Result<()> {
        let mut core = self.check_out(place)?;
        let failed = core.flow.fail(place.position, self.now(), delay);
        self.wake_one(&core);
        drop(core);
        match failed {
            Failed::Again => Ok(()),
            Failed::TooOften => self.give_up(place),
        }
    }

    /// Parks an event that was handed out as often as it may be, unless its worker was just in time.
    pub(super) fn give_up(&self, place: Place) -> Result<()> {
        let times = self.settings.max_deliver;
        match self.park(place, &format!("handed out {times} times and not done")) {
            Err(error) if error.kind() == ErrorKind::Expired => Ok(()),
            parked => parked,
        }
    }

    /// Puts an event aside that is out.
    pub(super) fn park(&self, place: Place, reason: &str) -> Result<()> {
        let _turn = self.turn.lock();
        let mut core = self.check_out(place)?;
        let position = place.position;
        let attempts = core.flow.check_out(place).unwrap_or_default();
        // What waits behind one that was parked before waits on, whatever the policy is now.
        let key = match core.parked.get(&position) {
            Some(before) => before.key.clone(),
            None if self.settings.park == ParkPolicy::ParkKey => {
                core.flow.key_of(position).map(|key| key.to_string())
            }
            None => None,
        };
        let record = ParkedRecord {
            attempts,
            at: self.now(),
            is_replayed: false,
            key,
            reason: ParkedRecord::reason(reason),
        };
        core.flow.acknowledge(position);
        let progress = core.flow.progress();
        drop(core);
        let changes = [record.change(&self.name, position), progress.change(&self.name)];
        let batch =
            changes.into_iter().fold(self.store.batch().durability(Durability::Synced), Batch::change);
        let committed = batch.commit();
        let mut core = self.core.lock();
        match &committed {
            Ok(_) => {
                core.flow.noted(&progress);
                core.flow.parked(position, record.key.is_some());
                core.parked.insert(position, record);
            }
            Err(_) => core.flow.unacknowledge(position, self.now()),
        }
        self.wake_one(&core);
        committed.map(drop)
    }

    /// Records that an event is handed out, before it is: so that it counts if the process ends over it. Its time begins then.
    pub(super) fn note(&self, place: Place) -> Result<()> {
        let _turn = self.turn.lock();
        let mut core = self.core.lock();
        let progress = core.flow.progress_ahead();
        let mut batch = self.store.batch().durability(Durability::Buffered);
        if let Ok(attempts) = core.flow.check_out(place)
            && let Some(record) = core.parked.get_mut(&place.position)
        {
            record.attempts = attempts;
            batch = batch.change(record.change(&self.name, place.position));
        }
        drop(core);
        let noted = batch.change(progress.change(&self.name)).commit();
        let mut core = self.core.lock();
        match noted {
            Ok(_) => {
                core.flow.noted(&progress);
                if core.flow.check_out(place).is_ok() {
                    core.flow.extend(place.position, self.now());
                }
                Ok(())
            }
            Err(error) => {
                core.flow.take_back(place);
                Err(error)
            }
        }
    }

    /// Parked events are handed out again, or given up.
    pub(super) fn unpark(&self, position: u64, is_replayed: bool) -> Result<bool> {
        let turn = self.turn.lock();
        let mut core = self.core.lock();
        let Some(record) = core.parked.get(&position).filter(|record| !record.is_replayed) else {
            return Ok(false);
        };
        let record = ParkedRecord { is_replayed: true, attempts: 0, ..record.clone() };
        let event = self.read(position)?;
        if !is_replayed {
            let unparks = self.unparks(&core, &event)?;
            push(&mut core, Acked { position, unparks });
            drop(core);
            let batch = self.store.batch().durability(Durability::Synced);
            return self.record(&turn, batch, Some(position)).map(|_| true);
        }
        drop(core);
        let batch = self.store.batch().durability(Durability::Synced);
        batch.change(record.change(&self.name, position)).commit()?;
        let mut core = self.core.lock();
        core.flow.replay(event, record.key.as_deref().map(Key::from), 0);
        core.parked.insert(position, record);
        self.wake_one(&core);
        Ok(true)
    }

    /// Nobody has an event any more, and all acknowledgements are on disk.
    pub(super) fn leave(&self) -> Result<()> {
        let _turn = self.turn.lock();
        let mut progress = self.core.lock().flow.progress();
        progress.handed_to = progress.floor;
        let batch = self.store.batch().durability(Durability::Synced);
        batch.change(progress.change(&self.name)).commit().map(drop)
    }
}

/// For the next commit to record.
fn push(core: &mut Core, acked: Acked) {
    match &acked.unparks {
        Some(Unparks::Key(_)) => core.keys_settling += 1,
        Some(Unparks::Next(next, _)) => core.flow.touch(next.position().as_u64()),
        Some(Unparks::Event) | None => {}
    }
    core.acked.push(acked);
}

/// What was acknowledged is on disk.
fn settle(core: &mut Core, Acked { position, unparks }: Acked) {
    core.flow.finish(position);
    if unparks.is_some() {
        core.parked.remove(&position);
    }
    match unparks {
        Some(Unparks::Next(event, record)) => {
            let (next, key) = (event.position().as_u64(), record.key.as_deref().map(Key::from));
            if let Some(key) = &key {
                core.flow.wait_behind(Key::clone(key), next);
            }
            core.parked.insert(next, record);
            core.flow.replay(event, key, 0);
        }
        Some(Unparks::Key(key)) => {
            core.keys_settling -= 1;
            core.flow.go_on(&key);
        }
        Some(Unparks::Event) | None => {}
    }
}
