//! What a power cut leaves of a `SimDisk`.
//!
//! All that was synced is there. Of the rest each piece goes its own way, in any mix:
//! - **A sector**: the part of a pending write that lies in one 512-byte sector is there or not. If it is not, the bytes
//!   are what the write found: what was synced there before, zeros where nothing was, or what an older pending write put
//!   there. Where nothing durable stood they may be zeros too, whatever an older pending write put there.
//!   So a sector that held nothing durable comes out new or zero. A sector that held something durable comes out new or as
//!   it was, and never zero: a medium that turns synced bytes into zeros when it is told to write over them loses what it
//!   was told to keep, and no program that writes in place survives that. annals does so in two places: the first frame
//!   behind a synced one begins in that one's sector, and recovery writes the unvouched end again.
//!   Two pending writes to one sector may come out the newer without the older. That is harsher than a page cache is.
//! - **A length**: the file is as long as it was at its last sync, or as any pending write or allocation made it.
//!   What was written behind that is gone.
//! - **A name**: made, changed or removed since its directory was synced: done or not. What lies in a directory that is
//!   not there is gone with it.

use std::collections::BTreeSet;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::{Arc, Mutex};

use super::Rng;
use super::sim_disk::SimDisk;
use super::sim_state::{Change, Inode, NameChange, State, put};

const SECTOR_BYTES: usize = 512;

/// What a crash keeps of what was not synced.
#[derive(Debug, Clone)]
pub(crate) enum Keep {
    Nothing,
    Everything,
    /// Each piece by chance: about half of them, or few, or most.
    Some(Rng),
    /// The crash with this number, out of [`SimDisk::crash_states`].
    Subset(u64),
}

/// Takes one of so many outcomes of a piece; the last one is that all of it is kept.
type Choose<'a> = &'a mut dyn FnMut(usize) -> usize;

impl SimDisk {
    /// The disk as it is found after a power cut: nothing pending, nothing locked, nothing going wrong.
    pub(crate) fn crash(&self, keep: Keep) -> Self {
        let before = self.state();
        let after = match keep {
            Keep::Nothing => crashed(&before, &mut |_| 0),
            Keep::Everything => crashed(&before, &mut |outcomes| outcomes - 1),
            Keep::Some(mut rng) => {
                let kept_of_8 = [1, 4, 7][rng.index(3)];
                crashed(&before, &mut |outcomes| {
                    if rng.index(8) < kept_of_8 { outcomes - 1 } else { rng.index(outcomes) }
                })
            }
            Keep::Subset(mut number) => crashed(&before, &mut |outcomes| {
                let outcome = number % outcomes as u64;
                number /= outcomes as u64;
                super::to_usize(outcome)
            }),
        };
        Self(Arc::new(Mutex::new(after)))
    }

    /// In how many ways a crash can come out; `None` when they are more than any number.
    pub(crate) fn crash_states(&self) -> Option<u64> {
        let mut states = Some(1_u64);
        crashed(&self.state(), &mut |outcomes| {
            states = states.and_then(|states| states.checked_mul(outcomes as u64));
            0
        });
        states
    }

    /// Whether anything is there that a crash may take away.
    pub(crate) fn has_pending(&self) -> bool {
        let state = self.state();
        !state.pending_names.is_empty() || state.inodes.iter().any(|inode| !inode.pending.is_empty())
    }

    /// Hashes what a reader finds, and how much of it is pending.
    pub(crate) fn hash_into(&self, hasher: &mut impl Hasher) {
        let state = self.state();
        state.dirs.hash(hasher);
        state.pending_names.len().hash(hasher);
        for (path, inode) in &state.names {
            let Inode { current, pending, .. } = &state.inodes[*inode];
            (path, current.len(), crc32fast::hash(current), pending.len()).hash(hasher);
        }
    }
}

