//! A disk that refuses: full, broken, short, interrupted. What was not written is told as such; what may be is too.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use annals::{Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Store};

use crate::support::history::{Fate, History, open};
use crate::support::steps::{self, Step};
use crate::support::{Call, CallKind, Keep, Rng, SimDisk, Verdict, all, event, event_with_id};

const ANY: ExpectedVersion = ExpectedVersion::Any;

fn append(store: &Store, payload: &str) -> annals::Result<annals::Receipt> {
    store.stream("a").expect("name").append_raw(ANY, [event(payload)])
}

/// Lets every call through but the one that `is` picks first.
fn fail_once(disk: &SimDisk, is: impl Fn(&Call) -> bool + Send + 'static, verdict: Verdict) {
    let mut failed = false;
    disk.on_call(move |call| {
        if failed || !is(call) {
            return Verdict::Proceed;
        }
        failed = true;
        verdict
    });
}

fn is_journal_write(call: &Call) -> bool {
    call.kind == CallKind::Write && call.path.starts_with("/bank/journal")
}

#[test]
fn after_a_full_disk_nothing_is_written_reads_go_on_and_the_handle_appends_again() {
    for error in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge] {
        for written in [0, 1, 30, 56, 100, 180, usize::MAX] {
            let disk = SimDisk::new();
            let store = open(&disk).expect("open");
            append(&store, "before").expect("append");
            let events = all(&store);
            fail_once(&disk, is_journal_write, Verdict::FailAfter(written, error));
            let what = format!("{error} after {written} bytes");
            assert_eq!(append(&store, "lost").expect_err(&what).kind(), ErrorKind::StorageFull, "{what}");
            assert_eq!(all(&store), events, "{what}");
            append(&store, "after").expect(&what);
            assert_eq!(all(&store).len(), 2);
            let again = open(&disk.crash(Keep::Nothing)).expect(&what);
            assert_eq!(all(&again), all(&store), "{what}");
        }
    }
}

#[test]
fn a_disk_that_stays_full_refuses_every_append_and_takes_them_again_when_there_is_space() {
    let disk = SimDisk::new();
    let store = open(&disk).expect("open");
    append(&store, "before").expect("append");
    disk.on_call(|call| match call.kind {
        // Bytes that are there already may be overwritten; nothing new is taken.
        CallKind::Allocate | CallKind::Create => Verdict::Fail(io::ErrorKind::StorageFull),
        _ => Verdict::Proceed,
    });
    let large = "x".repeat(10_000);
    let mut taken = 1;
    let error = loop {
        match append(&store, &large) {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100, "the disk is full");
    };
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    for _ in 0..3 {
        assert_eq!(append(&store, &large).expect_err("still full").kind(), ErrorKind::StorageFull);
        assert_eq!(all(&store).len(), taken);
    }
    disk.heal();
    append(&store, &large).expect("there is space again");
    store.close().expect("close");
    assert_eq!(all(&open(&disk).expect("open")).len(), taken + 1);
}

#[test]
fn after_a_failed_sync_nothing_is_acknowledged_until_the_store_is_opened_again() {
    for kept in [Keep::Nothing, Keep::Everything] {
        let disk = SimDisk::new();
        let store = open(&disk).expect("open");
        append(&store, "before").expect("append");
        let events = all(&store);
        fail_once(&disk, |call| call.kind == CallKind::Sync, Verdict::Fail(io::ErrorKind::Other));
        let retried = || store.stream("a").expect("name").append_raw(ANY, [event_with_id(1, "retried")]);
        assert_eq!(retried().expect_err("the sync failed").kind(), ErrorKind::Indeterminate);
        assert_eq!(retried().expect_err("poisoned").kind(), ErrorKind::Poisoned);
        assert_eq!(store.flush().expect_err("poisoned").kind(), ErrorKind::Poisoned);
        assert_eq!(all(&store), events, "reads of what was durable go on");

        let calls = disk.calls();
        assert_eq!(store.close().expect_err("poisoned").kind(), ErrorKind::Poisoned);
        drop(store);
        assert_eq!(disk.calls(), calls, "nothing is written to a poisoned store and nothing synced");

        let store = open(&disk.crash(kept)).expect("open");
        let before = store.head().as_u64();
        let answer =
            store.stream("a").expect("name").append_raw(ANY, [event_with_id(1, "retried")]).expect("retry");
        assert_eq!(answer.outcome() == annals::Outcome::AlreadyAppended, before == 2);
        assert_eq!(all(&store).len(), 2, "it is there once");
    }
}

