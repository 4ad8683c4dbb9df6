//! `Writer`: what the leader does for a group: judge each append, build frames, write them, sync once, publish, answer.
//!
//! What is true when: before the write nothing has changed; after it the operating system has the frames; after the
//! sync they are durable; only then does the index know them and do their callers hear of them.

use std::cell::RefCell;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use crate::disk::{Clock, CreateFailure, Disk, DiskLock};
use crate::error::{Error, ErrorKind, Result};
use crate::index::{LastRead, Log, Tables, Word};
use crate::journal::{Appender, CommitDraft, CommitView, FrameAt, WriteFailure};
use crate::manifest::{LOCK_NAME, Manifest, encode_durable_mark};
use crate::segment::Segment;
use crate::types::{ClosedAt, EventId, Histogram, StreamName, Timestamp, Version};

use super::backlog::Backlog;
use super::group::{Accepted, Group, already_appended, nothing_appended, refused};
use super::judge::{Known, Verdict, View, checks_hold, judge};
use super::queue::Waiter;
use super::request::Request;
use super::upkeep::Upkeep;

/// Counts of what the writer has done since the store was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct WriterStats {
    pub(crate) commits: u64,
    pub(crate) groups: u64,
    pub(crate) largest_group: u64,
    pub(crate) group_sizes: Histogram,
    pub(crate) sync_micros: Histogram,
    pub(crate) syncs: u64,
    pub(crate) marks_failed: u64,
    pub(crate) recorded_at_held: u64,
    /// By how many microseconds recorded_at was ahead of the clock at the last commit.
    pub(crate) clock_behind_micros: u64,
}

/// Whether appends are taken.
#[derive(Debug, Default)]
pub(crate) enum WriterState {
    #[default]
    Open,
    /// A sync failed, with this error: nothing is appended any more.
    Poisoned(Error),
    /// And how closing went.
    Closed(Result<()>),
}

/// The one who writes. Whoever leads the queue holds it.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) appender: Appender,
    pub(crate) log: Arc<Log>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) root: PathBuf,
    /// The store's lock, until the store is closed.
    pub(crate) lock: Option<Arc<dyn DiskLock>>,
    /// As it is on disk.
    pub(crate) manifest: Manifest,
    /// The durable mark, as far as it is known to be written.
    pub(crate) marked: u64,
    pub(crate) last_recorded_at: Option<Timestamp>,
    /// Whoever does the maintenance; `None` when the writer does it itself.
    pub(crate) upkeep: Option<Arc<Upkeep>>,
    pub(crate) backlog: Arc<Backlog>,
    pub(crate) stats: Arc<Mutex<WriterStats>>,
    pub(crate) state: WriterState,
    /// About the groups of this round.
    pub(crate) words: Vec<Word>,
}

/// What those who wait for events are told of what was published.
#[derive(Debug)]
#[must_use = "somebody may wait for it"]
pub(crate) struct News {
    log: Arc<Log>,
    words: Vec<Word>,
}

impl News {
    /// Tells it. Whoever is woken may do anything: no lock may be held.
    pub(crate) fn tell(self) {
        self.words.into_iter().for_each(|word| self.log.waiting.tell(word));
    }
}

impl Writer {
    /// Serves all who wait, in their order; everyone is answered when this returns. What is to be told to those who wait for
    /// events, when the writer is free.
    pub(crate) fn serve(&mut self, waiters: &[Arc<Waiter>]) -> News {
        let mut group = Group::new(self.appender.begin());
        for waiter in waiters {
            let Some(request) = waiter.take_request() else { continue };
            if let Err(error) = self.check_open() {
                waiter.answer(Err(error));
                continue;
            }
            if group.knows_an_id_of(&request) {
                group = self.finish_and_begin(group);
            }
            self.take_in(&mut group, waiter, request);
        }
        self.finish(group);
        News { log: Arc::clone(&self.log), words: mem::take(&mut self.words) }
    }

    /// Judges one request and makes it part of the group.
    fn take_in(&mut self, group: &mut Group, waiter: &Arc<Waiter>, request: Request) {
        let waiter = Arc::clone(waiter);
        let recorded_at = self.last_recorded_at.unwrap_or_default();
        let judged = self.last_versions(group, &request).and_then(|before| {
            let view = StoreView { log: &self.log, last_read: RefCell::new(None), request: &request };
            judge(&request, &before, &view).map(|verdict| (verdict, before))
        });
        let answer = match judged {
            Ok((Verdict::Append(versions), before)) => {
                return self.accept(group, waiter, request, Accepted { versions, before, known: None });
            }
            Ok((Verdict::AlreadyAppended(known), before)) => {
                let known = already_appended(&request, &known);
                if let Some(states) = self.states_sent_again(group, &request, &before) {
                    let accepted = Accepted { versions: Vec::new(), before, known: Some((known, states)) };
                    return self.accept(group, waiter, request, accepted);
                }
                Ok(known)
            }
            Ok((Verdict::Nothing, before)) => Ok(nothing_appended(&request, before, recorded_at)),
            Ok((Verdict::Refused(failures), _)) => refused(failures),
            Err(error) => Err(error),
        };
        group.answer_later(waiter, &request, answer);
    }

