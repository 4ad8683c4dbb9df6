//! Aggregates with snapshots against a plain `Vec`: commands, snapshots by hand and by themselves, past states, closing,
//! being killed, and snapshots that are lost or damaged on the way. Whatever happens to a snapshot, no answer changes.

use annals::{Aggregate, AsOf, Maintenance, Options, Repository, Store, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

use crate::support::{ManualClock, SimDisk};

#[derive(Debug, Serialize, Deserialize)]
enum Moved {
    By(i64),
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sum {
    total: i64,
    events: u64,
}

impl Aggregate for Sum {
    type Event = Moved;

    fn apply(&mut self, Moved::By(amount): &Moved) {
        self.total += amount;
        self.events += 1;
    }
}

#[derive(Debug, Clone)]
enum Op {
    Execute { id: usize, amounts: Vec<i64> },
    Snapshot(usize),
    Load(usize),
    LoadAsOf { id: usize, version: u64 },
    Close,
    Kill(Fate),
}

/// What a crash does to the files of snapshots.
#[derive(Debug, Clone)]
enum Fate {
    Kept,
    Deleted,
    Damaged { byte: usize, bit: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    let id = 0..3_usize;
    let fate = prop_oneof![
        Just(Fate::Kept),
        Just(Fate::Deleted),
        (any::<usize>(), 0..8_u8).prop_map(|(byte, bit)| Fate::Damaged { byte, bit }),
    ];
    prop_oneof![
        8 => (id.clone(), vec(-9..9_i64, 0..4)).prop_map(|(id, amounts)| Op::Execute { id, amounts }),
        2 => id.clone().prop_map(Op::Snapshot),
        4 => id.clone().prop_map(Op::Load),
        3 => (id, 0..30_u64).prop_map(|(id, version)| Op::LoadAsOf { id, version }),
        1 => Just(Op::Close),
        3 => fate.prop_map(Op::Kill),
    ]
}

fn open(disk: &SimDisk) -> Store {
    let options = Options::new().disk(disk.clone()).clock(ManualClock::at(0));
    options.maintenance(Maintenance::Inline).open("/bank").expect("open")
}

fn sums(store: &Store) -> Repository<Sum> {
    store.repository::<Sum>("sum").snapshot_every(3)
}

fn after(fate: &Fate, disk: &SimDisk) -> SimDisk {
    let mut files = disk.files();
    match fate {
        Fate::Kept => {}
        Fate::Deleted => files.retain(|path, _| !path.starts_with("/bank/snapshots")),
        Fate::Damaged { byte, bit } => {
            for (_, bytes) in files.iter_mut().filter(|(path, _)| path.starts_with("/bank/snapshots")) {
                let at = byte % bytes.len().max(1);
                bytes.get_mut(at).into_iter().for_each(|byte| *byte ^= 1 << bit);
            }
        }
    }
    SimDisk::with_files(&files)
}

fn folded(amounts: &[i64]) -> Sum {
    Sum { total: amounts.iter().sum(), events: amounts.len() as u64 }
}

fn run(ops: &[Op]) -> Result<u64, TestCaseError> {
    let mut model: [Vec<i64>; 3] = Default::default();
    let mut disk = SimDisk::new();
    let mut store = open(&disk);
    for op in ops {
        match op {
            Op::Execute { id, amounts } => {
                let decide =
                    |_: &Sum| Ok::<_, std::convert::Infallible>(amounts.iter().copied().map(Moved::By));
                let executed = sums(&store).execute(id, decide).expect("execute");
                model[*id].extend(amounts);
                prop_assert_eq!(executed.state(), &folded(&model[*id]));
            }
            Op::Snapshot(id) => {
                let version = sums(&store).snapshot(id).expect("snapshot");
                prop_assert_eq!(version.map(Version::as_u64), (model[*id].len() as u64).checked_sub(1));
            }
            Op::Load(id) => {
                let loaded = sums(&store).load(id).expect("load");
                prop_assert_eq!(loaded.state(), &folded(&model[*id]));
            }
            Op::LoadAsOf { id, version } => {
                let past = AsOf::Version(Version::new(*version));
                let loaded = sums(&store).load_as_of(id, past).expect("load");
                let seen = model[*id].iter().copied().take(usize::try_from(*version).expect("small") + 1);
                prop_assert_eq!(loaded.state(), &folded(&seen.collect::<Vec<_>>()));
            }
            Op::Close => {
                store.close().expect("close");
                drop(store);
                store = open(&disk);
            }
            Op::Kill(fate) => {
                disk = after(fate, &disk);
                store = open(&disk);
            }
        }
    }
    for (id, amounts) in model.iter().enumerate() {
        let loaded = sums(&store).load(id).expect("load");
        prop_assert_eq!(loaded.state(), &folded(amounts));
    }
    Ok(store.stats().expect("stats").snapshots_used)
}

#[test]
fn whatever_becomes_of_snapshots_every_state_is_what_its_events_add_up_to() {
    let config = Config { cases: 128, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[41; 32]);
    let used = std::cell::Cell::new(0);
    TestRunner::new_with_rng(config, rng)
        .run(&vec(op(), 10..40), |ops| {
            used.set(used.get() + run(&ops)?);
            Ok(())
        })
        .expect("the store does what the model does");
    assert!(used.get() > 100, "snapshots were used {} times", used.get());
}