#[test]
fn a_failed_sync_is_told_to_the_whole_group_and_to_whoever_was_judged_against_it() {
    for _ in 0..30 {
        let disk = SimDisk::new();
        let store = open(&disk).expect("open");
        append(&store, "before").expect("append");
        disk.on_call(|call| match call.kind {
            CallKind::Sync => Verdict::Fail(io::ErrorKind::Other),
            _ => Verdict::Proceed,
        });
        let answers: Vec<_> = std::thread::scope(|scope| {
            let workers: Vec<_> = (0..6).map(|_| scope.spawn(|| append(&store, "x"))).collect();
            workers.into_iter().map(|worker| worker.join().expect("worker")).collect()
        });
        for answer in answers {
            let kind = answer.expect_err("no sync succeeded").kind();
            assert!(matches!(kind, ErrorKind::Indeterminate | ErrorKind::Poisoned), "{kind:?}");
        }
        assert_eq!(store.head().as_u64(), 1);
    }
}

#[test]
fn a_failed_sync_of_space_prepared_in_the_background_fails_the_flush_of_what_lies_before_it() {
    let disk = SimDisk::new();
    let options = Options::new().disk(disk.clone()).maintenance(Maintenance::Background);
    let store =
        options.durability(Durability::Buffered).journal_file_bytes(8 << 20).open("/bank").expect("open");
    let failed = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&failed);
    disk.on_call(move |call| match call.kind {
        // The first sync from now on is the background thread's: nobody flushes, and nobody else needs the space.
        CallKind::Sync if count.fetch_add(1, Ordering::SeqCst) == 0 => Verdict::Fail(io::ErrorKind::Other),
        _ => Verdict::Proceed,
    });
    append(&store, &"x".repeat(150_000)).expect("more than half of the space that a new file has");
    while failed.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    // The failed sync took the bytes of the append with it: a later sync that succeeds does not bring them back.
    let answer = store.flush().or_else(|_| store.flush());
    let lost = open(&disk.crash(Keep::Nothing)).expect("open").head().as_u64() == 0;
    assert!(lost, "the simulated disk loses what a failed sync was to save");
    let kind = answer.expect_err("what was flushed is lost").kind();
    assert!(matches!(kind, ErrorKind::Poisoned | ErrorKind::Indeterminate), "{kind:?}");
    assert_eq!(append(&store, "late").expect_err("poisoned").kind(), ErrorKind::Poisoned);
}

#[test]
fn short_and_interrupted_calls_are_invisible() {
    let plain = SimDisk::new();
    let wanted = History::run(&plain);
    for seed in 0..6 {
        let disk = SimDisk::new();
        let mut rng = Rng::printed("short calls", seed);
        disk.on_call(move |call| match call.kind {
            CallKind::Read | CallKind::Write if call.bytes > 0 => match rng.below(4) {
                0 => Verdict::Fail(io::ErrorKind::Interrupted),
                1 => Verdict::Short(1 + rng.index(300)),
                2 => Verdict::Short(call.bytes.div_ceil(2)),
                _ => Verdict::Proceed,
            },
            _ => Verdict::Proceed,
        });
        let history = History::run(&disk);
        disk.heal();
        assert!(!history.has(Fate::Refused) && !history.has(Fate::Unknown));
        assert_eq!(history.len(), wanted.len());
        let (store, plain) = (open(&disk).expect("open"), open(&plain).expect("open"));
        assert_eq!(history.check(&store), wanted.check(&plain));
    }
}

/// Fails each call of the history once, then holds everything against what was answered, then cuts the power.
fn fail_each_call(error: io::ErrorKind, steps: &[Step]) -> (u64, u64, u64) {
    let calls = {
        let disk = SimDisk::new();
        History::run_steps(&disk, steps);
        disk.calls()
    };
    let (mut refused, mut unknown) = (0, 0);
    let mut rng = Rng::printed("failing calls", 41);
    for call in 0..calls {
        let disk = SimDisk::new();
        let (mut count, part) = (0, rng.index(700));
        disk.on_call(move |made| {
            let is_it = made.kind != CallKind::Read && count == call;
            count += u64::from(made.kind != CallKind::Read);
            match (is_it, made.kind) {
                (true, CallKind::Write) => Verdict::FailAfter(part, error),
                (true, _) => Verdict::Fail(error),
                (false, _) => Verdict::Proceed,
            }
        });
        let history = History::run_steps(&disk, steps);
        refused += u64::from(history.has(Fate::Refused));
        unknown += u64::from(history.has(Fate::Unknown));
        disk.heal();
        for keep in [Keep::Nothing, Keep::Everything, Keep::Some(Rng::new(rng.next()))] {
            let what = format!("call {call} of {calls} failed with {error}, then a power cut, {keep:?}");
            let store = open(&disk.crash(keep)).unwrap_or_else(|error| panic!("{what}: {error}"));
            history.check(&store).unwrap_or_else(|fault| panic!("{what}: {fault}"));
        }
    }
    (calls, refused, unknown)
}

