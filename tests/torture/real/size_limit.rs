//! The limit on the size of a file that a process may write. Where its signal is ignored, the answer is `StorageFull`,
//! and the same handle appends again once the limit is gone; where it is not, the process dies of it, like one killed.

use std::cell::Cell;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;

use annals::{ErrorKind, Maintenance};

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::{Fault, Rng};

use super::child::STUMBLE;
use super::ledger::{EndedBy, Ledger};
use super::machine::{needs, run as run_program, temporary_dir};
use super::process::Job;
use super::told::{Told, kind_word};
use super::work::options;

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "size limits", share: 1, run };

/// Stores of a short run.
const STORES: u64 = 8;
/// What `ulimit -f` counts in.
const BLOCK_BYTES: u64 = 512;
const SIGXFSZ: i32 = 25;
/// As many as fill more than the limit leaves.
const APPENDS: u64 = 500;

fn run(budget: &Budget, tally: &mut Tally) {
    if let Err(reason) = run_program("sh", &["-c", "ulimit -S -f 1000"]) {
        return tally.skip("size limits", reason);
    }
    let can_lift = needs("prlimit");
    if let Err(reason) = &can_lift {
        tally.skip("size limits that are lifted", reason);
    }
    let limits = Cell::new(0);
    let mut number = 0;
    while budget.goes_on(number, STORES) {
        let seed = budget.seed(number);
        tally.judge(format!("size limits, seed {seed}"), || {
            let dir = temporary_dir(number);
            let mut rng = Rng::new(seed);
            // A new file has space for 256 KiB: mostly the limit is met when there is more to prepare.
            let (at_least, more) = if rng.chance(4) { (8 << 10, 250 << 10) } else { (256 << 10, 64 << 10) };
            let journal_file_bytes = 1 << 20;
            let job = Job { in_background: rng.chance(2), journal_file_bytes, ..Job::named(STUMBLE) };
            let limit = at_least + rng.below(more);
            let dir = dir.path().join("bank");
            let is_ignored = !rng.chance(3);
            limits.set(limits.get() + 1);
            let mut ledger = Ledger::default();
            if is_ignored {
                meets_the_limit(&dir, job.clone(), limit, can_lift.is_ok(), &mut ledger)?;
            } else {
                dies_of_the_limit(&dir, job.clone(), limit, &mut ledger)?;
            }
            goes_on_without(&dir, &job, &mut ledger)
        });
        number += 1;
    }
    tally.count("size limits", limits.get());
}

fn script(limit: u64, trap: &str) -> [String; 2] {
    let limit = limit / BLOCK_BYTES;
    ["-c".to_owned(), format!("{trap} ulimit -S -f {limit}; exec \"$0\" \"$@\"")]
}

/// A child whose handle meets the limit, stays usable, and goes on when the limit is lifted.
fn meets_the_limit(
    dir: &Path,
    job: Job,
    limit: u64,
    can_lift: bool,
    ledger: &mut Ledger,
) -> Result<(), Fault> {
    let job = Job { base: ledger.begin_round(1), appends: APPENDS, ..job };
    let mut child = job.start_through("sh", &script(limit, "trap '' XFSZ;"), dir);
    let full = kind_word(ErrorKind::StorageFull);
    let (mut is_lifted, mut halted) = (false, false);
    while let Some(told) = child.next() {
        let is_clean = match &told {
            Told::Failed { kind, .. } | Told::NotEnded(kind) => *kind == full && !is_lifted,
            Told::NotOpened(error) => error.starts_with(&full) && !is_lifted,
            _ => true,
        };
        if !is_clean {
            return Err(Fault::FalseAlarm(format!("limit {limit}, lifted {is_lifted}: {told}")));
        }
        ledger.note(&told)?;
        if told == Told::Halted {
            halted = true;
            if !can_lift {
                break;
            }
            run_program("prlimit", &["--pid", &child.id().to_string(), "--fsize=unlimited"])
                .unwrap_or_else(|error| panic!("{error}"));
            is_lifted = true;
            child.say("go on");
        }
    }
    let status = child.wait();
    if !status.success() || (halted && !can_lift) {
        return Err(Fault::Wrong(format!("limit {limit}: the child ended with {status}")));
    }
    Ok(())
}

fn dies_of_the_limit(dir: &Path, job: Job, limit: u64, ledger: &mut Ledger) -> Result<(), Fault> {
    let job = Job { base: ledger.begin_round(1), appends: APPENDS, ..job };
    let mut child = job.start_through("sh", &script(limit, ""), dir);
    ledger.note_all(&child.rest())?;
    let status = child.wait();
    let died_of_it = status.signal() == Some(SIGXFSZ);
    if status.success() || died_of_it { Ok(()) } else { Err(Fault::Wrong(format!("{status}"))) }
}

/// The store as the limit left it, opened without one.
fn goes_on_without(dir: &Path, job: &Job, ledger: &mut Ledger) -> Result<(), Fault> {
    let store = options(Maintenance::Inline).journal_file_bytes(job.journal_file_bytes).open(dir);
    let store = store.map_err(|error| Fault::FalseAlarm(format!("opening without the limit: {error:?}")))?;
    ledger.check(&store, EndedBy::Kill)?;
    ledger.retry_unanswered(&store)?;
    store.close().map_err(|error| Fault::FalseAlarm(format!("closing: {error:?}")))
}
