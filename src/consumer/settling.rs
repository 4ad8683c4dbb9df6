//! What goes to disk of a consumer, one commit after another: each holds all that is known by then, so that the last one counts.

use std::time::Duration;

use parking_lot::MutexGuard;

use crate::error::{Error, ErrorKind, Result};
use crate::state::{ParkedRecord, StateChange};
use crate::store::Batch;
use crate::types::{BatchReceipt, Durability, RecordedEvent};

use super::core::{Core, Shared};
use super::flow::{Failed, Key};
use super::settings::{AckDurability, ParkPolicy};

/// What a commit does to parked events, beside the progress.
#[derive(Default)]
struct Moves {
    changes: Vec<StateChange>,
    /// Parked no more.
    gone: Vec<u64>,
    /// The next of a key that waited: replayed in its turn.
    next: Vec<(RecordedEvent, ParkedRecord)>,
    /// Keys behind which nothing is left.
    free: Vec<String>,
}

impl Shared {
    /// A delivery is done.
    pub(super) fn acknowledge(&self, position: u64, attempt: u32) -> Result<()> {
        let mut core = self.check_out(position, attempt)?;
        if let AckDurability::Grouped(most) = self.settings.acks
            && !core.flow.is_replayed(position)
        {
            core.flow.finish(position);
            core.unflushed += 1;
            let is_full = core.unflushed >= most;
            self.wake_one(&core);
            drop(core);
            return if is_full { self.flush_acks(most) } else { Ok(()) };
        }
        core.flow.acknowledge(position);
        core.acked.push(position);
        drop(core);
        let turn = self.turn.lock();
        // Whoever had the turn before may have recorded it with its own.
        if !self.core.lock().acked.contains(&position) {
            return Ok(());
        }
        let batch = self.store.batch().durability(Durability::Synced);
        self.record(&turn, batch, Some(position)).map(drop)
    }

    /// A delivery is done, and with it what a batch appends.
    pub(super) fn acknowledge_with(&self, position: u64, attempt: u32, batch: Batch) -> Result<BatchReceipt> {
        let turn = self.turn.lock();
        let mut core = self.check_out(position, attempt)?;
        core.flow.acknowledge(position);
        core.acked.push(position);
        drop(core);
        self.record(&turn, batch, Some(position))
    }

