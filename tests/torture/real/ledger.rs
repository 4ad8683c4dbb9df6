//! `Ledger`: what was sent to a store and what was told of it, held against what is found: everything acknowledged is
//! there, whole, once, in order; everything else is there whole or not at all.

use std::collections::{BTreeMap, BTreeSet};

use annals::{Durability, ErrorKind, Outcome, RecordedEvent, Store};

use crate::support::Fault;

use super::told::{Told, kind_word};
use super::work::{LANES, NUMBERS_A_ROUND, Work};

/// What ended the processes since the last look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndedBy {
    /// They closed the store, failed, or were killed: what was answered is there, buffered or not.
    Kill,
    /// What was not synced may be lost.
    PowerCut,
}

#[derive(Debug, Clone, Copy)]
struct Answered {
    number: u64,
    position: u64,
    durability: Durability,
}

/// What is known of one store.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The works found at the last look, in order. Opening made them durable.
    settled: Vec<u64>,
    /// Where each of them is.
    places: BTreeMap<u64, u64>,
    answered: Vec<Answered>,
    refused: BTreeSet<u64>,
    /// Told to be there or not: what is told of them later decides nothing, but that they are there.
    indeterminate: BTreeSet<u64>,
    /// All positions below it were told to be durable.
    durable: u64,
    /// The first number of each round since the last look, and how many lanes sent.
    rounds: Vec<(u64, u64)>,
    next_round: u64,
    lost: u64,
}

impl Ledger {
    /// With other numbers than those of a ledger that starts at 0.
    pub(crate) fn starting_at(next_round: u64) -> Self {
        Self { next_round, ..Self::default() }
    }

    /// The first number of a new round, of which the first `lanes` lanes will send.
    pub(crate) fn begin_round(&mut self, lanes: u64) -> u64 {
        let base = self.next_round * NUMBERS_A_ROUND;
        self.next_round += 1;
        self.rounds.push((base, lanes));
        base
    }

    /// How many works the store held at the last look.
    pub(crate) fn len(&self) -> usize {
        self.settled.len()
    }

    /// How many answers a power cut took back, as it may where nothing was synced.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Notes what was told.
    pub(crate) fn note(&mut self, told: &Told) -> Result<(), Fault> {
        match told {
            Told::Answered { number, position, durability } => {
                if *durability == Durability::Synced {
                    self.durable = self.durable.max(position + Work(*number).events());
                }
                self.refused.remove(number);
                self.answered.push(Answered {
                    number: *number,
                    position: *position,
                    durability: *durability,
                });
            }
            // Opening makes durable what it finds, and nothing that was answered is missing unless the power was cut.
            Told::Opened => {
                let ends =
                    self.answered.iter().map(|answered| answered.position + Work(answered.number).events());
                self.durable = self.durable.max(ends.max().unwrap_or_default());
            }
            Told::Durable(head) => self.durable = self.durable.max(*head),
            Told::Failed { number, kind } if *kind == kind_word(ErrorKind::Indeterminate) => {
                self.indeterminate.insert(*number);
            }
            Told::Failed { number, .. } if !self.indeterminate.contains(number) => {
                self.refused.insert(*number);
            }
            Told::ReadWrong(what) => return Err(Fault::Wrong(what.clone())),
            _ => {}
        }
        Ok(())
    }

