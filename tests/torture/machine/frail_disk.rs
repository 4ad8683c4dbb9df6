//! `FrailDisk`: a `SimDisk` as one process has it. What was armed goes wrong at its call and is noted, so that the model
//! can tell which answers are allowed. A process that has died reaches the disk no more.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use annals::ErrorKind;
use annals::disk::{Disk, DiskFile, DiskLock, OpenMode};

use super::ill::{Arm, Doing, End, Ill};
use crate::support::{CallKind, SimDisk, Verdict};

/// More calls than any operation makes: something goes round in circles.
const CALLS_MAX: u64 = 1_000_000;

/// What went wrong, as far as it matters to the answers that are allowed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Struck {
    /// Interrupted and short calls: nobody may notice.
    pub(crate) hidden: u64,
    /// What an error that follows may be.
    pub(crate) kinds: Vec<ErrorKind>,
    pub(crate) writes: u64,
    pub(crate) syncs: u64,
    /// Of those, how many were about something that has its name already, and not about a file in the making.
    pub(crate) syncs_of_named: u64,
    pub(crate) flips: u64,
}

impl Struck {
    pub(crate) fn any(&self) -> bool {
        !self.kinds.is_empty()
    }

    /// An error that says that nothing was done.
    pub(crate) fn allows(&self, kind: ErrorKind) -> bool {
        self.kinds.contains(&kind)
    }
}

#[derive(Debug, Default)]
struct State {
    armed: Vec<(Arm, u32)>,
    struck: Struck,
    injected: u64,
    calls: u64,
    /// What those who check do is never struck.
    suspended: bool,
    death: Option<End>,
    /// The last call that was struck was interrupted.
    interrupted: bool,
    /// Temporary names of files that have been given their own since.
    renamed: HashSet<PathBuf>,
}

/// All clones are the same disk in the same process.
#[derive(Debug, Clone)]
pub(crate) struct FrailDisk {
    sim: SimDisk,
    state: Arc<Mutex<State>>,
}

impl FrailDisk {
    /// For a new process.
    pub(crate) fn new(sim: SimDisk) -> Self {
        Self { sim, state: Arc::default() }
    }

    pub(crate) fn sim(&self) -> &SimDisk {
        &self.sim
    }

    pub(crate) fn arm(&self, arm: &Arm) {
        self.state().armed.push((arm.clone(), 0));
    }

    pub(crate) fn heal(&self) {
        self.state().armed.clear();
    }

    /// While `check` runs nothing goes wrong, and nothing is counted.
    pub(crate) fn unstruck<T>(&self, check: impl FnOnce() -> T) -> T {
        self.state().suspended = true;
        let checked = check();
        self.state().suspended = false;
        checked
    }

    /// Does something; with what went wrong meanwhile.
    pub(crate) fn watch<T>(&self, doing: impl FnOnce() -> T) -> (T, Struck) {
        {
            let mut state = self.state();
            (state.struck, state.calls) = (Struck::default(), 0);
        }
        let done = doing();
        (done, self.state().struck.clone())
    }

    /// How many calls were made since [`FrailDisk::watch`] was last called.
    pub(crate) fn calls(&self) -> u64 {
        self.state().calls
    }

    pub(crate) fn injected(&self) -> u64 {
        self.state().injected
    }

    /// How the process died, if it has.
    pub(crate) fn death(&self) -> Option<End> {
        self.state().death.clone()
    }

    /// From now on the process reaches the disk no more.
    pub(crate) fn kill(&self) {
        self.state().death.get_or_insert(End::Killed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no test panics while it holds the disk")
    }

    /// What becomes of a call.
    fn strike(&self, doing: Doing, path: &Path) -> io::Result<Option<Ill>> {
        let mut state = self.state();
        if state.death.is_some() {
            return Err(gone());
        }
        if state.suspended {
            return Ok(None);
        }
        state.calls += 1;
        if state.calls >= CALLS_MAX {
            // Not while the disk is held: whoever cleans up after the panic needs it.
            drop(state);
            panic!("one operation calls the disk again and again: {doing:?}");
        }
        let mut due = None;
        for (arm, seen) in state.armed.iter_mut().filter(|(arm, _)| arm.is_about(doing)) {
            if arm.strikes_at(*seen) && due.is_none() {
                due = Some((arm.ill.clone(), *seen == arm.nth));
            }
            *seen += 1;
        }
        let Some((ill, is_first)) = due else { return Ok(None) };
        // Two that interrupt by turns would never let a call through.
        if std::mem::replace(&mut state.interrupted, ill == Ill::Interrupts) && ill == Ill::Interrupts {
            state.interrupted = false;
            return Ok(None);
        }
        // One that lasts is counted once, or short calls would be most of them.
        state.injected += u64::from(is_first);
        let has_its_name =
            doing == Doing::SyncDir || path.extension().is_none() || state.renamed.contains(path);
        let struck = &mut state.struck;
        match &ill {
            Ill::ShortWrites(_) | Ill::ShortReads(_) | Ill::Interrupts => struck.hidden += 1,
            Ill::Write { error, .. } => {
                struck.writes += 1;
                struck.kinds.push(kind_of(*error));
            }
            Ill::WriteNothing => {
                struck.writes += 1;
                struck.kinds.push(ErrorKind::Io);
            }
            Ill::Sync(error) | Ill::SyncDir(error) => {
                struck.syncs += 1;
                struck.syncs_of_named += u64::from(has_its_name);
                struck.kinds.push(kind_of(*error));
            }
            Ill::Read => struck.kinds.push(ErrorKind::Io),
            Ill::Flip(_) => {
                struck.flips += 1;
                struck.kinds.push(ErrorKind::Corrupt);
            }
            Ill::Name(_, error) => struck.kinds.push(kind_of(*error)),
            Ill::Dies { end, .. } => state.death = Some(end.clone()),
        }
        Ok(Some(ill))
    }

    /// Does something that is done or not done, never in part.
    fn whole<T>(&self, doing: Doing, path: &Path, done: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.strike(doing, path)? {
            Some(Ill::Name(_, error) | Ill::SyncDir(error)) => Err(error.into()),
            Some(Ill::Dies { after_it, .. }) => {
                if after_it {
                    done()?;
                }
                Err(gone())
            }
            _ => done(),
        }
    }
}

fn gone() -> io::Error {
    io::Error::other("the process is gone")
}

/// What annals calls an error of the operating system.
fn kind_of(error: io::ErrorKind) -> ErrorKind {
    match error {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            ErrorKind::StorageFull
        }
        _ => ErrorKind::Io,
    }
}

