//! New files come into being whole or not at all: temporary name, bytes, sync, rename, sync of the directory.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

use super::{Disk, DiskFile, OpenMode, write_all_at};

/// What the name of a file ends in that has not come into being yet.
pub(crate) const TEMPORARY_SUFFIX: &str = ".tmp";

/// Why a file did not come into being.
#[derive(Debug)]
pub(crate) enum CreateFailure {
    /// What was at its path before is there still.
    Unchanged(Error),
    /// After a crash the old file may be there or the new one.
    Unknown(Error),
}

impl From<Error> for CreateFailure {
    /// An error met before anything was changed.
    fn from(error: Error) -> Self {
        Self::Unchanged(error)
    }
}

impl From<CreateFailure> for Error {
    fn from(failure: CreateFailure) -> Self {
        match failure {
            CreateFailure::Unchanged(error) | CreateFailure::Unknown(error) => error,
        }
    }
}

/// Puts a file with these bytes at `path`, in place of what was there: after a crash it is the old one or the new one.
pub(crate) fn replace_file(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), CreateFailure> {
    create_complete(disk, path, |file| write_all_at(file, bytes, 0)).map(drop)
}

/// Puts a file at `path` that `fill` has filled, in place of what was there; the open file.
pub(crate) fn create_complete(
    disk: &dyn Disk,
    path: &Path,
    fill: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> Result<Box<dyn DiskFile>, CreateFailure> {
    let temporary = temporary_of(path);
    let created =
        create_temporary(disk, &temporary, fill).and_then(|file| match disk.rename(&temporary, path) {
            Ok(()) => Ok(file),
            Err(error) => Err(Error::io("renaming", &temporary, error)),
        });
    let file = created.map_err(|error| {
        // Best effort, so that a full disk gets its space back; a stray temporary file harms nothing.
        let _ = disk.remove(&temporary);
        CreateFailure::Unchanged(error)
    })?;
    // Durable now: the bytes. Not yet: the name.
    if let Some(dir) = path.parent() {
        disk.sync_dir(dir)
            .map_err(|error| CreateFailure::Unknown(Error::io("syncing directory", dir, error)))?;
    }
    Ok(file)
}

/// A file under a temporary name, filled and synced: a name never stands for half a file.
fn create_temporary(
    disk: &dyn Disk,
    temporary: &Path,
    fill: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> Result<Box<dyn DiskFile>> {
    match disk.remove(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io("removing", temporary, error));
        }
        _ => {}
    }
    let file =
        disk.open(temporary, OpenMode::CreateNew).map_err(|error| Error::io("creating", temporary, error))?;
    fill(&*file).map_err(|error| Error::io("writing", temporary, error))?;
    // A sync that failed condemns this file only: another attempt writes another file.
    file.sync_all().map_err(|error| Error::io("syncing", temporary, error))?;
    Ok(file)
}

fn temporary_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(TEMPORARY_SUFFIX);
    PathBuf::from(name)
}
