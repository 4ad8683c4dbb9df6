//! Checkpoints: they move with the events of their batch or not at all, the last one counts, and it lasts as long as the events do.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use annals::limits::{CHECKPOINT_NAME_BYTES_MAX, CHECKPOINTS_BYTES_MAX, COMMIT_CHECKPOINTS_MAX};
use annals::{
    Batch, Durability, ErrorKind, ExpectedVersion, Filter, Maintenance, Options, Outcome, Position,
    SalvageReport, Store, Update,
};

use crate::support::{CallKind, Keep, ManualClock, Rng, SimDisk, Verdict, all, event, event_with_id};

const ANY: ExpectedVersion = ExpectedVersion::Any;
/// What a checkpoint takes beside its name.
const OVERHEAD_BYTES: usize = 72;

fn options(disk: &SimDisk) -> Options {
    Options::new()
        .disk(disk.clone())
        .clock(ManualClock::at(1_000))
        .maintenance(Maintenance::Inline)
        .journal_file_bytes(64 << 10)
}

fn open(disk: &SimDisk) -> Store {
    options(disk).open("/shop").expect("open")
}

fn append(store: &Store, payload: &str) -> Batch {
    store.batch().append_raw("order-1", ANY, [event(payload)])
}

fn put(store: &Store, name: &str, position: u64) {
    store.batch().checkpoint(name, Position::new(position)).commit().expect("commit");
}

fn told(store: &Store) -> Vec<(String, u64)> {
    store.checkpoints().into_iter().map(|(name, position)| (name, position.as_u64())).collect()
}

fn named(checkpoints: &[(&str, u64)]) -> Vec<(String, u64)> {
    checkpoints.iter().map(|(name, position)| ((*name).to_owned(), *position)).collect()
}

#[test]
fn a_checkpoint_moves_with_its_batch_or_not_at_all() {
    let store = open(&SimDisk::new());
    assert_eq!(store.checkpoint("mailer"), None);
    append(&store, "one").checkpoint("mailer", Position::new(1)).commit().expect("commit");
    assert_eq!(store.checkpoint("mailer"), Some(Position::new(1)));
    let refused = store
        .batch()
        .append_raw("order-1", ExpectedVersion::NoStream, [event("two")])
        .checkpoint("mailer", Position::new(2))
        .remove_checkpoint("other")
        .commit();
    assert!(refused.expect_err("conflict").is_conflict());
    assert_eq!(told(&store), named(&[("mailer", 1)]));
}

#[test]
fn of_several_changes_in_one_batch_the_last_counts_and_a_name_can_go() {
    let store = open(&SimDisk::new());
    let batch = store.batch().checkpoint("b", Position::new(1)).checkpoint("a", Position::new(2));
    batch.checkpoint("b", Position::new(3)).remove_checkpoint("c").commit().expect("commit");
    assert_eq!(told(&store), named(&[("a", 2), ("b", 3)]));
    store.batch().checkpoint("a", Position::new(4)).remove_checkpoint("a").commit().expect("commit");
    put(&store, "b", 0);
    assert_eq!(told(&store), named(&[("b", 0)]));
}

#[test]
fn a_batch_without_events_moves_checkpoints_and_no_position() {
    let store = open(&SimDisk::new());
    append(&store, "one").commit().expect("commit");
    let receipt = store
        .batch()
        .check("order-1", ExpectedVersion::StreamExists)
        .checkpoint("mailer", Position::new(1))
        .commit()
        .expect("commit");
    assert_eq!(receipt.outcome(), Outcome::Appended);
    assert_eq!(receipt.receipts().len(), 1);
    assert_eq!((store.head(), all(&store).len()), (Position::new(1), 1));
    let refused = store.batch().check("order-1", ExpectedVersion::NoStream);
    refused.checkpoint("mailer", Position::new(9)).commit().expect_err("its check does not hold");
    assert_eq!(told(&store), named(&[("mailer", 1)]));
    let stats = store.stats().expect("stats");
    assert_eq!((stats.commits, stats.checkpoints, stats.checkpoint_bytes), (1, 1, 72 + 6));
}

