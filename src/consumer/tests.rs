//! What the flow does with the time, at its limits, and whatever comes in whatever order.

use std::time::Duration;

use super::flow::{Expired, Failed, Flow, Key, Next, Place};
use super::settings::Settings;
use crate::disk::IdSource;
use crate::state::Progress;
use crate::types::{
    Encoding, EventTable, Facts, Names, Parts, Position, RecordedEvent, Row, Timestamp, Version,
};

fn event(position: u64) -> RecordedEvent {
    let names = Names { stream: 0, stream_len: 1, event_type: 1, type_len: 1 };
    let facts = Facts {
        id: IdSource::default().event_id(Timestamp::EPOCH),
        version: Version::new(position),
        position: Position::new(position),
        number: 0,
        occurred_at: Timestamp::EPOCH,
        recorded_at: Timestamp::EPOCH,
        encoding: Encoding::RAW,
    };
    let parts = Parts { metadata: 0, payload: 0, end: 0 };
    EventTable::new(std::sync::Arc::default(), "sT".to_owned(), vec![Row { names, parts, facts }]).event(0)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

fn all_done(floor: u64) -> Progress {
    Progress { floor, read_to: floor, handed_to: floor, open: [].into() }
}

/// A flow with the events of these keys, in order.
fn flow(settings: Settings, keys: &[&str]) -> Flow {
    let mut flow = Flow::new(settings, Progress::default());
    (0..).zip(keys).for_each(|(position, key)| flow.take_in(event(position), Some(Key::from(*key))));
    flow
}

fn give(flow: &mut Flow, seconds: i64) -> Option<(u64, u32)> {
    match flow.give(at(seconds))? {
        Next::Given(given) => Some((given.event.position().as_u64(), given.attempt)),
        Next::TooOften(place) => panic!("{place:?} was handed out too often"),
    }
}

fn done(flow: &mut Flow, position: u64) {
    flow.acknowledge(position);
    flow.finish(position);
}

#[test]
fn the_floor_is_the_first_event_that_is_not_done_and_those_above_it_are_remembered() {
    let mut flow = flow(Settings::default(), &["a", "b", "c", "d"]);
    (0..4).for_each(|position| assert_eq!(give(&mut flow, 0), Some((position, 1))));
    done(&mut flow, 2);
    flow.acknowledge(1);
    assert_eq!(
        flow.progress(),
        Progress { floor: 0, read_to: 4, handed_to: 0, open: [(0, 1), (3, 1)].into() }
    );
    flow.unacknowledge(1, at(0));
    done(&mut flow, 0);
    assert_eq!(flow.progress().floor, 1, "what is not on disk is not done");
    done(&mut flow, 1);
    done(&mut flow, 3);
    assert_eq!(flow.progress(), all_done(4));
    assert_eq!((flow.out(), flow.not_done()), (0, 0));
}

#[test]
fn time_is_up_at_its_end_and_not_before_and_a_late_answer_is_refused() {
    let settings = Settings { ack_wait: Duration::from_secs(30), max_deliver: 2, ..Settings::default() };
    let mut flow = flow(settings, &["a"]);
    let place = |serial| Place { position: 0, serial };
    assert_eq!(give(&mut flow, 0), Some((0, 1)));
    assert_eq!(flow.next_timer(), Some(at(30)));
    assert_eq!(flow.expire(at(29)), []);
    assert_eq!(flow.check_out(place(1)), Ok(1));
    flow.extend(0, at(29));
    assert_eq!(flow.expire(at(58)), []);
    assert_eq!(flow.expire(at(59)), []);
    assert_eq!(flow.check_out(place(1)), Err(Expired));
    assert_eq!(give(&mut flow, 59), Some((0, 2)));
    assert_eq!(flow.check_out(place(1)), Err(Expired), "it is another's");
    flow.take_back(place(1));
    assert_eq!(flow.check_out(place(2)), Ok(2), "which nobody else can take back");
    assert_eq!(flow.expire(at(89)), [place(2)], "as often as it may be");
    assert_eq!(flow.check_out(place(2)), Ok(2), "until it is parked it stays where it is");
    assert_eq!(flow.expire(at(118)), []);
    assert_eq!(flow.expire(at(119)), [place(2)]);
    flow.parked(0, true);
    assert_eq!((flow.next_timer(), flow.progress().floor), (None, 1));
    // Replayed, it begins anew, and its earlier workers have nothing to say.
    flow.replay(event(0), None, 0);
    assert_eq!(give(&mut flow, 200), Some((0, 1)));
    assert_eq!(flow.check_out(place(1)), Err(Expired));
    assert_eq!(flow.check_out(place(3)), Ok(1));
}

#[test]
fn times_past_the_end_of_time_and_a_clock_that_goes_back_do_no_harm() {
    let settings = Settings { ack_wait: Duration::MAX, backoff: vec![Duration::MAX], ..Settings::default() };
    let mut flow = flow(settings, &["a", "b"]);
    assert_eq!(give(&mut flow, 100), Some((0, 1)));
    assert_eq!(flow.fail(0, at(100), None), Failed::Again);
    assert_eq!(give(&mut flow, 5), Some((1, 1)), "b, as a has to wait");
    assert_eq!(flow.expire(at(1_000_000)), []);
    assert_eq!(flow.check_out(Place { position: 1, serial: 2 }), Ok(1));
    assert!(give(&mut flow, 1_000_000).is_none());
}

#[test]
fn what_the_last_process_knew_counts_when_the_events_are_read_again() {
    let open = [(10, 0), (12, 3), (14, 10)].into();
    let settings = Settings { max_deliver: 10, ..Settings::default() };
    let progress = Progress { floor: 10, read_to: 15, handed_to: 15, open };
    let mut flow = Flow::new(settings, progress.clone());
    assert_eq!(flow.progress(), progress, "also while they are not read");
    (10..13).for_each(|position| flow.take_in(event(position), None));
    assert_eq!(flow.progress(), progress, "and while some are");
    (13..20).for_each(|position| flow.take_in(event(position), None));
    assert_eq!(give(&mut flow, 0), Some((10, 1)));
    assert!(flow.must_be_noted(10) && flow.must_be_noted(14), "their process may have ended over them");
    assert_eq!(give(&mut flow, 0), Some((12, 4)));
    assert!(
        matches!(flow.give(at(0)), Some(Next::TooOften(place)) if place.position == 14),
        "11 and 13 were done"
    );
    assert_eq!(give(&mut flow, 0), Some((15, 1)));
    flow.take_back(Place { position: 15, serial: 4 });
    assert_eq!(give(&mut flow, 0), Some((15, 1)), "nobody had it");
    let progress = flow.progress_ahead();
    assert!(progress.handed_to > 20);
    flow.noted(&progress);
    assert!(!flow.must_be_noted(15) && flow.must_be_noted(14));
}

#[test]
fn what_was_read_and_nobody_had_is_read_again_and_takes_no_room() {
    let mut flow = flow(Settings::default(), &["a", "a", "a", "b", "a"]);
    assert_eq!(give(&mut flow, 0), Some((0, 1)));
    assert_eq!(flow.progress(), Progress { floor: 0, read_to: 1, handed_to: 0, open: [(0, 1)].into() });
    assert_eq!(give(&mut flow, 0), Some((3, 1)));
    done(&mut flow, 3);
    let open = [(0, 1), (1, 0), (2, 0)].into();
    assert_eq!(flow.progress(), Progress { floor: 0, read_to: 4, handed_to: 0, open });
    assert_eq!(flow.read_to(), 5);
}

#[test]
fn where_no_event_is_admitted_any_more_none_is_open() {
    let progress = Progress { floor: 3, read_to: 4, handed_to: 3, open: [(3, 2)].into() };
    let mut flow = Flow::new(Settings::default(), progress.clone());
    flow.has_read(3);
    assert_eq!(flow.progress(), progress);
    flow.has_read(4);
    assert_eq!(flow.progress(), all_done(4));
}

#[test]
fn a_key_that_waits_behind_a_parked_event_takes_in_no_more_until_it_goes_on() {
    let mut flow = flow(Settings::default(), &["a", "a", "b"]);
    assert_eq!(give(&mut flow, 0), Some((0, 1)));
    flow.parked(0, true);
    flow.take_in(event(3), Some(Key::from("a")));
    assert_eq!(give(&mut flow, 0), Some((2, 1)));
    assert!(give(&mut flow, 0).is_none());
    done(&mut flow, 2);
    assert_eq!(flow.progress().floor, 4);
    flow.replay(event(0), Some(Key::from("a")), 0);
    assert_eq!(give(&mut flow, 0), Some((0, 1)));
    assert!(flow.is_replayed(0) && flow.must_be_noted(0));
    assert_eq!(flow.progress(), all_done(4), "it is beside");
    done(&mut flow, 0);
    // One that waited, and that only those who replay it have read: once it is acknowledged it counts as read.
    flow.wait_behind(Key::from("a"), 3);
    flow.replay(event(3), Some(Key::from("a")), 0);
    flow.acknowledge(3);
    assert_eq!(flow.progress(), all_done(4));
    flow.finish(3);
    flow.go_on("a");
    flow.take_in(event(4), Some(Key::from("a")));
    assert_eq!(give(&mut flow, 0), Some((4, 1)));
    assert_eq!(flow.not_done(), 1);
}
