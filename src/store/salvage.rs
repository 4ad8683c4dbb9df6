//! Salvage: all sound events of a damaged store, written into a new one. The old store is only read.
//!
//! Order of steps: the old store is verified, for the list of its damage; its segments are searched for blocks and its journal
//! for frames; the frames are put in order; the new store is made; the commits are brought over one by one, buffered; the new store is closed, which
//! makes all of it durable. Nothing is made before the old store was read through once.

use std::collections::HashMap;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::commit::{Request, StreamCheck};
use crate::disk::{Disk, number_of};
use crate::error::{Error, ErrorKind, Quoted, Result};
use crate::journal::{Damage, FoundFrame, FoundReader, History, Search, history, search};
use crate::segment::search_segments;
use crate::types::{
    ClosedAt, Durability, ExpectedVersion, NewEvent, Position, RecordedEvent, StoreId, StreamName, Version,
};

use super::open::journal_dir;
use super::salvage_report::{LostEnd, LostVersions, SalvageReport};
use super::salvage_sealed::rows;
use super::salvage_states::FoundStates;
use super::sealer::{SEGMENTS_DIR, segments_dir};
use super::verify::{known, look};
use super::{Creation, Options, Store, VerifyReport};

impl Options {
    /// Writes all sound events of the store in `from` into a new one in `new`, as [`Store::salvage`] does. Both are on the
    /// disk of these options, and the new store is made as they say.
    ///
    /// ```
    /// use annals::{Options, Store};
    /// # let dir = tempfile::tempdir()?;
    /// # let (bank, mended) = (dir.path().join("bank"), dir.path().join("mended"));
    /// Store::open(&bank)?.close()?;
    /// std::fs::remove_file(bank.join("MANIFEST"))?;
    /// let report = Options::new().journal_file_bytes(8 << 20).salvage(&bank, &mended)?;
    /// assert!(report.is_complete());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Store::salvage`].
    pub fn salvage(self, from: impl AsRef<Path>, new: impl AsRef<Path>) -> Result<SalvageReport> {
        salvage(self, from.as_ref(), new.as_ref())
    }
}

fn salvage(options: Options, from: &Path, new: &Path) -> Result<SalvageReport> {
    let disk = Arc::clone(&options.disk);
    check_paths(&*disk, from, new)?;
    let known = known(&*disk, from)?;
    let closed = known.closed();
    let verified = look(&*disk, from, &known, closed)?;
    let sealed = search_segments(&*disk, &segments_dir(from), known.store)?;
    let mut search = search_journal(&*disk, from, known.store)?;
    let History { frames, left_out } = history(mem::take(&mut search.frames));
    // All before where a segment starts or ends was there.
    let ends = sealed.iter().flat_map(|segment| [segment.start, segment.end]).flatten();
    search.began = search.began.max(ends.map(|end| (end.n, end.position)).max());

    let store = options.creation(Creation::IfMissing).durability(Durability::Buffered).open(new)?;
    let reader = FoundReader::new(&*disk, &search, known.store);
    let report = begin_report(&search, left_out, &verified, &store);
    let (disk, versions) = (&*disk, HashMap::new());
    let states = FoundStates::of_segments(&sealed, disk);
    let mut salvage =
        Salvage { store: &store, disk, reader, search: &search, versions, next: 0, states, report };
    let mut rest = frames.iter().peekable();
    for row in rows(sealed) {
        salvage.bring_sealed(&row, &mut rest)?;
    }
    for frame in rest {
        salvage.bring(frame)?;
    }
    let mut report = salvage.end(&frames, closed, &verified)?;
    // Durable from here on: all of the new store.
    store.close()?;
    report.damages.sort_by(|a, b| (&a.path, a.offset).cmp(&(&b.path, b.offset)));
    report.damages.dedup();
    Ok(report)
}

/// Searches the journal. One that is not there has nothing in it, if there are segments.
fn search_journal(disk: &dyn Disk, root: &Path, store: StoreId) -> Result<Search> {
    let dir = journal_dir(root);
    match disk.resolve(&dir) {
        Err(error)
            if error.kind() == io::ErrorKind::NotFound && disk.resolve(&segments_dir(root)).is_ok() =>
        {
            Ok(Search::default())
        }
        _ => search(disk, &dir, store),
    }
}

