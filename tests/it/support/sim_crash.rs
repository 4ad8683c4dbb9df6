//! What a power cut leaves of a `SimDisk`: all that was synced; of every write that was not, each 512-byte sector new or
//! as it was before; of every name made or changed since its directory was synced, all or nothing.

use super::Rng;
use super::sim_disk::{Change, Inode, SimDisk, State};

const SECTOR_BYTES: usize = 512;

/// What a crash keeps of what was not synced.
#[derive(Debug, Clone)]
pub(crate) enum Keep {
    Nothing,
    Everything,
    /// Each piece by chance.
    Some(Rng),
}

impl Keep {
    fn keeps(&mut self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Everything => true,
            Self::Some(rng) => rng.chance(2),
        }
    }
}

impl SimDisk {
    /// The disk as it is found after a power cut: nothing pending, nothing locked, nothing going wrong.
    pub(crate) fn crash(&self, mut keep: Keep) -> Self {
        let before = self.state();
        let (mut dirs, mut names) = (before.durable_dirs.clone(), before.durable_names.clone());
        for (_, change) in &before.pending_names {
            if keep.keeps() {
                change.apply(&mut dirs, &mut names);
            }
        }
        // What lay in a directory that never came to be is gone with it.
        let reachable = |path: &std::path::Path| path.ancestors().skip(1).all(|dir| dirs.contains(dir));
        names.retain(|path, _| reachable(path));
        let inodes = before.inodes.iter().map(|inode| survivor(inode, &mut keep)).collect();
        let after = Self::new();
        let (durable_dirs, durable_names) = (dirs.clone(), names.clone());
        *after.state() = State { dirs, durable_dirs, names, durable_names, inodes, ..State::default() };
        after
    }
}

fn survivor(inode: &Inode, keep: &mut Keep) -> Inode {
    let mut bytes = inode.durable.clone();
    for change in &inode.pending {
        match change {
            Change::Length(_) => {
                if keep.keeps() {
                    change.apply(&mut bytes);
                }
            }
            Change::Write { offset, bytes: written } => {
                let mut at = *offset;
                let end = offset + written.len();
                while at < end {
                    let next = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
                    if keep.keeps() {
                        let piece = written[at - offset..next - offset].to_vec();
                        Change::Write { offset: at, bytes: piece }.apply(&mut bytes);
                    }
                    at = next;
                }
            }
        }
    }
    Inode { current: bytes.clone(), durable: bytes, path: inode.path.clone(), ..Inode::default() }
}
