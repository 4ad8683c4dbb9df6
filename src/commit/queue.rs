//! The queue of those who wait for an answer, and who of them leads.
//!
//! Invariant: while somebody waits, somebody leads, or has been told to. Whoever leads hands the lead on before it goes.

use std::mem;
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use crate::error::Result;
use crate::types::BatchReceipt;

use super::request::Request;

/// One who waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    request: Mutex<Option<Request>>,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Debug)]
enum State {
    Waiting,
    Leads,
    Answered(Result<BatchReceipt>),
    Gone,
}

/// What a waiter wakes up to.
pub(crate) enum Turn {
    Lead,
    Answer(Result<BatchReceipt>),
}

impl Waiter {
    pub(crate) fn new(request: Request) -> Self {
        Self { request: Mutex::new(Some(request)), state: Mutex::new(State::Waiting), wake: Condvar::new() }
    }

    /// Takes the request, for the one leader who serves it.
    pub(crate) fn take_request(&self) -> Option<Request> {
        self.request.lock().take()
    }

    /// Answers. A second answer is ignored.
    pub(crate) fn answer(&self, answer: Result<BatchReceipt>) {
        let mut state = self.state.lock();
        if matches!(*state, State::Waiting | State::Leads) {
            *state = State::Answered(answer);
            self.wake.notify_one();
        }
    }

    /// The answer, for the leader itself; `None` if nobody gave one.
    pub(crate) fn take_answer(&self) -> Option<Result<BatchReceipt>> {
        match mem::replace(&mut *self.state.lock(), State::Gone) {
            State::Answered(answer) => Some(answer),
            _ => None,
        }
    }

    fn wait(&self) -> Turn {
        let mut state = self.state.lock();
        loop {
            match mem::replace(&mut *state, State::Waiting) {
                State::Answered(answer) => {
                    *state = State::Gone;
                    return Turn::Answer(answer);
                }
                State::Leads => {
                    *state = State::Leads;
                    return Turn::Lead;
                }
                other => *state = other,
            }
            self.wake.wait(&mut state);
        }
    }

    fn lead(&self) {
        let mut state = self.state.lock();
        if matches!(*state, State::Waiting) {
            *state = State::Leads;
            self.wake.notify_one();
        }
    }
}

#[derive(Debug, Default)]
struct Inner {
    waiting: Vec<Arc<Waiter>>,
    led: bool,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    inner: Mutex<Inner>,
}

impl Queue {
    /// Joins, and waits until there is an answer or it is this one's turn to lead.
    pub(crate) fn join(&self, request: Request) -> (Arc<Waiter>, Turn) {
        let waiter = Arc::new(Waiter::new(request));
        let leads = {
            let mut inner = self.inner.lock();
            inner.waiting.push(Arc::clone(&waiter));
            !mem::replace(&mut inner.led, true)
        };
        let turn = if leads { Turn::Lead } else { waiter.wait() };
        (waiter, turn)
    }

    /// All who wait now, for the one who leads.
    pub(crate) fn take_all(&self) -> Vec<Arc<Waiter>> {
        mem::take(&mut self.inner.lock().waiting)
    }

    /// Hands the lead to the one who has waited longest, if anybody waits.
    pub(crate) fn hand_on(&self) {
        let mut inner = self.inner.lock();
        match inner.waiting.first() {
            Some(next) => next.lead(),
            None => inner.led = false,
        }
    }
}
