//! `PrepareAhead`: where the leader leaves word that the next step of journal space should be prepared, and where the
//! maintenance thread waits for it. One wish at most is kept: the newest.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::journal::Prepared;

#[derive(Debug, Default)]
struct Wish {
    prepared: Option<(Arc<Prepared>, u64)>,
    stopped: bool,
}

#[derive(Debug, Default)]
pub(crate) struct PrepareAhead {
    wish: Mutex<Wish>,
    wake: Condvar,
}

impl PrepareAhead {
    /// Leaves word that the file is used up to `used`.
    pub(crate) fn ask(&self, prepared: &Arc<Prepared>, used: u64) {
        self.wish.lock().prepared = Some((Arc::clone(prepared), used));
        self.wake.notify_one();
    }

    /// Waits for the next wish; `None` when there will be no more.
    pub(crate) fn next(&self) -> Option<(Arc<Prepared>, u64)> {
        let mut wish = self.wish.lock();
        loop {
            if wish.stopped {
                return None;
            }
            if let Some(prepared) = wish.prepared.take() {
                return Some(prepared);
            }
            self.wake.wait(&mut wish);
        }
    }

    /// Lets whoever waits go.
    pub(crate) fn stop(&self) {
        self.wish.lock().stopped = true;
        self.wake.notify_all();
    }
}
