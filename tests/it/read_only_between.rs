//! Readers beside a writer whose write fails, and is taken back, just between two looks of the reader.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use annals::{Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Result, Store};

use crate::support::{Moment, SimDisk, SteppingDisk, all, event, payloads};

const ROOT: &str = "/bank";

fn options() -> Options {
    Options::new().maintenance(Maintenance::Inline).journal_file_bytes(64 << 10)
}

fn append(store: &Store, payload: &str) -> Result<()> {
    let events = [event(payload)];
    store.stream("a").expect("name").append_raw(ExpectedVersion::Any, events).map(drop)
}

fn is_journal(path: &Path) -> bool {
    path.parent().is_some_and(|dir| dir.ends_with("journal"))
}

/// A disk for a writer: once armed, the next write to the journal puts all its bytes there, waits, and fails.
fn failing_write(disk: &SimDisk) -> (SteppingDisk, Arc<Armed>, Receiver<()>, Sender<()>) {
    let (tell_written, written) = mpsc::channel();
    let (go, may_go) = mpsc::channel();
    let gates = Mutex::new((tell_written, may_go));
    let armed = Arc::new(Armed::default());
    let arm = Arc::clone(&armed);
    let disk = SteppingDisk::new(disk, move |moment, path| match moment {
        Moment::AfterWrite if is_journal(path) && arm.write_fails.swap(false, Ordering::SeqCst) => {
            let (tell_written, may_go) = &*gates.lock().expect("gates");
            tell_written.send(()).expect("the reader hears of it");
            may_go.recv().expect("the reader goes on");
            Err(io::ErrorKind::StorageFull.into())
        }
        Moment::BeforeSync if arm.syncs_fail.load(Ordering::SeqCst) => Err(io::Error::other("no sync")),
        _ => Ok(()),
    });
    (disk, armed, written, go)
}

#[derive(Debug, Default)]
struct Armed {
    write_fails: AtomicBool,
    syncs_fail: AtomicBool,
}

/// A disk for a reader: `begin` is run before it first reads a journal file, `end` before it asks, for the `asks`th time
/// from then on, who writes.
fn between_looks<T: Send + 'static>(
    disk: &SimDisk,
    asks: u32,
    begin: impl FnOnce() -> T + Send + 'static,
    end: impl FnOnce(T) + Send + 'static,
) -> SteppingDisk {
    let steps = Mutex::new((Some(begin), Some(end), None, asks));
    SteppingDisk::new(disk, move |moment, path| {
        let (begin, end, between, asks) = &mut *steps.lock().expect("steps");
        if moment == Moment::BeforeRead && is_journal(path) {
            *between = begin.take().map(|begin| begin()).or(between.take());
        }
        if moment == Moment::BeforeIsLocked && between.is_some() {
            *asks -= 1;
            if *asks == 0 {
                let (thread, end) = (between.take(), end.take());
                end.expect("once")(thread.expect("it began"));
            }
        }
        Ok(())
    })
}

/// `writes` runs in another thread up to the write that fails; it goes on when the reader asks for the `asks`th time who
/// writes.
fn reader_while(
    disk: &SimDisk,
    asks: u32,
    written: Receiver<()>,
    go: Sender<()>,
    writes: impl FnOnce() + Send + 'static,
) -> Result<Store> {
    let begin = move || -> JoinHandle<()> {
        let thread = thread::spawn(writes);
        written.recv().expect("the write is there, and has not failed yet");
        thread
    };
    let end = move |thread: JoinHandle<()>| {
        go.send(()).expect("the writer waits");
        thread.join().expect("the writer");
    };
    options().disk(between_looks(disk, asks, begin, end)).read_only().open(ROOT)
}

#[test]
fn a_write_that_was_taken_back_and_followed_by_another_is_never_shown() {
    let disk = SimDisk::new();
    let (writers, armed, written, go) = failing_write(&disk);
    let writer = options().disk(writers).open(ROOT).expect("open");
    append(&writer, "1").expect("append");
    let writes = {
        let writer = writer.stream("a").expect("name");
        move || {
            armed.write_fails.store(true, Ordering::SeqCst);
            let refused = writer.append_raw(ExpectedVersion::Any, [event("refused")]);
            assert_eq!(refused.expect_err("full").kind(), ErrorKind::StorageFull);
            writer.append_raw(ExpectedVersion::Any, [event("2")]).expect("append");
        }
    };
    let reader = reader_while(&disk, 1, written, go, writes).expect("open to read");
    assert!(["1", "2"].starts_with(&payloads(&reader, "a").iter().map(String::as_str).collect::<Vec<_>>()));
    append(&writer, "3").expect("append");
    reader.refresh().expect("refresh");
    assert_eq!(all(&reader), all(&writer));
}

