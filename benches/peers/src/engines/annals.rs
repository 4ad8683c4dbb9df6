//! annals, with its defaults: `Store::open` and nothing else set but what an append's answer means.
//!
//! It has group commit of its own, and it makes the ids of events that have none. Buffered: a killed process loses
//! nothing, a power cut may lose a suffix.

use std::path::Path;
use std::time::Duration;

use ::annals::{Durability, EventId, ExpectedVersion, NewEvent as Event, Options, Store, Timestamp, Version};
use anyhow::{Result, ensure};

use crate::engine::{Appends, Engine};
use crate::model::{Answer, Commit, Fold, Mode, NewEvent, Request, Seen};

pub(crate) struct AnnalsStore {
    store: Store,
}

impl AnnalsStore {
    pub(crate) fn open(dir: &Path, mode: Mode) -> Result<Self> {
        let durability = match mode {
            Mode::Durable => Durability::Synced,
            Mode::Buffered => Durability::Buffered,
        };
        Ok(Self { store: Options::new().durability(durability).open(dir)? })
    }
}

impl Appends for AnnalsStore {
    fn append(&self, request: Request) -> Result<Answer> {
        let appended = match <[Commit; 1]>::try_from(request) {
            Ok([commit]) => {
                let (expected, events) = given(commit.expected, commit.events)?;
                self.store.stream(commit.stream)?.append_raw(expected, events).map(drop)
            }
            Err(several) => self.append_several(several)?,
        };
        match appended {
            Ok(()) => Ok(Answer::Appended),
            Err(error) if error.is_conflict() => Ok(Answer::Stale),
            Err(error) => Err(error.into()),
        }
    }

    /// A commit each, as the events of a program come, and one sync for all of them.
    fn fill(&self, requests: Vec<Request>) -> Result<()> {
        for commit in requests.into_iter().flatten() {
            let (expected, events) = given(commit.expected, commit.events)?;
            let stream = self.store.stream(commit.stream)?.durability(Durability::Buffered);
            stream.append_raw(expected, events)?;
        }
        Ok(self.store.flush()?)
    }

    fn events(&self) -> u64 {
        self.store.head().as_u64()
    }
}

impl Engine for AnnalsStore {
    fn appends(&self) -> &dyn Appends {
        self
    }

    fn load(&self, stream: &str, fold: &mut Fold) -> Result<()> {
        for event in self.store.stream(stream)?.read().iter() {
            fold.add(&seen(&event?));
        }
        Ok(())
    }

    fn replay(&self, fold: &mut Fold) -> Result<()> {
        for event in self.store.read().iter() {
            fold.add(&seen(&event?));
        }
        Ok(())
    }

    /// Waits until the store's own thread has sealed all files that are full. What is left is sealed when the store is closed.
    fn settle(&self) -> Result<()> {
        while self.store.stats()?.backlog_files > 0 {
            std::thread::park_timeout(Duration::from_millis(5));
        }
        Ok(())
    }

    fn close(self: Box<Self>) -> Result<()> {
        Ok(self.store.close()?)
    }
}

impl AnnalsStore {
    fn append_several(&self, request: Request) -> Result<::annals::Result<()>> {
        ensure!(!request.is_empty(), "a request without commits");
        let mut batch = self.store.batch();
        for Commit { stream, expected, events } in request {
            let (expected, events) = given(expected, events)?;
            batch = batch.append_raw(stream, expected, events);
        }
        Ok(batch.commit().map(drop))
    }
}

fn given(expected: u64, events: Vec<NewEvent>) -> Result<(ExpectedVersion, Vec<Event>)> {
    let expected = expected.checked_sub(1).map(Version::new).into();
    let events = events.into_iter().map(|event| {
        let mut given = Event::new(event.event_type, event.payload)?
            .occurred_at(Timestamp::from_micros(event.occurred_at));
        given.id = event.id.map(EventId::from_bytes);
        Ok(given)
    });
    Ok((expected, events.collect::<Result<_>>()?))
}

#[inline]
fn seen(event: &::annals::RecordedEvent) -> Seen<'_> {
    Seen {
        position: event.position().as_u64(),
        stream: event.stream(),
        version: event.version().as_u64(),
        id: event.id().to_bytes(),
        event_type: event.event_type(),
        occurred_at: event.occurred_at().as_micros(),
        recorded_at: event.recorded_at().as_micros(),
        payload: event.payload(),
    }
}