    pub(crate) fn note_all<'a>(&mut self, told: impl IntoIterator<Item = &'a Told>) -> Result<(), Fault> {
        told.into_iter().try_for_each(|told| self.note(told))
    }

    /// Holds an open store against what was told since the last look.
    pub(crate) fn check(&mut self, store: &Store, ended_by: EndedBy) -> Result<(), Fault> {
        let found = works(store)?;
        self.check_settled(&found)?;
        let new = &found[self.settled.len()..];
        self.check_new(new)?;
        let places: BTreeMap<u64, u64> = found.iter().copied().collect();
        self.check_answered(&places, store.head().as_u64(), ended_by)?;
        super::counter::check_snapshots(store)?;
        self.settled = found.into_iter().map(|(number, _)| number).collect();
        self.places = places;
        Ok(())
    }

    /// What was found at the last look is still there, in the same order.
    fn check_settled(&self, found: &[(u64, u64)]) -> Result<(), Fault> {
        for (at, number) in self.settled.iter().enumerate() {
            let is_there = found.get(at).is_some_and(|(found, _)| found == number);
            if !is_there {
                let found = found.get(at);
                return Err(Fault::Loss(format!(
                    "{number} was there at an earlier opening, now {found:?} is"
                )));
            }
        }
        Ok(())
    }

    /// What is new was sent since the last look, was not refused, is there once, and each lane's are in order.
    fn check_new(&self, new: &[(u64, u64)]) -> Result<(), Fault> {
        let mut last_of_lane = BTreeMap::new();
        for (number, position) in new {
            let was_sent = self.rounds.iter().any(|(base, lanes)| {
                (*base..base + NUMBERS_A_ROUND).contains(number) && number % LANES < *lanes
            });
            if !was_sent || self.refused.contains(number) {
                return Err(Fault::Wrong(format!(
                    "{number} at position {position} was not sent, or was refused"
                )));
            }
            let last = last_of_lane.insert(Work(*number).lane(), *number);
            if last.is_some_and(|last| last >= *number) {
                return Err(Fault::Wrong(format!("{number} is there behind {last:?} of the same lane")));
            }
        }
        Ok(())
    }

    fn check_answered(
        &mut self,
        places: &BTreeMap<u64, u64>,
        head: u64,
        ended_by: EndedBy,
    ) -> Result<(), Fault> {
        for Answered { number, position, durability } in &self.answered {
            let may_be_lost = ended_by == EndedBy::PowerCut
                && *durability == Durability::Buffered
                && *position >= self.durable
                && *position >= head;
            match places.get(number) {
                Some(place) if place == position => {}
                None if may_be_lost => self.lost += 1,
                found => {
                    let Self { durable, .. } = self;
                    return Err(Fault::Loss(format!(
                        "{number}, {durability:?}, was answered to be at position {position}, it is at {found:?}; \
                         the head is {head}, durable was all below {durable}"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Sends what may have been under way when its process ended, with the same ids: it is there once afterwards. To be
    /// called after a look.
    pub(crate) fn retry_unanswered(&mut self, store: &Store) -> Result<(), Fault> {
        for number in self.unanswered() {
            let place = Work(number).send(store);
            let place =
                place.map_err(|error| Fault::FalseAlarm(format!("{number} sent again: {error:?}")))?;
            let known = self.places.get(&number).copied();
            let wanted = if known.is_some() { Outcome::AlreadyAppended } else { Outcome::Appended };
            if place.outcome != wanted || known.is_some_and(|known| known != place.position) {
                return Err(Fault::Wrong(format!("{number} sent again: {place:?}, it was at {known:?}")));
            }
            if known.is_none() {
                self.settled.push(number);
                self.places.insert(number, place.position);
            }
        }
        store.flush().map_err(|error| Fault::FalseAlarm(format!("flush: {error:?}")))
    }

    /// The first work of each lane and round that was not answered.
    fn unanswered(&self) -> Vec<u64> {
        let mut next = BTreeMap::new();
        for (base, lanes) in &self.rounds {
            next.extend((0..*lanes).map(|lane| ((base / NUMBERS_A_ROUND, lane), base + lane)));
        }
        let answered = self.answered.iter().map(|answered| answered.number);
        for number in answered.chain(self.refused.iter().copied()) {
            if let Some(of_lane) = next.get_mut(&(number / NUMBERS_A_ROUND, number % LANES)) {
                *of_lane = (*of_lane).max(number + LANES);
            }
        }
        // What a power cut took of what was answered is sent no more: nobody would know that it was lost.
        next.into_values().filter(|number| !self.refused.contains(number)).collect()
    }

    /// From here on what is found is what must stay.
    pub(crate) fn settle(&mut self) {
        self.answered.clear();
        self.refused.clear();
        self.indeterminate.clear();
        self.rounds.clear();
        self.durable = 0;
    }
}

/// All works of a store with their positions, in order, each whole and as it was sent.
fn works(store: &Store) -> Result<Vec<(u64, u64)>, Fault> {
    let events: annals::Result<Vec<RecordedEvent>> = store.read().iter().collect();
    let events = events.map_err(|error| Fault::FalseAlarm(format!("reading: {error:?}")))?;
    if store.head().as_u64() != events.len() as u64 {
        return Err(Fault::Wrong(format!("{} events below head {}", events.len(), store.head())));
    }
    let mut versions: BTreeMap<&str, u64> = BTreeMap::new();
    for (position, event) in (0..).zip(&events) {
        let version = versions.entry(event.stream()).or_default();
        if event.position().as_u64() != position || event.version().as_u64() != *version {
            return Err(Fault::Wrong(format!("version {version} at position {position} is {event:?}")));
        }
        *version += 1;
    }
    let mut found = Vec::new();
    let mut rest = &events[..];
    while let Some(first) = rest.first() {
        let (work, _) = Work::of(first);
        let count = rest.iter().take_while(|event| Work::of(event).0 == work).count();
        let (of_it, later) = rest.split_at(count);
        if let Some(what) = work.differs_from(store, of_it) {
            return Err(Fault::Wrong(format!("append {}: {what}", work.0)));
        }
        found.push((work.0, first.position().as_u64()));
        rest = later;
    }
    Ok(found)
}
