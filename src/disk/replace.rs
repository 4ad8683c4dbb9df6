//! New files come into being whole or not at all: temporary name, bytes, sync, rename, sync of the directory.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::{Disk, DiskFile, OpenMode, write_all_at};

const TEMPORARY_SUFFIX: &str = ".tmp";

/// Whether a name is that of a file that never came into being.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.ends_with(TEMPORARY_SUFFIX)
}

/// Puts a file with these bytes at `path`, in place of what was there: after a crash it is the old one or the new one.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<()> {
    create_complete(disk, path, |file| write_all_at(file, bytes, 0)).map(drop)
}

/// Puts a file at `path` that `fill` has filled, in place of what was there; the open file.
pub(crate) fn create_complete(
    disk: &dyn Disk,
    path: &Path,
    fill: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> Result<Box<dyn DiskFile>> {
    let temporary = temporary_of(path);
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io("removing", &temporary, error));
        }
        _ => {}
    }
    let file =
        disk.open(&temporary, OpenMode::CreateNew).map_err(|e| Error::io("creating", &temporary, e))?;
    let filled = fill(&*file).map_err(|e| Error::io("writing", &temporary, e));
    // Synced before it gets its name: a name never stands for half a file.
    let synced = filled.and_then(|()| file.sync_all().map_err(|e| Error::io("syncing", &temporary, e)));
    let renamed =
        synced.and_then(|()| disk.rename(&temporary, path).map_err(|e| Error::io("renaming", &temporary, e)));
    if let Err(error) = renamed {
        // Best effort, so that a full disk gets its space back; a stray temporary file harms nothing.
        let _ = disk.remove(&temporary);
        return Err(error);
    }
    // Durable now: the bytes. Not yet: the name.
    if let Some(dir) = path.parent() {
        disk.sync_dir(dir).map_err(|e| Error::io("syncing directory", dir, e))?;
    }
    Ok(file)
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    PathBuf::from(name)
}
