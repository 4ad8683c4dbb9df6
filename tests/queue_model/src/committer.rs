//! The committer as callers meet it: many threads append, a group fails or its leader panics, somebody closes.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use shuttle::thread;

use crate::commit::{Committer, Disk, Fault, Request, Writer};
use crate::error::ErrorKind;
use crate::explore;
use crate::types::BatchReceipt;

/// Who appends what, and what happens meanwhile.
#[derive(Debug, Clone, Copy)]
struct Scenario {
    callers: usize,
    /// By each.
    appends: usize,
    /// Hits the group of the first caller's last append.
    fault: Option<Fault>,
    closes: bool,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Done(BatchReceipt),
    Failed(ErrorKind),
    /// Its caller led, and met the panic.
    Panicked,
}

impl Scenario {
    const fn new(callers: usize, appends: usize) -> Self {
        Self { callers, appends, fault: None, closes: false }
    }

    fn run(self) {
        parking_lot::take_waited_for::<Writer>();
        let disk = Arc::new(Disk::default());
        let committer = Arc::new(Committer::new(Writer::new(Arc::clone(&disk))));
        let callers: Vec<_> = (0..self.callers)
            .map(|caller| {
                let (committer, disk) = (Arc::clone(&committer), Arc::clone(&disk));
                thread::spawn(move || self.append_all(caller, &committer, &disk))
            })
            .collect();
        if self.closes {
            committer.close().expect("close");
            let on_disk = disk.synced();
            self.check_last(&committer, Answer::Failed(ErrorKind::Closed));
            assert_eq!(disk.synced(), on_disk, "nothing is written after a close");
        }
        // A wake-up that is lost is a caller that never ends: shuttle finds that all wait and fails.
        let answers: Vec<Vec<Answer>> =
            callers.into_iter().map(|caller| caller.join().expect("caller")).collect();
        if !self.closes {
            assert_eq!(parking_lot::take_waited_for::<Writer>(), 0, "one leads at a time");
        }
        self.check(&answers, &disk.synced());
        let poisoned = self.fault.is_some_and(|fault| fault != Fault::WriteFails);
        if poisoned && !self.closes {
            self.check_last(&committer, Answer::Failed(ErrorKind::Poisoned));
        }
    }

    fn append_all(self, caller: usize, committer: &Committer, disk: &Disk) -> Vec<Answer> {
        let append = |number| {
            let fault = self.fault.filter(|_| caller == 0 && number + 1 == self.appends);
            let answer = commit(committer, Request { caller, number, fault });
            if let Answer::Done(receipt) = answer {
                let synced = disk.synced();
                assert_eq!(synced.get(receipt.position), Some(&(caller, number)), "answered before its sync");
            }
            answer
        };
        (0..self.appends).map(append).collect()
    }

    /// Whatever happened, the next one who comes is answered too.
    fn check_last(self, committer: &Committer, expected: Answer) {
        let request = Request { caller: self.callers, number: 0, fault: None };
        assert_eq!(commit(committer, request), expected);
    }

    /// The answers against each other and against what is on disk.
    fn check(self, answers: &[Vec<Answer>], on_disk: &[(usize, usize)]) {
        let written: HashSet<_> = on_disk.iter().copied().collect();
        assert_eq!(written.len(), on_disk.len(), "each append is written once");
        for (caller, answers) in answers.iter().enumerate() {
            assert_eq!(answers.len(), self.appends);
            let numbers = on_disk.iter().filter(|(of, _)| *of == caller).map(|(_, number)| *number);
            assert!(numbers.is_sorted(), "a caller's appends keep their order: {on_disk:?}");
            let mut ended = None;
            for (number, answer) in answers.iter().enumerate() {
                let is_written = written.contains(&(caller, number));
                self.check_answer(*answer, is_written);
                match (ended, answer) {
                    (Some(kind), answer) => assert_eq!(*answer, Answer::Failed(kind), "an end is for good"),
                    (None, Answer::Done(_) | Answer::Failed(ErrorKind::Io)) => {}
                    (None, Answer::Failed(ErrorKind::Closed)) => ended = Some(ErrorKind::Closed),
                    (None, _) if self.closes => {}
                    (None, _) => ended = Some(ErrorKind::Poisoned),
                }
            }
        }
        let panicked = answers.iter().flatten().filter(|answer| **answer == Answer::Panicked).count();
        let panics = self.fault.is_some_and(Fault::is_panic);
        assert!(panicked <= usize::from(panics) && (self.closes || panicked == usize::from(panics)));
    }

