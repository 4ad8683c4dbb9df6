//! A reader beside a writer in another process, which opens, appends from several threads, starts files, closes and is
//! killed meanwhile. What the reader sees only grows, holds every synced append that was answered before it looked, is
//! never damage, and is never lost again.

use std::cell::Cell;
use std::path::Path;

use annals::{Durability, EventId, Maintenance, Position, Store};

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::{Fault, Rng};

use super::child::APPEND;
use super::ledger::{EndedBy, Ledger};
use super::machine::temporary_dir;
use super::process::Job;
use super::told::Told;
use super::work::{APPENDS_MAX, LANES, options};

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "readers beside a writer", share: 3, run };

const STORES: u64 = 2;
/// Writers that come and go beside one reader.
const WRITERS: u64 = 10;
/// Lines of a writer that is left to close by itself are fewer.
const LINES_MAX: u64 = 400;

fn run(budget: &Budget, tally: &mut Tally) {
    let (looks, seen) = (Cell::new(0), Cell::new(0));
    let mut number = 0;
    while budget.goes_on(number, STORES) {
        let seed = budget.seed(number);
        tally.judge(format!("readers beside a writer, seed {seed}"), || {
            let dir = temporary_dir(number);
            let path = dir.path().join("bank");
            let mut reader = Reader::new(&path)?;
            let done = reader.beside_writers(&mut Rng::new(seed));
            looks.set(looks.get() + reader.looks);
            seen.set(seen.get() + reader.seen.len() as u64);
            done
        });
        number += 1;
    }
    tally.count("looks beside a writer", looks.get());
    tally.count("events seen beside a writer", seen.get());
}

/// A store that is read only, and all that it has shown.
struct Reader<'a> {
    dir: &'a Path,
    store: Store,
    seen: Vec<EventId>,
    /// Every synced append that was answered lies below this.
    synced: u64,
    looks: u64,
}

impl<'a> Reader<'a> {
    fn new(dir: &'a Path) -> Result<Self, Fault> {
        // Made by somebody who is gone again.
        options(Maintenance::Inline).open(dir).map_err(alarm("making the store"))?;
        let store = options(Maintenance::Inline).read_only().open(dir).map_err(alarm("opening to read"))?;
        Ok(Self { dir, store, seen: Vec::new(), synced: 0, looks: 0 })
    }

    fn beside_writers(&mut self, rng: &mut Rng) -> Result<(), Fault> {
        let mut ledger = Ledger::default();
        for _ in 0..WRITERS {
            let lanes = 1 + rng.below(LANES);
            let appends = if rng.chance(2) { rng.below(20) } else { APPENDS_MAX };
            let base = ledger.begin_round(lanes);
            let job = Job { base, lanes, appends, in_background: rng.chance(2), ..Job::named(APPEND) };
            let lines = 1 + rng.below(LINES_MAX);
            let mut child = job.start(self.dir);
            let mut told = Vec::new();
            while (told.len() as u64) < lines {
                let Some(line) = child.next() else { break };
                self.hear(&line);
                told.push(line);
                if rng.chance(4) {
                    self.look()?;
                }
                if rng.chance(40) {
                    self.open_anew()?;
                }
            }
            let rest = child.kill();
            rest.iter().for_each(|line| self.hear(line));
            told.extend(rest);
            ledger.note_all(&told)?;
            self.look()?;
            if rng.chance(2) {
                let store = options(Maintenance::Inline).open(self.dir).map_err(alarm("opening to write"))?;
                self.look()?;
                ledger.check(&store, EndedBy::Kill)?;
                ledger.retry_unanswered(&store)?;
                ledger.settle();
                self.synced = store.head().as_u64();
                self.look()?;
            }
        }
        let store = options(Maintenance::Inline).open(self.dir).map_err(alarm("opening to write"))?;
        ledger.check(&store, EndedBy::Kill)?;
        for (position, id) in self.seen.iter().enumerate() {
            let event = store.read().from(Position::new(position as u64)).iter().next();
            let event =
                event.ok_or_else(|| Fault::Loss(format!("position {position} was seen and is gone")))?;
            let found = event.map_err(alarm("reading what was seen"))?.id();
            if found != *id {
                return Err(Fault::Wrong(format!("position {position} was seen as {id} and is {found}")));
            }
        }
        Ok(())
    }

    fn hear(&mut self, line: &Told) {
        match line {
            Told::Answered { position, durability: Durability::Synced, .. } => {
                self.synced = self.synced.max(position + 1);
            }
            Told::Durable(head) => self.synced = self.synced.max(*head),
            _ => {}
        }
    }

    /// Refreshes, and holds what is new against what was seen.
    fn look(&mut self) -> Result<(), Fault> {
        self.looks += 1;
        let before = self.store.head();
        let head = self.store.refresh().map_err(alarm("refreshing"))?;
        if head < before || head.as_u64() < self.synced {
            let synced = self.synced;
            return Err(Fault::Loss(format!("the head is {head}, it was {before}, synced below {synced}")));
        }
        self.take_in(&self.store.clone())
    }

    /// Opens another reader, which must see as much.
    fn open_anew(&mut self) -> Result<(), Fault> {
        self.look()?;
        let reader =
            options(Maintenance::Inline).read_only().open(self.dir).map_err(alarm("opening to read"))?;
        if reader.head() < self.store.head() {
            let (anew, old) = (reader.head(), self.store.head());
            return Err(Fault::Loss(format!("a new reader sees up to {anew}, an older one {old}")));
        }
        self.take_in(&reader)?;
        self.store = reader;
        Ok(())
    }

    fn take_in(&mut self, store: &Store) -> Result<(), Fault> {
        // Some that were seen before, too: they have not changed.
        let from = self.seen.len().saturating_sub(20);
        for event in store.read().from(Position::new(from as u64)).iter() {
            let event = event.map_err(alarm("reading"))?;
            let at = usize::try_from(event.position().as_u64()).expect("few");
            match self.seen.get(at) {
                Some(id) if *id != event.id() => {
                    return Err(Fault::Wrong(format!("position {at} has changed")));
                }
                Some(_) => {}
                None if at == self.seen.len() => self.seen.push(event.id()),
                None => return Err(Fault::Wrong(format!("position {at} follows {}", self.seen.len()))),
            }
        }
        Ok(())
    }
}

fn alarm(what: &'static str) -> impl Fn(annals::Error) -> Fault {
    move |error| Fault::FalseAlarm(format!("{what}: {error:?}"))
}
