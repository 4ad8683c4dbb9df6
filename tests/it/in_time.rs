//! `in_time`: a test that is stuck fails instead of hanging.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;
use std::time::Duration;

/// Far more than any of the tests needs on a busy machine.
const LONGEST: Duration = Duration::from_secs(120);

/// Runs `work` on a thread of its own. Fails as it does, or when it does not end.
pub(crate) fn in_time<T: Send + 'static>(what: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        // Nobody listens any more if it took too long.
        let _ = done.send(catch_unwind(AssertUnwindSafe(work)));
    });
    match is_done.recv_timeout(LONGEST) {
        Ok(Ok(value)) => value,
        Ok(Err(panic)) => resume_unwind(panic),
        Err(_) => panic!("{what}: stuck for {LONGEST:?}"),
    }
}
