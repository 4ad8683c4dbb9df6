//! `Step`: what a history does, and rows of steps: a fixed one, and seeded ones.

use std::io;

use annals::Durability;

use super::{Rng, Verdict};

/// One append: events of one size, one to each of these streams. Without streams it only moves a checkpoint.
#[derive(Debug, Clone)]
pub(crate) struct Append {
    pub(crate) streams: Vec<&'static str>,
    pub(crate) payload_bytes: usize,
    pub(crate) durability: Durability,
}

/// One command to an aggregate, which makes a snapshot of every second event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) id: &'static str,
    /// How large the state is afterwards.
    pub(crate) state_bytes: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Step {
    Append(Append),
    /// Appends by several callers at once, which go into one group if all are in time.
    Group(Vec<Append>),
    Command(Command),
    Flush,
    /// All that was appended is sealed.
    Seal,
    /// The append so many back is sent again, with its ids.
    Retry(usize),
    /// Closed and opened again.
    Reopen,
    /// The process is killed, the machine is not, and the store is opened again.
    Kill,
    /// The call after so many fails, short of those that read.
    Fail(u64, Verdict),
}

fn append(streams: &[&'static str], payload_bytes: usize, durability: Durability) -> Append {
    Append { streams: streams.to_vec(), payload_bytes, durability }
}

fn synced(streams: &[&'static str], payload_bytes: usize) -> Step {
    Step::Append(append(streams, payload_bytes, Durability::Synced))
}

fn buffered(streams: &[&'static str], payload_bytes: usize) -> Step {
    Step::Append(append(streams, payload_bytes, Durability::Buffered))
}

/// Appends of one sector and of several, over several streams, synced and not; two new files; closing and opening.
pub(crate) fn fixed() -> Vec<Step> {
    vec![
        synced(&["a"], 20),
        synced(&["a"], 900),
        synced(&["a", "b", "c", "a"], 300),
        synced(&[], 0),
        buffered(&["b"], 40),
        buffered(&[], 0),
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
    ]
}

/// What [`fixed`] has not: a group, a commit larger than a file, a process that is killed, snapshots that are compacted.
pub(crate) fn fixed_too() -> Vec<Step> {
    let group = |bytes: [usize; 3]| {
        Step::Group(bytes.map(|bytes| append(&["a", "b"], bytes, Durability::Synced)).to_vec())
    };
    let large = Step::Command(Command { id: "large", state_bytes: 90_000 });
    let mut steps = vec![
        group([30, 200, 700]),
        buffered(&["a"], 300),
        Step::Kill,
        synced(&["b"], 100),
        synced(&["large"], 66_000),
        synced(&["a"], 100),
        Step::Kill,
        group([10, 10, 600]),
        Step::Reopen,
    ];
    steps.extend((0..10).map(|_| large.clone()));
    steps.extend([Step::Reopen, large]);
    steps
}

/// Sealing: of one file and of several, of commits that were only buffered, right after opening, with nothing to seal, and
/// by a store that was closed cleanly and is sealed before anything is appended; retries of what was sealed.
pub(crate) fn fixed_sealed() -> Vec<Step> {
    let group = [30, 400].map(|bytes| append(&["a", "b"], bytes, Durability::Synced)).to_vec();
    vec![
        synced(&["a"], 20),
        buffered(&["b", "a", "c"], 600),
        buffered(&[], 0),
        Step::Seal,
        Step::Retry(1),
        synced(&["a"], 10),
        synced(&["large"], 40_000),
        synced(&["large", "a"], 30_000),
        buffered(&["c"], 10),
        Step::Reopen,
        Step::Retry(5),
        Step::Seal,
        Step::Reopen,
        Step::Seal,
        // A file of its own, which becomes a segment without events.
        synced(&[], 0),
        Step::Seal,
        synced(&["b"], 700),
        Step::Kill,
        Step::Seal,
        Step::Group(group),
        synced(&["large"], 50_000),
        synced(&["large"], 20_000),
        Step::Reopen,
        Step::Seal,
        buffered(&["a"], 10),
        Step::Retry(2),
        Step::Seal,
        // The file that was begun for it stays empty, and is sealed so.
        synced(&["large"], 66_000),
        Step::Seal,
        Step::Kill,
        buffered(&["c", "b"], 300),
    ]
}

/// What is done with a store that was opened after a crash: it goes on as if nothing had been.
pub(crate) fn afterwards() -> Vec<Step> {
    vec![synced(&["after"], 30), buffered(&["after", "a"], 20), Step::Seal, Step::Reopen]
}

/// A row of steps by chance; with `faults`, one or two calls on the way fail.
pub(crate) fn random(rng: &mut Rng, faults: bool) -> Vec<Step> {
    let count = 8 + rng.index(12);
    let mut steps: Vec<Step> = (0..count).map(|_| any(rng)).collect();
    if faults {
        for _ in 0..=rng.index(2) {
            let at = rng.index(steps.len());
            steps.insert(at, Step::Fail(rng.below(12), verdict(rng)));
        }
    }
    steps
}

fn any(rng: &mut Rng) -> Step {
    match rng.index(26) {
        0..=1 if rng.chance(2) => {
            Step::Append(append(&[], 0, [Durability::Synced, Durability::Buffered][rng.index(2)]))
        }
        0..=7 => Step::Append(any_append(rng, Durability::Synced)),
        8..=13 => Step::Append(any_append(rng, Durability::Buffered)),
        14 => Step::Group((0..2 + rng.index(3)).map(|_| any_append(rng, Durability::Synced)).collect()),
        15 => Step::Flush,
        16..=17 => Step::Reopen,
        18 => Step::Kill,
        22..=24 => Step::Seal,
        25 => Step::Retry(rng.index(12)),
        _ => {
            let state_bytes = if rng.chance(12) { 90_000 } else { 10 + rng.index(900) };
            Step::Command(Command { id: ["1", "2"][rng.index(2)], state_bytes })
        }
    }
}

fn any_append(rng: &mut Rng, durability: Durability) -> Append {
    const STREAMS: [&str; 4] = ["a", "b", "c", "a-longer-name-of-a-stream"];
    let streams: Vec<&'static str> = (0..1 + rng.index(8) / 5).map(|_| STREAMS[rng.index(4)]).collect();
    let payload_bytes = match rng.index(40) {
        0..=19 => 10 + rng.index(200),
        20..=31 => 200 + rng.index(900),
        32..=36 => 1_000 + rng.index(3_000),
        37..=38 => 20_000 + rng.index(25_000),
        _ => 60_000 + rng.index(10_000),
    };
    append(&streams, payload_bytes, durability)
}

fn verdict(rng: &mut Rng) -> Verdict {
    let error = match rng.index(5) {
        0 => io::ErrorKind::StorageFull,
        1 => io::ErrorKind::QuotaExceeded,
        2 => io::ErrorKind::FileTooLarge,
        3 => io::ErrorKind::Interrupted,
        _ => io::ErrorKind::Other,
    };
    match rng.index(3) {
        0 => Verdict::Fail(error),
        1 => Verdict::FailAfter(rng.index(2_000), error),
        _ => Verdict::Short(1 + rng.index(600)),
    }
}
