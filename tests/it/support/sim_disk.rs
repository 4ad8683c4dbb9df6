//! `SimDisk`: a disk in memory that knows what is durable and what is not.
//!
//! The faults it may make, and no others: a call may be answered with any error (`Verdict::Fail`; a write may have put
//! down a part before, `Verdict::FailAfter`); a write may be short; after a failed sync the bytes it should have made
//! durable never are, though they can still be read, as on Linux; at a chosen call the power goes: that call and all later
//! ones fail, and [`SimDisk::crash`] gives the disk that is found afterwards (see `sim_crash.rs`).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals::disk::{Disk, DiskFile, DiskLock, OpenMode};

/// What a disk is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CallKind {
    CreateDir,
    Create,
    Rename,
    Remove,
    SyncDir,
    Lock,
    Read,
    Write,
    Allocate,
    Sync,
}

/// One call, as the hook sees it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) kind: CallKind,
    pub(crate) path: PathBuf,
    pub(crate) offset: u64,
    pub(crate) bytes: usize,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Verdict {
    Proceed,
    /// It fails; nothing was done.
    Fail(io::ErrorKind),
    /// A write puts down so many bytes and fails.
    FailAfter(usize, io::ErrorKind),
    /// A read or write moves so many bytes at most.
    Short(usize),
}

pub(super) type Hook = Box<dyn FnMut(&Call) -> Verdict + Send>;

#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Length(usize),
}

#[derive(Debug, Clone, Default)]
pub(super) struct Inode {
    /// What a reader sees.
    pub(super) current: Vec<u8>,
    /// What a crash leaves for certain.
    pub(super) durable: Vec<u8>,
    /// What a crash may leave.
    pub(super) pending: Vec<Change>,
    /// The name it was last opened under.
    pub(super) path: PathBuf,
    /// How many syncs of it have failed.
    pub(super) failed_syncs: u64,
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
    pub(super) dies_at: Option<u64>,
    pub(super) hook: Option<Hook>,
}

/// All clones are the same disk.
#[derive(Clone, Default)]
pub(crate) struct SimDisk(pub(super) Arc<Mutex<State>>);

impl SimDisk {
    /// A disk with one empty directory, `/`.
    pub(crate) fn new() -> Self {
        let disk = Self::default();
        {
            let mut state = disk.state();
            state.dirs.insert("/".into());
            state.durable_dirs.insert("/".into());
        }
        disk
    }

    /// A disk that holds these files, durably.
    pub(crate) fn with_files(files: &BTreeMap<PathBuf, Vec<u8>>) -> Self {
        let disk = Self::new();
        {
            let mut state = disk.state();
            for (path, bytes) in files {
                for dir in path.ancestors().skip(1) {
                    state.dirs.insert(dir.to_owned());
                }
                let number = state.inodes.len();
                let path = path.clone();
                let (current, durable) = (bytes.clone(), bytes.clone());
                state.inodes.push(Inode { current, durable, path: path.clone(), ..Inode::default() });
                state.names.insert(path, number);
            }
            state.durable_dirs = state.dirs.clone();
            state.durable_names = state.names.clone();
        }
        disk
    }

    /// All files as a reader sees them.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        state.names.iter().map(|(path, inode)| (path.clone(), state.inodes[*inode].current.clone())).collect()
    }

    /// How many calls there were that change something or make it durable.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The power goes at this call, counted from 0.
    pub(crate) fn dies_at(&self, call: u64) {
        self.state().dies_at = Some(call);
    }

    /// From now on every call is put before `hook`.
    pub(crate) fn on_call(&self, hook: impl FnMut(&Call) -> Verdict + Send + 'static) {
        self.state().hook = Some(Box::new(hook));
    }

    /// From now on nothing goes wrong.
    pub(crate) fn heal(&self) {
        self.state().hook = None;
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A hook may panic: what it panics in has changed nothing yet.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, kind: CallKind, path: &Path) -> io::Result<(MutexGuard<'_, State>, Verdict)> {
        self.enter_at(kind, path, 0, 0)
    }

    fn enter_at(
        &self,
        kind: CallKind,
        path: &Path,
        offset: u64,
        bytes: usize,
    ) -> io::Result<(MutexGuard<'_, State>, Verdict)> {
        let mut state = self.state();
        if state.dies_at.is_some_and(|at| state.calls >= at) {
            return Err(io::Error::other("the power is gone"));
        }
        if kind != CallKind::Read {
            state.calls += 1;
        }
        let verdict = match state.hook.as_mut() {
            Some(hook) => hook(&Call { kind, path: path.to_owned(), offset, bytes }),
            None => Verdict::Proceed,
        };
        match verdict {
            Verdict::Fail(error) if kind != CallKind::Sync => Err(error.into()),
            verdict => Ok((state, verdict)),
        }
    }
}

fn parent(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).to_owned()
}

