//! Opening to read only: manifest, segments, journal, index. No lock is taken, nothing is made, repaired or changed.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::index::{Log, Tables};
use crate::journal::{Files, TornTail};
use crate::manifest::{MANIFEST_NAME, Manifest};
use crate::segment::BlockCache;

use super::following::{Following, LOOKS_MAX};
use super::inner::Access;
use super::open::{existing_root, open_sealed, store};
use super::{Options, Recovery, RecoveryReport, Store};

/// What there is to read, and how it was found.
struct Found {
    manifest: Manifest,
    following: Following,
    tables: Tables,
    files: Arc<Files>,
    cache: Arc<BlockCache>,
    frames: u64,
    torn_tail: Option<TornTail>,
}

pub(super) fn open_read_only(options: Options, path: &Path) -> Result<Store> {
    let started = Instant::now();
    let root = existing_root(&*options.disk, path)?;
    let Found { manifest, following, tables, files, cache, frames, torn_tail } = find(&options, &root)?;
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
        sealed_events: tables.sealed().end().position,
        torn_tail,
        rewritten_bytes: 0,
        took: started.elapsed(),
    };
    let log = Arc::new(Log::new(tables, files, cache));
    let access = Access::Read(Box::new(Mutex::new(following)));
    let opened = store(options, root, manifest.store, log, access, report);
    opened.snapshots().refuse_writes(ErrorKind::ReadOnly);
    Ok(opened)
}

/// Looks for what there is, again if the writer has sealed meanwhile what was being read.
fn find(options: &Options, root: &Path) -> Result<Found> {
    for _ in 1..LOOKS_MAX {
        let manifest = manifest(options, root)?;
        match look(options, root, manifest) {
            Err(_) if self::manifest(options, root)?.oldest_journal != manifest.oldest_journal => {}
            found => return found,
        }
    }
    look(options, root, manifest(options, root)?)
}

fn look(options: &Options, root: &Path, manifest: Manifest) -> Result<Found> {
    let cache = Arc::new(BlockCache::new(options.block_cache_bytes_max));
    let (sealed, begin) = open_sealed(&*options.disk, root, &manifest, &cache)?;
    let files = Arc::new(Files::default());
    let states = sealed.states()?;
    let mut tables = Tables::new(sealed, states, Arc::clone(&files), options.recent_bytes_max);
    let mut following = Following::new(
        Arc::clone(&options.disk),
        root.to_path_buf(),
        manifest.store,
        begin,
        Arc::clone(&files),
        Arc::clone(&cache),
    );
    let (frames, torn_tail) = following.fill(&mut tables)?;
    Ok(Found { manifest, following, tables, files, cache, frames, torn_tail })
}

fn manifest(options: &Options, root: &Path) -> Result<Manifest> {
    let missing = || Error::corrupt(&root.join(MANIFEST_NAME), 0, "the manifest is missing");
    Manifest::read(&*options.disk, root)?.ok_or_else(missing)
}
