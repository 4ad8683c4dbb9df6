//! The campaign of crashes can catch us: on a disk where one sync does nothing, or where two steps are done in another
//! order, it reports a fault. So no sync of the journal, the manifest and quarantine is superfluous, and no test is blind.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::support::crash_states::{CrashStates, Effort};
use crate::support::{Fault, Lie, LieKind, LieWhen, Rng, SimDisk, steps};

use LieKind::{DirSync, FileSync, NameBeforeBytes, WriteAfterSync};
use LieWhen::{Always, Recovering};

const EFFORT: Effort = Effort { subsets_max: 16, samples: 4, again_one_in: 20 };
/// What lies in recovery only is seen by crashes of recoveries.
const EFFORT_IN_RECOVERY: Effort = Effort { subsets_max: 2, samples: 1, again_one_in: 2 };
/// What harms nobody is looked for to the end of a history, and never found.
const EFFORT_IN_VAIN: Effort = Effort { subsets_max: 4, samples: 1, again_one_in: 200 };
const HISTORIES: u64 = 8;

fn any(_: &Path) -> bool {
    true
}

fn is_new(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "tmp")
}

fn journal(path: &Path) -> bool {
    path.starts_with("/bank/journal") && !is_new(path)
}

fn new_journal(path: &Path) -> bool {
    path.starts_with("/bank/journal") && is_new(path)
}

fn new_manifest(path: &Path) -> bool {
    path == Path::new("/bank/MANIFEST.tmp")
}

fn quarantine(path: &Path) -> bool {
    path.starts_with("/bank/quarantine")
}

fn segments(path: &Path) -> bool {
    path.starts_with("/bank/segments")
}

fn snapshots(path: &Path) -> bool {
    path.starts_with("/bank/snapshots")
}

fn parent(path: &Path) -> bool {
    path == Path::new("/")
}

fn root(path: &Path) -> bool {
    path == Path::new("/bank")
}

/// The first fault that the campaign reports on a disk that lies, and after how many crash states; `None` when it reports
/// none.
fn caught(
    kind: LieKind,
    of: fn(&Path) -> bool,
    when: LieWhen,
    effort: Effort,
    histories: u64,
) -> Option<(u64, String)> {
    let fault: RefCell<Option<(u64, String)>> = RefCell::new(None);
    let mut states = 0;
    for number in 0..histories {
        let mut rng = Rng::new(number);
        let steps = match number {
            0 => steps::fixed(),
            1 => steps::fixed_too(),
            2 => steps::fixed_sealed(),
            _ => steps::random(&mut rng, false),
        };
        let disk = SimDisk::new();
        disk.lies(Lie { kind, of, when });
        let mut judge = |name: &dyn std::fmt::Display, case: &mut dyn FnMut() -> Result<(), Fault>| {
            if fault.borrow().is_some() {
                return;
            }
            states += 1;
            let found = match catch_unwind(AssertUnwindSafe(case)) {
                Ok(Ok(())) => return,
                Ok(Err(found)) => found.to_string(),
                Err(_) => "a panic".to_owned(),
            };
            *fault.borrow_mut() = Some((states, format!("{found}; {name}")));
        };
        let mut crashes = CrashStates::new(effort, 64 << 10, rng, &mut judge);
        crashes.of(disk, &steps, &format!("history {number}"), &|| fault.borrow().is_none());
        if fault.borrow().is_some() {
            break;
        }
    }
    fault.into_inner()
}

/// What it is, and of which paths it is told.
type Named<'a> = (&'a str, LieKind, fn(&Path) -> bool, LieWhen);

fn assert_caught(lies: &[Named<'_>]) {
    let mut missed = Vec::new();
    for (what, kind, of, when) in lies {
        let effort = if *when == Recovering { EFFORT_IN_RECOVERY } else { EFFORT };
        match caught(*kind, *of, *when, effort, HISTORIES) {
            Some((states, fault)) => println!("{what}: caught by state {states}: {fault}"),
            None => missed.push(*what),
        }
    }
    assert!(missed.is_empty(), "not caught: {missed:?}");
}

#[test]
fn a_sync_of_a_file_that_does_nothing_is_noticed() {
    assert_caught(&[
        ("all files", FileSync, any, Always),
        ("journal files", FileSync, journal, Always),
        ("journal files, in recovery", FileSync, journal, Recovering),
        ("new journal files, before their rename", FileSync, new_journal, Always),
        ("the new manifest, before its rename", FileSync, new_manifest, Always),
        ("copies in quarantine, before their rename", FileSync, quarantine, Always),
    ]);
}

#[test]
fn a_sync_of_a_directory_that_does_nothing_is_noticed() {
    assert_caught(&[
        ("all directories", DirSync, any, Always),
        ("the store's parent", DirSync, parent, Always),
        ("the store's directory", DirSync, root, Always),
        ("the store's directory, in recovery", DirSync, root, Recovering),
        ("the journal's directory", DirSync, journal, Always),
        ("the journal's directory, in recovery", DirSync, journal, Recovering),
        ("the directory of quarantine", DirSync, quarantine, Always),
        ("files of segments", FileSync, segments, Always),
        ("the directory of segments", DirSync, segments, Always),
    ]);
}

#[test]
fn two_steps_in_another_order_are_noticed() {
    assert_caught(&[
        ("a new journal file has its name before its bytes", NameBeforeBytes, new_journal, Always),
        ("a new manifest has its name before its bytes", NameBeforeBytes, new_manifest, Always),
        ("the last write to a journal file passes its sync", WriteAfterSync, journal, Always),
        ("the same in recovery", WriteAfterSync, journal, Recovering),
        ("the last write to a new manifest passes its sync", WriteAfterSync, new_manifest, Always),
        ("the last write to a new segment passes its sync", WriteAfterSync, segments, Always),
    ]);
}

/// What is known to be harmless, and why. If one of these is caught, the reason holds no longer.
#[test]
fn lies_that_harm_nobody_are_no_false_alarms() {
    let harmless: [Named<'_>; 5] = [
        // A cache: a crash may cost a snapshot, never an answer. The syncs are made so that compaction does not throw away
        // old packs for a new one that a power cut takes.
        ("files of snapshots", FileSync, snapshots, Always),
        ("the directory of snapshots", DirSync, snapshots, Always),
        // Nothing is cut before the directory is synced, and with it the bytes.
        ("a copy in quarantine has its name before its bytes", NameBeforeBytes, quarantine, Always),
        // No manifest names it before its directory is synced, and with it the bytes.
        ("a new segment has its name before its bytes", NameBeforeBytes, segments, Always),
        // It is of zeros, and zeros are what is there without it.
        ("the last write to a new journal file passes its sync", WriteAfterSync, new_journal, Always),
    ];
    for (what, kind, of, when) in harmless {
        let fault = caught(kind, of, when, EFFORT_IN_VAIN, 2);
        assert!(fault.is_none(), "{what}: {fault:?}");
    }
}
