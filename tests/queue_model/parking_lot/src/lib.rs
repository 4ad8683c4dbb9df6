//! What `src/commit` uses of parking_lot, over shuttle's locks: each lock, wait and wake-up is a point where another thread
//! may go on. As in parking_lot, a panic does not poison a lock.
//!
//! It also counts who had to wait for a lock, by the type that the lock guards: where one leads at a time, nobody waits
//! for the writer.

use std::any::type_name;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use shuttle::sync;

thread_local! {
    /// All threads of a model run on one thread of the operating system.
    static WAITED: RefCell<BTreeMap<&'static str, u64>> = const { RefCell::new(BTreeMap::new()) };
}

/// How often somebody met a held lock that guards a `T`, on this thread, since this was asked last.
pub fn take_waited_for<T>() -> u64 {
    WAITED.with_borrow_mut(|waited| waited.remove(type_name::<T>()).unwrap_or_default())
}

/// A lock.
pub struct Mutex<T> {
    inner: sync::Mutex<T>,
    held: AtomicBool,
}

/// A held lock; dropping it frees it.
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    /// `None` only while it waits on a [`Condvar`].
    inner: Option<sync::MutexGuard<'a, T>>,
}

impl<T> Mutex<T> {
    pub fn new(value: T) -> Self {
        Self { inner: sync::Mutex::new(value), held: AtomicBool::new(false) }
    }

    pub fn lock(&self) -> MutexGuard<'_, T> {
        if self.held.load(Ordering::SeqCst) {
            WAITED.with_borrow_mut(|waited| *waited.entry(type_name::<T>()).or_default() += 1);
        }
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        self.held.store(true, Ordering::SeqCst);
        MutexGuard { mutex: self, inner: Some(inner) }
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.inner.as_deref().expect("a guard in use is no guard that waits")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.inner.as_deref_mut().expect("a guard in use is no guard that waits")
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.mutex.held.store(false, Ordering::SeqCst);
    }
}

/// Whether a wait ended because its time was over.
pub struct WaitTimeoutResult;

impl WaitTimeoutResult {
    pub fn timed_out(&self) -> bool {
        false
    }
}

/// Where threads wait until they are woken.
#[derive(Default)]
pub struct Condvar {
    inner: sync::Condvar,
}

impl Condvar {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let inner = guard.inner.take().expect("a guard in use is no guard that waits");
        guard.mutex.held.store(false, Ordering::SeqCst);
        guard.inner = Some(self.inner.wait(inner).unwrap_or_else(PoisonError::into_inner));
        guard.mutex.held.store(true, Ordering::SeqCst);
    }

    /// Waits until it is woken: in the model no time passes.
    pub fn wait_until<T>(&self, guard: &mut MutexGuard<'_, T>, _: Instant) -> WaitTimeoutResult {
        self.wait(guard);
        WaitTimeoutResult
    }

    pub fn notify_one(&self) {
        self.inner.notify_one();
    }

    pub fn notify_all(&self) {
        self.inner.notify_all();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Condvar")
    }
}