    fn check_answer(self, answer: Answer, is_written: bool) {
        let fault = self.fault;
        match answer {
            Answer::Done(_) => assert!(is_written),
            Answer::Failed(ErrorKind::Indeterminate) => {
                assert!(fault.is_some_and(|fault| fault != Fault::WriteFails));
                assert!(!is_written || fault == Some(Fault::PanicWhileAnswering));
            }
            Answer::Failed(kind) => {
                assert!(!is_written, "refused and written: {kind:?}");
                match kind {
                    ErrorKind::Io => assert_eq!(fault, Some(Fault::WriteFails)),
                    ErrorKind::Poisoned => assert!(fault.is_some_and(|fault| fault != Fault::WriteFails)),
                    ErrorKind::Closed => assert!(self.closes),
                    ErrorKind::Indeterminate => unreachable!("seen to above"),
                }
            }
            Answer::Panicked => {}
        }
    }
}

impl Fault {
    const PANICS: [Self; 3] = [Self::PanicWhileTaking, Self::PanicBeforeSync, Self::PanicWhileAnswering];

    fn is_panic(self) -> bool {
        Self::PANICS.contains(&self)
    }
}

fn commit(committer: &Committer, request: Request) -> Answer {
    match catch_unwind(AssertUnwindSafe(|| committer.commit(request))) {
        Ok(Ok(receipt)) => Answer::Done(receipt),
        Ok(Err(error)) => Answer::Failed(error.kind()),
        // A failed assertion, or shuttle's own panic at a deadlock, is not the one that the scenario asked for.
        Err(panic) if panic.is::<Fault>() => Answer::Panicked,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn assert_whichever_way_they_are_preempted(scenario: Scenario, preemptions: usize) {
    explore::with_preemptions(preemptions, &format!("{scenario:?}"), move || scenario.run());
}

#[test]
fn everyone_is_answered_once_after_the_sync_whichever_way_they_are_preempted() {
    for (callers, appends, preemptions) in [(2, 1, 3), (2, 2, 2), (3, 1, 1)] {
        assert_whichever_way_they_are_preempted(Scenario::new(callers, appends), preemptions);
    }
}

#[test]
fn a_group_that_fails_or_a_leader_that_panics_leaves_nobody_waiting_whichever_way_they_are_preempted() {
    for fault in Fault::PANICS.into_iter().chain([Fault::WriteFails, Fault::SyncFails]) {
        for (callers, appends, preemptions) in [(2, 2, 1), (3, 1, 1)] {
            let scenario = Scenario { fault: Some(fault), ..Scenario::new(callers, appends) };
            assert_whichever_way_they_are_preempted(scenario, preemptions);
        }
    }
}

#[test]
fn a_close_beside_appends_answers_everyone_whichever_way_they_are_preempted() {
    assert_whichever_way_they_are_preempted(Scenario { closes: true, ..Scenario::new(2, 1) }, 2);
}

#[test]
fn everyone_is_answered_once_in_order_and_after_the_sync() {
    for (callers, appends) in [(2, 4), (3, 2), (5, 2)] {
        explore::sampled(move || Scenario::new(callers, appends).run());
    }
}

#[test]
fn a_group_that_fails_is_told_to_all_of_it_and_ends_what_it_must() {
    for fault in [Fault::WriteFails, Fault::SyncFails] {
        explore::sampled(move || Scenario { fault: Some(fault), ..Scenario::new(4, 3) }.run());
    }
}

#[test]
fn a_leader_that_panics_leaves_nobody_waiting() {
    for fault in Fault::PANICS {
        explore::sampled(move || Scenario { fault: Some(fault), ..Scenario::new(4, 2) }.run());
    }
}

#[test]
fn a_close_beside_appends_answers_everyone() {
    explore::sampled(|| Scenario { closes: true, ..Scenario::new(4, 2) }.run());
    for fault in [Fault::SyncFails, Fault::PanicBeforeSync] {
        explore::sampled(move || Scenario { fault: Some(fault), closes: true, ..Scenario::new(3, 2) }.run());
    }
}
