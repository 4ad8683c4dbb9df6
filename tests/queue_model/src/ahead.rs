//! The word that the leader leaves for the maintenance thread: the newest one arrives, and stopping ends the wait.

use std::sync::Arc;

use shuttle::sync::mpsc;
use shuttle::thread;

use crate::commit::PrepareAhead;
use crate::explore;
use crate::journal::Prepared;

/// Asks so often; the last wish must arrive before anybody says stop.
fn ask_until_heard_then_stop(wishes: u64) {
    let ahead = Arc::new(PrepareAhead::default());
    let (heard, hears) = mpsc::channel();
    let maintenance = thread::spawn({
        let ahead = Arc::clone(&ahead);
        move || {
            while let Some((_, used)) = ahead.next() {
                heard.send(used).expect("the one who asks listens");
            }
        }
    });
    let prepared = Arc::new(Prepared);
    (1..=wishes).for_each(|used| ahead.ask(&prepared, used));
    let mut last = 0;
    while last < wishes {
        let used = hears.recv().expect("the maintenance thread runs until it is stopped");
        assert!(used > last, "a wish is heard once, and never after a newer one");
        last = used;
    }
    ahead.stop();
    maintenance.join().expect("it ends");
}

/// Stops while others ask.
fn stop_beside_askers(askers: u64) {
    let ahead = Arc::new(PrepareAhead::default());
    let spawn = |what: Box<dyn FnOnce(&PrepareAhead) + Send>| {
        let ahead = Arc::clone(&ahead);
        thread::spawn(move || what(&ahead))
    };
    let maintenance = spawn(Box::new(|ahead| while ahead.next().is_some() {}));
    let askers: Vec<_> =
        (0..askers).map(|used| spawn(Box::new(move |ahead| ahead.ask(&Arc::new(Prepared), used)))).collect();
    ahead.stop();
    maintenance.join().expect("it ends");
    askers.into_iter().for_each(|asker| asker.join().expect("asker"));
    assert!(ahead.next().is_none(), "nothing is heard after the stop");
}

#[test]
fn the_newest_wish_is_heard_and_stopping_ends_the_wait_under_every_schedule() {
    let one = explore::all(|| ask_until_heard_then_stop(1));
    let two = explore::all(|| ask_until_heard_then_stop(2));
    let beside = explore::all(|| stop_beside_askers(1));
    println!("one wish: all {one} schedules, two: {two}, stopping beside one: {beside}");
}

#[test]
fn the_newest_wish_is_heard_and_stopping_ends_the_wait() {
    explore::sampled(|| ask_until_heard_then_stop(5));
    explore::sampled(|| stop_beside_askers(3));
}
