//! Calls to the operating system that are made to fail by strace: the N-th one, for N from 1 until none is left. Each
//! answer is true: after a failed sync nothing is acknowledged until the store is opened again, what was refused is not
//! there, what was acknowledged is.

use std::cell::Cell;
use std::fs::{self, File};
use std::path::Path;

use annals::{ErrorKind, Maintenance};

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::{Fault, Rng};

use super::child::STUMBLE;
use super::ledger::{EndedBy, Ledger};
use super::machine::{run as run_program, temporary_dir};
use super::process::{Job, Process};
use super::told::{Told, kind_word};
use super::work::options;

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "injected failures", share: 3, run };

const APPENDS: u64 = 24;
/// One sweep takes every so manieth call.
const STEP: u64 = 3;
const STEP_OF_SHORT_RUN: u64 = 12;
/// No child makes so many calls of one kind.
const CALLS_MAX: u64 = 5_000;

/// A failure and what a child may notice of it.
#[derive(Debug, Clone, Copy)]
struct Failure {
    call: &'static str,
    error: &'static str,
    lasts: Lasts,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasts {
    /// One call fails.
    Once,
    /// All calls from one on fail.
    ForEver,
    /// One call fails, and nobody may notice.
    Unnoticed,
}

const fn failure(call: &'static str, error: &'static str, lasts: Lasts) -> Failure {
    Failure { call, error, lasts }
}

const FAILURES: [Failure; 25] = [
    failure("fdatasync", "EIO", Lasts::Once),
    failure("fdatasync", "ENOSPC", Lasts::Once),
    failure("fdatasync", "EIO", Lasts::ForEver),
    failure("fdatasync", "EINTR", Lasts::Unnoticed),
    failure("fsync", "EIO", Lasts::Once),
    failure("fsync", "EDQUOT", Lasts::Once),
    failure("fsync", "EIO", Lasts::ForEver),
    failure("pwrite64", "EIO", Lasts::Once),
    failure("pwrite64", "ENOSPC", Lasts::Once),
    failure("pwrite64", "EDQUOT", Lasts::ForEver),
    failure("pwrite64", "EIO", Lasts::ForEver),
    failure("pwrite64", "EINTR", Lasts::Unnoticed),
    failure("pread64", "EIO", Lasts::Once),
    failure("pread64", "EINTR", Lasts::Unnoticed),
    failure("openat", "EIO", Lasts::Once),
    failure("openat", "EMFILE", Lasts::Once),
    failure("openat", "ENOSPC", Lasts::ForEver),
    failure("rename", "EIO", Lasts::Once),
    failure("rename", "ENOSPC", Lasts::Once),
    failure("fallocate", "ENOSPC", Lasts::Once),
    failure("fallocate", "EOPNOTSUPP", Lasts::Unnoticed),
    failure("mkdir", "ENOSPC", Lasts::Once),
    failure("flock", "EIO", Lasts::Once),
    failure("unlink", "EIO", Lasts::Once),
    failure("getdents64", "EIO", Lasts::Once),
];

fn run(budget: &Budget, tally: &mut Tally) {
    if let Err(reason) = run_program("strace", &["-f", "-qq", "-o", "/dev/null", "true"]) {
        return tally.skip("injected failures", reason);
    }
    let injected = Cell::new(0);
    let mut sweep = 0;
    while budget.goes_on(sweep, 1) {
        let mut rng = Rng::new(budget.seed(sweep));
        for failure in FAILURES {
            let step = if budget.is_long() { STEP } else { STEP_OF_SHORT_RUN };
            let in_background = rng.chance(2);
            let first_round = rng.below(1 << 10);
            let mut at = 1 + rng.below(step);
            let reached = Cell::new(true);
            while reached.get() && at < CALLS_MAX && (!budget.is_long() || budget.goes_on(1, 0)) {
                let name = format!("{failure:?} at {at}, background {in_background}, round {first_round}");
                reached.set(false);
                tally.judge(name, || {
                    let dir = temporary_dir(1);
                    let case = Case { failure, at, in_background, first_round };
                    reached.set(case.run(dir.path())?);
                    Ok(())
                });
                injected.set(injected.get() + u64::from(reached.get()));
                at += step;
            }
        }
        sweep += 1;
    }
    tally.count("injected failures", injected.get());
}

/// One child, one of whose calls fails.
struct Case {
    failure: Failure,
    at: u64,
    in_background: bool,
    first_round: u64,
}

impl Case {
    /// Whether the child made so many calls that one failed.
    fn run(&self, dir: &Path) -> Result<bool, Fault> {
        let (log, store) = (dir.join("strace"), dir.join("bank"));
        let mut ledger = Ledger::starting_at(self.first_round);
        let base = ledger.begin_round(1);
        let job = Job { base, appends: APPENDS, in_background: self.in_background, ..Job::named(STUMBLE) };
        let Failure { call, error, lasts } = self.failure;
        let plus = if lasts == Lasts::ForEver { "+" } else { "" };
        let trace = format!("trace={call}");
        let inject = format!("inject={call}:error={error}:when={}{plus}", self.at);
        let log_text = log.display().to_string();
        let args = ["-f", "-qq", "-y", "-o", &log_text, "-e", "signal=none", "-e", &trace, "-e", &inject];
        // A child that does not come as far as our code complains of it; that is no news.
        let complaints = File::create(dir.join("complaints")).expect("a file in a temporary directory");
        let mut child = Process::start(job.command_through("strace", &args, &store).stderr(complaints));
        let told = child.told_until(&Told::Halted);
        let status = child.wait();
        let log = fs::read_to_string(&log).expect("strace writes its log");
        let hits: Vec<&str> = log.lines().filter(|line| line.contains("(INJECTED)")).collect();
        if told.is_empty() && !status.success() {
            // It did not come as far as our code.
            return Ok(true);
        }
        if !status.success() {
            let complaints = fs::read_to_string(dir.join("complaints")).unwrap_or_default();
            return Err(Fault::Wrong(format!("{status} after {}: {complaints}", last(&told))));
        }
        ledger.note_all(&told)?;
        self.check_answers(&told, &hits)?;
        let opened = options(Maintenance::Inline).open(&store);
        let opened = opened.map_err(|error| Fault::FalseAlarm(format!("opening afterwards: {error:?}")))?;
        ledger.check(&opened, EndedBy::Kill)?;
        ledger.retry_unanswered(&opened)?;
        Ok(!hits.is_empty())
    }

