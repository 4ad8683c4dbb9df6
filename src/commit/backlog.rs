//! `Backlog`: how many journal files are full and not sealed yet, and where those who append wait while there are too many. So
//! memory and the time that opening takes stay bounded however fast events come.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// So many full files may wait to be sealed before appends wait for one of them.
pub(crate) const BACKLOG_FILES_MAX: u64 = 3;

/// Waits for sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stalls {
    /// How often an append has waited, or waits now.
    pub(crate) count: u64,
    /// For how long, all together, of those that have ended.
    pub(crate) time: Duration,
}

#[derive(Debug, Default)]
pub(crate) struct Backlog {
    /// What every append looks at, without a lock.
    files: AtomicU64,
    state: Mutex<State>,
    changed: Condvar,
}

/// Who seals by himself. Nobody waits for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sealer {
    /// There is none, or none any more: sealing is left to callers.
    #[default]
    Nobody,
    Working,
    /// He failed, and tries again later.
    Failed,
}

#[derive(Debug, Default)]
struct State {
    sealer: Sealer,
    stalls: Stalls,
}

impl Backlog {
    /// A backlog of so many files; `is_sealed` when somebody will seal them.
    pub(crate) fn new(files: u64, is_sealed: bool) -> Self {
        let sealer = if is_sealed { Sealer::Working } else { Sealer::Nobody };
        let state = Mutex::new(State { sealer, ..State::default() });
        Self { files: AtomicU64::new(files), state, changed: Condvar::new() }
    }

    pub(crate) fn files(&self) -> u64 {
        self.files.load(Ordering::Relaxed)
    }

    pub(crate) fn stalls(&self) -> Stalls {
        self.state.lock().stalls
    }

    /// A file is full.
    pub(crate) fn grow(&self) {
        self.files.fetch_add(1, Ordering::Relaxed);
    }

    /// One was sealed.
    pub(crate) fn shrink(&self) {
        self.files.fetch_sub(1, Ordering::Relaxed);
        let mut state = self.state.lock();
        if state.sealer == Sealer::Failed {
            state.sealer = Sealer::Working;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Sealing failed: nobody waits until a file was sealed again.
    pub(crate) fn give_up(&self) {
        let mut state = self.state.lock();
        if state.sealer == Sealer::Working {
            state.sealer = Sealer::Failed;
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Whoever sealed by himself does so no more: nobody waits from now on.
    pub(crate) fn leave(&self) {
        self.state.lock().sealer = Sealer::Nobody;
        self.changed.notify_all();
    }

    /// Waits while too many files are full.
    #[inline]
    pub(crate) fn wait(&self) {
        if self.files() > BACKLOG_FILES_MAX {
            self.wait_for_room();
        }
    }

    #[cold]
    fn wait_for_room(&self) {
        let mut state = self.state.lock();
        let began = Instant::now();
        let must_wait = |state: &State| state.sealer == Sealer::Working && self.files() > BACKLOG_FILES_MAX;
        if !must_wait(&state) {
            return;
        }
        state.stalls.count += 1;
        while must_wait(&state) {
            self.changed.wait(&mut state);
        }
        state.stalls.time += began.elapsed();
    }
}
