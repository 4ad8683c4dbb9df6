//! The maintenance thread: prepares journal space ahead of the writer. One a store, joined when the store is closed.

use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use crate::commit::PrepareAhead;

/// Starts the thread. Without one, if the operating system gives none, the writer prepares its space itself.
pub(super) fn start(ahead: Arc<PrepareAhead>) -> Option<JoinHandle<()>> {
    let work = move || {
        while let Some((prepared, used)) = ahead.next() {
            // A failure is kept with the prepared space: the writer meets it when it needs more, and tells its caller.
            let _ = prepared.prepare_next(used);
        }
    };
    Builder::new().name("annals".to_owned()).spawn(work).ok()
}
