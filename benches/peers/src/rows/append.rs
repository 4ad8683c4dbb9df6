//! Appending: durable to the filled stores, buffered to new ones.

use anyhow::Result;

use crate::figures::{Row, Unit};
use crate::model::Mode;
use crate::process::Worker;
use crate::protocol::Work;

use super::names;
use super::session::{Session, in_rounds};

const BATCH_EVENTS: u64 = 1_000;
/// More than fit into a journal file of annals.
const BEHIND_EVENTS: u64 = 300_000;

/// Appends of all kinds to random streams of the set.
pub(super) fn durable(session: &mut Session<'_>) -> Result<()> {
    let rows = [
        names::APPEND_1,
        names::SLOWEST,
        names::APPEND_BEHIND,
        names::SLOWEST_BEHIND,
        names::APPEND_16,
        names::APPEND_64,
        names::BATCH,
        names::REFUSED,
    ];
    if !session.wants(&rows) {
        return Ok(());
    }
    let mut workers = session.start_all("set", Mode::Durable)?;
    let plan = session.plan;
    if session.wants(&[names::APPEND_1, names::SLOWEST]) {
        let work = |round| Work::Append { threads: 1, count: plan.appends, seed: 1_000 + round as u64 };
        let row = appended(session, &mut workers, names::APPEND_1, work)?;
        let slowest = slowest(session, names::SLOWEST, &row)?;
        session.add(row);
        session.add(slowest);
    }
    if session.wants(&[names::APPEND_BEHIND, names::SLOWEST_BEHIND]) && plan.behind_rounds > 0 {
        let work = |round| Work::AppendBehind {
            events: BEHIND_EVENTS,
            count: plan.appends,
            seed: 1_500 + 2 * round as u64,
        };
        let row = in_so_many(session, &mut workers, names::APPEND_BEHIND, plan.behind_rounds, work)?;
        let slowest = slowest(session, names::SLOWEST_BEHIND, &row)?;
        session.add(row);
        session.add(slowest);
    }
    for (name, threads) in [(names::APPEND_16, 16), (names::APPEND_64, 64)] {
        if session.wants(&[name]) {
            let count = plan.grouped_appends;
            let work = |round| Work::Append { threads, count, seed: 2_000 + round as u64 };
            let row = grouped(session, &mut workers, name, count, work)?;
            session.add(row);
        }
    }
    if session.wants(&[names::BATCH]) {
        let work =
            |round| Work::Batches { events: BATCH_EVENTS, count: plan.batches, seed: 3_000 + round as u64 };
        let row = appended(session, &mut workers, names::BATCH, work)?;
        session.add(row);
    }
    if session.wants(&[names::REFUSED]) {
        let work = |round| Work::Refused { count: plan.refused, seed: 4_000 + round as u64 };
        let row = appended(session, &mut workers, names::REFUSED, work)?;
        session.add(row);
    }
    for worker in workers {
        worker.close()?;
    }
    Ok(())
}

/// Appends to new stores, each opened so that its answers do not wait for the disk.
pub(super) fn buffered(session: &mut Session<'_>) -> Result<()> {
    if !session.wants(&[names::BUFFERED, names::REPLAY_RECENT]) {
        return Ok(());
    }
    let mut workers = session.start_all("buffered", Mode::Buffered)?;
    let count = session.plan.buffered;
    let work = |round| Work::Append { threads: 1, count, seed: 5_000 + round as u64 };
    let row = appended(session, &mut workers, names::BUFFERED, work)?;
    session.add(row);
    let replay = |_| Work::Replay { warm: true };
    let row = in_so_many(session, &mut workers, names::REPLAY_RECENT, session.plan.replays, replay)?;
    session.add(row);
    for worker in workers {
        worker.close()?;
    }
    Ok(())
}

/// A row whose value is the median of single operations.
fn appended(
    session: &Session<'_>,
    workers: &mut [Worker],
    name: &str,
    work: impl Fn(usize) -> Work,
) -> Result<Row> {
    in_so_many(session, workers, name, session.plan.rounds, work)
}

/// The same in so many rounds.
fn in_so_many(
    session: &Session<'_>,
    workers: &mut [Worker],
    name: &str,
    rounds: usize,
    work: impl Fn(usize) -> Work,
) -> Result<Row> {
    let mut row = session.row(name, Unit::Nanoseconds);
    in_rounds(workers, rounds, work, |kind, done| {
        row.cell_mut(kind)?.add_samples(&done.samples);
        Ok(())
    })?;
    Ok(row)
}

/// A row whose value is the wall time by the number of appends; its samples are how long each caller waited.
fn grouped(
    session: &Session<'_>,
    workers: &mut [Worker],
    name: &str,
    count: usize,
    work: impl Fn(usize) -> Work,
) -> Result<Row> {
    let mut row = session.row(name, Unit::Nanoseconds);
    in_rounds(workers, session.plan.rounds, work, |kind, done| {
        row.cell_mut(kind)?.add_round(done.wall / count as f64, &done.samples);
        Ok(())
    })?;
    Ok(row)
}

/// The slowest of the appends of a row.
fn slowest(session: &Session<'_>, name: &str, row: &Row) -> Result<Row> {
    let mut slowest = session.row(name, Unit::Nanoseconds);
    for cell in &row.cells {
        if let Some(mean) = cell.slowest_thousandth() {
            slowest.cell_mut(cell.kind)?.add_round(mean, &[]);
        }
    }
    Ok(slowest)
}
