//! Readers beside a writer whose write fails, and is taken back, just between two looks of the reader.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use annals::{ErrorKind, ExpectedVersion, Maintenance, Options, Result, Store};

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

/// A disk for a reader: `begin` is run before it first reads a journal file, `end` before it next asks who writes.
fn between_looks<T: Send + 'static>(
    disk: &SimDisk,
    begin: impl FnOnce() -> T + Send + 'static,
    end: impl FnOnce(T) + Send + 'static,
) -> SteppingDisk {
    let steps = Mutex::new((Some(begin), Some(end), None));
    SteppingDisk::new(disk, move |moment, path| {
        let (begin, end, between) = &mut *steps.lock().expect("steps");
        if moment == Moment::BeforeRead && is_journal(path) {
            *between = begin.take().map(|begin| begin()).or(between.take());
        }
        if moment == Moment::BeforeIsLocked
            && let Some(thread) = between.take()
        {
            end.take().expect("once")(thread);
        }
        Ok(())
    })
}

/// `writes` runs in another thread up to the write that fails; it goes on when the reader asks who writes.
fn reader_while(
    disk: &SimDisk,
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
    options().disk(between_looks(disk, begin, end)).read_only().open(ROOT)
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
    let reader = reader_while(&disk, written, go, writes).expect("open to read");
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
    let reader = reader_while(&disk, written, go, writes).expect("a sound store");
    assert_eq!(payloads(&reader, "a"), ["1"]);
}

#[test]
fn a_write_that_was_cleared_by_a_writer_that_came_and_went_is_never_shown() {
    let disk = SimDisk::new();
    let first = options().disk(disk.clone()).open(ROOT).expect("open");
    append(&first, "1").expect("append");
    let disk = disk.kill();
    let (writers, armed, written, go) = failing_write(&disk);
    let writes = move || {
        let writer = options().disk(writers).open(ROOT).expect("open again");
        armed.write_fails.store(true, Ordering::SeqCst);
        armed.syncs_fail.store(true, Ordering::SeqCst);
        assert_eq!(append(&writer, "lost").expect_err("poisoned").kind(), ErrorKind::Indeterminate);
    };
    let reader = reader_while(&disk, written, go, writes).expect("a sound store");
    let recovered = options().disk(disk).open(ROOT).expect("recover");
    assert_eq!(payloads(&recovered, "a"), ["1"]);
    assert_eq!(payloads(&reader, "a"), ["1"]);
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
