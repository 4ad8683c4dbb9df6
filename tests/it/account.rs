//! A bank account as the tests of aggregates and snapshots use it, which counts what it applies.

use std::cell::Cell;
use std::path::Path;

use annals::{Aggregate, Maintenance, Options, Store};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum AccountEvent {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}
pub(crate) use AccountEvent::{Deposited, Withdrawn};

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) cents: i64,
    pub(crate) events: u64,
}

#[derive(Debug, PartialEq)]
pub(crate) struct NotEnough {
    pub(crate) missing: i64,
}

thread_local! {
    static APPLIED: Cell<u64> = const { Cell::new(0) };
}

/// How many events `work` applied in this thread.
pub(crate) fn applied(work: impl FnOnce()) -> u64 {
    let before = APPLIED.get();
    work();
    APPLIED.get() - before
}

impl Aggregate for Account {
    type Event = AccountEvent;

    fn apply(&mut self, event: &AccountEvent) {
        APPLIED.set(APPLIED.get() + 1);
        self.events += 1;
        match event {
            Deposited { cents } => self.cents += cents,
            Withdrawn { cents } => self.cents -= cents,
        }
    }
}

impl Account {
    pub(crate) fn deposit(&self, cents: i64) -> Result<[AccountEvent; 1], NotEnough> {
        Ok([Deposited { cents }])
    }

    pub(crate) fn withdraw(&self, cents: i64) -> Result<[AccountEvent; 1], NotEnough> {
        if cents > self.cents {
            return Err(NotEnough { missing: cents - self.cents });
        }
        Ok([Withdrawn { cents }])
    }
}

/// A store without a thread of its own and with small files.
pub(crate) fn open(path: &Path) -> Store {
    Options::new().maintenance(Maintenance::Inline).journal_file_bytes(64 << 10).open(path).expect("open")
}

/// Events that deposit 1, 2, 3, … cents.
pub(crate) fn deposits(range: std::ops::RangeInclusive<i64>) -> Vec<AccountEvent> {
    range.map(|cents| Deposited { cents }).collect()
}
