//! The word that the leader leaves for the maintenance thread: the newest one arrives, and stopping ends the wait.

use std::sync::Arc;

use shuttle::sync::mpsc;
use shuttle::thread;

use crate::commit::{Chore, Upkeep, prepare};
use crate::explore;
use crate::journal::Prepared;

/// Asks so often; the last wish must arrive before anybody says stop.
fn ask_until_heard_then_stop(wishes: u64) {
    let upkeep = Arc::new(Upkeep::default());
    let (heard, hears) = mpsc::channel();
    let maintenance = thread::spawn({
        let upkeep = Arc::clone(&upkeep);
        move || {
            while let Some(chore) = upkeep.next() {
                let Chore::Prepare(_, used) = chore else { unreachable!("nobody asks to seal") };
                heard.send(used).expect("the one who asks listens");
            }
        }
    });
    let prepared = Arc::new(Prepared);
    (1..=wishes).for_each(|used| upkeep.ask_to_prepare(&prepared, used));
    let mut last = 0;
    while last < wishes {
        let used = hears.recv().expect("the maintenance thread runs until it is stopped");
        assert!(used > last, "a wish is heard once, and never after a newer one");
        last = used;
    }
    upkeep.stop();
    maintenance.join().expect("it ends");
}

/// Stops while others ask.
fn stop_beside_askers(askers: u64) {
    let upkeep = Arc::new(Upkeep::default());
    let spawn = |what: Box<dyn FnOnce(&Upkeep) + Send>| {
        let upkeep = Arc::clone(&upkeep);
        thread::spawn(move || what(&upkeep))
    };
    let maintenance = spawn(Box::new(|upkeep| while upkeep.next().is_some() {}));
    let askers: Vec<_> = (0..askers)
        .map(|used| spawn(Box::new(move |upkeep| upkeep.ask_to_prepare(&Arc::new(Prepared), used))))
        .collect();
    upkeep.stop();
    maintenance.join().expect("it ends");
    askers.into_iter().for_each(|asker| asker.join().expect("asker"));
    assert!(upkeep.next().is_none(), "nothing is heard after the stop");
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

#[test]
fn space_is_seen_to_during_a_long_chore_and_a_wish_to_seal_is_heard() {
    explore::sampled(|| {
        let upkeep = Arc::new(Upkeep::default());
        let maintenance = thread::spawn({
            let upkeep = Arc::clone(&upkeep);
            move || {
                while let Some(chore) = upkeep.next() {
                    match chore {
                        Chore::Prepare(prepared, used) => prepare(&prepared, used),
                        // A long one: it ends when somebody wants something that does not wait.
                        Chore::Seal => {
                            while !upkeep.is_wanted() {
                                upkeep.see_to_space();
                                thread::yield_now();
                            }
                        }
                    }
                }
            }
        });
        upkeep.ask_to_seal();
        upkeep.ask_to_prepare(&Arc::new(Prepared), 1);
        upkeep.stop();
        maintenance.join().expect("it ends");
    });
}
