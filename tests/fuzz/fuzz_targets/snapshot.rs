//! A snapshot pack: records of any bytes, sealed. Whatever stands there, a load ends with a state, and when no snapshot
//! was used it is the state that the events make. (A state that is forged under checksums that hold is believed.)
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use annals::{Aggregate, SnapshotUse, Store};
use fuzz_support::{files_after, open, put};
use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Counted {
    By(u32),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Counter {
    sum: u64,
    note: String,
}

impl Aggregate for Counter {
    type Event = Counted;

    fn apply(&mut self, Counted::By(number): &Counted) {
        self.sum = self.sum.wrapping_add(u64::from(*number));
    }
}

fn load(store: &Store) -> (Counter, SnapshotUse) {
    let loaded = store
        .repository::<Counter>("counter")
        .snapshot_every(3)
        .load("1")
        .expect("a load never fails for this");
    (loaded.state().clone(), loaded.snapshot())
}

fn files() -> &'static std::collections::BTreeMap<PathBuf, Vec<u8>> {
    static FILES: OnceLock<std::collections::BTreeMap<PathBuf, Vec<u8>>> = OnceLock::new();
    FILES.get_or_init(|| {
        files_after(|store| {
            let counters = store.repository::<Counter>("counter").snapshot_every(3);
            for number in 0..7 {
                counters
                    .execute("1", |_| Ok::<_, std::convert::Infallible>([Counted::By(number)]))
                    .expect("execute");
            }
        })
    })
}

fuzz_target!(|input: &[u8]| {
    let pack = Path::new("/bank/snapshots/00000001");
    let mut files = files().clone();
    let mut bytes = files[pack].clone();
    match input.split_first() {
        Some((0, rest)) => {
            bytes.truncate(48);
            bytes.extend_from_slice(rest);
        }
        Some((_, rest)) => {
            for patch in rest.chunks_exact(3) {
                let at = usize::from(u16::from_le_bytes([patch[0], patch[1]])) % bytes.len();
                bytes[at] = patch[2];
            }
        }
        None => {}
    }
    put(&mut files, pack, bytes);
    let store = open(&files).expect("a snapshot is no reason not to open");
    let (state, used) = load(&store);
    // One that was of no use may have been passed over for an older one.
    if store.stats().expect("figures").snapshots_used == 0 {
        assert_eq!(state, Counter { sum: 21, note: String::new() }, "{used:?}");
    }
    // What was of no use has been written anew, or is found again: either way the answer stays.
    assert_eq!(load(&store).0, state);
    store.close().expect("close");
});