impl Disk for FrailDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.whole(Doing::CreateDir, path, || self.sim.create_dir(path))
    }

    fn resolve(&self, dir: &Path) -> io::Result<PathBuf> {
        self.sim.resolve(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.whole(Doing::List, dir, || self.sim.list(dir))
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        let doing = if mode == OpenMode::CreateNew { Doing::Create } else { Doing::Open };
        let file = self.whole(doing, path, || self.sim.open(path, mode))?;
        if doing == Doing::Create {
            self.state().renamed.remove(path);
        }
        Ok(Box::new(FrailFile { file, disk: self.clone(), path: path.to_owned() }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(Doing::Rename, to, || self.sim.rename(from, to))?;
        self.state().renamed.insert(from.to_owned());
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.whole(Doing::Remove, path, || self.sim.remove(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.whole(Doing::SyncDir, dir, || self.sim.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let lock = self.whole(Doing::Lock, path, || self.sim.lock(path))?;
        Ok(Box::new(FrailLock { lock, disk: self.clone(), path: path.to_owned() }))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        self.sim.is_locked(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.sim.free_bytes(path)
    }
}

/// As many bytes of a write as are put down when it is cut short. Operating systems copy page by page, so a write ends
/// where a sector ends.
fn up_to_a_sector(offset: u64, most: usize) -> usize {
    const SECTOR_BYTES: usize = 512;
    let into_sector = usize::try_from(offset % 512).expect("small");
    match most.checked_add(into_sector) {
        Some(end) => (end / SECTOR_BYTES * SECTOR_BYTES).saturating_sub(into_sector),
        None => most,
    }
}

#[derive(Debug)]
struct FrailFile {
    file: Box<dyn DiskFile>,
    disk: FrailDisk,
    /// As it was opened.
    path: PathBuf,
}

impl DiskFile for FrailFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.disk.strike(Doing::Read, &self.path)? {
            Some(Ill::Read) => Err(io::Error::other("input/output error")),
            Some(Ill::Interrupts) => Err(io::ErrorKind::Interrupted.into()),
            Some(Ill::Dies { .. }) => Err(gone()),
            Some(Ill::ShortReads(most)) => {
                let most = most.min(buffer.len());
                self.file.read_at(&mut buffer[..most], offset)
            }
            Some(Ill::Flip(bit)) => {
                let count = self.file.read_at(buffer, offset)?;
                if let Some(byte) =
                    bit.checked_div(8).and_then(|at| buffer[..count].get_mut(at % count.max(1)))
                {
                    *byte ^= 1 << (bit % 8);
                }
                Ok(count)
            }
            _ => self.file.read_at(buffer, offset),
        }
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let put_down = |most: usize| match &bytes[..bytes.len().min(most)] {
            [] => Ok(0),
            part => self.file.write_at(part, offset),
        };
        match self.disk.strike(Doing::Write, &self.path)? {
            Some(Ill::Write { put_down: most, error }) => {
                put_down(up_to_a_sector(offset, most))?;
                Err(error.into())
            }
            Some(Ill::WriteNothing) => Ok(0),
            // To the end of a sector at least: a write of nothing would be an error.
            Some(Ill::ShortWrites(most)) => put_down(up_to_a_sector(offset, most.saturating_add(512))),
            Some(Ill::Interrupts) => Err(io::ErrorKind::Interrupted.into()),
            Some(Ill::Dies { put_down: most, .. }) => {
                put_down(up_to_a_sector(offset, most))?;
                Err(gone())
            }
            _ => put_down(usize::MAX),
        }
    }

    fn allocate(&self, bytes: u64) {
        if self.disk.death().is_none() {
            self.file.allocate(bytes);
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        match self.disk.strike(Doing::Sync, &self.path)? {
            Some(Ill::Sync(error)) => {
                // The simulated disk must know: it forgets what this sync should have made durable.
                self.disk.sim.on_call(move |call| match call.kind {
                    CallKind::Sync => Verdict::Fail(error),
                    _ => Verdict::Proceed,
                });
                let failed = self.file.sync_data();
                self.disk.sim.heal();
                failed
            }
            Some(Ill::Dies { after_it: false, .. }) => Err(gone()),
            Some(Ill::Dies { after_it: true, .. }) => self.file.sync_data().and(Err(gone())),
            _ => self.file.sync_data(),
        }
    }

    fn sync_all(&self) -> io::Result<()> {
        self.sync_data()
    }

    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
}

/// The durable mark that is written to the lock's file is a hint: it is not made to fail, but a process may die there.
#[derive(Debug)]
struct FrailLock {
    lock: Box<dyn DiskLock>,
    disk: FrailDisk,
    path: PathBuf,
}

impl DiskLock for FrailLock {
    fn is_on(&self, path: &Path) -> io::Result<bool> {
        self.lock.is_on(path)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        self.disk.whole(Doing::Mark, &self.path, || self.lock.write(bytes))
    }
}