/// What is asked of `choose`, and in what order, depends on `before` alone: so a row of choices can be counted through.
fn crashed(before: &State, choose: Choose<'_>) -> State {
    let (mut dirs, mut names) = (before.durable_dirs.clone(), before.durable_names.clone());
    for (_, change) in &before.pending_names {
        if choose(2) == 1 {
            change.apply(&mut dirs, &mut names);
        }
    }
    let all_dirs = dirs.clone();
    let reachable = |path: &std::path::Path| path.ancestors().skip(1).all(|dir| all_dirs.contains(dir));
    dirs.retain(|path| reachable(path));
    names.retain(|path, _| reachable(path));
    let may_be_named: BTreeSet<usize> =
        before.durable_names.values().copied().chain(new_names(before)).collect();
    let named: BTreeSet<usize> = names.values().copied().collect();
    let survivors = before.inodes.iter().enumerate().map(|(number, inode)| {
        // Asked for also when this crash leaves it without a name.
        let bytes = may_be_named.contains(&number).then(|| survivor(inode, choose));
        match bytes {
            Some(bytes) if named.contains(&number) => Inode::durable(&inode.path, bytes),
            _ => Inode::default(),
        }
    });
    let inodes = survivors.collect();
    let (durable_dirs, durable_names) = (dirs.clone(), names.clone());
    State { dirs, durable_dirs, names, durable_names, inodes, lie: before.lie, ..State::default() }
}

fn new_names(before: &State) -> impl Iterator<Item = usize> {
    before.pending_names.iter().filter_map(|(_, change)| NameChange::names(change))
}

/// The bytes that are left of a file.
fn survivor(inode: &Inode, choose: Choose<'_>) -> Arc<Vec<u8>> {
    if inode.pending.is_empty() {
        return Arc::clone(&inode.durable);
    }
    let mut lengths = vec![inode.durable.len()];
    lengths.extend(inode.pending.iter().filter_map(|pending| match pending.change {
        Change::Length(length) if length > inode.durable.len() => Some(length),
        _ => None,
    }));
    let length = lengths[choose(lengths.len())];
    let mut bytes = inode.durable.to_vec();
    for (number, pending) in inode.pending.iter().enumerate() {
        if let Change::Write { offset, bytes: written } = &pending.change {
            for sector in sectors(pending.change.range()) {
                let new = &written[sector.start - offset..sector.end - offset];
                match outcome(inode, number, &sector, new, choose) {
                    Outcome::Old => {}
                    Outcome::Zero => put(&mut bytes, sector.start, &[0; SECTOR_BYTES][..sector.len()]),
                    Outcome::New => put(&mut bytes, sector.start, new),
                }
            }
        }
    }
    bytes.resize(length, 0);
    Arc::new(bytes)
}

enum Outcome {
    Old,
    Zero,
    New,
}

/// What becomes of a sector of pending change `number`. Where all ways look the same nothing is chosen.
fn outcome(inode: &Inode, number: usize, sector: &Range<usize>, new: &[u8], choose: Choose<'_>) -> Outcome {
    let durable = inode.durable.get(sector.start..sector.end.min(inode.durable.len())).unwrap_or_default();
    let nothing_durable = durable.iter().all(|byte| *byte == 0);
    let overlaps = |older: Range<usize>| older.start < sector.end && sector.start < older.end;
    if inode.pending[..number].iter().any(|older| overlaps(older.change.range())) {
        return match (nothing_durable, choose(if nothing_durable { 3 } else { 2 })) {
            (_, 0) => Outcome::Old,
            (true, 1) => Outcome::Zero,
            _ => Outcome::New,
        };
    }
    let same = durable == &new[..durable.len()] && new[durable.len()..].iter().all(|byte| *byte == 0);
    if same || choose(2) == 0 { Outcome::Old } else { Outcome::New }
}

/// The parts of a range that lie in one sector each.
fn sectors(range: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let start = at;
        at = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(range.end);
        (start < range.end).then_some(start..at)
    })
}
