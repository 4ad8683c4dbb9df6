//! `Upkeep`: where the leader leaves word of what the maintenance thread should do, and where the thread waits for it. Of
//! preparing space the newest wish is kept; that files are to be sealed is seen from the files.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::journal::Prepared;

/// What there is to do.
#[derive(Debug)]
pub(crate) enum Chore {
    /// The next step of a file's space, which is used up to here.
    Prepare(Arc<Prepared>, u64),
    /// Sealing the oldest file.
    Seal,
}

#[derive(Debug, Default)]
struct Wishes {
    prepare: Option<(Arc<Prepared>, u64)>,
    seal: bool,
    stopped: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    wishes: Mutex<Wishes>,
    wake: Condvar,
}

impl Upkeep {
    /// Leaves word that the file is used up to `used`.
    pub(crate) fn ask_to_prepare(&self, prepared: &Arc<Prepared>, used: u64) {
        self.wishes.lock().prepare = Some((Arc::clone(prepared), used));
        self.wake.notify_one();
    }

    /// Leaves word that a file is full.
    pub(crate) fn ask_to_seal(&self) {
        self.wishes.lock().seal = true;
        self.wake.notify_one();
    }

    /// Waits for the next chore; `None` when there will be no more. Space comes first: the writer waits for it.
    pub(crate) fn next(&self) -> Option<Chore> {
        let mut wishes = self.wishes.lock();
        loop {
            if wishes.stopped {
                return None;
            }
            if let Some((prepared, used)) = wishes.prepare.take() {
                return Some(Chore::Prepare(prepared, used));
            }
            if std::mem::take(&mut wishes.seal) {
                return Some(Chore::Seal);
            }
            self.wake.wait(&mut wishes);
        }
    }

    /// Whether there is something to do that does not wait, or an end.
    pub(crate) fn is_wanted(&self) -> bool {
        let wishes = self.wishes.lock();
        wishes.seal || wishes.stopped
    }

    /// Prepares space if that was asked for, for whoever is at another chore meanwhile.
    pub(crate) fn see_to_space(&self) {
        let wish = self.wishes.lock().prepare.take();
        if let Some((prepared, used)) = wish {
            prepare(&prepared, used);
        }
    }

    /// Lets whoever waits go.
    pub(crate) fn stop(&self) {
        self.wishes.lock().stopped = true;
        self.wake.notify_all();
    }
}

/// Prepares the next step of a file's space.
pub(crate) fn prepare(prepared: &Prepared, used: u64) {
    // A failure is kept with the prepared space: the writer meets it when it needs more, and tells its caller.
    let _ = prepared.prepare_next(used);
}
