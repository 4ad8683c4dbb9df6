//! A short history of a store on a `SimDisk`: what was sent, what was answered, and what must be found afterwards.

use annals::{Durability, ErrorKind, ExpectedVersion, Maintenance, Options, Outcome, Position, Store};

use super::{ManualClock, SimDisk, all, event_with_id};

const ROOT: &str = "/bank";

/// What is known of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It must be found, whole.
    Durable,
    /// It was answered without a sync: it is found, or it is lost with all after it.
    Buffered,
    /// It must not be found.
    Refused,
    /// It is found whole or not at all.
    Unknown,
}

/// One append: events of one size to some streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    streams: &'static [&'static str],
    payload_bytes: usize,
    durability: Durability,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Append(Sent),
    Flush,
    /// Closed and opened again.
    Reopen,
}

const fn synced(streams: &'static [&'static str], payload_bytes: usize) -> Step {
    Step::Append(Sent { streams, payload_bytes, durability: Durability::Synced })
}

const fn buffered(streams: &'static [&'static str], payload_bytes: usize) -> Step {
    Step::Append(Sent { streams, payload_bytes, durability: Durability::Buffered })
}

/// Appends of one sector and of several, over several streams, synced and not; two new files; closing and opening.
const STEPS: [Step; 22] = [
    synced(&["a"], 20),
    synced(&["a"], 900),
    synced(&["a", "b", "c", "a"], 300),
    buffered(&["b"], 40),
    buffered(&["b", "a"], 700),
    Step::Flush,
    buffered(&["c"], 1_500),
    synced(&["c"], 10),
    Step::Reopen,
    synced(&["a"], 10),
    synced(&["large"], 40_000),
    buffered(&["b"], 600),
    synced(&["large"], 30_000),
    synced(&["a"], 10),
    Step::Reopen,
    Step::Reopen,
    buffered(&["b"], 600),
    buffered(&["large"], 45_000),
    buffered(&["c"], 600),
    Step::Reopen,
    synced(&["a"], 2_000),
    buffered(&["a"], 10),
];

/// A history as far as it came.
#[derive(Debug, Default)]
pub(crate) struct History {
    sent: Vec<(Sent, Fate)>,
}

pub(crate) fn open(disk: &SimDisk) -> annals::Result<Store> {
    Options::new()
        .disk(disk.clone())
        .clock(ManualClock::at(0))
        .maintenance(Maintenance::Inline)
        .journal_file_bytes(64 << 10)
        .recent_bytes_max(0)
        .open(ROOT)
}

impl History {
    /// Runs the steps until the power goes. A fault on the way is met as a caller would: an answer is taken as it is, and
    /// a store that takes no more appends is opened again.
    pub(crate) fn run(disk: &SimDisk) -> Self {
        let mut history = Self::default();
        // The second attempt is after a fault; without one it is not made, and after the power has gone it fails too.
        let Ok(mut store) = open(disk).or_else(|_| open(disk)) else { return history };
        for step in STEPS {
            match step {
                Step::Append(sent) => history.append(&store, sent),
                Step::Flush => {
                    if store.flush().is_ok() {
                        history.all_is_durable();
                    }
                }
                Step::Reopen => {
                    if store.close().is_ok() {
                        history.all_is_durable();
                    }
                    drop(store);
                    match open(disk).or_else(|_| open(disk)) {
                        Ok(again) => store = again,
                        Err(_) => return history,
                    }
                    history.settle(&store);
                }
            }
            let takes_no_more = matches!(history.sent.last(), Some((_, Fate::Unknown)));
            if takes_no_more {
                assert_poisoned(&store);
                drop(store);
                match open(disk) {
                    Ok(again) => store = again,
                    Err(_) => return history,
                }
                history.settle(&store);
                history.retry_last(&store);
            }
        }
        history
    }

    fn append(&mut self, store: &Store, sent: Sent) {
        let number = self.sent.len();
        let before = (store.head(), store.streams());
        let fate = match send(store, number, sent) {
            Ok(_) if sent.durability == Durability::Synced => {
                self.all_is_durable();
                Fate::Durable
            }
            Ok(_) => Fate::Buffered,
            Err(error) => match error.kind() {
                ErrorKind::Indeterminate => Fate::Unknown,
                ErrorKind::StorageFull | ErrorKind::Io | ErrorKind::Poisoned => Fate::Refused,
                other => panic!("append {number}: {other:?}: {error}"),
            },
        };
        if matches!(fate, Fate::Unknown | Fate::Refused) {
            assert_eq!((store.head(), store.streams()), before, "readers do not see it");
        }
        self.sent.push((sent, fate));
    }

