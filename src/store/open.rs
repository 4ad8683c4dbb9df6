//! Opening: lock, manifest, journal, index, in this order. Nothing is read before the lock is held; nothing is repaired
//! before everything was checked.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::Instant;

use parking_lot::Mutex;

use crate::commit::{Backlog, Committer, Upkeep, Writer, WriterState, WriterStats};
use crate::disk::{Disk, DiskLock, IdSource, TEMPORARY_SUFFIX, file_name, list_own_dir, number_of};
use crate::error::{Error, ErrorKind, Quoted, Result};
use crate::index::{Log, Sealed, Tables};
use crate::journal::{
    Appender, Begin, Files, Recovery as JournalRecovery, ScannedFrame, Tail, create_first, holds_no_frame,
    is_unfinished, recover,
};
use crate::manifest::{LOCK_NAME, MANIFEST_NAME, Manifest, lower_durable_mark, read_durable_mark};
use crate::segment::{BlockCache, Segment};
use crate::snapshot::Snapshots;
use crate::types::{Position, StoreId};

use super::claims::Claims;
use super::inner::{Access, Closing, Inner, Writing};
use super::maintenance::Maintainer;
use super::sealer::{SEGMENTS_DIR, Sealer, segments_dir};
use super::tiers::{is_unfinished_tier, remove_outgrown, with_tiers};
use super::{Creation, Maintenance, Options, Recovery, RecoveryReport, Store};

const JOURNAL_DIR: &str = "journal";
const QUARANTINE_DIR: &str = "quarantine";
pub(super) const SNAPSHOTS_DIR: &str = "snapshots";

/// The journal's directory in a store.
pub(super) fn journal_dir(root: &Path) -> PathBuf {
    root.join(JOURNAL_DIR)
}

pub(super) fn open(options: Options, path: &Path) -> Result<Store> {
    let started = Instant::now();
    let disk = &*options.disk;
    let root = match options.creation {
        Creation::IfMissing => create_root(disk, path)?,
        Creation::Never => existing_root(disk, path)?,
    };
    let lock = take_lock(disk, &root)?;
    let journal = journal_dir(&root);
    let (manifest, created) = match Manifest::read(disk, &root)? {
        Some(manifest) => (manifest, false),
        None => (create(&options, &root, &journal)?, true),
    };

    let cache = Arc::new(BlockCache::new(options.block_cache_bytes_max));
    let (sealed, begin) = open_sealed(disk, &root, &manifest, &cache)?;
    let files = Arc::new(Files::default());
    let states = sealed.states()?;
    let mut tables = Tables::new(sealed, states, Arc::clone(&files), options.recent_bytes_max);
    let marked = read_durable_mark(disk, &root, manifest.store)?;
    let recovered = recover(
        &JournalRecovery {
            disk,
            dir: &journal,
            quarantine: &root.join(QUARANTINE_DIR),
            store: manifest.store,
            begin,
            closed: manifest.closed,
            durable: marked,
            strict: options.recovery == Recovery::Strict,
            files: &files,
        },
        &mut |frame: ScannedFrame| match frame.commit {
            Some(commit) => {
                let path = journal.join(frame.at.file_name());
                tables.add(commit, frame.at).map_err(|what| Error::corrupt(&path, frame.at.offset, what))
            }
            None => Ok(()),
        },
    )?;
    let is_sealed = |name: &str| number_of(name).is_some_and(|number| number < begin.file);
    let names = disk.list(&journal).map_err(|error| Error::io("listing", &journal, error))?;
    if (manifest.closed.is_none() && !created) || names.iter().any(|name| is_sealed(name)) {
        // Whoever put the manifest there may have been killed before its name was durable: a power cut would bring back
        // the one before it, which knows nothing of what is appended from here on, and needs the journal files that are
        // removed below.
        disk.sync_dir(&root).map_err(|error| Error::io("syncing directory", &root, error))?;
    }
    if marked > recovered.tail.durable {
        lower_durable_mark(disk, &root, manifest.store, recovered.tail.durable)?;
    }
    let unfinished_manifest = unfinished_manifest();
    remove_where(disk, &root, |name| name == unfinished_manifest)?;
    remove_where(disk, &journal, |name| is_unfinished(name) || is_sealed(name))?;
    remove_unpublished(disk, &segments_dir(&root), begin.file)?;
    remove_outgrown(disk, &root, tables.sealed());

    let report = RecoveryReport {
        created,
        clean: created || manifest.closed.is_some(),
        frames: recovered.frames,
        events: tables.head(),
        sealed_events: tables.sealed().end().position,
        torn_tail: recovered.torn.clone(),
        rewritten_bytes: recovered.rewritten_bytes,
        took: started.elapsed(),
    };
    let log = Arc::new(Log::new(tables, files, cache));
    Ok(put_together(options, root, lock, manifest, recovered.tail, log, report))
}

