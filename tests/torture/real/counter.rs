//! A counter: an aggregate with snapshots, so that snapshots are written while processes are killed.

use std::convert::Infallible;

use annals::{Aggregate, Bincode, RecordedEvent, Rejected, Store};
use serde::{Deserialize, Serialize};

use crate::support::Fault;

use super::work::{LANES, Place, Work};

const CATEGORY: &str = "counter";
const SNAPSHOT_EVERY: u64 = 5;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Counted {
    number: u64,
}

/// Different for every order of events.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Counter {
    events: u64,
    sum: u64,
}

impl Aggregate for Counter {
    type Event = Counted;

    fn apply(&mut self, event: &Counted) {
        self.events += 1;
        self.sum = self.sum.wrapping_mul(31).wrapping_add(event.number);
    }
}

/// Sends a work as a command to the counter of its lane.
pub(crate) fn execute(store: &Store, work: Work) -> annals::Result<Place> {
    let repository = store.repository::<Counter>(CATEGORY).snapshot_every(SNAPSHOT_EVERY);
    let decide = |_: &Counter| Ok::<_, Infallible>([Counted { number: work.0 }]);
    let executed = match repository.execute_once(work.event_id(0), work.lane(), decide) {
        Ok(executed) => executed,
        Err(Rejected::Store(error)) => return Err(error),
        Err(Rejected::Command(never)) => match never {},
    };
    let receipt = executed.receipt();
    let first = receipt.positions().next().expect("a command that counts has an event");
    Ok(Place { position: first.as_u64(), outcome: receipt.outcome() })
}

/// What is wrong with the event that was found of a work, if anything.
pub(crate) fn differs(store: &Store, work: Work, event: &RecordedEvent) -> Option<String> {
    let decoded = store.decode::<Bincode, Counted>(event);
    let is_right = event.stream() == format!("{CATEGORY}-{}", work.lane())
        && decoded.as_ref().is_ok_and(|counted| counted.number == work.0);
    (!is_right).then(|| format!("{event:?}: {decoded:?}"))
}

/// A state that comes from a snapshot is that which replay yields.
pub(crate) fn check_snapshots(store: &Store) -> Result<(), Fault> {
    let repository = store.repository::<Counter>(CATEGORY);
    for lane in 0..LANES {
        let alarm = |error: annals::Error| Fault::FalseAlarm(format!("counter {lane}: {error:?}"));
        let loaded = repository.load(lane).map_err(alarm)?;
        let stream = store.stream(format!("{CATEGORY}-{lane}")).map_err(alarm)?;
        let replayed = stream.fold(Counter::default(), |mut counter, event: Counted| {
            counter.apply(&event);
            counter
        });
        let replayed = replayed.map_err(alarm)?;
        if *loaded.state() != replayed {
            return Err(Fault::Wrong(format!(
                "counter {lane}: {:?} instead of {replayed:?}",
                loaded.state()
            )));
        }
    }
    Ok(())
}