    /// Sends the last append again, with its ids: it is there once afterwards.
    fn retry_last(&mut self, store: &Store) {
        let Some((sent, fate)) = self.sent.last().copied() else { return };
        let number = self.sent.len() - 1;
        if let Ok(receipt) = send(store, number, sent) {
            let wanted = if fate == Fate::Durable { Outcome::AlreadyAppended } else { Outcome::Appended };
            assert_eq!(receipt.outcome(), wanted, "append {number} sent again");
            self.sent[number].1 =
                if sent.durability == Durability::Synced { Fate::Durable } else { Fate::Buffered };
        } else {
            self.sent[number].1 = Fate::Unknown;
        }
    }

    fn all_is_durable(&mut self) {
        self.sent
            .iter_mut()
            .filter(|(_, fate)| *fate == Fate::Buffered)
            .for_each(|(_, fate)| *fate = Fate::Durable);
    }

    /// After opening: what is there is durable, what is not there is gone.
    fn settle(&mut self, store: &Store) {
        // The power may go at the last call of opening, which the store can do without: then nothing is learnt.
        if store.read().iter().any(|event| event.is_err()) {
            return;
        }
        let found = self.check(store);
        for (number, (_, fate)) in self.sent.iter_mut().enumerate() {
            *fate = if found.contains(&number) { Fate::Durable } else { Fate::Refused };
        }
    }

    /// How many appends were sent.
    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether an append ended like this.
    pub(crate) fn has(&self, wanted: Fate) -> bool {
        self.sent.iter().any(|(_, fate)| *fate == wanted)
    }

    /// Holds what a store has against what was answered; the appends that were found.
    pub(crate) fn check(&self, store: &Store) -> Vec<usize> {
        let events = all(store);
        assert_eq!(store.head(), Position::new(events.len() as u64));
        let mut found: Vec<usize> = Vec::new();
        let mut rest = &events[..];
        while let Some(first) = rest.first() {
            let number = first.payload()[0] as usize;
            let (sent, _) = self.sent.get(number).expect("only what was sent is found");
            assert!(rest.len() >= sent.streams.len(), "append {number} is whole");
            let (of_this, later) = rest.split_at(sent.streams.len());
            for (at, (event, stream)) in of_this.iter().zip(sent.streams).enumerate() {
                assert_eq!((event.stream(), event.payload()), (*stream, &payload(number, at, *sent)[..]));
            }
            assert!(found.last().is_none_or(|last| *last < number), "append {number} is once and in order");
            found.push(number);
            rest = later;
        }
        let mut lost = None;
        for (number, (_, fate)) in self.sent.iter().enumerate() {
            let is_there = found.contains(&number);
            match fate {
                Fate::Durable => assert!(is_there, "append {number} was durable and is lost"),
                Fate::Refused => assert!(!is_there, "append {number} was refused and is there"),
                Fate::Buffered if !is_there => lost = Some(number),
                Fate::Buffered | Fate::Unknown => {}
            }
            assert!(!is_there || lost.is_none(), "append {lost:?} is lost, but {number} after it is not");
        }
        found
    }
}

fn payload(number: usize, at: usize, sent: Sent) -> Vec<u8> {
    let mut payload = vec![0x80 | u8::try_from(at).expect("few"); sent.payload_bytes];
    payload[0] = u8::try_from(number).expect("few");
    payload
}

fn send(store: &Store, number: usize, sent: Sent) -> annals::Result<annals::BatchReceipt> {
    let batch = sent.streams.iter().enumerate().fold(store.batch(), |batch, (at, stream)| {
        let event = event_with_id((number * 100 + at) as u64, payload(number, at, sent));
        batch.append_raw(stream, ExpectedVersion::Any, [event])
    });
    batch.durability(sent.durability).commit()
}

/// After a failed sync nothing is acknowledged any more; reads go on.
fn assert_poisoned(store: &Store) {
    let head = store.head();
    for _ in 0..2 {
        let append =
            store.stream("late").expect("name").append_raw(ExpectedVersion::Any, [super::event("late")]);
        assert_eq!(append.expect_err("poisoned").kind(), ErrorKind::Poisoned);
        assert_eq!(store.flush().expect_err("poisoned").kind(), ErrorKind::Poisoned);
    }
    assert_eq!(store.head(), head);
    assert_eq!(store.close().expect_err("poisoned").kind(), ErrorKind::Poisoned);
}
