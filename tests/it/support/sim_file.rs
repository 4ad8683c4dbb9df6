//! `SimFile`: an open file of a `SimDisk`.

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use annals::disk::DiskFile;

use super::sim_disk::{CallKind, SimDisk, Verdict};
use super::sim_lies::{Lie, LieKind};
use super::sim_state::State;

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) inode: usize,
    pub(super) writable: bool,
    /// How many failed syncs of the file this handle was told of: as on Linux, each handle is told once of a failure,
    /// whichever handle's sync it was that failed.
    pub(super) told_of: AtomicU64,
}

impl SimFile {
    fn path(&self) -> PathBuf {
        self.disk.state().inodes[self.inode].path.clone()
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
        if let (Verdict::FlipBit(bit), true) = (verdict, count > 0) {
            buffer[bit / 8 % count] ^= 1 << (bit % 8);
        }
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        let (mut state, verdict) = self.disk.enter_at(CallKind::Write, &self.path(), offset, bytes.len())?;
        assert!(self.writable, "a file opened to be read is never written to: {}", self.inode);
        let count = match verdict {
            Verdict::Short(most) | Verdict::FailAfter(most, _) => bytes.len().min(most),
            Verdict::Proceed | Verdict::Fail(_) | Verdict::FlipBit(_) => bytes.len(),
        };
        state.inodes[self.inode].write(usize::try_from(offset).expect("offset"), &bytes[..count]);
        match verdict {
            Verdict::FailAfter(_, error) => Err(error.into()),
            _ => Ok(count),
        }
    }

    fn allocate(&self, bytes: u64) {
        if let Ok((mut state, _)) = self.disk.enter(CallKind::Allocate, &self.path()) {
            state.inodes[self.inode].grow(usize::try_from(bytes).expect("length"));
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        let (mut state, verdict) = self.disk.enter(CallKind::Sync, &self.path())?;
        let State { inodes, lie, is_recovering, .. } = &mut *state;
        let inode = &mut inodes[self.inode];
        if let Verdict::Fail(error) = verdict {
            inode.fail_sync();
            self.told_of.store(inode.failed_syncs, Ordering::SeqCst);
            return Err(error.into());
        }
        let tells = |kind| Lie::tells(*lie, kind, &inode.path, *is_recovering);
        if tells(LieKind::NameBeforeBytes) {
            inode.sync_put_off = true;
        } else if !tells(LieKind::FileSync) {
            let late = usize::from(tells(LieKind::WriteAfterSync));
            inode.sync(late);
        }
        if self.told_of.swap(inode.failed_syncs, Ordering::SeqCst) < inode.failed_syncs {
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
