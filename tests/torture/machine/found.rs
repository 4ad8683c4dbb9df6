//! Sequences that the machine found and that went wrong once, as short as it made them.

use super::ill::{Arm, Doing, End, Ill, Kept, Lasts};
use super::op::{Ending, Expect, Given, Id, Op, Part, Sequence, Setup};

/// Each with what goes wrong at the n-th call of its kind, and what it is about.
pub(crate) fn found(nth: u32) -> [(&'static str, Sequence); 4] {
    let restart = |ending, arms| Op::Restart { ending, setup: SETUP, arms };
    let full = std::io::ErrorKind::StorageFull;
    [
        (
            "a bit that flips while the unsynced end is read to be written again",
            vec![append(60), restart(Ending::Kill, vec![once(Ill::Flip(80), nth)])],
        ),
        (
            "frames behind a manifest whose name was not synced when the process ended",
            vec![
                append(20),
                restart(Ending::Close, vec![]),
                Op::Arm(once(Ill::SyncDir(full), nth)),
                append(20),
                restart(Ending::Kill, vec![]),
                append(20),
                restart(Ending::PowerCut(Kept::Nothing), vec![]),
            ],
        ),
        (
            "a new file after a clean close, and no space for the manifest that says so",
            vec![
                append(61_100),
                restart(Ending::Close, vec![]),
                Op::Arm(once(Ill::Name(Doing::Create, full), nth)),
                append(20),
                restart(Ending::Kill, vec![]),
            ],
        ),
        (
            "a torn tail that was cut, but the sync of the cut failed",
            vec![
                unsynced(363),
                // Of the append, all but its first sector reaches the disk.
                restart(
                    Ending::PowerCut(Kept::Some(11_854_970_373_118_999_927)),
                    vec![once(Ill::Sync(full), nth)],
                ),
                unsynced(1),
                restart(Ending::PowerCut(Kept::Everything), vec![]),
            ],
        ),
    ]
    .map(|(what, ops)| (what, Sequence { setup: SETUP, arms: Vec::new(), ops }))
}

/// A process that made a store and ended at its `call`-th call, then a power cut after appends of the next one.
pub(crate) fn made_by_a_process_that_died(call: u32) -> Sequence {
    let dies = Ill::Dies { put_down: 0, after_it: true, end: End::Killed };
    let cut = Op::Restart { ending: Ending::PowerCut(Kept::Nothing), setup: SETUP, arms: Vec::new() };
    Sequence { setup: SETUP, arms: vec![once(dies, call)], ops: vec![append(20), cut] }
}

const SETUP: Setup = Setup { journal_file_bytes: 64 << 10, recent_bytes_max: 0, strict: false };

fn once(ill: Ill, nth: u32) -> Arm {
    Arm { ill, nth, lasts: Lasts::Once }
}

fn append(payload_bytes: usize) -> Op {
    append_as(payload_bytes, true)
}

fn unsynced(payload_bytes: usize) -> Op {
    append_as(payload_bytes, false)
}

fn append_as(payload_bytes: usize, synced: bool) -> Op {
    let events = vec![Given { id: Id::Fresh, fill: 1, payload_bytes }];
    Op::Append { parts: vec![Part { stream: 0, expect: Expect::Any, events }], synced }
}