/// The history that seals, on one disk from its start to its end.
fn sealed() -> Vec<Step> {
    let on_one_disk = |step| if matches!(step, Step::Kill) { Step::Reopen } else { step };
    steps::fixed_sealed().into_iter().map(on_one_disk).collect()
}

#[test]
fn whichever_call_fails_the_answers_are_true() {
    for error in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        let (calls, refused, unknown) = fail_each_call(error, &steps::fixed());
        println!("{error}: {calls} calls failed, {refused} appends refused, {unknown} unknown at the end");
        assert!(refused > 10);
        let (calls, refused, unknown) = fail_each_call(error, &sealed());
        println!("sealing, {error}: {calls} calls failed, {refused} refused, {unknown} unknown at the end");
        assert!(refused > 10);
    }
}

#[test]
fn a_write_that_failed_in_part_then_a_power_cut_during_the_next_one_is_no_damage() {
    let mut rng = Rng::printed("failed write, then a power cut", 43);
    for round in 0..400 {
        let disk = SimDisk::new();
        let store = open(&disk).expect("open");
        append(&store, "before").expect("append");
        let part = rng.index(4_000);
        fail_once(
            &disk,
            |call| call.kind == CallKind::Write,
            Verdict::FailAfter(part, io::ErrorKind::StorageFull),
        );
        append(&store, &"A".repeat(3_000)).expect_err("refused");
        let buffered = store.batch().durability(Durability::Buffered);
        buffered.append_raw("a", ANY, [event("B".repeat(1 + rng.index(5_000)))]).commit().expect("append");
        let after = disk.crash(Keep::Some(Rng::new(rng.next())));
        let store = open(&after).unwrap_or_else(|error| panic!("round {round}: {error}"));
        assert!(
            all(&store).iter().all(|event| event.payload()[0] != b'A'),
            "round {round}: refused and there"
        );
    }
}

#[test]
fn a_read_that_fails_while_opening_is_an_error_and_never_an_end() {
    for steps in [steps::fixed(), sealed()] {
        fail_each_read_of_opening(&steps);
    }
}

fn fail_each_read_of_opening(steps: &[Step]) {
    let disk = SimDisk::new();
    let history = History::run_steps(&disk, steps);
    let files = disk.crash(Keep::Everything).files();
    let wanted = history.check(&open(&SimDisk::with_files(&files)).expect("open"));
    let mut failed = 0;
    for read in 0.. {
        let disk = SimDisk::with_files(&files);
        let mut count = 0;
        disk.on_call(move |call| {
            let is_it = call.kind == CallKind::Read && count == read;
            count += u64::from(call.kind == CallKind::Read);
            if is_it { Verdict::Fail(io::ErrorKind::Other) } else { Verdict::Proceed }
        });
        match open(&disk) {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Io, "{error}");
                failed += 1;
            }
            // More reads than opening makes.
            Ok(store) => {
                disk.heal();
                assert_eq!(history.check(&store), wanted);
                break;
            }
        }
        disk.heal();
        assert_eq!(history.check(&open(&disk).expect("open")), wanted, "nothing was cut");
    }
    assert!(failed > 8);
}

#[test]
fn space_that_was_asked_for_and_not_got_before_a_close_is_no_damage_after_a_power_cut() {
    let open = |disk: &SimDisk| {
        let options = Options::new().disk(disk.clone()).maintenance(Maintenance::Inline);
        options.journal_file_bytes(64 << 10).open("/bank").expect("open")
    };
    // Never appended to, and closed before.
    for appended in [false, true] {
        let disk = SimDisk::new();
        if appended {
            let store = open(&disk);
            append(&store, "before").expect("append");
            store.close().expect("close");
        }
        let store = open(&disk);
        fail_once(&disk, is_journal_write, Verdict::Fail(io::ErrorKind::StorageFull));
        // More than there is room for, in a file of its own.
        let error = append(&store, &"x".repeat(70_000)).expect_err("full");
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        disk.heal();
        store.close().expect("close");
        let disk = disk.crash(Keep::Nothing);
        assert_eq!(all(&open(&disk)).len(), usize::from(appended));
    }
}
