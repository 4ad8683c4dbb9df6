//! The store against a model of it: a plain `Vec`, and sequences of whatever a caller may do, closing, and being killed.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

use annals::{
    Durability, ErrorKind, ExpectedVersion, Maintenance, NewEvent, Options, Outcome, Position, RecordedEvent,
    Store, Timestamp, Version,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::support::{Keep, ManualClock, SimDisk, id};

const ROOT: &str = "/bank";
const STREAMS: [&str; 4] = ["account-1", "account-2", "customer-1", "customer-2"];

/// An event that a caller gives: with a small number as its id, so that ids come again.
#[derive(Debug, Clone)]
struct Given {
    id: Option<u64>,
    payload: Vec<u8>,
}

#[derive(Debug, Clone)]
enum Expect {
    Any,
    NoStream,
    StreamExists,
    /// So many versions beside the right one; 0 is right.
    Exact(i64),
}

#[derive(Debug, Clone)]
struct Part {
    stream: usize,
    expect: Expect,
    events: Vec<Given>,
}

#[derive(Debug, Clone)]
enum Op {
    Append {
        parts: Vec<Part>,
        synced: bool,
    },
    /// The append so many back, as it was, whatever became of it.
    Retry {
        back: usize,
        expect: Expect,
    },
    Clock(i64),
    Read {
        from: u64,
        backward: bool,
        stream: Option<usize>,
    },
    AsOf {
        which: u8,
        at: u64,
    },
    Flush,
    Seal,
    Close,
    /// The process is killed: no close frame, everything written is still there.
    Kill {
        recent_bytes_max: usize,
    },
}

fn given() -> impl Strategy<Value = Given> {
    let size = prop_oneof![20 => 0..60_usize, 4 => 60..900_usize, 4 => 5_000..40_000_usize];
    (prop::option::weighted(0.4, 0..60_u64), size, 0..20_u8).prop_map(|(id, size, odd)| match id {
        // Mostly the same content for the same id, so that a retry is one.
        Some(id) => Given { id: Some(id), payload: vec![b'a' + (id % 20) as u8 + u8::from(odd == 0); 10] },
        None => Given { id, payload: vec![b'z'; size] },
    })
}

fn expect() -> impl Strategy<Value = Expect> {
    prop_oneof![
        4 => Just(Expect::Any),
        1 => Just(Expect::NoStream),
        2 => Just(Expect::StreamExists),
        4 => prop_oneof![4 => Just(0_i64), 1 => -1..3_i64].prop_map(Expect::Exact),
    ]
}

fn part() -> impl Strategy<Value = Part> {
    (0..STREAMS.len(), expect(), vec(given(), 0..4)).prop_map(|(stream, expect, events)| Part {
        stream,
        expect,
        events,
    })
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        12 => (vec(part(), 1..2), any::<bool>()).prop_map(|(parts, synced)| Op::Append { parts, synced }),
        6 => (vec(part(), 1..4), any::<bool>()).prop_map(|(parts, synced)| Op::Append { parts, synced }),
        4 => (0..8_usize, expect()).prop_map(|(back, expect)| Op::Retry { back, expect }),
        2 => (-100..1_000_i64).prop_map(Op::Clock),
        3 => (0..80_u64, any::<bool>(), prop::option::of(0..STREAMS.len()))
            .prop_map(|(from, backward, stream)| Op::Read { from, backward, stream }),
        3 => (0..3_u8, 0..80_u64).prop_map(|(which, at)| Op::AsOf { which, at }),
        1 => Just(Op::Flush),
        2 => Just(Op::Seal),
        2 => Just(Op::Close),
        2 => prop_oneof![Just(0), Just(700), Just(usize::MAX)].prop_map(|recent_bytes_max| Op::Kill { recent_bytes_max }),
    ]
}

/// An event as the model remembers it.
#[derive(Debug, Clone, PartialEq)]
struct Remembered {
    stream: usize,
    version: u64,
    id: Option<u64>,
    payload: Vec<u8>,
    recorded_at: i64,
}

/// What the model says becomes of an append.
#[derive(Debug, PartialEq)]
enum Wanted {
    Appended(Vec<u64>),
    AlreadyAppended(Vec<u64>),
    Refused(ErrorKind, usize),
}

