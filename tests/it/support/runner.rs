//! `Runner`: takes the steps of a history on a `SimDisk`, as a caller would, and holds every answer against the history.

use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use annals::{
    Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Outcome, Position, Store, StreamInfo,
};

use super::commands;
use super::history::{Fate, History, What, send, send_again};
use super::steps::{Append, Command, Step};
use super::{Call, CallKind, Fault, ManualClock, SimDisk, Verdict, event};

const ROOT: &str = "/bank";
const JOURNAL_FILE_BYTES: u64 = 64 << 10;
/// How often the first of a group looks away, to let the others join the queue.
const YIELDS: usize = 40;

/// A store with small files.
pub(crate) fn open(disk: &SimDisk) -> annals::Result<Store> {
    open_with(disk, JOURNAL_FILE_BYTES)
}

fn open_with(disk: &SimDisk, journal_file_bytes: u64) -> annals::Result<Store> {
    disk.recovering(disk.has_file("/bank/MANIFEST"));
    let opened = Options::new()
        .disk(disk.clone())
        .clock(ManualClock::at(0))
        .maintenance(Maintenance::Inline)
        .journal_file_bytes(journal_file_bytes)
        .recent_bytes_max(0)
        .open(ROOT);
    disk.recovering(false);
    opened
}

/// The disk before one call, and what was known then.
#[derive(Clone)]
pub(crate) struct Moment {
    pub(crate) disk: SimDisk,
    pub(crate) history: History,
    /// The call; `None` when all was done.
    pub(crate) call: Option<Call>,
}

/// Clones are the same runner: one may be moved into a hook of the disk.
#[derive(Clone)]
pub(crate) struct Runner {
    disk: SimDisk,
    history: Arc<Mutex<History>>,
    moments: Option<Arc<Mutex<Vec<Moment>>>>,
    journal_file_bytes: u64,
    /// Bytes that a recovery before cut off the end, or was about to: a copy must be there after every opening.
    cut: Vec<Arc<Vec<u8>>>,
}

impl Runner {
    pub(crate) fn new(disk: SimDisk) -> Self {
        Self::resume(disk, History::default())
    }

    /// Goes on with a history that a crash has cut short.
    pub(crate) fn resume(disk: SimDisk, history: History) -> Self {
        let history = Arc::new(Mutex::new(history));
        Self { disk, history, moments: None, journal_file_bytes: JOURNAL_FILE_BYTES, cut: Vec::new() }
    }

    pub(crate) fn journal_file_bytes(self, journal_file_bytes: u64) -> Self {
        Self { journal_file_bytes, ..self }
    }

    /// What must be in quarantine after every opening.
    pub(crate) fn cut(self, cut: Vec<Arc<Vec<u8>>>) -> Self {
        Self { cut, ..self }
    }

    /// Remembers the moment before every call, for [`Runner::into_moments`].
    pub(crate) fn recorded(self) -> Self {
        Self { moments: Some(Arc::default()), ..self }
    }

    /// What is known so far.
    pub(crate) fn history(&self) -> History {
        self.known().clone()
    }

    /// The moments before all calls, and that behind the last one.
    pub(crate) fn into_moments(self) -> Vec<Moment> {
        self.moments.map(|moments| std::mem::take(&mut *moments.lock().expect("moments"))).unwrap_or_default()
    }

    /// Opens the store, takes the steps, closes it; what recovery cut off the end when it was opened.
    pub(crate) fn run(&self, steps: &[Step]) -> Result<Option<Arc<Vec<u8>>>, Fault> {
        let mut running = self.clone();
        running.record();
        let cut = running.take(steps)?;
        if let Some(moments) = &running.moments {
            running.disk.stop_recording();
            let last = Moment { disk: running.disk.kill(), history: running.history(), call: None };
            moments.lock().expect("moments").push(last);
        }
        Ok(cut)
    }

