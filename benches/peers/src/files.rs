//! The files of a store as the operating system sees them: how much disk they take, and whether they are in its cache.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::Result;
use rustix::fs::{Advice, fadvise};

/// Bytes of disk that the files in a directory take: blocks, not lengths, since LMDB's file has holes.
pub(crate) fn disk_bytes(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    each(dir, &mut |path| {
        bytes += fs::metadata(path)?.blocks() * 512;
        Ok(())
    })?;
    Ok(bytes)
}

/// Puts the files of a directory out of the operating system's cache: written back first, since only clean pages go. Pages
/// that a process has mapped and touched stay.
pub(crate) fn drop_from_cache(dir: &Path) -> Result<()> {
    each(dir, &mut |path| {
        let file = File::open(path)?;
        file.sync_all()?;
        Ok(fadvise(&file, 0, None, Advice::DontNeed)?)
    })
}

fn each(dir: &Path, work: &mut impl FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() { each(&entry.path(), work)? } else { work(&entry.path())? }
    }
    Ok(())
}