#[test]
fn events_that_are_there_already_do_not_keep_a_checkpoint_back() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let batch = |store: &Store| store.batch().append_raw("points-1", ANY, [event_with_id(1, "points")]);
    batch(&store).commit().expect("without a checkpoint");
    for (round, position) in [(0, 5), (1, 6)] {
        let receipt = batch(&store).checkpoint("points", Position::new(position)).commit().expect("commit");
        assert_eq!(receipt.outcome(), Outcome::AlreadyAppended, "round {round}");
        assert_eq!(store.checkpoint("points"), Some(Position::new(position)));
        assert_eq!(store.head(), Position::new(1));
    }
    drop(store);
    assert_eq!(told(&open(&disk.crash(Keep::Nothing))), named(&[("points", 6)]));
}

#[test]
fn a_late_retry_moves_a_checkpoint_forward_only_and_not_past_what_it_checks() {
    let store = open(&SimDisk::new());
    let retry = |position| {
        let batch = store.batch().append_raw("points-1", ANY, [event_with_id(1, "points")]);
        batch.check("lease", ExpectedVersion::NoStream).checkpoint("points", Position::new(position))
    };
    retry(1).commit().expect("first");
    put(&store, "points", 50);
    let outcome = |batch: Batch| batch.commit().expect("commit").outcome();
    assert_eq!(outcome(retry(1).remove_checkpoint("points")), Outcome::AlreadyAppended);
    assert_eq!(told(&store), named(&[("points", 50)]), "somebody has gone on since");
    assert_eq!(outcome(retry(51)), Outcome::AlreadyAppended);
    assert_eq!(told(&store), named(&[("points", 51)]));
    store.batch().append_raw("lease", ANY, [event("to another")]).commit().expect("commit");
    assert_eq!(outcome(retry(52)), Outcome::AlreadyAppended, "whatever it expects");
    assert_eq!(told(&store), named(&[("points", 51)]), "but it has the lease no more");
}

#[test]
fn a_commit_without_events_holds_no_later_one_at_its_time() {
    let (disk, clock) = (SimDisk::new(), ManualClock::at(1_000_000));
    let open = || options(&disk).clock(clock.clone()).open("/shop").expect("open");
    let store = open();
    append(&store, "one").commit().expect("commit");
    clock.set(2_000_000);
    put(&store, "mailer", 1);
    clock.set(1_500_000);
    append(&store, "two").commit().expect("commit");
    clock.set(3_000_000);
    put(&store, "mailer", 2);
    store.close().expect("close");
    clock.set(1_600_000);
    let store = open();
    append(&store, "three").commit().expect("commit");
    let times: Vec<_> = all(&store).iter().map(|event| event.recorded_at().as_micros()).collect();
    assert_eq!(times, [1_000_000, 1_500_000, 1_600_000]);
    assert_eq!(store.stats().expect("stats").recorded_at_held, 0);
    let reader = options(&disk).read_only().open("/shop").expect("open");
    assert_eq!(told(&reader), named(&[("mailer", 2)]));
    let verified = |disk: &SimDisk| Options::new().disk(disk.clone()).verify("/shop").expect("verify");
    assert!(verified(&disk).is_sound(), "{:?}", verified(&disk));
    store.close().expect("close");
    assert!(verified(&disk).is_sound());
}

