//! `annals import`: JSON lines in, a commit for each batch.
//!
//! Commits are buffered and made durable by one flush before the summary is printed, also when a bad line ended the
//! import: what the summary tells is on disk. Where there is no store, the first commit makes it, so that a file which is
//! no import at all leaves none behind.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;

use annals::limits::{COMMIT_BYTES_MAX, COMMIT_EVENTS_MAX};
use annals::{Durability, ExpectedVersion, NewEvent, Options, Outcome, Store, StreamName, Timestamp};

use crate::args;
use crate::event_line::{BadLine, BatchName, EventLine, batch_of_bad_line};
use crate::failure::Failure;
use crate::lines::{LINE_BYTES_MAX, LineError, Lines};
use crate::open::{open, open_if_there};
use crate::output::Output;
use crate::progress::Progress;

pub(crate) fn run(args: &args::Import) -> Result<(), Failure> {
    // Opened first: a name that is wrong makes no store.
    let lines = Lines::open(&args.file)?;
    let options = Options::new().durability(Durability::Buffered);
    let store = open_if_there(options.clone(), &args.store)?;
    let name = lines.name().to_owned();
    let mut import = Import {
        progress: Progress::new(lines.bytes()),
        store,
        options,
        path: &args.store,
        name,
        pending: None,
        summary: Summary::default(),
    };
    let imported = import.all(lines);
    let Import { summary, progress, store, .. } = import;
    drop(progress);
    let kept = store.map_or(Ok(()), |store| store.flush().and_then(|()| store.close()));
    if let Err(error) = kept {
        // If the import failed before, that is the reason.
        imported?;
        return Err(Failure::because(
            format!("making the import into store {:?} durable", args.store),
            error,
        ));
    }
    let mut output = Output::new();
    let told = output.line(&summary).and_then(|()| output.finish());
    imported.and(told)
}

struct Import<'a> {
    /// `None` until the first commit makes it.
    store: Option<Store>,
    options: Options,
    path: &'a Path,
    name: String,
    pending: Option<Pending>,
    summary: Summary,
    progress: Progress,
}

/// What was done so far.
#[derive(Default)]
struct Summary {
    events: u64,
    commits: u64,
    already_there: u64,
    recorded_at_held: u64,
}

/// Lines of one batch that wait for its last one. Only while a line is taken in is there one without a batch.
struct Pending {
    lines: RangeInclusive<u64>,
    batch: Option<BatchName>,
    recorded_at: Option<Timestamp>,
    events: Vec<(StreamName, NewEvent)>,
    bytes: usize,
}

