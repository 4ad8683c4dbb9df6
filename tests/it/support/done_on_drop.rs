//! `DoneOnDrop`: tells other threads to stop, also when an assertion of this one failed: a failing test ends.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sets the flag when it goes.
pub(crate) struct DoneOnDrop<'a>(pub(crate) &'a AtomicBool);

impl Drop for DoneOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