    /// The changes of state that are to be made though the events they came with are there: these may have been appended without
    /// them.
    fn states_sent_again(
        &mut self,
        group: &mut Group,
        request: &Request,
        before: &[Option<Version>],
    ) -> Option<CommitDraft> {
        if !request.draft.has_states() {
            return None;
        }
        if group.has_states {
            *group = self.finish_and_begin(mem::replace(group, Group::new(self.appender.begin())));
        }
        let holds = checks_hold(request, before);
        self.log
            .index
            .read(|tables| request.draft.only_states(|record| tables.states().goes_on_by(record, holds)))
    }

    /// The last version of every stream that a request names: in the group, or as published.
    fn last_versions(&self, group: &Group, request: &Request) -> Result<Vec<Option<Version>>> {
        let last = |name: &StreamName| match group.version(name) {
            Some(version) => Ok(Some(version)),
            None => self.log.version(name.as_str()),
        };
        request.streams.iter().map(|stream| last(&stream.name)).collect()
    }

    fn accept(&mut self, group: &mut Group, waiter: Arc<Waiter>, request: Request, accepted: Accepted) {
        // Before a new file as well: a manifest that says closed names the last one.
        if let Err(error) = self.mark_open() {
            return waiter.answer(Err(error));
        }
        if !self.appender.fits(&group.buffer, request.draft.frame_bytes()) {
            *group = self.finish_and_begin(mem::replace(group, Group::new(self.appender.begin())));
            if let Err(error) = self.check_open() {
                return waiter.answer(Err(error));
            }
            // The group before may have found the last file full without this one having been in it.
            if !self.appender.fits(&group.buffer, request.draft.frame_bytes()) {
                if let Err(failure) = self.roll(request.draft.frame_bytes()) {
                    return waiter.answer(Err(self.failed(failure)));
                }
                *group = Group::new(self.appender.begin());
            }
            // Judged again: what it was judged against may not have been written.
            return self.take_in(group, &waiter, request);
        }
        if request.draft.has_states()
            && let Err(error) = self.log.index.read(|tables| group.count_states(&request, tables.states()))
        {
            return waiter.answer(Err(error));
        }
        let (recorded_at, held) = self.next_recorded_at(request.recorded_at);
        // Nobody sees when a commit without events was recorded: it holds no later one at its time.
        let has_events = !accepted.versions.is_empty();
        match group.accept(waiter, request, accepted, recorded_at, held) {
            Ok(()) if has_events => self.last_recorded_at = Some(recorded_at),
            Ok(()) => {}
            Err((waiter, error)) => waiter.answer(Err(error)),
        }
    }

    /// The time of the next commit: as given or as the clock says, but never before the last one.
    fn next_recorded_at(&self, given: Option<Timestamp>) -> (Timestamp, bool) {
        let wanted = given.unwrap_or_else(|| self.clock.now());
        let at = self.last_recorded_at.map_or(wanted, |last| last.max(wanted));
        let mut stats = self.stats.lock();
        stats.recorded_at_held += u64::from(at > wanted);
        stats.clock_behind_micros =
            u64::try_from(at.saturating_since(wanted).as_micros()).unwrap_or(u64::MAX);
        (at, at > wanted)
    }

    fn finish_and_begin(&mut self, group: Group) -> Group {
        self.finish(group);
        Group::new(self.appender.begin())
    }

    /// Writes a group, syncs it if one of it asks for that, publishes it and answers all of it.
    fn finish(&mut self, group: Group) {
        if group.answers.is_empty() {
            return;
        }
        if let Err(error) = self.check_open() {
            // The group before this one, of the same round, may have ended everything.
            return group.answers.into_iter().for_each(|answer| answer.waiter.answer(Err(error.clone())));
        }
        if let Err(failure) = self.put(&group) {
            return self.fail(group, failure);
        }
        let appends = group.answers.iter().filter(|answer| answer.depends_on_group).count() as u64;
        let (commits, answers) = group.into_commits();
        let wrote = !commits.is_empty();
        let word = self.log.waiting.word(|| commits.iter().map(|(commit, _)| commit.clone()).collect());
        if wrote {
            self.count_group(commits.len() as u64, appends);
            self.publish(commits);
        }
        self.mark_durable();
        for answer in answers {
            answer.waiter.answer(answer.answer);
        }
        if wrote {
            self.words.push(word);
        }
        if let (true, Some(upkeep)) = (wrote, &self.upkeep)
            && self.appender.prepared().wants_more(self.appender.offset())
        {
            upkeep.ask_to_prepare(self.appender.prepared(), self.appender.offset());
        }
    }

