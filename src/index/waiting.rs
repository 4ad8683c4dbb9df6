//! `Waiting`: those who wait for events to be appended. Nobody polls: whoever publishes commits wakes those who want one of
//! them, and nobody else.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use std::task::Waker;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::journal::CommitView;
use crate::types::Filter;

/// All who wait on one store.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    list: Mutex<Vec<Arc<Waiter>>>,
    /// How many are in the list, for those who publish while nobody waits.
    count: AtomicUsize,
    closed: AtomicBool,
}

/// One who waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    filter: Filter,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug)]
struct State {
    /// Nothing before this position is wanted any more.
    next: u64,
    woken: bool,
    /// What to wake where no thread waits: a task of somebody's runtime.
    task: Option<Waker>,
}

impl State {
    /// Wakes a thread at once; a task is put to those that are woken when no lock is held.
    fn wake(&mut self, tasks: &mut Vec<Waker>) {
        self.woken = true;
        tasks.extend(self.task.take());
    }
}

impl Waiter {
    /// One who wants the events that a filter admits.
    pub(crate) fn new(filter: Filter) -> Arc<Self> {
        let state = Mutex::new(State { next: 0, woken: false, task: None });
        Arc::new(Self { filter, state, wake: Condvar::new() })
    }

    /// Whether events with these names, at these positions, may be wanted. If not, and all before them is known, they are known.
    fn is_woken_by(&self, names: &[(&str, &str)], positions: &Range<u64>, tasks: &mut Vec<Waker>) -> bool {
        let admits = |(stream, event_type): &(&str, &str)| {
            self.filter.admits_stream(stream) && self.filter.admits_type(event_type)
        };
        let wants = names.iter().any(admits);
        let mut state = self.state.lock();
        if wants {
            state.wake(tasks);
            self.wake.notify_one();
        } else if state.next == positions.start {
            state.next = positions.end;
        }
        wants
    }

    fn wake(&self, tasks: &mut Vec<Waker>) {
        self.state.lock().wake(tasks);
        self.wake.notify_one();
    }
}

/// What those who wait are told once commits can be read.
#[derive(Debug)]
pub(crate) struct Word {
    /// `None` when nobody waited before.
    commits: Option<Vec<CommitView>>,
}

impl Waiting {
    /// Whether nothing will be appended any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// What to tell about commits that are about to be published.
    pub(crate) fn word(&self, commits: impl FnOnce() -> Vec<CommitView>) -> Word {
        Word { commits: self.is_somebody().then(commits) }
    }

    /// Wakes those who want one of the commits, which readers can see by now.
    pub(crate) fn tell(&self, word: Word) {
        if !self.is_somebody() {
            return;
        }
        // Whoever came meanwhile may have looked too early.
        let Some(commits) = word.commits else { return self.tell_all() };
        let (Some(first), Some(last)) = (commits.first(), commits.last()) else { return };
        // They follow each other.
        let positions = first.positions().start..last.positions().end;
        let names = commits.iter().flat_map(|commit| (0..commit.event_count()).map(|at| commit.names(at)));
        let names: Vec<_> = names.collect();
        let mut tasks = Vec::new();
        let mut list = self.list.lock();
        list.retain(|waiter| !waiter.is_woken_by(&names, &positions, &mut tasks));
        self.count.store(list.len(), Ordering::SeqCst);
        drop(list);
        wake(tasks);
    }

    /// Wakes everybody: there may be something new.
    pub(crate) fn tell_all(&self) {
        let mut tasks = Vec::new();
        let mut list = self.list.lock();
        list.drain(..).for_each(|waiter| waiter.wake(&mut tasks));
        self.count.store(0, Ordering::SeqCst);
        drop(list);
        wake(tasks);
    }

    /// Wakes one who waits. One who is about to is not on the list yet, and asks whether there is something new when it is.
    pub(crate) fn wake(&self, waiter: &Arc<Waiter>) {
        let mut tasks = Vec::new();
        let mut list = self.list.lock();
        if let Some(at) = list.iter().position(|one| Arc::ptr_eq(one, waiter)) {
            list.swap_remove(at).wake(&mut tasks);
        }
        self.count.store(list.len(), Ordering::SeqCst);
        drop(list);
        wake(tasks);
    }

    /// Wakes everybody: nothing will be appended any more.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        self.tell_all();
    }

    /// Waits until something wanted was appended at `next` or behind it, until nothing will be any more, or until the deadline.
    /// `is_new` says whether there is something to look at already, and is asked when nothing later can be missed. From where
    /// to read on: nothing before it is wanted.
    pub(crate) fn wait(
        &self,
        waiter: &Arc<Waiter>,
        next: u64,
        deadline: Option<Instant>,
        is_new: impl FnOnce() -> bool,
    ) -> u64 {
        *waiter.state.lock() = State { next, woken: false, task: None };
        self.join(waiter);
        let mut state = waiter.state.lock();
        if !is_new() && !self.is_closed() {
            while !state.woken {
                match deadline {
                    Some(deadline) if waiter.wake.wait_until(&mut state, deadline).timed_out() => break,
                    Some(_) => {}
                    None => waiter.wake.wait(&mut state),
                }
            }
        }
        let State { next, woken, .. } = *state;
        drop(state);
        // Whoever wakes one has taken it off the list.
        if !woken {
            self.leave(waiter);
        }
        next
    }

    /// The same for a task, which is woken when it is to look again. Whether it may sleep: not if there is something to look at
    /// already. Until [`Waiting::return_from`] it may be on the list.
    #[cfg(feature = "futures")]
    pub(crate) fn wait_as(
        &self,
        waiter: &Arc<Waiter>,
        next: u64,
        task: Waker,
        is_new: impl FnOnce() -> bool,
    ) -> bool {
        *waiter.state.lock() = State { next, woken: false, task: Some(task) };
        self.join(waiter);
        !is_new() && !self.is_closed()
    }

    /// Takes a task off the list, if it is there still. From where to read on.
    #[cfg(feature = "futures")]
    pub(crate) fn return_from(&self, waiter: &Arc<Waiter>) -> u64 {
        self.leave(waiter);
        let mut state = waiter.state.lock();
        // Whoever waits no more keeps no task alive.
        state.task = None;
        state.next
    }

    #[inline]
    fn is_somebody(&self) -> bool {
        // Either whoever publishes sees that somebody waits, or who waits sees what was published.
        fence(Ordering::SeqCst);
        self.count.load(Ordering::SeqCst) > 0
    }

    fn join(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        list.push(Arc::clone(waiter));
        self.count.store(list.len(), Ordering::SeqCst);
        drop(list);
        fence(Ordering::SeqCst);
    }

    fn leave(&self, waiter: &Arc<Waiter>) {
        let mut list = self.list.lock();
        list.retain(|one| !Arc::ptr_eq(one, waiter));
        self.count.store(list.len(), Ordering::SeqCst);
    }
}

/// Wakes tasks. What their runtimes do then is theirs: no lock is held, and a panic in one keeps no other from being woken.
fn wake(tasks: Vec<Waker>) {
    for task in tasks {
        let _ = catch_unwind(AssertUnwindSafe(|| task.wake()));
    }
}
