//! `State`: what a `SimDisk` holds: files as durable bytes and pending changes, names as durable ones and pending changes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::sim_disk::{Hook, Recorder};
use super::sim_lies::Lie;

/// What was done to a file.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: usize, bytes: Arc<[u8]> },
    Length(usize),
}

/// A change that is not durable.
#[derive(Debug, Clone)]
pub(super) struct Pending {
    pub(super) change: Change,
    /// The sync that was to make it durable failed: a crash may leave it, no later sync makes it durable.
    pub(super) lost: bool,
}

/// A file. Its bytes are shared with the disks that were made from this one, until one of them writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    /// What a reader sees.
    pub(super) current: Arc<Vec<u8>>,
    /// What a crash leaves for certain.
    pub(super) durable: Arc<Vec<u8>>,
    /// What a crash may leave, oldest first.
    pub(super) pending: Vec<Pending>,
    /// The name it was last opened under.
    pub(super) path: PathBuf,
    /// How many syncs of it have failed.
    pub(super) failed_syncs: u64,
    /// A disk that lies has put off a sync of it.
    pub(super) sync_put_off: bool,
}

#[derive(Debug, Clone)]
pub(super) enum NameChange {
    Dir(PathBuf),
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf, usize),
    Unlink(PathBuf),
}

#[derive(Default)]
pub(super) struct State {
    pub(super) dirs: BTreeSet<PathBuf>,
    pub(super) durable_dirs: BTreeSet<PathBuf>,
    pub(super) names: BTreeMap<PathBuf, usize>,
    pub(super) durable_names: BTreeMap<PathBuf, usize>,
    /// With the directory that must be synced for them to last.
    pub(super) pending_names: Vec<(PathBuf, NameChange)>,
    pub(super) inodes: Vec<Inode>,
    pub(super) locked: HashSet<PathBuf>,
    /// Calls that change something or make it durable.
    pub(super) calls: u64,
    /// Calls that were made to fail.
    pub(super) faults: u64,
    pub(super) dies_at: Option<u64>,
    pub(super) hook: Option<Hook>,
    pub(super) recorder: Option<Recorder>,
    pub(super) lie: Option<Lie>,
    /// A store that is there is being opened.
    pub(super) is_recovering: bool,
}

impl State {
    /// The same disk as another process finds it when this one is killed now.
    pub(super) fn frozen(&self) -> Self {
        Self {
            dirs: self.dirs.clone(),
            durable_dirs: self.durable_dirs.clone(),
            names: self.names.clone(),
            durable_names: self.durable_names.clone(),
            pending_names: self.pending_names.clone(),
            inodes: self.inodes.clone(),
            lie: self.lie,
            ..Self::default()
        }
    }

    pub(super) fn link(&mut self, path: &Path) -> usize {
        let number = self.inodes.len();
        self.inodes.push(Inode { path: path.to_owned(), ..Inode::default() });
        self.names.insert(path.to_owned(), number);
        self.pending_names.push((parent(path), NameChange::Link(path.to_owned(), number)));
        number
    }

    /// Makes the names in a directory durable.
    pub(super) fn sync_names(&mut self, dir: &Path) {
        let (of_dir, others) =
            std::mem::take(&mut self.pending_names).into_iter().partition(|(at, _)| at == dir);
        self.pending_names = others;
        let of_dir: Vec<(PathBuf, NameChange)> = of_dir;
        let Self { durable_dirs, durable_names, .. } = self;
        of_dir.iter().for_each(|(_, change)| change.apply(durable_dirs, durable_names));
    }
}

pub(super) fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

impl Inode {
    /// A file that holds these bytes durably.
    pub(super) fn durable(path: &Path, bytes: Arc<Vec<u8>>) -> Self {
        Self { current: Arc::clone(&bytes), durable: bytes, path: path.to_owned(), ..Self::default() }
    }

    /// Writes. The length that it needs is a change of its own: a crash may leave one without the other.
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        self.grow(offset + bytes.len());
        self.change(Change::Write { offset, bytes: bytes.into() });
    }

    pub(super) fn grow(&mut self, length: usize) {
        if length > self.current.len() {
            self.change(Change::Length(length));
        }
    }

    fn change(&mut self, change: Change) {
        change.apply(Arc::make_mut(&mut self.current));
        self.pending.push(Pending { change, lost: false });
    }

    /// Makes what is pending durable, but for what a failed sync has lost and the last `late` changes.
    pub(super) fn sync(&mut self, late: usize) {
        let mut pending = std::mem::take(&mut self.pending);
        let late = pending.split_off(pending.len().saturating_sub(late));
        let durable = Arc::make_mut(&mut self.durable);
        let (mut lost, synced): (Vec<_>, Vec<_>) = pending.into_iter().partition(|pending| pending.lost);
        for Pending { change, .. } in &synced {
            change.apply(durable);
            lost.iter_mut().for_each(|lost: &mut Pending| lost.change.gives_way_to(change));
        }
        self.pending = lost;
        self.pending.extend(late);
    }

    /// As on Linux: what was written can still be read, and no later sync makes it durable.
    pub(super) fn fail_sync(&mut self) {
        self.failed_syncs += 1;
        self.pending.iter_mut().for_each(|pending| pending.lost = true);
    }
}

impl NameChange {
    pub(super) fn apply(&self, dirs: &mut BTreeSet<PathBuf>, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Dir(path) => {
                dirs.insert(path.clone());
            }
            Self::Link(path, inode) => {
                names.insert(path.clone(), *inode);
            }
            Self::Rename(from, to, inode) => {
                names.remove(from);
                names.insert(to.clone(), *inode);
            }
            Self::Unlink(path) => {
                names.remove(path);
            }
        }
    }

    /// The file that it gives a name to.
    pub(super) fn names(&self) -> Option<usize> {
        match self {
            Self::Link(_, inode) | Self::Rename(_, _, inode) => Some(*inode),
            Self::Dir(_) | Self::Unlink(_) => None,
        }
    }
}

impl Change {
    pub(super) fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => put(file, *offset, bytes),
            Self::Length(length) => file.resize(file.len().max(*length), 0),
        }
    }

    /// The bytes of the file that it writes.
    pub(super) fn range(&self) -> Range<usize> {
        match self {
            Self::Write { offset, bytes } => *offset..offset + bytes.len(),
            Self::Length(_) => 0..0,
        }
    }

    /// Where both write, it says what `newer` says: that is durable now, and a crash does not bring back what was before.
    fn gives_way_to(&mut self, newer: &Self) {
        let both = self.range().start.max(newer.range().start)..self.range().end.min(newer.range().end);
        if let (Self::Write { offset, bytes }, Self::Write { offset: newer_offset, bytes: newer }) =
            (self, newer)
            && !both.is_empty()
        {
            let mut patched = bytes.to_vec();
            patched[both.start - *offset..both.end - *offset]
                .copy_from_slice(&newer[both.start - newer_offset..both.end - newer_offset]);
            *bytes = patched.into();
        }
    }
}

/// Puts bytes into a file, which grows if it is too short.
pub(super) fn put(file: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    file.resize(file.len().max(offset + bytes.len()), 0);
    file[offset..offset + bytes.len()].copy_from_slice(bytes);
}
