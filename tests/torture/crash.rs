//! Campaign "crash states": power cuts at every call of fixed and of random histories, each of them again while the store
//! recovers, and once more. Two threads, each with its own seeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::crash_states::{CrashStates, Effort};
use crate::support::{Rng, SimDisk, steps};

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "crash states", share: 10, run };

const THREADS: u64 = 2;
/// Histories of a short run: the two that are fixed, and random ones.
const SHORT_HISTORIES: u64 = 10;
/// In a long run every subset of 12 pieces.
const THOROUGH: Effort = Effort { subsets_max: 1 << 12, samples: 64, again_one_in: 40 };
const SHORT: Effort = Effort { subsets_max: 1 << 4, samples: 6, again_one_in: 160 };
/// One in so many histories has files that are prepared in two steps, and not in one.
const LARGE_FILES_ONE_IN: u64 = 10;

fn run(budget: &Budget, tally: &mut Tally) {
    let next = AtomicU64::new(0);
    let worker = || {
        let mut own = Tally::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if !budget.goes_on(number, SHORT_HISTORIES) {
                return own;
            }
            history(number, budget, &mut own);
        }
    };
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    tally.judge("the threads of crash states", || {
        assert_eq!(tallies.len() as u64, THREADS, "one broke off outside of any case");
        Ok(())
    });
    tallies.into_iter().for_each(|own| tally.merge(own));
}

/// All crash states of one history.
fn history(number: u64, budget: &Budget, tally: &mut Tally) {
    let mut rng = Rng::new(budget.seed(number));
    let with_faults = number % 4 == 3;
    let (steps, name) = match number {
        0 => (steps::fixed(), "the first fixed history".to_owned()),
        1 => (steps::fixed_too(), "the second fixed history".to_owned()),
        2 => (steps::fixed_sealed(), "the fixed history that seals".to_owned()),
        _ => (steps::random(&mut rng, with_faults), format!("history {number}")),
    };
    let effort = if budget.is_long() { THOROUGH } else { SHORT };
    let journal_file_bytes = if rng.chance(LARGE_FILES_ONE_IN) { 320 << 10 } else { 64 << 10 };
    let mut judge = |name: &dyn std::fmt::Display, case: &mut dyn FnMut() -> _| tally.judge(name, case);
    let mut states = CrashStates::new(effort, journal_file_bytes, rng, &mut judge);
    states.of(SimDisk::new(), &steps, &name, &|| budget.goes_on(0, 1));
    let CrashStates { counts: [first, second, third], moments: [calls, ..], in_every_way, .. } = states;
    tally.count("crash: histories", 1);
    tally.count("crash states", first + second + third);
    tally.count("crash: in a recovery", second);
    tally.count("crash: in a second recovery", third);
    tally.count("crash: calls", calls);
    tally.count("crash: calls, every subset", in_every_way);
}