#[test]
fn what_was_acknowledged_survives_closing_killing_and_sealing() {
    let disk = SimDisk::new();
    let store = open(&disk);
    append(&store, "one").checkpoint("mailer", Position::new(1)).commit().expect("commit");
    put(&store, "points", 7);
    put(&store, "gone", 8);
    assert_eq!(told(&open(&disk.crash(Keep::Nothing))), named(&[("gone", 8), ("mailer", 1), ("points", 7)]));
    assert_eq!(store.seal().expect("seal"), 1);
    // Of what is sealed now nothing is left in the journal.
    let sealed = |disk: &SimDisk| told(&open(&disk.crash(Keep::Nothing)));
    assert_eq!(sealed(&disk), named(&[("gone", 8), ("mailer", 1), ("points", 7)]));
    store.batch().remove_checkpoint("gone").checkpoint("mailer", Position::new(2)).commit().expect("commit");
    assert_eq!(sealed(&disk), named(&[("mailer", 2), ("points", 7)]));
    // A file without a single event is sealed like any other.
    assert_eq!(store.seal().expect("seal"), 1);
    assert_eq!(sealed(&disk), named(&[("mailer", 2), ("points", 7)]));
    assert_eq!(store.seal().expect("nothing to seal"), 0);
    store.batch().remove_checkpoint("mailer").remove_checkpoint("points").commit().expect("commit");
    store.seal().expect("seal");
    store.close().expect("close");
    let store = open(&disk);
    assert!(store.recovery().clean);
    assert_eq!((told(&store), all(&store).len()), (Vec::new(), 1));
    assert!(Options::new().disk(disk).verify("/shop").expect("verify").is_sound());
}

#[test]
fn a_name_and_all_checkpoints_together_have_limits() {
    let disk = SimDisk::new();
    let store = options(&disk).durability(Durability::Buffered).open("/shop").expect("open");
    let invalid = |batch: Batch| assert_eq!(batch.commit().expect_err("a limit").kind(), ErrorKind::Invalid);
    let long = "n".repeat(CHECKPOINT_NAME_BYTES_MAX + 1);
    for name in ["", &long] {
        invalid(store.batch().checkpoint(name, Position::new(1)));
        invalid(append(&store, "one").remove_checkpoint(name));
    }
    let each = OVERHEAD_BYTES + CHECKPOINT_NAME_BYTES_MAX;
    let name = |number: usize| format!("{number:0>0$}", CHECKPOINT_NAME_BYTES_MAX);
    let fits = CHECKPOINTS_BYTES_MAX / each;
    let fill = |numbers: std::ops::Range<usize>| {
        numbers.fold(store.batch(), |batch, number| batch.checkpoint(name(number), Position::new(1)))
    };
    fill(0..fits - 1).commit().expect("commit");
    // The last one takes all that is left.
    let rest = CHECKPOINTS_BYTES_MAX - (fits - 1) * each;
    assert!(rest - each < OVERHEAD_BYTES + 1, "one more would have no room: {rest}");
    put(&store, &name(fits), 1);
    let stats = store.stats().expect("stats");
    assert_eq!(stats.checkpoint_bytes, (fits * each) as u64);
    invalid(store.batch().checkpoint("one more", Position::new(1)));
    invalid(append(&store, "with it").checkpoint("one more", Position::new(1)));
    assert_eq!((store.head(), store.checkpoint("one more")), (Position::new(0), None));
    let many = |count: usize| {
        (0..count).fold(store.batch(), |batch, _| batch.checkpoint(name(fits), Position::new(1)))
    };
    many(COMMIT_CHECKPOINTS_MAX).commit().expect("as many as may be");
    invalid(many(COMMIT_CHECKPOINTS_MAX + 1));
    // What is there moves still, and what goes makes room.
    put(&store, &name(fits), 2);
    store.batch().remove_checkpoint(name(0)).commit().expect("commit");
    put(&store, "one more", 1);
    store.seal().expect("seal");
    store.close().expect("close");
    let store = options(&disk).open("/shop").expect("open");
    assert_eq!((store.checkpoints().len(), store.checkpoint(name(fits))), (fits, Some(Position::new(2))));
}