    fn take(&mut self, steps: &[Step]) -> Result<Option<Arc<Vec<u8>>>, Fault> {
        let Some(mut store) = self.open()? else { return Ok(None) };
        let cut = self.cut_by(&store);
        for step in steps {
            let first = self.known().len();
            match step {
                Step::Append(append) => self.append(&store, first, append)?,
                Step::Group(appends) => self.group(&store, appends)?,
                Step::Command(command) => self.command(&store, *command)?,
                Step::Flush if store.flush().is_ok() => self.known().all_is_durable(),
                Step::Flush => {}
                Step::Seal => self.seal(&store)?,
                Step::Retry(back) => self.retry(&store, *back)?,
                Step::Fail(after, verdict) => self.disk.on_call(fail(*after, *verdict)),
                Step::Reopen => {
                    let closed = store.close().is_ok();
                    if closed {
                        self.known().all_is_durable();
                    }
                    drop(store);
                    let Some(again) = self.open()? else { return Ok(cut) };
                    store = again;
                    if closed && !store.recovery().clean {
                        return Err(Fault::Wrong("a store that was closed cleanly was recovered".to_owned()));
                    }
                }
                Step::Kill => {
                    self.disk.stop_recording();
                    self.disk = self.disk.kill();
                    self.record();
                    let Some(again) = self.open()? else { return Ok(cut) };
                    // On the disk that nobody looks at any more.
                    drop(std::mem::replace(&mut store, again));
                }
            }
            let takes_no_more = self.known().sent[first..].iter().any(|sent| sent.fate == Fate::Unknown);
            if takes_no_more {
                check_poisoned(&store)?;
                drop(store);
                let Some(again) = self.open()? else { return Ok(cut) };
                store = again;
                self.retry_last(&store)?;
            }
        }
        Ok(cut)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, History> {
        self.history.lock().expect("nothing panics while it holds the history")
    }

    fn record(&self) {
        if let Some(moments) = &self.moments {
            let (moments, history) = (Arc::clone(moments), Arc::clone(&self.history));
            self.disk.record(move |call, disk| {
                let history = history.lock().expect("history").clone();
                moments.lock().expect("moments").push(Moment { disk, history, call: Some(call.clone()) });
            });
        }
    }

    /// Opens the store and holds what is found against what is known; `None` when the power is gone.
    fn open(&self) -> Result<Option<Store>, Fault> {
        let open = || open_with(&self.disk, self.journal_file_bytes);
        let faults = self.disk.faults();
        // The second attempt is after a fault; without one the first must do.
        let opened = match open() {
            Err(_) if self.disk.faults() > faults => open(),
            opened => opened,
        };
        let store = match opened {
            // At the last call of opening, which a store can do without.
            Ok(_) if self.disk.is_dead() => return Ok(None),
            Ok(store) => store,
            Err(_) if self.disk.is_dead() => return Ok(None),
            Err(error) => return Err(Fault::FalseAlarm(format!("opening: {error}"))),
        };
        // Not under the lock: what is looked at may be kept as a snapshot.
        let found = self.history().check(&store)?;
        self.known().settle(&found);
        if !self.cut.is_empty() {
            let files = self.disk.files();
            let is_kept = |cut: &Arc<Vec<u8>>| {
                files.iter().any(|(path, bytes)| path.starts_with("/bank/quarantine") && *bytes == **cut)
            };
            if !self.cut.iter().all(is_kept) {
                return Err(Fault::Loss("what recovery cut off is not in quarantine".to_owned()));
            }
        }
        Ok(Some(store))
    }

    fn cut_by(&self, store: &Store) -> Option<Arc<Vec<u8>>> {
        let torn = store.recovery().torn_tail.as_ref()?;
        self.disk.files().remove(torn.quarantined.as_ref()?).map(Arc::new)
    }

    fn append(&self, store: &Store, number: usize, append: &Append) -> Result<(), Fault> {
        self.known().send([What::Append(append.clone())]);
        let before = seen(store);
        let answer = send(store, number, append).map(drop);
        self.take_answer(number, append.durability, answer)?;
        let fate = self.known().sent[number].fate;
        if matches!(fate, Fate::Unknown | Fate::Refused) && seen(store) != before {
            return Err(Fault::Wrong(format!("append {number} failed, and readers see it")));
        }
        Ok(())
    }

    fn command(&self, store: &Store, command: Command) -> Result<(), Fault> {
        let number = self.known().send([What::Command(command)]);
        let answer = commands::execute(store, number, command);
        self.take_answer(number, Durability::Synced, answer)
    }

    /// Several callers at once. Whoever leads is held in its sync until the others had time to join the queue; should one
    /// come late, it is in the next group, and all that is checked holds as well.
    fn group(&self, store: &Store, appends: &[Append]) -> Result<(), Fault> {
        let first = self.known().send(appends.iter().cloned().map(What::Append));
        let arrived = Arc::new(AtomicUsize::new(0));
        let (wanted, seen) = (appends.len(), Arc::clone(&arrived));
        let is_held = !self.disk.has_hook();
        if is_held {
            let mut is_first = true;
            self.disk.on_call(move |call| {
                if is_first && call.kind == CallKind::Sync {
                    is_first = false;
                    while seen.load(Ordering::SeqCst) < wanted {
                        std::thread::yield_now();
                    }
                    (0..YIELDS).for_each(|_| std::thread::yield_now());
                }
                Verdict::Proceed
            });
        }
        let answers: Vec<Result<(), Fault>> = std::thread::scope(|scope| {
            let callers: Vec<_> = appends
                .iter()
                .enumerate()
                .map(|(at, append)| {
                    let arrived = &arrived;
                    scope.spawn(move || {
                        arrived.fetch_add(1, Ordering::SeqCst);
                        let answer = send(store, first + at, append).map(drop);
                        self.take_answer(first + at, append.durability, answer)
                    })
                })
                .collect();
            callers.into_iter().map(|caller| caller.join().expect("caller")).collect()
        });
        if is_held {
            self.disk.heal();
        }
        answers.into_iter().collect()
    }

    fn take_answer(
        &self,
        number: usize,
        durability: Durability,
        answer: annals::Result<()>,
    ) -> Result<(), Fault> {
        let mut known = self.known();
        known.sent[number].fate = match answer {
            Ok(()) if durability == Durability::Synced => {
                known.all_is_durable();
                Fate::Durable
            }
            Ok(()) => Fate::Buffered,
            Err(error) => match error.kind() {
                ErrorKind::Indeterminate => Fate::Unknown,
                ErrorKind::StorageFull | ErrorKind::Io | ErrorKind::Poisoned => Fate::Refused,
                other => return Err(Fault::Wrong(format!("append {number}: {other:?}: {error}"))),
            },
        };
        Ok(())
    }

    /// Seals; nothing that readers see changes, however it ends.
    fn seal(&self, store: &Store) -> Result<(), Fault> {
        let before = seen(store);
        match store.seal().map_err(|error| (error.kind(), error)) {
            // The file that was ended for it is synced.
            Ok(_) => self.known().all_is_durable(),
            Err((
                ErrorKind::Io | ErrorKind::StorageFull | ErrorKind::Indeterminate | ErrorKind::Poisoned,
                _,
            )) => {}
            Err((kind, error)) => return Err(Fault::Wrong(format!("sealing: {kind:?}: {error}"))),
        }
        if self.disk.is_dead() {
            return Ok(());
        }
        if seen(store) != before {
            return Err(Fault::Wrong("sealing changed what readers see".to_owned()));
        }
        let read: annals::Result<Vec<_>> = store.read().iter().collect();
        match read {
            Ok(events) if events.len() as u64 == store.head().as_u64() => Ok(()),
            Ok(events) => Err(Fault::Wrong(format!("{} events after sealing", events.len()))),
            // A fault of the disk may be about a read, too.
            Err(_) if self.disk.has_hook() => Ok(()),
            Err(error) => Err(Fault::FalseAlarm(format!("reading after sealing: {error}"))),
        }
    }

    /// Sends an append again that was answered: it is known, wherever it lies by now.
    fn retry(&self, store: &Store, back: usize) -> Result<(), Fault> {
        let (number, append) = {
            let known = self.known();
            let number = known.len().checked_sub(back + 1);
            let sent = number.and_then(|number| Some((number, known.sent.get(number)?)));
            match sent {
                Some((number, sent)) if matches!(sent.fate, Fate::Durable | Fate::Buffered) => {
                    let What::Append(append) = &sent.what else { return Ok(()) };
                    (number, append.clone())
                }
                _ => return Ok(()),
            }
        };
        if append.streams.is_empty() {
            return Ok(());
        }
        match send_again(store, number, &append) {
            Ok(receipt) if receipt.outcome() != Outcome::AlreadyAppended => {
                Err(Fault::Wrong(format!("append {number} sent again is {:?}", receipt.outcome())))
            }
            _ => Ok(()),
        }
    }

    /// Sends the last append again, with its ids: it is there once afterwards.
    fn retry_last(&self, store: &Store) -> Result<(), Fault> {
        let (number, last) = {
            let mut known = self.known();
            let Some(last) = known.sent.last().cloned() else { return Ok(()) };
            // A command is not sent again here.
            if matches!(last.what, What::Command(_)) {
                return Ok(());
            }
            if last.fate != Fate::Durable
                && let Some(retried) = known.sent.last_mut()
            {
                retried.fate = Fate::Unknown;
            }
            (known.len() - 1, last)
        };
        let What::Append(append) = last.what else { return Ok(()) };
        let Ok(receipt) = send(store, number, &append) else { return Ok(()) };
        let wanted = if last.fate == Fate::Durable && !append.streams.is_empty() {
            Outcome::AlreadyAppended
        } else {
            Outcome::Appended
        };
        if receipt.outcome() != wanted {
            return Err(Fault::Wrong(format!("append {number} sent again is {:?}", receipt.outcome())));
        }
        self.take_answer(number, append.durability, Ok(()))
    }
}

/// What readers see, short of the events.
fn seen(store: &Store) -> (Position, Vec<StreamInfo>, Vec<(String, Position)>) {
    (store.head(), store.streams().expect("streams"), store.checkpoints())
}

/// A hook that fails the call after so many.
///
/// A write that is continued stops at the end of a sector: the kernel copies page by page. One that stopped in the middle of
/// a sector could, after a power cut, leave that sector half written and the ones behind it whole.
fn fail(after: u64, verdict: Verdict) -> impl FnMut(&Call) -> Verdict + Send + 'static {
    let mut calls = 0;
    move |call| {
        let is_it = call.kind != CallKind::Read && calls == after;
        calls += u64::from(call.kind != CallKind::Read);
        match (is_it, verdict, call.kind) {
            (false, ..) => Verdict::Proceed,
            (true, Verdict::FailAfter(_, error), kind) if kind != CallKind::Write => Verdict::Fail(error),
            (true, Verdict::Short(bytes), CallKind::Write) => Verdict::Short(to_sector_end(call, bytes)),
            (true, Verdict::FailAfter(bytes, io::ErrorKind::Interrupted), _) => {
                Verdict::FailAfter(to_sector_end(call, bytes), io::ErrorKind::Interrupted)
            }
            (true, verdict, _) => verdict,
        }
    }
}

fn to_sector_end(call: &Call, bytes: usize) -> usize {
    let start = super::to_usize(call.offset);
    (start + bytes).next_multiple_of(512) - start
}

/// After a failed sync nothing is acknowledged any more; reads go on.
fn check_poisoned(store: &Store) -> Result<(), Fault> {
    let head = store.head();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let late = store.stream("late").expect("name").append_raw(ExpectedVersion::Any, [event("late")]);
        kinds.push(late.map(drop).map_err(|error| error.kind()));
        kinds.push(store.flush().map_err(|error| error.kind()));
    }
    kinds.push(store.close().map_err(|error| error.kind()));
    let poisoned = kinds.iter().all(|kind| *kind == Err(ErrorKind::Poisoned)) && store.head() == head;
    if poisoned {
        Ok(())
    } else {
        Err(Fault::Wrong(format!("after a failed sync the store answers {kinds:?}")))
    }
}
