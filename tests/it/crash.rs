//! Power cuts at every call that a short history makes to its disk, and again at every call of the recovery.

use std::sync::{Arc, Mutex};

use crate::support::crash_states::{CrashStates, Effort};
use crate::support::history::{Fate, History, open};
use crate::support::runner::Runner;
use crate::support::{Call, CallKind, Fault, Keep, Rng, SimDisk, Verdict, all, event, steps};

/// How many calls the history makes when nothing goes wrong.
fn calls() -> u64 {
    let disk = SimDisk::new();
    let history = History::run(&disk);
    assert!(history.has(Fate::Durable) && history.has(Fate::Buffered) && !history.has(Fate::Refused));
    history.check(&open(&disk).expect("open")).expect("the history");
    disk.calls()
}

/// Opens what a crash left, holds it against the history, and goes on with it.
fn assert_recovers(history: &History, disk: &SimDisk, what: &str) {
    let store = open(disk).unwrap_or_else(|error| panic!("{what}: {error}"));
    let found = history.check(&store).unwrap_or_else(|fault| panic!("{what}: {fault}"));
    drop(store);
    let store = open(disk).unwrap_or_else(|error| panic!("{what}, after a clean close: {error}"));
    assert!(store.recovery().clean, "{what}");
    assert_eq!(history.check(&store), Ok(found), "{what}: recovery settles it");
    store
        .stream("after")
        .expect("name")
        .append_raw(annals::ExpectedVersion::NoStream, [event("x")])
        .expect(what);
}

#[test]
fn a_power_cut_at_any_call_loses_nothing_that_was_acknowledged_as_synced() {
    let mut rng = Rng::printed("power cuts", 31);
    let (calls, mut states) = (calls(), 0);
    for call in 0..=calls {
        let disk = SimDisk::new();
        disk.dies_at(call);
        let history = History::run(&disk);
        let mut keeps = vec![Keep::Nothing, Keep::Everything];
        keeps.extend((0..10).map(|_| Keep::Some(Rng::new(rng.next()))));
        for keep in keeps {
            states += 1;
            let what = format!("power cut at call {call} of {calls}, append {}, {keep:?}", history.len());
            assert_recovers(&history, &disk.crash(keep), &what);
        }
    }
    println!("{states} crash states");
    assert!(states > 500);
}

/// A process that is killed leaves a name that can be seen and is not durable. Whoever opens the store next must make it
/// so: what it appends rests on it.
#[test]
fn a_manifest_that_a_killed_process_put_there_lasts_once_the_store_is_opened() {
    let is_sync_of_root = |call: &Call| call.kind == CallKind::SyncDir && call.path.ends_with("bank");
    let runner = Runner::new(SimDisk::new()).recorded();
    runner.run(&steps::fixed()).expect("a history");
    let moments = runner.into_moments();
    let mut states = 0;
    for moment in moments.iter().filter(|moment| moment.call.as_ref().is_some_and(is_sync_of_root)) {
        let disk = moment.disk.kill();
        let store = open(&disk).expect("open");
        let events = all(&store).len();
        store
            .stream("after")
            .expect("name")
            .append_raw(annals::ExpectedVersion::NoStream, [event("x")])
            .expect("append");
        let again = open(&disk.crash(Keep::Nothing)).expect("what was acknowledged can be read");
        assert_eq!(all(&again).len(), events + 1);
        states += 1;
    }
    assert!(states > 6, "{states} moments between a rename and its sync");
}

#[test]
fn a_power_cut_at_any_call_of_a_recovery_loses_nothing_either() {
    let mut rng = Rng::printed("power cuts while recovering", 37);
    let (calls, mut states) = (calls(), 0);
    for call in 0..=calls {
        let disk = SimDisk::new();
        disk.dies_at(call);
        let history = History::run(&disk);
        let first = disk.crash(Keep::Some(Rng::new(rng.next())));
        for second_call in 0.. {
            let disk = first.crash(Keep::Everything);
            disk.dies_at(second_call);
            let recovered = open(&disk).is_ok();
            let second = disk.crash(Keep::Some(Rng::new(rng.next())));
            let what =
                format!("power cut at call {call} of {calls}, then at call {second_call} of the recovery");
            assert_recovers(&history, &second, &what);
            states += 1;
            if recovered {
                break;
            }
        }
    }
    println!("{states} crash states");
    assert!(states > 500);
}

/// Every call of sealing, of the recovery from that, and of the recovery from that.
#[test]
fn a_power_cut_at_any_call_of_sealing_loses_nothing_and_doubles_nothing() {
    let rng = Rng::printed("power cuts while sealing", 53);
    let mut judge = |name: &dyn std::fmt::Display, case: &mut dyn FnMut() -> Result<(), Fault>| {
        case().unwrap_or_else(|fault| panic!("{name}: {fault}"));
    };
    let effort = Effort { subsets_max: 256, samples: 16, again_one_in: 120 };
    let mut crashes = CrashStates::new(effort, 64 << 10, rng, &mut judge);
    crashes.of(SimDisk::new(), &steps::fixed_sealed(), "sealing", &|| true);
    let CrashStates { counts, moments, .. } = crashes;
    println!("{counts:?} crash states by power cuts, at {moments:?} calls");
    assert!(counts[0] > 600 && counts[1] > 300, "{counts:?}");
}

/// A store that was closed is sealed without an append, and its process killed before the new manifest's name is durable.
/// Whoever opens it next removes the journal file that is sealed: not before that name lasts.
#[test]
fn a_journal_file_that_is_sealed_is_not_removed_before_the_manifest_lasts() {
    let disk = SimDisk::new();
    let store = open(&disk).expect("open");
    store.stream("a").expect("name").append_raw(annals::ExpectedVersion::Any, [event("x")]).expect("append");
    disk.on_call(|call| match call.kind {
        CallKind::Create if call.path.starts_with("/bank/segments") => {
            Verdict::Fail(std::io::ErrorKind::StorageFull)
        }
        _ => Verdict::Proceed,
    });
    store.seal().expect_err("the file is ended, and not sealed");
    disk.heal();
    store.close().expect("close");
    let store = open(&disk).expect("open");
    let moments: Arc<Mutex<Vec<(Call, SimDisk)>>> = Arc::default();
    let seen = Arc::clone(&moments);
    disk.record(move |call, disk| seen.lock().expect("moments").push((call.clone(), disk)));
    assert_eq!(store.seal().expect("seal"), 1);
    disk.stop_recording();
    let mut states = 0;
    for (call, disk) in moments.lock().expect("moments").drain(..) {
        let disk = disk.kill();
        drop(open(&disk).unwrap_or_else(|error| panic!("{call:?}: {error}")));
        for number in 0..disk.crash_states().expect("few").min(256) {
            let again = open(&disk.crash(Keep::Subset(number)));
            let again = again.unwrap_or_else(|error| panic!("{call:?}, {number}: {error}"));
            assert_eq!(all(&again).len(), 1, "{call:?}, {number}");
            states += 1;
        }
    }
    println!("{states} states");
    assert!(states > 20);
}
