//! Those who append faster than files are sealed: they wait, and go on when one was sealed, or when nobody seals any more.

use std::sync::Arc;

use shuttle::thread;

use crate::commit::{BACKLOG_FILES_MAX, Backlog, Committer, Disk, Request, Writer};
use crate::explore;
use crate::segment::Segment;

/// How many who wait for room go on.
#[derive(Debug, Clone, Copy)]
enum End {
    /// As many files are sealed as are too many.
    Sealed,
    GivenUp,
    /// The store is closed, and they are told so.
    Left,
}

fn wait_beside(waiters: u64, too_many: u64, end: End) {
    let backlog = Arc::new(Backlog::new(BACKLOG_FILES_MAX + too_many, true));
    let waiting: Vec<_> = (0..waiters)
        .map(|_| {
            let backlog = Arc::clone(&backlog);
            thread::spawn(move || backlog.wait())
        })
        .collect();
    match end {
        End::Sealed => (0..too_many).for_each(|_| backlog.shrink()),
        End::GivenUp => backlog.give_up(),
        End::Left => backlog.leave(),
    }
    // A wake-up that is lost is one that never ends: shuttle finds that all wait and fails.
    waiting.into_iter().for_each(|one| one.join().expect("goes on"));
}

/// Callers append while another thread ends files and publishes segments, which takes the writer's lock: a caller that waits
/// for room must not hold what the other needs.
fn append_beside_sealing(callers: usize, files: u64) {
    let writer = Writer::new(Arc::new(Disk::default()));
    let backlog = Arc::clone(&writer.backlog);
    (0..BACKLOG_FILES_MAX).for_each(|_| backlog.grow());
    backlog.shrink();
    let committer = Arc::new(Committer::new(writer));
    let sealer = thread::spawn({
        let committer = Arc::clone(&committer);
        move || {
            for _ in 0..files {
                committer.check_in_place().expect("open");
                assert!(committer.unsealed_bytes() > 0);
                let before = committer.end_file().expect("open");
                assert_eq!(committer.end_file().expect("open"), before + 1);
                committer.publish(Arc::new(Segment)).expect("open");
                committer.publish(Arc::new(Segment)).expect("open");
            }
        }
    });
    let callers: Vec<_> = (0..callers)
        .map(|caller| {
            let committer = Arc::clone(&committer);
            thread::spawn(move || committer.commit(Request { caller, number: 0, fault: None }).expect("open"))
        })
        .collect();
    let count = callers.len() as u64;
    for caller in callers {
        caller.join().expect("answered");
    }
    sealer.join().expect("all are published");
    assert!(backlog.stalls().count <= count, "who appends waits once at most");
}

#[test]
fn who_waits_for_room_keeps_nobody_from_sealing() {
    explore::sampled(|| append_beside_sealing(2, 2));
    explore::sampled(|| append_beside_sealing(4, 1));
}

#[test]
fn nobody_waits_for_ever_under_every_schedule() {
    for (waiters, too_many, end) in
        [(1, 1, End::Sealed), (2, 2, End::Sealed), (2, 1, End::GivenUp), (1, 1, End::Left)]
    {
        let schedules = explore::all(move || wait_beside(waiters, too_many, end));
        println!("{waiters} waiting for {too_many}, {end:?}: all {schedules} schedules");
    }
}

#[test]
fn nobody_waits_for_ever() {
    explore::sampled(|| wait_beside(3, 3, End::Sealed));
    explore::sampled(|| wait_beside(3, 2, End::GivenUp));
    explore::sampled(|| wait_beside(3, 2, End::Left));
}