#[derive(Debug, Default)]
struct Model {
    events: Vec<Remembered>,
    now: i64,
}

impl Model {
    fn version(&self, stream: usize) -> Option<u64> {
        (self.events.iter().filter(|event| event.stream == stream).count() as u64).checked_sub(1)
    }

    fn expected(&self, part: &Part) -> ExpectedVersion {
        match part.expect {
            Expect::Any => ExpectedVersion::Any,
            Expect::NoStream => ExpectedVersion::NoStream,
            Expect::StreamExists => ExpectedVersion::StreamExists,
            Expect::Exact(beside) => match self.version(part.stream) {
                None if beside == 0 => ExpectedVersion::NoStream,
                version => Version::new(version.unwrap_or(0).saturating_add_signed(beside)).into(),
            },
        }
    }

    /// Where the event with an id is in a stream.
    fn known(&self, stream: usize, id: u64) -> Option<usize> {
        self.events.iter().position(|event| event.stream == stream && event.id == Some(id))
    }

    fn append(&mut self, parts: &[Part]) -> Wanted {
        let given: Vec<(usize, &Given)> =
            parts.iter().flat_map(|part| part.events.iter().map(|event| (part.stream, event))).collect();
        let ids: Vec<(usize, u64)> =
            given.iter().filter_map(|(stream, event)| Some((*stream, event.id?))).collect();
        if ids.iter().enumerate().any(|(at, id)| ids[..at].contains(id)) {
            return Wanted::Refused(ErrorKind::Invalid, 0);
        }
        let found: Vec<Option<usize>> =
            given.iter().map(|(stream, event)| self.known(*stream, event.id?)).collect();
        let conflicts = parts.iter().filter(|part| {
            let actual = self.version(part.stream).map(Version::new);
            !self.expected(part).accepts(actual)
        });
        let conflicts = conflicts.count();
        if found.iter().any(Option::is_some) {
            return self.judge_known(&given, &found, conflicts);
        }
        if conflicts > 0 {
            return Wanted::Refused(ErrorKind::Conflict, conflicts);
        }
        let recorded_at = self.events.last().map_or(self.now, |last| last.recorded_at.max(self.now));
        let first = self.events.len() as u64;
        for (stream, event) in &given {
            let version = self.version(*stream).map_or(0, |version| version + 1);
            let (id, payload) = (event.id, event.payload.clone());
            self.events.push(Remembered { stream: *stream, version, id, payload, recorded_at });
        }
        Wanted::Appended((first..self.events.len() as u64).collect())
    }

    fn judge_known(&self, given: &[(usize, &Given)], found: &[Option<usize>], conflicts: usize) -> Wanted {
        let mut last: HashMap<usize, usize> = HashMap::new();
        let mut bad = 0;
        let all = found.iter().all(Option::is_some);
        for ((stream, event), at) in given.iter().zip(found) {
            let Some(at) = at else { continue };
            let in_order = last.insert(*stream, *at).is_none_or(|last| last < *at);
            bad += usize::from(!(all && in_order && self.events[*at].payload == event.payload));
        }
        if bad > 0 {
            return Wanted::Refused(ErrorKind::IdReused, bad + conflicts);
        }
        Wanted::AlreadyAppended(found.iter().flatten().map(|at| *at as u64).collect())
    }
}

struct World {
    disk: SimDisk,
    store: Store,
    clock: ManualClock,
    recent_bytes_max: usize,
    model: Model,
    sent: Vec<Vec<Part>>,
    /// How often each kind of answer was given.
    answers: BTreeMap<String, u64>,
}

fn open(disk: &SimDisk, clock: &ManualClock, recent_bytes_max: usize) -> Store {
    Options::new()
        .disk(disk.clone())
        .clock(clock.clone())
        .maintenance(Maintenance::Inline)
        .durability(Durability::Buffered)
        .journal_file_bytes(64 << 10)
        .recent_bytes_max(recent_bytes_max)
        .open(ROOT)
        .expect("the store opens again")
}

