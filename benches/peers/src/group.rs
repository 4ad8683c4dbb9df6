//! Group commit for engines that have none: callers queue, the first of them leads, takes all that wait and commits them
//! in one transaction; meanwhile the next group gathers.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use parking_lot::{Condvar, Mutex};

use crate::engine::Appends;
use crate::model::{Answer, Request};

/// The writing side of an engine.
pub(crate) trait Writer: Send {
    /// Judges the requests one after another, each against what those before it left, and makes all that hold durable
    /// together. One answer a request, in order.
    fn commit(&mut self, requests: &[Request]) -> Result<Vec<Answer>>;

    /// How many events there are.
    fn events(&self) -> u64;
}

/// A queue in front of a writer.
pub(crate) struct GroupCommit<W> {
    queue: Mutex<Queue>,
    writer: Mutex<W>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<(Arc<Slot>, Request)>,
    is_led: bool,
}

/// Where one caller waits. Its own, so that nobody is woken for another's answer.
#[derive(Default)]
struct Slot {
    told: Mutex<Option<Told>>,
    wake: Condvar,
}

enum Told {
    Answer(Result<Answer>),
    Lead,
}

impl Slot {
    fn tell(&self, told: Told) {
        *self.told.lock() = Some(told);
        self.wake.notify_one();
    }

    fn wait(&self) -> Told {
        let mut told = self.told.lock();
        loop {
            if let Some(told) = told.take() {
                return told;
            }
            self.wake.wait(&mut told);
        }
    }
}

impl<W: Writer> GroupCommit<W> {
    pub(crate) fn new(writer: W) -> Self {
        Self { queue: Mutex::default(), writer: Mutex::new(writer) }
    }

    /// The writer, for what else is to be done with it.
    pub(crate) fn writer(&self) -> parking_lot::MutexGuard<'_, W> {
        self.writer.lock()
    }

    /// The writer, when nobody else has the queue any more.
    pub(crate) fn into_writer(self) -> W {
        self.writer.into_inner()
    }

    fn lead(&self, own: &Arc<Slot>) -> Result<Answer> {
        let (slots, requests): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.queue.lock().waiting).into_iter().unzip();
        let answers = self.writer.lock().commit(&requests);
        let failure = answers.as_ref().err().map(|error| format!("{error:#}"));
        let mut answers = answers.unwrap_or_default().into_iter();
        let mut own_answer = None;
        for slot in &slots {
            let answer = match &failure {
                Some(failure) => Err(anyhow!("{failure}")),
                None => answers.next().context("a request was left without an answer"),
            };
            if Arc::ptr_eq(slot, own) {
                own_answer = Some(answer);
            } else {
                slot.tell(Told::Answer(answer));
            }
        }
        // Only now: those who were answered can queue again for the group that is about to be taken.
        self.hand_over();
        own_answer.context("the leader was not in its own group")?
    }

    /// Lets the first of those who came meanwhile lead.
    fn hand_over(&self) {
        let mut queue = self.queue.lock();
        match queue.waiting.first() {
            Some((next, _)) => next.tell(Told::Lead),
            None => queue.is_led = false,
        }
    }
}

impl<W: Writer> Appends for GroupCommit<W> {
    /// In a group with those that come at the same time.
    fn append(&self, request: Request) -> Result<Answer> {
        let slot = Arc::new(Slot::default());
        let mut queue = self.queue.lock();
        queue.waiting.push((Arc::clone(&slot), request));
        let is_follower = queue.is_led;
        queue.is_led = true;
        drop(queue);
        if is_follower && let Told::Answer(answer) = slot.wait() {
            return answer;
        }
        self.lead(&slot)
    }

    /// All in one group, past the queue.
    fn fill(&self, requests: Vec<Request>) -> Result<()> {
        self.writer.lock().commit(&requests).map(drop)
    }

    fn events(&self) -> u64 {
        self.writer.lock().events()
    }
}
