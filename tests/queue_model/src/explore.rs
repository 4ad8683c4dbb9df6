//! The schedules under which a scenario runs.

use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use crate::preemptions::Preemptions;

/// The seed of the short run. A longer run covers the same schedules first.
const SEED: u64 = 0x5eed_0001;
/// How many changes of priority PCT makes. A lost wake-up needs one or two.
const PCT_DEPTHS: [usize; 2] = [2, 4];

/// Whether this is the long run.
fn is_long() -> bool {
    std::env::var_os("QUEUE_MODEL_LONG").is_some()
}

/// How many schedules each sampling scheduler tries.
fn schedules() -> usize {
    if is_long() { 50_000 } else { 500 }
}

/// Runs a scenario under random schedules, and under random priorities that change a few times.
pub(crate) fn sampled(scenario: impl Fn() + Clone + Send + Sync + 'static) {
    run(RandomScheduler::new_from_seed(SEED, schedules()), scenario.clone());
    for depth in PCT_DEPTHS {
        run(PctScheduler::new_from_seed(SEED, depth, schedules()), scenario.clone());
    }
}

/// Runs a scenario under every schedule there is, and answers how many there are: for the smallest scenarios.
pub(crate) fn all(scenario: impl Fn() + Send + Sync + 'static) -> usize {
    run(DfsScheduler::new(None, false), scenario)
}

/// Runs a scenario under every schedule with up to so many preemptions; with one more in the long run.
pub(crate) fn with_preemptions(most: usize, what: &str, scenario: impl Fn() + Send + Sync + 'static) {
    let most = most + usize::from(is_long());
    let schedules = run(Preemptions::new(most), scenario);
    println!("{what}: all {schedules} schedules with up to {most} preemptions");
}

fn run(scheduler: impl Scheduler + 'static, scenario: impl Fn() + Send + Sync + 'static) -> usize {
    Runner::new(scheduler, Config::new()).run(scenario)
}