fn put_together(
    options: Options,
    root: PathBuf,
    lock: Arc<dyn DiskLock>,
    manifest: Manifest,
    tail: Tail,
    log: Arc<Log>,
    report: RecoveryReport,
) -> Store {
    let upkeep = match options.maintenance {
        Maintenance::Background => Some(Arc::new(Upkeep::default())),
        Maintenance::Inline => None,
    };
    let backlog = Arc::new(Backlog::new(log.files.count().saturating_sub(1), upkeep.is_some()));
    let stats = Arc::new(Mutex::new(WriterStats::default()));
    let appender = Appender::new(
        Arc::clone(&options.disk),
        journal_dir(&root),
        manifest.store,
        Arc::clone(&log.files),
        options.journal_file_bytes,
        tail,
    );
    let mut writer = Writer {
        appender,
        disk: Arc::clone(&options.disk),
        clock: Arc::clone(&options.clock),
        root: root.clone(),
        lock: Some(Arc::clone(&lock)),
        manifest,
        marked: 0,
        last_recorded_at: log.index.read(Tables::last_recorded_at),
        upkeep: upkeep.clone(),
        backlog: Arc::clone(&backlog),
        stats: Arc::clone(&stats),
        state: WriterState::default(),
        words: Vec::new(),
        log: Arc::clone(&log),
    };
    // All that was found is durable by now.
    writer.mark_durable();
    let committer = Arc::new(Committer::new(writer));
    let sealer = Arc::new(Sealer {
        disk: Arc::clone(&options.disk),
        root: root.clone(),
        store: manifest.store,
        log: Arc::clone(&log),
        compression: options.compression,
        turn: Mutex::default(),
        failures: AtomicU64::new(0),
        no_tiers: AtomicBool::new(false),
    });
    let maintainer = upkeep.as_ref().map(|upkeep| Maintainer {
        upkeep: Arc::clone(upkeep),
        backlog: Arc::clone(&backlog),
        committer: Arc::clone(&committer),
        sealer: Arc::clone(&sealer),
    });
    let thread = maintainer.and_then(Maintainer::start);
    if let Some(upkeep) =
        upkeep.as_ref().filter(|_| backlog.files() > 0 || log.sealed().next_tier(&[]).is_some())
    {
        upkeep.ask_to_seal();
    }
    let closing = Mutex::new(Closing { thread, lock: Some(lock) });
    let access = Access::Write(Box::new(Writing { committer, sealer, stats, upkeep, backlog, closing }));
    store(options, root, manifest.store, log, access, report)
}

/// The handle on what was opened.
pub(super) fn store(
    options: Options,
    root: PathBuf,
    store_id: StoreId,
    log: Arc<Log>,
    access: Access,
    report: RecoveryReport,
) -> Store {
    Store::new(Inner {
        log,
        access,
        ids: IdSource::default(),
        snapshots: Snapshots::new(Arc::clone(&options.disk), root.join(SNAPSHOTS_DIR), store_id),
        clock: options.clock,
        durability: options.durability,
        upcasters: options.upcasters,
        report,
        claims: Claims::default(),
        root,
        store_id,
    })
}

/// The store's directory, made if it is not there, as the one path that later changes of the working directory, or of links
/// on the way to it, do not move.
fn create_root(disk: &dyn Disk, path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).map_err(|error| Error::io("resolving", path, error))?;
    if let Ok(root) = disk.resolve(&path) {
        refuse_foreign_files(disk, &root)?;
        return Ok(root);
    }
    disk.create_dir(&path).map_err(|error| Error::io("creating directory", &path, error))?;
    disk.resolve(&path).map_err(|error| Error::io("resolving", &path, error))
}

/// The directory of a store that must be there; nothing is made if it is not.
pub(super) fn existing_root(disk: &dyn Disk, path: &Path) -> Result<PathBuf> {
    let missing = || Error::new(ErrorKind::NotFound, format!("{}: there is no store", path.display()));
    let absolute = std::path::absolute(path).map_err(|error| Error::io("resolving", path, error))?;
    let root = disk.resolve(&absolute).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => missing(),
        _ => Error::io("resolving", &absolute, error),
    })?;
    if Manifest::read(disk, &root)?.is_none() && holds_no_frame(disk, &journal_dir(&root)).unwrap_or(true) {
        return Err(missing());
    }
    Ok(root)
}

fn take_lock(disk: &dyn Disk, root: &Path) -> Result<Arc<dyn DiskLock>> {
    let path = root.join(LOCK_NAME);
    disk.lock(&path).map(Arc::from).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => {
            Error::new(ErrorKind::Locked, format!("{}: the store is open already", root.display()))
        }
        _ => Error::io("locking", &path, error),
    })
}

