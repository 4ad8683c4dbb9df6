//! Sequences of whatever a caller may do, of faults of the disk and of processes that end, each held against a model after
//! every step (rules 8 to 12: what a write, a sync and a read that fail may be answered with, and what holds afterwards).
//! A sequence that goes wrong is made as short as it can be before it is told.

mod found;
mod frail_disk;
mod ill;
mod model;
mod op;
mod read;
mod restart;
mod world;

use std::cell::RefCell;

use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::campaign::{Budget, Campaign, Tally};
use world::{Counts, World};

/// Sequences drawn with one seed.
const SEQUENCES: u32 = 50;
/// Draws of a short run.
const SHORT: u64 = 6;
/// As many calls as making a store takes, or more.
const CALLS_OF_FOUND: u32 = 40;
const SHRINK_STEPS_MAX: u32 = 4_000;

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "faults", share: 3, run };

fn run(budget: &Budget, tally: &mut Tally) {
    for call in 0..CALLS_OF_FOUND {
        for (what, sequence) in found::found(call) {
            tally.judge(format_args!("{what}: {call}"), || World::run(&sequence).0);
        }
        let sequence = found::made_by_a_process_that_died(call);
        tally.judge(format_args!("made by a process that died at call {call}"), || World::run(&sequence).0);
    }
    let mut counts = Counts::new();
    let mut draw = 0;
    while budget.goes_on(draw, SHORT) {
        run_draw(draw, budget.seed(draw), tally, &mut counts);
        draw += 1;
    }
    let told: Vec<String> = counts.iter().map(|(what, count)| format!("{what} {count}")).collect();
    println!("faults: {}", told.join(", "));
}

/// Draws sequences until one goes wrong.
fn run_draw(draw: u64, seed: u64, tally: &mut Tally, counts: &mut Counts) {
    let config = Config {
        cases: SEQUENCES,
        failure_persistence: None,
        max_shrink_iters: SHRINK_STEPS_MAX,
        ..Config::default()
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let done: RefCell<(u64, Counts)> = RefCell::default();
    let ran = runner.run(&op::sequence(), |sequence| {
        let (ran, counts) = World::run(&sequence);
        ran.map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        let mut done = done.borrow_mut();
        done.0 += 1;
        for (what, by) in counts {
            *done.1.entry(what).or_default() += by;
        }
        Ok(())
    });
    let (sequences, of_draw) = done.into_inner();
    tally.count("fault sequences", sequences);
    tally.count("faults injected", of_draw.get("injected").copied().unwrap_or_default());
    for (what, by) in of_draw {
        *counts.entry(what).or_default() += by;
    }
    match ran {
        Ok(()) => {}
        // Once more, for the kind of fault; a panic is one too.
        Err(TestError::Fail(_, sequence)) => {
            tally.judge(format_args!("draw {draw}, {sequence:?}"), || World::run(&sequence).0);
        }
        Err(TestError::Abort(reason)) => println!("faults: draw {draw} was given up: {reason}"),
    }
}