impl Disk for SimDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(CallKind::CreateDir, path)?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !state.dirs.contains(&parent(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.dirs.insert(path.to_owned()) {
            state.pending_names.push((parent(path), NameChange::Dir(path.to_owned())));
        }
        Ok(())
    }

    fn resolve(&self, dir: &Path) -> io::Result<PathBuf> {
        let state = self.state();
        if state.dirs.contains(dir) { Ok(dir.to_owned()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        if !state.dirs.contains(dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let paths = state.names.keys().chain(state.dirs.iter()).filter(|path| path.parent() == Some(dir));
        Ok(paths.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect())
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let inode = if mode == OpenMode::CreateNew {
            let (mut state, _) = self.enter(CallKind::Create, path)?;
            if state.names.contains_key(path) {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            state.link(path)
        } else {
            let (state, _) = self.enter(CallKind::Read, path)?;
            *state.names.get(path).ok_or(io::ErrorKind::NotFound)?
        };
        let told_of = AtomicU64::new(self.state().inodes[inode].failed_syncs);
        Ok(Box::new(SimFile { disk: self.clone(), inode, writable: mode != OpenMode::Read, told_of }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(CallKind::Rename, to)?;
        let inode = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.inodes[inode].path = to.to_owned();
        state.names.insert(to.to_owned(), inode);
        let change = NameChange::Rename(from.to_owned(), to.to_owned(), inode);
        state.pending_names.push((parent(to), change));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(CallKind::Remove, path)?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.pending_names.push((parent(path), NameChange::Unlink(path.to_owned())));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let (mut state, _) = self.enter(CallKind::SyncDir, dir)?;
        let (of_dir, others) =
            std::mem::take(&mut state.pending_names).into_iter().partition(|(at, _)| at == dir);
        state.pending_names = others;
        let of_dir: Vec<(PathBuf, NameChange)> = of_dir;
        let State { durable_dirs, durable_names, .. } = &mut *state;
        of_dir.iter().for_each(|(_, change)| change.apply(durable_dirs, durable_names));
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let (mut state, _) = self.enter(CallKind::Lock, path)?;
        if !state.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let inode = match state.names.get(path) {
            Some(inode) => *inode,
            None => state.link(path),
        };
        let told_of = AtomicU64::new(state.inodes[inode].failed_syncs);
        let file = SimFile { disk: self.clone(), inode, writable: true, told_of };
        Ok(Box::new(SimLock { file, path: path.to_owned() }))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        Ok(self.state().locked.contains(path))
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}

impl State {
    fn link(&mut self, path: &Path) -> usize {
        let number = self.inodes.len();
        self.inodes.push(Inode { path: path.to_owned(), ..Inode::default() });
        self.names.insert(path.to_owned(), number);
        self.pending_names.push((parent(path), NameChange::Link(path.to_owned(), number)));
        number
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
}

impl Change {
    pub(super) fn apply(&self, file: &mut Vec<u8>) {
        match self {
            Self::Write { offset, bytes } => {
                file.resize(file.len().max(offset + bytes.len()), 0);
                file[*offset..offset + bytes.len()].copy_from_slice(bytes);
            }
            Self::Length(length) => file.resize(file.len().max(*length), 0),
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
    writable: bool,
    /// How many failed syncs of the file this handle was told of: as on Linux, each handle is told once of a failure,
    /// whichever handle's sync it was that failed.
    told_of: AtomicU64,
}

impl SimFile {
    fn path(&self) -> PathBuf {
        self.disk.state().inodes[self.inode].path.clone()
    }

    fn change(&self, state: &mut State, change: Change) {
        assert!(self.writable, "a file opened to be read is never written to: {}", self.inode);
        let inode = &mut state.inodes[self.inode];
        change.apply(&mut inode.current);
        inode.pending.push(change);
    }
}

impl DiskFile for SimFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let (state, verdict) = self.disk.enter_at(CallKind::Read, &self.path(), offset, buffer.len())?;
        let bytes = &state.inodes[self.inode].current;
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        let most = if let Verdict::Short(most) = verdict { most } else { usize::MAX };
        let count = rest.len().min(buffer.len()).min(most);
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let (mut state, verdict) = self.disk.enter_at(CallKind::Write, &self.path(), offset, bytes.len())?;
        let count = match verdict {
            Verdict::Short(most) | Verdict::FailAfter(most, _) => bytes.len().min(most),
            Verdict::Proceed | Verdict::Fail(_) => bytes.len(),
        };
        let offset = usize::try_from(offset).expect("offset");
        self.change(&mut state, Change::Write { offset, bytes: bytes[..count].to_vec() });
        match verdict {
            Verdict::FailAfter(_, error) => Err(error.into()),
            _ => Ok(count),
        }
    }

    fn allocate(&self, bytes: u64) {
        if let Ok((mut state, _)) = self.disk.enter(CallKind::Allocate, &self.path()) {
            self.change(&mut state, Change::Length(usize::try_from(bytes).expect("length")));
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, verdict) = self.disk.enter(CallKind::Sync, &self.path())?;
        let Inode { durable, pending, failed_syncs, .. } = &mut state.inodes[self.inode];
        let pending = std::mem::take(pending);
        if let Verdict::Fail(error) = verdict {
            *failed_syncs += 1;
            self.told_of.store(*failed_syncs, Ordering::SeqCst);
            return Err(error.into());
        }
        pending.iter().for_each(|change| change.apply(durable));
        if self.told_of.swap(*failed_syncs, Ordering::SeqCst) < *failed_syncs {
            return Err(io::Error::other("an earlier sync failed"));
        }
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.state().inodes[self.inode].current.len() as u64)
    }
}

#[derive(Debug)]
struct SimLock {
    file: SimFile,
    path: PathBuf,
}

impl DiskLock for SimLock {
    fn is_on(&self, path: &Path) -> io::Result<bool> {
        Ok(self.path == path)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_at(bytes, 0).map(drop)
    }
}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.file.disk.state().locked.remove(&self.path);
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimDisk")
    }
}
