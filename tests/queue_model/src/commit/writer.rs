//! `Writer`: a stand-in for the one who writes. It serves a group in the steps of the real one - take, judge, write, sync,
//! answer - on a disk that is a list, and others may go on between any two of them.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, ErrorKind, Result};
use crate::segment::Segment;
use crate::types::BatchReceipt;

use super::backlog::Backlog;
use super::queue::Waiter;
use super::request::{Fault, Request};

/// What is on disk, for the test to look at: locked for moments, and by no lock of the model.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    /// Caller and number, in the order written.
    synced: Mutex<Vec<(usize, usize)>>,
}

impl Disk {
    pub(crate) fn synced(&self) -> Vec<(usize, usize)> {
        self.synced.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sync(&self, written: &[(usize, usize)]) -> usize {
        let mut synced = self.synced.lock().unwrap_or_else(PoisonError::into_inner);
        synced.extend_from_slice(written);
        synced.len() - written.len()
    }
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Open,
    Poisoned,
    Closed,
}

#[derive(Debug)]
pub(crate) struct Writer {
    disk: Arc<Disk>,
    state: State,
    pub(crate) backlog: Arc<Backlog>,
}

/// Nobody waits for events here: `waiting.rs` has a model of its own.
pub(crate) struct News;

impl News {
    pub(crate) fn tell(self) {}
}

impl Writer {
    pub(crate) fn new(disk: Arc<Disk>) -> Self {
        Self { disk, state: State::Open, backlog: Arc::default() }
    }

    pub(crate) fn serve(&mut self, waiters: &[Arc<Waiter>]) -> News {
        let mut group: Vec<(&Waiter, Request)> = Vec::new();
        for waiter in waiters {
            let request = waiter.take_request().expect("a request is served once");
            match self.check_open() {
                Ok(()) => group.push((waiter, request)),
                Err(error) => waiter.answer(Err(error)),
            }
            fail_at(Fault::PanicWhileTaking, &group);
        }
        self.finish(&group);
        News
    }

    fn finish(&mut self, group: &[(&Waiter, Request)]) {
        let answer_all = |kind| group.iter().for_each(|(waiter, _)| waiter.answer(Err(Error::new(kind, ""))));
        let fails = |fault| group.iter().any(|(_, request)| request.fault == Some(fault));
        if fails(Fault::WriteFails) {
            return answer_all(ErrorKind::Io);
        }
        fail_at(Fault::PanicBeforeSync, group);
        // The sync takes long: the others run meanwhile, and must not be answered.
        shuttle::thread::yield_now();
        if fails(Fault::SyncFails) {
            self.poison(Error::new(ErrorKind::Indeterminate, ""));
            return answer_all(ErrorKind::Indeterminate);
        }
        let written: Vec<_> = group.iter().map(|(_, request)| (request.caller, request.number)).collect();
        let first = self.disk.sync(&written);
        for (at, (waiter, _)) in group.iter().enumerate() {
            waiter.answer(Ok(BatchReceipt { position: first + at }));
            fail_at(Fault::PanicWhileAnswering, group);
        }
    }

    pub(crate) fn poison(&mut self, _first: Error) {
        if matches!(self.state, State::Open) {
            self.state = State::Poisoned;
        }
    }

    fn check_open(&self) -> Result<()> {
        match self.state {
            State::Open => Ok(()),
            State::Poisoned => Err(Error::new(ErrorKind::Poisoned, "")),
            State::Closed => Err(Error::new(ErrorKind::Closed, "")),
        }
    }

    /// The real one looks whether the store is where it was.
    pub(crate) fn check_home(&mut self) -> Result<()> {
        self.check_open()
    }

    /// The real one asks its files.
    pub(crate) fn unsealed_bytes(&self) -> u64 {
        self.backlog.files()
    }

    /// The real one begins a new file.
    pub(crate) fn end_file(&mut self) -> Result<u64> {
        self.check_open()?;
        self.backlog.grow();
        Ok(self.backlog.files())
    }

    /// The real one writes the manifest.
    pub(crate) fn publish_segment(&mut self, _: Arc<Segment>) -> Result<()> {
        self.check_open()?;
        self.backlog.shrink();
        Ok(())
    }

    pub(crate) fn close(&mut self) -> Result<()> {
        self.state = State::Closed;
        Ok(())
    }
}

/// Panics if an append of the group asks for it: without a message, since the panic is part of the test.
fn fail_at(fault: Fault, group: &[(&Waiter, Request)]) {
    if group.iter().any(|(_, request)| request.fault == Some(fault)) {
        resume_unwind(Box::new(fault));
    }
}
