//! The maintenance thread: prepares journal space ahead of the writer, and seals full journal files and makes tiers. One a store, joined when
//! the store is closed.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crate::commit::{Backlog, Chore, Committer, Upkeep, prepare};

use super::sealer::Sealer;

/// What the thread needs. It holds nothing that keeps the store open.
#[derive(Debug)]
pub(super) struct Maintainer {
    pub(super) upkeep: Arc<Upkeep>,
    pub(super) backlog: Arc<Backlog>,
    pub(super) committer: Arc<Committer>,
    pub(super) sealer: Arc<Sealer>,
}

impl Maintainer {
    /// Starts the thread. Without one, if the operating system gives none, the writer prepares its space itself, and nothing is
    /// sealed unless somebody asks for it.
    pub(super) fn start(self) -> Option<JoinHandle<()>> {
        let backlog = Arc::clone(&self.backlog);
        let started = Builder::new().name("annals".to_owned()).spawn(move || self.work());
        if started.is_err() {
            backlog.leave();
        }
        started.ok()
    }

    fn work(&self) {
        while let Some(chore) = self.upkeep.next() {
            match chore {
                Chore::Prepare(prepared, used) => prepare(&prepared, used),
                Chore::Seal => self.seal_all(),
            }
        }
    }

    fn seal_all(&self) {
        loop {
            match self.sealer.seal_oldest(&self.committer, &|| self.upkeep.see_to_space()) {
                Ok(true) => {}
                Ok(false) => break,
                // It is tried again when the next file is full. Until then nobody waits for it, and `stats` tells.
                Err(_) => return self.backlog.give_up(),
            }
        }
        // A file that fills meanwhile is sealed first: the wish for it ends this, and begins it anew.
        let meanwhile = || self.upkeep.see_to_space();
        self.sealer.make_tiers(&self.committer, &meanwhile, &|| !self.upkeep.is_wanted());
    }
}

impl Drop for Maintainer {
    /// However the thread ends, also by a panic of a disk: nobody waits for it any more.
    fn drop(&mut self) {
        self.backlog.leave();
    }
}
