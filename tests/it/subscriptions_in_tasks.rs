//! Subscriptions as streams: a task sleeps until the append that it waits for wakes it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use annals::{
    Durability, ExpectedVersion, Filter, Maintenance, Options, Position, Store, Update, UpdateStream,
};
use futures_core::Stream;

use crate::support::{SimDisk, event};

/// A runtime of one task: it counts how often it was woken.
struct Task {
    thread: Thread,
    woken: AtomicU64,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.thread.unpark();
    }
}

fn task() -> Arc<Task> {
    Arc::new(Task { thread: thread::current(), woken: AtomicU64::new(0) })
}

fn block_on<F: Future>(task: &Arc<Task>, future: F) -> F::Output {
    let (waker, mut future) = (Waker::from(Arc::clone(task)), pin!(future));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

async fn next(stream: &mut (impl Stream<Item = annals::Result<Update>> + Unpin)) -> Option<Update> {
    poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await.transpose().expect("update")
}

fn open() -> Store {
    let options = Options::new().disk(SimDisk::new()).maintenance(Maintenance::Inline);
    options.durability(Durability::Buffered).open("/bank").expect("open")
}

fn append(store: &Store, stream: &str, payload: &str) {
    let events = [event(payload)];
    store.stream(stream).expect("name").append_raw(ExpectedVersion::Any, events).expect("append");
}

fn payload(update: Option<Update>) -> String {
    let event = update.and_then(Update::into_event).expect("an event");
    String::from_utf8_lossy(event.payload()).into_owned()
}

#[test]
fn a_task_sleeps_until_what_it_wants_is_appended_and_ends_with_the_store() {
    let store = open();
    append(&store, "account-1", "one");
    let filter = Filter::new().category("account");
    let mut accounts = store.subscribe().filter(filter).start().expect("subscription").stream();
    let heard = thread::spawn(move || {
        let task = task();
        block_on(&task, async {
            let (mut heard, mut caught_up) = (Vec::new(), 0);
            while let Some(update) = next(&mut accounts).await {
                match update {
                    Update::Event(_) => heard.push(payload(Some(update))),
                    Update::CaughtUp { .. } => caught_up += 1,
                    other => panic!("all of it is in memory: {other:?}"),
                }
            }
            assert_eq!(caught_up, 1);
            assert!(next(&mut accounts).await.is_none(), "it stays at its end");
            (heard, accounts.position())
        })
    });
    for _ in 0..50 {
        append(&store, "customer-1", "no");
    }
    append(&store, "account-1", "two");
    append(&store, "account-2", "three");
    store.close().expect("close");
    let (heard, position) = heard.join().expect("no panic");
    assert_eq!(heard, ["one", "two", "three"]);
    assert_eq!(position, Position::new(53));
}

#[test]
fn what_is_not_wanted_wakes_no_task_and_one_that_is_dropped_is_forgotten() {
    let store = open();
    let task = task();
    let waker = Waker::from(Arc::clone(&task));
    let mut context = Context::from_waker(&waker);
    let filter = Filter::new().category("account");
    let mut accounts = store.subscribe().filter(filter).start().expect("subscription").stream();
    assert!(Pin::new(&mut accounts).poll_next(&mut context).is_ready(), "caught up");
    for _ in 0..2 {
        // Polled again without having been woken, it waits once.
        assert!(Pin::new(&mut accounts).poll_next(&mut context).is_pending());
    }
    append(&store, "customer-1", "no");
    assert_eq!(task.woken.load(Ordering::SeqCst), 0);
    append(&store, "account-1", "yes");
    assert_eq!(task.woken.load(Ordering::SeqCst), 1);
    append(&store, "account-1", "more");
    assert_eq!(task.woken.load(Ordering::SeqCst), 1, "it knows");
    assert!(Pin::new(&mut accounts).poll_next(&mut context).is_ready());
    assert!(Pin::new(&mut accounts).poll_next(&mut context).is_ready());

    assert!(Pin::new(&mut accounts).poll_next(&mut context).is_pending());
    drop(accounts);
    append(&store, "account-1", "for nobody");
    assert_eq!(task.woken.load(Ordering::SeqCst), 1);
}

/// A runtime that drops its task when it is woken, as one does that was shut down.
struct Dropping {
    task: Mutex<Option<UpdateStream>>,
}

impl Wake for Dropping {
    fn wake(self: Arc<Self>) {
        drop(self.task.lock().expect("no panic").take());
    }
}

/// A runtime that panics when it is told that a task can go on.
struct Panicking;

impl Wake for Panicking {
    fn wake(self: Arc<Self>) {
        panic!("a runtime that is broken");
    }
}

#[test]
fn whatever_a_waker_does_the_append_is_answered_and_others_are_woken() {
    let store = open();
    let counting = task();
    let dropping = Arc::new(Dropping { task: Mutex::new(None) });
    let wakers = [
        Waker::from(Arc::clone(&dropping)),
        Waker::from(Arc::new(Panicking)),
        Waker::from(Arc::clone(&counting)),
    ];
    let mut streams = Vec::new();
    for waker in &wakers {
        let mut stream = store.subscribe().from_now().start().expect("subscription").stream();
        let mut context = Context::from_waker(waker);
        assert!(Pin::new(&mut stream).poll_next(&mut context).is_ready(), "caught up");
        assert!(Pin::new(&mut stream).poll_next(&mut context).is_pending());
        streams.push(stream);
    }
    *dropping.task.lock().expect("no panic") = Some(streams.remove(0));
    append(&store, "account-1", "one");
    assert_eq!(counting.woken.load(Ordering::SeqCst), 1);
    assert!(dropping.task.lock().expect("no panic").is_none());
    append(&store, "account-1", "two");
    let mut context = Context::from_waker(&wakers[2]);
    for number in ["one", "two"] {
        match Pin::new(&mut streams[1]).poll_next(&mut context) {
            Poll::Ready(Some(Ok(update))) => assert_eq!(payload(Some(update)), number),
            other => panic!("{other:?}"),
        }
    }
}