#[test]
fn a_store_that_is_only_read_takes_in_what_moves_whether_it_was_sealed_meanwhile_or_not() {
    let disk = SimDisk::new();
    let writer = open(&disk);
    append(&writer, "one").checkpoint("mailer", Position::new(1)).commit().expect("commit");
    let reader = options(&disk).read_only().open("/shop").expect("open");
    assert_eq!(told(&reader), named(&[("mailer", 1)]));
    put(&writer, "mailer", 2);
    assert_eq!(told(&reader), named(&[("mailer", 1)]), "before it is refreshed");
    reader.refresh().expect("refresh");
    assert_eq!(told(&reader), named(&[("mailer", 2)]));
    // Sealed before the reader has seen it, and gone on with.
    put(&writer, "points", 3);
    writer.seal().expect("seal");
    put(&writer, "mailer", 4);
    reader.refresh().expect("refresh");
    assert_eq!(told(&reader), named(&[("mailer", 4), ("points", 3)]));
    // Seen before it is sealed.
    put(&writer, "points", 5);
    reader.refresh().expect("refresh");
    writer.seal().expect("seal");
    reader.refresh().expect("refresh");
    assert_eq!(told(&reader), named(&[("mailer", 4), ("points", 5)]));
    // Only a part of what it has seen is sealed.
    append(&writer, &"x".repeat(40_000)).checkpoint("mailer", Position::new(6)).commit().expect("commit");
    append(&writer, &"y".repeat(40_000)).checkpoint("mailer", Position::new(7)).commit().expect("commit");
    reader.refresh().expect("refresh");
    let segments = writer.stats().expect("stats").segments;
    let mut created = 0;
    disk.on_call(move |call| {
        created += u64::from(call.kind == CallKind::Create && call.path.starts_with("/shop/segments"));
        if created > 1 { Verdict::Fail(std::io::ErrorKind::StorageFull) } else { Verdict::Proceed }
    });
    writer.seal().expect_err("the second of two");
    disk.heal();
    assert_eq!(writer.stats().expect("stats").segments, segments + 1);
    reader.refresh().expect("refresh");
    assert_eq!(told(&reader), named(&[("mailer", 7), ("points", 5)]));
    let refused = reader.batch().checkpoint("mailer", Position::new(9)).commit();
    assert_eq!(refused.expect_err("read only").kind(), ErrorKind::ReadOnly);
    let fresh = options(&disk).read_only().open("/shop").expect("open");
    assert_eq!(told(&fresh), told(&writer));
}

#[test]
fn a_segment_whose_state_is_damaged_does_not_open() {
    let disk = SimDisk::new();
    let store = open(&disk);
    append(&store, "one").checkpoint("mailer", Position::new(0x5555_5555)).commit().expect("commit");
    store.seal().expect("seal");
    store.close().expect("close");
    let segment = "/shop/segments/00000001";
    let bytes = disk.files().remove(std::path::Path::new(segment)).expect("segment");
    let at = bytes.windows(6).rposition(|bytes| bytes == b"mailer").expect("its name");
    disk.on_call(move |call| {
        let begins = usize::try_from(call.offset).expect("few bytes");
        let is_it = call.kind == CallKind::Read && call.path.ends_with("segments/00000001");
        match is_it && (begins..begins + call.bytes).contains(&at) {
            true => Verdict::FlipBit(8 * (at - begins)),
            false => Verdict::Proceed,
        }
    });
    for options in [options(&disk), options(&disk).read_only()] {
        let error = options.open("/shop").expect_err("damaged");
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.to_string().contains(segment), "{error}");
    }
    disk.heal();
    assert_eq!(told(&open(&disk)), named(&[("mailer", 0x5555_5555)]));
}

/// Points for every order paid, with a checkpoint in the batch that gives them.
fn give_points(store: &Store) -> annals::Result<()> {
    let orders = store.subscribe().filter(Filter::new().category("order"));
    let mut orders = orders.from_checkpoint("points").start()?;
    while let Some(Update::Event(paid)) = orders.next(Duration::ZERO)? {
        let points = event(paid.payload());
        store
            .batch()
            .append_raw("points-1", ANY, [points])
            .checkpoint("points", orders.position())
            .commit()?;
    }
    Ok(())
}

