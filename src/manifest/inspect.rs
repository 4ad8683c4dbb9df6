//! Telling what the manifest and the durable mark say. Reads only.

use std::path::Path;

use crate::disk::Disk;
use crate::error::Result;
use crate::types::{FilePart, StoreId};

use super::{Manifest, read_durable_mark};

/// The manifest in `root`.
pub(crate) fn inspect_manifest(disk: &dyn Disk, root: &Path, bytes: u64) -> Result<FilePart> {
    let part = FilePart::new(0, bytes, "manifest");
    Ok(match Manifest::read(disk, root) {
        Err(error) => part.damaged(error.what()),
        Ok(None) => part.damaged("it is gone"),
        Ok(Some(manifest)) => {
            let part = part
                .with("store", manifest.store)
                .with("created_at", manifest.created_at.as_micros())
                .with("oldest journal file", manifest.oldest_journal)
                .with("segments", manifest.segments);
            match manifest.closed {
                None => part.with("state", "open, or not closed cleanly"),
                Some(closed) => part
                    .with("state", "closed")
                    .with("last journal file", closed.file)
                    .with("its length", closed.file_bytes)
                    .with("last n", closed.n),
            }
        }
    })
}

/// The durable mark in `root`, held against the store that the manifest names.
pub(crate) fn inspect_durable_mark(disk: &dyn Disk, root: &Path, bytes: u64) -> Result<FilePart> {
    let store = Manifest::read(disk, root).ok().flatten().map(|manifest| manifest.store);
    let part = FilePart::new(0, bytes, "durable mark");
    match store {
        None => Ok(part.damaged("there is no sound manifest beside it, which says whose it must be")),
        Some(store) => with_mark(disk, root, store, part),
    }
}

fn with_mark(disk: &dyn Disk, root: &Path, store: StoreId, part: FilePart) -> Result<FilePart> {
    Ok(match read_durable_mark(disk, root, store)? {
        0 => part.with("store", store).with("n", "0, or no mark that is whole"),
        n => part.with("store", store).with("n", n),
    })
}