    /// The core, if this delivery is the last one of its event and its time is not up.
    pub(super) fn check_out(&self, position: u64, attempt: u32) -> Result<MutexGuard<'_, Core>> {
        let core = self.core.lock();
        match core.flow.check_out(position, attempt) {
            Ok(()) => Ok(core),
            Err(_) => Err(Error::new(
                ErrorKind::Expired,
                format!(
                    "consumer {:?}: the time for the event at position {position} was up: it is handed out again, or done",
                    self.name
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
    fn record(&self, _turn: &MutexGuard<'_, ()>, batch: Batch, own: Option<u64>) -> Result<BatchReceipt> {
        let mut core = self.core.lock();
        // What tells an event's key may panic: nothing is changed before it was asked.
        let moves = self.moves(&core);
        let acked = std::mem::take(&mut core.acked);
        let unflushed = core.unflushed;
        let progress = core.flow.progress();
        // What would be read of such a key before that is settled would be taken for one that waits.
        core.is_settling_key = moves.as_ref().is_ok_and(|moves| !moves.free.is_empty());
        drop(core);
        let committed = moves.and_then(|moves| {
            let changes = moves.changes.iter().cloned().chain([progress.change(&self.name)]);
            let receipt = changes.fold(batch, Batch::change).commit()?;
            Ok((receipt, moves))
        });
        let mut core = self.core.lock();
        core.is_settling_key = false;
        match committed {
            Ok((receipt, moves)) => {
                core.flow.noted(&progress);
                core.unflushed -= unflushed;
                acked.iter().for_each(|position| core.flow.finish(*position));
                self.settle(&mut core, moves);
                Ok(receipt)
            }
            Err(error) => {
                for position in acked {
                    if Some(position) == own {
                        core.flow.unacknowledge(position, self.now());
                    } else {
                        core.acked.push(position);
                    }
                }
                self.wake_one(&core);
                Err(error)
            }
        }
    }

    /// What becomes of parked events when those are done that are acknowledged.
    fn moves(&self, core: &Core) -> Result<Moves> {
        let mut moves = Moves::default();
        for position in &core.acked {
            let Some(record) = core.parked.get(position) else { continue };
            moves.changes.push(ParkedRecord::removal(&self.name, *position));
            moves.gone.push(*position);
            let Some(key) = &record.key else { continue };
            match self.next_of_key(key, *position, core.flow.read_to())? {
                Some(event) => {
                    let next = ParkedRecord {
                        attempts: 0,
                        at: self.now(),
                        is_replayed: true,
                        key: Some(key.clone()),
                        reason: format!("waited behind position {position}"),
                    };
                    moves.changes.push(next.change(&self.name, event.position().as_u64()));
                    moves.next.push((event, next));
                }
                None => moves.free.push(key.clone()),
            }
        }
        Ok(moves)
    }

    /// What was committed is so.
    fn settle(&self, core: &mut Core, moves: Moves) {
        let Moves { gone, next, free, .. } = moves;
        gone.iter().for_each(|position| drop(core.parked.remove(position)));
        free.iter().for_each(|key| core.flow.go_on(key));
        for (event, record) in next {
            let (position, key) = (event.position().as_u64(), record.key.as_deref().map(Key::from));
            if let Some(key) = &key {
                core.flow.wait_behind(Key::clone(key), position);
            }
            core.parked.insert(position, record);
            core.flow.replay(event, key);
        }
        self.wake_one(core);
    }

    /// A delivery is not done.
    pub(super) fn refuse(&self, position: u64, attempt: u32, delay: Option<Duration>) -> Result<()> {
        let mut core = self.check_out(position, attempt)?;
        let failed = core.flow.fail(position, self.now(), delay);
        self.wake_one(&core);
        drop(core);
        match failed {
            Failed::Again => Ok(()),
            Failed::TooOften => self.give_up(position, attempt),
        }
    }

    /// Parks an event that was handed out as often as it may be, unless its worker was just in time.
    pub(super) fn give_up(&self, position: u64, times: u32) -> Result<()> {
        match self.park(position, times, &format!("handed out {times} times and not done")) {
            Err(error) if error.kind() == ErrorKind::Expired => Ok(()),
            parked => parked,
        }
    }

    /// Puts an event aside that is out.
    pub(super) fn park(&self, position: u64, attempt: u32, reason: &str) -> Result<()> {
        let _turn = self.turn.lock();
        let mut core = self.check_out(position, attempt)?;
        let key = core.flow.key_of(position).filter(|_| self.settings.park == ParkPolicy::ParkKey);
        let record = ParkedRecord {
            attempts: attempt,
            at: self.now(),
            is_replayed: false,
            key: key.as_deref().map(str::to_owned),
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
        match committed {
            Ok(_) => {
                core.flow.noted(&progress);
                core.flow.parked(position, record.key.is_some());
                core.parked.insert(position, record);
                self.wake_one(&core);
                Ok(())
            }
            Err(error) => {
                core.flow.unacknowledge(position, self.now());
                Err(error)
            }
        }
    }

    /// Records that events were handed out, before they are: so that it counts if the process ends over them.
    pub(super) fn note(&self) -> Result<()> {
        let _turn = self.turn.lock();
        let progress = self.core.lock().flow.progress_ahead();
        let batch = self.store.batch().durability(Durability::Buffered);
        batch.change(progress.change(&self.name)).commit()?;
        self.core.lock().flow.noted(&progress);
        Ok(())
    }

    /// Parked events are handed out again, or given up.
    pub(super) fn unpark(&self, position: u64, is_replayed: bool) -> Result<bool> {
        let turn = self.turn.lock();
        let core = self.core.lock();
        let Some(record) = core.parked.get(&position).filter(|record| !record.is_replayed) else {
            return Ok(false);
        };
        let record = ParkedRecord { is_replayed: true, ..record.clone() };
        drop(core);
        if !is_replayed {
            self.core.lock().acked.push(position);
            let batch = self.store.batch().durability(Durability::Synced);
            return self.record(&turn, batch, None).map(|_| true).inspect_err(|_| {
                self.core.lock().acked.retain(|acked| *acked != position);
            });
        }
        let event = self.read(position)?;
        let batch = self.store.batch().durability(Durability::Synced);
        batch.change(record.change(&self.name, position)).commit()?;
        let mut core = self.core.lock();
        core.flow.replay(event, record.key.as_deref().map(Key::from));
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
