//! `History`: what was sent to a store, what was answered, and what must be found afterwards.

use std::collections::{BTreeMap, BTreeSet};

use annals::{Batch, BatchReceipt, ExpectedVersion, Position, RecordedEvent, Store};

use super::commands;
use super::runner::Runner;
use super::steps::{Append, Command, Step};
use super::{Fault, SimDisk, event_with_id, steps, to_usize};

pub(crate) use super::runner::open;

/// What is known of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// It must be found, whole.
    Durable,
    /// It was answered without a sync: it is found, or it is lost with all after it.
    Buffered,
    /// It must not be found.
    Refused,
    /// It was not answered, or with `Indeterminate`: it is found whole or not at all.
    Unknown,
}

#[derive(Debug, Clone)]
pub(super) enum What {
    Append(Append),
    Command(Command),
}

#[derive(Debug, Clone)]
pub(super) struct Sent {
    pub(super) what: What,
    /// Those of one step are sent at once, and are found in any order.
    pub(super) step: usize,
    pub(super) fate: Fate,
}

/// A history as far as it came.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(super) sent: Vec<Sent>,
}

impl History {
    /// Runs the fixed steps until the power goes. A fault on the way is met as a caller would: an answer is taken as it
    /// is, and a store that takes no more appends is opened again.
    pub(crate) fn run(disk: &SimDisk) -> Self {
        Self::run_steps(disk, &steps::fixed())
    }

    /// The same with other steps.
    pub(crate) fn run_steps(disk: &SimDisk, steps: &[Step]) -> Self {
        let runner = Runner::new(disk.clone());
        runner.run(steps).expect("every answer on the way is true");
        runner.history()
    }

    /// How many appends were sent.
    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }

    /// Whether an append ended like this.
    pub(crate) fn has(&self, wanted: Fate) -> bool {
        self.sent.iter().any(|sent| sent.fate == wanted)
    }

    /// What is known of each append, in the order in which they were sent.
    pub(crate) fn fates(&self) -> impl Iterator<Item = Fate> {
        self.sent.iter().map(|sent| sent.fate)
    }

    /// Holds what a store has against what was answered; the appends that were found.
    pub(crate) fn check(&self, store: &Store) -> Result<Vec<usize>, Fault> {
        let events: Vec<RecordedEvent> = store
            .read()
            .iter()
            .collect::<annals::Result<_>>()
            .map_err(|error| Fault::FalseAlarm(format!("reading: {error}")))?;
        if store.head().as_u64() != events.len() as u64 {
            return Err(Fault::Wrong(format!("{} events below head {}", events.len(), store.head())));
        }
        let mut found = self.check_events(store, &events)?;
        self.check_checkpoints(store, &mut found)?;
        self.check_fates(&found)?;
        self.check_states(store, &found)?;
        Ok(found)
    }

    /// Every event is one that was sent, as it was sent, once, in order and with all of its append.
    fn check_events(&self, store: &Store, events: &[RecordedEvent]) -> Result<Vec<usize>, Fault> {
        let wrong = |what: String| Err(Fault::Wrong(what));
        let mut found: Vec<usize> = Vec::new();
        let mut rest = events;
        while let Some(first) = rest.first() {
            let number = number_of(first);
            let Some(sent) = self.sent.get(number) else {
                return wrong(format!("append {number} was never sent and is there"));
            };
            if found.contains(&number) || found.last().is_some_and(|last| self.sent[*last].step > sent.step) {
                return wrong(format!("append {number} is there twice or out of order"));
            }
            let count = sent.event_count();
            if rest.len() < count {
                return wrong(format!("append {number} is there in part"));
            }
            let (of_this, later) = rest.split_at(count);
            match &sent.what {
                What::Append(append) => {
                    for (at, (event, stream)) in of_this.iter().zip(&append.streams).enumerate() {
                        if (event.stream(), event.payload()) != (stream, &payload(number, at, append)[..]) {
                            return wrong(format!("event {at} of append {number} is another one"));
                        }
                    }
                }
                What::Command(command) => commands::check_event(store, first, number, *command)?,
            }
            found.push(number);
            rest = later;
        }
        Ok(found)
    }

    /// A checkpoint is where the last append that was found has put it. Of those appends that are nothing else, all up to the one
    /// that it tells of count as found.
    fn check_checkpoints(&self, store: &Store, found: &mut Vec<usize>) -> Result<(), Fault> {
        let mut wanted = BTreeMap::new();
        for number in found.iter() {
            wanted.extend(self.sent[*number].checkpoint(*number).map(|name| (name.to_owned(), *number)));
        }
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        told.extend(store.checkpoints().into_iter().map(|(name, at)| (name, to_usize(at.as_u64()))));
        if let Some(last) = told.remove(ALONE) {
            let is_alone = |number: usize| {
                self.sent.get(number).is_some_and(|sent| sent.checkpoint(number) == Some(ALONE))
            };
            if !is_alone(last) || self.sent[last].fate == Fate::Refused {
                return Err(Fault::Wrong(format!("a checkpoint is at {last}, where nobody put it")));
            }
            let before = (0..=last).filter(|number| is_alone(*number));
            found.extend(before.filter(|number| self.sent[*number].fate != Fate::Refused));
        }
        if told == wanted {
            Ok(())
        } else {
            Err(Fault::Wrong(format!("checkpoints are at {told:?}, and should be at {wanted:?}")))
        }
    }

    /// What was answered as durable is there, what was refused is not, and of the rest a suffix may be lost.
    fn check_fates(&self, found: &[usize]) -> Result<(), Fault> {
        let found: BTreeSet<usize> = found.iter().copied().collect();
        let mut lost: Option<usize> = None;
        for (number, sent) in self.sent.iter().enumerate() {
            let is_there = found.contains(&number);
            match sent.fate {
                Fate::Durable if !is_there => {
                    return Err(Fault::Loss(format!("append {number} was durable and is lost")));
                }
                Fate::Refused if is_there => {
                    return Err(Fault::Wrong(format!("append {number} was refused and is there")));
                }
                Fate::Buffered if !is_there => lost = lost.or(Some(number)),
                _ => {}
            }
            if let (true, Some(lost)) = (is_there, lost) {
                return Err(Fault::Loss(format!("append {lost} is lost, but {number} after it is not")));
            }
        }
        Ok(())
    }

    fn check_states(&self, store: &Store, found: &[usize]) -> Result<(), Fault> {
        let commands = found.iter().filter_map(|number| match self.sent[*number].what {
            What::Command(command) => Some((*number, command)),
            What::Append(_) => None,
        });
        commands::check_states(store, &commands.collect::<Vec<_>>())
    }

    /// Notes what is sent in one step; the number of the first. Nothing is known of it yet.
    pub(super) fn send(&mut self, whats: impl IntoIterator<Item = What>) -> usize {
        let first = self.sent.len();
        let step = self.sent.last().map_or(0, |last| last.step + 1);
        self.sent.extend(whats.into_iter().map(|what| Sent { what, step, fate: Fate::Unknown }));
        first
    }

    /// A sync has succeeded: what was answered before it lasts.
    pub(super) fn all_is_durable(&mut self) {
        self.sent
            .iter_mut()
            .filter(|sent| sent.fate == Fate::Buffered)
            .for_each(|sent| sent.fate = Fate::Durable);
    }

    /// After opening: what is there is durable, what is not there is gone.
    pub(super) fn settle(&mut self, found: &[usize]) {
        for (number, sent) in self.sent.iter_mut().enumerate() {
            sent.fate = if found.contains(&number) { Fate::Durable } else { Fate::Refused };
        }
    }
}

