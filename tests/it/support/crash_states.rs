//! `CrashStates`: the disks that power cuts leave at every call of a history, each opened and held against the history;
//! and those that power cuts leave at every call of that opening, and once more.

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::runner::{Moment, Runner};
use super::steps::{self, Step};
use super::{Fault, Keep, Rng, SimDisk};

/// How many power cuts follow one another at most.
pub(crate) const DEPTH_MAX: usize = 3;

/// Judges one crash state: what leads back to it, and the case.
pub(crate) type Judge<'a> = &'a mut dyn FnMut(&dyn fmt::Display, &mut dyn FnMut() -> Result<(), Fault>);

/// How much is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Every subset of what is pending is taken where there are no more than so many.
    pub(crate) subsets_max: u64,
    /// Else so many by chance.
    pub(crate) samples: u64,
    /// One in so many crash states is crashed again while it recovers.
    pub(crate) again_one_in: u64,
}

/// The crash states of one history.
pub(crate) struct CrashStates<'a> {
    effort: Effort,
    journal_file_bytes: u64,
    rng: Rng,
    judge: Judge<'a>,
    /// What was looked at already: other subsets, and crashes at other calls, may leave the same.
    seen: HashSet<u64>,
    /// How many were looked at, by the number of power cuts.
    pub(crate) counts: [u64; DEPTH_MAX],
    /// At how many calls the power was cut, by the number of power cuts; and at how many of them in every way there is.
    pub(crate) moments: [u64; DEPTH_MAX],
    pub(crate) in_every_way: u64,
}

impl<'a> CrashStates<'a> {
    pub(crate) fn new(effort: Effort, journal_file_bytes: u64, rng: Rng, judge: Judge<'a>) -> Self {
        let (seen, counts, moments) = (HashSet::new(), [0; DEPTH_MAX], [0; DEPTH_MAX]);
        Self { effort, journal_file_bytes, rng, judge, seen, counts, moments, in_every_way: 0 }
    }

    /// Takes the steps on a disk, and cuts the power at every call.
    pub(crate) fn of(&mut self, disk: SimDisk, steps: &[Step], name: &str, goes_on: &dyn Fn() -> bool) {
        let mut moments = Vec::new();
        (self.judge)(&name, &mut || {
            let runner = Runner::new(disk.clone()).journal_file_bytes(self.journal_file_bytes).recorded();
            let ran = runner.run(steps).map(drop);
            moments = runner.into_moments();
            ran
        });
        for (number, moment) in moments.iter().enumerate() {
            if !goes_on() {
                return;
            }
            let name = format!("{name}, call {number} of {} ({})", moments.len(), Told(moment));
            self.crash(moment, &[], 0, &name);
        }
    }

    /// All that a power cut may leave of a moment, or a part of it.
    fn crash(&mut self, moment: &Moment, cut: &[Arc<Vec<u8>>], depth: usize, name: &str) {
        self.moments[depth] += 1;
        let (subsets_max, samples) = match depth {
            0 => (self.effort.subsets_max, self.effort.samples),
            _ => (8, 3),
        };
        // The process alone may die: all is there then, and as little of it is durable as before.
        self.look(moment, moment.disk.kill(), cut, depth, &format_args!("{name}, killed"));
        let keeps: Vec<Keep> = match moment.disk.crash_states() {
            Some(states) if states <= subsets_max => {
                self.in_every_way += u64::from(depth == 0);
                (0..states).map(Keep::Subset).collect()
            }
            _ => {
                let by_chance = (0..samples).map(|_| Keep::Some(Rng::new(self.rng.next())));
                [Keep::Nothing, Keep::Everything].into_iter().chain(by_chance).collect()
            }
        };
        for keep in keeps {
            let name = format!("{name}, {keep:?}");
            self.look(moment, moment.disk.crash(keep), cut, depth, &name);
        }
    }

    /// Opens what a crash has left, holds it against what was known, and goes on with it.
    fn look(
        &mut self,
        moment: &Moment,
        left: SimDisk,
        cut: &[Arc<Vec<u8>>],
        depth: usize,
        name: &dyn fmt::Display,
    ) {
        let is_killed = left.has_pending();
        let mut hasher = DefaultHasher::new();
        left.hash_into(&mut hasher);
        moment.history.fates().for_each(|fate| fate.hash(&mut hasher));
        if !self.seen.insert(hasher.finish()) {
            return;
        }
        self.counts[depth] += 1;
        let one_in = if is_killed { self.effort.again_one_in.div_ceil(4) } else { self.effort.again_one_in };
        let again = depth + 1 < DEPTH_MAX && self.rng.chance(one_in);
        let (mut moments, mut cut_now) = (Vec::new(), None);
        (self.judge)(name, &mut || {
            let runner = Runner::resume(left.clone(), moment.history.clone())
                .journal_file_bytes(self.journal_file_bytes)
                .cut(cut.to_vec());
            let runner = if again { runner.recorded() } else { runner };
            cut_now = runner.run(&steps::afterwards())?;
            moments = runner.into_moments();
            Ok(())
        });
        // What a process left that was killed alone may be lost by the next power cut, before it is copied.
        let cut_now = cut_now.filter(|_| !is_killed);
        let cut: Vec<_> = cut.iter().cloned().chain(cut_now).collect();
        for (number, moment) in moments.iter().enumerate() {
            let name = format!("{name}, then at call {number} ({})", Told(moment));
            self.crash(moment, &cut, depth + 1, &name);
        }
    }
}

/// The call of a moment.
struct Told<'a>(&'a Moment);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.call {
            Some(call) => write!(f, "{:?} {}", call.kind, call.path.display()),
            None => f.write_str("the end"),
        }
    }
}
