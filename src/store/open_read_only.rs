//! Opening to read only: manifest, journal, index. No lock is taken, nothing is made, repaired or changed.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::index::{Index, Log, Tables};
use crate::journal::Files;
use crate::manifest::{MANIFEST_NAME, Manifest};

use super::following::Following;
use super::inner::Access;
use super::open::{existing_root, store};
use super::{Options, Recovery, RecoveryReport, Store};

pub(super) fn open_read_only(options: Options, path: &Path) -> Result<Store> {
    let started = Instant::now();
    let disk = &*options.disk;
    let root = existing_root(disk, path)?;
    let missing = || Error::corrupt(&root.join(MANIFEST_NAME), 0, "the manifest is missing");
    let manifest = Manifest::read(disk, &root)?.ok_or_else(missing)?;
    let files = Arc::new(Files::default());
    let mut tables = Tables::new(options.recent_bytes_max);
    let mut following =
        Following::new(Arc::clone(&options.disk), root.clone(), &manifest, Arc::clone(&files));
    let (frames, torn_tail) = following.fill(&mut tables)?;
    if let (Some(torn), Recovery::Strict) = (&torn_tail, options.recovery) {
        return Err(Error::corrupt(
            &torn.path,
            torn.offset,
            "a torn tail, which strict recovery does not skip",
        ));
    }
    let report = RecoveryReport {
        created: false,
        clean: manifest.closed.is_some(),
        frames,
        events: tables.head(),
        torn_tail,
        rewritten_bytes: 0,
        took: started.elapsed(),
    };
    let log = Arc::new(Log { index: Arc::new(Index::new(tables)), files });
    let access = Access::Read(Mutex::new(following));
    let opened = store(options, root, manifest.store, log, access, report);
    opened.snapshots().refuse_writes(ErrorKind::ReadOnly);
    Ok(opened)
}
