//! `SimDisk`: a disk in memory that knows what is durable and what is not.
//!
//! The faults it may make, and no others: a call may be answered with any error (`Verdict::Fail`; a write may have put
//! down a part before, `Verdict::FailAfter`); a read or write may be short; a read may come back with a bit flipped; after
//! a failed sync the bytes it should have made durable can still be read, as on Linux, and a crash may leave them or not,
//! whatever is synced later; the process may be killed, and what it wrote stays pending ([`SimDisk::kill`]); at a chosen
//! call the power goes: that call and all later ones fail, and [`SimDisk::crash`] gives the disk that is found afterwards
//! (`sim_crash.rs`). [`SimDisk::record`] shows the disk before every call, so that one run gives the crashes of all its
//! calls. Beside these a test may make it break its promises (`sim_lies.rs`), to see that it is noticed.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use annals::disk::{Disk, DiskFile, DiskLock, OpenMode};

use super::sim_file::SimFile;
use super::sim_lies::{Lie, LieKind};
use super::sim_state::{Inode, NameChange, State, parent};

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
    /// A read comes back with this bit of it flipped, counted round its end. What is on disk stays as it is.
    FlipBit(usize),
}

pub(super) type Hook = Box<dyn FnMut(&Call) -> Verdict + Send>;
pub(super) type Recorder = Box<dyn FnMut(&Call, SimDisk) + Send>;

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
                state.inodes.push(Inode::durable(path, Arc::new(bytes.clone())));
                state.names.insert(path.clone(), number);
            }
            state.durable_dirs = state.dirs.clone();
            state.durable_names = state.names.clone();
        }
        disk
    }

    /// All files as a reader sees them.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let state = self.state();
        state
            .names
            .iter()
            .map(|(path, inode)| (path.clone(), state.inodes[*inode].current.to_vec()))
            .collect()
    }

    /// How many calls there were that change something or make it durable.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// The power goes at this call, counted from 0.
    pub(crate) fn dies_at(&self, call: u64) {
        self.state().dies_at = Some(call);
    }

    /// From now on: how often it is read.
    pub(crate) fn count_reads(&self) -> Arc<AtomicU64> {
        let reads = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&reads);
        self.on_call(move |call| {
            counted.fetch_add(u64::from(call.kind == CallKind::Read), Ordering::SeqCst);
            Verdict::Proceed
        });
        reads
    }

    /// From now on every call is put before `hook`.
    pub(crate) fn on_call(&self, hook: impl FnMut(&Call) -> Verdict + Send + 'static) {
        self.state().hook = Some(Box::new(hook));
    }

    /// From now on nothing goes wrong.
    pub(crate) fn heal(&self) {
        self.state().hook = None;
    }

    /// From now on `recorder` is given, before every call that changes something or makes it durable, the disk as it is
    /// then: what it is given does not change any more.
    pub(crate) fn record(&self, recorder: impl FnMut(&Call, Self) + Send + 'static) {
        self.state().recorder = Some(Box::new(recorder));
    }

    pub(crate) fn stop_recording(&self) {
        self.state().recorder = None;
    }

    /// Whether something may go wrong by [`SimDisk::on_call`].
    pub(crate) fn has_hook(&self) -> bool {
        self.state().hook.is_some()
    }

    /// How many calls have failed.
    pub(crate) fn faults(&self) -> u64 {
        self.state().faults
    }

    /// Whether the power has gone.
    pub(crate) fn is_dead(&self) -> bool {
        let state = self.state();
        state.dies_at.is_some_and(|at| state.calls >= at)
    }

    /// The same disk as another process finds it when this one is killed now: what is pending is pending still.
    pub(crate) fn kill(&self) -> Self {
        Self(Arc::new(Mutex::new(self.state().frozen())))
    }

    /// From now on the disk breaks this promise, and so do the disks that a crash makes of it.
    pub(crate) fn lies(&self, lie: Lie) {
        self.state().lie = Some(lie);
    }

    /// Says that a store that is there is being opened, or is no more.
    pub(crate) fn recovering(&self, is_recovering: bool) {
        self.state().is_recovering = is_recovering;
    }

    /// Whether a reader finds a file here.
    pub(crate) fn has_file(&self, path: impl AsRef<Path>) -> bool {
        self.state().names.contains_key(path.as_ref())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        // A hook may panic: what it panics in has changed nothing yet.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, kind: CallKind, path: &Path) -> io::Result<(MutexGuard<'_, State>, Verdict)> {
        self.enter_at(kind, path, 0, 0)
    }

    pub(super) fn enter_at(
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
        let call = || Call { kind, path: path.to_owned(), offset, bytes };
        if kind != CallKind::Read {
            state.calls += 1;
            if let Some(mut recorder) = state.recorder.take() {
                recorder(&call(), Self(Arc::new(Mutex::new(state.frozen()))));
                state.recorder = Some(recorder);
            }
        }
        let verdict = match state.hook.as_mut() {
            Some(hook) => hook(&call()),
            None => Verdict::Proceed,
        };
        state.faults += u64::from(matches!(verdict, Verdict::Fail(_) | Verdict::FailAfter(..)));
        match verdict {
            Verdict::Fail(error) if kind != CallKind::Sync => Err(error.into()),
            verdict => Ok((state, verdict)),
        }
    }
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
        if Lie::tells(state.lie, LieKind::NameBeforeBytes, from, state.is_recovering) {
            state.sync_names(&parent(to));
        }
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
        let State { inodes, lie, is_recovering, .. } = &mut *state;
        if Lie::tells(*lie, LieKind::DirSync, dir, *is_recovering) {
            return Ok(());
        }
        let put_off =
            inodes.iter_mut().filter(|inode| inode.sync_put_off && inode.path.parent() == Some(dir));
        for inode in put_off {
            inode.sync(0);
            inode.sync_put_off = false;
        }
        state.sync_names(dir);
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
