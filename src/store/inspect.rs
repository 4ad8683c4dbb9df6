//! Telling what a file of a store holds, part by part, in the words of the format's description.

use std::path::Path;

use crate::disk::{Disk, OpenMode, read_some_at};
use crate::error::{Error, ErrorKind, Result};
use crate::journal::inspect_journal_file;
use crate::manifest::{LOCK_NAME, MANIFEST_NAME, inspect_durable_mark, inspect_manifest};
use crate::segment::{inspect_segment, inspect_tier};
use crate::snapshot::inspect_pack;
use crate::types::FilePart;

use super::Options;

const MAGIC_BYTES: usize = 8;

impl Options {
    /// Tells the parts of a file of a store, on the disk of these options, as [`Store::inspect`](crate::Store::inspect) does.
    ///
    /// # Errors
    /// As [`Store::inspect`](crate::Store::inspect).
    pub fn inspect<E: From<Error>>(
        self,
        file: impl AsRef<Path>,
        mut each: impl FnMut(FilePart) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        let mut failed = None;
        let told = inspect(&*self.disk, file.as_ref(), &mut |part| {
            each(part).map_err(|error| {
                failed = Some(error);
                Error::new(ErrorKind::Invalid, "whoever is told wants no more")
            })
        });
        match failed {
            Some(error) => Err(error),
            None => told.map_err(E::from),
        }
    }
}

fn inspect(disk: &dyn Disk, path: &Path, each: &mut dyn FnMut(FilePart) -> Result<()>) -> Result<()> {
    let path = std::path::absolute(path).map_err(|error| Error::io("resolving", path, error))?;
    let file = disk.open(&path, OpenMode::Read).map_err(|error| Error::io("opening", &path, error))?;
    let bytes = file.len().map_err(|error| Error::io("measuring", &path, error))?;
    let mut magic = [0; MAGIC_BYTES];
    read_some_at(&*file, &mut magic, 0).map_err(|error| Error::io("reading", &path, error))?;
    drop(file);
    let root = path.parent().unwrap_or(&path);
    let is_named = |name: &str| path.file_name().is_some_and(|found| found == name);
    match &magic {
        b"annalsJ\0" => inspect_journal_file(disk, &path, each),
        b"annalsG\0" => inspect_segment(disk, &path, each),
        b"annalsT\0" => inspect_tier(disk, &path, each),
        b"annalsS\0" => inspect_pack(disk, &path, each),
        _ if is_named(MANIFEST_NAME) => each(inspect_manifest(disk, root, bytes)?),
        _ if is_named(LOCK_NAME) => each(inspect_durable_mark(disk, root, bytes)?),
        _ => {
            let what = format!("{}: not a file of a store, or its first bytes are damaged", path.display());
            Err(Error::new(ErrorKind::Invalid, what))
        }
    }
}
