//! `Clock`: where recorded_at comes from. It decides nothing about order or durability.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::types::Timestamp;

/// Tells the time at which commits are recorded.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now. It may stand still or run backwards: the store holds recorded_at at its last value then.
    fn now(&self) -> Timestamp;
}

/// A shared clock: a test keeps one handle to move the time, the store has the other.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicI64, Ordering};
/// use annals::disk::Clock;
/// use annals::{ExpectedVersion, NewEvent, Options, Timestamp};
///
/// #[derive(Debug, Default)]
/// struct Hands(AtomicI64);
///
/// impl Clock for Hands {
///     fn now(&self) -> Timestamp {
///         Timestamp::from_micros(self.0.load(Ordering::Relaxed))
///     }
/// }
///
/// # let dir = tempfile::tempdir()?;
/// let hands = Arc::new(Hands::default());
/// let store = Options::new().clock(Arc::clone(&hands)).open(dir.path().join("bank"))?;
/// hands.0.store(7, Ordering::Relaxed);
/// let receipt = store.stream("account-1")?.append_raw(ExpectedVersion::Any, [NewEvent::new("Opened", *b"")?])?;
/// assert_eq!(receipt.recorded_at(), Timestamp::from_micros(7));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
impl<C: Clock + ?Sized> Clock for Arc<C> {
    fn now(&self) -> Timestamp {
        C::now(self)
    }
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }
}