#[test]
fn what_follows_from_an_event_is_appended_once_whenever_the_power_goes() {
    let shop = |disk: &SimDisk| -> annals::Result<()> {
        for round in 0..6 {
            let store = options(disk).open("/shop")?;
            for number in 0..3 {
                append(&store, &format!("{round}-{number}")).commit()?;
            }
            give_points(&store)?;
            if round % 2 == 1 {
                store.seal()?;
            }
            store.close()?;
        }
        Ok(())
    };
    let sound = SimDisk::new();
    shop(&sound).expect("no fault");
    let (calls, mut rng, mut states) = (sound.calls(), Rng::printed("consuming", 71), 0);
    for call in 0..calls {
        let disk = SimDisk::new();
        disk.dies_at(call);
        shop(&disk).expect_err("the power goes");
        for keep in [Keep::Nothing, Keep::Everything, Keep::Some(Rng::new(rng.next()))] {
            let disk = disk.crash(keep);
            let store = open(&disk);
            give_points(&store).expect("it goes on");
            let of = |category: &str| -> Vec<Vec<u8>> {
                let events = store.read().filter(Filter::new().category(category)).iter();
                events.map(|event| event.expect("event").payload().to_vec()).collect()
            };
            assert_eq!(of("points"), of("order"), "power cut at call {call} of {calls}");
            states += 1;
        }
    }
    println!("{states} crash states");
    assert!(states > 600, "{states}");
}

#[test]
fn salvage_brings_checkpoints_over_and_moves_them_with_the_events() {
    let disk = SimDisk::new();
    let store = open(&disk);
    for number in 0..10 {
        append(&store, &format!("{number}")).commit().expect("commit");
        put(&store, "mailer", number + 1);
        if number == 4 {
            store.seal().expect("seal");
        }
    }
    put(&store, "behind", 3);
    put(&store, "head", 10);
    store.close().expect("close");
    let salvage = |disk: &SimDisk| {
        let report = Options::new().disk(disk.clone()).salvage("/shop", "/mended").expect("salvage");
        let mended = Options::new().disk(disk.clone()).open("/mended").expect("open");
        (report, told(&mended))
    };
    let sound = disk.crash(Keep::Everything);
    let (report, checkpoints) = salvage(&sound);
    assert!(report.is_complete() && !report.checkpoints_in_doubt, "{report:?}");
    assert_eq!(
        (report.checkpoints, &checkpoints),
        (3, &named(&[("behind", 3), ("head", 10), ("mailer", 10)]))
    );
    // The event at position 7 is lost: what had come past it is a position further down.
    let mut files = disk.files();
    let (_, bytes) =
        { files.iter_mut() }.find(|(path, _)| path.starts_with("/shop/journal")).expect("what is not sealed");
    let name = b"order-1";
    let third = bytes.windows(name.len()).enumerate().filter(|(_, found)| *found == name).nth(2);
    let (at, _) = third.expect("positions 5, 6, 7");
    bytes[at] ^= 1;
    let damaged = SimDisk::with_files(&files);
    let (report, checkpoints) = salvage(&damaged);
    assert_eq!(report.lost, [Position::new(7)..Position::new(8)]);
    assert!(report.checkpoints_in_doubt, "the lost commit may have moved one");
    assert_eq!(checkpoints, named(&[("behind", 3), ("head", 9), ("mailer", 9)]));
}

/// Salvages a store of which `damage` was made, and says whether its checkpoints are in doubt and which they are.
fn salvaged(
    disk: &SimDisk,
    damage: impl FnOnce(&mut BTreeMap<PathBuf, Vec<u8>>),
) -> (SalvageReport, Vec<(String, u64)>) {
    let mut files = disk.files();
    damage(&mut files);
    let disk = SimDisk::with_files(&files);
    let report = Options::new().disk(disk.clone()).salvage("/shop", "/mended").expect("salvage");
    assert_eq!(report.is_complete(), report.lost.is_empty() && !report.checkpoints_in_doubt);
    (report, told(&Options::new().disk(disk).open("/mended").expect("open")))
}

