//! `Aggregate`: what a type does to be rebuilt from events. One method.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A state that is rebuilt from its events, oldest first, starting from [`Default`].
///
/// ```
/// use annals::Aggregate;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// enum AccountEvent { Deposited { cents: i64 }, Withdrawn { cents: i64 } }
///
/// #[derive(Default)]
/// struct Account { cents: i64 }
///
/// impl Aggregate for Account {
///     type Event = AccountEvent;
///     fn apply(&mut self, event: &AccountEvent) {
///         match event {
///             AccountEvent::Deposited { cents } => self.cents += cents,
///             AccountEvent::Withdrawn { cents } => self.cents -= cents,
///         }
///     }
/// }
///
/// let mut account = Account::default();
/// account.apply(&AccountEvent::Deposited { cents: 500 });
/// assert_eq!(account.cents, 500);
/// ```
pub trait Aggregate: Default {
    /// What happens to it.
    type Event: Serialize + DeserializeOwned;

    /// To be raised when states folded before are of no use any more: when the fields of the type change, when `apply`
    /// or an upcaster gives another state for the same events. Snapshots of another schema are ignored and written anew.
    const SNAPSHOT_SCHEMA: u32 = 1;

    /// Takes in an event. It has happened: there is nothing to refuse, only to follow. The same events must give the
    /// same state every time, so it asks no clock and no other source.
    fn apply(&mut self, event: &Self::Event);
}
