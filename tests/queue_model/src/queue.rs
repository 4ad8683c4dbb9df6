//! The queue alone: one leads at a time, and everyone who joined is answered or leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::thread;

use crate::commit::{Queue, Request, Turn};
use crate::explore;
use crate::types::BatchReceipt;

/// Each of so many threads joins so often. Whoever leads answers all who wait.
fn join_and_lead(threads: usize, joins: usize) {
    let queue = Arc::new(Queue::default());
    let (leading, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let workers: Vec<_> = (0..threads)
        .map(|caller| {
            let (queue, leading, answered) =
                (Arc::clone(&queue), Arc::clone(&leading), Arc::clone(&answered));
            thread::spawn(move || {
                for number in 0..joins {
                    let (waiter, turn) = queue.join(Request { caller, number, fault: None });
                    let answer = match turn {
                        Turn::Answer(answer) => Some(answer),
                        Turn::Lead => {
                            assert_eq!(leading.fetch_add(1, Ordering::SeqCst), 0, "one leads at a time");
                            let led = queue.take_all();
                            assert!(
                                led.iter().any(|one| Arc::ptr_eq(one, &waiter)),
                                "the leader waits as well"
                            );
                            for one in &led {
                                let request = one.take_request().expect("a request is served once");
                                one.answer(Ok(BatchReceipt { position: request.number }));
                            }
                            assert_eq!(leading.fetch_sub(1, Ordering::SeqCst), 1, "one leads at a time");
                            queue.hand_on();
                            waiter.take_answer()
                        }
                    };
                    let receipt = answer.expect("an answer").expect("it went well");
                    assert_eq!(receipt.position, number, "the answer to this request");
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            })
        })
        .collect();
    workers.into_iter().for_each(|worker| worker.join().expect("worker"));
    assert_eq!(answered.load(Ordering::SeqCst), threads * joins, "everyone is answered");
}

#[test]
fn one_leads_at_a_time_and_everyone_is_answered_whichever_way_they_are_preempted() {
    for (threads, joins, preemptions) in [(2, 1, 3), (2, 2, 2), (3, 1, 1)] {
        let what = format!("queue, {threads} threads, {joins} appends each");
        explore::with_preemptions(preemptions, &what, move || join_and_lead(threads, joins));
    }
}

#[test]
fn one_leads_at_a_time_and_everyone_is_answered() {
    explore::sampled(|| join_and_lead(2, 4));
    explore::sampled(|| join_and_lead(4, 2));
}
