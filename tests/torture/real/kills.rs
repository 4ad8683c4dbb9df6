//! Processes killed with SIGKILL, while they append from several threads, start files, write snapshots, close, and
//! recover from the kill before. What was answered is there, buffered or not.

use std::cell::Cell;
use std::path::Path;

use annals::Maintenance;

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::{Fault, Rng};

use super::child::APPEND;
use super::ledger::{EndedBy, Ledger};
use super::machine::temporary_dir;
use super::process::Job;
use super::told::Told;
use super::work::{LANES, options};

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "kills", share: 6, run };

/// Stores of a short run.
const STORES: u64 = 2;
/// Rounds in the life of a store.
const ROUNDS: u64 = 24;
/// A store this long is left: looking at all of it would take most of the time.
const WORKS_MAX: usize = 4_000;

fn run(budget: &Budget, tally: &mut Tally) {
    let (kills, torn) = (Cell::new(0), Cell::new(0));
    let mut number = 0;
    while budget.goes_on(number, STORES) {
        let seed = budget.seed(number);
        tally.judge(format!("kills, seed {seed}"), || {
            let dir = temporary_dir(number);
            life_of_a_store(&dir.path().join("bank"), &mut Rng::new(seed), &kills, &torn)
        });
        number += 1;
    }
    tally.count("kills", kills.get());
    tally.count("torn tails cut", torn.get());
}

fn life_of_a_store(dir: &Path, rng: &mut Rng, kills: &Cell<u64>, torn: &Cell<u64>) -> Result<(), Fault> {
    let mut ledger = Ledger::default();
    for _ in 0..ROUNDS {
        // Sometimes a process recovers what another one recovered, before anybody looks.
        for _ in 0..=rng.below(3) {
            kills.set(kills.get() + 1);
            append_and_kill(dir, Job::named(APPEND), rng, &mut ledger)?;
        }
        while rng.chance(3) {
            kills.set(kills.get() + 1);
            recover_and_kill(dir, rng)?;
        }
        let maintenance = if rng.chance(2) { Maintenance::Background } else { Maintenance::Inline };
        let store = options(maintenance).open(dir);
        let store = store.map_err(|error| Fault::FalseAlarm(format!("opening: {error:?}")))?;
        torn.set(torn.get() + u64::from(store.recovery().torn_tail.is_some()));
        ledger.check(&store, EndedBy::Kill)?;
        ledger.retry_unanswered(&store)?;
        ledger.settle();
        store.close().map_err(|error| Fault::FalseAlarm(format!("closing: {error:?}")))?;
        if ledger.len() > WORKS_MAX {
            break;
        }
    }
    Ok(())
}

/// A child that appends, killed after so many lines, or at a change to its disk: while it opens, appends, or closes.
pub(crate) fn append_and_kill(dir: &Path, job: Job, rng: &mut Rng, ledger: &mut Ledger) -> Result<(), Fault> {
    let lanes = 1 + rng.below(LANES);
    let mut job = Job { base: ledger.begin_round(lanes), lanes, in_background: rng.chance(2), ..job };
    let mut lines = u64::MAX;
    if rng.chance(2) {
        lines = 1 + rng.below(60);
    } else {
        halt_somewhere(&mut job, rng);
    }
    let mut child = job.start(dir);
    let mut told = Vec::new();
    while (told.len() as u64) < lines {
        match child.next() {
            None | Some(Told::Halted) => break,
            Some(line) => told.push(line),
        }
    }
    told.extend(child.kill());
    expect_no_failure(&told)?;
    ledger.note_all(&told)
}

/// Has a job stand still somewhere: while the store is made or opened, at an append, or while it is closed.
pub(crate) fn halt_somewhere(job: &mut Job, rng: &mut Rng) {
    const CHANGES_TO_OPEN_AND_CLOSE: u64 = 28;
    const CHANGES_AN_APPEND: u64 = 4;
    job.appends = if rng.chance(3) { 0 } else { rng.below(12) };
    let changes = CHANGES_TO_OPEN_AND_CLOSE + CHANGES_AN_APPEND * job.lanes * job.appends;
    job.halts_at = 1 + rng.below(changes);
}

/// A child that opens the store and closes it, killed at a change to its disk.
fn recover_and_kill(dir: &Path, rng: &mut Rng) -> Result<(), Fault> {
    let job = Job { appends: 0, halts_at: 1 + rng.below(16), ..Job::named(APPEND) };
    let mut child = job.start(dir);
    let mut told = Vec::new();
    while let Some(line) = child.next() {
        if line == Told::Halted {
            break;
        }
        told.push(line);
    }
    told.extend(child.kill());
    expect_no_failure(&told)
}

/// Nothing is in the way of these processes, until they are killed.
fn expect_no_failure(told: &[Told]) -> Result<(), Fault> {
    let is_failure = |told: &&Told| {
        matches!(told, Told::NotOpened(_) | Told::Failed { .. } | Told::NotEnded(_) | Told::ReadWrong(_))
    };
    match told.iter().find(is_failure) {
        Some(failure) => Err(Fault::FalseAlarm(format!("a child told: {failure}"))),
        None => Ok(()),
    }
}
