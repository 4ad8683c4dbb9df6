//! The rows of the table: what is measured, in which order, and on what. Reading comes before appending, so that all that
//! is read is the data set and nothing else, and the engines' answers can be held against each other.

mod append;
mod kept;
mod names;
mod opening;
mod reading;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::args::Args;
use crate::engine::Kind;
use crate::figures::{Cell, Row, Unit};
use crate::model::Mode;
use crate::plan::Plan;
use crate::process::Worker;
use crate::protocol::{Done, Work};

pub(crate) use self::names::growth;

/// One data set's stores, and the rows measured on them.
pub(crate) struct Session<'a> {
    args: &'a Args,
    plan: Plan,
    dir: PathBuf,
    rows: Vec<Row>,
}

/// Measures all rows asked for on one data set, whose stores are made in `dir`, a directory that is there.
pub(crate) fn measure(args: &Args, plan: Plan, dir: &Path) -> Result<Vec<Row>> {
    let mut session = Session { args, plan, dir: dir.to_owned(), rows: Vec::new() };
    if !session.wants(&names::ALL) {
        return Ok(Vec::new());
    }
    kept::fill(&mut session)?;
    opening::after_close(&mut session)?;
    reading::cold(&mut session)?;
    kept::memory(&mut session)?;
    reading::warm(&mut session)?;
    append::durable(&mut session)?;
    append::buffered(&mut session)?;
    opening::after_kill(&mut session)?;
    Ok(session.rows)
}

impl Session<'_> {
    /// Whether any of these rows is asked for.
    fn wants(&self, rows: &[&str]) -> bool {
        let is_measured = |row: &str| !self.plan.is_brief || names::BRIEF.contains(&row);
        rows.iter().any(|row| is_measured(row) && self.args.wants(row))
    }

    /// Where an engine keeps a store of this name.
    fn store(&self, name: &str, kind: Kind) -> Result<PathBuf> {
        let dir = self.dir.join(name).join(kind.name());
        fs::create_dir_all(&dir)?;
        Ok(dir)
    }

    fn start(&self, name: &str, kind: Kind, mode: Mode) -> Result<Worker> {
        Worker::start(kind, &self.store(name, kind)?, mode, self.plan.set)
    }

    /// A worker for each engine, all at once.
    fn start_all(&self, name: &str, mode: Mode) -> Result<Vec<Worker>> {
        self.args.engines.iter().map(|kind| self.start(name, *kind, mode)).collect()
    }

    /// A row without figures.
    fn row(&self, name: &str, unit: Unit) -> Row {
        let cells = self.args.engines.iter().map(|kind| Cell::new(*kind)).collect();
        Row { set: self.plan.set.name, name: name.to_owned(), unit, cells }
    }

    /// Adds a row that is complete, if it is asked for.
    fn add(&mut self, row: Row) {
        if self.wants(&[&row.name]) && row.cells.iter().any(|cell| !cell.rounds.is_empty()) {
            crate::report::told(&row);
            self.rows.push(row);
        }
    }
}

impl Row {
    fn cell_mut(&mut self, kind: Kind) -> Result<&mut Cell> {
        let cell = self.cells.iter_mut().find(|cell| cell.kind == kind);
        cell.ok_or_else(|| anyhow::anyhow!("no cell for {}", kind.name()))
    }
}

/// The order of the engines in a round: each begins in turn, so that none is always behind the same.
fn turns(engines: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..engines).map(move |turn| (turn + round) % engines.max(1))
}

/// Has each worker do the same work, in rounds, and gives what each did to `take`. Where events are read, all must have
/// read the same.
fn in_rounds(
    workers: &mut [Worker],
    rounds: usize,
    work: impl Fn(usize) -> Work,
    mut take: impl FnMut(Kind, Done) -> Result<()>,
) -> Result<()> {
    for round in 0..rounds {
        let mut read = None;
        for turn in turns(workers.len(), round) {
            let Some(worker) = workers.get_mut(turn) else { continue };
            worker.ask(Work::Settle)?;
            let done = worker.ask(work(round))?;
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
