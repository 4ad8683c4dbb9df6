//! Campaign "consumers": power cuts at every call of programs that consume what they append. Two threads, each with its own seeds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use crate::campaign::{Budget, Campaign, Tally};
use crate::support::consuming::Consuming;
use crate::support::{Keep, Rng};

pub(crate) const CAMPAIGN: Campaign = Campaign { name: "consumers", share: 3, run };

const THREADS: u64 = 2;
const SHORT_PROGRAMS: u64 = 4;
/// Random ways in which a power cut may end, for each call: beside all and nothing.
const SAMPLES: usize = 6;

fn run(budget: &Budget, tally: &mut Tally) {
    let next = AtomicU64::new(0);
    let worker = || {
        let mut own = Tally::default();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if !budget.goes_on(number, SHORT_PROGRAMS) {
                return own;
            }
            program(number, budget, &mut own);
        }
    };
    let tallies: Vec<Tally> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).collect()
    });
    tally.judge("the threads of consumers", || {
        assert_eq!(tallies.len() as u64, THREADS, "one broke off outside of any case");
        Ok(())
    });
    tallies.into_iter().for_each(|own| tally.merge(own));
}

/// All power cuts of one program.
fn program(number: u64, budget: &Budget, tally: &mut Tally) {
    let seed = budget.seed(number);
    let mut rng = Rng::new(seed);
    let program = if number == 0 { Consuming::fixed() } else { Consuming::random(&mut rng) };
    let calls = program.calls();
    for call in 0..=calls {
        if !budget.goes_on(0, 1) {
            return;
        }
        let samples = if budget.is_long() { SAMPLES } else { 1 };
        let mut keeps = vec![Keep::Nothing, Keep::Everything];
        keeps.extend((0..samples).map(|_| Keep::Some(Rng::new(rng.next()))));
        for keep in keeps {
            let name = format!("{program:?}, seed {seed}, power cut at call {call} of {calls}, {keep:?}");
            tally.judge(name, || program.cut(call, keep));
            tally.count("consumers: crash states", 1);
        }
    }
}
