//! Tests: all engines store the same events and refuse the same appends.

use std::collections::HashMap;

use anyhow::Result;

use crate::data::{self, Set};
use crate::engine::Engine;
use crate::kind::Kind;
use crate::model::{Answer, Commit, Fold, Mode, Request, Seen};

const SMALL: Set = Set { name: "small", events: 3_000, streams: 30, payload_bytes: 128 };

/// The small set's requests, with ids, so that ids can be compared too.
fn requests() -> Vec<Request> {
    let mut requests = SMALL.requests(0, SMALL.events);
    for (number, request) in (1_u128..).zip(&mut requests) {
        for event in request.iter_mut().flat_map(|commit| &mut commit.events) {
            event.id = Some((number << 64 | 7).to_be_bytes());
        }
    }
    requests
}

/// What any store must answer: the folds of some streams and of all events, from the requests themselves.
fn truth() -> HashMap<String, Fold> {
    let mut folds = HashMap::new();
    for (position, request) in (0..).zip(requests()) {
        for commit in &request {
            for event in &commit.events {
                for name in [commit.stream.as_str(), ""] {
                    folds.entry(name.to_owned()).or_insert(Fold::new()).add(&Seen {
                        position,
                        stream: &commit.stream,
                        version: commit.expected,
                        id: event.id.unwrap_or_default(),
                        event_type: event.event_type,
                        occurred_at: event.occurred_at,
                        recorded_at: 0,
                        payload: &event.payload,
                    });
                }
            }
        }
    }
    folds
}

fn check(kind: Kind, store: &dyn Engine) -> Result<()> {
    for (name, truth) in truth() {
        let mut fold = Fold::new();
        if name.is_empty() {
            store.replay(&mut fold)?
        } else {
            store.load(&name, &mut fold)?
        }
        let seen = (fold.events, fold.payload_bytes, fold.sum, fold.ids, fold.in_time);
        let meant = (truth.events, truth.payload_bytes, truth.sum, truth.ids, true);
        assert_eq!(seen, meant, "{} in stream {name:?}", kind.name());
    }
    assert_eq!(store.appends().events(), SMALL.events);
    let mut none = Fold::new();
    store.load("order-99999999", &mut none)?;
    assert_eq!(none.events, 0);
    Ok(())
}

fn in_every_engine(test: impl Fn(Kind, &std::path::Path) -> Result<()>) -> Result<()> {
    for kind in Kind::ALL {
        let dir = tempfile::tempdir()?;
        test(kind, dir.path())?;
    }
    Ok(())
}

#[test]
fn all_engines_load_and_replay_the_same_events_before_and_after_reopening() -> Result<()> {
    in_every_engine(|kind, dir| {
        let store = kind.open(dir, Mode::Durable)?;
        let mut requests = requests();
        let rest = requests.split_off(2_500);
        let single = requests.split_off(2_400);
        store.appends().fill(requests)?;
        for request in single {
            assert_eq!(store.appends().append(request)?, Answer::Appended);
        }
        store.settle()?;
        store.close()?;
        let store = kind.open(dir, Mode::Buffered)?;
        store.appends().fill(rest)?;
        check(kind, store.as_ref())?;
        store.close()?;
        let store = kind.open(dir, Mode::Durable)?;
        check(kind, store.as_ref())?;
        store.close()
    })
}

#[test]
fn an_append_with_a_stale_version_is_refused_by_all_engines_and_writes_nothing() -> Result<()> {
    in_every_engine(|kind, dir| {
        let store = kind.open(dir, Mode::Durable)?;
        let commit = |stream: &str, expected| Commit {
            stream: stream.to_owned(),
            expected,
            events: vec![data::event(1, 128), data::event(2, 128)],
        };
        assert_eq!(store.appends().append(vec![commit("order-1", 0)])?, Answer::Appended);
        for expected in [0, 1, 3] {
            assert_eq!(store.appends().append(vec![commit("order-1", expected)])?, Answer::Stale);
        }
        assert_eq!(store.appends().append(vec![commit("order-2", 0), commit("order-1", 1)])?, Answer::Stale);
        assert_eq!(store.appends().events(), 2, "{}", kind.name());
        assert_eq!(
            store.appends().append(vec![commit("order-2", 0), commit("order-1", 2)])?,
            Answer::Appended
        );
        let mut fold = Fold::new();
        store.replay(&mut fold)?;
        assert_eq!(fold.events, 6, "{}", kind.name());
        store.close()
    })
}

#[test]
fn of_threads_that_append_with_the_same_expectation_one_wins_in_all_engines() -> Result<()> {
    const THREADS: usize = 8;
    const TURNS: u64 = 20;
    in_every_engine(|kind, dir| {
        let store = kind.open(dir, Mode::Durable)?;
        for expected in 0..TURNS {
            let answers: Vec<Result<Answer>> = std::thread::scope(|scope| {
                let append = || {
                    let events = vec![data::event(expected, 128)];
                    store.appends().append(vec![Commit { stream: "order-1".to_owned(), expected, events }])
                };
                let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(append)).collect();
                let joined = |thread: std::thread::ScopedJoinHandle<'_, Result<Answer>>| {
                    thread.join().unwrap_or_else(|_| Err(anyhow::anyhow!("an appending thread panicked")))
                };
                threads.into_iter().map(joined).collect()
            });
            let answers = answers.into_iter().collect::<Result<Vec<_>>>()?;
            let appended = answers.iter().filter(|answer| **answer == Answer::Appended).count();
            assert_eq!(appended, 1, "{}", kind.name());
        }
        assert_eq!(store.appends().events(), TURNS);
        store.close()
    })
}
