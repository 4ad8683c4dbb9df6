//! `storm`: random transfers from many threads at once. Each is one durable commit over two accounts at their exact
//! versions; one that lost a race is decided again. In the end there must be as much money as in the beginning.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use annals::ExpectedVersion;

use super::account::{AccountEvent, Refusal};
use super::audit::Audit;
use super::bank::{Bank, Transfer, stream_name};
use super::failure::{Failure, Result};
use super::money::Money;
use super::random::Random;

/// What each account starts with.
const START: Money = Money::from_minor(100_000);
/// What a transfer moves at most.
const AMOUNT_MAX: u64 = 20_000;

/// How hard it storms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) accounts: u64,
    pub(crate) threads: u64,
    pub(crate) seconds: u64,
    pub(crate) seed: u64,
}

/// What one thread did.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    booked: u64,
    conflicts: u64,
    refused: u64,
}

/// Storms, and prints what came of it; a failure when money was made or lost.
pub(crate) fn storm(bank: &Bank, settings: Settings, out: &mut dyn Write) -> Result<()> {
    let Settings { accounts, threads, seconds, seed } = settings;
    writeln!(out, "storm: {accounts} accounts, {threads} threads, {seconds} s, --seed {seed}")?;
    out.flush()?;
    let names = open_accounts(bank, accounts)?;
    let before = Audit::of(bank)?;
    let stats_before = bank.store().stats()?;
    let started = Instant::now();
    let tally = transfers(bank, &names, settings)?;
    let took = started.elapsed();
    let stats = bank.store().stats()?;
    let after = Audit::of(bank)?;

    let syncs = (stats.syncs - stats_before.syncs).max(1);
    let (a_second, a_sync) = (ratio(tally.booked, took.as_secs_f64()), ratio(tally.booked, syncs as f64));
    writeln!(
        out,
        "  transfers     {:>14}   {a_second:.0} a second, each durable when answered",
        tally.booked
    )?;
    writeln!(out, "  syncs         {syncs:>14}   {a_sync:.1} transfers shared one")?;
    writeln!(out, "  conflicts     {:>14}   decided again", tally.conflicts)?;
    writeln!(out, "  refused       {:>14}   not enough money", tally.refused)?;
    writeln!(out, "  total before  {:>14}", before.in_accounts)?;
    writeln!(out, "  total after   {:>14}", after.in_accounts)?;
    if before.in_accounts != after.in_accounts || !after.holds() {
        return Err(Failure::Other("the totals differ: money was made or lost".into()));
    }
    Ok(writeln!(out, "no money was made, none was lost")?)
}

/// Opens the accounts that are not there yet, all in one commit.
fn open_accounts(bank: &Bank, count: u64) -> Result<Vec<String>> {
    let names: Vec<String> = (1..=count).map(|number| format!("storm-{number:05}")).collect();
    let mut batch = bank.store().batch();
    for name in &names {
        if !bank.stream(name)?.exists()? {
            let opened = AccountEvent::Opened { memo: "storm".into() };
            let deposited = AccountEvent::Deposited { amount: START, memo: "to start with".into() };
            batch = batch.append(stream_name(name), ExpectedVersion::NoStream, [opened, deposited]);
        }
    }
    batch.commit()?;
    Ok(names)
}

fn transfers(bank: &Bank, names: &[String], settings: Settings) -> Result<Tally> {
    let until = Instant::now() + Duration::from_secs(settings.seconds);
    let tallies: Result<Vec<Tally>> = thread::scope(|scope| {
        let start = |thread| {
            let random = Random::new(settings.seed, thread);
            scope.spawn(move || transfers_of_one(bank, names, random, until))
        };
        let threads: Vec<_> = (0..settings.threads).map(start).collect();
        threads.into_iter().map(|thread| thread.join().expect("a thread of the storm panicked")).collect()
    });
    Ok(tallies?.iter().fold(Tally::default(), |sum, one| Tally {
        booked: sum.booked + one.booked,
        conflicts: sum.conflicts + one.conflicts,
        refused: sum.refused + one.refused,
    }))
}

fn transfers_of_one(bank: &Bank, names: &[String], mut random: Random, until: Instant) -> Result<Tally> {
    let mut tally = Tally::default();
    while Instant::now() < until {
        let (from, to) = two_of(names, &mut random);
        let minor = i64::try_from(1 + random.below(AMOUNT_MAX)).expect("the limit is far below an i64's");
        let amount = Money::from_minor(minor);
        let transfer = Transfer { from, to, amount, memo: "storm", id: None };
        // Of those who race for an account one gets through: trying again comes to an end.
        loop {
            match bank.try_transfer(transfer) {
                Ok(_) => tally.booked += 1,
                Err(Failure::Refused { refusal: Refusal::TooLittle { .. }, .. }) => tally.refused += 1,
                Err(Failure::Store(error)) if error.is_conflict() => {
                    tally.conflicts += 1;
                    continue;
                }
                Err(failure) => return Err(failure),
            }
            break;
        }
    }
    Ok(tally)
}

/// Two different names. The command line asks for at least two accounts.
fn two_of<'a>(names: &'a [String], random: &mut Random) -> (&'a str, &'a str) {
    let count = names.len() as u64;
    let first = random.below(count);
    let second = (first + 1 + random.below(count - 1)) % count;
    let name = |number: u64| &*names[usize::try_from(number).expect("it is below a length")];
    (name(first), name(second))
}

fn ratio(count: u64, by: f64) -> f64 {
    count as f64 / by.max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use annals::Store;

    use super::*;

    #[test]
    fn a_storm_over_few_accounts_neither_makes_nor_loses_money() -> Result<()> {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let bank = Bank::new(Store::open(dir.path())?);
        let settings = Settings { accounts: 3, threads: 4, seconds: 1, seed: 7 };
        let mut out = Vec::new();
        storm(&bank, settings, &mut out)?;
        let text = String::from_utf8(out).expect("it is text");
        assert!(text.ends_with("no money was made, none was lost\n"), "{text}");
        assert_eq!(bank.total()?.to_string(), "3000.00");
        Ok(())
    }
}
