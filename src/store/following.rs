//! `Following`: a store opened to be read only, beside a writer in another process or without one. It takes in what has
//! become durable, when it is asked to, and changes nothing on disk.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::disk::Disk;
use crate::error::{Error, Result};
use crate::index::{Log, Tables};
use crate::journal::{Begin, Files, Follower, Presence, ScannedFrame, TornTail};
use crate::manifest::{LOCK_NAME, MANIFEST_NAME, Manifest, read_durable_mark};
use crate::segment::BlockCache;
use crate::types::{Position, StoreId};

use super::open::{go_on, journal_dir};
use super::tiers::with_tiers;

/// How often a reader begins anew because the writer seals what it is just reading.
pub(super) const LOOKS_MAX: usize = 16;

#[derive(Debug)]
pub(crate) struct Following {
    disk: Arc<dyn Disk>,
    root: PathBuf,
    store: StoreId,
    cache: Arc<BlockCache>,
    /// Where the journal begins, as far as is known: the writer may have sealed more.
    begin: Begin,
    follower: Follower,
}

impl Following {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        root: PathBuf,
        store: StoreId,
        begin: Begin,
        files: Arc<Files>,
        cache: Arc<BlockCache>,
    ) -> Self {
        let follower = Follower::new(Arc::clone(&disk), journal_dir(&root), store, files, begin);
        Self { disk, root, store, cache, begin, follower }
    }

    /// Takes all that is durable into tables that nobody reads yet: how many frames there are, and the unfinished write at
    /// the end.
    pub(super) fn fill(&mut self, tables: &mut Tables) -> Result<(u64, Option<TornTail>)> {
        let mut frames = 0;
        let torn = self.advance(&mut |frame| {
            frames += 1;
            match frame.commit {
                Some(commit) => tables.add(commit, frame.at),
                None => Ok(()),
            }
        })?;
        Ok((frames, torn))
    }

    /// Takes in what has become durable since the last time; the head then. Whatever comes of it, those who wait hear of what was
    /// taken in.
    pub(super) fn refresh(&mut self, log: &Log) -> Result<Position> {
        let before = log.index.read(Tables::head);
        let refreshed = self.look(log);
        if log.index.read(Tables::head) > before {
            log.waiting.tell_all();
        }
        refreshed
    }

    fn look(&mut self, log: &Log) -> Result<Position> {
        for _ in 1..LOOKS_MAX {
            self.go_over(log)?;
            match self.take_in(log) {
                // A file that the writer has sealed meanwhile is gone.
                Err(_) if self.oldest_journal()? != self.begin.file => {}
                taken => return taken,
            }
        }
        self.take_in(log)
    }

    /// Goes over to the segments that the writer has made since the last time.
    fn go_over(&mut self, log: &Log) -> Result<()> {
        let manifest = manifest(&*self.disk, &self.root, self.store)?;
        if manifest.oldest_journal <= self.begin.file {
            return Ok(());
        }
        let known = log.sealed();
        let sealed = go_on(&*self.disk, &self.root, &manifest, &self.cache, &known, self.begin.file)?;
        let sealed = with_tiers(&*self.disk, &self.root, self.store, &self.cache, sealed);
        let begin = Begin { file: manifest.oldest_journal, follows: sealed.end() };
        // What was not followed to its end before it was sealed is known from the segments only.
        let has_missed = self.follower.last_n() < begin.follows.n.saturating_sub(1);
        let states = has_missed.then(|| sealed.states()).transpose()?;
        log.index.change(|tables| tables.seal(sealed, begin.file, states));
        (self.begin.file..begin.file).for_each(|number| log.files.remove(number));
        self.follower.begin_at(begin);
        self.begin = begin;
        Ok(())
    }

    fn take_in(&mut self, log: &Log) -> Result<Position> {
        let now = presence(&*self.disk, &self.root, self.store)?;
        let known = self.follower.last_n();
        let nothing_new = match now.closed {
            Some(closed) => closed.n == known,
            None => now.is_writing && now.durable <= known,
        };
        if !nothing_new {
            self.advance(&mut |frame| match frame.commit {
                Some(commit) => log.index.change(|tables| {
                    // Whole or not at all: others read these tables.
                    tables.check(&commit)?;
                    tables.add(commit, frame.at)
                }),
                None => Ok(()),
            })?;
        }
        Ok(Position::new(log.index.read(Tables::head)))
    }

    /// The first journal file now.
    fn oldest_journal(&self) -> Result<u64> {
        Ok(manifest(&*self.disk, &self.root, self.store)?.oldest_journal)
    }

    fn advance(
        &mut self,
        take_in: &mut dyn FnMut(ScannedFrame) -> Result<(), String>,
    ) -> Result<Option<TornTail>> {
        let Self { disk, root, store, follower, .. } = self;
        let journal = journal_dir(root);
        follower.advance(&mut || presence(&**disk, root, *store), &mut |frame| {
            let at = frame.at;
            take_in(frame).map_err(|what| Error::corrupt(&journal.join(at.file_name()), at.offset, what))
        })
    }
}

/// Who writes to the store in `root`, and how far it is durable. Asked in this order: what is named closed is not written
/// to before the manifest says otherwise, and a mark that is read later says no less.
fn presence(disk: &dyn Disk, root: &Path, store: StoreId) -> Result<Presence> {
    let manifest = manifest(disk, root, store)?;
    let lock = root.join(LOCK_NAME);
    let is_writing = disk.is_locked(&lock).map_err(|error| Error::io("looking at", &lock, error))?;
    let durable = read_durable_mark(disk, root, store)?;
    Ok(Presence { closed: manifest.closed, is_writing, durable })
}

/// The manifest of the store that is read, as it is now.
fn manifest(disk: &dyn Disk, root: &Path, store: StoreId) -> Result<Manifest> {
    let path = root.join(MANIFEST_NAME);
    let manifest = Manifest::read(disk, root)?
        .ok_or_else(|| Error::corrupt(&path, 0, "the manifest is gone while the store is read"))?;
    match manifest.store == store {
        true => Ok(manifest),
        false => Err(Error::corrupt(&path, 16, "another store was put in the place of the one that is read")),
    }
}