#[test]
fn a_write_that_was_taken_back_before_a_clean_close_is_never_shown_and_no_damage() {
    let disk = SimDisk::new();
    let first = options().disk(disk.clone()).open(ROOT).expect("open");
    append(&first, "1").expect("append");
    first.close().expect("close");
    let (writers, armed, written, go) = failing_write(&disk);
    let writes = move || {
        let writer = options().disk(writers).open(ROOT).expect("open again");
        armed.write_fails.store(true, Ordering::SeqCst);
        assert_eq!(append(&writer, "refused").expect_err("full").kind(), ErrorKind::StorageFull);
        writer.close().expect("close");
    };
    let reader = reader_while(&disk, 1, written, go, writes).expect("a sound store");
    assert_eq!(payloads(&reader, "a"), ["1"]);
}

#[test]
fn a_write_that_was_cleared_by_a_writer_that_came_and_went_is_never_shown() {
    let disk = SimDisk::new();
    let first = options().disk(disk.clone()).open(ROOT).expect("open");
    append(&first, "1").expect("append");
    let killed = disk.kill();
    // Gone before the reader asks again, or only after another look.
    for asks in [1, 2] {
        let disk = killed.kill();
        let (writers, armed, written, go) = failing_write(&disk);
        let writes = move || {
            let writer = options().disk(writers).open(ROOT).expect("open again");
            armed.write_fails.store(true, Ordering::SeqCst);
            armed.syncs_fail.store(true, Ordering::SeqCst);
            assert_eq!(append(&writer, "lost").expect_err("poisoned").kind(), ErrorKind::Indeterminate);
        };
        let reader = reader_while(&disk, asks, written, go, writes).expect("a sound store");
        let recovered = options().disk(disk).open(ROOT).expect("recover");
        assert_eq!(payloads(&recovered, "a"), ["1"]);
        assert_eq!(payloads(&reader, "a"), ["1"], "{asks}");
    }
}

#[test]
fn what_a_writer_wrote_that_ends_while_a_reader_looks_is_shown() {
    let disk = SimDisk::new();
    let syncs_fail = Arc::new(AtomicBool::new(false));
    let fail = Arc::clone(&syncs_fail);
    let writers = SteppingDisk::new(&disk, move |moment, _| match moment {
        Moment::BeforeSync if fail.load(Ordering::SeqCst) => Err(io::Error::other("no sync")),
        _ => Ok(()),
    });
    let writer = options().disk(writers).durability(Durability::Buffered).open(ROOT).expect("open");
    append(&writer, "1").expect("append");
    let begin = move || {
        // A poisoned store is left as it is, as by a process that is killed.
        syncs_fail.store(true, Ordering::SeqCst);
        assert_eq!(writer.flush().expect_err("no sync").kind(), ErrorKind::Indeterminate);
        drop(writer);
    };
    let readers = between_looks(&disk, 1, begin, |()| ());
    let reader = options().disk(readers).read_only().open(ROOT).expect("a sound store");
    assert_eq!(payloads(&reader, "a"), ["1"]);
}

#[test]
fn a_file_that_cannot_be_opened_is_not_taken_for_one_that_is_not_there() {
    let disk = SimDisk::new();
    let writer = options().disk(disk.clone()).open(ROOT).expect("open");
    append(&writer, "1").expect("append");
    append(&writer, &"2".repeat(65_000)).expect("append to a file of its own");
    let fails = Arc::new(AtomicBool::new(true));
    let fail = Arc::clone(&fails);
    let readers = SteppingDisk::new(&disk, move |moment, path| match moment {
        Moment::BeforeOpen if path.ends_with("00000002") && fail.load(Ordering::SeqCst) => {
            Err(io::ErrorKind::PermissionDenied.into())
        }
        _ => Ok(()),
    });
    let open = || options().disk(readers.clone()).read_only().open(ROOT);
    let error = open().expect_err("the second file cannot be opened");
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("00000002"), "{error}");
    fails.store(false, Ordering::SeqCst);
    assert_eq!(all(&open().expect("open")), all(&writer));
}

#[test]
fn a_file_that_is_finished_and_followed_by_another_while_a_reader_looks_is_no_damage() {
    let disk = SimDisk::new();
    let writer = options().disk(disk.clone()).open(ROOT).expect("open");
    append(&writer, "1").expect("append");
    let writes = Mutex::new(Some({
        let writer = writer.clone();
        move || {
            append(&writer, "2").expect("append");
            append(&writer, &"3".repeat(65_000)).expect("append to a file of its own");
        }
    }));
    let readers = SteppingDisk::new(&disk, move |moment, path| {
        // It has read the first file, and asks whether there is a second.
        if moment == Moment::BeforeOpen && path.ends_with("00000002") {
            let writes = writes.lock().expect("writes").take();
            writes.into_iter().for_each(|writes| writes());
        }
        Ok(())
    });
    let reader = options().disk(readers).read_only().open(ROOT).expect("a sound store");
    reader.refresh().expect("refresh");
    assert_eq!(all(&reader), all(&writer));
    assert_eq!(all(&reader).len(), 3);
}