impl World {
    fn new(recent_bytes_max: usize) -> Self {
        let (disk, clock) = (SimDisk::new(), ManualClock::at(0));
        let store = open(&disk, &clock, recent_bytes_max);
        let (model, sent, answers) = (Model::default(), Vec::new(), BTreeMap::new());
        Self { disk, store, clock, recent_bytes_max, model, sent, answers }
    }

    fn run(&mut self, op: &Op) -> Result<(), TestCaseError> {
        match op {
            Op::Append { parts, synced } => self.append(parts, *synced)?,
            Op::Retry { back, expect } => {
                if let Some(at) = self.sent.len().checked_sub(back + 1) {
                    let mut parts = self.sent[at].clone();
                    parts.iter_mut().for_each(|part| part.expect = expect.clone());
                    self.append(&parts, true)?;
                }
            }
            Op::Clock(now) => {
                self.model.now = *now;
                self.clock.set(*now);
            }
            Op::Read { from, backward, stream } => self.read(*from, *backward, *stream)?,
            Op::AsOf { which, at } => self.as_of(*which, *at)?,
            Op::Flush => self.store.flush().expect("flush"),
            Op::Seal => {
                let sealed = self.store.seal().expect("seal");
                *self.answers.entry("sealed".to_owned()).or_default() += sealed;
                prop_assert_eq!(self.store.seal().expect("seal"), 0);
                self.compare_all()?;
            }
            Op::Close => {
                self.store.close().expect("close");
                self.store = open(&self.disk, &self.clock, self.recent_bytes_max);
                prop_assert!(self.store.recovery().clean);
                self.compare_all()?;
            }
            Op::Kill { recent_bytes_max } => {
                self.recent_bytes_max = *recent_bytes_max;
                self.disk = self.disk.crash(Keep::Everything);
                self.store = open(&self.disk, &self.clock, self.recent_bytes_max);
                prop_assert_eq!(&self.store.recovery().torn_tail, &None);
                self.compare_all()?;
            }
        }
        prop_assert_eq!(self.store.head(), Position::new(self.model.events.len() as u64));
        Ok(())
    }

    fn append(&mut self, parts: &[Part], synced: bool) -> Result<(), TestCaseError> {
        let durability = if synced { Durability::Synced } else { Durability::Buffered };
        let batch = parts.iter().fold(self.store.batch().durability(durability), |batch, part| {
            let events = part.events.iter().map(|given| {
                let mut event = NewEvent::new("Happened", given.payload.clone()).expect("type");
                event.id = given.id.map(id);
                event
            });
            batch.append_raw(STREAMS[part.stream], self.model.expected(part), events)
        });
        let answer = batch.commit();
        self.sent.push(parts.to_vec());
        let wanted = self.model.append(parts);
        let got = match &answer {
            Ok(receipt) => {
                let of_all = receipt.receipts().iter().flat_map(annals::Receipt::positions);
                let mut positions: Vec<u64> = of_all.map(Position::as_u64).collect();
                positions.sort_unstable();
                match receipt.outcome() {
                    Outcome::Appended => Wanted::Appended(positions),
                    Outcome::AlreadyAppended => Wanted::AlreadyAppended(positions),
                }
            }
            Err(error) => Wanted::Refused(error.kind(), error.failures().len()),
        };
        let kind = match &wanted {
            Wanted::Appended(_) => "Appended".to_owned(),
            Wanted::AlreadyAppended(_) => "AlreadyAppended".to_owned(),
            Wanted::Refused(kind, _) => format!("{kind:?}"),
        };
        *self.answers.entry(kind).or_default() += 1;
        let wanted = match wanted {
            Wanted::AlreadyAppended(mut positions) => {
                positions.sort_unstable();
                Wanted::AlreadyAppended(positions)
            }
            other => other,
        };
        prop_assert_eq!(got, wanted, "{:?}", answer);
        Ok(())
    }

