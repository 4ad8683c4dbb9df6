//! Tests of aggregates in three steps: what had happened, what is decided, what follows. No store, no disk.
//!
//! ```
//! use annals::Aggregate;
//! use annals::testing::given;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! enum AccountEvent { Deposited { cents: i64 }, Withdrawn { cents: i64 } }
//! use AccountEvent::{Deposited, Withdrawn};
//!
//! #[derive(Default)]
//! struct Account { cents: i64 }
//!
//! impl Aggregate for Account {
//!     type Event = AccountEvent;
//!     fn apply(&mut self, event: &AccountEvent) {
//!         match event {
//!             Deposited { cents } => self.cents += cents,
//!             Withdrawn { cents } => self.cents -= cents,
//!         }
//!     }
//! }
//!
//! impl Account {
//!     fn withdraw(&self, cents: i64) -> Result<[AccountEvent; 1], &'static str> {
//!         if cents > self.cents { Err("not enough") } else { Ok([Withdrawn { cents }]) }
//!     }
//! }
//!
//! given([Deposited { cents: 500 }])
//!     .when(|account: &Account| account.withdraw(120))
//!     .then([Withdrawn { cents: 120 }])
//!     .then_state(|account| assert_eq!(account.cents, 380));
//!
//! given([Deposited { cents: 500 }])
//!     .when(|account: &Account| account.withdraw(501))
//!     .then_rejected("not enough");
//! ```

use std::fmt::Debug;

use super::Aggregate;

/// What had happened before: begins a scenario. `given([])` for nothing.
pub fn given<E>(events: impl IntoIterator<Item = E>) -> Given<E> {
    Given { events: events.into_iter().collect() }
}

/// Events that had happened.
#[derive(Debug, Clone)]
#[must_use = "a scenario checks nothing before `then`"]
pub struct Given<E> {
    events: Vec<E>,
}

/// What a decision led to.
#[derive(Debug)]
pub struct When<A: Aggregate, R> {
    /// The state after the decision; as it was before when the decision was a refusal.
    state: A,
    decided: Result<Vec<A::Event>, R>,
}

impl<E> Given<E> {
    /// Decides on the state that the events give.
    #[must_use = "a scenario checks nothing before `then`"]
    pub fn when<A, I, R>(self, decide: impl FnOnce(&A) -> Result<I, R>) -> When<A, R>
    where
        A: Aggregate<Event = E>,
        I: IntoIterator<Item = E>,
    {
        let mut state: A = self.fold();
        let decided = decide(&state).map(|events| events.into_iter().collect::<Vec<E>>());
        decided.iter().flatten().for_each(|event| state.apply(event));
        When { state, decided }
    }

    /// Shows the state that the events give to `check`, which asserts what it likes.
    #[track_caller]
    pub fn then_state<A: Aggregate<Event = E>>(self, check: impl FnOnce(&A)) {
        check(&self.fold());
    }

    fn fold<A: Aggregate<Event = E>>(self) -> A {
        let mut state = A::default();
        self.events.iter().for_each(|event| state.apply(event));
        state
    }
}

impl<A: Aggregate, R> When<A, R> {
    /// Asserts that exactly these events follow.
    ///
    /// # Panics
    /// When others follow, or the decision was a refusal.
    #[track_caller]
    pub fn then(self, events: impl IntoIterator<Item = A::Event>) -> Self
    where
        A::Event: Debug + PartialEq,
        R: Debug,
    {
        let expected: Vec<A::Event> = events.into_iter().collect();
        match &self.decided {
            Ok(decided) => assert!(
                *decided == expected,
                "other events follow\n  expected: {expected:?}\n   decided: {decided:?}"
            ),
            Err(refused) => {
                panic!("the command was rejected\n  expected: {expected:?}\n  rejected: {refused:?}")
            }
        }
        self
    }

    /// Asserts that the decision was this refusal.
    ///
    /// # Panics
    /// When it was another one, or events follow.
    #[track_caller]
    pub fn then_rejected(self, reason: impl Into<R>) -> Self
    where
        A::Event: Debug,
        R: Debug + PartialEq,
    {
        let reason = reason.into();
        match &self.decided {
            Err(refused) => assert!(
                *refused == reason,
                "the command was rejected for another reason\n  expected: {reason:?}\n  rejected: {refused:?}"
            ),
            Ok(decided) => {
                panic!("the command was not rejected\n  expected: {reason:?}\n   decided: {decided:?}")
            }
        }
        self
    }

    /// Shows the state after the decision to `check`, which asserts what it likes. After a refusal it is the state before.
    #[track_caller]
    pub fn then_state(self, check: impl FnOnce(&A)) -> Self {
        check(&self.state);
        self
    }
}