    /// Whether an error is of a kind that this failure may be answered with.
    fn may_tell(&self, told: &Told) -> bool {
        let kind = match told {
            Told::Failed { kind, .. } | Told::NotEnded(kind) => kind.as_str(),
            Told::NotOpened(error) => error.split(' ').next().unwrap_or(error),
            _ => return true,
        };
        let is_append = matches!(told, Told::Failed { .. });
        let unsure = [ErrorKind::Indeterminate, ErrorKind::Poisoned].map(kind_word);
        let refused = [ErrorKind::StorageFull, ErrorKind::Io].map(kind_word);
        // All that an append calls it for is the sync of its own frames.
        let is_sync_of_frames = self.failure.call == "fdatasync" && is_append;
        unsure.iter().any(|known| known == kind)
            || (!is_sync_of_frames && refused.iter().any(|known| known == kind))
    }

    /// Whether what was told fits the failure.
    fn check_answers(&self, told: &[Told], hits: &[&str]) -> Result<(), Fault> {
        let Failure { call, lasts, .. } = self.failure;
        let is_failure =
            |told: &&Told| matches!(told, Told::NotOpened(_) | Told::Failed { .. } | Told::NotEnded(_));
        let noticed = told.iter().find(is_failure);
        if let (Some(failure), true) = (noticed, lasts == Lasts::Unnoticed || hits.is_empty()) {
            return Err(Fault::FalseAlarm(format!("a child told: {failure}")));
        }
        if let Some(told) = told.iter().find(|told| !self.may_tell(told)) {
            return Err(Fault::Wrong(format!("not what this failure is answered with: {told}")));
        }
        let came_through = told.last() == Some(&Told::Closed);
        if lasts != Lasts::ForEver && !came_through && !matches!(told.last(), Some(Told::NotEnded(_))) {
            return Err(Fault::FalseAlarm(format!("one failed call is not met: {}", last(told))));
        }
        // Snapshots are a cache: nobody needs to hear that one was not written.
        let must_be_told = call.ends_with("sync") && hits.iter().any(|hit| !hit.contains("/snapshots"));
        if must_be_told && lasts != Lasts::Unnoticed && noticed.is_none() {
            return Err(Fault::Wrong(format!("a sync failed and nobody was told: {hits:?}")));
        }
        acknowledges_nothing_once_poisoned(told)
    }
}

/// From a failed sync on until the store is opened again, every append is refused as `Poisoned`.
fn acknowledges_nothing_once_poisoned(told: &[Told]) -> Result<(), Fault> {
    let (indeterminate, poisoned) = (kind_word(ErrorKind::Indeterminate), kind_word(ErrorKind::Poisoned));
    let mut is_poisoned = false;
    for line in told {
        match line {
            Told::Opened | Told::NotOpened(_) => is_poisoned = false,
            Told::Failed { kind, .. } if is_poisoned && *kind == poisoned => {}
            Told::Answered { .. } | Told::Durable(_) | Told::Closed | Told::Failed { .. } if is_poisoned => {
                return Err(Fault::Wrong(format!("after a failed sync: {line}")));
            }
            Told::Failed { kind, .. } => is_poisoned = *kind == indeterminate || *kind == poisoned,
            _ => {}
        }
    }
    Ok(())
}

fn last(told: &[Told]) -> String {
    told.iter().rev().take(4).map(ToString::to_string).collect::<Vec<_>>().join(", before it ")
}
