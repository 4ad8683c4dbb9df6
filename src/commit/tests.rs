//! Waiting for files to be sealed. Not beside `Backlog` itself, whose file the model of the queue takes in as well.

use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use super::backlog::{BACKLOG_FILES_MAX, Backlog};

/// Waits on another thread; what it sends when it may go on.
fn waiting(backlog: &Arc<Backlog>) -> mpsc::Receiver<()> {
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::clone(backlog);
    thread::spawn(move || {
        shared.wait();
        sender.send(()).expect("the test waits for it");
    });
    while backlog.stalls().count == 0 {
        thread::yield_now();
    }
    receiver
}

#[test]
fn up_to_the_limit_nobody_waits_and_past_it_until_one_was_sealed() {
    let backlog = Arc::new(Backlog::new(BACKLOG_FILES_MAX - 1, true));
    backlog.grow();
    backlog.wait();
    backlog.grow();
    // One more than may wait.
    let waiter = waiting(&backlog);
    assert!(waiter.try_recv().is_err());
    backlog.shrink();
    waiter.recv().expect("goes on");
    assert_eq!((backlog.files(), backlog.stalls().count), (BACKLOG_FILES_MAX, 1));
}

#[test]
fn nobody_waits_where_nobody_seals() {
    let backlog = Arc::new(Backlog::new(BACKLOG_FILES_MAX + 5, false));
    backlog.wait();
    let backlog = Arc::new(Backlog::new(BACKLOG_FILES_MAX + 5, true));
    let waiter = waiting(&backlog);
    assert!(waiter.try_recv().is_err());
    backlog.give_up();
    waiter.recv().expect("goes on");
    // One sealed by hand makes nobody wait for one who left, or never was.
    for backlog in [Backlog::new(BACKLOG_FILES_MAX + 5, false), Backlog::new(BACKLOG_FILES_MAX + 5, true)] {
        backlog.leave();
        backlog.shrink();
        backlog.wait();
    }
}
