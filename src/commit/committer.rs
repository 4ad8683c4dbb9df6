//! `Committer`: the way in. A caller joins the queue, and is answered or leads.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::{Error, ErrorKind, Result};
use crate::segment::Segment;
use crate::types::BatchReceipt;

use super::backlog::Backlog;
use super::queue::{Queue, Turn, Waiter};
use super::request::Request;
use super::writer::Writer;

#[derive(Debug)]
pub(crate) struct Committer {
    queue: Queue,
    backlog: Arc<Backlog>,
    writer: Mutex<Writer>,
}

impl Committer {
    pub(crate) fn new(writer: Writer) -> Self {
        Self { queue: Queue::default(), backlog: Arc::clone(&writer.backlog), writer: Mutex::new(writer) }
    }

    /// Appends, and answers when it is as durable as was asked for.
    pub(crate) fn commit(&self, request: Request) -> Result<BatchReceipt> {
        // Before anybody else waits for this one: whoever seals needs the writer.
        self.backlog.wait();
        let (waiter, turn) = self.queue.join(request);
        match turn {
            Turn::Answer(answer) => answer,
            Turn::Lead => {
                let mut lead = Lead { committer: self, waiters: self.queue.take_all(), served: false };
                // The lock is held across the write and the sync: it is what makes this the one writer.
                let news = self.writer.lock().serve(&lead.waiters);
                lead.served = true;
                drop(lead);
                news.tell();
                waiter.take_answer().unwrap_or_else(|| Err(unanswered()))
            }
        }
    }

    /// Whether the store's path still names this store.
    pub(crate) fn check_in_place(&self) -> Result<()> {
        self.writer.lock().check_home()
    }

    /// Bytes of the journal that hold frames, about: full files count whole.
    pub(crate) fn unsealed_bytes(&self) -> u64 {
        self.writer.lock().unsealed_bytes()
    }

    /// Begins a new file if the current one holds commits, after whoever leads now. How many files are to be sealed then.
    pub(crate) fn end_file(&self) -> Result<u64> {
        self.writer.lock().end_file()
    }

    /// Makes a segment part of the store in place of the oldest journal file, after whoever leads now.
    pub(crate) fn publish(&self, segment: Arc<Segment>) -> Result<()> {
        // The lock is held across the manifest's replacement: it is the writer's.
        self.writer.lock().publish_segment(segment)
    }

    /// Ends the journal cleanly, after whoever leads now.
    pub(crate) fn close(&self) -> Result<()> {
        self.writer.lock().close()
    }
}

/// The time in which one caller leads. However it ends, everyone in its group is answered and the lead is handed on.
struct Lead<'a> {
    committer: &'a Committer,
    waiters: Vec<Arc<Waiter>>,
    /// Whether serving came to its end. It does not when it panics.
    served: bool,
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        if !self.served {
            let first = Error::new(ErrorKind::Indeterminate, "a panic while a group was written");
            self.committer.writer.lock().poison(first);
        }
        for waiter in &self.waiters {
            // Those who were answered stay answered.
            waiter.answer(Err(unanswered()));
        }
        self.committer.queue.hand_on();
    }
}

fn unanswered() -> Error {
    Error::new(
        ErrorKind::Indeterminate,
        "the append may be on disk or not: writing its group ended in a panic",
    )
}
