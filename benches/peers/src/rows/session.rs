//! What all rows share: the stores of one data set, the workers on them, and the turns they take.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::args::Args;
use crate::figures::{Cell, Row, Unit};
use crate::kind::Kind;
use crate::model::Mode;
use crate::plan::Plan;
use crate::process::Worker;
use crate::protocol::{Done, Work};

use super::names;

/// One data set's stores, and the rows measured on them.
pub(super) struct Session<'a> {
    pub(super) args: &'a Args,
    pub(super) plan: Plan,
    dir: PathBuf,
    rows: Vec<Row>,
}

impl<'a> Session<'a> {
    /// Nothing measured yet.
    pub(super) fn new(args: &'a Args, plan: Plan, dir: &Path) -> Self {
        Self { args, plan, dir: dir.to_owned(), rows: Vec::new() }
    }

    /// What was measured.
    pub(super) fn into_rows(self) -> Vec<Row> {
        self.rows
    }

    /// Whether any of these rows is asked for.
    pub(super) fn wants(&self, rows: &[&str]) -> bool {
        let is_measured = |row: &str| !self.plan.is_brief || names::BRIEF.contains(&row);
        rows.iter().any(|row| is_measured(row) && self.args.wants(row))
    }

    /// Where an engine keeps a store of this name.
    pub(super) fn store(&self, name: &str, kind: Kind) -> Result<PathBuf> {
        let dir = self.dir.join(name).join(kind.name());
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    pub(super) fn start(&self, name: &str, kind: Kind, mode: Mode) -> Result<Worker> {
        Worker::start(kind, &self.store(name, kind)?, mode, self.plan.set)
    }

    /// A worker for each engine, all at once.
    pub(super) fn start_all(&self, name: &str, mode: Mode) -> Result<Vec<Worker>> {
        self.args.engines.iter().map(|kind| self.start(name, *kind, mode)).collect()
    }

    /// A row without figures.
    pub(super) fn row(&self, name: &str, unit: Unit) -> Row {
        let cells = self.args.engines.iter().map(|kind| Cell::new(*kind)).collect();
        Row { set: self.plan.set.name, name: name.to_owned(), unit, cells }
    }

    /// Adds a row that is complete, if it is asked for.
    pub(super) fn add(&mut self, row: Row) {
        if self.wants(&[&row.name]) && row.cells.iter().any(|cell| !cell.rounds.is_empty()) {
            crate::report::told(&row);
            self.rows.push(row);
        }
    }
}

/// The order of the engines in a round: each begins in turn, so that none is always behind the same.
pub(super) fn turns(engines: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..engines).map(move |turn| (turn + round) % engines.max(1))
}

/// Has each worker do the same work, in rounds, and gives what each did to `take`. Where events are read, all must have
/// read the same.
pub(super) fn in_rounds(
    workers: &mut [Worker],
    rounds: usize,
    work: impl Fn(usize) -> Work,
    mut take: impl FnMut(Kind, Done) -> Result<()>,
) -> Result<()> {
    for worker in workers.iter_mut() {
        worker.ask(Work::Settle)?;
    }
    for round in 0..rounds {
        let mut read = None;
        for turn in turns(workers.len(), round) {
            let Some(worker) = workers.get_mut(turn) else { continue };
            let done = worker.ask(work(round))?;
            // What its threads still have to do for it must not fall into another engine's turn.
            worker.ask(Work::Settle)?;
            let same = (done.events, done.payload_bytes, done.sum);
            ensure!(
                *read.get_or_insert(same) == same,
                "{} read other events than the engines before it",
                worker.kind().name()
            );
            take(worker.kind(), done)?;
        }
    }
    Ok(())
}