/// Whether there is something to read, and a place to write to that is not part of it.
fn check_paths(disk: &dyn Disk, from: &Path, new: &Path) -> Result<()> {
    let absolute = |path| std::path::absolute(path).map_err(|error| Error::io("resolving", path, error));
    let (from, new) = (absolute(from)?, absolute(new)?);
    let root = disk.resolve(&from).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, format!("{}: there is no store", from.display()))
        }
        _ => Error::io("resolving", &from, error),
    })?;
    let invalid = |what: String| Err(Error::new(ErrorKind::Invalid, format!("{}: {what}", new.display())));
    match disk.list(&new) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(Error::io("listing", &new, error)),
        Ok(names) => {
            if let Some(name) = names.iter().find(|name| *name != "lost+found") {
                return invalid(format!("not empty, and nothing is overwritten: it holds {}", Quoted(name)));
            }
        }
    }
    let place = disk.resolve(&new).ok().or_else(|| resolve_missing(disk, &new));
    match place {
        Some(place) if place.starts_with(&root) => {
            invalid("it lies in the store that is to be read".to_owned())
        }
        _ => Ok(()),
    }
}

/// Where a directory that is not there yet would be.
fn resolve_missing(disk: &dyn Disk, path: &Path) -> Option<PathBuf> {
    Some(disk.resolve(path.parent()?).ok()?.join(path.file_name()?))
}

fn begin_report(
    search: &Search,
    left_out: Vec<FoundFrame>,
    verified: &VerifyReport,
    store: &Store,
) -> SalvageReport {
    let left_out =
        left_out.iter().filter(|frame| frame.end_position > frame.first_position || frame.has_states);
    let left_out = left_out.map(|frame| contradicts(search, frame));
    SalvageReport {
        store_id: verified.store_id,
        new_store_id: store.id(),
        commits: 0,
        events: 0,
        recorded_at_held: 0,
        lost: Vec::new(),
        lost_versions: Vec::new(),
        lost_end: None,
        left_out: left_out.collect(),
        checkpoints: 0,
        checkpoints_in_doubt: false,
        torn_tail: verified.torn_tail.clone(),
        damages: verified.damages.clone(),
    }
}

/// What is told of a frame that is left out.
fn contradicts(search: &Search, frame: &FoundFrame) -> Damage {
    Damage {
        path: search.path(frame).to_owned(),
        offset: frame.offset,
        what: format!(
            "commit {} with {} events from position {} on contradicts others",
            frame.n,
            frame.end_position - frame.first_position,
            frame.first_position
        ),
    }
}

pub(super) struct Salvage<'a> {
    store: &'a Store,
    /// The old store's.
    pub(super) disk: &'a dyn Disk,
    pub(super) reader: FoundReader<'a>,
    search: &'a Search,
    /// The next version of every stream, as the old store counts.
    versions: HashMap<StreamName, u64>,
    /// The next position, as the old store counts.
    pub(super) next: u64,
    states: FoundStates,
    pub(super) report: SalvageReport,
}

