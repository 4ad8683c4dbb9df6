//! Groups of several appends, made on purpose and not by threads that happen to meet.

use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::super::request::StreamCheck;
use super::*;
use crate::disk::IdSource;
use crate::disk::faulty::FaultyDisk;
use crate::index::{Sealed, Tables};
use crate::journal::{Begin, Files, Recovery, create_first, recover};
use crate::segment::BlockCache;
use crate::state::StateTable;
use crate::types::{BatchReceipt, Durability, ExpectedVersion, NewEvent, Outcome, StoreId};

const ANY: ExpectedVersion = ExpectedVersion::Any;
const CAPACITY: u64 = 64 << 10;

/// A clock that is set.
#[derive(Debug)]
struct Hands(Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

/// A writer of an empty store.
struct Fixture {
    writer: Writer,
    disk: FaultyDisk,
    clock: Arc<Hands>,
    _dir: TempDir,
}

impl Fixture {
    fn new() -> Self {
        Self::with_head(0)
    }

    /// As if `head` events were there, with none of them in the index.
    fn with_head(head: u64) -> Self {
        let dir = tempfile::tempdir().expect("temporary directory");
        let disk = FaultyDisk::default();
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let (root, journal) = (dir.path().to_path_buf(), dir.path().join("journal"));
        let lock = disk.lock(&root.join(LOCK_NAME)).expect("lock");
        disk.create_dir(&journal).expect("directory");
        let store = StoreId::from_bytes([7; 16]);
        create_first(&disk, &journal, store, CAPACITY).expect("first file");
        let manifest =
            Manifest { store, created_at: Timestamp::EPOCH, oldest_journal: 1, segments: 0, closed: None };
        manifest.write(&disk, &root).expect("manifest");
        let files = Arc::new(Files::default());
        let recovery = Recovery {
            disk: &disk,
            dir: &journal,
            quarantine: &root,
            store,
            begin: Begin::FIRST,
            closed: None,
            durable: 0,
            strict: true,
            files: &files,
        };
        let mut recovered = recover(&recovery, &mut |_| Ok(())).expect("an empty journal");
        recovered.tail.chain.position = head;
        let tables = Tables::new(Sealed::default(), StateTable::default(), Arc::clone(&files), 1 << 20);
        let log = Arc::new(Log::new(tables, Arc::clone(&files), Arc::new(BlockCache::new(0))));
        let appender = Appender::new(Arc::clone(&shared), journal, store, files, CAPACITY, recovered.tail);
        let clock = Arc::new(Hands(Mutex::new(Timestamp::EPOCH)));
        let writer = Writer {
            appender,
            disk: shared,
            clock: Arc::<Hands>::clone(&clock),
            root,
            lock: Some(Arc::from(lock)),
            manifest,
            marked: 0,
            last_recorded_at: None,
            upkeep: None,
            backlog: Arc::default(),
            stats: Arc::default(),
            state: WriterState::default(),
            words: Vec::new(),
            log,
        };
        Self { writer, disk, clock, _dir: dir }
    }

    /// Serves these as one round; what each was answered.
    fn serve(&mut self, requests: impl IntoIterator<Item = Request>) -> Vec<Result<BatchReceipt>> {
        let waiters: Vec<_> = requests.into_iter().map(|request| Arc::new(Waiter::new(request))).collect();
        self.writer.serve(&waiters).tell();
        waiters.iter().map(|waiter| waiter.take_answer().expect("everyone is answered")).collect()
    }

    fn stats(&self) -> WriterStats {
        *self.writer.stats.lock()
    }

    fn head(&self) -> u64 {
        self.writer.log.index.read(Tables::head)
    }
}

/// An append of one event to one stream.
fn append(stream: &str, expected: ExpectedVersion, id: Option<u8>, payload: &str) -> Request {
    append_as(Durability::Synced, stream, expected, id, payload)
}

fn append_as(
    durability: Durability,
    stream: &str,
    expected: ExpectedVersion,
    id: Option<u8>,
    payload: &str,
) -> Request {
    let mut event = NewEvent::new("T", payload.as_bytes().to_vec()).expect("event");
    event.id = id.map(|byte| EventId::from_bytes([byte; 16]));
    let checks = vec![StreamCheck { name: StreamName::new(stream).expect("name"), expected: vec![expected] }];
    Request::encode(checks, &[(0, event)], &[], durability, None, &IdSource::default(), Timestamp::EPOCH)
        .expect("request")
}

fn version(answer: &Result<BatchReceipt>) -> u64 {
    let receipt = answer.as_ref().expect("appended").receipts().first().expect("one stream");
    receipt.version().expect("an event").as_u64()
}

fn kind(answer: &Result<BatchReceipt>) -> ErrorKind {
    answer.as_ref().expect_err("an error").kind()
}

#[test]
fn each_of_a_group_is_judged_against_those_before_it_and_one_sync_is_for_all() {
    let mut it = Fixture::new();
    let answers = it.serve([
        append("a", ExpectedVersion::NoStream, None, "1"),
        append("a", ExpectedVersion::Exact(Version::new(0)), None, "2"),
        append("a", ExpectedVersion::NoStream, None, "too late"),
        append("b", ExpectedVersion::NoStream, None, "3"),
    ]);
    assert_eq!((version(&answers[0]), version(&answers[1]), version(&answers[3])), (0, 1, 0));
    let conflict = answers[2].as_ref().expect_err("refused").conflicts().next().cloned().expect("a conflict");
    assert_eq!(conflict.actual, Some(Version::new(1)));
    let WriterStats { commits, groups, largest_group, syncs, .. } = it.stats();
    assert_eq!((commits, groups, syncs), (3, 1, 1));
    assert_eq!(largest_group, 4, "the refusal waits for what it was judged against");
    assert_eq!((it.head(), it.writer.marked), (3, 3));
    let answers = it.serve([append("a", ExpectedVersion::Exact(Version::new(1)), None, "4")]);
    assert_eq!(version(&answers[0]), 2);
    let WriterStats { commits, groups, largest_group, syncs, .. } = it.stats();
    assert_eq!((commits, groups, largest_group, syncs), (4, 2, 4, 2));
}

#[test]
fn an_id_that_is_given_twice_in_one_round_is_there_once() {
    let mut it = Fixture::new();
    let answers = it.serve([
        append("a", ANY, Some(1), "x"),
        append("a", ANY, Some(1), "x"),
        append("a", ANY, Some(1), "other"),
        append("b", ANY, Some(1), "x"),
    ]);
    let [first, again, other, elsewhere] = &answers[..] else { panic!("four answers") };
    assert_eq!(first.as_ref().expect("appended").outcome(), Outcome::Appended);
    assert_eq!(again.as_ref().expect("known").outcome(), Outcome::AlreadyAppended);
    assert_eq!((version(first), version(again)), (0, 0));
    assert_eq!(kind(other), ErrorKind::IdReused);
    assert_eq!(version(elsewhere), 0, "another stream, another event");
    assert_eq!(it.head(), 2);
}

#[test]
fn given_ids_that_differ_share_a_group() {
    let mut it = Fixture::new();
    it.serve([append("a", ANY, Some(1), "x"), append("a", ANY, Some(2), "y"), append("a", ANY, None, "z")]);
    assert_eq!((it.stats().groups, it.stats().syncs, it.head()), (1, 1, 3));
}

#[test]
fn a_round_is_synced_if_one_of_it_asks_for_that() {
    use Durability::{Buffered, Synced};
    for (round, syncs) in [
        (vec![Buffered, Buffered], 0),
        (vec![Synced, Buffered], 1),
        (vec![Buffered, Synced], 1),
        (vec![Synced, Synced], 1),
    ] {
        let mut it = Fixture::new();
        let requests = round.iter().map(|durability| append_as(*durability, "a", ANY, None, "x"));
        assert!(it.serve(requests).iter().all(Result::is_ok));
        assert_eq!((it.stats().syncs, it.writer.appender.is_synced()), (syncs, syncs == 1), "{round:?}");
        assert_eq!(it.writer.marked, 2 * syncs, "{round:?}");
    }
}

#[test]
fn an_answer_that_writes_nothing_speaks_for_what_is_durable_too() {
    let refused = || append("a", ExpectedVersion::NoStream, None, "x");
    let known = || append("a", ANY, Some(1), "x");
    let of_two: [fn() -> Request; 2] = [
        || Request::flush().expect("flush"),
        || {
            let mut nothing = Request::flush().expect("flush");
            nothing.durability = Durability::Buffered;
            nothing
        },
    ];
    for (other, syncs) in [(of_two[0](), 1), (of_two[1](), 0), (refused(), 1), (known(), 1)] {
        let mut it = Fixture::new();
        it.serve([append_as(Durability::Buffered, "a", ANY, Some(1), "x")]);
        assert!(!it.writer.appender.is_synced());
        it.serve([other]);
        assert_eq!((it.stats().syncs, it.stats().groups), (syncs, 1));
        // And once only.
        it.serve([Request::flush().expect("flush"), Request::flush().expect("flush")]);
        assert_eq!(it.stats().syncs, 1);
        it.serve([Request::flush().expect("flush")]);
        assert_eq!((it.disk.marks.load(Ordering::SeqCst), it.stats().syncs), (1, 1));
    }
}

#[test]
fn on_a_full_disk_only_those_are_lost_who_depend_on_what_was_not_written() {
    let mut it = Fixture::new();
    it.serve([append("old", ANY, Some(1), "x")]);
    it.disk.full.store(true, Ordering::SeqCst);
    let round = || {
        [
            append("a", ANY, None, "x"),
            append("a", ExpectedVersion::NoStream, None, "judged against the one before"),
            append("b", ExpectedVersion::StreamExists, None, "judged against nothing of the group"),
            append("old", ANY, Some(1), "x"),
            Request::flush().expect("flush"),
        ]
    };
    let answers = it.serve(round());
    assert_eq!((kind(&answers[0]), kind(&answers[1])), (ErrorKind::StorageFull, ErrorKind::StorageFull));
    assert_eq!(kind(&answers[2]), ErrorKind::Conflict);
    assert_eq!(answers[3].as_ref().expect("known").outcome(), Outcome::AlreadyAppended);
    assert!(answers[4].is_ok());
    assert_eq!((it.head(), it.stats().commits), (1, 1));
    it.disk.full.store(false, Ordering::SeqCst);
    let answers = it.serve(round());
    assert_eq!(version(&answers[0]), 0);
    assert_eq!((kind(&answers[1]), kind(&answers[2])), (ErrorKind::Conflict, ErrorKind::Conflict));
    assert_eq!(it.head(), 2);
}

#[test]
fn a_flush_beside_what_a_full_disk_refused_makes_what_came_before_durable() {
    let mut it = Fixture::new();
    it.serve([append_as(Durability::Buffered, "a", ANY, None, "x")]);
    it.disk.full.store(true, Ordering::SeqCst);
    // Taking away again what was written in part syncs as well, on the way; what counts is what is known of it.
    let answers = it.serve([append_as(Durability::Buffered, "a", ANY, None, "y")]);
    assert_eq!((kind(&answers[0]), it.writer.appender.is_synced()), (ErrorKind::StorageFull, false));
    let answers =
        it.serve([append_as(Durability::Buffered, "a", ANY, None, "y"), Request::flush().expect("flush")]);
    assert_eq!(kind(&answers[0]), ErrorKind::StorageFull);
    assert!(answers[1].is_ok() && it.writer.appender.is_synced());
    assert_eq!(it.writer.marked, 1);
}

#[test]
fn after_a_failed_sync_the_whole_round_is_told_and_nothing_is_taken_any_more() {
    let mut it = Fixture::new();
    it.serve([append("old", ANY, None, "x")]);
    it.disk.syncs_fail.store(true, Ordering::SeqCst);
    let answers = it.serve([
        append("a", ANY, None, "x"),
        append_as(Durability::Buffered, "b", ANY, None, "x"),
        append("old", ExpectedVersion::NoStream, None, "refused, but what it goes by may not be durable"),
    ]);
    for answer in &answers {
        assert_eq!(kind(answer), ErrorKind::Indeterminate);
    }
    it.disk.syncs_fail.store(false, Ordering::SeqCst);
    let answers = it.serve([append("a", ANY, None, "x"), Request::flush().expect("flush")]);
    assert_eq!((kind(&answers[0]), kind(&answers[1])), (ErrorKind::Poisoned, ErrorKind::Poisoned));
    assert_eq!((it.head(), it.stats().syncs, it.writer.marked), (1, 2, 1));
}

#[test]
fn a_round_that_does_not_go_into_the_file_goes_on_in_the_next_one() {
    let mut it = Fixture::new();
    let large = "x".repeat(20_000);
    let answers = it.serve((0..7).map(|_| append("a", ANY, None, &large)));
    for (number, answer) in answers.iter().enumerate() {
        assert_eq!(version(answer), number as u64);
    }
    // Three go behind the header of 4,096 bytes: 3 files, each with its group.
    assert_eq!((it.stats().groups, it.stats().commits, it.stats().largest_group), (3, 7, 3));
    assert_eq!(it.writer.appender.prepared().file.number, 3);
    assert_eq!(it.head(), 7);
}

#[test]
fn what_was_accepted_before_a_failed_sync_of_the_same_round_is_not_judged_against_it() {
    let mut it = Fixture::new();
    let large = "x".repeat(20_000);
    it.disk.syncs_fail.store(true, Ordering::SeqCst);
    let answers = it.serve((0..5).map(|_| append("a", ANY, None, &large)));
    for (number, answer) in answers.iter().enumerate() {
        let wanted = if number < 3 { ErrorKind::Indeterminate } else { ErrorKind::Poisoned };
        assert_eq!(kind(answer), wanted, "append {number}");
    }
    assert_eq!(it.head(), 0);
}

#[test]
fn time_never_runs_backwards_within_a_round_either() {
    let mut it = Fixture::new();
    let at = |micros| Some(Timestamp::from_micros(micros));
    let mut round = [append("a", ANY, None, "1"), append("a", ANY, None, "2"), append("a", ANY, None, "3")];
    (round[0].recorded_at, round[1].recorded_at, round[2].recorded_at) = (at(50), at(20), at(50));
    let answers = it.serve(round);
    let told: Vec<_> = answers
        .iter()
        .map(|answer| {
            answer.as_ref().map(|it| (it.recorded_at(), it.recorded_at_was_held())).expect("appended")
        })
        .collect();
    let held_at = Timestamp::from_micros(50);
    assert_eq!(told, [(held_at, false), (held_at, true), (held_at, false)]);
    assert_eq!((it.stats().recorded_at_held, it.stats().clock_behind_micros), (1, 0));
    *it.clock.0.lock() = Timestamp::from_micros(20);
    let answers = it.serve([append("a", ANY, None, "4")]);
    assert_eq!(answers[0].as_ref().expect("appended").recorded_at(), held_at);
    assert_eq!((it.stats().recorded_at_held, it.stats().clock_behind_micros), (2, 30));
}

#[test]
fn a_retry_of_what_fails_in_the_same_round_is_not_taken_either() {
    let mut it = Fixture::new();
    it.disk.syncs_fail.store(true, Ordering::SeqCst);
    let answers = it.serve([append("a", ANY, Some(1), "x"), append("a", ANY, Some(1), "x")]);
    assert_eq!((kind(&answers[0]), kind(&answers[1])), (ErrorKind::Indeterminate, ErrorKind::Poisoned));
    assert_eq!(it.head(), 0);
}

#[test]
fn a_full_disk_and_then_a_failed_sync_is_told_as_the_worse_of_both() {
    let mut it = Fixture::new();
    it.serve([append_as(Durability::Buffered, "old", ANY, None, "x")]);
    it.disk.full.store(true, Ordering::SeqCst);
    it.disk.syncs_fail.store(true, Ordering::SeqCst);
    let answers = it.serve([append("a", ANY, None, "x"), Request::flush().expect("flush")]);
    assert_eq!((kind(&answers[0]), kind(&answers[1])), (ErrorKind::Indeterminate, ErrorKind::Indeterminate));
    assert!(it.writer.check_open().is_err());
}

#[test]
fn after_a_failed_sync_of_prepared_space_no_append_is_answered_as_durable() {
    let mut it = Fixture::new();
    it.serve([append("a", ANY, None, "x")]);
    it.disk.syncs_fail.store(true, Ordering::SeqCst);
    let prepared = Arc::clone(it.writer.appender.prepared());
    assert!(prepared.ensure(prepared.end() + 1).is_err());
    // The file's next sync may go well, and what was lost stays lost.
    it.disk.syncs_fail.store(false, Ordering::SeqCst);
    let answers = it.serve([append("a", ANY, None, "y")]);
    assert_eq!(kind(&answers[0]), ErrorKind::Indeterminate);
    assert_eq!(kind(&it.serve([append("a", ANY, None, "y")])[0]), ErrorKind::Poisoned);
}

#[test]
fn at_the_last_position_nothing_more_is_taken_and_nothing_written() {
    let mut it = Fixture::with_head(u64::MAX);
    let answers = it.serve([append("a", ANY, None, "x"), Request::flush().expect("flush")]);
    assert_eq!(kind(&answers[0]), ErrorKind::Exhausted);
    assert!(answers[1].is_ok(), "it is no reason to poison the store");
    assert_eq!((it.stats().commits, it.writer.appender.last_n()), (0, 0));
}

#[test]
fn a_close_frame_that_does_not_go_into_the_prepared_space_gets_its_own() {
    let mut it = Fixture::new();
    let prepared = Arc::clone(it.writer.appender.prepared());
    let room = usize::try_from(prepared.end() - it.writer.appender.offset()).expect("a length");
    // One frame that fills the file to its last byte.
    let filling = (0..room)
        .rev()
        .map(|bytes| append("a", ANY, None, &"x".repeat(bytes)))
        .find(|request| request.draft.frame_bytes() == room);
    assert_eq!(version(&it.serve(filling)[0]), 0);
    assert_eq!((it.writer.appender.offset(), prepared.end()), (CAPACITY, CAPACITY));
    it.writer.close().expect("close");
    let closed = Manifest::read(&*it.writer.disk, &it.writer.root).expect("read").expect("a manifest").closed;
    let closed = closed.expect("closed");
    assert_eq!((closed.n, closed.file_bytes), (2, prepared.end()));
    assert!(prepared.end() >= it.writer.appender.offset() && it.writer.appender.offset() > CAPACITY);
}

#[test]
fn a_flush_of_nothing_leaves_nothing_to_close() {
    let mut it = Fixture::new();
    let answers = it.serve([Request::flush().expect("flush")]);
    assert!(answers[0].is_ok());
    it.writer.close().expect("close");
    assert_eq!((it.writer.appender.last_n(), it.stats().groups, it.stats().syncs), (0, 0, 0));
}

#[test]
fn a_mark_that_cannot_be_written_is_counted_and_made_good_by_the_next() {
    let mut it = Fixture::new();
    it.disk.marks_fail.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        it.serve([append("a", ANY, None, "x")]).iter().for_each(|answer| assert!(answer.is_ok()));
    }
    assert_eq!((it.stats().marks_failed, it.writer.marked), (3, 0));
    it.disk.marks_fail.store(false, Ordering::SeqCst);
    it.serve([Request::flush().expect("flush")]);
    assert_eq!((it.stats().marks_failed, it.writer.marked), (3, 3));
}
