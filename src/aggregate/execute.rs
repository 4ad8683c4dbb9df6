//! Executing a command: load, decide, append at the version decided on; on a conflict take in what came first and decide
//! again.

use std::fmt;

use crate::codec::Codec;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Stream;
use crate::types::{EventId, NewEvent, Outcome, Receipt};

use super::booked::booked;
use super::load::up_to;
use super::{Aggregate, Executed, Loaded, Rejected, Repository};

impl<A: Aggregate, C: Codec> Repository<A, C> {
    /// Executes a command: `decide` looks at the state and answers what happens, or why nothing does.
    ///
    /// The events are appended only if nothing was appended since the state was loaded. Otherwise the newer events alone
    /// are read, and `decide` is asked again, up to [`Repository::attempts`] times in all; so it may be called several
    /// times and should do nothing but decide. A command that yields no event is held against the version all the same.
    ///
    /// A decision that refuses nothing names [`Infallible`](std::convert::Infallible) as its error:
    /// `accounts.execute("1", |_| Ok::<_, Infallible>([Deposited { cents: 500 }]))?`.
    ///
    /// # Errors
    /// `Rejected::Command` with what `decide` answered: nothing was written. `Rejected::Store` with `Conflict` when other
    /// appends came first each time, and with whatever [`Repository::load`] and [`Stream::append`](crate::Stream::append)
    /// answer.
    pub fn execute<I, E>(
        &self,
        id: impl fmt::Display,
        decide: impl FnMut(&A) -> Result<I, E>,
    ) -> Result<Executed<A>, Rejected<E>>
    where
        I: IntoIterator<Item = A::Event>,
    {
        self.run(&self.stream(id)?, None, decide)
    }

    /// Executes a command that is booked once, however often it is sent, over restarts too: its first event has the
    /// command's id, the others ids that follow from it.
    ///
    /// A command that is booked already is not decided again: the answer names the places of the first time, with
    /// [`Outcome::AlreadyAppended`], and the state as it is now. A command that was refused or yielded no event leaves
    /// nothing to know it by: sent again, it is decided again.
    ///
    /// It goes by the id alone, in this aggregate's stream: content is not compared. Another command with the same id for
    /// the same aggregate is answered with the places of the first and is not booked, so draw a new id for each command.
    /// The same id for another aggregate is another command.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// # use annals::{Aggregate, EventId, Outcome, Store};
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize)]
    /// # struct Deposited { cents: i64 }
    /// # #[derive(Default)]
    /// # struct Account { cents: i64 }
    /// # impl Aggregate for Account {
    /// #     type Event = Deposited;
    /// #     fn apply(&mut self, event: &Deposited) { self.cents += event.cents; }
    /// # }
    /// # let dir = tempfile::tempdir()?;
    /// # let store = Store::open(dir.path().join("bank"))?;
    /// let accounts = store.repository::<Account>("account");
    /// let command: EventId = "018f2f6e-8b81-7239-a92e-3c0008de8bfe".parse()?;
    /// for _ in 0..2 {
    ///     accounts.execute_once(command, "1", |_| Ok::<_, Infallible>([Deposited { cents: 500 }]))?;
    /// }
    /// assert_eq!(accounts.load("1")?.cents, 500);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Repository::execute`]; `IdReused` when the stream has one of the derived ids and not the command's.
    pub fn execute_once<I, E>(
        &self,
        command: EventId,
        id: impl fmt::Display,
        decide: impl FnMut(&A) -> Result<I, E>,
    ) -> Result<Executed<A>, Rejected<E>>
    where
        I: IntoIterator<Item = A::Event>,
    {
        self.run(&self.stream(id)?, Some(command), decide)
    }

    fn run<I, E>(
        &self,
        stream: &Stream<C>,
        command: Option<EventId>,
        mut decide: impl FnMut(&A) -> Result<I, E>,
    ) -> Result<Executed<A>, Rejected<E>>
    where
        I: IntoIterator<Item = A::Event>,
    {
        let mut conflicts_retried = 0;
        if let Some(receipt) = find_booked(stream, command)? {
            return Ok(self.already(stream, receipt, conflicts_retried)?);
        }
        let mut loaded = self.fold(stream)?;
        loop {
            let events: Vec<A::Event> = match decide(&loaded.state) {
                Ok(events) => events.into_iter().collect(),
                Err(refused) => {
                    self.remember(stream, &loaded.state, loaded.up_to, loaded.snapshot);
                    return Err(Rejected::Command(refused));
                }
            };
            let new = encode(stream, &events, command)?;
            let error = match stream.append_raw(loaded.version(), new) {
                Ok(receipt) if receipt.outcome() == Outcome::Appended => {
                    return Ok(self.done(stream, loaded, &events, receipt, conflicts_retried));
                }
                Ok(receipt) => return Ok(self.already(stream, receipt, conflicts_retried)?),
                Err(error) => error,
            };
            // The append that came first may have been this very command, sent twice.
            if may_be_booked(&error)
                && let Some(receipt) = find_booked(stream, command)?
            {
                return Ok(self.already(stream, receipt, conflicts_retried)?);
            }
            if !error.is_conflict() || conflicts_retried + 1 >= self.attempts {
                return Err(error.into());
            }
            conflicts_retried += 1;
            loaded.refold(stream, None)?;
        }
    }

    /// The answer to a command whose events are committed now.
    fn done(
        &self,
        stream: &Stream<C>,
        loaded: Loaded<A>,
        events: &[A::Event],
        receipt: Receipt,
        conflicts_retried: u32,
    ) -> Executed<A> {
        let Loaded { mut state, snapshot, .. } = loaded;
        events.iter().for_each(|event| state.apply(event));
        let version = receipt.version();
        if self.keeps_states()
            && let Some(version) = version
            && let Ok(up_to) = up_to(stream, version)
        {
            self.remember(stream, &state, up_to, snapshot);
        }
        Executed { state, version, receipt, conflicts_retried, snapshot }
    }

    /// The answer to a command whose events were committed before.
    fn already(&self, stream: &Stream<C>, receipt: Receipt, conflicts_retried: u32) -> Result<Executed<A>> {
        let loaded = self.fold(stream)?;
        self.remember(stream, &loaded.state, loaded.up_to, loaded.snapshot);
        let version = loaded.version();
        let Loaded { state, snapshot, .. } = loaded;
        Ok(Executed { state, version, receipt, conflicts_retried, snapshot })
    }
}

fn find_booked<C>(stream: &Stream<C>, command: Option<EventId>) -> Result<Option<Receipt>> {
    match command {
        Some(command) => booked(stream, command),
        None => Ok(None),
    }
}

/// Whether an append may have been refused because the same command was booked in between.
fn may_be_booked(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Conflict | ErrorKind::IdReused)
}

fn encode<C: Codec, E>(stream: &Stream<C>, events: &[E], command: Option<EventId>) -> Result<Vec<NewEvent>>
where
    E: serde::Serialize + serde::de::DeserializeOwned,
{
    let encode_one = |(ordinal, event)| {
        let id = command.map(|command| command.derive(ordinal));
        stream.encode(event).map(|new| NewEvent { id, ..new })
    };
    (0..=u32::MAX).zip(events).map(encode_one).collect()
}
