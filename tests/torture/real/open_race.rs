//! Processes that open one directory at the same moment: one gets it, the others are told at once that it is locked, and
//! nobody's appends are lost. Often the directory is not there yet. The winner closes, or is killed: the lock is free.

use std::cell::Cell;
use std::path::Path;

use annals::{ErrorKind, Maintenance};

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::{Fault, Rng};

use super::child::{APPENDS_OF_A_WINNER, RACE};
use super::ledger::{EndedBy, Ledger};
use super::machine::temporary_dir;
use super::process::{Job, Process};
use super::told::{Told, kind_word};
use super::work::options;

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "open races", share: 1, run };

/// Stores of a short run.
const STORES: u64 = 12;
const RACERS: usize = 5;
/// Races for one store.
const RACES: u64 = 6;

fn run(budget: &Budget, tally: &mut Tally) {
    let races = Cell::new(0);
    let mut racers: Vec<Process<Told>> = Vec::new();
    let mut number = 0;
    while budget.goes_on(number, STORES) {
        let seed = budget.seed(number);
        tally.judge(format!("open races, seed {seed}"), || {
            let dir = temporary_dir(number);
            life_of_a_store(&dir.path().join("bank"), &mut Rng::new(seed), &mut racers, &races)
        });
        number += 1;
    }
    tally.count("open races", races.get());
}

fn life_of_a_store(
    dir: &Path,
    rng: &mut Rng,
    racers: &mut Vec<Process<Told>>,
    races: &Cell<u64>,
) -> Result<(), Fault> {
    let mut ledger = Ledger::default();
    for _ in 0..RACES {
        while racers.len() < RACERS {
            // Where the program runs does not matter: what it opens it is told with each race.
            let job = Job { in_background: rng.chance(2), ..Job::named(RACE) };
            racers.push(job.start(dir));
        }
        races.set(races.get() + 1);
        let winner = race(dir, racers, &mut ledger)?;
        if rng.chance(2) {
            // Its lock goes with it.
            ledger.note_all(&racers.swap_remove(winner).kill())?;
        } else {
            racers[winner].say("close");
            let told = racers[winner].next();
            if told != Some(Told::Closed) {
                return Err(Fault::FalseAlarm(format!("the winner closes: {told:?}")));
            }
        }
    }
    let store = options(Maintenance::Inline).open(dir);
    let store = store.map_err(|error| Fault::FalseAlarm(format!("opening: {error:?}")))?;
    ledger.check(&store, EndedBy::Kill)
}

/// All open at once; the one who won, after all have been told and the winner has appended.
fn race(dir: &Path, racers: &mut [Process<Told>], ledger: &mut Ledger) -> Result<usize, Fault> {
    for racer in &mut *racers {
        let base = ledger.begin_round(1);
        racer.say(&format!("{base} {}", dir.display()));
    }
    let locked = kind_word(ErrorKind::Locked);
    let mut winners = Vec::new();
    for (at, racer) in racers.iter_mut().enumerate() {
        match racer.next() {
            Some(Told::Opened) => winners.push(at),
            Some(Told::NotOpened(error)) if error.starts_with(&locked) => {}
            other => return Err(Fault::FalseAlarm(format!("neither open nor locked: {other:?}"))),
        }
    }
    let [winner] = winners[..] else {
        return Err(Fault::Wrong(format!("{} processes have the store open: {winners:?}", winners.len())));
    };
    for _ in 0..APPENDS_OF_A_WINNER {
        match racers[winner].next() {
            Some(told @ Told::Answered { .. }) => ledger.note(&told)?,
            other => return Err(Fault::FalseAlarm(format!("an append of the winner: {other:?}"))),
        }
    }
    Ok(winner)
}