    fn put(&mut self, group: &Group) -> Result<(), WriteFailure> {
        self.appender.write(&group.buffer)?;
        if group.wants_sync && !self.appender.is_synced() {
            let began = Instant::now();
            let synced = self.appender.sync();
            let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
            let mut stats = self.stats.lock();
            stats.syncs += 1;
            stats.sync_micros.add(took);
            drop(stats);
            synced.map_err(WriteFailure::Unknown)?;
        }
        Ok(())
    }

    fn publish(&self, commits: Vec<(CommitView, FrameAt)>) {
        let published = self
            .log
            .index
            .change(|tables| commits.into_iter().try_for_each(|(view, at)| tables.add(view, at)));
        assert!(published.is_ok(), "a commit that was judged against the index goes into it: {published:?}");
    }

    /// Answers a group that is not on disk, or may not be.
    fn fail(&mut self, group: Group, failure: WriteFailure) {
        let failure = match failure {
            // Answers that do not depend on the group are still given, and may speak for what was not synced before.
            WriteFailure::NothingWritten(error) if group.wants_sync => match self.appender.sync() {
                Ok(()) => WriteFailure::NothingWritten(error),
                Err(sync_failed) => WriteFailure::Unknown(sync_failed),
            },
            other => other,
        };
        let indeterminate = matches!(failure, WriteFailure::Unknown(_));
        let error = self.failed(failure);
        self.last_recorded_at = self.log.index.read(|tables| tables.last_recorded_at());
        // The sync above may have made older appends durable, and a flush is answered so.
        self.mark_durable();
        for answer in group.answers {
            let lost = answer.depends_on_group || indeterminate;
            answer.waiter.answer(if lost { Err(error.clone()) } else { answer.answer });
        }
    }

    /// The error to answer with; the store is poisoned if the state of the disk is not known.
    fn failed(&mut self, failure: WriteFailure) -> Error {
        match failure {
            WriteFailure::NothingWritten(error) => error,
            WriteFailure::Unknown(error) => {
                let what =
                    format!("what was written may be on disk or not, reopen the store to find out: {error}");
                self.poison(error.clone());
                Error::new(ErrorKind::Indeterminate, what).with_source(error)
            }
        }
    }

    /// From now on nothing is appended.
    pub(crate) fn poison(&mut self, first: Error) {
        if matches!(self.state, WriterState::Open) {
            self.state = WriterState::Poisoned(first);
        }
        // After a panic nobody else tells of what was published before it.
        self.words.clear();
        self.log.waiting.tell_all();
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        match &self.state {
            WriterState::Open => Ok(()),
            WriterState::Poisoned(first) => {
                let what = format!("the store takes no appends until it is opened again, since: {first}");
                Err(Error::new(ErrorKind::Poisoned, what).with_source(first.clone()))
            }
            WriterState::Closed(_) => Err(Error::new(ErrorKind::Closed, "the store was closed")),
        }
    }

    fn roll(&mut self, first_frame_bytes: usize) -> Result<(), WriteFailure> {
        self.check_in_place()?;
        self.appender.roll(first_frame_bytes)?;
        self.backlog.grow();
        if let Some(upkeep) = &self.upkeep {
            upkeep.ask_to_seal();
        }
        Ok(())
    }

    /// Bytes of the journal that hold frames, about.
    pub(crate) fn unsealed_bytes(&self) -> u64 {
        self.backlog.files().saturating_mul(self.appender.capacity()).saturating_add(self.appender.offset())
    }

    /// Begins a new file if the current one holds commits: so that it can be sealed. How many files are to be sealed now.
    pub(crate) fn end_file(&mut self) -> Result<u64> {
        self.check_open()?;
        let current = self.appender.prepared().file.number;
        if self.log.index.read(Tables::last_file) == Some(current) {
            self.mark_open()?;
            self.roll(0).map_err(|failure| self.failed(failure))?;
            self.mark_durable();
        }
        Ok(self.backlog.files())
    }

    /// Makes a segment part of the store, in place of the journal file that it was made from, the oldest.
    pub(crate) fn publish_segment(&mut self, segment: Arc<Segment>) -> Result<()> {
        self.check_open()?;
        let number = segment.number();
        assert!(number == self.manifest.oldest_journal, "files are sealed in their order");
        let exhausted = || Error::new(ErrorKind::Exhausted, "there are more segments than can be counted");
        let manifest = self.manifest.with_oldest_sealed().ok_or_else(exhausted)?;
        self.check_in_place().map_err(|failure| self.failed(failure))?;
        manifest.write(&*self.disk, &self.root).map_err(|failure| self.failed(failure.into()))?;
        // Durable now: that the segment counts, and its journal file does not.
        self.manifest = manifest;
        let sealed = self.log.sealed().with(segment);
        self.log.index.change(|tables| tables.seal(sealed, manifest.oldest_journal, None));
        self.log.files.remove(number);
        self.backlog.shrink();
        Ok(())
    }

