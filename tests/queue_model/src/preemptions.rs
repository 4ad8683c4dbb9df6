//! `Preemptions`: a scheduler for shuttle that tries every schedule with up to so many preemptions, one after the other.
//!
//! A preemption is a switch away from a thread that could have gone on. Switches at a wait, at a yield and at a thread's
//! end are free. What goes wrong between threads mostly goes wrong with two preemptions or fewer, and without a bound
//! three threads have more schedules than can be tried.

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};

#[derive(Debug)]
pub(crate) struct Preemptions {
    most: usize,
    /// In this execution, so far.
    made: usize,
    /// The choices on the way through the last execution.
    path: Vec<Choice>,
    /// How many of them this execution has taken.
    taken: usize,
    started: bool,
}

/// Who could go on at one point.
#[derive(Debug)]
struct Choice {
    tasks: Vec<TaskId>,
    /// Who did; those before were tried.
    chosen: usize,
}

impl Preemptions {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, made: 0, path: Vec::new(), taken: 0, started: false }
    }
}

impl Scheduler for Preemptions {
    fn new_execution(&mut self) -> Option<Schedule> {
        if self.started {
            // Back to the last point where somebody was not tried.
            while self.path.last().is_some_and(|choice| choice.chosen + 1 == choice.tasks.len()) {
                self.path.pop();
            }
            self.path.last_mut()?.chosen += 1;
        }
        (self.started, self.taken, self.made) = (true, 0, 0);
        Some(Schedule::new(0))
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let ids: Vec<TaskId> = runnable.iter().map(|task| task.id()).collect();
        let goes_on = current.filter(|current| !is_yielding && ids.contains(current));
        if self.taken == self.path.len() {
            let tasks = match goes_on {
                Some(current) if self.made == self.most => vec![current],
                // To go on costs nothing, so it comes first.
                _ => {
                    let others = ids.iter().filter(|id| Some(**id) != goes_on);
                    goes_on.iter().chain(others).copied().collect()
                }
            };
            self.path.push(Choice { tasks, chosen: 0 });
        }
        let choice = &self.path[self.taken];
        let next = choice.tasks[choice.chosen];
        assert!(ids.contains(&next), "the same choices lead to the same point");
        self.taken += 1;
        self.made += usize::from(goes_on.is_some_and(|current| current != next));
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("a scenario draws no numbers")
    }
}