/// Makes a store. The manifest comes last: a directory without one holds no store yet.
fn create(options: &Options, root: &Path, journal: &Path) -> Result<Manifest> {
    let disk = &*options.disk;
    // The directory's own name is durable before a store is in it. Whoever made it may have failed before this.
    if let Some(parent) = root.parent() {
        disk.sync_dir(parent).map_err(|error| Error::io("syncing directory", parent, error))?;
    }
    disk.create_dir(journal).map_err(|error| Error::io("creating directory", journal, error))?;
    if !holds_no_frame(disk, journal)? {
        return Err(Error::corrupt(
            &root.join(MANIFEST_NAME),
            0,
            "the manifest is missing, but the journal holds commits",
        ));
    }
    let segments = segments_dir(root);
    let names = match disk.list(&segments) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        names => names.map_err(|error| Error::io("listing", &segments, error))?,
    };
    if names.iter().any(|name| number_of(name).is_some()) {
        let what = "the manifest is missing, but there are segments";
        return Err(Error::corrupt(&root.join(MANIFEST_NAME), 0, what));
    }
    let store = StoreId::from_bytes(IdSource::default().bits().to_le_bytes());
    create_first(disk, journal, store, options.journal_file_bytes)?;
    // Durable from here on: the journal's directory. A manifest may stand beside nothing less.
    disk.sync_dir(root).map_err(|error| Error::io("syncing directory", root, error))?;
    let created_at = options.clock.now();
    let manifest = Manifest { store, created_at, oldest_journal: 1, segments: 0, closed: None };
    manifest.write(disk, root).map_err(Error::from)?;
    Ok(manifest)
}

/// Whether a directory holds a store, or nothing but what an unfinished creation leaves. Looked at before the lock's file
/// is put there.
fn refuse_foreign_files(disk: &dyn Disk, root: &Path) -> Result<()> {
    let unfinished = unfinished_manifest();
    let ours =
        [LOCK_NAME, JOURNAL_DIR, SEGMENTS_DIR, SNAPSHOTS_DIR, QUARANTINE_DIR, &unfinished, "lost+found"];
    let names = disk.list(root).map_err(|error| Error::io("listing", root, error))?;
    if names.iter().any(|name| name == MANIFEST_NAME) {
        return Ok(());
    }
    match names.iter().find(|name| !ours.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Invalid,
            format!("{} is not a store and not empty: it holds {}", root.display(), Quoted(name)),
        )),
    }
}

/// Removes what files of ours that never came into being left behind.
fn remove_where(disk: &dyn Disk, dir: &Path, is_ours: impl Fn(&str) -> bool) -> Result<()> {
    for name in disk.list(dir).map_err(|error| Error::io("listing", dir, error))? {
        if is_ours(&name) {
            let path = dir.join(&name);
            disk.remove(&path).map_err(|error| Error::io("removing", &path, error))?;
        }
    }
    Ok(())
}

/// Removes segments that were made, and not made part of the store: the journal file counts.
fn remove_unpublished(disk: &dyn Disk, dir: &Path, oldest_journal: u64) -> Result<()> {
    match list_own_dir(disk, dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("listing", dir, error)),
        Ok(_) => remove_where(disk, dir, |name| {
            is_unfinished(name)
                || is_unfinished_tier(name)
                || number_of(name).is_some_and(|number| number >= oldest_journal)
        }),
    }
}

/// The segments that the manifest names, each following the one before; and where the journal begins behind them.
pub(super) fn open_sealed(
    disk: &dyn Disk,
    root: &Path,
    manifest: &Manifest,
    cache: &Arc<BlockCache>,
) -> Result<(Sealed, Begin)> {
    let sealed = go_on(disk, root, manifest, cache, &Sealed::default(), manifest.segment_numbers().start)?;
    let sealed = with_tiers(disk, root, manifest.store, cache, sealed);
    let begin = Begin { file: manifest.oldest_journal, follows: sealed.end() };
    Ok((sealed, begin))
}

/// These segments and those that the manifest names from number `from` on.
pub(super) fn go_on(
    disk: &dyn Disk,
    root: &Path,
    manifest: &Manifest,
    cache: &Arc<BlockCache>,
    sealed: &Sealed,
    from: u64,
) -> Result<Sealed> {
    let (dir, numbers) = (segments_dir(root), from..manifest.segment_numbers().end);
    let mut sealed = sealed.clone();
    if !numbers.is_empty() {
        check_own(disk, &dir)?;
    }
    for number in numbers {
        let segment = Segment::open(disk, &dir, manifest.store, number, Arc::clone(cache))?;
        if segment.start() != sealed.end() {
            let path = dir.join(file_name(number));
            return Err(Error::corrupt(&path, 40, "the segment does not follow the one before it"));
        }
        sealed.push(Arc::new(segment));
    }
    Ok(sealed)
}

/// Whether the directory of segments is the store's own. One that is missing is told by the segment that it lacks.
pub(super) fn check_own(disk: &dyn Disk, dir: &Path) -> Result<()> {
    match list_own_dir(disk, dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("listing", dir, error)),
        _ => Ok(()),
    }
}

fn unfinished_manifest() -> String {
    format!("{MANIFEST_NAME}{TEMPORARY_SUFFIX}")
}

/// The first position not yet committed.
pub(super) fn head(log: &Log) -> Position {
    Position::new(log.index.read(Tables::head))
}
