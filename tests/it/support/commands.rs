//! Commands of a history: an aggregate that adds up, with snapshots, held against what its events add up to.

use std::convert::Infallible;

use annals::{Aggregate, Bincode, Rejected, Repository, Store};
use serde::{Deserialize, Serialize};

use super::steps::Command;
use super::{Fault, id};

/// Ballast makes the state, and so its snapshot, as large as a test wants it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Moved {
    By { amount: u64, ballast: u32 },
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Sum {
    total: u64,
    events: u64,
    ballast: String,
}

impl Aggregate for Sum {
    type Event = Moved;

    fn apply(&mut self, Moved::By { amount, ballast }: &Moved) {
        self.total = self.total.wrapping_mul(31).wrapping_add(*amount);
        self.events += 1;
        self.ballast = "x".repeat(*ballast as usize);
    }
}

fn sums(store: &Store) -> Repository<Sum> {
    store.repository::<Sum>("sum").snapshot_every(2)
}

fn moved(number: usize, command: Command) -> Moved {
    Moved::By { amount: number as u64, ballast: u32::try_from(command.state_bytes).expect("small") }
}

/// Executes a command. The event's id tells its number.
pub(super) fn execute(store: &Store, number: usize, command: Command) -> annals::Result<()> {
    let decide = |_: &Sum| Ok::<_, Infallible>([moved(number, command)]);
    match sums(store).execute_once(id(number as u64 * 100), command.id, decide) {
        Ok(_) => Ok(()),
        Err(Rejected::Store(error)) => Err(error),
        Err(Rejected::Command(never)) => match never {},
    }
}

/// Holds the event of a command against the command.
pub(super) fn check_event(
    store: &Store,
    event: &annals::RecordedEvent,
    number: usize,
    command: Command,
) -> Result<(), Fault> {
    let value: Moved = store.decode::<Bincode, _>(event).map_err(|error| Fault::Wrong(error.to_string()))?;
    let is_it = value == moved(number, command) && event.stream() == format!("sum-{}", command.id);
    if is_it {
        Ok(())
    } else {
        Err(Fault::Wrong(format!("command {number} is {value:?} in {}", event.stream())))
    }
}

/// Holds the states, which may come from snapshots, against the commands that were found.
pub(super) fn check_states(store: &Store, found: &[(usize, Command)]) -> Result<(), Fault> {
    let mut ids: Vec<&str> = found.iter().map(|(_, command)| command.id).collect();
    ids.sort_unstable();
    ids.dedup();
    for id in ids {
        let mut wanted = Sum::default();
        let of_it = found.iter().filter(|(_, command)| command.id == id);
        of_it.for_each(|(number, command)| wanted.apply(&moved(*number, *command)));
        let loaded =
            sums(store).load(id).map_err(|error| Fault::FalseAlarm(format!("loading {id}: {error}")))?;
        if *loaded.state() != wanted {
            let (got, wanted) = (loaded.state().total, wanted.total);
            return Err(Fault::Wrong(format!("sum {id} is {got}, and {wanted} by its events")));
        }
    }
    Ok(())
}