    fn read(&self, from: u64, backward: bool, stream: Option<usize>) -> Result<(), TestCaseError> {
        let of_stream =
            self.model.events.iter().filter(|event| stream.is_none_or(|stream| event.stream == stream));
        let of_stream: Vec<_> = of_stream.cloned().collect();
        let from_usize = usize::try_from(from).expect("small");
        let mut wanted = if backward {
            of_stream[..of_stream.len().min(from_usize + 1)].to_vec()
        } else {
            of_stream.get(from_usize..).unwrap_or_default().to_vec()
        };
        if backward {
            wanted.reverse();
        }
        let got: annals::Result<Vec<_>> = match (stream, backward) {
            (None, false) => self.store.read().from(from.into()).iter().collect(),
            (None, true) => self.store.read().from(from.into()).backward().iter().collect(),
            (Some(stream), _) => {
                let read = self.store.stream(STREAMS[stream]).expect("name").read().from(from.into());
                if backward { read.backward().iter().collect() } else { read.iter().collect() }
            }
        };
        self.compare(got, &wanted)
    }

    fn as_of(&self, which: u8, at: u64) -> Result<(), TestCaseError> {
        let read = self.store.read();
        let time = i64::try_from(at).expect("small") * 10;
        let read = match which {
            0 => read.as_of(Version::new(at)),
            1 => read.as_of(Position::new(at)),
            _ => read.as_of(Timestamp::from_micros(time)),
        };
        let events = self.model.events.iter().enumerate();
        let wanted: Vec<_> = events
            .filter(|(position, event)| match which {
                0 => event.version <= at,
                1 => *position as u64 <= at,
                _ => event.recorded_at <= time,
            })
            .map(|(_, event)| event.clone())
            .collect();
        self.compare(read.iter().collect(), &wanted)
    }

    fn compare_all(&self) -> Result<(), TestCaseError> {
        self.compare(self.store.read().iter().collect(), &self.model.events)?;
        for (stream, name) in STREAMS.into_iter().enumerate() {
            let version = self.store.stream(name).expect("name").version().expect("version");
            prop_assert_eq!(version.map(Version::as_u64), self.model.version(stream));
        }
        Ok(())
    }

    fn compare(
        &self,
        got: annals::Result<Vec<RecordedEvent>>,
        wanted: &[Remembered],
    ) -> Result<(), TestCaseError> {
        // Collected into one result: an iterator that met an error yields it for ever.
        let got = got.expect("every event can be read");
        prop_assert_eq!(got.len(), wanted.len());
        for (got, wanted) in got.into_iter().zip(wanted) {
            prop_assert_eq!(got.stream(), STREAMS[wanted.stream]);
            prop_assert_eq!(got.version().as_u64(), wanted.version);
            prop_assert_eq!(got.recorded_at().as_micros(), wanted.recorded_at);
            prop_assert_eq!(got.payload(), &wanted.payload[..]);
            if let Some(given) = wanted.id {
                prop_assert_eq!(got.id(), id(given));
            }
        }
        Ok(())
    }
}

#[test]
fn the_store_does_what_a_plain_vec_does_whatever_the_caller_does() {
    const SEED: [u8; 32] = *b"annals: what happened, in order.";
    println!("model: seed {:?}", String::from_utf8_lossy(&SEED));
    let config = Config { cases: 160, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &SEED));
    let recent = prop_oneof![Just(0_usize), Just(2_000), Just(usize::MAX)];
    let answers: RefCell<BTreeMap<String, u64>> = RefCell::default();
    let ran = runner.run(&(recent, vec(op(), 20..60)), |(recent_bytes_max, ops)| {
        let mut world = World::new(recent_bytes_max);
        for op in &ops {
            world.run(op)?;
        }
        let mut answers = answers.borrow_mut();
        world.answers.iter().for_each(|(kind, count)| *answers.entry(kind.clone()).or_default() += count);
        let stats = world.store.stats().expect("stats");
        *answers.entry("files".to_owned()).or_default() += stats.journal_files + stats.segments - 1;
        world.compare_all()
    });
    if let Err(failure) = ran {
        panic!("{failure}");
    }
    println!("model: {:?}", answers.borrow());
    let wanted = [
        ("Appended", 500),
        ("AlreadyAppended", 50),
        ("Conflict", 100),
        ("IdReused", 50),
        ("Invalid", 10),
        ("files", 50),
        ("sealed", 100),
    ];
    for (kind, least) in wanted {
        let count = answers.borrow().get(kind).copied().unwrap_or_default();
        assert!(count >= least, "{count} of {kind} is too few to mean anything");
    }
}