impl Sent {
    fn event_count(&self) -> usize {
        match &self.what {
            What::Append(append) => append.streams.len(),
            What::Command(_) => 1,
        }
    }

    /// Which checkpoint it moves, to its number.
    fn checkpoint(&self, number: usize) -> Option<&'static str> {
        match &self.what {
            What::Append(append) => checkpoint(number, append),
            What::Command(_) => None,
        }
    }
}

/// The checkpoint of appends without events.
const ALONE: &str = "alone";

fn checkpoint(number: usize, append: &Append) -> Option<&'static str> {
    match number {
        _ if append.streams.is_empty() => Some(ALONE),
        // No two of one group.
        number if number % 7 == 0 => Some(["one", "two", "three"][number / 7 % 3]),
        _ => None,
    }
}

/// The append that an event is of, as its id tells.
fn number_of(event: &RecordedEvent) -> usize {
    let id = event.id().to_bytes();
    let (number, _) = id.split_first_chunk::<8>().expect("ids have 16 bytes");
    to_usize(u64::from_le_bytes(*number) / 100)
}

fn payload(number: usize, at: usize, append: &Append) -> Vec<u8> {
    let filler = 0x80 | u8::try_from((number * 8 + at) % 0x80).expect("small");
    vec![filler; append.payload_bytes]
}

/// Sends an append, with ids and a checkpoint that tell its number.
pub(super) fn send(store: &Store, number: usize, append: &Append) -> annals::Result<BatchReceipt> {
    let batch = events_of(store, number, append);
    let batch = match checkpoint(number, append) {
        Some(name) => batch.checkpoint(name, Position::new(number as u64)),
        None => batch,
    };
    batch.commit()
}

/// Sends the events of an append again.
pub(super) fn send_again(store: &Store, number: usize, append: &Append) -> annals::Result<BatchReceipt> {
    events_of(store, number, append).commit()
}

fn events_of(store: &Store, number: usize, append: &Append) -> Batch {
    let batch = append.streams.iter().enumerate().fold(store.batch(), |batch, (at, stream)| {
        let event = event_with_id((number * 100 + at) as u64, payload(number, at, append));
        batch.append_raw(stream, ExpectedVersion::Any, [event])
    });
    batch.durability(append.durability)
}