impl Import<'_> {
    /// Imports all lines, up to a bad one.
    fn all(&mut self, mut lines: Lines) -> Result<(), Failure> {
        loop {
            let line = match lines.next() {
                Ok(Some(line)) => line,
                // No line at all is no mistake: the store is there afterwards, as after any import that was done.
                Ok(None) => return self.commit_pending().and_then(|()| self.store().map(drop)),
                Err(LineError::TooLong { number, start }) => {
                    let what = format!("the line is longer than {LINE_BYTES_MAX} bytes");
                    return self.refuse(number, start, BadLine { column: None, what });
                }
                Err(LineError::Io { number, error }) => {
                    return Err(Failure::because(format!("reading {} at line {number}", self.name), error));
                }
            };
            self.progress.advance(line.taken);
            if line.bytes.trim_ascii().is_empty() {
                continue;
            }
            let event = str::from_utf8(line.bytes).map_err(BadLine::from).and_then(EventLine::parse);
            match event {
                Ok(event) => self.take(line.number, event)?,
                Err(bad) => return self.refuse(line.number, line.bytes, bad),
            }
        }
    }

    /// Ends the import at a bad line. What is pending before it is committed if that line is known to be no part of it:
    /// a part of a batch must not be written, or the file, once put right, could not be imported any more.
    fn refuse(&mut self, number: u64, line: &[u8], bad: BadLine) -> Result<(), Failure> {
        let text = line.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let is_part = |pending: &Pending| batch_of_bad_line(text).is_none_or(|batch| batch == pending.batch);
        if self.pending.as_ref().is_some_and(|pending| !is_part(pending)) {
            self.commit_pending()?;
        }
        Err(self.bad(number, bad))
    }

    /// Takes in an event. Commits what was pending if this is the first of another batch, and itself if it has none.
    fn take(&mut self, number: u64, line: EventLine) -> Result<(), Failure> {
        let EventLine { stream, event, recorded_at, batch } = line;
        if self.pending.as_ref().is_some_and(|pending| pending.batch != batch) {
            self.commit_pending()?;
        }
        let pending = self.pending.get_or_insert_with(|| Pending {
            lines: number..=number,
            batch,
            recorded_at,
            events: Vec::new(),
            bytes: 0,
        });
        if let Err(what) = pending.add(number, stream, event, recorded_at) {
            return Err(self.bad(number, BadLine { column: None, what }));
        }
        if pending.batch.is_none() { self.commit_pending() } else { Ok(()) }
    }

    /// The store, made if it is not there.
    fn store(&mut self) -> Result<&Store, Failure> {
        let store = match self.store.take() {
            Some(store) => store,
            None => open(self.options.clone(), self.path)?,
        };
        Ok(self.store.insert(store))
    }

    fn commit_pending(&mut self) -> Result<(), Failure> {
        let Some(Pending { lines, recorded_at, events, .. }) = self.pending.take() else { return Ok(()) };
        let count = events.len() as u64;
        let mut batch = self.store()?.batch();
        if let Some(time) = recorded_at {
            batch = batch.recorded_at(time);
        }
        for (stream, event) in events {
            batch = batch.append_raw(stream, ExpectedVersion::Any, [event]);
        }
        let receipt = batch.commit().map_err(|error| {
            let (first, last) = lines.into_inner();
            let place =
                if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
            Failure::because(format!("{}: {place}: nothing of this commit was imported", self.name), error)
        })?;
        match receipt.outcome() {
            Outcome::AlreadyAppended => self.summary.already_there += count,
            Outcome::Appended => {
                self.summary.events += count;
                self.summary.commits += 1;
                self.summary.recorded_at_held += u64::from(receipt.recorded_at_was_held());
            }
        }
        Ok(())
    }

    /// The failure that a bad line is. What is still pending is not imported, and that is told.
    fn bad(&self, number: u64, BadLine { column, what }: BadLine) -> Failure {
        let column = column.map(|column| format!(", column {column}")).unwrap_or_default();
        let mut message = format!("{}: line {number}{column}: {what}", self.name);
        if let Some(Pending { lines, batch: Some(batch), .. }) = &self.pending {
            message.push_str(&format!(
                "; nothing of batch {batch} was imported, which begins at line {}",
                lines.start()
            ));
        }
        Failure::new(message)
    }
}

impl Pending {
    fn add(
        &mut self,
        number: u64,
        stream: StreamName,
        event: NewEvent,
        recorded_at: Option<Timestamp>,
    ) -> Result<(), String> {
        if recorded_at != self.recorded_at {
            return Err(format!(
                "recorded_at is another than in line {} of the same batch",
                self.lines.start()
            ));
        }
        // The commit looks at both limits exactly; here they keep memory bounded while it grows.
        let bytes = event.payload.len() + event.metadata.len();
        if self.events.len() == COMMIT_EVENTS_MAX {
            return Err(format!("the batch has more than {COMMIT_EVENTS_MAX} events"));
        }
        if self.bytes + bytes > COMMIT_BYTES_MAX {
            return Err(format!("the batch has more than {COMMIT_BYTES_MAX} bytes"));
        }
        self.bytes += bytes;
        self.lines = *self.lines.start()..=number;
        self.events.push((stream, event));
        Ok(())
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { events, commits, already_there, recorded_at_held } = self;
        write!(
            f,
            "imported {events} events in {commits} commits, {already_there} already there, {recorded_at_held} recorded_at \
             held"
        )
    }
}