impl Salvage<'_> {
    /// Brings the commit of one frame over. If it cannot be, it is a gap before the next one.
    pub(super) fn bring(&mut self, frame: &FoundFrame) -> Result<()> {
        let has_events = frame.end_position > frame.first_position;
        if has_events && frame.first_position < self.next {
            self.leave_out(frame);
            return Ok(());
        }
        let path = self.search.path(frame);
        // Where the store was closed there is nothing to read; that tells where it was.
        let commit = match (has_events || frame.has_states).then(|| self.reader.read(frame)).transpose() {
            Ok(commit) => commit,
            Err(error) => {
                self.report.damages.extend(Damage::of(path, &error));
                if frame.has_states {
                    self.states.lose();
                }
                return Ok(());
            }
        };
        if let Some(commit) = commit.as_ref().filter(|_| has_events) {
            let table = commit.events(0..commit.event_count());
            let events: Vec<RecordedEvent> = (0..table.rows().len()).map(|row| table.event(row)).collect();
            if !self.append(&events, path, frame.offset)? {
                return Ok(());
            }
        }
        self.states.take_in(frame, commit.as_ref());
        self.lose_up_to(frame.first_position);
        self.next = self.next.max(frame.end_position);
        Ok(())
    }

    /// Takes note of a commit that others contradict.
    pub(super) fn leave_out(&mut self, frame: &FoundFrame) {
        self.report.left_out.push(contradicts(self.search, frame));
    }

    /// Appends the events of one commit, found in a file at `offset`. Whether it was one that somebody may have appended:
    /// else it is told as damage.
    pub(super) fn append(&mut self, events: &[RecordedEvent], path: &Path, offset: u64) -> Result<bool> {
        match self.try_append(events) {
            Ok(()) => Ok(true),
            // Nobody's append was ever taken so: somebody made it by hand.
            Err(error) if error.kind() == ErrorKind::Invalid => {
                let error = Error::corrupt(path, offset, error.what());
                self.report.damages.extend(Damage::of(path, &error));
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn try_append(&mut self, recorded: &[RecordedEvent]) -> Result<()> {
        let Some(first) = recorded.first() else { return Ok(()) };
        let mut streams: Vec<StreamCheck> = Vec::new();
        let mut numbers: HashMap<StreamName, usize> = HashMap::new();
        let mut events: Vec<(usize, NewEvent)> = Vec::new();
        for event in recorded {
            let name = StreamName::new(event.stream())?;
            let number = *numbers.entry(name.clone()).or_insert(streams.len());
            if number == streams.len() {
                streams.push(StreamCheck { name, expected: vec![ExpectedVersion::Any] });
            }
            events.push((number, event.to_new_event()));
        }
        let names: Vec<StreamName> = streams.iter().map(|stream| stream.name.clone()).collect();
        let inner = self.store.inner();
        let request = Request::copy(streams, &events, first.recorded_at(), &inner.ids)?;
        let receipt = inner.commit(request)?;
        self.report.commits += 1;
        self.report.events += events.len() as u64;
        self.report.recorded_at_held += u64::from(receipt.recorded_at_was_held());
        for ((number, _), event) in events.iter().zip(recorded) {
            if let Some(name) = names.get(*number) {
                self.follow(name, event.version());
            }
        }
        Ok(())
    }

    /// Takes note of the next event of a stream: whether some are missing before it.
    fn follow(&mut self, stream: &StreamName, version: Version) {
        let next = match self.versions.get_mut(stream) {
            Some(next) => next,
            None => self.versions.entry(stream.clone()).or_default(),
        };
        if version.as_u64() > *next {
            let versions = Version::new(*next)..version;
            self.report.lost_versions.push(LostVersions { stream: stream.clone(), versions });
        }
        *next = version.as_u64().saturating_add(1);
    }

    /// The events from the last one that was brought over up to `position` are lost.
    pub(super) fn lose_up_to(&mut self, position: u64) {
        if position > self.next {
            self.report.lost.push(Position::new(self.next)..Position::new(position));
            self.next = position;
        }
    }

    /// Works out what is lost behind the last frame, by all that tells of it; and brings the state records over.
    fn end(
        mut self,
        frames: &[FoundFrame],
        closed: Option<ClosedAt>,
        verified: &VerifyReport,
    ) -> Result<SalvageReport> {
        let last = frames.last();
        self.lose_up_to(last.map_or(0, |last| last.end_position));
        let (began_n, began_position) = self.search.began.unwrap_or((1, 0));
        self.lose_up_to(began_position);
        let last_n = last.map_or(0, |last| last.n).max(began_n.saturating_sub(1));

        let is_torn = |path: &Path, offset| {
            verified.torn_tail.as_ref().is_some_and(|torn| torn.0 == path && torn.1 <= offset)
        };
        let traces = { self.search.traces.iter() }
            .filter(|trace| trace.n > last_n && !is_torn(&trace.path, trace.offset));
        let trace = traces.max_by_key(|trace| (trace.n, trace.first_position));
        if self.search.traces.iter().any(|trace| trace.has_states && !is_torn(&trace.path, trace.offset)) {
            self.states.lose();
        }
        // The first commit of which no position is known.
        let unknown_n = trace.map_or(last_n.saturating_add(1), |trace| trace.n);
        self.lose_up_to(trace.map_or(0, |trace| trace.first_position));
        // The last frame of a store that was closed is no commit.
        let commits_max = closed.and_then(|closed| closed.n.checked_sub(unknown_n));
        let is_lost = match closed {
            Some(_) => trace.is_some() || commits_max.is_some_and(|commits| commits > 0),
            // Nothing says where the end was, but what stands behind the last frame is no unfinished write.
            None => {
                trace.is_some() || verified.damages.iter().any(|damage| is_behind(damage, self.search, last))
            }
        };
        let from = Position::new(self.next);
        // A commit that changed state records may have had no events.
        let events_min = u64::from(trace.is_none_or(|trace| !trace.has_states));
        self.report.lost_end = is_lost.then_some(LostEnd { from, events_min, commits_max });
        self.states.put(self.store, &mut self.report, last_n)?;
        Ok(self.report)
    }
}

/// Whether damage lies in the journal behind the last frame.
fn is_behind(damage: &Damage, search: &Search, last: Option<&FoundFrame>) -> bool {
    let number = |path: &Path| {
        let is_sealed = path.parent().is_some_and(|dir| dir.ends_with(SEGMENTS_DIR));
        path.file_name().filter(|_| !is_sealed).and_then(|name| number_of(name.to_str()?))
    };
    let (Some(file), Some(last)) = (number(&damage.path), last) else {
        return number(&damage.path).is_some();
    };
    let last_file = number(search.path(last)).unwrap_or(0);
    (file, damage.offset) >= (last_file, last.end())
}
