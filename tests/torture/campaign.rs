//! A campaign: many cases of one kind, each judged. `Tally` counts them and what went wrong, `Budget` says how many.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::support::Fault;

/// What the table ends with, in this order; what became of these stands above.
const MAIN_COUNTS: [&str; 9] = [
    "crash states",
    "fault sequences",
    "faults injected",
    "damages",
    "hostile files",
    "hostile values",
    "power cuts",
    "kills",
    MEMORY,
];
const MEMORY: &str = "largest memory, MiB";

/// So many failures are told in words; all are counted.
const FAILURES_TOLD: usize = 20;

/// Cases of one kind.
pub(crate) struct Campaign {
    pub(crate) name: &'static str,
    /// Of the minutes, in relation to the others.
    pub(crate) share: u32,
    pub(crate) run: fn(&Budget, &mut Tally),
}

/// How much a campaign does.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    ends: Option<Instant>,
    seed: u64,
}

impl Budget {
    pub(crate) fn new(ends: Option<Instant>, seed: u64) -> Self {
        Self { ends, seed }
    }

    /// Whether there is another case after `done`: up to `short` in a short run, until the time is up in a long one.
    pub(crate) fn goes_on(&self, done: u64, short: u64) -> bool {
        self.ends.map_or(done < short, |ends| Instant::now() < ends)
    }

    pub(crate) fn is_long(&self) -> bool {
        self.ends.is_some()
    }

    /// How much time there is still, in a long run.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.ends.map(|ends| ends.saturating_duration_since(Instant::now()))
    }

    /// What all seeds are made of.
    pub(crate) fn first_seed(&self) -> u64 {
        self.seed
    }

    /// Of case `number`: printed with a failure, it leads back to the case.
    pub(crate) fn seed(&self, number: u64) -> u64 {
        self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(number)
    }
}

/// What was done and what went wrong.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    counts: BTreeMap<&'static str, u64>,
    losses: u64,
    wrong: u64,
    false_alarms: u64,
    panics: u64,
    failures: Vec<String>,
    skipped: Vec<String>,
}

impl Tally {
    /// Counts cases under a word of the table.
    pub(crate) fn count(&mut self, what: &'static str, by: u64) {
        *self.counts.entry(what).or_default() += by;
    }

    /// Does one case and counts how it went. `name` must lead back to it.
    pub(crate) fn judge(&mut self, name: impl fmt::Display, case: impl FnOnce() -> Result<(), Fault>) {
        let (counter, what) = match catch_unwind(AssertUnwindSafe(case)) {
            Ok(Ok(())) => return,
            Ok(Err(Fault::Loss(what))) => (&mut self.losses, what),
            Ok(Err(Fault::Wrong(what))) => (&mut self.wrong, what),
            Ok(Err(Fault::FalseAlarm(what))) => (&mut self.false_alarms, what),
            Err(_) => (&mut self.panics, "a panic, told above".to_owned()),
        };
        *counter += 1;
        if self.failures.len() < FAILURES_TOLD {
            eprintln!("FAILED: {name}: {what}");
            self.failures.push(format!("{name}: {what}"));
        }
    }

    /// Part of the work cannot be done on this machine.
    pub(crate) fn skip(&mut self, what: &str, reason: impl fmt::Display) {
        println!("SKIPPED: {what}: {reason}");
        self.skipped.push(format!("{what}: {reason}"));
    }

    /// Takes in the table that this program printed when another process ran it: of the counts, those with these names.
    /// Whether the table was whole.
    pub(crate) fn take_in_table(&mut self, printed: &str, names: &[&'static str]) -> bool {
        for line in printed.lines() {
            if let Some(failure) = line.strip_prefix("FAILED: ") {
                self.failures.push(failure.to_owned());
            }
            let Some((what, count)) = line.rsplit_once(' ') else { continue };
            if let (Some(name), Ok(count)) = (names.iter().find(|name| **name == what.trim()), count.parse())
            {
                self.count(name, count);
            }
        }
        let last = printed.lines().last().unwrap_or_default();
        let numbers: Vec<u64> = last.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
        let [losses, wrong, false_alarms, panics] = numbers[..] else { return false };
        self.losses += losses;
        self.wrong += wrong;
        self.false_alarms += false_alarms;
        self.panics += panics;
        true
    }

    pub(crate) fn merge(&mut self, other: Self) {
        other.counts.into_iter().for_each(|(what, by)| self.count(what, by));
        self.losses += other.losses;
        self.wrong += other.wrong;
        self.false_alarms += other.false_alarms;
        self.panics += other.panics;
        self.failures.extend(other.failures);
        self.skipped.extend(other.skipped);
    }

    /// Prints the table; success if nothing went wrong.
    pub(crate) fn conclude(mut self) -> ExitCode {
        if let Some(bytes) = largest_memory() {
            self.count(MEMORY, bytes >> 20);
        }
        println!();
        self.failures.iter().for_each(|failure| println!("FAILED: {failure}"));
        self.skipped.iter().for_each(|skipped| println!("SKIPPED: {skipped}"));
        let row = |what: &str, count: u64| println!("{what:<28} {count:>12}");
        self.counts
            .iter()
            .filter(|(what, _)| !MAIN_COUNTS.contains(what))
            .for_each(|(what, count)| row(what, *count));
        println!();
        let main = MAIN_COUNTS.iter().filter_map(|what| Some((what, self.counts.get(what)?)));
        main.for_each(|(what, count)| row(what, *count));
        let Self { losses, wrong, false_alarms, panics, .. } = self;
        println!("losses {losses}, wrong {wrong}, false alarms {false_alarms}, panics {panics}");
        if losses + wrong + false_alarms + panics == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (what, count)) in self.counts.iter().enumerate() {
            write!(f, "{}{what} {count}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// The most memory that this process has had, in bytes, where the operating system tells.
pub(crate) fn largest_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}
