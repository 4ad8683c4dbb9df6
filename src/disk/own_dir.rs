//! A directory of the store's own: a link in its place would have files outside the store written and removed.

use std::io;
use std::path::Path;

use super::Disk;

/// The names of what lies in `dir`, which must itself lie in the directory that its path says.
pub(crate) fn list_own_dir(disk: &dyn Disk, dir: &Path) -> io::Result<Vec<String>> {
    // Looked at before it is listed: what is missing is told as missing.
    let resolved = disk.resolve(dir)?;
    if let (Some(parent), Some(name)) = (dir.parent(), dir.file_name())
        && disk.resolve(parent)?.join(name) != resolved
    {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a link, not a directory of the store"));
    }
    disk.list(dir)
}