    /// Whether the store's path still names this store. What is written by path goes to it; if the directory was moved
    /// away, that would be somebody else's.
    fn check_in_place(&self) -> Result<(), WriteFailure> {
        let path = self.root.join(LOCK_NAME);
        let moved =
            || Error::new(ErrorKind::Io, format!("{}: the store was moved away", self.root.display()));
        match self.lock.as_ref().map(|lock| lock.is_on(&path)) {
            Some(Ok(true)) => Ok(()),
            Some(Ok(false)) | None => Err(WriteFailure::Unknown(moved())),
            Some(Err(error)) => Err(WriteFailure::Unknown(Error::io("looking at", &path, error))),
        }
    }

    /// The same, for those who write beside the writer.
    pub(crate) fn check_home(&mut self) -> Result<()> {
        self.check_open()?;
        self.check_in_place().map_err(|failure| self.failed(failure))
    }

    /// Tells other processes how far the journal is durable. Whoever hears of an append here finds it there.
    pub(crate) fn mark_durable(&mut self) {
        let durable = self.appender.durable();
        let Some(lock) = self.lock.as_ref().filter(|_| durable > self.marked) else { return };
        // Should it fail, they learn of it later; nothing that was promised here is broken.
        match lock.write(&encode_durable_mark(self.manifest.store, durable)) {
            Ok(()) => self.marked = durable,
            Err(_) => self.stats.lock().marks_failed += 1,
        }
    }

    /// Before the first frame or file after a clean close: the manifest must not say any more that the journal ends there.
    fn mark_open(&mut self) -> Result<()> {
        if self.manifest.closed.is_none() {
            return Ok(());
        }
        let open = Manifest { closed: None, ..self.manifest };
        self.check_in_place().map_err(|failure| self.failed(failure))?;
        open.write(&*self.disk, &self.root).map_err(|failure| self.failed(failure.into()))?;
        self.manifest = open;
        Ok(())
    }

    /// Ends the journal cleanly. Later appends are refused; a later close answers what the first one did.
    pub(crate) fn close(&mut self) -> Result<()> {
        if let WriterState::Closed(closed) = &self.state {
            // A close that ended in a panic left the lock.
            self.lock = None;
            return closed.clone();
        }
        let open = self.check_open();
        // Until it went well. If the disk panics in here, the journal's end is not known and is not written again.
        let broke = Error::new(ErrorKind::Indeterminate, "a panic while the store was closed");
        self.state = WriterState::Closed(Err(broke));
        // Nothing is written to a poisoned store, and nothing synced.
        let closed = open.and_then(|()| self.end_journal());
        self.state = WriterState::Closed(closed.clone());
        self.lock = None;
        closed
    }

    fn end_journal(&mut self) -> Result<()> {
        if self.manifest.closed.is_some() {
            return Ok(());
        }
        let error = |failure| match failure {
            WriteFailure::NothingWritten(error) | WriteFailure::Unknown(error) => error,
        };
        self.appender.close().map_err(error)?;
        self.check_in_place().map_err(error)?;
        let file = &self.appender.prepared().file;
        let closed = ClosedAt { file: file.number, file_bytes: file.bytes()?, n: self.appender.last_n() };
        let manifest = Manifest { closed: Some(closed), ..self.manifest };
        manifest.write(&*self.disk, &self.root).map_err(CreateFailure::into)
    }

    fn count_group(&self, commits: u64, appends: u64) {
        let mut stats = self.stats.lock();
        stats.commits += commits;
        stats.groups += 1;
        stats.largest_group = stats.largest_group.max(appends);
        stats.group_sizes.add(appends);
    }
}

/// The store as the judge sees it: what is published.
struct StoreView<'a> {
    log: &'a Log,
    /// The events of a batch that is sent again mostly lie in one commit.
    last_read: RefCell<LastRead>,
    request: &'a Request,
}

impl View for StoreView<'_> {
    fn known(&self, stream: &StreamName, id: EventId, at: usize) -> Result<Option<Known>> {
        let event = self.log.find_id(stream.as_str(), id, &mut self.last_read.borrow_mut())?;
        Ok(event.map(|event| Known {
            version: event.version(),
            position: event.position(),
            recorded_at: event.recorded_at(),
            same_content: self.request.draft.has_content_of(at, &event),
        }))
    }
}

#[cfg(test)]
mod tests;