#[test]
fn salvage_tells_when_something_is_lost_that_may_have_moved_checkpoints() {
    let disk = SimDisk::new();
    let store = open(&disk);
    for number in 0..5 {
        append(&store, &format!("{number}")).checkpoint("mailer", Position::new(1)).commit().expect("commit");
    }
    store.seal().expect("seal");
    put(&store, "mailer", 2);
    put(&store, "points", 3);
    // A segment without events.
    store.seal().expect("seal");
    put(&store, "mailer", 4);
    put(&store, "mailer", 5);
    // The end of a process: nothing says where the journal ended.
    let disk = disk.crash(Keep::Everything);
    let path = |name: &str| PathBuf::from("/shop").join(name);
    let (report, checkpoints) = salvaged(&disk, |_| ());
    assert!(!report.checkpoints_in_doubt, "{report:?}");
    assert_eq!(checkpoints, named(&[("mailer", 5), ("points", 3)]));
    let flipped = |name: &str, nth: usize| {
        let (file, name) = (path("journal/00000003"), name.as_bytes().to_vec());
        move |files: &mut BTreeMap<PathBuf, Vec<u8>>| {
            let bytes = files.get_mut(&file).expect("the journal");
            let at = bytes.windows(name.len()).enumerate().filter(|(_, found)| **found == *name).nth(nth);
            let (at, _) = at.expect("its name");
            bytes[at] ^= 1;
        }
    };
    // One of the journal's commits, in the middle and at the end.
    let (report, checkpoints) = salvaged(&disk, flipped("mailer", 0));
    assert!(report.checkpoints_in_doubt && report.lost.is_empty(), "{report:?}");
    assert_eq!(checkpoints, named(&[("mailer", 5), ("points", 3)]));
    let (report, checkpoints) = salvaged(&disk, flipped("mailer", 1));
    assert!(report.checkpoints_in_doubt && report.lost.is_empty(), "{report:?}");
    assert!(report.lost_end.as_ref().is_none_or(|end| end.events_min == 0), "{report:?}");
    assert_eq!(checkpoints, named(&[("mailer", 4), ("points", 3)]));
    // The segment that has no event, with the journal and without.
    let (report, checkpoints) = salvaged(&disk, |files| drop(files.remove(&path("segments/00000002"))));
    assert!(report.checkpoints_in_doubt, "{report:?}");
    assert_eq!(checkpoints, named(&[("mailer", 5)]));
    let (report, checkpoints) = salvaged(&disk, |files| {
        files.remove(&path("segments/00000002"));
        // As it was when it had been begun.
        files.get_mut(&path("journal/00000003")).expect("the journal")[4096..].fill(0);
    });
    assert!(report.checkpoints_in_doubt, "{report:?}");
    assert_eq!(checkpoints, named(&[("mailer", 1)]));
    // Its ends are lost and its block of state is not.
    let (report, checkpoints) = salvaged(&disk, |files| {
        let bytes = files.get_mut(&path("segments/00000002")).expect("the segment");
        let end = bytes.len();
        bytes[20] ^= 1;
        bytes[end - 20] ^= 1;
    });
    assert!(report.checkpoints_in_doubt, "{report:?}");
    assert_eq!(checkpoints.first(), Some(&("mailer".to_owned(), 5)));
}

#[test]
fn a_store_without_checkpoints_is_in_no_doubt_about_them() {
    let disk = SimDisk::new();
    let store = open(&disk);
    append(&store, "one").commit().expect("commit");
    append(&store, "two").commit().expect("commit");
    store.close().expect("close");
    let (report, _) = salvaged(&disk, |files| {
        let bytes = files.get_mut(&PathBuf::from("/shop/journal/00000001")).expect("the journal");
        let at = bytes.windows(3).position(|bytes| bytes == b"one").expect("a payload");
        bytes[at] ^= 1;
    });
    assert_eq!((report.lost_events(), report.checkpoints_in_doubt), (1, false));
}
